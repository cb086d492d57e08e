//! The rules: one user's credentials → drafts of findings, before exemptions are weighed.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::finding::{Credential, Note, Reference};
use super::fingerprint::{Fingerprint, Identity, same_creation};
use super::staleness::{self, Disuse, Since};
use crate::allowlist::parse_day;
use crate::model::inventory::{
    AccessKey, AccountId, CLOCK_SKEW, CredentialKind, Flag, Handle, MaxEvidenceAge,
    OtherCredential, Stamp, Unreadable, User,
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
pub(super) type Verdict = Result<Option<Since>, Unreadable>;

/// A finding before exemptions are weighed.
pub(super) struct Draft<'a> {
    pub(super) rule: Rule,
    pub(super) credential: Option<Credential>,
    /// The credential's creation for the fingerprint, and its ordinal among its twins.
    pub(super) identity: (Option<&'a Stamp>, usize),
    /// The reference date where there is one, or the field that stands in the way of a verdict.
    pub(super) verdict: Verdict,
    pub(super) notes: Vec<Note>,
}

impl<'a> Draft<'a> {
    fn of_user(rule: Rule, verdict: Verdict) -> Self {
        Self { rule, credential: None, identity: (None, 0), verdict, notes: Vec::new() }
    }

    /// A verdict that stands whatever its date is; a date that cannot be read is a note.
    fn certain(mut self, since: Result<Since, Unreadable>) -> Self {
        match since {
            Ok(since) => self.verdict = Ok(Some(since)),
            Err(field) => {
                self.verdict = Ok(None);
                self.notes.push(Note::Unreadable(field));
            }
        }
        self
    }

    /// The identity of the finding that the draft about `user` comes to.
    pub(super) fn fingerprint(&self, account: AccountId, user: &User<'_>) -> Fingerprint {
        let (created, ordinal) = self.identity;
        let identity = Identity {
            account,
            user: &user.name,
            user_created: &user.created,
            rule: self.rule,
            kind: self.credential.as_ref().map(|it| it.kind),
            created,
            ordinal,
        };
        identity.fingerprint()
    }

    fn of_key(rule: Rule, user: &'a User<'_>, key: &'a AccessKey<'_>, verdict: Verdict) -> Self {
        let twins = user.access_keys.iter().map(|twin| (&twin.created, &twin.handle));
        Self {
            rule,
            credential: Some(Credential {
                kind: CredentialKind::AccessKey,
                handle: Some(key.handle.clone()),
                created: key.created.at(),
                last_used_service: key.last_used_service.as_deref().map(str::to_owned),
            }),
            identity: (Some(&key.created), ordinal(twins, &key.created, &key.handle)),
            verdict,
            notes: Vec::new(),
        }
    }
}

/// How many twins of the same creation come before `handle`.
fn ordinal<'a>(
    twins: impl Iterator<Item = (&'a Stamp, &'a Handle)>,
    created: &Stamp,
    handle: &Handle,
) -> usize {
    twins.filter(|(other, twin)| same_creation(other, created) && *twin < handle).count()
}

/// All that the rules which are on have against an IAM user.
pub(super) fn judge_user<'a>(
    user: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<Draft<'a>>,
) {
    stale_password(user, criteria, drafts);
    for key in &user.access_keys {
        access_key(user, key, criteria, drafts);
    }
    for credential in &user.other_credentials {
        old_service_credential(user, credential, criteria, drafts);
    }
    if user.hidden_credentials && criteria.policy.is_on(Rule::StaleAccessKey) {
        drafts.push(hidden_credentials(Rule::StaleAccessKey));
    }
    expired_user(user, criteria, drafts);
    if criteria.policy.is_on(Rule::UserWithoutCredentials)
        && user.other_credentials_complete
        && !user.hidden_credentials
        && shows_no_credential(user)
    {
        let created = created(user, criteria);
        drafts.push(Draft::of_user(Rule::UserWithoutCredentials, Ok(None)).certain(created));
    }
    let has_login = user.password.is_some() || !user.access_keys.is_empty();
    if criteria.policy.is_on(Rule::UnlistedUser) && (has_login || user.hidden_credentials) {
        let created = created(user, criteria);
        drafts.push(Draft::of_user(Rule::UnlistedUser, Ok(None)).certain(created));
    }
}

/// All that the rules which are on have against the root user, who is never stale: access keys, and
/// old signing certificates.
pub(super) fn judge_root<'a>(
    root: &'a User<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<Draft<'a>>,
) {
    for credential in &root.other_credentials {
        old_service_credential(root, credential, criteria, drafts);
    }
    if criteria.policy.is_on(Rule::RootAccessKey) {
        root_access_keys(root, criteria, drafts);
    }
}

fn root_access_keys<'a>(root: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<Draft<'a>>) {
    if root.hidden_credentials {
        drafts.push(hidden_credentials(Rule::RootAccessKey));
    }
    for key in &root.access_keys {
        let draft = match &key.active {
            Flag::No => continue,
            Flag::Yes => Draft::of_key(Rule::RootAccessKey, root, key, Ok(None))
                .certain(staleness::access_key_since(key, criteria.latest)),
            Flag::Unreadable(field) => {
                Draft::of_key(Rule::RootAccessKey, root, key, Err((**field).clone()))
            }
        };
        drafts.push(draft);
    }
}

fn stale_password<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<Draft<'a>>) {
    let policy = criteria.policy;
    let Some(password) = &user.password else { return };
    if !policy.is_on(Rule::StalePassword) {
        return;
    }
    let mut notes = Vec::new();
    let verdict = match staleness::password(password, &user.created, criteria.latest) {
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
    drafts.push(Draft {
        rule: Rule::StalePassword,
        credential: Some(Credential {
            kind: CredentialKind::Password,
            handle: None,
            created: password.last_changed.at(),
            last_used_service: None,
        }),
        identity: (None, 0),
        verdict,
        notes,
    });
}

/// The rules about one access key: stale, unrotated, or inactive and left over.
fn access_key<'a>(
    user: &'a User<'_>,
    key: &'a AccessKey<'_>,
    criteria: Criteria<'_>,
    drafts: &mut Vec<Draft<'a>>,
) {
    let Criteria { policy, now, .. } = criteria;
    let stale = |since: &Since| criteria.has_passed(since.1);
    if policy.is_on(Rule::StaleAccessKey) {
        match staleness::access_key(key, criteria.latest) {
            Disuse::Since(since) if stale(&since) => {
                drafts.push(Draft::of_key(Rule::StaleAccessKey, user, key, Ok(Some(since))));
            }
            Disuse::Unknown(field) => {
                drafts.push(Draft::of_key(Rule::StaleAccessKey, user, key, Err(field)));
            }
            Disuse::Since(_) | Disuse::Disabled => {}
        }
    }
    if policy.is_on(Rule::UnrotatedAccessKey) {
        match staleness::access_key_age(key, criteria.latest) {
            // More than 90 days, unlike the stale rules' "at least".
            Disuse::Since(since) if now - since.1 > TimeDelta::days(UNROTATED_AFTER_DAYS) => {
                drafts.push(Draft::of_key(Rule::UnrotatedAccessKey, user, key, Ok(Some(since))));
            }
            Disuse::Unknown(field) => {
                drafts.push(Draft::of_key(Rule::UnrotatedAccessKey, user, key, Err(field)));
            }
            Disuse::Since(_) | Disuse::Disabled => {}
        }
    }
    if policy.is_on(Rule::InactiveAccessKey) && key.active == Flag::No {
        match staleness::access_key_since(key, criteria.latest) {
            Ok(since) if !stale(&since) => {}
            verdict => {
                drafts.push(Draft::of_key(Rule::InactiveAccessKey, user, key, verdict.map(Some)));
            }
        }
    }
}

fn old_service_credential<'a>(
    user: &'a User<'_>,
    credential: &'a OtherCredential,
    criteria: Criteria<'_>,
    drafts: &mut Vec<Draft<'a>>,
) {
    let policy = criteria.policy;
    if !policy.is_on(Rule::OldServiceCredential) {
        return;
    }
    let verdict = match staleness::other_age(credential, criteria.latest) {
        Disuse::Disabled => return,
        Disuse::Unknown(field) => Err(field),
        Disuse::Since(since) if criteria.has_passed(since.1) => Ok(Some(since)),
        Disuse::Since(_) => return,
    };
    let twins = user
        .other_credentials
        .iter()
        .filter(|twin| twin.kind == credential.kind)
        .map(|twin| (&twin.created, &twin.handle));
    drafts.push(Draft {
        rule: Rule::OldServiceCredential,
        credential: Some(Credential {
            kind: credential.kind,
            handle: Some(credential.handle.clone()),
            created: credential.created.at(),
            last_used_service: None,
        }),
        identity: (
            Some(&credential.created),
            ordinal(twins, &credential.created, &credential.handle),
        ),
        verdict,
        notes: Vec::new(),
    });
}

/// A user with keys that the report does not show cannot be called clean.
fn hidden_credentials<'a>(rule: Rule) -> Draft<'a> {
    let field = Unreadable {
        column: "additional_credentials_info".to_owned(),
        text: "more credentials than the report shows".to_owned(),
    };
    let mut draft = Draft::of_user(rule, Err(field));
    draft.notes.push(Note::HiddenCredentials);
    draft
}

/// The expiry tag is in force through its day, UTC.
fn expired_user<'a>(user: &'a User<'_>, criteria: Criteria<'_>, drafts: &mut Vec<Draft<'a>>) {
    let Criteria { policy, now, .. } = criteria;
    let (Some(key), Some(tags)) = (&policy.expiry_tag, &user.tags) else { return };
    if !policy.is_on(Rule::ExpiredUser) {
        return;
    }
    let Some(value) = tags.get(key) else { return };
    let verdict = match parse_day(value.trim()) {
        Some(day) if now.date_naive() <= day => return,
        Some(day) => Ok(Some((Reference::Expired, day.and_time(NaiveTime::MIN).and_utc()))),
        None => Err(Unreadable { column: format!("tag {key}"), text: value.clone() }),
    };
    drafts.push(Draft::of_user(Rule::ExpiredUser, verdict));
}

/// When the user was created, for verdicts on the user as such.
fn created(user: &User<'_>, criteria: Criteria<'_>) -> Result<Since, Unreadable> {
    staleness::created(&user.created, criteria.latest, || staleness::USER_CREATION_TIME.to_owned())
}

/// Whether neither a password nor a key nor another credential was seen.
pub(super) fn shows_no_credential(user: &User<'_>) -> bool {
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
    let may_be_reset = |changed: &Stamp| match changed {
        Stamp::At(changed) => !criteria.has_passed(*changed),
        Stamp::Unreadable(_) => true,
        Stamp::Absent => false,
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
pub(super) fn is_candidate(user: &User<'_>, criteria: Criteria<'_>) -> bool {
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
