//! How large a file of each kind may be.

use std::io::{self, Read};

const MIB: u64 = 1 << 20;

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// An allowlist.
    Allowlist,
    /// A template for the report.
    Template,
    /// A credential report in any of its forms.
    CredentialReport,
    /// An audit JSON.
    Audit,
    /// A saved remediation plan.
    Plan,
    /// A journal.
    Journal,
    /// The payload of the event that started a job.
    Event,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Allowlist,
        Self::Template,
        Self::CredentialReport,
        Self::Audit,
        Self::Plan,
        Self::Journal,
        Self::Event,
    ];

    /// The most bytes that are read. An account has at most 5,000 users, about 1 MiB of credential
    /// report; GitHub's payloads have at most 25 MB.
    #[must_use]
    pub const fn limit(self) -> u64 {
        match self {
            Self::Allowlist | Self::Template => MIB,
            Self::Event => 32 * MIB,
            Self::CredentialReport | Self::Plan => 64 * MIB,
            Self::Audit | Self::Journal => 256 * MIB,
        }
    }

    /// Whether a job reads it from the checked-out repository alone.
    pub(super) const fn is_repository_file(self) -> bool {
        matches!(self, Self::Allowlist | Self::Template)
    }

    /// Whether it is a regular file on the command line too.
    pub(super) const fn is_regular(self) -> bool {
        matches!(self, Self::Journal | Self::Event)
    }
}

/// Reads a stream to its end.
///
/// # Errors
/// When it cannot be read or holds more than the kind's limit.
pub fn read_stream(stream: &mut dyn Read, kind: FileKind) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(kind.limit() + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > kind.limit() {
        let most = kind.limit() / MIB;
        return Err(io::Error::other(format!("it is larger than {most} MiB")));
    }
    Ok(bytes)
}
