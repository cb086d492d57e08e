//! The page of an undo plan.

use iam_stocktake::model::inventory::{CredentialKind, Holdings, InlinePolicy};
use iam_stocktake::remediate::journal::UserDeletion;
use iam_stocktake::remediate::pages::{UndoReport, undo_markdown, undo_text};
use iam_stocktake::remediate::plan::step::{IamWrite, RemediationStep};
use iam_stocktake::remediate::{UndoPlan, UndoResult, UndoSkipReason};
use iam_stocktake::templates::Language;
use stand_ins::gfm::assert_same_outline;

#[test]
fn undo_plan_lists_its_steps_and_deleted_users() {
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
        account_failures: vec![(
            "444455556666".parse().unwrap(),
            "iam:GetAccountAuthorizationDetails: AccessDenied".to_owned(),
        )],
        ..UndoPlan::default()
    };
    insta::assert_snapshot!(
        "undo_text",
        undo_text(UndoReport { undo: &undo, undone: None }, Language::English).unwrap()
    );
    let undone = UndoResult {
        made: undo.steps.clone(),
        failed: vec![(
            undo.irreversible[0].clone(),
            "iam:UntagUser failed: AccessDenied".to_owned(),
        )],
    };
    for (name, undone) in [("undo", None), ("undone", Some(&undone))] {
        let pages = Language::ALL
            .map(|language| undo_markdown(UndoReport { undo: &undo, undone }, language).unwrap());
        assert_same_outline(&pages);
        let [english, japanese] = pages;
        insta::assert_snapshot!(format!("{name}_en"), english);
        insta::assert_snapshot!(format!("{name}_ja"), japanese);
    }
    let nothing = UndoPlan::default();
    let text = undo_text(UndoReport { undo: &nothing, undone: None }, Language::English).unwrap();
    assert_eq!(text, "Nothing to undo.\n");
}
