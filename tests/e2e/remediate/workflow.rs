//! The example workflow for remediation, with its jobs run one after another.

use std::collections::BTreeSet;

use iam_stocktake::cli::{Output, action_inputs, command};
use serde_json::Value;

use super::jobs::{DUE, Job, Jobs};

/// The name of the action in the examples.
const ACTION: &str = "iam-stocktake/iam-stocktake@";

/// The example workflows by name.
fn examples() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/workflows");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The jobs of the remediation example.
fn remediation_jobs() -> Value {
    jobs_of("remediate.yml")
}

/// The jobs of an example.
fn jobs_of(file: &str) -> Value {
    let (_, text) = examples().into_iter().find(|(name, _)| name == file).unwrap();
    let workflow: Value = serde_saphyr::from_str(&text).unwrap();
    workflow["jobs"].clone()
}

/// The inputs of each step that runs the action.
fn inputs(jobs: &Value) -> Vec<&Value> {
    let steps = jobs.as_object().unwrap().values().flat_map(|job| job["steps"].as_array().unwrap());
    let ours = steps.filter(|step| step["uses"].as_str().unwrap().starts_with(ACTION));
    ours.map(|step| &step["with"]).collect()
}

/// Runs the action with the inputs of a job on the given day. `plan` is the job whose outputs are
/// used.
fn run(jobs: &Jobs, name: &str, day: f64, plan: Option<&Job>) -> Job {
    run_of(&remediation_jobs(), jobs, (name, day, "schedule"), plan)
}

/// Runs the action with the inputs of a job for an event.
fn run_of(
    all_jobs: &Value,
    jobs: &Jobs,
    (name, day, event): (&str, f64, &str),
    plan: Option<&Job>,
) -> Job {
    let of_job = inputs(&serde_json::json!({ name: all_jobs[name] })).pop().unwrap().clone();
    let value = |text: &str| match text.strip_prefix("${{ needs.plan.outputs.") {
        Some(output) => plan.unwrap().output(output.trim_end_matches(" }}")).to_owned(),
        None => text.replace("${{ inputs.user }}", "ci-deploy"),
    };
    let of_job = of_job.as_object().unwrap().iter();
    let of_job: Vec<_> = of_job
        .filter(|(name, _)| *name != "role-to-assume")
        .map(|(name, text)| (name.as_str(), value(text.as_str().unwrap())))
        .collect();
    let of_job: Vec<_> = of_job.iter().map(|(name, value)| (*name, value.as_str())).collect();
    jobs.action(day, event, &of_job)
}

#[test]
fn examples_use_existing_inputs_and_outputs() {
    let command = command();
    let action_inputs = action_inputs(command.find_subcommand("action").unwrap());
    let known: BTreeSet<_> = action_inputs.iter().map(|it| it.name.as_str()).collect();
    let outputs: BTreeSet<String> = Output::all().iter().map(|output| output.name()).collect();
    for (name, text) in examples() {
        let workflow: Value = serde_saphyr::from_str(&text).unwrap();
        for with in inputs(&workflow["jobs"]) {
            for input in with.as_object().into_iter().flatten().map(|(input, _)| input.as_str()) {
                assert!(known.contains(input), "{name}: {input}");
            }
        }
        for used in text.split(".outputs.").skip(1) {
            let end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
            let output = used.split(end).next().unwrap();
            assert!(outputs.contains(output), "{name}: {output}");
        }
    }
}

#[test]
fn apply_job_needs_an_approval_and_has_its_own_role() {
    let jobs = remediation_jobs();
    let roles = |name: &str| {
        let job = serde_json::json!({ name: jobs[name] });
        inputs(&job)[0]["role-to-assume"].clone()
    };
    for (name, job) in jobs.as_object().unwrap() {
        let is_guarded = job["environment"] == "iam-remediation";
        assert_eq!(is_guarded, name == "apply", "{name}");
        assert_eq!(roles(name) == roles("apply"), name == "apply", "{name}");
    }
    // The digest comes from the job that created the plan, not from the artifact.
    let apply = serde_json::json!({ "apply": jobs["apply"] });
    assert_eq!(inputs(&apply)[0]["plan-digest"], "${{ needs.plan.outputs.plan-digest }}");
}

/// The steps of a job that use the action with this name.
fn steps<'a>(job: &'a Value, action: &str) -> Vec<&'a Value> {
    let steps = job["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["uses"].as_str().unwrap().starts_with(action)).collect()
}

#[test]
fn each_kind_of_job_has_its_own_journal_cache_key_and_concurrency_group() {
    let jobs = remediation_jobs();
    let kinds = ["notify", "apply"];
    let journal = |kind: &str| format!("journal-{kind}.jsonl");
    let key = |kind: &str| format!("iam-stocktake-journal-{kind}-");
    for name in ["notify", "plan", "apply"] {
        let job = &jobs[name];
        let restored: Vec<_> = steps(job, "actions/cache/restore@")
            .iter()
            .map(|it| {
                let with = &it["with"];
                let text = |key: &str| with[key].as_str().unwrap().to_owned();
                assert!(text("key").starts_with(&text("restore-keys")), "{name}: {with}");
                (text("path"), text("restore-keys"))
            })
            .collect();
        assert_eq!(restored, kinds.map(|kind| (journal(kind), key(kind))), "{name}");
        // No cache key of one kind is a prefix of the other kind.
        assert!(
            !key("notify").starts_with(&key("apply")) && !key("apply").starts_with(&key("notify"))
        );

        let with = &steps(job, ACTION)[0]["with"];
        let own = if name == "notify" { "notify" } else { "apply" };
        let other = if name == "notify" { "apply" } else { "notify" };
        assert_eq!(with["journal"], journal(own), "{name}");
        assert_eq!(with["other-journals"], journal(other), "{name}");

        let saved = steps(job, "actions/cache/save@");
        assert_eq!(saved.len(), usize::from(name != "plan"), "{name}");
        for save in saved {
            assert_eq!(save["with"]["path"], journal(own), "{name}");
            let unique =
                format!("{}${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}", key(own));
            assert_eq!(save["with"]["key"], unique, "{name}");
            // The journal must be saved however the job ends.
            let condition = save["if"].as_str().unwrap();
            assert!(condition.contains("always()") && condition.contains(&journal(own)), "{name}");
        }
    }
    // A job that waits for an approval blocks its concurrency group, so no other job uses the
    // group.
    let group = |name: &str| jobs[name]["concurrency"]["group"].as_str().map(str::to_owned);
    let groups: Vec<_> = jobs.as_object().unwrap().keys().filter_map(|name| group(name)).collect();
    assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), groups.len(), "{groups:?}");
    assert!(group("notify").is_some() && group("apply").is_some() && group("plan").is_none());
    for name in ["notify", "apply"] {
        assert_eq!(jobs[name]["concurrency"]["cancel-in-progress"], false, "{name}");
    }
}

#[test]
fn missing_evidence_does_not_block_the_workflow() {
    let jobs = remediation_jobs();
    let condition = |it: &Value| it["if"].as_str().unwrap_or_default().to_owned();
    assert_eq!(condition(&jobs["plan"]), "${{ !cancelled() }}");
    let upload = steps(&jobs["plan"], "actions/upload-artifact@");
    assert_eq!(condition(upload[0]), "${{ !cancelled() && steps.plan.outputs.plan-digest != '' }}");
    assert_eq!(
        condition(&jobs["apply"]),
        "${{ !cancelled() && needs.plan.outputs.plan-digest != '' && \
         needs.plan.outputs.change-count != '0' }}"
    );
}

#[test]
fn workflow_notifies_then_applies_the_approved_plan() {
    let jobs = Jobs::with_a_stale_key("private");
    for (day, due) in [(0.0, "0"), (7.0, "0"), (DUE, "1")] {
        let notified = run(&jobs, "notify", day, None);
        assert_eq!(notified.code, 0, "{}", notified.log);
        let plan = run(&jobs, "plan", day, None);
        assert_eq!((plan.code, plan.output("change-count")), (0, due), "{}", plan.log);
        assert_eq!(jobs.key_statuses(), ["Active"]);
        if due != "0" {
            // The artifact transfers the plan.
            let saved = jobs.world.sandbox.read("iam-stocktake-report/iam-stocktake-plan.json");
            jobs.world.sandbox.file("plans/iam-plan/iam-stocktake-plan.json", saved);
            let applied = run(&jobs, "apply", day, Some(&plan));
            assert_eq!(applied.code, 0, "{}", applied.log);
        }
    }
    assert_eq!(jobs.key_statuses(), ["Inactive"]);
    let queue = run(&jobs, "queue", DUE, None);
    assert_eq!((queue.code, queue.output("result")), (0, "clean"), "{}", queue.log);
}

/// A key that a run of the workflow deactivated, without the journals.
fn deactivated_without_journals() -> Jobs {
    let jobs = Jobs::with_a_stale_key("private");
    run(&jobs, "notify", 0.0, None);
    run(&jobs, "notify", 7.0, None);
    let plan = run(&jobs, "plan", DUE, None);
    let saved = jobs.world.sandbox.read("iam-stocktake-report/iam-stocktake-plan.json");
    jobs.world.sandbox.file("plans/iam-plan/iam-stocktake-plan.json", saved);
    assert_eq!(run(&jobs, "apply", DUE, Some(&plan)).code, 0);
    assert_eq!(jobs.key_statuses(), ["Inactive"]);
    for journal in ["journal-notify.jsonl", "journal-apply.jsonl"] {
        std::fs::remove_file(jobs.world.sandbox.path(journal)).unwrap();
    }
    jobs.world.account.reset_log();
    jobs
}

#[test]
fn undo_workflow_needs_no_journal() {
    let jobs = deactivated_without_journals();
    let all = jobs_of("undo.yml");
    let dispatch = |name| run_of(&all, &jobs, (name, 20.0, "workflow_dispatch"), None);

    let plan = dispatch("plan");
    assert_eq!((plan.code, plan.output("change-count")), (0, "1"), "{}", plan.log);
    assert!(
        plan.summary.starts_with("# IAM undo: 1 credential to reactivate\n"),
        "{}",
        plan.summary
    );
    assert!(plan.summary.contains("| `ci-deploy` | access key"), "{}", plan.summary);
    assert_eq!((jobs.world.writes(), plan.output("journal")), (vec![], ""));

    let undone = dispatch("undo");
    assert_eq!((undone.code, undone.output("change-count")), (0, "1"), "{}", undone.log);
    assert!(
        undone.summary.starts_with("# IAM undo: 1 credential reactivated\n"),
        "{}",
        undone.summary
    );
    assert_eq!(jobs.key_statuses(), ["Active"]);
    assert_eq!(jobs.world.tags("ci-deploy"), [""; 0]);
    // The undo starts a new journal.
    assert_eq!(undone.output("journal"), "journal-apply.jsonl");
    let journal = jobs.world.sandbox.read("journal-apply.jsonl");
    assert!(journal.contains(r#""step":"activate""#), "{journal}");
    let again = dispatch("plan");
    assert_eq!((again.code, again.output("change-count")), (0, "0"), "{}", again.log);
}

#[test]
fn undo_of_an_unknown_user_names_near_names() {
    let jobs = deactivated_without_journals();
    for task in ["plan-undo", "undo"] {
        let inputs = [("command", "remediate"), ("task", task), ("user", " ")];
        let refused = jobs.action(20.0, "workflow_dispatch", &inputs);
        assert_eq!(refused.code, 2, "{}", refused.log);
        assert!(refused.log.contains("an undo needs the input `user`"), "{}", refused.log);
    }
    let inputs = [("command", "remediate"), ("task", "undo"), ("user", "ci-deplyo")];
    let refused = jobs.action(20.0, "workflow_dispatch", &inputs);
    assert_eq!(refused.code, 2, "{}", refused.log);
    assert!(
        refused.log.contains("no audited account has a user named `ci-deplyo`"),
        "{}",
        refused.log
    );
    assert!(refused.log.contains("similar names: `ci-deploy`"), "{}", refused.log);
    assert_eq!(jobs.key_statuses(), ["Inactive"]);
}

#[test]
fn undo_workflow_needs_the_same_approval_as_the_remediation() {
    let (undo, remediation) = (jobs_of("undo.yml"), remediation_jobs());
    for key in ["environment", "concurrency", "permissions"] {
        assert_eq!(undo["undo"][key], remediation["apply"][key], "{key}");
    }
    assert_eq!(undo["plan"]["environment"], Value::Null);
    for (name, other) in [("undo", "apply"), ("plan", "plan")] {
        let with = |job: &Value| steps(job, ACTION)[0]["with"].clone();
        let (with, expected) = (with(&undo[name]), with(&remediation[other]));
        for input in ["role-to-assume", "journal", "other-journals"] {
            assert_eq!(with[input], expected[input], "{name}: {input}");
        }
    }
    // All actions have the same pins.
    let uses = |jobs: &Value| -> BTreeSet<String> {
        let jobs = jobs.as_object().unwrap().values();
        let steps = jobs.flat_map(|job| job["steps"].as_array().unwrap().clone());
        steps.map(|step| step["uses"].as_str().unwrap().to_owned()).collect()
    };
    assert!(uses(&undo).is_subset(&uses(&remediation)));
}
