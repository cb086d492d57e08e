//! The pages of the remediation plan, its result and the undo plan.

mod case;
mod plan;
mod undo;
