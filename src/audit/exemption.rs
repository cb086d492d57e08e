//! Which exemptions name a user, which of them cover a finding, and what each of them does.

use std::cmp::Ordering;

use chrono::NaiveDate;

use super::draft::DraftFinding;
use super::finding::Note;
use super::result::{ExemptionMatch, ExemptionResult};
use crate::allowlist::{Allowlist, CredentialSelector, Exemption, ExemptionStatus, UserSelector};
use crate::model::inventory::{
    Account, AccountId, CredentialHandle, CredentialKind, ROOT_USER, User,
};
use crate::model::policy::Rule;

/// The exemptions, indexed by user name, with counts of the users that they matched.
pub(super) struct Exemptions<'a> {
    list: &'a [Exemption],
    today: NaiveDate,
    /// The exemptions that name one user, in the order of [`compare_names`].
    by_name: Vec<(&'a str, usize)>,
    patterns: Vec<usize>,
    tallies: Vec<ExemptionTally>,
}

#[derive(Clone, Copy, Default)]
struct ExemptionTally {
    account_audited: bool,
    users: usize,
    by_case_only: usize,
    exempts: usize,
}

/// An exemption that names a user.
#[derive(Clone, Copy)]
pub(super) struct MatchingExemption {
    index: usize,
    /// The exemption names a user id, and the evidence does not show user ids.
    user_id_unknown: bool,
}

/// What an exemption does to a finding.
enum ExemptionEffect {
    No,
    Yes,
    /// The exemption names an access key, and the evidence does not show key ids.
    CannotTell,
}

impl<'a> Exemptions<'a> {
    pub(super) fn new(allowlist: &'a Allowlist, today: NaiveDate) -> Self {
        let list = allowlist.exemptions.as_slice();
        let (mut by_name, mut patterns) = (Vec::new(), Vec::new());
        for (index, exemption) in list.iter().enumerate() {
            match &exemption.user {
                UserSelector::Name(name) => by_name.push((name.as_str(), index)),
                UserSelector::Pattern(_) => patterns.push(index),
            }
        }
        by_name.sort_by(|(a, _), (b, _)| compare_names(a, b));
        let tallies = vec![ExemptionTally::default(); list.len()];
        Self { list, today, by_name, patterns, tallies }
    }

    /// Records that an account is audited, so that its exemptions can be reported as unused.
    /// Without a root user in the evidence, nothing is known about the root user's exemptions.
    pub(super) fn add_account(&mut self, account: &Account<'_>) {
        for (exemption, tally) in self.list.iter().zip(&mut self.tallies) {
            let is_shown = exemption.user.as_str() != ROOT_USER || account.root.is_some();
            let is_meant = exemption.account.is_none_or(|it| it == account.id);
            tally.account_audited |= is_shown && is_meant;
        }
    }

    /// Adds the counts of the same exemptions from another auditor.
    pub(super) fn merge(&mut self, other: &Self) {
        for (tally, more) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.account_audited |= more.account_audited;
            tally.users += more.users;
            tally.by_case_only += more.by_case_only;
            tally.exempts += more.exempts;
        }
    }

    /// The exemptions that name the user, in the order of the file.
    pub(super) fn matching(
        &mut self,
        user: &User<'_>,
        account: AccountId,
        into: &mut Vec<MatchingExemption>,
    ) {
        into.clear();
        // Compares in place, because a copy in lower case would take longer than everything else.
        let below = |(name, _): &(&str, usize)| compare_names(name, &user.name).is_lt();
        let first = self.by_name.partition_point(below);
        let named = self
            .by_name
            .iter()
            .skip(first)
            .map_while(|(name, index)| name.eq_ignore_ascii_case(&user.name).then_some(index));
        for &index in named.chain(&self.patterns) {
            let (Some(exemption), Some(tally)) =
                (self.list.get(index), self.tallies.get_mut(index))
            else {
                continue;
            };
            if exemption.account.is_some_and(|it| it != account) {
                continue;
            }
            let by_case_only = match &exemption.user {
                UserSelector::Name(name) => *name != user.name,
                UserSelector::Pattern(pattern) if pattern.matches(&user.name) => false,
                UserSelector::Pattern(_) => continue,
            };
            let user_id_unknown = exemption.user_id.is_some() && user.id.is_none();
            if exemption.user_id.is_some() && !user_id_unknown && exemption.user_id != user.id {
                continue;
            }
            tally.users += 1;
            tally.by_case_only += usize::from(by_case_only);
            into.push(MatchingExemption { index, user_id_unknown });
        }
        into.sort_unstable_by_key(|found| found.index);
    }

    /// Whether a valid exemption names the user.
    pub(super) fn any_in_force(&self, matches: &[MatchingExemption]) -> bool {
        matches.iter().any(|found| !found.user_id_unknown && self.is_in_force(found.index))
    }

    /// The exemption that covers the draft (the one that is valid longest if there are several),
    /// and notes about exemptions that look as if they covered it.
    pub(super) fn find_covering(
        &mut self,
        draft: &DraftFinding<'_>,
        matches: &[MatchingExemption],
    ) -> (Option<usize>, Vec<Note>) {
        let mut covering: Option<(NaiveDate, usize)> = None;
        let mut notes = Vec::new();
        for found in matches {
            let Some(exemption) = self.list.get(found.index) else { continue };
            let effect = match covers(exemption, draft) {
                ExemptionEffect::Yes if found.user_id_unknown => ExemptionEffect::CannotTell,
                // This rule only requires that an exemption names the user.
                ExemptionEffect::No
                    if draft.rule == Rule::UnlistedUser && found.user_id_unknown =>
                {
                    ExemptionEffect::CannotTell
                }
                effect => effect,
            };
            match (effect, self.is_in_force(found.index)) {
                (ExemptionEffect::No, _) => {}
                (_, false) => notes.push(Note::ExemptionExpired(found.index)),
                (ExemptionEffect::CannotTell, true) => {
                    notes.push(Note::ExemptionNeedsLiveEvidence(found.index));
                }
                (ExemptionEffect::Yes, true) => {
                    if covering.is_none_or(|(expires, _)| exemption.expires > expires) {
                        covering = Some((exemption.expires, found.index));
                    }
                }
            }
        }
        let Some((_, index)) = covering else { return (None, notes) };
        if let Some(tally) = self.tallies.get_mut(index) {
            tally.exempts += 1;
        }
        (Some(index), Vec::new())
    }

    fn is_in_force(&self, index: usize) -> bool {
        self.list.get(index).is_some_and(|it| it.status_on(self.today) != ExemptionStatus::Expired)
    }

    /// What each exemption did, in the order of the file.
    pub(super) fn finish(self) -> Vec<ExemptionResult> {
        let finish = |(exemption, tally): (&Exemption, &ExemptionTally)| ExemptionResult {
            exemption: exemption.clone(),
            status: exemption.status_on(self.today),
            matched: match tally {
                ExemptionTally { account_audited: false, .. } => ExemptionMatch::NotAudited,
                ExemptionTally { users: 0, .. } => ExemptionMatch::NoUser,
                ExemptionTally { users, by_case_only, .. } if users == by_case_only => {
                    ExemptionMatch::ByCaseOnly
                }
                ExemptionTally { users, .. } => ExemptionMatch::Users(*users),
            },
            exempts: tally.exempts,
        };
        self.list.iter().zip(&self.tallies).map(finish).collect()
    }
}

/// Compares names without case. Lengths come first, because they are fast to compare and usually
/// differ.
fn compare_names(a: &str, b: &str) -> Ordering {
    let lower_case = |byte: u8| byte.to_ascii_lowercase();
    a.len().cmp(&b.len()).then_with(|| a.bytes().map(lower_case).cmp(b.bytes().map(lower_case)))
}

fn covers(exemption: &Exemption, draft: &DraftFinding<'_>) -> ExemptionEffect {
    if !exemption.rules.contains(&draft.rule) {
        return ExemptionEffect::No;
    }
    if exemption.credentials.is_empty() {
        return ExemptionEffect::Yes;
    }
    let (kind, handle) = match (&draft.credential, draft.rule) {
        (Some(credential), _) => (credential.kind, credential.handle.as_ref()),
        // Access keys that the report does not show.
        (None, Rule::StaleAccessKey) => (CredentialKind::AccessKey, None),
        (None, _) => return ExemptionEffect::No,
    };
    let mut effect = ExemptionEffect::No;
    for selector in &exemption.credentials {
        match (selector, kind, handle) {
            (CredentialSelector::Password, CredentialKind::Password, _)
            | (CredentialSelector::AccessKey, CredentialKind::AccessKey, _) => {
                return ExemptionEffect::Yes;
            }
            (
                CredentialSelector::AccessKeyEnding(last4),
                CredentialKind::AccessKey,
                Some(CredentialHandle::Id(id)),
            ) if id.ends_with(last4.as_str()) => return ExemptionEffect::Yes,
            // The exemption names another key.
            (CredentialSelector::AccessKeyEnding(_), _, Some(CredentialHandle::Id(_))) => {}
            (CredentialSelector::AccessKeyEnding(_), CredentialKind::AccessKey, _) => {
                effect = ExemptionEffect::CannotTell;
            }
            _ => {}
        }
    }
    effect
}
