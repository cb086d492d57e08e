//! Changes in the account during a run: the stand-in holds a call until the change is made.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;
use stand_ins::sandbox::Ran;

/// Runs `remediate` on the given day. While the response to a call is held, the call has been
/// carried out and `change` is called. Afterwards, the stand-in uses the faults `then`.
pub(crate) fn run_with_change(
    world: &World,
    (day, arguments): (f64, &[&str]),
    (action, nth): (&str, usize),
    change: impl FnOnce(),
    then: Value,
) -> Ran {
    world.account.faults(json!({"hold": {"action": action, "nth": nth, "when": "after"}}));
    let mut command = world.command(day, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_until_held(world, &mut child);
    change();
    // The connection is reset, so the client repeats the call.
    world.account.faults(then);
    Ran::from(child.wait_with_output().unwrap())
}

/// Waits until the stand-in holds a call. Panics if the run ends first.
fn wait_until_held(world: &World, child: &mut Child) {
    while !world.account.held() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the call");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The events in the journal, for example `begin deactivate ci-deploy` or `done`.
pub(crate) fn events(journal: &[Value]) -> Vec<String> {
    let event = |line: &Value| {
        let words = ["event", "step", "user"].iter().filter_map(|it| line[*it].as_str());
        words.collect::<Vec<_>>().join(" ")
    };
    journal.iter().map(event).collect()
}
