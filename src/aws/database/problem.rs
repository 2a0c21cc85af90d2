//! Why there is no address, in words. Pure.

use super::record::text;
use crate::{
    aws::{
        error::Kind,
        told::{Told, listed, there_are},
    },
    config::{Database, Selector, Which, suggest},
};

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// None fits; these there are of the kind.
    Unknown(Vec<String>),
    /// There is none of this name; which there are is not asked.
    NotThere,
    /// These all fit.
    Several(Vec<String>),
    /// It is of another kind.
    OfKind(Database),
    /// It has no endpoint yet, in this state.
    NotReady(String),
    /// It has no endpoint of this role.
    NoEndpoint,
    /// It has no custom endpoint of this name, but these.
    NoCustomEndpoint(Vec<String>),
    /// The proxy has several endpoints that only read.
    SeveralReaders(Vec<String>),
    /// A cache whose nodes send clients on.
    ClusterMode,
    /// A cache of so many nodes, over which clients spread their keys.
    SeveralNodes(usize),
    /// AWS does not tell its port.
    NoPort,
    /// AWS does not tell its VPC.
    NoVpc,
}

impl Problem {
    pub(super) fn not_ready(status: &Option<String>) -> Self {
        Self::NotReady(text(status).unwrap_or("in an unknown state").to_owned())
    }

    /// In words for the person who wrote `selector`.
    pub(super) fn told(self, selector: &Selector, region: &str) -> Told {
        let word = selector.kind.word();
        let (kind, message, hint) = match self {
            Self::Unknown(known) => return unknown(selector, region, &known),
            Self::NotThere => (
                Kind::NotFound,
                format!(
                    "there is no `{word}` called `{}` in {region}",
                    selector.which
                ),
                format!("check `host`, `region` ({region}) and `profile`"),
            ),
            Self::Several(ids) => (
                Kind::SeveralFit,
                format!("{} databases fit `{selector}`: {}", ids.len(), listed(&ids)),
                ids.first()
                    .map(|id| format!("name one, as in `{word}:{id}`"))
                    .unwrap_or_default(),
            ),
            Self::OfKind(other) => (
                Kind::Unsuitable,
                format!("`{}` is no `{word}`", selector.which),
                format!("write `{}:{}`", other.word(), selector.which),
            ),
            Self::NotReady(status) => (
                Kind::NotReady,
                format!("`{selector}` has no endpoint yet: it is {status}"),
                "connect again when it is available".to_owned(),
            ),
            Self::NoEndpoint => (
                Kind::Unsuitable,
                format!("there is no endpoint `{selector}`"),
                format!("write `{word}:{}`, or make one", selector.which),
            ),
            Self::NoCustomEndpoint(known) => (
                Kind::NotFound,
                format!("there is no endpoint `{selector}`; {}", there_are(&known)),
                "correct the endpoint's name in `host`".to_owned(),
            ),
            Self::SeveralReaders(hosts) => (
                Kind::SeveralFit,
                format!(
                    "{} endpoints fit `{selector}`: {}",
                    hosts.len(),
                    listed(&hosts)
                ),
                "write the host name of one of them as `host`".to_owned(),
            ),
            Self::ClusterMode => (
                Kind::Unsuitable,
                format!(
                    "`{selector}` is in cluster mode: its nodes send clients on to each other, which one tunnel does not follow"
                ),
                "run the client inside the VPC, or use a cache with cluster mode disabled"
                    .to_owned(),
            ),
            Self::SeveralNodes(count) => (
                Kind::Unsuitable,
                format!(
                    "`{selector}` has {count} nodes: clients spread their keys over all of them, and one tunnel reaches one"
                ),
                "run the client inside the VPC, or write the host name of one node".to_owned(),
            ),
            Self::NoPort => (
                Kind::Unsuitable,
                format!("AWS does not tell the port of `{selector}`"),
                "set `port` of the tunnel".to_owned(),
            ),
            Self::NoVpc => (
                Kind::NotReady,
                format!("AWS does not tell the VPC of `{selector}`"),
                "set `subnets` of the bastion".to_owned(),
            ),
        };
        Told {
            kind,
            message,
            hint,
        }
    }
}

fn unknown(selector: &Selector, region: &str, known: &[String]) -> Told {
    let word = selector.kind.word();
    let message = match &selector.which {
        Which::Id(id) => format!("there is no `{word}` called `{id}` in {region}"),
        Which::Tag { key, value } => format!("no `{word}` in {region} has the tag {key}={value}"),
    };
    let near = match &selector.which {
        Which::Id(id) => suggest::nearest(id, known.iter().map(String::as_str)),
        Which::Tag { .. } => None,
    };
    let hint = match near {
        Some(near) => format!("did you mean `{word}:{near}`?"),
        None => format!("check `host`, `region` ({region}) and `profile`"),
    };
    Told {
        kind: Kind::NotFound,
        message: format!("{message}; {}", there_are(known)),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    fn selector(which: Which) -> Selector {
        Selector {
            kind: Database::RdsCluster,
            which,
            role: Role::Writer,
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_mistyped_sees_what_there_is_and_what_is_near() {
        let aap = selector(Which::Id("aap".into()));
        let told = Problem::Unknown(names(&["app", "orders"])).told(&aap, "eu-west-1");
        assert_eq!(
            told.message,
            "there is no `rds-cluster` called `aap` in eu-west-1; there are `app`, `orders`"
        );
        assert_eq!(told.hint, "did you mean `rds-cluster:app`?");
        let told = Problem::Unknown(Vec::new()).told(&aap, "eu-west-1");
        assert!(
            told.message.ends_with("none is to be seen"),
            "{}",
            told.message
        );
        assert!(told.hint.contains("`region` (eu-west-1)"), "{}", told.hint);
    }

    #[test]
    fn several_that_fit_are_all_named() {
        let dev = selector(Which::Tag {
            key: "Env".into(),
            value: "dev".into(),
        });
        let told = Problem::Several(names(&["app", "orders"])).told(&dev, "eu-west-1");
        assert_eq!(
            told.message,
            "2 databases fit `rds-cluster:tag:Env=dev`: `app`, `orders`"
        );
        assert_eq!(told.hint, "name one, as in `rds-cluster:app`");
    }
}
