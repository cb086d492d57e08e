//! Runs in the midst of which something happens: the stand-in holds one of their calls until it
//! has.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;
use stand_ins::sandbox::Ran;

/// Runs `remediate` on a day, and lets something happen while the answer of a call is being held:
/// the call has been carried out by then. From there on these faults are at work.
pub(crate) fn ran_meanwhile(
    world: &World,
    (day, arguments): (f64, &[&str]),
    (action, nth): (&str, usize),
    happens: impl FnOnce(),
    then: Value,
) -> Ran {
    world.account.faults(json!({"hold": {"action": action, "nth": nth, "when": "after"}}));
    let mut command = world.command(day, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_until_held(world, &mut child);
    happens();
    // The client makes the call again, since its connection is reset.
    world.account.faults(then);
    Ran::from(child.wait_with_output().unwrap())
}

/// Waits until the stand-in holds a call; whoever ends before makes the test fail.
fn wait_until_held(world: &World, child: &mut Child) {
    while !world.account.held() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the call");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The events of the journal, each as `begin deactivate ci-deploy` or `done`.
pub(crate) fn events(journal: &[Value]) -> Vec<String> {
    let event = |line: &Value| {
        let words = ["event", "step", "user"].iter().filter_map(|it| line[*it].as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    journal.iter().map(event).collect()
}
