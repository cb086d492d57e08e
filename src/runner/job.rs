//! The job that we run in: what started it, where, and on which commit.
//!
//! Source: "Variables reference", GitHub documentation.

use std::io;
use std::path::PathBuf;

use super::event::EventPayload;
use crate::files::{self, FileKind};

const EVENT_PATH: &str = "GITHUB_EVENT_PATH";

/// A job of GitHub Actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The event's name, such as `schedule`.
    pub event: String,
    /// `owner/name` of the repository whose workflow runs.
    pub repository: String,
    /// The full name of the branch or tag, such as `refs/heads/main` or `refs/pull/12/merge`.
    pub git_ref: String,
    /// The commit; for a pull request the one that merges it by way of trial.
    pub sha: String,
    /// The run's id; a run that is repeated keeps it.
    pub run_id: String,
    /// How often the run was started, from 1.
    pub run_attempt: String,
    /// Where GitHub is, without a slash at the end.
    pub server_url: String,
    /// Where GitHub's REST API is, without a slash at the end.
    pub api_url: String,
    /// Where GitHub's GraphQL API is; `None` where the runner does not say.
    pub graphql_url: Option<String>,
    /// The folder into which the repository is checked out, as seen from here.
    pub workspace: Option<PathBuf>,
    /// The login of whoever started the run.
    pub actor: String,
    /// Whether the run was asked for its debug log.
    pub debug: bool,
    /// What happened.
    pub payload: EventPayload,
}

/// Why the job is not known.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A variable is not there that the runner always sets.
    #[error(
        "GITHUB_ACTIONS is `true`, but {0} is not set; where a container runs outside of the \
         runner's hands, pass the runner's variables on to it"
    )]
    Missing(&'static str),
    /// The event file cannot be read.
    #[error(
        "the event file {} ({EVENT_PATH}) cannot be read: {}; where a container runs outside \
         of the runner's hands, mount the file there",
        path.display(),
        crate::cause::reason(reason)
    )]
    Unreadable {
        /// The event file.
        path: PathBuf,
        /// What came of it.
        reason: io::Error,
    },
    /// The event file does not hold an event.
    #[error("the event file {} ({EVENT_PATH}) is no JSON: {reason}", path.display())]
    NotJson {
        /// The event file.
        path: PathBuf,
        /// Where it stops being JSON.
        reason: serde_json::Error,
    },
}

impl Job {
    /// The job that the environment tells of; `None` outside of GitHub Actions.
    ///
    /// # Errors
    /// [`JobError`] when it tells of one, but not all of it.
    pub fn from_environment() -> Result<Option<Self>, JobError> {
        Self::from_variables(&super::variable)
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, JobError> {
        if !super::is_set_by_the_runner(variable) {
            return Ok(None);
        }
        let required = |name| variable(name).ok_or(JobError::Missing(name));
        let url = |name, default: &str| {
            let url = variable(name).unwrap_or_else(|| default.to_owned());
            url.trim_end_matches('/').to_owned()
        };
        Ok(Some(Self {
            event: required("GITHUB_EVENT_NAME")?,
            repository: required("GITHUB_REPOSITORY")?,
            git_ref: required("GITHUB_REF")?,
            sha: required("GITHUB_SHA")?,
            run_id: required("GITHUB_RUN_ID")?,
            // Older servers do not know it.
            run_attempt: variable("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned()),
            server_url: url("GITHUB_SERVER_URL", "https://github.com"),
            api_url: url("GITHUB_API_URL", "https://api.github.com"),
            graphql_url: variable("GITHUB_GRAPHQL_URL"),
            workspace: variable("GITHUB_WORKSPACE").map(PathBuf::from),
            actor: required("GITHUB_ACTOR")?,
            debug: variable("RUNNER_DEBUG").is_some_and(|value| value == "1"),
            payload: payload(required(EVENT_PATH)?.into())?,
        }))
    }

    /// The page of the run.
    #[must_use]
    pub fn run_url(&self) -> String {
        format!("{}/{}/actions/runs/{}", self.server_url, self.repository, self.run_id)
    }
}

fn payload(path: PathBuf) -> Result<EventPayload, JobError> {
    match files::read(&path, FileKind::Event, None) {
        Ok(json) => EventPayload::read(&json).map_err(|reason| JobError::NotJson { path, reason }),
        Err(reason) => Err(JobError::Unreadable { path, reason }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use super::*;

    /// The least that the runner tells of a job, with an event file of this content.
    struct TestEnvironment {
        variables: BTreeMap<&'static str, String>,
        _event: tempfile::NamedTempFile,
    }

    impl TestEnvironment {
        fn of(event: &str) -> Self {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(event.as_bytes()).unwrap();
            let mut variables: BTreeMap<_, _> = [
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", "schedule"),
                ("GITHUB_REPOSITORY", "acme/infra"),
                ("GITHUB_REF", "refs/heads/main"),
                ("GITHUB_SHA", "0123abcd"),
                ("GITHUB_RUN_ID", "42"),
                ("GITHUB_ACTOR", "alice"),
            ]
            .map(|(name, value)| (name, value.to_owned()))
            .into();
            variables.insert(EVENT_PATH, file.path().to_str().unwrap().to_owned());
            Self { variables, _event: file }
        }

        fn with(mut self, name: &'static str, value: &str) -> Self {
            self.variables.insert(name, value.to_owned());
            self
        }

        fn job(&self) -> Result<Option<Job>, JobError> {
            Job::from_variables(&|name| self.variables.get(name).cloned())
        }
    }

    #[test]
    fn job_is_read_from_variables_and_event() {
        let environment = TestEnvironment::of(r#"{ "repository": { "default_branch": "main" } }"#)
            .with("GITHUB_RUN_ATTEMPT", "3")
            .with("GITHUB_SERVER_URL", "https://github.acme.example/")
            .with("GITHUB_API_URL", "https://github.acme.example/api/v3")
            .with("GITHUB_GRAPHQL_URL", "https://github.acme.example/api/graphql")
            .with("GITHUB_WORKSPACE", "/github/workspace")
            .with("RUNNER_DEBUG", "1");
        let job = environment.job().unwrap().unwrap();
        let payload =
            EventPayload { default_branch: Some("main".to_owned()), ..EventPayload::default() };
        let expected = Job {
            event: "schedule".to_owned(),
            repository: "acme/infra".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
            sha: "0123abcd".to_owned(),
            run_id: "42".to_owned(),
            run_attempt: "3".to_owned(),
            server_url: "https://github.acme.example".to_owned(),
            api_url: "https://github.acme.example/api/v3".to_owned(),
            graphql_url: Some("https://github.acme.example/api/graphql".to_owned()),
            workspace: Some("/github/workspace".into()),
            actor: "alice".to_owned(),
            debug: true,
            payload,
        };
        assert_eq!(job, expected);
        assert_eq!(job.run_url(), "https://github.acme.example/acme/infra/actions/runs/42");
    }

    #[test]
    fn missing_variables_of_older_runners_have_defaults() {
        let job = TestEnvironment::of("{}").job().unwrap().unwrap();
        assert_eq!(job.run_attempt, "1");
        assert_eq!(job.server_url, "https://github.com");
        assert_eq!(job.api_url, "https://api.github.com");
        assert_eq!((job.graphql_url, job.workspace, job.debug), (None, None, false));
    }

    #[test]
    fn no_job_outside_github_actions() {
        let mut environment = TestEnvironment::of("no JSON").with("GITHUB_ACTIONS", "1");
        assert!(environment.job().unwrap().is_none());
        environment.variables.remove("GITHUB_ACTIONS");
        assert!(environment.job().unwrap().is_none());
    }

    #[test]
    fn missing_variable_is_named() {
        for name in [
            "GITHUB_EVENT_NAME",
            "GITHUB_REPOSITORY",
            "GITHUB_REF",
            "GITHUB_SHA",
            "GITHUB_RUN_ID",
            "GITHUB_ACTOR",
            EVENT_PATH,
        ] {
            let mut environment = TestEnvironment::of("{}");
            environment.variables.remove(name);
            let error = environment.job().unwrap_err().to_string();
            assert!(error.contains(&format!("but {name} is not set")), "{error}");
        }
    }

    #[test]
    fn unreadable_event_file_is_named() {
        let missing = TestEnvironment::of("{}").with(EVENT_PATH, "/nowhere/event.json");
        let error = missing.job().unwrap_err().to_string();
        assert!(error.starts_with("the event file /nowhere/event.json (GITHUB_EVENT_PATH) cannot"));
        let environment = TestEnvironment::of("{ \"repository\"");
        let error = environment.job().unwrap_err().to_string();
        let path = &environment.variables[EVENT_PATH];
        assert!(error.starts_with(&format!("the event file {path}")), "{error}");
        assert!(error.contains("is no JSON: ") && error.contains("line 1"), "{error}");
    }
}
