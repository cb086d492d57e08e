//! The GitHub stand-in itself: what the tests of the queue lean on, asked over plain HTTP.

mod client;
mod contract;
mod faults;
mod life;
mod limits;
mod permissions;
mod runs;
mod ways;
