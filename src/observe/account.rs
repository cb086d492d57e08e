//! One account: the sweep, the second look at whom it cannot clear, and what hangs on neither.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join4;
use futures_util::{StreamExt as _, stream};

use super::call::{Failure, Pace};
use super::owners::{self, Details};
use super::population::{self, Population};
use super::same_second::SameSecond;
use super::second_look::{Look, look};
use super::session::{Access, Session};
use super::users::{self, ListedUser};
use super::{last_accessed, service_credentials, sweep};
use crate::audit;
use crate::model::choices::SshKeys;
use crate::model::inventory::{
    Account, AccountId, Cause, Evidence, Form, Gap, OtherCredential, Piece, User, owner,
};
use crate::model::policy::Policy;
use crate::permissions::{Feature, Features};

/// What is to be observed, and how.
#[derive(Debug, Clone)]
pub struct Brief {
    /// How to come by a session in each account.
    pub access: Access,
    /// What will be judged by: it says who is a candidate and which evidence is needed.
    pub policy: Policy,
    /// The moment by which days will be counted.
    pub now: DateTime<Utc>,
    /// What is looked for; `permissions` says which calls each feature takes.
    pub features: Features,
    /// Whose SSH keys are listed.
    pub ssh_keys: SshKeys,
    /// Users, in lower case, whose SSH keys are listed in any case: something is known of theirs
    /// that only this can clear.
    pub asked_after: BTreeSet<(AccountId, String)>,
    /// The tags that name an owner, the first that a user has counts.
    pub owner_tags: Vec<String>,
    /// How long an account may take.
    pub timeout: Duration,
    /// How many calls are made at a time in an account.
    pub concurrency: usize,
    /// How many accounts are observed at a time.
    pub account_concurrency: usize,
}

impl Brief {
    fn is_candidate(&self, user: &User<'_>) -> bool {
        audit::is_candidate(user, &self.policy, self.now)
    }
}

/// How far the observation of an account has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its observation has begun.
    Begun,
    /// The credential report is there: so many users.
    Swept(usize),
    /// So many candidates are to be looked at.
    Looking(usize),
    /// One more of them was looked at.
    Looked,
    /// Everything was observed that could be; so many gaps are left.
    Done(usize),
}

/// The evidence that could not be had, gathered.
#[derive(Default)]
struct Gaps(BTreeMap<(Piece, Cause, &'static str), Gap>);

impl Gaps {
    /// A gap that concerns the account.
    fn of_account(&mut self, piece: Piece, failure: Failure) {
        self.add(failure.gap(piece, 0));
    }

    /// A gap that concerns one more user.
    fn of_user(&mut self, piece: Piece, failure: Failure) {
        self.add(failure.gap(piece, 1));
    }

    fn add(&mut self, gap: Gap) {
        let users = gap.users;
        let known = self.0.entry((gap.piece, gap.cause, gap.action));
        known.and_modify(|known| known.users += users).or_insert(gap);
    }
}

/// Observes one account. Whatever could not be had is a gap in it.
pub(super) async fn observe(
    session: &Session,
    pace: &Pace,
    brief: &Brief,
    tell: &dyn Fn(Step),
) -> Account<'static> {
    let mut account = match sweep::sweep(session, pace).await {
        Ok(account) => account,
        Err(failure) => return unseen(session.account, session.partition.clone(), failure),
    };
    tell(Step::Swept(account.users.len()));
    account.form =
        if brief.features.has(Feature::Recheck) { Form::Live } else { Form::FetchedReport };
    if account.form == Form::Live {
        let observer = Observer { session, pace, brief, tell };
        observer.look_again(&mut account).await;
    }
    account
}

/// An account of which nothing was had.
pub(super) fn unseen(id: AccountId, partition: String, why: Failure) -> Account<'static> {
    Account {
        id,
        partition,
        alias: None,
        form: Form::Live,
        report_generated_at: None,
        root: None,
        users: Vec::new(),
        replaced: Vec::new(),
        asked_after: Vec::new(),
        gaps: vec![why.gap(Piece::CredentialReport, 0)],
    }
}

/// What the calls of one account share.
struct Observer<'a> {
    session: &'a Session,
    pace: &'a Pace,
    brief: &'a Brief,
    tell: &'a dyn Fn(Step),
}

impl Observer<'_> {
    async fn look_again(&self, account: &mut Account<'static>) {
        let mut gaps = Gaps::default();
        let (session, pace, brief) = (self.session, self.pace, self.brief);
        let service_specific = async {
            if !brief.features.has(Feature::ServiceCredentials) {
                return None;
            }
            Some(service_credentials::service_specific(session, pace, brief.now).await)
        };
        let details = async {
            if brief.features.has(Feature::AllTags) {
                Some(owners::of_all(session, pace).await)
            } else {
                None
            }
        };
        // The list of users comes after the report, so that nobody is missed between the two.
        let (listed, service_specific, details, alias) =
            join4(users::list(session, pace), service_specific, details, self.alias()).await;
        match alias {
            Ok(alias) => account.alias = alias,
            Err(failure) => gaps.of_account(Piece::Alias, failure),
        }
        match listed {
            Ok(listed) => self.second_look(account, listed, &mut gaps).await,
            Err(failure) => {
                gaps.of_account(Piece::Users, failure);
                for user in account.users.iter_mut().filter(|user| brief.is_candidate(user)) {
                    user.password_evidence = Evidence::NotReChecked;
                    user.access_key_evidence = Evidence::NotReChecked;
                }
            }
        }
        self.service_credentials(account, service_specific, &mut gaps).await;
        self.owners(account, details, &mut gaps).await;
        self.last_accessed(account, &mut gaps).await;
        account.gaps.extend(gaps.0.into_values());
    }

    async fn alias(&self) -> Result<Option<String>, Failure> {
        let request = || self.session.iam.list_account_aliases().send();
        let answer = self.pace.call("iam:ListAccountAliases", request).await?;
        Ok(answer.account_aliases().first().cloned())
    }

    /// Looks at the candidates, and puts what is seen in the place of their rows.
    async fn second_look(
        &self,
        account: &mut Account<'static>,
        listed: Vec<ListedUser>,
        gaps: &mut Gaps,
    ) {
        let rows = std::mem::take(&mut account.users);
        let Population { present, gone, unclear, unreported, failures } =
            population::compare(self.session, self.pace, rows, listed, self.brief.concurrency)
                .await;
        failures.into_iter().for_each(|failure| gaps.of_user(Piece::Users, failure));
        account.users.extend(unclear.into_iter().map(|row| User {
            password_evidence: Evidence::NotReChecked,
            access_key_evidence: Evidence::NotReChecked,
            ..row
        }));
        let mut same_second = SameSecond::among(present.iter().map(|(row, _)| row).chain(&gone));
        for row in gone.iter().filter(|row| self.brief.is_candidate(row)) {
            same_second.doubt(row);
        }
        account.replaced.extend(gone);
        let (flagged, cleared): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|(row, _)| self.brief.is_candidate(row));
        let mut looks: Vec<_> =
            flagged.into_iter().map(|(row, listed)| (listed, Some(row))).collect();
        looks.extend(unreported.into_iter().map(|listed| (listed, None)));
        (self.tell)(Step::Looking(looks.len()));
        let mut seen = self.look_at(looks).await;
        for (_, row, look) in &seen {
            if let Some(row) = row.as_ref().filter(|row| !look.confirms(row)) {
                same_second.doubt(row);
            }
        }
        // What a row says may be about another user of the same second: it is put aside.
        let mut again = Vec::new();
        for (row, listed) in cleared {
            if same_second.is_in_doubt(&row) {
                account.replaced.push(row);
                again.push((listed, None));
            } else {
                account.users.push(User { id: Some(listed.id), ..row });
            }
        }
        for (listed, row, _) in seen.extract_if(.., |(_, row, _)| {
            row.as_ref().is_some_and(|it| same_second.is_in_doubt(it))
        }) {
            account.replaced.extend(row);
            again.push((listed, None));
        }
        seen.extend(self.look_at(again).await);
        for (_, row, look) in seen {
            account.replaced.extend(row);
            if let Look::Seen(user, failures) = look {
                account.users.push(*user);
                for (piece, failure) in failures {
                    gaps.of_user(piece, failure);
                }
            }
        }
    }

    /// Looks at users, each with the row that it is about, if the report has one.
    async fn look_at(
        &self,
        users: Vec<(ListedUser, Option<User<'static>>)>,
    ) -> Vec<(ListedUser, Option<User<'static>>, Look)> {
        let looks = stream::iter(users).map(|(listed, row)| async move {
            let look = look(self.session, self.pace, &listed, row.as_ref()).await;
            (self.tell)(Step::Looked);
            (listed, row, look)
        });
        // Permits bound the calls; users are bounded only so that not all are begun at once.
        looks.buffered(self.brief.concurrency.saturating_mul(2)).collect().await
    }

    /// Adds what the report does not show: everybody's service-specific credentials, and the SSH
    /// keys of those who may be called to account for them.
    async fn service_credentials(
        &self,
        account: &mut Account<'static>,
        service_specific: Option<Result<BTreeMap<String, Vec<OtherCredential>>, Failure>>,
        gaps: &mut Gaps,
    ) {
        let Some(outcome) = service_specific else { return };
        let mut specific_seen = true;
        let mut by_user = outcome.unwrap_or_else(|failure| {
            gaps.of_account(Piece::ServiceSpecificCredentials, failure);
            specific_seen = false;
            BTreeMap::new()
        });
        for user in &mut account.users {
            let found = by_user.remove(&user.name.to_ascii_lowercase());
            user.other_credentials.extend(found.unwrap_or_default());
        }
        let id = account.id;
        let is_asked_after = |user: &User<'_>| {
            self.brief.asked_after.contains(&(id, user.name.to_ascii_lowercase()))
        };
        let listed = |user: &User<'_>| {
            self.brief.ssh_keys == SshKeys::All
                || is_asked_after(user)
                || user.evidence() != Evidence::CredentialReport
                || audit::shows_no_credential(user)
                || audit::is_flagged(user, &self.brief.policy, self.brief.now)
        };
        let places: Vec<usize> = (0..account.users.len())
            .filter(|place| account.users.get(*place).is_some_and(&listed))
            .collect();
        let names = names(account, &places);
        let keys = stream::iter(names).map(|(place, name, _)| async move {
            (place, service_credentials::ssh_keys(self.session, self.pace, &name).await)
        });
        let mut keys = keys.buffered(self.brief.concurrency);
        while let Some((place, outcome)) = keys.next().await {
            let Some(user) = account.users.get_mut(place) else { continue };
            match outcome {
                Ok(keys) => {
                    user.other_credentials.extend(keys);
                    user.other_credentials_complete = specific_seen;
                }
                // A user who went away meanwhile has none.
                Err(failure) if failure.is_absence() => user.other_credentials_complete = true,
                Err(failure) => gaps.of_user(Piece::SshKeys, failure),
            }
        }
        let is_unclear = |name: &str| {
            let mut users = account.users.iter();
            users.any(|user| {
                user.name.eq_ignore_ascii_case(name) && !user.other_credentials_complete
            })
        };
        let asked_after = self.brief.asked_after.iter().filter(|(account, _)| *account == id);
        let answered = asked_after.map(|(_, name)| name).filter(|name| !is_unclear(name));
        account.asked_after = answered.cloned().collect();
    }

    /// Adds tags and owners: of all users where that was asked for, else of the candidates.
    async fn owners(
        &self,
        account: &mut Account<'static>,
        details: Option<Result<BTreeMap<String, Details>, Failure>>,
        gaps: &mut Gaps,
    ) {
        let piece = if self.brief.features.expiry_tag { Piece::Tags } else { Piece::Owners };
        match details {
            Some(Ok(mut by_user)) => {
                for user in &mut account.users {
                    if let Some(details) = by_user.remove(&user.name.to_ascii_lowercase()) {
                        self.describe(user, details);
                    }
                }
            }
            Some(Err(failure)) => gaps.of_account(piece, failure),
            None if !self.brief.features.has(Feature::CandidateTags) => {}
            None => {
                let places = self.standing(account);
                let tags =
                    stream::iter(names(account, &places)).map(|(place, name, _)| async move {
                        (place, owners::of_user(self.session, self.pace, &name).await)
                    });
                let mut tags = tags.buffered(self.brief.concurrency);
                while let Some((place, outcome)) = tags.next().await {
                    match (account.users.get_mut(place), outcome) {
                        (Some(user), Ok(details)) => self.describe(user, details),
                        (_, Err(failure)) if !failure.is_absence() => {
                            gaps.of_user(Piece::Owners, failure);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn describe(&self, user: &mut User<'static>, details: Details) {
        user.owner = owner(&details.tags, &self.brief.owner_tags).map(str::to_owned);
        user.permissions = details.permissions;
        user.tags = Some(details.tags);
    }

    /// Asks Access Advisor about those who are stale still, the oldest disuse first.
    async fn last_accessed(&self, account: &mut Account<'static>, gaps: &mut Gaps) {
        if !self.brief.features.has(Feature::LastAccessed) {
            return;
        }
        let mut places = self.standing(account);
        places.truncate(last_accessed::MOST_USERS);
        let seen = stream::iter(names(account, &places)).map(|(place, _, arn)| async move {
            (place, last_accessed::of_user(self.session, self.pace, &arn).await)
        });
        let mut seen = seen.buffer_unordered(last_accessed::AT_A_TIME);
        while let Some((place, outcome)) = seen.next().await {
            match (account.users.get_mut(place), outcome) {
                (Some(user), Ok(seen)) => user.last_accessed = seen,
                (_, Err(failure)) if !failure.is_absence() => {
                    gaps.of_user(Piece::LastAccessed, failure);
                }
                _ => {}
            }
        }
    }

    /// Where the users stand against whom something stale remains, the oldest disuse first.
    fn standing(&self, account: &Account<'static>) -> Vec<usize> {
        let Brief { policy, now, .. } = self.brief;
        let since = |user| audit::stale_since(user, policy, *now);
        let mut standing: Vec<_> = account
            .users
            .iter()
            .enumerate()
            .filter_map(|(place, user)| Some((since(user)?, place)))
            .collect();
        standing.sort_unstable();
        standing.into_iter().map(|(_, place)| place).collect()
    }
}

/// The name and the ARN of the users in these places.
fn names(account: &Account<'static>, places: &[usize]) -> Vec<(usize, String, String)> {
    let name = |place: &usize| {
        let user = account.users.get(*place)?;
        Some((*place, user.name.to_string(), user.arn.to_string()))
    };
    places.iter().filter_map(name).collect()
}
