//! The accounts and the users in question, looked at: what a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};

use super::history::History;
use super::plan::{AccountFacts, PlanInput};
use crate::audit::{Audit, AuditedAccount, Coverage, Finding, FindingStatus};
use crate::model::inventory::{Account, AccountId, ROOT_USER, User};
use crate::model::policy::Rule;
use crate::model::policy::remediation::RemediationPolicy;
use crate::model::remediation_tag;
use crate::observe::call::{AwsError, CallLimits};
use crate::observe::session::{CredentialOwner, Session, SessionProvider};
use crate::observe::{ObserveOptions, UserLookup, UserRecordOptions, fetch_user_record};

/// A user: the account and the name in lower case.
pub type RemediationUser = (AccountId, String);

/// A call without whose answer nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} failed: {message}")]
pub struct LookupError {
    /// The action, as a policy names it.
    pub action: &'static str,
    /// What was answered.
    pub message: String,
}

impl From<AwsError> for LookupError {
    fn from(failure: AwsError) -> Self {
        Self { action: failure.action, message: failure.message }
    }
}

/// One account, ready to be looked at and written to.
#[derive(Debug)]
pub(super) struct AccountSession {
    /// The session in it.
    pub(super) session: Session,
    /// What the credential report has of its users, by their names in lower case.
    rows: BTreeMap<String, User<'static>>,
}

/// Where a remedy is at work.
#[derive(Debug)]
pub struct RemediationAccounts {
    options: ObserveOptions,
    account_sessions: BTreeMap<AccountId, AccountSession>,
}

impl RemediationAccounts {
    /// Opens a session in each account. One that cannot be had is an account that was not observed
    /// either, in which nothing is done.
    pub async fn open(
        sessions: &SessionProvider,
        options: &ObserveOptions,
        accounts: Vec<Account<'static>>,
    ) -> Self {
        let limits = CallLimits::new(options.timeout, 1);
        let mut rows: BTreeMap<AccountId, Vec<User<'static>>> =
            accounts.into_iter().map(|account| (account.id, account.users)).collect();
        let mut account_sessions = BTreeMap::new();
        for member in sessions.members() {
            let Ok(session) = sessions.session_for(member, &limits).await else { continue };
            let of_account = rows.remove(&session.account).unwrap_or_default().into_iter();
            let rows = of_account.map(|user| (user.name.to_ascii_lowercase(), user)).collect();
            account_sessions.insert(session.account, AccountSession { session, rows });
        }
        Self { options: options.clone(), account_sessions }
    }

    /// How long, and how many at a time, the calls of what follows may take.
    pub(super) fn limits(&self) -> CallLimits {
        CallLimits::new(self.options.timeout, self.options.concurrency)
    }

    pub(super) fn account_session(&self, account: AccountId) -> Option<&AccountSession> {
        self.account_sessions.get(&account)
    }

    /// Looks at one user. An account that was not entered has nobody to be seen.
    pub(super) async fn look_up_user(
        &self,
        limits: &CallLimits,
        account: AccountId,
        name: &str,
        with_holdings: bool,
    ) -> Result<UserLookup, AwsError> {
        let Some(account_session) = self.account_sessions.get(&account) else {
            let message = format!("account {account} is none of those that were asked for");
            return Err(AwsError::unexpected("iam:GetUser", message));
        };
        let row = account_session.rows.get(&name.to_ascii_lowercase());
        let options = UserRecordOptions { now: self.options.now, with_holdings };
        fetch_user_record(&account_session.session, limits, name, row, options).await
    }

    /// Looks at the people in question, and gathers what is known of their accounts.
    ///
    /// # Errors
    /// [`LookupError`] where it could not be asked as whom we run.
    pub async fn collect_input(
        &self,
        sessions: &SessionProvider,
        audit: &Audit,
        users: &BTreeSet<RemediationUser>,
        with_holdings: bool,
    ) -> Result<(PlanInput, CredentialOwner), LookupError> {
        let limits = self.limits();
        let accounts = audit.accounts.iter().map(|account| (account.id, facts(audit, account)));
        let mut accounts: BTreeMap<AccountId, AccountFacts> = accounts.collect();
        let origin = sessions.credential_owner(&limits).await?;
        if let CredentialOwner::User(account, name) = &origin
            // Of an account that is not looked at, nobody is remedied.
            && let Some(facts) = accounts.get_mut(account)
        {
            facts.own_users.insert(name.to_ascii_lowercase());
        }
        let mut input = PlanInput { accounts, ..PlanInput::default() };
        let looks = stream::iter(users).map(async |(account, name)| {
            (*account, name, self.look_up_user(&limits, *account, name, with_holdings).await)
        });
        let mut looks = looks.buffered(self.options.concurrency);
        while let Some((account, name, outcome)) = looks.next().await {
            match outcome {
                Ok(UserLookup::Found(user_record)) => input.user_records.push(*user_record),
                // Nobody is left to be remedied.
                Ok(UserLookup::NotFound) => {}
                Err(failure) => {
                    let message = format!("{}: {}", failure.action, failure.message);
                    input.lookup_failures.push((account, name.clone(), message));
                }
            }
        }
        Ok((input, origin))
    }
}

fn facts(audit: &Audit, account: &AuditedAccount) -> AccountFacts {
    let is_roots =
        |finding: &&Finding| finding.user.name == ROOT_USER && finding.user.account == account.id;
    let mut of_root = audit.findings.iter().filter(is_roots);
    AccountFacts {
        users: account.users,
        incomplete: account.incomplete_rules().collect(),
        own_users: BTreeSet::new(),
        root_finding: of_root.any(|finding| finding.status != FindingStatus::Exempted),
    }
}

/// The people in question: those against whom something stands, those who bear our tags, and those
/// of whom an earlier run left something open.
///
/// Where `among` names users, findings of others are not meant.
#[must_use]
pub fn users_in_scope(
    audit: &Audit,
    policy: &RemediationPolicy,
    accounts: &[Account<'_>],
    history: &History,
    only_users: Option<&BTreeSet<RemediationUser>>,
) -> BTreeSet<RemediationUser> {
    // Nobody but the root user changes the root user's credentials.
    let is_meant =
        |finding: &&Finding| policy.covers_rule(finding.rule) && finding.user.name != ROOT_USER;
    let findings = audit.findings.iter().filter(is_meant);
    let found = findings
        .map(|finding| (finding.user.account, finding.user.name.to_ascii_lowercase()))
        .filter(|person| only_users.is_none_or(|only_users| only_users.contains(person)));
    let marked = accounts.iter().flat_map(|account| {
        let is_marked = |user: &&User<'_>| {
            user.tags
                .as_ref()
                .is_some_and(|it| remediation_tag::stocktake_tags(it).next().is_some())
        };
        let users = account.users.iter().filter(is_marked);
        users.map(|user| (account.id, user.name.to_ascii_lowercase()))
    });
    let heard: BTreeSet<AccountId> = accounts.iter().map(|account| account.id).collect();
    let open = history.users().into_iter().filter(|(account, _)| heard.contains(account));
    found.chain(marked).chain(open).collect()
}

/// What evidence a run is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingEvidence {
    /// The rules that are incomplete, by the account.
    pub rules: BTreeMap<AccountId, Vec<Rule>>,
    /// How many users could not be seen whole.
    pub users: usize,
}

impl MissingEvidence {
    /// What is missing of the accounts, and of the users who were looked at.
    #[must_use]
    pub fn of(audit: &Audit, input: &PlanInput) -> Self {
        let is_missing = |rule: &Rule, coverage: Coverage| {
            rule.is_remediable() && coverage == Coverage::Incomplete
        };
        let rules = audit.accounts.iter().map(|account| {
            let coverage = account.coverage.iter();
            let rules = coverage.filter(|(rule, it)| is_missing(rule, **it));
            (account.id, rules.map(|(rule, _)| *rule).collect::<Vec<_>>())
        });
        let not_whole =
            input.user_records.iter().filter(|user_record| !user_record.gaps.is_empty());
        Self {
            rules: rules.filter(|(_, rules)| !rules.is_empty()).collect(),
            users: input.lookup_failures.len() + not_whole.count(),
        }
    }

    /// Whether all evidence was had.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.users == 0
    }
}
