//! Large accounts: the findings are exactly the stale credentials.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{audit, ending};
use stand_ins::aws::{Seed, StandIn};

/// A stale credential: the user, the kind, the last characters of the id, and the reference date.
type Stale = (String, String, String, String);

fn expected(truth: &Value) -> BTreeSet<Stale> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let users = truth["users"].as_array().unwrap().iter();
    let stale = |user: &Value| {
        let name = text(&user["user"]);
        let reasons = user["reasons"].as_array().unwrap().clone();
        reasons.into_iter().map(move |it| {
            let id = if it["id"].is_null() { String::new() } else { ending(&it["id"]) };
            (name.clone(), text(&it["credential"]), id, text(&it["reference_date"]))
        })
    };
    users.flat_map(stale).collect()
}

fn found<'a>(findings: impl Iterator<Item = &'a Value>) -> BTreeSet<Stale> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let stale = findings.filter(|it| it["rule"].as_str().unwrap().starts_with("stale-"));
    stale
        .map(|it| {
            assert_eq!((&it["status"], &it["evidence"]), (&"open".into(), &"re-checked".into()));
            let credential = &it["credential"];
            let (kind, id) = (text(&credential["kind"]), text(&credential["id"]));
            (text(&it["user"]), kind, id, text(&it["reference_date"]))
        })
        .collect()
}

fn assert_findings_are_the_stale_credentials(users: usize, seed: u64) {
    let account = StandIn::shared().account(Seed::users(users, seed));
    let audited = audit(&account, &["--last-accessed", "false"]);
    assert_eq!(audited.code, 1, "{}", audited.stderr);
    let (expected, found) = (expected(&account.truth()), found(audited.findings()));
    assert!(expected.len() > users / 5, "too few stale credentials: {}", expected.len());
    let missing: Vec<_> = expected.difference(&found).collect();
    let unexpected: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "-{missing:?} +{unexpected:?}");
    assert_eq!(audited.account()["users"], users);
}

#[test]
fn all_findings_of_a_thousand_users_are_correct() {
    for seed in [1, 2, 3] {
        assert_findings_are_the_stale_credentials(1_000, seed);
    }
}

#[test]
fn all_findings_of_five_thousand_users_are_correct() {
    assert_findings_are_the_stale_credentials(5_000, 4);
}
