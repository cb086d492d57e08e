//! The life of a queue over a moving clock.

use super::world::{EMPTY, World, visible};

#[test]
fn a_queue_lives_from_the_first_finding_to_the_last() {
    let world = World::new();
    world.user("alice", 200);
    world.user("bob", 150);

    let first = world.day(0, EMPTY);
    assert_eq!(first.code, 0, "{}", first.log);
    assert_eq!(first.acts(), ["POST labels", "POST issues"]);
    assert_eq!((first.output("new-count"), first.output("stale-count")), ("2", "2"));

    let next = world.day(1, EMPTY);
    assert_eq!(next.acts(), [""; 0], "{}", next.log);
    assert_eq!((next.code, next.output("new-count"), next.output("stale-count")), (0, "0", "2"));

    let before = world.index().body;
    let later = world.day(9, EMPTY);
    assert_eq!(later.acts(), ["PATCH issues/1"], "{}", later.log);
    let body = world.index().body;
    let checked = |day| format!("Last checked: {}", world.date(day));
    assert_eq!(visible(&body).replace(&checked(9), &checked(0)), visible(&before));

    world.user("carol", 300);
    let one_more = world.day(10, EMPTY);
    assert_eq!(one_more.acts(), ["POST issues/1/comments", "PATCH issues/1"]);
    assert!(world.repo.comments(1)[0].body.contains("`carol`"));
}
