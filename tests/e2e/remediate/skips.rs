//! What a run does not change, and how it reports that.

use serde_json::{Value, json};

use super::concurrent_change::run_with_change;
use super::world::{ALLOWLIST, World};

/// Users with these names, each with an access key that was last used 200 days ago.
pub(crate) fn stale(names: &[&str]) -> World {
    let user = |name: &&str| json!({"name": name, "created": 400, "keys": [{"created": 300, "last_used": 200}]});
    World::new(ALLOWLIST, names.iter().map(user).collect::<Vec<_>>().into())
}

/// The id of the first access key of a user.
pub(crate) fn key_of(world: &World, name: &str) -> String {
    world.user(name)["keys"][0]["id"].as_str().unwrap().to_owned()
}

/// Runs with the access key of a user instead of the role.
fn run_as_user(world: &World, name: &str, day: f64, arguments: &[&str]) -> String {
    let mut command = world.command(day, arguments);
    command.env("AWS_ACCESS_KEY_ID", key_of(world, name)).env_remove("AWS_SESSION_TOKEN");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn user_whose_key_the_run_uses_is_skipped() {
    let world = stale(&["deployer", "other"]);
    for day in [0.0, 14.0] {
        let stdout = run_as_user(&world, "deployer", day, &["--apply"]);
        assert!(stdout.contains("deployer: this run uses the user's credentials"), "{stdout}");
    }
    assert_eq!(world.key_statuses("deployer"), ["Active"]);
    assert_eq!(world.tags("deployer"), [""; 0]);
    assert_eq!(world.key_statuses("other"), ["Inactive"]);
}

#[test]
fn user_of_the_run_is_recognized_by_a_name_with_capitals() {
    let world = stale(&["Deployer"]);
    for day in [0.0, 14.0] {
        let stdout = run_as_user(&world, "Deployer", day, &["--apply"]);
        assert!(stdout.contains("Deployer: this run uses the user's credentials"), "{stdout}");
    }
    assert_eq!(world.key_statuses("Deployer"), ["Active"]);
}

#[test]
fn user_whose_key_assumes_the_role_is_skipped() {
    let world = stale(&["deployer", "other"]);
    let role = world.account.role_arn().to_owned();
    for day in [0.0, 14.0] {
        let arguments = ["--apply", "--role-to-assume", &role];
        let stdout = run_as_user(&world, "deployer", day, &arguments);
        assert!(stdout.contains("deployer: this run uses the user's credentials"), "{stdout}");
    }
    assert_eq!(world.key_statuses("deployer"), ["Active"]);
    assert_eq!(world.key_statuses("other"), ["Inactive"]);
}

#[test]
fn key_used_during_the_run_is_skipped() {
    let world = stale(&["anna", "bert", "carl"]);
    world.apply(0.0);
    let used = json!([{"use_key": {"user": "bert", "at": 0}}]);
    let run = run_with_change(
        &world,
        (14.0, &["--apply"]),
        ("UpdateAccessKey", 1),
        || {
            world.account.change(used);
        },
        json!({}),
    );
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    let message = "Not changed, because the plan is outdated:\n";
    let message = run.stdout.split_once(message).unwrap_or_else(|| panic!("{}", run.stdout)).1;
    assert!(
        message.contains("bert, access key …") && message.contains("it was used on "),
        "{message}"
    );
    for (name, status) in [("anna", "Inactive"), ("bert", "Active"), ("carl", "Inactive")] {
        assert_eq!(world.key_statuses(name), [status], "{name}");
    }
    let journal = world.journal();
    let skipped: Vec<_> = journal.iter().filter(|it| it["event"] == "skipped").collect();
    assert_eq!((skipped.len(), &skipped[0]["user"]), (1, &json!("bert")));
}

#[test]
fn user_changed_during_the_run_is_skipped() {
    for (what, change) in [
        ("tag removed", json!({"untag_user": {"user": "bert", "keys": ["iam-stocktake:KEY"]}})),
        ("deactivated", json!({"set_key_status": {"user": "bert", "status": "Inactive"}})),
        ("deleted", json!({"delete_key": {"user": "bert"}})),
        ("user deleted", json!({"delete_user": {"user": "bert"}})),
        ("owner changed", json!({"tag_user": {"user": "bert", "tags": {"owner": "mail"}}})),
        ("path changed", json!({"rename_user": {"user": "bert", "path": "/ci/"}})),
    ] {
        let world = stale(&["anna", "bert"]);
        world.apply(0.0);
        let tag = format!("access-key:{}", key_of(&world, "bert"));
        let change: Value = serde_json::from_str(&change.to_string().replace("KEY", &tag)).unwrap();
        world.account.reset_log();
        let run = run_with_change(
            &world,
            (14.0, &["--apply"]),
            ("UpdateAccessKey", 1),
            || {
                world.account.change(json!([change]));
            },
            json!({}),
        );
        assert_eq!(run.code, 4, "{what}: {}{}", run.stdout, run.stderr);
        let log = world.account.log();
        let writes = ["UpdateAccessKey", "TagUser", "UntagUser"];
        let changed = log.iter().filter(|it| writes.contains(&it.action.as_str()));
        let changed: Vec<_> = changed.map(|it| it.parameters["UserName"].as_str()).collect();
        assert!(
            changed.iter().all(|it| *it == "anna") && !changed.is_empty(),
            "{what}: {changed:?}"
        );
    }
}

#[test]
fn only_the_user_with_denied_evidence_is_skipped() {
    let world = stale(&["anna", "bert"]);
    world.apply(0.0);
    let denied = format!("arn:aws:iam::{}:user/anna", world.account.id());
    let policy = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": action, "Resource": denied},
        ]})
    };
    world.account.policy(policy("iam:ListSSHPublicKeys"));
    let run = world.run(14.0, &["--apply"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("anna: evidence is missing: iam:ListSSHPublicKeys"),
        "{}",
        run.stdout
    );
    assert_eq!(world.key_statuses("anna"), ["Active"]);
    assert_eq!(world.key_statuses("bert"), ["Inactive"]);
    world.account.policy(Value::Null);
    world.apply(14.0);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn missing_evidence_about_one_user_keeps_the_tags_of_others() {
    let user = |name: &str| {
        json!({
            "name": name, "created": 400, "password": {"changed": 300, "last_used": 200},
        })
    };
    let world = World::new(
        &format!("{ALLOWLIST}  delete_users: true\n"),
        json!([user("anna"), user("bert")]),
    );
    for day in [0.0, 14.0] {
        world.apply(day);
    }
    let before = world.tags("bert");
    assert_eq!(before.len(), 2, "{before:?}");
    let denied = format!("arn:aws:iam::{}:user/anna", world.account.id());
    world.account.policy(json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:GetLoginProfile", "Resource": denied},
    ]}));
    for day in [20.0, 44.0] {
        let run = world.run(day, &["--apply"]);
        assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains("in use"), "{}", run.stdout);
        let since = |tags: &[String]| {
            let since = tags.iter().map(|it| it.split(" seen=").next().unwrap().to_owned());
            since.collect::<Vec<_>>()
        };
        assert_eq!(since(&world.tags("bert")), since(&before), "day {day}");
    }
    // The days kept counting meanwhile.
    world.account.policy(Value::Null);
    world.apply(45.0);
    assert_eq!(world.user("bert"), Value::Null);
}

#[test]
fn title_says_that_evidence_is_missing() {
    let world = stale(&["anna"]);
    world.account.faults(json!({"deny": ["ListSSHPublicKeys"]}));
    let run = world.run(0.0, &["--format", "markdown"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    let title = "# IAM remediation: incomplete, nothing to change in the available evidence\n";
    assert!(run.stdout.starts_with(title), "{}", run.stdout);
    assert!(run.stdout.contains("> - 1 user has incomplete evidence"), "{}", run.stdout);
    let run = world.run(0.0, &["--apply"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.starts_with("Incomplete: evidence is missing"), "{}", run.stdout);
}

#[test]
fn changes_that_remove_access_are_always_listed_first() {
    let world = stale(&["zoe", "zack"]);
    world.apply(0.0);
    let new = |n: usize| {
        json!({"create_user": {
            "name": format!("anna-{n}"), "created": 400, "keys": [{"created": 300, "last_used": 200}],
        }})
    };
    world.account.change((0..4).map(new).collect::<Vec<_>>().into());
    world.set_day(14.0);
    let now = world.written(14.0);
    let arguments = ["remediate", "--now", &now, "--allowlist", "allow.yml", "--apply"];
    let mut command = world.sandbox.command(&arguments);
    command.env("HOME", world.sandbox.path("home")).envs(world.account.environment());
    let ran = stand_ins::sandbox::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for (message, title) in [(&ran.stderr, "To be changed:\n"), (&ran.stdout, "Changed:\n")] {
        let list = message.split_once(title).unwrap_or_else(|| panic!("{message}")).1;
        let rows: Vec<_> = list.lines().take(4).collect();
        assert!(rows[0].contains("deactivate") && rows[1].contains("deactivate"), "{message}");
        assert!(rows[2].contains("anna-0") && rows[2].contains("give notice"), "{message}");
        assert!(rows[3].contains("anna-1") && rows[3].contains("give notice"), "{message}");
    }
}

#[test]
fn incomplete_rule_deactivates_nothing() {
    let world = stale(&["anna", "bert"]);
    world.apply(0.0);
    world.account.faults(json!({"deny": ["GetCredentialReport"]}));
    world.account.reset_log();
    let run = world.run(14.0, &["--apply"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert_eq!(world.writes(), [""; 0], "{}", run.stdout);
    world.account.faults(json!({}));
    world.apply(14.0);
    assert_eq!(world.key_statuses("anna"), ["Inactive"]);
}

#[test]
fn limits_let_the_rest_wait_for_the_next_run() {
    for (limit, message) in [
        (
            "max_share: 100, max_changes: 2",
            "3 deactivations and deletions are due, but `max_changes` allows 2 per run",
        ),
        ("max_share: 50", "3 of 4 users are due, but `max_share` allows 2 per run"),
    ] {
        let world = stale(&["anna", "bert", "carl"]);
        let more = json!({"name": "dora", "keys": [{"created": 300, "last_used": 200}]});
        world.apply(0.0);
        world.account.change(json!([{"create_user": more}]));
        world.allow(&format!("version: 1\nremediation: {{max_gap_days: 20, {limit}}}\n"));
        assert_eq!(world.plan(14.0).code, 0);
        world.account.reset_log();
        let run = world.run(14.0, &["--apply", "--plan", "plan.json"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let rest =
            run.stdout.split_once("Waiting, because the run's limit is reached:\n").unwrap().1;
        assert!(rest.starts_with(&format!("  {}", account_prefix(&world, message))), "{rest}");
        let inactive = || {
            let all = ["anna", "bert", "carl"].iter().flat_map(|name| world.key_statuses(name));
            all.filter(|status| status == "Inactive").count()
        };
        assert_eq!(inactive(), 2);
        // The tag of the user who waits is renewed, and the new user gets a notice.
        assert_eq!(world.writes().iter().filter(|it| *it == "iam:TagUser").count(), 4);
        let run = world.apply(15.0);
        assert!(!run.stdout.contains("Waiting, because"), "{}", run.stdout);
        assert_eq!(inactive(), 3);
    }
}

/// The line of a limit; `max_share` is for one account.
fn account_prefix(world: &World, message: &str) -> String {
    match message.contains("max_share") {
        true => format!("Account {}: {message}", world.account.id()),
        false => message.to_owned(),
    }
}

#[test]
fn nothing_is_changed_if_more_than_half_of_an_account_is_due() {
    let due = ["u0", "u1", "u2", "u3", "u4", "u5"];
    let world = stale(&due);
    let in_use = (0..3).map(|n| {
        json!({"create_user": {"name": format!("used-{n}"), "created": 400,
               "keys": [{"created": 300, "last_used": 1}]}})
    });
    world.account.change(in_use.collect::<Vec<_>>().into());
    world.apply(0.0);
    let more = json!({"name": "dora", "keys": [{"created": 300, "last_used": 200}]});
    world.account.change(json!([{"create_user": more}]));
    world.account.reset_log();
    let planned = world.plan(14.0);
    assert_eq!(planned.code, 1, "{}", planned.stderr);
    let message = "6 of 10 users are due, which is more than half";
    for arguments in [&["--apply"][..], &["--apply", "--plan", "plan.json"]] {
        let run = world.run(14.0, arguments);
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(message), "{}", run.stdout);
        assert_eq!(world.writes(), [""; 0]);
    }
    // The new user does not get a notice either.
    assert_eq!(world.tags("dora"), [""; 0]);
}

#[test]
fn users_with_unlisted_owners_and_paths_are_skipped() {
    let keys = json!([{"created": 300, "last_used": 200}]);
    let world = World::new(
        ALLOWLIST,
        json!([
            {"name": "owned", "tags": {"team": "mail"}, "keys": keys},
            {"name": "placed", "path": "/ci/", "keys": keys},
            {"name": "unowned", "tags": {"owner": "mail"}, "keys": keys},
        ]),
    );
    let arguments = ["--apply", "--owner-tags", "team"];
    let run = world.run(0.0, &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let skipped = run.stdout.split_once("Skipped:").unwrap_or_else(|| panic!("{}", run.stdout)).1;
    assert!(
        skipped.contains("owned: the owner, mail, is not listed in `remediation.owners`"),
        "{skipped}"
    );
    assert!(
        skipped.contains("placed: the path, /ci/, is not listed in `remediation.paths`"),
        "{skipped}"
    );
    let tag_counts = || ["owned", "placed", "unowned"].map(|it| world.tags(it).len());
    assert_eq!(tag_counts(), [0, 0, 1]);
    world.allow(&format!("{ALLOWLIST}  owners: [mail]\n  paths: [/, /ci/*]\n"));
    world.run(1.0, &arguments);
    assert_eq!(tag_counts(), [1, 1, 1]);
}

#[test]
fn nothing_is_applied_without_a_remediation_section() {
    let world = stale(&["anna"]);
    world.allow("version: 1\n");
    let run = world.run(0.0, &["--apply"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let message = "the allowlist has no `remediation`, which --apply requires";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(world.account.log().len(), 0);
    let planned = world.plan(0.0);
    assert_eq!(planned.code, 0, "{}", planned.stderr);
    assert!(planned.stderr.contains("so the plan uses the defaults"), "{}", planned.stderr);
    assert_eq!(planned.plan["plan"]["changes"].as_array().unwrap().len(), 1);
    assert_eq!(world.writes(), [""; 0]);
}

#[test]
fn nothing_is_changed_without_an_allowlist() {
    let world = stale(&["anna"]);
    std::fs::remove_file(world.sandbox.path("allow.yml")).unwrap();
    for arguments in [&["--apply"][..], &[]] {
        let run = world.run(0.0, arguments);
        assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("allow.yml"), "{}", run.stderr);
    }
    assert_eq!(world.account.log().len(), 0);
}

#[test]
fn audit_limits_the_users_and_they_are_rechecked() {
    let world = stale(&["anna", "bert", "carl"]);
    world.set_day(0.0);
    let now = world.written(0.0);
    let audit = world
        .sandbox
        .command(&[
            "audit",
            "--now",
            &now,
            "--quiet",
            "--allowlist",
            "none",
            "--output",
            "audit.json",
        ])
        .envs(world.account.environment())
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    // The gate fails.
    assert_eq!(audit.status.code(), Some(1), "{}", String::from_utf8_lossy(&audit.stderr));
    let changes = json!([
        {"use_key": {"user": "carl", "at": 0}},
        {"create_user": {"name": "dora", "keys": [{"created": 300, "last_used": 200}]}},
    ]);
    world.account.change(changes);
    let arguments = ["--apply", "--audit", "audit.json"];
    let run = world.run(0.0, &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let tag_counts = || ["anna", "bert", "carl", "dora"].map(|it| world.tags(it).len());
    assert_eq!(tag_counts(), [1, 1, 0, 0]);

    // A user with a notice but without a finding in the audit is not deactivated.
    world.apply(1.0);
    assert_eq!(tag_counts(), [1, 1, 0, 1]);
    let run = world.run(20.0, &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let statuses = ["anna", "bert", "carl", "dora"].map(|it| world.key_statuses(it)[0].clone());
    assert_eq!(statuses, ["Inactive", "Inactive", "Active", "Active"]);
}

#[test]
fn now_with_apply_requires_local_endpoints() {
    let world = stale(&["anna"]);
    let local = world.account.endpoint();
    let ignored = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
    for (what, variables) in [
        ("a remote endpoint", &[("AWS_ENDPOINT_URL", "https://iam.example")][..]),
        (
            "a remote endpoint with a local prefix",
            &[("AWS_ENDPOINT_URL", "http://127.0.0.1.iam.example")],
        ),
        (
            "a remote endpoint with a local user name",
            &[("AWS_ENDPOINT_URL", "http://127.0.0.1@iam.example")],
        ),
        ("no local endpoint", &[("AWS_ENDPOINT_URL", "")]),
        ("only IAM is local", &[("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_IAM", &local)]),
        ("only STS is local", &[("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_STS", &local)]),
        ("IAM is remote", &[("AWS_ENDPOINT_URL_IAM", "https://iam.example")]),
        ("STS is remote", &[("AWS_ENDPOINT_URL_STS", "https://iam.example")]),
        ("endpoints ignored", &[(ignored, "true")]),
        ("endpoints ignored, upper case", &[(ignored, "TRUE")]),
    ] {
        let mut command = world.command(0.0, &["--apply", "--timeout", "1"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{what}: {stderr}");
        assert!(stderr.contains("'--now' with '--apply' is only for tests"), "{what}: {stderr}");
        assert_eq!(world.account.log().len(), 0, "{what}");
    }
    let both = [("AWS_ENDPOINT_URL_IAM", &*local), ("AWS_ENDPOINT_URL_STS", &*local)];
    let mut command = world.command(0.0, &["--apply"]);
    let output = command.env("AWS_ENDPOINT_URL", "").envs(both).env(ignored, "False").output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    assert_eq!(world.tags("anna").len(), 1);
}

#[test]
fn root_findings_are_reported_and_not_changed() {
    for root in [
        json!({"keys": [{"created": 900, "last_used": 200}]}),
        json!({"certificates": [{"created": 900}]}),
    ] {
        assert_root_is_not_changed(root);
    }
}

fn assert_root_is_not_changed(root: Value) {
    let world = stale(&["anna"]);
    world.account.change(json!([{ "root": root }]));
    let run = world.apply(0.0);
    assert!(
        run.stdout
            .contains("<root_account>: only the root user can change the root user's credentials"),
        "{}",
        run.stdout
    );
    let run = world.run(14.0, &["--apply"]);
    assert!(!run.stdout.split("Skipped:").next().unwrap().contains("root"), "{}", run.stdout);
    let log = world.account.log();
    assert!(log.iter().all(|it| it.parameters.get("UserName").is_none_or(|it| it == "anna")));
}

#[test]
fn named_users_are_remediated_and_nobody_else() {
    let world = stale(&["anna", "bert", "carl"]);
    let run = world.run(0.0, &["--apply", "--user", "Anna", "--user", "bert"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(["anna", "bert", "carl"].map(|it| world.tags(it).len()), [1, 1, 0]);
    assert!(!run.stdout.contains("carl"), "{}", run.stdout);
    world.apply(0.0);

    // All safeguards apply: the stage, the waiting period, and exemptions.
    let one = ["--apply", "--user", "anna"];
    world.run(14.0, &[&one[..], &["--stage", "notify"]].concat());
    assert_eq!(world.key_statuses("anna"), ["Active"]);
    let expires = world.at(100.0).date_naive();
    let exempt = format!(
        "{ALLOWLIST}exemptions:\n  - {{user: anna, reason: r, owner: o, expires: {expires}}}\n"
    );
    world.allow(&exempt);
    let run = world.run(14.0, &[&one[..], &["--journal", "other.jsonl"]].concat());
    assert!(run.stdout.contains("exempt until"), "{}", run.stdout);
    assert_eq!(world.key_statuses("anna"), ["Active"]);
    world.allow(ALLOWLIST);

    let run = world.run(14.0, &["--output", "plan.json", "--user", "bert"]);
    assert_eq!((run.code, run.plan["plan"]["changes"].as_array().unwrap().len()), (0, 1));
    let run = world.run(14.0, &["--apply", "--plan", "plan.json"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let statuses = ["anna", "bert", "carl"].map(|it| world.key_statuses(it).concat());
    assert_eq!(statuses, ["Active", "Inactive", "Active"]);
}

#[test]
fn unknown_user_is_refused_with_near_names() {
    let world = stale(&["anna-deploy", "bert"]);
    world.account.reset_log();
    let run = world.run(0.0, &["--apply", "--user", "anna-dploy"]);
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    let message = "no audited account has a user named `anna-dploy`";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert!(run.stderr.contains("similar names: `anna-deploy`\n"), "{}", run.stderr);
    assert_eq!(world.writes(), [""; 0]);
}
