//! The limits of one run. If a plan exceeds a limit, nothing is changed.

use iam_stocktake::remediate::plan::plan;

use crate::remediation_plan::case::{Case, lines};
use crate::support::key;

/// The exceeded limits of a plan for `due` users in an account with `users` users.
fn exceeded_limits(due: usize, users: usize, max_changes: u32, max_share: u32) -> Vec<String> {
    let case = Case::deactivation_due().with(|it| {
        it.account.users = users;
        it.remediation.max_changes = max_changes;
        it.remediation.max_share = max_share;
    });
    let mut input = case.input();
    input.user_records = (0..due).map(|n| case.another_user(&format!("user-{n}"))).collect();
    let lines = lines(&plan(&input, case.settings()));
    assert_eq!(lines.iter().filter(|it| it.ends_with(": Deactivate")).count(), due);
    lines.into_iter().filter(|it| it.starts_with("limit exceeded")).collect()
}

#[test]
fn max_changes_is_inclusive() {
    assert_eq!(exceeded_limits(5, 1000, 5, 100), [""; 0]);
    assert_eq!(
        exceeded_limits(6, 1000, 5, 100),
        ["limit exceeded: Changes { due: 6, allowed: 5 }"]
    );
}

#[test]
fn max_share_is_rounded_up() {
    let beyond = |due, allowed, users| {
        vec![format!(
            "limit exceeded: Share {{ account: 111122223333, due: {due}, allowed: {allowed}, \
             users: {users} }}"
        )]
    };
    for (due, users, share, expected) in [
        (10, 100, 10, vec![]),
        (11, 100, 10, beyond(11, 10, 100)),
        (11, 101, 10, vec![]),
        (1, 1, 1, vec![]),
        (1, 3, 10, vec![]),
        (2, 3, 10, beyond(2, 1, 3)),
        (2, 2, 100, vec![]),
        // An account with an unknown number of users.
        (1, 0, 100, beyond(1, 0, 0)),
    ] {
        assert_eq!(
            exceeded_limits(due, users, 1000, share),
            expected,
            "{due} of {users}, {share} %"
        );
    }
}

#[test]
fn two_changes_to_one_user_count_as_one_user() {
    let case = Case::deletion_due().with(|it| {
        let mut second = key("AKIA000000000000BBBB", 200);
        second.active = iam_stocktake::model::inventory::Flag::No;
        it.user_record.user.access_keys.push(second);
        it.account.users = 1;
        it.remediation.max_changes = 1;
        it.remediation.max_share = 1;
    });
    let case = case.tagged(
        &crate::remediation_plan::case::of_key("AKIA000000000000BBBB"),
        iam_stocktake::model::remediation_tag::RemediationStatus::Deactivated,
        40,
        3,
    );
    assert_eq!(
        case.lines(),
        [
            "access-key …AAAA: DeleteCredential",
            "access-key …BBBB: DeleteCredential",
            "limit exceeded: Changes { due: 2, allowed: 1 }",
        ]
    );
}

#[test]
fn notices_do_not_count() {
    let case = Case::deactivation_due()
        .without_tag(&crate::remediation_plan::case::of_key(crate::remediation_plan::case::KEY));
    let case = case.with(|it| it.remediation.max_changes = 1);
    let mut input = case.input();
    input.user_records = (0..50).map(|n| case.another_user(&format!("user-{n}"))).collect();
    let made = plan(&input, case.settings());
    assert_eq!((made.changes.len(), made.exceeded_limits.len()), (50, 0));
}

#[test]
fn max_share_is_per_account_and_max_changes_is_per_run() {
    let case = Case::deactivation_due().with(|it| {
        it.account.users = 10;
        it.remediation.max_changes = 2;
        it.remediation.max_share = 10;
    });
    let mut input = case.input();
    let mut other = case.another_user("bob");
    other.account = "444455556666".parse().unwrap();
    input.accounts.insert(other.account, case.account.clone());
    input.user_records.push(other.clone());
    assert_eq!(plan(&input, case.settings()).exceeded_limits, []);

    let third = |account| {
        let mut third = case.another_user("carol");
        third.account = account;
        let mut input = input.clone();
        input.user_records.push(third);
        lines(&plan(&input, case.settings()))
    };
    let lines = third(other.account);
    assert!(
        lines.contains(&"limit exceeded: Changes { due: 3, allowed: 2 }".to_owned()),
        "{lines:#?}"
    );
    let share = "limit exceeded: Share { account: 444455556666, due: 2, allowed: 1, users: 10 }";
    assert!(lines.contains(&share.to_owned()), "{lines:#?}");
    assert_eq!(
        lines.iter().filter(|it| it.starts_with("limit exceeded: Share")).count(),
        1,
        "{lines:#?}"
    );
}
