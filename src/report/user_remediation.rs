//! The remediation steps for one user's findings, as values for the templates.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::allowlist::{ExemptedFinding, SuggestedExemption};
use crate::audit::{
    Audit, AuditedAccount, Finding, FindingStatus, FindingUser, Note, RemediationAction,
    UserCredential,
};
use crate::model::identity::Partition;
use crate::model::inventory::{
    CredentialHandle, CredentialKind, Permissions, ROOT_USER, id_ending,
};
use crate::model::policy::Rule;
use crate::templates::SafeText;

/// The remediation steps for one user.
#[derive(Serialize)]
pub(super) struct UserRemediation {
    /// The account that a script must run in.
    account: SafeText,
    /// The console page of the user's credentials; none for an unknown partition.
    console_url: Option<SafeText>,
    /// Whether it is the root user. Only the root user can remove its keys.
    is_root: bool,
    /// Whether to delete the password.
    password: bool,
    /// A time as the AWS CLI prints it. A credential used or created after it is not stale.
    threshold: String,
    /// The user's creation time as the AWS CLI prints it. Another creation time means another user.
    user_created: Option<String>,
    /// Whether a finding needs a check by a person before anything is changed.
    check_first: bool,
    /// Keys and other credentials to deactivate.
    deactivate: Vec<CredentialQuery>,
    /// Keys and other credentials to delete.
    delete: Vec<CredentialQuery>,
    /// Whether the user can be deleted: nothing is in use and nothing is exempted.
    whole_user: bool,
    /// What is deleted with the user; none if nothing was observed.
    deleted_with_user: Option<DeletedWithUser>,
    /// Whether a key is in use but not rotated.
    rotate: bool,
    /// Whether the date in the user's expiry tag has passed.
    expired: bool,
    /// The exemptions to add to the allowlist.
    suggested_exemptions: String,
}

/// What is deleted with the user, as far as it was observed.
#[derive(Serialize)]
struct DeletedWithUser {
    /// All credentials, with and without findings.
    credentials: Vec<UserCredentialView>,
    /// Whether an MFA device was observed. `false` does not mean that there is none.
    mfa: bool,
    /// Whether groups and policies were read. Otherwise the lists are empty.
    permissions_seen: bool,
    groups: Vec<String>,
    attached_policies: Vec<String>,
    inline_policies: Vec<String>,
}

/// A credential.
#[derive(Serialize)]
struct UserCredentialView {
    kind: &'static str,
    slot: Option<u8>,
    id_ending: Option<String>,
}

/// How a script finds a credential: by the end of its id, or by its creation time if the evidence has
/// no id.
#[derive(Clone, Serialize)]
struct CredentialQuery {
    kind: &'static str,
    /// Selects the ids from the output of `list`, in the AWS CLI's query language (JMESPath).
    query: String,
    /// How many ids the query must return. If it returns more, one of them might be in use.
    count: usize,
    /// Whether the script checks the last use again before each change.
    has_last_use: bool,
    #[serde(flatten)]
    words: CliCommands,
}

/// The AWS CLI's commands and fields for a kind of credential.
#[derive(Clone, Serialize)]
struct CliCommands {
    list: &'static str,
    #[serde(skip)]
    items: &'static str,
    #[serde(skip)]
    id_field: &'static str,
    #[serde(skip)]
    created_field: &'static str,
    id_flag: &'static str,
    update: &'static str,
    remove: &'static str,
}

const ACCESS_KEY: CliCommands = CliCommands {
    list: "list-access-keys",
    items: "AccessKeyMetadata",
    id_field: "AccessKeyId",
    created_field: "CreateDate",
    id_flag: "--access-key-id",
    update: "update-access-key",
    remove: "delete-access-key",
};

const SIGNING_CERTIFICATE: CliCommands = CliCommands {
    list: "list-signing-certificates",
    items: "Certificates",
    id_field: "CertificateId",
    created_field: "UploadDate",
    id_flag: "--certificate-id",
    update: "update-signing-certificate",
    remove: "delete-signing-certificate",
};

const SSH_KEY: CliCommands = CliCommands {
    list: "list-ssh-public-keys",
    items: "SSHPublicKeys",
    id_field: "SSHPublicKeyId",
    created_field: "UploadDate",
    id_flag: "--ssh-public-key-id",
    update: "update-ssh-public-key",
    remove: "delete-ssh-public-key",
};

const SERVICE_SPECIFIC_CREDENTIAL: CliCommands = CliCommands {
    list: "list-service-specific-credentials",
    items: "ServiceSpecificCredentials",
    id_field: "ServiceSpecificCredentialId",
    created_field: "CreateDate",
    id_flag: "--service-specific-credential-id",
    update: "update-service-specific-credential",
    remove: "delete-service-specific-credential",
};

/// `unresolved` are the user's findings that are not exempted. `exempted` says whether the user also has
/// exempted findings.
pub(super) fn user_remediation(
    audit: &Audit,
    account: &AuditedAccount,
    unresolved: &[&Finding],
    exempted: bool,
) -> UserRemediation {
    let open = || unresolved.iter().filter(|finding| is_actionable(finding));
    let for_actions = |actions: &[RemediationAction]| {
        let of = open().filter(|finding| actions.contains(&finding.rule.remediation().action));
        let mut selections: Vec<CredentialQuery> = Vec::new();
        for selection in of.filter_map(|finding| credential_query(finding)) {
            match selections.iter_mut().find(|other| other.query == selection.query) {
                Some(duplicate) => duplicate.count += 1,
                None => selections.push(selection),
            }
        }
        selections
    };
    let has = |matches: fn(Rule) -> bool| open().any(|finding| matches(finding.rule));
    let subject = unresolved.first().map(|finding| finding.user.as_ref());
    let name = subject.map_or("", |it| it.name.as_str());
    let all_actionable = unresolved.iter().all(|finding| is_actionable(finding));
    let deactivate = for_actions(&[RemediationAction::DeactivateAndDelete]);
    UserRemediation {
        account: SafeText::new(account.id),
        console_url: account
            .partition
            .parse()
            .ok()
            .map(|partition: Partition| SafeText::console_url(partition, name)),
        is_root: name == ROOT_USER,
        password: has(|rule| rule.remediation().action == RemediationAction::DeletePassword),
        delete: for_actions(&[RemediationAction::DeactivateAndDelete, RemediationAction::Delete]),
        // Without the creation time a script could not tell the user from a later one with the same name.
        whole_user: subject.is_some_and(|it| !it.in_use && it.created.is_some())
            && name != ROOT_USER
            && !exempted
            && all_actionable
            && has(|rule| rule.remediation().may_delete_user),
        rotate: !for_actions(&[RemediationAction::Rotate])
            .iter()
            .all(|old| deactivate.iter().any(|stale| stale.query == old.query)),
        deactivate,
        deleted_with_user: subject.and_then(deleted_with_user),
        threshold: cli_moment(audit.now - TimeDelta::days(audit.policy.stale_after_days.into())),
        user_created: subject.and_then(|it| it.created).map(cli_moment),
        check_first: unresolved
            .iter()
            .any(|finding| finding.status == FindingStatus::Open && !is_actionable(finding)),
        expired: has(Rule::reads_expiry_tag),
        suggested_exemptions: suggested_exemptions(audit, unresolved),
    }
}

fn deleted_with_user(subject: &FindingUser) -> Option<DeletedWithUser> {
    let view = |credential: &UserCredential| UserCredentialView {
        kind: credential.kind.id(),
        slot: match credential.handle {
            Some(CredentialHandle::Slot(slot)) => Some(slot),
            _ => None,
        },
        id_ending: match &credential.handle {
            Some(CredentialHandle::Id(id)) => Some(id_ending(id)),
            _ => None,
        },
    };
    let permissions = subject.permissions.clone();
    let permissions_seen = permissions.is_some();
    let Permissions { groups, attached_policies, inline_policies } =
        permissions.unwrap_or_default();
    let mfa = subject.mfa == Some(true);
    (mfa || permissions_seen || !subject.credentials.is_empty()).then(|| DeletedWithUser {
        credentials: subject.credentials.iter().map(view).collect(),
        mfa,
        permissions_seen,
        groups,
        attached_policies,
        inline_policies,
    })
}

/// Whether a script may act on the finding: not if it is unknown, not on a recently reset password, and
/// not if an exemption might apply to the credential.
fn is_actionable(finding: &Finding) -> bool {
    let in_the_way = |note: &Note| match note {
        Note::RecentlyReset(_)
        | Note::Unreadable(_)
        | Note::HiddenCredentials
        | Note::ExemptionNeedsLiveEvidence(_) => true,
        Note::ExemptionExpired(_) => false,
    };
    finding.status == FindingStatus::Open && !finding.notes.iter().any(in_the_way)
}

/// How to find the finding's credential; none for a password, since a user has only one.
fn credential_query(finding: &Finding) -> Option<CredentialQuery> {
    let credential = finding.credential.as_ref()?;
    let words = match credential.kind {
        CredentialKind::Password => return None,
        CredentialKind::AccessKey => ACCESS_KEY,
        CredentialKind::SigningCertificate => SIGNING_CERTIFICATE,
        CredentialKind::SshKey => SSH_KEY,
        CredentialKind::ServiceSpecificCredential => SERVICE_SPECIFIC_CREDENTIAL,
    };
    let CliCommands { items, id_field, created_field, .. } = words;
    let condition = match (&credential.handle, credential.created) {
        (Some(CredentialHandle::Id(id)), _) => {
            format!("ends_with({id_field}, '{}')", alphanumeric(&id_ending(id)))
        }
        (Some(CredentialHandle::Slot(_)), Some(created)) => {
            format!("starts_with({created_field}, '{}')", cli_moment(created))
        }
        // Nothing identifies the credential.
        _ => return None,
    };
    // A key that was activated again is not inactive.
    let action = finding.rule.remediation().action;
    let inactive = if action == RemediationAction::Delete { " && Status=='Inactive'" } else { "" };
    let query = format!("{items}[?{condition}{inactive}].[{id_field}]");
    let has_last_use = finding.rule.finds_disuse();
    Some(CredentialQuery { kind: credential.kind.id(), query, count: 1, has_last_use, words })
}

/// Ids are alphanumeric; other characters could change the query.
fn alphanumeric(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The exemptions to add to the allowlist.
fn suggested_exemptions(audit: &Audit, unresolved: &[&Finding]) -> String {
    let expires = SuggestedExemption::suggested_expiry_date(
        audit.now.date_naive(),
        audit.policy.max_exemption_days,
    );
    // Unknown findings need a check, not an exemption.
    let argued = unresolved.iter().filter(|finding| finding.needs_remediation());
    let accounts: Vec<_> = argued
        .map(|finding| {
            let ending = finding.credential.as_ref().and_then(|it| match &it.handle {
                Some(CredentialHandle::Id(id)) => Some(id_ending(id)),
                _ => None,
            });
            (finding, finding.user.account.to_string(), ending)
        })
        .collect();
    let excused = accounts.iter().map(|(finding, account, ending)| ExemptedFinding {
        user: &finding.user.name,
        account,
        user_id: finding.user.user_id.as_deref(),
        rule: finding.rule,
        credential: finding.credential.as_ref().map(|it| (it.kind.id(), ending.as_deref())),
    });
    SuggestedExemption::for_findings(excused, expires).iter().map(ToString::to_string).collect()
}

/// A time as the AWS CLI prints it, without the time zone suffix.
fn cli_moment(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z').to_owned()
}
