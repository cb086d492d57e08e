//! The IAM calls that write: one for each kind of step.

use std::future::Future;

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{StatusType, Tag};

use super::plan::step::{IamWrite, RemediationStep};
use crate::model::inventory::CredentialKind;
use crate::observe::call::{AwsError, CallLimits, CheckedAwsError};
use crate::observe::session::Session;
use crate::observe::user_id_and_tags;

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum WriteError {
    Failed(AwsError),
    /// The user no longer exists, or another user has the name.
    UserChanged {
        /// Whether no user has the name.
        is_gone: bool,
        /// Whether an earlier attempt may have succeeded.
        outcome_unknown: bool,
    },
    /// The tag has neither the value of the re-check nor the new value.
    TagChanged {
        /// Whether an earlier attempt may have succeeded.
        outcome_unknown: bool,
    },
}

/// Why a step must not run.
enum CheckError {
    Failed(AwsError),
    /// No user has the name.
    Gone,
    /// Another user has the name.
    OtherUser,
    /// Someone else changed the tag.
    TagChanged,
}

struct IamWriter<'a> {
    session: &'a Session,
    limits: &'a CallLimits,
    step: &'a RemediationStep,
}

/// Makes the IAM call of a step. The call can be repeated if a response is lost. Before each
/// attempt, the user's unique id is compared, because IAM identifies users by name and another user
/// may have been created with the same name. The remediation tag is compared too, because another
/// run may have changed it.
pub(super) async fn write(
    session: &Session,
    limits: &CallLimits,
    step: &RemediationStep,
) -> Result<(), WriteError> {
    let writer = IamWriter { session, limits, step };
    writer.write().await
}

impl IamWriter<'_> {
    /// Makes a call, with the check before each attempt.
    async fn call<T, E, F>(&self, request: impl Fn() -> F) -> Result<(), WriteError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let action = self.step.write.action();
        let called = self.limits.call_checked(action, async || self.check().await, request);
        match called.await {
            Ok(_) => Ok(()),
            Err(CheckedAwsError::Call(failure)) => Err(WriteError::Failed(failure)),
            Err(CheckedAwsError::Check { error: CheckError::Gone, outcome_unknown }) => {
                Err(WriteError::UserChanged { is_gone: true, outcome_unknown })
            }
            Err(CheckedAwsError::Check { error: CheckError::OtherUser, outcome_unknown }) => {
                Err(WriteError::UserChanged { is_gone: false, outcome_unknown })
            }
            Err(CheckedAwsError::Check { error: CheckError::TagChanged, outcome_unknown }) => {
                Err(WriteError::TagChanged { outcome_unknown })
            }
            Err(CheckedAwsError::Check { error: CheckError::Failed(failure), outcome_unknown }) => {
                Err(WriteError::Failed(AwsError {
                    outcome_unknown: outcome_unknown || failure.outcome_unknown,
                    ..failure
                }))
            }
        }
    }

    /// Checks that the name still belongs to the same user, and that the tag has not changed.
    async fn check(&self) -> Result<(), CheckError> {
        match user_id_and_tags(self.session, self.limits, &self.step.user).await {
            Ok(Some((id, _))) if id != self.step.user_id => Err(CheckError::OtherUser),
            Ok(Some((_, tags))) if !self.step.write.allows_tags(&tags) => {
                Err(CheckError::TagChanged)
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(CheckError::Gone),
            Err(failure) => Err(CheckError::Failed(failure)),
        }
    }

    async fn write(&self) -> Result<(), WriteError> {
        let (iam, user) = (&self.session.iam, self.step.user.as_str());
        match &self.step.write {
            IamWrite::Tag { subject, value, .. } => {
                let tag = Tag::builder().key(subject.key()).value(value).build();
                let tag = tag.map_err(|error| self.unexpected(error.to_string()))?;
                self.call(|| iam.tag_user().user_name(user).tags(tag.clone()).send()).await
            }
            IamWrite::Untag { subject, .. } => {
                self.call(|| iam.untag_user().user_name(user).tag_keys(subject.key()).send()).await
            }
            IamWrite::Deactivate { kind, id } => {
                self.set_status(*kind, id, StatusType::Inactive).await
            }
            IamWrite::Activate { kind, id } => self.set_status(*kind, id, StatusType::Active).await,
            IamWrite::DeletePassword => {
                self.call(|| iam.delete_login_profile().user_name(user).send()).await
            }
            IamWrite::DeleteCredential { kind, id } => self.delete_credential(*kind, id).await,
            IamWrite::DeactivateMfaDevice { serial } => {
                let deactivate = iam.deactivate_mfa_device().user_name(user).serial_number(serial);
                self.call(|| deactivate.clone().send()).await
            }
            IamWrite::DeleteVirtualMfaDevice { serial } => {
                self.call(|| iam.delete_virtual_mfa_device().serial_number(serial).send()).await
            }
            IamWrite::DeleteInlinePolicy { name } => {
                let delete = iam.delete_user_policy().user_name(user).policy_name(name);
                self.call(|| delete.clone().send()).await
            }
            IamWrite::DetachPolicy { arn } => {
                self.call(|| iam.detach_user_policy().user_name(user).policy_arn(arn).send()).await
            }
            IamWrite::RemoveFromGroup { group } => {
                let remove = iam.remove_user_from_group().user_name(user).group_name(group);
                self.call(|| remove.clone().send()).await
            }
            IamWrite::DeleteUser => self.call(|| iam.delete_user().user_name(user).send()).await,
        }
    }

    async fn set_status(
        &self,
        kind: CredentialKind,
        id: &str,
        status: StatusType,
    ) -> Result<(), WriteError> {
        let (iam, user) = (&self.session.iam, self.step.user.as_str());
        match kind {
            CredentialKind::AccessKey => {
                let update = iam.update_access_key().user_name(user);
                let update = update.access_key_id(id).status(status);
                self.call(|| update.clone().send()).await
            }
            CredentialKind::SshKey => {
                let update = iam.update_ssh_public_key().user_name(user);
                let update = update.ssh_public_key_id(id).status(status);
                self.call(|| update.clone().send()).await
            }
            CredentialKind::SigningCertificate => {
                let update = iam.update_signing_certificate().user_name(user);
                let update = update.certificate_id(id).status(status);
                self.call(|| update.clone().send()).await
            }
            CredentialKind::ServiceSpecificCredential => {
                let update = iam.update_service_specific_credential().user_name(user);
                let update = update.service_specific_credential_id(id).status(status);
                self.call(|| update.clone().send()).await
            }
            CredentialKind::Password => Err(self.unexpected("a password cannot be deactivated")),
        }
    }

    async fn delete_credential(&self, kind: CredentialKind, id: &str) -> Result<(), WriteError> {
        let (iam, user) = (&self.session.iam, self.step.user.as_str());
        match kind {
            CredentialKind::AccessKey => {
                let delete = iam.delete_access_key().user_name(user).access_key_id(id);
                self.call(|| delete.clone().send()).await
            }
            CredentialKind::SshKey => {
                let delete = iam.delete_ssh_public_key().user_name(user).ssh_public_key_id(id);
                self.call(|| delete.clone().send()).await
            }
            CredentialKind::SigningCertificate => {
                let delete = iam.delete_signing_certificate().user_name(user).certificate_id(id);
                self.call(|| delete.clone().send()).await
            }
            CredentialKind::ServiceSpecificCredential => {
                let delete = iam.delete_service_specific_credential().user_name(user);
                let delete = delete.service_specific_credential_id(id);
                self.call(|| delete.clone().send()).await
            }
            CredentialKind::Password => {
                self.call(|| iam.delete_login_profile().user_name(user).send()).await
            }
        }
    }

    fn unexpected(&self, message: impl Into<String>) -> WriteError {
        WriteError::Failed(AwsError::unexpected(self.step.write.action(), message))
    }
}
