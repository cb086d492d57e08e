//! The rules: one user's credentials → drafts of findings, before exemptions are weighed.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::finding::{Credential, Note, ReferenceKind};
use super::finding_id::{FindingId, FindingIdentity, same_creation};
use super::staleness::{self, Disuse, ReferenceDate};
use crate::allowlist::parse_day;
use crate::model::inventory::{
    AccessKey, AccountId, CLOCK_SKEW, CredentialHandle, CredentialKind, Flag, MaxEvidenceAge,
    OtherCredential, Timestamp, UnreadableField, User,
};
use crate::model::policy::{Policy, Rule, UNROTATED_AFTER_DAYS};

/// What the rules judge by.
#[derive(Clone, Copy)]
pub(super) struct Criteria<'a> {
    pub(super) policy: &'a Policy,
    pub(super) now: DateTime<Utc>,
    /// The moment that lies as many days before `now` as make a credential stale.
    threshold: DateTime<Utc>,
    /// The last moment that is not in the future, by whichever clock.
    pub(super) latest: DateTime<Utc>,
    /// How old evidence may be.
    pub(super) max_age: MaxEvidenceAge,
}

impl<'a> Criteria<'a> {
    pub(super) fn new(policy: &'a Policy, now: DateTime<Utc>) -> Self {
        let days = TimeDelta::days(i64::from(policy.stale_after_days));
        let threshold = now.checked_sub_signed(days).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let latest = now.checked_add_signed(CLOCK_SKEW).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { policy, now, threshold, latest, max_age: MaxEvidenceAge::default() }
    }

    /// Whether at least as many whole days have passed as make a credential stale. It is asked
    /// several times a credential: comparing two dates is far cheaper than subtracting them.
    fn has_passed(&self, reference: DateTime<Utc>) -> bool {
        reference <= self.threshold
    }
}

/// What is against a credential or a user, or the field without which nobody can say.
pub(super) type RuleOutcome = Result<Option<ReferenceDate>, UnreadableField>;

/// A finding before exemptions are weighed.
pub(super) struct DraftFinding<'a> {
    pub(super) rule: Rule,
    pub(super) credential: Option<Credential>,
    /// The credential's creation for the fingerprint, and its ordinal among its twins.
    pub(super) identity: (Option<&'a Timestamp>, usize),
    /// The reference date where there is one, or the field that stands in the way of a verdict.
    pub(super) outcome: RuleOutcome,
    pub(super) notes: Vec<Note>,
}

impl<'a> DraftFinding<'a> {
    fn for_user(rule: Rule, outcome: RuleOutcome) -> Self {
        Self { rule, credential: None, identity: (None, 0), outcome, notes: Vec::new() }
    }

    /// A verdict that stands whatever its date is; a date that cannot be read is a note.
    fn regardless_of_date(mut self, since: Result<ReferenceDate, UnreadableField>) -> Self {
        match since {
            Ok(since) => self.outcome = Ok(Some(since)),
            Err(field) => {
                self.outcome = Ok(None);
                self.notes.push(Note::Unreadable(field));
            }
        }
        self
    }

    /// The identity of the finding that the draft about `user` comes to.
    pub(super) fn finding_id(&self, account: AccountId, user: &User<'_>) -> FindingId {
        let (created, ordinal) = self.identity;
        let identity = FindingIdentity {
            account,
            user: &user.name,
            user_created: &user.created,
            rule: self.rule,
            kind: self.credential.as_ref().map(|it| it.kind),
            created,
            ordinal,
        };
        identity.finding_id()
    }

    fn for_access_key(
        rule: Rule,
        user: &'a User<'_>,
        key: &'a AccessKey<'_>,
        outcome: RuleOutcome,
    ) -> Self {
        let siblings = user.access_keys.iter().map(|sibling| (&sibling.created, &sibling.handle));
        Self {
            rule,
            credential: Some(Credential {
                kind: CredentialKind::AccessKey,
                handle: Some(key.handle.clone()),
                created: key.created.at(),
                last_used_service: key.last_used_service.as_deref().map(str::to_owned),
            }),
            identity: (Some(&key.created), ordinal(siblings, &key.created, &key.handle)),
            outcome,
            notes: Vec::new(),
        }
    }
}

/// How many twins of the same creation come before `handle`.
fn ordinal<'a>(
    siblings: impl Iterator<Item = (&'a Timestamp, &'a CredentialHandle)>,
    created: &Timestamp,
    handle: &CredentialHandle,
) -> usize {
    siblings.filter(|(other, sibling)| same_creation(other, created) && *sibling < handle).count()
}

/// All that the rules which are on have against an IAM user.
pub(super) fn check_user<'a>(
    user: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    stale_password(user, criteria, drafts);
    for key in &user.access_keys {
        access_key(user, key, criteria, drafts);
    }
    for credential in &user.other_credentials {
        old_service_credential(user, credential, criteria, drafts);
    }
    if user.hidden_credentials && criteria.policy.is_enabled(Rule::StaleAccessKey) {
        drafts.push(hidden_credentials(Rule::StaleAccessKey));
    }
    expired_user(user, criteria, drafts);
    if criteria.policy.is_enabled(Rule::UserWithoutCredentials)
        && user.other_credentials_complete
        && !user.hidden_credentials
        && has_no_visible_credential(user)
    {
        let created = created(user, criteria);
        drafts.push(
            DraftFinding::for_user(Rule::UserWithoutCredentials, Ok(None))
                .regardless_of_date(created),
        );
    }
    let has_login = user.password.is_some() || !user.access_keys.is_empty();
    if criteria.policy.is_enabled(Rule::UnlistedUser) && (has_login || user.hidden_credentials) {
        let created = created(user, criteria);
        drafts
            .push(DraftFinding::for_user(Rule::UnlistedUser, Ok(None)).regardless_of_date(created));
    }
}

/// All that the rules which are on have against the root user, who is never stale: access keys, and
/// old signing certificates.
pub(super) fn check_root_user<'a>(
    root: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    for credential in &root.other_credentials {
        old_service_credential(root, credential, criteria, drafts);
    }
    if criteria.policy.is_enabled(Rule::RootAccessKey) {
        root_access_keys(root, criteria, drafts);
    }
}

fn root_access_keys<'a>(
    root: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    if root.hidden_credentials {
        drafts.push(hidden_credentials(Rule::RootAccessKey));
    }
    for key in &root.access_keys {
        let draft = match &key.active {
            Flag::No => continue,
            Flag::Yes => DraftFinding::for_access_key(Rule::RootAccessKey, root, key, Ok(None))
                .regardless_of_date(staleness::access_key_since(key, criteria.latest)),
            Flag::Unreadable(field) => {
                DraftFinding::for_access_key(Rule::RootAccessKey, root, key, Err((**field).clone()))
            }
        };
        drafts.push(draft);
    }
}

fn stale_password<'a>(
    user: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    let policy = criteria.policy;
    let Some(password) = &user.password else { return };
    if !policy.is_enabled(Rule::StalePassword) {
        return;
    }
    let mut notes = Vec::new();
    let outcome = match staleness::password(password, &user.created, criteria.latest) {
        Disuse::Disabled => return,
        Disuse::Unknown(field) => Err(field),
        Disuse::Since((_, moment)) if !criteria.has_passed(moment) => {
            return;
        }
        Disuse::Since(since) => {
            let column = || staleness::PASSWORD_LAST_CHANGED.to_owned();
            match staleness::moment(&password.last_changed, criteria.latest, column) {
                Ok(Some(changed)) if !criteria.has_passed(changed) => {
                    notes.push(Note::RecentlyReset(changed));
                }
                Ok(_) => {}
                Err(field) => notes.push(Note::Unreadable(field)),
            }
            Ok(Some(since))
        }
    };
    drafts.push(DraftFinding {
        rule: Rule::StalePassword,
        credential: Some(Credential {
            kind: CredentialKind::Password,
            handle: None,
            created: password.last_changed.at(),
            last_used_service: None,
        }),
        identity: (None, 0),
        outcome,
        notes,
    });
}

/// The rules about one access key: stale, unrotated, or inactive and left over.
fn access_key<'a>(
    user: &'a User<'_>,
    key: &'a AccessKey<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    let Criteria { policy, now, .. } = criteria;
    let stale = |since: &ReferenceDate| criteria.has_passed(since.1);
    if policy.is_enabled(Rule::StaleAccessKey) {
        match staleness::access_key(key, criteria.latest) {
            Disuse::Since(since) if stale(&since) => {
                drafts.push(DraftFinding::for_access_key(
                    Rule::StaleAccessKey,
                    user,
                    key,
                    Ok(Some(since)),
                ));
            }
            Disuse::Unknown(field) => {
                drafts.push(DraftFinding::for_access_key(
                    Rule::StaleAccessKey,
                    user,
                    key,
                    Err(field),
                ));
            }
            Disuse::Since(_) | Disuse::Disabled => {}
        }
    }
    if policy.is_enabled(Rule::UnrotatedAccessKey) {
        match staleness::access_key_age(key, criteria.latest) {
            // More than 90 days, unlike the stale rules' "at least".
            Disuse::Since(since) if now - since.1 > TimeDelta::days(UNROTATED_AFTER_DAYS) => {
                drafts.push(DraftFinding::for_access_key(
                    Rule::UnrotatedAccessKey,
                    user,
                    key,
                    Ok(Some(since)),
                ));
            }
            Disuse::Unknown(field) => {
                drafts.push(DraftFinding::for_access_key(
                    Rule::UnrotatedAccessKey,
                    user,
                    key,
                    Err(field),
                ));
            }
            Disuse::Since(_) | Disuse::Disabled => {}
        }
    }
    if policy.is_enabled(Rule::InactiveAccessKey) && key.active == Flag::No {
        match staleness::access_key_since(key, criteria.latest) {
            Ok(since) if !stale(&since) => {}
            outcome => {
                drafts.push(DraftFinding::for_access_key(
                    Rule::InactiveAccessKey,
                    user,
                    key,
                    outcome.map(Some),
                ));
            }
        }
    }
}

fn old_service_credential<'a>(
    user: &'a User<'_>,
    credential: &'a OtherCredential,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    let policy = criteria.policy;
    if !policy.is_enabled(Rule::OldServiceCredential) {
        return;
    }
    let outcome = match staleness::other_age(credential, criteria.latest) {
        Disuse::Disabled => return,
        Disuse::Unknown(field) => Err(field),
        Disuse::Since(since) if criteria.has_passed(since.1) => Ok(Some(since)),
        Disuse::Since(_) => return,
    };
    let siblings = user
        .other_credentials
        .iter()
        .filter(|sibling| sibling.kind == credential.kind)
        .map(|sibling| (&sibling.created, &sibling.handle));
    drafts.push(DraftFinding {
        rule: Rule::OldServiceCredential,
        credential: Some(Credential {
            kind: credential.kind,
            handle: Some(credential.handle.clone()),
            created: credential.created.at(),
            last_used_service: None,
        }),
        identity: (
            Some(&credential.created),
            ordinal(siblings, &credential.created, &credential.handle),
        ),
        outcome,
        notes: Vec::new(),
    });
}

/// A user with keys that the report does not show cannot be called clean.
fn hidden_credentials<'a>(rule: Rule) -> DraftFinding<'a> {
    let field = UnreadableField {
        column: "additional_credentials_info".to_owned(),
        text: "more credentials than the report shows".to_owned(),
    };
    let mut draft = DraftFinding::for_user(rule, Err(field));
    draft.notes.push(Note::HiddenCredentials);
    draft
}

/// The expiry tag is in force through its day, UTC.
fn expired_user<'a>(
    user: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<DraftFinding<'a>>,
) {
    let Criteria { policy, now, .. } = criteria;
    let (Some(key), Some(tags)) = (&policy.expiry_tag, &user.tags) else { return };
    if !policy.is_enabled(Rule::ExpiredUser) {
        return;
    }
    let Some(value) = tags.get(key) else { return };
    let outcome = match parse_day(value.trim()) {
        Some(day) if now.date_naive() <= day => return,
        Some(day) => Ok(Some((ReferenceKind::Expired, day.and_time(NaiveTime::MIN).and_utc()))),
        None => Err(UnreadableField { column: format!("tag {key}"), text: value.clone() }),
    };
    drafts.push(DraftFinding::for_user(Rule::ExpiredUser, outcome));
}

/// When the user was created, for verdicts on the user as such.
fn created(user: &User<'_>, criteria: Criteria<'_>) -> Result<ReferenceDate, UnreadableField> {
    staleness::created(&user.created, criteria.latest, || staleness::USER_CREATION_TIME.to_owned())
}

/// Whether neither a password nor a key nor another credential was seen.
pub(super) fn has_no_visible_credential(user: &User<'_>) -> bool {
    user.password.is_none() && user.access_keys.is_empty() && user.other_credentials.is_empty()
}

/// Whether a credential of the user is in use, or may be: what is not known to be unused counts.
pub(super) fn in_use(user: &User<'_>, criteria: Criteria<'_>) -> bool {
    let unused = |disuse: Disuse| match disuse {
        Disuse::Disabled => true,
        Disuse::Since((_, moment)) => criteria.has_passed(moment),
        Disuse::Unknown(_) => false,
    };
    // A change that cannot be read may have been yesterday's.
    let may_be_reset = |changed: &Timestamp| match changed {
        Timestamp::At(changed) => !criteria.has_passed(*changed),
        Timestamp::Unreadable(_) => true,
        Timestamp::Absent => false,
    };
    user.hidden_credentials
        || user.password.as_ref().is_some_and(|password| {
            may_be_reset(&password.last_changed)
                || !unused(staleness::password(password, &user.created, criteria.latest))
        })
        || user.access_keys.iter().any(|key| !unused(staleness::access_key(key, criteria.latest)))
        // Without a last-used date nobody can say that they are unused.
        || user.other_credentials.iter().any(|other| other.active != Flag::No)
}

/// Whether the sweep cannot clear the user, so that a second look is due.
#[must_use]
pub(super) fn is_flagged(user: &User<'_>, criteria: Criteria<'_>) -> bool {
    let doubtful = |disuse: Disuse| match disuse {
        Disuse::Disabled => false,
        Disuse::Since((_, moment)) => criteria.has_passed(moment),
        Disuse::Unknown(_) => true,
    };
    user.hidden_credentials
        || user
            .password
            .as_ref()
            .is_some_and(|it| doubtful(staleness::password(it, &user.created, criteria.latest)))
        || user.access_keys.iter().any(|key| doubtful(staleness::access_key(key, criteria.latest)))
}
