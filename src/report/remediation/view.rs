//! The plan of a remedy, and what became of it, as the Markdown templates see it.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use minijinja::Value;
use serde::Serialize;

use super::Remedy;
use crate::model::clock::Subject;
use crate::model::inventory::{AccountId, CredentialKind};
use crate::remediate::Missing;
use crate::remediate::plan::{
    Act, Change, Clearing, Facts, Guard, LeftAlone, Limit, Place, Start, Waiting,
};
use crate::report::escape::{harmless, shell_word};
use crate::report::id_ending;

/// Everything that the templates can name.
#[derive(Serialize)]
pub(super) struct View {
    /// Whether the plan was carried out.
    applied: bool,
    /// The furthest stage.
    stage: &'static str,
    digest: String,
    made_at: Value,
    counts: Counts,
    /// The limits that the plan is beyond: nothing is done then.
    held: Vec<LimitView>,
    /// What evidence is missing; none where all was had.
    missing: Option<MissingView>,
    /// What takes something away, or did: all of it.
    takes: Vec<AccountView>,
    /// Notices and other changes of our tags.
    tags: Vec<AccountView>,
    /// Whether the rows are left out, since there is no room for what takes something away.
    is_brief: bool,
    /// Clocks that somebody took away.
    vanished: List,
    skipped: List,
    failed: List,
    by_hand: List,
    waiting: List,
    left_alone: List,
    deactivate_after_days: u32,
    /// None where nothing is ever deleted.
    delete_after_days: Option<u32>,
    /// Whether passwords are deleted instead of deactivated, and not left to a person.
    delete_passwords: bool,
    journal: String,
    /// The command that undoes what was deactivated.
    undo: String,
}

/// The changes that are to be made, or were, by what they do.
#[derive(Serialize, Default)]
struct Counts {
    all: usize,
    deactivations: usize,
    deletions: usize,
    /// Changes of our own tags.
    tags: usize,
}

/// What evidence is missing.
#[derive(Serialize)]
struct MissingView {
    /// The accounts in which rules are incomplete.
    accounts: Vec<MissingInAccount>,
    /// How many users could not be seen whole.
    users: usize,
}

#[derive(Serialize)]
struct MissingInAccount {
    id: Value,
    rules: Vec<&'static str>,
}

#[derive(Serialize)]
struct AccountView {
    id: Value,
    changes: List,
}

/// Rows of a table, and how many there is no room for.
#[derive(Serialize)]
struct List {
    rows: Vec<Row>,
    left_out: usize,
}

/// A limit, and by how much it is passed.
#[derive(Serialize)]
struct LimitView {
    due: usize,
    allowed: usize,
    /// The account whose share of users it is, and how many users it has; none for the run's
    /// changes.
    account: Option<Value>,
    users: Option<usize>,
}

/// What is said of one credential, or of a user as a whole.
#[derive(Serialize, Default)]
struct Row {
    account: Value,
    user: String,
    /// The credential's kind; none for the user as a whole.
    kind: Option<&'static str>,
    id_ending: Option<String>,
    change: Option<ChangeView>,
    /// What was answered, or why a change was not made.
    message: Option<String>,
    /// What comes later, and from which day on.
    stage: Option<&'static str>,
    due: Option<Value>,
    /// Whether a person has to do that.
    by_hand: bool,
    guard: Option<GuardView>,
}

/// What a change does and what it hangs on.
#[derive(Serialize)]
struct ChangeView {
    /// `clear`, `notify`, `settle`, `renew`, `deactivate`, `delete-password`, `delete-credential` or
    /// `delete-user`.
    act: &'static str,
    /// Why a clock starts or is taken away.
    why: Option<&'static str>,
    /// The day of that use.
    why_day: Option<Value>,
    /// Whether the kind of credential has a date of its last use.
    has_use: bool,
    last_used: Option<Value>,
    /// For a password when it was last changed.
    created: Option<Value>,
    /// What the clock says, and since which day.
    reached: Option<&'static str>,
    since: Option<Value>,
    /// What goes with the user.
    credentials: Vec<CredentialView>,
}

#[derive(Serialize)]
struct CredentialView {
    kind: Option<&'static str>,
    id_ending: Option<String>,
    active: bool,
}

/// What keeps something as it is.
#[derive(Serialize, Default)]
struct GuardView {
    code: &'static str,
    day: Option<Value>,
    /// The line of the exemption in the allowlist.
    line: Option<usize>,
    /// What was answered; an owner; a path.
    text: Option<String>,
}

/// Builds the view.
pub(super) fn view(remedy: Remedy<'_>) -> View {
    let Remedy { saved, policy, applied, missing, max_rows, is_brief, .. } = remedy;
    let plan = &saved.plan;
    let limit = if max_rows == 0 { usize::MAX } else { max_rows };
    let list = |rows: Vec<Row>| limited(rows, limit);
    let changes: Vec<&Change> = match applied {
        Some(applied) => applied.made.iter().collect(),
        None => plan.changes.iter().collect(),
    };
    let with_message = |of: &[(Change, String)]| {
        let with = |(it, why): &(Change, String)| Row { message: Some(why.clone()), ..changed(it) };
        let (takes, tags): (Vec<_>, Vec<_>) =
            of.iter().partition(|(it, _)| it.act.takes_something());
        // Only what takes nothing from anybody is ever left out.
        let List { rows, left_out } = list(tags.into_iter().map(with).collect());
        List { rows: takes.into_iter().map(with).chain(rows).collect(), left_out }
    };
    let (takes, tags): (Vec<_>, Vec<_>) =
        changes.iter().copied().partition(|it| it.act.takes_something());
    let vanished = plan.changes.iter().filter(|it| is_drift(it));
    let journal = remedy.journal.display().to_string();
    View {
        applied: applied.is_some(),
        stage: saved.stage.id(),
        digest: saved.digest.clone(),
        made_at: harmless(saved.made_at.format("%Y-%m-%d %H:%M UTC")),
        counts: counts(&changes),
        held: plan.held.iter().map(limit_view).collect(),
        missing: (!missing.is_nothing()).then(|| missing_view(missing)),
        takes: by_account(&takes, usize::MAX),
        tags: by_account(&tags, limit),
        is_brief,
        vanished: list(vanished.map(changed).collect()),
        skipped: with_message(applied.map_or(&[], |it| &it.skipped)),
        failed: with_message(applied.map_or(&[], |it| &it.failed)),
        by_hand: list(plan.by_hand.iter().map(row).collect()),
        waiting: list(plan.waiting.iter().map(later).collect()),
        left_alone: list(plan.left_alone.iter().map(kept).collect()),
        deactivate_after_days: policy.deactivate_after_days,
        delete_after_days: policy.delete_after_days,
        delete_passwords: policy.delete_passwords,
        undo: undo(remedy),
        journal,
    }
}

/// The command that undoes what was deactivated.
fn undo(remedy: Remedy<'_>) -> String {
    let word = |path: &Path| shell_word(&path.display().to_string());
    let others = remedy.other_journals.iter();
    let others: String = others.map(|path| format!(" --other-journals {}", word(path))).collect();
    format!("iam-stocktake remediate --undo {}{others} --apply", word(remedy.journal))
}

/// Whether the change sets a clock that somebody took away.
pub(super) fn is_drift(change: &Change) -> bool {
    matches!(change.act, Act::Notify(Start::Vanished) | Act::Settle(Start::Vanished))
}

fn limited(mut rows: Vec<Row>, limit: usize) -> List {
    let left_out = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    List { rows, left_out }
}

fn missing_view(missing: &Missing) -> MissingView {
    let accounts = missing.rules.iter().map(|(account, rules)| MissingInAccount {
        id: harmless(account),
        rules: rules.iter().map(|rule| rule.id()).collect(),
    });
    MissingView { accounts: accounts.collect(), users: missing.users }
}

fn by_account(changes: &[&Change], limit: usize) -> Vec<AccountView> {
    let mut accounts: BTreeMap<AccountId, Vec<Row>> = BTreeMap::new();
    for change in changes {
        accounts.entry(change.place.account).or_default().push(changed(change));
    }
    let accounts = accounts.into_iter();
    accounts
        .map(|(id, rows)| AccountView { id: harmless(id), changes: limited(rows, limit) })
        .collect()
}

fn counts(changes: &[&Change]) -> Counts {
    let mut counts = Counts { all: changes.len(), ..Counts::default() };
    for change in changes {
        match change.act {
            Act::Clear(_) | Act::Notify(_) | Act::Settle(_) | Act::Renew => counts.tags += 1,
            Act::Deactivate => counts.deactivations += 1,
            Act::DeletePassword | Act::DeleteCredential | Act::DeleteUser => counts.deletions += 1,
        }
    }
    counts
}

fn limit_view(limit: &Limit) -> LimitView {
    match limit {
        Limit::Changes { due, allowed } => {
            LimitView { due: *due, allowed: *allowed, account: None, users: None }
        }
        Limit::Share { account, due, allowed, users } => LimitView {
            due: *due,
            allowed: *allowed,
            account: Some(harmless(account)),
            users: Some(*users),
        },
    }
}

fn day(moment: DateTime<Utc>) -> Value {
    harmless(moment.date_naive())
}

fn credential(subject: &Subject) -> (Option<&'static str>, Option<String>) {
    match subject {
        Subject::User => (None, None),
        Subject::Credential(kind, id) => (Some(kind.id()), id.as_deref().map(id_ending)),
    }
}

fn row(place: &Place) -> Row {
    let (kind, id_ending) = credential(&place.subject);
    Row {
        account: harmless(place.account),
        user: place.user.clone(),
        kind,
        id_ending,
        ..Row::default()
    }
}

fn later(waiting: &Waiting) -> Row {
    Row {
        stage: Some(waiting.stage.id()),
        due: Some(day(waiting.due)),
        by_hand: waiting.by_hand,
        ..row(&waiting.place)
    }
}

fn kept(left: &LeftAlone) -> Row {
    Row { guard: Some(guard_view(&left.guard)), ..row(&left.place) }
}

fn changed(change: &Change) -> Row {
    let Facts { last_used, created, clock, credentials, .. } = &change.facts;
    let (act, why, used) = act(&change.act);
    let has_use = matches!(
        change.place.subject,
        Subject::Credential(CredentialKind::Password | CredentialKind::AccessKey, _)
    );
    let view = ChangeView {
        act,
        why,
        why_day: used.map(day),
        has_use,
        last_used: last_used.map(day),
        created: created.map(day),
        reached: clock.map(|(reached, _)| reached.id()),
        since: clock.map(|(_, since)| day(since)),
        credentials: credentials.iter().map(credential_view).collect(),
    };
    Row { change: Some(view), ..row(&change.place) }
}

fn credential_view((subject, active): &(Subject, bool)) -> CredentialView {
    let (kind, id_ending) = credential(subject);
    CredentialView { kind, id_ending, active: *active }
}

/// What a change does, why, and the day that belongs to the why.
fn act(act: &Act) -> (&'static str, Option<&'static str>, Option<DateTime<Utc>>) {
    match act {
        Act::Clear(Clearing::Used(at)) => ("clear", Some("used"), Some(*at)),
        Act::Clear(why) => ("clear", Some(clearing(*why)), None),
        Act::Notify(why) => ("notify", Some(start(*why)), None),
        Act::Settle(why) => ("settle", Some(start(*why)), None),
        Act::Renew => ("renew", None, None),
        Act::Deactivate => ("deactivate", None, None),
        Act::DeletePassword => ("delete-password", None, None),
        Act::DeleteCredential => ("delete-credential", None, None),
        Act::DeleteUser => ("delete-user", None, None),
    }
}

const fn clearing(why: Clearing) -> &'static str {
    match why {
        Clearing::Used(_) => "used",
        Clearing::NotStale => "not-stale",
        Clearing::Exempted => "exempted",
        Clearing::RecentlyReset => "recently-reset",
        Clearing::Gone => "gone",
        Clearing::Inactive => "inactive",
        Clearing::InUse => "in-use",
    }
}

const fn start(why: Start) -> &'static str {
    match why {
        Start::First => "first",
        Start::Vanished => "vanished",
        Start::Unreadable => "unreadable",
        Start::Used => "used",
        Start::PasswordChanged => "password-changed",
        Start::ExemptionLapsed => "exemption-lapsed",
        Start::NotSeen => "not-seen",
        Start::Reactivated => "reactivated",
    }
}

fn guard_view(guard: &Guard) -> GuardView {
    let of = |code| GuardView { code, ..GuardView::default() };
    let with_text = |code, text: &String| GuardView { text: Some(text.clone()), ..of(code) };
    let with_day = |code, at: DateTime<Utc>| GuardView { day: Some(day(at)), ..of(code) };
    match guard {
        Guard::Root => of("root"),
        Guard::Exempted { line, expires } => {
            GuardView { line: Some(*line), day: Some(harmless(expires)), ..of("exempted") }
        }
        Guard::RecentlyReset(at) => with_day("recently-reset", *at),
        Guard::Ourselves => of("ourselves"),
        Guard::Incomplete(message) => with_text("incomplete", message),
        Guard::Used(at) => with_day("used", *at),
        Guard::Owner(owner) => with_text("owner", owner),
        Guard::Path(path) => with_text("path", path),
        Guard::Tags => of("tags"),
    }
}
