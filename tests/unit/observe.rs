//! Which files are read as a credential report, in which formats, and which errors the others get.

mod credential_report;
mod export;

use crate::support::{ACCOUNT, COLUMNS, Row, at, csv, csv_of, days_ago};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chrono::{DateTime, Utc};
use iam_stocktake::model::inventory::{
    Account, CredentialHandle, Evidence, EvidenceSource, Flag, Timestamp,
};
use iam_stocktake::observe::credential_report::{ReportError, parse};
use iam_stocktake::observe::export::{Export, ExportError, parse_export};

/// The columns that every credential report must have.
const REQUIRED: [&str; 12] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
];

/// A report with a root user and two users with credentials.
fn rows() -> Vec<Row> {
    vec![
        Row::of("<root_account>").with("arn", "arn:aws:iam::111122223333:root"),
        Row::of("alice").password_used(100).with("mfa_active", "true"),
        Row::of("smith,john").key_used(2, 5).with("access_key_2_last_used_service", "s3"),
    ]
}

/// The account in an undated report with these rows.
fn account_of(rows: &[Row]) -> Account<'static> {
    crate::support::dated(rows, None)
}

fn parsed(csv: &str) -> Account<'static> {
    parse(String::leak(csv.to_owned()), None).unwrap()
}

fn report_error(csv: &str) -> ReportError {
    parse(csv, None).unwrap_err()
}

fn export_of(bytes: impl AsRef<[u8]>) -> Export {
    parse_export(bytes.as_ref().to_vec()).unwrap()
}

fn export_error(bytes: impl AsRef<[u8]>) -> ExportError {
    parse_export(bytes.as_ref().to_vec()).unwrap_err()
}

fn undated(csv: String) -> Export {
    Export { csv, generated_at: None }
}

fn dated(csv: String, generated_at: DateTime<Utc>) -> Export {
    Export { csv, generated_at: Some(generated_at) }
}
