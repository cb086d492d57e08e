//! What is to be done about one user: a decision for each credential, then for the user as a whole.

use super::credential::{Case, Decision, Judged, Tag, holds_on, left_behind};
use super::facts::{Credential, credentials, is_accepted};
use super::{
    AccountFacts, Act, Basis, Change, Clearing, Facts, Guard, LeftAlone, Place, Plan, Remembered,
    Scene, Start, Waiting, guard, stopped, wants_renewal,
};
use crate::model::clock::{Reached, Subject, days_after};
use crate::model::inventory::{Dossier, Flag, Stamp, Unreadable};
use crate::model::policy::remediation::Stage;

/// Adds to the plan what is to be done about a user.
pub(super) fn plan(
    dossier: &Dossier,
    account: &AccountFacts,
    scene: &Scene,
    basis: Basis<'_>,
    plan: &mut Plan,
) {
    let judged = Judged::of(dossier, basis);
    if let Some(guard) = guard::of_user(dossier, account, basis) {
        if judged.is_something() || guard::is_marked(dossier) || !dossier.gaps.is_empty() {
            let place = place(dossier, Subject::User);
            plan.left_alone.push(LeftAlone { place, guard });
        }
        return;
    }
    let is_remembered = |subject: &Subject| {
        let user_id = dossier.user.id.clone().unwrap_or_default();
        let subject = subject.clone();
        scene.remembered.contains(&Remembered { account: dossier.account, user_id, subject })
    };
    let case = |subject: &Subject| Case {
        dossier,
        account,
        judged: &judged,
        basis,
        is_remembered: is_remembered(subject),
    };
    let mut decisions: Vec<(Subject, Decision)> = Vec::new();
    for subject in left_behind(dossier) {
        decisions.push((subject, Decision::Change(Act::Clear(Clearing::Gone))));
    }
    for credential in credentials(&dossier.user) {
        let decision = case(&credential.subject).decide(&credential);
        decisions.push((credential.subject, decision));
    }
    let is_half_deleted =
        dossier.user.id.as_ref().is_some_and(|id| scene.half_deleted.contains(id));
    let whole = whole_user(&case(&Subject::User), &decisions, is_half_deleted);
    if whole == Decision::Change(Act::DeleteUser) {
        // The user goes with everything that is left.
        decisions.retain(|(_, decision)| matches!(decision, Decision::LeaveAlone(_, None)));
    }
    decisions.push((Subject::User, whole));
    refuse_too_many_tags(dossier, &mut decisions);
    for (subject, decision) in decisions {
        Entry { dossier, subject }.enter(decision, plan);
    }
}

/// Decides about the user as a whole: deleted some time after the last credential went out of use.
fn whole_user(
    case: &Case<'_>,
    decisions: &[(Subject, Decision)],
    is_half_deleted: bool,
) -> Decision {
    let Basis { remediation, stage, now, .. } = case.basis;
    let user = &case.dossier.user;
    let tag = Tag::of(&Subject::User, user);
    let stop = |why| match tag.is_there() {
        true => Decision::Change(Act::Clear(why)),
        false => Decision::Nothing,
    };
    let Some(days) = remediation.delete_after_days.filter(|_| remediation.deletes_users()) else {
        return stop(Clearing::NotStale);
    };
    if let Some(guard) = guard::of_exemption(case.dossier, case.basis) {
        let clearing = tag.is_there().then_some(Clearing::Exempted);
        return Decision::LeaveAlone(guard, clearing);
    }
    match use_of(case, decisions) {
        Use::Active => return stop(Clearing::InUse),
        Use::Unknown(guard) => return Decision::LeaveAlone(guard, None),
        Use::Held(guard) => return Decision::Hold { guard, renew: holds_on(tag, case.basis) },
        Use::Idle => {}
    }
    if let Some(rule) = case.account.incomplete.first() {
        let message = format!("the rule {rule} is incomplete in this account");
        let guard = Guard::Incomplete(message);
        return Decision::Hold { guard, renew: holds_on(tag, case.basis) };
    }
    let clock = match tag {
        Tag::Absent if case.is_remembered => {
            return Decision::Change(Act::Notify(Start::Vanished));
        }
        Tag::Absent => return Decision::Change(Act::Notify(Start::First)),
        Tag::Says(clock) if clock.reached == Reached::Notified => clock,
        Tag::Says(_) | Tag::Unreadable => {
            return Decision::Change(Act::Notify(Start::Unreadable));
        }
    };
    let lapsed = case.judged.anything_lapsed().is_some_and(|lapsed| clock.since < lapsed);
    if let Some(why) = stopped(clock, case.basis).or(lapsed.then_some(Start::ExemptionLapsed)) {
        return Decision::Change(Act::Notify(why));
    }
    let due = clock.after(days);
    // What was begun on its day is finished, unless the clock starts anew as any other.
    if (now < due && !is_half_deleted) || stage < Stage::Delete {
        let renew = wants_renewal(clock, case.basis);
        return Decision::Wait { stage: Stage::Delete, due, renew, by_hand: false };
    }
    Decision::Change(Act::DeleteUser)
}

/// Whether anything of a user's is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Use {
    /// Nothing is.
    Idle,
    /// Evidence about the user is missing.
    Unknown(Guard),
    /// Evidence is missing in the account, though not about this user.
    Held(Guard),
    /// Something is, or may be: it is active, was used lately, or has not had its notice.
    Active,
}

/// Whether anything of the user's is in use: what could be deactivated is inactive and was not used
/// for long, and the password has had its notice. Missing evidence is never use.
fn use_of(case: &Case<'_>, decisions: &[(Subject, Decision)]) -> Use {
    let user = &case.dossier.user;
    let unknown = |what: &str| Use::Unknown(Guard::Incomplete(what.to_owned()));
    // Somebody may be setting the user up.
    let mut uses = vec![match is_long_ago(case, &user.created) {
        Some(true) => Use::Idle,
        Some(false) => Use::Active,
        None => unknown("nobody can tell when the user was created"),
    }];
    for credential in credentials(user) {
        uses.push(if credential.subject == Subject::PASSWORD {
            use_of_password(case, decisions)
        } else {
            use_of_key(case, &credential)
        });
    }
    // One that is in use decides, whatever is missing of another.
    if uses.contains(&Use::Active) {
        return Use::Active;
    }
    uses.into_iter().find(|it| *it != Use::Idle).unwrap_or(Use::Idle)
}

fn use_of_password(case: &Case<'_>, decisions: &[(Subject, Decision)]) -> Use {
    let decision = decisions.iter().find(|(it, _)| *it == Subject::PASSWORD);
    match decision.map(|(_, decision)| decision) {
        Some(Decision::ByHand { .. } | Decision::Change(Act::DeletePassword)) => Use::Idle,
        // Beyond the last stage that is asked for nothing is due, which a waiting tells.
        Some(Decision::Wait { due, .. }) if *due <= case.basis.now => Use::Idle,
        Some(Decision::LeaveAlone(guard @ Guard::Incomplete(_), _)) => Use::Unknown(guard.clone()),
        Some(Decision::Hold { guard, .. }) => Use::Held(guard.clone()),
        _ => Use::Active,
    }
}

fn use_of_key(case: &Case<'_>, credential: &Credential<'_>) -> Use {
    let unreadable = |field: &Unreadable| {
        let message = format!("{} cannot be read: {}", field.column, field.text);
        Use::Unknown(Guard::Incomplete(message))
    };
    match credential.active {
        Flag::Yes => return Use::Active,
        Flag::Unreadable(field) => return unreadable(field),
        Flag::No => {}
    }
    // Somebody may have made it inactive to see who misses it.
    let last = credential.last_used.filter(|it| **it != Stamp::Absent);
    let last = last.unwrap_or(credential.created);
    match (is_long_ago(case, last), last) {
        (Some(true), _) => Use::Idle,
        (Some(false), _) => Use::Active,
        (None, Stamp::Unreadable(field)) => unreadable(field),
        (None, _) => {
            let message = "nobody can tell when a credential was created";
            Use::Unknown(Guard::Incomplete(message.to_owned()))
        }
    }
}

/// Whether a moment lies one day more back than makes stale; `None` where it is not known.
fn is_long_ago(case: &Case<'_>, stamp: &Stamp) -> Option<bool> {
    let days = case.basis.policy.stale_after_days.saturating_add(1);
    stamp.at().map(|at| days_after(at, days) <= case.basis.now)
}

/// Leaves alone what would need more tags than a user may have.
fn refuse_too_many_tags(dossier: &Dossier, decisions: &mut [(Subject, Decision)]) {
    let is_new = |(subject, decision): &&mut (Subject, Decision)| {
        matches!(decision, Decision::Change(Act::Notify(_) | Act::Settle(_)))
            && Tag::of(subject, &dossier.user) == Tag::Absent
    };
    let more = decisions.iter_mut().filter(is_new).count();
    if let Some(guard) = guard::of_tags(dossier, more) {
        for (_, decision) in decisions.iter_mut().filter(is_new) {
            *decision = Decision::LeaveAlone(guard.clone(), None);
        }
    }
}

fn place(dossier: &Dossier, subject: Subject) -> Place {
    Place { account: dossier.account, user: dossier.user.name.clone().into_owned(), subject }
}

/// A decision's entry in the plan.
struct Entry<'a> {
    dossier: &'a Dossier,
    subject: Subject,
}

impl Entry<'_> {
    fn enter(self, decision: Decision, plan: &mut Plan) {
        let place = place(self.dossier, self.subject.clone());
        match decision {
            Decision::Nothing => {}
            Decision::Change(act) => plan.changes.push(self.change(act)),
            Decision::Wait { stage, due, renew, by_hand } => {
                plan.waiting.push(Waiting { place, stage, due, by_hand });
                plan.changes.extend(renew.then(|| self.change(Act::Renew)));
            }
            Decision::ByHand { renew } => {
                plan.by_hand.push(place);
                plan.changes.extend(renew.then(|| self.change(Act::Renew)));
            }
            Decision::Hold { guard, renew } => {
                plan.left_alone.push(LeftAlone { place, guard });
                plan.changes.extend(renew.then(|| self.change(Act::Renew)));
            }
            Decision::LeaveAlone(guard, clearing) => {
                plan.left_alone.push(LeftAlone { place, guard });
                plan.changes.extend(clearing.map(|why| self.change(Act::Clear(why))));
            }
        }
    }

    fn change(&self, act: Act) -> Change {
        let user = &self.dossier.user;
        let mut facts = Facts::of(&self.subject, user);
        if act == Act::DeleteUser {
            let all = credentials(user).into_iter();
            facts.credentials = all.map(|it| (it.subject, is_accepted(it.active))).collect();
        }
        Change {
            place: place(self.dossier, self.subject.clone()),
            user_id: user.id.clone().unwrap_or_default(),
            act,
            facts,
        }
    }
}
