//! Plain values: accounts, users, credentials, rules, policy, names.

pub mod identity;
pub mod inventory;
pub mod policy;
pub mod remediation_tag;
