//! Size limits for each kind of file.

use std::io::{self, Read};

const MIB: u64 = 1 << 20;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray)]
pub enum FileKind {
    Allowlist,
    /// A report template.
    Template,
    /// A credential report in any format.
    CredentialReport,
    Audit,
    Plan,
    Journal,
    Event,
}

impl FileKind {
    /// The maximum size in bytes. An account has at most 5 000 users, which is about 1 MiB of
    /// credential report. Event payloads have at most 25 MB.
    #[must_use]
    pub const fn limit(self) -> u64 {
        match self {
            Self::Allowlist | Self::Template => MIB,
            Self::Event => 32 * MIB,
            Self::CredentialReport | Self::Plan => 64 * MIB,
            Self::Audit | Self::Journal => 256 * MIB,
        }
    }

    /// Whether a job only reads it from the checked-out repository.
    pub(super) const fn is_repository_file(self) -> bool {
        matches!(self, Self::Allowlist | Self::Template)
    }

    /// Whether it must be a regular file on the command line as well.
    pub(super) const fn is_regular(self) -> bool {
        matches!(self, Self::Journal | Self::Event)
    }
}

/// Reads a stream to its end.
///
/// When it cannot be read or is larger than the limit.
pub fn read_stream(stream: &mut dyn Read, kind: FileKind) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(kind.limit() + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > kind.limit() {
        let most = kind.limit() / MIB;
        return Err(io::Error::other(format!("it is larger than {most} MiB")));
    }
    Ok(bytes)
}
