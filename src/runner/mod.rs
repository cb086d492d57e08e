//! The GitHub Actions runner's contract: what it hands over, and what it takes back.

pub mod command;
pub mod files;
mod inert;
pub mod inputs;
pub mod log;
pub mod oidc;

/// Whether we run in a job of GitHub Actions.
#[must_use]
pub fn is_present() -> bool {
    is_set_by_the_runner(&variable)
}

fn is_set_by_the_runner(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// A variable of the environment; an empty one is none.
#[expect(clippy::disallowed_methods, reason = "the runner speaks through the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// 128 bits of chance in hexadecimal digits, which a text that was written before cannot foresee.
fn token() -> String {
    format!("{:032x}", fastrand::u128(..))
}
