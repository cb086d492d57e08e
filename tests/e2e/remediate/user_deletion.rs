//! User deletions: a user without any use is deleted with everything the user has.

use serde_json::{Value, json};

use super::world::{ALLOWLIST, World};

/// The allowlist settings for user deletions.
pub(crate) const DELETION_SETTINGS: &str =
    "  delete_users: true\n  max_changes: 50\n  paths: ['/*']\n";

pub(crate) fn allowlist_with_deletions() -> String {
    format!("{ALLOWLIST}{DELETION_SETTINGS}")
}

/// A user with at least one of everything that IAM supports. `status` is the status of the
/// credentials.
pub(crate) fn everything(name: &str, status: &str) -> Value {
    let credential = json!({"created": 300, "status": status});
    let key = json!({"created": 300, "last_used": 200, "status": status});
    let of_service = |service: &str| json!({"service": format!("{service}.amazonaws.com"), "created": 300, "status": status});
    let document = json!({"Version": "2012-10-17", "Statement": [], "Id": "100 % + „é“"});
    json!({
        "name": name, "path": "/ci/", "created": 400, "tags": {"team": "none left"},
        "password": {"changed": 300, "last_used": 200},
        "keys": [key, key],
        "ssh_keys": [credential, credential],
        "certificates": [credential, credential],
        "service_credentials": [
            of_service("codecommit"), of_service("cassandra"), of_service("bedrock"),
        ],
        "mfa": ["GAHT12345678", format!("mfa/phones/{name}"), format!("u2f/user/{name}/key")],
        "groups": ["admins", "/teams/web", "/teams/data"],
        "inline_policies": {"first": document, "second": document, "third": document},
        "attached_policies": ["team-data", "team-mobile", "team-web"],
        "boundary": "team-boundary",
    })
}

/// Adds a user whose deletion is due on day 0.
pub(crate) fn add_due(world: &World, mut user: Value) {
    let clock = format!("notified since={} seen={}", world.written(-40.0), world.written(-1.0));
    user["tags"]["iam-stocktake:user"] = json!(clock);
    user["tags"]["iam-stocktake:password"] = json!(clock);
    world.account.change(json!([{"create_user": user}]));
}

/// An account with one such user.
fn due(user: Value) -> World {
    let world = World::new(&allowlist_with_deletions(), json!([]));
    add_due(&world, user);
    world.account.reset_log();
    world
}

/// A user with only an inactive key and an inline policy.
fn small() -> Value {
    let key = json!({"created": 300, "last_used": 200, "status": "Inactive"});
    json!({"name": "departed", "created": 400, "keys": [key], "inline_policies": ["first"]})
}

/// The only deletion record in the journal.
fn record(world: &World) -> Value {
    let mut records = world.journal();
    records.retain(|line| line["event"] == "deletion");
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

/// The calls that delete a user with everything.
const ORDER: [&str; 26] = [
    "iam:DeleteLoginProfile",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
    "iam:DeleteSigningCertificate",
    "iam:DeleteSigningCertificate",
    "iam:DeleteSSHPublicKey",
    "iam:DeleteSSHPublicKey",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeactivateMFADevice GAHT12345678",
    "iam:DeactivateMFADevice mfa/phones/departed",
    "iam:DeleteVirtualMFADevice mfa/phones/departed",
    "iam:DeactivateMFADevice u2f/user/departed/key",
    "iam:DeleteUserPolicy first",
    "iam:DeleteUserPolicy second",
    "iam:DeleteUserPolicy third",
    "iam:DetachUserPolicy policy/team-data",
    "iam:DetachUserPolicy policy/team-mobile",
    "iam:DetachUserPolicy policy/team-web",
    "iam:RemoveUserFromGroup admins",
    "iam:RemoveUserFromGroup data",
    "iam:RemoveUserFromGroup web",
    "iam:DeleteUser",
];

/// The calls that write, with the name of what they remove.
fn calls(world: &World) -> Vec<String> {
    let read = |action: &str| {
        ["Get", "List", "Generate", "Assume"].iter().any(|it| action.starts_with(it))
    };
    let log = world.account.log().into_iter().filter(|call| !read(&call.action));
    log.map(|call| {
        let names = ["SerialNumber", "PolicyName", "PolicyArn", "GroupName"];
        let name = names.iter().find_map(|name| call.parameters.get(*name));
        let name = name.map(|it| it.rsplit_once("::").map_or(it.as_str(), |(_, it)| it));
        let name = name.map(|it| it.split_once(':').map_or(it, |(_, name)| name));
        format!("{} {}", call.name(), name.unwrap_or_default()).trim_end().to_owned()
    })
    .collect()
}

#[test]
fn user_with_everything_is_deleted_after_all_stages() {
    let world = World::new(&allowlist_with_deletions(), json!([everything("departed", "Active")]));
    // Each list has several pages.
    world.account.faults(json!({"short_pages": {"items": 2}}));
    world.apply(0.0);
    let is_user = |tag: &String| tag.starts_with("user ");
    assert_eq!(world.tags("departed").len(), 10);
    assert!(!world.tags("departed").iter().any(is_user));
    world.apply(14.0);
    let tags = world.tags("departed");
    assert_eq!(tags.iter().filter(|tag| tag.contains(" deactivated ")).count(), 9, "{tags:?}");
    assert!(!tags.iter().any(is_user), "{tags:?}");
    world.apply(15.0);
    assert!(world.tags("departed").iter().any(is_user));
    assert!(!world.plan(44.9).stdout.contains("delete the user"));
    let before = world.user("departed");

    world.account.reset_log();
    let run = world.apply(45.0);
    let row = format!(
        "Changed:\n  {} departed: delete the user and everything that belongs to the user",
        world.account.id()
    );
    assert!(run.stdout.contains(&row), "{}", run.stdout);
    assert_eq!(calls(&world), ORDER);
    assert_eq!(world.user("departed"), Value::Null);
    assert_eq!(world.account.virtual_mfa_devices(), [""; 0]);
    // A deleted user is not fetched again.
    world.account.reset_log();
    world.apply(46.0);
    assert!(!world.account.counts().contains_key("iam:GetUser"));
    assert_record_recreates_the_user(&world, &before);
}

/// Creates the user again from the journal, and compares.
fn assert_record_recreates_the_user(world: &World, before: &Value) {
    let record = record(world);
    let holdings = &record["holdings"];
    let inline = holdings["inline_policies"].as_array().unwrap().iter();
    let document =
        |it: &Value| -> Value { serde_json::from_str(it["document"].as_str().unwrap()).unwrap() };
    let inline: serde_json::Map<_, _> =
        inline.map(|it| (it["name"].as_str().unwrap().to_owned(), document(it))).collect();
    assert_eq!(inline["first"]["Id"], "100 % + „é“");
    let attached = holdings["attached_policies"].as_array().unwrap().iter();
    let attached: Vec<_> =
        attached.map(|arn| arn.as_str().unwrap().rsplit_once('/').unwrap().1).collect();
    world.account.change(json!([{"create_user": {
        "name": record["user"], "path": record["path"], "tags": record["tags"],
        "groups": holdings["groups"], "inline_policies": inline, "attached_policies": attached,
        "boundary": holdings["permissions_boundary"],
    }}]));
    let after = world.user("departed");
    for part in ["name", "path", "tags", "groups", "inline", "attached", "boundary"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(holdings["mfa_devices"].as_array().unwrap().len(), 3);
    let arn = format!("arn:aws:iam::{}:user/ci/departed", world.account.id());
    assert_eq!(record["arn"], arn);
}

#[test]
fn deletion_includes_what_is_added_during_the_run() {
    let world = due(small());
    let (code, output) = world.interrupted(0.0, "DeleteUser", || {
        world.account.change(json!([
            {"add_key": {"user": "departed", "created": 300, "status": "Inactive"}},
            {"add_mfa": {"user": "departed", "device": "mfa/late"}},
            {"put_policies": {"user": "departed", "policies": ["late"]}},
        ]));
    });
    assert_eq!(code, 0, "{output}");
    assert_eq!(world.user("departed"), Value::Null);
    assert_eq!(world.account.virtual_mfa_devices(), [""; 0]);
    // The record contains what existed at the start.
    assert_eq!(record(&world)["holdings"]["inline_policies"].as_array().unwrap().len(), 1);
}

#[test]
fn unexplained_conflict_is_retried_a_few_times() {
    for (most, code) in [(2, 0), (100, 4)] {
        let world = due(small());
        let conflict = json!({"max": most, "actions": ["DeleteUser"], "code": "DeleteConflict", "status": 409});
        world.account.faults(json!({"error": conflict}));
        let run = world.run(0.0, &["--apply"]);
        assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
        assert_eq!(world.user("departed").is_null(), code == 0);
        assert_eq!(run.stdout.contains("iam:DeleteUser failed: DeleteConflict"), code == 4);
    }
}

#[test]
fn new_active_key_stops_the_deletion() {
    let world = due(small());
    let (code, output) = world.interrupted(0.0, "DeleteUser", || {
        world.account.change(json!([{"add_key": {"user": "departed", "created": 300}}]));
    });
    assert_eq!(code, 4, "{output}");
    assert!(output.contains("Not changed, because the plan is outdated:"), "{output}");
    assert!(world.journal().iter().any(|line| line["event"] == "skipped"));
    assert_eq!(world.key_statuses("departed"), ["Active"]);

    // A user who was active again gets the full number of days.
    world.apply(1.0);
    world.account.change(json!([{"set_key_status": {"user": "departed", "status": "Inactive"}}]));
    world.apply(2.0);
    world.apply(3.0);
    world.apply(31.0);
    assert!(!world.user("departed").is_null());
    world.apply(40.0);
    assert_eq!(world.user("departed"), Value::Null);
}
