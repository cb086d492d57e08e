//! Lists are paged with `MaxItems` and an opaque `Marker`.

use serde_json::json;

use crate::aws_stand_in::call::{Answer, call};
use stand_ins::aws::{Account, Seed, StandIn};

/// The names on all pages of a list, and the number of names on each page.
fn all_pages(
    account: &Account,
    action: &str,
    name: &str,
    fields: &[(&str, &str)],
) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut sizes, mut marker) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let mut fields = fields.to_vec();
        fields.extend(marker.as_deref().map(|it| ("Marker", it)));
        let answer = call(account, action, &fields);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.texts(name);
        sizes.push(page.len());
        names.extend(page);
        if answer.text("IsTruncated") == "false" {
            assert_eq!(answer.text("Marker"), "");
            return (names, sizes);
        }
        marker = Some(answer.text("Marker"));
    }
}

fn assert_rejected(answer: &Answer, part: &str) {
    assert_eq!(answer.error(), (400, "ValidationError".to_owned()));
    assert!(answer.text("Message").contains(part), "{}", answer.body);
}

#[test]
fn every_user_is_on_exactly_one_page() {
    let account = StandIn::shared().account(Seed::users(1_250, 3));
    for (size, pages) in [
        (None, vec![100; 12].into_iter().chain([50]).collect::<Vec<_>>()),
        (Some("1000"), vec![1_000, 250]),
        (Some("625"), vec![625, 625]),
    ] {
        let fields: Vec<_> = size.map(|it| ("MaxItems", it)).into_iter().collect();
        for (action, name) in
            [("iam:ListUsers", "UserName"), ("iam:GetAccountAuthorizationDetails", "UserId")]
        {
            let (mut names, sizes) = all_pages(&account, action, name, &fields);
            assert_eq!(sizes, pages, "{action}");
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 1_250, "{action}");
        }
    }
}

#[test]
fn every_list_of_a_user_is_paged() {
    let account = StandIn::shared().account(Seed::empty());
    let three = json!([{}, {}, {}]);
    account.change(json!([{ "create_user": {
        "name": "anna", "keys": three, "ssh_keys": three, "certificates": three,
        "service_credentials": three, "tags": { "a": "1", "b": "2", "c": "3" },
    } }]));
    for (action, name) in [
        ("iam:ListAccessKeys", "AccessKeyId"),
        ("iam:ListSSHPublicKeys", "SSHPublicKeyId"),
        ("iam:ListSigningCertificates", "CertificateId"),
        ("iam:ListServiceSpecificCredentials", "ServiceSpecificCredentialId"),
        ("iam:ListUserTags", "Key"),
    ] {
        let fields = [("UserName", "anna"), ("MaxItems", "2")];
        let (mut names, sizes) = all_pages(&account, action, name, &fields);
        names.dedup();
        assert_eq!((names.len(), sizes), (3, vec![2, 1]), "{action}");
    }
    let fields = [("AllUsers", "true"), ("MaxItems", "2")];
    let (names, sizes) =
        all_pages(&account, "iam:ListServiceSpecificCredentials", "UserName", &fields);
    assert_eq!((names.len(), sizes), (3, vec![2, 1]));
}

#[test]
fn page_may_be_shorter_than_requested() {
    let account = StandIn::shared().account(Seed::users(10, 3));
    account.faults(json!({ "short_pages": { "items": 4, "actions": ["ListUsers"] } }));
    let (names, sizes) = all_pages(&account, "iam:ListUsers", "UserName", &[("MaxItems", "1000")]);
    assert_eq!((names.len(), sizes), (10, vec![4, 4, 2]));
}

#[test]
fn change_between_two_pages_skips_no_user() {
    let account = StandIn::shared().account(Seed::empty());
    let names = ["anna", "bert", "cleo", "dora"];
    let users: Vec<_> = names.iter().map(|it| json!({ "create_user": { "name": it } })).collect();
    account.change(json!(users));
    let first = call(&account, "iam:ListUsers", &[("MaxItems", "2")]);
    account.change(json!([{ "delete_user": { "user": "anna" } }]));
    let fields = [("Marker", first.text("Marker"))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let second = call(&account, "iam:ListUsers", &fields);
    assert_eq!(second.texts("UserName"), ["cleo", "dora"]);
}

#[test]
fn invalid_sizes_and_markers_are_rejected() {
    let account = StandIn::shared().account(Seed::users(3, 3));
    let ask = |fields| call(&account, "iam:ListUsers", fields);
    assert_rejected(&ask(&[("MaxItems", "1001")]), "less than or equal to 1000");
    assert_rejected(&ask(&[("MaxItems", "0")]), "greater than or equal to 1");
    assert_rejected(&ask(&[("Marker", "2")]), "Invalid Marker.");
    let marker = ask(&[("MaxItems", "1")]).text("Marker");
    let other = StandIn::shared().account(Seed::users(3, 3));
    assert_rejected(&call(&other, "iam:ListUsers", &[("Marker", &marker)]), "Invalid Marker.");
    let details = call(&account, "iam:GetAccountAuthorizationDetails", &[("Marker", &marker)]);
    assert_rejected(&details, "Invalid Marker.");
}
