//! The outputs of the GitHub action.

use clap::ValueEnum;

/// An output of the action. Its doc comment is its description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Output {
    /// `clean`, `stale`, `incomplete`, or `error`; for `command: remediate`, `stale` if the plan has
    /// changes
    Result,
    /// `passed`, `failed`, or `not-evaluated`; only findings of level `error` count
    Gate,
    /// Number of open findings of the levels `warning` and `error`
    StaleCount,
    /// Number of open findings of the levels `warning` and `error` that are not open in the queue; the
    /// gate counts only those of level `error`
    NewCount,
    /// Number of findings of the levels `warning` and `error` that have been open in the queue for
    /// longer than `due-within-days`
    OverdueCount,
    /// Number of exempted findings
    ExemptedCount,
    /// Number of findings whose exemption has expired
    ExpiredExemptionCount,
    /// Number of the queue issue
    IssueNumber,
    /// URL of the queue issue
    IssueUrl,
    /// URL of the comment on the pull request
    CommentUrl,
    /// Path of the Markdown report or plan, relative to the workspace
    ReportMarkdown,
    /// Path of the audit JSON, relative to the workspace
    ReportJson,
    /// Path of the remediation plan, relative to the workspace
    Plan,
    /// Digest of the remediation plan, for the input `plan-digest`
    PlanDigest,
    /// Number of deactivations and deletions in the remediation plan
    ChangeCount,
    /// Path of the remediation journal, relative to the workspace
    Journal,
}

impl Output {
    /// All outputs, in the order of `action.yml`.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name of the output.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }

    /// What the output contains.
    #[must_use]
    pub fn description(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|it| it.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}
