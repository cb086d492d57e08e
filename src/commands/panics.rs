//! Reports panics, which are bugs, like other errors.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::CommandError;
use super::{Exit, Streams};

/// The first panic that was not reported yet. A panic in a thread causes another one, without
/// information, in the thread that waits for it.
static FIRST: Mutex<Option<PanicReport>> = Mutex::new(None);

/// The details of a panic.
#[derive(Debug)]
pub(super) struct PanicReport {
    message: String,
    /// The file and line in the program.
    place: Option<String>,
    /// The backtrace, if `RUST_BACKTRACE` is set.
    backtrace: Option<String>,
}

/// Records panics instead of printing them: a message can contain names, secrets, and workflow commands.
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

/// Runs a function and catches a panic in it.
pub(super) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, PanicReport> {
    // After a panic, the values are only reported and dropped.
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
    /// Reports the panic, without its message if the output may be public.
    pub(super) fn report(&self, streams: &mut Streams<'_>) -> Exit {
        let place = self.place.as_deref().unwrap_or("an unknown location");
        let at = format!("iam-stocktake failed at {place}");
        let message = match self.message.as_str() {
            "" => at.clone(),
            message => format!("{at}: {message}"),
        };
        let exit = streams.report(
            CommandError::write_failed(message).with_public_message(at).with_hint(concat!(
                "this is a bug in iam-stocktake: report it with this message and the version (",
                env!("CARGO_PKG_VERSION"),
                ") at ",
                env!("CARGO_PKG_REPOSITORY"),
                "/issues"
            )),
        );
        if let Some(backtrace) = self.backtrace.as_ref().filter(|_| !streams.redacted) {
            streams.eprint(backtrace);
        }
        exit
    }
}
