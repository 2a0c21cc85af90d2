//! How a start went.

use crate::status::{self, Phase, Reason, UsualStart};

/// How a start went that was made to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// It ran already.
    pub ran: bool,
    /// What each phase took, in their order.
    pub phases: Vec<Phase>,
    /// What it usually takes, where that is known.
    pub usual: Option<UsualStart>,
    /// Why it did not come to its end.
    pub failed: Option<Reason>,
}

/// The phases in which a task, or a machine in its place, is asked for.
pub const ASKING: [&str; 2] = ["asking for a task", "starting the instance"];

impl Start {
    /// One that was not necessary.
    pub fn ran() -> Self {
        Self {
            ran: true,
            phases: Vec::new(),
            usual: None,
            failed: None,
        }
    }

    /// One that did not even begin.
    pub fn failed(reason: Reason) -> Self {
        Self {
            ran: false,
            failed: Some(reason),
            ..Self::ran()
        }
    }

    /// The latest one of a bastion.
    pub fn of(
        bastion: &status::Bastion,
        usual: Option<UsualStart>,
        failed: Option<Reason>,
    ) -> Self {
        let phases = bastion
            .start
            .clone()
            .map(|it| it.phases)
            .unwrap_or_default();
        let asked = phases.iter().any(|it| ASKING.contains(&it.name.as_str()));
        Self {
            ran: !asked && failed.is_none(),
            phases,
            usual,
            failed,
        }
    }
}
