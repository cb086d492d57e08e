//! Commits and the files in them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::repository::Repository;

/// The media type for the unencoded content of a file.
const RAW: &str = "application/vnd.github.raw+json";

#[derive(Deserialize)]
struct Comparison {
    merge_base_commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

/// The response for a path: an object, or a list for a folder.
#[derive(Deserialize)]
#[serde(untagged)]
enum ContentResponse {
    File(RawFile),
    Folder(#[expect(dead_code, reason = "only the shape matters")] Vec<IgnoredAny>),
}

#[derive(Deserialize)]
struct RawFile {
    r#type: String,
    encoding: Option<String>,
    content: Option<String>,
    /// Some server versions return the type `file` for a submodule.
    submodule_git_url: Option<String>,
}

/// What a path contains.
enum PathContent {
    Bytes(Vec<u8>),
    /// A file that is too large for the JSON response.
    TooLarge,
    /// Something other than a file.
    Other(String),
}

impl Repository<'_> {
    /// The merge base of `base` and `head`. Both are commits or branches; `OWNER:BRANCH` is a
    /// branch of a fork.
    ///
    /// [`Error`] when the request fails, or there is no common commit.
    pub async fn merge_base(&self, base: &str, head: &str) -> Result<String, Error> {
        let mut url = self.url(&["compare", &format!("{base}...{head}")]);
        // The list of commits is not needed.
        url.query_pairs_mut().append_pair("per_page", "1");
        let what = format!("comparing {base} with {head} in {}", self.name);
        let request = ApiRequest::get(what, url);
        let comparison = self.github.call(&request, ApiResponse::json::<Comparison>).await?;
        Ok(comparison.merge_base_commit.sha)
    }

    /// The content of a file at a commit; `None` if it does not exist. A symbolic link within the
    /// repository is followed.
    ///
    /// [`Error`] when the request fails, or the path is a folder or submodule.
    pub async fn file_at(&self, path: &str, commit: &str) -> Result<Option<Vec<u8>>, Error> {
        let what = format!("reading {path} at {commit} of {}", self.name);
        let segments: Vec<_> = path.split('/').filter(|it| !matches!(*it, "" | ".")).collect();
        if segments.is_empty() || segments.contains(&"..") {
            let message = "the path points outside the repository";
            return Err(Error::new(what, ErrorKind::Unexpected, message));
        }
        let mut url = self.url(&[&["contents"], segments.as_slice()].concat());
        url.query_pairs_mut().append_pair("ref", commit);
        let request = ApiRequest::get(what, url).expecting(ErrorKind::NotFound);
        let found = match self.github.call(&request, ApiResponse::json::<ContentResponse>).await {
            Ok(content) => content.into_path_content(),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            // Older server versions respond like this to files over 1 MB.
            Err(error) if error.has_error_code("too_large") => PathContent::TooLarge,
            Err(error) => return Err(error),
        };
        match found {
            PathContent::Bytes(bytes) => Ok(Some(bytes)),
            PathContent::TooLarge => {
                let raw = ApiRequest { accept: RAW, ..request };
                self.github.call(&raw, ApiResponse::into_bytes).await.map(Some)
            }
            PathContent::Other(other) => {
                let message = format!("the path is {other}, not a file");
                Err(Error::new(request.what, ErrorKind::Unexpected, message))
            }
        }
    }
}

impl ContentResponse {
    fn into_path_content(self) -> PathContent {
        let file = match self {
            Self::File(file) => file,
            Self::Folder(_) => return PathContent::Other("a folder".to_owned()),
        };
        if file.submodule_git_url.is_some() {
            return PathContent::Other("a submodule".to_owned());
        }
        if file.r#type != "file" {
            return PathContent::Other(format!("a {}", file.r#type));
        }
        match (file.encoding.as_deref(), file.content) {
            (Some("base64"), Some(text)) => {
                // GitHub wraps the base64 in lines.
                let one: Vec<u8> = text.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
                match BASE64_STANDARD.decode(one) {
                    Ok(bytes) => PathContent::Bytes(bytes),
                    Err(error) => PathContent::Other(format!("invalid base64 ({error})")),
                }
            }
            _ => PathContent::TooLarge,
        }
    }
}
