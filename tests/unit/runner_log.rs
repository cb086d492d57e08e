//! The log as the runner reads it: our commands are in it, and no text gives another, whether the
//! runner heeds `stop-commands` or not.

use std::io::Write as _;

use iam_stocktake::runner::command::{Annotation, AnnotationLevel, WorkflowCommand};
use iam_stocktake::runner::log::Log;
use proptest::prelude::*;
use secrecy::SecretString;
use stand_ins::workflow_commands::{Read, Stops, read};

/// What is written to a log, one after another.
#[derive(Debug, Clone)]
enum EvidenceItem {
    Text(Vec<u8>),
    Given(Given),
}

/// A command of ours.
#[derive(Debug, Clone)]
enum Given {
    Annotation(Annotation),
    Mask(String),
    Group(String),
    EndGroup,
    Debug(String),
}

impl Given {
    fn command(&self) -> WorkflowCommand {
        match self.clone() {
            Self::Annotation(annotation) => annotation.into(),
            Self::Mask(secret) => WorkflowCommand::Mask(SecretString::from(secret)),
            Self::Group(title) => WorkflowCommand::Group(title),
            Self::EndGroup => WorkflowCommand::EndGroup,
            Self::Debug(message) => WorkflowCommand::Debug(message),
        }
    }

    /// Holds what was read against what was given.
    fn assert_read(&self, read: &Read) {
        let keys: Vec<&str> = read.properties.keys().map(String::as_str).collect();
        let name = match self {
            Self::Annotation(annotation) => {
                assert_eq!(keys, ["file", "line", "title"], "{read:?}");
                assert_eq!(read.properties["line"], "7");
                assert!(read.data.encode_utf16().count() <= 4_096);
                return assert_eq!(read.name, annotation.level.to_string());
            }
            // A secret has to arrive to the letter.
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

/// The log of these pieces.
fn logged(pieces: &[EvidenceItem]) -> String {
    let mut out = Vec::new();
    let mut log = Log::start(&mut out).unwrap();
    for piece in pieces {
        match piece {
            EvidenceItem::Text(text) => log.write_all(text).unwrap(),
            EvidenceItem::Given(given) => log.command(&given.command()).unwrap(),
        }
    }
    log.finish().unwrap();
    String::from_utf8(out).unwrap()
}

/// What a text is put together from, so that every other one is close to a command.
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

fn given() -> impl Strategy<Value = Given> {
    let level = prop::sample::select(vec![
        AnnotationLevel::Error,
        AnnotationLevel::Warning,
        AnnotationLevel::Notice,
    ]);
    let annotation = (level, text(), text()).prop_map(|(level, message, place)| {
        Given::Annotation(Annotation {
            title: Some(format!("t{place}")),
            file: Some(format!("f{place}")),
            line: Some(7),
            ..Annotation::new(level, message)
        })
    });
    prop_oneof![
        annotation,
        "[a-z:#%,\\[\\]]{0,8}[a-z]".prop_map(Given::Mask),
        text().prop_map(Given::Group),
        Just(Given::EndGroup),
        text().prop_map(Given::Debug),
    ]
}

/// Texts cut anywhere, even within a character, some bytes that are no text, and commands of ours.
fn pieces() -> impl Strategy<Value = Vec<EvidenceItem>> {
    let cut = (text(), 1_usize..6).prop_map(|(text, size)| {
        text.as_bytes().chunks(size).map(|chunk| EvidenceItem::Text(chunk.to_vec())).collect()
    });
    let bytes = prop::collection::vec(any::<u8>(), 0..6);
    let some = prop_oneof![
        4 => cut,
        1 => bytes.prop_map(|bytes| vec![EvidenceItem::Text(bytes)]),
        2 => given().prop_map(|given| vec![EvidenceItem::Given(given)]),
    ];
    prop::collection::vec(some, 0..8).prop_map(|pieces| pieces.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_runner_reads_our_commands_and_no_others(pieces in pieces()) {
        let given: Vec<_> = pieces.iter().filter_map(|piece| match piece {
            EvidenceItem::Given(given) => Some(given),
            EvidenceItem::Text(_) => None,
        }).collect();
        let log = logged(&pieces);
        for stops in [Stops::Heeded, Stops::Ignored] {
            // Behind the end of our log the runner heeds commands again.
            let mut found = read(&format!("{log}::notice::after"), stops);
            let last = found.pop().map(|command| command.data);
            prop_assert_eq!(last, Some("after".to_owned()), "{:?}: {:?}", stops, log);
            prop_assert_eq!(found.len(), given.len(), "{:?}: {:?}", stops, log);
            for (given, found) in given.iter().zip(&found) {
                given.assert_read(found);
            }
        }
    }

    #[test]
    fn a_text_loses_nothing_on_its_way(text in text()) {
        let plain = text.replace(|c: char| c == '\\' || (c.is_control() && c != '\n'), "");
        let log = logged(&[EvidenceItem::Text(plain.clone().into_bytes())]);
        let lines: Vec<_> = log.lines().collect();
        let shown = lines[1..lines.len() - 1].join("\n").replace('\\', "");
        prop_assert_eq!(shown, plain.strip_suffix('\n').unwrap_or(&plain));
    }
}

#[test]
fn without_the_log_the_same_texts_are_commands() {
    for (text, name) in [
        ("::set-output name=x::y", "set-output"),
        ("a ##[add-mask]x", "add-mask"),
        ("a\r \u{feff}:\u{200b}:error::x", "error"),
        ("a\n\u{a0}::stop-commands::x\n::x::\n::debug::b", "debug"),
    ] {
        let read = read(text, Stops::Heeded);
        assert_eq!(read.len(), 1, "{text:?}");
        assert_eq!(read[0].name, name, "{text:?}");
    }
    assert_eq!(read("::stop-commands::x\n::error::y\n::y::\n", Stops::Heeded), []);
}
