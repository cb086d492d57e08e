//! `remediation` as it is written → [`RemediationPolicy`], or everything that is wrong with it.

use super::advice;
use super::check::Checker;
use super::diagnostic::{Code, shown};
use super::node::Placed;
use super::raw::RawRemediation;
use crate::model::policy::Rule;
use crate::model::policy::remediation::{
    MOST_CHANGES, REMEDIABLE_RULES, RemediationPolicy, UserPath,
};

impl Checker<'_> {
    /// What the file says about the remedy, and the defaults where it says nothing.
    pub(super) fn remediation(&mut self, raw: RawRemediation) -> RemediationPolicy {
        self.deletion_has_a_day(&raw);
        let absent = RemediationPolicy::default();
        // A value that is wrong was noted, so that no default stands for it in the end.
        let mut days = |number: Option<Placed<i64>>, key| number.and_then(|it| self.days(&it, key));
        let deactivate_after_days = days(raw.deactivate_after_days, "deactivate_after_days");
        let delete_after_days = days(raw.delete_after_days, "delete_after_days");
        let max_gap_days = days(raw.max_gap_days, "max_gap_days");
        let max_changes =
            raw.max_changes.and_then(|it| self.number(&it, "max_changes", MOST_CHANGES, ""));
        let max_share = raw.max_share.and_then(|it| self.number(&it, "max_share", 100, " percent"));
        RemediationPolicy {
            deactivate_after_days: deactivate_after_days.unwrap_or(absent.deactivate_after_days),
            delete_after_days,
            delete_passwords: raw.delete_passwords.map_or(absent.delete_passwords, |it| it.value),
            delete_users: raw.delete_users.map_or(absent.delete_users, |it| it.value),
            max_changes: max_changes.unwrap_or(absent.max_changes),
            max_share: max_share.unwrap_or(absent.max_share),
            max_gap_days: max_gap_days.unwrap_or(absent.max_gap_days),
            owners: raw.owners.map_or(absent.owners, |list| {
                list.value.into_iter().filter_map(|it| self.remedied_owner(it)).collect()
            }),
            paths: raw.paths.map_or(absent.paths, |list| {
                list.value.iter().filter_map(|it| self.path(it)).collect()
            }),
            rules: raw.rules.map_or(absent.rules, |list| {
                list.value.iter().filter_map(|it| self.remediable_rule(it)).collect()
            }),
        }
    }

    fn deletion_has_a_day(&mut self, raw: &RawRemediation) {
        let deletes = raw.delete_users.as_ref().filter(|deletes| deletes.value);
        if let Some(deletes) = deletes
            && !raw.is_deletion_dated
        {
            self.error(
                Code::DeletionWithoutDays,
                &deletes.span,
                "`delete_users` is true, but `remediation` has no `delete_after_days`",
                "after how many days?",
                "add `delete_after_days: 90`, which counts from the deactivation, or write \
                 `delete_users: false`",
            );
        }
    }

    fn remediable_rule(&mut self, name: &Placed<String>) -> Option<Rule> {
        let rule = self.rule(name)?;
        if REMEDIABLE_RULES.contains(&rule) {
            return Some(rule);
        }
        let all = REMEDIABLE_RULES.map(Rule::id).join(", ");
        self.error(
            Code::RuleWithoutRemediation,
            &name.span,
            format!("findings of the rule `{rule}` cannot be remediated"),
            "nothing can be done automatically here",
            format!("remove it; the rules that can be remediated are {all}"),
        );
        None
    }

    fn remedied_owner(&mut self, owner: Placed<String>) -> Option<String> {
        let good = self.is_filled(&owner, "an entry of `owners`", &advice::written("owners"))
            && self.has_no_key_id(&owner);
        good.then_some(owner.value)
    }

    fn path(&mut self, path: &Placed<String>) -> Option<UserPath> {
        if !self.is_filled(path, "an entry of `paths`", &advice::written("paths")) {
            return None;
        }
        let found = path.value.parse().ok();
        if found.is_none() {
            let (label, help) = advice::path(&path.value);
            let message = format!("{} is no path of IAM users", shown(&path.value));
            self.error(Code::InvalidPath, &path.span, message, label, help);
        }
        found
    }
}
