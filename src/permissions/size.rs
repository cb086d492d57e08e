//! The maximum size of a policy.
//!
//! Source: "IAM and AWS STS quotas", IAM User Guide. White space does not count.

use super::PolicyDocument;

/// The kind of a policy, which decides its maximum size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A role's inline permissions policies, all together.
    Inline,
    /// A managed policy.
    Managed,
    /// A trust policy, under the default quota.
    Trust,
}

impl PolicyKind {
    /// The maximum number of characters.
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Inline => 10_240,
            Self::Managed => 6_144,
            Self::Trust => 2_048,
        }
    }

    /// The size of a policy in characters, if it exceeds the limit.
    #[must_use]
    pub fn size_over_limit(self, policy: &PolicyDocument) -> Option<usize> {
        Some(size(policy)).filter(|size| *size > self.limit())
    }
}

/// The characters of a policy as IAM counts them.
#[must_use]
pub fn size(policy: &PolicyDocument) -> usize {
    // Strings and lists with string keys can always be serialized.
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
