//! Observes one account: the credential report, the re-check of flagged users, and optional data.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join4;
use futures_util::{StreamExt as _, stream};

use super::call::{AwsError, CallLimits};
use super::matched_users::{self, MatchedUsers};
use super::recheck::{RecheckResult, recheck_user};
use super::same_second::SameSecondUsers;
use super::session::{Session, SessionConfig};
use super::user_details::{self, UserDetails};
use super::users::{self, ListedUser};
use super::{fetch_report, last_accessed, service_credentials};
use crate::audit;
use crate::model::inventory::{
    Account, AccountId, Evidence, EvidenceGap, EvidenceItem, EvidenceSource, GapCause,
    OtherCredential, User, owner,
};
use crate::model::policy::Policy;
use crate::permissions::{Feature, Features};

/// What to observe, and how.
#[derive(Debug, Clone)]
pub struct ObserveOptions {
    /// How to open a session in each account.
    pub session: SessionConfig,
    /// The audit policy. It decides which users are flagged and which evidence is needed.
    pub policy: Policy,
    /// The time to count days of disuse from.
    pub now: DateTime<Utc>,
    /// What to look for; `permissions` lists the calls of each feature.
    pub features: Features,
    /// Whether the SSH keys of all users are listed, and not only those of flagged users.
    pub all_ssh_keys: bool,
    /// Users, in lower case, that are always re-checked, with their SSH keys and tags, because the queue
    /// knows them: only that can clear an open finding, or show what became of a remediation.
    pub known_users: BTreeSet<(AccountId, String)>,
    /// The tags that name an owner. The first one that a user has counts.
    pub owner_tags: Vec<String>,
    /// The timeout for each account.
    pub timeout: Duration,
    /// The number of concurrent calls in an account.
    pub concurrency: usize,
}

impl ObserveOptions {
    fn is_flagged(&self, user: &User<'_>) -> bool {
        audit::is_flagged(user, &self.policy, self.now)
    }

    fn is_known(&self, account: AccountId, user: &User<'_>) -> bool {
        self.known_users.contains(&(account, user.name.to_ascii_lowercase()))
    }

    /// Whether the user is re-checked, and the tags are read.
    fn needs_recheck(&self, account: AccountId, user: &User<'_>) -> bool {
        self.is_flagged(user)
            || self.is_known(account, user)
            || audit::has_inactive_findings(user, &self.policy, self.now)
    }
}

/// A progress step of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressStep {
    Started,
    /// The credential report was fetched. Contains the number of users.
    ReportFetched(usize),
    /// The re-check starts. Contains the number of flagged users.
    RecheckStarted(usize),
    /// One flagged user was re-checked.
    UserRechecked,
    /// The account is done. Contains the number of evidence gaps.
    Done(usize),
}

/// Evidence gaps, grouped by evidence, cause and action.
#[derive(Default)]
struct GapSet(BTreeMap<(EvidenceItem, GapCause, &'static str), EvidenceGap>);

impl GapSet {
    fn add_for_account(&mut self, item: EvidenceItem, failure: AwsError) {
        self.add(failure.into_gap(item, 0));
    }

    fn add_for_user(&mut self, item: EvidenceItem, failure: AwsError) {
        self.add(failure.into_gap(item, 1));
    }

    fn add(&mut self, gap: EvidenceGap) {
        let users = gap.users;
        let known = self.0.entry((gap.item, gap.cause, gap.action));
        known.and_modify(|known| known.users += users).or_insert(gap);
    }
}

/// Observes one account. Missing evidence is a gap in it.
pub(super) async fn observe(
    session: &Session,
    limits: &CallLimits,
    options: &ObserveOptions,
    on_progress: &dyn Fn(ProgressStep),
) -> Account<'static> {
    let mut account = match fetch_report::fetch(session, limits).await {
        Ok(account) => account,
        Err(failure) => {
            return unobserved_account(session.account, session.partition.clone(), failure);
        }
    };
    on_progress(ProgressStep::ReportFetched(account.users.len()));
    account.evidence_source = if options.features.has(Feature::Recheck) {
        EvidenceSource::Live
    } else {
        EvidenceSource::FetchedReport
    };
    if account.evidence_source == EvidenceSource::Live {
        let observer = AccountObserver { session, limits, options, on_progress };
        observer.recheck(&mut account).await;
    }
    account
}

/// An account that could not be observed.
pub(super) fn unobserved_account(
    id: AccountId,
    partition: String,
    why: AwsError,
) -> Account<'static> {
    Account {
        id,
        partition,
        alias: None,
        evidence_source: EvidenceSource::Live,
        report_generated_at: None,
        root: None,
        users: Vec::new(),
        replaced_rows: Vec::new(),
        queried_users: Vec::new(),
        rechecked_users: Vec::new(),
        gaps: vec![why.into_gap(EvidenceItem::CredentialReport, 0)],
    }
}

struct AccountObserver<'a> {
    session: &'a Session,
    limits: &'a CallLimits,
    options: &'a ObserveOptions,
    on_progress: &'a dyn Fn(ProgressStep),
}

impl AccountObserver<'_> {
    async fn recheck(&self, account: &mut Account<'static>) {
        let mut gaps = GapSet::default();
        let (session, limits, options) = (self.session, self.limits, self.options);
        let service_specific = async {
            if !options.features.has(Feature::ServiceCredentials) {
                return None;
            }
            Some(service_credentials::service_specific(session, limits, options.now).await)
        };
        let details = async {
            if options.features.has(Feature::AllTags) {
                Some(user_details::of_all(session, limits).await)
            } else {
                None
            }
        };
        // List the users after the report, so that a user created in between is not missed.
        let (listed, service_specific, details, alias) =
            join4(users::list(session, limits), service_specific, details, self.alias()).await;
        match alias {
            Ok(alias) => account.alias = alias,
            Err(failure) => gaps.add_for_account(EvidenceItem::Alias, failure),
        }
        let mut are_listed = false;
        match listed {
            Ok(listed) => {
                are_listed = true;
                self.recheck_users(account, listed, &mut gaps).await;
            }
            Err(failure) => {
                gaps.add_for_account(EvidenceItem::Users, failure);
                for user in account.users.iter_mut().filter(|user| options.is_flagged(user)) {
                    user.password_evidence = Evidence::NotReChecked;
                    user.access_key_evidence = Evidence::NotReChecked;
                }
            }
        }
        self.service_credentials(account, service_specific, &mut gaps).await;
        self.owners(account, details, &mut gaps).await;
        if are_listed {
            account.rechecked_users = self.rechecked_users(account);
        }
        self.last_accessed(account, &mut gaps).await;
        account.gaps.extend(gaps.0.into_values());
    }

    async fn alias(&self) -> Result<Option<String>, AwsError> {
        let request = || self.session.iam.list_account_aliases().send();
        let answer = self.limits.call("iam:ListAccountAliases", request).await?;
        Ok(answer.account_aliases().first().cloned())
    }

    /// Re-checks the flagged users, and replaces their rows.
    async fn recheck_users(
        &self,
        account: &mut Account<'static>,
        listed: Vec<ListedUser>,
        gaps: &mut GapSet,
    ) {
        let rows = std::mem::take(&mut account.users);
        let (session, limits, concurrency) = (self.session, self.limits, self.options.concurrency);
        let MatchedUsers { present, deleted, unverified, not_in_report, failures } =
            matched_users::match_users(session, limits, rows, listed, concurrency).await;
        failures.into_iter().for_each(|failure| gaps.add_for_user(EvidenceItem::Users, failure));
        account.users.extend(unverified.into_iter().map(|row| User {
            password_evidence: Evidence::NotReChecked,
            access_key_evidence: Evidence::NotReChecked,
            ..row
        }));
        let mut same_second =
            SameSecondUsers::from_rows(present.iter().map(|(row, _)| row).chain(&deleted));
        for row in deleted.iter().filter(|row| self.options.is_flagged(row)) {
            same_second.mark_ambiguous(row);
        }
        account.replaced_rows.extend(deleted);
        let (flagged, cleared): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|(row, _)| self.options.needs_recheck(account.id, row));
        let mut users: Vec<_> =
            flagged.into_iter().map(|(row, listed)| (listed, Some(row))).collect();
        users.extend(not_in_report.into_iter().map(|listed| (listed, None)));
        (self.on_progress)(ProgressStep::RecheckStarted(users.len()));
        let mut rechecked = self.recheck_each(users).await;
        for (_, row, result) in &rechecked {
            if let Some(row) = row.as_ref().filter(|row| !result.matches_row(row)) {
                same_second.mark_ambiguous(row);
            }
        }
        // The row may belong to another user created in the same second, so it is not used.
        let mut again = Vec::new();
        for (row, listed) in cleared {
            if same_second.is_ambiguous(&row) {
                account.replaced_rows.push(row);
                again.push((listed, None));
            } else {
                account.users.push(User { id: Some(listed.id), ..row });
            }
        }
        for (listed, row, _) in rechecked.extract_if(.., |(_, row, _)| {
            row.as_ref().is_some_and(|it| same_second.is_ambiguous(it))
        }) {
            account.replaced_rows.extend(row);
            again.push((listed, None));
        }
        rechecked.extend(self.recheck_each(again).await);
        for (_, row, result) in rechecked {
            account.replaced_rows.extend(row);
            if let RecheckResult::Rechecked(user, failures) = result {
                account.users.push(*user);
                for (item, failure) in failures {
                    gaps.add_for_user(item, failure);
                }
            }
        }
    }

    /// Re-checks users, each with its row in the report, if any.
    async fn recheck_each(
        &self,
        users: Vec<(ListedUser, Option<User<'static>>)>,
    ) -> Vec<(ListedUser, Option<User<'static>>, RecheckResult)> {
        let rechecks = stream::iter(users).map(|(listed, row)| async move {
            let name = listed.name.to_ascii_lowercase();
            let is_known = self.options.known_users.contains(&(self.session.account, name));
            let result =
                recheck_user(self.session, self.limits, &listed, row.as_ref(), is_known).await;
            (self.on_progress)(ProgressStep::UserRechecked);
            (listed, row, result)
        });
        // The permits limit the calls. The limit on users only avoids starting all at once.
        rechecks.buffered(self.options.concurrency.saturating_mul(2)).collect().await
    }

    /// Adds credentials that the report does not show: the service-specific credentials of all
    /// users, and the SSH keys of the users selected by `ssh_keys`.
    async fn service_credentials(
        &self,
        account: &mut Account<'static>,
        service_specific: Option<Result<BTreeMap<String, Vec<OtherCredential>>, AwsError>>,
        gaps: &mut GapSet,
    ) {
        let Some(outcome) = service_specific else { return };
        let mut specific_seen = true;
        let mut by_user = outcome.unwrap_or_else(|failure| {
            gaps.add_for_account(EvidenceItem::ServiceSpecificCredentials, failure);
            specific_seen = false;
            BTreeMap::new()
        });
        for user in &mut account.users {
            let found = by_user.remove(&user.name.to_ascii_lowercase());
            user.other_credentials.extend(found.unwrap_or_default());
        }
        let id = account.id;
        let listed = |user: &User<'_>| {
            self.options.all_ssh_keys
                || self.options.is_known(id, user)
                || user.evidence() != Evidence::CredentialReport
                || audit::has_no_visible_credential(user)
                || audit::has_findings(user, &self.options.policy, self.options.now)
        };
        let places: Vec<usize> = (0..account.users.len())
            .filter(|place| account.users.get(*place).is_some_and(&listed))
            .collect();
        let names = names(account, &places);
        let keys = stream::iter(names).map(|(place, name, _)| async move {
            (place, service_credentials::ssh_keys(self.session, self.limits, &name).await)
        });
        let mut keys = keys.buffered(self.options.concurrency);
        while let Some((place, outcome)) = keys.next().await {
            let Some(user) = account.users.get_mut(place) else { continue };
            match outcome {
                Ok(keys) => {
                    user.other_credentials.extend(keys);
                    user.other_credentials_complete = specific_seen;
                }
                // A user who was deleted in the meantime has none.
                Err(failure) if failure.is_not_found() => user.other_credentials_complete = true,
                Err(failure) => gaps.add_for_user(EvidenceItem::SshKeys, failure),
            }
        }
        let is_unclear = |name: &str| {
            let mut users = account.users.iter();
            users.any(|user| {
                user.name.eq_ignore_ascii_case(name) && !user.other_credentials_complete
            })
        };
        let requested = self.options.known_users.iter().filter(|(account, _)| *account == id);
        let answered = requested.map(|(_, name)| name).filter(|name| !is_unclear(name));
        account.queried_users = answered.cloned().collect();
    }

    /// Adds tags and owners of all users, or only of flagged users.
    async fn owners(
        &self,
        account: &mut Account<'static>,
        details: Option<Result<BTreeMap<String, UserDetails>, AwsError>>,
        gaps: &mut GapSet,
    ) {
        let item = if self.options.features.expiry_tag {
            EvidenceItem::Tags
        } else {
            EvidenceItem::Owners
        };
        match details {
            Some(Ok(mut by_user)) => {
                for user in &mut account.users {
                    if let Some(details) = by_user.remove(&user.name.to_ascii_lowercase()) {
                        self.set_details(user, details);
                    }
                }
            }
            Some(Err(failure)) => gaps.add_for_account(item, failure),
            None if !self.options.features.has(Feature::FlaggedUserTags) => {}
            None => {
                let mut places = self.stale_users(account);
                places.extend(self.other_users_with_tags(account, &places));
                let tags =
                    stream::iter(names(account, &places)).map(|(place, name, _)| async move {
                        (place, user_details::of_user(self.session, self.limits, &name).await)
                    });
                let mut tags = tags.buffered(self.options.concurrency);
                while let Some((place, outcome)) = tags.next().await {
                    match (account.users.get_mut(place), outcome) {
                        (Some(user), Ok(details)) => self.set_details(user, details),
                        (_, Err(failure)) if !failure.is_not_found() => {
                            gaps.add_for_user(EvidenceItem::Owners, failure);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn set_details(&self, user: &mut User<'static>, details: UserDetails) {
        user.owner = owner(&details.tags, &self.options.owner_tags).map(str::to_owned);
        user.permissions = details.permissions;
        user.tags = Some(details.tags);
    }

    /// Queries Access Advisor for users who are still stale, longest unused first.
    async fn last_accessed(&self, account: &mut Account<'static>, gaps: &mut GapSet) {
        if !self.options.features.has(Feature::LastAccessed) {
            return;
        }
        let mut places = self.stale_users(account);
        places.truncate(last_accessed::MAX_USERS);
        let seen = stream::iter(names(account, &places)).map(|(place, _, arn)| async move {
            (place, last_accessed::of_user(self.session, self.limits, &arn).await)
        });
        let mut seen = seen.buffer_unordered(last_accessed::MAX_CONCURRENT_JOBS);
        while let Some((place, outcome)) = seen.next().await {
            match (account.users.get_mut(place), outcome) {
                (Some(user), Ok(seen)) => user.last_accessed = seen,
                (_, Err(failure)) if !failure.is_not_found() => {
                    gaps.add_for_user(EvidenceItem::LastAccessed, failure);
                }
                _ => {}
            }
        }
    }

    /// The indexes of the other users whose tags are read.
    fn other_users_with_tags(&self, account: &Account<'static>, known: &[usize]) -> Vec<usize> {
        let ObserveOptions { policy, now, .. } = self.options;
        let is_read = |user: &User<'_>| {
            self.options.is_known(account.id, user)
                || audit::has_inactive_findings(user, policy, *now)
        };
        let known: BTreeSet<_> = known.iter().copied().collect();
        let others = account.users.iter().enumerate().filter(|(place, _)| !known.contains(place));
        others.filter(|(_, user)| is_read(user)).map(|(place, _)| place).collect()
    }

    /// The known users with complete evidence of credentials and tags, and those that no longer
    /// exist.
    fn rechecked_users(&self, account: &Account<'static>) -> Vec<String> {
        let is_complete = |user: &User<'_>| {
            user.evidence() == Evidence::ReChecked
                && user.other_credentials_complete
                && user.tags.is_some()
        };
        let unclear: BTreeSet<_> = account
            .users
            .iter()
            .filter(|user| !is_complete(user))
            .map(|user| user.name.to_ascii_lowercase())
            .collect();
        let known = self.options.known_users.iter().filter(|(id, _)| *id == account.id);
        known.map(|(_, name)| name).filter(|name| !unclear.contains(*name)).cloned().collect()
    }

    /// The indexes of users who still have something stale, longest unused first.
    fn stale_users(&self, account: &Account<'static>) -> Vec<usize> {
        let ObserveOptions { policy, now, .. } = self.options;
        let since = |user| audit::stale_since(user, policy, *now);
        let mut stale: Vec<_> = account
            .users
            .iter()
            .enumerate()
            .filter_map(|(place, user)| Some((since(user)?, place)))
            .collect();
        stale.sort_unstable();
        stale.into_iter().map(|(_, place)| place).collect()
    }
}

/// The name and ARN of the users at these indexes.
fn names(account: &Account<'static>, places: &[usize]) -> Vec<(usize, String, String)> {
    let name = |place: &usize| {
        let user = account.users.get(*place)?;
        Some((*place, user.name.to_string(), user.arn.to_string()))
    };
    places.iter().filter_map(name).collect()
}
