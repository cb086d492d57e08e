//! Panics: a panic is a mistake of the program, and is reported as every other error is.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Exit, Streams};

/// The first panic that was not reported yet. Behind one in a thread comes another, of whoever waits
/// for that thread, which says nothing.
static FIRST: Mutex<Option<PanicReport>> = Mutex::new(None);

/// What is known of a panic.
#[derive(Debug)]
pub(super) struct PanicReport {
    message: String,
    /// File and line of the program.
    place: Option<String>,
    /// Where `RUST_BACKTRACE` asks for one.
    backtrace: Option<String>,
}

/// Has panics recorded and not printed: what they say may repeat names and secrets, and in a job the
/// runner would read it.
pub fn record() {
    set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let is_captured = backtrace.status() == BacktraceStatus::Captured;
        let panic_report = PanicReport {
            message: message_of(panic.payload()),
            place: panic.location().map(ToString::to_string),
            backtrace: is_captured.then(|| backtrace.to_string()),
        };
        first().get_or_insert(panic_report);
    }));
}

/// Runs what may panic.
pub(super) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, PanicReport> {
    // What it leaves half done is only reported and then dropped.
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let recorded = first().take();
        recorded.unwrap_or_else(|| PanicReport {
            message: message_of(&*payload),
            place: None,
            backtrace: None,
        })
    })
}

fn first() -> MutexGuard<'static, Option<PanicReport>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl PanicReport {
    /// Says what happened, without the words of the panic where everybody can read it.
    pub(super) fn report(&self, streams: &mut Streams<'_>) -> Exit {
        let place = self.place.as_deref().unwrap_or("an unknown location");
        let message = if streams.redacted { "" } else { self.message.as_str() };
        let separator = if message.is_empty() { "" } else { ": " };
        streams.error(&format!("iam-stocktake failed at {place}{separator}{message}"));
        streams.hint(concat!(
            "this is a bug in iam-stocktake: report it with this message and the version (",
            env!("CARGO_PKG_VERSION"),
            ") at ",
            env!("CARGO_PKG_REPOSITORY"),
            "/issues"
        ));
        if let Some(backtrace) = self.backtrace.as_ref().filter(|_| !streams.redacted) {
            streams.eprint(backtrace);
        }
        Exit::WriteFailed
    }
}
