//! Several accounts side by side, each on its own: one that fails takes no other with it.

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout_at;

use super::account::{self, ObserveOptions, ProgressStep, unobserved_account};
use super::call::CallLimits;
use super::session::{SessionError, SessionProvider};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};

/// News of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressEvent {
    /// The account.
    pub account: AccountId,
    /// How many accounts there are.
    pub total: usize,
    /// What has happened.
    pub step: ProgressStep,
}

/// Whoever wants to know how far the observation has come.
pub type ProgressCallback<'a> = &'a dyn Fn(ProgressEvent);

/// Opens the first session, and finds out which accounts are to be observed.
///
/// # Errors
/// [`SessionError`] when it cannot be had, so that there is no account to speak of.
pub async fn open_sessions(options: &ObserveOptions) -> Result<SessionProvider, SessionError> {
    let opening = CallLimits::new(options.timeout, 1);
    // Not all that opens a session is a call of ours: a token is fetched, a process is asked.
    let open = timeout_at(
        opening.deadline().end(),
        SessionProvider::open(options.session.clone(), &opening),
    );
    open.await.map_err(|_| SessionError::TimedOut)?
}

/// Observes the accounts, in their order. What could not be had of an account is a gap in it.
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
    // In the order in which they are done: in their own, a slow one would keep the next ones from
    // being begun.
    let mut seen: Vec<_> = each.buffer_unordered(options.account_concurrency).collect().await;
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
