//! The stored queue state: it is read as it was written, or reported as damaged.

use super::*;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, NaiveDate};
use iam_stocktake::audit::ReferenceKind;
use iam_stocktake::model::inventory::CredentialKind;
use iam_stocktake::model::policy::remediation::Stage;
use iam_stocktake::model::policy::{Level, Rule, hex16};
use iam_stocktake::model::remediation_tag::RemediationStatus;
use iam_stocktake::queue::by_account::ByAccount;
use iam_stocktake::queue::markers;
use iam_stocktake::queue::markers::StateBlock;
use iam_stocktake::queue::observation::FindingRef;
use iam_stocktake::queue::plan::{QueueChange, QueueIssueDraft};
use iam_stocktake::queue::remediation_entry::RemediationEntry;
use iam_stocktake::queue::remediation_progress::{NameList, RemediationProgress, UserResources};
use iam_stocktake::queue::snapshot::QueueSnapshot;
use iam_stocktake::queue::state::{
    FindingState, InvalidQueueState, PackedState, QueueEntry, QueueState, RuleObservation,
};
use iam_stocktake::queue::unix_time::UnixTime;
use sha2::{Digest as _, Sha256};
use stand_ins::proptest::collection::btree_map;
use stand_ins::proptest::prelude::*;

// Round trip

fn any_day() -> impl Strategy<Value = NaiveDate> {
    let (first, last) = (NaiveDate::MIN.num_days_from_ce(), NaiveDate::MAX.num_days_from_ce());
    // The first and the last date that calculations can handle.
    let days = prop_oneof![Just(first), Just(last), first..=last];
    days.prop_map(|days| NaiveDate::from_num_days_from_ce_opt(days).unwrap())
}

fn any_time() -> impl Strategy<Value = UnixTime> {
    (-8_000_000_000_000_i64..8_000_000_000_000)
        .prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap().into())
}

fn any_state() -> impl Strategy<Value = FindingState> {
    let open = |(since, acknowledged, overdue_reported)| FindingState::Open {
        since,
        acknowledged,
        overdue_reported,
    };
    prop_oneof![
        (any_day(), any::<bool>(), any::<bool>()).prop_map(open),
        any_day().prop_map(|since| FindingState::Exempted { since }),
        any_day().prop_map(|on| FindingState::Cleared { on }),
        any_day().prop_map(|since| FindingState::NotCounted { since }),
    ]
}

fn any_account() -> impl Strategy<Value = iam_stocktake::model::inventory::AccountId> {
    prop_oneof![Just(ACCOUNT), Just(OTHER_ACCOUNT)].prop_map(|id| id.parse().unwrap())
}

fn any_rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(Rule::ALL.to_vec())
}

fn any_progress() -> impl Strategy<Value = RemediationProgress> {
    let reached = prop::sample::select(RemediationStatus::ALL.to_vec());
    let stage = prop::sample::select(Stage::ALL.to_vec());
    (reached, any_day(), prop::option::of((stage, any_day())))
        .prop_map(|(reached, since, next)| RemediationProgress { reached, since, next })
}

fn any_user_resources() -> impl Strategy<Value = UserResources> {
    let names = || {
        (prop::collection::vec(any::<String>(), 0..3), any::<usize>())
            .prop_map(|(names, more)| NameList { names, more })
    };
    (any::<Option<bool>>(), names(), names(), names()).prop_map(
        |(mfa, groups, attached_policies, inline_policies)| UserResources {
            mfa,
            groups,
            attached_policies,
            inline_policies,
        },
    )
}

fn any_entry() -> impl Strategy<Value = QueueEntry> {
    let kinds =
        ["password", "access-key", "ssh-key"].map(|id| id.parse::<CredentialKind>().unwrap());
    let finding = (
        (any::<String>(), any_rule(), any::<Option<String>>()),
        prop::option::of(prop::sample::select(kinds.to_vec())),
        (any::<Option<u8>>(), any::<Option<String>>(), any::<Option<String>>()),
        prop::option::of((prop::sample::select(ReferenceKind::ALL.to_vec()), any_time())),
    );
    let finding = (finding, prop::option::of(any_progress())).prop_map(|(finding, progress)| {
        let ((user, rule, last_service), kind, (slot, id_ending, owner), reference) = finding;
        FindingRef { user, rule, kind, slot, id_ending, reference, owner, last_service, progress }
    });
    let level = prop::sample::select(Level::ALL.to_vec());
    (finding, level, any_day(), any_state()).prop_map(|(finding, level, first_seen, state)| {
        QueueEntry { finding, level, first_seen, state }
    })
}

fn any_id() -> impl Strategy<Value = FindingId> {
    any::<u64>().prop_map(|id| format!("{id:016x}").parse().unwrap())
}

fn any_remediation() -> impl Strategy<Value = RemediationEntry> {
    let texts = (any::<String>(), any::<Option<String>>(), any::<Option<String>>());
    (texts, any_progress(), any::<bool>()).prop_map(|(texts, progress, deletion_announced)| {
        let (user, id_ending, owner) = texts;
        let kind = Some(CredentialKind::AccessKey);
        RemediationEntry { user, kind, id_ending, owner, progress, deletion_announced }
    })
}

fn any_queue_state() -> impl Strategy<Value = QueueState> {
    let id = any::<u64>().prop_map(|id| format!("{id:016x}").parse::<FindingId>().unwrap());
    let observed =
        (any_time(), any::<String>()).prop_map(|(at, criteria)| RuleObservation { at, criteria });
    (
        (1_u64..1 << 53, any_day()),
        (any::<Option<u64>>(), any::<Option<String>>(), any::<Option<String>>()),
        btree_map(any_account(), any::<String>(), 0..3),
        btree_map(any_account(), any_time(), 0..3),
        btree_map((any_account(), any_rule()), observed, 0..5),
        btree_map(id, (any_account(), any_entry()), 0..20),
        btree_map((any_account(), any::<String>()), any_user_resources(), 0..5),
        btree_map((any_account(), any_id()), any_remediation(), 0..5),
    )
        .prop_map(
            |(
                (generation, checked),
                (issue, run, workflow),
                aliases,
                audited,
                observed,
                entries,
                user_resources,
                remediations,
            )| QueueState {
                generation,
                issue,
                run,
                workflow,
                checked,
                aliases,
                partitions: BTreeMap::new(),
                audited,
                observed: observed.into_iter().collect(),
                entries: entries
                    .into_iter()
                    .map(|(id, (account, entry))| ((account, id), entry))
                    .collect(),
                user_resources: user_resources.into_iter().collect(),
                remediations: remediations.into_iter().collect(),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn state_survives_a_round_trip(queue_state in any_queue_state()) {
        let packed = queue_state.pack();
        prop_assert_eq!(QueueState::unpack(&packed).unwrap(), queue_state.clone());
        let block = StateBlock::new(&packed, Vec::new(), vec![7, 9]);
        let body = format!("seen\n\n{}", block.written());
        let read = StateBlock::of(&body).unwrap();
        prop_assert_eq!(&read, &block);
        prop_assert_eq!(read.packed(|_| None).unwrap(), packed);
    }

    /// Everyone can write a state with a valid checksum and any dates.
    #[test]
    fn runs_do_not_panic_on_any_state(queue_state in any_queue_state()) {
        for per_user in [false, true] {
            let mut harness = Harness::new(Language::English, per_user);
            harness.run("2026-07-01", &[Audit::on("2026-07-01", &[password("alice")])]);
            let page = harness.page();
            let number = harness.queue_issue().number;
            let packed = QueueState { issue: Some(number), ..queue_state.clone() }.pack();
            let block = StateBlock::new(&packed, Vec::new(), Vec::new());
            harness.queue_issue().body = format!("{page}\n\n{}", block.written());
            let _ = harness.try_run("2026-07-02", &[Audit::on("2026-07-02", &[access_key("bob")])]);
        }
    }
}

/// The JSON of a state with every field, as issues have it.
const STORED: &str = r#"{"v":2,"state":{"generation":7,"issue":3,"run":"https://github.example/run","checked":"2026-07-03","aliases":{"111122223333":"prod"},"audited":{"111122223333":1782950400,"444455556666":1783036800},"observed":{"111122223333":{"stale-password":{"at":1782950400,"t":"90"},"expired-user":{"at":1782950400,"t":"Expires"}},"444455556666":{"stale-password":{"at":1783036800,"t":"90"}}},"entries":{"111122223333":{"00000000000000bb":{"f":{"u":"Alice","r":"stale-access-key","k":"access-key","slot":1,"end":"MPLE","at":["last-used",1700000000],"o":"team","p":{"r":"notified","s":"2026-07-02","n":["deactivate","2026-07-16"]}},"l":"error","first":"2026-07-01","s":{"open":{"since":"2026-07-01","ack":true,"overdue":true}}},"00000000000000cc":{"f":{"u":"bob","r":"expired-user"},"l":"warning","first":"2026-07-01","s":{"cleared":{"on":"2026-07-02"}}}},"444455556666":{"00000000000000aa":{"f":{"u":"carol","r":"stale-password","k":"password"},"l":"error","first":"2026-07-01","s":{"exempted":{"since":"2026-07-01"}}}}},"users":{"111122223333":{"alice":{"m":false,"g":{"n":["admins"],"x":2}}}}}}"#;

#[test]
fn stored_state_is_nested_by_account() {
    let queue_state = QueueState::unpack(&packed(STORED.as_bytes(), 7)).unwrap();
    let text = STANDARD.decode(queue_state.pack().text).unwrap();
    let json = miniz_oxide::inflate::decompress_to_vec_zlib(&text).unwrap();
    assert_eq!(String::from_utf8(json).unwrap(), STORED);
}

// Damage in the body

pub(crate) fn damage(snapshot: &QueueSnapshot) -> InvalidQueueState {
    match snapshot.queue_state() {
        Err(damage) => damage,
        Ok(queue_state) => panic!("a changed state was read: {queue_state:#?}"),
    }
}

pub(crate) fn with_two_findings() -> Harness {
    let mut harness = harness();
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &[password("alice"), access_key("bob")])]);
    harness
}

/// The snapshot with another body of the queue issue.
pub(crate) fn with_body(harness: &Harness, edit: impl Fn(&str) -> String) -> QueueSnapshot {
    let mut snapshot = harness.snapshot();
    let queue_issue = snapshot.queue_issue.as_mut().unwrap();
    queue_issue.body = edit(&queue_issue.body);
    snapshot
}

#[test]
fn every_changed_character_of_the_state_is_damage() {
    let harness = with_two_findings();
    let body = harness.snapshot().queue_issue.unwrap().body;
    let start = body.rfind("<!-- iam-stocktake:queue-state").unwrap();
    for at in start..body.len() {
        let (before, rest) = body.split_at(at);
        let after = &rest[1..];
        let other = if rest.starts_with('A') { 'B' } else { 'A' };
        let digit = if rest.starts_with('1') { '2' } else { '1' };
        for edited in [
            format!("{before}{other}{after}"),
            format!("{before}{digit}{after}"),
            format!("{before}{after}"),
            format!("{before} {rest}"),
            format!("{before}\n{rest}"),
        ] {
            let snapshot = with_body(&harness, |_| edited.clone());
            // White space before the block is not part of it.
            let outside = at == start && edited.contains(body.split_at(start).1);
            assert!(snapshot.queue_state().is_err() || outside, "{}", &edited[start..]);
        }
        assert!(with_body(&harness, |_| before.to_owned()).queue_state().is_err(), "cut at {at}");
    }
}

#[test]
fn removed_state_is_damage_and_not_an_empty_queue() {
    let harness = with_two_findings();
    let taken = with_body(&harness, |body| {
        body.split("<!-- iam-stocktake:queue-state").next().unwrap().into()
    });
    assert_eq!(damage(&taken), InvalidQueueState::MissingBlock);
}

#[test]
fn older_state_with_a_newer_generation_is_damage() {
    let harness = with_two_findings();
    let snapshot = harness.snapshot();
    let block = StateBlock::of(&snapshot.queue_issue.as_ref().unwrap().body).unwrap();
    let packed = block.packed(|_| None).unwrap();
    let newer = StateBlock::new(&PackedState { generation: 2, ..packed }, Vec::new(), Vec::new());
    let snapshot =
        with_body(&harness, |_| format!("{}\n\n{}", first_line(&snapshot), newer.written()));
    assert_eq!(damage(&snapshot), InvalidQueueState::Checksum);
}

pub(crate) fn first_line(snapshot: &QueueSnapshot) -> String {
    snapshot.queue_issue.as_ref().unwrap().body.lines().next().unwrap().to_owned()
}

/// A snapshot with this JSON as its state.
fn with_state(json: &[u8]) -> QueueSnapshot {
    let zlib = miniz_oxide::deflate::compress_to_vec_zlib(json, 9);
    with_packed_state(&zlib)
}

fn packed(json: &[u8], generation: u64) -> PackedState {
    packed_zlib(&miniz_oxide::deflate::compress_to_vec_zlib(json, 9), generation)
}

fn packed_zlib(zlib: &[u8], generation: u64) -> PackedState {
    let text = STANDARD.encode(zlib);
    PackedState { generation, checksum: hex16(&Sha256::digest(text.as_bytes())), text }
}

fn with_packed_state(zlib: &[u8]) -> QueueSnapshot {
    let packed = packed_zlib(zlib, 1);
    let block = StateBlock::new(&packed, Vec::new(), Vec::new()).written();
    let harness = with_two_findings();
    with_body(&harness, |_| format!("{}\n\n{block}", first_line(&harness.snapshot())))
}

#[test]
fn other_content_with_a_valid_checksum_is_damage() {
    for json in [
        "",
        "null",
        "{}",
        "[2]",
        r#"{"v":2}"#,
        r#"{"v":2,"state":{}}"#,
        r#"{"v":2,"state":{"generation":1}}"#,
        r#"{"v":"2"}"#,
    ] {
        assert_eq!(damage(&with_state(json.as_bytes())), InvalidQueueState::Unreadable, "{json}");
    }
    assert_eq!(damage(&with_packed_state(b"no zlib")), InvalidQueueState::Unreadable);
    let whole = r#"{"v":2,"state":{"generation":1,"issue":1,"checked":"2026-07-01","aliases":{},"audited":{},"observed":{},"entries":{}}}"#;
    assert!(with_state(whole.as_bytes()).queue_state().unwrap().is_some());
    for (before, after) in [
        (r#""v":2"#, r#""v":2,"surprise":1"#),
        (r#""generation":1"#, r#""generation":1,"surprise":1"#),
        (r#""aliases":{}"#, r#""aliases":{"1":"prod"}"#),
        (r#""observed":{}"#, r#""observed":{"111122223333":{"no-rule":{"at":1,"t":""}}}"#),
        (r#""audited":{}"#, r#""audited":{"111122223333":9223372036854775807}"#),
    ] {
        let other = whole.replace(before, after);
        assert_ne!(other, whole);
        assert_eq!(damage(&with_state(other.as_bytes())), InvalidQueueState::Unreadable, "{other}");
    }
    for version in [1, 3] {
        let other = whole.replace(r#""v":2"#, &format!(r#""v":{version},"surprise":1"#));
        assert_eq!(damage(&with_state(other.as_bytes())), InvalidQueueState::Version(version));
    }
    let cut = miniz_oxide::deflate::compress_to_vec_zlib(whole.as_bytes(), 9);
    assert_eq!(damage(&with_packed_state(&cut[..cut.len() - 5])), InvalidQueueState::Unreadable);
}

/// A finding id contains the account, so one id in two accounts was not written by this program.
#[test]
fn finding_in_two_accounts_is_damage() {
    let entry = r#"{"f":{"u":"alice","r":"stale-password"},"l":"error","first":"2026-07-01","s":{"open":{"since":"2026-07-01"}}}"#;
    let finding = |account: &str| format!(r#""{account}":{{"0123456789abcdef":{entry}}}"#);
    let with_entries = |entries: &str| {
        with_state(
            format!(
                r#"{{"v":2,"state":{{"generation":1,"issue":1,"checked":"2026-07-01","aliases":{{}},"audited":{{}},"observed":{{}},"entries":{{{entries}}}}}}}"#
            )
            .as_bytes(),
        )
    };
    let one = with_entries(&finding(ACCOUNT)).queue_state().unwrap().unwrap();
    assert_eq!(one.entries.accounts().next().unwrap().as_str(), ACCOUNT);
    let both = format!("{},{}", finding(ACCOUNT), finding(OTHER_ACCOUNT));
    assert_eq!(damage(&with_entries(&both)), InvalidQueueState::Unreadable);
}

#[test]
fn decompression_bomb_is_damage() {
    // 65 MB are about 65 kB when packed.
    let bomb = with_state(&vec![b' '; 65 * 1024 * 1024]);
    assert_eq!(damage(&bomb), InvalidQueueState::Unreadable);
}

#[test]
fn next_run_fills_a_queue_issue_with_an_empty_state() {
    let mut harness = harness();
    let found = [password("alice")];
    let (_, plan, _) = harness.plan("2026-07-01", &[Audit::on("2026-07-01", &found)]).unwrap();
    let draft = queue_issue_draft(&plan.changes);
    let empty = StateBlock::new(&draft.packed_empty(), Vec::new(), Vec::new());
    let body = draft.body(&BTreeMap::new(), &empty).unwrap();
    harness.tracker.create(&draft.title, &body, &draft.labels);
    // The run ends here.
    assert_eq!(harness.snapshot().queue_state(), Ok(None));
    harness.run("2026-07-01", &[Audit::on("2026-07-01", &found)]);
    assert_eq!(harness.queue_state().entries.len(), 1);
    assert_eq!(harness.run("2026-07-02", &[Audit::on("2026-07-02", &found)]).plan, NOTHING);
}

// Parts

/// An audit of so many users that the state does not fit into the body.
fn many(day: &str, users: usize) -> Audit {
    let name = |n: usize| hex16(&Sha256::digest(n.to_string().as_bytes()));
    let found: Vec<_> = (0..users).map(|n| password(&name(n))).collect();
    Audit::on(day, &found)
}

fn harness_with_parts() -> (Harness, StateBlock) {
    let mut harness = harness();
    harness.run("2026-07-01", &[many("2026-07-01", 2_500)]);
    let block = block(&harness);
    assert!(block.parts.len() > 1 && block.text.is_empty(), "{block:?}");
    (harness, block)
}

fn block(harness: &Harness) -> StateBlock {
    StateBlock::of(&harness.snapshot().queue_issue.unwrap().body).unwrap()
}

#[test]
fn swapped_cut_or_removed_parts_are_damage() {
    let (harness, block) = harness_with_parts();
    let (one, two) = (block.parts[0], block.parts[1]);
    assert_eq!(harness.queue_state().entries.len(), 2_500);
    let damaged = |edit: &dyn Fn(&mut BTreeMap<u64, String>)| {
        let mut snapshot = harness.snapshot();
        edit(&mut snapshot.comments);
        damage(&snapshot)
    };
    assert_eq!(damaged(&|it| _ = it.remove(&two)), InvalidQueueState::MissingPart(2));
    assert_eq!(
        damaged(&|it| _ = it.insert(one, "Hello.".to_owned())),
        InvalidQueueState::MissingPart(1)
    );
    let swap = |it: &mut BTreeMap<u64, String>| {
        let body = it.insert(one, it[&two].clone()).unwrap();
        it.insert(two, body);
    };
    assert_eq!(damaged(&swap), InvalidQueueState::Checksum);
    let cut = |it: &mut BTreeMap<u64, String>| {
        let body = it.get_mut(&one).unwrap();
        *body = body.replacen('A', "", 1);
    };
    assert_eq!(damaged(&cut), InvalidQueueState::Checksum);
}

#[test]
fn part_of_an_earlier_generation_is_damage() {
    let (mut harness, first) = harness_with_parts();
    let earlier = harness.tracker.comments[&first.parts[0]].1.clone();
    harness.run("2026-07-02", &[many("2026-07-02", 2_600)]);
    let second = block(&harness);
    assert_eq!(second.generation, first.generation + 1);
    let mut snapshot = harness.snapshot();
    snapshot.comments.insert(second.parts[0], earlier);
    assert_eq!(damage(&snapshot), InvalidQueueState::Checksum);
}

#[test]
fn generations_alternate_between_two_sets_of_comments() {
    let (mut harness, first) = harness_with_parts();
    harness.run("2026-07-02", &[many("2026-07-02", 2_501)]);
    let second = block(&harness);
    assert_eq!(second.spare, first.parts);
    let comments = harness.tracker.comments.len();
    for (users, day) in [(2_500, "2026-07-03"), (2_499, "2026-07-04")] {
        harness.run(day, &[many(day, users)]);
    }
    let fourth = block(&harness);
    assert_eq!((fourth.parts, fourth.spare), (second.parts, second.spare));
    assert_eq!(harness.tracker.comments.len(), comments);
}

#[test]
fn run_that_ends_after_the_parts_keeps_the_previous_generation() {
    let (mut harness, first) = harness_with_parts();
    // Twice, because the second time the comments exist already.
    for (turn, day) in ["2026-07-02", "2026-07-03"].into_iter().enumerate() {
        harness.run(day, &[many(day, 2_501 + turn)]);
        let before = harness.queue_state();
        let next = "2026-07-04";
        let (_, plan, snapshot) = harness.plan(next, &[many(next, 2_600)]).unwrap();
        let draft = queue_issue_draft(&plan.changes);
        for most in [1, usize::MAX] {
            harness.tracker.write_parts(draft, &snapshot, 1, most);
            assert_eq!(harness.queue_state(), before);
        }
    }
    harness.run("2026-07-05", &[many("2026-07-05", 2_600)]);
    assert_eq!(harness.queue_state().entries.len(), 2_600);
    assert!(block(&harness).generation > first.generation);
}

fn queue_issue_draft(changes: &[QueueChange]) -> &QueueIssueDraft {
    let queue_issue = changes.iter().find_map(|change| match change {
        QueueChange::WriteQueueIssue(draft) => Some(draft),
        _ => None,
    });
    queue_issue.expect("the queue issue is written")
}

#[test]
fn smaller_state_moves_back_into_the_body() {
    let (mut harness, _) = harness_with_parts();
    harness.run("2026-07-02", &[Audit::on("2026-07-02", &[])]);
    // Cleared findings are kept for 180 days.
    harness.run("2027-02-01", &[Audit::on("2027-02-01", &[password("alice")])]);
    let block = block(&harness);
    assert_eq!((block.parts.len(), harness.queue_state().entries.len()), (0, 1));
    assert!(!block.spare.is_empty(), "its comments are kept for later");
    assert_eq!(
        harness.run("2027-02-02", &[Audit::on("2027-02-02", &[password("alice")])]).plan,
        NOTHING
    );
}

#[test]
fn queue_name_cannot_end_its_html_comment() {
    for name in ["default", "a", "team-1", &"a".repeat(36)] {
        assert!(name.parse::<iam_stocktake::queue::state::QueueName>().is_ok(), "{name}");
    }
    for name in ["", "-", "a-", "-a", "a--b", "A", "a b", "a>", "ä", &"a".repeat(37)] {
        assert!(name.parse::<iam_stocktake::queue::state::QueueName>().is_err(), "{name}");
    }
}

#[test]
fn label_fits_the_limit_of_github() {
    let label = |name: &str| markers::label(&name.parse().unwrap());
    assert_eq!(label("default"), "iam-stocktake");
    assert_eq!(label("other"), "iam-stocktake:other");
    assert_eq!(label(&"a".repeat(36)).len(), 50);
}

#[test]
fn accounts_without_values_are_not_stored() {
    let account = ACCOUNT.parse().unwrap();
    let mut by_account = ByAccount::new();
    by_account.insert(account, "alice", 1);
    by_account.remove(account, "bob");
    assert_eq!(by_account.len(), 1);
    by_account.remove(account, "alice");
    assert!(by_account.is_empty());
    by_account.insert(account, "alice", 1);
    by_account.retain(|_, _, _| false);
    assert!(by_account.is_empty());
}
