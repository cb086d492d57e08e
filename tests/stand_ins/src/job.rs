//! What a job sees: the runner's variables, its files, and the event payload.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::github::{Pull, Repo};

/// The test merge commit that GitHub creates. It does not exist in the stand-in, so code that uses
/// it as the head fails.
const TEST_MERGE: &str = "7e57ab1e7e57ab1e7e57ab1e7e57ab1e7e57ab1e";

impl Repo {
    /// The environment of a job that the event started: on `main`, on the given pull request, or in
    /// a merge queue. `folder` is the workspace; the runner's files are in `folder/_runner`.
    pub fn job(&self, folder: &Path, event: &str, pull: Option<&Pull>) -> Vec<(String, String)> {
        let files = folder.join("_runner");
        fs::create_dir_all(&files).unwrap();
        let file = |name: &str, content: &str| {
            let path = files.join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let payload = self.payload(event, pull).to_string();
        let checkout = Checkout::of(self, event, pull);
        let actor = pull.map_or("octocat", |pull| pull.author.as_str());
        let workflow =
            format!("{}/.github/workflows/audit.yml@{}", self.full_name(), checkout.git_ref);
        let name =
            checkout.git_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/pull/");
        let pairs: Vec<(&str, String)> = vec![
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", actor.to_owned()),
            ("GITHUB_API_URL", self.api_url()),
            ("GITHUB_BASE_REF", checkout.base_ref),
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_EVENT_PATH", file("event.json", &payload)),
            ("GITHUB_HEAD_REF", checkout.head_ref),
            ("GITHUB_JOB", "audit".to_owned()),
            ("GITHUB_OUTPUT", file("output", "")),
            ("GITHUB_REF", checkout.git_ref.clone()),
            ("GITHUB_REF_NAME", name.to_owned()),
            ("GITHUB_REF_TYPE", "branch".to_owned()),
            ("GITHUB_REPOSITORY", self.full_name().to_owned()),
            ("GITHUB_REPOSITORY_ID", self.details.id.to_string()),
            ("GITHUB_REPOSITORY_OWNER", "acme".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", "16000000001".to_owned()),
            ("GITHUB_RUN_NUMBER", "1".to_owned()),
            ("GITHUB_SERVER_URL", self.api_url()),
            ("GITHUB_SHA", checkout.commit),
            ("GITHUB_STEP_SUMMARY", file("summary.md", "")),
            ("GITHUB_TRIGGERING_ACTOR", actor.to_owned()),
            ("GITHUB_WORKFLOW", "IAM stocktake".to_owned()),
            ("GITHUB_WORKFLOW_REF", workflow),
            ("GITHUB_WORKSPACE", folder.to_str().unwrap().to_owned()),
            ("INPUT_GITHUB-TOKEN", self.token().to_owned()),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", files.to_str().unwrap().to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The payload of the event.
    pub fn payload(&self, event: &str, pull: Option<&Pull>) -> Value {
        let name = self.full_name();
        let mut payload = json!({
            "repository": {
                "id": self.details.id,
                "name": name.split('/').next_back(),
                "full_name": name,
                "owner": { "login": "acme", "type": "Organization" },
                "default_branch": "main",
                "private": self.details.visibility != "public",
                "visibility": self.details.visibility,
                "fork": false,
            },
            "sender": { "login": pull.map_or("octocat", |pull| &pull.author), "type": "User" },
        });
        match event {
            // It contains nothing about the repository.
            "schedule" => payload = json!({ "schedule": "17 5 * * *" }),
            "workflow_dispatch" => payload["ref"] = json!("refs/heads/main"),
            "push" => {
                payload["ref"] = json!("refs/heads/main");
                payload["after"] = json!(self.head("main"));
            }
            "merge_group" => {
                payload["merge_group"] = json!({
                    "base_ref": "refs/heads/main",
                    "base_sha": pull.map(|pull| &pull.base_sha),
                    "head_ref": pull.map(merge_queue_ref),
                    "head_sha": TEST_MERGE,
                });
            }
            _ => {}
        }
        if let Some(pull) = pull.filter(|_| event != "merge_group") {
            payload["action"] = json!("synchronize");
            payload["number"] = json!(pull.number);
            payload["pull_request"] = pull.payload(name);
        }
        payload
    }
}

impl Pull {
    /// The field `pull_request` of a payload.
    fn payload(&self, base_repository: &str) -> Value {
        let head_repository = &self.head_repository;
        json!({
            "number": self.number,
            "state": "open",
            "draft": self.draft,
            "user": { "login": self.author },
            "merge_commit_sha": TEST_MERGE,
            "head": {
                "ref": self.head_ref,
                "sha": self.head_sha,
                "repo": {
                    "full_name": head_repository,
                    "fork": head_repository != base_repository,
                },
            },
            "base": {
                "ref": self.base_ref,
                "sha": self.base_sha,
                "repo": { "full_name": base_repository, "default_branch": "main", "fork": false },
            },
        })
    }
}

/// The commit and branch of a job.
struct Checkout {
    git_ref: String,
    commit: String,
    head_ref: String,
    base_ref: String,
}

impl Checkout {
    fn of(repo: &Repo, event: &str, pull: Option<&Pull>) -> Self {
        let (head_ref, base_ref) = (String::new(), String::new());
        let main =
            |commit| Self { git_ref: "refs/heads/main".to_owned(), commit, head_ref, base_ref };
        match (event, pull) {
            ("pull_request", Some(pull)) => Self {
                git_ref: format!("refs/pull/{}/merge", pull.number),
                commit: TEST_MERGE.to_owned(),
                head_ref: pull.head_ref.clone(),
                base_ref: pull.base_ref.clone(),
            },
            ("merge_group", Some(pull)) => {
                Self { git_ref: merge_queue_ref(pull), ..main(TEST_MERGE.to_owned()) }
            }
            // It runs on the base branch of the pull request.
            ("pull_request_target", Some(pull)) => Self {
                head_ref: pull.head_ref.clone(),
                base_ref: pull.base_ref.clone(),
                ..Self::of(repo, "push", None)
            },
            _ => main(repo.head("main")),
        }
    }
}

/// The branch on which a merge queue tests a pull request.
fn merge_queue_ref(pull: &Pull) -> String {
    format!("refs/heads/gh-readonly-queue/main/pr-{}-{}", pull.number, pull.base_sha)
}
