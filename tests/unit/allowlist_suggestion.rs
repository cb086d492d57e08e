//! Suggested exemptions: valid YAML for any user name, and rejected until the reason and owner are
//! filled in.

use chrono::NaiveDate;
use iam_stocktake::allowlist::{
    self, Allowlist, CredentialSelector, DiagnosticCode, SuggestedExemption,
};
use iam_stocktake::model::policy::Rule;
use serde_json::Value;
use stand_ins::proptest::prelude::*;

fn day(text: &str) -> NaiveDate {
    allowlist::parse_day(text).expect("a day")
}

fn suggestion() -> SuggestedExemption {
    SuggestedExemption {
        user: "ci-deploy".to_owned(),
        account: "111122223333".to_owned(),
        user_id: Some("AIDACKCEVSQ6C2EXAMPLE".to_owned()),
        credentials: vec!["access-key:WXYZ".to_owned()],
        rules: vec![Rule::StaleAccessKey],
        expires: day("2026-09-28"),
    }
}

/// A file with an exemption, and the suggestion below it.
fn file(suggestion: &SuggestedExemption) -> String {
    let before = "version: 1\nexemptions:\n  - user: someone-else\n    reason: Moves to OIDC\n    \
                  owner: \"@acme/platform\"\n    expires: 2026-12-31\n";
    format!("{before}{suggestion}")
}

fn filled(file: &str) -> String {
    file.replace("reason: \"\"", "reason: Moves to OIDC").replace("owner: \"\"", "owner: \"@acme\"")
}

fn parse(file: &str) -> Result<Allowlist, Vec<(DiagnosticCode, String)>> {
    let problems = |problems: Vec<allowlist::Diagnostic>| {
        problems.into_iter().map(|it| (it.code, it.message)).collect()
    };
    allowlist::parse(file.as_bytes(), day("2026-06-30")).map_err(problems)
}

/// The suggested exemption, read by another YAML parser.
fn pasted(file: &str) -> Value {
    let file: Value = serde_saphyr::from_str(file).expect("the suggestion is YAML");
    let exemptions = file["exemptions"].as_array().expect("a list");
    assert_eq!(exemptions.len(), 2, "one exemption is added: {exemptions:#?}");
    exemptions[1].clone()
}

#[test]
fn suggestion_has_the_format_of_the_documentation() {
    assert_eq!(
        suggestion().to_string(),
        "  - user: \"ci-deploy\"\n    \
             account: \"111122223333\"\n    \
             user_id: \"AIDACKCEVSQ6C2EXAMPLE\"\n    \
             credentials: [\"access-key:WXYZ\"]\n    \
             reason: \"\"\n    \
             owner: \"\"\n    \
             expires: 2026-09-28\n"
    );
}

#[test]
fn unknown_and_default_values_are_omitted() {
    let short = SuggestedExemption { user_id: None, credentials: Vec::new(), ..suggestion() };
    assert_eq!(
        short.to_string(),
        "  - user: \"ci-deploy\"\n    \
             account: \"111122223333\"\n    \
             reason: \"\"\n    \
             owner: \"\"\n    \
             expires: 2026-09-28\n"
    );
}

#[test]
fn only_the_empty_reason_and_owner_are_rejected() {
    let problems = parse(&file(&suggestion())).expect_err("reason and owner are missing");
    let expected = ["`reason` is empty", "`owner` is empty"];
    assert_eq!(problems, expected.map(|message| (DiagnosticCode::EmptyText, message.to_owned())));
}

#[test]
fn suggestion_with_reason_and_without_owner_is_rejected() {
    let file = file(&suggestion()).replace("reason: \"\"", "reason: Moves to OIDC");
    assert_eq!(parse(&file), Err(vec![(DiagnosticCode::EmptyText, "`owner` is empty".to_owned())]));
}

#[test]
fn suggestion_with_reason_and_owner_is_accepted() {
    let allowlist = parse(&filled(&file(&suggestion()))).expect("a good allowlist");
    let exemption = &allowlist.exemptions[1];
    assert_eq!(exemption.user.as_str(), "ci-deploy");
    assert_eq!(exemption.account, Some("111122223333".parse().unwrap()));
    assert_eq!(exemption.user_id.as_deref(), Some("AIDACKCEVSQ6C2EXAMPLE"));
    assert_eq!(exemption.credentials, [CredentialSelector::AccessKeyEnding("WXYZ".to_owned())]);
    assert_eq!(exemption.rules, Rule::disuse_rules());
    assert_eq!(exemption.expires, day("2026-09-28"));
}

#[test]
fn suggestion_for_another_rule_names_the_rule() {
    for rule in Rule::ALL {
        let suggestion = SuggestedExemption { rules: vec![rule], ..suggestion() };
        let allowlist = parse(&filled(&file(&suggestion))).expect("a good allowlist");
        assert!(allowlist.exemptions[1].rules.contains(&rule), "{rule}");
    }
}

#[test]
fn suggestion_for_the_root_user_is_accepted() {
    let root = SuggestedExemption {
        user: "<root_account>".to_owned(),
        user_id: None,
        rules: vec![Rule::RootAccessKey],
        ..suggestion()
    };
    assert!(parse(&filled(&file(&root))).is_ok());
}

/// Names that mean something else in YAML without quotes.
const HOSTILE: [&str; 24] = [
    "\"",
    "'",
    "it's \"quoted\"",
    "\\",
    "C:\\new\\table",
    "name # comment",
    "key: value",
    "a\n    reason: injected",
    "a\"\n  - user: injected",
    "a\r\nb",
    "a\u{85}b\u{2028}c\u{2029}d",
    "\u{feff}bom",
    "tab\there",
    "\u{7f}\u{9b}31m\u{1b}[31m",
    "@octocat",
    "*alias",
    "&anchor",
    "!tag",
    "[list]",
    "{map: 1}",
    "123",
    "true",
    "~",
    "日本 🦀",
];

#[test]
fn hostile_name_is_unchanged() {
    for name in HOSTILE {
        let suggestion = SuggestedExemption { user: name.to_owned(), ..suggestion() };
        assert_eq!(pasted(&file(&suggestion))["user"], *name, "{name:?}");
    }
}

#[test]
fn hostile_name_is_rejected_only_as_a_user_name() {
    for name in HOSTILE.iter().filter(|name| !["@octocat", "123", "true"].contains(name)) {
        let suggestion = SuggestedExemption { user: (*name).to_owned(), ..suggestion() };
        let problems = parse(&filled(&file(&suggestion))).expect_err("no user has this name");
        let codes: Vec<_> = problems.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [DiagnosticCode::InvalidUserName], "{name:?}");
    }
}

#[test]
fn name_that_looks_like_another_type_is_accepted() {
    for name in
        ["@octocat", "123", "true", "null", "0x10", "1e3", "2026-06-30", "=", "-", "--", ","]
    {
        let suggestion = SuggestedExemption { user: name.to_owned(), ..suggestion() };
        let allowlist = parse(&filled(&file(&suggestion))).expect("a good allowlist");
        assert_eq!(allowlist.exemptions[1].user.as_str(), name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_can_add_yaml_to_a_suggestion(
        user in any::<String>(), account in any::<String>(), credential in any::<String>(),
        user_id in prop::option::of(any::<String>()),
    ) {
        let suggestion = SuggestedExemption {
            user, account, user_id, credentials: vec![credential], ..suggestion()
        };
        let pasted = pasted(&file(&suggestion));
        prop_assert_eq!(&pasted["user"], &suggestion.user);
        prop_assert_eq!(&pasted["account"], &suggestion.account);
        prop_assert_eq!(&pasted["credentials"][0], &suggestion.credentials[0]);
        prop_assert_eq!(pasted["user_id"].as_str(), suggestion.user_id.as_deref());
        let keys = 6 + usize::from(suggestion.user_id.is_some());
        prop_assert_eq!(pasted.as_object().map(serde_json::Map::len), Some(keys));
    }
}
