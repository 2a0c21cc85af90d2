//! A client and an agent over a line that loses, repeats, delays, reorders and cuts, in virtual time.

use super::solo::millis;
use crate::proto::{AgentProfile, Event, Notice, Options, Session, StreamId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

/// What the line does to a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) repeat: f64,
    pub(super) delay: Duration,
    /// On top of the delay, at random: frames overtake each other.
    pub(super) jitter: Duration,
}

impl Weather {
    pub(super) const FINE: Self = Self {
        loss: 0.0,
        repeat: 0.0,
        delay: millis_const(10),
        jitter: Duration::ZERO,
    };
}

const fn millis_const(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Side {
    Client,
    Agent,
}

/// What one side's streams have received.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) bytes: BTreeMap<StreamId, Vec<u8>>,
    pub(super) finished: Vec<StreamId>,
    pub(super) opened: Vec<StreamId>,
    pub(super) others: Vec<Event>,
}

pub(super) struct Pair {
    pub(super) client: Session,
    pub(super) agent: Session,
    pub(super) now: Instant,
    pub(super) weather: Weather,
    pub(super) at_client: Inbox,
    pub(super) at_agent: Inbox,
    /// Leaves what the agent receives unread.
    pub(super) hoard: bool,
    /// Frames sent so far, both ways.
    pub(super) frames: usize,
    /// The frames at which to cut the link.
    pub(super) cuts: Vec<usize>,
    /// How long the link stays away after a cut.
    pub(super) outage: Duration,
    start: Instant,
    rng: fastrand::Rng,
    line: BTreeMap<(Instant, usize), (Side, Bytes)>,
    down_until: Option<Instant>,
}

impl Pair {
    pub(super) fn new(seed: u64, profile: AgentProfile, change: impl FnOnce(&mut Options)) -> Self {
        let (now, wall) = (
            Instant::now(),
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        );
        let mut options = Options::client(seed, wall);
        change(&mut options);
        let agent = Options {
            payload: options.payload,
            ..Options::agent(seed + 1, wall, profile)
        };
        let mut pair = Self {
            client: Session::new(options, now),
            agent: Session::new(agent, now),
            now,
            weather: Weather::FINE,
            at_client: Inbox::default(),
            at_agent: Inbox::default(),
            hoard: false,
            frames: 0,
            cuts: Vec::new(),
            outage: millis(5),
            start: now,
            rng: fastrand::Rng::with_seed(seed),
            line: BTreeMap::new(),
            down_until: None,
        };
        pair.connect();
        pair
    }

    /// How much virtual time has passed.
    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs until `done`, and says whether it was within `limit`. Between steps, `act` plays the two applications.
    pub(super) fn run(
        &mut self,
        limit: Duration,
        mut act: impl FnMut(&mut Self),
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        let end = self.now + limit;
        loop {
            self.take_events();
            act(self);
            while self.transmit() {
                act(self);
            }
            if done(self) {
                return true;
            }
            match self.next_time() {
                Some(at) if at <= end => self.step(at.max(self.now)),
                _ => {
                    self.now = end;
                    return done(self);
                }
            }
        }
    }

    /// Runs for a time without applications.
    pub(super) fn pass(&mut self, time: Duration) {
        self.run(time, |_| {}, |_| false);
    }

    /// Loses the link and what is on it.
    pub(super) fn cut(&mut self) {
        self.line.clear();
        self.client.handle_disconnected(self.now);
        self.agent.handle_disconnected(self.now);
        self.down_until = Some(self.now + self.outage);
    }

    /// The service asks the agent to pause.
    pub(super) fn pause_agent(&mut self) {
        let frame = self.client.notice(Notice::Pause, self.now);
        self.agent.handle_input(frame, self.now).expect("a pause");
    }

    fn connect(&mut self) {
        self.down_until = None;
        self.client.handle_connected(self.now);
        self.agent.handle_connected(self.now);
    }

    fn step(&mut self, at: Instant) {
        self.now = at;
        if self.down_until.is_some_and(|until| until <= at) {
            self.connect();
        }
        while let Some(entry) = self.line.first_entry().filter(|entry| entry.key().0 <= at) {
            let (to, frame) = entry.remove();
            let session = if to == Side::Client {
                &mut self.client
            } else {
                &mut self.agent
            };
            // A frame may come too early, or before the port is ready: then it comes again.
            let _ = session.handle_input(frame, at);
        }
        for session in [&mut self.client, &mut self.agent] {
            if session.poll_timeout().is_some_and(|timeout| timeout <= at) {
                session.handle_timeout(at);
                assert!(
                    session.poll_timeout().is_none_or(|timeout| timeout > at),
                    "{:?}",
                    session.next_timer()
                );
            }
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let line = self.line.first_key_value().map(|(&(at, _), _)| at);
        [
            line,
            self.down_until,
            self.client.poll_timeout(),
            self.agent.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Puts all that can be sent on the line; false if that was nothing.
    fn transmit(&mut self) -> bool {
        let before = self.frames;
        loop {
            let from_client = self
                .client
                .poll_transmit(self.now)
                .map(|frame| (Side::Agent, frame));
            let frame =
                from_client.or_else(|| Some((Side::Client, self.agent.poll_transmit(self.now)?)));
            let Some((to, frame)) = frame else {
                return self.frames > before;
            };
            self.frames += 1;
            if self.cuts.contains(&self.frames) {
                self.cut();
                return false;
            }
            if self.rng.f64() >= self.weather.loss {
                self.carry(to, frame.clone());
            }
            if self.rng.f64() < self.weather.repeat {
                self.carry(to, frame);
            }
        }
    }

    fn carry(&mut self, to: Side, frame: Bytes) {
        let at = self.now + self.weather.delay + self.weather.jitter.mul_f64(self.rng.f64());
        let unique = self.line.len() + self.frames * 4096;
        self.line.insert((at, unique), (to, frame));
    }

    fn take_events(&mut self) {
        let sides = [
            (&mut self.client, &mut self.at_client, false),
            (&mut self.agent, &mut self.at_agent, self.hoard),
        ];
        for (session, inbox, hoard) in sides {
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Opened(id) => inbox.opened.push(id),
                    Event::Finished(id) => inbox.finished.push(id),
                    Event::Readable(_) if hoard => {}
                    Event::Readable(id) => {
                        let bytes = inbox.bytes.entry(id).or_default();
                        std::iter::from_fn(|| session.read(id))
                            .for_each(|data| bytes.extend_from_slice(&data));
                    }
                    other => inbox.others.push(other),
                }
            }
        }
    }
}
