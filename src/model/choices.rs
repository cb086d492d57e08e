//! Settings that are one of a few words.

use std::str::FromStr;

/// Whose tags are read, so that a finding can name its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// Those of the users that the sweep cannot clear.
    #[default]
    Candidates,
    /// Those of every user.
    All,
    /// Nobody's.
    None,
}

impl Owners {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Candidates, Self::All, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// Of whom the last service used is asked for (Access Advisor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LastAccessed {
    /// The users that the sweep cannot clear.
    #[default]
    Candidates,
    /// Nobody.
    None,
}

impl LastAccessed {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Candidates, Self::None];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::None => "none",
        }
    }
}

/// Whose SSH keys are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SshKeys {
    /// Those of the users that the sweep cannot clear, and of users who show no credential.
    #[default]
    Candidates,
    /// Those of every user: a call a user.
    All,
}

impl SshKeys {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Candidates, Self::All];

    /// The name on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::All => "all",
        }
    }
}

impl FromStr for SshKeys {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

/// A text that names no choice of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown choice")]
pub struct UnknownChoice;

impl FromStr for Owners {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|choice| choice.id() == text).ok_or(UnknownChoice)
    }
}

impl FromStr for LastAccessed {
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
