//! `iam-stocktake remediate --undo`: reactivates what earlier runs deactivated.

use std::collections::BTreeSet;

use super::error::CommandError;
use super::journals::{RemediationError, begin_run, open_journal, read_lines};
use super::remediation_request::RemediationRequest;
use super::remediation_run::{other_lines, prepare};
use super::{Exit, Streams, files, live};
use crate::model::policy::Policy;
use crate::observe;
use crate::remediate::history::{History, merge_journals};
use crate::remediate::journal::{self, JournalLine, new_run_name};
use crate::remediate::{self, AccountTags, Executor, RemediationAccounts};

/// The result of an undo.
pub(super) struct UndoOutcome {
    /// The changes to undo.
    pub(super) undo: remediate::UndoPlan,
    /// The result; `None` if the changes were only shown.
    pub(super) undone: Option<remediate::UndoResult>,
    pub(super) exit: Exit,
}

/// Undoes what the journals and the remediation tags record, or shows what an undo would do.
pub(super) fn undo(
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<UndoOutcome, CommandError> {
    let (path, users) = (&settings.args.journal, settings.users_in_lower_case());
    if !path.exists() {
        let name = path.display();
        streams.eprintln(&format!(
            "note: {name} does not exist, so the undo uses only the remediation tags"
        ));
    }
    let own = read_lines(path, streams)?;
    let others = other_lines(settings, streams)?;
    let history = |own: Vec<JournalLine>| {
        History::from_lines(&merge_journals([vec![own], others.clone()].concat()))
    };
    let (options, runtime) = prepare(settings, &Policy::default(), streams)?;
    let open = async {
        let sessions = observe::open_sessions(&options).await?;
        let accounts = RemediationAccounts::open(&sessions, &options, Vec::new()).await;
        let tags = accounts.user_tags().await;
        Ok((accounts, tags))
    };
    let (accounts, tags) = runtime.block_on(open).map_err(live::ObserveError::Refused)?;
    let before = history(own);
    check_users(settings, &tags, &before)?;
    let plan = |history: &History| {
        runtime.block_on(remediate::plan_undo(&accounts, history, &users, &tags))
    };
    if !settings.task.changes() {
        let undo = plan(&before);
        let exit = if undo.is_complete() { Exit::Done } else { Exit::Incomplete };
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
    let mut exit = if undo.is_complete() { Exit::Done } else { Exit::Incomplete };
    if !undone.failed.is_empty() || undo.has_conflict() {
        exit = Exit::WriteFailed;
    }
    Ok(UndoOutcome { undo, undone: Some(undone), exit })
}

/// Refuses a requested user that neither the accounts nor the journals have.
fn check_users(
    settings: &RemediationRequest,
    tags: &AccountTags,
    history: &History,
) -> Result<(), CommandError> {
    let listed = tags.users.keys().map(|(_, name)| name.as_str());
    let journaled = history.steps.iter().map(|past| past.step.user.as_str());
    let known: BTreeSet<&str> = listed.chain(journaled).collect();
    settings.check_users(&known, tags.failures.is_empty())
}
