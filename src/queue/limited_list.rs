//! Lists on pages, with a maximum number of rows.

use serde::Serialize;

/// The first rows of a list, and the number of further ones.
#[derive(Debug, Clone, Serialize)]
pub struct LimitedList<T> {
    /// The number of rows with those that are left out.
    count: usize,
    rows: Vec<T>,
    left_out: usize,
}

impl<T> LimitedList<T> {
    pub(super) fn new<I>(
        items: impl ExactSizeIterator<Item = I>,
        max_rows: usize,
        row: impl FnMut(I) -> T,
    ) -> Self {
        let count = items.len();
        Self::of(items.take(max_rows).map(row).collect(), count)
    }

    /// The first rows of a list with `count` rows.
    pub(super) const fn of(rows: Vec<T>, count: usize) -> Self {
        Self { count, left_out: count.saturating_sub(rows.len()), rows }
    }
}
