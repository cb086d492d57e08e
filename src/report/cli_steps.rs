//! Remediation steps as plain AWS CLI commands, which a person can check by reading.
//!
//! The commands name a credential by its full ID. If the evidence has no IDs, or the report may not
//! show them, the steps first list the credentials, and say which one to pick.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::audit::{Finding, FindingUser};
use crate::model::inventory::{CredentialHandle, CredentialKind};
use crate::templates::{escape_invisible, shell_word};

/// The commands of one stage.
#[derive(Debug, Default, Serialize)]
pub struct CliSteps {
    /// The kinds of the credentials.
    kinds: Vec<&'static str>,
    /// Commands with everything that they need. They are run in this order.
    commands: Vec<CliCommand>,
    /// Commands that list what the commands above cannot name.
    lists: Vec<CliCommand>,
    /// The credentials to pick from the lists.
    picks: Vec<Pick>,
}

/// A command after `aws iam`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CliCommand {
    /// The words, not quoted.
    words: Vec<String>,
    /// Whether the template appends the serial number of the MFA device. The evidence does not have it.
    mfa_serial_number: bool,
}

/// A credential to pick from a list, and the command for it.
#[derive(Debug, Serialize)]
struct Pick {
    kind: &'static str,
    slot: Option<u8>,
    /// The creation time as the AWS CLI prints it; none if it is not readable.
    created: Option<String>,
    /// The last four characters of the ID, if it is known.
    id_ending: Option<String>,
    /// The command on one line, quoted, with `ID` for the ID.
    command: String,
}

/// The AWS CLI's subcommands and option for a kind of credential.
struct Words {
    list: &'static str,
    option: &'static str,
    update: &'static str,
    delete: &'static str,
}

/// The words of the kind; none for a password, which has no ID.
const fn words_of(kind: CredentialKind) -> Option<Words> {
    let (list, option, update, delete) = match kind {
        CredentialKind::Password => return None,
        CredentialKind::AccessKey => {
            ("list-access-keys", "--access-key-id", "update-access-key", "delete-access-key")
        }
        CredentialKind::SigningCertificate => (
            "list-signing-certificates",
            "--certificate-id",
            "update-signing-certificate",
            "delete-signing-certificate",
        ),
        CredentialKind::SshKey => (
            "list-ssh-public-keys",
            "--ssh-public-key-id",
            "update-ssh-public-key",
            "delete-ssh-public-key",
        ),
        CredentialKind::ServiceSpecificCredential => (
            "list-service-specific-credentials",
            "--service-specific-credential-id",
            "update-service-specific-credential",
            "delete-service-specific-credential",
        ),
    };
    Some(Words { list, option, update, delete })
}

/// Builds the steps for one user.
#[derive(Clone, Copy)]
pub(super) struct StepBuilder<'a> {
    pub(super) user: &'a FindingUser,
    /// Whether the report may show full IDs.
    pub(super) full_ids: bool,
}

impl StepBuilder<'_> {
    /// Deactivates the credentials. A password is deleted, because it cannot be deactivated.
    pub(super) fn deactivate(self, findings: &[&Finding], password: bool) -> CliSteps {
        let mut steps = CliSteps::default();
        for finding in findings {
            self.add(&mut steps, finding, |words| (words.update, &["--status", "Inactive"]));
        }
        if password {
            steps.commands.push(self.command("delete-login-profile", &[]));
        }
        steps
    }

    pub(super) fn delete(self, findings: &[&Finding]) -> CliSteps {
        let mut steps = CliSteps::default();
        for finding in findings {
            self.add(&mut steps, finding, |words| (words.delete, &[]));
        }
        steps
    }

    /// Deletes the user after everything that was observed. IAM refuses to delete a user that still has
    /// anything else.
    pub(super) fn delete_user(self) -> CliSteps {
        let (mut steps, user) = (CliSteps::default(), self.user);
        for credential in &user.credentials {
            let kind = credential.kind;
            let Some(words) = words_of(kind) else {
                steps.commands.push(self.command("delete-login-profile", &[]));
                continue;
            };
            match self.id(credential.handle.as_ref()) {
                Some(id) => steps.commands.push(self.command(words.delete, &[words.option, id])),
                None => {
                    steps.list(self.command(words.list, &[]));
                    steps.pick_any(kind, self.line(words.delete, words.option, &[]));
                }
            }
        }
        if user.mfa == Some(true) {
            let command = self.command("deactivate-mfa-device", &[]);
            steps.commands.push(CliCommand { mfa_serial_number: true, ..command });
        }
        if let Some(permissions) = &user.permissions {
            for name in &permissions.inline_policies {
                let remove = self.command("delete-user-policy", &["--policy-name", name]);
                steps.commands.push(remove);
            }
            for policy in &permissions.attached_policies {
                let remove = self.command("detach-user-policy", &["--policy-arn", &policy.arn]);
                steps.commands.push(remove);
            }
            for name in &permissions.groups {
                let remove = self.command("remove-user-from-group", &["--group-name", name]);
                steps.commands.push(remove);
            }
        }
        steps.commands.push(self.command("delete-user", &[]));
        steps
    }

    /// Adds the command for the credential of a finding. `change` chooses the subcommand and its last
    /// words.
    fn add(
        self,
        steps: &mut CliSteps,
        finding: &Finding,
        change: impl Fn(&Words) -> (&'static str, &'static [&'static str]),
    ) {
        let Some(credential) = &finding.credential else { return };
        let Some(words) = words_of(credential.kind) else { return };
        let (name, last) = change(&words);
        let kind = credential.kind.id();
        if !steps.kinds.contains(&kind) {
            steps.kinds.push(kind);
        }
        match self.id(credential.handle.as_ref()) {
            Some(id) => {
                let command = self.command(name, &[&[words.option, id], last].concat());
                if !steps.commands.contains(&command) {
                    steps.commands.push(command);
                }
            }
            None => {
                let (slot, id_ending) = handle_view(credential.handle.as_ref());
                let created = credential.created.map(cli_moment);
                let is_same = |other: &Pick| {
                    (other.kind, other.slot, &other.id_ending) == (kind, slot, &id_ending)
                };
                if !steps.picks.iter().any(is_same) {
                    let command = self.line(name, words.option, last);
                    steps.picks.push(Pick { kind, slot, created, id_ending, command });
                }
                steps.list(self.command(words.list, &[]));
            }
        }
    }

    /// The full ID, if it is known and may be shown.
    fn id(self, handle: Option<&CredentialHandle>) -> Option<&str> {
        match handle {
            Some(CredentialHandle::Id(id)) if self.full_ids => Some(id),
            _ => None,
        }
    }

    fn command(self, name: &str, last: &[&str]) -> CliCommand {
        command(&self.user.name, name, last)
    }

    fn line(self, name: &str, id_option: &str, last: &[&str]) -> String {
        line(&self.user.name, name, id_option, last)
    }
}

/// A command for the user. `last` are options with their values.
fn command(user: &str, name: &str, last: &[&str]) -> CliCommand {
    let mut words = vec![name.to_owned()];
    words.extend(option("--user-name", user));
    for pair in last.chunks(2) {
        match pair {
            [flag, value] => words.extend(option(flag, value)),
            other => words.extend(other.iter().map(|it| (*it).to_owned())),
        }
    }
    CliCommand { words, mfa_serial_number: false }
}

/// A command on one line, with `ID` for the ID.
fn line(user: &str, name: &str, id_option: &str, last: &[&str]) -> String {
    let CliCommand { words, .. } = command(user, name, &[&[id_option, "ID"], last].concat());
    let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    format!("aws iam {}", words.join(" "))
}

/// Deactivates credentials of which only the end of the ID is known, and deletes the password. Full IDs
/// never appear outside of a private report.
pub fn deactivate_listed<'a>(
    user: &str,
    credentials: impl Iterator<Item = (CredentialKind, Option<u8>, Option<&'a str>)>,
) -> CliSteps {
    let mut steps = CliSteps::default();
    for (kind, slot, id_ending) in credentials {
        let Some(words) = words_of(kind) else {
            let delete = command(user, "delete-login-profile", &[]);
            if !steps.commands.contains(&delete) {
                steps.commands.push(delete);
            }
            continue;
        };
        steps.list(command(user, words.list, &[]));
        let id_ending = id_ending.map(str::to_owned);
        let is_same = |other: &Pick| {
            (other.kind, other.slot, &other.id_ending) == (kind.id(), slot, &id_ending)
        };
        if !steps.picks.iter().any(is_same) {
            let command = line(user, words.update, words.option, &["--status", "Inactive"]);
            steps.picks.push(Pick { kind: kind.id(), slot, created: None, id_ending, command });
        }
    }
    steps
}

impl CliSteps {
    fn list(&mut self, command: CliCommand) {
        if !self.lists.contains(&command) {
            self.lists.push(command);
        }
    }

    /// Adds a command for all credentials of a kind in the list.
    fn pick_any(&mut self, kind: CredentialKind, command: String) {
        if !self.picks.iter().any(|other| other.command == command) {
            let pick =
                Pick { kind: kind.id(), slot: None, created: None, id_ending: None, command };
            self.picks.push(pick);
        }
    }
}

/// The slot, and the end of the ID.
fn handle_view(handle: Option<&CredentialHandle>) -> (Option<u8>, Option<String>) {
    match handle {
        Some(CredentialHandle::Slot(slot)) => (Some(*slot), None),
        Some(CredentialHandle::Id(id)) => (None, Some(crate::model::inventory::id_ending(id))),
        None => (None, None),
    }
}

/// An option with its value. The AWS CLI reads a word that starts with a dash as another option.
fn option(flag: &str, value: &str) -> Vec<String> {
    let value = escape_invisible(value);
    if value.starts_with('-') {
        vec![format!("{flag}={value}")]
    } else {
        vec![flag.to_owned(), value.into_owned()]
    }
}

/// A time as the AWS CLI prints it.
fn cli_moment(moment: DateTime<Utc>) -> String {
    let text = moment.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{}+00:00", text.trim_end_matches('Z'))
}
