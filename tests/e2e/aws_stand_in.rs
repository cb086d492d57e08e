//! The AWS stand-in itself: what the other tests lean on, asked over plain HTTP.

mod call;
mod changes;
mod clock;
mod credential_report;
mod deletion;
mod faults;
mod holds;
mod life;
mod paging;
mod policy;
mod sts;
mod tags;
mod users;
mod writes;
