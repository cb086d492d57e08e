//! What people see of a plan and of what became of it.

use chrono::{DateTime, TimeDelta, Utc};
use iam_stocktake::clock::{Reached, Subject};
use iam_stocktake::inventory::{CredentialKind, Holdings, InlinePolicy};
use iam_stocktake::policy::remediation::{RemediationPolicy, Stage};
use iam_stocktake::remediate::journal::Deletion;
use iam_stocktake::remediate::plan::file::SavedPlan;
use iam_stocktake::remediate::plan::step::{Step, Write};
use iam_stocktake::remediate::plan::{
    Act, Change, Clearing, Facts, Guard, LeftAlone, Limit, Place, Plan, Start, Waiting,
};
use iam_stocktake::remediate::{Applied, Needless, Undo};
use iam_stocktake::report::{Language, Remedy, Undoing, remedy_markdown, remedy_text, undo_text};

use super::gfm::{Exposed, exposed};

/// The moment of the plan.
const NOW: &str = "2026-06-30T12:00:00Z";

fn moment(days_ago: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() - TimeDelta::days(days_ago)
}

fn place(user: &str, subject: Subject) -> Place {
    Place { account: "111122223333".parse().unwrap(), user: user.to_owned(), subject }
}

fn credential(kind: CredentialKind, id: &str) -> Subject {
    Subject::Credential(kind, Some(id.to_owned()))
}

fn key(ending: &str) -> Subject {
    credential(CredentialKind::AccessKey, &format!("AKIAIOSFODNN7XXX{ending}"))
}

fn change(place: Place, act: Act, facts: Facts) -> Change {
    Change { user_id: format!("AIDA{}", place.user), place, act, facts }
}

/// What is seen of a credential that was created, used and dealt with so many days ago.
fn facts(created: i64, used: Option<i64>, clock: Option<(Reached, i64)>) -> Facts {
    Facts {
        active: Some(true),
        created: Some(moment(created)),
        last_used: used.map(moment),
        clock: clock.map(|(reached, days)| (reached, moment(days))),
        ..Facts::default()
    }
}

/// A plan with something of everything, of users of whom one is called this.
fn plan(name: &str) -> Plan {
    let ssh_key = credential(CredentialKind::SshKey, "APKAIOSFODNN7SSHK");
    let elsewhere = |place: Place| Place { account: "444455556666".parse().unwrap(), ..place };
    let notified = Some((Reached::Notified, 14));
    Plan {
        changes: vec![
            change(place("alice", key("AAAA")), Act::Notify(Start::First), facts(300, None, None)),
            change(
                place("bob", key("BBBB")),
                Act::Notify(Start::Vanished),
                facts(300, Some(200), None),
            ),
            change(
                place("carol", Subject::PASSWORD),
                Act::Clear(Clearing::Used(moment(2))),
                facts(300, Some(2), notified),
            ),
            change(place(name, key("CCCC")), Act::Deactivate, facts(300, Some(200), notified)),
            change(place(name, ssh_key.clone()), Act::Deactivate, facts(300, None, notified)),
            change(
                elsewhere(place("dave", key("DDDD"))),
                Act::DeleteCredential,
                facts(300, Some(200), Some((Reached::Deactivated, 30))),
            ),
            change(
                elsewhere(place("erin", Subject::PASSWORD)),
                Act::DeletePassword,
                facts(300, None, notified),
            ),
            change(
                elsewhere(place("frank", Subject::User)),
                Act::DeleteUser,
                Facts {
                    credentials: vec![(Subject::PASSWORD, true), (key("FFFF"), false)],
                    clock: facts(0, None, notified).clock,
                    ..Facts::default()
                },
            ),
        ],
        waiting: vec![Waiting {
            place: place("grace", key("GGGG")),
            stage: Stage::Deactivate,
            due: moment(-3),
        }],
        by_hand: vec![place("heidi", Subject::PASSWORD)],
        left_alone: [
            Guard::Root,
            Guard::Exempted { line: 12, expires: moment(-90).date_naive() },
            Guard::RecentlyReset(moment(5)),
            Guard::Ourselves,
            Guard::Incomplete(format!("iam:GetUser: {name}")),
            Guard::Used(moment(3)),
            Guard::Owner(name.to_owned()),
            Guard::Path(format!("/{name}/")),
            Guard::Tags,
        ]
        .into_iter()
        .map(|guard| LeftAlone { place: place(name, Subject::User), guard })
        .collect(),
        held: Vec::new(),
    }
}

fn saved(plan: Plan) -> SavedPlan {
    let accounts = vec!["111122223333".parse().unwrap(), "444455556666".parse().unwrap()];
    SavedPlan::new(plan, Stage::Delete, accounts, moment(0))
}

/// The plan carried out: the last change failed, and the one before was not made.
fn applied(plan: &Plan, message: &str) -> Applied {
    let mut made = plan.changes.clone();
    let failed = made.pop().unwrap();
    let skipped = made.pop().unwrap();
    Applied {
        made,
        skipped: vec![(skipped, message.to_owned())],
        failed: vec![(failed, message.to_owned())],
    }
}

/// How a plan is shown.
struct Shown {
    saved: SavedPlan,
    applied: Option<Applied>,
    max_rows: usize,
}

impl Shown {
    fn of(plan: Plan) -> Self {
        Self { saved: saved(plan), applied: None, max_rows: 0 }
    }

    fn remedy<T>(&self, show: impl FnOnce(Remedy<'_>) -> T) -> T {
        let policy =
            RemediationPolicy { delete_after_days: Some(30), ..RemediationPolicy::default() };
        show(Remedy {
            saved: &self.saved,
            policy: &policy,
            applied: self.applied.as_ref(),
            journal: std::path::Path::new("iam-stocktake-journal.jsonl"),
            max_rows: self.max_rows,
        })
    }

    fn markdown(&self, language: Language) -> String {
        self.remedy(|remedy| remedy_markdown(remedy, language).unwrap())
    }

    fn text(&self) -> String {
        self.remedy(remedy_text)
    }
}

/// Each word of a name would be something in Markdown, in HTML or to the runner.
const HOSTILE: &str = "a|b`c @acme #1 <!-- x --> [l](http://x.test) ~~s~~ *e* ::error::\u{202e}";

#[test]
fn a_plan_says_what_is_changed_and_why_and_what_is_not() {
    let shown = Shown::of(plan("ci-deploy"));
    insta::assert_snapshot!("plan_en", shown.markdown(Language::English));
    insta::assert_snapshot!("plan_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("plan_text", shown.text());
}

#[test]
fn an_outcome_says_what_was_changed_and_what_failed_and_how_to_undo_it() {
    let plan = plan("ci-deploy");
    let applied = Some(applied(&plan, "iam:DeleteUser failed: AccessDenied"));
    let shown = Shown { applied, ..Shown::of(plan) };
    insta::assert_snapshot!("outcome_en", shown.markdown(Language::English));
    insta::assert_snapshot!("outcome_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("outcome_text", shown.text());
}

#[test]
fn a_plan_beyond_its_limits_says_that_first() {
    let held = vec![
        Limit::Changes { due: 7, allowed: 5 },
        Limit::Share { account: "111122223333".parse().unwrap(), due: 3, allowed: 2, users: 20 },
    ];
    let mut plan = plan("ci-deploy");
    plan.changes.truncate(4);
    let shown = Shown::of(Plan { changes: plan.changes, held, ..Plan::default() });
    insta::assert_snapshot!("held_en", shown.markdown(Language::English));
    insta::assert_snapshot!("held_ja", shown.markdown(Language::Japanese));
    insta::assert_snapshot!("held_text", shown.text());
}

#[test]
fn a_plan_without_changes_says_so() {
    let shown = Shown::of(Plan::default());
    for (language, title) in [
        (Language::English, "# IAM remedy: nothing to change\n"),
        (Language::Japanese, "# IAM の是正: 変更はありません\n"),
    ] {
        let markdown = shown.markdown(language);
        assert!(markdown.starts_with(title), "{markdown}");
        assert!(!markdown.contains("##"), "{markdown}");
    }
}

#[test]
fn foreign_text_stays_in_code_and_in_its_cell() {
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
fn a_terminal_is_moved_by_no_name() {
    let text = Shown::of(plan(HOSTILE)).text();
    assert!(text.contains("\\u{202e}") && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn a_list_has_no_more_rows_than_were_asked_for_and_says_how_many_are_left_out() {
    let shown = Shown { max_rows: 2, ..Shown::of(plan("ci-deploy")) };
    let markdown = shown.markdown(Language::English);
    // Of five changes in the first account, and of nine users that are left alone.
    for left_out in ["3 more rows are not shown here", "7 more rows are not shown here"] {
        assert!(markdown.contains(left_out), "{markdown}");
    }
    // What is counted is counted whole.
    assert!(markdown.contains("| `delete` | **2** | **3** | 3 | 1 | 1 | 9 |"), "{markdown}");
    assert!(shown.text().contains("  … and 7 more\n"), "{}", shown.text());
}

#[test]
fn an_id_is_never_shown_whole() {
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
fn an_undoing_says_what_comes_back_and_what_it_takes_to_make_a_deleted_user_again() {
    let step = |user: &str, write: Write| Step {
        account: "111122223333".parse().unwrap(),
        user: user.to_owned(),
        user_id: format!("AIDA{user}"),
        write,
    };
    let kind = CredentialKind::AccessKey;
    let id = |ending: &str| format!("AKIAIOSFODNN7XXX{ending}");
    let undo = Undo {
        steps: vec![step("bob", Write::Activate { kind, id: id("BBBB") })],
        needless: vec![(
            step("carol", Write::Deactivate { kind, id: id("CCCC") }),
            Needless::Active,
        )],
        lost: vec![step("frank", Write::DeleteUser)],
        deleted: vec![Deletion {
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
        ..Undo::default()
    };
    insta::assert_snapshot!("undo_text", undo_text(Undoing { undo: &undo, undone: None }));
    let nothing = Undo::default();
    let text = undo_text(Undoing { undo: &nothing, undone: None });
    assert_eq!(text, "Nothing is to be undone.\n");
}
