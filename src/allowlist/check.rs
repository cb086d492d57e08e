//! Raw types → [`Allowlist`], or all problems with the values.

use std::ops::Range;
use std::str::FromStr;

use chrono::{Days, NaiveDate};

use super::diagnostic::{Diagnostic, DiagnosticCode, shown};
use super::help;
use super::node::Located;
use super::pattern::{MIN_LITERALS, Pattern, PatternError, is_user_name_char};
use super::raw::{RawAllowlist, RawExemption, RawPolicy};
use super::{Allowlist, CredentialSelector, Exemption, Position, UserSelector};
use crate::model::inventory::{AccountId, ROOT_USER};
use crate::model::policy::{DEFAULT_MAX_EXEMPTION_DAYS, Level, MAX_DAYS, PolicyOverrides, Rule};

/// The longest IAM user name, in characters.
const MAX_USER_NAME: usize = 64;
/// Exemptions that expire within this many days are reported.
pub const EXPIRES_SOON_DAYS: i64 = 14;

/// Checks the raw values. `today` is in UTC.
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
    let remediation = raw.remediation.map(|raw| checker.remediation(raw));
    let former_accounts = checker.former_accounts(raw.former_accounts);
    Allowlist { policy, exemptions, remediation, former_accounts }
}

/// Checks the raw values, and collects the problems.
pub(super) struct Checker<'a> {
    source: &'a str,
    today: NaiveDate,
    max_days: u32,
    problems: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    pub(super) fn error(
        &mut self,
        code: DiagnosticCode,
        span: &Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Diagnostic::error(code, span.clone(), message).label(label).help(help));
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// The position of a part of the file.
    pub(super) fn place(&self, span: &Range<usize>) -> Position {
        Position::of(self.source, span.start)
    }

    fn version(&mut self, version: &Located<i64>) {
        if version.value != 1 {
            self.error(
                DiagnosticCode::UnsupportedVersion,
                &version.span,
                format!("version {} of the allowlist format is not supported", version.value),
                "this version of iam-stocktake reads only version 1",
                "write `version: 1`, or update iam-stocktake",
            );
        }
    }

    fn policy(&mut self, raw: RawPolicy) -> PolicyOverrides {
        let mut policy = PolicyOverrides {
            stale_after_days: raw
                .stale_after_days
                .and_then(|it| self.days(&it, "stale_after_days")),
            max_exemption_days: raw
                .max_exemption_days
                .and_then(|it| self.days(&it, "max_exemption_days")),
            ..PolicyOverrides::default()
        };
        let names_expiry_tag = raw.expiry_tag.is_some();
        policy.expiry_tag =
            raw.expiry_tag.and_then(|tag| self.non_blank_text(tag, "expiry_tag", help::EXPIRY_TAG));
        for (name, level) in raw.rules {
            let rule = self.rule(&name);
            let level = self.level(&level);
            let reads_expiry_tag = rule.is_some_and(Rule::reads_expiry_tag);
            if reads_expiry_tag && level > Some(Level::Off) && !names_expiry_tag {
                self.error(
                    DiagnosticCode::ExpiryTagMissing,
                    &name.span,
                    "the rule `expired-user` is turned on, but `policy` has no `expiry_tag`",
                    "this rule needs the key of the tag",
                    "add `expiry_tag: KEY` under `policy`, with the key of the tag with the \
                     expiry date",
                );
            }
            if let (Some(rule), Some(level)) = (rule, level) {
                policy.levels.insert(rule, level);
            }
        }
        policy
    }

    pub(super) fn days(&mut self, number: &Located<i64>, key: &str) -> Option<u32> {
        self.number(number, key, MAX_DAYS, " days")
    }

    /// A number from 1 to `max`, in `unit`.
    pub(super) fn number(
        &mut self,
        number: &Located<i64>,
        key: &str,
        max: u32,
        unit: &str,
    ) -> Option<u32> {
        let found = u32::try_from(number.value).ok().filter(|found| (1..=max).contains(found));
        if found.is_none() {
            self.error(
                DiagnosticCode::NumberOutOfRange,
                &number.span,
                format!("`{key}` must be between 1 and {max}{unit}"),
                "out of range",
                help::written(key),
            );
        }
        found
    }

    pub(super) fn rule(&mut self, name: &Located<String>) -> Option<Rule> {
        let by_control = Rule::ALL.into_iter().find(|rule| {
            rule.controls().iter().any(|control| control.name.eq_ignore_ascii_case(&name.value))
        });
        self.named(
            name,
            DiagnosticCode::UnknownRule,
            "rule",
            &Rule::ALL.map(Rule::id),
            by_control.map(Rule::id),
        )
    }

    fn level(&mut self, name: &Located<String>) -> Option<Level> {
        self.named(name, DiagnosticCode::UnknownLevel, "level", &Level::ALL.map(Level::id), None)
    }

    fn named<T: FromStr>(
        &mut self,
        name: &Located<String>,
        code: DiagnosticCode,
        what: &str,
        ids: &[&str],
        meant: Option<&str>,
    ) -> Option<T> {
        let all = || format!("the {what}s are {}", ids.join(", "));
        if !self.check_not_blank(name, &format!("a {what}"), &all()) {
            return None;
        }
        let found = name.value.parse().ok();
        if found.is_none() {
            let nearest = meant.or_else(|| help::nearest(&name.value, ids.iter().copied()));
            let help = nearest.map_or_else(all, |id| format!("did you mean `{id}`?"));
            let message = format!("there is no {what} {}", shown(&name.value));
            self.error(code, &name.span, message, format!("unknown {what}"), help);
        }
        found
    }

    fn exemption(&mut self, raw: RawExemption) -> Option<Exemption> {
        let place = self.place(&raw.span);
        let user = self.user_selector(&raw);
        let protects_user = raw.credentials.is_none() && raw.rules.is_none();
        let account = raw.account.map(|it| self.account(&it));
        let user_id = raw.user_id.map(|it| self.user_id(it));
        let credentials = raw.credentials.map_or_else(Vec::new, |list| {
            list.value.iter().filter_map(|it| self.credential(it)).collect()
        });
        let rules = raw.rules.map_or_else(Rule::disuse_rules, |list| {
            list.value.iter().filter_map(|it| self.rule(it)).collect()
        });
        let reason = raw.reason.and_then(|it| self.non_blank_text(it, "reason", help::REASON));
        let owner = raw.owner.and_then(|it| self.non_blank_text(it, "owner", help::OWNER));
        let expires = raw.expires.and_then(|it| self.expires(&it));
        Some(Exemption {
            user: user?,
            // An invalid account or id must not widen the exemption to all accounts or users.
            account: account.map_or(Some(None), |it| it.map(Some))?,
            user_id: user_id.map_or(Some(None), |it| it.map(Some))?,
            credentials,
            rules,
            protects_user,
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
                    DiagnosticCode::UserAndPattern,
                    pattern.span.clone(),
                    "an exemption has either `user` or `pattern`, not both",
                )
                .label("a pattern here")
                .related(user.span.clone(), "a user here")
                .help("remove one of them, or split it into two exemptions");
                self.problems.push(problem);
                None
            }
            // The invalid value was reported already.
            (None, None) if raw.is_named => None,
            (None, None) => {
                self.error(
                    DiagnosticCode::NoUser,
                    &raw.span,
                    "an exemption has neither `user` nor `pattern`",
                    "names no user",
                    "add `user: NAME`, or `pattern: \"PREFIX-*\"`",
                );
                None
            }
        }
    }

    fn user_name(&mut self, user: &Located<String>) -> Option<UserSelector> {
        let name = &user.value;
        let valid =
            (1..=MAX_USER_NAME).contains(&name.len()) && name.chars().all(is_user_name_char);
        if valid || name == ROOT_USER {
            return Some(UserSelector::Name(name.clone()));
        }
        if self.check_not_blank(user, "`user`", &help::written("user")) {
            let (label, help) = help::user_name(name, MAX_USER_NAME);
            let message = format!("{} is not a valid IAM user name", shown(name));
            self.error(DiagnosticCode::InvalidUserName, &user.span, message, label, help);
        }
        None
    }

    fn pattern(&mut self, pattern: &Located<String>) -> Option<UserSelector> {
        if !self.check_not_blank(pattern, "`pattern`", &help::written("pattern")) {
            return None;
        }
        match Pattern::new(&pattern.value) {
            Ok(pattern) => Some(UserSelector::Pattern(pattern)),
            Err(PatternError::Character(character)) => {
                self.error(
                    DiagnosticCode::InvalidPattern,
                    &pattern.span,
                    format!("the pattern {} cannot match any user", shown(&pattern.value)),
                    format!("user names cannot contain {}", shown(&character.to_string())),
                    "only `*` is special: it matches any characters; the whole name must match, \
                     without path",
                );
                None
            }
            Err(PatternError::TooBroad) => {
                self.error(
                    DiagnosticCode::PatternTooBroad,
                    &pattern.span,
                    format!("the pattern {} is too broad", shown(&pattern.value)),
                    format!("fewer than {MIN_LITERALS} characters besides `*`"),
                    format!(
                        "write at least {MIN_LITERALS} characters besides `*`, such as \
                         \"ses-smtp-*\", or list the users one by one"
                    ),
                );
                None
            }
        }
    }

    pub(super) fn account(&mut self, account: &Located<String>) -> Option<AccountId> {
        if !self.check_not_blank(account, "`account`", &help::written("account")) {
            return None;
        }
        let id = account.value.parse().ok();
        if id.is_none() {
            let digits: String = account.value.chars().filter(char::is_ascii_digit).collect();
            let others = account.value.chars().any(|c| !c.is_ascii_digit() && !"- ".contains(c));
            let (label, help) = match digits.len() {
                12 if !others => {
                    ("not only digits".to_owned(), format!("write `account: \"{digits}\"`"))
                }
                count if !others => (format!("{count} digits"), help::digits(count).to_owned()),
                _ if account.value.chars().all(|c| c == '*') => (
                    "patterns are not supported here".to_owned(),
                    "omit `account` to cover every audited account".to_owned(),
                ),
                _ => (
                    "not twelve digits".to_owned(),
                    "write the twelve digits of the ID; account names and aliases are not supported"
                        .to_owned(),
                ),
            };
            let message = format!("{} is not an AWS account ID", shown(&account.value));
            self.error(DiagnosticCode::InvalidAccount, &account.span, message, label, help);
        }
        id
    }

    fn user_id(&mut self, id: Located<String>) -> Option<String> {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        if id.value.starts_with("AIDA")
            && (16..=128).contains(&id.value.len())
            && id.value.chars().all(upper)
        {
            return Some(id.value);
        }
        if self.check_not_blank(&id, "`user_id`", &help::written("user_id"))
            && self.check_no_key_id(&id)
        {
            self.error(
                DiagnosticCode::InvalidUserId,
                &id.span,
                format!("{} is not the unique ID of an IAM user", shown(&id.value)),
                "not of the form AIDA…",
                "`aws iam get-user --user-name NAME --query User.UserId` prints it",
            );
        }
        None
    }

    fn credential(&mut self, credential: &Located<String>) -> Option<CredentialSelector> {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let text = credential.value.as_str();
        match (text, text.strip_prefix("access-key:")) {
            ("password", _) => return Some(CredentialSelector::Password),
            ("access-key", _) => return Some(CredentialSelector::AccessKey),
            (_, Some(last4)) if last4.len() == 4 && last4.chars().all(upper) => {
                return Some(CredentialSelector::AccessKeyEnding(last4.to_owned()));
            }
            _ => {}
        }
        if self.check_not_blank(credential, "an entry of `credentials`", help::CREDENTIALS)
            && self.check_no_key_id(credential)
        {
            self.error(
                DiagnosticCode::UnknownCredential,
                &credential.span,
                format!("{} is not a credential", shown(text)),
                "unknown credential",
                help::credential(text),
            );
        }
        None
    }

    /// Rejects a full access key ID: many people can read the file.
    pub(super) fn check_no_key_id(&mut self, text: &Located<String>) -> bool {
        let Some(id) = help::key_id(&text.value) else { return true };
        let ending = id.get(id.len() - 4..).unwrap_or("WXYZ").to_ascii_uppercase();
        self.error(
            DiagnosticCode::FullAccessKeyId,
            &text.span,
            "the file contains a full access key ID",
            "this is an access key ID",
            format!(
                "write only the last four characters; in `credentials` that is \
                 \"access-key:{ending}\""
            ),
        );
        false
    }

    /// Text for people, such as the reason.
    pub(super) fn non_blank_text(
        &mut self,
        text: Located<String>,
        key: &str,
        help: &str,
    ) -> Option<String> {
        let good =
            self.check_not_blank(&text, &format!("`{key}`"), help) && self.check_no_key_id(&text);
        good.then_some(text.value)
    }

    pub(super) fn check_not_blank(
        &mut self,
        text: &Located<String>,
        what: &str,
        help: &str,
    ) -> bool {
        // Editors show a byte order mark within a file as white space.
        let non_blank_text = text.value.chars().any(|c| !c.is_whitespace() && c != '\u{feff}');
        if !non_blank_text {
            self.error(
                DiagnosticCode::EmptyText,
                &text.span,
                format!("{what} is empty"),
                "nothing here",
                help,
            );
        }
        non_blank_text
    }

    fn expires(&mut self, date: &Located<String>) -> Option<NaiveDate> {
        let last = self.today.checked_add_days(Days::new(u64::from(self.max_days)));
        let last = last.unwrap_or(NaiveDate::MAX);
        let far =
            format!("the expiry date can be at most {last}, {} days from today", self.max_days);
        if !self.check_not_blank(date, "`expires`", &format!("write it as YYYY-MM-DD; {far}")) {
            return None;
        }
        let Some(day) = super::parse_day(&date.value) else {
            let help = match help::day(&date.value) {
                Some(day) => format!("did you mean {day}?"),
                None => format!("write the expiry date as YYYY-MM-DD; {far}"),
            };
            let message = format!("{} is not a date", shown(&date.value));
            let label = if is_day_shaped(&date.value) {
                "this day does not exist"
            } else {
                "not of the form YYYY-MM-DD"
            };
            self.error(DiagnosticCode::InvalidDate, &date.span, message, label, help);
            return None;
        };
        if day > last {
            self.error(
                DiagnosticCode::ExpiresTooFar,
                &date.span,
                format!("the expiry date is more than {} days from today", self.max_days),
                match (day - last).num_days() {
                    1 => "one day too far".to_owned(),
                    days => format!("{days} days too far"),
                },
                format!("write {last} or earlier, or raise `max_exemption_days` under `policy`"),
            );
            return None;
        }
        Some(day)
    }
}

/// Whether the text looks like a day, valid or not.
pub(super) fn is_day_shaped(text: &str) -> bool {
    let fits =
        |(at, b): (usize, u8)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

/// Notices about exemptions that are expired on `today` (UTC), or expire soon.
#[must_use]
pub fn expiry_notices(allowlist: &Allowlist, today: NaiveDate) -> Vec<Diagnostic> {
    let notice = |exemption: &Exemption| {
        let (code, message, help) = match exemption.status_on(today) {
            super::ExemptionStatus::InForce => return None,
            super::ExemptionStatus::ExpiresSoon => (
                DiagnosticCode::ExemptionExpiresSoon,
                format!("the exemption for `{}` expires on {}", exemption.user, exemption.expires),
                "resolve its findings by then, or renew it with a current reason",
            ),
            super::ExemptionStatus::Expired => (
                DiagnosticCode::ExemptionExpired,
                format!("the exemption for `{}` expired on {}", exemption.user, exemption.expires),
                "its findings are open again: resolve them and remove the exemption, or renew it with a \
                 current reason",
            ),
        };
        let diagnostic = Diagnostic::notice(code, exemption.span.clone(), message);
        Some(diagnostic.label("this exemption").help(help))
    };
    allowlist.exemptions.iter().filter_map(notice).collect()
}
