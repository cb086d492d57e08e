//! The processes of the stand-ins: installing what they need, and checking that they end.
//!
//! Packages are installed on first use, into a folder next to the build. Other test processes wait. A
//! file that is written last marks a complete installation.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The folder of the installations.
pub fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("the current executable is known");
    // target/PROFILE/deps/TEST
    test.ancestors().nth(3).expect("tests run from a target folder").join("test-services")
}

/// The folder with the sources of the stand-ins.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The Python of a virtual environment with the package.
pub fn python(requirement: &str) -> PathBuf {
    let environment = installed(&requirement.replace("==", "-"), requirement, |environment| {
        let fit = Command::new("python3")
            .args(["-c", "import sys; sys.exit(sys.version_info < (3, 11))"])
            .status();
        let fit = fit.expect("these tests need Python 3.11 or newer as `python3`");
        assert!(fit.success(), "these tests need Python 3.11 or newer; `python3` is older");
        run(Command::new("python3").args(["-m", "venv"]).arg(environment));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement];
        run(Command::new(environment.join("bin/python")).args(pip));
    });
    environment.join("bin/python")
}

/// The folder with this name, filled by `make` unless it already has this `content`.
pub fn installed(name: &str, content: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let home = folder();
    fs::create_dir_all(&home).unwrap();
    let lock = File::create(home.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let target = home.join(name);
    if fs::read_to_string(target.join("complete")).ok().as_deref() != Some(content) {
        drop(fs::remove_dir_all(&target));
        make(&target);
        fs::write(target.join("complete"), content).unwrap();
    }
    target
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
}

/// The longest time that a server may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether a server listens on the port.
pub fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until nothing listens on the port.
pub fn wait_until_closed(port: u16) {
    let limit = Instant::now() + END_TIMEOUT;
    while is_open(port) {
        assert!(Instant::now() < limit, "a server still listens on port {port}");
        std::thread::yield_now();
    }
}

/// Runs an ignored test, which starts servers and prints `ports` and their ports. Kills its process,
/// and asserts that the servers end.
pub fn assert_ends_with_owner(test: &str) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|it| it.starts_with("ports ")).unwrap();
    let ports: Vec<u16> = line.split(' ').skip(1).map(|it| it.parse().unwrap()).collect();
    let mut connection = TcpStream::connect(("127.0.0.1", ports[0])).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Open connections are closed, and new ones are soon rejected.
    connection.set_read_timeout(Some(END_TIMEOUT)).unwrap();
    let ended = connection.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    ports.into_iter().for_each(wait_until_closed);
}
