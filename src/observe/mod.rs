//! AWS, or what was exported from it, → [`crate::inventory`].

pub mod credential_report;
pub mod export;
