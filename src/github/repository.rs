//! A repository: its name, and what GitHub tells about it.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;
use serde::Deserialize;

use super::GitHub;
use super::call::{Answer, Request};
use super::error::Error;

/// The longest name of an owner or a repository, in bytes.
const LONGEST_NAME: usize = 100;

/// A repository's name, `OWNER/NAME`. It can stand in a URL as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName {
    owner: String,
    name: String,
}

/// A text that names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no repository: write OWNER/NAME")]
pub struct NoRepositoryName(pub String);

/// A repository, seen with a token.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(super) github: &'a GitHub,
    pub(super) name: RepositoryName,
}

/// Who can see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Everybody in the enterprise.
    Internal,
    /// Those who were let in.
    Private,
}

/// What GitHub tells about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Who can see it; `None` where GitHub does not tell.
    pub visibility: Option<Visibility>,
    /// The branch that stands for the repository.
    pub default_branch: String,
    /// Whether issues are turned on.
    pub has_issues: bool,
    /// Its name now, `OWNER/NAME`: another one where it was renamed or moved.
    pub full_name: String,
}

#[derive(Deserialize)]
struct RawAbout {
    visibility: Option<String>,
    private: Option<bool>,
    default_branch: String,
    has_issues: Option<bool>,
    full_name: String,
}

impl RepositoryName {
    /// The user or organization that owns it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name within the owner's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for RepositoryName {
    type Err = NoRepositoryName;

    fn from_str(text: &str) -> Result<Self, NoRepositoryName> {
        let is_name = |part: &str| {
            (1..=LONGEST_NAME).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && !matches!(part, "." | "..")
        };
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(NoRepositoryName(text.to_owned())),
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl<'a> Repository<'a> {
    pub(super) const fn new(github: &'a GitHub, name: RepositoryName) -> Self {
        Self { github, name }
    }

    /// Its name, as it was given.
    #[must_use]
    pub const fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// What GitHub tells about it.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked, or does not show it.
    pub async fn about(&self) -> Result<About, Error> {
        let request = Request::get(format!("looking at {}", self.name), self.url(&[]));
        self.github.call(&request, Answer::json::<RawAbout>).await.map(About::from)
    }

    /// The address of what the segments lead to, from the repository on.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let start = ["repos", self.name.owner(), self.name.name()];
        self.github.url(&[&start, segments].concat())
    }
}

impl From<RawAbout> for About {
    fn from(raw: RawAbout) -> Self {
        let visibility = match (raw.visibility.as_deref(), raw.private) {
            // Older servers tell this alone; and one that contradicts itself is taken at its worst.
            (_, Some(false)) | (Some("public"), _) => Some(Visibility::Public),
            (Some("internal"), _) => Some(Visibility::Internal),
            (Some("private"), _) | (None, Some(true)) => Some(Visibility::Private),
            (Some(_) | None, _) => None,
        };
        Self {
            visibility,
            default_branch: raw.default_branch,
            // Where they are not, the first call to them says so.
            has_issues: raw.has_issues.unwrap_or(true),
            full_name: raw.full_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_owner_and_a_name_that_can_stand_in_a_url() {
        for text in ["acme/infra", "Acme-Corp/.github", "x_acme/a.b_c-d"] {
            assert_eq!(
                text.parse::<RepositoryName>().map(|name| name.to_string()).as_deref(),
                Ok(text)
            );
        }
        let long = format!("acme/{}", "x".repeat(101));
        for text in [
            "",
            "acme",
            "acme/",
            "/infra",
            "a/b/c",
            "acme/..",
            "a b/c",
            "acme/in?fra",
            "ä/b",
            "a/%2e",
            &long,
        ] {
            assert_eq!(text.parse::<RepositoryName>(), Err(NoRepositoryName(text.to_owned())));
        }
    }
}
