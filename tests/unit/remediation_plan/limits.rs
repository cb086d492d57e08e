//! How much may be changed in a run: beyond that nothing at all is done.

use iam_stocktake::remediate::plan::plan;

use crate::remediation_plan::case::{Case, said};
use crate::support::key;

/// Plans for so many users who are due, in an account of so many, by a policy.
fn held(due: usize, users: usize, max_changes: u32, max_share: u32) -> Vec<String> {
    let case = Case::due().with(|it| {
        it.account.users = users;
        it.remediation.max_changes = max_changes;
        it.remediation.max_share = max_share;
    });
    let mut input = case.input();
    input.user_records = (0..due).map(|n| case.twin(&format!("user-{n}"))).collect();
    let said = said(&plan(&input, case.settings()));
    assert_eq!(said.iter().filter(|it| it.ends_with(": Deactivate")).count(), due);
    said.into_iter().filter(|it| it.starts_with("held")).collect()
}

#[test]
fn a_plan_of_just_so_many_changes_is_carried_out_and_one_of_more_is_not() {
    assert_eq!(held(5, 1000, 5, 100), [""; 0]);
    assert_eq!(held(6, 1000, 5, 100), ["held: Changes { due: 6, allowed: 5 }"]);
}

#[test]
fn the_share_of_an_accounts_users_is_rounded_up() {
    let beyond = |due, allowed, users| {
        vec![format!(
            "held: Share {{ account: 111122223333, due: {due}, allowed: {allowed}, \
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
        // An account of which nobody knows how many users it has.
        (1, 0, 100, beyond(1, 0, 0)),
    ] {
        assert_eq!(held(due, users, 1000, share), expected, "{due} of {users}, {share} %");
    }
}

#[test]
fn two_changes_of_one_user_are_two_changes_and_one_user() {
    let case = Case::to_be_deleted().with(|it| {
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
        case.said(),
        [
            "access-key …AAAA: DeleteCredential",
            "access-key …BBBB: DeleteCredential",
            "held: Changes { due: 2, allowed: 1 }",
        ]
    );
}

#[test]
fn notices_are_not_counted() {
    let case = Case::due()
        .without_tag(&crate::remediation_plan::case::of_key(crate::remediation_plan::case::KEY));
    let case = case.with(|it| it.remediation.max_changes = 1);
    let mut input = case.input();
    input.user_records = (0..50).map(|n| case.twin(&format!("user-{n}"))).collect();
    let made = plan(&input, case.settings());
    assert_eq!((made.changes.len(), made.exceeded_limits.len()), (50, 0));
}

#[test]
fn each_account_has_its_own_share_and_all_have_one_number_of_changes() {
    let case = Case::due().with(|it| {
        it.account.users = 10;
        it.remediation.max_changes = 2;
        it.remediation.max_share = 10;
    });
    let mut input = case.input();
    let mut other = case.twin("bob");
    other.account = "444455556666".parse().unwrap();
    input.accounts.insert(other.account, case.account.clone());
    input.user_records.push(other.clone());
    assert_eq!(plan(&input, case.settings()).exceeded_limits, []);

    let third = |account| {
        let mut third = case.twin("carol");
        third.account = account;
        let mut input = input.clone();
        input.user_records.push(third);
        said(&plan(&input, case.settings()))
    };
    let said = third(other.account);
    assert!(said.contains(&"held: Changes { due: 3, allowed: 2 }".to_owned()), "{said:#?}");
    let share = "held: Share { account: 444455556666, due: 2, allowed: 1, users: 10 }";
    assert!(said.contains(&share.to_owned()), "{said:#?}");
    assert_eq!(said.iter().filter(|it| it.starts_with("held: Share")).count(), 1, "{said:#?}");
}
