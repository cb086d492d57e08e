//! The process's edge: arguments, clock, terminal and exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::prelude::*;

use iam_stocktake::app::{self, Streams, Style};
use iam_stocktake::cli::{self, Parsed};
use iam_stocktake::runner;
use iam_stocktake::runner::log::Beside;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    let now = chrono::Utc::now();
    // Standard error is not locked: a progress bar draws on it from a thread of its own.
    let (mut stdin, mut stdout, mut stderr) =
        (io::stdin().lock(), io::stdout().lock(), io::stderr());
    // The runner takes commands from standard error too, whichever command of ours writes there.
    let mut beside = Beside(io::stderr());
    let in_job = runner::is_present();
    let mut streams = Streams {
        stdout_style: if in_job { Style::default() } else { style(stdout.is_terminal()) },
        stderr_style: if in_job { Style::default() } else { style(stderr.is_terminal()) },
        stdin: &mut stdin,
        stdout: &mut stdout,
        stderr: if in_job { &mut beside } else { &mut stderr },
    };
    let (color_stdout, color_stderr) = (streams.stdout_style.color, streams.stderr_style.color);
    let exit = match cli::parse(std::env::args_os(), now, color_stdout, color_stderr) {
        Parsed::Command(command) => {
            if command.is_verbose() {
                log();
            } else if runner::is_debugging() {
                log_for_job();
            }
            app::run(&command, &mut streams)
        }
        Parsed::Text(text) => streams.print(&text),
        Parsed::Refused(text) => app::refuse(&text, &mut streams),
    };
    ExitCode::from(exit as u8)
}

/// Logs this program's own events to standard error, and nobody else's: what the AWS SDK and its HTTP
/// client trace holds signed headers, the session's token among them. Our own events repeat words of
/// AWS and GitHub, and a runner reads this stream too.
fn log() {
    let lines =
        tracing_subscriber::fmt::layer().with_writer(|| Beside(io::stderr())).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(own_events())).init();
}

/// The debug log of a job, which everybody may read: what was called and what came of it, in words of
/// ours alone. What others say repeats names.
fn log_for_job() {
    const OURS: [&str; 9] = [
        "message",
        "action",
        "attempt",
        "milliseconds",
        "cause",
        "method",
        "route",
        "status",
        "kind",
    ];
    let fields = debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name if OURS.contains(&name) => write!(writer, "{name}={value:?}"),
        _ => Ok(()),
    });
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(fields.delimited(" "))
        .with_writer(|| Beside(io::stderr()))
        .with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(own_events())).init();
}

fn own_events() -> Targets {
    Targets::new().with_target("iam_stocktake", tracing::Level::DEBUG)
}

/// Colours where a terminal shows them, unless `NO_COLOR` is set; `CLICOLOR_FORCE` wants them
/// everywhere. The width is the terminal's, or what `COLUMNS` says.
#[expect(clippy::disallowed_methods, reason = "the environment is read at the edge")]
fn style(is_terminal: bool) -> Style {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let forced =
        set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE").is_none_or(|it| it != "0");
    let dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
    let columns = std::env::var("COLUMNS").ok().and_then(|it| it.parse().ok());
    let measured = || terminal_size::terminal_size().map(|(width, _)| width.0);
    Style {
        color: !set("NO_COLOR") && (forced || (is_terminal && !dumb)),
        // A terminal that does not know its width says 0.
        width: columns.or_else(|| is_terminal.then(measured).flatten()).filter(|width| *width > 0),
    }
}
