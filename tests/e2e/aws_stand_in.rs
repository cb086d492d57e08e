//! Tests of the AWS stand-in, over plain HTTP. Other tests rely on its behavior.

mod call;
mod changes;
mod changes_to_credentials;
mod clock;
mod crashes;
mod credential_report;
mod deletion;
mod faults;
mod paging;
mod policy;
mod server;
mod sts;
mod tags;
mod users;
