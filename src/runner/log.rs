//! The log: the only stream that the runner reads.
//!
//! The runner executes workflow commands from standard output and standard error, and untrusted
//! text is written there: user names, reasons, responses from servers. Two measures prevent that
//! such text is executed: commands in text are escaped, and all text is written between
//! `::stop-commands::TOKEN` and `::TOKEN::`, where the runner executes no commands.

use std::io::{self, Write};

use secrecy::SecretString;

use super::command::WorkflowCommand;
use super::inert::CommandEscaper;
pub use super::inert::{inert, inert_json};

/// A log that the runner reads. Text is written with [`Write`], in UTF-8 and in chunks of any size;
/// commands are written with [`Log::command`]. Colors are control characters, and are made visible.
pub struct Log<W: Write> {
    out: W,
    /// The token that makes the runner execute commands again.
    token: String,
    escaper: CommandEscaper,
    /// The first bytes of an incomplete character.
    partial: Vec<u8>,
    is_finished: bool,
    /// Returns the secrets registered after the first so many; `None` if nothing is masked.
    secrets: Option<fn(usize) -> Vec<SecretString>>,
    /// How many of them are masked.
    masked: usize,
}

impl<W: Write> Log<W> {
    /// Starts the log. From now on the runner only executes the commands of [`Log::command`].
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn start(mut out: W) -> io::Result<Self> {
        let token = super::random_token();
        out.write_all(stop(&token).as_bytes())?;
        let (escaper, partial) = (CommandEscaper::default(), Vec::new());
        Ok(Self { out, token, escaper, partial, is_finished: false, secrets: None, masked: 0 })
    }

    /// Starts a log that masks secrets. `secrets` returns those registered after the first so many.
    /// Each one is masked before anything else is written.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn masking(out: W, secrets: fn(usize) -> Vec<SecretString>) -> io::Result<Self> {
        let mut log = Self::start(out)?;
        log.secrets = Some(secrets);
        log.mask()?;
        Ok(log)
    }

    /// Masks the secrets that were registered since the last call.
    fn mask(&mut self) -> io::Result<()> {
        let found = self.secrets.map(|after| after(self.masked)).unwrap_or_default();
        self.masked += found.len();
        let masks: Vec<_> = found.into_iter().map(WorkflowCommand::Mask).collect();
        self.write_commands(&masks)
    }

    /// Writes a command.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn command(&mut self, command: &WorkflowCommand) -> io::Result<()> {
        self.commands([command])
    }

    /// Writes several commands at once, with one `stop-commands` around them.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn commands<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a WorkflowCommand>,
    ) -> io::Result<()> {
        self.mask()?;
        self.write_commands(commands)
    }

    fn write_commands<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a WorkflowCommand>,
    ) -> io::Result<()> {
        let lines: String = commands.into_iter().map(WorkflowCommand::lines).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = self.end_of_line();
        text.push_str(&resume(&self.token));
        text.push_str(&lines);
        text.push_str(&stop(&self.token));
        // A mask must reach the runner before the secret does.
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
    }

    /// Ends the log. The runner executes commands again. Dropping the log does the same, but
    /// ignores errors.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_finished, true) {
            return Ok(());
        }
        let mut text = self.end_of_line();
        text.push_str(&resume(&self.token));
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
    }

    /// Ends the current line, if there is one.
    fn end_of_line(&mut self) -> String {
        let mut shown = String::new();
        if !std::mem::take(&mut self.partial).is_empty() {
            self.escaper.push(char::REPLACEMENT_CHARACTER, &mut shown);
        }
        self.escaper.flush_carriage_return(&mut shown);
        if self.escaper.is_within_line() {
            self.escaper.push('\n', &mut shown);
        }
        shown
    }

    /// The escaped text for these bytes, which follow the previous ones.
    fn shown(&mut self, bytes: &[u8]) -> String {
        let mut text = std::mem::take(&mut self.partial);
        text.extend_from_slice(bytes);
        let mut shown = String::with_capacity(text.len() + 8);
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                self.escaper.push(character, &mut shown);
            }
            if chunks.peek().is_none() && is_partial_character(chunk.invalid()) {
                self.partial = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.escaper.push(char::REPLACEMENT_CHARACTER, &mut shown);
            }
        }
        shown
    }
}

impl<W: Write> Write for Log<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.mask()?;
        let shown = self.shown(bytes);
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Drop for Log<W> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Another stream that the runner reads. Each write is escaped on its own and written at once, so
/// it can be used from anywhere.
pub struct InertWriter<W: Write>(pub W);

impl<W: Write> Write for InertWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(inert(&crate::secrets::redact(&text)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether these bytes are the start of an incomplete character.
fn is_partial_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn stop(token: &str) -> String {
    format!("::stop-commands::{token}\n")
}

fn resume(token: &str) -> String {
    format!("::{token}::\n")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    /// The log after `write`, with the token as `TOKEN`.
    fn logged(write: impl FnOnce(&mut Log<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut log = Log::start(&mut out).unwrap();
        let token = log.token.clone();
        write(&mut log);
        log.finish().unwrap();
        String::from_utf8(out).unwrap().replace(&token, "TOKEN")
    }

    #[test]
    fn only_commands_are_executed_between_text() {
        let log = logged(|log| {
            log.write_all(b"Two accounts\n::error::forged").unwrap();
            log.commands(&[WorkflowCommand::Group("Report".to_owned()), WorkflowCommand::EndGroup])
                .unwrap();
            log.write_all(b"done\n").unwrap();
        });
        let expected = "::stop-commands::TOKEN\n\
                        Two accounts\n\
                        :\\:error::forged\n\
                        ::TOKEN::\n\
                        ::group::Report\n\
                        ::endgroup::\n\
                        ::stop-commands::TOKEN\n\
                        done\n\
                        ::TOKEN::\n";
        assert_eq!(log, expected);
    }

    #[test]
    fn chunked_text_equals_whole_text() {
        let text = "é ##[x]\r\n::error::日本\n\u{1b}[0m\r:".as_bytes();
        let whole = logged(|log| log.write_all(text).unwrap());
        for at in 0..text.len() {
            let (first, second) = text.split_at(at);
            let pieces = logged(|log| {
                log.write_all(first).unwrap();
                log.write_all(second).unwrap();
            });
            assert_eq!(pieces, whole, "cut at {at}");
        }
        let bytes = logged(|log| text.iter().for_each(|byte| log.write_all(&[*byte]).unwrap()));
        assert_eq!(bytes, whole);
    }

    #[test]
    fn invalid_utf8_is_made_visible() {
        let log = logged(|log| log.write_all(b"a\xff\xe2\x82b\n\xe2\x82").unwrap());
        assert_eq!(log, "::stop-commands::TOKEN\na\u{fffd}\u{fffd}b\n\u{fffd}\n::TOKEN::\n");
    }

    #[test]
    fn empty_command_writes_nothing() {
        let log =
            logged(|log| log.command(&WorkflowCommand::Mask(SecretString::from(" \n"))).unwrap());
        assert_eq!(log, "::stop-commands::TOKEN\n::TOKEN::\n");
    }

    #[test]
    fn dropped_log_resumes_commands() {
        let mut out = Vec::new();
        let log = Log::start(&mut out).unwrap();
        let end = format!("::{}::\n", log.token);
        drop(log);
        assert!(String::from_utf8(out).unwrap().ends_with(&end));
    }

    #[test]
    fn inert_writer_emits_no_commands() {
        let mut out = Vec::new();
        InertWriter(&mut out).write_all("::error::x\n##[error]é\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), ":\\:error::x\n##\\[error]é\n");
    }

    #[test]
    fn inert_writer_redacts_secrets() {
        crate::secrets::register("secret-of-the-inert-writer");
        let mut out = Vec::new();
        InertWriter(&mut out).write_all(b"you sent secret-of-the-inert-writer\n").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "you sent ***\n");
    }

    #[test]
    fn secrets_are_masked_before_other_output() {
        thread_local!(static HELD: std::cell::RefCell<Vec<SecretString>> = const {
            std::cell::RefCell::new(Vec::new())
        });
        fn after(known: usize) -> Vec<SecretString> {
            HELD.with_borrow(|held| held[known..].to_vec())
        }
        let keep =
            |secret: &str| HELD.with_borrow_mut(|held| held.push(SecretString::from(secret)));
        let mut out = Vec::new();
        keep("one");
        let mut log = Log::masking(&mut out, after).unwrap();
        keep("two");
        log.write_all(b"text\n").unwrap();
        keep("three");
        log.command(&WorkflowCommand::EndGroup).unwrap();
        log.finish().unwrap();
        let log = String::from_utf8(out).unwrap();
        let lines: Vec<_> = log.lines().filter(|it| !is_stop_or_resume(it)).collect();
        let expected =
            ["::add-mask::one", "::add-mask::two", "text", "::add-mask::three", "::endgroup::"];
        assert_eq!(lines, expected);
    }

    /// Whether the line stops or resumes commands.
    fn is_stop_or_resume(line: &str) -> bool {
        line.starts_with("::stop-commands::")
            || line.strip_prefix("::").is_some_and(|rest| rest.len() == 34)
    }

    #[test]
    fn each_log_has_its_own_token() {
        let tokens = [Log::start(Vec::new()).unwrap(), Log::start(Vec::new()).unwrap()];
        assert_eq!(tokens[0].token.len(), 32);
        assert_ne!(tokens[0].token, tokens[1].token);
    }
}
