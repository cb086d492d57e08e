//! The plan of a remedy, what became of it, and an undoing, as text for a terminal.

use std::fmt::Write as _;

use super::view::is_drift;
use super::{Remedy, Undoing};
use crate::model::clock::{Reached, Subject};
use crate::model::inventory::{AccountId, CredentialKind};
use crate::model::policy::Rule;
use crate::model::policy::remediation::Stage;
use crate::remediate::journal::Deletion;
use crate::remediate::plan::step::{Step, Write as Call};
use crate::remediate::plan::{Act, Change, Clearing, Facts, Limit, Place, Start, Waiting};
use crate::remediate::{Missing, Needless};
use crate::report::visible;

/// Lists under titles, each with an empty line behind it.
struct Lists {
    text: String,
    limit: usize,
}

impl Lists {
    /// `max_rows` is the most rows of a list; 0 for all.
    fn new(max_rows: usize) -> Self {
        let limit = if max_rows == 0 { usize::MAX } else { max_rows };
        Self { text: String::new(), limit }
    }

    /// Adds a list, if there is anything on it.
    fn add(&mut self, title: &str, rows: Vec<String>) {
        self.add_behind(title, Vec::new(), rows, "");
    }

    /// Adds a list of changes, if there are any: what takes something away comes first, and only
    /// notices and other changes of our tags are left out where there are too many.
    fn add_changes<'a, T: 'a>(
        &mut self,
        title: &str,
        changes: impl IntoIterator<Item = &'a T>,
        of: impl Fn(&T) -> (&Change, String),
    ) {
        let (takes, tags): (Vec<_>, Vec<_>) =
            changes.into_iter().map(of).partition(|(change, _)| change.act.takes_something());
        let rows = |of: Vec<(&Change, String)>| of.into_iter().map(|(_, row)| row).collect();
        self.add_behind(title, rows(takes), rows(tags), " notices and other tags");
    }

    /// Adds a list whose first rows are all shown, and of the rest no more than the limit.
    fn add_behind(&mut self, title: &str, first: Vec<String>, rest: Vec<String>, what: &str) {
        if first.is_empty() && rest.is_empty() {
            return;
        }
        let left_out = rest.len().saturating_sub(self.limit);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{title}");
        for row in first.into_iter().chain(rest.into_iter().take(self.limit)) {
            let _ = writeln!(self.text, "  {}", visible(&row));
        }
        if left_out > 0 {
            let _ = writeln!(self.text, "  … and {left_out} more{what}");
        }
        self.text.push('\n');
    }
}

/// The plan as text for a terminal, ending with a line feed.
#[must_use]
pub fn remedy_text(remedy: Remedy<'_>) -> String {
    let Remedy { saved, applied, .. } = remedy;
    let plan = &saved.plan;
    let mut lists = Lists::new(remedy.max_rows);
    lists.add(
        "Incomplete: evidence is missing, and nothing is done about what it is missing for:",
        missing(remedy.missing),
    );
    lists.add(
        "Nothing at all is done, since the plan is beyond a limit:",
        plan.held.iter().map(held).collect(),
    );
    match applied {
        None => {
            let title = if plan.held.is_empty() { "To be changed:" } else { "Due:" };
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
    let vanished = plan.changes.iter().filter(|it| is_drift(it));
    lists.add(
        "Tags that somebody took away, so that the days begin anew (Terraform does that unless told \
         otherwise: ignore_tags { key_prefixes = [\"iam-stocktake:\"] }):",
        vanished.map(|it| place(&it.place)).collect(),
    );
    lists.add("To be removed by a person:", plan.by_hand.iter().map(place).collect());
    lists.add("Later:", plan.waiting.iter().map(later).collect());
    let kept = plan.left_alone.iter();
    lists
        .add("Left alone:", kept.map(|it| format!("{}: {}", place(&it.place), it.guard)).collect());
    lists.text.push_str(&closing(remedy));
    lists.text
}

fn with_reason((it, why): &(Change, String)) -> (&Change, String) {
    (it, format!("{}: {why}", change(it)))
}

/// What evidence is missing.
fn missing(missing: &Missing) -> Vec<String> {
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
fn closing(remedy: Remedy<'_>) -> String {
    let (stage, digest) = (remedy.saved.stage, &remedy.saved.digest);
    let Some(applied) = remedy.applied else {
        let planned = count(remedy.saved.plan.changes.len());
        return format!("{planned} up to the stage {stage}, plan {digest}\n");
    };
    let mut text = format!("{} made", count(applied.made.len()));
    for (number, what) in [(applied.skipped.len(), "not made"), (applied.failed.len(), "failed")] {
        if number > 0 {
            let _ = write!(text, ", {number} {what}");
        }
    }
    let journal = remedy.journal.display().to_string();
    let _ = writeln!(text, ", up to the stage {stage}, plan {digest}");
    if !applied.made.is_empty() || !applied.failed.is_empty() {
        let _ = writeln!(text, "each step stands in {}", visible(&journal));
    }
    text
}

fn count(changes: usize) -> String {
    format!("{changes} {}", if changes == 1 { "change" } else { "changes" })
}

fn place(place: &Place) -> String {
    match &place.subject {
        Subject::User => format!("{} {}", place.account, place.user),
        subject => format!("{} {}, {subject}", place.account, place.user),
    }
}

fn later(waiting: &Waiting) -> String {
    let what = match waiting.stage {
        _ if waiting.by_hand => "to be removed by a person",
        Stage::Notify => "notice",
        Stage::Deactivate => "to be deactivated",
        Stage::Delete => "to be deleted",
    };
    format!("{}: {what} from {} on", place(&waiting.place), waiting.due.date_naive())
}

fn change(change: &Change) -> String {
    let act = match &change.act {
        Act::Clear(why) => format!("take the notice away: {}", clearing(*why)),
        Act::Notify(why) if change.place.subject == Subject::User => {
            format!("give notice that the user will be deleted{}", start(*why))
        }
        Act::Notify(why) => format!("give notice{}", start(*why)),
        Act::Settle(why) => format!("count the days to the deletion{}", start(*why)),
        Act::Renew => "say that the notice still holds".to_owned(),
        Act::Deactivate => "deactivate".to_owned(),
        Act::DeletePassword => "delete the password, which nothing brings back".to_owned(),
        Act::DeleteCredential => "delete, which nothing brings back".to_owned(),
        Act::DeleteUser => format!(
            "delete the user with everything that is left, which nothing brings back{}",
            credentials(&change.facts)
        ),
    };
    format!("{}: {act}{}", place(&change.place), since(change))
}

/// What goes with a user.
fn credentials(facts: &Facts) -> String {
    let named = |(subject, active): &(Subject, bool)| {
        let is_password = *subject == Subject::PASSWORD;
        let state = if *active || is_password { "" } else { ", inactive" };
        format!("{subject}{state}")
    };
    let all: Vec<_> = facts.credentials.iter().map(named).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join("; ")) }
}

/// The dates by which a change is due.
fn since(change: &Change) -> String {
    if matches!(change.act, Act::Clear(_) | Act::Renew) {
        return String::new();
    }
    let Facts { last_used, created, clock, .. } = &change.facts;
    let has_use = matches!(
        change.place.subject,
        Subject::Credential(CredentialKind::Password | CredentialKind::AccessKey, _)
    );
    let mut dates = Vec::new();
    match (last_used, created) {
        (Some(at), _) => dates.push(format!("last used {}", at.date_naive())),
        (None, Some(at)) if change.place.subject == Subject::PASSWORD => {
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
            Reached::Notified => "notice given",
            Reached::Deactivated => "inactive since",
            Reached::Inactive => "found inactive",
        };
        dates.push(format!("{reached} {}", since.date_naive()));
    }
    if dates.is_empty() { String::new() } else { format!(" ({})", dates.join("; ")) }
}

fn start(why: Start) -> String {
    let why = match why {
        Start::First => return String::new(),
        Start::Vanished => "somebody took the tag away",
        Start::Unreadable => "the tag could not be read",
        Start::Used => "it was used",
        Start::PasswordChanged => "the password was changed",
        Start::ExemptionLapsed => "an exemption has lapsed",
        Start::NotSeen => "no run has seen it for long",
        Start::Reactivated => "somebody activated it again",
    };
    format!(" anew, since {why}")
}

fn clearing(why: Clearing) -> String {
    match why {
        Clearing::Used(at) => format!("it was used on {}", at.date_naive()),
        Clearing::NotStale => "nothing stands against it any more".to_owned(),
        Clearing::Exempted => "an exemption covers it".to_owned(),
        Clearing::RecentlyReset => "the password was reset lately".to_owned(),
        Clearing::Gone => "the credential is gone".to_owned(),
        Clearing::Inactive => "it is inactive, and nothing is to be deleted".to_owned(),
        Clearing::InUse => "something of the user's is in use".to_owned(),
    }
}

fn held(limit: &Limit) -> String {
    match limit {
        Limit::Changes { due, allowed } => {
            format!("{due} changes are due, and `max_changes` allows {allowed} in a run")
        }
        Limit::Share { account, due, allowed, users } => format!(
            "{account}: {due} of {users} users are due, and `max_share` allows {allowed} in a run"
        ),
    }
}

/// The undoing as text for a terminal, ending with a line feed.
#[must_use]
pub fn undo_text(undoing: Undoing<'_>) -> String {
    let Undoing { undo, undone } = undoing;
    let mut lists = Lists::new(0);
    match undone {
        None => lists.add("To be done:", undo.steps.iter().map(step).collect()),
        Some(undone) => {
            let with = |(it, why): &(Step, String)| format!("{}: {why}", step(it));
            lists.add("Failed:", undone.failed.iter().map(with).collect());
            lists.add("Done:", undone.made.iter().map(step).collect());
        }
    }
    let (contradicted, needless): (Vec<_>, Vec<_>) =
        undo.needless.iter().partition(|(_, why)| *why == Needless::Contradicted);
    let with_reason = |(it, why): &(Step, Needless)| format!("{}: {}", of(it), why.says());
    lists.add("Not undone:", contradicted.into_iter().map(with_reason).collect());
    lists.add("Nothing to be done:", needless.into_iter().map(with_reason).collect());
    lists.add("Deleted, and cannot come back:", undo.lost.iter().map(of).collect());
    lists.add(
        "What it takes to make the deleted users again by hand, with new keys (the journal has the \
         policies' texts):",
        undo.deleted.iter().map(belongings).collect(),
    );
    let unseen = undo.unseen.iter();
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
fn belongings(deletion: &Deletion) -> String {
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

fn step(step: &Step) -> String {
    match &step.write {
        Call::Untag { .. } => format!("{}: take the notice away", of(step)),
        _ => format!("{}: activate", of(step)),
    }
}

fn of(step: &Step) -> String {
    let subject = match &step.write {
        Call::Deactivate { kind, id }
        | Call::Activate { kind, id }
        | Call::DeleteCredential { kind, id } => Subject::Credential(*kind, Some(id.clone())),
        Call::Untag { subject, .. } | Call::Tag { subject, .. } => subject.clone(),
        Call::DeletePassword => Subject::PASSWORD,
        _ => Subject::User,
    };
    place(&Place { account: step.account, user: step.user.clone(), subject })
}
