//! What the plan page, the log, and the undo show each day, for credentials of every kind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::world::World;

/// A user with one old credential of each kind.
fn world(allowlist: &str) -> World {
    World::new(
        allowlist,
        json!([{
            "name": "robot", "created": 400, "tags": {"owner": "team-platform"},
            "password": {"changed": 300, "last_used": 200},
            "keys": [{"created": 300, "last_used": 200}],
            "ssh_keys": [{"created": 300}],
            "service_credentials": [{"created": 300}],
            "certificates": [{"created": 300}],
        }]),
    )
}

/// The pages of several days, without what differs between two runs of the test.
struct Days<'a> {
    world: &'a World,
    /// The last four characters of each credential's id, with its kind.
    endings: BTreeMap<String, &'static str>,
    pages: String,
}

impl<'a> Days<'a> {
    fn new(world: &'a World) -> Self {
        let user = world.user("robot");
        let kinds = [
            ("keys", "KEY1"),
            ("ssh_keys", "SSH1"),
            ("service_credentials", "SVC1"),
            ("certificates", "CRT1"),
        ];
        let endings = kinds.into_iter().map(|(kind, shown)| {
            let id = user[kind][0]["id"].as_str().unwrap();
            (id[id.len() - 4..].to_owned(), shown)
        });
        Self { world, endings: endings.collect(), pages: String::new() }
    }

    fn add(&mut self, title: &str, page: &str) {
        let mut page = page.replace(self.world.account.id(), "111122223333");
        for (ending, shown) in &self.endings {
            page = page.replace(&format!("…{ending}"), &format!("…{shown}"));
            page = page.replace(&format!("…`{ending}`"), &format!("…`{shown}`"));
        }
        for day in -401..=60 {
            let at = self.world.at(f64::from(day));
            page =
                page.replace(&at.format("%Y-%m-%d %H:%M UTC").to_string(), &format!("<day {day}>"));
            page = page.replace(&at.date_naive().to_string(), &format!("<day {day}>"));
        }
        let is_hex = |word: &str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        let digests: Vec<String> = page
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| is_hex(word))
            .map(str::to_owned)
            .collect();
        for digest in digests {
            page = page.replace(&digest, "DIGEST");
        }
        writeln!(self.pages, "======== {title}\n\n{}", page.trim_end()).unwrap();
    }

    /// Plans and applies.
    fn run(&mut self, day: i32) {
        let planned = self.world.run(day.into(), &["--output", "plan.md"]);
        assert_eq!(planned.code, 0, "{}", planned.stderr);
        let page = self.world.sandbox.read("plan.md");
        self.add(&format!("day {day}: the plan page"), &page);
        let applied = self.world.apply(day.into());
        self.add(&format!("day {day}: the log of the run that applies it"), &applied.stdout);
    }

    /// Undoes after the journal is lost, from the tags.
    fn undo(&mut self, day: i32) {
        std::fs::remove_file(self.world.sandbox.path("iam-stocktake-journal.jsonl")).unwrap();
        let flags = ["--undo", "--user", "robot"];
        let shown = self.world.run(day.into(), &flags);
        self.add(&format!("day {day}: what an undo would do"), &shown.stdout);
        let undone = self.world.run(day.into(), &[&flags[..], &["--apply"]].concat());
        assert_eq!(undone.code, 0, "{}", undone.stderr);
        self.add(&format!("day {day}: the undo"), &undone.stdout);
    }
}

#[test]
fn default_settings() {
    let world = world("version: 1\nremediation: { owners: ['*'] }\n");
    let mut days = Days::new(&world);
    for day in [0, 7, 14, 15] {
        days.run(day);
    }
    days.undo(16);
    days.run(17);
    insta::assert_snapshot!("default_settings", days.pages);
}

#[test]
fn every_kind_with_deletion() {
    let rules = "[stale-password, stale-access-key, old-service-credential, inactive-access-key]";
    let allowlist = format!(
        "version: 1\nremediation:\n  owners: ['*']\n  delete_after_days: 30\n  \
         delete_passwords: true\n  rules: {rules}\n"
    );
    let deleted = world(&allowlist);
    let mut days = Days::new(&deleted);
    for day in [0, 14, 27, 40, 44] {
        days.run(day);
    }
    let shown = deleted.run(45.0, &["--undo"]);
    days.add("day 45: what an undo would do", &shown.stdout);
    insta::assert_snapshot!("every_kind_with_deletion", days.pages);

    let undone = world(&allowlist);
    let mut days = Days::new(&undone);
    undone.apply(0.0);
    undone.apply(14.0);
    days.undo(15);
    days.run(16);
    insta::assert_snapshot!("every_kind_with_undo", days.pages);
}
