//! `root-access-key`: the root user has an active access key.

use super::{
    Availability, Control, DayCount, Remediation, RuleDefinition, Subjects, hidden_credentials,
};
use crate::audit::criteria::Criteria;
use crate::audit::draft::DraftFinding;
use crate::audit::staleness;
use crate::model::inventory::{CredentialKind, Flag, User};
use crate::model::policy::{Level, Rule};

/// Source of the control: "Security Hub controls for IAM", AWS documentation.
pub(super) const DEFINITION: RuleDefinition = RuleDefinition {
    default_level: Level::Error,
    controls: &[Control::new("IAM.4")],
    finds_disuse: false,
    finds_unlisted: false,
    applies_to: Subjects::RootUser,
    kinds: &[CredentialKind::AccessKey],
    optional_kinds: &[],
    evidence: &[],
    days: DayCount::Fixed,
    shows_creation: true,
    remediation: Remediation::MANUAL,
    availability: |account, _| Availability::live_only(account.root.is_some(), account),
    check,
};

fn check<'a>(root: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<DraftFinding<'a>>) {
    if root.hidden_credentials {
        drafts.push(hidden_credentials(Rule::RootAccessKey));
    }
    for key in &root.access_keys {
        let draft = |outcome| DraftFinding::for_access_key(Rule::RootAccessKey, root, key, outcome);
        drafts.push(match &key.active {
            Flag::No => continue,
            Flag::Yes => draft(Ok(None))
                .regardless_of_date(staleness::access_key_since(key, criteria.latest)),
            Flag::Unreadable(field) => draft(Err((**field).clone())),
        });
    }
}
