//! `iam-stocktake remediate`: plan and apply.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::allowlist::{DetailLevel, LoadedAllowlist, MissingAllowlist, load_allowlist};
use super::journals::{open_journal, read_lines};
use super::progress::ProgressDisplay;
use super::{Exit, MAX_ROWS, Streams, files, live};
use crate::audit::{Audit, Auditor};
use crate::cause::reason;
use crate::cli::{Format, Input, OutputFile, RemediationArgs};
use crate::files::FileKind;
use crate::model::inventory::Account;
use crate::model::policy::Policy;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::observe::session::{CredentialOwner, SessionProvider};
use crate::observe::{self, ObserveOptions};
use crate::remediate::history::{History, merge_journals};
use crate::remediate::journal::{
    self, Journal, JournalEntry, JournalError, JournalLine, new_run_name,
};
use crate::remediate::pages::{self, RemediationReport};
use crate::remediate::plan::file::{SavedPlan, outdated_changes};
use crate::remediate::plan::{
    ChangeKind, PlanInput, PlanSettings, RemediationPlan, RemediationTarget, plan,
};
use crate::remediate::{
    self, ApplyResult, Executor, MissingEvidence, RemediationAccounts, RemediationUser,
};
use crate::report::json::v1;
use crate::runner;
use crate::templates::escape_invisible;

/// A request to plan, apply, or undo.
#[derive(Debug, Clone)]
pub(super) struct RemediationRequest {
    pub(super) args: RemediationArgs,
    pub(super) task: Task,
    /// The format on standard output.
    pub(super) stdout: Option<Format>,
    /// The files to write.
    pub(super) output: Vec<OutputFile>,
    /// Whether no progress is shown.
    pub(super) quiet: bool,
    /// The time from which days are counted.
    pub(super) now: DateTime<Utc>,
}

/// The task of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// Create a plan.
    Plan,
    /// Apply a plan: a saved one, or one that is created now.
    Apply(Option<SavedPlanFile>),
    /// Undo the deactivations in a journal.
    Undo {
        journal: PathBuf,
        /// Only these users, in lower case; all users if empty.
        users: BTreeSet<String>,
        /// Whether the changes are made, or only shown.
        apply: bool,
    },
}

impl Task {
    /// Whether IAM is changed.
    pub(super) const fn changes(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Undo { apply: true, .. })
    }
}

/// A saved plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedPlanFile {
    pub(super) file: Input,
    /// The digest of the approved plan, if it is known.
    pub(super) digest: Option<String>,
}

/// The result of a remediation run.
pub(super) struct RemediationOutcome {
    /// The plan, applied or not.
    pub(super) saved: SavedPlan,
    /// The remediation policy.
    pub(super) policy: RemediationPolicy,
    /// The result of applying the plan; `None` if it was not applied.
    pub(super) applied: Option<ApplyResult>,
    /// The missing evidence.
    pub(super) missing: MissingEvidence,
    pub(super) exit: Exit,
}

/// Creates a plan, and applies it if requested. An error has been reported.
pub(super) fn run(
    settings: &RemediationRequest,
    detail: DetailLevel,
    streams: &mut Streams<'_>,
) -> Result<RemediationOutcome, Exit> {
    let today = settings.now.date_naive();
    let read = load_allowlist(
        &settings.args.allowlist.allowlist,
        MissingAllowlist::Fail,
        detail,
        today,
        streams,
    );
    let chosen = read.map_err(|_| Exit::Usage)?;
    let policy = remediation(&chosen, settings, streams)?;
    let saved = match &settings.task {
        Task::Apply(Some(file)) => Some(read_plan(file, settings.now, streams)?),
        _ => None,
    };
    let users = match &settings.args.audit {
        Some(input) => Some(users_with_findings(input, streams)?),
        None => None,
    };
    let run = RemediationRun {
        settings,
        policy: Policy::new(&chosen.allowlist.policy, settings.args.stale.stale_after_days),
        stage: saved
            .as_ref()
            .map(|saved| saved.stage)
            .or(settings.args.stage)
            .unwrap_or_else(|| policy.final_stage()),
        remediation: policy,
        chosen,
        saved,
        users,
        names: detail == DetailLevel::Lines,
    };
    run.run(streams)
}

/// The remediation policy of the allowlist, which is required for changes.
fn remediation(
    chosen: &LoadedAllowlist,
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<RemediationPolicy, Exit> {
    const HINT: &str = "add `remediation: {}` to the allowlist file for the defaults, or with settings \
                        (docs/allowlist.md)";
    match &chosen.allowlist.remediation {
        Some(policy) => Ok(policy.clone()),
        None if settings.task.changes() => {
            streams.error("the allowlist has no `remediation`, which --apply requires");
            streams.hint(HINT);
            Err(Exit::Usage)
        }
        None => {
            streams.eprintln(
                "note: the allowlist has no `remediation`, so the plan uses the defaults",
            );
            streams.hint(HINT);
            Ok(RemediationPolicy::default())
        }
    }
}

fn read_plan(
    file: &SavedPlanFile,
    now: DateTime<Utc>,
    streams: &mut Streams<'_>,
) -> Result<SavedPlan, Exit> {
    let name = file.file.to_string();
    let detail = match files::read(&file.file, FileKind::Plan, streams.stdin) {
        Err(error) => format!("cannot be read: {}", reason(&error)),
        Ok(bytes) => match SavedPlan::read(&bytes, file.digest.as_deref(), now) {
            Ok(saved) => return Ok(saved),
            Err(error) => error.to_string(),
        },
    };
    streams.error(&escape_invisible(&format!("{name}: the plan {detail}")));
    streams.hint("create one with: iam-stocktake remediate --output plan.json");
    Err(Exit::Usage)
}

/// The users who have findings in an audit JSON.
fn users_with_findings(
    input: &Input,
    streams: &mut Streams<'_>,
) -> Result<BTreeSet<RemediationUser>, Exit> {
    let audit = files::read_audit(input, streams.stdin).map_err(|(message, hint)| {
        streams.error(&escape_invisible(&format!("{input}: {message}")));
        streams.hint(&hint);
        Exit::Usage
    })?;
    let user_of = |finding: &v1::Finding| {
        finding.account.known().map(|account| (*account, finding.user.to_ascii_lowercase()))
    };
    Ok(audit.findings.iter().filter_map(user_of).collect())
}

/// A run with its inputs.
struct RemediationRun<'a> {
    settings: &'a RemediationRequest,
    chosen: LoadedAllowlist,
    policy: Policy,
    remediation: RemediationPolicy,
    stage: Stage,
    /// The saved plan to apply.
    saved: Option<SavedPlan>,
    /// The users to remediate; all users if `None`.
    users: Option<BTreeSet<RemediationUser>>,
    /// Whether users may be shown.
    names: bool,
}

/// The evidence of a run, and the accounts to change.
struct RunEvidence {
    accounts: RemediationAccounts,
    input: PlanInput,
    origin: CredentialOwner,
    missing: MissingEvidence,
}

impl RemediationRun<'_> {
    fn plan_settings(&self) -> PlanSettings<'_> {
        PlanSettings {
            allowlist: &self.chosen.allowlist,
            policy: &self.policy,
            remediation: &self.remediation,
            stage: self.stage,
            owner_tags: &self.settings.args.access.owner_tags,
            now: self.settings.now,
        }
    }

    fn run(self, streams: &mut Streams<'_>) -> Result<RemediationOutcome, Exit> {
        let applies = self.settings.task.changes();
        let run = new_run_name(self.settings.now);
        // The journal is opened before the observation, so that two runs with the same journal do not
        // overlap.
        let others = other_lines(self.settings, streams)?;
        let history =
            |own| History::from_lines(&merge_journals([vec![own], others.clone()].concat()));
        let (journal, history) = if applies {
            let (journal, lines) = open_journal(&self.settings.args.journal, run, streams)?;
            (Some(journal), history(lines))
        } else {
            (None, history(read_lines(&self.settings.args.journal, streams)?))
        };
        let (options, runtime) = prepare(self.settings, &self.policy, streams)?;
        let display = ProgressDisplay::new(self.settings.quiet, streams);
        let seen = runtime.block_on(async {
            let sessions =
                observe::open_sessions(&options).await.map_err(live::ObserveError::Refused)?;
            let accounts =
                observe::observe(&sessions, &options, &|event| display.show(event)).await;
            Ok(self.observe(&sessions, &options, accounts, &history).await)
        });
        drop(display);
        let seen = seen.map_err(|unobserved: live::ObserveError| unobserved.report(streams))?;
        let seen = seen.map_err(|unanswered| {
            streams.error(&escape_invisible(&format!(
                "cannot determine whose credentials this run uses: {unanswered}"
            )));
            Exit::Incomplete
        })?;
        self.check_origin(&seen.origin, streams)?;
        let mut exit = if seen.missing.is_empty() { Exit::Done } else { Exit::Incomplete };
        let saved = self.plan_to_apply(&seen, streams)?;
        if !saved.plan.exceeded_limits.is_empty() {
            exit = exit.max(if applies { Exit::WriteFailed } else { Exit::GateFailed });
        }
        let mut applied = None;
        if let Some(mut journal) = journal
            && saved.plan.exceeded_limits.is_empty()
        {
            self.report_plan(&saved, &seen.missing, streams);
            let work = self.apply(&seen, (&history, &others), &mut journal, &saved);
            match runtime.block_on(work) {
                Ok(done) => {
                    let written = if done.is_complete() { Exit::Done } else { Exit::WriteFailed };
                    exit = exit.max(written);
                    applied = Some(done);
                }
                Err(unfinished) => return Err(unfinished.report(streams)),
            }
        }
        Ok(RemediationOutcome {
            saved,
            policy: self.remediation,
            applied,
            missing: seen.missing,
            exit,
        })
    }

    /// Shows the plan on the command line before it is applied, in case the run is interrupted. In a job,
    /// the plan was shown and approved before.
    fn report_plan(&self, saved: &SavedPlan, missing: &MissingEvidence, streams: &mut Streams<'_>) {
        let plan =
            RemediationPlan { changes: saved.plan.changes.clone(), ..RemediationPlan::default() };
        if self.settings.quiet || plan.changes.is_empty() {
            return;
        }
        let saved = SavedPlan { plan, ..saved.clone() };
        let report = RemediationReport {
            saved: &saved,
            policy: &self.remediation,
            applied: None,
            missing,
            journal: &self.settings.args.journal,
            other_journals: &self.settings.args.other_journals,
            max_rows: MAX_ROWS,
            is_brief: false,
        };
        match pages::remediation_text(report, self.settings.args.language.language) {
            Ok(text) => streams.eprint(&text),
            Err(error) => streams.error(&escape_invisible(&error.to_string())),
        }
    }

    /// Audits the accounts, and reads the details of the users in scope.
    async fn observe(
        &self,
        sessions: &SessionProvider,
        options: &ObserveOptions,
        accounts: Vec<Account<'static>>,
        history: &History,
    ) -> Result<RunEvidence, remediate::LookupError> {
        let audit = self.run_audit(&accounts);
        let users = match &self.saved {
            Some(saved) => saved.users(),
            None => {
                let users = self.users.as_ref();
                remediate::users_in_scope(&audit, &self.remediation, &accounts, history, users)
            }
        };
        let accounts = RemediationAccounts::open(sessions, options, accounts).await;
        let with_holdings = remediate::needs_holdings(self.plan_settings());
        let (mut input, origin) =
            accounts.collect_input(sessions, &audit, &users, with_holdings).await?;
        input.known_tags = history.known_tags();
        input.partially_deleted =
            history.partial_deletions().map(|it| it.user_id.clone()).collect();
        let missing = MissingEvidence::of(&audit, &input);
        Ok(RunEvidence { accounts, input, origin, missing })
    }

    /// Rejects changes with credentials that may belong to an IAM user: the run could deactivate its own
    /// access key.
    fn check_origin(
        &self,
        origin: &CredentialOwner,
        streams: &mut Streams<'_>,
    ) -> Result<(), Exit> {
        match origin {
            CredentialOwner::Unknown(why) => {
                let message = format!("cannot determine whose credentials this run uses: {why}");
                if self.settings.task.changes() {
                    streams.error(&escape_invisible(&format!("{message}; nothing was changed")));
                } else {
                    streams.eprintln(&escape_invisible(&format!(
                        "note: {message}; --apply requires this"
                    )));
                }
                streams.hint(
                    "use a profile with `role_arn` and `source_profile`, single sign-on, or an OIDC \
                     token, or export a role session: aws configure export-credentials --format env",
                );
                if self.settings.task.changes() { Err(Exit::Usage) } else { Ok(()) }
            }
            // A job is always quiet, but its log must contain this note.
            CredentialOwner::ExistingSession
                if !self.settings.quiet || runner::is_github_actions() =>
            {
                streams.eprintln(
                    "note: this run uses a role session created earlier: if it was created with the \
                     access key of an IAM user, exempt that user",
                );
                Ok(())
            }
            CredentialOwner::ExistingSession
            | CredentialOwner::User(..)
            | CredentialOwner::NoUser => Ok(()),
        }
    }

    fn run_audit(&self, accounts: &[Account<'_>]) -> Audit {
        let mut auditor = Auditor::new(&self.chosen.allowlist, &self.policy, self.settings.now);
        accounts.iter().for_each(|account| auditor.add_account(account));
        auditor.finish(self.chosen.origin.clone())
    }

    /// The plan for the users in scope. For other users, only our tags are removed.
    fn limit_to_users(&self, mut plan: RemediationPlan, input: &PlanInput) -> RemediationPlan {
        let Some(users) = &self.users else { return plan };
        let is_in_scope = |target: &RemediationTarget| {
            users.contains(&(target.account, target.user.to_ascii_lowercase()))
        };
        plan.changes
            .retain(|it| is_in_scope(&it.target) || matches!(it.kind, ChangeKind::RemoveTag(_)));
        plan.waiting.retain(|it| is_in_scope(&it.target));
        plan.by_hand.retain(|it| is_in_scope(it));
        plan.exceeded_limits =
            remediate::plan::exceeded_limits(&plan.changes, input, &self.remediation);
        plan
    }

    /// The plan to apply: the saved one if it is not outdated, or a new one.
    fn plan_to_apply(
        &self,
        seen: &RunEvidence,
        streams: &mut Streams<'_>,
    ) -> Result<SavedPlan, Exit> {
        let audited = seen.input.accounts.keys().copied();
        let detail = if self.names { DetailLevel::Lines } else { DetailLevel::Places };
        let refused = self.chosen.reject_audited_former_accounts(audited, detail, streams);
        refused.map_err(|_| Exit::Usage)?;
        let current = self.limit_to_users(plan(&seen.input, self.plan_settings()), &seen.input);
        let Some(saved) = &self.saved else {
            let accounts = seen.input.accounts.keys().copied().collect();
            return Ok(SavedPlan::new(current, self.stage, accounts, self.settings.now));
        };
        let outdated = outdated_changes(&saved.plan.changes, &current.changes);
        let outdated: Vec<_> = outdated.into_iter().filter(|it| it.kind.removes_access()).collect();
        if outdated.is_empty() {
            let exceeded_limits = remediate::plan::exceeded_limits(
                &saved.plan.changes,
                &seen.input,
                &self.remediation,
            );
            let plan = RemediationPlan { exceeded_limits, ..saved.plan.clone() };
            return Ok(SavedPlan { plan, ..saved.clone() });
        }
        for change in outdated {
            let target = &change.target;
            let user = if self.names { target.user.as_str() } else { "a user" };
            let account = target.account;
            streams.error(&escape_invisible(&format!(
                "the plan is outdated: account {account}, {user}: {} changed since the plan was \
                 created",
                target.subject
            )));
        }
        streams.hint("nothing was changed; create a new plan and have it approved");
        Err(Exit::WriteFailed)
    }

    async fn apply(
        &self,
        seen: &RunEvidence,
        (history, others): (&History, &[Vec<JournalLine>]),
        journal: &mut Journal,
        saved: &SavedPlan,
    ) -> Result<ApplyResult, RemediationError> {
        let now = self.settings.now;
        begin(journal, now, &saved.digest)?;
        Executor::new(&seen.accounts, history, journal, now).resolve_open_steps().await?;
        // The results of open steps are in the journal now.
        let lines = journal::read(&self.settings.args.journal, files::workspace().as_ref())?.lines;
        let history =
            &History::from_lines(&merge_journals([vec![lines], others.to_vec()].concat()));
        let mut executor = Executor::new(&seen.accounts, history, journal, now);
        let applied = executor.apply(&saved.plan, &seen.input, self.plan_settings()).await?;
        executor.finish()?;
        Ok(applied)
    }
}

pub(super) fn begin(
    journal: &mut Journal,
    now: DateTime<Utc>,
    plan: &str,
) -> Result<(), JournalError> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    journal.write(now, JournalEntry::Run { version, plan: plan.to_owned() })
}

/// Why a run stopped.
pub(super) enum RemediationError {
    Journal(JournalError),
    ResolveError(remediate::ResolveError),
}

impl From<JournalError> for RemediationError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<remediate::ResolveError> for RemediationError {
    fn from(error: remediate::ResolveError) -> Self {
        Self::ResolveError(error)
    }
}

impl RemediationError {
    pub(super) fn report(&self, streams: &mut Streams<'_>) -> Exit {
        match self {
            Self::Journal(error) => {
                streams.error(&escape_invisible(&error.to_string()));
                streams.hint(
                    "no further changes were made, because each one must be in the journal; run \
                     again when it is writable",
                );
            }
            Self::ResolveError(error) => {
                streams.error(&escape_invisible(&format!(
                    "cannot determine whether the last step of an earlier run was made: {error}"
                )));
                streams.hint("nothing was changed; run again");
            }
        }
        Exit::WriteFailed
    }
}

/// The lines of the journals of other jobs.
pub(super) fn other_lines(
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<Vec<Vec<JournalLine>>, Exit> {
    settings.args.other_journals.iter().map(|path| read_lines(path, streams)).collect()
}

/// The options and the runtime of the observation.
pub(super) fn prepare(
    settings: &RemediationRequest,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<(ObserveOptions, tokio::runtime::Runtime), Exit> {
    let live_context = live::LiveContext {
        now: settings.now,
        quiet: settings.quiet,
        ssh_key_users: BTreeSet::new(),
    };
    let live = live::LiveSettings::remediation(&settings.args.access);
    live::warn_about_unused_settings(&live, streams);
    live::prepare(&live, live_context, policy).map_err(|unobserved| unobserved.report(streams))
}
