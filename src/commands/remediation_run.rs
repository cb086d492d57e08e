//! `iam-stocktake remediate`: plan and apply.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::allowlist::{LoadedAllowlist, MissingAllowlist, load_allowlist};
use super::error::{CommandError, Failure};
use super::journals::{RemediationError, begin_run, open_journal, read_lines};
use super::progress::ProgressDisplay;
use super::remediation_request::{RemediationRequest, SavedPlanFile, Task};
use super::{Exit, MAX_ROWS, Streams, files, live};
use crate::audit::{Audit, Auditor};
use crate::cause::reason;
use crate::cli::Input;
use crate::files::FileKind;
use crate::model::inventory::Account;
use crate::model::policy::Policy;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::observe::session::{CredentialOwner, SessionProvider};
use crate::observe::{self, ObserveOptions};
use crate::remediate::history::{History, merge_journals};
use crate::remediate::journal::{self, Journal, JournalError, JournalLine, new_run_name};
use crate::remediate::pages::{self, RemediationReport};
use crate::remediate::plan::file::{SavedPlan, outdated_changes};
use crate::remediate::plan::{
    ChangeKind, PlanInput, PlanSettings, PlannedChange, RemediationPlan, RemediationTarget, limit,
    plan,
};
use crate::remediate::{
    self, ApplyResult, Executor, MissingEvidence, RemediationAccounts, RemediationUser,
};
use crate::report::json::v1;
use crate::runner;
use crate::templates::TemplateError;

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

/// Creates a plan, and applies it if requested.
pub(super) fn run(
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<RemediationOutcome, Failure> {
    let (allowlist, today) = (&settings.args.allowlist.allowlist, settings.now.date_naive());
    let chosen = load_allowlist(allowlist, MissingAllowlist::Fail, today, streams)?;
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
    };
    run.run(streams)
}

/// The remediation policy of the allowlist, which is required for changes.
fn remediation(
    chosen: &LoadedAllowlist,
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<RemediationPolicy, CommandError> {
    const HINT: &str = "add `remediation: {}` to the allowlist file for the defaults, or with settings \
                        (docs/allowlist.md)";
    match &chosen.allowlist.remediation {
        Some(policy) => Ok(policy.clone()),
        None if settings.task.changes() => {
            let message = "the allowlist has no `remediation`, which --apply requires";
            Err(CommandError::usage(message).with_hint(HINT))
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
) -> Result<SavedPlan, CommandError> {
    let detail = match files::read(&file.file, FileKind::Plan, streams.stdin) {
        Err(error) => format!("cannot be read: {}", reason(&error)),
        Ok(bytes) => match SavedPlan::read(&bytes, file.digest.as_deref(), now) {
            Ok(saved) => return Ok(saved),
            Err(error) => error.to_string(),
        },
    };
    Err(CommandError::usage(format!("{}: the plan {detail}", file.file))
        .with_hint("create one with: iam-stocktake remediate --output plan.json"))
}

/// The users who have findings in an audit JSON.
fn users_with_findings(
    input: &Input,
    streams: &mut Streams<'_>,
) -> Result<BTreeSet<RemediationUser>, CommandError> {
    let audit = files::read_audit(input, streams.stdin)?;
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

    fn run(self, streams: &mut Streams<'_>) -> Result<RemediationOutcome, Failure> {
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
        let observed = runtime.block_on(async {
            let sessions = observe::open_sessions(&options).await?;
            let accounts =
                observe::observe(&sessions, &options, &|event| display.show(event)).await;
            Ok((sessions, accounts))
        });
        drop(display);
        let (sessions, accounts) = observed.map_err(live::ObserveError::Refused)?;
        self.check_users(&accounts)?;
        let seen = self.observe(&sessions, &options, accounts, &history);
        let seen = runtime.block_on(seen).map_err(|unanswered| {
            CommandError::incomplete(format!(
                "cannot determine whose credentials this run uses: {unanswered}"
            ))
        })?;
        self.check_origin(&seen.origin, streams)?;
        let mut exit = if seen.missing.is_empty() { Exit::Done } else { Exit::Incomplete };
        let saved = self.plan_to_apply(&seen)?;
        if !saved.plan.exceeded_limits.is_empty() {
            exit = exit.max(if applies { Exit::WriteFailed } else { Exit::GateFailed });
        }
        let mut applied = None;
        if let Some(mut journal) = journal
            && saved.plan.exceeded_limits.is_empty()
        {
            self.show_plan(&saved, &seen.missing, streams)?;
            let work = self.apply(&seen, (&history, &others), &mut journal, &saved);
            let done = runtime.block_on(work)?;
            exit = exit.max(if done.is_complete() { Exit::Done } else { Exit::WriteFailed });
            applied = Some(done);
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
    fn show_plan(
        &self,
        saved: &SavedPlan,
        missing: &MissingEvidence,
        streams: &mut Streams<'_>,
    ) -> Result<(), TemplateError> {
        let plan =
            RemediationPlan { changes: saved.plan.changes.clone(), ..RemediationPlan::default() };
        if self.settings.quiet || plan.changes.is_empty() {
            return Ok(());
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
        streams.eprint(&pages::remediation_text(report, self.settings.args.language.language)?);
        Ok(())
    }

    /// Refuses a requested user that no account has.
    fn check_users(&self, accounts: &[Account<'_>]) -> Result<(), CommandError> {
        let users = accounts.iter().flat_map(|account| &account.users);
        let known: BTreeSet<&str> = users.map(|user| user.name.as_ref()).collect();
        let is_complete = accounts.iter().all(|account| account.gaps.is_empty());
        self.settings.check_users(&known, is_complete)
    }

    /// Whether the request names the user, or names none.
    fn is_requested(&self, user: &str) -> bool {
        let names = &self.settings.users;
        names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(user))
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
        let users = users.into_iter().filter(|(_, name)| self.is_requested(name)).collect();
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
    ) -> Result<(), CommandError> {
        const HINT: &str = "use a profile with `role_arn` and `source_profile`, single sign-on, or an OIDC \
                            token, or export a role session: aws configure export-credentials \
                            --format env";
        match origin {
            CredentialOwner::Unknown(why) => {
                let message = format!("cannot determine whose credentials this run uses: {why}");
                if self.settings.task.changes() {
                    let message = format!("{message}; nothing was changed");
                    return Err(CommandError::usage(message).with_hint(HINT));
                }
                streams.eprintln(&format!("note: {message}; --apply requires this"));
                streams.hint(HINT);
                Ok(())
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
    fn limit_to_users(&self, mut plan: RemediationPlan) -> RemediationPlan {
        plan.skipped.retain(|it| self.is_requested(&it.target.user));
        let Some(users) = &self.users else { return plan };
        let is_in_scope = |target: &RemediationTarget| {
            users.contains(&(target.account, target.user.to_ascii_lowercase()))
        };
        plan.changes
            .retain(|it| is_in_scope(&it.target) || matches!(it.kind, ChangeKind::RemoveTag(_)));
        plan.users.retain(|it| users.contains(&(it.account, it.user.to_ascii_lowercase())));
        plan.waiting.retain(|it| is_in_scope(&it.target));
        plan.by_hand.retain(|it| is_in_scope(it));
        plan
    }

    /// The plan to apply: the saved one if it is not outdated, or a new one.
    fn plan_to_apply(&self, seen: &RunEvidence) -> Result<SavedPlan, Failure> {
        self.chosen.reject_audited_former_accounts(seen.input.accounts.keys().copied())?;
        let settings = self.plan_settings();
        let current = self.limit_to_users(plan(&seen.input, settings));
        let Some(saved) = &self.saved else {
            let accounts = seen.input.accounts.keys().copied().collect();
            let limited = limit(current, &seen.input, settings);
            return Ok(SavedPlan::new(limited, self.stage, accounts, self.settings.now));
        };
        let outdated = outdated_changes(&saved.plan.changes, &current.changes);
        let outdated: Vec<_> = outdated.into_iter().filter(|it| it.kind.removes_access()).collect();
        if outdated.is_empty() {
            // The allowlist may have lower limits now.
            let plan = limit(saved.plan.clone(), &seen.input, settings);
            return Ok(SavedPlan { plan, ..saved.clone() });
        }
        let error_of = |change: &PlannedChange| {
            let RemediationTarget { account, user, subject, .. } = &change.target;
            CommandError::write_failed(format!(
                "the plan is outdated: account {account}, {user}: {subject} changed since the plan \
                 was created"
            ))
        };
        let mut errors: Vec<_> = outdated.into_iter().map(error_of).collect();
        if let Some(last) = errors.last_mut() {
            last.hint =
                Some("nothing was changed; create a new plan and have it approved".to_owned());
        }
        Err(Failure(errors))
    }

    async fn apply(
        &self,
        seen: &RunEvidence,
        (history, others): (&History, &[Vec<JournalLine>]),
        journal: &mut Journal,
        saved: &SavedPlan,
    ) -> Result<ApplyResult, RemediationError> {
        let now = self.settings.now;
        begin_run(journal, now, &saved.digest)?;
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

/// The lines of the journals of other jobs.
pub(super) fn other_lines(
    settings: &RemediationRequest,
    streams: &mut Streams<'_>,
) -> Result<Vec<Vec<JournalLine>>, JournalError> {
    settings.args.other_journals.iter().map(|path| read_lines(path, streams)).collect()
}

/// The options and the runtime of the observation.
pub(super) fn prepare(
    settings: &RemediationRequest,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<(ObserveOptions, tokio::runtime::Runtime), live::ObserveError> {
    let live_context = live::LiveContext {
        now: settings.now,
        quiet: settings.quiet,
        known_users: BTreeSet::new(),
    };
    let live = live::LiveSettings::remediation(&settings.args.access);
    live::warn_about_unused_settings(&live, streams);
    live::prepare(&live, live_context, policy)
}
