//! The template files, compiled into the program.

/// Files of a folder below `templates/`, each with its name including the folder.
macro_rules! folder {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        [$((
            concat!($folder, "/", $file),
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/templates/",
                $folder,
                "/",
                $file
            )),
        )),+]
    };
}

/// The files of a language's folder; every language has the same ones.
macro_rules! language_folder {
    ($folder:literal) => {
        folder![$folder:
            "cli_steps.md.j2",
            "closed_by_bot.md.j2",
            "duplicate_issue.md.j2",
            "failure.md.j2",
            "plan.md.j2",
            "plan.txt.j2",
            "plan_words.j2",
            "pull_request.md.j2",
            "queue_changes.md.j2",
            "queue_issue.md.j2",
            "queue_words.md.j2",
            "report.md.j2",
            "state_part.md.j2",
            "still_open.md.j2",
            "summary.md.j2",
            "undo.md.j2",
            "undo.txt.j2",
            "undo_words.j2",
            "user.md.j2",
            "user_issue.md.j2",
            "why.md.j2",
            "words.md.j2",
        ]
    };
}
