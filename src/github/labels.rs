//! Labels.

use serde::Deserialize;
use serde_json::json;

use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::repository::Repository;

/// The error code for a label that already exists.
const ALREADY_EXISTS: &str = "already_exists";

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// The name, as spelled in the repository.
    pub name: String,
    /// The description, if any.
    pub description: Option<String>,
}

/// A label to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLabel {
    pub name: String,
    /// Six hex digits without `#`.
    pub color: String,
    /// At most 100 characters.
    pub description: String,
}

impl Repository<'_> {
    /// The label with this name; `None` if there is none.
    ///
    /// [`Error`] when the request fails.
    pub async fn label(&self, name: &str) -> Result<Option<Label>, Error> {
        // These names cannot be in a URL path. Creating the label shows whether it exists.
        if matches!(name, "" | "." | "..") {
            return Ok(None);
        }
        let what = format!("looking for the label `{name}` in {}", self.name);
        let request =
            ApiRequest::get(what, self.url(&["labels", name])).expecting(ErrorKind::NotFound);
        match self.github.call(&request, ApiResponse::json::<Label>).await {
            Ok(label) => Ok(Some(label)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes the description of a label.
    ///
    /// [`Error`] when it was not changed.
    pub async fn describe_label(&self, name: &str, description: &str) -> Result<(), Error> {
        let what = format!("updating the label `{name}` in {}", self.name);
        let body = json!({ "description": description });
        let request = ApiRequest::patch(what, self.url(&["labels", name]), body);
        self.github.call(&request, ApiResponse::expect_empty).await
    }

    /// Creates a label. It is no error if the label exists already.
    ///
    /// [`Error`] when there is no such label afterwards.
    pub async fn create_label(&self, label: &NewLabel) -> Result<(), Error> {
        let NewLabel { name, color, description } = label;
        let what = format!("creating the label `{name}` in {}", self.name);
        let body = json!({ "name": name, "color": color, "description": description });
        let request = ApiRequest::post(what, self.url(&["labels"]), body);
        // Label names are unique, so the request can be repeated.
        match self.github.call(&request, ApiResponse::expect_empty).await {
            Err(error) if error.has_error_code(ALREADY_EXISTS) => Ok(()),
            outcome => outcome,
        }
    }

    /// Adds labels to an issue.
    ///
    /// [`Error`] when they were not added.
    pub async fn add_labels(&self, issue: u64, labels: &[String]) -> Result<(), Error> {
        let what = format!("adding labels to #{issue} of {}", self.name);
        let url = self.url(&["issues", &issue.to_string(), "labels"]);
        // This request can be repeated.
        let request = ApiRequest::post(what, url, json!({ "labels": labels }));
        self.github.call(&request, ApiResponse::expect_empty).await
    }
}
