//! Repositories.

use reqwest::Url;
use serde::Deserialize;

use super::GitHub;
use super::call::{ApiRequest, ApiResponse};
use super::error::Error;
use crate::model::identity::{RepositoryName, Visibility};

/// A repository, accessed with a token.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(super) github: &'a GitHub,
    pub(super) name: RepositoryName,
}

/// Information about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryInfo {
    /// Who can see it; `None` if unknown.
    pub visibility: Option<Visibility>,
    pub default_branch: String,
    /// Whether issues are enabled.
    pub has_issues: bool,
    /// The current `OWNER/NAME`, which differs if the repository was renamed or moved.
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

    /// The name it was created with.
    #[must_use]
    pub const fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// The client.
    #[must_use]
    pub const fn github(&self) -> &'a GitHub {
        self.github
    }

    /// Fetches information about the repository.
    ///
    /// [`Error`] when the request fails, or the repository is not visible.
    pub async fn info(&self) -> Result<RepositoryInfo, Error> {
        let request =
            ApiRequest::get(format!("getting the repository {}", self.name), self.url(&[]));
        self.github
            .call(&request, ApiResponse::json::<RawRepositoryInfo>)
            .await
            .map(RepositoryInfo::from)
    }

    /// The URL of a route below the repository.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let start = ["repos", &self.name.owner, &self.name.name];
        self.github.url(&[&start, segments].concat())
    }
}

impl From<RawRepositoryInfo> for RepositoryInfo {
    fn from(raw: RawRepositoryInfo) -> Self {
        let visibility = match (raw.visibility.as_deref(), raw.private) {
            // Older servers only send `private`. If the two contradict, the more public one counts.
            (_, Some(false)) | (Some("public"), _) => Some(Visibility::Public),
            (Some("internal"), _) => Some(Visibility::Internal),
            (Some("private"), _) | (None, Some(true)) => Some(Visibility::Private),
            (Some(_) | None, _) => None,
        };
        Self {
            visibility,
            default_branch: raw.default_branch,
            // If issues are disabled, the first request for them fails.
            has_issues: raw.has_issues.unwrap_or(true),
            full_name: raw.full_name,
        }
    }
}
