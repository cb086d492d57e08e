//! Exemptions that cover the same credential.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::{Allowlist, CredentialSelector, Exemption, UserSelector};

/// Notices about exemptions for a credential that an earlier exemption also covers.
pub(super) fn duplicate_notices(allowlist: &Allowlist) -> Vec<Diagnostic> {
    let notice = |(earlier, later): (&Exemption, &Exemption)| {
        let message = format!(
            "the exemption for `{}` covers a credential that the exemption for `{}` on line {} also \
             covers",
            later.user, earlier.user, earlier.place.line
        );
        Diagnostic::notice(DiagnosticCode::DuplicateExemption, later.span.clone(), message)
            .label("this exemption")
            .related(earlier.span.clone(), "the earlier exemption")
            .help("the one that expires last counts: remove the other one, or name different credentials")
    };
    overlapping_exemptions(allowlist).into_iter().map(notice).collect()
}

/// Each exemption that covers a credential of an earlier exemption, after the first such one.
pub(super) fn overlapping_exemptions(allowlist: &Allowlist) -> Vec<(&Exemption, &Exemption)> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut patterns = Vec::new();
    let mut overlapping = Vec::new();
    let list = &allowlist.exemptions;
    for (index, later) in list.iter().enumerate() {
        let first = match &later.user {
            UserSelector::Name(name) => {
                let same_name = by_name.entry(name.to_ascii_lowercase()).or_default();
                let earlier = same_name.iter().chain(&patterns).copied();
                let first = first_overlap(list, earlier, later);
                same_name.push(index);
                first
            }
            UserSelector::Pattern(_) => {
                patterns.push(index);
                first_overlap(list, 0..index, later)
            }
        };
        overlapping.extend(first.map(|earlier| (earlier, later)));
    }
    overlapping
}

fn first_overlap<'a>(
    list: &'a [Exemption],
    indexes: impl Iterator<Item = usize>,
    later: &Exemption,
) -> Option<&'a Exemption> {
    let first = indexes.filter(|index| list.get(*index).is_some_and(|it| overlap(it, later))).min();
    list.get(first?)
}

/// Whether both exemptions name the same user and cover the same credential. Of two patterns, only equal
/// ones are compared.
fn overlap(a: &Exemption, b: &Exemption) -> bool {
    let same_user = match (&a.user, &b.user) {
        (UserSelector::Pattern(pattern), UserSelector::Name(name))
        | (UserSelector::Name(name), UserSelector::Pattern(pattern)) => pattern.matches(name),
        (a, b) => a.as_str().eq_ignore_ascii_case(b.as_str()),
    };
    same_user
        && is_same_or_any(a.account.as_ref(), b.account.as_ref())
        && is_same_or_any(a.user_id.as_ref(), b.user_id.as_ref())
        && a.rules.iter().any(|rule| b.rules.contains(rule))
        && share_credential(&a.credentials, &b.credentials)
}

fn is_same_or_any<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// Whether the selectors have a credential in common. No selectors are all credentials.
fn share_credential(a: &[CredentialSelector], b: &[CredentialSelector]) -> bool {
    use CredentialSelector::{AccessKey, AccessKeyEnding};
    let same = |a: &CredentialSelector, b: &CredentialSelector| {
        a == b
            || matches!((a, b), (AccessKey, AccessKeyEnding(_)) | (AccessKeyEnding(_), AccessKey))
    };
    a.is_empty() || b.is_empty() || a.iter().any(|a| b.iter().any(|b| same(a, b)))
}
