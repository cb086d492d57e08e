//! What a remedy leaves behind: on the command line, and in a job.

use super::allowlist::Told;
use super::remediate::{self, Outcome, UndoOutcome};
use super::{Exit, Streams, files};
use crate::report::{self, Remedy, Undoing, visible};
use crate::settings::{Format, RemediateSettings, Task};

/// Runs the command.
pub(super) fn remediate(settings: &RemediateSettings, streams: &mut Streams<'_>) -> Exit {
    let outcome = match &settings.task {
        Task::Undo { journal, users, .. } => {
            remediate::undo(settings, journal, users, streams).map(|it| show_undo(&it, streams))
        }
        Task::Plan | Task::Apply(_) => remediate::run(settings, Told::Lines, streams)
            .and_then(|outcome| show(settings, &outcome, streams)),
    };
    outcome.unwrap_or_else(|exit| exit)
}

fn show_undo(outcome: &UndoOutcome, streams: &mut Streams<'_>) -> Exit {
    let undoing = Undoing { undo: &outcome.undo, undone: outcome.undone.as_ref() };
    let printed = streams.print(&report::undo_text(undoing));
    if outcome.undone.is_none() && !outcome.undo.steps.is_empty() {
        streams.hint("nothing was changed: add --apply to do it");
    }
    outcome.exit.max(printed)
}

fn show(
    settings: &RemediateSettings,
    outcome: &Outcome,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let mut exit = outcome.exit;
    for output in &settings.outputs {
        let name = output.path.display().to_string();
        let text = render(output.format, settings, outcome);
        let written = files::stage(&output.path, text.as_bytes()).and_then(files::Staged::publish);
        match written {
            Ok(()) => streams.say(&format!("wrote {} ({})", visible(&name), output.format.id())),
            Err(error) => {
                streams.error(&visible(&format!("{name} cannot be written: {error}")));
                exit = Exit::WriteFailed;
            }
        }
    }
    if let Some(format) = settings.stdout {
        let text = render(format, settings, outcome);
        exit = exit.max(streams.print(&text));
    }
    if settings.task == Task::Plan && !outcome.saved.plan.changes.is_empty() {
        streams.hint("nothing was changed: add --apply to carry the plan out");
    }
    Ok(exit)
}

fn render(format: Format, settings: &RemediateSettings, outcome: &Outcome) -> String {
    let remedy = Remedy {
        saved: &outcome.saved,
        policy: &outcome.policy,
        applied: outcome.applied.as_ref(),
        max_rows: settings.max_rows,
    };
    match format {
        Format::Json => outcome.saved.written(),
        Format::Markdown | Format::Table => report::remedy_text(remedy),
    }
}
