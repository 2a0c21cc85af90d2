//! Whether the count of a service may be lowered, and what the service's tag tells about it. Pure.
//!
//! A count has no owner, and whoever writes last wins. So a daemon that raises one leaves a lease in a tag of the service:
//! until when somebody is connecting, and which daemon that is. The tag is also the only sign for others that it was a
//! bastiond that raised the count: one that somebody else has raised is left alone.

use std::time::{Duration, SystemTime};

use crate::aws::Service;
use crate::config::ScaleDown;

/// The tag with the lease: `UNIX TIME/DAEMON`, or `0` when nobody has one and the count was lowered.
pub const LEASE_TAG: &str = "bastiond:lease";
/// The lease of a service whose count a bastiond has lowered.
pub const RELEASED: &str = "0";
/// How long a lease holds: some looks at a task that is on its way.
pub const LEASE: Duration = Duration::from_secs(120);
/// One that would hold for longer is of a machine with a wrong clock.
const LONGEST_LEASE: Duration = Duration::from_secs(600);
/// The count that a bastion needs, and sets.
pub const WANTED: i32 = 1;

/// What the tag of a service says.
#[derive(Debug, Clone, PartialEq)]
pub enum Lease {
    /// Nothing.
    None,
    /// A bastiond has raised the count and lowered it again.
    Released,
    /// A bastiond has raised it.
    Held {
        /// Until then somebody is connecting.
        until: SystemTime,
        /// Who that is.
        by: String,
    },
}

/// What this daemon has to do with the count.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Claim {
    /// Nothing.
    #[default]
    None,
    /// It has raised it.
    Raised {
        /// And has said so in the tag.
        tagged: bool,
    },
    /// An earlier run has raised it, by the state file.
    Remembered,
}

/// What is to be done about the count when it is not needed here any more.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Lower it.
    Lower,
    /// Leave it, for this reason.
    Leave(String),
    /// Not now: somebody else is connecting.
    Later,
}

impl Lease {
    /// What the service's tag says.
    pub fn of(service: &Service) -> Self {
        let Some(text) = service.tag(LEASE_TAG) else {
            return Self::None;
        };
        let (time, by) = text.split_once('/').unwrap_or((text, ""));
        match time.trim().parse::<u32>() {
            Ok(0) => Self::Released,
            Ok(seconds) => Self::Held {
                until: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()),
                by: by.to_owned(),
            },
            // What is not ours says nothing.
            Err(_) => Self::None,
        }
    }

    /// The tag's value for a lease of `by`.
    pub fn text(until: SystemTime, by: &str) -> String {
        let since = until.duration_since(SystemTime::UNIX_EPOCH);
        format!("{}/{by}", since.unwrap_or_default().as_secs())
    }

    /// Whether somebody else than `me` is connecting.
    fn is_of_another(&self, me: &str, now: SystemTime) -> bool {
        match self {
            Self::Held { until, by } => by != me && *until > now && *until < now + LONGEST_LEASE,
            Self::None | Self::Released => false,
        }
    }
}

/// Nobody needs it here any more: `me` is this daemon.
pub fn judge(
    service: &Service,
    scale_down: ScaleDown,
    claim: Claim,
    me: &str,
    now: SystemTime,
) -> Verdict {
    let count = service.desired;
    let left = |why: &str| Verdict::Leave(format!("its count is left at {count}: {why}"));
    let lease = Lease::of(service);
    match count {
        0 => Verdict::Leave("its count is 0".to_owned()),
        _ if scale_down == ScaleDown::Never => left("scale_down is \"never\""),
        WANTED if !is_of_a_bastiond(claim, &lease) => {
            left("it was not a bastiond that raised it, so somebody else may need it")
        }
        WANTED if lease.is_of_another(me, now) => Verdict::Later,
        WANTED => Verdict::Lower,
        _ => left("somebody else has raised it further"),
    }
}

fn is_of_a_bastiond(claim: Claim, lease: &Lease) -> bool {
    match (claim, lease) {
        (_, Lease::Held { .. }) => true,
        // Somebody has lowered it since, and another has raised it again.
        (Claim::Raised { tagged: true } | Claim::Remembered, Lease::Released) => false,
        (Claim::Raised { .. } | Claim::Remembered, _) => true,
        (Claim::None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_764_363_266;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn service(desired: i32, lease: Option<&str>) -> Service {
        let lease = lease.map(|value| (LEASE_TAG.to_owned(), value.to_owned()));
        Service {
            desired,
            tags: lease.into_iter().collect(),
            ..Service::default()
        }
    }

    fn judged(desired: i32, lease: Option<&str>, claim: Claim) -> Verdict {
        let service = service(desired, lease);
        judge(&service, ScaleDown::IfLast, claim, "me", at(NOW))
    }

    fn is_left(verdict: &Verdict, why: &str) -> bool {
        matches!(verdict, Verdict::Leave(text) if text.contains(why))
    }

    #[test]
    fn a_lease_is_read_as_it_was_written_and_what_is_no_lease_says_nothing() {
        let text = Lease::text(at(NOW), "1a2b3c4d");
        assert_eq!(text, "1764363266/1a2b3c4d");
        let held = |by: &str| Lease::Held {
            until: at(NOW),
            by: by.to_owned(),
        };
        for (text, wanted) in [
            (text.as_str(), held("1a2b3c4d")),
            ("1764363266", held("")),
            (RELEASED, Lease::Released),
            ("0/1a2b3c4d", Lease::Released),
            ("", Lease::None),
            ("soon", Lease::None),
            ("99999999999999999999", Lease::None),
            ("-5/x", Lease::None),
        ] {
            assert_eq!(Lease::of(&service(1, Some(text))), wanted, "{text}");
        }
        assert_eq!(Lease::of(&service(1, None)), Lease::None);
    }

    #[test]
    fn what_this_daemon_or_another_bastiond_has_raised_is_lowered() {
        let raised = |tagged| Claim::Raised { tagged };
        let over = "1764363266/other";
        for (lease, claim) in [
            (None, raised(false)),
            (None, raised(true)),
            (None, Claim::Remembered),
            (Some(over), Claim::None),
            (Some("1764369999/me"), Claim::None),
            // A tag that could not be written is older than what was raised.
            (Some(RELEASED), raised(false)),
        ] {
            assert_eq!(
                judged(1, lease, claim),
                Verdict::Lower,
                "{lease:?} {claim:?}"
            );
        }
    }

    #[test]
    fn what_somebody_else_has_raised_is_left_alone() {
        for (lease, claim) in [
            (None, Claim::None),
            (Some("theirs"), Claim::None),
            (Some(RELEASED), Claim::None),
            (Some(RELEASED), Claim::Remembered),
            (Some(RELEASED), Claim::Raised { tagged: true }),
        ] {
            let verdict = judged(1, lease, claim);
            assert!(is_left(&verdict, "not a bastiond"), "{lease:?} {claim:?}");
        }
        let raised = Claim::Raised { tagged: true };
        let verdict = judged(2, Some("1764363266/me"), raised);
        assert!(is_left(&verdict, "left at 2"), "{verdict:?}");
        assert!(is_left(&judged(0, None, raised), "count is 0"));
    }

    #[test]
    fn never_means_never() {
        let service = service(1, Some("1764363266/me"));
        let raised = Claim::Raised { tagged: true };
        let verdict = judge(&service, ScaleDown::Never, raised, "me", at(NOW));
        assert!(is_left(&verdict, "never"), "{verdict:?}");
    }

    #[test]
    fn it_is_not_lowered_while_somebody_else_is_connecting() {
        let raised = Claim::Raised { tagged: true };
        for (until, wanted) in [
            (NOW + 1, Verdict::Later),
            (NOW + 120, Verdict::Later),
            (NOW, Verdict::Lower),
            // A clock that is an hour ahead.
            (NOW + 3600, Verdict::Lower),
        ] {
            let lease = format!("{until}/other");
            assert_eq!(judged(1, Some(&lease), raised), wanted, "{until}");
        }
    }
}
