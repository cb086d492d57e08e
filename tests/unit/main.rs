//! Tests that call the library with values and check the result, without a process or a network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::print_stdout
)]

mod allowlist_diagnostics;
mod allowlist_insertion;
mod allowlist_properties;
mod allowlist_suggestion;
mod allowlists;
mod architecture;
mod audit;
mod audit_in_parallel;
mod examples_data;
mod finding_ids;
mod github;
mod mutations;
mod observe;
mod permissions;
mod properties;
mod queue;
mod reference;
mod release;
mod remediation_in_the_report;
mod remediation_pages;
mod remediation_plan;
mod runner_log;
mod schemas;
mod support;
mod vectors;
