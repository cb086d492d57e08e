//! Plain values: accounts, users, credentials, rules, policy, names.

pub mod choices;
pub mod clock;
pub mod identity;
pub mod inventory;
pub mod policy;
