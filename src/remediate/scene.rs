//! The accounts and the users in question, looked at: what a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::history::History;
use super::plan::{AccountFacts, Scene};
use crate::audit::{Audit, AuditedAccount, Coverage, Finding, Status};
use crate::model::clock;
use crate::model::inventory::{Account, AccountId, ROOT_USER, User};
use crate::model::policy::Rule;
use crate::model::policy::remediation::{REMEDIABLE_RULES, RemediationPolicy};
use crate::observe::call::{Failure, Pace};
use crate::observe::session::{Hub, Origin, Session};
use crate::observe::{Brief, Closeness, Glance, look_closely};

/// A user: the account and the name in lower case.
pub type Person = (AccountId, String);

/// A call without whose answer nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} failed: {message}")]
pub struct Unanswered {
    /// The action, as a policy names it.
    pub action: &'static str,
    /// What was answered.
    pub message: String,
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self { action: failure.action, message: failure.message }
    }
}

/// One account, ready to be looked at and written to.
#[derive(Debug)]
pub(super) struct Visit {
    /// The session in it.
    pub(super) session: Session,
    /// What the credential report has of its users, by their names in lower case.
    rows: BTreeMap<String, User<'static>>,
}

/// Where a remedy is at work.
#[derive(Debug)]
pub struct Field {
    brief: Brief,
    visits: BTreeMap<AccountId, Visit>,
}

impl Field {
    /// Opens a session in each account. One that cannot be had is an account that was not observed
    /// either, in which nothing is done.
    pub async fn enter(hub: &Hub, brief: &Brief, accounts: Vec<Account<'static>>) -> Self {
        let pace = Pace::new(brief.timeout, 1);
        let mut rows: BTreeMap<AccountId, Vec<User<'static>>> =
            accounts.into_iter().map(|account| (account.id, account.users)).collect();
        let mut visits = BTreeMap::new();
        for member in hub.members() {
            let Ok(session) = hub.enter(member, &pace).await else { continue };
            let of_account = rows.remove(&session.account).unwrap_or_default().into_iter();
            let rows = of_account.map(|user| (user.name.to_ascii_lowercase(), user)).collect();
            visits.insert(session.account, Visit { session, rows });
        }
        Self { brief: brief.clone(), visits }
    }

    /// How long, and how many at a time, the calls of what follows may take.
    pub(super) fn pace(&self) -> Pace {
        Pace::new(self.brief.timeout, self.brief.concurrency)
    }

    pub(super) fn visit(&self, account: AccountId) -> Option<&Visit> {
        self.visits.get(&account)
    }

    /// Looks at one user. An account that was not entered has nobody to be seen.
    pub(super) async fn look(
        &self,
        pace: &Pace,
        account: AccountId,
        name: &str,
        with_holdings: bool,
    ) -> Result<Glance, Failure> {
        let Some(visit) = self.visits.get(&account) else {
            let message = format!("account {account} is none of those that were asked for");
            return Err(Failure::unexpected("iam:GetUser", message));
        };
        let row = visit.rows.get(&name.to_ascii_lowercase());
        let closeness = Closeness { now: self.brief.now, with_holdings };
        look_closely(&visit.session, pace, name, row, closeness).await
    }

    /// Looks at the people in question, and gathers what is known of their accounts.
    ///
    /// # Errors
    /// [`Unanswered`] where it could not be asked as whom we run.
    pub async fn survey(
        &self,
        hub: &Hub,
        audit: &Audit,
        people: &BTreeSet<Person>,
        with_holdings: bool,
    ) -> Result<(Scene, Origin), Unanswered> {
        let pace = self.pace();
        let accounts = audit.accounts.iter().map(|account| (account.id, facts(audit, account)));
        let mut accounts: BTreeMap<AccountId, AccountFacts> = accounts.collect();
        let origin = hub.origin(&pace).await?;
        if let Origin::User(account, name) = &origin
            // Of an account that is not looked at, nobody is remedied.
            && let Some(facts) = accounts.get_mut(account)
        {
            facts.ourselves.insert(name.to_ascii_lowercase());
        }
        let mut scene = Scene { accounts, ..Scene::default() };
        let looks = stream::iter(people).map(async |(account, name)| {
            (*account, name, self.look(&pace, *account, name, with_holdings).await)
        });
        let mut looks = looks.buffered(self.brief.concurrency);
        while let Some((account, name, outcome)) = looks.next().await {
            match outcome {
                Ok(Glance::Seen(dossier)) => scene.dossiers.push(*dossier),
                // Nobody is left to be remedied.
                Ok(Glance::Gone) => {}
                Err(failure) => {
                    let message = format!("{}: {}", failure.action, failure.message);
                    scene.unseen.push((account, name.clone(), message));
                }
            }
        }
        Ok((scene, origin))
    }
}

fn facts(audit: &Audit, account: &AuditedAccount) -> AccountFacts {
    let is_roots = |finding: &&Finding| {
        finding.subject.name == ROOT_USER && finding.subject.account == account.id
    };
    let mut of_root = audit.findings.iter().filter(is_roots);
    AccountFacts {
        users: account.users,
        incomplete: account.incomplete_rules().collect(),
        ourselves: BTreeSet::new(),
        root_finding: of_root.any(|finding| finding.status != Status::Exempted),
    }
}

/// The people in question: those against whom something stands, those who bear our tags, and those
/// of whom an earlier run left something open.
///
/// Where `among` names users, findings of others are not meant.
#[must_use]
pub fn people(
    audit: &Audit,
    policy: &RemediationPolicy,
    accounts: &[Account<'_>],
    history: &History,
    among: Option<&BTreeSet<Person>>,
) -> BTreeSet<Person> {
    // Nobody but the root user changes the root user's credentials.
    let is_meant =
        |finding: &&Finding| policy.takes_rule(finding.rule) && finding.subject.name != ROOT_USER;
    let findings = audit.findings.iter().filter(is_meant);
    let found = findings
        .map(|finding| (finding.subject.account, finding.subject.name.to_ascii_lowercase()))
        .filter(|person| among.is_none_or(|among| among.contains(person)));
    let marked = accounts.iter().flat_map(|account| {
        let is_marked = |user: &&User<'_>| {
            user.tags.as_ref().is_some_and(|it| clock::ours(it).next().is_some())
        };
        let users = account.users.iter().filter(is_marked);
        users.map(|user| (account.id, user.name.to_ascii_lowercase()))
    });
    let heard: BTreeSet<AccountId> = accounts.iter().map(|account| account.id).collect();
    let open = history.people().into_iter().filter(|(account, _)| heard.contains(account));
    found.chain(marked).chain(open).collect()
}

/// What evidence a run is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// The rules that are incomplete, by the account.
    pub rules: BTreeMap<AccountId, Vec<Rule>>,
    /// How many users could not be seen whole.
    pub users: usize,
}

impl Missing {
    /// What is missing of the accounts, and of the users who were looked at.
    #[must_use]
    pub fn of(audit: &Audit, scene: &Scene) -> Self {
        let is_missing = |rule: &Rule, coverage: Coverage| {
            REMEDIABLE_RULES.contains(rule) && coverage == Coverage::Incomplete
        };
        let rules = audit.accounts.iter().map(|account| {
            let coverage = account.coverage.iter();
            let rules = coverage.filter(|(rule, it)| is_missing(rule, **it));
            (account.id, rules.map(|(rule, _)| *rule).collect::<Vec<_>>())
        });
        let not_whole = scene.dossiers.iter().filter(|dossier| !dossier.gaps.is_empty());
        Self {
            rules: rules.filter(|(_, rules)| !rules.is_empty()).collect(),
            users: scene.unseen.len() + not_whole.count(),
        }
    }

    /// Whether all evidence was had.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.rules.is_empty() && self.users == 0
    }
}
