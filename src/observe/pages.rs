//! What IAM hands over page by page, gathered.

use super::call::Failure;

/// The largest page that IAM gives.
pub(crate) const PAGE: i32 = 1_000;

/// One page of an answer.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// A page as IAM marks it: a truncated one names where the next begins.
    pub(crate) fn new(items: Vec<T>, is_truncated: bool, marker: Option<&str>) -> Self {
        // A truncated page without a marker is told from the last one by an empty marker.
        let next = is_truncated.then(|| marker.unwrap_or_default().to_owned());
        Self { items, next }
    }
}

/// Gathers all pages. A page that cannot be had fails the whole: half a list would look like all
/// there is. So does a marker that leads nowhere new.
pub(crate) async fn gather<T>(
    action: &'static str,
    mut page_at: impl AsyncFnMut(Option<String>) -> Result<Page<T>, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    let mut at: Option<String> = None;
    loop {
        let page = page_at(at.clone()).await?;
        items.extend(page.items);
        match page.next {
            None => return Ok(items),
            Some(next) if next.is_empty() || Some(&next) == at.as_ref() => {
                let message = "the list is cut, and its marker leads nowhere";
                return Err(Failure::unexpected(action, message));
            }
            Some(next) => at = Some(next),
        }
    }
}
