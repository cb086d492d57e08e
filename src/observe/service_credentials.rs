//! Credentials without a last-used date: service-specific credentials, SSH keys, and signing
//! certificates.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ServiceSpecificCredentialMetadata, SigningCertificate, SshPublicKeyMetadata, StatusType,
};
use chrono::{DateTime, Utc};

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, PAGE_SIZE, collect_pages};
use super::session::Session;
use super::{missing_date, moment, required, timestamp};
use crate::model::inventory::{
    CredentialHandle, CredentialKind, Flag, OtherCredential, UnreadableField,
};

const LIST_SPECIFIC: &str = "iam:ListServiceSpecificCredentials";
const LIST_SSH: &str = "iam:ListSSHPublicKeys";
const LIST_CERTIFICATES: &str = "iam:ListSigningCertificates";

/// The service-specific credentials of all users, by user name in lower case.
pub(super) async fn service_specific(
    session: &Session,
    limits: &CallLimits,
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, Vec<OtherCredential>>, AwsError> {
    let found = list_service_specific(session, limits, None, now).await?;
    let mut by_user: BTreeMap<String, Vec<OtherCredential>> = BTreeMap::new();
    for (user, credential) in found {
        by_user.entry(user).or_default().push(credential);
    }
    Ok(by_user)
}

/// The service-specific credentials of one user for all services.
pub(super) async fn service_specific_of(
    session: &Session,
    limits: &CallLimits,
    user: &str,
    now: DateTime<Utc>,
) -> Result<Vec<OtherCredential>, AwsError> {
    let found = list_service_specific(session, limits, Some(user), now).await?;
    Ok(found.into_iter().map(|(_, credential)| credential).collect())
}

/// The service-specific credentials of one user or of all, each with its user name in lower case.
async fn list_service_specific(
    session: &Session,
    limits: &CallLimits,
    user: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<(String, OtherCredential)>, AwsError> {
    collect_pages(LIST_SPECIFIC, async |marker| {
        let request = || {
            let list = session.iam.list_service_specific_credentials();
            let list = match user {
                Some(user) => list.user_name(user),
                None => list.all_users(true),
            };
            list.max_items(PAGE_SIZE).set_marker(marker.clone()).send()
        };
        let answer = limits.call(LIST_SPECIFIC, request).await?;
        let read = |it: &ServiceSpecificCredentialMetadata| {
            let id = it.service_specific_credential_id();
            let id = required(LIST_SPECIFIC, "ServiceSpecificCredentialId", Some(id))?;
            let user = required(LIST_SPECIFIC, "UserName", Some(it.user_name()))?;
            // An expired API key is not accepted, whatever its status.
            let expired = it.expiration_date().and_then(moment).is_some_and(|at| at <= now);
            let credential = OtherCredential {
                kind: CredentialKind::ServiceSpecificCredential,
                handle: CredentialHandle::Id(id.to_owned()),
                active: if expired { Flag::No } else { status(it.status()) },
                created: timestamp("CreateDate", it.create_date()),
            };
            Ok((user.to_ascii_lowercase(), credential))
        };
        let credentials = answer.service_specific_credentials().iter().map(read);
        let credentials = credentials.collect::<Result<_, AwsError>>()?;
        Ok(IamPage::new(credentials, answer.is_truncated(), answer.marker()))
    })
    .await
}

pub(super) async fn ssh_keys(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<Vec<OtherCredential>, AwsError> {
    collect_pages(LIST_SSH, async |marker| {
        let request = || {
            let list = session.iam.list_ssh_public_keys().user_name(user);
            list.set_marker(marker.clone()).send()
        };
        let answer = limits.call(LIST_SSH, request).await?;
        let read = |key: &SshPublicKeyMetadata| {
            let id = required(LIST_SSH, "SSHPublicKeyId", Some(key.ssh_public_key_id()))?;
            Ok(OtherCredential {
                kind: CredentialKind::SshKey,
                handle: CredentialHandle::Id(id.to_owned()),
                active: status(key.status()),
                created: timestamp("UploadDate", key.upload_date()),
            })
        };
        let keys = answer.ssh_public_keys().iter().map(read).collect::<Result<_, AwsError>>()?;
        Ok(IamPage::new(keys, answer.is_truncated(), answer.marker()))
    })
    .await
}

pub(super) async fn signing_certificates(
    session: &Session,
    limits: &CallLimits,
    user: &str,
) -> Result<Vec<OtherCredential>, AwsError> {
    collect_pages(LIST_CERTIFICATES, async |marker| {
        let request = || {
            let list = session.iam.list_signing_certificates().user_name(user);
            list.set_marker(marker.clone()).send()
        };
        let answer = limits.call(LIST_CERTIFICATES, request).await?;
        let read = |it: &SigningCertificate| {
            let id = required(LIST_CERTIFICATES, "CertificateId", Some(it.certificate_id()))?;
            let uploaded = it.upload_date();
            Ok(OtherCredential {
                kind: CredentialKind::SigningCertificate,
                handle: CredentialHandle::Id(id.to_owned()),
                active: status(it.status()),
                created: uploaded.map_or_else(
                    || missing_date("UploadDate"),
                    |date| timestamp("UploadDate", date),
                ),
            })
        };
        let certificates =
            answer.certificates().iter().map(read).collect::<Result<_, AwsError>>()?;
        Ok(IamPage::new(certificates, answer.is_truncated(), answer.marker()))
    })
    .await
}

/// Whether the credential is accepted. An unknown status is unreadable.
pub(super) fn status(status: &StatusType) -> Flag {
    match status {
        StatusType::Active => Flag::Yes,
        StatusType::Inactive | StatusType::Expired => Flag::No,
        other => Flag::Unreadable(Box::new(UnreadableField {
            column: "Status".to_owned(),
            text: other.as_str().to_owned(),
        })),
    }
}
