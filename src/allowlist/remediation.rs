//! Raw `remediation` → [`RemediationPolicy`], or all problems with it.

use super::check::Checker;
use super::diagnostic::{DiagnosticCode, shown};
use super::help;
use super::node::Located;
use super::raw::RawRemediation;
use crate::model::policy::Rule;
use crate::model::policy::remediation::{MAX_CHANGES_LIMIT, RemediationPolicy, UserPath};

impl Checker<'_> {
    /// `remediation` in the file, with the defaults for missing keys.
    pub(super) fn remediation(&mut self, raw: RawRemediation) -> RemediationPolicy {
        self.check_delete_after_days(&raw);
        let absent = RemediationPolicy::default();
        // An invalid value was recorded as a problem, so its default is never used.
        let mut days =
            |number: Option<Located<i64>>, key| number.and_then(|it| self.days(&it, key));
        let deactivate_after_days = days(raw.deactivate_after_days, "deactivate_after_days");
        let delete_after_days = days(raw.delete_after_days, "delete_after_days");
        let max_gap_days = days(raw.max_gap_days, "max_gap_days");
        let max_changes =
            raw.max_changes.and_then(|it| self.number(&it, "max_changes", MAX_CHANGES_LIMIT, ""));
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
                list.value.into_iter().filter_map(|it| self.remediation_owner(it)).collect()
            }),
            paths: raw.paths.map_or(absent.paths, |list| {
                list.value.iter().filter_map(|it| self.path(it)).collect()
            }),
            rules: raw.rules.map_or(absent.rules, |list| {
                list.value.iter().filter_map(|it| self.remediable_rule(it)).collect()
            }),
        }
    }

    fn check_delete_after_days(&mut self, raw: &RawRemediation) {
        let deletes = raw.delete_users.as_ref().filter(|deletes| deletes.value);
        if let Some(deletes) = deletes
            && !raw.is_deletion_dated
        {
            self.error(
                DiagnosticCode::DeletionWithoutDays,
                &deletes.span,
                "`delete_users` is true, but `remediation` has no `delete_after_days`",
                "needs the number of days",
                "add `delete_after_days: 90`, which counts from the deactivation, or write \
                 `delete_users: false`",
            );
        }
    }

    fn remediable_rule(&mut self, name: &Located<String>) -> Option<Rule> {
        let rule = self.rule(name)?;
        if rule.is_remediable() {
            return Some(rule);
        }
        let remediable: Vec<_> = Rule::remediable().into_iter().map(Rule::id).collect();
        let all = remediable.join(", ");
        self.error(
            DiagnosticCode::RuleWithoutRemediation,
            &name.span,
            format!("findings of the rule `{rule}` cannot be remediated"),
            "`remediate` cannot act on this rule",
            format!("remove it; the rules that can be remediated are {all}"),
        );
        None
    }

    fn remediation_owner(&mut self, owner: Located<String>) -> Option<String> {
        let good = self.check_not_blank(&owner, "an entry of `owners`", &help::written("owners"))
            && self.check_no_key_id(&owner);
        good.then_some(owner.value)
    }

    fn path(&mut self, path: &Located<String>) -> Option<UserPath> {
        if !self.check_not_blank(path, "an entry of `paths`", &help::written("paths")) {
            return None;
        }
        let found = path.value.parse().ok();
        if found.is_none() {
            let (label, help) = help::path(&path.value);
            let message = format!("{} is not a path of IAM users", shown(&path.value));
            self.error(DiagnosticCode::InvalidPath, &path.span, message, label, help);
        }
        found
    }
}
