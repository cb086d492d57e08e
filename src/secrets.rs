//! Secrets to redact.
//!
//! Tokens and keys are registered where they are read or received. The runner masks them in the job
//! log, and text for people goes through [`redact`] first, because errors from AWS, GitHub or the
//! token endpoint can repeat what was sent.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

const REDACTED: &str = "***";
/// Shorter secrets are not redacted, because they can be ordinary words.
const MIN_REDACTED_LENGTH: usize = 8;
/// This many characters identify a secret, so that one that is cut off is still recognized.
const PREFIX_LENGTH: usize = 16;
/// Characters in keys and tokens that forms and queries encode.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'+').add(b'/').add(b'=');

static SECRETS: Mutex<Vec<SecretString>> = Mutex::new(Vec::new());

/// Registers each line of a secret. Blank lines are ignored.
pub fn register(secret: &str) {
    let mut secrets = secrets();
    for line in secret.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        if !secrets.iter().any(|it| it.expose_secret() == line) {
            secrets.push(SecretString::from(line));
        }
    }
}

/// The secrets registered after the first `known`, to be masked by the runner.
#[must_use]
pub fn registered_after(known: usize) -> Vec<SecretString> {
    secrets().get(known..).unwrap_or_default().to_vec()
}

/// Replaces every registered secret, and everything that starts with its first characters, with
/// `***`.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for secret in secrets().iter().map(ExposeSecret::expose_secret) {
        for form in [Cow::Borrowed(secret), Cow::from(utf8_percent_encode(secret, ENCODED))] {
            if let Some(without) = redact_secret(&shown, &form) {
                shown = Cow::Owned(without);
            }
        }
    }
    shown
}

/// The text without a secret; `None` if it does not contain it.
fn redact_secret(text: &str, secret: &str) -> Option<String> {
    let needle = match secret.char_indices().nth(PREFIX_LENGTH) {
        Some((end, _)) => secret.get(..end)?,
        None => secret,
    };
    if needle.len() < MIN_REDACTED_LENGTH || !text.contains(needle) {
        return None;
    }
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, found)) = rest.split_once(needle) {
        shown.push_str(before);
        shown.push_str(REDACTED);
        // Keys and tokens consist of these characters. The rest of the secret is removed as well.
        let is_part = |it: char| it.is_ascii_alphanumeric() || "+/=_-.%~".contains(it);
        let whole = secret.get(needle.len()..).and_then(|tail| found.strip_prefix(tail));
        rest = whole.unwrap_or_else(|| found.trim_start_matches(is_part));
    }
    shown.push_str(rest);
    Some(shown)
}

fn secrets() -> MutexGuard<'static, Vec<SecretString>> {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every test has its own secrets, because the registry is shared by the process.

    #[test]
    fn secret_is_redacted_in_every_form() {
        register("FwoGZXIvYXdzEJr+one/two==\r\nsecond-line-of-one");
        for (text, shown) in [
            ("token FwoGZXIvYXdzEJr+one/two==, and more", "token ***, and more"),
            ("a=FwoGZXIvYXdzEJr%2Bone%2Ftwo%3D%3D&b=1", "a=***&b=1"),
            ("cut off: FwoGZXIvYXdzEJr+on…", "cut off: ***…"),
            ("two: second-line-of-onesecond-line-of-one", "two: ******"),
            ("FwoGZXIvYXdzEJ is another", "FwoGZXIvYXdzEJ is another"),
        ] {
            assert_eq!(redact(text), shown, "{text}");
        }
    }

    #[test]
    fn short_secret_is_masked_but_not_redacted() {
        let known = registered_after(0).len();
        register("tiny-7!");
        register(" \n\t");
        let masked = registered_after(known);
        assert!(masked.iter().any(|it| it.expose_secret() == "tiny-7!"));
        assert!(masked.iter().all(|it| !it.expose_secret().trim().is_empty()));
        assert_eq!(redact("tiny-7!"), "tiny-7!");
    }

    #[test]
    fn secret_is_registered_once() {
        register("ghs_registered-twice-1");
        register("ghs_registered-twice-1");
        let same = |it: &&SecretString| it.expose_secret() == "ghs_registered-twice-1";
        assert_eq!(registered_after(0).iter().filter(same).count(), 1);
    }
}
