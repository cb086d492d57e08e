//! The flags about live accounts, which `audit` and `action` share.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::help;
use crate::model::identity::{AccountEntry, AccountList, Audience, ExternalId, RoleArn, RoleName};
use crate::model::inventory::AccountId;
use crate::settings::{self, LastAccessedLookup, LiveSettings, OwnerLookup, SshKeyLookup};

/// Flags that make no sense beside exported reports.
#[derive(clap::Args)]
pub(super) struct LiveArgs {
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// How to come into the accounts, and how long that may take.
#[derive(clap::Args)]
pub(super) struct AccessArgs {
    #[arg(long,
        value_name = settings::ROLE_TO_ASSUME.value, help = settings::ROLE_TO_ASSUME.description)]
    role_to_assume: Option<RoleArn>,

    #[arg(long,
        value_name = settings::ACCOUNTS.value, help = help(settings::ACCOUNTS))]
    accounts: Vec<AccountList>,

    #[arg(long,
        value_name = settings::MEMBER_ROLE_NAME.value, help = help(settings::MEMBER_ROLE_NAME))]
    member_role_name: Option<RoleName>,

    #[arg(long,
        value_name = settings::EXTERNAL_ID.value, help = settings::EXTERNAL_ID.description)]
    external_id: Option<ExternalId>,

    #[arg(long,
        value_name = settings::ALLOWED_ACCOUNT_IDS.value, help = help(settings::ALLOWED_ACCOUNT_IDS))]
    allowed_account_ids: Vec<String>,

    #[arg(long, value_parser = region,
        value_name = settings::AWS_REGION.value, help = help(settings::AWS_REGION))]
    aws_region: Option<String>,

    #[arg(long,
        value_name = settings::AUDIENCE.value, help = help(settings::AUDIENCE))]
    audience: Option<Audience>,

    #[arg(long, value_parser = session_name,
        default_value = settings::ROLE_SESSION_NAME.default,
        value_name = settings::ROLE_SESSION_NAME.value,
        help = settings::ROLE_SESSION_NAME.description)]
    role_session_name: RoleName,

    #[arg(long,
        value_parser = clap::value_parser!(u16).range(900..=43_200),
        default_value = settings::ROLE_DURATION_SECONDS.default,
        value_name = settings::ROLE_DURATION_SECONDS.value,
        help = settings::ROLE_DURATION_SECONDS.description)]
    role_duration_seconds: u16,

    #[arg(long,
        default_value = settings::OWNER_TAGS.default,
        value_name = settings::OWNER_TAGS.value, help = settings::OWNER_TAGS.description)]
    owner_tags: Vec<String>,

    #[arg(long,
        value_parser = clap::value_parser!(u32).range(1..=21_600),
        default_value = settings::TIMEOUT.default,
        value_name = settings::TIMEOUT.value, help = settings::TIMEOUT.description)]
    timeout: u32,

    #[arg(long,
        value_parser = clap::value_parser!(u8).range(1..=64),
        default_value = settings::CONCURRENCY.default,
        value_name = settings::CONCURRENCY.value, help = settings::CONCURRENCY.description)]
    concurrency: u8,

    #[arg(long,
        value_parser = clap::value_parser!(u8).range(1..=64),
        default_value = settings::ACCOUNT_CONCURRENCY.default,
        value_name = settings::ACCOUNT_CONCURRENCY.value,
        help = settings::ACCOUNT_CONCURRENCY.description)]
    account_concurrency: u8,
}

/// What is looked at.
#[derive(clap::Args)]
struct LookArgs {
    #[arg(long, help = settings::NO_RECHECK.description)]
    no_recheck: bool,

    #[arg(long, value_parser = choice::<SshKeyLookup, _>(SshKeyLookup::ALL.map(SshKeyLookup::id)),
        default_value = settings::SSH_KEYS.default,
        value_name = settings::SSH_KEYS.value, help = settings::SSH_KEYS.description)]
    ssh_keys: SshKeyLookup,

    #[arg(long, value_parser = choice::<OwnerLookup, _>(OwnerLookup::ALL.map(OwnerLookup::id)),
        default_value = settings::OWNERS.default,
        value_name = settings::OWNERS.value, help = settings::OWNERS.description)]
    owners: OwnerLookup,

    #[arg(long,
        value_parser = choice::<LastAccessedLookup, _>(LastAccessedLookup::ALL.map(LastAccessedLookup::id)),
        default_value = settings::LAST_ACCESSED.default,
        value_name = settings::LAST_ACCESSED.value, help = settings::LAST_ACCESSED.description)]
    last_accessed: LastAccessedLookup,
}

/// One of the names of a setting.
pub(super) fn choice<T, const N: usize>(
    names: [&'static str; N],
) -> impl clap::builder::TypedValueParser<Value = T>
where
    T: std::str::FromStr<Err = settings::UnknownChoice> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// A session's name is spelt like a role's, and has two characters at least.
fn session_name(text: &str) -> Result<RoleName, &'static str> {
    let name = text.parse().ok().filter(|_| text.len() >= 2);
    name.ok_or("a session's name has 2 to 64 letters, digits and any of _+=,.@-")
}

fn region(text: &str) -> Result<String, &'static str> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.contains('-') && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err("write it like eu-central-1")
    }
}

/// The items of lists that are given in one or several flags, separated by commas or white space.
fn items<T: std::str::FromStr<Err: std::fmt::Display>>(
    flag: &str,
    lists: &[String],
) -> Result<Vec<T>, String> {
    let words = lists.iter().flat_map(|list| list.split(|c: char| c == ',' || c.is_whitespace()));
    let parse = |word: &str| {
        word.parse().map_err(|error| format!("invalid value '{word}' for '--{flag}': {error}"))
    };
    words.filter(|word| !word.is_empty()).map(parse).collect()
}

/// The accounts to audit, each once.
fn accounts(lists: Vec<AccountList>) -> Result<Vec<AccountEntry>, String> {
    let accounts: Vec<_> = lists.into_iter().flat_map(|list| list.0).collect();
    for (place, entry) in accounts.iter().enumerate() {
        if accounts.iter().skip(place + 1).any(|other| other.account() == entry.account()) {
            return Err(format!("'--accounts' names account {} twice", entry.account()));
        }
    }
    Ok(accounts)
}

impl LiveArgs {
    pub(super) fn settings(self) -> Result<LiveSettings, String> {
        let Self { access, look } = self;
        Ok(LiveSettings {
            recheck: !look.no_recheck,
            ssh_keys: look.ssh_keys,
            owners: look.owners,
            last_accessed: look.last_accessed,
            ..access.settings()?
        })
    }
}

impl AccessArgs {
    /// The settings of a look at everything that a remedy hangs on.
    pub(super) fn settings(self) -> Result<LiveSettings, String> {
        let accounts = accounts(self.accounts)?;
        let allowed: Vec<AccountId> =
            items(settings::ALLOWED_ACCOUNT_IDS.name, &self.allowed_account_ids)?;
        let is_refused =
            |entry: &&AccountEntry| !allowed.is_empty() && !allowed.contains(&entry.account());
        if let Some(refused) = accounts.iter().find(is_refused) {
            let account = refused.account();
            return Err(format!("'--accounts' names {account}, '--allowed-account-ids' does not"));
        }
        Ok(LiveSettings {
            role_to_assume: self.role_to_assume,
            accounts,
            member_role_name: self.member_role_name,
            external_id: self.external_id,
            allowed_account_ids: allowed,
            aws_region: self.aws_region,
            audience: self.audience,
            role_session_name: self.role_session_name,
            role_duration_seconds: self.role_duration_seconds,
            recheck: true,
            ssh_keys: SshKeyLookup::FlaggedUsers,
            owners: OwnerLookup::All,
            owner_tags: items(settings::OWNER_TAGS.name, &self.owner_tags)?,
            last_accessed: LastAccessedLookup::None,
            timeout: Duration::from_secs(self.timeout.into()),
            concurrency: self.concurrency.into(),
            account_concurrency: self.account_concurrency.into(),
        })
    }
}
