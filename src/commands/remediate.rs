//! `iam-stocktake remediate`: plan, apply, undo.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::allowlist::{Chosen, IfMissing, Told, chosen};
use super::progress::Display;
use super::{Exit, Streams, files, live};
use crate::audit::{Audit, Judge};
use crate::cause::reason;
use crate::files::Kind;
use crate::model::inventory::Account;
use crate::model::policy::Policy;
use crate::model::policy::remediation::{RemediationPolicy, Stage};
use crate::observe::session::{Hub, Origin};
use crate::observe::{self, Brief};
use crate::remediate::history::{History, merged};
use crate::remediate::journal::{self, Contents, Entry, Journal, JournalError, Line, run_name};
use crate::remediate::plan::file::{SavedPlan, moved};
use crate::remediate::plan::{Act, Basis, Place, Plan, Scene, plan};
use crate::remediate::{self as remedy, Applied, Field, Hand, Missing, Person};
use crate::report::{self, Remedy, visible};
use crate::runner;
use crate::settings::{RemediateSettings, SavedPlanFile, Task};

/// What a remedy came to.
pub(super) struct Outcome {
    /// The plan, whether it was carried out or not.
    pub(super) saved: SavedPlan,
    /// What the policy says.
    pub(super) policy: RemediationPolicy,
    /// What became of it, where it was carried out.
    pub(super) applied: Option<Applied>,
    /// What evidence is missing.
    pub(super) missing: Missing,
    /// How the command ends.
    pub(super) exit: Exit,
}

/// Plans, and carries out where that is asked for. An `Err` has been told to the user.
pub(super) fn run(
    settings: &RemediateSettings,
    told: Told,
    streams: &mut Streams<'_>,
) -> Result<Outcome, Exit> {
    let today = settings.now.date_naive();
    let read = chosen(&settings.allowlist, IfMissing::Stop, told, today, streams);
    let chosen = read.map_err(|_| Exit::Usage)?;
    let policy = remediation(&chosen, settings, streams)?;
    let saved = match &settings.task {
        Task::Apply(Some(file)) => Some(read_plan(file, settings.now, streams)?),
        _ => None,
    };
    let among = match &settings.audit {
        Some(input) => Some(people_of(input, streams)?),
        None => None,
    };
    let run = Run {
        settings,
        policy: Policy::new(&chosen.allowlist.policy, settings.stale_after_days),
        stage: saved
            .as_ref()
            .map(|saved| saved.stage)
            .or(settings.stage)
            .unwrap_or_else(|| policy.furthest()),
        remediation: policy,
        chosen,
        saved,
        among,
        names: told == Told::Lines,
    };
    run.run(streams)
}

/// What the allowlist file says about the remedy. Without a word of it there nothing is changed.
fn remediation(
    chosen: &Chosen,
    settings: &RemediateSettings,
    streams: &mut Streams<'_>,
) -> Result<RemediationPolicy, Exit> {
    const HINT: &str = "add `remediation: {}` to the allowlist file for the defaults, or more \
                        (docs/allowlist.md)";
    match &chosen.allowlist.remediation {
        Some(policy) => Ok(policy.clone()),
        None if settings.task.changes() => {
            streams.error("the allowlist says nothing of a remedy: nothing is changed without it");
            streams.hint(HINT);
            Err(Exit::Usage)
        }
        None => {
            streams.say("note: the allowlist says nothing of a remedy: this is by the defaults");
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
    let told = match files::read(&file.file, Kind::Plan, streams.stdin) {
        Err(error) => format!("cannot be read: {}", reason(&error)),
        Ok(bytes) => match SavedPlan::read(&bytes, file.digest.as_deref(), now) {
            Ok(saved) => return Ok(saved),
            Err(error) => error.to_string(),
        },
    };
    streams.error(&visible(&format!("{name}: the plan {told}")));
    streams.hint("make one with: iam-stocktake remediate --output plan.json");
    Err(Exit::Usage)
}

/// The users who have findings in an audit JSON.
fn people_of(
    input: &crate::settings::Input,
    streams: &mut Streams<'_>,
) -> Result<BTreeSet<Person>, Exit> {
    let audit = files::read_audit(input, streams.stdin).map_err(|(message, hint)| {
        streams.error(&visible(&format!("{input}: {message}")));
        streams.hint(&hint);
        Exit::Usage
    })?;
    let person = |account: &str, user: &str| {
        account.parse().ok().map(|account| (account, user.to_ascii_lowercase()))
    };
    Ok(audit.findings.iter().filter_map(|it| person(&it.account, &it.user)).collect())
}

/// One run, with everything that was read.
struct Run<'a> {
    settings: &'a RemediateSettings,
    chosen: Chosen,
    policy: Policy,
    remediation: RemediationPolicy,
    stage: Stage,
    /// The plan to carry out, where it was made before.
    saved: Option<SavedPlan>,
    /// Whose findings are meant; everybody's if `None`.
    among: Option<BTreeSet<Person>>,
    /// Whether users may be named.
    names: bool,
}

/// What was seen, and by what it is to be remedied.
struct Seen {
    field: Field,
    scene: Scene,
    origin: Origin,
    missing: Missing,
}

impl Run<'_> {
    fn basis(&self) -> Basis<'_> {
        Basis {
            allowlist: &self.chosen.allowlist,
            policy: &self.policy,
            remediation: &self.remediation,
            stage: self.stage,
            owner_tags: &self.settings.live.owner_tags,
            now: self.settings.now,
        }
    }

    fn run(self, streams: &mut Streams<'_>) -> Result<Outcome, Exit> {
        let applies = self.settings.task.changes();
        let run = run_name(self.settings.now);
        // Opened before anything is looked at: two runs of one journal do not come between each
        // other.
        let others = other_lines(self.settings, streams)?;
        let history = |own| History::of(&merged([vec![own], others.clone()].concat()));
        let (journal, history) = if applies {
            let (journal, lines) = open_journal(&self.settings.journal, run, streams)?;
            (Some(journal), history(lines))
        } else {
            (None, history(read_lines(&self.settings.journal, streams)?))
        };
        let (brief, runtime) = prepare(self.settings, &self.policy, streams)?;
        let display = Display::new(self.settings.quiet || self.settings.verbose, streams);
        let seen = runtime.block_on(async {
            let hub = observe::open(&brief).await.map_err(live::Unobserved::Refused)?;
            let accounts = observe::observe(&hub, &brief, &|event| display.show(event)).await;
            Ok(self.look(&hub, &brief, accounts, &history).await)
        });
        drop(display);
        let seen = seen.map_err(|unobserved: live::Unobserved| unobserved.tell(streams))?;
        let seen = seen.map_err(|unanswered| {
            streams.error(&visible(&format!("it cannot be told as whom this runs: {unanswered}")));
            Exit::Incomplete
        })?;
        self.check_origin(&seen.origin, streams)?;
        let mut exit = if seen.missing.is_nothing() { Exit::Done } else { Exit::Incomplete };
        let saved = self.planned(&seen, streams)?;
        if !saved.plan.held.is_empty() {
            exit = exit.max(if applies { Exit::WriteFailed } else { Exit::GateFailed });
        }
        let mut applied = None;
        if let Some(mut journal) = journal
            && saved.plan.held.is_empty()
        {
            self.announce(&saved, &seen.missing, streams);
            let work = self.apply(&seen, (&history, &others), &mut journal, &saved);
            match runtime.block_on(work) {
                Ok(done) => {
                    let written = if done.is_whole() { Exit::Done } else { Exit::WriteFailed };
                    exit = exit.max(written);
                    applied = Some(done);
                }
                Err(unfinished) => return Err(unfinished.tell(streams)),
            }
        }
        Ok(Outcome { saved, policy: self.remediation, applied, missing: seen.missing, exit })
    }

    /// Shows the plan before it is carried out, on the command line: what a run does that is cut off was
    /// said. A job has shown it before, and had it approved.
    fn announce(&self, saved: &SavedPlan, missing: &Missing, streams: &mut Streams<'_>) {
        let plan = Plan { changes: saved.plan.changes.clone(), ..Plan::default() };
        if self.settings.quiet || plan.changes.is_empty() {
            return;
        }
        let saved = SavedPlan { plan, ..saved.clone() };
        let text = report::remedy_text(Remedy {
            saved: &saved,
            policy: &self.remediation,
            applied: None,
            missing,
            journal: &self.settings.journal,
            other_journals: &self.settings.other_journals,
            max_rows: self.settings.max_rows,
            is_brief: false,
        });
        streams.tell(&text);
    }

    /// Judges the accounts, and looks closely at the people in question.
    async fn look(
        &self,
        hub: &Hub,
        brief: &Brief,
        accounts: Vec<Account<'static>>,
        history: &History,
    ) -> Result<Seen, remedy::Unanswered> {
        let audit = self.judged(&accounts);
        let people = match &self.saved {
            Some(saved) => saved.people(),
            None => {
                let among = self.among.as_ref();
                remedy::people(&audit, &self.remediation, &accounts, history, among)
            }
        };
        let field = Field::enter(hub, brief, accounts).await;
        let with_holdings = remedy::wants_holdings(self.basis());
        let (mut scene, origin) = field.survey(hub, &audit, &people, with_holdings).await?;
        scene.remembered = history.remembered();
        scene.half_deleted = history.half_deleted().map(|it| it.user_id.clone()).collect();
        let missing = Missing::of(&audit, &scene);
        Ok(Seen { field, scene, origin, missing })
    }

    /// Refuses to change anything with credentials of which nobody can tell whether they are an IAM
    /// user's: that user's key might be taken away.
    fn check_origin(&self, origin: &Origin, streams: &mut Streams<'_>) -> Result<(), Exit> {
        match origin {
            Origin::Unknown(why) => {
                let says = format!("it cannot be told whose credentials these are: {why}");
                if self.settings.task.changes() {
                    streams.error(&visible(&format!("{says}; nothing was changed")));
                } else {
                    streams.say(&visible(&format!("note: {says}; --apply refuses them")));
                }
                streams.hint(
                    "use a profile with `role_arn` and `source_profile`, single sign-on or an OIDC \
                     token, or hand a role's session over: aws configure export-credentials \
                     --format env",
                );
                if self.settings.task.changes() { Err(Exit::Usage) } else { Ok(()) }
            }
            // A job is always quiet, and its log is all that anybody reads.
            Origin::HandedOver if !self.settings.quiet || runner::is_present() => {
                streams.say(
                    "note: this runs with a role's session that was handed over: if an IAM user's \
                     key was used to get it, exempt that user",
                );
                Ok(())
            }
            Origin::HandedOver | Origin::User(..) | Origin::NoUser => Ok(()),
        }
    }

    fn judged(&self, accounts: &[Account<'_>]) -> Audit {
        let mut judge = Judge::new(&self.chosen.allowlist, &self.policy, self.settings.now);
        accounts.iter().for_each(|account| judge.hear(account));
        judge.verdict(self.chosen.origin.clone())
    }

    /// The plan for the people who are meant. Of others who bear our tags no more than those are
    /// taken away.
    fn only_among(&self, mut made: Plan, scene: &Scene) -> Plan {
        let Some(among) = &self.among else { return made };
        let is_meant =
            |place: &Place| among.contains(&(place.account, place.user.to_ascii_lowercase()));
        made.changes.retain(|it| is_meant(&it.place) || matches!(it.act, Act::Clear(_)));
        made.waiting.retain(|it| is_meant(&it.place));
        made.by_hand.retain(|it| is_meant(it));
        made.held = remedy::plan::held(&made.changes, scene, &self.remediation);
        made
    }

    /// The plan to carry out: the one that was made before, if its facts still are what they were,
    /// or a new one.
    fn planned(&self, seen: &Seen, streams: &mut Streams<'_>) -> Result<SavedPlan, Exit> {
        let audited = seen.scene.accounts.keys().copied();
        let told = if self.names { Told::Lines } else { Told::Places };
        let refused = self.chosen.refuse_audited_former_accounts(audited, told, streams);
        refused.map_err(|_| Exit::Usage)?;
        let made = self.only_among(plan(&seen.scene, self.basis()), &seen.scene);
        let Some(saved) = &self.saved else {
            let accounts = seen.scene.accounts.keys().copied().collect();
            return Ok(SavedPlan::new(made, self.stage, accounts, self.settings.now));
        };
        let moved = moved(&saved.plan.changes, &made.changes);
        let moved: Vec<_> = moved.into_iter().filter(|it| it.act.takes_something()).collect();
        if moved.is_empty() {
            let held = remedy::plan::held(&saved.plan.changes, &seen.scene, &self.remediation);
            let plan = Plan { held, ..saved.plan.clone() };
            return Ok(SavedPlan { plan, ..saved.clone() });
        }
        for change in moved {
            let place = &change.place;
            let who = if self.names { place.user.as_str() } else { "a user" };
            let account = place.account;
            streams.error(&visible(&format!(
                "the facts of the plan have moved: account {account}, {who}: {}",
                place.subject
            )));
        }
        streams.hint("nothing was changed: make a new plan, and have that approved");
        Err(Exit::WriteFailed)
    }

    async fn apply(
        &self,
        seen: &Seen,
        (history, others): (&History, &[Vec<Line>]),
        journal: &mut Journal,
        saved: &SavedPlan,
    ) -> Result<Applied, Unfinished> {
        let now = self.settings.now;
        begin(journal, now, &saved.digest)?;
        Hand::new(&seen.field, history, journal, now).settle().await?;
        // What became of open steps stands in the journal by now.
        let lines = journal::read(&self.settings.journal, files::workspace().as_ref())?.lines;
        let history = &History::of(&merged([vec![lines], others.to_vec()].concat()));
        let mut hand = Hand::new(&seen.field, history, journal, now);
        let applied = hand.apply(&saved.plan, &seen.scene, self.basis()).await?;
        hand.end()?;
        Ok(applied)
    }
}

fn begin(journal: &mut Journal, now: DateTime<Utc>, plan: &str) -> Result<(), JournalError> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    journal.write(now, Entry::Run { version, plan: plan.to_owned() })
}

/// Why a run could not go on.
enum Unfinished {
    Journal(JournalError),
    Settling(remedy::Settling),
}

impl From<JournalError> for Unfinished {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<remedy::Settling> for Unfinished {
    fn from(error: remedy::Settling) -> Self {
        Self::Settling(error)
    }
}

impl Unfinished {
    fn tell(&self, streams: &mut Streams<'_>) -> Exit {
        match self {
            Self::Journal(error) => {
                streams.error(&visible(&error.to_string()));
                streams
                    .hint("nothing is done that cannot be written down: run again when it can be");
            }
            Self::Settling(error) => {
                streams.error(&visible(&format!(
                    "it cannot be told what became of an earlier run's last step: {error}"
                )));
                streams.hint("nothing was changed: run again");
            }
        }
        Exit::WriteFailed
    }
}

fn tell(error: &JournalError, streams: &mut Streams<'_>) -> Exit {
    streams.error(&visible(&error.to_string()));
    match error {
        JournalError::InUse { .. } => streams.hint("wait for the other run, or name another file"),
        JournalError::File { .. } => streams.hint("name a file that can be written with --journal"),
        JournalError::Line { .. } => {
            streams.hint("a journal is never edited: keep this file, and name a new one");
        }
    }
    Exit::Usage
}

/// Opens a journal to write it, and reads what earlier runs did.
fn open_journal(
    path: &Path,
    run: String,
    streams: &mut Streams<'_>,
) -> Result<(Journal, Vec<Line>), Exit> {
    let opened = Journal::open(path, run, files::workspace().as_ref());
    let (journal, contents) = opened.map_err(|error| tell(&error, streams))?;
    Ok((journal, lines_of(path, contents, "removed", streams)))
}

/// The lines, after it was told of one that was cut off. `done` is what became of that.
fn lines_of(path: &Path, contents: Contents, done: &str, streams: &mut Streams<'_>) -> Vec<Line> {
    if let Some(line) = contents.cut_off {
        let name = path.display();
        streams.say(&visible(&format!(
            "note: {name}: line {line} is incomplete, because a run ended while it wrote it; nothing \
             was done because of that line, so it is {done}"
        )));
    }
    contents.lines
}

/// What a journal says; nothing where there is none.
fn read_lines(path: &Path, streams: &mut Streams<'_>) -> Result<Vec<Line>, Exit> {
    match journal::read(path, files::workspace().as_ref()) {
        Ok(contents) => Ok(lines_of(path, contents, "left out", streams)),
        Err(JournalError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        Err(error) => Err(tell(&error, streams)),
    }
}

/// What the journals of other jobs say.
fn other_lines(
    settings: &RemediateSettings,
    streams: &mut Streams<'_>,
) -> Result<Vec<Vec<Line>>, Exit> {
    settings.other_journals.iter().map(|path| read_lines(path, streams)).collect()
}

/// What the looks go by, and what they run on.
fn prepare(
    settings: &RemediateSettings,
    policy: &Policy,
    streams: &mut Streams<'_>,
) -> Result<(Brief, tokio::runtime::Runtime), Exit> {
    let how = live::How {
        now: settings.now,
        quiet: settings.quiet || settings.verbose,
        asked_after: BTreeSet::new(),
    };
    live::tell_of_no_effect(&settings.live, streams);
    live::prepare(&settings.live, how, policy).map_err(|unobserved| unobserved.tell(streams))
}

/// What an undoing came to.
pub(super) struct UndoOutcome {
    /// What was, or is, to be undone.
    pub(super) undo: remedy::Undo,
    /// What became of it, where it was done.
    pub(super) undone: Option<remedy::Undone>,
    /// How the command ends.
    pub(super) exit: Exit,
}

/// Undoes by a journal, or says what that would be. An `Err` has been told to the user.
pub(super) fn undo(
    settings: &RemediateSettings,
    path: &Path,
    users: &BTreeSet<String>,
    streams: &mut Streams<'_>,
) -> Result<UndoOutcome, Exit> {
    let applies = settings.task.changes();
    let read = journal::read(path, files::workspace().as_ref());
    let contents = read.map_err(|error| match &error {
        JournalError::File { .. } => {
            streams.error(&visible(&error.to_string()));
            streams.hint("name the journal of the run that is to be undone");
            Exit::Usage
        }
        _ => tell(&error, streams),
    })?;
    let (brief, runtime) = prepare(settings, &Policy::default(), streams)?;
    let open = async {
        let hub = observe::open(&brief).await.map_err(live::Unobserved::Refused)?;
        Ok(Field::enter(&hub, &brief, Vec::new()).await)
    };
    let field =
        runtime.block_on(open).map_err(|unobserved: live::Unobserved| unobserved.tell(streams))?;
    let others = other_lines(settings, streams)?;
    let history = |own| History::of(&merged([vec![own], others.clone()].concat()));
    let plan = |history: &History| runtime.block_on(remedy::plan_undo(&field, history, users));
    if !applies {
        let undo = plan(&history(lines_of(path, contents, "left out", streams)));
        let exit = if undo.unseen.is_empty() { Exit::Done } else { Exit::Incomplete };
        return Ok(UndoOutcome { undo, undone: None, exit });
    }
    let (mut journal, lines) = open_journal(path, run_name(settings.now), streams)?;
    let before = history(lines);
    let settled = runtime.block_on(async {
        begin(&mut journal, settings.now, "undo")?;
        Hand::new(&field, &before, &mut journal, settings.now).settle().await?;
        Ok(())
    });
    settled.map_err(|unfinished: Unfinished| unfinished.tell(streams))?;
    let read = journal::read(path, files::workspace().as_ref());
    let history = history(read.map_err(|error| tell(&error, streams))?.lines);
    let undo = plan(&history);
    let undone = runtime.block_on(async {
        let mut hand = Hand::new(&field, &history, &mut journal, settings.now);
        let undone = hand.undo(&undo).await?;
        hand.end()?;
        Ok(undone)
    });
    let undone = undone.map_err(|unfinished: Unfinished| unfinished.tell(streams))?;
    let mut exit = if undo.unseen.is_empty() { Exit::Done } else { Exit::Incomplete };
    if !undone.failed.is_empty() || undo.is_contradicted() {
        exit = Exit::WriteFailed;
    }
    Ok(UndoOutcome { undo, undone: Some(undone), exit })
}
