//! Tells of what changes: looks at each part whenever it has published something, and says what is another.
//!
//! What comes and goes between two looks is not told: events are the status, over time.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::events::{Change, Events};
use crate::status::{Problem, TunnelState};
use crate::{bastion, tunnel};

/// How often a tunnel is looked at that comes out of its state by time alone.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Tell of a tunnel, from when its addresses were tried until it has ended.
pub async fn tunnel(mut tunnel: tunnel::Handle, events: Events) {
    tunnel.listening().await;
    let mut known = None;
    loop {
        let now = tunnel.status(Instant::now());
        for change in Change::of_tunnel(known.as_ref(), &now) {
            events.tell(change);
        }
        let state = known.insert(now).state;
        // An error that is old enough is not the state any more.
        let passes = matches!(state, TunnelState::Failed | TunnelState::NeedsLogin);
        let changed = match passes {
            true => timeout(LOOK_AGAIN, tunnel.changed()).await.unwrap_or(true),
            false => tunnel.changed().await,
        };
        if !changed {
            break;
        }
    }
    for change in known.iter().flat_map(Change::end_of_tunnel) {
        events.tell(change);
    }
}

/// Tell of a bastion, until it has ended.
pub async fn bastion(mut bastion: bastion::Handle, events: Events) {
    let mut known = None;
    loop {
        let now = bastion.status(Instant::now());
        if let Some(change) = Change::of_bastion(known.as_ref(), &now) {
            events.tell(change);
        }
        known = Some(now);
        if !bastion.changed().await {
            return;
        }
    }
}

/// Tell of credentials, from their first trouble on. `owner` is whose they are.
pub async fn credentials(aws: Aws, owner: String, events: Events, cancel: CancellationToken) {
    let telling = async {
        let mut known = None;
        loop {
            aws.credentials_changed(known.as_ref()).await;
            known = aws.credentials_error();
            let problem = known
                .clone()
                .map(|error| Problem::new(&owner, error.into(), SystemTime::now(), Duration::ZERO));
            events.tell(Change::of_credentials(&owner, problem.as_ref()));
        }
    };
    tokio::select! {
        () = telling => {}
        () = cancel.cancelled() => {}
    }
}
