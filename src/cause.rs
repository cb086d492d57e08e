//! Error causes in plain text.

use std::error::Error;
use std::io;

/// The innermost source of an error. It says what happened; the outer ones say where.
#[must_use]
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.downcast_ref::<io::Error>().map_or_else(|| last.to_string(), reason)
}

/// Why a call to the operating system failed: the message of the system without the error number,
/// or the wrapped error.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    if let Some(code) = error.raw_os_error() {
        let text = io::Error::from_raw_os_error(code).to_string();
        let words = text.strip_suffix(&format!(" (os error {code})")).map(str::to_owned);
        return words.unwrap_or(text);
    }
    if let Some(cause) = error.get_ref().and_then(|wrapped| wrapped.source()) {
        return root_cause(cause);
    }
    let text = error.to_string();
    // Some wrappers include the message of the wrapped error and a path, and have no source.
    if let Some((words, _)) = text.split_once(" (os error ") {
        return words.to_owned();
    }
    // Without a message, an error shows the name of its kind in Rust.
    match error.kind() {
        kind if error.get_ref().is_some() || kind.to_string() != text => text,
        io::ErrorKind::NotFound => "No such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
        io::ErrorKind::UnexpectedEof => "the data ends too early".to_owned(),
        io::ErrorKind::InvalidData => "the data is not valid".to_owned(),
        io::ErrorKind::WriteZero => "not all data could be written".to_owned(),
        io::ErrorKind::BrokenPipe => "Broken pipe".to_owned(),
        io::ErrorKind::TimedOut => "the operation timed out".to_owned(),
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "Connection reset by peer".to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("of no interest")]
    struct Wrapper(#[source] io::Error);

    #[test]
    fn system_error_uses_the_system_message() {
        for (error, words) in [
            (std::fs::read("/nowhere/at/all").unwrap_err(), "No such file or directory"),
            (std::fs::read("/").unwrap_err(), "Is a directory"),
            (io::ErrorKind::NotFound.into(), "No such file or directory"),
            (io::ErrorKind::PermissionDenied.into(), "Permission denied"),
            (io::Error::other("it is too large"), "it is too large"),
        ] {
            assert_eq!(reason(&error), words);
        }
    }

    #[test]
    fn root_cause_is_shown_without_wrappers() {
        let error = tempfile::NamedTempFile::new_in("/nowhere/at/all").unwrap_err();
        assert_eq!(reason(&error), "No such file or directory");
        let wrapped = Wrapper(io::Error::other(Wrapper(io::ErrorKind::UnexpectedEof.into())));
        assert_eq!(root_cause(&wrapped), "the data ends too early");
    }

    #[test]
    fn error_kind_names_are_not_shown() {
        // Errors of system calls on files.
        for code in [1, 2, 5, 9, 11, 12, 13, 16, 17, 18, 20, 21, 22, 23, 24, 27, 28, 30, 36, 40] {
            let error = io::Error::from_raw_os_error(code);
            let text = reason(&error);
            assert_ne!(text, error.kind().to_string());
            assert!(!text.contains("os error"), "{text}");
        }
    }
}
