//! What keeps a credential or a user as it is, whatever the clock says.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountFacts, Basis};
use crate::allowlist::{Exemption, Term};
use crate::model::clock;
use crate::model::inventory::{Dossier, owner};
use crate::model::policy::Rule;

/// The most tags that IAM lets a user have.
const MOST_TAGS: usize = 50;

/// Why something is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// It is the root user's.
    Root,
    /// An exemption is in force.
    Exempted {
        /// The line of the allowlist file.
        line: usize,
        /// Its last day.
        expires: NaiveDate,
    },
    /// The password was reset lately.
    RecentlyReset(DateTime<Utc>),
    /// It is the identity that we run as.
    Ourselves,
    /// Evidence could not be had: what was answered.
    Incomplete(String),
    /// It was used after the notice.
    Used(DateTime<Utc>),
    /// A tag names another owner.
    Owner(String),
    /// The user stands under another path.
    Path(String),
    /// The user has so many tags that there is no room for ours.
    Tags,
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |moment: &DateTime<Utc>| moment.date_naive();
        match self {
            Self::Root => f.write_str("only the root user changes the root user's credentials"),
            Self::Exempted { line, expires } => {
                write!(f, "exempted until {expires} (line {line} of the allowlist)")
            }
            Self::RecentlyReset(at) => write!(f, "the password was reset on {}", day(at)),
            Self::Ourselves => f.write_str("it is the identity that this runs as"),
            Self::Incomplete(message) => write!(f, "evidence is missing: {message}"),
            Self::Used(at) => write!(f, "it was used on {}", day(at)),
            Self::Owner(owner) => write!(f, "it belongs to {owner}, whom the policy does not name"),
            Self::Path(path) => {
                write!(f, "the user stands under {path}, which the policy does not name")
            }
            Self::Tags => write!(f, "the user has {MOST_TAGS} tags or nearly so: no room for ours"),
        }
    }
}

/// The guard that keeps the whole user as it is, if one does.
pub(super) fn of_user(
    dossier: &Dossier,
    account: &AccountFacts,
    basis: Basis<'_>,
) -> Option<Guard> {
    let user = &dossier.user;
    if account.ourselves.contains(&user.name.to_ascii_lowercase()) {
        return Some(Guard::Ourselves);
    }
    if let Some(gap) = dossier.gaps.first() {
        return Some(Guard::Incomplete(format!("{}: {}", gap.action, gap.message)));
    }
    let Some(tags) = &user.tags else {
        return Some(Guard::Incomplete("the user's tags were not seen".to_owned()));
    };
    let owner = owner(tags, basis.owner_tags);
    if !basis.remediation.takes_owner(owner) {
        return Some(Guard::Owner(owner.unwrap_or_default().to_owned()));
    }
    if !basis.remediation.takes_path(&dossier.path) {
        return Some(Guard::Path(dossier.path.clone()));
    }
    None
}

/// The guard of an exemption in force that names the user, whatever it exempts: such a user is not
/// deleted, also where nothing is left of what is exempted.
pub(super) fn of_exemption(dossier: &Dossier, basis: Basis<'_>) -> Option<Guard> {
    let user = &dossier.user;
    let id = user.id.as_deref();
    let naming = basis.allowlist.exemptions.iter().find(|exemption| {
        is_in_force(exemption, basis) && exemption.speaks_of(dossier.account, &user.name, id)
    });
    naming.map(|it| Guard::Exempted { line: it.place.line, expires: it.expires })
}

/// The guard of an exemption in force that keeps the whole user from remediation, since it names
/// neither credentials nor rules. Of several the one that lasts longest.
pub(super) fn of_protection(dossier: &Dossier, basis: Basis<'_>) -> Option<Guard> {
    let in_force = protections(dossier, basis).filter(|it| is_in_force(it, basis));
    let longest = in_force.max_by_key(|it| it.expires);
    longest.map(|it| Guard::Exempted { line: it.place.line, expires: it.expires })
}

/// The last day of the last such exemption that has expired.
pub(super) fn protection_lapsed(dossier: &Dossier, basis: Basis<'_>) -> Option<NaiveDate> {
    let expired = protections(dossier, basis).filter(|it| !is_in_force(it, basis));
    expired.map(|it| it.expires).max()
}

fn is_in_force(exemption: &Exemption, basis: Basis<'_>) -> bool {
    exemption.term(basis.now.date_naive()) != Term::Expired
}

fn protections<'a>(
    dossier: &'a Dossier,
    basis: Basis<'a>,
) -> impl Iterator<Item = &'a Exemption> + 'a {
    let (user, id) = (&dossier.user, dossier.user.id.as_deref());
    let exemptions = basis.allowlist.exemptions.iter();
    exemptions.filter(move |exemption| {
        exemption.protects_user && exemption.speaks_of(dossier.account, &user.name, id)
    })
}

/// Whether a rule's verdicts may be acted upon in the account.
pub(super) fn of_rule(rule: Rule, account: &AccountFacts) -> Option<Guard> {
    let message = || format!("the rule {rule} is incomplete in this account");
    account.incomplete.contains(&rule).then(|| Guard::Incomplete(message()))
}

/// Whether so many more tags of ours would be too many.
pub(super) fn of_tags(dossier: &Dossier, more: usize) -> Option<Guard> {
    let tags = dossier.user.tags.as_ref().map_or(0, std::collections::BTreeMap::len);
    (more > 0 && tags + more > MOST_TAGS).then_some(Guard::Tags)
}

/// Whether the user bears a tag of ours.
pub(super) fn is_marked(dossier: &Dossier) -> bool {
    dossier.user.tags.as_ref().is_some_and(|tags| clock::ours(tags).next().is_some())
}
