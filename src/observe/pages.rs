//! Paginated IAM lists.

use std::collections::HashSet;

use super::call::AwsError;

/// The largest page size that IAM allows.
pub(crate) const PAGE_SIZE: i32 = 1_000;

pub(crate) struct IamPage<T> {
    pub(crate) items: Vec<T>,
    /// The marker of the next page; `None` on the last page.
    pub(crate) next: Option<String>,
}

impl<T> IamPage<T> {
    /// A page from the fields `IsTruncated` and `Marker`.
    pub(crate) fn new(items: Vec<T>, is_truncated: bool, marker: Option<&str>) -> Self {
        // A truncated page without a marker has an empty marker here, which is an error.
        let next = is_truncated.then(|| marker.unwrap_or_default().to_owned());
        Self { items, next }
    }
}

/// The maximum number of pages. IAM quotas allow far fewer, even with small pages.
const MAX_PAGES: usize = 10_000;

/// Reads all pages. A page that fails makes the whole list fail, because a partial list would look
/// complete. So does a repeated or empty marker, or a list without an end.
pub(crate) async fn collect_pages<T>(
    action: &'static str,
    mut page_at: impl AsyncFnMut(Option<String>) -> Result<IamPage<T>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    let mut at: Option<String> = None;
    loop {
        let page = page_at(at.clone()).await?;
        items.extend(page.items);
        let Some(next) = page.next else { return Ok(items) };
        if next.is_empty() || seen.contains(&next) {
            let message = "the list is truncated, but its marker is empty or repeated";
            return Err(AwsError::unexpected(action, message));
        }
        if seen.len() >= MAX_PAGES {
            let message = format!("the list does not end after {MAX_PAGES} pages");
            return Err(AwsError::unexpected(action, message));
        }
        seen.insert(next.clone());
        at = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads pages with these markers. Returns the result and the number of requests.
    fn pages(marker: impl Fn(usize) -> Option<String>) -> (Result<Vec<usize>, AwsError>, usize) {
        let requests = std::cell::Cell::new(0);
        let page = async |_| {
            requests.set(requests.get() + 1);
            Ok(IamPage { items: vec![requests.get()], next: marker(requests.get()) })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(collect_pages("iam:ListUsers", page));
        (result, requests.get())
    }

    #[test]
    fn repeated_marker_is_an_error() {
        let (result, requests) = pages(|page| (page < 3).then(|| page.to_string()));
        assert_eq!((result, requests), (Ok(vec![1, 2, 3]), 3));
        for period in 1..4 {
            let (result, requests) = pages(|page| Some((page % period).to_string()));
            assert!(result.unwrap_err().message.contains("marker is empty or repeated"));
            assert_eq!(requests, period + 1);
        }
    }

    #[test]
    fn endless_list_is_an_error() {
        let (result, requests) = pages(|page| Some(page.to_string()));
        assert!(result.unwrap_err().message.contains("does not end"));
        assert_eq!(requests, MAX_PAGES + 1);
    }
}
