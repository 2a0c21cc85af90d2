//! `[[tunnel]]`: a local address and where it leads.

use std::{collections::BTreeMap, net::SocketAddr, ops::Range, time::Duration};

use toml::Spanned;

use super::{
    Bastion, Keepalive, Remote, Tunnel, Via,
    error::Complaint,
    host,
    listen::{self, RawListen},
    raw,
    scope::{self, Report, Scope, Section},
    selector, suggest,
};

/// A cold start takes 20 to 60 s; nobody waits longer than this for a database.
const HOLD_TIMEOUT: Duration = Duration::from_secs(90);
/// Long enough for the pauses of a person at work, short of the 20 min after which AWS ends an idle session.
const SESSION_LINGER: Duration = Duration::from_secs(2 * 60);
/// Once in a working day: the agent resolves the host once a session, and whatever else grows old does so there.
const MAX_SESSION_AGE: Duration = Duration::from_secs(12 * 60 * 60);
/// Time for the answer to a request whose sender has closed its half.
const HALF_CLOSE_LINGER: Duration = Duration::from_secs(60);
/// The longest target of StartSession (SSM API model).
const LONGEST_TARGET: usize = 400;

pub(super) fn check(
    raw: Option<Vec<Spanned<raw::Tunnel>>>,
    bastions: &BTreeMap<String, Bastion>,
    report: &mut Report,
) -> Vec<Tunnel> {
    let raw = raw.unwrap_or_default();
    if raw.is_empty() && !report.was_cut(&Section::top(), "tunnel") {
        let complaint = Complaint::new("missing: there is nothing to listen for")
            .hint("add a [[tunnel]] table");
        report.add(0, &Section::top(), "tunnel", complaint);
    }
    let mut taken = Taken::default();
    raw.into_iter()
        .enumerate()
        .map(|(index, tunnel)| one(index, tunnel, bastions, &mut taken, report))
        .collect()
}

/// What earlier tunnels of the file have claimed.
#[derive(Default)]
struct Taken {
    names: Vec<String>,
    addresses: Vec<(SocketAddr, String)>,
}

fn one(
    index: usize,
    raw: Spanned<raw::Tunnel>,
    bastions: &BTreeMap<String, Bastion>,
    taken: &mut Taken,
    report: &mut Report,
) -> Tunnel {
    let (header, raw) = (raw.span(), raw.into_inner());
    let called = raw.name.as_ref().map(|name| name.get_ref().as_str());
    let section = Section::top().element("tunnel", index, called);
    let shown = section.shown().to_owned();
    let mut scope = report.scope(section);
    let name = name(&mut scope, raw.name, &header, taken);
    let allow_non_loopback = raw.allow_non_loopback.unwrap_or(false);
    Tunnel {
        name,
        listen: listen(
            &mut scope,
            raw.listen,
            &header,
            allow_non_loopback,
            &shown,
            taken,
        ),
        allow_non_loopback,
        via: via(&mut scope, raw.bastion, raw.target, &header, bastions),
        document: document(&mut scope, raw.document, raw.host.is_some()),
        remote: remote(&mut scope, raw.host, raw.port, &header),
        hold_timeout: scope.duration("hold_timeout", raw.hold_timeout, HOLD_TIMEOUT),
        session_linger: scope.duration("session_linger", raw.session_linger, SESSION_LINGER),
        max_session_age: scope.duration("max_session_age", raw.max_session_age, MAX_SESSION_AGE),
        half_close_linger: scope.duration(
            "half_close_linger",
            raw.half_close_linger,
            HALF_CLOSE_LINGER,
        ),
        keepalive: scope.word(
            "keepalive",
            raw.keepalive,
            &[
                ("while-connected", Keepalive::WhileConnected),
                ("never", Keepalive::Never),
            ],
        ),
    }
}

fn name(
    scope: &mut Scope,
    raw: Option<Spanned<String>>,
    header: &Range<usize>,
    taken: &mut Taken,
) -> String {
    let Some(raw) = raw else {
        scope.missing(
            "name",
            header.clone(),
            "give it a name, such as `name = \"app-db\"`",
        );
        return String::new();
    };
    if let Err(complaint) = scope::name(raw.get_ref()) {
        scope.wrong("name", raw.span(), complaint);
    } else if taken.names.contains(raw.get_ref()) {
        scope.wrong(
            "name",
            raw.span(),
            Complaint::new(format!("another tunnel is called `{}` too", raw.get_ref())),
        );
    }
    taken.names.push(raw.get_ref().clone());
    raw.into_inner()
}

fn listen(
    scope: &mut Scope,
    raw: Option<Spanned<RawListen>>,
    header: &Range<usize>,
    allow_non_loopback: bool,
    shown: &str,
    taken: &mut Taken,
) -> Vec<SocketAddr> {
    let found = match raw {
        None if scope.was_cut("listen") => Vec::new(),
        None => with_place(listen::both_loopbacks(listen::DEFAULT_PORT), header),
        Some(raw) => addresses(scope, raw),
    };
    let mut own: Vec<SocketAddr> = Vec::new();
    let mut clashes = Vec::new();
    for (address, place) in found {
        if !address.ip().is_loopback() && !allow_non_loopback {
            scope.wrong("listen", place.clone(), reachable(address));
        }
        if own.iter().any(|other| listen::clash(*other, address)) {
            scope.wrong(
                "listen",
                place,
                Complaint::new(format!("{address} is there twice")),
            );
        } else if let Some((_, other)) = taken
            .addresses
            .iter()
            .find(|(other, _)| listen::clash(*other, address))
        {
            clashes.push((address, other.clone(), place));
        }
        own.push(address);
    }
    // A port stands for two addresses: one message for both.
    if let Some((address, other, place)) = clashes.into_iter().next() {
        let complaint = Complaint::new(format!("{address} is taken by {other}"));
        scope.wrong(
            "listen",
            place,
            complaint.hint("give each tunnel a `listen` of its own"),
        );
    }
    taken
        .addresses
        .extend(own.iter().map(|address| (*address, shown.to_owned())));
    own
}

fn with_place(addresses: Vec<SocketAddr>, place: &Range<usize>) -> Vec<(SocketAddr, Range<usize>)> {
    addresses
        .into_iter()
        .map(|address| (address, place.clone()))
        .collect()
}

fn addresses(scope: &mut Scope, raw: Spanned<RawListen>) -> Vec<(SocketAddr, Range<usize>)> {
    let span = raw.span();
    let entries = raw.into_inner().0;
    if entries.is_empty() {
        scope.wrong(
            "listen",
            span.clone(),
            Complaint::new("must name at least one address"),
        );
    }
    let mut found = Vec::new();
    for entry in entries {
        let place = entry.at.map_or(span.clone(), |at| at..span.end);
        match listen::parse(&entry.text) {
            Ok(addresses) => found.extend(with_place(addresses, &place)),
            Err(complaint) => scope.wrong("listen", place, complaint),
        }
    }
    found
}

fn reachable(address: SocketAddr) -> Complaint {
    Complaint::new(format!("{address} can be reached from other machines"))
        .hint("use a loopback address, or set `allow_non_loopback = true`")
}

fn via(
    scope: &mut Scope,
    bastion: Option<Spanned<String>>,
    target: Option<Spanned<String>>,
    header: &Range<usize>,
    bastions: &BTreeMap<String, Bastion>,
) -> Via {
    match (bastion, target) {
        (Some(_), Some(target)) => {
            scope.wrong(
                "target",
                target.span(),
                Complaint::new("stands beside `bastion`").hint("keep one of them"),
            );
            Via::Target(target.into_inner())
        }
        (None, Some(target)) => Via::Target(
            scope
                .checked("target", Some(target), check_target)
                .unwrap_or_default(),
        ),
        (Some(name), None) => Via::Bastion(defined(scope, name, bastions)),
        (None, None) => Via::Bastion(only(scope, header, bastions)),
    }
}

fn defined(
    scope: &mut Scope,
    name: Spanned<String>,
    bastions: &BTreeMap<String, Bastion>,
) -> String {
    if !bastions.contains_key(name.get_ref()) && !scope.was_cut_at_top("bastion") {
        let word = name.get_ref();
        let hint = suggest::hint(word, bastions.keys().map(String::as_str))
            .unwrap_or_else(|| "add a [bastion.NAME] table".to_owned());
        let complaint = Complaint::new(format!("no bastion is called `{}`", word.escape_debug()));
        scope.wrong("bastion", name.span(), complaint.hint(hint));
    }
    name.into_inner()
}

/// With a single bastion there is nothing to choose.
fn only(scope: &mut Scope, header: &Range<usize>, bastions: &BTreeMap<String, Bastion>) -> String {
    let names: Vec<&str> = bastions.keys().map(String::as_str).collect();
    match names[..] {
        [name] => return name.to_owned(),
        [..] if scope.was_cut("target") || scope.was_cut_at_top("bastion") => {}
        [] => scope.missing(
            "bastion",
            header.clone(),
            "add a [bastion.NAME] table, or name a `target`",
        ),
        [..] => {
            let hint = format!("name one of `{}`", names.join("`, `"));
            scope.missing("bastion", header.clone(), &hint);
        }
    }
    String::new()
}

fn check_target(target: &str) -> Result<(), Complaint> {
    if is_target(target) {
        return Ok(());
    }
    Err(
        Complaint::new(format!("`{}` is not an SSM target", target.escape_debug()))
            .hint("write `i-…`, `mi-…` or `ecs:CLUSTER_TASK_RUNTIME`"),
    )
}

/// Whether it is written as a target of SSM is.
pub(super) fn is_target(target: &str) -> bool {
    let hex = |id: &str| id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if let Some(id) = target.strip_prefix("mi-") {
        return id.len() == 17 && hex(id);
    }
    if let Some(id) = target.strip_prefix("i-") {
        return (8..=17).contains(&id.len()) && hex(id);
    }
    let Some(parts) = target.strip_prefix("ecs:") else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    // The cluster's name may have `_` itself: the two ids are the last two parts.
    let parts: Vec<&str> = parts.rsplitn(3, '_').collect();
    let well_formed = |part: &&str| !part.is_empty() && part.chars().all(plain);
    target.len() <= LONGEST_TARGET && parts.len() == 3 && parts.iter().all(well_formed)
}

/// To the target's own ports there is one document, which nobody needs to restrict.
fn document(scope: &mut Scope, raw: Option<Spanned<String>>, has_host: bool) -> Option<String> {
    if let Some(raw) = &raw
        && !has_host
    {
        let complaint = Complaint::new("stands without `host`");
        scope.wrong("document", raw.span(), complaint.hint("take it out"));
        return None;
    }
    scope.checked("document", raw, scope::one_word)
}

/// AWS tells the port of a database with its host.
fn remote(
    scope: &mut Scope,
    host: Option<Spanned<String>>,
    raw_port: Option<Spanned<i64>>,
    header: &Range<usize>,
) -> Remote {
    let Some(host) = host else {
        let port = required_port(scope, raw_port, header);
        return Remote::Target { port };
    };
    match selector::parse(host.get_ref()) {
        Some(Ok(selector)) => Remote::Database {
            selector,
            port: port(scope, raw_port),
        },
        Some(Err(complaint)) => {
            scope.wrong("host", host.span(), complaint);
            let port = port(scope, raw_port).unwrap_or_default();
            Remote::Target { port }
        }
        None => Remote::Host {
            name: scope
                .checked("host", Some(host), host::check)
                .map(host::plain)
                .unwrap_or_default(),
            port: required_port(scope, raw_port, header),
        },
    }
}

fn required_port(scope: &mut Scope, raw: Option<Spanned<i64>>, header: &Range<usize>) -> u16 {
    if raw.is_none() {
        scope.missing(
            "port",
            header.clone(),
            "give the port of the database, such as `port = 5432`",
        );
    }
    port(scope, raw).unwrap_or_default()
}

fn port(scope: &mut Scope, raw: Option<Spanned<i64>>) -> Option<u16> {
    let raw = raw?;
    match u16::try_from(*raw.get_ref()) {
        Ok(port) if port > 0 => Some(port),
        Ok(_) | Err(_) => {
            let complaint = Complaint::new(format!("`{}` is not a port", raw.get_ref()));
            scope.wrong("port", raw.span(), complaint.hint("ports are 1 to 65535"));
            None
        }
    }
}
