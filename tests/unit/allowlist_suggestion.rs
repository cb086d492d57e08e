//! The exemption to paste: valid YAML whatever the user is called, refused until someone says why.

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

/// The file that the suggestion is pasted into, below an exemption that stands there already.
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

/// The exemption that was pasted, as any reader of YAML sees it.
fn pasted(file: &str) -> Value {
    let file: Value = serde_saphyr::from_str(file).expect("the suggestion is YAML");
    let exemptions = file["exemptions"].as_array().expect("a list");
    assert_eq!(exemptions.len(), 2, "one exemption is pasted: {exemptions:#?}");
    exemptions[1].clone()
}

#[test]
fn a_suggestion_is_written_as_the_documentation_writes_exemptions() {
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
fn what_is_unknown_or_goes_without_saying_is_left_out() {
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
fn a_suggestion_is_refused_for_nothing_but_its_empty_reason_and_owner() {
    let problems = parse(&file(&suggestion())).expect_err("reason and owner are missing");
    let expected = ["`reason` is empty", "`owner` is empty"];
    assert_eq!(problems, expected.map(|message| (DiagnosticCode::EmptyText, message.to_owned())));
}

#[test]
fn a_suggestion_with_reason_but_without_owner_is_still_refused() {
    let file = file(&suggestion()).replace("reason: \"\"", "reason: Moves to OIDC");
    assert_eq!(parse(&file), Err(vec![(DiagnosticCode::EmptyText, "`owner` is empty".to_owned())]));
}

#[test]
fn a_suggestion_is_accepted_once_reason_and_owner_are_filled() {
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
fn a_suggestion_for_another_rule_exempts_from_that_rule() {
    for rule in Rule::ALL {
        let suggestion = SuggestedExemption { rules: vec![rule], ..suggestion() };
        let allowlist = parse(&filled(&file(&suggestion))).expect("a good allowlist");
        assert!(allowlist.exemptions[1].rules.contains(&rule), "{rule}");
    }
}

#[test]
fn a_suggestion_for_the_root_user_is_accepted_too() {
    let root = SuggestedExemption {
        user: "<root_account>".to_owned(),
        user_id: None,
        rules: vec![Rule::RootAccessKey],
        ..suggestion()
    };
    assert!(parse(&filled(&file(&root))).is_ok());
}

/// Names that would mean something else if they were not quoted.
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
fn a_hostile_name_stays_that_very_name() {
    for name in HOSTILE {
        let suggestion = SuggestedExemption { user: name.to_owned(), ..suggestion() };
        assert_eq!(pasted(&file(&suggestion))["user"], *name, "{name:?}");
    }
}

#[test]
fn a_hostile_name_is_refused_as_a_name_and_for_nothing_else() {
    for name in HOSTILE.iter().filter(|name| !["@octocat", "123", "true"].contains(name)) {
        let suggestion = SuggestedExemption { user: (*name).to_owned(), ..suggestion() };
        let problems = parse(&filled(&file(&suggestion))).expect_err("no user has this name");
        let codes: Vec<_> = problems.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, [DiagnosticCode::InvalidUserName], "{name:?}");
    }
}

#[test]
fn a_name_that_looks_like_something_else_is_accepted_as_a_name() {
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
    fn nothing_that_a_suggestion_is_made_of_can_add_to_it(
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
