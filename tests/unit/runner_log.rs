//! The log as the runner reads it: it has our workflow commands and no others, whether or not the
//! runner supports `stop-commands`.

use std::io::Write as _;

use iam_stocktake::runner::command::{Annotation, AnnotationLevel, WorkflowCommand};
use iam_stocktake::runner::log::Log;
use secrecy::SecretString;
use stand_ins::proptest::prelude::*;
use stand_ins::workflow_commands::{Read, Stops, read};

/// A piece of the log.
#[derive(Debug, Clone)]
enum Piece {
    Text(Vec<u8>),
    Command(Command),
}

/// A workflow command that the program writes.
#[derive(Debug, Clone)]
enum Command {
    Annotation(Annotation),
    Mask(String),
    Group(String),
    EndGroup,
    Debug(String),
}

impl Command {
    fn command(&self) -> WorkflowCommand {
        match self.clone() {
            Self::Annotation(annotation) => annotation.into(),
            Self::Mask(secret) => WorkflowCommand::Mask(SecretString::from(secret)),
            Self::Group(title) => WorkflowCommand::Group(title),
            Self::EndGroup => WorkflowCommand::EndGroup,
            Self::Debug(message) => WorkflowCommand::Debug(message),
        }
    }

    /// Asserts that the runner reads this command.
    fn assert_read(&self, read: &Read) {
        let keys: Vec<&str> = read.properties.keys().map(String::as_str).collect();
        let name = match self {
            Self::Annotation(annotation) => {
                assert_eq!(keys, ["file", "line", "title"], "{read:?}");
                assert_eq!(read.properties["line"], "7");
                assert!(read.data.encode_utf16().count() <= 4_096);
                return assert_eq!(read.name, annotation.level.to_string());
            }
            // A secret must be passed on unchanged.
            Self::Mask(secret) => {
                assert_eq!(read.data, *secret);
                "add-mask"
            }
            Self::Group(_) => "group",
            Self::EndGroup => "endgroup",
            Self::Debug(_) => "debug",
        };
        assert_eq!((read.name.as_str(), keys), (name, vec![]));
    }
}

/// The log with these pieces.
fn logged(pieces: &[Piece]) -> String {
    let mut out = Vec::new();
    let mut log = Log::start(&mut out).unwrap();
    for piece in pieces {
        match piece {
            Piece::Text(text) => log.write_all(text).unwrap(),
            Piece::Command(command) => log.command(&command.command()).unwrap(),
        }
    }
    log.finish().unwrap();
    String::from_utf8(out).unwrap()
}

/// A part of a text. About every second text resembles a command.
fn fragment() -> impl Strategy<Value = String> {
    let signs = prop::sample::select(vec![
        "::",
        ":",
        "#",
        "##[",
        "[",
        "]",
        "\n",
        "\r",
        "\r\n",
        " ",
        "\t",
        "\u{a0}",
        "\u{200b}",
        "\u{feff}",
        "\u{ad}",
        "\u{1b}[2K",
        "\u{1b}[1G",
        "\u{8}",
        "\0",
        "\u{85}",
        "\u{2028}",
        "%0A",
        "\\",
        "é",
        "日本",
    ]);
    let commands = prop::sample::select(vec![
        "::set-output name=x::y",
        "##[add-mask]x",
        " ::error::",
        "::stop-commands::x",
        "::x::",
        "::add-mask::x",
        "arn:aws:iam::111122223333:user/alice",
    ]);
    prop_oneof![3 => signs.prop_map(str::to_owned), 2 => commands.prop_map(str::to_owned), 1 => r"\PC{0,4}"]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..8).prop_map(|fragments| fragments.concat())
}

fn command() -> impl Strategy<Value = Command> {
    let level = prop::sample::select(vec![
        AnnotationLevel::Error,
        AnnotationLevel::Warning,
        AnnotationLevel::Notice,
    ]);
    let annotation = (level, text(), text()).prop_map(|(level, message, place)| {
        Command::Annotation(Annotation {
            title: Some(format!("t{place}")),
            file: Some(format!("f{place}")),
            line: Some(7),
            ..Annotation::new(level, message)
        })
    });
    prop_oneof![
        annotation,
        "[a-z:#%,\\[\\]]{0,8}[a-z]".prop_map(Command::Mask),
        text().prop_map(Command::Group),
        Just(Command::EndGroup),
        text().prop_map(Command::Debug),
    ]
}

/// Texts split anywhere, even within a character, bytes that are not text, and our commands.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let cut = (text(), 1_usize..6).prop_map(|(text, size)| {
        text.as_bytes().chunks(size).map(|chunk| Piece::Text(chunk.to_vec())).collect()
    });
    let bytes = prop::collection::vec(any::<u8>(), 0..6);
    let some = prop_oneof![
        4 => cut,
        1 => bytes.prop_map(|bytes| vec![Piece::Text(bytes)]),
        2 => command().prop_map(|command| vec![Piece::Command(command)]),
    ];
    prop::collection::vec(some, 0..8).prop_map(|pieces| pieces.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn runner_reads_only_our_commands(pieces in pieces()) {
        let expected: Vec<_> = pieces.iter().filter_map(|piece| match piece {
            Piece::Command(command) => Some(command),
            Piece::Text(_) => None,
        }).collect();
        let log = logged(&pieces);
        for stops in [Stops::Supported, Stops::Ignored] {
            // After the end of our log the runner processes commands again.
            let mut found = read(&format!("{log}::notice::after"), stops);
            let last = found.pop().map(|command| command.data);
            prop_assert_eq!(last, Some("after".to_owned()), "{:?}: {:?}", stops, log);
            prop_assert_eq!(found.len(), expected.len(), "{:?}: {:?}", stops, log);
            for (command, found) in expected.iter().zip(&found) {
                command.assert_read(found);
            }
        }
    }

    #[test]
    fn text_is_logged_completely(text in text()) {
        let plain = text.replace(|c: char| c == '\\' || (c.is_control() && c != '\n'), "");
        let log = logged(&[Piece::Text(plain.clone().into_bytes())]);
        let lines: Vec<_> = log.lines().collect();
        let shown = lines[1..lines.len() - 1].join("\n").replace('\\', "");
        prop_assert_eq!(shown, plain.strip_suffix('\n').unwrap_or(&plain));
    }
}

#[test]
fn without_escaping_the_same_texts_are_commands() {
    for (text, name) in [
        ("::set-output name=x::y", "set-output"),
        ("a ##[add-mask]x", "add-mask"),
        ("a\r \u{feff}:\u{200b}:error::x", "error"),
        ("a\n\u{a0}::stop-commands::x\n::x::\n::debug::b", "debug"),
    ] {
        let read = read(text, Stops::Supported);
        assert_eq!(read.len(), 1, "{text:?}");
        assert_eq!(read[0].name, name, "{text:?}");
    }
    assert_eq!(read("::stop-commands::x\n::error::y\n::y::\n", Stops::Supported), []);
}
