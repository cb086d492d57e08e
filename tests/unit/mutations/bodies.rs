//! The fuzz targets. `fuzz_targets/` calls them with bytes from libFuzzer, and the test `mutations` with
//! mutated seeds.

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use iam_stocktake::allowlist::{self, Allowlist};
use iam_stocktake::audit::{AllowlistOrigin, audit_accounts};
use iam_stocktake::cli::{AllowlistCommand, Clock, Command, Input, SuggestArgs};
use iam_stocktake::commands::{self, Exit, Streams};
use iam_stocktake::model::policy::remediation::RemediationPolicy;
use iam_stocktake::model::policy::{Level, Policy, PolicyOverrides, Rule};
use iam_stocktake::observe::{credential_report, export};
use iam_stocktake::queue::markers::{self, StateBlock};
use iam_stocktake::queue::observation::Observation;
use iam_stocktake::queue::state::{PackedState, QueueState};
use iam_stocktake::remediate::MissingEvidence;
use iam_stocktake::remediate::history::History;
use iam_stocktake::remediate::journal;
use iam_stocktake::remediate::pages::{self, RemediationReport};
use iam_stocktake::remediate::plan::file::SavedPlan;
use iam_stocktake::report::json::v1;
use iam_stocktake::report::{self, MarkdownOptions, TableOptions};
use iam_stocktake::runner::event::EventPayload;
use iam_stocktake::templates::Language;
use sha2::{Digest as _, Sha256};

static NOW: LazyLock<DateTime<Utc>> =
    LazyLock::new(|| "2026-06-30T12:00:00Z".parse().expect("a date"));

static ALLOWLIST: LazyLock<Allowlist> = LazyLock::new(|| {
    let source = include_bytes!("../../../examples/iam-allowlist.yml");
    allowlist::parse(source, NOW.date_naive()).expect("the example is in order")
});

/// A policy in which all rules are on.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let levels = Rule::ALL.map(|rule| (rule, Level::Error)).into();
    Policy::new(&PolicyOverrides { levels, ..PolicyOverrides::default() }, None)
});

/// The name and function of a target.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 7] = [
    ("credential_report", credential_report),
    ("allowlist", allowlist),
    ("audit_json", audit_json),
    ("plan", plan),
    ("journal", journal),
    ("event", event),
    ("queue_body", queue_body),
];

/// Parses, audits and reports bytes as an exported credential report.
pub(crate) fn credential_report(bytes: &[u8]) {
    let Ok(export) = export::parse_export(bytes.to_vec()) else { return };
    let Ok(account) = credential_report::parse(&export.csv, export.generated_at) else { return };
    let users = account.users.len();
    let audit = audit_accounts(&[account], &ALLOWLIST, AllowlistOrigin::None, &POLICY, *NOW);
    assert_eq!(audit.accounts.iter().map(|it| it.users).sum::<usize>(), users);
    let _ = report::table(&audit, TableOptions { color: true, width: Some(80), max_rows: 10 });
    for language in Language::ALL {
        let options = MarkdownOptions { full_ids: true, language, max_rows: 10, template: None };
        report::markdown(&audit, &options).expect("our own template renders everything");
    }
    audit_json(report::json::json(&audit).as_bytes());
}

/// Parses bytes as an allowlist, and renders every problem.
pub(crate) fn allowlist(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let today = NOW.date_naive();
    let diagnostics = match allowlist::parse(bytes, today) {
        Ok(allowlist) => allowlist::notices(&allowlist, today),
        Err(problems) => {
            assert!(!problems.is_empty(), "rejected without a problem");
            problems
        }
    };
    for diagnostic in &diagnostics {
        for color in [false, true] {
            let _ = allowlist::render(diagnostic, "iam-allowlist.yml", &source, color);
        }
    }
}

/// Reads bytes as an audit JSON like the queue, and suggests exemptions.
pub(crate) fn audit_json(bytes: &[u8]) {
    if let Ok(audit) = serde_json::from_slice::<v1::Audit>(bytes) {
        let _ = Observation::of(std::slice::from_ref(&audit), *NOW);
        let written = report::json::to_json(&audit);
        let again: v1::Audit = serde_json::from_str(&written).expect("what was written is read");
        assert_eq!(again, audit);
    }
    let args = SuggestArgs {
        audit: Input::Stdin,
        user: None,
        id: None,
        expires: None,
        reason: None,
        owner: None,
        write: None,
        clock: Clock { now: None },
    };
    let (mut stdin, mut stdout, mut stderr) = (bytes, std::io::sink(), std::io::sink());
    let mut streams = Streams::new(&mut stdin, &mut stdout, &mut stderr);
    let exit =
        commands::run(&Command::Allowlist(AllowlistCommand::Suggest(args)), *NOW, &mut streams);
    assert!(matches!(exit, Exit::Done | Exit::Usage));
}

/// Reads and prints bytes as a saved plan, with their own digest and with the correct one.
pub(crate) fn plan(bytes: &[u8]) {
    let _ = SavedPlan::read(bytes, None, *NOW);
    let Ok(saved) = serde_json::from_slice::<SavedPlan>(bytes) else { return };
    let saved = SavedPlan::new(saved.plan, saved.stage, saved.accounts, saved.made_at);
    let _ = SavedPlan::read(saved.to_json().as_bytes(), None, *NOW);
    let same = SavedPlan::read(saved.to_json().as_bytes(), None, saved.made_at);
    assert_eq!(same.as_ref(), Ok(&saved), "what was written is read");
    let policy = RemediationPolicy::default();
    let missing = MissingEvidence::default();
    let report = |is_brief| RemediationReport {
        saved: &saved,
        policy: &policy,
        applied: None,
        missing: &missing,
        journal: Path::new("journal.jsonl"),
        other_journals: &[],
        max_rows: 3,
        is_brief,
    };
    pages::remediation_text(report(false), Language::English).expect("the built-in template fits");
    for (language, is_brief) in Language::ALL.into_iter().zip([false, true].into_iter().cycle()) {
        let page = pages::remediation_markdown(report(is_brief), language);
        page.expect("our own template renders everything");
    }
}

/// The number of journal lines with correct checksums; 0 if a line is not readable.
pub(crate) fn lines_of(bytes: &[u8]) -> usize {
    with_checksums(bytes).map_or(0, |contents| contents.lines.len())
}

fn with_checksums(bytes: &[u8]) -> Option<journal::JournalContents> {
    let sealed: Vec<u8> = bytes.split(|byte| *byte == b'\n').flat_map(sealed).collect();
    Some(journal::parse(Path::new("journal.jsonl"), &sealed).ok()?.0)
}

/// Reads bytes as a journal, with their own checksums and with the correct ones.
pub(crate) fn journal(bytes: &[u8]) {
    let _ = journal::parse(Path::new("journal.jsonl"), bytes);
    let Some(contents) = with_checksums(bytes) else { return };
    let history = History::from_lines(&contents.lines);
    let _ = (history.open_steps().count(), history.known_tags(), history.users());
    for deletion in &history.deletions {
        let _ = history.is_partially_deleted(&deletion.user_id);
        let _ = history.orphaned_mfa_devices(&deletion.user_id);
    }
}

/// A journal line with the correct checksum.
fn sealed(line: &[u8]) -> Vec<u8> {
    let Some(body) = line.strip_suffix(b"}") else { return Vec::new() };
    let checksum: String =
        Sha256::digest(body).iter().take(8).map(|it| format!("{it:02x}")).collect();
    [body, b",\"checksum\":\"", checksum.as_bytes(), b"\"}\n"].concat()
}

/// Whether the bytes are an event payload.
pub(crate) fn is_event(bytes: &[u8]) -> bool {
    EventPayload::read(bytes).is_ok()
}

/// Reads bytes as an event payload.
pub(crate) fn event(bytes: &[u8]) {
    let Ok(payload) = EventPayload::read(bytes) else { return };
    if let Some(pull_request) = &payload.pull_request {
        let _ = (pull_request.is_fork(), pull_request.is_dependabot());
    }
}

/// Reads bytes as the body of a queue issue, and as the JSON of the queue state in it.
pub(crate) fn queue_body(bytes: &[u8]) {
    let body = String::from_utf8_lossy(bytes);
    let _ = (markers::ticked(&body), markers::without_state_block(&body));
    if let Ok(block) = StateBlock::of(&body)
        && let Ok(packed) = block.packed(|_| Some(&body))
    {
        let _ = QueueState::unpack(&packed);
    }
    let Some(mut queue_state) = state(bytes) else { return };
    let today = NOW.date_naive();
    let _ = (
        queue_state.open().count(),
        queue_state.overdue(30, today).count(),
        queue_state.is_acknowledged(),
    );
    queue_state.drop_old_entries(today);
    let packed = queue_state.pack();
    assert!(QueueState::unpack(&packed).is_ok_and(|it| it.has_same_content(&queue_state)));
}

/// Whether the bytes are the JSON of a queue state.
pub(crate) fn is_state(bytes: &[u8]) -> bool {
    state(bytes).is_some()
}

/// The queue state of a JSON, packed and unpacked as in an issue.
fn state(bytes: &[u8]) -> Option<QueueState> {
    let text = STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(bytes, 1));
    let checksum = Sha256::digest(&text).iter().take(8).map(|it| format!("{it:02x}")).collect();
    let generation = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let generation =
        generation.and_then(|it| it["state"]["generation"].as_u64()).unwrap_or_default();
    QueueState::unpack(&PackedState { generation, checksum, text }).ok()
}
