//! The file as it is written → [`Allowlist`], or everything that is wrong with its values.

use std::ops::Range;
use std::str::FromStr;

use chrono::{Days, NaiveDate};

use super::diagnostic::{Code, Diagnostic};
use super::node::Placed;
use super::pattern::{MIN_LITERALS, Pattern, PatternError, is_user_name_char};
use super::raw::{RawAllowlist, RawExemption, RawPolicy};
use super::{Allowlist, CredentialSelector, Exemption, Place, UserSelector};
use crate::inventory::{AccountId, ROOT_USER};
use crate::policy::{DEFAULT_MAX_EXEMPTION_DAYS, Level, MAX_DAYS, PolicyOverrides, Rule};

/// The longest IAM user name.
const MAX_USER_NAME: usize = 64;
/// Exemptions that run out within so many days are announced.
pub const EXPIRES_SOON_DAYS: i64 = 14;

/// Makes an allowlist of what was read, as seen on `today` (UTC).
pub(super) fn check(
    raw: RawAllowlist,
    source: &str,
    today: NaiveDate,
    problems: &mut Vec<Diagnostic>,
) -> Allowlist {
    let mut checker = Checker { source, today, max_days: DEFAULT_MAX_EXEMPTION_DAYS, problems };
    if let Some(version) = &raw.version {
        checker.version(version);
    }
    let policy = checker.policy(raw.policy);
    checker.max_days = policy.max_exemption_days.unwrap_or(DEFAULT_MAX_EXEMPTION_DAYS);
    let exemptions =
        raw.exemptions.into_iter().filter_map(|exemption| checker.exemption(exemption)).collect();
    Allowlist { policy, exemptions }
}

struct Checker<'a> {
    source: &'a str,
    today: NaiveDate,
    max_days: u32,
    problems: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(
        &mut self,
        code: Code,
        span: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Diagnostic::error(code, span.clone(), message).label(label).help(help);
        self.problems.push(problem);
    }

    fn version(&mut self, version: &Placed<i64>) {
        if version.value != 1 {
            self.error(
                Code::UnsupportedVersion,
                &version.span,
                format!("version {} of the allowlist format is not supported", version.value),
                "unknown version",
                "write `version: 1`, or use a newer iam-stocktake",
            );
        }
    }

    fn policy(&mut self, raw: RawPolicy) -> PolicyOverrides {
        let mut policy = PolicyOverrides {
            stale_after_days: raw.stale_after_days.and_then(|it| self.days(&it)),
            max_exemption_days: raw.max_exemption_days.and_then(|it| self.days(&it)),
            ..PolicyOverrides::default()
        };
        let names_expiry_tag = raw.expiry_tag.is_some();
        policy.expiry_tag = raw.expiry_tag.and_then(|tag| self.filled(tag, "expiry_tag"));
        for (name, level) in raw.rules {
            let rule = self.rule(&name);
            let level = self.level(&level);
            if rule == Some(Rule::ExpiredUser) && level > Some(Level::Off) && !names_expiry_tag {
                self.error(
                    Code::ExpiryTagMissing,
                    &name.span,
                    "the rule `expired-user` reads a tag that nothing names",
                    "turned on here",
                    "add `expiry_tag: expires-on` (or your tag's key) under `policy`",
                );
            }
            if let (Some(rule), Some(level)) = (rule, level) {
                policy.levels.insert(rule, level);
            }
        }
        policy
    }

    fn days(&mut self, number: &Placed<i64>) -> Option<u32> {
        let days = u32::try_from(number.value).ok().filter(|days| (1..=MAX_DAYS).contains(days));
        if days.is_none() {
            self.error(
                Code::NumberOutOfRange,
                &number.span,
                format!("{} is not between 1 and {MAX_DAYS} days", number.value),
                "out of range",
                "write a number of days, such as 90",
            );
        }
        days
    }

    fn rule(&mut self, name: &Placed<String>) -> Option<Rule> {
        let ids = Rule::ALL.map(Rule::id);
        self.named(name, Code::UnknownRule, "rule", &ids)
    }

    fn level(&mut self, name: &Placed<String>) -> Option<Level> {
        let ids = Level::ALL.map(Level::id);
        self.named(name, Code::UnknownLevel, "level", &ids)
    }

    fn named<T: FromStr>(
        &mut self,
        name: &Placed<String>,
        code: Code,
        what: &str,
        ids: &[&str],
    ) -> Option<T> {
        let found = name.value.parse().ok();
        if found.is_none() {
            self.error(
                code,
                &name.span,
                format!("there is no {what} `{}`", name.value),
                format!("unknown {what}"),
                format!("one of {}", ids.join(", ")),
            );
        }
        found
    }

    fn exemption(&mut self, raw: RawExemption) -> Option<Exemption> {
        let place = Place::of(self.source, raw.span.start);
        let user = self.user_selector(&raw);
        let account = raw.account.map(|it| self.account(&it));
        let user_id = raw.user_id.map(|it| self.user_id(it));
        let credentials = raw.credentials.map_or_else(Vec::new, |list| {
            list.value.iter().filter_map(|it| self.credential(it)).collect()
        });
        let rules = raw.rules.map_or_else(
            || Rule::STALE.to_vec(),
            |list| list.value.iter().filter_map(|it| self.rule(it)).collect(),
        );
        let reason = raw.reason.and_then(|it| self.filled(it, "reason"));
        let owner = raw.owner.and_then(|it| self.filled(it, "owner"));
        let expires = raw.expires.and_then(|it| self.expires(&it));
        Some(Exemption {
            user: user?,
            // An account or id that is wrong must not widen the exemption to all.
            account: account.map_or(Some(None), |it| it.map(Some))?,
            user_id: user_id.map_or(Some(None), |it| it.map(Some))?,
            credentials,
            rules,
            reason: reason?,
            owner: owner?,
            expires: expires?,
            span: raw.span,
            place,
        })
    }

    fn user_selector(&mut self, raw: &RawExemption) -> Option<UserSelector> {
        match (&raw.user, &raw.pattern) {
            (Some(user), None) => self.user_name(user),
            (None, Some(pattern)) => self.pattern(pattern),
            (Some(user), Some(pattern)) => {
                let problem = Diagnostic::error(
                    Code::UserAndPattern,
                    pattern.span.clone(),
                    "an exemption names a user or a pattern, not both",
                )
                .label("and a pattern here")
                .related(user.span.clone(), "a user here")
                .help("make two exemptions of it");
                self.problems.push(problem);
                None
            }
            (None, None) => {
                self.error(
                    Code::NoUser,
                    &raw.span,
                    "an exemption names neither a user nor a pattern",
                    "this exemption",
                    "add `user: NAME`, or `pattern: \"PREFIX-*\"`",
                );
                None
            }
        }
    }

    fn user_name(&mut self, user: &Placed<String>) -> Option<UserSelector> {
        let name = &user.value;
        let valid =
            (1..=MAX_USER_NAME).contains(&name.len()) && name.chars().all(is_user_name_char);
        if valid || name == ROOT_USER {
            return Some(UserSelector::Name(name.clone()));
        }
        let help = if name.contains('*') {
            format!("for several users write `pattern: \"{name}\"` instead of `user`")
        } else if name.contains('/') {
            "write the name alone, without the path or the ARN".to_owned()
        } else {
            "IAM user names have 1 to 64 letters, digits and _ + = , . @ -".to_owned()
        };
        let message = format!("`{name}` is no IAM user name");
        self.error(Code::InvalidUserName, &user.span, message, "no user can have this name", help);
        None
    }

    fn pattern(&mut self, pattern: &Placed<String>) -> Option<UserSelector> {
        match Pattern::new(&pattern.value) {
            Ok(pattern) => Some(UserSelector::Pattern(pattern)),
            Err(PatternError::Character(character)) => {
                self.error(
                    Code::InvalidPattern,
                    &pattern.span,
                    format!("the pattern has a character that no user name has: `{character}`"),
                    "would match nobody",
                    "only `*` is special: it stands for any run of characters",
                );
                None
            }
            Err(PatternError::TooBroad) => {
                self.error(
                    Code::PatternTooBroad,
                    &pattern.span,
                    format!("the pattern has fewer than {MIN_LITERALS} literal characters"),
                    "matches too many users",
                    "write a longer prefix, or name the users",
                );
                None
            }
        }
    }

    fn account(&mut self, account: &Placed<String>) -> Option<AccountId> {
        let id = account.value.parse().ok();
        if id.is_none() {
            self.error(
                Code::InvalidAccount,
                &account.span,
                format!("`{}` is no AWS account id", account.value),
                "not twelve digits",
                "write the twelve digits in quotes: \"111122223333\"",
            );
        }
        id
    }

    fn user_id(&mut self, id: Placed<String>) -> Option<String> {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if id.value.starts_with("AIDA")
            && (16..=128).contains(&id.value.len())
            && id.value.chars().all(upper)
        {
            return Some(id.value);
        }
        self.error(
            Code::InvalidUserId,
            &id.span,
            format!("`{}` is no user id", id.value),
            "not of the form AIDA…",
            "aws iam get-user --user-name NAME --query User.UserId prints it",
        );
        None
    }

    fn credential(&mut self, credential: &Placed<String>) -> Option<CredentialSelector> {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let text = credential.value.as_str();
        let pin = text.strip_prefix("access-key:");
        let id = pin.unwrap_or(text);
        match (text, pin) {
            ("password", _) => return Some(CredentialSelector::Password),
            ("access-key", _) => return Some(CredentialSelector::AccessKey),
            (_, Some(last4)) if last4.len() == 4 && last4.chars().all(upper) => {
                return Some(CredentialSelector::AccessKeyEnding(last4.to_owned()));
            }
            _ if id.len() >= 16 && (id.starts_with("AKIA") || id.starts_with("ASIA")) => {
                let ending = id.get(id.len() - 4..).unwrap_or("WXYZ");
                self.error(
                    Code::FullAccessKeyId,
                    &credential.span,
                    "an access key id does not belong into a repository",
                    "the whole id",
                    format!("write its last four characters: \"access-key:{ending}\""),
                );
            }
            _ => self.error(
                Code::UnknownCredential,
                &credential.span,
                format!("`{text}` names no credential"),
                "unknown credential",
                "one of password, access-key, \"access-key:WXYZ\" (the last four of the key's id)",
            ),
        }
        None
    }

    fn filled(&mut self, text: Placed<String>, key: &str) -> Option<String> {
        if !text.value.trim().is_empty() {
            return Some(text.value);
        }
        let help = match key {
            "reason" => "say why the credential must stay, and where that is tracked",
            "owner" => "name who answers for it, such as \"@acme/platform\"",
            _ => "write it out, or leave the key out",
        };
        self.error(Code::EmptyText, &text.span, format!("`{key}` is empty"), "nothing here", help);
        None
    }

    fn expires(&mut self, date: &Placed<String>) -> Option<NaiveDate> {
        let day = parse_day(&date.value);
        let Some(day) = day else {
            self.error(
                Code::InvalidDate,
                &date.span,
                format!("`{}` is no date", date.value),
                "not a day",
                "write the last day as YYYY-MM-DD",
            );
            return None;
        };
        let last = self.today.checked_add_days(Days::new(u64::from(self.max_days)))?;
        if day > last {
            self.error(
                Code::ExpiresTooFar,
                &date.span,
                format!("the exemption reaches further than {} days", self.max_days),
                format!("after {last}"),
                format!("write {last} or earlier, or raise `policy.max_exemption_days`"),
            );
            return None;
        }
        Some(day)
    }
}

/// A day written as `YYYY-MM-DD`, and in no other way.
#[must_use]
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// The notices about exemptions that have run out or soon will, as seen on `today` (UTC).
#[must_use]
pub fn lapsing(allowlist: &Allowlist, today: NaiveDate) -> Vec<Diagnostic> {
    let notice = |exemption: &Exemption| {
        let (code, message, help) = match exemption.term(today) {
            super::Term::InForce => return None,
            super::Term::ExpiresSoon => (
                Code::ExemptionExpiresSoon,
                format!("the exemption for `{}` expires on {}", exemption.user, exemption.expires),
                "remedy the finding by then, or argue the exemption anew",
            ),
            super::Term::Expired => (
                Code::ExemptionExpired,
                format!("the exemption for `{}` expired on {}", exemption.user, exemption.expires),
                "its findings are back: remedy them and remove the exemption, or argue it anew",
            ),
        };
        let diagnostic = Diagnostic::notice(code, exemption.span.clone(), message);
        Some(diagnostic.label("this exemption").help(help))
    };
    allowlist.exemptions.iter().filter_map(notice).collect()
}
