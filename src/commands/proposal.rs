//! What a proposal, a pull request or a merge group of several, is judged by: the head's exemptions,
//! and the strictest policy of the head, the commit that it parts from, and the base branch's tip.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::allowlist::Chosen;
use super::publishing::NO_PROPOSAL;
use super::scene::{Scene, unread};
use super::tracker::{Base, FileAt, Parting};
use super::{Exit, Streams};
use crate::allowlist::{self, Allowlist, Exemption};
use crate::github::Error;
use crate::model::identity::Repository;
use crate::model::policy::Policy;
use crate::queue::pull_request::{Compared, PolicyChange, Proposal, remedy_changes, stricter};
use crate::report::visible;
use crate::runner::checkout::InRepository;
use crate::runner::event::Payload;
use crate::runner::job::Job;
use crate::settings::{ActionSettings, AllowlistSetting};

/// What a run is judged by.
pub(super) struct Basis {
    pub(super) policy: Policy,
    /// The allowlist that counts.
    pub(super) head: Chosen,
    /// The allowlists without the proposal, each with its own policy, for comparison.
    pub(super) earlier: Vec<(Allowlist, Policy)>,
    /// Which of those is the base branch's tip, where that was read as well as the merge base.
    pub(super) tip: Option<usize>,
    /// The head's allowlist with the head's own policy, where the tip was read.
    pub(super) own: Option<(Allowlist, Policy)>,
    /// What the proposal changes, as far as the allowlists tell.
    pub(super) proposal: Proposal,
    /// Whether something could not be had that a proposal is judged by.
    pub(super) exit: Exit,
}

impl Basis {
    /// An allowlist on its own.
    pub(super) fn of(head: Chosen, settings: &ActionSettings) -> Self {
        let policy = Policy::new(&head.allowlist.policy, settings.stale_after_days);
        Self {
            policy,
            head,
            earlier: Vec::new(),
            tip: None,
            own: None,
            proposal: NO_PROPOSAL,
            exit: Exit::Done,
        }
    }
}

/// What the event's proposal is to be merged into; `None` where the event proposes nothing.
pub(super) fn base(payload: &Payload) -> Option<Base<'_>> {
    let of_pull_request = payload.pull_request.as_ref().map(|it| Base {
        parting: Parting::Of { base: &it.base_sha, head: &it.head_sha },
        branch: Some(&it.base_ref),
    });
    // A merge group is built upon the newest commit, or upon the group before it.
    of_pull_request.or_else(|| {
        let parting = Parting::At(payload.merge_group_base.as_deref()?);
        Some(Base { parting, branch: payload.merge_group_base_ref.as_deref() })
    })
}

/// Whether the job was started by a proposal, even if the event does not say what its base is.
pub(super) fn is_proposal(job: &Job) -> bool {
    matches!(job.event.as_str(), "pull_request" | "merge_group") || base(&job.payload).is_some()
}

/// Compares the allowlist of a proposal with the earlier ones. `place` is where it stands in the
/// repository.
pub(super) fn judge_by(
    scene: &Scene,
    settings: &ActionSettings,
    base: Base<'_>,
    place: &InRepository,
    mut head: Chosen,
    streams: &mut Streams<'_>,
) -> Basis {
    let Earlier { allowlists, tip, compared, exit } =
        earlier(scene, settings, base, place, streams);
    let policy_of = |it: &Allowlist| Policy::new(&it.policy, settings.stale_after_days);
    let head_policy = policy_of(&head.allowlist);
    let earlier: Vec<_> = allowlists.into_iter().map(|it| (policy_of(&it), it)).collect();
    let strictest = earlier.iter().map(|(policy, _)| policy.clone());
    let strictest = strictest.reduce(|one, other| one.stricter(&other));
    let newest = tip.and_then(|tip| earlier.get(tip)).map(|(policy, _)| policy);
    let strictest = strictest.map(|it| newest.map_or(it.clone(), |newest| it.with_expiry(newest)));
    let own = tip.map(|_| (without_former_accounts(head.allowlist.clone()), head_policy.clone()));
    let (policy, mut loosens) = match &strictest {
        Some(strictest) => stricter(strictest, &head_policy),
        None => (head_policy, Vec::new()),
    };
    let reach = chrono::Days::new(policy.max_exemption_days.into());
    let last = settings.now.date_naive().checked_add_days(reach).unwrap_or(NaiveDate::MAX);
    let (within, beyond): (Vec<Exemption>, Vec<Exemption>) =
        head.allowlist.exemptions.into_iter().partition(|it| it.expires <= last);
    head.allowlist.exemptions = within;
    loosens.extend(beyond.iter().map(|exemption| PolicyChange {
        what: if scene.names {
            format!("exemption of {}", exemption.user)
        } else {
            "exemption".to_owned()
        },
        from: last.to_string(),
        to: exemption.expires.to_string(),
    }));
    let allowlists: Vec<&Allowlist> = earlier.iter().map(|(_, it)| it).collect();
    let proposal = Proposal {
        loosens,
        remedy: changes_of_remedy(&allowlists, &head.allowlist, scene.names),
        drops: drops(&allowlists, &head.allowlist),
        compared,
        ..NO_PROPOSAL
    };
    let earlier = earlier.into_iter().map(|(policy, it)| (without_former_accounts(it), policy));
    Basis { policy, head, earlier: earlier.collect(), tip, own, proposal, exit }
}

/// Where the head's remedy is another than one of the earlier ones.
fn changes_of_remedy(earlier: &[&Allowlist], head: &Allowlist, names: bool) -> Vec<PolicyChange> {
    let mut changes: Vec<PolicyChange> = Vec::new();
    for allowlist in earlier {
        let (from, to) = (allowlist.remediation.as_ref(), head.remediation.as_ref());
        for change in remedy_changes(from, to, names) {
            if !changes.iter().any(|it| it.what == change.what) {
                changes.push(change);
            }
        }
    }
    changes.sort_by(|one, other| one.what.cmp(&other.what));
    changes
}

/// The former accounts of the head that not every earlier allowlist has.
fn drops(earlier: &[&Allowlist], head: &Allowlist) -> Vec<allowlist::FormerAccount> {
    let is_earlier = |former: &allowlist::FormerAccount| {
        let has = |it: &&Allowlist| {
            it.former_accounts.iter().any(|other| other.account == former.account)
        };
        earlier.iter().all(has)
    };
    head.former_accounts.iter().filter(|it| !is_earlier(it)).cloned().collect()
}

/// For judging the evidence of today: an account that is audited again was a former one earlier.
fn without_former_accounts(allowlist: Allowlist) -> Allowlist {
    Allowlist { former_accounts: Vec::new(), ..allowlist }
}

/// The allowlists that a proposal is compared with.
struct Earlier {
    allowlists: Vec<Allowlist>,
    /// Which of them is the tip's, where a pull request's merge base may be older than the tip.
    tip: Option<usize>,
    compared: Compared,
    exit: Exit,
}

impl Earlier {
    fn defaults(compared: Compared) -> Self {
        Self { allowlists: vec![Allowlist::default()], tip: None, compared, exit: Exit::Done }
    }

    const fn nothing(compared: Compared, exit: Exit) -> Self {
        Self { allowlists: Vec::new(), tip: None, compared, exit }
    }
}

/// Reads the allowlist where the proposal parts from the base, and at the base branch's tip.
fn earlier(
    scene: &Scene,
    settings: &ActionSettings,
    base: Base<'_>,
    place: &InRepository,
    streams: &mut Streams<'_>,
) -> Earlier {
    if settings.allowlist == AllowlistSetting::None {
        return Earlier::defaults(Compared::Earlier);
    }
    let (Some(tracker), Some(repository)) = (&scene.tracker, &scene.repository) else {
        streams.error("without a token for GitHub, the allowlist of the base cannot be read");
        streams.hint("give `github-token`, and the job `permissions: contents: read`");
        return Earlier::nothing(Compared::Nothing, Exit::Incomplete);
    };
    let path = match place {
        InRepository::At(path) | InRepository::Perhaps(path) => path,
        InRepository::Elsewhere(name) => {
            streams.say(&visible(&format!(
                "note: the allowlist is in a checkout of {name}, not of {repository}: a proposal \
                 here does not change it, and is not compared with an earlier one"
            )));
            return Earlier::nothing(Compared::Elsewhere, Exit::Done);
        }
        InRepository::Unknown(why) => return not_in_repository(repository, why, streams),
    };
    let (parted, tip) = tracker.files_at_base(repository, base, path);
    let today = settings.now.date_naive();
    let found: Vec<Found> =
        [Some(parted), tip].into_iter().flatten().map(|it| Found::of(it, today)).collect();
    if matches!(place, InRepository::Perhaps(_))
        && found.iter().all(|it| matches!(it, Found::Absent))
    {
        let why =
            "the workspace has no `.git`, and the base has no file of its path in the workspace";
        return not_in_repository(repository, why, streams);
    }
    // A merge group is built upon what it is compared with, which may be newer than the tip.
    let has_newer_tip = matches!(base.parting, Parting::Of { .. }) && found.len() > 1;
    let tip = match found.last() {
        Some(Found::Read(tip)) if has_newer_tip => Some(tip.clone()),
        _ => None,
    };
    let mut earlier = weigh(found, path, streams);
    earlier.tip = tip.and_then(|tip| earlier.allowlists.iter().position(|it| *it == *tip));
    earlier
}

/// Where the right path to ask for is not known, absence is no fact.
fn not_in_repository(repository: &Repository, why: &str, streams: &mut Streams<'_>) -> Earlier {
    streams.error(&format!(
        "the allowlist has no known path in {repository}, so it cannot be compared with an earlier \
         one: {why}"
    ));
    streams.hint(
        "check the repository out into the workspace, or a folder in it, with actions/checkout and \
         git, and give the path of the allowlist in that checkout",
    );
    Earlier::nothing(Compared::Nothing, Exit::Incomplete)
}

/// An allowlist at a commit of the base.
#[derive(Debug)]
enum Found {
    Absent,
    Broken,
    Read(Box<Allowlist>),
    /// Nobody can tell.
    Unread(Error),
}

impl Found {
    fn of(file: FileAt, today: NaiveDate) -> Self {
        match file.map(|found| found.map(|bytes| allowlist::parse(&bytes, today))) {
            Ok(None) => Self::Absent,
            Ok(Some(Ok(allowlist))) => Self::Read(Box::new(allowlist)),
            Ok(Some(Err(_))) => Self::Broken,
            Err(error) => Self::Unread(error),
        }
    }
}

/// What counts of what was found. A file that is absent or broken at one commit leaves the other's.
fn weigh(found: Vec<Found>, path: &str, streams: &mut Streams<'_>) -> Earlier {
    let mut exit = Exit::Done;
    let mut told = BTreeSet::new();
    for it in &found {
        if let Found::Unread(error) = it
            && told.insert(error.to_string())
        {
            exit = exit.max(unread(error, streams));
        }
    }
    let is_broken = found.iter().any(|it| matches!(it, Found::Broken));
    let mut allowlists: Vec<Allowlist> = Vec::new();
    for it in found {
        if let Found::Read(allowlist) = it
            && !allowlists.contains(&allowlist)
        {
            allowlists.push(*allowlist);
        }
    }
    let path = visible(path);
    match (allowlists.is_empty(), exit, is_broken) {
        (false, _, _) => {
            if is_broken {
                streams.say(&format!(
                    "note: {path} is broken at one of the two commits of the base that a proposal \
                     is compared with: the other one counts"
                ));
            }
            Earlier { allowlists, tip: None, compared: Compared::Earlier, exit }
        }
        (true, Exit::Done, true) => {
            streams.say(&format!(
                "note: {path} is broken in the base, so the earlier policy is unknown: the \
                 defaults count where they are stricter, and nobody was exempted"
            ));
            Earlier::defaults(Compared::Defaults)
        }
        (true, Exit::Done, false) => Earlier::defaults(Compared::Earlier),
        (true, exit, _) => Earlier::nothing(Compared::Nothing, exit),
    }
}

/// Whether the pull request comes from a fork or from Dependabot: GitHub gives those no secrets and no
/// OIDC token.
pub(super) fn is_from_outside(job: Option<&Job>) -> bool {
    let pull_request = job.and_then(|job| job.payload.pull_request.as_ref());
    pull_request.is_some_and(|it| it.is_fork() || it.is_dependabot())
}
