//! The GitHub Actions runner's contract.

pub mod oidc;

/// Whether we run in a job of GitHub Actions.
#[must_use]
pub fn is_present() -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A variable of the environment; an empty one is none.
#[expect(clippy::disallowed_methods, reason = "the runner speaks through the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
