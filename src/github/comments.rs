//! Comments on issues and pull requests.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::attempt_error::AttemptError;
use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::repository::Repository;
use super::{RawUser, is_stored_as_sent, normalize_line_endings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The ID. IDs increase with every comment on GitHub.
    pub id: u64,
    /// The URL on the web page of the issue.
    pub url: String,
    /// The body with LF line endings; empty if there is none.
    pub body: String,
    /// The login of the author; `None` if the account was deleted.
    pub author: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct RawComment {
    id: u64,
    #[serde(default)]
    html_url: String,
    body: Option<String>,
    user: Option<RawUser>,
    created_at: DateTime<Utc>,
}

impl Repository<'_> {
    /// All comments on an issue or pull request, oldest first.
    ///
    /// [`Error`] when one of the pages cannot be fetched.
    pub async fn comments(&self, issue: u64) -> Result<Vec<Comment>, Error> {
        let what = format!("listing the comments on #{issue} of {}", self.name);
        let url = self.url(&["issues", &issue.to_string(), "comments"]);
        let raw: Vec<RawComment> = self.github.list(&what, &url).await?;
        let mut comments: Vec<_> = raw.into_iter().map(Comment::from).collect();
        comments.sort_by_key(|comment| comment.id);
        comments.dedup_by_key(|comment| comment.id);
        Ok(comments)
    }

    /// Comments on an issue or pull request. `after` is the highest ID known before. If the
    /// response is lost, the comment is looked up among those with a higher ID.
    ///
    /// [`Error`] when it was not created, or not with this body ([`ErrorKind::NotApplied`]).
    pub async fn create_comment(
        &self,
        issue: u64,
        body: &str,
        after: u64,
    ) -> Result<Comment, Error> {
        let what = format!("commenting on #{issue} of {}", self.name);
        let url = self.url(&["issues", &issue.to_string(), "comments"]);
        let request = ApiRequest::post(what, url, json!({ "body": body }));
        let find = async || self.find_created_comment(issue, body, after).await;
        let comment = self.github.create(&request, read_comment, find).await?;
        self.github.remember_author(comment.author.as_deref());
        verify_applied(&request.what, comment, body)
    }

    /// Changes a comment.
    ///
    /// # Errors
    /// [`Error`] when it was not changed, or not to this body ([`ErrorKind::NotApplied`]).
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, Error> {
        let what = format!("updating comment {id} of {}", self.name);
        let request = ApiRequest::patch(what, self.comment_url(id), json!({ "body": body }));
        let comment = self.github.call(&request, read_comment).await?;
        verify_applied(&request.what, comment, body)
    }

    /// Deletes a comment.
    ///
    /// # Errors
    /// [`Error`] when it was not deleted.
    pub async fn delete_comment(&self, id: u64) -> Result<(), Error> {
        let what = format!("deleting comment {id} of {}", self.name);
        let request = ApiRequest::delete(what, self.comment_url(id));
        match self.github.call(&request, ApiResponse::expect_empty).await {
            // An earlier attempt succeeded, but its response was lost.
            Err(error) if error.kind == ErrorKind::NotFound && error.attempts > 1 => Ok(()),
            outcome => outcome,
        }
    }

    fn comment_url(&self, id: u64) -> reqwest::Url {
        self.url(&["issues", "comments", &id.to_string()])
    }

    /// The comment that a create may have made: a newer one by the same author with the same text.
    async fn find_created_comment(
        &self,
        issue: u64,
        body: &str,
        after: u64,
    ) -> Result<Option<Comment>, Error> {
        for comment in self.comments(issue).await? {
            if comment.id > after
                && is_stored_as_sent(body, &comment.body)
                && self.github.is_by_us(comment.author.as_deref()).await?
            {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }
}

impl From<RawComment> for Comment {
    fn from(raw: RawComment) -> Self {
        Self {
            id: raw.id,
            url: raw.html_url,
            body: normalize_line_endings(&raw.body.unwrap_or_default()),
            author: raw.user.map(|user| user.login),
            created_at: raw.created_at,
        }
    }
}

fn read_comment(answer: ApiResponse) -> Result<Comment, AttemptError> {
    answer.json::<RawComment>().map(Comment::from)
}

/// Compares the stored comment with what was sent.
fn verify_applied(what: &str, comment: Comment, body: &str) -> Result<Comment, Error> {
    if is_stored_as_sent(body, &comment.body) {
        return Ok(comment);
    }
    let message =
        format!("GitHub accepted the change, but comment {} has a different body", comment.id);
    Err(Error::new(what, ErrorKind::NotApplied, message))
}
