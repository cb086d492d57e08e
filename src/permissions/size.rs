//! How large a policy may be.
//!
//! Source: "IAM and AWS STS quotas", IAM User Guide: white space does not count.

use super::PolicyNode;

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
    pub fn size_over_limit(self, policy: &PolicyNode) -> Option<usize> {
        Some(size(policy)).filter(|size| *size > self.limit())
    }
}

/// The characters of a policy as IAM counts them.
#[must_use]
pub fn size(policy: &PolicyNode) -> usize {
    // Texts and lists with text keys always can be written.
    let text = serde_json::to_string(policy).unwrap_or_default();
    text.chars().filter(|character| !character.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_counts_characters_without_white_space() {
        let policy = PolicyNode::object([("Sid", PolicyNode::text("a b\u{e9}"))]);
        assert_eq!(size(&policy), r#"{"Sid":"abe"}"#.len());
        assert_eq!(PolicyKind::Trust.size_over_limit(&policy), None);
        let long = PolicyNode::text(&"x".repeat(2_047));
        assert_eq!(PolicyKind::Trust.size_over_limit(&long), Some(2_049));
    }
}
