//! Tests of the GitHub stand-in, over plain HTTP. The tests of the queue rely on its behavior.

mod behavior;
mod client;
mod contract;
mod faults;
mod jobs;
mod limits;
mod permissions;
mod server;
