//! What a proposal, a pull request or a merge group of several, is judged by: the head's exemptions,
//! and the stricter policy of base and head.

use std::path::Path;

use chrono::NaiveDate;

use super::allowlist::Chosen;
use super::scene::{Scene, unread};
use super::tracker::Parting;
use super::{Exit, Streams};
use crate::allowlist::{self, Allowlist, Exemption};
use crate::judge::AllowlistOrigin;
use crate::policy::Policy;
use crate::publish::pull_request::{PolicyChange, remedy_changes, stricter};
use crate::report::visible;
use crate::runner::event::Payload;
use crate::settings::{ActionSettings, AllowlistSetting};

/// What a run is judged by.
pub(super) struct Basis {
    pub(super) policy: Policy,
    /// The allowlist that counts.
    pub(super) head: Chosen,
    /// The allowlist without the proposal, for comparison.
    pub(super) base: Option<Chosen>,
    pub(super) loosens: Vec<PolicyChange>,
    /// What the proposal changes about the remedy.
    pub(super) remedy: Vec<PolicyChange>,
    /// Whether something could not be had that a proposal is judged by.
    pub(super) exit: Exit,
}

impl Basis {
    /// An allowlist on its own.
    pub(super) fn of(head: Chosen, settings: &ActionSettings) -> Self {
        let policy = Policy::new(&head.allowlist.policy, settings.stale_after_days);
        Self { policy, head, base: None, loosens: Vec::new(), remedy: Vec::new(), exit: Exit::Done }
    }
}

/// Where the event's proposal parts from the base; `None` where the event proposes nothing.
pub(super) fn parting(payload: &Payload) -> Option<Parting<'_>> {
    let of_pull_request = payload
        .pull_request
        .as_ref()
        .map(|it| Parting::Of { base: &it.base_sha, head: &it.head_sha });
    // A merge group is built upon the newest commit.
    of_pull_request.or(payload.merge_group_base.as_deref().map(Parting::At))
}

/// Compares the allowlist of a proposal with the one that it parted from.
pub(super) fn judge_by(
    scene: &Scene,
    settings: &ActionSettings,
    parting: Parting<'_>,
    head: Chosen,
    streams: &mut Streams<'_>,
) -> Basis {
    let head_policy = Policy::new(&head.allowlist.policy, settings.stale_after_days);
    let (base, exit) = match base(scene, settings, parting, streams) {
        Ok(base) => (base, Exit::Done),
        Err(exit) => (Allowlist::default(), exit),
    };
    let remedy = match exit {
        Exit::Done => {
            let (base, head) = (&base.remediation, &head.allowlist.remediation);
            remedy_changes(base.as_ref(), head.as_ref(), scene.names)
        }
        // A base that could not be had is not one that says nothing.
        _ => Vec::new(),
    };
    let base_policy = Policy::new(&base.policy, settings.stale_after_days);
    let (policy, mut loosens) = stricter(&base_policy, &head_policy);
    let mut head = head;
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
    let base = Chosen { allowlist: base, origin: AllowlistOrigin::None, source: String::new() };
    Basis { policy, head, base: Some(base), loosens, remedy, exit }
}

/// The allowlist of the base. One that is not there or broken exempts nobody.
fn base(
    scene: &Scene,
    settings: &ActionSettings,
    parting: Parting<'_>,
    streams: &mut Streams<'_>,
) -> Result<Allowlist, Exit> {
    let path = match &settings.allowlist {
        AllowlistSetting::None => return Ok(Allowlist::default()),
        AllowlistSetting::Default => Path::new(allowlist::DEFAULT_PATH),
        AllowlistSetting::File(path) => path,
    };
    let (Some(tracker), Some(repository)) = (&scene.tracker, &scene.repository) else {
        streams.error("without a token for GitHub, the allowlist of the base cannot be read");
        streams.hint("give `github-token`, and the job `permissions: contents: read`");
        return Err(Exit::Incomplete);
    };
    let name = path.to_string_lossy();
    let file = tracker
        .file_at_base(repository, parting, &name)
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
