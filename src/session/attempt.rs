//! An attempt to reach AWS: what its failure means, and when it is not worth waiting for any more.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::lifecycle::{Trouble, TroubleKind};
use crate::aws::{self, Kind};

/// What an attempt under way is given once the circumstances have changed, before it is made anew.
const STALE_AFTER: Duration = Duration::from_secs(2);

/// What a failed call means.
pub fn trouble(error: aws::Error) -> Trouble {
    let kind = match &error.kind {
        Kind::TargetNotConnected => TroubleKind::NotConnected,
        Kind::Throttled => TroubleKind::Throttled,
        Kind::Login(_) => TroubleKind::Login,
        _ if error.is_retryable() => TroubleKind::Transient,
        _ => TroubleKind::Final,
    };
    Trouble {
        kind,
        reason: error.into(),
    }
}

/// A session that exists is given up only when AWS says that it, and not the caller or the
/// connection, is the matter.
pub fn trouble_resuming(error: aws::Error) -> Trouble {
    let is_final = match &error.kind {
        Kind::Denied(_) => error.operation == "ResumeSession",
        Kind::Invalid | Kind::NotFound | Kind::Untrusted => true,
        _ => false,
    };
    match (is_final, trouble(error)) {
        (
            false,
            Trouble {
                reason,
                kind: TroubleKind::Final,
            },
        ) => Trouble {
            reason,
            kind: TroubleKind::Transient,
        },
        (_, trouble) => trouble,
    }
}

/// Until the circumstances have changed under an attempt that has had its time: what it waits for was sent on a network
/// that is no more.
pub async fn stale(mut changes: watch::Receiver<()>) {
    let (changed, ()) = tokio::join!(changes.changed(), sleep(STALE_AFTER));
    if changed.is_err() {
        std::future::pending().await
    }
}
