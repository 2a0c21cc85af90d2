//! A whole start in virtual time against the schedule that one bucket for a whole account allows: no call outside its
//! window, and none missing.

use super::*;

/// Seconds after RunTask at which the task runs, and at which its agent connects.
const RUNNING_AT: u64 = 130;
const CONNECTED_AT: u64 = 144;

/// Of each call, when it was made, in milliseconds after RunTask.
#[derive(Default)]
struct Calls {
    finds: Vec<u64>,
    looks: Vec<u64>,
    probes: Vec<u64>,
}

fn a_start() -> Calls {
    let mut world = World::new(settings());
    let mut calls = Calls::default();
    world.request();
    world.expect(&Action::Find, Outcome::Found(Ok(None)));
    world.expect(&Action::Launch, Outcome::Launched(Ok(coming("a"))));
    let launched = world.now;
    while !matches!(world.state(), State::Ready(_)) {
        let action = world.action();
        let at = world.now - launched;
        let ms = u64::try_from(at.as_millis()).expect("a start does not last for ever");
        let runs = at >= Duration::from_secs(RUNNING_AT);
        match action {
            Action::Find => {
                calls.finds.push(ms);
                world.answer(Outcome::Found(Ok(None)));
            }
            Action::Describe(_) => {
                calls.looks.push(ms);
                let seen = match runs {
                    true => up("a", Agent::Running),
                    false => coming("a"),
                };
                world.answer(Outcome::Described(Ok(Some(seen))));
            }
            Action::Probe(_) => {
                calls.probes.push(ms);
                world.answer(Outcome::Probed(Ok(at >= Duration::from_secs(CONNECTED_AT))));
            }
            other => panic!("not in a start: {other:?}"),
        }
    }
    calls
}

/// The gaps between calls that are made from `from` on and before `until`.
fn gaps(calls: &[u64], from: u64, until: u64) -> Vec<u64> {
    let within = |pair: &&[u64]| pair[0] >= from && pair[1] < until;
    let pairs = calls.windows(2).filter(within);
    pairs.map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn every_call_of_a_start_is_in_its_window_and_none_is_missing() {
    let Calls {
        finds,
        looks,
        probes,
    } = a_start();
    let [twin] = finds[..] else {
        panic!("a twin is looked for once: {finds:?}")
    };
    assert!((3000..=5000).contains(&twin), "{twin}");

    assert_eq!(looks[0], 5000, "nothing can be ready earlier");
    let running = looks.iter().find(|at| **at >= RUNNING_AT * 1000).copied();
    let running = running.expect("it was seen to run");
    for (from, until, least, most) in [
        (5000, 12_000, 1000, 1000),
        (12_000, 45_000, 560, 840),
        (45_000, 120_000, 2000, 2000),
        (120_000, running + 1, 5000, 5000),
    ] {
        let gaps = gaps(&looks, from, until);
        assert!(!gaps.is_empty(), "from {from}");
        for gap in gaps {
            assert!((least..=most).contains(&gap), "from {from}: {gap} ms");
        }
    }

    assert_eq!(probes[0], running, "the agent is asked for at once");
    let connected = *probes.last().expect("it connected");
    assert!((CONNECTED_AT * 1000..CONNECTED_AT * 1000 + 1000).contains(&connected));
    for (from, until, most) in [
        (running, running + 10_000, 500),
        (running + 10_000, connected + 1, 1000),
    ] {
        for gap in gaps(&probes, from, until) {
            assert_eq!(gap, most, "from {from}");
        }
    }
}
