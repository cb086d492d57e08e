//! Compares with committed files, which `UPDATE_EXPECT=1` rewrites.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Collects every file that differs, so that one run shows them all.
#[derive(Default)]
pub struct Expectations {
    failures: String,
}

impl Expectations {
    /// Compares the file at `path` with `actual`, or writes it.
    #[allow(clippy::disallowed_methods, reason = "a test may write its own fixtures")]
    pub fn check(&mut self, path: &Path, actual: &str) {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(path, actual).expect("the file must be writable");
            return;
        }
        let expected = fs::read_to_string(path).unwrap_or_default();
        if expected != actual {
            let _ = writeln!(self.failures, "{}\n{}", path.display(), diff(&expected, actual));
        }
    }

    /// Fails if any file differed.
    #[track_caller]
    pub fn finish(self) {
        assert!(
            self.failures.is_empty(),
            "- committed, + actual; UPDATE_EXPECT=1 accepts the actual text\n\n{}",
            self.failures
        );
    }
}

/// The lines that differ, without the common start and end.
fn diff(expected: &str, actual: &str) -> String {
    let expected: Vec<_> = expected.split_inclusive('\n').collect();
    let actual: Vec<_> = actual.split_inclusive('\n').collect();
    let head = expected.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let tails = expected[head..].iter().rev().zip(actual[head..].iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    for (mark, lines) in [
        (' ', &expected[head.saturating_sub(3)..head]),
        ('-', &expected[head..expected.len() - tail]),
        ('+', &actual[head..actual.len() - tail]),
        (' ', &expected[expected.len() - tail..expected.len() - tail.saturating_sub(3)]),
    ] {
        for line in lines {
            let _ = writeln!(
                text,
                "{mark} {}",
                line.escape_debug().to_string().trim_end_matches("\\n")
            );
        }
    }
    text
}
