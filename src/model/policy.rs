//! Rules, levels, and the policy of an audit.

pub mod remediation;

use crate::model::text_enum;
use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

/// Days without use after which a credential is stale: Security Hub control IAM.8.
pub const DEFAULT_STALE_AFTER_DAYS: u32 = 90;
/// How many days ahead an exemption may be valid.
pub const DEFAULT_MAX_EXEMPTION_DAYS: u32 = 365;
/// The largest number of days in a setting.
pub const MAX_DAYS: u32 = 3_650;

text_enum! {
    /// What the audit looks for. The order is the order in reports.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Rule {
        /// An enabled password unused for N days.
        StalePassword,
        /// An active access key unused for N days.
        StaleAccessKey,
        /// A user whose expiry tag has passed.
        ExpiredUser,
        /// The root user has an active access key.
        RootAccessKey,
        /// An active SSH key, service-specific credential or signing certificate older than N days.
        OldServiceCredential,
        /// An inactive key, N days after its last use or creation.
        InactiveAccessKey,
        /// A user with no credential of any kind.
        UserWithoutCredentials,
        /// An active access key created more than 90 days ago.
        UnrotatedAccessKey,
        /// A user with a password or key and without a valid exemption.
        UnlistedUser,
    }
}

text_enum! {
    /// How severe the findings of a rule are.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Level {
        /// The rule is not evaluated.
        Off,
        /// The finding appears in the report only.
        Notice,
        /// The finding enters the queue.
        Warning,
        /// The finding enters the queue and counts for the gate.
        Error,
    }
}

/// `policy` in the allowlist file. A flag or input overrides it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyOverrides {
    /// `stale_after_days`
    pub stale_after_days: Option<u32>,
    /// `max_exemption_days`
    pub max_exemption_days: Option<u32>,
    /// `expiry_tag`
    pub expiry_tag: Option<String>,
    /// `rules`
    pub levels: BTreeMap<Rule, Level>,
}

/// The policy of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Days without use after which a credential is stale.
    pub stale_after_days: u32,
    /// How many days ahead an exemption may be valid.
    pub max_exemption_days: u32,
    /// The key of the tag with a user's expiry date.
    pub expiry_tag: Option<String>,
    /// The level of each rule, in the order of [`Rule::ALL`]. It is read many times per user.
    levels: [Level; Rule::ALL.len()],
}

impl Policy {
    /// The file's policy with a level for each rule. A `stale_after_days` from the command line wins.
    /// [`Policy::new`] takes the levels from the rules' defaults.
    pub(crate) fn with_levels(
        file: &PolicyOverrides,
        stale_after_days: Option<u32>,
        level: impl Fn(Rule) -> Level,
    ) -> Self {
        Self {
            stale_after_days: stale_after_days
                .or(file.stale_after_days)
                .unwrap_or(DEFAULT_STALE_AFTER_DAYS),
            max_exemption_days: file.max_exemption_days.unwrap_or(DEFAULT_MAX_EXEMPTION_DAYS),
            expiry_tag: file.expiry_tag.clone(),
            levels: Rule::ALL.map(level),
        }
    }

    /// The stricter of two policies in every setting, for pull requests that change the policy. The
    /// expiry tag of this policy takes precedence.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        Self {
            stale_after_days: self.stale_after_days.min(other.stale_after_days),
            max_exemption_days: self.max_exemption_days.min(other.max_exemption_days),
            expiry_tag: self.expiry_tag.clone().or_else(|| other.expiry_tag.clone()),
            levels: Rule::ALL.map(|rule| self.level(rule).max(other.level(rule))),
        }
    }

    /// The same policy with other levels.
    pub(crate) fn map_levels(&self, level: impl Fn(Rule) -> Level) -> Self {
        Self { levels: Rule::ALL.map(level), ..self.clone() }
    }

    #[must_use]
    pub fn level(&self, rule: Rule) -> Level {
        self.levels.get(rule as usize).copied().unwrap_or(Level::Off)
    }

    /// Whether a rule is evaluated.
    #[must_use]
    pub fn is_enabled(&self, rule: Rule) -> bool {
        self.level(rule) != Level::Off
    }

    /// The enabled rules, in the order of [`Rule::ALL`].
    pub fn enabled_rules(&self) -> impl Iterator<Item = Rule> + '_ {
        Rule::ALL.into_iter().filter(|rule| self.is_enabled(*rule))
    }

    /// Sixteen hex digits that change when the policy changes.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut canonical = format!(
            "v1|{}|{}|{}",
            self.stale_after_days,
            self.max_exemption_days,
            self.expiry_tag.as_deref().unwrap_or_default()
        );
        for (rule, level) in Rule::ALL.into_iter().zip(self.levels) {
            canonical.push_str(&format!("|{rule}={level}"));
        }
        hex16(&Sha256::digest(canonical.as_bytes()))
    }
}

/// The first sixteen hex digits of a digest.
#[must_use]
pub fn hex16(digest: &[u8]) -> String {
    use fmt::Write as _;
    digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
