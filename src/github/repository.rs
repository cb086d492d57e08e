//! A repository: its name, and what GitHub tells about it.

use reqwest::Url;
use serde::Deserialize;

use super::GitHub;
use super::call::{ApiRequest, ApiResponse};
use super::error::Error;
use crate::model::identity::{RepositoryName, Visibility};

/// A repository, seen with a token.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(super) github: &'a GitHub,
    pub(super) name: RepositoryName,
}

/// What GitHub tells about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryInfo {
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
struct RawRepositoryInfo {
    visibility: Option<String>,
    private: Option<bool>,
    default_branch: String,
    has_issues: Option<bool>,
    full_name: String,
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

    /// GitHub, through which it is seen.
    #[must_use]
    pub const fn github(&self) -> &'a GitHub {
        self.github
    }

    /// What GitHub tells about it.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked, or does not show it.
    pub async fn info(&self) -> Result<RepositoryInfo, Error> {
        let request = ApiRequest::get(format!("looking at {}", self.name), self.url(&[]));
        self.github
            .call(&request, ApiResponse::json::<RawRepositoryInfo>)
            .await
            .map(RepositoryInfo::from)
    }

    /// The address of what the segments lead to, from the repository on.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let start = ["repos", &self.name.owner, &self.name.name];
        self.github.url(&[&start, segments].concat())
    }
}

impl From<RawRepositoryInfo> for RepositoryInfo {
    fn from(raw: RawRepositoryInfo) -> Self {
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
