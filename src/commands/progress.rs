//! The progress of an observation: a bar on a terminal, plain lines elsewhere.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Streams;
use crate::observe::{ProgressEvent, ProgressStep};

/// How often the bar is redrawn while there are no events.
const TICK: Duration = Duration::from_millis(120);

/// Shows events on standard error.
pub(super) enum ProgressDisplay<'a> {
    /// Events are not shown.
    Silent,
    /// One line for each step of an account.
    Lines(RefCell<&'a mut dyn Write>),
    /// One bar for all accounts.
    Bar { bar: ProgressBar, done: Cell<usize> },
}

impl<'a> ProgressDisplay<'a> {
    /// Silent if `quiet`, a bar if standard error is a terminal, lines otherwise.
    pub(super) fn new(quiet: bool, streams: &'a mut Streams<'_>) -> Self {
        if quiet {
            return Self::Silent;
        }
        // Only a terminal has a width.
        if streams.stderr_style.width.is_none() {
            return Self::Lines(RefCell::new(&mut *streams.stderr));
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self::Bar { bar, done: Cell::new(0) }
    }

    pub(super) fn show(&self, event: ProgressEvent) {
        match self {
            Self::Silent => {}
            Self::Lines(stream) => {
                if let Some(line) = line(event) {
                    // If standard error is closed, the progress cannot be shown.
                    let _ = writeln!(stream.borrow_mut(), "{line}");
                }
            }
            Self::Bar { bar, done } => {
                match event.step {
                    ProgressStep::RecheckStarted(users) => bar.inc_length(users as u64),
                    ProgressStep::UserRechecked => bar.inc(1),
                    ProgressStep::Done(_) => done.set(done.get() + 1),
                    ProgressStep::Started | ProgressStep::ReportFetched(_) => {}
                }
                bar.set_message(format!(
                    "{} of {}, users re-checked",
                    done.get(),
                    accounts(event.total)
                ));
            }
        }
    }
}

impl Drop for ProgressDisplay<'_> {
    fn drop(&mut self) {
        if let Self::Bar { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

fn accounts(number: usize) -> String {
    if number == 1 { "1 account".to_owned() } else { format!("{number} accounts") }
}

/// The line for an event. Re-checks of single users are too many for lines.
fn line(event: ProgressEvent) -> Option<String> {
    let account = event.account;
    match event.step {
        ProgressStep::Started => Some(format!("{account}: fetching the credential report")),
        ProgressStep::ReportFetched(1) => Some(format!("{account}: the report lists 1 user")),
        ProgressStep::ReportFetched(users) => {
            Some(format!("{account}: the report lists {users} users"))
        }
        ProgressStep::RecheckStarted(0) | ProgressStep::UserRechecked | ProgressStep::Done(0) => {
            None
        }
        ProgressStep::RecheckStarted(1) => Some(format!("{account}: re-checking 1 user")),
        ProgressStep::RecheckStarted(users) => {
            Some(format!("{account}: re-checking {users} users"))
        }
        ProgressStep::Done(_) => Some(format!("{account}: some evidence is missing")),
    }
}
