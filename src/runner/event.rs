//! The webhook payload of the event that started the job.
//!
//! Source: "Webhook events and payloads" and "Events that trigger workflows", GitHub documentation.
//! Only the needed fields are read. A missing or malformed field is `None`: a `schedule` event has
//! almost no fields.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::identity::Visibility;

/// The fields of an event that a run uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPayload {
    pub default_branch: Option<String>,
    /// Who can see the repository. `None` is unknown, and must not be treated as private.
    pub visibility: Option<Visibility>,
    pub pull_request: Option<PullRequest>,
    /// The head commit of the branch that a merge group merges into.
    pub merge_group_base: Option<String>,
    pub merge_group_base_ref: Option<String>,
}

/// A pull request at the time of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The number in the base repository.
    pub number: u64,
    /// The head commit.
    pub head_sha: String,
    /// The head commit of the base branch; not the merge base.
    pub base_sha: String,
    pub base_ref: String,
    /// `owner/name` of the head repository; `None` if a fork was deleted.
    pub head_repository: Option<String>,
    /// `owner/name` of the base repository.
    pub base_repository: String,
    /// The login of the author; `None` if the account was deleted.
    pub author: Option<String>,
    /// Whether it is a draft.
    pub draft: bool,
}

impl EventPayload {
    /// Parses the event file.
    ///
    /// When it is not JSON. The error contains the line, but no content.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let event: Value = serde_json::from_slice(json)?;
        let event = RawEvent::deserialize(event).unwrap_or_default();
        let repository = event.repository.unwrap_or_default();
        Ok(Self {
            visibility: repository.visibility_of(),
            default_branch: repository.default_branch,
            pull_request: event.pull_request.map(PullRequest::from),
            merge_group_base_ref: event.merge_group.as_ref().and_then(MergeGroup::branch),
            merge_group_base: event.merge_group.map(|group| group.base_sha),
        })
    }
}

impl PullRequest {
    /// Whether the head repository is a different or unknown one. Such a run has no OIDC token, and
    /// a read-only token.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        let is_base = |head: &String| head.eq_ignore_ascii_case(&self.base_repository);
        !self.head_repository.as_ref().is_some_and(is_base)
    }

    /// Whether Dependabot opened it. Such a run may have no secrets, and a read-only token.
    #[must_use]
    pub fn is_dependabot(&self) -> bool {
        self.author.as_deref() == Some("dependabot[bot]")
    }
}

#[derive(Deserialize, Default)]
struct RawEvent {
    #[serde(default, deserialize_with = "if_readable")]
    repository: Option<RawRepository>,
    #[serde(default, deserialize_with = "if_readable")]
    pull_request: Option<RawPullRequest>,
    #[serde(default, deserialize_with = "if_readable")]
    merge_group: Option<MergeGroup>,
}

#[derive(Deserialize, Default)]
struct RawRepository {
    #[serde(default, deserialize_with = "if_readable")]
    default_branch: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    visibility: Option<String>,
    #[serde(default, deserialize_with = "if_readable")]
    private: Option<bool>,
}

#[derive(Deserialize)]
struct MergeGroup {
    base_sha: String,
    /// `refs/heads/main`
    #[serde(default, deserialize_with = "if_readable")]
    base_ref: Option<String>,
}

impl MergeGroup {
    fn branch(&self) -> Option<String> {
        let name = self.base_ref.as_deref()?;
        Some(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned())
    }
}

#[derive(Deserialize)]
struct RawPullRequest {
    number: u64,
    head: RawHead,
    base: RawBase,
    #[serde(default, deserialize_with = "if_readable")]
    user: Option<EventUser>,
    #[serde(default, deserialize_with = "if_readable")]
    draft: Option<bool>,
}

#[derive(Deserialize)]
struct RawHead {
    sha: String,
    #[serde(default, deserialize_with = "if_readable")]
    repo: Option<RepositoryFullName>,
}

#[derive(Deserialize)]
struct RawBase {
    sha: String,
    #[serde(rename = "ref")]
    branch: String,
    repo: RepositoryFullName,
}

#[derive(Deserialize)]
struct RepositoryFullName {
    full_name: String,
}

#[derive(Deserialize)]
struct EventUser {
    login: String,
}

/// The value, or `None` if it has another type.
fn if_readable<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}

impl RawRepository {
    /// Older servers only send `private`, which includes internal.
    fn visibility_of(&self) -> Option<Visibility> {
        match (self.visibility.as_deref(), self.private) {
            (Some("public"), _) | (_, Some(false)) => Some(Visibility::Public),
            (Some("internal"), _) => Some(Visibility::Internal),
            (Some("private"), _) | (_, Some(true)) => Some(Visibility::Private),
            (_, None) => None,
        }
    }
}

impl From<RawPullRequest> for PullRequest {
    fn from(raw: RawPullRequest) -> Self {
        Self {
            number: raw.number,
            head_sha: raw.head.sha,
            base_sha: raw.base.sha,
            base_ref: raw.base.branch,
            head_repository: raw.head.repo.map(|repository| repository.full_name),
            base_repository: raw.base.repo.full_name,
            author: raw.user.map(|user| user.login),
            draft: raw.draft.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(event: &Value) -> EventPayload {
        EventPayload::read(event.to_string().as_bytes()).unwrap()
    }

    /// An event of a pull request within the repository.
    fn opened() -> Value {
        json!({
            "action": "opened",
            "repository": { "full_name": "acme/infra", "default_branch": "trunk", "private": true },
            "pull_request": {
                "number": 12,
                "draft": true,
                "user": { "login": "alice", "id": 1 },
                "head": { "sha": "aaaa", "ref": "feature", "repo": { "full_name": "acme/infra" } },
                "base": { "sha": "bbbb", "ref": "trunk", "repo": { "full_name": "acme/infra" } },
            },
        })
    }

    #[test]
    fn pull_request_is_parsed() {
        let expected = PullRequest {
            number: 12,
            head_sha: "aaaa".to_owned(),
            base_sha: "bbbb".to_owned(),
            base_ref: "trunk".to_owned(),
            head_repository: Some("acme/infra".to_owned()),
            base_repository: "acme/infra".to_owned(),
            author: Some("alice".to_owned()),
            draft: true,
        };
        let payload = payload(&opened());
        assert_eq!(payload.default_branch.as_deref(), Some("trunk"));
        assert!(!expected.is_fork() && !expected.is_dependabot());
        assert_eq!(payload.pull_request, Some(expected));
    }

    #[test]
    fn merge_group_base_is_parsed() {
        let base = json!("bbbb");
        let event = json!({ "merge_group": { "base_sha": base, "head_sha": "cccc" } });
        assert_eq!(payload(&event).merge_group_base.as_deref(), base.as_str());
        assert_eq!(payload(&json!({ "merge_group": { "base_sha": 1 } })), EventPayload::default());
    }

    #[test]
    fn pull_request_from_another_or_deleted_repository_is_a_fork() {
        for (head, is_fork) in [
            (json!({ "full_name": "mallory/infra" }), true),
            (json!({ "full_name": "acme/infra-2" }), true),
            (json!(null), true),
            (json!({}), true),
            (json!({ "full_name": "Acme/Infra" }), false),
        ] {
            let mut event = opened();
            event["pull_request"]["head"]["repo"] = head.clone();
            assert_eq!(payload(&event).pull_request.unwrap().is_fork(), is_fork, "{head}");
        }
    }

    #[test]
    fn dependabot_is_recognized_by_login() {
        for (user, is_dependabot) in [
            (json!({ "login": "dependabot[bot]" }), true),
            (json!({ "login": "dependabot" }), false),
            (json!(null), false),
        ] {
            let mut event = opened();
            event["pull_request"]["user"] = user.clone();
            let pull_request = payload(&event).pull_request.unwrap();
            assert_eq!(pull_request.is_dependabot(), is_dependabot, "{user}");
        }
    }

    #[test]
    fn visibility_is_known_or_none() {
        use Visibility::{Internal, Private, Public};
        for (repository, visibility) in [
            (json!({ "visibility": "public", "private": false }), Some(Public)),
            (json!({ "visibility": "internal", "private": true }), Some(Internal)),
            (json!({ "visibility": "private", "private": true }), Some(Private)),
            (json!({ "private": true }), Some(Private)),
            (json!({ "private": false }), Some(Public)),
            (json!({ "visibility": "secret", "private": true }), Some(Private)),
            // If the two differ, the repository counts as public, so less is published.
            (json!({ "visibility": "private", "private": false }), Some(Public)),
            (json!({ "visibility": "secret" }), None),
            (json!({ "visibility": 1, "private": "true" }), None),
            (json!({}), None),
            (json!(null), None),
        ] {
            let event = json!({ "repository": repository });
            assert_eq!(payload(&event).visibility, visibility, "{repository}");
        }
    }

    #[test]
    fn missing_or_invalid_fields_are_none() {
        let schedule = json!({ "schedule": "0 6 * * 1" });
        assert_eq!(payload(&schedule), EventPayload::default());
        assert_eq!(payload(&json!([])), EventPayload::default());
        for (part, value) in
            [("number", json!("12")), ("head", json!(null)), ("base", json!({ "sha": "bbbb" }))]
        {
            let mut event = opened();
            event["pull_request"][part] = value;
            let payload = payload(&event);
            assert_eq!(payload.pull_request, None, "{part}");
            assert_eq!(payload.default_branch.as_deref(), Some("trunk"), "{part}");
        }
    }

    #[test]
    fn invalid_json_is_an_error() {
        assert!(EventPayload::read(b"").is_err());
        assert!(EventPayload::read(b"{\"repository\":").is_err());
    }
}
