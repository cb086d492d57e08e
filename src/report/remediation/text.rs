//! The remediation plan, what became of it, and an undo plan, as text for a terminal.

use std::fmt::Write as _;

use super::view::is_removed_tag;
use super::{RemediationReport, UndoReport};
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::Rule;
use crate::model::policy::remediation::Stage;
use crate::model::remediation_tag::{RemediationStatus, TagSubject};
use crate::remediate::journal::UserDeletion;
use crate::remediate::plan::step::{IamWrite as Call, RemediationStep};
use crate::remediate::plan::{
    ChangeKind, ExceededLimit, Facts, PendingChange, PlannedChange, RemediationTarget, StartReason,
    TagRemovalReason,
};
use crate::remediate::{MissingEvidence, UndoSkipReason};
use crate::report::escape_invisible;

/// Lists under titles, each with an empty line behind it.
struct TextLists {
    text: String,
    limit: usize,
}

impl TextLists {
    /// `max_rows` is the most rows of a list; 0 for all.
    fn new(max_rows: usize) -> Self {
        let limit = if max_rows == 0 { usize::MAX } else { max_rows };
        Self { text: String::new(), limit }
    }

    /// Adds a list, if there is anything on it.
    fn add(&mut self, title: &str, rows: Vec<String>) {
        self.add_limited(title, Vec::new(), rows, "");
    }

    /// Adds a list of changes, if there are any: what takes something away comes first, and only
    /// notices and other changes of our tags are left out where there are too many.
    fn add_changes<'a, T: 'a>(
        &mut self,
        title: &str,
        changes: impl IntoIterator<Item = &'a T>,
        of: impl Fn(&T) -> (&PlannedChange, String),
    ) {
        let (takes, tags): (Vec<_>, Vec<_>) =
            changes.into_iter().map(of).partition(|(change, _)| change.kind.removes_access());
        let rows = |of: Vec<(&PlannedChange, String)>| of.into_iter().map(|(_, row)| row).collect();
        self.add_limited(title, rows(takes), rows(tags), " notices and other tags");
    }

    /// Adds a list whose first rows are all shown, and of the rest no more than the limit.
    fn add_limited(&mut self, title: &str, first: Vec<String>, rest: Vec<String>, what: &str) {
        if first.is_empty() && rest.is_empty() {
            return;
        }
        let left_out = rest.len().saturating_sub(self.limit);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{title}");
        for row in first.into_iter().chain(rest.into_iter().take(self.limit)) {
            let _ = writeln!(self.text, "  {}", escape_invisible(&row));
        }
        if left_out > 0 {
            let _ = writeln!(self.text, "  … and {left_out} more{what}");
        }
        self.text.push('\n');
    }
}

/// The plan as text for a terminal, ending with a line feed.
#[must_use]
pub fn remediation_text(report: RemediationReport<'_>) -> String {
    let RemediationReport { saved, applied, .. } = report;
    let plan = &saved.plan;
    let mut lists = TextLists::new(report.max_rows);
    lists.add(
        "Incomplete: evidence is missing, and nothing is done about what it is missing for:",
        missing(report.missing),
    );
    lists.add(
        "Nothing at all is done, since the plan is beyond a limit:",
        plan.exceeded_limits.iter().map(held).collect(),
    );
    match applied {
        None => {
            let title = if plan.exceeded_limits.is_empty() { "To be changed:" } else { "Due:" };
            lists.add_changes(title, &plan.changes, |it| (it, change(it)));
        }
        Some(applied) => {
            lists.add_changes("Failed:", &applied.failed, with_reason);
            lists.add_changes(
                "Not changed, since the facts have moved:",
                &applied.skipped,
                with_reason,
            );
            lists.add_changes("Changed:", &applied.made, |it| (it, change(it)));
        }
    }
    let vanished = plan.changes.iter().filter(|it| is_removed_tag(it));
    lists.add(
        "Tags that somebody took away, so that the days begin anew (Terraform does that unless told \
         otherwise: ignore_tags { key_prefixes = [\"iam-stocktake:\"] }):",
        vanished.map(|it| target(&it.target)).collect(),
    );
    lists.add("To be removed by a person:", plan.by_hand.iter().map(target).collect());
    lists.add("Later:", plan.waiting.iter().map(pending).collect());
    let kept = plan.skipped.iter();
    lists.add(
        "Left alone:",
        kept.map(|it| format!("{}: {}", target(&it.target), it.reason)).collect(),
    );
    lists.text.push_str(&summary_line(report));
    lists.text
}

fn with_reason((it, why): &(PlannedChange, String)) -> (&PlannedChange, String) {
    (it, format!("{}: {why}", change(it)))
}

/// What evidence is missing.
fn missing(missing: &MissingEvidence) -> Vec<String> {
    let of_account = |(account, rules): (&AccountId, &Vec<Rule>)| {
        let rules: Vec<_> = rules.iter().map(|rule| rule.id()).collect();
        format!("{account}: the rules {} are incomplete", rules.join(", "))
    };
    let mut rows: Vec<_> = missing.rules.iter().map(of_account).collect();
    match missing.users {
        0 => {}
        1 => rows.push("1 user could not be seen whole, and is left alone".to_owned()),
        users => rows.push(format!("{users} users could not be seen whole, and are left alone")),
    }
    rows
}

/// What it comes to, and where to go from here.
fn summary_line(report: RemediationReport<'_>) -> String {
    let (stage, digest) = (report.saved.stage, &report.saved.digest);
    let Some(applied) = report.applied else {
        let planned = count(report.saved.plan.changes.len());
        return format!("{planned} up to the stage {stage}, plan {digest}\n");
    };
    let mut text = format!("{} made", count(applied.made.len()));
    for (number, what) in [(applied.skipped.len(), "not made"), (applied.failed.len(), "failed")] {
        if number > 0 {
            let _ = write!(text, ", {number} {what}");
        }
    }
    let journal = report.journal.display().to_string();
    let _ = writeln!(text, ", up to the stage {stage}, plan {digest}");
    if !applied.made.is_empty() || !applied.failed.is_empty() {
        let _ = writeln!(text, "each step stands in {}", escape_invisible(&journal));
    }
    text
}

fn count(changes: usize) -> String {
    format!("{changes} {}", if changes == 1 { "change" } else { "changes" })
}

fn target(target: &RemediationTarget) -> String {
    match &target.subject {
        TagSubject::User => format!("{} {}", target.account, target.user),
        subject => format!("{} {}, {subject}", target.account, target.user),
    }
}

fn pending(waiting: &PendingChange) -> String {
    let what = match waiting.stage {
        _ if waiting.by_hand => "to be removed by a person",
        Stage::Notify => "notice",
        Stage::Deactivate => "to be deactivated",
        Stage::Delete => "to be deleted",
    };
    format!("{}: {what} from {} on", target(&waiting.target), waiting.due.date_naive())
}

fn change(change: &PlannedChange) -> String {
    let act = match &change.kind {
        ChangeKind::Clear(why) => format!("take the notice away: {}", clearing(*why)),
        ChangeKind::Notify(why) if change.target.subject == TagSubject::User => {
            format!("give notice that the user will be deleted{}", start(*why))
        }
        ChangeKind::Notify(why) => format!("give notice{}", start(*why)),
        ChangeKind::Settle(why) => format!("count the days to the deletion{}", start(*why)),
        ChangeKind::Renew => "say that the notice still holds".to_owned(),
        ChangeKind::Deactivate => "deactivate".to_owned(),
        ChangeKind::DeletePassword => "delete the password, which nothing brings back".to_owned(),
        ChangeKind::DeleteCredential => "delete, which nothing brings back".to_owned(),
        ChangeKind::DeleteUser => format!(
            "delete the user with everything that is left, which nothing brings back{}",
            credentials(&change.facts)
        ),
    };
    format!("{}: {act}{}", target(&change.target), since(change))
}

/// What goes with a user.
fn credentials(facts: &Facts) -> String {
    let named = |(subject, active): &(TagSubject, bool)| {
        let is_password = *subject == TagSubject::PASSWORD;
        let state = if *active || is_password { "" } else { ", inactive" };
        format!("{subject}{state}")
    };
    let all: Vec<_> = facts.credentials.iter().map(named).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join("; ")) }
}

/// The dates by which a change is due.
fn since(change: &PlannedChange) -> String {
    if matches!(change.kind, ChangeKind::Clear(_) | ChangeKind::Renew) {
        return String::new();
    }
    let Facts { last_used, created, clock, .. } = &change.facts;
    let has_use = matches!(
        change.target.subject,
        TagSubject::Credential(CredentialKind::Password | CredentialKind::AccessKey, _)
    );
    let mut dates = Vec::new();
    match (last_used, created) {
        (Some(at), _) => dates.push(format!("last used {}", at.date_naive())),
        (None, Some(at)) if change.target.subject == TagSubject::PASSWORD => {
            dates.push(format!("never used, last changed {}", at.date_naive()));
        }
        (None, Some(at)) if has_use => {
            dates.push(format!("never used, created {}", at.date_naive()));
        }
        (None, Some(at)) => dates.push(format!("created {}", at.date_naive())),
        (None, None) => {}
    }
    if let Some((reached, since)) = clock {
        let reached = match reached {
            RemediationStatus::Notified => "notice given",
            RemediationStatus::Deactivated => "inactive since",
            RemediationStatus::Inactive => "found inactive",
        };
        dates.push(format!("{reached} {}", since.date_naive()));
    }
    if dates.is_empty() { String::new() } else { format!(" ({})", dates.join("; ")) }
}

fn start(why: StartReason) -> String {
    let why = match why {
        StartReason::First => return String::new(),
        StartReason::Vanished => "somebody took the tag away",
        StartReason::Unreadable => "the tag could not be read",
        StartReason::Used => "it was used",
        StartReason::PasswordChanged => "the password was changed",
        StartReason::ExemptionLapsed => "an exemption has lapsed",
        StartReason::NotSeen => "no run has seen it for long",
        StartReason::Reactivated => "somebody activated it again",
    };
    format!(" anew, since {why}")
}

fn clearing(why: TagRemovalReason) -> String {
    match why {
        TagRemovalReason::Used(at) => format!("it was used on {}", at.date_naive()),
        TagRemovalReason::NotStale => "nothing stands against it any more".to_owned(),
        TagRemovalReason::Exempted => "an exemption covers it".to_owned(),
        TagRemovalReason::RecentlyReset => "the password was reset lately".to_owned(),
        TagRemovalReason::Gone => "the credential is gone".to_owned(),
        TagRemovalReason::Inactive => "it is inactive, and nothing is to be deleted".to_owned(),
        TagRemovalReason::InUse => "something of the user's is in use".to_owned(),
    }
}

fn held(limit: &ExceededLimit) -> String {
    match limit {
        ExceededLimit::Changes { due, allowed } => {
            format!("{due} changes are due, and `max_changes` allows {allowed} in a run")
        }
        ExceededLimit::Share { account, due, allowed, users } => format!(
            "{account}: {due} of {users} users are due, and `max_share` allows {allowed} in a run"
        ),
    }
}

/// The undo plan as text for a terminal, ending with a line feed.
#[must_use]
pub fn undo_text(report: UndoReport<'_>) -> String {
    let UndoReport { undo, undone } = report;
    let mut lists = TextLists::new(0);
    match undone {
        None => lists.add("To be done:", undo.steps.iter().map(step).collect()),
        Some(undone) => {
            let with = |(it, why): &(RemediationStep, String)| format!("{}: {why}", step(it));
            lists.add("Failed:", undone.failed.iter().map(with).collect());
            lists.add("Done:", undone.made.iter().map(step).collect());
        }
    }
    let (contradicted, needless): (Vec<_>, Vec<_>) =
        undo.skipped.iter().partition(|(_, why)| *why == UndoSkipReason::TagMismatch);
    let with_reason =
        |(it, why): &(RemediationStep, UndoSkipReason)| format!("{}: {}", of(it), why.message());
    lists.add("Not undone:", contradicted.into_iter().map(with_reason).collect());
    lists.add("Nothing to be done:", needless.into_iter().map(with_reason).collect());
    lists.add("Deleted, and cannot come back:", undo.irreversible.iter().map(of).collect());
    lists.add(
        "What it takes to make the deleted users again by hand, with new keys (the journal has the \
         policies' texts):",
        undo.deleted_users.iter().map(deleted_user_summary).collect(),
    );
    let unseen = undo.lookup_failures.iter();
    lists.add(
        "Could not be looked at:",
        unseen.map(|((account, user), why)| format!("{account} {user}: {why}")).collect(),
    );
    if lists.text.is_empty() {
        lists.text.push_str("Nothing is to be undone.\n");
    }
    lists.text
}

/// What a deleted user had.
fn deleted_user_summary(deletion: &UserDeletion) -> String {
    let holdings = &deletion.holdings;
    let mut had = vec![format!("path {}", deletion.path)];
    let inline: Vec<_> = holdings.inline_policies.iter().map(|it| it.name.clone()).collect();
    let tags: Vec<_> = deletion.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let boundary = holdings.permissions_boundary.clone();
    for (what, names) in [
        ("groups", &holdings.groups),
        ("attached policies", &holdings.attached_policies),
        ("inline policies", &inline),
        ("permissions boundary", &boundary.into_iter().collect()),
        ("MFA devices", &holdings.mfa_devices),
        ("tags", &tags),
    ] {
        if !names.is_empty() {
            had.push(format!("{what} {}", names.join(", ")));
        }
    }
    format!("{} {}: {}", deletion.account, deletion.user, had.join("; "))
}

fn step(step: &RemediationStep) -> String {
    match &step.write {
        Call::Untag { .. } => format!("{}: take the notice away", of(step)),
        _ => format!("{}: activate", of(step)),
    }
}

fn of(step: &RemediationStep) -> String {
    let subject = match &step.write {
        Call::Deactivate { kind, id }
        | Call::Activate { kind, id }
        | Call::DeleteCredential { kind, id } => TagSubject::Credential(*kind, Some(id.clone())),
        Call::Untag { subject, .. } | Call::Tag { subject, .. } => subject.clone(),
        Call::DeletePassword => TagSubject::PASSWORD,
        _ => TagSubject::User,
    };
    target(&RemediationTarget { account: step.account, user: step.user.clone(), subject })
}
