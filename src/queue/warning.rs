//! What did not go as planned while everything that counts was written.

use std::collections::BTreeSet;
use std::fmt;

/// Something that the run says and does not fail for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Issues were made without these assignees.
    NotAssigned {
        /// Their names, as they were given.
        names: Vec<String>,
        /// Why, where it is not simply that GitHub knows no such assignee.
        why: Option<String>,
    },
    /// A comment was not written, since the conversation is locked and stayed so.
    Locked {
        /// The issue.
        number: u64,
        /// Why it could not be unlocked.
        why: String,
    },
}

impl Warning {
    /// Some could not be assigned; `None` if there are none.
    #[must_use]
    pub fn not_assigned(names: &BTreeSet<String>) -> Option<Self> {
        let names: Vec<_> = names.iter().cloned().collect();
        (!names.is_empty()).then_some(Self::NotAssigned { names, why: None })
    }

    /// The same without names and without GitHub's words, for where everybody can read it.
    #[must_use]
    pub fn redacted(&self) -> String {
        match self {
            Self::NotAssigned { names, .. } => format!(
                "{} of those whom issues were to be assigned to cannot be assigned; their names \
                 are withheld where everybody can read them",
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
                write!(f, "nobody was assigned, of {}: {why}", names.join(", "))
            }
            Self::NotAssigned { names, why: None } => {
                write!(f, "not assigned, since GitHub cannot assign issues to them: ")?;
                f.write_str(&names.join(", "))
            }
            Self::Locked { number, why } => write!(f, "{} ({why})", locked(*number)),
        }
    }
}

fn locked(number: u64) -> String {
    format!(
        "issue #{number} is locked and the token may not unlock it, so a comment was not written; \
         the issue's own text is up to date. Unlock it on its page (\"Unlock conversation\")"
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
        assert!(warning.redacted().starts_with("2 of those"), "{}", warning.redacted());
        assert!(!warning.redacted().contains("mallory"));
        let warning = Warning::Locked { number: 7, why: "said @octocat".to_owned() };
        assert!(warning.to_string().contains("issue #7 is locked"), "{warning}");
        assert!(!warning.redacted().contains("octocat"), "{}", warning.redacted());
        assert_eq!(Warning::not_assigned(&BTreeSet::new()), None);
    }
}
