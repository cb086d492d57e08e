//! The JSON Schema of the allowlist: it is current, strict, and has only keys that the program reads.
//!
//! `UPDATE_EXPECT=1 cargo test --test unit schemas` rewrites the committed file.

use std::collections::BTreeSet;
use std::path::Path;

use crate::allowlists::{Fixture, fixtures, today};
use iam_stocktake::allowlist::{self, CredentialSelector, DiagnosticCode};
use iam_stocktake::model::policy::remediation::RemediationPolicy;
use iam_stocktake::model::policy::{Level, Rule};
use serde_json::{Value, json};
use stand_ins::expect::Expectations;
use stand_ins::jsonschema::{self, Validator};
use stand_ins::proptest::prelude::*;

/// Problems that a schema cannot detect, because they depend on the day or on the content of text.
const BEYOND_A_SCHEMA: [DiagnosticCode; 3] = [
    DiagnosticCode::ExpiresTooFar,
    DiagnosticCode::FullAccessKeyId,
    DiagnosticCode::DuplicateAccount,
];

/// Files that cannot be converted to JSON, so a schema does not apply.
const BEYOND_JSON: [&str; 4] = ["duplicate-key", "not-utf8", "syntax", "wrong-type-for-merge"];

fn validator() -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&allowlist::schema())
        .expect("the schema is one")
}

/// The file as JSON, read as YAML 1.2 like in an editor; `None` if that is impossible.
fn as_json(fixture: &Fixture) -> Option<Value> {
    let text = std::str::from_utf8(&fixture.bytes).ok()?;
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).ok()
}

#[test]
fn committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/allowlist.schema.json");
    let schema = serde_json::to_string_pretty(&allowlist::schema()).unwrap() + "\n";
    let mut expectations = Expectations::default();
    expectations.check(&path, &schema);
    expectations.finish();
}

#[test]
fn schema_is_a_good_one_of_draft_2020_12() {
    let schema = allowlist::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::meta::is_valid(&schema));
}

/// Asserts that the schema and the check agree on a file.
#[track_caller]
fn assert_agreement(schema: &Validator, file: &Value) {
    let valid = schema.is_valid(file);
    // JSON is YAML.
    match allowlist::parse(file.to_string().as_bytes(), today()) {
        Ok(_) => assert!(valid, "the check accepts, the schema does not:\n{file:#}"),
        Err(problems) if valid => {
            let beyond = problems.iter().all(|it| BEYOND_A_SCHEMA.contains(&it.code));
            assert!(beyond, "the schema accepts, the check does not:\n{problems:#?}\n{file:#}");
        }
        Err(_) => {}
    }
}

#[test]
fn schema_accepts_valid_files_and_rejects_what_a_schema_can_detect() {
    let schema = validator();
    for fixture in fixtures() {
        let beyond_json = BEYOND_JSON.iter().any(|start| fixture.name().starts_with(start));
        let file = as_json(&fixture);
        assert_eq!(file.is_none(), beyond_json, "{}", fixture.name());
        if let Some(file) = file {
            assert_agreement(&schema, &file);
        }
    }
}

#[test]
fn schema_rejects_each_invalid_exemption_and_key() {
    let schema = validator();
    for file in fixtures().iter().filter_map(as_json) {
        let exemptions = file.get("exemptions").and_then(Value::as_array);
        for exemption in exemptions.into_iter().flatten() {
            assert_agreement(&schema, &json!({ "version": 1, "exemptions": [exemption] }));
        }
        for part in ["policy", "remediation"] {
            let entries = file.get(part).and_then(Value::as_object);
            for (key, value) in entries.into_iter().flatten() {
                assert_agreement(&schema, &json!({ "version": 1, part: { key: value } }));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schema_and_check_agree_on_any_value(
        key in prop::sample::select(vec!["user", "pattern", "account", "user_id", "reason", "owner"]),
        text in prop_oneof![
            r"\PC{0,6}", "[a-zA-Z0-9_+=,.@*/-]{0,70}", "[0-9]{11,13}", "AIDA[A-Z0-9a]{11,13}",
            r"[\s\u{a0}\u{85}\u{feff}]{0,3}", "[*]{0,3}[a-c]{2,4}[*]{0,3}",
        ],
    ) {
        let mut exemption = json!({
            "user": "ci-deploy", "reason": "Moves to OIDC", "owner": "@acme", "expires": "2027-03-31"
        });
        if key == "pattern" {
            exemption.as_object_mut().unwrap().remove("user");
        }
        exemption[key] = Value::from(text);
        assert_agreement(&validator(), &json!({ "version": 1, "exemptions": [exemption] }));
    }

    #[test]
    fn schema_and_check_agree_on_any_credential_rule_date_and_number(
        credential in "(password|access-key)?(:?[A-Za-z0-9]{4})?",
        rule in prop_oneof!["(stale|old)-(password|service-credential)", Just("unlisted-user".to_owned())],
        month in 0..14, day in 0..33,
        days in prop_oneof![-1_i64..3, 3_649_i64..3_652],
        expiry_tag in prop::option::of("[ a]{0,2}"),
        level in prop::sample::select(vec!["off", "notice", "Error", ""]),
    ) {
        let schema = validator();
        let exemption = json!({
            "user": "ci-deploy", "reason": "Moves to OIDC", "owner": "@acme", "expires": "2026-12-31"
        });
        for (key, value) in [
            ("credentials", json!([credential])),
            ("rules", json!([rule])),
            ("expires", json!(format!("2026-{month:02}-{day:02}"))),
        ] {
            let mut exemption = exemption.clone();
            exemption[key] = value;
            assert_agreement(&schema, &json!({ "version": 1, "exemptions": [exemption] }));
        }
        let mut policy = json!({ "stale_after_days": days, "rules": { "expired-user": level } });
        if let Some(tag) = expiry_tag {
            policy["expiry_tag"] = Value::from(tag);
        }
        assert_agreement(&schema, &json!({ "version": 1, "policy": policy }));
    }

    #[test]
    fn schema_and_check_agree_on_any_remediation_policy(
        days in prop_oneof![-1_i64..3, 3_649_i64..3_652],
        changes in prop_oneof![-1_i64..3, 999_i64..1_002],
        share in prop_oneof![-1_i64..3, 99_i64..102],
        boolean in prop::sample::select(vec![
            json!(true), json!(false), json!("true"), json!("yes"), json!(1), Value::Null,
        ]),
        is_deletion_dated in any::<bool>(),
        owner in prop_oneof![r"[\s\u{85}\u{feff}]{0,2}", r"\PC{0,6}"],
        path in prop_oneof!["[/a*]{0,6}", "/[ -~]{0,3}/", r"/\PC{0,3}/[*]{0,2}"],
    ) {
        let schema = validator();
        let entries = [
            ("deactivate_after_days", json!(days)),
            ("max_gap_days", json!(days)),
            ("max_changes", json!(changes)),
            ("max_share", json!(share)),
            ("delete_passwords", boolean.clone()),
            ("delete_users", boolean),
            ("owners", json!(["*", owner])),
            ("paths", json!(["/", path])),
        ];
        for (key, value) in entries {
            let mut remediation = json!({ key: value });
            if is_deletion_dated {
                remediation["delete_after_days"] = Value::from(90);
            }
            assert_agreement(&schema, &json!({ "version": 1, "remediation": remediation }));
        }
    }
}

#[test]
fn schema_and_check_require_delete_after_days_to_delete_users() {
    let schema = validator();
    let with = |remediation: Value| json!({ "version": 1, "remediation": remediation });
    for (remediation, is_valid) in [
        (json!({ "delete_users": true }), false),
        (json!({ "delete_users": true, "delete_after_days": 90 }), true),
        (json!({ "delete_users": false }), true),
        (json!({ "delete_after_days": 90 }), true),
    ] {
        let file = with(remediation);
        assert_eq!(schema.is_valid(&file), is_valid, "{file:#}");
        assert_agreement(&schema, &file);
    }
}

/// The names of all properties in a schema, at any depth.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if let ("properties", Some(known)) = (key.as_str(), value.as_object()) {
                    into.extend(known.keys().cloned());
                }
                properties(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, into)),
        _ => {}
    }
}

/// The keys of all mappings in a file.
fn keys(file: &Value, into: &mut BTreeSet<String>) {
    match file {
        Value::Object(object) => {
            for (key, value) in object {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_schema_is_read() {
    let fixtures = fixtures();
    let full = fixtures.iter().find(|it| it.name() == "valid-every-key").unwrap();

    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    properties(&allowlist::schema(), &mut known);
    keys(&as_json(full).unwrap(), &mut used);
    let unused: Vec<_> = known.difference(&used).filter(|key| *key != "expired-user").collect();
    assert!(unused.is_empty(), "add {unused:?} to tests/allowlists/valid-every-key, and below");

    let allowlist = allowlist::parse(&full.bytes, today()).unwrap();
    let policy = &allowlist.policy;
    assert_eq!(policy.stale_after_days, Some(45));
    assert_eq!(policy.max_exemption_days, Some(400));
    assert_eq!(policy.expiry_tag.as_deref(), Some("expires-on"));
    let levels: Vec<_> = policy.levels.iter().map(|(rule, level)| (*rule, *level)).collect();
    assert_eq!(
        levels,
        [(Rule::StalePassword, Level::Off), (Rule::UnrotatedAccessKey, Level::Warning)]
    );

    let [user, pattern] = allowlist.exemptions.as_slice() else { panic!("two exemptions") };
    assert_eq!(user.user.as_str(), "ci-deploy");
    assert_eq!(user.account, Some("111122223333".parse().unwrap()));
    assert_eq!(user.user_id.as_deref(), Some("AIDACKCEVSQ6C2EXAMPLE"));
    assert_eq!(
        user.credentials,
        [
            CredentialSelector::Password,
            CredentialSelector::AccessKey,
            CredentialSelector::AccessKeyEnding("WXYZ".to_owned()),
        ]
    );
    assert_eq!(user.rules, [Rule::UnrotatedAccessKey]);
    assert_eq!(user.reason, "Legacy Jenkins agent, moves to OIDC in Q1 (PLAT-123)");
    assert_eq!(user.owner, "@acme/platform");
    assert_eq!(user.expires.to_string(), "2027-03-31");
    assert_eq!((user.place.line, user.place.column), (9, 5));

    assert_eq!(pattern.user.as_str(), "ses-smtp-*");
    assert_eq!((pattern.account, pattern.user_id.as_ref()), (None, None));
    assert_eq!(pattern.credentials, []);
    assert_eq!(pattern.rules, Rule::disuse_rules());
    assert_eq!(pattern.owner, "@acme/mail");
    assert_eq!(pattern.expires.to_string(), "2027-06-30");

    let remediation = RemediationPolicy {
        deactivate_after_days: 30,
        delete_after_days: Some(60),
        delete_passwords: true,
        delete_users: true,
        max_changes: 20,
        max_share: 25,
        max_gap_days: 10,
        owners: vec!["team-platform".to_owned(), "@acme/mail".to_owned()],
        paths: vec!["/".parse().unwrap(), "/ci/*".parse().unwrap()],
        rules: vec![Rule::StaleAccessKey, Rule::OldServiceCredential],
    };
    assert!(!allowlist.exemptions[0].protects_user && allowlist.exemptions[1].protects_user);
    assert_eq!(allowlist.remediation, Some(remediation));

    let [former] = allowlist.former_accounts.as_slice() else { panic!("one former account") };
    assert_eq!(former.account.to_string(), "012345678901");
    assert_eq!(former.reason, "Closed in June (CLOUD-12)");
    assert_eq!(former.owner, "@acme/platform");
    assert_eq!((former.place.line, former.place.column), (33, 5));
}

#[test]
fn empty_remediation_policy_has_the_defaults_and_a_missing_one_is_none() {
    let remediation = |file: &str| allowlist::parse(file.as_bytes(), today()).unwrap().remediation;
    assert_eq!(remediation("version: 1\n"), None);
    let careful = RemediationPolicy::default();
    assert_eq!(remediation("version: 1\nremediation: {}\n"), Some(careful.clone()));
    assert_eq!(
        remediation("version: 1\nremediation: { delete_after_days: 90, max_share: 20 }\n"),
        Some(RemediationPolicy { delete_after_days: Some(90), max_share: 20, ..careful })
    );
}
