//! Every call there is, on one screen.

use hyper::Method;

use super::call::Call;

pub(super) const ROUTES: [(Method, &str, Call); 20] = [
    (Method::GET, "/v1/status", Call::Status),
    (Method::GET, "/v1/tunnels/{name}", Call::Tunnel),
    (Method::POST, "/v1/tunnels/{name}/up", Call::Up),
    (Method::POST, "/v1/tunnels/{name}/down", Call::Down),
    (Method::POST, "/v1/tunnels/{name}/restart", Call::Restart),
    (Method::POST, "/v1/tunnels/{name}/reset", Call::Reset),
    (Method::GET, "/v1/tunnels/{name}/wait", Call::Wait),
    (Method::GET, "/v1/wait", Call::WaitForAll),
    (Method::GET, "/v1/connections", Call::Connections),
    (Method::POST, "/v1/bastions/{name}/hold", Call::Hold),
    (Method::GET, "/v1/orphans", Call::Orphans),
    (Method::POST, "/v1/orphans/end", Call::EndOrphans),
    (Method::GET, "/v1/events", Call::Events),
    (Method::GET, "/v1/logs", Call::Logs),
    (Method::GET, "/v1/config", Call::Config),
    (Method::POST, "/v1/reload", Call::Reload),
    (Method::POST, "/v1/mfa", Call::Mfa),
    (Method::POST, "/v1/restart", Call::RestartDaemon),
    (Method::POST, "/v1/shutdown", Call::Shutdown),
    (Method::GET, "/v1/openapi.json", Call::OpenApi),
];

/// Why there is no such call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Path,
    /// The path is right; these methods are its own.
    Method {
        allow: String,
    },
}

pub(super) fn find<'p>(method: &Method, path: &'p str) -> Result<(Call, &'p str), Miss> {
    let mut allow = Vec::new();
    for (known, pattern, call) in &ROUTES {
        match captured(pattern, path) {
            Some(name) if known == method => return Ok((*call, name)),
            Some(_) => allow.push(known.as_str()),
            None => {}
        }
    }
    if allow.is_empty() {
        Err(Miss::Path)
    } else {
        Err(Miss::Method {
            allow: allow.join(", "),
        })
    }
}

/// Whether the path fits, and what stood for `{name}`, if anything did.
fn captured<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let mut name = "";
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if expected == "{name}" && !part.is_empty() {
            name = part;
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_found_by_its_method_and_path() {
        assert_eq!(find(&Method::GET, "/v1/status"), Ok((Call::Status, "")));
        assert_eq!(
            find(&Method::POST, "/v1/tunnels/app-db/up"),
            Ok((Call::Up, "app-db"))
        );
        assert_eq!(
            find(&Method::POST, "/v1/tunnels/up/down"),
            Ok((Call::Down, "up"))
        );
        assert_eq!(
            find(&Method::POST, "/v1/bastions/dev/hold"),
            Ok((Call::Hold, "dev"))
        );
        assert_eq!(
            find(&Method::GET, "/v1/tunnels/wait"),
            Ok((Call::Tunnel, "wait"))
        );
        assert_eq!(
            find(&Method::POST, "/v1/shutdown"),
            Ok((Call::Shutdown, ""))
        );
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let allow = |methods: &str| {
            Err(Miss::Method {
                allow: methods.to_owned(),
            })
        };
        assert_eq!(find(&Method::DELETE, "/v1/status"), allow("GET"));
        assert_eq!(find(&Method::GET, "/v1/tunnels/a/up"), allow("POST"));
    }

    #[test]
    fn a_wrong_path_is_nowhere() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/status/",
            "/v2/status",
            "/v1/tunnels//up",
            "/v1/tunnels/a/b/up",
            "*",
        ] {
            assert_eq!(find(&Method::GET, path), Err(Miss::Path), "{path}");
        }
    }
}
