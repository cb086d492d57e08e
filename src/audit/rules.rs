//! The rules, one file each. A rule's file says everything that the rest of the program needs to
//! know about the rule; other modules ask through the methods of [`Rule`] and [`Policy`].
//!
//! To add a rule, add a variant to [`Rule`], its file, and its line in [`definition`].

mod expired_user;
mod inactive_access_key;
mod old_service_credential;
mod root_access_key;
mod stale_access_key;
mod stale_password;
mod unlisted_user;
mod unrotated_access_key;
mod user_without_credentials;

use std::fmt;

use super::criteria::Criteria;
use super::draft::DraftFinding;
use super::finding::Note;
use crate::model::inventory::{
    Account, CredentialKind, EvidenceItem, EvidenceSource, UnreadableField, User,
};
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::policy::{Level, Policy, PolicyOverrides, Rule};

/// The registry.
const fn definition(rule: Rule) -> &'static RuleDefinition {
    match rule {
        Rule::StalePassword => &stale_password::DEFINITION,
        Rule::StaleAccessKey => &stale_access_key::DEFINITION,
        Rule::ExpiredUser => &expired_user::DEFINITION,
        Rule::RootAccessKey => &root_access_key::DEFINITION,
        Rule::OldServiceCredential => &old_service_credential::DEFINITION,
        Rule::InactiveAccessKey => &inactive_access_key::DEFINITION,
        Rule::UserWithoutCredentials => &user_without_credentials::DEFINITION,
        Rule::UnrotatedAccessKey => &unrotated_access_key::DEFINITION,
        Rule::UnlistedUser => &unlisted_user::DEFINITION,
    }
}

/// Everything there is to know about a rule.
struct RuleDefinition {
    /// The level if the allowlist sets none.
    default_level: Level,
    /// The controls that require the rule.
    controls: &'static [Control],
    /// Whether the rule finds unused credentials. An exemption that names no rules covers the
    /// findings of these rules only.
    finds_disuse: bool,
    /// Whether a valid exemption that names the user resolves the finding, whatever it exempts.
    finds_unlisted: bool,
    applies_to: Subjects,
    /// The kinds of credential that the rule is about; empty if it is about the user.
    kinds: &'static [CredentialKind],
    /// Kinds for which the evidence is optional, because collecting it for every user is expensive.
    optional_kinds: &'static [CredentialKind],
    /// The evidence that the rule needs besides the credential report, which every rule needs.
    evidence: &'static [EvidenceItem],
    days: DayCount,
    /// Whether the queue shows when the credential was created instead of its last use, which
    /// would change from day to day.
    shows_creation: bool,
    remediation: Remediation,
    /// Whether the account's evidence shows all that the rule needs.
    availability: fn(&Account<'_>, Criteria<'_>) -> Availability,
    /// Adds what the rule finds about one user.
    check: for<'a> fn(&'a User<'_>, Criteria<'_>, &mut Vec<DraftFinding<'a>>),
}

/// The users that a rule applies to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subjects {
    Users,
    RootUser,
    UsersAndRootUser,
}

/// Whether an account's evidence shows all that a rule needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Shown,
    /// Left out on purpose: by auditing an exported report, or by a setting.
    LeftOut,
    Missing,
}

impl Availability {
    /// For evidence that a credential report cannot show, and a live audit always collects.
    fn live_only(is_shown: bool, account: &Account<'_>) -> Self {
        match account.evidence_source {
            _ if is_shown => Self::Shown,
            EvidenceSource::Live => Self::Missing,
            EvidenceSource::ExportedReport | EvidenceSource::FetchedReport => Self::LeftOut,
        }
    }

    /// For rules about all access keys of a user. A credential report shows two keys per user; a
    /// user with more is an exception and not a choice.
    fn of_access_keys(rule: Rule, account: &Account<'_>, criteria: Criteria<'_>) -> Self {
        let is_shown = account.users.iter().all(|user| !user.hidden_credentials);
        match Self::live_only(is_shown, account) {
            Self::LeftOut if criteria.policy.level(rule) >= Level::Warning => Self::Missing,
            availability => availability,
        }
    }
}

/// How the days of a rule's findings are counted, and which part of the policy limits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayCount {
    /// From the reference date, to at least `stale_after_days`.
    StaleAfterDays,
    /// From the day in the user's expiry tag.
    ExpiryTag,
    /// From the reference date. The policy's number of days does not change what is found.
    Fixed,
}

/// What to do about the findings of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remediation {
    /// What removes the cause of a finding.
    pub action: RemediationAction,
    /// Whether `remediate` does it.
    pub automation: Automation,
    /// Whether deleting the user is an alternative, if nothing of the user is in use.
    pub may_delete_user: bool,
    /// The rule that reports the same credential until it is deactivated.
    pub before_deactivation: Option<Rule>,
}

impl Remediation {
    /// Remediation by a person, which the program cannot describe in commands.
    const MANUAL: Self = Self {
        action: RemediationAction::Manual,
        automation: Automation::Never,
        may_delete_user: false,
        before_deactivation: None,
    };
}

/// What removes the cause of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemediationAction {
    /// Delete the password. A password cannot be deactivated.
    DeletePassword,
    /// Deactivate the credential, and delete it later.
    DeactivateAndDelete,
    /// Delete the credential, which is already inactive.
    Delete,
    /// Delete the user.
    DeleteUser,
    /// Replace the access key with a new one.
    Rotate,
    /// Something that only a person can decide.
    Manual,
}

/// Whether `remediate` acts on the findings of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automation {
    /// Never.
    Never,
    /// If `remediation.rules` in the allowlist lists the rule.
    IfListed,
    /// Unless `remediation.rules` in the allowlist lists other rules.
    ByDefault,
}

/// A control of Security Hub or of the CIS benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Its name, such as `IAM.8`.
    pub name: &'static str,
    /// The largest `stale_after_days` that satisfies it; `None` if the setting does not matter.
    pub max_stale_after_days: Option<u32>,
}

impl Control {
    const fn new(name: &'static str) -> Self {
        Self { name, max_stale_after_days: None }
    }

    const fn within(name: &'static str, days: u32) -> Self {
        Self { name, max_stale_after_days: Some(days) }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max_stale_after_days {
            Some(days) => write!(f, "{} (≤ {days} days)", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// The controls about unused credentials.
///
/// Sources: "Security Hub controls for IAM", AWS documentation; CIS AWS Foundations Benchmark
/// 3.0.0, recommendation 1.12.
const UNUSED_CREDENTIAL_CONTROLS: &[Control] =
    &[Control::within("IAM.8", 90), Control::within("IAM.22", 45), Control::within("CIS 1.12", 45)];

impl Rule {
    /// The level if the allowlist sets none. With an expiry tag, a rule that reads it is an error.
    #[must_use]
    pub const fn default_level(self) -> Level {
        definition(self).default_level
    }

    /// The controls that require the rule. [`Policy::controls`] says which of them a policy
    /// satisfies.
    #[must_use]
    pub const fn controls(self) -> &'static [Control] {
        definition(self).controls
    }

    /// Whether the rule finds unused credentials. An exemption that names no rules covers the
    /// findings of these rules only.
    #[must_use]
    pub const fn finds_disuse(self) -> bool {
        definition(self).finds_disuse
    }

    /// Whether a valid exemption that names the user resolves the finding, whatever it exempts.
    pub(super) const fn finds_unlisted(self) -> bool {
        definition(self).finds_unlisted
    }

    /// The rules that find unused credentials.
    #[must_use]
    pub fn disuse_rules() -> Vec<Self> {
        Self::ALL.into_iter().filter(|rule| rule.finds_disuse()).collect()
    }

    /// Whether the rule is about credentials of this kind.
    #[must_use]
    pub fn is_about(self, kind: CredentialKind) -> bool {
        definition(self).kinds.contains(&kind)
    }

    /// Whether a live audit may leave out credentials of some kinds, and `kind` is one of them;
    /// `None` if the rule always needs all credentials.
    #[must_use]
    pub fn is_optional(self, kind: Option<CredentialKind>) -> Option<bool> {
        let optional = definition(self).optional_kinds;
        (!optional.is_empty()).then(|| kind.is_some_and(|kind| optional.contains(&kind)))
    }

    /// Whether the rule is incomplete without this evidence.
    #[must_use]
    pub fn requires(self, item: EvidenceItem) -> bool {
        item == EvidenceItem::CredentialReport || definition(self).evidence.contains(&item)
    }

    /// How the days of the rule's findings are counted.
    #[must_use]
    pub const fn day_count(self) -> DayCount {
        definition(self).days
    }

    /// Whether the rule reads the expiry tag.
    #[must_use]
    pub fn reads_expiry_tag(self) -> bool {
        self.day_count() == DayCount::ExpiryTag
    }

    /// Whether the queue shows when the credential was created instead of the reference date.
    #[must_use]
    pub const fn shows_creation(self) -> bool {
        definition(self).shows_creation
    }

    /// What to do about the rule's findings.
    #[must_use]
    pub const fn remediation(self) -> Remediation {
        definition(self).remediation
    }

    /// Whether `remediate` can act on the rule's findings.
    #[must_use]
    pub fn is_remediable(self) -> bool {
        self.remediation().automation != Automation::Never
    }

    /// The rules whose findings `remediate` can act on.
    #[must_use]
    pub fn remediable() -> Vec<Self> {
        Self::ALL.into_iter().filter(|rule| rule.is_remediable()).collect()
    }

    /// Whether the rule is about credentials that are inactive already.
    #[must_use]
    pub fn requires_inactive(self) -> bool {
        self.remediation().before_deactivation.is_some()
    }

    /// The rule that decides about credentials of this kind that someone deactivated: the rule
    /// about inactive ones, or else the rule whose remediation deactivates them.
    #[must_use]
    pub fn about_inactive(kind: CredentialKind) -> Option<Self> {
        let deactivates =
            |rule: &Self| rule.remediation().action == RemediationAction::DeactivateAndDelete;
        let rules = || Self::ALL.into_iter().filter(|rule| rule.is_about(kind));
        rules().find(|rule| rule.requires_inactive()).or_else(|| rules().find(deactivates))
    }

    /// Whether the account's evidence shows all that the rule needs.
    pub(super) fn availability(
        self,
        account: &Account<'_>,
        criteria: Criteria<'_>,
    ) -> Availability {
        (definition(self).availability)(account, criteria)
    }
}

impl Policy {
    /// The file's policy, with the rules' defaults for what it does not set. A `stale_after_days`
    /// from the command line wins.
    #[must_use]
    pub fn new(file: &PolicyOverrides, stale_after_days: Option<u32>) -> Self {
        let default = |rule: Rule| match file.expiry_tag {
            Some(_) if rule.reads_expiry_tag() => Level::Error,
            _ => rule.default_level(),
        };
        Self::with_levels(file, stale_after_days, |rule| {
            file.levels.get(&rule).copied().unwrap_or_else(|| default(rule))
        })
    }

    /// The controls that a rule satisfies under this policy: none if the rule is off, and otherwise
    /// those whose number of days `stale_after_days` does not exceed.
    pub fn controls(&self, rule: Rule) -> impl Iterator<Item = &'static str> + use<> {
        let (is_on, days) = (self.is_enabled(rule), self.stale_after_days);
        let satisfies =
            move |it: &&Control| is_on && it.max_stale_after_days.is_none_or(|most| days <= most);
        rule.controls().iter().filter(satisfies).map(|control| control.name)
    }

    /// This policy with the expiry tag of a newer policy, because neither of two tags is stricter. If
    /// the newer policy has no tag, its level of the rules that read the tag applies as well.
    #[must_use]
    pub fn with_expiry_tag_of(&self, newer: &Self) -> Self {
        let level = |rule: Rule| match newer.expiry_tag {
            None if rule.reads_expiry_tag() => newer.level(rule),
            _ => self.level(rule),
        };
        let mut policy = self.map_levels(level);
        policy.expiry_tag.clone_from(&newer.expiry_tag);
        policy
    }

    /// Whether a rule that is on needs this evidence.
    #[must_use]
    pub fn requires(&self, item: EvidenceItem) -> bool {
        self.enabled_rules().any(|rule| rule.requires(item))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(&PolicyOverrides::default(), None)
    }
}

impl RemediationPolicy {
    /// Whether whole users are deleted in the last stage.
    #[must_use]
    pub fn deletes_users(&self) -> bool {
        let deletes = |rule: &Rule| {
            rule.is_remediable() && rule.remediation().action == RemediationAction::DeleteUser
        };
        self.delete_users && self.rules.iter().any(deletes)
    }
}

impl Default for RemediationPolicy {
    fn default() -> Self {
        let by_default = |rule: &Rule| rule.remediation().automation == Automation::ByDefault;
        Self::with_rules(Rule::ALL.into_iter().filter(by_default).collect())
    }
}

/// Adds what the enabled rules find about an IAM user.
pub(super) fn check_user<'a>(
    user: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    check(user, Subjects::RootUser, criteria, drafts);
}

/// Adds what the enabled rules find about the root user, who is never stale.
pub(super) fn check_root_user<'a>(
    root: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    check(root, Subjects::Users, criteria, drafts);
}

fn check<'a>(
    user: &'a User<'_>,
    except: Subjects,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    for rule in criteria.policy.enabled_rules() {
        let definition = definition(rule);
        if definition.applies_to != except {
            (definition.check)(user, criteria, drafts);
        }
    }
}

/// A finding for keys that the report does not show: a user who has some cannot be cleared.
fn hidden_credentials<'a>(rule: Rule) -> DraftFinding<'a> {
    let field = UnreadableField {
        column: "additional_credentials_info".to_owned(),
        text: "more credentials than the report shows".to_owned(),
    };
    let mut draft = DraftFinding::for_user(rule, Err(field));
    draft.notes.push(Note::HiddenCredentials);
    draft
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn rule_lists_only_controls_its_threshold_satisfies() {
        let named = |days: u32, rule: Rule| -> Vec<_> {
            Policy::new(&PolicyOverrides::default(), Some(days)).controls(rule).collect()
        };
        for rule in Rule::disuse_rules() {
            for (days, controls) in [
                (1, &["IAM.8", "IAM.22", "CIS 1.12"][..]),
                (45, &["IAM.8", "IAM.22", "CIS 1.12"]),
                (46, &["IAM.8"]),
                (90, &["IAM.8"]),
                (91, &[]),
            ] {
                assert_eq!(named(days, rule), controls, "{rule} at {days}");
            }
        }
        assert_eq!(named(400, Rule::RootAccessKey), ["IAM.4"]);
        assert_eq!(named(90, Rule::UnrotatedAccessKey), [""; 0], "the rule is off");
        let on = BTreeMap::from([(Rule::UnrotatedAccessKey, Level::Notice)]);
        let file = PolicyOverrides { levels: on, ..PolicyOverrides::default() };
        let policy = Policy::new(&file, None);
        assert_eq!(policy.controls(Rule::UnrotatedAccessKey).collect::<Vec<_>>(), ["IAM.3"]);
    }

    #[test]
    fn disuse_rules_are_the_two_about_passwords_and_access_keys() {
        assert_eq!(Rule::disuse_rules(), [Rule::StalePassword, Rule::StaleAccessKey]);
    }

    #[test]
    fn every_user_rule_needs_the_list_of_users() {
        for rule in Rule::ALL {
            let is_about_users = definition(rule).applies_to != Subjects::RootUser;
            assert_eq!(rule.requires(EvidenceItem::Users), is_about_users, "{rule}");
            assert!(rule.requires(EvidenceItem::CredentialReport), "{rule}");
        }
    }
}
