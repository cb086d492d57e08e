//! Paths in the workspace of a job, and in the repository that is checked out there.
//!
//! `actions/checkout` writes the repository to the workspace or to a folder in it (`path:`).
//! Annotations, comments and the contents API use the path in the repository; files are opened by
//! their path in the workspace, and later steps read outputs relative to it. Git is not run,
//! because the workspace belongs to another user than the container.

use std::path::{Component, Path, PathBuf};

const WORKSPACE: &str = "GITHUB_WORKSPACE";

/// The path of a workspace file in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryPath {
    /// This path, with `/` as separator.
    At(String),
    /// Probably this path. The workspace has no `.git` that shows where the checkout is.
    Probable(String),
    /// In a checkout of another repository that is not a submodule: `owner/name`.
    OtherRepository(String),
    /// Unknown, for this reason.
    Unknown(&'static str),
}

impl RepositoryPath {
    /// The path in the workflow's repository, if known.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::At(path) | Self::Probable(path) => Some(path),
            Self::OtherRepository(_) | Self::Unknown(_) => None,
        }
    }
}

/// Finds the path of a workspace file in the repository. `own` are the names of the workflow's
/// repositories: its own, and the fork that a pull request comes from.
#[must_use]
pub fn locate(file: &Path, workspace: Option<&Path>, own: &[&str]) -> RepositoryPath {
    let workspace = resolved(workspace.unwrap_or_else(|| Path::new(".")));
    let file = resolved(file);
    let Ok(below) = file.strip_prefix(&workspace) else {
        return RepositoryPath::Unknown("it is outside the workspace");
    };
    let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&workspace));
    let is_checkout = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    let Some(root) = folders.into_iter().find(is_checkout) else {
        return match slash_separated(below) {
            Some(path) => RepositoryPath::Probable(path),
            None => RepositoryPath::Unknown("its path is not UTF-8 text"),
        };
    };
    match origin(root) {
        // Whatever its origin is: the pull request can change the commit that is checked out.
        CheckoutOrigin::Submodule => RepositoryPath::Unknown("it is in a submodule"),
        CheckoutOrigin::Repository(name)
            if !own.iter().any(|own| own.eq_ignore_ascii_case(&name)) =>
        {
            RepositoryPath::OtherRepository(name)
        }
        CheckoutOrigin::Repository(_) | CheckoutOrigin::Unknown => {
            match file.strip_prefix(root).ok().and_then(slash_separated) {
                Some(path) => RepositoryPath::At(path),
                None => RepositoryPath::Unknown("its path is not UTF-8 text"),
            }
        }
    }
}

/// The path as later steps of the job see it: relative to the workspace, if it is in there.
#[must_use]
pub fn relative_to_workspace(path: &Path) -> PathBuf {
    let Some(workspace) = super::variable(WORKSPACE).map(PathBuf::from) else {
        return path.to_path_buf();
    };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    below(&absolute, &workspace).unwrap_or_else(|| path.to_path_buf())
}

/// The path of the workspace or of a file in it relative to the workspace; `None` for other paths.
#[must_use]
pub fn below_workspace(path: &Path) -> Option<PathBuf> {
    let workspace = super::variable(WORKSPACE).map(PathBuf::from)?;
    if path.is_absolute() { below(path, &workspace) } else { None }
}

/// A path from a setting. An absolute path in the workspace becomes relative if the current
/// directory is the workspace.
#[must_use]
pub fn as_relative(path: PathBuf) -> PathBuf {
    let relative_workspace = || {
        let workspace = super::variable(WORKSPACE).map(PathBuf::from)?;
        (workspace.canonicalize().ok()? == Path::new(".").canonicalize().ok()?).then_some(())
    };
    match below_workspace(&path) {
        Some(relative) if relative_workspace().is_some() => relative,
        _ => path,
    }
}

/// The path below the workspace, compared by name or with links resolved.
fn below(path: &Path, workspace: &Path) -> Option<PathBuf> {
    let is_plain = |it: &Path| it.components().all(|part| part != Component::ParentDir);
    let by_name = path.strip_prefix(workspace).map(Path::to_path_buf).ok();
    let found = by_name.or_else(|| {
        let path = resolved(path);
        path.strip_prefix(resolved(workspace)).map(Path::to_path_buf).ok()
    });
    let found = found.filter(|it| is_plain(it))?;
    Some(if found.as_os_str().is_empty() { PathBuf::from(".") } else { found })
}

/// The absolute path, with links in existing parent folders resolved.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => match parent.canonicalize() {
            Ok(parent) => parent.join(name),
            Err(_) => resolved(parent).join(name),
        },
        _ => absolute.canonicalize().unwrap_or(absolute),
    }
}

fn slash_separated(path: &Path) -> Option<String> {
    let segments: Option<Vec<&str>> = path.iter().map(|segment| segment.to_str()).collect();
    segments.map(|segments| segments.join("/"))
}

/// The origin of a checkout.
enum CheckoutOrigin {
    /// `owner/name`
    Repository(String),
    Submodule,
    Unknown,
}

fn origin(root: &Path) -> CheckoutOrigin {
    let git = root.join(".git");
    let mut folder = git.clone();
    if git.is_file() {
        // In a worktree or submodule, the file contains the path of the git folder.
        let text = read_small_file(&git).unwrap_or_default();
        let named = text.strip_prefix("gitdir:").map(str::trim).unwrap_or_default();
        folder = root.join(named);
        let is_submodule = Path::new(named).components().any(|it| it.as_os_str() == "modules");
        if is_submodule {
            return CheckoutOrigin::Submodule;
        }
        if let Some(common) = read_small_file(&folder.join("commondir")) {
            folder = folder.join(common.trim());
        }
    }
    let config = read_small_file(&folder.join("config")).unwrap_or_default();
    match origin_url(&config).and_then(repository_of) {
        Some(name) => CheckoutOrigin::Repository(name),
        None => CheckoutOrigin::Unknown,
    }
}

/// The text of a small file in a git folder.
fn read_small_file(path: &Path) -> Option<String> {
    const LARGEST: u64 = 1024 * 1024;
    let metadata = path.metadata().ok()?;
    let is_small_file = metadata.is_file() && metadata.len() <= LARGEST;
    is_small_file.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// The URL of the remote `origin` in a git configuration.
fn origin_url(config: &str) -> Option<&str> {
    let mut of_origin = false;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            of_origin = line.starts_with("[remote \"origin\"]");
        } else if of_origin
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "url"
        {
            return Some(value.trim());
        }
    }
    None
}

/// `owner/name` at the end of a repository URL.
fn repository_of(url: &str) -> Option<String> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let mut segments = url.rsplit(['/', ':']);
    let (name, owner) = (segments.next()?, segments.next()?);
    // Credentials are in front of an `@`, and must not be shown.
    let is_name = |text: &str| !text.is_empty() && !text.contains('@');
    (is_name(name) && is_name(owner)).then(|| format!("{owner}/{name}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const OWN: [&str; 1] = ["acme/infra"];
    const FILE: &str = ".github/iam-allowlist.yml";

    /// A workspace with an allowlist in `folder`.
    fn workspace(folder: &str) -> (tempfile::TempDir, PathBuf) {
        let workspace = tempfile::tempdir().unwrap();
        let file = workspace.path().join(folder).join(FILE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::File::create(&file).unwrap();
        (workspace, file)
    }

    fn config(url: &str) -> String {
        format!(
            "[core]\n\tbare = false\n[remote \"up\"]\n\turl = x\n[remote \"origin\"]\n\turl = \
             {url}\n"
        )
    }

    fn put(path: PathBuf, text: &str) {
        use std::io::Write as _;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn at(path: &str) -> RepositoryPath {
        RepositoryPath::At(path.to_owned())
    }

    #[test]
    fn checkout_root_is_the_folder_with_dot_git() {
        for folder in ["", "repo", "deep/er"] {
            let (workspace, file) = workspace(folder);
            fs::create_dir(workspace.path().join(folder).join(".git")).unwrap();
            assert_eq!(locate(&file, Some(workspace.path()), &OWN), at(FILE), "{folder}");
        }
    }

    #[test]
    fn dots_and_symlinks_are_resolved() {
        let (workspace, _) = workspace("repo");
        fs::create_dir(workspace.path().join("repo/.git")).unwrap();
        let detour = workspace.path().join("repo/.github/../.github/./iam-allowlist.yml");
        assert_eq!(locate(&detour, Some(workspace.path()), &OWN), at(FILE));
        #[cfg(unix)]
        {
            let link = workspace.path().join("link");
            std::os::unix::fs::symlink(workspace.path().join("repo"), &link).unwrap();
            assert_eq!(locate(&link.join(FILE), Some(workspace.path()), &OWN), at(FILE));
        }
    }

    #[test]
    fn nearest_checkout_wins_and_other_repository_is_named() {
        let (workspace, file) = workspace("policies");
        let root = workspace.path();
        fs::create_dir(root.join(".git")).unwrap();
        let urls = [
            ("https://github.com/acme/policies", "acme/policies"),
            ("https://github.com/acme/policies.git/", "acme/policies"),
            ("git@github.acme.example:acme/policies.git", "acme/policies"),
        ];
        for (url, name) in urls {
            put(root.join("policies/.git/config"), &config(url));
            let found = locate(&file, Some(root), &OWN);
            assert_eq!(found, RepositoryPath::OtherRepository(name.to_owned()), "{url}");
        }
        put(root.join("policies/.git/config"), &config("https://github.com/ACME/Infra"));
        assert_eq!(locate(&file, Some(root), &OWN), at(FILE));
    }

    #[test]
    fn url_without_owner_is_not_a_repository() {
        assert_eq!(repository_of("https://x:secret@git.acme.example/infra.git"), None);
        assert_eq!(repository_of("git@git.acme.example:infra.git"), None);
        let signed_in = "https://x:secret@git.acme.example/acme/infra.git";
        assert_eq!(repository_of(signed_in).as_deref(), Some("acme/infra"));
    }

    #[test]
    fn worktree_is_a_checkout_and_submodule_path_is_unknown() {
        let (workspace, file) = workspace("tree");
        let root = workspace.path();
        put(root.join("tree/.git"), "gitdir: ../main/.git/worktrees/tree\n");
        put(root.join("main/.git/worktrees/tree/commondir"), "../..\n");
        put(root.join("main/.git/config"), &config("https://github.com/acme/infra"));
        assert_eq!(locate(&file, Some(root), &OWN), at(FILE));
        put(root.join("tree/.git"), "gitdir: ../.git/modules/tree\n");
        let unknown = locate(&file, Some(root), &OWN);
        assert_eq!(unknown, RepositoryPath::Unknown("it is in a submodule"));
        // The pull request can change the commit and the origin of a submodule.
        for origin in ["../policies.git", "https://github.com/acme/policies", "../infra.git"] {
            put(root.join(".git/modules/tree/config"), &config(origin));
            assert_eq!(locate(&file, Some(root), &OWN), unknown, "{origin}");
        }
        put(root.join(".git/modules/tree/config"), &config("https://github.com/acme/infra"));
        assert_eq!(locate(&file, Some(root), &OWN), unknown);
    }

    #[test]
    fn workspace_without_dot_git_is_probably_the_checkout() {
        let (workspace, file) = workspace("");
        let found = locate(&file, Some(workspace.path()), &OWN);
        assert_eq!(found, RepositoryPath::Probable(FILE.to_owned()));
        let (elsewhere, _) = self::workspace("");
        // A checkout around the workspace does not count.
        let outside = locate(&file, Some(elsewhere.path()), &OWN);
        assert_eq!(outside, RepositoryPath::Unknown("it is outside the workspace"));
    }

    #[test]
    fn path_below_the_workspace_is_relative() {
        let workspace = Path::new("/github/workspace");
        let below = |path: &str| below(Path::new(path), workspace);
        assert_eq!(below("/github/workspace/out/a.md"), Some("out/a.md".into()));
        assert_eq!(below("/github/workspace/./out"), Some("out".into()));
        assert_eq!(below("/github/workspace/"), Some(".".into()));
        for other in ["/github/workspaces/a", "/github/workspace/../a"] {
            assert_eq!(below(other), None, "{other}");
        }
    }
}
