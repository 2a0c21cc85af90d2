//! L: this machine and its way to AWS.

use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::{Account, Daemon, Endpoint, Machine, Port, PortState, Tunnel, Upgrade};

/// Beyond this a clock is worth setting; AWS refuses signatures that are five minutes off.
const SKEW_NOTED: i64 = 60;
const SKEW_REFUSED: i64 = 240;
/// What others may do with the control socket: nothing.
const OTHERS: u32 = 0o077;

pub const CHECKS: &[Check] = &[
    Check {
        id: "L01",
        title: "the configuration is right",
        looks_at: "the configuration file",
        levels: &[Level::Fail],
        why: "Unknown keys, missing values and ports that two tunnels share are all mistakes: a setting that is \
              silently ignored is worse than none. Without a configuration nothing else is looked at.",
        fix: "mend {path}",
        needs: &[],
        judge: Judge::Machine(config),
    },
    Check {
        id: "L02",
        title: "the local port is free, or our daemon's",
        looks_at: "every address of `listen`, by binding it",
        levels: &[Level::Fail],
        why: "Another program on the port, often a database on this machine, gets the connections that were meant \
              for the tunnel. Ports below 1024 need privileges.",
        fix: "stop {holder}, or give the tunnel another `listen`",
        needs: &[],
        judge: Judge::Tunnel(ports),
    },
    Check {
        id: "L03",
        title: "the daemon is of this version, and its socket private",
        looks_at: "the control socket",
        levels: &[Level::Info, Level::Warn],
        why: "After an update the old daemon runs on until it is started again. Whoever may write to the socket may \
              use every tunnel.",
        fix: "bastiond ctl shutdown && bastiond start",
        needs: &[],
        judge: Judge::Machine(daemon),
    },
    Check {
        id: "L04",
        title: "the clock is right",
        looks_at: "the `Date` of AWS's answers",
        levels: &[Level::Warn, Level::Fail],
        why: "AWS refuses what was signed more than five minutes ago, or in the future.",
        fix: "set the clock: {by}",
        needs: &[],
        judge: Judge::Account(clock),
    },
    Check {
        id: "L05",
        title: "the names of AWS's services resolve",
        looks_at: "the addresses of sts, ecs, ssm and ssmmessages",
        levels: &[Level::Fail],
        why: "Without an address there is no connection. A private address means that a VPC endpoint answers, by a \
              VPN: then it must be reachable. Behind a proxy the proxy resolves them.",
        fix: "check the DNS of this machine and its VPN: {host} has no address",
        needs: &[],
        judge: Judge::Account(names),
    },
    Check {
        id: "L06",
        title: "AWS's services are reached",
        looks_at: "TCP and TLS to sts, ecs, ssm and ssmmessages, through the proxy if there is one, and who issued the \
                   certificate",
        levels: &[Level::Warn, Level::Fail],
        why: "A firewall that drops the connection, or a proxy that intercepts TLS with a certificate of its own, \
              keeps every call from AWS. Such a proxy's certificate is named by AWS_CA_BUNDLE: then calls pass, and whoever \
              runs the proxy can read them.",
        fix: "let {host} through port 443; with a proxy that intercepts TLS, name its certificate in AWS_CA_BUNDLE",
        needs: &[],
        judge: Judge::Account(reach),
    },
    Check {
        id: "L07",
        title: "the proxy variables agree",
        looks_at: "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in upper and lower case",
        levels: &[Level::Warn, Level::Fail],
        why: "Programs differ in which case they prefer. bastiond never goes to this machine through a proxy; a \
              database client may, unless NO_PROXY has localhost.",
        fix: "{what}",
        needs: &[],
        judge: Judge::Machine(proxies),
    },
    Check {
        id: "L08",
        title: "websockets reach the data channel's service",
        looks_at: "the answer to an upgrade at ssmmessages that nobody signed",
        levels: &[Level::Warn],
        why: "Some proxies let calls pass and not WebSockets, which carry every byte of a tunnel. Any answer of HTTP \
              over TLS is AWS's; a connection that is cut, or a proxy that says no, is what is in between.",
        fix: "let websockets to ssmmessages through the proxy or firewall",
        needs: &[],
        judge: Judge::Account(upgrade),
    },
];

fn config(machine: &Machine) -> Result<Verdict, Gap> {
    let path = &machine.config_path;
    Ok(match &machine.config {
        Ok(1) => Verdict::ok(format!("{path}, 1 tunnel")),
        Ok(tunnels) => Verdict::ok(format!("{path}, {tunnels} tunnels")),
        Err(mistakes) => Verdict::fail(mistakes).fill("path", path),
    })
}

fn ports(tunnel: &Tunnel) -> Result<Verdict, Gap> {
    let wrong = tunnel.ports.iter().find_map(|port| match &port.state {
        PortState::Free | PortState::Ours => None,
        PortState::Taken(holder) => Some(taken(port, holder.as_deref())),
        PortState::Refused(why) => Some(
            Verdict::fail(format!("{}: {why}", port.address))
                .fix("give the tunnel another `listen`: ports from 1024 on need no privileges"),
        ),
    });
    let told = |port: &Port| match port.state {
        PortState::Ours => format!("{}, by the daemon", port.address),
        _ => port.address.to_string(),
    };
    let all: Vec<_> = tunnel.ports.iter().map(told).collect();
    Ok(wrong.unwrap_or_else(|| Verdict::ok(all.join(", "))))
}

fn taken(port: &Port, holder: Option<&str>) -> Verdict {
    let holder = holder.unwrap_or("the program on it");
    Verdict::fail(format!("{} is taken by {holder}", port.address)).fill("holder", holder)
}

fn daemon(machine: &Machine) -> Result<Verdict, Gap> {
    let own = env!("CARGO_PKG_VERSION");
    Ok(match &machine.daemon {
        Daemon::Absent => Verdict::info("no daemon runs").fix("bastiond start"),
        Daemon::Odd(why) => Verdict::warn(why),
        Daemon::Runs { version, .. } if version != own => {
            Verdict::warn(format!("the daemon is of version {version}, this is {own}"))
        }
        Daemon::Runs { mode, .. } if mode & OTHERS != 0 => {
            Verdict::warn(format!("the socket's permissions are {:o}", mode & 0o777))
        }
        Daemon::Runs { pid, .. } => Verdict::ok(format!("pid {pid}, version {own}")),
    })
}

fn clock(account: &Account) -> Result<Verdict, Gap> {
    let skew = account
        .skew
        .ok_or(Gap::Needs("an answer of AWS (L05, L06)"))?;
    let by = match skew {
        0.. => format!("it is {skew} s behind AWS's"),
        _ => format!("it is {} s ahead of AWS's", -skew),
    };
    let verdict = match skew.abs() {
        off if off > SKEW_REFUSED => Verdict::fail(&by),
        off if off > SKEW_NOTED => Verdict::warn(&by),
        _ => Verdict::ok(format!("{} s off", skew.abs())),
    };
    Ok(verdict.fill("by", by))
}

fn names(account: &Account) -> Result<Verdict, Gap> {
    let mut private = Vec::new();
    for Endpoint {
        service,
        host,
        addresses,
        ..
    } in &account.endpoints
    {
        match addresses {
            Some(Err(why)) => {
                return Ok(Verdict::fail(format!("{host}: {why}")).fill("host", host));
            }
            Some(Ok(addresses)) if addresses.iter().all(is_private) => {
                private.push(service.as_str())
            }
            Some(Ok(_)) | None => {}
        }
    }
    Ok(match private.as_slice() {
        [] => Verdict::ok(format!("{} names", account.endpoints.len())),
        some => Verdict::ok(format!("private addresses of {}", some.join(", "))),
    })
}

fn is_private(address: &std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        std::net::IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

fn reach(account: &Account) -> Result<Verdict, Gap> {
    let mut unreached = account.endpoints.iter().filter_map(|endpoint| {
        let why = endpoint.reached.as_ref().err()?;
        let unresolved = matches!(endpoint.addresses, Some(Err(_)));
        Some((endpoint, why)).filter(|_| !unresolved)
    });
    if let Some((endpoint, why)) = unreached.next() {
        return Ok(Verdict::fail(why).fill("host", &endpoint.host));
    }
    if account.endpoints.iter().any(|it| it.reached.is_err()) {
        return Err(Gap::Needs("names that resolve (L05)"));
    }
    if let Some((endpoint, issuer)) = account.endpoints.iter().find_map(intercepted) {
        let host = &endpoint.host;
        let fix = format!("have the proxy leave {host} and the other services of AWS alone");
        return Ok(Verdict::warn(format!("{host} shows a certificate by {issuer}")).fix(fix));
    }
    let hosts = account.endpoints.iter().map(|it| it.service.as_str());
    Ok(Verdict::ok(hosts.collect::<Vec<_>>().join(", ")))
}

/// AWS is its own certificate authority, but for China, whose suffix is another.
fn intercepted(endpoint: &Endpoint) -> Option<(&Endpoint, &str)> {
    let issuer = endpoint.reached.as_ref().ok()?.as_deref()?;
    let is_of_aws =
        endpoint.host.ends_with(".amazonaws.com") || endpoint.host.ends_with(".api.aws");
    (is_of_aws && !issuer.contains("Amazon")).then_some((endpoint, issuer))
}

fn proxies(machine: &Machine) -> Result<Verdict, Gap> {
    let proxies = &machine.proxies;
    if let Err(why) = &machine.network {
        return Ok(Verdict::fail(why).fix("mend the variable, or unset it"));
    }
    if let Some(name) = proxies.differing.first() {
        let evidence = format!("{name} and {} differ", name.to_lowercase());
        let what = format!("set {name} and {} alike", name.to_lowercase());
        return Ok(Verdict::warn(evidence).fill("what", what));
    }
    if proxies.set.is_empty() {
        return Ok(Verdict::ok("no proxy"));
    }
    let exceptions = proxies.exceptions.as_deref().unwrap_or_default();
    let has_local = exceptions
        .split(',')
        .map(str::trim)
        .any(|rule| ["localhost", "127.0.0.1", "127.0.0.0/8", "*"].contains(&rule));
    Ok(match has_local {
        true => Verdict::ok(proxies.set.join(", ")),
        false => Verdict::warn("NO_PROXY has no localhost").fill(
            "what",
            "export NO_PROXY=\"localhost,127.0.0.1,::1,$NO_PROXY\"",
        ),
    })
}

fn upgrade(account: &Account) -> Result<Verdict, Gap> {
    Ok(match known(&account.upgrade)? {
        Upgrade::Answered(status) => Verdict::ok(format!("answered with {status}")),
        Upgrade::Blocked(why) => Verdict::warn(why),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::Proxies;
    use crate::doctor::fixture;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_either_way() {
        for (skew, level) in [
            (0, Level::Ok),
            (60, Level::Ok),
            (-61, Level::Warn),
            (240, Level::Warn),
            (241, Level::Fail),
            (-300, Level::Fail),
        ] {
            let account = Account {
                skew: Some(skew),
                ..fixture::account()
            };
            assert_eq!(clock(&account).unwrap().level, level, "{skew}");
        }
    }

    #[test]
    fn a_port_is_wrong_only_if_others_have_it() {
        let with = |state: PortState| {
            let mut tunnel = fixture::tunnel();
            tunnel.ports[0].state = state;
            ports(&tunnel).unwrap()
        };
        assert_eq!(with(PortState::Free).level, Level::Ok);
        assert_eq!(with(PortState::Ours).level, Level::Ok);
        let taken = with(PortState::Taken(Some("postgres (pid 7)".into())));
        assert_eq!(taken.level, Level::Fail);
        let fix = taken.fix_of(&CHECKS[1]).unwrap();
        assert!(fix.starts_with("stop postgres (pid 7), or"), "{fix}");
        assert_eq!(
            with(PortState::Refused("permission denied".into())).level,
            Level::Fail
        );
    }

    #[test]
    fn another_version_and_an_open_socket_are_warnings_and_no_daemon_is_not() {
        let own = env!("CARGO_PKG_VERSION");
        let with = |version: &str, mode| {
            let daemon = Daemon::Runs {
                version: version.into(),
                pid: 1,
                mode,
            };
            let machine = Machine {
                daemon,
                ..fixture::machine()
            };
            super::daemon(&machine).unwrap().level
        };
        assert_eq!(with(own, 0o600), Level::Ok);
        assert_eq!(with(own, 0o660), Level::Warn);
        assert_eq!(with("0.0.1", 0o600), Level::Warn);
        assert_eq!(
            super::daemon(&fixture::machine()).unwrap().level,
            Level::Info
        );
    }

    #[test]
    fn proxies_that_leave_localhost_out_or_differ_are_told() {
        let with = |proxies: Proxies| {
            let machine = Machine {
                proxies,
                ..fixture::machine()
            };
            super::proxies(&machine).unwrap()
        };
        let set = vec!["HTTPS_PROXY"];
        assert_eq!(with(Proxies::default()).level, Level::Ok);
        let plain = Proxies {
            set: set.clone(),
            ..Proxies::default()
        };
        assert_eq!(with(plain.clone()).level, Level::Warn);
        let excepted = Proxies {
            exceptions: Some("example.com, localhost".into()),
            ..plain.clone()
        };
        assert_eq!(with(excepted.clone()).level, Level::Ok);
        let differing = Proxies {
            differing: set,
            ..excepted
        };
        let told = with(differing);
        assert_eq!(told.level, Level::Warn);
        assert!(told.fix_of(&CHECKS[6]).unwrap().contains("https_proxy"));
    }

    #[test]
    fn a_certificate_that_is_not_amazons_is_that_of_a_proxy() {
        let mut account = fixture::account();
        assert_eq!(reach(&account).unwrap().level, Level::Ok);
        account.endpoints[2].reached = Ok(Some("Zscaler Inc.".into()));
        let told = reach(&account).unwrap();
        assert_eq!(told.level, Level::Warn);
        assert!(
            told.evidence.ends_with("by Zscaler Inc."),
            "{}",
            told.evidence
        );
        account.endpoints[2].host = "ssm.internal".into();
        assert_eq!(reach(&account).unwrap().level, Level::Ok);
    }

    #[test]
    fn a_name_without_address_is_told_once() {
        let mut account = fixture::account();
        account.endpoints[1].addresses = Some(Err("no such host".into()));
        account.endpoints[1].reached = Err("cannot resolve".into());
        assert_eq!(names(&account).unwrap().level, Level::Fail);
        assert!(reach(&account).is_err());
        account.endpoints[0].reached = Err("refused".into());
        assert_eq!(reach(&account).unwrap().level, Level::Fail);
    }
}
