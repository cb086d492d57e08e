//! The remedy: the real binary against the AWS stand-in, day by day, on what it does to users as
//! well as on what it says.

mod accounts;
mod anew;
mod faults;
mod guards;
mod identity;
mod job;
mod journals;
mod killed;
mod killed_deletion;
mod life;
mod meanwhile;
mod overlap;
mod permissions;
mod plans;
mod replaced;
mod shown;
mod undone;
mod whole_user;
mod workflow;
mod world;
