//! What is to be done about one credential: its verdict and its clock → a decision.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::facts::{Credential, credentials, is_accepted, subject};
use super::{AccountFacts, Act, Basis, Clearing, Guard, Start, guard, stopped, wants_renewal};
use crate::audit::{self, AllowlistOrigin, Audit, Finding, Note, Reference, Status};
use crate::model::clock::{self, Clock, Reached, Subject, days_after};
use crate::model::inventory::{Account, CredentialKind, Dossier, Flag, Form, User};
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::model::policy::{Level, Rule};

/// What is to be done about a credential or a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing is held against it.
    Nothing,
    /// A change.
    Change(Act),
    /// A change that comes later.
    Wait {
        /// What comes.
        stage: Stage,
        /// From when on.
        due: DateTime<Utc>,
        /// Whether the tag is to be written again.
        renew: bool,
        /// Whether a person has to do it.
        by_hand: bool,
    },
    /// A person has to do it.
    ByHand {
        /// Whether the tag is to be written again.
        renew: bool,
    },
    /// A guard keeps it as it is; a clock that ran is taken away.
    LeaveAlone(Guard, Option<Clearing>),
    /// Evidence is missing, though not about this user: nothing is done, and the clock goes on.
    Hold {
        /// What is missing.
        guard: Guard,
        /// Whether the tag is to be written again.
        renew: bool,
    },
}

/// What our tag says of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// There is none.
    Absent,
    /// Nothing that can be read.
    Unreadable,
    /// This.
    Says(Clock),
}

impl Tag {
    pub(super) fn of(subject: &Subject, user: &User<'_>) -> Self {
        let tags = user.tags.as_ref();
        match tags.and_then(|tags| tags.get(&subject.key())) {
            None => Self::Absent,
            Some(text) => text.parse().map_or(Self::Unreadable, Self::Says),
        }
    }

    pub(super) fn is_there(self) -> bool {
        self != Self::Absent
    }

    /// Whether it says that a run made the credential inactive.
    fn is_of_deactivation(self) -> bool {
        matches!(self, Self::Says(clock) if clock.reached == Reached::Deactivated)
    }
}

/// The verdicts on one user.
pub(super) struct Judged<'a> {
    remediation: &'a RemediationPolicy,
    /// The exemption in force that keeps the whole user from remediation.
    protection: Option<Guard>,
    /// The moment at which the last such exemption ran out.
    protection_lapsed: Option<DateTime<Utc>>,
    /// The user's credentials judged as they are.
    real: Audit,
    /// Judged as if all of them were accepted: what was deactivated would be stale still, or
    /// exempted by now.
    as_if_accepted: Audit,
}

/// What is held against a credential.
pub(super) enum Verdict<'a> {
    /// Nothing that is to be remedied.
    Nothing,
    /// An exemption is in force.
    Exempted(Guard),
    /// Nobody can say.
    Unknown(String),
    /// This.
    Open(&'a Finding),
}

impl<'a> Judged<'a> {
    pub(super) fn of(dossier: &Dossier, basis: Basis<'a>) -> Self {
        let real = dossier.user.clone();
        let mut accepted = real.clone();
        accepted.access_keys.iter_mut().for_each(|key| key.active = Flag::Yes);
        accepted.other_credentials.iter_mut().for_each(|other| other.active = Flag::Yes);
        let judge = |user| {
            let account = alone(dossier, user, basis.now);
            let origin = AllowlistOrigin::None;
            audit::judge(&[account], basis.allowlist, origin, basis.policy, basis.now)
        };
        Self {
            remediation: basis.remediation,
            protection: guard::of_protection(dossier, basis),
            protection_lapsed: guard::protection_lapsed(dossier, basis).map(day_after),
            real: judge(real),
            as_if_accepted: judge(accepted),
        }
    }

    /// Everything that the rules have against the user.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.real.findings.iter().chain(&self.as_if_accepted.findings)
    }

    /// Whether the rules have anything against the user that a remedy is for.
    pub(super) fn is_something(&self) -> bool {
        self.findings().any(|finding| self.remediation.takes_rule(finding.rule))
    }

    fn exemption(&self, finding: &Finding) -> Option<Guard> {
        let reviewed = self.real.exemptions.get(finding.exemption?)?;
        let exemption = &reviewed.exemption;
        (finding.status == Status::Exempted)
            .then_some(Guard::Exempted { line: exemption.place.line, expires: exemption.expires })
    }

    /// What is held against a credential that is accepted or not.
    pub(super) fn verdict(&self, on: &Subject, is_accepted: bool) -> Verdict<'_> {
        let of_it = || self.findings().filter(|finding| about(finding).as_ref() == Some(on));
        // A key that was found inactive would be a stale one if it were not.
        let as_inactive = !is_accepted && self.remediation.takes_rule(Rule::InactiveAccessKey);
        let takes = |rule: Rule| {
            self.remediation.takes_rule(rule) || (as_inactive && rule == Rule::StaleAccessKey)
        };
        let remedied = || of_it().filter(|finding| takes(finding.rule));
        if remedied().next().is_some()
            && let Some(guard) = &self.protection
        {
            return Verdict::Exempted(guard.clone());
        }
        if let Some(guard) = remedied().find_map(|finding| self.exemption(finding)) {
            return Verdict::Exempted(guard);
        }
        // An inactive key's own rule says nothing about using it again.
        let mut stale = remedied().filter(|finding| finding.rule != Rule::InactiveAccessKey);
        match stale.next() {
            None => Verdict::Nothing,
            Some(finding) if finding.status == Status::Unknown => Verdict::Unknown(unread(finding)),
            Some(finding) if finding.level < Level::Warning => Verdict::Nothing,
            Some(finding) => Verdict::Open(finding),
        }
    }

    /// Whether the rule about inactive keys has something against this one.
    fn is_left_over(&self, on: &Subject) -> bool {
        self.remediation.takes_rule(Rule::InactiveAccessKey)
            && self.real.findings.iter().any(|finding| {
                finding.rule == Rule::InactiveAccessKey
                    && finding.status == Status::Open
                    && about(finding).as_ref() == Some(on)
            })
    }

    /// The moment at which the last exemption ran out that would cover the finding.
    pub(super) fn lapsed(&self, finding: &Finding) -> Option<DateTime<Utc>> {
        let expired = finding.notes.iter().filter_map(|note| match note {
            Note::ExemptionExpired(index) => self.real.exemptions.get(*index),
            _ => None,
        });
        let last = expired.map(|reviewed| reviewed.exemption.expires).max();
        last.map(day_after).max(self.protection_lapsed)
    }

    /// The same, for anything of the user's.
    pub(super) fn anything_lapsed(&self) -> Option<DateTime<Utc>> {
        let lapsed = self.findings().filter_map(|finding| self.lapsed(finding)).max();
        lapsed.max(self.protection_lapsed)
    }
}

/// The moment at which the day after this one begins.
fn day_after(day: NaiveDate) -> DateTime<Utc> {
    days_after(day.and_time(NaiveTime::MIN).and_utc(), 1)
}

/// An account with this user alone, whose evidence is new and whole.
fn alone(dossier: &Dossier, user: User<'static>, now: DateTime<Utc>) -> Account<'static> {
    Account {
        id: dossier.account,
        partition: dossier.partition.clone(),
        alias: None,
        form: Form::Live,
        report_generated_at: Some(now),
        root: None,
        users: vec![user],
        replaced: Vec::new(),
        gaps: Vec::new(),
        asked_after: Vec::new(),
    }
}

/// The credential that a finding is about.
fn about(finding: &Finding) -> Option<Subject> {
    let credential = finding.credential.as_ref()?;
    Some(match &credential.handle {
        Some(handle) => subject(credential.kind, handle),
        None => Subject::Credential(credential.kind, None),
    })
}

fn unread(finding: &Finding) -> String {
    let field = finding.notes.iter().find_map(|note| match note {
        Note::Unreadable(field) => Some(format!("{} cannot be read: {}", field.column, field.text)),
        _ => None,
    });
    field.unwrap_or_else(|| "its evidence cannot be read".to_owned())
}

/// One credential with everything that the decision hangs on.
pub(super) struct Case<'a> {
    pub(super) dossier: &'a Dossier,
    pub(super) account: &'a AccountFacts,
    pub(super) judged: &'a Judged<'a>,
    pub(super) basis: Basis<'a>,
    /// Whether an earlier run has set a clock that nobody has taken away.
    pub(super) is_remembered: bool,
}

impl Case<'_> {
    /// Decides about one credential.
    pub(super) fn decide(&self, credential: &Credential<'_>) -> Decision {
        let subject = &credential.subject;
        let tag = Tag::of(subject, &self.dossier.user);
        let is_accepted = is_accepted(credential.active);
        let clearing = |why| tag.is_there().then_some(why);
        let finding = match self.judged.verdict(subject, is_accepted) {
            Verdict::Nothing => return self.clear(credential, tag),
            Verdict::Unknown(message) => {
                return Decision::LeaveAlone(Guard::Incomplete(message), None);
            }
            // The tag of what a run deactivated is what it can be undone by.
            Verdict::Exempted(guard) if !is_accepted && tag.is_of_deactivation() => {
                return Decision::LeaveAlone(guard, None);
            }
            Verdict::Exempted(guard) => {
                return Decision::LeaveAlone(guard, clearing(Clearing::Exempted));
            }
            Verdict::Open(finding) => finding,
        };
        if let Some(guard) = guard::of_rule(finding.rule, self.account) {
            return Decision::Hold { guard, renew: holds_on(tag, self.basis) };
        }
        match recently_reset(finding) {
            Some(guard @ Guard::RecentlyReset(_)) => {
                return Decision::LeaveAlone(guard, clearing(Clearing::RecentlyReset));
            }
            // Missing evidence takes no days away.
            Some(guard) => return Decision::LeaveAlone(guard, None),
            None => {}
        }
        match credential.active {
            Flag::Unreadable(field) => {
                let message = format!("{} cannot be read: {}", field.column, field.text);
                Decision::LeaveAlone(Guard::Incomplete(message), None)
            }
            Flag::Yes => self.accepted(credential, tag, finding),
            Flag::No => self.inactive(credential, tag, finding),
        }
    }

    /// Nothing is held against the credential: a clock that ran stops.
    fn clear(&self, credential: &Credential<'_>, tag: Tag) -> Decision {
        if !tag.is_there() {
            return Decision::Nothing;
        }
        let recent = TimeDelta::days(i64::from(self.basis.policy.stale_after_days));
        let used = credential.last_used.and_then(crate::model::inventory::Stamp::at);
        // The tag of what a run deactivated is what it can be undone by, unless it was used since.
        if let Tag::Says(clock) = tag
            && tag.is_of_deactivation()
            && !is_accepted(credential.active)
            && used.is_none_or(|at| at < clock.since)
        {
            return Decision::Nothing;
        }
        match used.filter(|at| self.basis.now - *at < recent) {
            Some(at) => Decision::LeaveAlone(Guard::Used(at), Some(Clearing::Used(at))),
            None => Decision::Change(Act::Clear(Clearing::NotStale)),
        }
    }

    /// A stale credential that is accepted: notice, then deactivation.
    fn accepted(&self, credential: &Credential<'_>, tag: Tag, finding: &Finding) -> Decision {
        let notify = |why| Decision::Change(Act::Notify(why));
        let clock = match tag {
            Tag::Absent if self.is_remembered => return notify(Start::Vanished),
            Tag::Absent => return notify(Start::First),
            Tag::Unreadable => return notify(Start::Unreadable),
            Tag::Says(clock) if clock.reached.is_inactive() => {
                return notify(Start::Reactivated);
            }
            Tag::Says(clock) => clock,
        };
        let is_password = credential.subject == Subject::PASSWORD;
        let changed = credential.created.at().is_some_and(|changed| changed >= clock.since);
        let stopped = stopped(clock, self.basis)
            .or((is_password && changed).then_some(Start::PasswordChanged))
            .or(used_since(clock, finding))
            .or_else(|| self.lapsed_since(clock, finding));
        if let Some(why) = stopped {
            return notify(why);
        }
        let Basis { remediation, stage, now, .. } = self.basis;
        let due = clock.after(remediation.deactivate_after_days).max(self.longer(finding));
        let renew = wants_renewal(clock, self.basis);
        if now < due || stage < Stage::Deactivate {
            // A password has no other way of being deactivated than to be deleted.
            let (stage, by_hand) = match (is_password, remediation.delete_passwords) {
                (true, deletes) => (Stage::Delete, !deletes),
                (false, _) => (Stage::Deactivate, false),
            };
            return Decision::Wait { stage, due, renew, by_hand };
        }
        match (is_password, remediation.delete_passwords) {
            (true, false) => Decision::ByHand { renew },
            (true, true) => Decision::Change(Act::DeletePassword),
            (false, _) => Decision::Change(Act::Deactivate),
        }
    }

    /// A credential that is inactive, and would be stale if it were not: deletion, where the policy
    /// asks for it.
    fn inactive(&self, credential: &Credential<'_>, tag: Tag, finding: &Finding) -> Decision {
        let Basis { remediation, stage, now, .. } = self.basis;
        let settle = |why| Decision::Change(Act::Settle(why));
        let Some(days) = remediation.delete_after_days else {
            return match tag {
                Tag::Says(Clock { reached: Reached::Notified, .. }) | Tag::Unreadable => {
                    Decision::Change(Act::Clear(Clearing::Inactive))
                }
                Tag::Says(_) | Tag::Absent => Decision::Nothing,
            };
        };
        let clock = match tag {
            Tag::Absent if self.is_remembered => return settle(Start::Vanished),
            // Somebody else made it inactive: a key that is left over is a finding of its own.
            Tag::Absent if self.judged.is_left_over(&credential.subject) => {
                return settle(Start::First);
            }
            Tag::Absent => return Decision::Nothing,
            Tag::Unreadable => return settle(Start::Unreadable),
            Tag::Says(Clock { reached: Reached::Notified, .. }) => return settle(Start::First),
            Tag::Says(clock) if !self.takes_inactive(credential, clock) => {
                return Decision::Change(Act::Clear(Clearing::NotStale));
            }
            Tag::Says(clock) => clock,
        };
        if let Some(why) = stopped(clock, self.basis)
            .or(used_since(clock, finding))
            .or_else(|| self.lapsed_since(clock, finding))
        {
            return settle(why);
        }
        let due = clock.after(days).max(self.longer(finding));
        if now < due || stage < Stage::Delete {
            let renew = wants_renewal(clock, self.basis);
            return Decision::Wait { stage: Stage::Delete, due, renew, by_hand: false };
        }
        Decision::Change(Act::DeleteCredential)
    }

    /// Whether an inactive credential with such a tag is remediated: a key that somebody else made
    /// inactive has a rule of its own.
    fn takes_inactive(&self, credential: &Credential<'_>, clock: Clock) -> bool {
        let is_key =
            matches!(credential.subject, Subject::Credential(CredentialKind::AccessKey, _));
        let rule = if is_key { Rule::InactiveAccessKey } else { Rule::OldServiceCredential };
        clock.reached != Reached::Inactive || self.basis.remediation.takes_rule(rule)
    }

    /// From when on the disuse is certain: what IAM tells of the last use lags behind, so that it
    /// is one day more than makes the credential stale.
    fn longer(&self, finding: &Finding) -> DateTime<Utc> {
        days_after(reference(finding), self.basis.policy.stale_after_days.saturating_add(1))
    }

    fn lapsed_since(&self, clock: Clock, finding: &Finding) -> Option<Start> {
        let lapsed = self.judged.lapsed(finding)?;
        (clock.since < lapsed).then_some(Start::ExemptionLapsed)
    }
}

/// Whether a tag is to be written again although evidence about somebody else is missing: this user
/// was seen whole, so that a run did see that the notice still holds.
pub(super) fn holds_on(tag: Tag, basis: Basis<'_>) -> bool {
    match tag {
        Tag::Says(clock) => stopped(clock, basis).is_none() && wants_renewal(clock, basis),
        Tag::Absent | Tag::Unreadable => false,
    }
}

/// The guard of a password that was reset lately, or may have been.
pub(super) fn recently_reset(finding: &Finding) -> Option<Guard> {
    finding.notes.iter().find_map(|note| match note {
        Note::RecentlyReset(changed) => Some(Guard::RecentlyReset(*changed)),
        Note::Unreadable(_) => Some(Guard::Incomplete(unread(finding))),
        _ => None,
    })
}

/// Whether it was used after the clock began, between two runs that both found it unused for long.
fn used_since(clock: Clock, finding: &Finding) -> Option<Start> {
    let used = finding.reference.filter(|(reference, _)| *reference == Reference::LastUsed);
    used.filter(|(_, at)| *at >= clock.since).map(|_| Start::Used)
}

/// The date from which the disuse is counted. An open finding of these rules always has one.
fn reference(finding: &Finding) -> DateTime<Utc> {
    finding.reference.map_or(DateTime::<Utc>::MAX_UTC, |(_, moment)| moment)
}

/// Our tags of credentials that the user has no more.
pub(super) fn left_behind(dossier: &Dossier) -> Vec<Subject> {
    let user = &dossier.user;
    let there: Vec<String> = credentials(user).iter().map(|it| it.subject.key()).collect();
    let tags = user.tags.iter().flat_map(clock::ours);
    let gone = tags
        .map(|(key, _)| key)
        .filter(|key| *key != Subject::User.key() && !there.iter().any(|known| known == key));
    // A tag that is written in another way than ours is none of ours.
    gone.map(|key| (subject_of(key), key))
        .filter(|(subject, key)| subject.key() == *key)
        .map(|(it, _)| it)
        .collect()
}

/// What a tag of ours is about, by its key.
fn subject_of(key: &str) -> Subject {
    let name = key.strip_prefix(clock::PREFIX).unwrap_or(key);
    let (kind, id) = name.split_once(':').map_or((name, None), |(kind, id)| (kind, Some(id)));
    match (CredentialKind::from_id(kind), id) {
        (Some(CredentialKind::Password), None) => Subject::PASSWORD,
        // A password has no id, and everything else has one.
        (Some(CredentialKind::Password) | None, _) | (Some(_), None) => Subject::User,
        (Some(kind), Some(id)) => Subject::Credential(kind, Some(id.to_owned())),
    }
}
