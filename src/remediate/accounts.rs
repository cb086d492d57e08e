//! Collects the input of a plan: the accounts, and the users to remediate.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
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
use crate::observe::{ObserveOptions, UserLookup, UserRecordOptions, fetch_user_record, user_tags};

/// Account and user name in lower case.
pub type RemediationUser = (AccountId, String);

/// A call failed that is required to continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} failed: {message}")]
pub struct LookupError {
    /// The name of the action in an IAM policy.
    pub action: &'static str,
    pub message: String,
}

impl From<AwsError> for LookupError {
    fn from(failure: AwsError) -> Self {
        Self { action: failure.action, message: failure.message }
    }
}

/// A session in one account.
#[derive(Debug)]
pub(super) struct AccountSession {
    pub(super) session: Session,
    /// The users in the credential report, by name in lower case.
    rows: BTreeMap<String, User<'static>>,
}

/// The accounts to remediate.
#[derive(Debug)]
pub struct RemediationAccounts {
    options: ObserveOptions,
    account_sessions: BTreeMap<AccountId, AccountSession>,
    /// The accounts without a session, with the error message.
    unavailable: BTreeMap<AccountId, String>,
}

/// The tags of the users in all accounts.
#[derive(Debug, Default)]
pub struct AccountTags {
    pub users: BTreeMap<RemediationUser, BTreeMap<String, String>>,
    /// The accounts that could not be read, with the error message.
    pub failures: Vec<(AccountId, String)>,
}

impl RemediationAccounts {
    /// Opens a session in each account. An account without a session was not observed either, so
    /// nothing is changed in it.
    pub async fn open(
        sessions: &SessionProvider,
        options: &ObserveOptions,
        accounts: Vec<Account<'static>>,
    ) -> Self {
        let limits = CallLimits::new(options.timeout, 1);
        let mut rows: BTreeMap<AccountId, Vec<User<'static>>> =
            accounts.into_iter().map(|account| (account.id, account.users)).collect();
        let mut account_sessions = BTreeMap::new();
        let mut unavailable = BTreeMap::new();
        for member in sessions.members() {
            let session = match sessions.session_for(member, &limits).await {
                Ok(session) => session,
                Err(error) => {
                    unavailable.insert(member.account(), error.to_string());
                    continue;
                }
            };
            let of_account = rows.remove(&session.account).unwrap_or_default().into_iter();
            let rows = of_account.map(|user| (user.name.to_ascii_lowercase(), user)).collect();
            account_sessions.insert(session.account, AccountSession { session, rows });
        }
        Self { options: options.clone(), account_sessions, unavailable }
    }

    /// The time of the run.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.options.now
    }

    /// Fetches the tags of all users. An account that cannot be read does not stop the others.
    pub async fn user_tags(&self) -> AccountTags {
        let limits = self.limits();
        let mut tags = AccountTags::default();
        tags.failures.extend(self.unavailable.clone());
        for (account, account_session) in &self.account_sessions {
            match user_tags(&account_session.session, &limits).await {
                Ok(users) => {
                    let users = users.into_iter().map(|(name, tags)| ((*account, name), tags));
                    tags.users.extend(users);
                }
                Err(failure) => {
                    let message = format!("{}: {}", failure.action, failure.message);
                    tags.failures.push((*account, message));
                }
            }
        }
        tags
    }

    pub(super) fn limits(&self) -> CallLimits {
        CallLimits::new(self.options.timeout, self.options.concurrency)
    }

    pub(super) fn account_session(&self, account: AccountId) -> Option<&AccountSession> {
        self.account_sessions.get(&account)
    }

    /// Fetches one user. Fails if there is no session in the account.
    pub(super) async fn look_up_user(
        &self,
        limits: &CallLimits,
        account: AccountId,
        name: &str,
        with_holdings: bool,
    ) -> Result<UserLookup, AwsError> {
        let Some(account_session) = self.account_sessions.get(&account) else {
            let message = format!("account {account} is not part of this run");
            return Err(AwsError::unexpected("iam:GetUser", message));
        };
        let row = account_session.rows.get(&name.to_ascii_lowercase());
        let options = UserRecordOptions { now: self.options.now, with_holdings };
        fetch_user_record(&account_session.session, limits, name, row, options).await
    }

    /// Fetches the users to remediate, and collects the facts about their accounts.
    ///
    /// # Errors
    /// [`LookupError`] if the identity of this run cannot be determined.
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
            // Nothing is remediated in an account that is not part of the run.
            && let Some(facts) = accounts.get_mut(account)
        {
            facts.own_users.insert(name.to_ascii_lowercase());
        }
        let mut input = PlanInput { accounts, ..PlanInput::default() };
        let lookups = stream::iter(users).map(async |(account, name)| {
            (*account, name, self.look_up_user(&limits, *account, name, with_holdings).await)
        });
        let mut lookups = lookups.buffered(self.options.concurrency);
        while let Some((account, name, outcome)) = lookups.next().await {
            match outcome {
                Ok(UserLookup::Found(user_record)) => input.user_records.push(*user_record),
                // The user no longer exists.
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
    let is_root_finding =
        |finding: &&Finding| finding.user.name == ROOT_USER && finding.user.account == account.id;
    let mut root_findings = audit.findings.iter().filter(is_root_finding);
    AccountFacts {
        users: account.users,
        incomplete: account.incomplete_rules().collect(),
        own_users: BTreeSet::new(),
        root_finding: root_findings.any(|finding| finding.status != FindingStatus::Exempted),
    }
}

/// Returns the users to fetch: users with findings, users with remediation tags, and users with
/// steps that an earlier run left open.
///
/// `only_users` limits the users with findings.
#[must_use]
pub fn users_in_scope(
    audit: &Audit,
    policy: &RemediationPolicy,
    accounts: &[Account<'_>],
    history: &History,
    only_users: Option<&BTreeSet<RemediationUser>>,
) -> BTreeSet<RemediationUser> {
    // Only the root user can change the credentials of the root user.
    let is_in_scope =
        |finding: &&Finding| policy.covers_rule(finding.rule) && finding.user.name != ROOT_USER;
    let findings = audit.findings.iter().filter(is_in_scope);
    let found = findings
        .map(|finding| (finding.user.account, finding.user.name.to_ascii_lowercase()))
        .filter(|user| only_users.is_none_or(|only_users| only_users.contains(user)));
    let tagged = accounts.iter().flat_map(|account| {
        let is_tagged = |user: &&User<'_>| {
            user.tags
                .as_ref()
                .is_some_and(|it| remediation_tag::stocktake_tags(it).next().is_some())
        };
        let users = account.users.iter().filter(is_tagged);
        users.map(|user| (account.id, user.name.to_ascii_lowercase()))
    });
    let observed: BTreeSet<AccountId> = accounts.iter().map(|account| account.id).collect();
    let open = history.users().into_iter().filter(|(account, _)| observed.contains(account));
    found.chain(tagged).chain(open).collect()
}

/// The evidence that a run is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingEvidence {
    /// The incomplete rules of each account.
    pub rules: BTreeMap<AccountId, Vec<Rule>>,
    /// The number of users that could not be fetched completely.
    pub users: usize,
}

impl MissingEvidence {
    /// Returns what is missing in the accounts and for the fetched users.
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
        let incomplete =
            input.user_records.iter().filter(|user_record| !user_record.gaps.is_empty());
        Self {
            rules: rules.filter(|(_, rules)| !rules.is_empty()).collect(),
            users: input.lookup_failures.len() + incomplete.count(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.users == 0
    }
}
