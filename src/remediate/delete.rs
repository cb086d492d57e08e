//! Deletes a user. IAM refuses while the user still has credentials, policies or groups, so these
//! are deleted first. If something new appears meanwhile, the deletion lists everything again.

use tokio::time::sleep;

use super::accounts::AccountSession;
use super::apply::{ChangeError, Executor, account_session, deletion_writes, step};
use super::history::is_virtual;
use super::journal::{JournalEntry, UserDeletion};
use super::plan::step::IamWrite;
use super::plan::{PlanInput, PlanSettings, PlannedChange};
use crate::model::inventory::{CredentialHandle, CredentialKind, Holdings, UserRecord};
use crate::observe::call::AwsError;
use crate::retry::backoff;

/// How often to list everything again if IAM reports that something is left.
const MAX_ROUNDS: u32 = 5;

impl Executor<'_> {
    /// Deletes a user and everything the user has.
    pub(super) async fn delete_user(
        &mut self,
        change: &PlannedChange,
        input: &PlanInput,
        settings: PlanSettings<'_>,
    ) -> Result<(), ChangeError> {
        let accounts = self.accounts;
        let account_session = account_session(accounts, change)?;
        let mut input = input.clone();
        for round in 1.. {
            let user_record = self.recheck(change, &input, settings).await?;
            let Some(holdings) = user_record.holdings.clone() else {
                let message = "IAM did not return the user's groups and policies";
                return Err(AwsError::unexpected("iam:ListGroupsForUser", message).into());
            };
            if round == 1 && !self.history.is_partially_deleted(&change.user_id) {
                self.write_entry(JournalEntry::Deletion(Box::new(deletion_record(
                    change,
                    &user_record,
                    &holdings,
                ))))?;
            }
            // From here on, the deletion itself changes the facts.
            input.partially_deleted.insert(change.user_id.clone());
            if round == 1 {
                self.delete_orphaned_mfa_devices(change, account_session, &holdings).await?;
            }
            for write in deletion_order(&user_record, &holdings) {
                self.perform(account_session, &step(change, write)).await?;
            }
            match self.perform(account_session, &step(change, IamWrite::DeleteUser)).await {
                Err(ChangeError::Failed(failure))
                    if failure.has_code("DeleteConflict") && round < MAX_ROUNDS =>
                {
                    // IAM may report deleted items for some seconds.
                    sleep(backoff(round + 2)).await;
                }
                outcome => return outcome,
            }
        }
        Ok(())
    }

    /// Deletes the virtual MFA devices that an earlier run deactivated but did not delete.
    async fn delete_orphaned_mfa_devices(
        &mut self,
        change: &PlannedChange,
        account_session: &AccountSession,
        holdings: &Holdings,
    ) -> Result<(), ChangeError> {
        for serial in self.history.orphaned_mfa_devices(&change.user_id) {
            if holdings.mfa_devices.contains(&serial) {
                continue;
            }
            let delete = IamWrite::DeleteVirtualMfaDevice { serial };
            match self.perform(account_session, &step(change, delete)).await {
                // The device belongs to another user now.
                Err(ChangeError::Failed(failure)) if failure.has_code("DeleteConflict") => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// The record that a person needs to create the user again.
fn deletion_record(
    change: &PlannedChange,
    user_record: &UserRecord,
    holdings: &Holdings,
) -> UserDeletion {
    UserDeletion {
        account: change.target.account,
        user: change.target.user.clone(),
        user_id: change.user_id.clone(),
        arn: user_record.user.arn.clone().into_owned(),
        path: user_record.path.clone(),
        tags: user_record.user.tags.clone().unwrap_or_default(),
        holdings: holdings.clone(),
    }
}

/// Everything to delete before the user, in the order that IAM requires. The permissions boundary
/// and the tags are deleted with the user.
///
/// Source: "Deleting or deactivating an IAM user", IAM User Guide.
fn deletion_order(user_record: &UserRecord, holdings: &Holdings) -> Vec<IamWrite> {
    let user = &user_record.user;
    let mut writes = Vec::new();
    writes.extend(user.password.as_ref().map(|_| IamWrite::DeletePassword));
    for key in &user.access_keys {
        if let CredentialHandle::Id(id) = &key.handle {
            writes.extend(deletion_writes(CredentialKind::AccessKey, id));
        }
    }
    for kind in [
        CredentialKind::SigningCertificate,
        CredentialKind::SshKey,
        CredentialKind::ServiceSpecificCredential,
    ] {
        for other in user.other_credentials.iter().filter(|other| other.kind == kind) {
            if let CredentialHandle::Id(id) = &other.handle {
                writes.extend(deletion_writes(kind, id));
            }
        }
    }
    for serial in &holdings.mfa_devices {
        writes.push(IamWrite::DeactivateMfaDevice { serial: serial.clone() });
        if is_virtual(serial) {
            writes.push(IamWrite::DeleteVirtualMfaDevice { serial: serial.clone() });
        }
    }
    let inline = holdings.inline_policies.iter();
    writes.extend(inline.map(|it| IamWrite::DeleteInlinePolicy { name: it.name.clone() }));
    let attached = holdings.attached_policies.iter();
    writes.extend(attached.map(|arn| IamWrite::DetachPolicy { arn: arn.clone() }));
    let groups = holdings.groups.iter();
    writes.extend(groups.map(|group| IamWrite::RemoveFromGroup { group: group.clone() }));
    writes
}
