//! What AWS says about a denied call: the kind of policy, and whether the deny is explicit.
//!
//! Source: "Troubleshoot access denied error messages", IAM User Guide.

use crate::model::text_enum;

/// Why a call was denied, according to AWS's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// Whether a statement denies it explicitly, so that an allow elsewhere does not help.
    pub is_explicit: bool,
    /// The kind of policy that denies it, or does not allow it.
    pub policy: Option<DenyingPolicyKind>,
}

text_enum! {
    /// A kind of policy, named as in AWS's messages.
    pub enum DenyingPolicyKind {
        /// An identity-based policy of the calling role or user.
        #[strum(serialize = "identity-based policy")]
        Identity,
        /// A resource-based policy.
        #[strum(serialize = "resource-based policy")]
        Resource,
        #[strum(serialize = "role trust policy")]
        Trust,
        /// The permissions boundary of the calling role or user.
        #[strum(serialize = "permissions boundary")]
        Boundary,
        #[strum(serialize = "session policy")]
        Session,
        /// A service control policy of the organization (SCP).
        #[strum(serialize = "service control policy")]
        ServiceControl,
        /// A resource control policy of the organization (RCP).
        #[strum(serialize = "resource control policy")]
        ResourceControl,
        /// The policy of the VPC endpoint.
        #[strum(serialize = "VPC endpoint policy")]
        VpcEndpoint,
    }
}

impl DenyingPolicyKind {
    fn with_article(self) -> String {
        let article = if self == Self::Identity { "an" } else { "a" };
        format!("{article} {self}")
    }
}

/// How the reason begins in AWS's messages: `… with an explicit deny in a service control policy`,
/// `… because no permissions boundary allows the iam:ListUsers action`.
const REASON_MARKERS: [&str; 2] = ["with an explicit deny", "because no "];

/// Where the reason begins in AWS's message, in bytes; `None` if it has none.
#[must_use]
pub fn reason_start(message: &str) -> Option<usize> {
    REASON_MARKERS.iter().filter_map(|words| message.find(words)).min()
}

impl Denial {
    /// Parses AWS's message about a denied call.
    #[must_use]
    pub fn from_message(message: &str) -> Self {
        let reason = reason_start(message).and_then(|start| message.get(start..));
        let reason = reason.unwrap_or_default();
        // The first kind in the message: a policy ARN after it may contain any name.
        let named = |kind: &DenyingPolicyKind| reason.find(kind.id());
        let policy = DenyingPolicyKind::ALL.into_iter().filter(|kind| named(kind).is_some());
        Self {
            is_explicit: reason.starts_with(REASON_MARKERS[0]),
            policy: policy.min_by_key(named),
        }
    }

    /// The reason in AWS's words, without names of users or policies; `None` if AWS gives none.
    #[must_use]
    pub fn reason(self) -> Option<String> {
        match (self.is_explicit, self.policy) {
            (true, Some(policy)) => {
                Some(format!("{} in {}", REASON_MARKERS[0], policy.with_article()))
            }
            (true, None) => Some(REASON_MARKERS[0].to_owned()),
            (false, Some(policy)) => Some(format!("{}{} allows it", REASON_MARKERS[1], policy)),
            (false, None) => None,
        }
    }

    /// What to do about a denied `action`; `None` if AWS's message adds nothing to the name of the
    /// action.
    #[must_use]
    pub fn advice(self, action: &str) -> Option<String> {
        match (self.is_explicit, self.policy) {
            (true, Some(policy)) => Some(format!(
                "{} denies {action} explicitly, so granting it does not help: remove that deny",
                policy.with_article()
            )),
            (true, None) => Some(format!(
                "a statement denies {action} explicitly, so granting it does not help: remove \
                 that deny from the policies of the role, its permissions boundary, or a service \
                 control policy (SCP)"
            )),
            (false, None | Some(DenyingPolicyKind::Identity)) => None,
            (false, Some(policy)) => Some(format!(
                "no {} allows {action}: allow it there, even if another policy already allows it",
                policy
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_message_names_policy_kind_and_explicit_deny() {
        let user = "User: arn:aws:sts::111122223333:assumed-role/audit/run is not authorized to \
                    perform: iam:ListUsers on resource: arn:aws:iam::111122223333:user/";
        for (reason, is_explicit, policy) in [
            (" with an explicit deny", true, None),
            (
                " with an explicit deny in an identity-based policy",
                true,
                Some(DenyingPolicyKind::Identity),
            ),
            (
                " with an explicit deny in a resource-based policy",
                true,
                Some(DenyingPolicyKind::Resource),
            ),
            (" with an explicit deny in a role trust policy", true, Some(DenyingPolicyKind::Trust)),
            (
                " with an explicit deny in a permissions boundary",
                true,
                Some(DenyingPolicyKind::Boundary),
            ),
            (" with an explicit deny in a session policy", true, Some(DenyingPolicyKind::Session)),
            (
                " with an explicit deny in a service control policy: \
                 arn:aws:organizations::111122223333:policy/o-a/session policy/p-1",
                true,
                Some(DenyingPolicyKind::ServiceControl),
            ),
            (
                " with an explicit deny in a resource control policy",
                true,
                Some(DenyingPolicyKind::ResourceControl),
            ),
            (
                " with an explicit deny in a VPC endpoint policy",
                true,
                Some(DenyingPolicyKind::VpcEndpoint),
            ),
            (
                " because no identity-based policy allows the iam:ListUsers action",
                false,
                Some(DenyingPolicyKind::Identity),
            ),
            (
                " because no permissions boundary allows the iam:ListUsers action",
                false,
                Some(DenyingPolicyKind::Boundary),
            ),
            ("", false, None),
            // A name of a user is no reason.
            ("session policy", false, None),
        ] {
            let denial = Denial::from_message(&format!("AccessDenied: {user}{reason}"));
            assert_eq!(denial, Denial { is_explicit, policy }, "{reason}");
            assert_eq!(
                Denial::from_message(&denial.reason().unwrap_or_default()),
                denial,
                "{reason}"
            );
            // The reason has AWS's words, without the name of the action.
            let words = denial.reason().unwrap_or_default();
            assert!(reason.trim_start().starts_with(words.trim_end_matches(" it")), "{words}");
        }
    }

    #[test]
    fn advice_for_explicit_deny_is_to_remove_it() {
        let advice = |message: &str| Denial::from_message(message).advice("iam:ListUsers");
        let scp = advice("… with an explicit deny in a service control policy").unwrap();
        assert!(scp.contains("a service control policy denies iam:ListUsers"), "{scp}");
        assert!(advice("… with an explicit deny").unwrap().contains("permissions boundary"));
        let boundary = advice("… because no permissions boundary allows the action").unwrap();
        assert!(boundary.starts_with("no permissions boundary allows"), "{boundary}");
        assert_eq!(advice("… because no identity-based policy allows the action"), None);
        assert_eq!(advice("Not authorized"), None);
    }
}
