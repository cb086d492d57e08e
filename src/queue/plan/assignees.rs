//! The assignees of new issues.

use std::collections::BTreeSet;

/// GitHub's limit for the assignees of an issue.
pub const MAX_ASSIGNEES: usize = 10;

/// The longest login, in characters.
const MAX_LOGIN_CHARS: usize = 39;

/// The valid logins among the names, without duplicates: GitHub compares logins without case. A
/// leading `@` is ignored. Names that are not valid logins are added to `invalid_logins`.
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

/// Letters, digits and hyphens, and an underscore before the short code of an enterprise managed
/// user.
///
/// Source: "Username considerations for external authentication", GitHub documentation.
fn is_login(login: &str) -> bool {
    (1..=MAX_LOGIN_CHARS).contains(&login.len())
        && login.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !login.starts_with('-')
}
