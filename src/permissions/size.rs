//! How large a policy may be.
//!
//! Source: "IAM and AWS STS quotas", IAM User Guide: white space does not count.

use super::PolicyDocument;

/// What a policy is, which decides how large it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A role's own permissions policy: all of a role's inline policies together.
    Inline,
    /// A policy of its own, which roles are attached to.
    Managed,
    /// Who may assume a role, by the default quota.
    Trust,
}

impl PolicyKind {
    /// The most characters that IAM takes.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Inline => 10_240,
            Self::Managed => 6_144,
            Self::Trust => 2_048,
        }
    }

    /// The size of a policy in characters, if IAM does not take one of that size.
    #[must_use]
    pub fn size_over_limit(self, policy: &PolicyDocument) -> Option<usize> {
        Some(size(policy)).filter(|size| *size > self.limit())
    }
}

/// The characters of a policy as IAM counts them.
#[must_use]
pub fn size(policy: &PolicyDocument) -> usize {
    // Texts and lists with text keys always can be written.
    let text = serde_json::to_string(policy).unwrap_or_default();
    text.chars().filter(|character| !character.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::Audience;
    use crate::permissions::web_identity_trust;

    #[test]
    fn size_counts_characters_without_white_space() {
        let audience = |text: &str| text.parse::<Audience>().unwrap();
        let policy = |aud: &str| web_identity_trust("a b".to_owned(), &audience(aud), Vec::new());
        let short = serde_json::to_string(&policy("x")).unwrap();
        assert_eq!(size(&policy("x")), short.len() - 1);
        assert_eq!(PolicyKind::Trust.size_over_limit(&policy("x")), None);
        let long = web_identity_trust("\u{e9}".repeat(2_048), &audience("x"), Vec::new());
        assert_eq!(PolicyKind::Trust.size_over_limit(&long), Some(2_048 + short.len() - 3));
    }
}
