//! The calls that write to IAM: one for each kind of step.

use aws_sdk_iam::types::{StatusType, Tag};

use super::plan::step::{Step, Write};
use crate::inventory::CredentialKind;
use crate::observe::call::{Failure, Pace};
use crate::observe::session::Session;

/// Makes the call of a step. All of them may be made again when an answer was lost.
pub(super) async fn write(session: &Session, pace: &Pace, step: &Step) -> Result<(), Failure> {
    let (iam, user, action) = (&session.iam, step.user.as_str(), step.write.action());
    match &step.write {
        Write::Tag { subject, value } => {
            let tag = Tag::builder().key(subject.key()).value(value).build();
            let tag = tag.map_err(|error| Failure::unexpected(action, error.to_string()))?;
            let request = || iam.tag_user().user_name(user).tags(tag.clone()).send();
            pace.call(action, request).await.map(drop)
        }
        Write::Untag { subject } => {
            let request = || iam.untag_user().user_name(user).tag_keys(subject.key()).send();
            pace.call(action, request).await.map(drop)
        }
        Write::Deactivate { kind, id } => {
            set_status(session, pace, step, (*kind, id), StatusType::Inactive).await
        }
        Write::Activate { kind, id } => {
            set_status(session, pace, step, (*kind, id), StatusType::Active).await
        }
        Write::DeletePassword => {
            let request = || iam.delete_login_profile().user_name(user).send();
            pace.call(action, request).await.map(drop)
        }
        Write::DeleteCredential { kind, id } => {
            delete_credential(session, pace, step, (*kind, id)).await
        }
        Write::DeactivateMfaDevice { serial } => {
            let request =
                || iam.deactivate_mfa_device().user_name(user).serial_number(serial).send();
            pace.call(action, request).await.map(drop)
        }
        Write::DeleteVirtualMfaDevice { serial } => {
            let request = || iam.delete_virtual_mfa_device().serial_number(serial).send();
            pace.call(action, request).await.map(drop)
        }
        Write::DeleteInlinePolicy { name } => {
            let request = || iam.delete_user_policy().user_name(user).policy_name(name).send();
            pace.call(action, request).await.map(drop)
        }
        Write::DetachPolicy { arn } => {
            let request = || iam.detach_user_policy().user_name(user).policy_arn(arn).send();
            pace.call(action, request).await.map(drop)
        }
        Write::RemoveFromGroup { group } => {
            let request = || iam.remove_user_from_group().user_name(user).group_name(group).send();
            pace.call(action, request).await.map(drop)
        }
        Write::DeleteUser => {
            let request = || iam.delete_user().user_name(user).send();
            pace.call(action, request).await.map(drop)
        }
    }
}

async fn set_status(
    session: &Session,
    pace: &Pace,
    step: &Step,
    (kind, id): (CredentialKind, &str),
    status: StatusType,
) -> Result<(), Failure> {
    let (iam, user, action) = (&session.iam, step.user.as_str(), step.write.action());
    match kind {
        CredentialKind::AccessKey => {
            let update = iam.update_access_key().user_name(user).access_key_id(id).status(status);
            pace.call(action, || update.clone().send()).await.map(drop)
        }
        CredentialKind::SshKey => {
            let update = iam.update_ssh_public_key().user_name(user);
            let update = update.ssh_public_key_id(id).status(status);
            pace.call(action, || update.clone().send()).await.map(drop)
        }
        CredentialKind::SigningCertificate => {
            let update = iam.update_signing_certificate().user_name(user);
            let update = update.certificate_id(id).status(status);
            pace.call(action, || update.clone().send()).await.map(drop)
        }
        CredentialKind::ServiceSpecificCredential => {
            let update = iam.update_service_specific_credential().user_name(user);
            let update = update.service_specific_credential_id(id).status(status);
            pace.call(action, || update.clone().send()).await.map(drop)
        }
        CredentialKind::Password => {
            Err(Failure::unexpected(action, "a password cannot be deactivated"))
        }
    }
}

async fn delete_credential(
    session: &Session,
    pace: &Pace,
    step: &Step,
    (kind, id): (CredentialKind, &str),
) -> Result<(), Failure> {
    let (iam, user, action) = (&session.iam, step.user.as_str(), step.write.action());
    match kind {
        CredentialKind::AccessKey => {
            let delete = iam.delete_access_key().user_name(user).access_key_id(id);
            pace.call(action, || delete.clone().send()).await.map(drop)
        }
        CredentialKind::SshKey => {
            let delete = iam.delete_ssh_public_key().user_name(user).ssh_public_key_id(id);
            pace.call(action, || delete.clone().send()).await.map(drop)
        }
        CredentialKind::SigningCertificate => {
            let delete = iam.delete_signing_certificate().user_name(user).certificate_id(id);
            pace.call(action, || delete.clone().send()).await.map(drop)
        }
        CredentialKind::ServiceSpecificCredential => {
            let delete = iam.delete_service_specific_credential().user_name(user);
            let delete = delete.service_specific_credential_id(id);
            pace.call(action, || delete.clone().send()).await.map(drop)
        }
        CredentialKind::Password => {
            let delete = iam.delete_login_profile().user_name(user);
            pace.call(action, || delete.clone().send()).await.map(drop)
        }
    }
}
