//! Remediation with the real binary and the AWS stand-in: the changes to users, and the output.

mod accounts;
mod concurrent_change;
mod each_day;
mod faults;
mod identity;
mod interrupted;
mod interrupted_deletion;
mod jobs;
mod journals;
mod overlapping_runs;
mod permissions;
mod recreated_user;
mod restarts;
mod saved_plans;
mod skips;
mod stages;
mod undo;
mod user_deletion;
mod workflow;
mod world;
