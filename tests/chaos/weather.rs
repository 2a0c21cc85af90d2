//! What is wrong at the moment, and until when.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bastiond::sim::{Command, Cut, Dial, Faults, Handshake, World, Zombie};

use crate::trouble::Trouble;

/// See the module.
#[derive(Default)]
pub struct Weather {
    faults: Faults,
    /// Agents that died stay dead.
    zombies: HashMap<String, Zombie>,
    until: Vec<(Instant, Cure)>,
}

/// What ends something that lasts.
#[derive(Clone, Debug)]
enum Cure {
    Calls(&'static str),
    Short,
    Lossy,
    Dial,
    Handshake,
    Publication,
}

impl Weather {
    /// Makes it happen, unless it is something that only the test itself can do.
    pub fn make(&mut self, trouble: &Trouble, world: &World, rng: &mut fastrand::Rng) {
        let until = Instant::now() + Duration::from_millis(rng.u64(50..1500));
        let mut lasts = |cure| self.until.push((until, cure));
        match trouble.clone() {
            Trouble::Cut(cut) => world.cut_links(&cut),
            Trouble::Upgrades(times, status) => world.refuse_upgrades(times, status),
            Trouble::Call(operation, times, api) => {
                world.fail_next(operation, times, api.fault());
                // A call that hangs waits for nothing else.
                lasts(Cure::Calls(operation));
            }
            Trouble::Calls(operation, api) => {
                world.fail_always(operation, api.fault());
                lasts(Cure::Calls(operation));
            }
            Trouble::EndUnheard => {
                world.cut_links(&Cut::Drop);
                world.end_sessions(None);
            }
            Trouble::End(text) => world.end_sessions(text),
            Trouble::Stop(code, reason) => {
                for task in world.tasks() {
                    world.stop_task(&task.arn, code, reason);
                }
            }
            Trouble::Task(bad) => world.plan_next_task(bad.plan()),
            Trouble::Pause { client } => {
                publication(world, client, false);
                lasts(Cure::Publication);
            }
            Trouble::Short(after, cut) => {
                self.faults.cut_after = Some((after, cut));
                lasts(Cure::Short);
            }
            Trouble::Lossy(to_agent, to_client) => {
                (self.faults.to_agent, self.faults.to_client) = (to_agent, to_client);
                lasts(Cure::Lossy);
            }
            Trouble::Dial(dial) => {
                self.faults.dial = dial;
                lasts(Cure::Dial);
            }
            Trouble::Handshake(handshake) => {
                self.faults.handshake = handshake;
                lasts(Cure::Handshake);
            }
            Trouble::Zombie(zombie) => {
                let sessions = world.active_sessions();
                if let Some(session) = sessions.get(rng.usize(..sessions.len().max(1))) {
                    self.zombies.insert(session.id.clone(), zombie);
                }
            }
            Trouble::Skip(_) | Trouble::Down | Trouble::Up | Trouble::Restart | Trouble::Crash => {}
        }
        self.faults.seed = rng.u64(..);
        self.spread(world);
    }

    /// Ends what has lasted long enough; with `all`, everything that can be mended.
    pub fn clear(&mut self, world: &World, all: bool) {
        let now = Instant::now();
        let (over, lasting): (Vec<_>, Vec<_>) = self
            .until
            .drain(..)
            .partition(|(until, _)| all || *until <= now);
        self.until = lasting;
        if over.is_empty() && !all {
            return;
        }
        for (_, cure) in over {
            match cure {
                Cure::Calls(operation) => world.heal(operation),
                Cure::Short => self.faults.cut_after = None,
                Cure::Lossy => {
                    (self.faults.to_agent, self.faults.to_client) = Default::default();
                }
                Cure::Dial => self.faults.dial = Dial::Normal,
                Cure::Handshake => self.faults.handshake = Handshake::Normal,
                Cure::Publication => [true, false]
                    .into_iter()
                    .for_each(|client| publication(world, client, true)),
            }
        }
        if all {
            world.clear_surprises();
            // What acknowledges everything and does nothing cannot be told from a database with nothing to say: of
            // those that are in its hands already, only its end is heard.
            for (session, _) in self.zombies.drain() {
                world.command(
                    &session,
                    Command::End(Some("the agent has ended".to_owned())),
                );
            }
        }
        self.spread(world);
    }

    fn spread(&self, world: &World) {
        world.set_faults(self.faults.clone());
        for (session, zombie) in &self.zombies {
            let faults = Faults {
                zombie: *zombie,
                ..self.faults.clone()
            };
            world.set_faults_of(session, faults);
        }
    }
}

fn publication(world: &World, client: bool, start: bool) {
    for session in world.active_sessions() {
        let command = match client {
            true => Command::PauseClient { start },
            false => Command::PauseAgent { start },
        };
        world.command(&session.id, command);
    }
}
