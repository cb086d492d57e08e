//! `former_accounts`: accounts that are no longer audited.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::check::Checker;
use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::help;
use super::raw::RawFormerAccount;
use super::{Allowlist, Position};
use crate::model::inventory::AccountId;

/// An account that is no longer audited. Its findings in the remediation queue no longer count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerAccount {
    pub account: AccountId,
    pub reason: String,
    pub owner: String,
    /// Where the entry begins in the file, in bytes.
    pub span: Range<usize>,
    /// Where the entry begins, as line and column.
    pub place: Position,
}

impl Checker<'_> {
    /// The entries of `former_accounts`, each account once.
    pub(super) fn former_accounts(&mut self, raw: Vec<RawFormerAccount>) -> Vec<FormerAccount> {
        let mut first: BTreeMap<AccountId, Range<usize>> = BTreeMap::new();
        let mut accounts = Vec::new();
        for entry in raw {
            let id_span = entry.account.as_ref().map_or(entry.span.clone(), |it| it.span.clone());
            let Some(former) = self.former_account(entry) else { continue };
            if let Some(earlier) = first.get(&former.account) {
                self.duplicate_account(former.account, id_span, earlier.clone());
            } else {
                first.insert(former.account, id_span);
                accounts.push(former);
            }
        }
        accounts
    }

    fn former_account(&mut self, raw: RawFormerAccount) -> Option<FormerAccount> {
        let place = self.place(&raw.span);
        let account = raw.account.and_then(|it| self.account(&it));
        let reason = raw
            .reason
            .and_then(|it| self.non_blank_text(it, "reason", help::FORMER_ACCOUNT_REASON));
        let owner = raw.owner.and_then(|it| self.non_blank_text(it, "owner", help::OWNER));
        Some(FormerAccount {
            account: account?,
            reason: reason?,
            owner: owner?,
            span: raw.span,
            place,
        })
    }

    fn duplicate_account(&mut self, account: AccountId, again: Range<usize>, first: Range<usize>) {
        let message = format!("account {account} appears twice in `former_accounts`");
        let problem = Diagnostic::error(DiagnosticCode::DuplicateAccount, again, message)
            .label("again here")
            .related(first, "first here")
            .help("remove one of them");
        self.report(problem);
    }
}

/// Problems with entries of `former_accounts` for accounts that are audited. Such an entry has no
/// effect now, and would hide the account's findings when the account is removed from the audit.
#[must_use]
pub fn audited_former_accounts(
    allowlist: &Allowlist,
    audited: &BTreeSet<AccountId>,
) -> Vec<Diagnostic> {
    let still_audited = allowlist.former_accounts.iter().filter(|it| audited.contains(&it.account));
    let problem = |former: &FormerAccount| {
        let message =
            format!("account {} is audited, but `former_accounts` lists it", former.account);
        Diagnostic::error(DiagnosticCode::FormerAccountAudited, former.span.clone(), message)
            .label("this entry")
            .help("remove the entry, or stop auditing the account")
    };
    still_audited.map(problem).collect()
}
