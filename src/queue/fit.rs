//! How many rows fit into an issue or a comment.

/// The shortest possible row, in bytes.
const MIN_ROW_BYTES: usize = 40;

/// The page with as many rows as fit into `longest` bytes, or without rows. `render` renders it
/// with a maximum number of the `rows`.
pub(super) fn fit_rows<E>(
    rows: usize,
    longest: usize,
    render: impl Fn(usize) -> Result<String, E>,
) -> Result<String, E> {
    // More rows than this cannot fit.
    let most = rows.min(longest / MIN_ROW_BYTES);
    let whole = render(most)?;
    if whole.len() <= longest {
        return Ok(whole);
    }
    let (mut fits, mut too_many, mut best) = (0, most, render(0)?);
    while too_many - fits > 1 {
        let middle = usize::midpoint(fits, too_many);
        let text = render(middle)?;
        if text.len() <= longest {
            (fits, best) = (middle, text);
        } else {
            too_many = middle;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: usize) -> Result<String, ()> {
        Ok("-".repeat(100 + 50 * rows))
    }

    #[test]
    fn shows_as_many_rows_as_fit() {
        for (rows, longest, length) in [
            (3, 250, 250),
            (3, 249, 200),
            (4, 250, 250),
            (1_000, 10_099, 10_050),
            (1_000, 10_100, 10_100),
            (0, 100, 100),
            (5, 99, 100),
        ] {
            assert_eq!(fit_rows(rows, longest, page).unwrap().len(), length, "{rows} in {longest}");
        }
    }
}
