//! The release steps that do not need GitHub: the scripts in `release/`, run on this repository and
//! on copies of its files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The result of a script.
struct ScriptResult {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl ScriptResult {
    fn text(&self) -> &str {
        assert_eq!(self.code, 0, "{}", self.stderr);
        std::str::from_utf8(&self.stdout).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }
}

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(repository(name)).unwrap()
}

/// Runs a script in the repository with a file as its standard input.
fn script(name: &str, arguments: &[&str], input: Option<&Path>) -> ScriptResult {
    let mut python = Command::new("python3");
    python.arg("-B").arg(repository("release").join(name)).args(arguments);
    let input = input.map_or_else(Stdio::null, |path| fs::File::open(path).unwrap().into());
    let output = python.current_dir(repository("")).stdin(input).output().unwrap();
    ScriptResult {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A copy of the files that contain the version, with a changelog section for it.
fn ready_for_release() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("examples/workflows")).unwrap();
    let mut names: Vec<_> =
        ["Cargo.toml", "Cargo.lock", "Dockerfile", "README.md"].map(str::to_owned).into();
    for entry in fs::read_dir(repository("examples/workflows")).unwrap() {
        names.push(format!("examples/workflows/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    for name in names {
        fs::copy(repository(&name), folder.path().join(&name)).unwrap();
    }
    let section = format!(
        "# Changelog\n\n## Unreleased\n\n## {VERSION} - 2026-12-01\n\n- First.\n\n## 0.0.1\n\nOld.\n"
    );
    fs::write(folder.path().join("CHANGELOG.md"), section).unwrap();
    folder
}

#[test]
fn released_action_yml_differs_only_in_the_image_digest() {
    let image = format!("ghcr.io/iam-stocktake/iam-stocktake@sha256:{}", "0a".repeat(32));
    let action = repository("action.yml");
    let released = script("action_yml.py", &[&image], Some(&action));
    let (before, after) = (read("action.yml"), released.text().to_owned());
    let changed: Vec<_> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    let line = format!("  image: docker://{image}");
    assert_eq!(changed, [("  image: Dockerfile", line.as_str())]);
    assert_eq!(before.lines().count(), after.lines().count());

    // A released file has nothing to replace.
    let again = tempfile::NamedTempFile::new().unwrap();
    fs::write(again.path(), &after).unwrap();
    let again = script("action_yml.py", &[&image], Some(again.path()));
    assert_eq!((again.code, again.stdout.len()), (1, 0), "{}", again.stderr);
}

#[test]
fn image_without_a_digest_is_rejected() {
    let name = "ghcr.io/iam-stocktake/iam-stocktake";
    let more = format!("{name}@sha256:{}\n  args: [audit]", "0a".repeat(32));
    let (tagged, cut) = (format!("{name}:0.1.0"), format!("{name}@sha256:0a"));
    for image in [&tagged, &cut, &more, ""] {
        let result = script("action_yml.py", &[image], Some(&repository("action.yml")));
        assert_eq!((result.code, result.stdout.len()), (1, 0), "{image}: {}", result.stderr);
        assert!(result.stderr.contains("is no image with a digest"), "{}", result.stderr);
    }
}

#[test]
fn version_is_released_only_if_all_files_contain_it() {
    let folder = ready_for_release();
    let path = folder.path().to_str().unwrap();
    let notes = script("version.py", &[VERSION, path], None);
    assert_eq!(notes.text(), "- First.\n");

    let other = script("version.py", &["9.9.9", path], None);
    assert_eq!(other.code, 1);
    for name in
        ["Cargo.toml", "Cargo.lock", "Dockerfile", "README.md", "scheduled.yml", "CHANGELOG.md"]
    {
        assert!(other.stderr.contains(name), "{name}: {}", other.stderr);
    }
    let no_version = script("version.py", &["v0.1", path], None);
    assert!(no_version.code == 1 && no_version.stderr.contains("is no version"));

    for name in ["pull-request.yml", "matrix.yml"] {
        let file = folder.path().join("examples/workflows").join(name);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(VERSION, "0.0.1")).unwrap();
        let stale = script("version.py", &[VERSION, path], None);
        assert!(stale.code == 1 && stale.stderr.contains(name), "{}", stale.stderr);
        fs::write(&file, text).unwrap();
    }
}

#[test]
fn dockerfile_and_examples_have_the_version_of_the_package() {
    assert!(read("Dockerfile").contains(&format!("\nARG VERSION={VERSION}\n")));
    let action = format!("uses: iam-stocktake/iam-stocktake@v{VERSION}\n");
    for entry in fs::read_dir(repository("examples/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&action), "{}", path.display());
        // Per workflow, or per job if one of the jobs waits for an approval.
        assert!(text.contains("concurrency:\n") && text.contains("\npermissions: {}\n"));
    }
}

#[test]
fn binaries_are_built_for_the_targets_in_deny_toml() {
    let binaries = script("targets.py", &["binaries"], None).json();
    let values = |matrix: &Value, key: &str| -> BTreeSet<String> {
        let rows = matrix["include"].as_array().unwrap().iter();
        rows.map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    let targets = values(&binaries, "target");
    assert_eq!(targets.len(), 4);
    let deny = read("deny.toml");
    for target in &targets {
        assert!(deny.contains(&format!("\"{target}\"")), "{target}");
    }
    let images = script("targets.py", &["images"], None).json();
    assert_eq!(values(&images, "platform"), ["amd64", "arm64"].map(str::to_owned).into());
    // The workflow lists the images of the index one by one.
    let workflow = read(".github/workflows/release.yml");
    for platform in values(&images, "platform") {
        assert!(workflow.contains(&format!("\"$IMAGE:$VERSION-{platform}\"")), "{platform}");
    }
    assert_eq!(script("targets.py", &["all"], None).code, 1);
}

#[test]
fn workflow_runs_every_release_script() {
    let workflow = read(".github/workflows/release.yml");
    let in_workflow: BTreeSet<_> = workflow
        .split("release/")
        .skip(1)
        .filter_map(|rest| rest.split_once(".py"))
        .map(|(name, _)| format!("{name}.py"))
        .collect();
    let in_folder: BTreeSet<_> = fs::read_dir(repository("release"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".py"))
        .collect();
    assert_eq!(in_workflow, in_folder);
}

#[test]
fn archive_is_reproducible() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("iam-stocktake");
    fs::write(&binary, "#!/bin/sh\necho packed\n").unwrap();
    let pack = |into: &str, target: &str| {
        let (binary, into) = (binary.to_str().unwrap(), folder.path().join(into));
        let result = script("archive.py", &[VERSION, target, binary, into.to_str().unwrap()], None);
        fs::read(result.text().trim()).unwrap()
    };
    for target in ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc"] {
        assert_eq!(pack("one", target), pack("other", target), "{target}");
    }
    // A timestamp would differ only if a second passes between the two.
    let header = &pack("one", "x86_64-unknown-linux-gnu")[..8];
    assert_eq!(header[4..], [0; 4], "the timestamp of gzip");

    let name = format!("iam-stocktake-{VERSION}-x86_64-unknown-linux-gnu");
    let archive = folder.path().join(format!("one/{name}.tar.gz"));
    let mut tar = Command::new("tar");
    let unpacked = tar.arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).status().unwrap();
    assert!(unpacked.success());
    let run = Command::new(folder.path().join(&name).join("iam-stocktake")).output().unwrap();
    assert_eq!(run.stdout, b"packed\n", "the binary is still executable");
    let license = fs::read_to_string(folder.path().join(&name).join("LICENSE-MIT")).unwrap();
    assert_eq!(license, read("LICENSE-MIT"));
}

#[test]
fn checksums_match_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["e", "b", "h", "a", "d", "g", "c", "f"];
    for name in names {
        fs::write(folder.path().join(name), format!("the file {name}")).unwrap();
    }
    let hex = |text: &str| -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let mut sorted = names;
    sorted.sort_unstable();
    let line = |name: &&str| format!("{}  {name}\n", hex(&format!("the file {name}")));
    let expected: String = sorted.iter().map(line).collect();
    let path = folder.path().to_str().unwrap();
    assert_eq!(script("checksums.py", &[path], None).text(), expected);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(script("checksums.py", &[empty.path().to_str().unwrap()], None).code, 1);
}

#[test]
fn sbom_lists_shipped_dependencies_and_no_test_dependencies() {
    let result = script("sbom.py", &[], None);
    let list = result.json();
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(list["metadata"]["component"]["version"], VERSION);
    let components = list["components"].as_array().unwrap();
    let names: BTreeSet<_> = components.iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in ["aws-sdk-iam", "octocrab", "rustls", "serde-saphyr", "tokio"] {
        assert!(names.contains(name), "{name}");
    }
    for name in ["hcl-rs", "iam-stocktake", "insta", "proptest"] {
        assert!(!names.contains(name), "{name}");
    }
    let lock = read("Cargo.lock");
    for component in components {
        let [name, version] = ["name", "version"].map(|key| component[key].as_str().unwrap());
        let checksum = component["hashes"][0]["content"].as_str().unwrap();
        let start = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        let (_, entry) = lock.split_once(&start).unwrap();
        let entry = entry.split("[[package]]").next().unwrap();
        assert!(entry.contains(&format!("checksum = \"{checksum}\"")), "{name} {version}");
        assert_eq!(component["purl"], format!("pkg:cargo/{name}@{version}"));
    }
    // Every dependency is listed.
    let known: BTreeSet<_> = list["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["ref"])
        .map(Value::to_string)
        .collect();
    assert_eq!(known.len(), components.len() + 1);
    for edge in list["dependencies"].as_array().unwrap() {
        for on in edge["dependsOn"].as_array().unwrap() {
            assert!(known.contains(&on.to_string()), "{on}");
        }
    }
    assert_eq!(script("sbom.py", &[], None).stdout, result.stdout, "the same bytes");
}
