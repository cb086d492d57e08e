//! The loop closed: the real binary as the action, from AWS to the issue tracker and back, against
//! stand-ins for both. Every request of every test must keep GitHub's contract.

mod audits;
mod bots;
mod dry_run;
mod duplicates;
mod faults;
mod identity;
mod keeps;
mod life;
mod locked;
mod many;
mod network;
mod number;
mod page;
mod pages;
mod people;
mod runner;
mod settings;
mod ssh_keys;
