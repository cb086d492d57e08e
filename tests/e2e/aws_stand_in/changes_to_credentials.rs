//! Calls that change credentials, and their errors if something does not exist.

use serde_json::{Value, json};

use crate::aws_stand_in::call::call;
use stand_ins::aws::{Account, Seed, StandIn};

/// Each kind of credential: its field in the stand-in's user, the noun in its actions, its parameter,
/// and the error message.
const KINDS: [(&str, &str, &str, &str); 4] = [
    ("keys", "AccessKey", "AccessKeyId", "The Access Key with id none cannot be found."),
    (
        "ssh_keys",
        "SSHPublicKey",
        "SSHPublicKeyId",
        "The SSH Public Key with id none cannot be found.",
    ),
    (
        "certificates",
        "SigningCertificate",
        "CertificateId",
        "The Certificate with id none cannot be found.",
    ),
    (
        "service_credentials",
        "ServiceSpecificCredential",
        "ServiceSpecificCredentialId",
        "No such credential none exists",
    ),
];

fn account() -> Account {
    let account = StandIn::shared().account(Seed::empty());
    let one = json!({ "created": "2024-05-06T07:08:09Z" });
    account.change(json!([{ "create_user": {
        "name": "Anna", "password": { "last_used": "2026-01-02T03:04:05Z" },
        "keys": [{ "created": "2024-05-06T07:08:09Z", "last_used": "2026-01-02T03:04:05Z" }],
        "ssh_keys": [one], "certificates": [one], "service_credentials": [one],
        "mfa": ["GAHT12345678", "mfa/office/phone", "u2f/user/Anna/key-1"],
        "groups": ["/teams/web"], "inline_policies": ["own"], "attached_policies": ["shared"],
    } }]));
    account
}

/// Calls an action for Anna. Returns the status, the error code and its message.
fn act(account: &Account, action: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
    let fields = [&[("UserName", "anna")], fields].concat();
    let answer = call(account, &format!("iam:{action}"), &fields);
    (answer.status, answer.text("Code"), answer.text("Message"))
}

fn done() -> (u16, String, String) {
    (200, String::new(), String::new())
}

fn missing(message: &str) -> (u16, String, String) {
    (404, "NoSuchEntity".to_owned(), message.to_owned())
}

/// The id of Anna's only credential of a kind.
fn id(account: &Account, kind: &str) -> String {
    account.user("anna")[kind][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn credentials_can_be_deactivated_and_activated() {
    let account = account();
    for (kind, noun, field, _) in KINDS {
        let before = account.user("anna");
        let id = id(&account, kind);
        let set =
            |status| act(&account, &format!("Update{noun}"), &[(field, &id), ("Status", status)]);
        assert_eq!(set("Inactive"), done(), "{noun}");
        let mut expected = before.clone();
        expected[kind][0]["status"] = json!("Inactive");
        assert_eq!(account.user("anna"), expected, "{noun}");
        let list = if kind == "certificates" {
            "ListSigningCertificates"
        } else {
            &format!("List{noun}s")
        };
        let listed = call(&account, &format!("iam:{list}"), &[("UserName", "anna")]);
        assert_eq!(listed.text("Status"), "Inactive", "{noun}");
        assert!(listed.body.contains("2024-05-06T07:08:09Z"), "{noun}: {}", listed.body);
        assert_eq!(set("Active"), done(), "{noun}");
        assert_eq!(account.user("anna"), before, "{noun}");
        let (status, code, _) = set("Off");
        assert_eq!((status, code.as_str()), (400, "ValidationError"), "{noun}");
    }
}

#[test]
fn inactive_key_keeps_its_last_use() {
    let account = account();
    let id = id(&account, "keys");
    act(&account, "UpdateAccessKey", &[("AccessKeyId", &id), ("Status", "Inactive")]);
    let used = call(&account, "iam:GetAccessKeyLastUsed", &[("AccessKeyId", &id)]);
    assert_eq!(used.text("LastUsedDate"), "2026-01-02T03:04:05Z");
}

#[test]
fn deleting_credentials_twice_is_an_error() {
    let account = account();
    for (kind, noun, field, message) in KINDS {
        let id = id(&account, kind);
        assert_eq!(act(&account, &format!("Delete{noun}"), &[(field, "none")]), missing(message));
        let update = [(field, "none"), ("Status", "Inactive")];
        assert_eq!(act(&account, &format!("Update{noun}"), &update), missing(message));
        assert_eq!(act(&account, &format!("Delete{noun}"), &[(field, &id)]), done(), "{noun}");
        assert_eq!(account.user("anna")[kind], json!([]), "{noun}");
        let message = message.replace("none", &id);
        assert_eq!(act(&account, &format!("Delete{noun}"), &[(field, &id)]), missing(&message));
    }
}

#[test]
fn credential_of_another_user_is_not_found() {
    let account = account();
    account.change(json!([{ "create_user": { "name": "bert" } }]));
    for (kind, noun, field, _) in KINDS {
        let id = id(&account, kind);
        let fields = [("UserName", "bert"), (field, id.as_str())];
        let answer = call(&account, &format!("iam:Delete{noun}"), &fields);
        assert_eq!(answer.error(), (404, "NoSuchEntity".to_owned()), "{noun}");
    }
    assert_eq!(account.user("bert")["keys"], json!([]));
    assert_eq!(account.user("anna")["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn deleting_a_login_profile_twice_is_an_error() {
    let account = account();
    assert_eq!(act(&account, "DeleteLoginProfile", &[]), done());
    assert_eq!(account.user("anna")["password"], false);
    let again = missing("Login Profile for User Anna cannot be found.");
    assert_eq!(act(&account, "DeleteLoginProfile", &[]), again);
    let user = call(&account, "iam:GetUser", &[("UserName", "anna")]);
    assert_eq!(user.text("PasswordLastUsed"), "2026-01-02T03:04:05Z");
}

#[test]
fn deactivated_virtual_mfa_device_still_exists() {
    let account = account();
    let serials = account.user("anna")["mfa"].clone();
    let phone = format!("arn:aws:iam::{}:mfa/office/phone", account.id());
    let security_key = format!("arn:aws:iam::{}:u2f/user/Anna/key-1", account.id());
    assert_eq!(serials, json!(["GAHT12345678", phone, security_key]));
    let fields = [("UserName", "anna"), ("MaxItems", "2")];
    let listed = call(&account, "iam:ListMFADevices", &fields);
    assert_eq!(listed.texts("SerialNumber").len(), 2);
    let fields = [("UserName", "anna"), ("Marker", &listed.text("Marker"))];
    assert_eq!(call(&account, "iam:ListMFADevices", &fields).texts("SerialNumber").len(), 1);

    assert_eq!(account.virtual_mfa_devices(), [phone.as_str()]);
    let delete = || call(&account, "iam:DeleteVirtualMFADevice", &[("SerialNumber", &phone)]);
    assert_eq!(delete().error(), (409, "DeleteConflict".to_owned()));
    for serial in [phone.as_str(), "GAHT12345678", &security_key] {
        let serial = [("SerialNumber", serial)];
        assert_eq!(act(&account, "DeactivateMFADevice", &serial), done());
        let again = missing("MFA Device invalid for user.");
        assert_eq!(act(&account, "DeactivateMFADevice", &serial), again);
    }
    assert_eq!(account.user("anna")["mfa"], json!([]));
    assert_eq!(account.virtual_mfa_devices(), [phone.as_str()]);
    assert_eq!(delete().status, 200);
    assert_eq!(account.virtual_mfa_devices(), [""; 0]);
    assert_eq!(delete().error(), (404, "NoSuchEntity".to_owned()));
}

#[test]
fn removing_policies_and_groups_affects_only_the_user() {
    let account = account();
    account.change(json!([{ "create_user": {
        "name": "bert", "groups": ["web"], "inline_policies": ["own"],
        "attached_policies": ["shared"],
    } }]));
    let bert = account.user("bert");
    let shared = format!("arn:aws:iam::{}:policy/shared", account.id());
    for (action, field, kind, message) in [
        (
            "DeleteUserPolicy",
            ("PolicyName", "own"),
            "inline",
            "The user policy with name own cannot be found.",
        ),
        (
            "DetachUserPolicy",
            ("PolicyArn", shared.as_str()),
            "attached",
            &format!("Policy {shared} was not found."),
        ),
        ("RemoveUserFromGroup", ("GroupName", "web"), "groups", "User Anna not in group web"),
    ] {
        assert_eq!(act(&account, action, &[field]), done(), "{action}");
        assert_eq!(account.user("anna")[kind], json!([]), "{action}");
        assert_eq!(act(&account, action, &[field]), missing(message));
    }
    assert_eq!(account.user("bert"), bert);
    let no_group = missing("The group with name none cannot be found.");
    assert_eq!(act(&account, "RemoveUserFromGroup", &[("GroupName", "none")]), no_group);
    let policy = [("PolicyName", "own")];
    let gone = missing("The user policy with name own cannot be found.");
    assert_eq!(act(&account, "GetUserPolicy", &policy), gone);
}

#[test]
fn tests_can_set_each_status() {
    let account = account();
    let second = json!({ "user": "anna", "status": "Inactive" });
    account.change(json!([{ "add_ssh_key": { "user": "anna" } }]));
    let by_id = id(&account, "certificates");
    account.change(json!([
        { "set_key_status": second },
        { "set_ssh_key_status": { "user": "anna", "key": 2, "status": "Inactive" } },
        { "set_service_credential_status": second },
        { "set_certificate_status": {
            "user": "anna", "certificate": by_id, "status": "Inactive" } },
        { "add_mfa": { "user": "anna", "device": "mfa/tablet" } },
        { "put_policies": { "user": "anna", "policies": ["late"] } },
        { "attach_policy": { "user": "anna", "policy": "late" } },
    ]));
    let user = account.user("anna");
    let statuses = |kind: &str| -> Vec<Value> {
        user[kind].as_array().unwrap().iter().map(|it| it["status"].clone()).collect()
    };
    assert_eq!(statuses("keys"), ["Inactive"]);
    assert_eq!(statuses("ssh_keys"), ["Active", "Inactive"]);
    assert_eq!(statuses("service_credentials"), ["Inactive"]);
    assert_eq!(statuses("certificates"), ["Inactive"]);
    assert_eq!(user["mfa"].as_array().unwrap().len(), 4);
    assert_eq!(user["inline"], json!(["own", "late"]));
    assert_eq!(user["attached"].as_array().unwrap().len(), 2);
}
