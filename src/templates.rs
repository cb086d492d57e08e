//! The template engine, escaping, and all text of reports, issues, comments, scripts and Terraform.
//!
//! A language is a folder of templates. To add one, copy `templates/en`, translate the files, and add a
//! variant to [`Language`]. A template names the files of its own language without a folder.

#[macro_use]
mod files;

mod engine;
mod escape;
mod safe_text;

pub use engine::{TemplateError, UserTemplate, render, render_terraform, render_user_template};
pub use escape::{escape_invisible, shell_word};
pub use safe_text::{SafeDisplay, SafeText};

use crate::model::text_enum;

text_enum! {
    /// A language that text is written in. Its text form is the name of its folder.
    #[derive(Default)]
    pub enum Language {
        #[default]
        #[strum(serialize = "en")]
        English,
        #[strum(serialize = "ja")]
        Japanese,
    }
}

impl Language {
    /// The templates of the language, each with its name.
    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::English => &language_folder!("en"),
            Self::Japanese => &language_folder!("ja"),
        }
    }
}

/// A page that is rendered in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The audit report.
    Report,
    /// The queue issue.
    QueueIssue,
    /// The issue of one user.
    UserIssue,
    /// The comment that lists new, returned and overdue findings.
    QueueChanges,
    /// The comment on a pull request.
    PullRequest,
    /// The job summary, above the report.
    Summary,
    /// The job summary of a run that failed.
    Failure,
    /// The comment on an issue that was closed while its findings are open.
    StillOpen,
    /// The comment on an issue that a bot closed while its findings are open.
    ClosedByBot,
    /// The comment on an issue that a concurrent run created a second time.
    DuplicateIssue,
    /// The comment that stores a part of the queue state.
    StatePart,
    /// The remediation plan, or its result, as Markdown.
    Plan,
    /// The remediation plan, or its result, for a terminal.
    PlanText,
    /// The undo plan, or its result, as Markdown.
    Undo,
    /// The undo plan, or its result, for a terminal.
    UndoText,
}

impl Page {
    const fn file(self) -> &'static str {
        match self {
            Self::Report => "report.md.j2",
            Self::QueueIssue => "queue_issue.md.j2",
            Self::UserIssue => "user_issue.md.j2",
            Self::QueueChanges => "queue_changes.md.j2",
            Self::PullRequest => "pull_request.md.j2",
            Self::Summary => "summary.md.j2",
            Self::Failure => "failure.md.j2",
            Self::StillOpen => "still_open.md.j2",
            Self::ClosedByBot => "closed_by_bot.md.j2",
            Self::DuplicateIssue => "duplicate_issue.md.j2",
            Self::StatePart => "state_part.md.j2",
            Self::Plan => "plan.md.j2",
            Self::PlanText => "plan.txt.j2",
            Self::Undo => "undo.md.j2",
            Self::UndoText => "undo.txt.j2",
        }
    }
}
