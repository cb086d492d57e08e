//! Users who were created in the same second. When two of them swap names behind the report, name and
//! creation no longer tell which row is about whom.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::model::inventory::User;

/// The seconds in which several users of the report were created, and which of them are in doubt.
pub(super) struct SameSecondUsers {
    users: BTreeMap<DateTime<Utc>, usize>,
    ambiguous: BTreeSet<DateTime<Utc>>,
}

impl SameSecondUsers {
    /// The seconds of the report's rows.
    pub(super) fn from_rows<'a>(rows: impl Iterator<Item = &'a User<'static>>) -> Self {
        let mut users = BTreeMap::new();
        for created in rows.filter_map(|row| row.created.at()) {
            *users.entry(created).or_default() += 1;
        }
        Self { users, ambiguous: BTreeSet::new() }
    }

    /// Notes that a row was not confirmed: it may be about any user of its second.
    pub(super) fn mark_ambiguous(&mut self, row: &User<'static>) {
        let created = row.created.at();
        let shared = created.filter(|it| self.users.get(it).is_some_and(|users| *users > 1));
        self.ambiguous.extend(shared);
    }

    /// Whether the row may be about another user than the one of its name.
    pub(super) fn is_ambiguous(&self, row: &User<'static>) -> bool {
        row.created.at().is_some_and(|created| self.ambiguous.contains(&created))
    }
}
