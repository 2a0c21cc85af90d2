//! How long past starts took.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Contents, State};
use crate::status::{Quantiles, UsualPhase, UsualStart};

/// So many starts of a bastion are remembered: what AWS was like months ago tells nothing.
const MOST: usize = 50;
/// The phase that follows those of the task.
const CONNECTING: &str = "connecting";

/// A start that ran a task and came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// The bastion.
    pub bastion: String,
    /// When it was ready.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long each phase took.
    pub phases: Vec<PhaseRecord>,
}

/// How long a phase took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Its name.
    pub name: String,
    /// Milliseconds.
    pub ms: u64,
}

impl State {
    /// A bastion has been started.
    pub fn record_start(&self, start: StartRecord) {
        self.change(|contents| {
            let bastion = start.bastion.clone();
            contents.starts.push(start);
            let is_of_it = |known: &StartRecord| known.bastion == bastion;
            let count = contents.starts.iter().filter(|it| is_of_it(it)).count();
            let mut surplus = count.saturating_sub(MOST);
            contents.starts.retain(|known| {
                let goes = surplus > 0 && is_of_it(known);
                surplus -= usize::from(goes);
                !goes
            });
        });
    }

    /// The first session through a bastion that was just started took so long to connect.
    pub fn record_connecting(&self, bastion: &str, ms: u64) {
        let is_awaited = |start: &StartRecord| {
            start.bastion == bastion && start.phases.iter().all(|it| it.name != CONNECTING)
        };
        let latest = |contents: &Contents| {
            let mut starts = contents.starts.iter();
            let latest = starts.rposition(|start| start.bastion == bastion)?;
            Some(latest).filter(|index| is_awaited(&contents.starts[*index]))
        };
        let Some(index) = self.read(latest) else {
            return;
        };
        self.change(|contents| {
            contents.starts[index].phases.push(PhaseRecord {
                name: CONNECTING.to_owned(),
                ms,
            });
        });
    }

    /// How long a start of the bastion usually takes, if any is known.
    pub fn usual_start(&self, bastion: &str) -> Option<UsualStart> {
        self.read(|contents| usual(&contents.starts, bastion))
    }
}

fn usual(starts: &[StartRecord], bastion: &str) -> Option<UsualStart> {
    let starts: Vec<&StartRecord> = starts.iter().filter(|it| it.bastion == bastion).collect();
    let whole = |start: &&StartRecord| start.phases.iter().map(|phase| phase.ms).sum();
    let mut names: Vec<&str> = Vec::new();
    for phase in starts.iter().flat_map(|start| &start.phases) {
        if !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    let phases = names.into_iter().filter_map(|name| {
        let all = starts.iter().flat_map(|start| &start.phases);
        let times = all.filter(|phase| phase.name == name).map(|phase| phase.ms);
        Some(UsualPhase {
            name: name.to_owned(),
            quantiles: Quantiles::of(times.collect())?,
        })
    });
    Some(UsualStart {
        starts: starts.len(),
        whole: Quantiles::of(starts.iter().map(whole).collect())?,
        phases: phases.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new("/nowhere".into(), Contents::default()).0
    }

    fn start(bastion: &str, ms: u64) -> StartRecord {
        StartRecord {
            bastion: bastion.into(),
            at: OffsetDateTime::UNIX_EPOCH,
            phases: vec![PhaseRecord {
                name: "pulling image".into(),
                ms,
            }],
        }
    }

    #[test]
    fn the_usual_start_is_that_of_the_bastion_itself() {
        let state = state();
        assert_eq!(state.usual_start("dev"), None);
        for ms in [30, 10, 20] {
            state.record_start(start("dev", ms));
        }
        state.record_start(start("other", 999));
        let usual = state.usual_start("dev").unwrap();
        assert_eq!(
            (usual.starts, usual.whole.p50_ms, usual.whole.p95_ms),
            (3, 20, 30)
        );
        assert_eq!(usual.phases[0].quantiles, usual.whole);
    }

    #[test]
    fn only_the_latest_starts_of_each_are_kept() {
        let state = state();
        state.record_start(start("other", 1));
        (0..60).for_each(|ms| state.record_start(start("dev", ms)));
        let contents = state.contents();
        assert_eq!(contents.starts.len(), MOST + 1);
        assert_eq!(contents.starts[1], start("dev", 10));
    }

    #[test]
    fn connecting_belongs_to_the_first_session_after_a_start() {
        let state = state();
        state.record_connecting("dev", 5);
        assert_eq!(state.contents().starts, []);
        state.record_start(start("dev", 10));
        state.record_connecting("dev", 5);
        state.record_connecting("dev", 7);
        let usual = state.usual_start("dev").unwrap();
        assert_eq!(usual.whole.p50_ms, 15);
        assert_eq!(usual.phases[1].name, CONNECTING);
    }
}
