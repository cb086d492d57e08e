//! Who is assigned to the issues that are made.

use std::collections::BTreeSet;

/// How many people GitHub assigns to an issue.
pub const MAX_ASSIGNEES: usize = 10;

/// The longest login, in characters.
const MAX_LOGIN_CHARS: usize = 39;

/// The logins among the names, each once: GitHub compares logins without case. A leading `@` is no
/// part of a login. Names that cannot be a login are added to `invalid_logins`.
pub(super) fn logins<'a>(
    names: impl Iterator<Item = &'a str>,
    invalid_logins: &mut BTreeSet<String>,
) -> Vec<String> {
    let mut logins: Vec<String> = Vec::new();
    for name in names {
        let login = name.trim().trim_start_matches('@');
        if !is_login(login) {
            invalid_logins.insert(name.to_owned());
        } else if !logins.iter().any(|other| other.eq_ignore_ascii_case(login)) {
            logins.push(login.to_owned());
        }
    }
    logins
}

/// Letters, digits and hyphens, and an underscore before the short code of an enterprise's managed
/// users.
///
/// Source: "Username considerations for external authentication", GitHub documentation.
fn is_login(login: &str) -> bool {
    (1..=MAX_LOGIN_CHARS).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !login.starts_with('-')
}
