//! The program as the action, from AWS to the issue tracker, against stand-ins for both. Every request
//! must follow GitHub's API description.

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
mod remediation;
mod runner;
mod settings;
mod ssh_keys;
