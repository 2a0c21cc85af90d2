//! The phases of a start, with the time that each has taken. Pure.

use std::time::{Duration, Instant, SystemTime};

use super::lifecycle::{Kind, State};
use crate::state::{PhaseRecord, StartRecord};
use crate::status::{self, StartState};

/// RunTask is under way: only a start with this phase is one of those that starts are measured by.
const ASKING: &str = "asking for a task";
/// The same of an instance.
const STARTING: &str = "starting the instance";
/// The same of a service.
const RAISING: &str = "raising the service's count";

/// The phase of a start that `state` is in, if it is one of a start.
pub fn phase(state: &State, kind: Kind) -> Option<&'static str> {
    match (state, kind) {
        (State::Finding, Kind::Instance) => return Some("looking for the instance"),
        (State::Finding, Kind::Service) => return Some("looking at the service"),
        (State::Launching, Kind::Service) => return Some(RAISING),
        (State::Finding, Kind::Node) => return Some("looking for the node"),
        (State::Launching, Kind::Instance | Kind::Node) => return Some(STARTING),
        _ => {}
    }
    match state {
        State::Finding => Some("looking for a task"),
        State::Launching => Some(ASKING),
        State::Coming(coming) => Some(coming.detail),
        State::Probing(_) => Some("waiting for agent"),
        State::Stopped
        | State::Ready(_)
        | State::Resting(..)
        | State::Leaving(..)
        | State::Cooling(..) => None,
    }
}

/// The latest start of a bastion.
#[derive(Debug, Clone, Default)]
pub struct Phases {
    begun: Vec<(&'static str, Instant)>,
    ended: Option<(StartState, Instant)>,
}

impl Phases {
    /// The bastion is in `state`; the record of a start that is over with this, if it ran a task.
    pub fn note(
        &mut self,
        state: &State,
        kind: Kind,
        bastion: &str,
        now: Instant,
    ) -> Option<StartRecord> {
        let is_under_way = !self.begun.is_empty() && self.ended.is_none();
        match phase(state, kind) {
            Some(phase) if is_under_way => {
                if self.begun.last().is_none_or(|(last, _)| *last != phase) {
                    self.begun.push((phase, now));
                }
                None
            }
            Some(phase) => {
                *self = Self {
                    begun: vec![(phase, now)],
                    ended: None,
                };
                None
            }
            None if is_under_way => self.end(state, bastion, now),
            None => None,
        }
    }

    fn end(&mut self, state: &State, bastion: &str, now: Instant) -> Option<StartRecord> {
        let outcome = match state {
            State::Ready(_) => StartState::Ready,
            State::Cooling(..) => StartState::Failed,
            State::Stopped | State::Resting(..) | State::Leaving(..) => StartState::Abandoned,
            State::Finding | State::Launching | State::Coming(_) | State::Probing(_) => {
                return None;
            }
        };
        self.ended = Some((outcome, now));
        let is_launch = |phase: &str| [ASKING, STARTING, RAISING].contains(&phase);
        let ran_a_task = self.begun.iter().any(|(phase, _)| is_launch(phase));
        (outcome == StartState::Ready && ran_a_task).then(|| StartRecord {
            bastion: bastion.to_owned(),
            at: SystemTime::now().into(),
            phases: self.records(now),
        })
    }

    /// For how long the phase at hand has lasted.
    pub fn current(&self, now: Instant) -> Option<Duration> {
        let (_, since) = self.begun.last().filter(|_| self.ended.is_none())?;
        Some(now.saturating_duration_since(*since))
    }

    /// As the status shows it.
    pub fn status(&self, now: Instant) -> Option<status::Start> {
        if self.begun.is_empty() {
            return None;
        }
        let (state, until) = self.ended.unwrap_or((StartState::UnderWay, now));
        let phases = self.records(until).into_iter();
        let phases: Vec<_> = phases
            .map(|PhaseRecord { name, ms }| status::Phase { name, ms })
            .collect();
        Some(status::Start {
            state,
            ms: phases.iter().map(|phase| phase.ms).sum(),
            phases,
        })
    }

    /// A phase that came back, as when a task was replaced, counts as one.
    fn records(&self, until: Instant) -> Vec<PhaseRecord> {
        let ends = self.begun.iter().skip(1).map(|(_, since)| *since);
        let ends = ends.chain([until]);
        let mut records: Vec<PhaseRecord> = Vec::new();
        for ((name, since), end) in self.begun.iter().zip(ends) {
            let ms = end.saturating_duration_since(*since).as_millis() as u64;
            match records.iter_mut().find(|record| record.name == *name) {
                Some(record) => record.ms += ms,
                None => records.push(PhaseRecord {
                    name: (*name).to_owned(),
                    ms,
                }),
            }
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bastion::lifecycle::{Coming, Held};
    use crate::status::Reason;

    fn coming(detail: &'static str, now: Instant) -> State {
        State::Coming(Coming::seen("arn:1".into(), detail, now))
    }

    fn ready(now: Instant) -> State {
        State::Ready(Held::seen("arn:1".into(), "ecs:a_b_c".into(), now))
    }

    fn run(steps: &[(u64, State)]) -> (Phases, Option<StartRecord>) {
        let (mut phases, mut record) = (Phases::default(), None);
        let begin = Instant::now();
        for (seconds, state) in steps {
            let at = begin + Duration::from_secs(*seconds);
            record = phases.note(state, Kind::Task, "dev", at).or(record);
        }
        (phases, record)
    }

    #[test]
    fn each_phase_has_its_time_and_the_whole_is_their_sum() {
        let now = Instant::now();
        let (phases, record) = run(&[
            (0, State::Stopped),
            (1, State::Finding),
            (2, State::Launching),
            (3, coming("provisioning network", now)),
            (8, coming("provisioning network", now)),
            (10, coming("pulling image", now)),
            (15, ready(now)),
            (60, ready(now)),
        ]);
        let told = phases.status(now + Duration::from_secs(999)).unwrap();
        let pairs: Vec<_> = told
            .phases
            .iter()
            .map(|it| (it.name.as_str(), it.ms))
            .collect();
        assert_eq!(
            pairs,
            [
                ("looking for a task", 1000),
                ("asking for a task", 1000),
                ("provisioning network", 7000),
                ("pulling image", 5000)
            ]
        );
        assert_eq!((told.ms, told.state), (14_000, StartState::Ready));
        assert_eq!(record.unwrap().phases.len(), 4);
    }

    #[test]
    fn while_a_phase_lasts_its_seconds_grow() {
        let begin = Instant::now();
        let mut phases = Phases::default();
        phases.note(&coming("pulling image", begin), Kind::Task, "dev", begin);
        for seconds in [1, 5] {
            let now = begin + Duration::from_secs(seconds);
            assert_eq!(phases.current(now), Some(Duration::from_secs(seconds)));
            let told = phases.status(now).unwrap();
            assert_eq!(
                (told.ms, told.state),
                (seconds * 1000, StartState::UnderWay)
            );
        }
    }

    #[test]
    fn only_a_start_that_ran_a_task_and_came_to_its_end_is_on_record() {
        let now = Instant::now();
        let (_, found) = run(&[(0, State::Finding), (1, ready(now))]);
        assert_eq!(found, None, "it ran already");
        let failed = State::Cooling(now, Reason::new("no_capacity", "none"));
        let (phases, record) = run(&[(0, State::Finding), (1, State::Launching), (2, failed)]);
        assert_eq!(record, None);
        assert_eq!(phases.status(now).unwrap().state, StartState::Failed);
    }

    #[test]
    fn the_next_start_begins_anew() {
        let now = Instant::now();
        let (phases, _) = run(&[
            (0, State::Launching),
            (9, ready(now)),
            (20, State::Finding),
            (21, ready(now)),
        ]);
        assert_eq!(phases.status(now).unwrap().ms, 1000);
    }
}
