//! What a run amounts to.

use std::{collections::BTreeMap, fmt};

use crate::{books::Usage, client::Fate, journal};

/// Rounds until the process has what it keeps for good.
const WARM_UP: usize = 3;
/// What the process may have grown by at the end of a run, in bytes: the allocator's own unrest.
const TOLERANCE: usize = 48 << 20;

/// Counts over all rounds.
#[derive(Default)]
pub struct Summary {
    pub faults: BTreeMap<String, u64>,
    pub fates: BTreeMap<&'static str, u64>,
    /// Connections cut, by the reason that was given.
    pub reasons: BTreeMap<String, u64>,
    /// Bytes taken from clients and given to them.
    pub bytes: (u64, u64),
    pub sessions: u64,
    pub resumes: u64,
    pub tasks: u64,
    most: Usage,
    memory: Vec<usize>,
}

impl Summary {
    pub fn fate(&mut self, fate: &Fate) {
        let name = match fate {
            Fate::Whole => "whole",
            Fate::Cut => "cut",
            Fate::Left => "left",
            Fate::Refused => "nobody listened",
            Fate::Wrong(_) => "wrong",
        };
        *self.fates.entry(name).or_default() += 1;
    }

    /// At the end of a round.
    pub fn used(&mut self, usage: Usage) {
        self.memory.push(usage.memory);
        self.during(usage);
    }

    /// In the middle of one.
    pub fn during(&mut self, usage: Usage) {
        self.most.descriptors = self.most.descriptors.max(usage.descriptors);
        self.most.memory = self.most.memory.max(usage.memory);
    }

    /// The least of the last rounds is not far above the least of the first.
    pub fn memory_came_back(&self, seed: u64) {
        let least = |rounds: &[usize]| rounds.iter().min().copied().unwrap_or_default();
        let first = least(&self.memory[..self.memory.len().min(WARM_UP)]);
        let last = least(&self.memory[self.memory.len().saturating_sub(WARM_UP)..]);
        assert!(
            last <= first + TOLERANCE,
            "memory grew from {first} to {last} bytes; seed {seed}\n{}",
            journal::tail()
        );
    }

    /// For a line a minute.
    pub fn line(&self) -> String {
        let faults: u64 = self.faults.values().sum();
        format!(
            "{faults} faults  {:?}  {} MB up  {} MB down  {} sessions  {} resumes  {} tasks  most: {} MB, {} descriptors",
            self.fates,
            self.bytes.0 >> 20,
            self.bytes.1 >> 20,
            self.sessions,
            self.resumes,
            self.tasks,
            self.most.memory >> 20,
            self.most.descriptors
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.line())?;
        let table = |f: &mut fmt::Formatter<'_>, title: &str, rows: &BTreeMap<String, u64>| {
            writeln!(f, "{title}")?;
            rows.iter()
                .try_for_each(|(name, count)| writeln!(f, "{count:>8}  {name}"))
        };
        table(f, "faults", &self.faults)?;
        table(f, "connections cut, by the daemon's reason", &self.reasons)?;
        let memory: Vec<usize> = self.memory.iter().map(|bytes| bytes >> 20).collect();
        writeln!(f, "memory after each round, MB: {memory:?}")
    }
}
