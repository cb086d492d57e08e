//! The folder for reports in a job's workspace. An output has the path of each report.

use std::path::{Path, PathBuf};

use super::job::JobReport;
use super::{Exit, Streams, files};
use crate::cause::reason;
use crate::cli::Output;
use crate::runner::checkout::relative_to_workspace;
use crate::runner::files::chown_to_owner_of;
use crate::runner::job::Job;

/// A report: the name of the file, the output, and the text.
pub(super) type Report = (&'static str, Output, String);

/// Writes the reports into the folder, and sets their outputs.
pub(super) fn write(
    folder: &Path,
    reports: Vec<Report>,
    job: Option<&Job>,
    job_report: &mut JobReport,
    streams: &mut Streams<'_>,
) -> Exit {
    let mut exit = Exit::Done;
    let mut written = new_folders(folder);
    for (name, output, text) in reports {
        let path = folder.join(name);
        let created = files::create_folders(folder).map_err(|it| files::write_error(&path, &it));
        match created.and_then(|()| files::write(&path, text.as_bytes())) {
            Ok(()) => {
                let path_for_steps = relative_to_workspace(&path).display().to_string();
                job_report.outputs.push((output, path_for_steps));
                written.push(path);
            }
            Err(error) => {
                let error = error.with_hint("set a writable folder with `report-dir`");
                exit = exit.max(streams.report(error));
            }
        }
    }
    change_owner(&written, job, streams);
    exit
}

/// Changes the owner of written files to the owner of the workspace.
pub(super) fn change_owner(written: &[PathBuf], job: Option<&Job>, streams: &mut Streams<'_>) {
    let workspace = job.and_then(|job| job.workspace.as_deref()).unwrap_or_else(|| Path::new("."));
    let written: Vec<_> = written.iter().map(PathBuf::as_path).collect();
    if let Err(error) = chown_to_owner_of(workspace, &written) {
        streams.eprintln(&format!(
            "note: the owner of the written files cannot be changed: {}",
            reason(&error)
        ));
    }
}

/// The missing folders of this path, the outermost first.
fn new_folders(folder: &Path) -> Vec<PathBuf> {
    let missing = |it: &&Path| !it.as_os_str().is_empty() && !it.exists();
    let mut folders: Vec<_> = folder.ancestors().filter(missing).map(Path::to_path_buf).collect();
    folders.reverse();
    folders
}
