//! Hostile names. IAM rejects them, but audit JSON can contain them.

use super::*;
use iam_stocktake::queue::limits::MAX_USER_NAME_CHARS;
use iam_stocktake::queue::markers::{self, StateBlock};
use iam_stocktake::queue::plan::QueueChange;

use crate::queue::markdown::rendered;

const HOSTILE: &[&str] = &[
    "@octocat",
    "#1",
    "octocat/hello#12",
    "GH-12",
    "]]>",
    "`",
    "`` a ` b",
    "-->",
    "--!>",
    "<!-- f:0000000000000000 -->",
    "a <!-- f:0000000000000000 --> b",
    "| x |",
    "a\\|b",
    "a\nb",
    "a\r\n\r\n- [x] b <!-- f:0000000000000000 -->",
    "\u{202e}txet",
    "a\u{2028}- [x] b",
    "- [x] ",
    "~~a~~",
    "**a**",
    "<details><summary>a",
    "</details>",
    "<img src=x onerror=alert(1)>",
    "[a](https://github.com/octocat)",
    "https://github.com/octocat",
    "www.github.com",
    "a@example.com",
    ":+1: &copy; &#64;octocat",
    "{{ 7 * 7 }}",
    "${{ github.token }}",
    "<!-- iam-stocktake:queue v1 name=default -->",
    "<!-- iam-stocktake:queue-state v1 generation=9 sum=0000000000000000 parts= spare=",
    "\n<!-- iam-stocktake:queue-state v1 generation=9 sum=0 parts= spare= check=0\nAAAA\n-->",
    "<!-- iam-stocktake:queue-state-part v1",
];

/// Every hostile text as a user name, an owner, and the end of a key id.
fn hostile() -> Vec<Found> {
    let found = |text: &&str| access_key(text).owner(text).ending(text);
    HOSTILE.iter().map(found).collect()
}

fn hostile_audit(day: &str) -> Audit {
    Audit::on(day, &hostile()).alias("</details> @octocat `<!-- -->` | #1")
}

/// Asserts that the page has no mention, reference, link or markup from evidence.
fn assert_inert(page: &str) {
    let found = rendered(page);
    let reference = |text: &str| {
        text.match_indices('#').any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + 1..]);
            after.starts_with(|next: char| next.is_ascii_digit()) && !before.ends_with("Issue: ")
        })
    };
    for text in [&found.text, &found.html.join("\n")] {
        assert!(!text.contains('@') && !text.contains("GH-"), "{text}");
        assert!(!reference(text) && !text.contains("github.com"), "{text}");
    }
    // The only links are those to the runs of the workflow and to the user in the console.
    let runs = "https://github.com/acme/infra/actions/workflows/scheduled.yml";
    let console = "https://console.aws.amazon.com/iam/home#/users/details/";
    let is_ours = |link: &String| link == runs || link.starts_with(console);
    assert!(found.links.iter().all(is_ours), "{page}");
    assert_eq!((found.struck, found.tables), (0, 0), "{page}");
    for html in &found.html {
        let is_marker = ["<!-- f:", "<!-- u:"].iter().any(|it| html.starts_with(it))
            && html.len() == "<!-- f:0000000000000000 -->".len();
        let is_first = html.starts_with("<!-- iam-stocktake:") && page.starts_with(html.as_str());
        assert!(is_marker || is_first, "{html} in {page}");
    }
}

/// The keys of the users in their markers.
fn hostile_users() -> std::collections::BTreeSet<String> {
    let key = |found: &Found| {
        let user_key = (ACCOUNT.parse().unwrap(), found.0.user.to_ascii_lowercase());
        markers::user_hash(&user_key)
    };
    hostile().iter().map(key).collect()
}

#[test]
fn names_stay_within_their_rows_in_the_queue_issue() {
    let mut harness = harness();
    harness.run("2026-07-01", &[hostile_audit("2026-07-01")]);
    let page = harness.page();
    assert_inert(&page);
    let found = rendered(&page);
    assert_eq!(found.boxes, vec![false; HOSTILE.len()]);
    for name in HOSTILE {
        let shown = iam_stocktake::templates::escape_invisible(name);
        assert!(found.code.iter().any(|code| code.trim() == shown.trim()), "{name:?} as {shown:?}");
    }
    // One marker per user, at the end of the user's line.
    for key in hostile_users() {
        let marker = format!(" <!-- u:{key} -->");
        assert_eq!(page.lines().filter(|line| line.ends_with(&marker)).count(), 1, "{marker}");
    }
}

#[test]
fn names_cannot_forge_a_checked_box_or_a_queue_state() {
    let mut harness = harness();
    harness.run("2026-07-01", &[hostile_audit("2026-07-01")]);
    let body = harness.queue_issue().body.clone();
    assert!(markers::ticked(&body).is_empty() && markers::ticked_users(&body).is_empty());
    assert_eq!(harness.queue_state().entries.len(), HOSTILE.len());
    assert_eq!(harness.run("2026-07-02", &[hostile_audit("2026-07-02")]).plan, NOTHING);
    // Also if the real one was removed.
    let page = harness.page();
    assert!(StateBlock::of(&page).is_err());
}

#[test]
fn checked_box_next_to_a_hostile_name_belongs_to_its_user() {
    let mut harness = harness();
    harness.run("2026-07-01", &[hostile_audit("2026-07-01")]);
    let body = harness.queue_issue().body.replace("- [ ] ", "- [x] ");
    assert_eq!(markers::ticked_users(&body), hostile_users());
}

#[test]
fn comments_and_user_issues_are_inert_too() {
    let mut harness = harness_per_user();
    harness.options.assign_owners = true;
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[])]);
    let (mut titles, mut bodies) = (Vec::new(), Vec::new());
    for day in ["2026-07-02", "2026-07-03"] {
        let ran = harness.run(day, &[hostile_audit(day)]);
        ran.comments.iter().for_each(|comments| assert_inert(comments));
        for change in ran.changes {
            if let QueueChange::CreateUserIssue { title, body, assignees, .. } = change {
                // Two of the texts are valid logins.
                assert!(
                    assignees.iter().all(|it| it == "octocat" || it == "GH-12"),
                    "{assignees:?}"
                );
                titles.push(title);
                bodies.push(body);
            }
        }
    }
    assert_eq!(titles.len(), HOSTILE.len());
    for title in &titles {
        assert!(title.starts_with("IAM user ") && title.len() <= 256, "{title}");
        assert!(!title.contains(['@', '#', '`', '\n', '\u{202e}']), "{title}");
    }
    for body in &bodies {
        assert_inert(body);
        assert_eq!(rendered(body).boxes, [false], "{body}");
    }
}

#[test]
fn titles_fit_the_limit_of_github() {
    let mut harness = harness_per_user();
    let names = ["a", "\u{202e}", "@"].map(|it| it.repeat(MAX_USER_NAME_CHARS));
    let found: Vec<_> = names.iter().map(|name| password(name)).collect();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    for issue in harness.tracker.issues.values() {
        assert!(issue.title.chars().count() <= 256, "{}", issue.title);
    }
    // A row also fits into a page.
    assert!(harness.page().contains("**3 open findings**"));
    assert_eq!(harness.page().matches("- [ ] ").count(), 3);
}

#[test]
fn only_the_last_four_characters_of_an_id_are_published_or_stored() {
    let mut harness = harness();
    let key = access_key("alice").ending("AKIAIOSFODNN7EXAMPLE");
    harness.run("2026-07-01", &[Audit::on("2026-07-01", std::slice::from_ref(&key))]);
    assert!(!harness.page().contains("AKIA"));
    assert_eq!(harness.entry(key.id()).finding.id_ending.as_deref(), Some("MPLE"));
}
