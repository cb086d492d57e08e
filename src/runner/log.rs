//! The log: the one stream through which everything goes that the runner reads.
//!
//! The runner reads workflow commands from standard output and standard error alike, and names of
//! users, reasons and answers of servers are written there by whoever made them. Two belts keep
//! them from giving commands: every command in a text is broken on its way, and all text stands
//! between `::stop-commands::TOKEN` and `::TOKEN::`, where the runner heeds none.

use std::io::{self, Write};

use secrecy::SecretString;

use super::command::WorkflowCommand;
use super::inert::CommandEscaper;
pub use super::inert::{inert, inert_json};

/// A log that the runner reads. Text is written to it as to any stream, in pieces of any size and
/// in UTF-8; commands by [`Log::command`]. Colours are control characters too, and become visible.
pub struct Log<W: Write> {
    out: W,
    /// What ends the time in which commands are not heeded.
    token: String,
    breaker: CommandEscaper,
    /// The first bytes of a character whose others are still to come.
    partial: Vec<u8>,
    is_finished: bool,
    /// Returns the secrets registered after the first so many; `None` if nothing is masked.
    secrets: Option<fn(usize) -> Vec<SecretString>>,
    /// How many of them the runner was told to mask.
    masked: usize,
}

impl<W: Write> Log<W> {
    /// Begins the log: from here on the runner heeds no command but those of [`Log::command`].
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn start(mut out: W) -> io::Result<Self> {
        let token = super::random_token();
        out.write_all(stop(&token).as_bytes())?;
        let (breaker, partial) = (CommandEscaper::default(), Vec::new());
        Ok(Self { out, token, breaker, partial, is_finished: false, secrets: None, masked: 0 })
    }

    /// Begins a log that masks secrets: `secrets` returns those registered after the first so many.
    /// The runner is told of each one before anything else is written.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn masking(out: W, secrets: fn(usize) -> Vec<SecretString>) -> io::Result<Self> {
        let mut log = Self::start(out)?;
        log.secrets = Some(secrets);
        log.mask()?;
        Ok(log)
    }

    /// Has the runner mask the secrets that were registered since.
    fn mask(&mut self) -> io::Result<()> {
        let found = self.secrets.map(|after| after(self.masked)).unwrap_or_default();
        self.masked += found.len();
        let masks: Vec<_> = found.into_iter().map(WorkflowCommand::Mask).collect();
        self.write_commands(&masks)
    }

    /// Gives the runner a command.
    ///
    /// # Errors
    /// When the stream cannot be written.
    pub fn command(&mut self, command: &WorkflowCommand) -> io::Result<()> {
        self.commands([command])
    }

    /// Gives the runner several commands, in one go: what surrounds them stands in the log too.
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
        // A mask has to be known before anything is written that it hides.
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
    }

    /// Ends the log: from here on the runner heeds commands again. Dropping does so as well, but
    /// tells of no error.
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

    /// What is missing to the end of the line, if one was begun.
    fn end_of_line(&mut self) -> String {
        let mut shown = String::new();
        if !std::mem::take(&mut self.partial).is_empty() {
            self.breaker.push(char::REPLACEMENT_CHARACTER, &mut shown);
        }
        self.breaker.flush_carriage_return(&mut shown);
        if self.breaker.is_within_line() {
            self.breaker.push('\n', &mut shown);
        }
        shown
    }

    /// What the bytes are shown as, behind those that were begun.
    fn shown(&mut self, bytes: &[u8]) -> String {
        let mut text = std::mem::take(&mut self.partial);
        text.extend_from_slice(bytes);
        let mut shown = String::with_capacity(text.len() + 8);
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                self.breaker.push(character, &mut shown);
            }
            if chunks.peek().is_none() && is_partial_character(chunk.invalid()) {
                self.partial = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.breaker.push(char::REPLACEMENT_CHARACTER, &mut shown);
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

/// A stream beside the log, which the runner reads as well: what is written in one go gives no
/// commands. It holds nothing back, so that it can be written from anywhere.
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

/// Whether a character begins with these bytes and lacks others.
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

    /// What the log holds when `write` has written to it, with the token as `TOKEN`.
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
