//! How many files and sockets this process may have open.
//!
//! Local connections get all of them but a reserve. Without one, a crowd of clients would take the descriptor that the
//! next WebSocket, call or log file needs, and nothing would get better by waiting.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What everything besides local connections needs: listeners, WebSockets, calls to AWS, files, the control socket.
const RESERVE: u64 = 64;
/// What macOS grants at most, though its hard limit says unlimited (`OPEN_MAX` in `sys/syslimits.h`).
const MOST_ON_MACOS: u64 = 10_240;
/// More connections than anybody has; also the bound where there is no limit.
const MOST: u64 = 65_536;

/// Takes as many as the system grants, instead of the few that are usual at first: 256 on macOS, 1,024 on Linux.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = match limit.maximum {
        Some(most) if cfg!(target_os = "macos") => most.min(MOST_ON_MACOS),
        Some(most) => most,
        None => MOST_ON_MACOS,
    };
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, wanted, "the limit of open files stays as it is");
        }
    }
}

/// How many local connections there may be at once.
pub fn for_connections() -> usize {
    share(getrlimit(Resource::Nofile).current)
}

fn share(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(MOST).min(MOST);
    let seats = limit.saturating_sub(RESERVE).max(limit / 2);
    usize::try_from(seats).expect("a bounded number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_and_at_least_half_is_for_connections() {
        assert_eq!(share(Some(1024)), 960);
        assert_eq!(share(Some(100)), 50);
        assert_eq!(share(Some(48)), 24);
        assert_eq!(share(None), 65_472);
        assert_eq!(share(Some(u64::MAX)), 65_472);
    }
}
