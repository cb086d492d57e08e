//! Observes several accounts concurrently. A failure in one does not affect the others.

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout_at;

use super::account::{self, ObserveOptions, ProgressStep, unobserved_account};
use super::call::CallLimits;
use super::session::{SessionError, SessionProvider};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};

/// Accounts that are observed at the same time.
const CONCURRENT_ACCOUNTS: usize = 8;

/// The progress of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressEvent {
    pub account: AccountId,
    /// The number of accounts.
    pub total: usize,
    pub step: ProgressStep,
}

/// Receives progress events.
pub type ProgressCallback<'a> = &'a dyn Fn(ProgressEvent);

/// Opens the first session, and determines the accounts to observe.
///
/// [`SessionError`] when the first session cannot be opened.
pub async fn open_sessions(options: &ObserveOptions) -> Result<SessionProvider, SessionError> {
    let opening = CallLimits::new(options.timeout, 1);
    // Not everything here is a call with its own deadline: an OIDC token is fetched, a program is
    // run.
    let open = timeout_at(
        opening.deadline().end(),
        SessionProvider::open(options.session.clone(), &opening),
    );
    open.await.map_err(|_| SessionError::TimedOut)?
}

/// Observes the accounts, and returns them in their order. Missing evidence is a gap in the
/// account.
pub async fn observe(
    sessions: &SessionProvider,
    options: &ObserveOptions,
    progress: ProgressCallback<'_>,
) -> Vec<Account<'static>> {
    let members = sessions.members();
    let total = members.len();
    let each = stream::iter(members.iter().enumerate()).map(async |(place, member)| {
        let account = member.account();
        let on_progress = |step| progress(ProgressEvent { account, total, step });
        (place, observe_one(sessions, member, options, &on_progress).await)
    });
    // Unordered, so that a slow account does not delay the start of the next ones.
    let mut seen: Vec<_> = each.buffer_unordered(CONCURRENT_ACCOUNTS).collect().await;
    seen.sort_unstable_by_key(|(place, _)| *place);
    seen.into_iter().map(|(_, account)| account).collect()
}

async fn observe_one(
    sessions: &SessionProvider,
    member: &AccountEntry,
    options: &ObserveOptions,
    on_progress: &dyn Fn(ProgressStep),
) -> Account<'static> {
    on_progress(ProgressStep::Started);
    let limits = CallLimits::new(options.timeout, options.concurrency);
    let account = match sessions.session_for(member, &limits).await {
        Ok(session) => account::observe(&session, &limits, options, on_progress).await,
        Err(refusal) => {
            let partition = sessions.partition().to_owned();
            unobserved_account(member.account(), partition, refusal.into())
        }
    };
    on_progress(ProgressStep::Done(account.gaps.len()));
    account
}
