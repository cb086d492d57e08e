//! Several accounts side by side, each on its own: one that fails takes no other with it.

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout_at;

use super::account::{self, Brief, Step, unseen};
use super::call::Pace;
use super::session::{Hub, Refusal};
use crate::model::identity::AccountEntry;
use crate::model::inventory::{Account, AccountId};

/// News of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The account.
    pub account: AccountId,
    /// How many accounts there are.
    pub of: usize,
    /// What has happened.
    pub step: Step,
}

/// Whoever wants to know how far the observation has come.
pub type Progress<'a> = &'a dyn Fn(Event);

/// Opens the first session, and finds out which accounts are to be observed.
///
/// # Errors
/// [`Refusal`] when it cannot be had, so that there is no account to speak of.
pub async fn open(brief: &Brief) -> Result<Hub, Refusal> {
    let opening = Pace::new(brief.timeout, 1);
    // Not all that opens a session is a call of ours: a token is fetched, a process is asked.
    let open = timeout_at(opening.deadline(), Hub::open(brief.access.clone(), &opening));
    open.await.map_err(|_| Refusal::OutOfTime)?
}

/// Observes the accounts, in their order. What could not be had of an account is a gap in it.
pub async fn observe(hub: &Hub, brief: &Brief, progress: Progress<'_>) -> Vec<Account<'static>> {
    let members = hub.members();
    let of = members.len();
    let each = stream::iter(members.iter().enumerate()).map(async |(place, member)| {
        let account = member.account();
        let tell = |step| progress(Event { account, of, step });
        (place, one(hub, member, brief, &tell).await)
    });
    // In the order in which they are done: in their own, a slow one would keep the next ones from
    // being begun.
    let mut seen: Vec<_> = each.buffer_unordered(brief.account_concurrency).collect().await;
    seen.sort_unstable_by_key(|(place, _)| *place);
    seen.into_iter().map(|(_, account)| account).collect()
}

async fn one(
    hub: &Hub,
    member: &AccountEntry,
    brief: &Brief,
    tell: &dyn Fn(Step),
) -> Account<'static> {
    tell(Step::Begun);
    let pace = Pace::new(brief.timeout, brief.concurrency);
    let account = match hub.enter(member, &pace).await {
        Ok(session) => account::observe(&session, &pace, brief, tell).await,
        Err(refusal) => {
            let partition = hub.partition().to_owned();
            unseen(member.account(), partition, refusal.into())
        }
    };
    tell(Step::Done(account.gaps.len()));
    account
}
