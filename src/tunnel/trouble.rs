//! What a failed call means to a session's life.

use super::lifecycle::{Trouble, TroubleKind};
use crate::aws::{self, Kind};

/// Of a session that is to be started.
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
