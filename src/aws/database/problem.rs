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
        Told {
            kind: self.kind(),
            message: self.message(selector, region),
            hint: self.hint(selector, region),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) | Self::NotThere | Self::NoCustomEndpoint(_) => Kind::NotFound,
            Self::Several(_) | Self::SeveralReaders(_) => Kind::SeveralFit,
            Self::NotReady(_) | Self::NoVpc => Kind::NotReady,
            Self::OfKind(_)
            | Self::NoEndpoint
            | Self::ClusterMode
            | Self::SeveralNodes(_)
            | Self::NoPort => Kind::Unsuitable,
        }
    }

    fn message(&self, selector: &Selector, region: &str) -> String {
        let (word, which) = (selector.kind.word(), &selector.which);
        match self {
            Self::Unknown(known) => {
                format!("{}; {}", none_fits(selector, region), there_are(known))
            }
            Self::NotThere => format!("there is no `{word}` called `{which}` in {region}"),
            Self::Several(ids) => {
                format!("{} databases fit `{selector}`: {}", ids.len(), listed(ids))
            }
            Self::OfKind(_) => format!("`{which}` is no `{word}`"),
            Self::NotReady(status) => format!("`{selector}` has no endpoint yet: it is {status}"),
            Self::NoEndpoint => format!("there is no endpoint `{selector}`"),
            Self::NoCustomEndpoint(known) => {
                format!("there is no endpoint `{selector}`; {}", there_are(known))
            }
            Self::SeveralReaders(hosts) => {
                format!(
                    "{} endpoints fit `{selector}`: {}",
                    hosts.len(),
                    listed(hosts)
                )
            }
            Self::ClusterMode => format!(
                "`{selector}` is in cluster mode: its nodes send clients on to each other, which one tunnel does not follow"
            ),
            Self::SeveralNodes(count) => format!(
                "`{selector}` has {count} nodes: clients spread their keys over all of them, and one tunnel reaches one"
            ),
            Self::NoPort => format!("AWS does not tell the port of `{selector}`"),
            Self::NoVpc => format!("AWS does not tell the VPC of `{selector}`"),
        }
    }

    /// The one thing to do.
    fn hint(&self, selector: &Selector, region: &str) -> String {
        let (word, which) = (selector.kind.word(), &selector.which);
        let check = || format!("check `host`, `region` ({region}) and `profile`");
        match self {
            Self::Unknown(known) => near(which, known)
                .map_or_else(check, |near| format!("did you mean `{word}:{near}`?")),
            Self::NotThere => check(),
            Self::Several(ids) => ids
                .first()
                .map(|id| format!("name one, as in `{word}:{id}`"))
                .unwrap_or_default(),
            Self::OfKind(other) => format!("write `{}:{which}`", other.word()),
            Self::NotReady(_) => "connect again when it is available".into(),
            Self::NoEndpoint => format!("write `{word}:{which}`, or make one"),
            Self::NoCustomEndpoint(_) => "correct the endpoint's name in `host`".into(),
            Self::SeveralReaders(_) => "write the host name of one of them as `host`".into(),
            Self::ClusterMode => {
                "run the client inside the VPC, or use a cache with cluster mode disabled".into()
            }
            Self::SeveralNodes(_) => {
                "run the client inside the VPC, or write the host name of one node".into()
            }
            Self::NoPort => "set `port` of the tunnel".into(),
            Self::NoVpc => "set `subnets` of the bastion".into(),
        }
    }
}

fn none_fits(selector: &Selector, region: &str) -> String {
    let word = selector.kind.word();
    match &selector.which {
        Which::Id(id) => format!("there is no `{word}` called `{id}` in {region}"),
        Which::Tag { key, value } => format!("no `{word}` in {region} has the tag {key}={value}"),
    }
}

/// The id that was meant, if one is alike.
fn near<'a>(which: &Which, known: &'a [String]) -> Option<&'a str> {
    match which {
        Which::Id(id) => suggest::nearest(id, known.iter().map(String::as_str)),
        Which::Tag { .. } => None,
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
