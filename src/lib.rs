//! Takes stock of the IAM users of AWS accounts.

pub mod allowlist;
pub mod inventory;
pub mod judge;
pub mod observe;
pub mod policy;
