//! The remediation roles.

use crate::model::policy::remediation::Stage;

/// A remediation role, by its last stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemediationRole {
    /// Plans, and changes nothing.
    Plan,
    /// Applies this stage and the stages before it.
    UpTo(Stage),
}

impl RemediationRole {
    /// All roles. Each has the permissions of the roles before it.
    pub const ALL: [Self; 4] = [
        Self::Plan,
        Self::UpTo(Stage::Notify),
        Self::UpTo(Stage::Deactivate),
        Self::UpTo(Stage::Delete),
    ];

    /// The last stage that it applies.
    #[must_use]
    pub const fn stage(self) -> Option<Stage> {
        match self {
            Self::Plan => None,
            Self::UpTo(stage) => Some(stage),
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::UpTo(stage) => stage.id(),
        }
    }

    /// Whether the role can make changes that need an approval.
    #[must_use]
    pub const fn needs_approval(self) -> bool {
        matches!(self, Self::UpTo(Stage::Deactivate | Stage::Delete))
    }

    /// The role's default name.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Plan => "iam-stocktake-plan",
            Self::UpTo(Stage::Notify) => "iam-stocktake-notify",
            Self::UpTo(Stage::Deactivate | Stage::Delete) => "iam-stocktake-remediate",
        }
    }
}
