//! What the remedy plans, over values alone: each guard with a case beside it in which it does not
//! stand in the way, so that a guard that is gone shows.

mod case;
mod clocks;
mod guards;
mod limits;
mod properties;
mod whole_user;
