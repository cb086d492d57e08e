//! `iam-stocktake action`: what the GitHub action runs, audit and publish in one go.

use std::collections::BTreeSet;
use std::path::Path;

use super::allowlist::{Chosen, IfMissing, MORE, Told, Unread, chosen};
use super::job::{self, Left};
use super::proposal::{Basis, is_from_outside};
use super::publishing::Publishing;
use super::remedies::{self, Workplace};
use super::scene::Scene;
use super::{Exit, Streams, age, audit, live, proposal, publish, reports};
use crate::allowlist::{Allowlist, Diagnostic, Place, Severity, lapsing};
use crate::audit::{AllowlistOrigin, Audit, Judge, Matched};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId, CredentialKind};
use crate::model::policy::Policy;
use crate::queue::ledger::{Person, person_of};
use crate::queue::memory::Memory;
use crate::queue::observation::Observation;
use crate::queue::occasion::Target;
use crate::report::json::v1;
use crate::report::{UserTemplate, visible};
use crate::runner::checkout::{self, InRepository};
use crate::runner::command::{Annotation, Level};
use crate::runner::job::Job;
use crate::runner::oidc::TokenEndpoint;
use crate::settings::{ActionSettings, AllowlistSetting};

/// Runs the command.
pub(super) fn action(settings: &ActionSettings, streams: &mut Streams<'_>) -> Exit {
    let token = settings.publish.token.as_ref();
    job::run(token, streams, |job, left, streams| {
        streams.discreet &= !settings.publish.publish_in_public;
        run(settings, job, left, streams).unwrap_or_else(|exit| exit)
    })
}

/// An `Err` has been told to the user.
fn run(
    settings: &ActionSettings,
    job: Option<&Job>,
    left: &mut Left,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    refuse_odd_proposal(job, streams)?;
    if let Some(remedy) = &settings.remedy {
        let workplace = Workplace {
            token: settings.publish.token.as_ref(),
            publish_in_public: settings.publish.publish_in_public,
            report_dir: Some(&settings.report_dir),
            job,
        };
        return remedies::run(remedy, workplace, left, streams);
    }
    if !settings.audits.is_empty() {
        let (audits, now) = (&settings.audits, settings.now);
        return publish::run(audits, &settings.publish, now, job, left, streams);
    }
    let mut scene = Scene::of(&settings.publish, job, streams)?;
    let template = template(settings, job, streams);
    let told = if scene.names { Told::Lines } else { Told::Places };
    let head = allowlist_of(settings, job, told, left, streams);
    let (head, place) = head?;
    let template = template?;
    if is_without_access(settings, job) {
        return Ok(without_access(left, streams));
    }
    // Whether it is commented on or not: what is proposed does not set its own measure.
    let judged = match job.and_then(|job| proposal::base(&job.payload)) {
        Some(base) => proposal::judge_by(&scene, settings, base, &place, head, streams),
        None => Basis::of(head, settings),
    };
    let how = live::How {
        now: settings.now,
        quiet: !scene.names,
        asked_after: known_ssh_keys(&scene, settings),
    };
    let accounts = match live::observe(&settings.live, how, &judged.policy, streams) {
        Ok(accounts) => accounts,
        // Where even the role is named by a secret, nothing says that there was to be a token.
        Err(unobserved) if is_from_outside(job) && unobserved.is_without_credentials() => {
            return Ok(without_access(left, streams));
        }
        Err(unobserved) => return Err(unobserved.tell(streams)),
    };
    let audited = accounts.iter().map(|it| it.id);
    refuse_former_accounts(&judged.head, audited, told, left, streams)?;
    if let Some(tracker) = &mut scene.tracker {
        tracker.begin_anew();
    }
    let action = Action { settings, job, scene: &scene, template };
    action.conclude(&judged, &accounts, left, streams)
}

/// What a run goes by once it knows where it is.
struct Action<'a> {
    settings: &'a ActionSettings,
    job: Option<&'a Job>,
    scene: &'a Scene,
    template: Option<UserTemplate>,
}

impl Action<'_> {
    /// Judges the accounts, publishes what comes of it, and leaves the reports behind.
    fn conclude(
        &self,
        basis: &Basis,
        accounts: &[Account<'_>],
        left: &mut Left,
        streams: &mut Streams<'_>,
    ) -> Result<Exit, Exit> {
        let Self { settings, job, scene, template } = self;
        let audit = verdict(
            accounts,
            &basis.head.allowlist,
            basis.head.origin.clone(),
            &basis.policy,
            settings,
        );
        let json = v1::Audit { run: job.map(run_of), ..v1::Audit::from(&audit) };
        let observation = observed(&json, settings, streams)?;
        age::tell_of_published(&observation, scene.names, streams);
        let mut earlier = Vec::new();
        for (allowlist, policy) in &basis.earlier {
            let origin = AllowlistOrigin::None;
            let before = verdict(accounts, allowlist, origin, policy, settings);
            earlier.push(observed(&v1::Audit::from(&before), settings, streams)?);
        }
        let mut proposal = basis.proposal.clone().comparing(&earlier, &observation);
        if let Some((own, policy)) = &basis.own
            && let Some(tip) = basis.tip.and_then(|tip| earlier.get(tip))
        {
            let own = verdict(accounts, own, AllowlistOrigin::None, policy, settings);
            let own = observed(&v1::Audit::from(&own), settings, streams)?;
            proposal = proposal.without_outdated(&own, tip, &observation);
        }
        let publishing = Publishing {
            scene,
            settings: &settings.publish,
            job: *job,
            observation: &observation,
            proposal: &proposal,
            allowlist: json.allowlist.as_deref(),
            now: settings.now,
        };
        let mut exit = basis.exit.max(publishing.publish(left, streams));
        if scene.names {
            let template = template.as_ref();
            exit = exit.max(reports::write(&audit, &json, settings, template, *job, left, streams));
            left.add_to_summary(&reports::for_summary(&audit, settings, left.summary.len()));
            left.annotations.extend(notices(&audit, &basis.head));
        }
        Ok(exit)
    }
}

/// The template of the workflow's author. Of a fork's files nothing is read but the allowlist.
fn template(
    settings: &ActionSettings,
    job: Option<&Job>,
    streams: &mut Streams<'_>,
) -> Result<Option<UserTemplate>, Exit> {
    if settings.template.is_some() && is_from_outside(job) {
        streams.say(
            "note: the template is not used: this pull request comes from a fork or from Dependabot, \
             which could change it",
        );
        return Ok(None);
    }
    audit::read_template(settings.template.as_deref(), streams)
}

/// A pull request of which nothing is known cannot be told from a fork's, and a merge group without
/// a base cannot be compared with anything.
fn refuse_odd_proposal(job: Option<&Job>, streams: &mut Streams<'_>) -> Result<(), Exit> {
    match job {
        Some(job) if job.event == "pull_request" && job.payload.pull_request.is_none() => {
            streams.error("the event is `pull_request`, and the event file tells of none");
            Err(Exit::Usage)
        }
        Some(job) if job.event == "merge_group" && proposal::base(&job.payload).is_none() => {
            streams.error(
                "the event is `merge_group`, and the event file does not say which commit the group \
                 is built upon",
            );
            streams.hint(
                "start the workflow by the event `merge_group` itself, with the event file that \
                 GitHub gives to the job",
            );
            Err(Exit::Usage)
        }
        _ => Ok(()),
    }
}

/// Whether it is clear from the beginning that no account can be audited.
fn is_without_access(settings: &ActionSettings, job: Option<&Job>) -> bool {
    is_from_outside(job)
        && settings.live.role_to_assume.is_some()
        && matches!(TokenEndpoint::from_environment(), Ok(None))
}

fn without_access(left: &mut Left, streams: &mut Streams<'_>) -> Exit {
    let says = "This pull request comes from a fork or from Dependabot: GitHub gives it no OIDC token, so \
                that no account can be audited. The allowlist was checked, and nothing else.";
    streams.say(says);
    left.add_to_summary(says);
    left.outputs
        .extend([("result", "incomplete".to_owned()), ("gate", "not-evaluated".to_owned())]);
    Exit::Done
}

/// The users of whom the queue holds an SSH key: only listing their keys can clear it. What cannot be
/// read here is read again, and told of, when the queue is written.
fn known_ssh_keys(scene: &Scene, settings: &ActionSettings) -> BTreeSet<Person> {
    let (Target::Queue { .. }, Some(tracker), Some(repository)) =
        (scene.target, &scene.tracker, &scene.queue_repository)
    else {
        return BTreeSet::new();
    };
    let queue = tracker.queue(repository, &settings.publish.queue).ok();
    let memory = queue.and_then(|queue| queue.memory);
    let open = memory.iter().flat_map(Memory::open);
    let of_ssh_keys = open.filter(|(_, entry)| entry.matter.kind == Some(CredentialKind::SshKey));
    of_ssh_keys.map(|(_, entry)| person_of(&entry.matter)).collect()
}

fn verdict(
    accounts: &[Account<'_>],
    allowlist: &Allowlist,
    origin: AllowlistOrigin,
    policy: &Policy,
    settings: &ActionSettings,
) -> Audit {
    let mut judge = Judge::new(allowlist, policy, settings.now)
        .with_max_evidence_age(settings.publish.max_evidence_age);
    accounts.iter().for_each(|account| judge.hear(account));
    judge.verdict(origin)
}

fn observed(
    json: &v1::Audit,
    settings: &ActionSettings,
    streams: &mut Streams<'_>,
) -> Result<Observation, Exit> {
    let (audits, limit) = (std::slice::from_ref(json), settings.publish.max_evidence_age);
    Observation::within(audits, settings.now, limit).map_err(|(_, unusable)| {
        streams.error(&visible(&unusable.to_string()));
        Exit::Incomplete
    })
}

fn run_of(job: &Job) -> v1::Run {
    v1::Run {
        event: job.event.clone(),
        r#ref: job.git_ref.clone(),
        repository: job.repository.clone(),
        id: job.run_id.clone(),
    }
}

/// The allowlist's path in the workspace.
fn path_of(setting: &AllowlistSetting) -> &Path {
    match setting {
        AllowlistSetting::File(path) => path,
        AllowlistSetting::Default | AllowlistSetting::None => {
            Path::new(crate::allowlist::DEFAULT_PATH)
        }
    }
}

/// Where the allowlist stands in the repository.
fn place_of_allowlist(setting: &AllowlistSetting, job: Option<&Job>) -> InRepository {
    let Some(job) = job else { return InRepository::Unknown("there is no job") };
    let pull_request = job.payload.pull_request.as_ref();
    let fork = pull_request.and_then(|it| it.head_repository.as_deref());
    let own: Vec<&str> = fork.into_iter().chain([job.repository.as_str()]).collect();
    checkout::locate(path_of(setting), job.workspace.as_deref(), &own)
}

/// Reads the allowlist, and finds out where it stands in the repository: that is how people know it.
fn allowlist_of(
    settings: &ActionSettings,
    job: Option<&Job>,
    told: Told,
    left: &mut Left,
    streams: &mut Streams<'_>,
) -> Result<(Chosen, InRepository), Exit> {
    let place = place_of_allowlist(&settings.allowlist, job);
    let today = settings.now.date_naive();
    let head = chosen(&settings.allowlist, IfMissing::Stop, told, today, streams);
    let mut head = head.map_err(|unread| {
        let given = path_of(&settings.allowlist).display().to_string();
        left.annotations.extend(problems(&unread, place.path().unwrap_or(&given), told));
        Exit::Usage
    })?;
    if let (AllowlistOrigin::File(name), Some(path)) = (&mut head.origin, place.path()) {
        path.clone_into(name);
    }
    let named = settings.live.accounts.iter().map(AccountEntry::account);
    refuse_former_accounts(&head, named, told, left, streams)?;
    Ok((head, place))
}

/// Refuses an allowlist that calls an account former which is audited.
fn refuse_former_accounts(
    head: &Chosen,
    audited: impl Iterator<Item = AccountId>,
    told: Told,
    left: &mut Left,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    head.refuse_audited_former_accounts(audited, told, streams).map_err(|unread| {
        if let AllowlistOrigin::File(file) = &head.origin {
            left.annotations.extend(problems(&unread, file, told));
        }
        Exit::Usage
    })
}

/// What is wrong with an allowlist, beside its lines.
fn problems(unread: &Unread, file: &str, told: Told) -> Vec<Annotation> {
    match unread {
        Unread::Broken { source, problems } => {
            let mut annotations: Vec<_> =
                problems.iter().map(|problem| beside(problem, file, source)).collect();
            if told == Told::Places {
                annotations.iter_mut().for_each(|it| MORE.clone_into(&mut it.message));
            }
            annotations
        }
        // What was told of these is enough.
        Unread::Missing | Unread::Unreadable(_) => Vec::new(),
    }
}

fn beside(problem: &Diagnostic, file: &str, source: &str) -> Annotation {
    let place = Place::of(source, problem.span.start);
    let level = match problem.severity {
        Severity::Error => Level::Error,
        Severity::Notice => Level::Notice,
    };
    Annotation {
        title: Some(problem.code.id().to_owned()),
        file: Some(file.to_owned()),
        line: Some(place.line),
        column: Some(place.column),
        ..Annotation::new(level, format!("{}. {}", problem.message, problem.help))
    }
}

/// Exemptions that ask for attention, beside their lines.
fn notices(audit: &Audit, head: &Chosen) -> Vec<Annotation> {
    let AllowlistOrigin::File(file) = &head.origin else { return Vec::new() };
    let mut notices: Vec<_> = lapsing(&head.allowlist, audit.now.date_naive())
        .iter()
        .map(|notice| beside(notice, file, &head.source))
        .collect();
    for reviewed in &audit.exemptions {
        let name = &reviewed.exemption.user;
        let message = match reviewed.matched {
            Matched::Nobody => match name.without_regex() {
                Some(meant) => format!(
                    "the exemption for `{name}` matches no user: `.` is a dot here, not a regular \
                     expression's; did you mean `{meant}`?"
                ),
                None => format!("the exemption for `{name}` matches no user: remove it"),
            },
            Matched::ByCaseOnly => {
                format!("the exemption for `{name}` matches by case only: correct the name")
            }
            Matched::NotAudited | Matched::Users(_) => continue,
        };
        let place = reviewed.exemption.place;
        notices.push(Annotation {
            file: Some(file.clone()),
            line: Some(place.line),
            column: Some(place.column),
            ..Annotation::new(Level::Notice, message)
        });
    }
    notices
}
