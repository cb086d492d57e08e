//! Which findings are remediated, and when: `remediation` in the allowlist file.

use std::fmt;
use std::str::FromStr;

use super::Rule;
use crate::model::text_enum;

/// Days from the notification to the deactivation.
pub const DEFAULT_DEACTIVATE_AFTER_DAYS: u32 = 14;
/// The maximum number of changes in one run. The rest waits for the next runs.
pub const DEFAULT_MAX_CHANGES: u32 = 5;
/// The maximum share of an account's users that one run may change, in percent. The rest waits for
/// the next runs.
pub const DEFAULT_MAX_SHARE: u32 = 10;
/// Days without a run after which the stages start again from the beginning.
pub const DEFAULT_MAX_GAP_DAYS: u32 = 14;
/// The largest `max_changes`.
pub const MAX_CHANGES_LIMIT: u32 = 1_000;

/// `remediation` in the allowlist file. The stages are notification, deactivation and deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemediationPolicy {
    /// Days from the notification to the deactivation.
    pub deactivate_after_days: u32,
    /// Days from the deactivation to the deletion; `None` for no deletion.
    pub delete_after_days: Option<u32>,
    /// Whether passwords are deleted when keys are deactivated. A deleted password cannot be
    /// restored.
    pub delete_passwords: bool,
    /// Whether users are deleted if nothing of them is in use.
    pub delete_users: bool,
    /// The maximum number of changes in one run. The rest waits for the next runs.
    pub max_changes: u32,
    /// The maximum share of an account's users that one run may change, in percent, and at least one
    /// user. The rest waits for the next runs.
    pub max_share: u32,
    /// Days without a run after which the stages start again from the beginning, because nobody was
    /// reminded in the meantime.
    pub max_gap_days: u32,
    /// The owners, by their owner tag, whose users are remediated in addition to users without an
    /// owner; `*` for all owners.
    pub owners: Vec<String>,
    /// The paths whose users are remediated.
    pub paths: Vec<UserPath>,
    /// The rules whose findings are remediated, each one of [`Rule::remediable`].
    pub rules: Vec<Rule>,
}

impl RemediationPolicy {
    /// The defaults, for these rules. `RemediationPolicy::default()` has the rules that are
    /// remediated by default.
    pub(crate) fn with_rules(rules: Vec<Rule>) -> Self {
        Self {
            deactivate_after_days: DEFAULT_DEACTIVATE_AFTER_DAYS,
            delete_after_days: None,
            delete_passwords: false,
            delete_users: false,
            max_changes: DEFAULT_MAX_CHANGES,
            max_share: DEFAULT_MAX_SHARE,
            max_gap_days: DEFAULT_MAX_GAP_DAYS,
            owners: Vec::new(),
            paths: vec![UserPath::default()],
            rules,
        }
    }
}

impl RemediationPolicy {
    /// The last stage of the policy.
    #[must_use]
    pub const fn final_stage(&self) -> Stage {
        if self.delete_after_days.is_some() { Stage::Delete } else { Stage::Deactivate }
    }

    /// Whether users of this owner are remediated; `None` for users without an owner.
    #[must_use]
    pub fn covers_owner(&self, owner: Option<&str>) -> bool {
        owner.is_none_or(|owner| self.owners.iter().any(|known| known == "*" || known == owner))
    }

    /// Whether findings of this rule are remediated.
    #[must_use]
    pub fn covers_rule(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }

    /// Whether users with this path are remediated.
    #[must_use]
    pub fn covers_path(&self, path: &str) -> bool {
        self.paths.iter().any(|known| known.covers(path))
    }
}

text_enum! {
    /// A remediation stage.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Stage {
        /// A tag on the user announces the next stage.
        Notify,
        /// Keys and other credentials are deactivated, which can be undone.
        Deactivate,
        /// Credentials and users are deleted.
        Delete,
    }
}

/// The path of users: one path, or with `*` at its end all paths that begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPath(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path begins and ends with `/`, or ends with `/*` for all below it")]
pub struct InvalidUserPath;

impl Default for UserPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl UserPath {
    /// Whether users with this path are meant.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => self.0 == path,
        }
    }
}

impl FromStr for UserPath {
    type Err = InvalidUserPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_suffix('*').unwrap_or(text);
        let is_whole = bare.starts_with('/') && bare.ends_with('/');
        let is_printable = bare.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'*');
        if is_whole && is_printable { Ok(Self(text.to_owned())) } else { Err(InvalidUserPath) }
    }
}

impl fmt::Display for UserPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> UserPath {
        text.parse().unwrap()
    }

    #[test]
    fn path_matches_exactly_and_with_star_by_prefix() {
        for (known, of_user, covers) in [
            ("/", "/", true),
            ("/", "/ci/", false),
            ("/*", "/", true),
            ("/*", "/ci/deploy/", true),
            ("/ci/", "/ci/", true),
            ("/ci/", "/ci/deploy/", false),
            ("/ci/", "/", false),
            ("/ci/*", "/ci/", true),
            ("/ci/*", "/ci/deploy/", true),
            ("/ci/*", "/ci-legacy/", false),
            ("/ci/*", "/CI/deploy/", false),
            ("/ci/*", "/team/ci/", false),
        ] {
            assert_eq!(path(known).covers(of_user), covers, "{known} covers {of_user}");
        }
    }

    #[test]
    fn path_round_trips() {
        for text in ["/", "/*", "/ci/", "/ci/*", "/~!#$/`|<\"/"] {
            assert_eq!(path(text).to_string(), text);
        }
    }

    #[test]
    fn invalid_paths_are_rejected() {
        for text in [
            "",
            "*",
            "ci",
            "ci/",
            "/ci",
            "/ci*",
            "ci/*",
            "/ci/**",
            "/*/",
            "/*/ci/",
            "/ci/*/deploy/",
            "/c i/",
            " /ci/",
            "/ci/ ",
            "/ci/\n",
            "/c\u{7f}/",
            "/caf\u{e9}/",
        ] {
            assert_eq!(text.parse::<UserPath>(), Err(InvalidUserPath), "{text:?}");
        }
    }

    #[test]
    fn root_path_is_covered_by_default() {
        let policy = RemediationPolicy::default();
        assert!(policy.covers_path("/"));
        assert!(!policy.covers_path("/ci/"));
        let policy = RemediationPolicy { paths: vec![path("/ci/*"), path("/app/")], ..policy };
        for (of_user, is_taken) in [
            ("/ci/", true),
            ("/ci/deploy/", true),
            ("/app/", true),
            ("/app/x/", false),
            ("/", false),
        ] {
            assert_eq!(policy.covers_path(of_user), is_taken, "{of_user}");
        }
    }

    #[test]
    fn owned_users_are_covered_only_if_listed() {
        let nobody_else = RemediationPolicy::default();
        let with = |owners: &[&str]| RemediationPolicy {
            owners: owners.iter().map(|&owner| owner.to_owned()).collect(),
            ..nobody_else.clone()
        };
        for (owners, owner, is_taken) in [
            (&[][..], None, true),
            (&[], Some("team-platform"), false),
            (&["team-platform"], None, true),
            (&["team-platform"], Some("team-platform"), true),
            (&["team-platform"], Some("team-mail"), false),
            (&["team-platform"], Some("Team-Platform"), false),
            (&["team-platform"], Some(""), false),
            (&["team-*"], Some("team-mail"), false),
            (&["team-platform", "*"], Some("team-mail"), true),
            (&["*"], None, true),
        ] {
            assert_eq!(with(owners).covers_owner(owner), is_taken, "{owners:?} take {owner:?}");
        }
    }

    #[test]
    fn old_service_credentials_are_remediated_only_if_listed() {
        let policy = RemediationPolicy::default();
        for rule in Rule::ALL {
            let is_default = rule != Rule::OldServiceCredential && rule.is_remediable();
            assert_eq!(policy.covers_rule(rule), is_default, "{rule}");
        }
        let listed = RemediationPolicy { rules: vec![Rule::OldServiceCredential], ..policy };
        assert!(listed.covers_rule(Rule::OldServiceCredential));
        assert!(!listed.covers_rule(Rule::StaleAccessKey));
    }

    #[test]
    fn deletion_requires_delete_after_days() {
        let careful = RemediationPolicy::default();
        assert_eq!(careful.final_stage(), Stage::Deactivate);
        assert!(!careful.delete_passwords && !careful.delete_users);
        let deleting = RemediationPolicy { delete_after_days: Some(90), ..careful };
        assert_eq!(deleting.final_stage(), Stage::Delete);
    }
}
