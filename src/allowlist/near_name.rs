//! User names that differ from a written name by a typo.

/// A user name that was probably meant. The nearest name is the smallest value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearName {
    /// The number of edits from the written name.
    edits: usize,
    pub name: String,
}

impl NearName {
    /// `name`, if it differs from `written` by a typo: at most two edits, or one edit in a short
    /// name. Case and `-`, `_`, `.` count as one character each. Names that differ in their digits
    /// only are names of different users.
    #[must_use]
    pub fn of(written: &str, name: &str) -> Option<Self> {
        let max = match written.len() {
            ..4 => return None,
            4..6 => 1,
            _ => 2,
        };
        // Computing the distance to every user of a large account takes long.
        if written.len().abs_diff(name.len()) > max || !shares_an_end(written, name) {
            return None;
        }
        let (written, meant) = (plain(written), plain(name));
        if without_digits(&written) == without_digits(&meant) && written != meant {
            return None;
        }
        let edits = strsim::osa_distance(&written, &meant);
        (edits <= max).then(|| Self { edits, name: name.to_owned() })
    }
}

/// The name that was probably meant.
#[must_use]
pub fn nearest_name<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names.filter_map(|name| NearName::of(written, name)).min().map(|near| near.name)
}

/// Whether the names start or end with the same character.
fn shares_an_end(a: &str, b: &str) -> bool {
    let same = |a: Option<char>, b: Option<char>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(&b),
        _ => false,
    };
    same(a.chars().next(), b.chars().next()) || same(a.chars().next_back(), b.chars().next_back())
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn without_digits(name: &str) -> String {
    name.replace(|c: char| c.is_ascii_digit(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_near_and_another_user_is_not() {
        for (written, name, is_near) in [
            ("ci-deploy", "ci-deplyo", true),
            ("ci-deploy", "CI_Deploy", true),
            ("jane.miler", "jane.miller", true),
            ("jane.miller", "jane-miller", true),
            ("bacukp-robts", "backup-robot", false),
            ("bacukp-robot", "backup-robot", true),
            ("alice", "alicia", false),
            ("alice", "alcie", true),
            ("bob", "rob", false),
            ("bob", "tom", false),
            ("ab", "aa", false),
            // Two users of the same kind.
            ("svc-01", "svc-02", false),
            ("data-export-2024", "data-export-2025", false),
        ] {
            assert_eq!(NearName::of(written, name).is_some(), is_near, "{written} and {name}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_in_any_order() {
        let names = ["backup-robto2", "backup-robto", "backup-robot", "other"];
        assert_eq!(
            nearest_name("backup-robots", names.into_iter()).as_deref(),
            Some("backup-robot")
        );
        let reversed = names.into_iter().rev();
        assert_eq!(nearest_name("backup-robots", reversed).as_deref(), Some("backup-robot"));
        assert_eq!(nearest_name("something", names.into_iter()), None);
    }
}
