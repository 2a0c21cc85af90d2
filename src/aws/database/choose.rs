//! Which of the described databases is meant. Pure. Never the first of several.

use super::{
    problem::Problem,
    record::{Proxy, ProxyEndpoint, Record, text},
};
use crate::config::{Database, Selector, Which};

/// An endpoint as AWS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    /// Not always told.
    pub(super) port: Option<u16>,
}

impl Place {
    pub(super) fn new(host: &str, port: &Option<String>) -> Self {
        let port = text(port).and_then(|port| port.parse().ok());
        Self {
            host: host.to_owned(),
            port: port.filter(|port| *port > 0),
        }
    }
}

/// The one that `selector` names. AWS keeps ids in small letters, and takes them in any.
pub(super) fn choose<T: Record>(selector: &Selector, described: Vec<T>) -> Result<T, Problem> {
    let known = ids(selector.kind, &described);
    let mut described = described.into_iter();
    match &selector.which {
        Which::Id(id) => {
            let found = described.find(|record| record.id().eq_ignore_ascii_case(id));
            let record = found.ok_or(Problem::Unknown(known))?;
            if record.kind() == selector.kind {
                Ok(record)
            } else {
                Err(Problem::OfKind(record.kind()))
            }
        }
        Which::Tag { key, value } => {
            let has = |record: &T| {
                let mut tags = record.tags().iter();
                tags.any(|tag| tag.key == *key && tag.value == *value)
            };
            let fits = |record: &T| record.kind() == selector.kind && has(record);
            let mut fitting: Vec<T> = described.filter(fits).collect();
            match fitting.len() {
                0 => Err(Problem::Unknown(known)),
                1 => Ok(fitting.remove(0)),
                _ => Err(Problem::Several(ids(selector.kind, &fitting))),
            }
        }
    }
}

/// The ids of those of a kind.
pub(super) fn ids<T: Record>(kind: Database, described: &[T]) -> Vec<String> {
    let of_kind = described.iter().filter(|record| record.kind() == kind);
    of_kind.map(|record| record.id().to_owned()).collect()
}

/// The endpoint of a proxy that leads to readers.
pub(super) fn read_only(proxy: &Proxy, endpoints: &[ProxyEndpoint]) -> Result<Place, Problem> {
    let only_reads = |endpoint: &&ProxyEndpoint| endpoint.target_role == "READ_ONLY";
    let readers: Vec<&ProxyEndpoint> = endpoints.iter().filter(only_reads).collect();
    match readers[..] {
        [] => Err(Problem::NoEndpoint),
        [reader] => {
            let host = reader.host();
            let host = host.ok_or_else(|| Problem::not_ready(&reader.status))?;
            Ok(proxy.at(host))
        }
        [..] => {
            let hosts = readers.iter().map(|reader| match reader.host() {
                Some(host) => format!("{} ({host})", reader.name),
                None => reader.name.clone(),
            });
            Err(Problem::SeveralReaders(hosts.collect()))
        }
    }
}
