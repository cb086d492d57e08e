//! A queue from its first findings to the last.

use super::*;
use crate::queue::markdown::rendered;
use iam_stocktake::queue::markers;

/// The day, the findings, and the expected plan.
type Day<'a> = (&'a str, Vec<Found>, &'a str);

/// What happens to some users over two months.
fn days(plans: [&'static str; 11]) -> Vec<Day<'static>> {
    let (alice, bob, carol) =
        (password("alice"), access_key("bob").owner("ops"), access_key("carol"));
    let carol = carol.last_used("2026-04-01");
    let found = [
        ("2026-07-01", vec![alice.clone(), bob.clone()]),
        // Unchanged.
        ("2026-07-02", vec![alice.clone(), bob.clone()]),
        // Unchanged for more than a week.
        ("2026-07-09", vec![alice.clone(), bob.clone()]),
        // One new finding.
        ("2026-07-10", vec![alice.clone(), bob.clone(), carol.clone()]),
        // One finding is cleared, and one is exempted.
        ("2026-07-11", vec![bob.clone(), carol.clone()]),
        ("2026-07-12", vec![bob.clone(), carol.clone().exempted()]),
        // The exemption expires.
        ("2026-07-20", vec![bob.clone(), carol.clone()]),
        // One finding is overdue, also on the next day.
        ("2026-08-01", vec![bob.clone(), carol.clone()]),
        ("2026-08-02", vec![bob.clone(), carol.clone()]),
        // All are cleared.
        ("2026-08-03", vec![]),
        // One finding returns.
        ("2026-08-04", vec![alice.clone()]),
    ];
    found.into_iter().zip(plans).map(|((day, found), plan)| (day, found, plan)).collect()
}

fn live_through(harness: &mut Harness, days: &[Day<'_>]) -> Vec<(String, QueueRun)> {
    let run = |(day, found, plan): &Day<'_>| {
        let audit = Audit::on(day, found).alias("prod");
        let ran = harness.run(day, &[audit]);
        assert_eq!(ran.plan, *plan, "{day}");
        (harness.page(), ran)
    };
    days.iter().map(run).collect()
}

const ONE_ISSUE: [&str; 11] = [
    "create the label \"iam-stocktake\" if it does not exist\ncreate the label \"security\" if it does not exist\n\
     create issue \"IAM credentials to remediate\", the queue issue: 2 open\n\
     store the number of the queue issue in the description of the label \"iam-stocktake\"\n",
    NOTHING,
    "edit issue #1, the queue issue: 2 open\n",
    "edit and comment on issue #1, the queue issue: 3 open\n",
    "edit issue #1, the queue issue: 2 open\n",
    "edit issue #1, the queue issue: 1 open\n",
    "edit and comment on issue #1, the queue issue: 2 open\n",
    "edit and comment on issue #1, the queue issue: 2 open\n",
    NOTHING,
    "edit and close as completed issue #1, the queue issue: 0 open\n",
    "edit and reopen and comment on issue #1, the queue issue: 1 open\n",
];

#[test]
fn queue_follows_findings_and_comments_only_on_news() {
    let mut harness = harness();
    let pages = live_through(&mut harness, &days(ONE_ISSUE));
    let page = |day: usize| pages[day].0.as_str();
    insta::assert_snapshot!("first", page(0));
    assert_eq!(
        page(2),
        page(0).replace("Last checked: 2026-07-01", "Last checked: 2026-07-09"),
        "only the day of the last check differs"
    );
    insta::assert_snapshot!("one_more", page(3));
    insta::assert_snapshot!("one_cleared_and_one_exempted", page(5));
    insta::assert_snapshot!("overdue", page(7));
    insta::assert_snapshot!("all_cleared", page(9));
    let comments: Vec<_> = pages.iter().map(|(_, ran)| ran.comments.join("\n===\n")).collect();
    insta::assert_snapshot!("comments", comments.join("\n---\n"));
    for (_, ran) in &pages {
        assert!(ran.comments.len() <= 1, "one comment at most: {:#?}", ran.comments);
    }
}

#[test]
fn findings_with_an_expired_exemption_return_but_are_not_new() {
    let mut harness = harness();
    let pages = live_through(&mut harness, &days(ONE_ISSUE));
    let expired = &pages[6].1.update;
    let carol = access_key("carol").id();
    assert_eq!((expired.new.as_slice(), expired.returned.as_slice()), (&[][..], &[carol][..]));
    // Its due date starts again.
    let (_, carol) = expired.queue_state.entries.find(&carol).unwrap();
    assert_eq!(carol.open_since().unwrap().to_string(), "2026-07-20");
    assert_eq!(carol.first_seen.to_string(), "2026-07-10");
}

#[test]
fn user_issues_open_and_close_with_their_findings() {
    let mut harness = harness_per_user();
    let pages = live_through(
        &mut harness,
        &days([
            "create the label \"iam-stocktake\" if it does not exist\ncreate the label \"security\" if it does not exist\n\
             create issue \"IAM user alice of account 111122223333: credentials to remediate\"\n\
             create issue \"IAM user bob of account 111122223333: credentials to remediate\"\n\
             create issue \"IAM credentials to remediate\", the queue issue: 2 open\n\
             store the number of the queue issue in the description of the label \"iam-stocktake\"\n",
            NOTHING,
            "edit issue #3, the queue issue: 2 open\n",
            "create the label \"iam-stocktake\" if it does not exist\ncreate the label \"security\" if it does not exist\n\
             create issue \"IAM user carol of account 111122223333: credentials to remediate\"\n\
             edit and comment on issue #3, the queue issue: 3 open\n",
            "edit and close as completed issue #1\nedit issue #3, the queue issue: 2 open\n",
            "edit and close as completed issue #4\nedit issue #3, the queue issue: 1 open\n",
            "edit and reopen and comment on issue #4\nedit and comment on issue #3, the queue issue: 2 open\n",
            "edit and comment on issue #2\nedit and comment on issue #3, the queue issue: 2 open\n",
            NOTHING,
            "edit and close as completed issue #2\nedit and close as completed issue #4\n\
             edit and close as completed issue #3, the queue issue: 0 open\n",
            "edit and reopen and comment on issue #1\nedit and reopen and comment on issue #3, the queue issue: 1 open\n",
        ]),
    );
    insta::assert_snapshot!("per_user_queue_issue", pages[3].0);
    insta::assert_snapshot!("per_user_issue", harness.tracker.issue(2).body);
    for (_, ran) in &pages {
        assert!(ran.comments.len() <= 2, "one in each issue at most: {:#?}", ran.comments);
    }
}

#[test]
fn queue_is_written_in_japanese() {
    let mut harness = Harness::new(Language::Japanese, false);
    let pages = live_through(&mut harness, &days(ONE_ISSUE));
    insta::assert_snapshot!("ja_one_cleared_and_one_exempted", pages[5].0);
    insta::assert_snapshot!("ja_overdue", pages[7].0);
    insta::assert_snapshot!("ja_comments", pages[7].1.comments[0]);
    let mut harness = Harness::new(Language::Japanese, true);
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[password("alice").owner("ops")])]);
    insta::assert_snapshot!("ja_per_user_issue", harness.tracker.issue(1).body);
}

#[test]
fn page_has_only_task_lists_and_struck_lines() {
    let mut harness = harness();
    let pages = live_through(&mut harness, &days(ONE_ISSUE));
    let page = rendered(&pages[5].0);
    assert_eq!(page.boxes, [false]);
    // Three steps, the open finding below its user, and two resolved findings.
    assert_eq!((page.items, page.struck, page.headings, page.tables), (6, 1, 1, 0));
    assert_eq!(page.links, ["https://github.com/acme/infra/actions/workflows/scheduled.yml"]);
    let bob = markers::user_hash(&(ACCOUNT.parse().unwrap(), "bob".to_owned()));
    assert_eq!(
        page.html,
        [
            "<!-- iam-stocktake:queue v1 name=default -->",
            &format!("<!-- u:{bob} -->"),
            "<details>\n<summary>Recently resolved</summary>",
            "</details>",
        ]
    );
    let comments = rendered(&pages[3].1.comments[0]);
    assert_eq!((comments.items, comments.html.len()), (1, 0));
}

#[test]
fn every_rule_has_a_text() {
    let found = [
        password("alice"),
        password("alice").reference("never-used-since", "2025-02-03").ending("x"),
        access_key("bob").ending("AKIAIOSFODNN7EXAMPLE"),
        access_key("carol").of("expired-user", "error", None).reference("expired", "2026-06-01"),
        access_key("<root_account>").of("root-access-key", "warning", Some("access-key")),
        access_key("dave")
            .of("old-service-credential", "warning", Some("ssh-key"))
            .reference("created", "2025-01-02"),
        access_key("erin").of("inactive-access-key", "warning", Some("access-key")),
        access_key("frank")
            .of("unrotated-access-key", "warning", Some("access-key"))
            .reference("created", "2025-01-02"),
        access_key("grace")
            .of("user-without-credentials", "warning", None)
            .reference("created", "2025-01-02"),
        access_key("heidi").of("unlisted-user", "error", None).reference("created", "2025-01-02"),
    ];
    for (language, name) in
        [(Language::English, "rule_texts"), (Language::Japanese, "ja_rule_texts")]
    {
        let mut harness = Harness::new(language, false);
        harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
        let page = harness.page();
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with("  - ")).collect();
        assert_eq!(rows.len(), found.len());
        insta::assert_snapshot!(name, rows.join("\n"));
    }
}

#[test]
fn clean_account_gets_a_closed_queue_issue() {
    let mut harness = harness();
    let ran = harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    assert!(ran.plan.contains("the queue issue: 0 open; and close it\n"), "{}", ran.plan);
    let issue = harness.queue_issue();
    assert!(!issue.is_open && !issue.is_not_planned);
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &[])]).plan, NOTHING);
    let found = [password("alice")];
    let ran = harness.run("2026-07-03", &[Audit::on("2026-07-03", &found)]);
    assert_eq!(ran.plan, "edit and reopen and comment on issue #1, the queue issue: 1 open\n");
}

#[test]
fn comment_names_ten_findings_of_a_kind_and_counts_the_rest() {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    let users: Vec<_> = (0..13).map(|n| password(&format!("user-{n}"))).collect();
    let ran = harness.run("2026-07-02", &[Audit::on("2026-07-02", &users)]);
    let [comments] = ran.comments.as_slice() else { panic!("{:#?}", ran.comments) };
    assert_eq!(comments.matches("- Account").count(), 10);
    assert!(comments.contains("- and 3 more\n"), "{comments}");
}

#[test]
fn order_of_findings_and_audits_does_not_matter() {
    let mut found: Vec<_> =
        (0..30).map(|n| password(&format!("user-{n}")).last_used("2026-01-01")).collect();
    let other = |found: &[Found]| -> Vec<_> {
        found.iter().map(|it| it.clone().in_account(OTHER_ACCOUNT)).collect()
    };
    let bodies: Vec<_> = (0..10)
        .map(|turn| {
            found.rotate_left(7);
            let mut harness = harness_per_user();
            let mut audits = vec![
                Audit::on("2026-07-01", &found),
                Audit::of(OTHER_ACCOUNT, "2026-07-01", &other(&found)),
            ];
            audits.rotate_left(turn % 2);
            let first = harness.run("2026-07-01", &audits).plan;
            let issues: Vec<_> =
                harness.tracker.issues.values().map(|it| it.shown.clone()).collect();
            (first, issues)
        })
        .collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}
