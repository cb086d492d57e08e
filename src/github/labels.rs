//! Labels.

use serde::Deserialize;
use serde_json::json;

use super::call::{ApiRequest, ApiResponse};
use super::error::{Error, ErrorKind};
use super::repository::Repository;

/// The code of GitHub's complaint over a label that is there.
const ALREADY_EXISTS: &str = "already_exists";

/// A label, as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its name, as the repository spells it.
    pub name: String,
    /// What it says; `None` where it says nothing.
    pub description: Option<String>,
}

/// A label to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLabel {
    /// Its name.
    pub name: String,
    /// Its colour: six hex digits without `#`.
    pub color: String,
    /// What it says, in 100 characters at most.
    pub description: String,
}

impl Repository<'_> {
    /// The label of this name; `None` where the repository has none.
    ///
    /// # Errors
    /// [`Error`] when GitHub cannot be asked.
    pub async fn label(&self, name: &str) -> Result<Option<Label>, Error> {
        // No path can name these; making it tells whether it is there.
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

    /// Gives a label another description.
    ///
    /// # Errors
    /// [`Error`] when it did not get it.
    pub async fn describe_label(&self, name: &str, description: &str) -> Result<(), Error> {
        let what = format!("updating the label `{name}` in {}", self.name);
        let body = json!({ "description": description });
        let request = ApiRequest::patch(what, self.url(&["labels", name]), body);
        self.github.call(&request, ApiResponse::expect_empty).await
    }

    /// Makes a label. That it is there already is as good.
    ///
    /// # Errors
    /// [`Error`] when there is no such label afterwards.
    pub async fn create_label(&self, label: &NewLabel) -> Result<(), Error> {
        let NewLabel { name, color, description } = label;
        let what = format!("creating the label `{name}` in {}", self.name);
        let body = json!({ "name": name, "color": color, "description": description });
        let request = ApiRequest::post(what, self.url(&["labels"]), body);
        // Sent twice it is made once: a name can be taken only once.
        match self.github.call(&request, ApiResponse::expect_empty).await {
            Err(error) if error.has_error_code(ALREADY_EXISTS) => Ok(()),
            outcome => outcome,
        }
    }

    /// Puts labels on an issue, beside those that it has.
    ///
    /// # Errors
    /// [`Error`] when they were not put on it.
    pub async fn add_labels(&self, issue: u64, labels: &[String]) -> Result<(), Error> {
        let what = format!("labelling #{issue} of {}", self.name);
        let url = self.url(&["issues", &issue.to_string(), "labels"]);
        // Sent twice it does the same.
        let request = ApiRequest::post(what, url, json!({ "labels": labels }));
        self.github.call(&request, ApiResponse::expect_empty).await
    }
}
