//! The limits of one run: the longest unused credentials are remediated first, the rest waits, and
//! nothing is changed if more than half of an account is due.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use iam_stocktake::model::inventory::{AccountId, CredentialHandle, Flag, UserRecord};
use iam_stocktake::model::remediation_tag::{RemediationStatus, RemediationTag};
use iam_stocktake::remediate::plan::{
    AccountFacts, ChangeKind, PlanInput, PlanSettings, RemediationPlan, limit, plan,
};

use crate::remediation_plan::case::{Case, KEY, lines, of_key};
use crate::support::{days_ago, key, now};

/// The limited plan for `due` users in an account with `users` users, as lines without the renewals.
fn limited(due: usize, users: usize, max_changes: u32, max_share: u32) -> Vec<String> {
    let case = Case::deactivation_due().with(|it| {
        it.account.users = users;
        it.remediation.max_changes = max_changes;
        it.remediation.max_share = max_share;
    });
    let mut input = case.input();
    input.user_records = (0..due).map(|n| case.another_user(&format!("user-{n}"))).collect();
    lines(&limit(plan(&input, case.settings()), &input, case.settings()))
}

fn count(lines: &[String], end: &str) -> usize {
    lines.iter().filter(|it| it.ends_with(end)).count()
}

fn limits(lines: &[String]) -> Vec<&str> {
    let limits = lines.iter().map(String::as_str);
    limits.filter(|it| it.starts_with("limit") || it.starts_with("nothing")).collect()
}

#[test]
fn max_changes_is_an_inclusive_cap() {
    assert_eq!(limits(&limited(5, 1000, 5, 100)), [""; 0]);
    let lines = limited(6, 1000, 5, 100);
    assert_eq!(limits(&lines), ["limit reached: Changes { due: 6, allowed: 5 }"]);
    assert_eq!((count(&lines, ": Deactivate"), count(&lines, " waits: Deactivate")), (6, 1));
}

#[test]
fn max_share_is_rounded_up_and_allows_at_least_one_user() {
    let reached = |due, allowed, users| {
        vec![format!(
            "limit reached: Share {{ account: 111122223333, due: {due}, allowed: {allowed}, \
             users: {users} }}"
        )]
    };
    for (due, users, share, expected) in [
        (10, 100, 10, vec![]),
        (11, 100, 10, reached(11, 10, 100)),
        (11, 101, 10, vec![]),
        (1, 1, 1, vec![]),
        (1, 3, 10, vec![]),
        (2, 3, 10, reached(2, 1, 3)),
        (2, 2, 100, vec![]),
        // An account with an unknown number of users.
        (1, 0, 100, vec![]),
        (2, 0, 100, reached(2, 1, 0)),
    ] {
        let lines = limited(due, users, 1000, share);
        assert_eq!(limits(&lines), expected, "{due} of {users}, {share} %");
    }
}

#[test]
fn nothing_is_done_only_if_more_than_half_of_at_least_ten_users_are_due() {
    for (due, users, is_held) in
        [(6, 10, true), (5, 10, false), (9, 9, false), (40, 60, true), (30, 60, false)]
    {
        let lines = limited(due, users, 1000, 100);
        let expected = format!(
            "nothing is done: TooManyDue {{ account: 111122223333, due: {due}, users: {users} }}"
        );
        let expected = if is_held { vec![expected] } else { vec![] };
        assert_eq!(limits(&lines), expected, "{due} of {users}");
        // Everything that is due is listed in both cases.
        assert_eq!(count(&lines, ": Deactivate"), due, "{due} of {users}");
    }
}

#[test]
fn notices_do_not_count() {
    let case = Case::deactivation_due().without_tag(&of_key(KEY));
    let case = case.with(|it| it.remediation.max_changes = 1);
    let mut input = case.input();
    input.user_records = (0..70).map(|n| case.another_user(&format!("user-{n}"))).collect();
    let made = limit(plan(&input, case.settings()), &input, case.settings());
    assert_eq!((made.changes.len(), made.delayed.len(), made.exceeded_limits.len()), (70, 0, 0));
}

#[test]
fn changes_of_one_user_count_one_by_one_and_as_one_user() {
    let second = of_key("AKIA000000000000BBBB");
    let case = Case::deletion_due().with(|it| {
        let mut older = key("AKIA000000000000BBBB", 201);
        older.active = Flag::No;
        it.user_record.user.access_keys.push(older);
        it.account.users = 1;
        it.remediation.max_share = 1;
    });
    let case = case.tagged(&second, RemediationStatus::Deactivated, 40, 3);
    let both = ["access-key …AAAA: DeleteCredential", "access-key …BBBB: DeleteCredential"];
    assert_eq!(case.lines(), both);
    let case = case.with(|it| it.remediation.max_changes = 1);
    assert_eq!(
        case.lines(),
        [
            "access-key …BBBB: DeleteCredential",
            "access-key …AAAA waits: DeleteCredential",
            "limit reached: Changes { due: 2, allowed: 1 }",
        ]
    );
}

#[test]
fn each_account_gets_one_user_before_another_account_gets_two() {
    let case = Case::deactivation_due().with(|it| {
        it.account.users = 100;
        it.remediation.max_changes = 3;
        it.remediation.max_share = 100;
    });
    let mut input = case.input();
    let other: AccountId = "444455556666".parse().unwrap();
    input.accounts.insert(other, case.account.clone());
    let user = |account: AccountId, name: &str, unused: i64| {
        let mut user = case.another_user(name);
        user.account = account;
        user.user.access_keys = vec![key(KEY, unused)].into_iter().collect();
        user
    };
    let first = case.user_record.account;
    input.user_records = vec![
        user(first, "a-300", 300),
        user(first, "b-500", 500),
        user(first, "c-400", 400),
        user(other, "d-200", 200),
        user(other, "e-150", 150),
    ];
    let limited = limit(plan(&input, case.settings()), &input, case.settings());
    let names = |changes: &[iam_stocktake::remediate::plan::PlannedChange]| {
        changes.iter().map(|it| it.target.user.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&limited.changes), ["b-500", "c-400", "d-200"]);
    assert_eq!(names(&limited.delayed), ["a-300", "e-150"]);
}

#[test]
fn deletion_that_started_is_finished_first() {
    let case = Case::whole_user().with(|it| {
        it.account.users = 4;
        it.remediation.max_changes = 1;
        it.is_partially_deleted = true;
    });
    let mut input = case.input();
    let mut older = Case::deactivation_due().another_user("older");
    older.user.access_keys = vec![key(KEY, 700)].into_iter().collect();
    input.user_records.push(older);
    let limited = limit(plan(&input, case.settings()), &input, case.settings());
    assert_eq!(limited.changes[0].kind, ChangeKind::DeleteUser);
    assert_eq!(limited.delayed[0].target.user, "older");
}

/// Runs the plan once a week, and carries out what it says on the users, until nothing is due.
struct Backlog {
    case: Case,
    user_records: Vec<UserRecord>,
}

impl Backlog {
    /// Users with these numbers of days without use, each with `keys` keys, and the default limits.
    fn new(users: usize, days: impl Iterator<Item = i64>, keys: usize) -> Self {
        let case = Case::deactivation_due().with(|it| {
            it.account.users = users;
            it.remediation.delete_after_days = None;
        });
        let of = |(n, days): (usize, i64)| {
            let mut user = case.another_user(&format!("user-{n}"));
            user.user.tags = Some(BTreeMap::new());
            let ids = (0..keys).map(|at| format!("AKIA0000000000{n:02}AA{at:02}"));
            user.user.access_keys = ids.clone().map(|id| key(&id, days)).collect();
            for id in ids {
                let tag = RemediationTag {
                    reached: RemediationStatus::Notified,
                    since: days_ago(20),
                    seen: days_ago(3),
                };
                let tags = user.user.tags.as_mut().unwrap();
                tags.insert(of_key(&id).key(), tag.to_string());
            }
            user
        };
        let user_records = days.enumerate().map(of).collect();
        Self { case, user_records }
    }

    fn planned(&self, at: DateTime<Utc>) -> RemediationPlan {
        let input = PlanInput {
            accounts: BTreeMap::from([(
                self.case.user_record.account,
                AccountFacts { users: self.case.account.users, ..AccountFacts::default() },
            )]),
            user_records: self.user_records.clone(),
            ..PlanInput::default()
        };
        let settings = PlanSettings { now: at, ..self.case.settings() };
        limit(plan(&input, settings), &input, settings)
    }

    /// Deactivates and renews what the plan says.
    fn carry_out(&mut self, plan: &RemediationPlan, at: DateTime<Utc>) {
        for change in &plan.changes {
            let user = self
                .user_records
                .iter_mut()
                .find(|it| it.user.name == change.target.user.as_str())
                .unwrap();
            let tag_key = change.target.subject.key();
            let tags = user.user.tags.as_mut().unwrap();
            let mut tag: RemediationTag = tags[&tag_key].parse().unwrap();
            tag.seen = at;
            match change.kind {
                ChangeKind::RenewTag => {}
                ChangeKind::Deactivate => {
                    (tag.reached, tag.since) = (RemediationStatus::Deactivated, at);
                    let is_same = |handle: &CredentialHandle| match handle {
                        CredentialHandle::Id(id) => of_key(id) == change.target.subject,
                        CredentialHandle::Slot(_) => false,
                    };
                    let keys = user.user.access_keys.iter_mut();
                    keys.filter(|key| is_same(&key.handle)).for_each(|key| key.active = Flag::No);
                }
                ref other => panic!("{}: {other:?}", change.target.user),
            }
            tags.insert(tag_key, tag.to_string());
        }
    }

    /// The deactivations of each run, as days without use.
    fn drained(mut self) -> Vec<Vec<i64>> {
        let mut runs = Vec::new();
        for week in 0..100 {
            let at = now() + TimeDelta::weeks(week);
            let plan = self.planned(at);
            assert_eq!(plan.exceeded_limits, []);
            let done = plan.changes.iter().filter(|it| it.kind == ChangeKind::Deactivate);
            let done: Vec<i64> =
                done.map(|it| (now() - it.facts.last_used.unwrap()).num_days()).collect();
            if done.is_empty() {
                assert_eq!(plan.delayed, []);
                return runs;
            }
            assert_eq!(plan.delayed.is_empty(), plan.reached_limits.is_empty());
            self.carry_out(&plan, at);
            runs.push(done);
        }
        panic!("the backlog does not drain: {runs:?}");
    }
}

/// Asserts that no run does what is newer than anything that a later run does.
#[track_caller]
fn assert_oldest_first(runs: &[Vec<i64>]) {
    for pair in runs.windows(2) {
        assert!(pair[0].iter().min() >= pair[1].iter().max(), "{runs:?}");
    }
}

#[test]
fn backlog_drains_oldest_first() {
    // Scattered, so that the order of the users is not the order of their age.
    let days = |users: usize| (0..users).map(|n| 100 + (n as i64 * 17) % 41 * 10);
    for (users, due_users, keys, runs) in
        [(60, 20, 2, 8), (600, 40, 1, 8), (600, 20, 2, 8), (3, 2, 1, 2)]
    {
        let done = Backlog::new(users, days(due_users), keys).drained();
        assert_oldest_first(&done);
        assert_eq!(done.iter().map(Vec::len).sum::<usize>(), due_users * keys, "{users}");
        assert_eq!(done.len(), runs, "{users}: {done:?}");
    }
}

#[test]
fn backlog_drains_with_higher_limits_in_fewer_runs() {
    let days = || (0..20).map(|n| 100 + n * 10);
    let mut backlog = Backlog::new(60, days(), 2);
    backlog.case.remediation.max_changes = 40;
    // Ten percent of 60 users are six users.
    let done = backlog.drained();
    assert_oldest_first(&done);
    assert_eq!(done.iter().map(Vec::len).collect::<Vec<_>>(), [12, 12, 12, 4]);
}
