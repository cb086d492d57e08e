//! The process: arguments, clock, terminal, and exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::prelude::*;

use iam_stocktake::cli::{self, Command, Parsed};
use iam_stocktake::commands::{self, Streams, Style};
use iam_stocktake::runner;
use iam_stocktake::runner::log::InertWriter;

fn main() -> ExitCode {
    commands::record_panics();
    let not_started = match start_without_empty_variables() {
        Ok(Some(exit)) => return exit,
        Ok(None) => None,
        Err(message) => Some(message),
    };
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    let now = chrono::Utc::now();
    runner::register_secrets();
    let in_job = runner::is_github_actions();
    // Standard error is not locked, because the progress bar draws on it from another thread.
    let (mut stdin, mut stdout, mut stderr) =
        (io::stdin().lock(), io::stdout().lock(), io::stderr());
    let (stdout_is_terminal, stderr_is_terminal) = (stdout.is_terminal(), stderr.is_terminal());
    let stdout_is_log = in_job && !is_file(&stdout);
    let mut streams = Streams::new(&mut stdin, &mut stdout, &mut stderr);
    streams.stdout_is_log = stdout_is_log;
    if !in_job {
        streams.stdout_style = style(stdout_is_terminal);
        streams.stderr_style = style(stderr_is_terminal);
    }
    let exit = commands::run_catching_panics(&mut streams, |streams| {
        if let Some(message) = not_started {
            return commands::report_usage_error(&message, streams);
        }
        let (color_stdout, color_stderr) = (streams.stdout_style.color, streams.stderr_style.color);
        match cli::parse(std::env::args_os(), color_stdout, color_stderr) {
            Parsed::Command(command) => {
                start_logging(&command, in_job);
                commands::run(&command, now, streams)
            }
            Parsed::Text(text) => commands::print_text(&text, streams),
            Parsed::Refused(text) => commands::report_usage_error(&text, streams),
        }
    });
    ExitCode::from(exit as u8)
}

/// Whether the stream is a regular file, and therefore not in the job log.
#[cfg(unix)]
fn is_file(stream: &impl std::os::fd::AsFd) -> bool {
    let file = stream.as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|it| it.is_file())
}

#[cfg(not(unix))]
fn is_file(_: &impl IsTerminal) -> bool {
    false
}

/// Starts logging if it is requested. The log of a job may be public unless the event shows that the
/// repository is private. `audit` shows user names in any case.
fn start_logging(command: &Command, in_job: bool) {
    let names = !in_job || matches!(command, Command::Audit(_)) || runner::is_private_repository();
    if command.is_verbose() && names {
        log();
    } else if command.is_verbose() || runner::is_debug_logging() {
        log_for_public_job();
    }
}

/// Logs only the events of this program to standard error. The AWS SDK and its HTTP client trace signed
/// headers with session tokens. Text is escaped, because events contain messages from AWS and GitHub and
/// the runner reads this stream.
fn log() {
    let lines =
        tracing_subscriber::fmt::layer().with_writer(|| InertWriter(io::stderr())).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(own_events())).init();
}

/// The debug log of a job, which may be public: the calls and their results, without messages from AWS
/// and GitHub, which can contain names.
fn log_for_public_job() {
    const SAFE_FIELDS: [&str; 9] = [
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
        name if SAFE_FIELDS.contains(&name) => write!(writer, "{name}={value:?}"),
        _ => Ok(()),
    });
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(fields.delimited(" "))
        .with_writer(|| InertWriter(io::stderr()))
        .with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(own_events())).init();
}

fn own_events() -> Targets {
    Targets::new().with_target("iam_stocktake", tracing::Level::DEBUG)
}

/// The style of a stream. Terminals have colors unless `NO_COLOR` is set; `CLICOLOR_FORCE` enables colors
/// everywhere else. The width is `COLUMNS`, or the width of the terminal.
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
        // A terminal of unknown width reports 0.
        width: columns.or_else(|| is_terminal.then(measured).flatten()).filter(|width| *width > 0),
    }
}

/// Whether the AWS SDK or the TLS stack reads this variable. They treat an empty value as set, and panic
/// for some of them.
fn is_read_by_libraries(name: &str) -> bool {
    const OTHERS: [&str; 5] =
        ["SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
    name.starts_with("AWS_") || OTHERS.iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// Restarts the program without variables that are set but empty, such as those of `env: X: ${{ vars.X }}`
/// in a workflow: empty means not set. `None` if there is no such variable.
///
/// A process cannot safely remove a variable from its own environment.
fn start_without_empty_variables() -> Result<Option<ExitCode>, String> {
    let is_empty = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let is_ours = value.is_empty() && name.to_str().is_some_and(is_read_by_libraries);
        is_ours.then_some(name)
    };
    let empty: Vec<_> = std::env::vars_os().filter_map(is_empty).collect();
    if empty.is_empty() {
        return Ok(None);
    }
    let failed = match std::env::current_exe() {
        Ok(program) => {
            let mut command = std::process::Command::new(program);
            command.args(std::env::args_os().skip(1));
            for name in &empty {
                command.env_remove(name);
            }
            match start(command) {
                Ok(exit) => return Ok(Some(exit)),
                Err(error) => error,
            }
        }
        Err(error) => error,
    };
    let names: Vec<_> = empty.iter().map(|name| name.to_string_lossy()).collect();
    Err(format!(
        "error: these variables are set but empty: {}; unset them, because iam-stocktake cannot \
         restart without them: {failed}\n",
        names.join(", ")
    ))
}

/// Replaces this process.
#[cfg(unix)]
fn start(mut command: std::process::Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

/// Waits for the other process, and returns its exit code.
#[cfg(not(unix))]
fn start(mut command: std::process::Command) -> io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
