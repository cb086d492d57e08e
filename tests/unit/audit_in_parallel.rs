//! Auditing accounts in parallel gives the same audit.

use chrono::{DateTime, Utc};
use iam_stocktake::allowlist;
use iam_stocktake::audit::{AllowlistOrigin, Auditor, audit_accounts};
use iam_stocktake::model::inventory::Account;
use iam_stocktake::model::policy::Policy;
use iam_stocktake::observe::credential_report;

fn accounts() -> [Account<'static>; 2] {
    [
        include_str!("../../examples/credential-report.csv"),
        include_str!("../../examples/credential-report-incomplete.csv"),
    ]
    .map(|csv| credential_report::parse(csv, None).unwrap())
}

#[test]
fn audit_does_not_depend_on_the_order_or_split_of_accounts() {
    let now: DateTime<Utc> = "2026-06-30T12:00:00Z".parse().unwrap();
    let source = include_bytes!("../../examples/iam-allowlist.yml");
    let allowlist = allowlist::parse(source, now.date_naive()).unwrap();
    let policy = Policy::new(&allowlist.policy, None);
    let [first, second] = accounts();
    // An account that is added twice has its findings twice, in order.
    let together = [first.clone(), second.clone(), first.clone()];
    let expected = audit_accounts(&together, &allowlist, AllowlistOrigin::None, &policy, now);
    assert!(expected.findings.is_sorted_by(|a, b| a.compare(b).is_le()));

    for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]] {
        let mut one = Auditor::new(&allowlist, &policy, now);
        let mut other = Auditor::new(&allowlist, &policy, now);
        one.add_account(&together[order[0]]);
        other.add_account(&together[order[1]]);
        other.add_account(&together[order[2]]);
        one.merge(other);
        assert_eq!(one.finish(AllowlistOrigin::None), expected, "{order:?}");
    }
}
