//! The allowlists for a pull request or merge group: the exemptions of the head, and the strictest
//! policy of the head, the merge base, and the tip of the base branch.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use super::allowlist::LoadedAllowlist;
use super::error::CommandError;
use super::publish_run::NO_PULL_REQUEST_CHANGES;
use super::publish_target::PublishTarget;
use super::queue_client::{BasePoint, FileAt, MergeTarget};
use super::{Exit, Streams};
use crate::allowlist::{self, Allowlist, Exemption};
use crate::cli::{AllowlistSetting, CheckArgs};
use crate::github::Error;
use crate::model::identity::RepositoryName;
use crate::model::policy::Policy;
use crate::queue::pull_request::{
    Baseline, PolicyChange, PullRequestChanges, remediation_changes, stricter,
};
use crate::runner::checkout::RepositoryPath;
use crate::runner::event::EventPayload;
use crate::runner::job::Job;

/// The allowlist and policy of a run, and the earlier allowlists.
pub(super) struct AllowlistComparison {
    pub(super) policy: Policy,
    /// The allowlist of the head.
    pub(super) head: LoadedAllowlist,
    /// The earlier allowlists, each with its own policy.
    pub(super) earlier: Vec<(Allowlist, Policy)>,
    /// The position of the base branch's tip in `earlier`, if it was read in addition to the merge base.
    pub(super) tip: Option<usize>,
    /// The head's allowlist with the head's own policy, if the tip was read.
    pub(super) own: Option<(Allowlist, Policy)>,
    /// The changes between the allowlists.
    pub(super) pull_request_changes: PullRequestChanges,
    /// [`Exit::Incomplete`] if an earlier allowlist cannot be read.
    pub(super) exit: Exit,
}

impl AllowlistComparison {
    /// An allowlist that is not compared.
    pub(super) fn of(head: LoadedAllowlist, settings: &CheckArgs) -> Self {
        let policy = Policy::new(&head.allowlist.policy, settings.stale.stale_after_days);
        Self {
            policy,
            head,
            earlier: Vec::new(),
            tip: None,
            own: None,
            pull_request_changes: NO_PULL_REQUEST_CHANGES,
            exit: Exit::Done,
        }
    }
}

/// The merge target of a pull request or merge group; `None` for other events.
pub(super) fn base(payload: &EventPayload) -> Option<MergeTarget<'_>> {
    let of_pull_request = payload.pull_request.as_ref().map(|it| MergeTarget {
        merge_base: BasePoint::Of { base: &it.base_sha, head: &it.head_sha },
        branch: Some(&it.base_ref),
    });
    // The base of a merge group is the newest commit, or the group before it.
    of_pull_request.or_else(|| {
        let merge_base = BasePoint::At(payload.merge_group_base.as_deref()?);
        Some(MergeTarget { merge_base, branch: payload.merge_group_base_ref.as_deref() })
    })
}

/// Whether the job runs for a pull request or merge group, even if the payload has no base.
pub(super) fn is_pull_request_job(job: &Job) -> bool {
    matches!(job.event.as_str(), "pull_request" | "merge_group") || base(&job.payload).is_some()
}

/// Compares the head's allowlist with the earlier ones. `place` is its path in the repository.
pub(super) fn compare_allowlists(
    publish_target: &PublishTarget,
    settings: &CheckArgs,
    now: DateTime<Utc>,
    base: MergeTarget<'_>,
    place: &RepositoryPath,
    mut head: LoadedAllowlist,
    streams: &mut Streams<'_>,
) -> AllowlistComparison {
    let BaseAllowlists { allowlists, tip, baseline, exit } =
        read_base_allowlists(publish_target, settings, now, base, place, streams);
    let policy_of = |it: &Allowlist| Policy::new(&it.policy, settings.stale.stale_after_days);
    let head_policy = policy_of(&head.allowlist);
    let earlier: Vec<_> = allowlists.into_iter().map(|it| (policy_of(&it), it)).collect();
    let strictest = earlier.iter().map(|(policy, _)| policy.clone());
    let strictest = strictest.reduce(|one, other| one.stricter(&other));
    let newest = tip.and_then(|tip| earlier.get(tip)).map(|(policy, _)| policy);
    let strictest =
        strictest.map(|it| newest.map_or(it.clone(), |newest| it.with_expiry_tag_of(newest)));
    let own = tip.map(|_| (without_former_accounts(head.allowlist.clone()), head_policy.clone()));
    let (policy, mut loosened) = match &strictest {
        Some(strictest) => stricter(strictest, &head_policy),
        None => (head_policy, Vec::new()),
    };
    let reach = chrono::Days::new(policy.max_exemption_days.into());
    let last = now.date_naive().checked_add_days(reach).unwrap_or(NaiveDate::MAX);
    let (within, beyond): (Vec<Exemption>, Vec<Exemption>) =
        head.allowlist.exemptions.into_iter().partition(|it| it.expires <= last);
    head.allowlist.exemptions = within;
    loosened.extend(beyond.iter().map(|exemption| PolicyChange {
        what: if publish_target.names {
            format!("exemption of {}", exemption.user)
        } else {
            "exemption".to_owned()
        },
        from: last.to_string(),
        to: exemption.expires.to_string(),
    }));
    let allowlists: Vec<&Allowlist> = earlier.iter().map(|(_, it)| it).collect();
    let pull_request_changes = PullRequestChanges {
        loosened,
        remediation: remediation_policy_changes(&allowlists, &head.allowlist, publish_target.names),
        former_accounts: new_former_accounts(&allowlists, &head.allowlist),
        baseline,
        ..NO_PULL_REQUEST_CHANGES
    };
    let earlier = earlier.into_iter().map(|(policy, it)| (without_former_accounts(it), policy));
    AllowlistComparison {
        policy,
        head,
        earlier: earlier.collect(),
        tip,
        own,
        pull_request_changes,
        exit,
    }
}

/// The differences between the head's remediation policy and the earlier ones.
fn remediation_policy_changes(
    earlier: &[&Allowlist],
    head: &Allowlist,
    names: bool,
) -> Vec<PolicyChange> {
    let mut changes: Vec<PolicyChange> = Vec::new();
    for allowlist in earlier {
        let (from, to) = (allowlist.remediation.as_ref(), head.remediation.as_ref());
        for change in remediation_changes(from, to, names) {
            if !changes.iter().any(|it| it.what == change.what) {
                changes.push(change);
            }
        }
    }
    changes.sort_by(|one, other| one.what.cmp(&other.what));
    changes
}

/// The former accounts of the head that not every earlier allowlist has.
fn new_former_accounts(earlier: &[&Allowlist], head: &Allowlist) -> Vec<allowlist::FormerAccount> {
    let is_earlier = |former: &allowlist::FormerAccount| {
        let has = |it: &&Allowlist| {
            it.former_accounts.iter().any(|other| other.account == former.account)
        };
        earlier.iter().all(has)
    };
    head.former_accounts.iter().filter(|it| !is_earlier(it)).cloned().collect()
}

/// An allowlist for the current evidence: an account that is audited again may be a former account in an
/// earlier allowlist.
fn without_former_accounts(allowlist: Allowlist) -> Allowlist {
    Allowlist { former_accounts: Vec::new(), ..allowlist }
}

/// The allowlists to compare with.
struct BaseAllowlists {
    allowlists: Vec<Allowlist>,
    /// The position of the tip's allowlist, if the merge base can be older than the tip.
    tip: Option<usize>,
    baseline: Baseline,
    exit: Exit,
}

impl BaseAllowlists {
    fn defaults(baseline: Baseline) -> Self {
        Self { allowlists: vec![Allowlist::default()], tip: None, baseline, exit: Exit::Done }
    }

    const fn unavailable(exit: Exit) -> Self {
        Self { allowlists: Vec::new(), tip: None, baseline: Baseline::Unavailable, exit }
    }
}

/// Reads the allowlist of the merge base and of the base branch's tip.
fn read_base_allowlists(
    publish_target: &PublishTarget,
    settings: &CheckArgs,
    now: DateTime<Utc>,
    base: MergeTarget<'_>,
    place: &RepositoryPath,
    streams: &mut Streams<'_>,
) -> BaseAllowlists {
    if settings.allowlist.allowlist == AllowlistSetting::None {
        return BaseAllowlists::defaults(Baseline::BaseAllowlist);
    }
    let (Some(queue_client), Some(repository)) =
        (&publish_target.queue_client, &publish_target.repository)
    else {
        let message = "the allowlist of the base branch cannot be read without a GitHub token";
        let hint = "set `github-token`, and add `permissions: contents: read` to the job";
        return BaseAllowlists::unavailable(
            streams.report(CommandError::incomplete(message).with_hint(hint)),
        );
    };
    let path = match place {
        RepositoryPath::At(path) | RepositoryPath::Probable(path) => path,
        RepositoryPath::OtherRepository(name) => {
            streams.eprintln(&format!(
                "note: the allowlist is in a checkout of {name}, not of {repository}: this pull \
                 request does not change it, so it is not compared with the base branch"
            ));
            let baseline = Baseline::OtherRepository;
            return BaseAllowlists { baseline, ..BaseAllowlists::unavailable(Exit::Done) };
        }
        RepositoryPath::Unknown(why) => {
            return BaseAllowlists::unavailable(streams.report(not_in_repository(repository, why)));
        }
    };
    let (at_merge_base, tip) = queue_client.read_base_files(repository, base, path);
    let today = now.date_naive();
    let found: Vec<BaseFile> = [Some(at_merge_base), tip]
        .into_iter()
        .flatten()
        .map(|it| BaseFile::of(it, today))
        .collect();
    if matches!(place, RepositoryPath::Probable(_))
        && found.iter().all(|it| matches!(it, BaseFile::Absent))
    {
        let why = "the workspace has no `.git`, and the base branch has no file with the same path";
        return BaseAllowlists::unavailable(streams.report(not_in_repository(repository, why)));
    }
    // The base of a merge group can be newer than the tip.
    let has_newer_tip = matches!(base.merge_base, BasePoint::Of { .. }) && found.len() > 1;
    let tip = match found.last() {
        Some(BaseFile::Read(tip)) if has_newer_tip => Some(tip.clone()),
        _ => None,
    };
    let mut earlier = resolve_base_files(found, path, streams);
    earlier.tip = tip.and_then(|tip| earlier.allowlists.iter().position(|it| *it == *tip));
    earlier
}

/// If the path in the repository is unknown, a missing file does not mean that there is no allowlist.
fn not_in_repository(repository: &RepositoryName, why: &str) -> CommandError {
    CommandError::incomplete(format!(
        "the allowlist has no known path in {repository}, so it cannot be compared with the base \
         branch: {why}"
    ))
    .with_hint(
        "check out the repository with actions/checkout and git, in the workspace or a folder in it, \
         and set the path of the allowlist in that checkout",
    )
}

/// An allowlist at a commit of the base.
#[derive(Debug)]
enum BaseFile {
    Absent,
    Invalid,
    Read(Box<Allowlist>),
    /// The file cannot be read.
    Failed(Error),
}

impl BaseFile {
    fn of(file: FileAt, today: NaiveDate) -> Self {
        match file.map(|found| found.map(|bytes| allowlist::parse(&bytes, today))) {
            Ok(None) => Self::Absent,
            Ok(Some(Ok(allowlist))) => Self::Read(Box::new(allowlist)),
            Ok(Some(Err(_))) => Self::Invalid,
            Err(error) => Self::Failed(error),
        }
    }
}

/// The allowlists to use. If the file is missing or invalid in one commit, the other one's is used.
fn resolve_base_files(
    found: Vec<BaseFile>,
    path: &str,
    streams: &mut Streams<'_>,
) -> BaseAllowlists {
    let mut exit = Exit::Done;
    let mut reported = BTreeSet::new();
    for it in &found {
        if let BaseFile::Failed(error) = it
            && reported.insert(error.to_string())
        {
            exit = exit.max(streams.report(error.clone()));
        }
    }
    let is_broken = found.iter().any(|it| matches!(it, BaseFile::Invalid));
    let mut allowlists: Vec<Allowlist> = Vec::new();
    for it in found {
        if let BaseFile::Read(allowlist) = it
            && !allowlists.contains(&allowlist)
        {
            allowlists.push(*allowlist);
        }
    }
    match (allowlists.is_empty(), exit, is_broken) {
        (false, _, _) => {
            if is_broken {
                streams.eprintln(&format!(
                    "note: {path} is invalid in one of the two base commits that the pull request is \
                     compared with, so only the other one is used"
                ));
            }
            BaseAllowlists { allowlists, tip: None, baseline: Baseline::BaseAllowlist, exit }
        }
        (true, Exit::Done, true) => {
            streams.eprintln(&format!(
                "note: {path} is invalid in the base branch, so the earlier policy is unknown: the \
                 defaults apply where they are stricter, without exemptions"
            ));
            BaseAllowlists::defaults(Baseline::Defaults)
        }
        (true, Exit::Done, false) => BaseAllowlists::defaults(Baseline::BaseAllowlist),
        (true, exit, _) => BaseAllowlists::unavailable(exit),
    }
}

/// Whether the pull request comes from a fork or from Dependabot: GitHub gives those no secrets and no
/// OIDC token.
pub(super) fn is_from_fork_or_dependabot(job: Option<&Job>) -> bool {
    let pull_request = job.and_then(|job| job.payload.pull_request.as_ref());
    pull_request.is_some_and(|it| it.is_fork() || it.is_dependabot())
}
