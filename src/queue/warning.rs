//! Problems that do not keep the queue from being written.

use std::collections::BTreeSet;
use std::fmt;

/// A problem that the run reports without failing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Issues were created without these assignees.
    NotAssigned {
        /// The names, as in the settings or the owner tags.
        names: Vec<String>,
        /// GitHub's message, if it rejected the issue.
        why: Option<String>,
    },
    /// A comment was not written because the conversation is locked.
    Locked {
        /// The issue.
        number: u64,
        /// Why it could not be unlocked.
        why: String,
    },
}

impl Warning {
    /// The warning about these names; `None` if there are none.
    #[must_use]
    pub fn not_assigned(names: &BTreeSet<String>) -> Option<Self> {
        let names: Vec<_> = names.iter().cloned().collect();
        (!names.is_empty()).then_some(Self::NotAssigned { names, why: None })
    }

    /// The warning without names and GitHub's messages, for public logs.
    #[must_use]
    pub fn redacted(&self) -> String {
        match self {
            Self::NotAssigned { names, .. } => format!(
                "{} assignees cannot be assigned to issues. Their names are not shown because the \
                 log is public",
                names.len()
            ),
            Self::Locked { number, .. } => locked(*number),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAssigned { names, why: Some(why) } => {
                write!(f, "no one was assigned. Requested: {}. GitHub: {why}", names.join(", "))
            }
            Self::NotAssigned { names, why: None } => {
                write!(f, "not assigned, because GitHub cannot assign issues to them: ")?;
                f.write_str(&names.join(", "))
            }
            Self::Locked { number, why } => write!(f, "{} ({why})", locked(*number)),
        }
    }
}

fn locked(number: u64) -> String {
    format!(
        "issue #{number} is locked and the token cannot unlock it, so a comment was not written. The \
         body of the issue is up to date. To unlock it, select \"Unlock conversation\" on its page"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_warnings_contain_no_names() {
        let names = BTreeSet::from(["left-the-company".to_owned(), "mallory".to_owned()]);
        let warning = Warning::not_assigned(&names).unwrap();
        assert!(warning.to_string().ends_with(": left-the-company, mallory"), "{warning}");
        assert!(
            warning.redacted().starts_with("2 assignees cannot be assigned"),
            "{}",
            warning.redacted()
        );
        assert!(!warning.redacted().contains("mallory"));
        let warning = Warning::Locked { number: 7, why: "said @octocat".to_owned() };
        assert!(warning.to_string().contains("issue #7 is locked"), "{warning}");
        assert!(!warning.redacted().contains("octocat"), "{}", warning.redacted());
        assert_eq!(Warning::not_assigned(&BTreeSet::new()), None);
    }
}
