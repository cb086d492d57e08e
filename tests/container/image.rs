//! The contents of the image.

use super::engine::{Ended, docker, image, inspect, run};

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_image_starts_the_binary_itself_as_root() {
    let entrypoint = inspect("{{json .Config.Entrypoint}}");
    assert_eq!(entrypoint, r#"["/usr/local/bin/iam-stocktake"]"#, "no shell would keep the inputs");
    assert!(["", "0", "root"].contains(&inspect("{{.Config.User}}").as_str()));
    let version = run(&["--network=none", "--read-only", "--cap-drop=ALL"], &["--version"]);
    let expected = format!("iam-stocktake {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stdout), (0, expected));
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_image_says_what_it_is() {
    let label = |name: &str| {
        inspect(&format!("{{{{index .Config.Labels \"org.opencontainers.image.{name}\"}}}}"))
    };
    assert_eq!(label("title"), env!("CARGO_PKG_NAME"));
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("source"), env!("CARGO_PKG_REPOSITORY"));
}

#[test]
#[ignore = "needs a container engine: tests/container/run.sh"]
fn the_image_holds_no_path_of_the_machine_that_built_it() {
    let container = Ended::from(docker(&["create", &image()]).output().unwrap());
    let container = container.stdout.trim();
    let copied = tempfile::tempdir().unwrap();
    let from = format!("{container}:/usr/local/bin/iam-stocktake");
    let to = copied.path().join("binary");
    let ended = Ended::from(docker(&["cp", &from]).arg(&to).output().unwrap());
    docker(&["rm", container]).output().unwrap();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let binary = std::fs::read(to).unwrap();
    let holds = |text: &str| binary.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(holds("/cargo/"), "paths of crates are there, and remapped");
    assert!(!holds("/usr/local/cargo"));
}
