//! The roles that a remediation uses.

use crate::model::policy::remediation::Stage;

/// A role of the remedy, by how far it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemediationRole {
    /// It plans, and changes nothing.
    Plan,
    /// It carries out this stage and those before it.
    UpTo(Stage),
}

impl RemediationRole {
    /// All roles, each of which may do what those before it may.
    pub const ALL: [Self; 4] = [
        Self::Plan,
        Self::UpTo(Stage::Notify),
        Self::UpTo(Stage::Deactivate),
        Self::UpTo(Stage::Delete),
    ];

    /// The furthest stage that it carries out.
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

    /// Whether it may do what somebody has to approve first.
    #[must_use]
    pub const fn needs_approval(self) -> bool {
        matches!(self, Self::UpTo(Stage::Deactivate | Stage::Delete))
    }

    /// The role's name, unless told otherwise.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Plan => "iam-stocktake-plan",
            Self::UpTo(Stage::Notify) => "iam-stocktake-notify",
            Self::UpTo(Stage::Deactivate | Stage::Delete) => "iam-stocktake-remediate",
        }
    }
}
