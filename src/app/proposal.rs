//! What a pull request is judged by: the head's exemptions, and the stricter policy of base and head.

use std::path::Path;

use super::allowlist::Chosen;
use super::scene::{Scene, unread};
use super::{Exit, Streams};
use crate::allowlist::{self, Allowlist, Exemption};
use crate::judge::AllowlistOrigin;
use crate::policy::Policy;
use crate::publish::pull_request::{Loosening, stricter};
use crate::report::visible;
use crate::runner::job::Job;
use crate::settings::{ActionSettings, AllowlistSetting};

/// What a run is judged by.
pub(super) struct Basis {
    pub(super) policy: Policy,
    /// The allowlist that counts.
    pub(super) head: Chosen,
    /// The allowlist without the pull request, for comparison.
    pub(super) base: Option<Chosen>,
    pub(super) loosens: Vec<Loosening>,
    /// Whether something could not be had that a pull request is judged by.
    pub(super) exit: Exit,
}

impl Basis {
    /// An allowlist on its own.
    pub(super) fn of(head: Chosen, settings: &ActionSettings) -> Self {
        let policy = Policy::new(&head.allowlist.policy, settings.stale_after_days);
        Self { policy, head, base: None, loosens: Vec::new(), exit: Exit::Done }
    }
}

/// Compares the allowlist of a pull request with the one that it parted from.
pub(super) fn judge_by(
    scene: &Scene,
    settings: &ActionSettings,
    job: &Job,
    head: Chosen,
    streams: &mut Streams<'_>,
) -> Basis {
    let head_policy = Policy::new(&head.allowlist.policy, settings.stale_after_days);
    let (base, exit) = match base(scene, settings, job, streams) {
        Ok(base) => (base, Exit::Done),
        Err(exit) => (Allowlist::default(), exit),
    };
    let base_policy = Policy::new(&base.policy, settings.stale_after_days);
    let (policy, mut loosens) = stricter(&base_policy, &head_policy);
    let mut head = head;
    let last = settings.now.date_naive() + chrono::Days::new(policy.max_exemption_days.into());
    let (within, beyond): (Vec<Exemption>, Vec<Exemption>) =
        head.allowlist.exemptions.into_iter().partition(|it| it.expires <= last);
    head.allowlist.exemptions = within;
    loosens.extend(beyond.iter().map(|exemption| Loosening {
        what: format!("exemption of {}", exemption.user),
        from: last.to_string(),
        to: exemption.expires.to_string(),
    }));
    let base = Chosen { allowlist: base, origin: AllowlistOrigin::None, source: String::new() };
    Basis { policy, head, base: Some(base), loosens, exit }
}

/// The allowlist at the merge base. One that is not there or broken exempts nobody.
fn base(
    scene: &Scene,
    settings: &ActionSettings,
    job: &Job,
    streams: &mut Streams<'_>,
) -> Result<Allowlist, Exit> {
    let path = match &settings.allowlist {
        AllowlistSetting::None => return Ok(Allowlist::default()),
        AllowlistSetting::Default => Path::new(allowlist::DEFAULT_PATH),
        AllowlistSetting::File(path) => path,
    };
    let (Some(tracker), Some(repository), Some(pull_request)) =
        (&scene.tracker, &scene.repository, &job.payload.pull_request)
    else {
        streams.error("without a token for GitHub, the allowlist of the base cannot be read");
        streams.hint("give `github-token`, and the job `permissions: contents: read`");
        return Err(Exit::Incomplete);
    };
    let name = path.to_string_lossy();
    let file = tracker
        .file_at_merge_base(repository, &pull_request.base_sha, &pull_request.head_sha, &name)
        .map_err(|error| unread(&error, streams))?;
    let today = settings.now.date_naive();
    match file.map(|bytes| allowlist::parse(&bytes, today)) {
        None => Ok(Allowlist::default()),
        Some(Ok(allowlist)) => Ok(allowlist),
        Some(Err(_)) => {
            let name = visible(&name).into_owned();
            streams
                .say(&format!("note: {name} is broken in the base: it counts as exempting nobody"));
            Ok(Allowlist::default())
        }
    }
}
