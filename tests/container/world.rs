//! An account and a repository, and a workspace with the allowlist.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use stand_ins::aws::{Account, Seed, StandIn};
use stand_ins::github::{Exchange, GitHub, Issue, Pull, Repo};

/// Where the allowlist is.
pub(crate) const ALLOWLIST: &str = ".github/iam-allowlist.yml";

/// An allowlist without exemptions.
pub(crate) const EMPTY: &str = "version: 1\n";

/// The requests of the first run in a repository: it creates the label, the queue issue and its
/// state, and writes the issue's number into the label's description.
pub(crate) const FIRST: [&str; 4] =
    ["POST labels", "POST issues", "PATCH issues/1", "PATCH labels/iam-stocktake"];

pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) repo: Repo,
    folder: tempfile::TempDir,
}

impl World {
    /// An account without users, and a private repository with an allowlist.
    pub(crate) fn new() -> Self {
        Self::with(Seed::empty())
    }

    pub(crate) fn with(seed: Seed) -> Self {
        let world = Self {
            account: StandIn::shared().account(seed),
            repo: GitHub::shared().repository("private"),
            folder: tempfile::tempdir().unwrap(),
        };
        world.repo.commit("main", ALLOWLIST, EMPTY);
        world.file(ALLOWLIST, EMPTY);
        world
    }

    /// The workspace.
    pub(crate) fn workspace(&self) -> PathBuf {
        let path = self.folder.path().join("workspace");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// An empty folder next to the workspace.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A folder next to the workspace, with the files of earlier runs.
    pub(crate) fn kept_beside(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Writes a file in the workspace.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.workspace().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Adds a user with an access key that was not used for `days` days. IAM's next report contains
    /// it.
    pub(crate) fn user(&self, name: &str, unused: i64) {
        user(&self.account, name, unused);
    }

    /// A pull request, with its allowlist in the workspace.
    pub(crate) fn pull(&self, allowlist: &str) -> Pull {
        self.repo.branch("topic", "main");
        self.repo.commit("topic", ALLOWLIST, allowlist);
        self.file(ALLOWLIST, allowlist);
        self.repo.pull("Exempt somebody", "topic", "main")
    }

    /// The pull request after another commit.
    pub(crate) fn push(&self, pull: &Pull, allowlist: &str) -> Pull {
        let head_sha = self.repo.commit("topic", ALLOWLIST, allowlist);
        self.file(ALLOWLIST, allowlist);
        Pull { head_sha, ..pull.clone() }
    }

    /// The queue issue, which must exist.
    pub(crate) fn queue_issue(&self) -> Issue {
        let mut issues = self.repo.issues();
        issues.retain(|issue| issue.body.starts_with("<!-- iam-stocktake:queue "));
        assert_eq!(issues.len(), 1, "one queue issue");
        issues.remove(0)
    }

    /// The requests since the last call that changed something, such as `PATCH issues/1`. All
    /// requests must conform to GitHub's API description.
    pub(crate) fn acts(&self) -> Vec<String> {
        assert_eq!(self.repo.violations(), [""; 0], "GitHub's contract is kept");
        let act = |it: &Exchange| {
            let path = it.path.splitn(5, '/').nth(4).unwrap_or_default();
            format!("{} {path}", it.method)
        };
        let acts = self.repo.writes().iter().map(act).collect();
        self.repo.reset_log();
        acts
    }
}

/// A user with an access key that was not used for `days` days.
pub(crate) fn user(account: &Account, name: &str, unused: i64) {
    account.change(json!([{"create_user": {
        "name": name, "created": 700, "keys": [{"created": 600, "last_used": unused}],
    }}]));
    account.expire_report();
}

/// An allowlist that exempts a user.
pub(crate) fn exempting(user: &str) -> String {
    let expires = chrono::Utc::now().date_naive() + chrono::TimeDelta::days(200);
    format!(
        "{EMPTY}exemptions:\n  - user: {user}\n    reason: moves to OIDC (PLAT-123)\n    \
         owner: \"@acme/platform\"\n    expires: {expires}\n"
    )
}

/// A file of the repository.
pub(crate) fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
