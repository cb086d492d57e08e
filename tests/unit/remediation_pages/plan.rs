//! The pages of a plan and its result.

use iam_stocktake::model::policy::Rule;
use iam_stocktake::model::remediation_tag::TagSubject;
use iam_stocktake::remediate::plan::{
    ChangeKind, ReachedLimit, RemediationPlan, StartReason, TooManyDue,
};
use iam_stocktake::remediate::{ApplyResult, MissingEvidence};
use iam_stocktake::templates::Language;
use stand_ins::gfm::{Exposed, exposed};

use super::case::{Pages, applied, change, facts, key, plan, target};

/// A name with markup for Markdown, HTML and the runner.
const HOSTILE: &str = "a|b`c @acme #1 <!-- x --> [l](http://x.test) ~~s~~ *e* ::error::\u{202e}";

#[test]
fn plan_lists_changes_with_reasons_and_skipped_users() {
    let pages = Pages::of(plan("ci-deploy"));
    insta::assert_snapshot!("plan_en", pages.markdown(Language::English));
    insta::assert_snapshot!("plan_ja", pages.markdown(Language::Japanese));
    insta::assert_snapshot!("plan_text", pages.text());
}

#[test]
fn page_shows_each_reason_to_set_a_tag() {
    let reasons = [
        StartReason::First,
        StartReason::TagRemoved,
        StartReason::Unreadable,
        StartReason::Used,
        StartReason::PasswordChanged,
        StartReason::ExemptionExpired,
        StartReason::NotSeen,
        StartReason::Reactivated,
    ];
    let changes = reasons.into_iter().flat_map(|reason| {
        let target = target(&format!("{reason:?}"), key("AAAA"));
        [ChangeKind::Notify(reason), ChangeKind::ScheduleDeletion(reason)]
            .map(|kind| change(target.clone(), kind, facts(300, None, None)))
    });
    let pages =
        Pages::of(RemediationPlan { changes: changes.collect(), ..RemediationPlan::default() });
    insta::assert_snapshot!("reasons_en", pages.markdown(Language::English));
    insta::assert_snapshot!("reasons_text", pages.text());
}

#[test]
fn result_lists_changes_failures_and_the_undo_command() {
    let plan = plan("ci-deploy");
    let applied = Some(applied(&plan, "iam:DeleteUser failed: AccessDenied"));
    let pages = Pages { applied, ..Pages::of(plan) };
    insta::assert_snapshot!("result_en", pages.markdown(Language::English));
    insta::assert_snapshot!("result_ja", pages.markdown(Language::Japanese));
    insta::assert_snapshot!("result_text", pages.text());
}

#[test]
fn mistake_comes_first() {
    let limits = vec![TooManyDue { account: "111122223333".parse().unwrap(), due: 11, users: 20 }];
    let mut plan = plan("ci-deploy");
    plan.changes.truncate(4);
    let pages = Pages::of(RemediationPlan {
        changes: plan.changes,
        exceeded_limits: limits,
        ..RemediationPlan::default()
    });
    insta::assert_snapshot!("limits_en", pages.markdown(Language::English));
    insta::assert_snapshot!("limits_ja", pages.markdown(Language::Japanese));
    insta::assert_snapshot!("limits_text", pages.text());
}

#[test]
fn page_lists_due_changes_that_wait_with_the_reached_limits() {
    let mut plan = plan("ci-deploy");
    let delayed = plan.changes.split_off(4);
    plan.changes.truncate(1);
    let account = "444455556666".parse().unwrap();
    let pages = Pages::of(RemediationPlan {
        changes: plan.changes,
        delayed,
        reached_limits: vec![
            ReachedLimit::Changes { due: 7, allowed: 5 },
            ReachedLimit::Share { account, due: 3, allowed: 2, users: 20 },
        ],
        ..RemediationPlan::default()
    });
    insta::assert_snapshot!("delayed_en", pages.markdown(Language::English));
    insta::assert_snapshot!("delayed_ja", pages.markdown(Language::Japanese));
    insta::assert_snapshot!("delayed_text", pages.text());
}

#[test]
fn plan_without_changes_has_only_a_title() {
    let pages = Pages::of(RemediationPlan::default());
    for (language, title) in [
        (Language::English, "# IAM remediation: nothing to change\n"),
        (Language::Japanese, "# IAM の修復: 変更はありません\n"),
    ] {
        let markdown = pages.markdown(language);
        assert!(markdown.starts_with(title), "{markdown}");
        assert!(!markdown.contains("##"), "{markdown}");
    }
}

#[test]
fn untrusted_text_stays_in_code_and_in_its_cell() {
    for language in Language::ALL {
        let of = |name: &str| {
            let plan = plan(name);
            let applied = Some(applied(&plan, name));
            let pages = Pages { applied, ..Pages::of(plan) };
            let planned = Pages { applied: None, ..Pages::of(pages.saved.plan.clone()) };
            exposed(&(pages.markdown(language) + "\n" + &planned.markdown(language)))
        };
        let (plain, hostile): (Exposed, Exposed) = (of("plain"), of(HOSTILE));
        assert_eq!(hostile.text, plain.text);
        assert_eq!(hostile.html, plain.html);
        // The name is encoded in the address of the console page.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%".contains(c);
        let around = |links: &[String]| -> Vec<(String, String)> {
            let parts = links.iter().map(|link| {
                let (start, rest) = link.split_once("/users/details/").unwrap();
                let (name, end) = rest.split_once('?').unwrap();
                assert!(name.chars().all(is_plain), "{link}");
                (start.to_owned(), end.to_owned())
            });
            parts.collect()
        };
        assert_eq!(around(&hostile.links), around(&plain.links));
        assert!(hostile.rows.iter().all(|(has, should)| has == should), "{:?}", hostile.rows);
        assert_eq!(hostile.rows, plain.rows);
        let escaped = HOSTILE.replace('\u{202e}', "\\u{202e}");
        assert!(hostile.code.contains(&escaped), "{:?}", hostile.code);
    }
}

#[test]
fn names_cannot_control_the_terminal() {
    let text = Pages::of(plan(HOSTILE)).text();
    assert!(text.contains("\\u{202e}") && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn lists_have_at_most_max_rows_and_count_the_rest() {
    let pages = Pages { max_rows: 1, ..Pages::of(plan("ci-deploy")) };
    let markdown = pages.markdown(Language::English);
    // The first account has two notices. Nine users are skipped.
    for left_out in
        ["1 more notice or other tag change is not shown here", "8 more rows are not shown here"]
    {
        assert!(markdown.contains(left_out), "{markdown}");
    }
    // The totals include the rows that are not shown.
    assert!(markdown.contains("| `delete` | **2** | **3** | 3 | 1 | 3 | 9 |"), "{markdown}");
    assert!(pages.text().contains("  … and 8 more\n"), "{}", pages.text());
}

#[test]
fn changes_that_remove_access_come_first_and_are_always_shown() {
    let mut few = plan("ci-deploy");
    let all = few.changes.clone();
    let (notice, access_changes) = (all[0].clone(), &all[3..]);
    few.changes = std::iter::repeat_n(notice, 260).chain(access_changes.iter().cloned()).collect();
    let made = ApplyResult { made: few.changes.clone(), ..ApplyResult::default() };
    let failed = ApplyResult {
        failed: few.changes.iter().map(|it| (it.clone(), "AccessDenied".to_owned())).collect(),
        ..ApplyResult::default()
    };
    let skipped = ApplyResult { skipped: failed.failed.clone(), ..ApplyResult::default() };
    for (what, applied) in
        [("plan", None), ("made", Some(made)), ("failed", Some(failed)), ("skipped", Some(skipped))]
    {
        for max_rows in [200, 1] {
            let pages = Pages { applied: applied.clone(), max_rows, ..Pages::of(few.clone()) };
            let (text, markdown) = (pages.text(), pages.markdown(Language::English));
            let rows = |page: &str, start: &str, text: &str| {
                let rows = page.lines().enumerate().filter(|(_, it)| it.starts_with(start));
                rows.filter(|(_, it)| it.contains(text)).map(|(at, _)| at).collect::<Vec<_>>()
            };
            for (page, start) in [(&text, "  "), (&markdown, "| ")] {
                let notices = rows(page, start, "alice");
                assert_eq!(notices.len(), max_rows, "{what}: {page}");
                // Each account has three deactivations or deletions.
                for removed in ["CCCC", "SSHK", "DDDD", "erin", "frank"] {
                    let removed = rows(page, start, removed);
                    assert!(!removed.is_empty() && removed[0] < notices[0], "{what}: {page}");
                }
            }
            let left_out = 260 - max_rows;
            let expected = format!("  … and {left_out} more notices and other tag changes\n");
            assert!(text.contains(&expected), "{what}: {text}");
            let expected = format!("{left_out} more notices and other tag changes are not shown");
            assert!(markdown.contains(&expected), "{what}: {markdown}");
        }
    }
}

#[test]
fn brief_page_says_where_the_changes_are() {
    let pages = Pages { is_brief: true, ..Pages::of(plan("ci-deploy")) };
    for (language, expected) in [
        (Language::English, "**The list of deactivations and deletions does not fit here.**"),
        (Language::Japanese, "ここには表示できません"),
    ] {
        let markdown = pages.markdown(language);
        assert!(markdown.contains(expected) && !markdown.contains("CCCC"), "{markdown}");
        assert!(markdown.contains("| `delete` | **2** | **3** |"), "{markdown}");
    }
}

#[test]
fn page_shows_missing_evidence() {
    let rules = vec![Rule::StalePassword, Rule::StaleAccessKey];
    let missing =
        MissingEvidence { rules: [("111122223333".parse().unwrap(), rules)].into(), users: 2 };
    let changes = plan("ci-deploy").changes;
    let one = RemediationPlan { changes: changes[..1].to_vec(), ..RemediationPlan::default() };
    let limits = RemediationPlan {
        exceeded_limits: vec![TooManyDue {
            account: "111122223333".parse().unwrap(),
            due: 11,
            users: 20,
        }],
        ..one.clone()
    };
    let done = Some(ApplyResult { made: one.changes.clone(), ..ApplyResult::default() });
    for (plan, applied, english, japanese) in [
        (
            RemediationPlan::default(),
            None,
            "nothing to change in the available evidence",
            "確認できた範囲に変更はありません",
        ),
        (
            one.clone(),
            None,
            "0 deactivations, 0 deletions, 1 tag change planned",
            "無効化 0 件、削除 0 件、タグの変更 1 件の予定",
        ),
        (limits, None, "nothing is changed", "何も変更しません"),
        (
            one,
            done,
            "0 deactivations, 0 deletions, 1 tag change made",
            "無効化 0 件、削除 0 件、タグの変更 1 件を実行",
        ),
    ] {
        let pages = Pages { applied, missing: missing.clone(), ..Pages::of(plan) };
        let page = pages.markdown(Language::English);
        let begins =
            format!("# IAM remediation: incomplete, {english}\n\n> [!WARNING]\n> **Incomplete:**");
        assert!(page.starts_with(&begins), "{page}");
        assert!(page.contains("> - Account 111122223333: the evidence for `stale-password`, `stale-access-key` is incomplete\n"), "{page}");
        assert!(page.contains("> - 2 users have incomplete evidence"), "{page}");
        let page = pages.markdown(Language::Japanese);
        let begins =
            format!("# IAM の修復: 不完全、{japanese}\n\n> [!WARNING]\n> **不完全です。**");
        assert!(page.starts_with(&begins), "{page}");
        assert!(pages.text().starts_with("Incomplete: evidence is missing"), "{}", pages.text());
    }
}

#[test]
fn pending_password_shows_who_removes_it() {
    let mut due = plan("ci-deploy");
    due.waiting.retain(|it| it.target.subject == TagSubject::PASSWORD);
    for (deletes, text, english, japanese) in [
        (false, "manual removal from", "manual removal", "手動での削除"),
        (true, "deletion from", "deletion", "削除"),
    ] {
        let mut plan = due.clone();
        plan.waiting[0].by_hand = !deletes;
        let pages = Pages { delete_passwords: deletes, ..Pages::of(plan) };
        assert!(
            pages.text().contains(&format!("grace, password: {text} 2026")),
            "{}",
            pages.text()
        );
        let page = pages.markdown(Language::English);
        assert!(page.contains(&format!("| password | {english} | 2026")), "{page}");
        let expected = if deletes { "it is deleted instead." } else { "remove it manually." };
        assert!(page.contains(expected), "{page}");
        let page = pages.markdown(Language::Japanese);
        assert!(page.contains(&format!("| パスワード | {japanese} | 2026")), "{page}");
    }
}

#[test]
fn pages_contain_no_full_ids() {
    let plan = plan("ci-deploy");
    let applied = Some(applied(&plan, "AccessDenied"));
    let pages = Pages { applied, ..Pages::of(plan) };
    for text in
        [pages.text(), pages.markdown(Language::English), pages.markdown(Language::Japanese)]
    {
        assert!(!text.contains("AKIA") && !text.contains("APKA"), "{text}");
    }
}
