//! Counts the seconds of a task's life.

use std::time::{Duration, SystemTime};

use crate::status::Size;

/// Seconds are put down so often while a task goes on.
const PUT_DOWN: Duration = Duration::from_secs(60);
/// AWS bills no task for less.
const LEAST: Duration = Duration::from_secs(60);

/// A task, as far as counting is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Its ARN.
    pub arn: String,
    /// What it costs by; unknown while AWS does not tell.
    pub size: Option<Size>,
    /// When its image began to be downloaded, which is when it begins to cost.
    pub began: Option<SystemTime>,
}

/// A piece of a task's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The task.
    pub arn: String,
    /// What it costs by.
    pub size: Size,
    /// From when on.
    pub from: SystemTime,
    /// Until when.
    pub until: SystemTime,
}

/// Counts one task after another.
#[derive(Debug)]
pub struct Meter {
    /// Nothing of earlier is counted: others, or an earlier run, have counted it.
    since: SystemTime,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    arn: String,
    size: Size,
    began: SystemTime,
    counted: SystemTime,
}

impl Meter {
    /// Counts from `since` on.
    pub fn new(since: SystemTime) -> Self {
        Self { since, open: None }
    }

    /// The task was seen alive at `now`; `counted` is until when an earlier run has counted it.
    pub fn seen(
        &mut self,
        task: &Metered,
        counted: Option<SystemTime>,
        now: SystemTime,
    ) -> Option<Usage> {
        let (Some(size), Some(began)) = (task.size, task.began) else {
            return None;
        };
        if self.open.as_ref().is_none_or(|open| open.arn != task.arn) {
            let began = counted.unwrap_or(began.max(self.since)).min(now);
            self.open = Some(Open {
                arn: task.arn.clone(),
                size,
                began,
                counted: began,
            });
        }
        let open = self.open.as_mut()?;
        let due = now.duration_since(open.counted).unwrap_or_default() >= PUT_DOWN;
        due.then(|| open.count(now))
    }

    /// The task is over, or nobody's business any more.
    pub fn ended(&mut self, arn: &str, now: SystemTime) -> Option<Usage> {
        let mut open = self.open.take_if(|open| open.arn == arn)?;
        let until = now.max(open.began + LEAST);
        (until > open.counted).then(|| open.count(until))
    }
}

impl Open {
    fn count(&mut self, until: SystemTime) -> Usage {
        let from = std::mem::replace(&mut self.counted, until);
        Usage {
            arn: self.arn.clone(),
            size: self.size,
            from,
            until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Architecture;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn task(arn: &str, began: u64) -> Metered {
        Metered {
            arn: arn.into(),
            size: Some(Size {
                cpu: 256,
                memory: 512,
                architecture: Architecture::X86_64,
                spot: false,
            }),
            began: Some(at(began)),
        }
    }

    fn counted(usages: impl IntoIterator<Item = Option<Usage>>) -> u64 {
        let seconds = |usage: Usage| usage.until.duration_since(usage.from).unwrap().as_secs();
        usages.into_iter().flatten().map(seconds).sum()
    }

    #[test]
    fn every_second_from_the_download_to_the_end_is_counted_once() {
        let mut meter = Meter::new(at(0));
        let task = task("arn:1", 100);
        let mut all = Vec::new();
        for now in [110, 130, 165, 170, 290, 300] {
            all.push(meter.seen(&task, None, at(now)));
        }
        assert!(all.iter().flatten().count() < 4, "not at every look");
        all.push(meter.ended("arn:1", at(333)));
        all.push(meter.ended("arn:1", at(400)));
        assert_eq!(counted(all), 233);
    }

    #[test]
    fn a_minute_is_the_least() {
        let mut meter = Meter::new(at(0));
        let first = meter.seen(&task("arn:1", 100), None, at(101));
        assert_eq!(counted([first, meter.ended("arn:1", at(103))]), 60);
    }

    #[test]
    fn what_an_earlier_run_or_somebody_else_had_is_not_counted_again() {
        let mut meter = Meter::new(at(500));
        meter.seen(&task("arn:1", 100), None, at(510));
        assert_eq!(counted([meter.ended("arn:1", at(700))]), 200);
        meter.seen(&task("arn:2", 100), Some(at(450)), at(800));
        assert_eq!(counted([meter.ended("arn:2", at(900))]), 100);
    }

    #[test]
    fn a_task_that_costs_nothing_yet_is_not_counted() {
        let mut meter = Meter::new(at(0));
        let waiting = Metered {
            began: None,
            ..task("arn:1", 0)
        };
        assert_eq!(meter.seen(&waiting, None, at(300)), None);
        assert_eq!(meter.ended("arn:1", at(400)), None);
    }
}
