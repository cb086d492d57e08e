//! Settings that are one of a few words.

use std::str::FromStr;

/// Whose tags are read, so that a finding can name its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnerLookup {
    /// Those of the users that the sweep cannot clear.
    #[default]
    FlaggedUsers,
    /// Those of every user.
    All,
    /// Nobody's.
    None,
}

impl OwnerLookup {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::FlaggedUsers, Self::All, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::FlaggedUsers => "candidates",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// Of whom the last service used is asked for (Access Advisor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastAccessedLookup {
    /// The users that the sweep cannot clear.
    #[default]
    FlaggedUsers,
    /// Nobody.
    None,
}

impl LastAccessedLookup {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::FlaggedUsers, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::FlaggedUsers => "candidates",
            Self::None => "none",
        }
    }
}

/// Whose SSH keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SshKeyLookup {
    /// Those of the users that the sweep cannot clear, and of users who show no credential.
    #[default]
    FlaggedUsers,
    /// Those of every user: a call a user.
    All,
}

impl SshKeyLookup {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::FlaggedUsers, Self::All];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::FlaggedUsers => "candidates",
            Self::All => "all",
        }
    }
}

impl FromStr for SshKeyLookup {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

/// A text that names no choice of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown choice")]
pub struct UnknownChoice;

impl FromStr for OwnerLookup {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

impl FromStr for LastAccessedLookup {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

/// On which pull requests a comment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommentOn {
    /// On all.
    #[default]
    Always,
    /// On those about which there is something to say.
    Findings,
}

impl CommentOn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Always, Self::Findings];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Findings => "findings",
        }
    }
}

impl FromStr for CommentOn {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}
