//! The GitHub Actions job: its event, repository, commit and URLs.
//!
//! Source: "Variables reference", GitHub documentation.

use std::io;
use std::path::PathBuf;

use super::event::EventPayload;
use crate::files::{self, FileKind};

const EVENT_PATH: &str = "GITHUB_EVENT_PATH";

/// A GitHub Actions job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The event name, such as `schedule`.
    pub event: String,
    /// `owner/name` of the repository whose workflow runs.
    pub repository: String,
    /// The full name of the branch or tag, such as `refs/heads/main` or `refs/pull/12/merge`.
    pub git_ref: String,
    /// The commit. For a pull request, the test merge commit.
    pub sha: String,
    /// The run ID, which stays the same when the run is repeated.
    pub run_id: String,
    /// The workflow, as `owner/name/.github/workflows/FILE@REF`; `None` if the runner does not set it.
    pub workflow_ref: Option<String>,
    /// The attempt number of the run, from 1.
    pub run_attempt: String,
    /// The URL of GitHub, without a trailing slash.
    pub server_url: String,
    /// The URL of the REST API, without a trailing slash.
    pub api_url: String,
    /// The URL of the GraphQL API; `None` if the runner does not set it.
    pub graphql_url: Option<String>,
    /// The folder that the repository is checked out to.
    pub workspace: Option<PathBuf>,
    /// The login of the user who started the run.
    pub actor: String,
    /// Whether debug logging is enabled.
    pub debug: bool,
    pub payload: EventPayload,
}

/// Why the job cannot be read from the environment.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A variable that the runner always sets is missing.
    #[error(
        "GITHUB_ACTIONS is `true`, but {0} is not set; if you start the container yourself, pass \
         the variables of the runner to it"
    )]
    Missing(&'static str),
    #[error(
        "cannot read the event file {} ({EVENT_PATH}): {}; if you start the container yourself, \
         mount the file",
        path.display(),
        crate::cause::reason(reason)
    )]
    Unreadable {
        path: PathBuf,
        /// The error.
        reason: io::Error,
    },
    #[error("the event file {} ({EVENT_PATH}) is not valid JSON: {reason}", path.display())]
    NotJson { path: PathBuf, reason: serde_json::Error },
}

impl Job {
    /// Reads the job from the environment; `None` outside GitHub Actions.
    ///
    /// [`JobError`] when the environment is incomplete.
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
            workflow_ref: variable("GITHUB_WORKFLOW_REF"),
            // Older servers do not set it.
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

    /// The URL of the run.
    #[must_use]
    pub fn run_url(&self) -> String {
        format!("{}/{}/actions/runs/{}", self.server_url, self.repository, self.run_id)
    }

    /// The name of the workflow's file, such as `scheduled.yml`, if the repository contains it.
    #[must_use]
    pub fn workflow_file(&self) -> Option<&str> {
        let (path, _) = self.workflow_ref.as_deref()?.split_once('@')?;
        let path = path.strip_prefix(self.repository.as_str())?;
        let file = path.strip_prefix("/.github/workflows/")?;
        (!file.is_empty() && !file.contains('/')).then_some(file)
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

    /// The minimal environment of a job, with an event file with this content.
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
            .with(
                "GITHUB_WORKFLOW_REF",
                "acme/infra/.github/workflows/scheduled.yml@refs/heads/main",
            )
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
            workflow_ref: Some(
                "acme/infra/.github/workflows/scheduled.yml@refs/heads/main".to_owned(),
            ),
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
        assert_eq!(job.workflow_file(), Some("scheduled.yml"));
    }

    #[test]
    fn workflow_file_is_known_only_in_the_own_repository() {
        for (workflow_ref, file) in [
            ("acme/infra/.github/workflows/audit.yml@refs/heads/main", Some("audit.yml")),
            ("acme/other/.github/workflows/audit.yml@refs/heads/main", None),
            ("acme/infra/.github/workflows/@refs/heads/main", None),
            ("acme/infra/.github/workflows/a/b.yml@refs/heads/main", None),
            ("acme/infra/audit.yml", None),
        ] {
            let environment = TestEnvironment::of("{}").with("GITHUB_WORKFLOW_REF", workflow_ref);
            assert_eq!(environment.job().unwrap().unwrap().workflow_file(), file, "{workflow_ref}");
        }
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
        assert!(error.starts_with(
            "cannot read the event file /nowhere/event.json \
                                   (GITHUB_EVENT_PATH): "
        ));
        let environment = TestEnvironment::of("{ \"repository\"");
        let error = environment.job().unwrap_err().to_string();
        let path = &environment.variables[EVENT_PATH];
        assert!(error.starts_with(&format!("the event file {path}")), "{error}");
        assert!(error.contains("is not valid JSON: ") && error.contains("line 1"), "{error}");
    }
}
