//! Finds the columns of a credential report, and turns a row into a [`User`].

use std::collections::HashSet;

use csv::ByteRecord;

use super::ReportError;
use super::row::{Column, CredentialReportRow};
use crate::model::inventory::{
    AccessKey, CredentialHandle, CredentialKind, Evidence, Flag, OtherCredential, Password,
    Timestamp, User,
};

struct KeyColumns {
    slot: u8,
    active: Column,
    last_rotated: Column,
    last_used_date: Column,
    last_used_service: Option<Column>,
}

struct CertificateColumns {
    slot: u8,
    active: Column,
    last_rotated: Column,
}

/// The positions of the columns.
pub(super) struct Columns {
    user: Column,
    arn: Column,
    user_creation_time: Column,
    password_enabled: Column,
    password_last_used: Column,
    password_last_changed: Column,
    keys: [KeyColumns; 2],
    certificates: Vec<CertificateColumns>,
    mfa_active: Option<Column>,
    additional_credentials_info: Option<Column>,
}

/// A header row, and the required columns that are missing.
struct Header<'a> {
    record: &'a ByteRecord,
    missing: Vec<String>,
}

impl Header<'_> {
    fn optional(&self, name: &'static str) -> Option<Column> {
        let found = |field: &[u8]| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        self.record.iter().position(found).map(|index| Column { index, name })
    }

    fn required(&mut self, name: &'static str) -> Column {
        self.optional(name).unwrap_or_else(|| {
            self.missing.push(name.to_owned());
            Column { index: 0, name }
        })
    }
}

impl Columns {
    pub(super) fn find(record: &ByteRecord) -> Result<Self, ReportError> {
        let mut seen = HashSet::new();
        for field in record {
            let name = field.trim_ascii().to_ascii_lowercase();
            if !name.is_empty() && !seen.insert(name.clone()) {
                return Err(ReportError::DuplicateColumn(
                    String::from_utf8_lossy(&name).into_owned(),
                ));
            }
        }
        let mut header = Header { record, missing: Vec::new() };
        let columns = Self {
            user: header.required("user"),
            arn: header.required("arn"),
            user_creation_time: header.required("user_creation_time"),
            password_enabled: header.required("password_enabled"),
            password_last_used: header.required("password_last_used"),
            password_last_changed: header.required("password_last_changed"),
            keys: [
                KeyColumns {
                    slot: 1,
                    active: header.required("access_key_1_active"),
                    last_rotated: header.required("access_key_1_last_rotated"),
                    last_used_date: header.required("access_key_1_last_used_date"),
                    last_used_service: header.optional("access_key_1_last_used_service"),
                },
                KeyColumns {
                    slot: 2,
                    active: header.required("access_key_2_active"),
                    last_rotated: header.required("access_key_2_last_rotated"),
                    last_used_date: header.required("access_key_2_last_used_date"),
                    last_used_service: header.optional("access_key_2_last_used_service"),
                },
            ],
            certificates: [
                (1, "cert_1_active", "cert_1_last_rotated"),
                (2, "cert_2_active", "cert_2_last_rotated"),
            ]
            .into_iter()
            .filter_map(|(slot, active, last_rotated)| {
                let active = header.optional(active)?;
                let last_rotated = header.optional(last_rotated)?;
                Some(CertificateColumns { slot, active, last_rotated })
            })
            .collect(),
            mfa_active: header.optional("mfa_active"),
            additional_credentials_info: header.optional("additional_credentials_info"),
        };
        if header.missing.is_empty() {
            Ok(columns)
        } else {
            Err(ReportError::MissingColumns(header.missing))
        }
    }

    pub(super) fn user<'a>(&self, row: CredentialReportRow<'a, '_>) -> User<'a> {
        User {
            name: row.text(self.user),
            arn: row.text(self.arn),
            id: None,
            created: row.timestamp(self.user_creation_time),
            password_evidence: Evidence::CredentialReport,
            access_key_evidence: Evidence::CredentialReport,
            mfa: self.mfa_active.and_then(|column| match row.flag(column) {
                Flag::Yes => Some(true),
                Flag::No => Some(false),
                Flag::Unreadable(_) => None,
            }),
            password: self.password(row),
            access_keys: self.keys.iter().filter_map(|key| key.read(row)).collect(),
            other_credentials: self.certificates.iter().filter_map(|cert| cert.read(row)).collect(),
            other_credentials_complete: false,
            hidden_credentials: self
                .additional_credentials_info
                .is_some_and(|column| row.has_value(column)),
            tags: None,
            owner: None,
            permissions: None,
            last_accessed: None,
        }
    }

    fn password(&self, row: CredentialReportRow<'_, '_>) -> Option<Password> {
        let last_used = row.timestamp(self.password_last_used);
        let last_changed = row.timestamp(self.password_last_changed);
        match row.flag_with_dates(self.password_enabled, &[&last_used, &last_changed]) {
            Flag::No => None,
            enabled => Some(Password { enabled, last_used, last_changed }),
        }
    }
}

impl KeyColumns {
    /// The key in this slot; `None` if the slot is empty. An inactive key has a creation date; an
    /// empty slot has none.
    fn read<'a>(&self, row: CredentialReportRow<'a, '_>) -> Option<AccessKey<'a>> {
        let created = row.timestamp(self.last_rotated);
        let last_used = row.timestamp(self.last_used_date);
        let active = row.flag_with_dates(self.active, &[&created, &last_used]);
        if (&active, &created, &last_used) == (&Flag::No, &Timestamp::Absent, &Timestamp::Absent) {
            return None;
        }
        let last_used_service = self
            .last_used_service
            .filter(|column| row.has_value(*column))
            .map(|column| row.text(column));
        Some(AccessKey {
            handle: CredentialHandle::Slot(self.slot),
            active,
            created,
            last_used,
            last_used_service,
        })
    }
}

impl CertificateColumns {
    fn read(&self, row: CredentialReportRow<'_, '_>) -> Option<OtherCredential> {
        let created = row.timestamp(self.last_rotated);
        let active = row.flag_with_dates(self.active, &[&created]);
        if (&active, &created) == (&Flag::No, &Timestamp::Absent) {
            return None;
        }
        Some(OtherCredential {
            kind: CredentialKind::SigningCertificate,
            handle: CredentialHandle::Slot(self.slot),
            active,
            created,
        })
    }
}
