//! A queue of five thousand stale credentials.

use super::page::rendered;
use stand_ins::sandbox::report;
use stand_ins::world::{Run, World};

const MANY: usize = 5_000;
const ACCOUNT: &str = "111122223333";
/// The limits of an issue or comment, in characters and bytes.
const LONGEST: usize = 60_000;

/// An audit of so many users with one stale key each. The first has the longest disuse.
pub(crate) fn audit(world: &World, name: &str, users: usize, day: i64) {
    let dates: Vec<_> = (0..users).map(|user| world.moment(-700 + (user / 10) as i64)).collect();
    let names: Vec<_> = (0..users).map(|user| format!("user-{user:04}")).collect();
    let rows: Vec<_> =
        names.iter().zip(&dates).map(|(name, date)| (name.as_str(), "-", date.as_str())).collect();
    world.sandbox.file("report.csv", report(ACCOUNT, &rows));
    let moment = world.moment(day);
    let arguments = ["audit", "--credential-report", "report.csv", "--allowlist", "none"];
    let dated = ["--report-generated-at", &moment, "--now", &moment];
    let written = ["--output", name, "--fail-on", "none", "--quiet"];
    let ran = world.sandbox.run(&[&arguments[..], &dated, &written].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Publishes an audit, and asserts that nothing is too long.
pub(crate) fn publish(world: &World, name: &str, day: i64, mode: &str) -> Run {
    let run = world.publish(day, &[name, "--publish", mode]);
    for write in &run.writes {
        if let Some(body) = write.body["body"].as_str() {
            let (bytes, path) = (body.len(), &write.path);
            assert!(bytes <= LONGEST, "{} {path}: {bytes} bytes", write.method);
        }
    }
    run
}

/// The number of findings that the queue issue omits.
fn omitted_findings(body: &str) -> usize {
    let line = body.lines().find(|line| line.contains("not shown")).unwrap();
    let digits = |c: char| !c.is_ascii_digit();
    line.split(digits).find(|word| !word.is_empty()).unwrap().parse().unwrap()
}

#[test]
fn five_thousand_findings_are_stored_and_some_are_shown() {
    let world = World::new();
    audit(&world, "first.json", MANY, 0);
    let run = publish(&world, "first.json", 0, "issue");
    assert_eq!(run.code, 0, "{}", run.log);
    let body = world.queue_issue().body;
    let page = rendered(&body);
    assert_eq!(page.boxes.len() + omitted_findings(&body), MANY);
    assert!(page.boxes.len() > 100, "{}", page.boxes.len());
    // The longest disuse is not omitted.
    assert_eq!(page.boxes[0].1, "user-0000");
    let parts = world.repo.comments(1).len();
    assert!(parts > 1);

    audit(&world, "second.json", MANY, 1);
    let run = publish(&world, "second.json", 1, "issue");
    assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
    assert!(run.log.contains("5000 open, 0 new"), "{}", run.log);

    // One new finding: the state is written into comments that the first state does not use.
    audit(&world, "third.json", MANY + 1, 2);
    let run = publish(&world, "third.json", 2, "issue");
    assert!(run.log.contains("5001 open, 1 new"), "{}", run.log);
    let news =
        run.writes.iter().filter(|it| it.body["body"].as_str().unwrap().contains("user-5000"));
    assert_eq!(news.count(), 1);
    assert_eq!(world.repo.comments(1).len(), 2 * parts + 1);

    // After that, the two sets of comments alternate.
    audit(&world, "fourth.json", MANY + 2, 3);
    let run = publish(&world, "fourth.json", 3, "issue");
    assert!(run.log.contains("5002 open, 1 new"), "{}", run.log);
    let posts = run.acts().iter().filter(|act| act.starts_with("POST")).count();
    assert_eq!((posts, world.repo.comments(1).len()), (1, 2 * parts + 2), "{:?}", run.acts());

    assert_lost_part_is_damage(&world);
}

#[test]
fn every_kind_of_token_reads_its_state_in_comments() {
    let world = World::new();
    let tokens = [world.repo.token(), world.repo.app_token(), world.repo.personal_token()];
    let authors = ["github-actions[bot]", "acme-audit[bot]", "octocat"];
    for (position, token) in tokens.into_iter().enumerate() {
        let name = format!("queue-{position}");
        let publish = |day: i64, users: usize, token: &str, more: &[&str]| {
            audit(&world, "audit.json", users, day);
            let fixed = ["audit.json", "--publish", "issue", "--queue", &name];
            world.publish_by(token, day, &[&fixed[..], more].concat())
        };
        let run = publish(0, MANY, token, &[]);
        assert_eq!(run.code, 0, "{}", run.log);
        let issue = position as u64 + 1;
        let comments = world.repo.comments(issue);
        assert!(comments.len() > 1);
        assert!(comments.iter().all(|it| it.author == authors[position]), "{name}");
        let run = publish(1, MANY, token, &[]);
        assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
        // Another token continues if the author of the parts is trusted, and writes its own parts.
        let other = tokens[(position + 1) % 3];
        let run = publish(2, MANY + 1, other, &["--queue-author", authors[position]]);
        assert!(run.log.contains("5001 open, 1 new"), "{}", run.log);
        let run = publish(3, MANY + 1, other, &["--queue-author", authors[position]]);
        assert_eq!((run.code, run.acts()), (0, vec![]), "{}", run.log);
        assert_eq!(publish(3, MANY + 1, other, &[]).code, 3);
    }
}

/// Asserts that a state without one of its parts is damaged.
fn assert_lost_part_is_damage(world: &World) {
    audit(world, "fifth.json", MANY + 2, 4);
    let body = world.queue_issue().body;
    let (_, list) = body.split_once(" parts=").unwrap();
    let ids: Vec<u64> =
        list.split(' ').next().unwrap().split(',').map(|id| id.parse().unwrap()).collect();
    let part = world.repo.comments(1).into_iter().find(|it| it.id == ids[0]).unwrap();
    let person = world.repo.as_person();
    for prepare in [
        &(|| person.edit_comment(ids[0], &part.body.replacen('A', "B", 1))) as &dyn Fn(),
        &|| person.edit_comment(ids[0], "Resolved."),
        &|| person.delete_comment(ids[0]),
    ] {
        prepare();
        let run = publish(world, "fifth.json", 4, "issue");
        assert_eq!((run.code, run.acts()), (3, vec![]), "{}", run.log);
        assert!(run.log.contains("is damaged"), "{}", run.log);
    }
    assert_eq!(world.queue_issue().body, body);
}

#[test]
fn each_run_creates_at_most_twenty_user_issues() {
    let world = World::new();
    audit(&world, "first.json", MANY, 0);
    let made = |run: &Run| -> Vec<String> {
        let posts = run.writes.iter().filter(|it| it.method == "POST");
        let titles = posts.filter(|it| it.path.ends_with("/issues"));
        let titles = titles.map(|it| it.body["title"].as_str().unwrap().to_owned());
        titles.filter(|title| title.contains("user-")).collect()
    };
    let has = |titles: &[String], users: std::ops::Range<usize>| {
        let is_of = |(title, user): (&String, usize)| title.contains(&format!("user-{user:04}"));
        assert_eq!(titles.len(), users.len());
        assert!(titles.iter().zip(users).all(is_of), "{titles:?}");
    };
    let run = publish(&world, "first.json", 0, "issue-per-user");
    assert_eq!(run.code, 0, "{}", run.log);
    has(&made(&run), 0..20);
    audit(&world, "second.json", MANY, 1);
    let run = publish(&world, "second.json", 1, "issue-per-user");
    assert_eq!(run.code, 0, "{}", run.log);
    has(&made(&run), 20..40);
    assert!(
        world.queue_issue().body.contains("4960 users have no issue yet"),
        "{}",
        world.queue_issue().body
    );
    // Without comments, because none of the findings is new.
    for write in run.writes.iter().filter(|it| it.path.ends_with("/comments")) {
        let body = write.body["body"].as_str().unwrap();
        assert!(body.starts_with("<!-- iam-stocktake:queue-state-part"), "{body}");
    }
}
