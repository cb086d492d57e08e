//! What IAM hands over page by page, gathered.

use std::collections::HashSet;

use super::call::AwsError;

/// The largest page that IAM gives.
pub(crate) const PAGE_SIZE: i32 = 1_000;

/// One page of an answer.
pub(crate) struct IamPage<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub(crate) next: Option<String>,
}

impl<T> IamPage<T> {
    /// A page as IAM marks it: a truncated one names where the next begins.
    pub(crate) fn new(items: Vec<T>, is_truncated: bool, marker: Option<&str>) -> Self {
        // A truncated page without a marker is told from the last one by an empty marker.
        let next = is_truncated.then(|| marker.unwrap_or_default().to_owned());
        Self { items, next }
    }
}

/// The most pages of a list: many more than IAM's quotas fill, however few items it puts into one.
const MAX_PAGES: usize = 10_000;

/// Gathers all pages. A page that cannot be had fails the whole: half a list would look like all
/// there is. So does a marker that leads nowhere new, and a list without an end.
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
            let message = "the list is cut, and its marker leads nowhere";
            return Err(AwsError::unexpected(action, message));
        }
        if seen.len() >= MAX_PAGES {
            let message = format!("the list has no end after {MAX_PAGES} pages");
            return Err(AwsError::unexpected(action, message));
        }
        seen.insert(next.clone());
        at = Some(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gathers pages whose markers are given by the number of the page; how many were asked for.
    fn pages(marker: impl Fn(usize) -> Option<String>) -> (Result<Vec<usize>, AwsError>, usize) {
        let asked = std::cell::Cell::new(0);
        let page = async |_| {
            asked.set(asked.get() + 1);
            Ok(IamPage { items: vec![asked.get()], next: marker(asked.get()) })
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let gathered = runtime.block_on(collect_pages("iam:ListUsers", page));
        (gathered, asked.get())
    }

    #[test]
    fn a_repeated_marker_is_an_error() {
        let (gathered, asked) = pages(|page| (page < 3).then(|| page.to_string()));
        assert_eq!((gathered, asked), (Ok(vec![1, 2, 3]), 3));
        for period in 1..4 {
            let (gathered, asked) = pages(|page| Some((page % period).to_string()));
            assert!(gathered.unwrap_err().message.contains("leads nowhere"));
            assert_eq!(asked, period + 1);
        }
    }

    #[test]
    fn an_endless_list_is_an_error() {
        let (gathered, asked) = pages(|page| Some(page.to_string()));
        assert!(gathered.unwrap_err().message.contains("has no end"));
        assert_eq!(asked, MAX_PAGES + 1);
    }
}
