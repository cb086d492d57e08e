//! Paginated lists.

use reqwest::Url;
use serde::de::DeserializeOwned;

use super::GitHub;
use super::attempt_error::AttemptError;
use super::call::{ApiRequest, ApiResponse};
use super::error::Error;

/// The maximum page size of GitHub.
pub(super) const PAGE_SIZE: usize = 100;

/// A page of a list.
struct ListPage<T> {
    entries: Vec<T>,
    /// The `Link` header, if GitHub sent one.
    link: Option<String>,
}

impl<T: DeserializeOwned> ListPage<T> {
    fn of(mut answer: ApiResponse) -> Result<Self, AttemptError> {
        let link = answer.link.take();
        Ok(Self { entries: answer.json()?, link })
    }
}

impl GitHub {
    /// All entries of a list, in GitHub's order. `what` describes the request, and the page number
    /// is added to `url`.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        url: &Url,
    ) -> Result<Vec<T>, Error> {
        let (mut entries, mut number) = (Vec::new(), 1);
        let mut next = Some(page_url(url, number));
        while let Some(target) = next {
            let ListPage { entries: read, link } =
                self.call(&ApiRequest::get(what, target), ListPage::of).await?;
            number += 1;
            // The `Link` header also works for lists without page numbers, and after a short page.
            // If it points to another host, it comes from a proxy in front of the API.
            next = match link.as_deref().map(next_page_url) {
                Some(None) => None,
                Some(Some(link)) => match Url::parse(link) {
                    Ok(link) if self.is_same_origin(&link) => Some(link),
                    _ => Some(page_url(url, number)),
                },
                None => (read.len() >= PAGE_SIZE).then(|| page_url(url, number)),
            };
            entries.extend(read);
        }
        Ok(entries)
    }
}

pub(super) fn page_url(url: &Url, number: usize) -> Url {
    let mut url = url.clone();
    let (size, number) = (PAGE_SIZE.to_string(), number.to_string());
    url.query_pairs_mut().append_pair("per_page", &size).append_pair("page", &number);
    url
}

/// The URL of the next page in a `Link` header (RFC 8288).
fn next_page_url(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, behind)) = rest.split_once('<') {
        let (target, behind) = behind.split_once('>')?;
        // The parameters of this target end at the next target.
        let parameters = behind.split('<').next().unwrap_or_default();
        let is_next = |it: &str| it.trim().trim_end_matches(',').trim() == "rel=\"next\"";
        if parameters.split(';').any(is_next) {
            return Some(target);
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_page_comes_from_the_link_header() {
        let (first, next) = ("<https://a.example/x?a=1,2&page=1>", "<https://a.example/x?page=3>");
        for (link, target) in [
            (format!("{next}; rel=\"next\""), Some("https://a.example/x?page=3")),
            (
                format!("{first}; rel=\"prev\", {next}; rel=\"next\", {first}; rel=\"last\""),
                Some("https://a.example/x?page=3"),
            ),
            (format!("{first}; rel=\"prev\", {first}; rel=\"first\""), None),
            ("<broken".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(next_page_url(&link), target, "{link}");
        }
    }
}
