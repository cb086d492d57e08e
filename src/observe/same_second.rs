//! Users created in the same second. If two of them swap names after the report, name and creation
//! time do not show which row belongs to which user.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::model::inventory::User;

/// The creation times that several users in the report share, and which of them are ambiguous.
pub(super) struct SameSecondUsers {
    users: BTreeMap<DateTime<Utc>, usize>,
    ambiguous: BTreeSet<DateTime<Utc>>,
}

impl SameSecondUsers {
    pub(super) fn from_rows<'a>(rows: impl Iterator<Item = &'a User<'static>>) -> Self {
        let mut users = BTreeMap::new();
        for created in rows.filter_map(|row| row.created.at()) {
            *users.entry(created).or_default() += 1;
        }
        Self { users, ambiguous: BTreeSet::new() }
    }

    /// Marks the creation time of a row as ambiguous if other users share it.
    pub(super) fn mark_ambiguous(&mut self, row: &User<'static>) {
        let created = row.created.at();
        let shared = created.filter(|it| self.users.get(it).is_some_and(|users| *users > 1));
        self.ambiguous.extend(shared);
    }

    /// Whether the row may belong to another user than the one with its name.
    pub(super) fn is_ambiguous(&self, row: &User<'static>) -> bool {
        row.created.at().is_some_and(|created| self.ambiguous.contains(&created))
    }
}
