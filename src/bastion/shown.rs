//! A bastion's view, translated into the status.

use std::time::SystemTime;

use tokio::time::Instant;

use super::lifecycle::{Farewell, Held, Kind, State};
use super::service::is_service;
use super::{View, phases};
use crate::status::{self, BastionKind, BastionState, Problem};

/// What a start is waiting for, in words.
pub fn phase(state: &State, kind: Kind) -> String {
    let word = kind.word();
    match state {
        State::Stopped if kind == Kind::Task => "no task".to_owned(),
        State::Stopped => "not in use".to_owned(),
        State::Finding | State::Launching | State::Coming(_) | State::Probing(_) => {
            phases::phase(state, kind).unwrap_or_default().to_owned()
        }
        State::Ready(_) => "ready".to_owned(),
        State::Resting(..) => "resting".to_owned(),
        State::Leaving(
            _,
            Farewell::Counting | Farewell::CountingHopeless | Farewell::CountingWorn,
        ) => "counting sessions".to_owned(),
        State::Leaving(_, Farewell::Stopping | Farewell::StoppingHopeless) => match kind {
            Kind::Service => "lowering the service's count".to_owned(),
            _ => format!("stopping the {word}"),
        },
        State::Cooling(_, reason) => reason.message.clone(),
    }
}

/// The bastion as `GET /v1/status` shows it.
pub fn status(view: &View, now: Instant) -> status::Bastion {
    let stops_in = match &view.state {
        State::Resting(_, until) => Some(Instant::from_std(*until).saturating_duration_since(now)),
        _ => None,
    };
    status::Bastion {
        name: view.name.clone(),
        kind: match view.kind {
            Kind::Task => BastionKind::Task,
            Kind::Service => BastionKind::Service,
            Kind::Instance => BastionKind::Instance,
            Kind::Node => BastionKind::Node,
        },
        state: state(&view.state),
        state_seconds: now.saturating_duration_since(view.since).as_secs(),
        detail: Some(phase(&view.state, view.kind)),
        task: task(view),
        network: view.network.clone(),
        service: view.service.clone(),
        leases: view.leases,
        stops_in_seconds: stops_in.map(|left| left.as_secs()),
        start: view.phases.status(now.into_std()),
        usual_start: None,
        kept_seconds: None,
        aws: None,
        last_error: view.last_error.as_ref().map(|(reason, at)| {
            let ago = now.saturating_duration_since(*at);
            Problem::new(
                format!("bastion {}", view.name),
                reason.clone(),
                SystemTime::now(),
                ago,
            )
        }),
    }
}

fn state(state: &State) -> BastionState {
    match state {
        State::Stopped => BastionState::Stopped,
        State::Finding | State::Launching | State::Coming(_) | State::Probing(_) => {
            BastionState::Starting
        }
        State::Ready(_) => BastionState::Ready,
        State::Resting(..) => BastionState::Resting,
        State::Leaving(..) => BastionState::Stopping,
        State::Cooling(..) => BastionState::Failed,
    }
}

fn task(view: &View) -> Option<status::Task> {
    let (arn, target) = match &view.state {
        State::Coming(coming) => (&coming.arn, None),
        State::Probing(probing) => shown(&probing.held),
        State::Ready(held) | State::Resting(held, _) | State::Leaving(held, _) => shown(held),
        State::Stopped | State::Finding | State::Launching | State::Cooling(..) => return None,
    };
    if is_service(arn) {
        // It has no task yet.
        return None;
    }
    let seen = view.task.as_ref().filter(|seen| seen.arn == *arn);
    let created = seen.and_then(|seen| seen.created_at);
    let age = created.and_then(|at| SystemTime::now().duration_since(at).ok());
    Some(status::Task {
        id: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        arn: arn.clone(),
        last_status: seen
            .map(|seen| seen.last_status.clone())
            .unwrap_or_default(),
        started_at: seen.and_then(|seen| seen.started_at).map(status::timestamp),
        age_seconds: age.unwrap_or_default().as_secs(),
        target,
    })
}

fn shown(held: &Held) -> (&String, Option<String>) {
    (&held.arn, held.targets.first().cloned())
}
