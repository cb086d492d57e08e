//! The reports that a job leaves behind: files in the workspace, and the job's summary.

use std::path::{Path, PathBuf};

use super::job::{Left, room_in_summary};
use super::{Exit, Streams, files};
use crate::judge::Audit;
use crate::report::json::v1;
use crate::report::{self, Language, MarkdownOptions, UserTemplate, visible};
use crate::runner::files::give_to_owner_of;
use crate::runner::job::Job;
use crate::settings::ActionSettings;

/// The names of the files in the report's folder.
const MARKDOWN: &str = "iam-stocktake.md";
const JSON: &str = "iam-stocktake.json";

/// Writes the files and leaves their outputs behind.
pub(super) fn write(
    audit: &Audit,
    json: &v1::Audit,
    settings: &ActionSettings,
    template: Option<&UserTemplate>,
    job: Option<&Job>,
    left: &mut Left,
    streams: &mut Streams<'_>,
) -> Exit {
    let options = options(settings.publish.language, settings.max_rows, template);
    let markdown = match report::markdown(audit, &options) {
        Ok(markdown) => markdown,
        Err(error) => {
            streams.error(&visible(&error.to_string()));
            streams.hint("docs/template.md describes what a template can use");
            return Exit::Usage;
        }
    };
    let folder = &settings.report_dir;
    let made = new_folders(folder);
    let mut exit = Exit::Done;
    let mut written: Vec<PathBuf> = made;
    for (name, output, text) in [
        (MARKDOWN, "report-markdown", markdown),
        (JSON, "report-json", report::json::written(json)),
    ] {
        let path = folder.join(name);
        let staged = std::fs::create_dir_all(folder)
            .and_then(|()| files::stage(&path, text.as_bytes()))
            .and_then(files::Staged::publish);
        match staged {
            Ok(()) => {
                left.outputs.push((output, path.display().to_string()));
                written.push(path);
            }
            Err(error) => {
                streams.error(&format!("{} cannot be written: {error}", path.display()));
                streams.hint("name a folder that can be written with `report-dir`");
                exit = Exit::WriteFailed;
            }
        }
    }
    let workspace = job.and_then(|job| job.workspace.as_deref()).unwrap_or_else(|| Path::new("."));
    let written: Vec<_> = written.iter().map(PathBuf::as_path).collect();
    if let Err(error) = give_to_owner_of(workspace, &written) {
        streams.say(&format!("note: the reports stay with this user: {error}"));
    }
    exit
}

/// The folders on the way to this one that are not there yet, the outermost first.
fn new_folders(folder: &Path) -> Vec<PathBuf> {
    let missing = |it: &&Path| !it.as_os_str().is_empty() && !it.exists();
    let mut folders: Vec<_> = folder.ancestors().filter(missing).map(Path::to_path_buf).collect();
    folders.reverse();
    folders
}

fn options(
    language: Language,
    max_rows: usize,
    template: Option<&UserTemplate>,
) -> MarkdownOptions {
    MarkdownOptions { language, max_rows, template: template.cloned() }
}

/// The report for the summary: as many rows as there is room for behind what stands there already.
pub(super) fn for_summary(audit: &Audit, settings: &ActionSettings, taken: usize) -> String {
    // A line feed more, and some slack for what other commands of the job append.
    let room = room_in_summary().saturating_sub(taken + 1024);
    let mut rows = if settings.max_rows == 0 { usize::MAX } else { settings.max_rows };
    rows = rows.min(audit.findings.len().max(1));
    loop {
        let options = options(settings.publish.language, rows, None);
        match report::markdown(audit, &options) {
            Ok(text) if text.len() <= room => return text,
            Ok(_) if rows > 1 => rows /= 2,
            _ => return String::new(),
        }
    }
}
