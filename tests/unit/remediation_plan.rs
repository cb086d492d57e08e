//! The remediation plan as a pure function. Each skip reason has a case that it applies to and a
//! similar case that it does not apply to, so that a missing check fails a test.

mod case;
mod limits;
mod properties;
mod skip_reasons;
mod tags;
mod whole_user;
