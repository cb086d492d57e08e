//! The pull request comment.

use super::*;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use iam_stocktake::allowlist::{FormerAccount, Position};
use iam_stocktake::model::policy::remediation::RemediationPolicy;
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use iam_stocktake::queue::gate::{FailOn, Gate, GateCounts, unaudited};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::plan::MAX_BODY_BYTES;
use iam_stocktake::queue::pull_request::{
    Baseline, PolicyChange, PullRequestChanges, PullRequestComment, remediation_changes, stricter,
};
use iam_stocktake::queue::state::{QueueName, QueueState};
use iam_stocktake::templates::SafeText;

use crate::queue::markdown::rendered;
use stand_ins::gfm::assert_same_outline;

/// A pull request on July 5, with a queue of July 1.
struct Case {
    queue_state: Option<QueueState>,
    /// The audit with the base's exemptions.
    base: Audit,
    /// The audit with the head's exemptions.
    head: Audit,
    today: &'static str,
    fail_on: FailOn,
    names: bool,
    remediation: Vec<PolicyChange>,
    /// The other changes in the allowlist.
    pull_request_changes: PullRequestChanges,
}

fn case(known: &[Found], head: &[Found]) -> Case {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", known)]);
    let head = Audit::on("2026-07-05", head);
    Case {
        queue_state: Some(harness.queue_state()),
        base: head.clone(),
        head,
        today: "2026-07-05",
        fail_on: FailOn::NEW,
        names: true,
        remediation: Vec::new(),
        pull_request_changes: PullRequestChanges::default(),
    }
}

/// The comment, the gate, and whether there is something to report.
struct RenderedComment {
    body: String,
    gate: Gate,
    has_content: bool,
}

fn observed(audit: &Audit) -> Observation {
    Observation::of(std::slice::from_ref(&audit.0), audit.0.generated_at).unwrap()
}

fn render(case: &Case, policies: [&Policy; 2], language: Language) -> RenderedComment {
    let (base, head) = (observed(&case.base), observed(&case.head));
    let (_, loosened) = stricter(policies[0], policies[1]);
    let changes = PullRequestChanges {
        loosened,
        remediation: case.remediation.clone(),
        ..case.pull_request_changes.clone()
    };
    let pull_request_changes = changes.compare(&[base], &head);
    let today: NaiveDate = case.today.parse().unwrap();
    let queue_state = case.queue_state.as_ref();
    let gate_counts =
        GateCounts::of(&head, queue_state, &pull_request_changes.uncovered, today, 30)
            .with_uncovered(&pull_request_changes.uncovered, &head);
    let gate = gate_counts.evaluate(case.fail_on, queue_state.is_some());
    let queue: QueueName = "default".parse().unwrap();
    let unaudited =
        queue_state.map(|queue_state| unaudited(&head, queue_state)).unwrap_or_default();
    let comment = PullRequestComment {
        queue: &queue,
        observation: &head,
        queue_state,
        queue_issue: queue_state.map(|_| SafeText::issue(None, 7)),
        pull_request_changes: &pull_request_changes,
        gate_counts: &gate_counts,
        unaudited: &unaudited,
        gate,
        uncovered_block: case.fail_on.uncovered,
        today,
        allowlist: Some(".github/iam-allowlist.yml"),
        run: None,
        names: case.names,
    };
    let bodies = Language::ALL.map(|it| comment.body(it).unwrap());
    // A comment that is cut to fit may have more rows in one language.
    if bodies.iter().all(|it| it.len() < MAX_BODY_BYTES / 2) {
        assert_same_outline(&bodies);
    }
    RenderedComment {
        body: comment.body(language).unwrap(),
        gate,
        has_content: comment.has_content(),
    }
}

fn english(case: &Case) -> RenderedComment {
    render(case, [&Policy::default(); 2], Language::English)
}

#[test]
fn new_findings_block_and_known_ones_do_not() {
    let (alice, bob) = (password("alice"), access_key("bob"));
    let case = case(std::slice::from_ref(&alice), &[alice.clone(), bob]);
    let comment = english(&case);
    assert_eq!((comment.gate, comment.has_content), (Gate::Failed, true));
    insta::assert_snapshot!("new", comment.body);
    let japanese = render(&case, [&Policy::default(); 2], Language::Japanese);
    insta::assert_snapshot!("ja_new", japanese.body);
}

#[test]
fn known_findings_need_no_comment() {
    let alice = password("alice");
    let comment = english(&case(std::slice::from_ref(&alice), std::slice::from_ref(&alice)));
    assert_eq!((comment.gate, comment.has_content), (Gate::Passed, false));
    insta::assert_snapshot!("known", comment.body);
}

#[test]
fn comment_without_findings_is_short() {
    let comment = english(&case(&[], &[]));
    assert_eq!((comment.gate, comment.has_content), (Gate::Passed, false));
    insta::assert_snapshot!("no_findings", comment.body);
}

#[test]
fn allowlist_changes_are_listed_and_do_not_block() {
    let (alice, bob, carol) =
        (password("alice"), password("bob"), password("carol").level("notice"));
    let known = [alice.clone()];
    let mut case = case(&known, &[]);
    // The head exempts alice, and removes the exemptions of bob and carol.
    case.base =
        Audit::on("2026-07-05", &[alice.clone(), bob.clone().exempted(), carol.clone().exempted()]);
    case.head = Audit::on("2026-07-05", &[alice.exempted(), bob, carol]);
    let comment = english(&case);
    assert_eq!((comment.gate, comment.has_content), (Gate::Passed, true));
    insta::assert_snapshot!("exempts_and_uncovers", comment.body);
}

#[test]
fn new_warnings_are_listed_and_do_not_block() {
    let alice = password("alice").level("warning");
    let comment = english(&case(&[], &[alice]));
    assert_eq!(comment.gate, Gate::Passed);
    assert!(
        comment.body.contains("**1 finding of level warning is also new.**"),
        "{}",
        comment.body
    );
    assert!(!comment.body.contains("already known"), "{}", comment.body);
}

#[test]
fn without_a_queue_the_comment_says_what_to_do() {
    let mut case = case(&[], &[password("alice"), access_key("bob")]);
    case.queue_state = None;
    let comment = english(&case);
    assert_eq!((comment.gate, comment.has_content), (Gate::NotEvaluated, true));
    insta::assert_snapshot!("no_queue", comment.body);
    case.fail_on = FailOn { any: true, ..FailOn::NONE };
    let comment = english(&case);
    assert_eq!(comment.gate, Gate::Failed);
    assert!(comment.body.contains("### The merge is blocked\n\n2 findings"), "{}", comment.body);
}

#[test]
fn queue_with_a_stopped_schedule_does_not_look_clean() {
    let mut case = case(&[], &[]);
    case.today = "2026-07-09";
    assert!(!english(&case).has_content, "eight days are not too many");
    case.today = "2026-07-10";
    let comment = english(&case);
    assert_eq!((comment.gate, comment.has_content), (Gate::Passed, true));
    insta::assert_snapshot!("stopped_schedule", comment.body);
}

#[test]
fn missing_evidence_does_not_look_clean() {
    let mut case = case(&[], &[]);
    case.head = case
        .head
        .coverage("stale-password", "incomplete")
        .coverage("stale-access-key", "incomplete");
    let comment = english(&case);
    assert!(comment.has_content);
    insta::assert_snapshot!("incomplete", comment.body);
    let warning = rendered(&comment.body);
    assert_eq!((warning.items, warning.headings), (1, 1));
}

#[test]
fn overdue_findings_block_if_configured() {
    let alice = password("alice");
    let mut case = case(std::slice::from_ref(&alice), std::slice::from_ref(&alice));
    (case.today, case.fail_on) = ("2026-08-05", FailOn { overdue: true, ..FailOn::NONE });
    let comment = english(&case);
    assert_eq!(comment.gate, Gate::Failed);
    assert!(
        comment.body.contains("### The merge is blocked\n\n1 finding is overdue. See #7.\n"),
        "{}",
        comment.body
    );
    case.fail_on = FailOn { any: true, ..FailOn::NONE };
    case.today = "2026-07-05";
    let comment = english(&case);
    assert!(comment.body.contains("1 finding is open. See #7.\n"), "{}", comment.body);
}

#[test]
fn without_names_the_comment_has_only_counts() {
    let (alice, bob, carol) = (password("alice"), access_key("bob"), access_key("carol"));
    for (language, queue_state) in
        Language::ALL.into_iter().flat_map(|it| [(it, true), (it, false)])
    {
        let mut case =
            case(std::slice::from_ref(&alice), &[alice.clone(), bob.clone(), carol.clone()]);
        let base = [alice.clone().exempted(), bob.clone(), carol.clone().exempted()];
        case.base = Audit::on("2026-07-05", &base);
        case.head = case.head.coverage("stale-password", "incomplete");
        case.names = false;
        case.queue_state = case.queue_state.filter(|_| queue_state);
        let comment = render(&case, [&Policy::default(); 2], language);
        for name in ["alice", "bob", "carol", ACCOUNT, "WXYZ"] {
            assert!(!comment.body.contains(name), "{}", comment.body);
        }
        assert_eq!(rendered(&comment.body).html.len(), 1, "{}", comment.body);
        if queue_state && language == Language::English {
            insta::assert_snapshot!("counts_only", comment.body);
        }
    }
}

#[test]
fn comment_fits_the_limit_of_github() {
    let long = |n: usize| format!("{n:03}{}", "\u{1f600}".repeat(500));
    let found: Vec<_> = (0..300).map(|n| password(&long(n))).collect();
    let known = &found[..100];
    let mut case = case(known, &found);
    let mut base = found.clone();
    base[100..200].iter_mut().for_each(|it| *it = it.clone().exempted());
    case.base = Audit::on("2026-07-05", &base);
    let comment = english(&case);
    assert!(comment.body.len() <= MAX_BODY_BYTES && comment.body.len() > MAX_BODY_BYTES / 2);
    assert!(comment.body.contains("### 100 new findings block the merge"), "{}", comment.body);
    let page = rendered(&comment.body);
    assert_eq!(page.html.len(), 3, "{:?}", page.html);
}

#[test]
fn hostile_names_are_inert() {
    let names = ["@octocat", "a\n\n# b", "`", "<!-- -->", "</details>", "#1", "~~a~~", "[a](b)"];
    let found: Vec<_> = names.iter().map(|name| password(name).owner(name)).collect();
    let comment = english(&case(&found[..4], &found));
    let page = rendered(&comment.body);
    assert!(!page.text.contains('@') && !page.text.contains("#1"), "{}", page.text);
    assert_eq!((page.headings, page.struck, page.links.len()), (1, 0, 0));
    // The marker, and the block of known findings.
    assert_eq!(page.html.len(), 3, "{:?}", page.html);
}

// The allowlist's policy

fn overrides(days: u32, tag: Option<&str>, levels: &[(Rule, Level)]) -> Policy {
    let overrides = PolicyOverrides {
        stale_after_days: Some(days),
        max_exemption_days: Some(days * 2),
        expiry_tag: tag.map(str::to_owned),
        levels: levels.iter().copied().collect(),
    };
    Policy::new(&overrides, None)
}

#[test]
fn stricter_policy_applies_and_less_strict_settings_are_listed() {
    let strict = overrides(45, Some("expires-on"), &[(Rule::UnlistedUser, Level::Error)]);
    let loose = overrides(90, None, &[(Rule::StalePassword, Level::Notice)]);
    let (policy, loosened) = stricter(&strict, &loose);
    assert_eq!(policy, strict);
    let loosened: Vec<_> =
        loosened.iter().map(|it| format!("{}: {} → {}", it.what, it.from, it.to)).collect();
    assert_eq!(
        loosened,
        [
            "stale_after_days: 45 → 90",
            "max_exemption_days: 90 → 180",
            "expiry_tag: expires-on → ",
            "stale-password: error → notice",
            "expired-user: error → off",
            "unlisted-user: error → off",
        ]
    );
    let comment = render(&case(&[], &[]), [&strict, &loose], Language::English);
    assert!(comment.has_content);
    insta::assert_snapshot!("less_strict", comment.body);
}

#[test]
fn stricter_settings_apply_and_are_not_listed() {
    let strict = overrides(45, Some("expires-on"), &[(Rule::UnlistedUser, Level::Error)]);
    let (policy, loosened) = stricter(&Policy::default(), &strict);
    assert_eq!((policy.stale_after_days, policy.level(Rule::UnlistedUser)), (45, Level::Error));
    assert_eq!(policy.expiry_tag.as_deref(), Some("expires-on"));
    assert!(loosened.is_empty());
}

/// Changes in the form "key: from → to".
fn lines(changes: &[PolicyChange]) -> Vec<String> {
    changes.iter().map(|it| format!("{}: {} → {}", it.what, it.from, it.to)).collect()
}

#[test]
fn remediation_changes_are_listed_by_key() {
    let careful = RemediationPolicy::default();
    let bold = RemediationPolicy {
        deactivate_after_days: 7,
        delete_after_days: Some(30),
        delete_passwords: true,
        delete_users: true,
        max_changes: 50,
        max_share: 100,
        max_gap_days: 30,
        owners: vec!["team-platform".to_owned(), "*".to_owned()],
        paths: vec!["/".parse().unwrap(), "/ci/*".parse().unwrap()],
        rules: vec![Rule::StalePassword, Rule::OldServiceCredential],
    };
    let changes = remediation_changes(Some(&careful), Some(&bold), true);
    assert_eq!(
        lines(&changes),
        [
            "deactivate_after_days: 14 → 7",
            "delete_after_days:  → 30",
            "delete_passwords: false → true",
            "delete_users: false → true",
            "max_changes: 5 → 50",
            "max_gap_days: 14 → 30",
            "max_share: 10 → 100",
            "owners:  → team-platform, *",
            "paths: / → /, /ci/*",
            "rules: stale-password, stale-access-key, inactive-access-key, \
             user-without-credentials → stale-password, old-service-credential",
        ]
    );
    let case = Case { remediation: changes, ..case(&[], &[]) };
    let comment = english(&case);
    assert!(comment.has_content, "a change of the remediation is reported");
    insta::assert_snapshot!("remediation", comment.body);
    let japanese = render(&case, [&Policy::default(); 2], Language::Japanese);
    insta::assert_snapshot!("ja_remediation", japanese.body);
    // More careful settings are listed too.
    let back = remediation_changes(Some(&bold), Some(&careful), true);
    assert_eq!(back.len(), 10);
    assert_eq!(lines(&back)[1], "delete_after_days: 30 → ");
}

#[test]
fn added_or_removed_remediation_is_listed_completely() {
    let careful = RemediationPolicy::default();
    let comes = [
        "deactivate_after_days:  → 14",
        "delete_passwords:  → false",
        "delete_users:  → false",
        "max_changes:  → 5",
        "max_gap_days:  → 14",
        "max_share:  → 10",
        "paths:  → /",
        "rules:  → stale-password, stale-access-key, inactive-access-key, user-without-credentials",
    ];
    assert_eq!(lines(&remediation_changes(None, Some(&careful), true)), comes);
    assert_eq!(remediation_changes(Some(&careful), None, true).len(), comes.len());
    for same in [None, Some(&careful)] {
        assert_eq!(remediation_changes(same, same, true), []);
    }
}

#[test]
fn owners_are_hidden_without_names() {
    let base = RemediationPolicy { owners: vec!["trillian".to_owned()], ..Default::default() };
    let head = RemediationPolicy {
        owners: vec!["zaphod".to_owned()],
        paths: vec!["/betelgeuse/*".parse().unwrap()],
        max_changes: 6,
        ..base.clone()
    };
    let changes = remediation_changes(Some(&base), Some(&head), false);
    assert_eq!(lines(&changes), ["max_changes: 5 → 6", "owners: … → …", "paths: … → …"]);
}

#[test]
fn long_lists_of_owners_are_cut() {
    let head = RemediationPolicy {
        owners: (0..20_000).map(|number| format!("team-é-{number}")).collect(),
        ..RemediationPolicy::default()
    };
    let changes = remediation_changes(Some(&RemediationPolicy::default()), Some(&head), true);
    let [owners] = changes.as_slice() else { panic!("{changes:?}") };
    assert!(owners.to.starts_with("team-é-0, team-é-1, ") && owners.to.ends_with('…'));
    let comment = english(&Case { remediation: changes, ..case(&[], &[]) });
    assert!(comment.body.len() < MAX_BODY_BYTES, "{}", comment.body.len());
}

#[test]
fn uncovered_findings_block_only_if_fail_on_says_so() {
    let (alice, bob) = (password("alice"), access_key("bob"));
    let known = [bob.clone()];
    let mut case = case(&known, &[alice.clone(), bob.clone()]);
    case.base = Audit::on("2026-07-05", &[alice.exempted(), bob]);
    let comment = english(&case);
    assert_eq!(comment.gate, Gate::Passed);
    assert!(comment.body.contains("This does not block the merge."), "{}", comment.body);
    case.fail_on = FailOn { uncovered: true, ..FailOn::NONE };
    let comment = english(&case);
    assert_eq!(comment.gate, Gate::Failed);
    insta::assert_snapshot!("uncovered_blocks", comment.body);
}

#[test]
fn pull_request_changes_are_compared_by_finding() {
    let (alice, bob, carol, dave) =
        (password("alice"), password("bob"), password("carol"), password("dave"));
    let base = observed(&Audit::on(
        "2026-07-05",
        &[alice.clone(), bob.clone().exempted(), carol.clone(), dave.clone().unknown()],
    ));
    let head = observed(&Audit::on(
        "2026-07-05",
        &[alice.clone().exempted(), bob.clone(), carol, dave.exempted()],
    ));
    let compared =
        |earlier: &[Observation], head| PullRequestChanges::default().compare(earlier, head);
    let pull_request_changes = compared(std::slice::from_ref(&base), &head);
    assert_eq!(pull_request_changes.exempted, BTreeSet::from([alice.id()]));
    assert_eq!(pull_request_changes.uncovered, BTreeSet::from([bob.id()]));
    let same = compared(std::slice::from_ref(&head), &head);
    assert_eq!(same, PullRequestChanges::default());
    // What an earlier allowlist has already is not caused by the pull request.
    assert_eq!(compared(&[base, head.clone()], &head), PullRequestChanges::default());
    assert_eq!(compared(&[], &head), PullRequestChanges::default());
}

#[test]
fn stricter_policy_uncovers_findings() {
    let (absent, notice, warning) =
        (password("alice"), password("bob").level("notice"), password("carol").level("warning"));
    let earlier = observed(&Audit::on("2026-07-05", &[notice.clone(), warning.clone()]));
    let found = [absent.clone(), notice.clone().level("error"), warning.clone().level("error")];
    let head = observed(&Audit::on("2026-07-05", &found));

    let pull_request_changes = PullRequestChanges::default().compare(&[earlier], &head);

    assert_eq!(pull_request_changes.uncovered, BTreeSet::from([absent.id(), notice.id()]));
}

#[test]
fn returned_findings_block_and_are_not_known() {
    let (alice, bob) = (password("alice"), password("bob"));
    let returned = |next: Audit| {
        let mut harness = harness();
        harness.run("2026-07-01", &[Audit::on("2026-07-01", &[alice.clone(), bob.clone()])]);
        harness.run("2026-07-02", &[next]);
        Case {
            queue_state: Some(harness.queue_state()),
            ..case(&[], &[alice.clone(), bob.clone()])
        }
    };
    let cleared = returned(Audit::on("2026-07-02", std::slice::from_ref(&bob)));
    let exempted = returned(Audit::on("2026-07-02", &[alice.clone().exempted(), bob.clone()]));
    let lowered = alice.clone().level("notice");
    let not_counted = returned(Audit::on("2026-07-02", &[lowered, bob.clone()]));
    for case in [cleared, exempted, not_counted] {
        let comment = english(&case);
        assert_eq!(comment.gate, Gate::Failed, "{}", comment.body);
        let (blocking, known) = comment.body.split_once("1 finding is already known").unwrap();
        assert!(blocking.contains("1 new finding blocks") && blocking.contains("`alice`"));
        assert!(known.contains("`bob`") && !known.contains("`alice`"), "{}", comment.body);
        // If the pull request brings it back, it is listed and does not block.
        let base = Audit::on("2026-07-05", &[alice.clone().exempted(), bob.clone()]);
        let comment = english(&Case { base, ..case });
        assert_eq!(comment.gate, Gate::Passed, "{}", comment.body);
        assert!(
            comment.body.contains("**This pull request uncovers 1 finding**"),
            "{}",
            comment.body
        );
    }
}

#[test]
fn unaudited_accounts_are_named() {
    let mut harness = harness();
    let audits = [Audit::on("2026-07-01", &[]), Audit::of(OTHER_ACCOUNT, "2026-07-01", &[])];
    harness.run("2026-07-01", &audits);
    for language in Language::ALL {
        let mut case = Case { queue_state: Some(harness.queue_state()), ..case(&[], &[]) };
        let comment = render(&case, [&Policy::default(); 2], language);
        assert!(comment.has_content, "{}", comment.body);
        let page = rendered(&comment.body);
        assert!(page.text.contains(OTHER_ACCOUNT), "{}", comment.body);
        assert!(!page.text.contains(ACCOUNT), "{}", comment.body);
        case.names = false;
        let comment = render(&case, [&Policy::default(); 2], language);
        assert!(comment.has_content && !comment.body.contains(OTHER_ACCOUNT), "{}", comment.body);
        assert!(comment.body.contains('1'), "{}", comment.body);
        // A former account is not missing.
        case.head = case.head.former_account(OTHER_ACCOUNT);
        assert!(!render(&case, [&Policy::default(); 2], language).has_content);
    }
}

#[test]
fn former_accounts_are_listed_as_less_strict() {
    let former_accounts = vec![FormerAccount {
        account: OTHER_ACCOUNT.parse().unwrap(),
        reason: "Closed on @2026-06-01".to_owned(),
        owner: "@acme/platform".to_owned(),
        span: 0..0,
        place: Position { line: 1, column: 1 },
    }];
    for language in Language::ALL {
        let pull_request_changes = PullRequestChanges {
            former_accounts: former_accounts.clone(),
            ..PullRequestChanges::default()
        };
        let mut case = Case { pull_request_changes, ..case(&[], &[]) };
        let comment = render(&case, [&Policy::default(); 2], language);
        assert!(comment.has_content);
        let page = rendered(&comment.body);
        assert!(page.text.contains(OTHER_ACCOUNT) && page.items == 1, "{}", comment.body);
        if language == Language::English {
            assert!(
                comment.body.contains("**This pull request removes accounts from the audit.**")
            );
        }
        case.names = false;
        let comment = render(&case, [&Policy::default(); 2], language);
        for name in [OTHER_ACCOUNT, "Closed", "acme"] {
            assert!(!comment.body.contains(name), "{}", comment.body);
        }
    }
}

#[test]
fn comment_names_the_baseline() {
    for (baseline, english_words) in [
        (Baseline::Defaults, "**its policy is unknown**"),
        (Baseline::Unavailable, "could not be compared with the base branch"),
        (Baseline::OtherRepository, "The allowlist is in another repository"),
    ] {
        for language in Language::ALL {
            let pull_request_changes =
                PullRequestChanges { baseline, ..PullRequestChanges::default() };
            let comment = render(
                &Case { pull_request_changes, ..case(&[], &[]) },
                [&Policy::default(); 2],
                language,
            );
            let unchanged = render(&case(&[], &[]), [&Policy::default(); 2], language);
            assert_ne!(comment.body, unchanged.body, "{baseline:?}");
            assert_eq!(comment.has_content, baseline != Baseline::OtherRepository, "{baseline:?}");
            let is_said = comment.body.contains(english_words);
            assert_eq!(is_said, language == Language::English, "{}", comment.body);
        }
    }
}
