#![allow(clippy::disallowed_methods, reason = "a test may write its own files as it likes")]

use std::fs;
use std::path::Path;

use strum::VariantArray as _;

use super::*;

/// A workspace, and a folder next to it that a link can point to.
struct TestFolders {
    _both: tempfile::TempDir,
    workspace: PathBuf,
    outside: PathBuf,
}

fn folders() -> TestFolders {
    let both = tempfile::tempdir().unwrap();
    let (workspace, outside) = (both.path().join("checkout"), both.path().join("outside"));
    for folder in [&workspace, &outside] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("file"), "content").unwrap();
    }
    TestFolders { _both: both, workspace, outside }
}

fn why<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => panic!("it was let through"),
        Err(error) => crate::cause::reason(&error),
    }
}

#[test]
fn file_over_its_size_limit_is_rejected() {
    let TestFolders { workspace, .. } = &folders();
    let place = Workspace::new(workspace);
    let path = workspace.join("large");
    File::create(&path).unwrap().set_len(FileKind::Allowlist.limit()).unwrap();
    assert_eq!(read(&path, FileKind::Allowlist, Some(&place)).unwrap().len(), 1 << 20);
    for &kind in FileKind::VARIANTS {
        // A sparse file takes no space on disk.
        File::create(&path).unwrap().set_len(kind.limit() + 1).unwrap();
        let expected = format!("it is larger than {} MiB", kind.limit() >> 20);
        assert_eq!(why(read(&path, kind, Some(&place))), expected);
        assert_eq!(why(read(&path, kind, None)), expected);
    }
}

#[test]
fn paths_above_the_workspace_are_outside() {
    let TestFolders { workspace, outside, .. } = &folders();
    let place = Workspace::new(workspace);
    let above = workspace.join("../outside/file");
    for path in [&above, &outside.join("file")] {
        for kind in [FileKind::Allowlist, FileKind::Template] {
            assert!(why(read(path, kind, Some(&place))).starts_with("it is outside the"));
        }
        assert_eq!(read(path, FileKind::Audit, Some(&place)).unwrap(), b"content");
        assert_eq!(read(path, FileKind::Allowlist, None).unwrap(), b"content");
    }
    let within = workspace.join("../checkout/./file");
    assert_eq!(read(&within, FileKind::Allowlist, Some(&place)).unwrap(), b"content");
}

#[test]
fn files_below_a_folder_are_listed_up_to_a_limit() {
    let TestFolders { workspace, .. } = &folders();
    let place = Workspace::new(workspace);
    let below = |name: &str| {
        let path = workspace.join(name);
        [None, Some(&place)].map(|place| files_below(&path, "json", place))
    };
    fs::create_dir_all(workspace.join("a/b")).unwrap();
    for name in ["a/2.json", "a/b/1.JSON", "a/b/other.txt"] {
        fs::write(workspace.join(name), "").unwrap();
    }
    for found in below("a") {
        let expected = ["a/2.json", "a/b/1.JSON"].map(|name| workspace.join(name));
        assert_eq!(found.unwrap(), Some(expected.to_vec()));
    }
    for name in ["a/2.json", "nowhere", "file/below"] {
        for found in below(name) {
            assert_eq!(found.unwrap(), None, "{name}");
        }
    }
    fs::create_dir_all(workspace.join("deep").join("d/".repeat(listing::MAX_DEPTH))).unwrap();
    for found in below("deep") {
        assert!(why(found).starts_with("it is more than 16 levels deep"));
    }
    assert!(below("deep/d").into_iter().all(|found| found.unwrap() == Some(Vec::new())));
    for number in 0..=listing::MAX_ENTRIES {
        fs::hard_link(workspace.join("a/2.json"), workspace.join(format!("a/b/{number}"))).unwrap();
    }
    for found in below("a") {
        assert!(why(found).starts_with("it contains more than 10000 files and folders"));
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn symlinks_below_the_workspace_are_rejected() {
        let TestFolders { workspace, outside, _both } = &folders();
        symlink(outside, workspace.join("folder")).unwrap();
        symlink(outside.join("file"), workspace.join("link")).unwrap();
        symlink("file", workspace.join("sibling")).unwrap();
        symlink(workspace, outside.join("way")).unwrap();
        let place = Workspace::new(&outside.join("way"));
        for &kind in FileKind::VARIANTS {
            for (name, link) in
                [("folder/file", "folder"), ("link", "link"), ("sibling", "sibling")]
            {
                let expected =
                    format!("`{link}` is a symbolic link, which is not followed in a job");
                for root in [workspace, &outside.join("way")] {
                    assert_eq!(why(read(&root.join(name), kind, Some(&place))), expected);
                }
            }
            assert_eq!(read(&workspace.join("file"), kind, Some(&place)).unwrap(), b"content");
            assert_eq!(read(&workspace.join("link"), kind, None).unwrap(), b"content");
        }
        assert!(why(open_journal(&workspace.join("link"), Some(&place))).contains("symbolic link"));
    }

    #[test]
    fn symlinked_folders_are_not_searched_in_a_job() {
        let TestFolders { workspace, outside, .. } = &folders();
        fs::write(outside.join("a.json"), "").unwrap();
        fs::create_dir_all(workspace.join("audits/real")).unwrap();
        symlink(outside, workspace.join("folder")).unwrap();
        symlink(outside, workspace.join("audits/below")).unwrap();
        symlink(outside.join("a.json"), workspace.join("audits/a.json")).unwrap();
        let place = Workspace::new(workspace);
        let below = |name: &str, place| files_below(&workspace.join(name), "json", place);
        assert!(why(below("folder", Some(&place))).starts_with("`folder` is a symbolic link"));
        assert!(why(below("audits/below", Some(&place))).starts_with("`below` is a symbolic link"));
        for place in [None, Some(&place)] {
            assert_eq!(below("audits", place).unwrap(), Some(Vec::new()));
        }
        // On the command line, a link as the path itself is followed.
        let expected = workspace.join("folder/a.json");
        assert_eq!(below("folder", None).unwrap(), Some(vec![expected]));
    }

    #[test]
    fn devices_and_pipes_are_rejected_without_blocking() {
        let TestFolders { workspace, .. } = &folders();
        let place = Workspace::new(workspace);
        let pipe = workspace.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let expected = "it is a device or a pipe, not a regular file";
        for &kind in FileKind::VARIANTS {
            assert_eq!(why(read(&pipe, kind, Some(&place))), expected);
            assert_eq!(why(read(workspace, kind, Some(&place))), "it is a folder");
        }
        assert_eq!(why(read(&pipe, FileKind::Event, None)), expected);
        assert_eq!(why(open_journal(&pipe, Some(&place))), expected);
        assert_eq!(why(open_journal(Path::new("/dev/zero"), None)), expected);
        assert_eq!(why(stage(&pipe, b"x", Some(&place))), expected);
        assert!(!why(open_runner_file(&pipe)).is_empty());
        assert_eq!(why(open_runner_file(Path::new("/dev/null"))), expected);
        // On the command line, it is read up to the limit.
        let zero = read(Path::new("/dev/zero"), FileKind::Allowlist, None);
        assert_eq!(why(zero), "it is larger than 1 MiB");
    }

    #[test]
    fn job_output_does_not_follow_symlinks() {
        let TestFolders { workspace, outside, .. } = &folders();
        let place = Workspace::new(workspace);
        symlink(outside, workspace.join("folder")).unwrap();
        symlink(outside.join("file"), workspace.join("link")).unwrap();
        symlink(outside.join("new"), workspace.join("dangling")).unwrap();
        for name in ["folder/file", "folder/new", "link", "dangling"] {
            let path = workspace.join(name);
            assert!(why(stage(&path, b"x", Some(&place))).contains("is a symbolic link"), "{name}");
        }
        let below = workspace.join("folder/more");
        assert!(why(create_folders(&below, Some(&place))).contains("is a symbolic link"));
        let elsewhere = outside.join("link");
        symlink(outside.join("file"), &elsewhere).unwrap();
        assert!(why(stage(&elsewhere, b"x", Some(&place))).contains("is a symbolic link"));
        assert!(why(open_runner_file(&elsewhere)).len() > 1);
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "content");
        assert_eq!(fs::read_dir(outside).unwrap().count(), 2);
        // On the command line, links are followed.
        stage(&workspace.join("link"), b"changed", None).unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "changed");
    }

    #[test]
    fn job_output_is_atomic_and_keeps_the_mode() {
        let TestFolders { workspace, .. } = &folders();
        let place = Workspace::new(workspace);
        let names = || {
            let entries = fs::read_dir(workspace).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let path = workspace.join("file");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let staged = stage(&path, b"given up", Some(&place)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "content");
        drop(staged);
        assert_eq!(names(), ["file"]);
        stage(&path, b"new", Some(&place)).unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);

        let below = workspace.join("a/b");
        create_folders(&below, Some(&place)).unwrap();
        create_folders(&below, Some(&place)).unwrap();
        stage(&below.join("c.md"), b"c", Some(&place)).unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(below.join("c.md")).unwrap(), "c");
        assert_eq!(names(), ["a", "file"]);
    }
}
