//! How a plan and its result are shown.

use chrono::{DateTime, TimeDelta, Utc};
use iam_stocktake::model::inventory::{CredentialKind, Holdings, InlinePolicy};
use iam_stocktake::model::policy::Rule;
use iam_stocktake::model::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::model::remediation_tag::{RemediationStatus, TagSubject};
use iam_stocktake::remediate::journal::UserDeletion;
use iam_stocktake::remediate::pages::{
    RemediationReport, UndoReport, remediation_markdown, remediation_text, undo_text,
};
use iam_stocktake::remediate::plan::file::SavedPlan;
use iam_stocktake::remediate::plan::step::{IamWrite, RemediationStep};
use iam_stocktake::remediate::plan::{
    ChangeKind, ExceededLimit, Facts, PendingChange, PlannedChange, RemediationPlan,
    RemediationSkipReason, RemediationTarget, SkippedTarget, StartReason, TagRemovalReason,
};
use iam_stocktake::remediate::{ApplyResult, MissingEvidence, UndoPlan, UndoSkipReason};
use iam_stocktake::templates::Language;

use stand_ins::gfm::{Exposed, exposed, outline};

/// The time of the plan.
const NOW: &str = "2026-06-30T12:00:00Z";

fn moment(days_ago: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() - TimeDelta::days(days_ago)
}

fn target(user: &str, subject: TagSubject) -> RemediationTarget {
    RemediationTarget { account: "111122223333".parse().unwrap(), user: user.to_owned(), subject }
}

fn credential(kind: CredentialKind, id: &str) -> TagSubject {
    TagSubject::Credential(kind, Some(id.to_owned()))
}

fn key(ending: &str) -> TagSubject {
    credential(CredentialKind::AccessKey, &format!("AKIAIOSFODNN7XXX{ending}"))
}

fn change(target: RemediationTarget, kind: ChangeKind, facts: Facts) -> PlannedChange {
    PlannedChange { user_id: format!("AIDA{}", target.user), target, kind, facts }
}

/// The facts about a credential, with times in days before the plan.
fn facts(created: i64, used: Option<i64>, clock: Option<(RemediationStatus, i64)>) -> Facts {
    Facts {
        active: Some(true),
        created: Some(moment(created)),
        last_used: used.map(moment),
        clock: clock.map(|(reached, days)| (reached, moment(days))),
        ..Facts::default()
    }
}

/// A plan with entries of each kind. `name` is the name of one user.
fn plan(name: &str) -> RemediationPlan {
    let ssh_key = credential(CredentialKind::SshKey, "APKAIOSFODNN7SSHK");
    let elsewhere = |target: RemediationTarget| RemediationTarget {
        account: "444455556666".parse().unwrap(),
        ..target
    };
    let notified = Some((RemediationStatus::Notified, 14));
    RemediationPlan {
        changes: vec![
            change(
                target("alice", key("AAAA")),
                ChangeKind::Notify(StartReason::First),
                facts(300, None, None),
            ),
            change(
                target("bob", key("BBBB")),
                ChangeKind::Notify(StartReason::Vanished),
                facts(300, Some(200), None),
            ),
            change(
                target("carol", TagSubject::PASSWORD),
                ChangeKind::Clear(TagRemovalReason::Used(moment(2))),
                facts(300, Some(2), notified),
            ),
            change(
                target(name, key("CCCC")),
                ChangeKind::Deactivate,
                facts(300, Some(200), notified),
            ),
            change(
                target(name, ssh_key.clone()),
                ChangeKind::Deactivate,
                facts(300, None, notified),
            ),
            change(
                elsewhere(target("dave", key("DDDD"))),
                ChangeKind::DeleteCredential,
                facts(300, Some(200), Some((RemediationStatus::Deactivated, 30))),
            ),
            change(
                elsewhere(target("erin", TagSubject::PASSWORD)),
                ChangeKind::DeletePassword,
                facts(300, None, notified),
            ),
            change(
                elsewhere(target("frank", TagSubject::User)),
                ChangeKind::DeleteUser,
                Facts {
                    credentials: vec![(TagSubject::PASSWORD, true), (key("FFFF"), false)],
                    clock: facts(0, None, notified).clock,
                    ..Facts::default()
                },
            ),
        ],
        waiting: pending_changes(),
        by_hand: vec![target("heidi", TagSubject::PASSWORD)],
        skipped: skipped_targets(name),
        exceeded_limits: Vec::new(),
    }
}

/// Pending changes of each kind.
fn pending_changes() -> Vec<PendingChange> {
    [
        (key("GGGG"), Stage::Deactivate, false),
        (TagSubject::PASSWORD, Stage::Delete, true),
        (TagSubject::User, Stage::Delete, false),
    ]
    .map(|(subject, stage, by_hand)| PendingChange {
        target: target("grace", subject),
        stage,
        due: moment(-3),
        by_hand,
    })
    .into()
}

/// Skipped users, one for each reason.
fn skipped_targets(name: &str) -> Vec<SkippedTarget> {
    [
        RemediationSkipReason::Root,
        RemediationSkipReason::Exempted { line: 12, expires: moment(-90).date_naive() },
        RemediationSkipReason::RecentlyReset(moment(5)),
        RemediationSkipReason::Ourselves,
        RemediationSkipReason::Incomplete(format!("iam:GetUser: {name}")),
        RemediationSkipReason::Used(moment(3)),
        RemediationSkipReason::Owner(name.to_owned()),
        RemediationSkipReason::Path(format!("/{name}/")),
        RemediationSkipReason::Tags,
    ]
    .into_iter()
    .map(|reason| SkippedTarget { target: target(name, TagSubject::User), reason })
    .collect()
}

fn saved(plan: RemediationPlan) -> SavedPlan {
    let accounts = vec!["111122223333".parse().unwrap(), "444455556666".parse().unwrap()];
    SavedPlan::new(plan, Stage::Delete, accounts, moment(0))
}

/// The result of the plan: the last change failed, and the change before it was skipped.
fn applied(plan: &RemediationPlan, message: &str) -> ApplyResult {
    let mut made = plan.changes.clone();
    let failed = made.pop().unwrap();
    let skipped = made.pop().unwrap();
    ApplyResult {
        made,
        skipped: vec![(skipped, message.to_owned())],
        failed: vec![(failed, message.to_owned())],
    }
}

/// A plan to show, with the settings of the report.
struct Shown {
    saved: SavedPlan,
    applied: Option<ApplyResult>,
    missing: MissingEvidence,
    max_rows: usize,
    is_brief: bool,
    delete_passwords: bool,
}

impl Shown {
    fn of(plan: RemediationPlan) -> Self {
        Self {
            saved: saved(plan),
            applied: None,
            missing: MissingEvidence::default(),
            max_rows: 0,
            is_brief: false,
            delete_passwords: false,
        }
    }

    fn with_report<T>(&self, show: impl FnOnce(RemediationReport<'_>) -> T) -> T {
        let policy = RemediationPolicy {
            delete_after_days: Some(30),
            delete_passwords: self.delete_passwords,
            ..RemediationPolicy::default()
        };
        show(RemediationReport {
            saved: &self.saved,
            policy: &policy,
            applied: self.applied.as_ref(),
            missing: &self.missing,
            journal: std::path::Path::new("iam-stocktake-journal.jsonl"),
            other_journals: &[],
            max_rows: self.max_rows,
            is_brief: self.is_brief,
        })
    }

    /// The Markdown page. Asserts that both languages have the same structure.
    fn markdown(&self, language: Language) -> String {
        let of =
            |language| self.with_report(|report| remediation_markdown(report, language).unwrap());
        let [english, japanese] = Language::ALL.map(|language| outline(&of(language)));
        assert_eq!(english, japanese);
        of(language)
    }

    fn text(&self) -> String {
        self.with_report(|report| remediation_text(report, Language::English).unwrap())
    }
}

/// A name with markup for Markdown, HTML and the runner.
const HOSTILE: &str = "a|b`c @acme #1 <!-- x --> [l](http://x.test) ~~s~~ *e* ::error::\u{202e}";

#[test]
fn a_plan_shows_changes_with_reasons_and_skipped_users() {
    let shown = Shown::of(plan("ci-deploy"));
    insta::assert_snapshot!("plan_en", shown.markdown(Language::English));
    insta::assert_snapshot!("plan_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("plan_text", shown.text());
}

#[test]
fn each_reason_to_set_a_tag_is_shown() {
    let reasons = [
        StartReason::First,
        StartReason::Vanished,
        StartReason::Unreadable,
        StartReason::Used,
        StartReason::PasswordChanged,
        StartReason::ExemptionLapsed,
        StartReason::NotSeen,
        StartReason::Reactivated,
    ];
    let changes = reasons.into_iter().flat_map(|reason| {
        let target = target(&format!("{reason:?}"), key("AAAA"));
        [ChangeKind::Notify(reason), ChangeKind::Settle(reason)]
            .map(|kind| change(target.clone(), kind, facts(300, None, None)))
    });
    let shown =
        Shown::of(RemediationPlan { changes: changes.collect(), ..RemediationPlan::default() });
    insta::assert_snapshot!("reasons_en", shown.markdown(Language::English));
    insta::assert_snapshot!("reasons_text", shown.text());
}

#[test]
fn a_result_shows_changes_failures_and_how_to_undo_them() {
    let plan = plan("ci-deploy");
    let applied = Some(applied(&plan, "iam:DeleteUser failed: AccessDenied"));
    let shown = Shown { applied, ..Shown::of(plan) };
    insta::assert_snapshot!("outcome_en", shown.markdown(Language::English));
    insta::assert_snapshot!("outcome_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("outcome_text", shown.text());
}

#[test]
fn exceeded_limits_are_shown_first() {
    let limits = vec![
        ExceededLimit::Changes { due: 7, allowed: 5 },
        ExceededLimit::Share {
            account: "111122223333".parse().unwrap(),
            due: 3,
            allowed: 2,
            users: 20,
        },
    ];
    let mut plan = plan("ci-deploy");
    plan.changes.truncate(4);
    let shown = Shown::of(RemediationPlan {
        changes: plan.changes,
        exceeded_limits: limits,
        ..RemediationPlan::default()
    });
    insta::assert_snapshot!("held_en", shown.markdown(Language::English));
    insta::assert_snapshot!("held_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("held_text", shown.text());
}

#[test]
fn a_plan_without_changes_has_only_a_title() {
    let shown = Shown::of(RemediationPlan::default());
    for (language, title) in [
        (Language::English, "# IAM remediation: nothing to change\n"),
        (Language::Japanese, "# IAM の修復: 変更はありません\n"),
    ] {
        let markdown = shown.markdown(language);
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
            let shown = Shown { applied, ..Shown::of(plan) };
            let planned = Shown { applied: None, ..Shown::of(shown.saved.plan.clone()) };
            exposed(&(shown.markdown(language) + "\n" + &planned.markdown(language)))
        };
        let (tame, hostile): (Exposed, Exposed) = (of("tame"), of(HOSTILE));
        assert_eq!(hostile.text, tame.text);
        assert_eq!(hostile.html, tame.html);
        assert_eq!(hostile.links, tame.links);
        assert!(hostile.rows.iter().all(|(has, should)| has == should), "{:?}", hostile.rows);
        assert_eq!(hostile.rows, tame.rows);
        let shown = HOSTILE.replace('\u{202e}', "\\u{202e}");
        assert!(hostile.code.contains(&shown), "{:?}", hostile.code);
    }
}

#[test]
fn names_cannot_control_the_terminal() {
    let text = Shown::of(plan(HOSTILE)).text();
    assert!(text.contains("\\u{202e}") && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn lists_are_limited_to_max_rows_and_count_the_rest() {
    let shown = Shown { max_rows: 2, ..Shown::of(plan("ci-deploy")) };
    let markdown = shown.markdown(Language::English);
    // The first account has three changes of tags. Nine users are skipped.
    for left_out in
        ["1 more notice or other tag change is not shown here", "7 more rows are not shown here"]
    {
        assert!(markdown.contains(left_out), "{markdown}");
    }
    // The totals include the rows that are not shown.
    assert!(markdown.contains("| `delete` | **2** | **3** | 3 | 1 | 3 | 9 |"), "{markdown}");
    assert!(shown.text().contains("  … and 7 more\n"), "{}", shown.text());
}

#[test]
fn changes_that_remove_access_come_first_and_are_always_shown() {
    let mut few = plan("ci-deploy");
    let all = few.changes.clone();
    let (notice, takes) = (all[0].clone(), &all[3..]);
    few.changes = std::iter::repeat_n(notice, 260).chain(takes.iter().cloned()).collect();
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
            let shown = Shown { applied: applied.clone(), max_rows, ..Shown::of(few.clone()) };
            let (text, markdown) = (shown.text(), shown.markdown(Language::English));
            let rows = |page: &str, start: &str, of: &str| {
                let rows = page.lines().enumerate().filter(|(_, it)| it.starts_with(start));
                rows.filter(|(_, it)| it.contains(of)).map(|(at, _)| at).collect::<Vec<_>>()
            };
            for (page, start) in [(&text, "  "), (&markdown, "| ")] {
                let notices = rows(page, start, "alice");
                assert_eq!(notices.len(), max_rows, "{what}: {page}");
                // Each account has three deactivations or deletions.
                for taken in ["CCCC", "SSHK", "DDDD", "erin", "frank"] {
                    let taken = rows(page, start, taken);
                    assert!(!taken.is_empty() && taken[0] < notices[0], "{what}: {page}");
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
fn a_brief_page_says_where_the_changes_are() {
    let shown = Shown { is_brief: true, ..Shown::of(plan("ci-deploy")) };
    for (language, expected) in [
        (Language::English, "**The list of deactivations and deletions does not fit here.**"),
        (Language::Japanese, "ここには表示できません"),
    ] {
        let markdown = shown.markdown(language);
        assert!(markdown.contains(expected) && !markdown.contains("CCCC"), "{markdown}");
        assert!(markdown.contains("| `delete` | **2** | **3** |"), "{markdown}");
    }
}

#[test]
fn a_page_shows_missing_evidence() {
    let rules = vec![Rule::StalePassword, Rule::StaleAccessKey];
    let missing =
        MissingEvidence { rules: [("111122223333".parse().unwrap(), rules)].into(), users: 2 };
    let changes = plan("ci-deploy").changes;
    let one = RemediationPlan { changes: changes[..1].to_vec(), ..RemediationPlan::default() };
    let limits = RemediationPlan {
        exceeded_limits: vec![ExceededLimit::Changes { due: 7, allowed: 5 }],
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
        (one.clone(), None, "1 change planned", "変更予定 1 件"),
        (limits, None, "nothing is changed", "何も変更しません"),
        (one, done, "1 change made", "1 件を変更"),
    ] {
        let shown = Shown { applied, missing: missing.clone(), ..Shown::of(plan) };
        let page = shown.markdown(Language::English);
        let begins =
            format!("# IAM remediation: incomplete, {english}\n\n> [!WARNING]\n> **Incomplete:**");
        assert!(page.starts_with(&begins), "{page}");
        assert!(page.contains("> - Account 111122223333: the evidence for `stale-password`, `stale-access-key` is incomplete\n"), "{page}");
        assert!(page.contains("> - 2 users have incomplete evidence"), "{page}");
        let page = shown.markdown(Language::Japanese);
        let begins =
            format!("# IAM の修復: 不完全、{japanese}\n\n> [!WARNING]\n> **不完全です。**");
        assert!(page.starts_with(&begins), "{page}");
        assert!(shown.text().starts_with("Incomplete: evidence is missing"), "{}", shown.text());
    }
}

#[test]
fn a_pending_password_shows_who_removes_it() {
    let mut due = plan("ci-deploy");
    due.waiting.retain(|it| it.target.subject == TagSubject::PASSWORD);
    for (deletes, text, english, japanese) in [
        (false, "manual removal from", "manual removal", "手動での削除"),
        (true, "deletion from", "deletion", "削除"),
    ] {
        let mut plan = due.clone();
        plan.waiting[0].by_hand = !deletes;
        let shown = Shown { delete_passwords: deletes, ..Shown::of(plan) };
        assert!(
            shown.text().contains(&format!("grace, password: {text} 2026")),
            "{}",
            shown.text()
        );
        let page = shown.markdown(Language::English);
        assert!(page.contains(&format!("| password | {english} | 2026")), "{page}");
        let expected = if deletes { "it is deleted instead." } else { "remove it manually." };
        assert!(page.contains(expected), "{page}");
        let page = shown.markdown(Language::Japanese);
        assert!(page.contains(&format!("| パスワード | {japanese} | 2026")), "{page}");
    }
}

#[test]
fn full_ids_are_never_shown() {
    let plan = plan("ci-deploy");
    let applied = Some(applied(&plan, "AccessDenied"));
    let shown = Shown { applied, ..Shown::of(plan) };
    for text in
        [shown.text(), shown.markdown(Language::English), shown.markdown(Language::Japanese)]
    {
        assert!(!text.contains("AKIA") && !text.contains("APKA"), "{text}");
    }
}

#[test]
fn an_undo_plan_shows_its_steps_and_deleted_users() {
    let step = |user: &str, write: IamWrite| RemediationStep {
        account: "111122223333".parse().unwrap(),
        user: user.to_owned(),
        user_id: format!("AIDA{user}"),
        write,
    };
    let kind = CredentialKind::AccessKey;
    let id = |ending: &str| format!("AKIAIOSFODNN7XXX{ending}");
    let undo = UndoPlan {
        steps: vec![step("bob", IamWrite::Activate { kind, id: id("BBBB") })],
        skipped: vec![(
            step("carol", IamWrite::Deactivate { kind, id: id("CCCC") }),
            UndoSkipReason::Active,
        )],
        irreversible: vec![step("frank", IamWrite::DeleteUser)],
        deleted_users: vec![UserDeletion {
            account: "111122223333".parse().unwrap(),
            user: "frank".to_owned(),
            user_id: "AIDAfrank".to_owned(),
            arn: "arn:aws:iam::111122223333:user/ci/frank".to_owned(),
            path: "/ci/".to_owned(),
            tags: [("team".to_owned(), "web".to_owned())].into(),
            holdings: Holdings {
                groups: vec!["deployers".to_owned()],
                inline_policies: vec![InlinePolicy {
                    name: "upload".to_owned(),
                    document: "{}".to_owned(),
                }],
                ..Holdings::default()
            },
        }],
        ..UndoPlan::default()
    };
    insta::assert_snapshot!(
        "undo_text",
        undo_text(UndoReport { undo: &undo, undone: None }, Language::English).unwrap()
    );
    let nothing = UndoPlan::default();
    let text = undo_text(UndoReport { undo: &nothing, undone: None }, Language::English).unwrap();
    assert_eq!(text, "Nothing to undo.\n");
}
