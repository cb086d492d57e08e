//! Lists, page by page.

use reqwest::Url;
use serde::de::DeserializeOwned;

use super::GitHub;
use super::call::{Answer, Request};
use super::error::Error;
use super::refusal::Failure;

/// As many entries as GitHub gives a page.
pub(super) const PAGE: usize = 100;

/// A page of a list.
struct Page<T> {
    entries: Vec<T>,
    /// The header that names the next page, where GitHub sent it.
    link: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    fn of(mut answer: Answer) -> Result<Self, Failure> {
        let link = answer.link.take();
        Ok(Self { entries: answer.json()?, link })
    }
}

impl GitHub {
    /// All entries of a list, in GitHub's order. `what` is tried at `url`, to which the page is
    /// added.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        url: &Url,
    ) -> Result<Vec<T>, Error> {
        let (mut entries, mut number) = (Vec::new(), 1);
        let mut next = Some(numbered(url, number));
        while let Some(target) = next {
            let Page { entries: read, link } =
                self.call(&Request::get(what, target), Page::of).await?;
            number += 1;
            // GitHub's own pointer serves lists in which a number leads no further; it may also
            // come after a short page. One to another host comes of a proxy before the API.
            next = match link.as_deref().map(next_of) {
                Some(None) => None,
                Some(Some(link)) => match Url::parse(link) {
                    Ok(link) if self.is_ours(&link) => Some(link),
                    _ => Some(numbered(url, number)),
                },
                None => (read.len() >= PAGE).then(|| numbered(url, number)),
            };
            entries.extend(read);
        }
        Ok(entries)
    }
}

/// The address of a page by its number.
pub(super) fn numbered(url: &Url, number: usize) -> Url {
    let mut url = url.clone();
    let (size, number) = (PAGE.to_string(), number.to_string());
    url.query_pairs_mut().append_pair("per_page", &size).append_pair("page", &number);
    url
}

/// The next page's address, by a `Link` header (RFC 8288).
fn next_of(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, behind)) = rest.split_once('<') {
        let (target, behind) = behind.split_once('>')?;
        // Up to the next target stand this one's parameters.
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
    fn the_next_page_is_the_one_that_the_link_calls_so() {
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
            assert_eq!(next_of(&link), target, "{link}");
        }
    }
}
