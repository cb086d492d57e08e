//! `iam-stocktake remediate --undo`: reactivates what a journal says was deactivated.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::CommandError;
use super::journals::{RemediationError, begin_run, lines_of, open_journal};
use super::remediation_request::RemediationRequest;
use super::remediation_run::{other_lines, prepare};
use super::{Exit, Streams, files, live};
use crate::model::policy::Policy;
use crate::observe;
use crate::remediate::history::{History, merge_journals};
use crate::remediate::journal::{self, JournalError, new_run_name};
use crate::remediate::{self, Executor, RemediationAccounts};

/// The result of an undo.
pub(super) struct UndoOutcome {
    /// The changes to undo.
    pub(super) undo: remediate::UndoPlan,
    /// The result; `None` if the changes were only shown.
    pub(super) undone: Option<remediate::UndoResult>,
    pub(super) exit: Exit,
}

/// Undoes the changes in a journal, or shows what an undo would do.
pub(super) fn undo(
    settings: &RemediationRequest,
    path: &Path,
    users: &BTreeSet<String>,
    streams: &mut Streams<'_>,
) -> Result<UndoOutcome, CommandError> {
    let contents =
        journal::read(path, files::workspace().as_ref()).map_err(|error| match error {
            JournalError::File { .. } => CommandError::usage(error.to_string())
                .with_hint("set the journal of the run to undo"),
            error => error.into(),
        })?;
    let (options, runtime) = prepare(settings, &Policy::default(), streams)?;
    let open = async {
        let sessions = observe::open_sessions(&options).await?;
        Ok(RemediationAccounts::open(&sessions, &options, Vec::new()).await)
    };
    let accounts = runtime.block_on(open).map_err(live::ObserveError::Refused)?;
    let others = other_lines(settings, streams)?;
    let history = |own| History::from_lines(&merge_journals([vec![own], others.clone()].concat()));
    let plan =
        |history: &History| runtime.block_on(remediate::plan_undo(&accounts, history, users));
    if !settings.task.changes() {
        let undo = plan(&history(lines_of(path, contents, "ignored", streams)));
        let exit = if undo.lookup_failures.is_empty() { Exit::Done } else { Exit::Incomplete };
        return Ok(UndoOutcome { undo, undone: None, exit });
    }
    let (mut journal, lines) = open_journal(path, new_run_name(settings.now), streams)?;
    let before = history(lines);
    runtime.block_on(async {
        begin_run(&mut journal, settings.now, "undo")?;
        Executor::new(&accounts, &before, &mut journal, settings.now).resolve_open_steps().await?;
        Ok::<_, RemediationError>(())
    })?;
    let history = history(journal::read(path, files::workspace().as_ref())?.lines);
    let undo = plan(&history);
    let undone = runtime.block_on(async {
        let mut executor = Executor::new(&accounts, &history, &mut journal, settings.now);
        let undone = executor.undo(&undo).await?;
        executor.finish()?;
        Ok::<_, RemediationError>(undone)
    })?;
    let mut exit = if undo.lookup_failures.is_empty() { Exit::Done } else { Exit::Incomplete };
    if !undone.failed.is_empty() || undo.has_conflict() {
        exit = Exit::WriteFailed;
    }
    Ok(UndoOutcome { undo, undone: Some(undone), exit })
}
