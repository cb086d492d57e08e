//! `iam-stocktake remediate --undo`: reactivates what a journal says was deactivated.

use std::collections::BTreeSet;
use std::path::Path;

use super::journals::{lines_of, open_journal, report_journal_error};
use super::remediation_run::{RemediationError, RemediationRequest, begin, other_lines, prepare};
use super::{Exit, Streams, files, live};
use crate::model::policy::Policy;
use crate::observe;
use crate::remediate::history::{History, merge_journals};
use crate::remediate::journal::{self, JournalError, new_run_name};
use crate::remediate::{self, Executor, RemediationAccounts};
use crate::templates::escape_invisible;

/// The result of an undo.
pub(super) struct UndoOutcome {
    /// The changes to undo.
    pub(super) undo: remediate::UndoPlan,
    /// The result; `None` if the changes were only shown.
    pub(super) undone: Option<remediate::UndoResult>,
    pub(super) exit: Exit,
}

/// Undoes the changes in a journal, or shows what an undo would do. An error has been reported.
pub(super) fn undo(
    settings: &RemediationRequest,
    path: &Path,
    users: &BTreeSet<String>,
    streams: &mut Streams<'_>,
) -> Result<UndoOutcome, Exit> {
    let applies = settings.task.changes();
    let read = journal::read(path, files::workspace().as_ref());
    let contents = read.map_err(|error| match &error {
        JournalError::File { .. } => {
            streams.error(&escape_invisible(&error.to_string()));
            streams.hint("set the journal of the run to undo");
            Exit::Usage
        }
        _ => report_journal_error(&error, streams),
    })?;
    let (options, runtime) = prepare(settings, &Policy::default(), streams)?;
    let open = async {
        let sessions =
            observe::open_sessions(&options).await.map_err(live::ObserveError::Refused)?;
        Ok(RemediationAccounts::open(&sessions, &options, Vec::new()).await)
    };
    let accounts = runtime
        .block_on(open)
        .map_err(|unobserved: live::ObserveError| unobserved.report(streams))?;
    let others = other_lines(settings, streams)?;
    let history = |own| History::from_lines(&merge_journals([vec![own], others.clone()].concat()));
    let plan =
        |history: &History| runtime.block_on(remediate::plan_undo(&accounts, history, users));
    if !applies {
        let undo = plan(&history(lines_of(path, contents, "ignored", streams)));
        let exit = if undo.lookup_failures.is_empty() { Exit::Done } else { Exit::Incomplete };
        return Ok(UndoOutcome { undo, undone: None, exit });
    }
    let (mut journal, lines) = open_journal(path, new_run_name(settings.now), streams)?;
    let before = history(lines);
    let resolved = runtime.block_on(async {
        begin(&mut journal, settings.now, "undo")?;
        Executor::new(&accounts, &before, &mut journal, settings.now).resolve_open_steps().await?;
        Ok(())
    });
    resolved.map_err(|unfinished: RemediationError| unfinished.report(streams))?;
    let read = journal::read(path, files::workspace().as_ref());
    let history = history(read.map_err(|error| report_journal_error(&error, streams))?.lines);
    let undo = plan(&history);
    let undone = runtime.block_on(async {
        let mut executor = Executor::new(&accounts, &history, &mut journal, settings.now);
        let undone = executor.undo(&undo).await?;
        executor.finish()?;
        Ok(undone)
    });
    let undone = undone.map_err(|unfinished: RemediationError| unfinished.report(streams))?;
    let mut exit = if undo.lookup_failures.is_empty() { Exit::Done } else { Exit::Incomplete };
    if !undone.failed.is_empty() || undo.has_conflict() {
        exit = Exit::WriteFailed;
    }
    Ok(UndoOutcome { undo, undone: Some(undone), exit })
}
