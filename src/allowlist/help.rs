//! Help texts: what was probably meant, and what a correct value looks like.

use chrono::NaiveDate;

use super::diagnostic::{excerpt, shown};
use super::parse_day;
use super::pattern::is_user_name_char;
use crate::model::policy::remediation::UserPath;

pub(super) const FILE_IS_A_MAPPING: &str =
    "start the file with `version: 1`, and put the list of exemptions under `exemptions:`";
pub(super) const POLICY_IS_A_MAPPING: &str =
    "write keys below it, such as `stale_after_days: 90`, or omit `policy`";
pub(super) const REMEDIATION_IS_A_MAPPING: &str = "write `remediation: {}` for the defaults, or keys below it, such as `deactivate_after_days: 14`";
pub(super) const FORMER_ACCOUNT_IS_A_MAPPING: &str =
    "write `- account: \"111122223333\"` with `reason` and `owner` below `account`";
pub(super) const EXPIRY_TAG: &str = "write a value, or omit the key";
pub(super) const REASON: &str = "explain why the credential must stay, and where that is tracked";
pub(super) const FORMER_ACCOUNT_REASON: &str = "explain why the account is no longer audited";
pub(super) const OWNER: &str = "name the owner, such as \"@acme/platform\"";
pub(super) const LEVELS: &str = "write `rules: { stale-password: error }`, or omit `rules`";
pub(super) const MERGE_NAMES_AN_ANCHOR: &str =
    "name the anchor of a mapping, such as `<<: *name` where another entry starts with `&name`";
pub(super) const ACCESS_KEY_SUFFIX: &str = "identify a key by the last four characters of its ID, in quotes and without a space: \
     \"access-key:WXYZ\"";
pub(super) const CREDENTIALS: &str = "the credentials are password, access-key, and \"access-key:WXYZ\" for the key with these last four characters";

/// An example value of a key.
pub(super) fn example(key: &str) -> &'static str {
    match key {
        "version" => "1",
        "stale_after_days" => "90",
        "max_exemption_days" => "365",
        "expiry_tag" => "expires-on",
        "user" => "ci-deploy",
        "pattern" => "\"ses-smtp-*\"",
        "account" => "\"111122223333\"",
        "user_id" => "AIDACKCEVSQ6C2EXAMPLE",
        "credentials" => "[password]",
        "rules" => "[stale-access-key]",
        "reason" => "why the credential must stay",
        "owner" => "\"@acme/platform\"",
        "expires" => "YYYY-MM-DD",
        "deactivate_after_days" | "max_gap_days" => "14",
        "delete_after_days" => "90",
        "delete_passwords" | "delete_users" => "false",
        "max_changes" => "5",
        "max_share" => "10",
        "owners" => "[\"team-platform\"]",
        "paths" => "[\"/ci/*\"]",
        _ => "…",
    }
}

/// "write it like `owner: "@acme/platform"`"
pub(super) fn written(key: &str) -> String {
    format!("write it like `{key}: {}`", example(key))
}

/// `a`, `b`, and `c`
pub(super) fn listed(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<_> = items.into_iter().collect();
    let last = items.pop().unwrap_or_default();
    match items.as_slice() {
        [] => last,
        [first] => format!("{first} and {last}"),
        all => format!("{}, and {last}", all.join(", ")),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// The Jaro-Winkler similarity of names that differ by a typo.
    const MIN_SIMILARITY: f64 = 0.85;
    let plain = |name: &str| name.to_ascii_lowercase().replace(['_', ' '], "-");
    let written = plain(written);
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&plain(name), &written), name))
        .filter(|(likeness, _)| *likeness > MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Why a user name is invalid, and what to write instead.
pub(super) fn user_name(name: &str, max: usize) -> (String, String) {
    let alphabet = "user names have letters without accents, digits, and _ + = , . @ -";
    if name.contains('*') {
        let label = "`*` is not allowed in a user name".to_owned();
        return (
            label,
            format!("for several users write `pattern: \"{}\"` instead", excerpt(name)),
        );
    }
    if name.ends_with(":root") || name.eq_ignore_ascii_case("<root>") {
        let label = "no user can have this name".to_owned();
        return (label, "the root user is \"<root_account>\"".to_owned());
    }
    if name.contains(":role/") || name.contains(":assumed-role/") {
        let label = "this is a role".to_owned();
        return (label, "roles do not have passwords or access keys".to_owned());
    }
    let bare = name.rsplit('/').next().unwrap_or_default();
    if name.contains('/') && !bare.is_empty() && bare.chars().all(is_user_name_char) {
        let what = if name.starts_with("arn:") { "this is an ARN" } else { "this has a path" };
        return (what.to_owned(), format!("write only the name: `user: {}`", excerpt(bare)));
    }
    if let Some(other) = name.chars().find(|c| !is_user_name_char(*c)) {
        let other = if other == ' ' { "a space".to_owned() } else { shown(&other.to_string()) };
        return (format!("user names cannot contain {other}"), alphabet.to_owned());
    }
    (format!("{} characters", name.len()), format!("user names have at most {max} characters"))
}

/// Help for an account id with this many digits.
pub(super) const fn digits(count: usize) -> &'static str {
    match count {
        9..12 => {
            "an account ID has twelve digits: if leading zeros are missing, write all twelve digits \
             in quotes"
        }
        _ => "an account ID has twelve digits",
    }
}

/// Why a path is invalid, and what to write instead.
pub(super) fn path(text: &str) -> (&'static str, String) {
    let bare = text.strip_suffix('*').unwrap_or(text);
    let meant = format!("/{}/", bare.trim_matches('/')).replace("//", "/");
    let meant = if bare == text { meant } else { format!("{meant}*") };
    let label = if !text.starts_with('/') {
        "does not start with `/`"
    } else if bare.contains('*') {
        "`*` is only allowed once, at the end"
    } else if !bare.ends_with('/') {
        "does not end with `/` or `/*`"
    } else {
        "has a character that is not allowed in a path"
    };
    let help = match meant.parse::<UserPath>() {
        Ok(meant) => format!("did you mean \"{}\"?", excerpt(&meant.to_string())),
        Err(_) => {
            "write it like \"/ci/\", or \"/ci/*\" for all paths below it; \"/*\" matches every path"
                .to_owned()
        }
    };
    (label, help)
}

/// What to write instead of something that means `true` or `false`.
pub(super) fn boolean(key: &str, text: &str) -> String {
    let (meant, quoted) = match text.to_ascii_lowercase().as_str() {
        "true" => (true, true),
        "false" => (false, true),
        "yes" | "y" | "on" => (true, false),
        "no" | "n" | "off" => (false, false),
        _ => return written(key),
    };
    if quoted {
        format!("write it without quotes: `{key}: {meant}`")
    } else {
        format!("write `{key}: {meant}`")
    }
}

/// What to write instead of an unknown credential.
pub(super) fn credential(text: &str) -> String {
    let key_part = |text: &str| text.len() == 4 && text.chars().all(|c| c.is_ascii_alphanumeric());
    let pin = text.split_once(':').map_or(text, |(_, pin)| pin).trim();
    if key_part(pin) && (text.contains(':') || !pin.chars().any(|c| c.is_ascii_lowercase())) {
        return format!("did you mean \"access-key:{}\"?", pin.to_ascii_uppercase());
    }
    if text.starts_with("access-key") && text.contains(':') {
        return ACCESS_KEY_SUFFIX.to_owned();
    }
    match nearest(text, ["password", "access-key"]) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => CREDENTIALS.to_owned(),
    }
}

/// The access key id in a text.
pub(super) fn key_id(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| is_key_id(word))
}

fn is_key_id(word: &str) -> bool {
    let is_prefix = |it: &str| ["AKIA", "ASIA"].iter().any(|known| it.eq_ignore_ascii_case(known));
    word.len() >= 16
        && word.get(..4).is_some_and(is_prefix)
        && word.bytes().any(|b| b.is_ascii_digit())
}

/// The day that a date in another format means.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let date = text.split(['T', ' ']).next().unwrap_or_default();
    let formats = ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"];
    let other = formats.iter().find_map(|format| NaiveDate::parse_from_str(date, format).ok());
    // The last day of the month, if the day does not exist.
    let month = text.get(..8).filter(|_| text.len() == 10);
    other
        .or_else(|| (28..=30).rev().find_map(|day| parse_day(&format!("{}{day}", month?))))
        // `%Y` accepts years of any length.
        .filter(|day| day.format("%Y").to_string().len() == 4)
}
