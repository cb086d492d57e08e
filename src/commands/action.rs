//! `iam-stocktake action`: the command that the GitHub action runs.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::allowlist::{LoadedAllowlist, MissingAllowlist, load_allowlist};
use super::error::{CommandError, CommandResult, ErrorDetails, Failure};
use super::job::{self, JobReport};
use super::publish_run::PublishRun;
use super::publish_target::PublishTarget;
use super::pull_request::{AllowlistComparison, is_from_fork_or_dependabot};
use super::streams::HIDDEN_USERS_HINT;
use super::{Exit, Streams, age, audit, files, live, publish, pull_request, remediate, reports};
use crate::allowlist::{self, Allowlist, Diagnostic, Position, Severity};
use crate::audit::{AllowlistOrigin, Audit, Auditor, ExemptionMatch};
use crate::cli::{ActionCommand, AllowlistSetting, CheckArgs, Input};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};
use crate::model::policy::Policy;
use crate::queue::destination::Destination;
use crate::queue::observation::Observation;
use crate::queue::state::QueueState;
use crate::queue::update::UserKey;
use crate::report::json::v1;
use crate::runner::checkout::{self, RepositoryPath, as_relative};
use crate::runner::command::{Annotation, AnnotationLevel};
use crate::runner::job::Job;
use crate::runner::oidc::TokenEndpoint;
use crate::templates::UserTemplate;

/// The message of a run that may not audit any account.
const WITHOUT_ACCESS: &str = "This pull request comes from a fork or from Dependabot: GitHub gives it no OIDC \
                              token, so no account was audited. Only the allowlist was checked.";

/// Runs the command.
pub(super) fn action(
    command: &ActionCommand,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> Exit {
    let allow_public = match command {
        ActionCommand::Check(args) => args.publish.public.allow_public,
        ActionCommand::Publish(args) => args.publish.public.allow_public,
        ActionCommand::Remediate(args) => args.public.allow_public,
    };
    job::run(streams, |job, job_report, streams| {
        streams.redacted &= !allow_public;
        run(command, now, job, job_report, streams)
    })
}

fn run(
    command: &ActionCommand,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    reject_unsupported_pull_request(job)?;
    job_report.language = match command {
        ActionCommand::Check(args) => args.publish.language.language,
        ActionCommand::Publish(args) => args.publish.language.language,
        ActionCommand::Remediate(args) => args.remediation.language.language,
    };
    match command {
        ActionCommand::Check(args) => {
            let mut args = args.as_ref().clone();
            if let AllowlistSetting::File(path) = &mut args.allowlist.allowlist {
                *path = as_relative(path.clone());
            }
            args.template = args.template.map(as_relative);
            let now = args.clock.now.unwrap_or(now);
            check(&args, now, job, job_report, streams)
        }
        ActionCommand::Publish(args) => {
            let audits: Vec<Input> = args.audits.iter().map(files::in_workspace).collect();
            let now = args.clock.now.unwrap_or(now);
            publish::run(&audits, &args.publish, now, job, job_report, streams)
        }
        ActionCommand::Remediate(args) => {
            remediate::run_in_action(args, now, job, job_report, streams)
        }
    }
}

/// Audits and publishes.
fn check(
    settings: &CheckArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> CommandResult {
    let mut publish_target = PublishTarget::of(&settings.publish, job, streams)?;
    // Both files are read before an error ends the run, so that one run reports all errors.
    let template = template(settings, job, streams);
    let head = allowlist_of(settings, now, job, job_report, streams);
    let (template, (head, place)) = match (template, head) {
        (Ok(template), Ok(head)) => (template, head),
        (template, head) => {
            return Err(Failure(template.err().into_iter().chain(head.err()).collect()));
        }
    };
    if is_without_access(settings, job) {
        return Ok(job_report.skip(WITHOUT_ACCESS, streams));
    }
    // This does not depend on comments: a pull request must not loosen the policy that it is checked
    // with.
    let allowlists = match job.and_then(|job| pull_request::base(&job.payload)) {
        Some(base) => pull_request::compare_allowlists(
            &publish_target,
            settings,
            now,
            base,
            &place,
            head,
            streams,
        ),
        None => AllowlistComparison::of(head, settings),
    };
    let live_context = live::LiveContext {
        now,
        quiet: !publish_target.names,
        known_users: known_users(&publish_target, settings),
    };
    let live = live::LiveSettings::audit(&settings.access, settings.recheck);
    let accounts = match live::observe(&live, live_context, &allowlists.policy, streams) {
        Ok(accounts) => accounts,
        // If the role is set by a secret, these events have no role, so a token is not required.
        Err(unobserved)
            if is_from_fork_or_dependabot(job) && unobserved.is_without_credentials() =>
        {
            return Ok(job_report.skip(WITHOUT_ACCESS, streams));
        }
        Err(unobserved) => return Err(unobserved.into()),
    };
    let audited = accounts.iter().map(|it| it.id);
    reject_former_accounts(&allowlists.head, audited, job_report, streams)?;
    if let Some(queue_client) = &mut publish_target.queue_client {
        queue_client.reset_deadline();
    }
    let action = Action { settings, now, job, publish_target: &publish_target, template };
    action.finish(&allowlists, &accounts, job_report, streams)
}

/// A run with its settings and target.
struct Action<'a> {
    settings: &'a CheckArgs,
    now: DateTime<Utc>,
    job: Option<&'a Job>,
    publish_target: &'a PublishTarget,
    template: Option<UserTemplate>,
}

impl Action<'_> {
    /// Audits the accounts, publishes the result, and writes the reports.
    fn finish(
        &self,
        allowlists: &AllowlistComparison,
        accounts: &[Account<'_>],
        job_report: &mut JobReport,
        streams: &mut Streams<'_>,
    ) -> CommandResult {
        let Self { settings, now, job, publish_target, template } = self;
        let audit = self.run_audit(
            accounts,
            &allowlists.head.allowlist,
            allowlists.head.origin.clone(),
            &allowlists.policy,
        );
        let json = v1::Audit { run: job.map(run_of), ..v1::Audit::from(&audit) };
        let observation = self.observe_audit(&json)?;
        streams.report(age::published_errors(&observation));
        let mut earlier = Vec::new();
        for (allowlist, policy) in &allowlists.earlier {
            let origin = AllowlistOrigin::None;
            let before = self.run_audit(accounts, allowlist, origin, policy);
            earlier.push(self.observe_audit(&v1::Audit::from(&before))?);
        }
        let mut pull_request_changes =
            allowlists.pull_request_changes.clone().compare(&earlier, &observation);
        if let Some((own, policy)) = &allowlists.own
            && let Some(tip) = allowlists.tip.and_then(|tip| earlier.get(tip))
        {
            let own = self.run_audit(accounts, own, AllowlistOrigin::None, policy);
            let own = self.observe_audit(&v1::Audit::from(&own))?;
            pull_request_changes = pull_request_changes.mark_outdated(&own, tip, &observation);
        }
        let publishing = PublishRun {
            publish_target,
            settings: &settings.publish,
            job: *job,
            observation: &observation,
            pull_request_changes: &pull_request_changes,
            allowlist: json.allowlist.as_deref(),
            now: *now,
        };
        let mut exit = allowlists.exit.max(publishing.publish(job_report, streams));
        if publish_target.names {
            let options = reports::options(settings, publish_target.is_private, template.clone());
            let written =
                reports::write(&audit, &json, settings, &options, *job, job_report, streams);
            exit = exit.max(streams.exit_of(written));
            let taken = job_report.summary.len();
            job_report.add_to_summary(&reports::for_summary(&audit, &options, taken));
            job_report.annotations.extend(notices(&audit, &allowlists.head));
        }
        Ok(exit)
    }

    fn run_audit(
        &self,
        accounts: &[Account<'_>],
        allowlist: &Allowlist,
        origin: AllowlistOrigin,
        policy: &Policy,
    ) -> Audit {
        let max_age = self.settings.publish.max_evidence_age.max_evidence_age.into();
        let mut auditor = Auditor::new(allowlist, policy, self.now).with_max_evidence_age(max_age);
        accounts.iter().for_each(|account| auditor.add_account(account));
        auditor.finish(origin)
    }

    fn observe_audit(&self, json: &v1::Audit) -> Result<Observation, CommandError> {
        let max_age = self.settings.publish.max_evidence_age.max_evidence_age.into();
        Observation::with_max_age(std::slice::from_ref(json), self.now, max_age)
            .map_err(|(_, unusable)| CommandError::incomplete(unusable.to_string()))
    }
}

/// The template. Of the files of a fork, only the allowlist is read.
fn template(
    settings: &CheckArgs,
    job: Option<&Job>,
    streams: &mut Streams<'_>,
) -> Result<Option<UserTemplate>, CommandError> {
    if settings.template.is_some() && is_from_fork_or_dependabot(job) {
        streams.eprintln(
            "note: the template is not used, because this pull request comes from a fork or from \
             Dependabot and could change it",
        );
        return Ok(None);
    }
    audit::read_template(settings.template.as_deref(), streams)
}

/// Rejects a pull request without a payload, because it could come from a fork, and a merge group
/// without a base, because it cannot be compared.
fn reject_unsupported_pull_request(job: Option<&Job>) -> Result<(), CommandError> {
    match job {
        Some(job) if job.event == "pull_request" && job.payload.pull_request.is_none() => {
            Err(CommandError::usage(
                "the event is `pull_request`, but the event payload has no pull request",
            ))
        }
        Some(job) if job.event == "merge_group" && pull_request::base(&job.payload).is_none() => {
            Err(CommandError::usage(
                "the event is `merge_group`, but the event payload has no base commit of the merge \
                 group",
            )
            .with_hint(
                "trigger the workflow by the event `merge_group` itself, with the event payload \
                 from GitHub",
            ))
        }
        _ => Ok(()),
    }
}

/// Whether it is known before the audit that no account can be audited.
fn is_without_access(settings: &CheckArgs, job: Option<&Job>) -> bool {
    is_from_fork_or_dependabot(job)
        && settings.access.role_to_assume.is_some()
        && matches!(TokenEndpoint::from_environment(), Ok(None))
}

/// The users with an open finding or a remediation in the queue, whose credentials and tags must be read
/// to see what changed. An error is ignored here: it is reported when the queue is read again to write it.
fn known_users(publish_target: &PublishTarget, settings: &CheckArgs) -> BTreeSet<UserKey> {
    let (Destination::Queue { .. }, Some(queue_client), Some(repository)) = (
        publish_target.destination,
        &publish_target.queue_client,
        &publish_target.queue_repository,
    ) else {
        return BTreeSet::new();
    };
    let queue = queue_client.queue(repository, &settings.publish.queue).ok();
    let queue_state = queue.and_then(|queue| queue.queue_state);
    queue_state.iter().flat_map(QueueState::users_to_recheck).collect()
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

/// The path of the allowlist in the repository.
fn place_of_allowlist(setting: &AllowlistSetting, job: Option<&Job>) -> RepositoryPath {
    let Some(job) = job else { return RepositoryPath::Unknown("there is no job") };
    let pull_request = job.payload.pull_request.as_ref();
    let fork = pull_request.and_then(|it| it.head_repository.as_deref());
    let own: Vec<&str> = fork.into_iter().chain([job.repository.as_str()]).collect();
    checkout::locate(path_of(setting), job.workspace.as_deref(), &own)
}

/// Reads the allowlist and determines its path in the repository, which is shown to users.
fn allowlist_of(
    settings: &CheckArgs,
    now: DateTime<Utc>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Result<(LoadedAllowlist, RepositoryPath), CommandError> {
    let setting = &settings.allowlist.allowlist;
    let place = place_of_allowlist(setting, job);
    let mut head = load_allowlist(setting, MissingAllowlist::Fail, now.date_naive(), streams)
        .inspect_err(|error| {
            let given = path_of(setting).display().to_string();
            let file = place.path().unwrap_or(&given);
            job_report.annotations.extend(problems(error, file, streams.redacted));
        })?;
    if let (AllowlistOrigin::File(name), Some(path)) = (&mut head.origin, place.path()) {
        path.clone_into(name);
    }
    let listed = settings.access.accounts.iter().map(AccountEntry::account);
    reject_former_accounts(&head, listed, job_report, streams)?;
    Ok((head, place))
}

/// Rejects an allowlist that lists an audited account as a former account.
fn reject_former_accounts(
    head: &LoadedAllowlist,
    audited: impl Iterator<Item = AccountId>,
    job_report: &mut JobReport,
    streams: &Streams<'_>,
) -> Result<(), CommandError> {
    head.reject_audited_former_accounts(audited).inspect_err(|error| {
        if let AllowlistOrigin::File(file) = &head.origin {
            job_report.annotations.extend(problems(error, file, streams.redacted));
        }
    })
}

/// The problems of an allowlist, as annotations on its lines. A file that cannot be read has no lines.
fn problems(error: &CommandError, file: &str, is_public: bool) -> Vec<Annotation> {
    let Some(ErrorDetails::File { source: Some(source), problems, .. }) = error.details.as_deref()
    else {
        return Vec::new();
    };
    let annotation = |problem| {
        let annotation = diagnostic_annotation(problem, file, source);
        if !is_public {
            return annotation;
        }
        Annotation { message: HIDDEN_USERS_HINT.to_owned(), ..annotation }
    };
    problems.iter().map(annotation).collect()
}

fn diagnostic_annotation(problem: &Diagnostic, file: &str, source: &str) -> Annotation {
    let place = Position::of(source, problem.span.start);
    let level = match problem.severity {
        Severity::Error => AnnotationLevel::Error,
        Severity::Notice => AnnotationLevel::Notice,
    };
    Annotation {
        title: Some(problem.code.id().to_owned()),
        file: Some(file.to_owned()),
        line: Some(place.line),
        column: Some(place.column),
        ..Annotation::new(level, format!("{}. {}", problem.message, problem.help))
    }
}

/// Exemptions that need attention, as annotations on their lines.
fn notices(audit: &Audit, head: &LoadedAllowlist) -> Vec<Annotation> {
    let AllowlistOrigin::File(file) = &head.origin else { return Vec::new() };
    let mut notices: Vec<_> = allowlist::notices(&head.allowlist, audit.now.date_naive())
        .iter()
        .map(|notice| diagnostic_annotation(notice, file, &head.source))
        .collect();
    for reviewed in &audit.exemptions {
        let name = &reviewed.exemption.user;
        let message = match reviewed.matched {
            ExemptionMatch::NoUser => match name.suggested_pattern() {
                Some(meant) => format!(
                    "the exemption for `{name}` matches no user: `.` is not a wildcard here; did you \
                     mean `{meant}`?"
                ),
                None => format!("the exemption for `{name}` matches no user: remove it"),
            },
            ExemptionMatch::ByCaseOnly => {
                format!(
                    "the exemption for `{name}` differs from the user name only in case: correct it"
                )
            }
            ExemptionMatch::NotAudited | ExemptionMatch::Users(_) => continue,
        };
        let place = reviewed.exemption.place;
        notices.push(Annotation {
            file: Some(file.clone()),
            line: Some(place.line),
            column: Some(place.column),
            ..Annotation::new(AnnotationLevel::Notice, message)
        });
    }
    notices
}
