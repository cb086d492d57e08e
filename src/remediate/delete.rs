//! A whole user deleted. IAM refuses as long as anything is left, so that everything goes first, in
//! its order; and what turns up meanwhile makes it begin again.

use tokio::time::sleep;

use super::apply::{Hand, Unmade, deletion_of, step, visit};
use super::history::is_virtual;
use super::journal::{Deletion, Entry};
use super::plan::step::Write;
use super::plan::{Basis, Change, Scene};
use super::scene::Visit;
use crate::model::inventory::{CredentialKind, Dossier, Handle, Holdings};
use crate::observe::call::{Failure, pause_after};

/// How often everything is listed again when IAM says that something is left.
const ROUNDS: u32 = 5;

impl Hand<'_> {
    /// Deletes a user with everything that is left of the user's.
    pub(super) async fn delete_user(
        &mut self,
        change: &Change,
        scene: &Scene,
        basis: Basis<'_>,
    ) -> Result<(), Unmade> {
        let field = self.field;
        let visit = visit(field, change)?;
        let mut scene = scene.clone();
        for round in 1.. {
            let dossier = self.look_again(change, &scene, basis).await?;
            let Some(holdings) = dossier.holdings.clone() else {
                let message = "groups and policies were not seen";
                return Err(Failure::unexpected("iam:ListGroupsForUser", message).into());
            };
            if round == 1 && !self.history.is_half_deleted(&change.user_id) {
                self.note(Entry::Deletion(Box::new(record(change, &dossier, &holdings))))?;
            }
            // From here on the facts move by our own hand.
            scene.half_deleted.insert(change.user_id.clone());
            if round == 1 {
                self.delete_strays(change, visit, &holdings).await?;
            }
            for write in in_order(&dossier, &holdings) {
                self.perform(visit, &step(change, write)).await?;
            }
            match self.perform(visit, &step(change, Write::DeleteUser)).await {
                Err(Unmade::Failed(failure)) if failure.is("DeleteConflict") && round < ROUNDS => {
                    // What is gone may be seen for some seconds yet.
                    sleep(pause_after(round + 2)).await;
                }
                outcome => return outcome,
            }
        }
        Ok(())
    }

    /// Deletes the virtual MFA devices that an earlier run took from the user and left behind.
    async fn delete_strays(
        &mut self,
        change: &Change,
        visit: &Visit,
        holdings: &Holdings,
    ) -> Result<(), Unmade> {
        for serial in self.history.stray_mfa_devices(&change.user_id) {
            if holdings.mfa_devices.contains(&serial) {
                continue;
            }
            let delete = Write::DeleteVirtualMfaDevice { serial };
            match self.perform(visit, &step(change, delete)).await {
                // It is another user's by now.
                Err(Unmade::Failed(failure)) if failure.is("DeleteConflict") => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// What it takes to make the user again by hand.
fn record(change: &Change, dossier: &Dossier, holdings: &Holdings) -> Deletion {
    Deletion {
        account: change.place.account,
        user: change.place.user.clone(),
        user_id: change.user_id.clone(),
        arn: dossier.user.arn.clone().into_owned(),
        path: dossier.path.clone(),
        tags: dossier.user.tags.clone().unwrap_or_default(),
        holdings: holdings.clone(),
    }
}

/// Everything that goes before the user, in the order in which IAM lets it go. The boundary and the
/// tags go with the user.
///
/// Source: "Deleting or deactivating an IAM user", IAM User Guide.
fn in_order(dossier: &Dossier, holdings: &Holdings) -> Vec<Write> {
    let user = &dossier.user;
    let mut writes = Vec::new();
    writes.extend(user.password.as_ref().map(|_| Write::DeletePassword));
    for key in &user.access_keys {
        if let Handle::Id(id) = &key.handle {
            writes.extend(deletion_of(CredentialKind::AccessKey, id));
        }
    }
    for kind in [
        CredentialKind::SigningCertificate,
        CredentialKind::SshKey,
        CredentialKind::ServiceSpecificCredential,
    ] {
        for other in user.other_credentials.iter().filter(|other| other.kind == kind) {
            if let Handle::Id(id) = &other.handle {
                writes.extend(deletion_of(kind, id));
            }
        }
    }
    for serial in &holdings.mfa_devices {
        writes.push(Write::DeactivateMfaDevice { serial: serial.clone() });
        if is_virtual(serial) {
            writes.push(Write::DeleteVirtualMfaDevice { serial: serial.clone() });
        }
    }
    let inline = holdings.inline_policies.iter();
    writes.extend(inline.map(|it| Write::DeleteInlinePolicy { name: it.name.clone() }));
    let attached = holdings.attached_policies.iter();
    writes.extend(attached.map(|arn| Write::DetachPolicy { arn: arn.clone() }));
    let groups = holdings.groups.iter();
    writes.extend(groups.map(|group| Write::RemoveFromGroup { group: group.clone() }));
    writes
}
