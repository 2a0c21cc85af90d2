//! A hybrid node in the place of a task: found by its id, a tag or its name, and neither started nor stopped.

use std::time::Duration;

use super::calls::{Answer, Seen, trouble};
use super::lifecycle::{Action, Agent, Outcome, Phase, Sighting, Trouble};
use crate::aws::{Aws, Error, Node, Nodes};
use crate::config::{Pick, suggest};
use crate::cost::Metered;
use crate::status::{self, Reason};

/// So many candidates are named; more is no help.
const MOST_NAMES: usize = 10;

/// The calls of a bastion that is a node.
pub struct NodeCalls {
    pick: Pick,
    aws: Aws,
}

/// Why there is no node to use.
#[derive(Debug, Clone, PartialEq)]
enum Problem {
    /// None fits; these there are.
    Unknown(Vec<Node>),
    /// These all fit.
    Several(Vec<Node>),
    /// The one that fits is not connected.
    Offline(Box<Node>),
}

/// The nodes that `pick` names, connected or not; one of them should be.
pub async fn all_fitting(aws: &Aws, pick: &Pick) -> Result<Vec<Node>, Error> {
    let nodes = aws.nodes(which(pick)).await?;
    Ok(fitting(pick, &nodes))
}

fn which(pick: &Pick) -> Nodes<'_> {
    match pick {
        Pick::Id(id) => Nodes::Id(id),
        Pick::Tag { key, value } => Nodes::Tag(key, value),
        Pick::Name(_) => Nodes::Hybrid,
    }
}

impl NodeCalls {
    /// Calls for the node that `pick` names.
    pub fn new(pick: Pick, aws: Aws) -> Self {
        Self { pick, aws }
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match action {
            Action::Find => self.find().await,
            Action::Describe(id) => self.describe(&id).await,
            Action::Probe(target) => {
                let status = self.aws.connection_status(&target).await;
                Outcome::Probed(status.map_err(trouble)).into()
            }
            // It is looked for, not made; and nobody's sessions keep it from anything.
            Action::Launch => {
                let reason = self.told(Problem::Unknown(Vec::new()));
                Outcome::Launched(Err(for_good(reason))).into()
            }
            Action::CountSessions(_) => Outcome::Counted(Ok(0)).into(),
            Action::Stop { arn, reason: _ } => Outcome::Stopped {
                arn,
                result: Ok(()),
            }
            .into(),
            Action::Settle => Outcome::Settled(true).into(),
        }
    }

    async fn find(&self) -> Answer {
        let nodes = match self.aws.nodes(which(&self.pick)).await {
            Ok(nodes) => nodes,
            Err(error) => return Outcome::Found(Err(trouble(error))).into(),
        };
        match choose(&self.pick, nodes) {
            Ok(node) => answer(&node, |sighting| Outcome::Found(Ok(Some(sighting)))),
            Err(problem) => Outcome::Found(Err(for_good(self.told(problem)))).into(),
        }
    }

    async fn describe(&self, id: &str) -> Answer {
        let nodes = self.aws.nodes(Nodes::Id(id)).await;
        match nodes.map(|nodes| nodes.into_iter().find(|node| node.id == id)) {
            Ok(Some(node)) => answer(&node, |sighting| Outcome::Described(Ok(Some(sighting)))),
            Ok(None) => Outcome::Described(Ok(None)).into(),
            Err(error) => Outcome::Described(Err(trouble(error))).into(),
        }
    }

    fn told(&self, problem: Problem) -> Reason {
        told(&self.pick, self.aws.region(), problem)
    }
}

/// Nothing is gained by asking again.
fn for_good(reason: Reason) -> Trouble {
    Trouble {
        reason,
        retry: false,
        ambiguous: false,
        ripens_in: None,
    }
}

fn answer(node: &Node, outcome: impl FnOnce(Sighting) -> Outcome) -> Answer {
    let sighting = Sighting {
        arn: node.id.clone(),
        phase: phase(node),
    };
    let seen = Seen {
        arn: node.id.clone(),
        last_status: node.ping.clone(),
        created_at: None,
        started_at: None,
        node: None,
        metered: Metered {
            arn: node.id.clone(),
            size: None,
            began: None,
        },
    };
    Answer {
        outcome: outcome(sighting),
        seen: Some(seen),
    }
}

fn phase(node: &Node) -> Phase {
    match node.is_online {
        true => Phase::Up {
            targets: vec![node.id.clone()],
            agent: Agent::Running,
            // It has no age at which it is replaced.
            age: Duration::ZERO,
        },
        false => Phase::Going {
            reason: offline(node),
            retries: 0,
            stopped: false,
        },
    }
}

/// The only one that fits and is connected. A machine that was registered anew leaves its old node behind.
fn choose(pick: &Pick, nodes: Vec<Node>) -> Result<Node, Problem> {
    let fitting = fitting(pick, &nodes);
    let online = fitting.iter().filter(|node| node.is_online);
    let online: Vec<Node> = online.cloned().collect();
    match (&online[..], &fitting[..]) {
        ([node], _) => Ok(node.clone()),
        ([], []) => Err(Problem::Unknown(nodes)),
        ([], [node]) => Err(Problem::Offline(Box::new(node.clone()))),
        ([], [..]) => Err(Problem::Several(fitting)),
        ([..], _) => Err(Problem::Several(online)),
    }
}

/// AWS has selected by id and tag already, but not by name.
fn fitting(pick: &Pick, nodes: &[Node]) -> Vec<Node> {
    let of = |fits: &dyn Fn(&Node) -> bool| -> Vec<Node> {
        let hybrid = nodes.iter().filter(|node| node.id.starts_with("mi-"));
        hybrid.filter(|node| fits(node)).cloned().collect()
    };
    match pick {
        Pick::Id(id) => of(&|node| node.id == *id),
        Pick::Tag { .. } => of(&|_| true),
        Pick::Name(name) => match of(&|node| node.name.as_ref() == Some(name)) {
            none if none.is_empty() => of(&|node| node.computer.as_ref() == Some(name)),
            some => some,
        },
    }
}

fn told(pick: &Pick, region: &str, problem: Problem) -> Reason {
    match problem {
        Problem::Offline(node) => offline(&node),
        Problem::Several(nodes) => {
            let message = format!("{} nodes fit `{pick}`: {}", nodes.len(), listed(&nodes));
            let first = nodes.first().map_or("mi-…", |node| node.id.as_str());
            let hint = format!("name one in the configuration, as in `node = \"{first}\"`");
            Reason::new("several_fit", message).with_hint(hint)
        }
        Problem::Unknown(nodes) => {
            let message = format!("no hybrid node `{pick}` is registered in region {region}");
            let names = nodes.iter().filter_map(|node| node.name.as_deref());
            let near = suggest::nearest(&pick.to_string(), names);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "correct `node` of the bastion, and check `region` and `profile`".to_owned()
                }
            };
            Reason::new("not_found", message).with_hint(hint)
        }
    }
}

fn offline(node: &Node) -> Reason {
    let since = node.pinged_at.map(|at| {
        let at = status::timestamp(at);
        format!(", last heard of at {} UTC", at.time().truncate_to_second())
    });
    let message = format!(
        "node {} is not connected to AWS ({}{})",
        shown(node),
        node.ping,
        since.unwrap_or_default()
    );
    Reason::new("node_offline", message).with_hint(
        "start the machine, or its agent: sudo systemctl restart amazon-ssm-agent; or register it anew if it was deregistered",
    )
}

fn listed(nodes: &[Node]) -> String {
    let names: Vec<_> = nodes.iter().take(MOST_NAMES).map(shown).collect();
    match nodes.len() - names.len() {
        0 => names.join(", "),
        more => format!("{}, {more} more", names.join(", ")),
    }
}

/// `mi-… (office, 10.0.0.7)`.
fn shown(node: &Node) -> String {
    let name = node.name.as_deref().or(node.computer.as_deref());
    let told: Vec<_> = name.into_iter().chain(node.address.as_deref()).collect();
    match told.is_empty() {
        true => node.id.clone(),
        false => format!("{} ({})", node.id, told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, name: &str, is_online: bool) -> Node {
        Node {
            id: format!("mi-{id}"),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            computer: Some("host.internal".to_owned()),
            address: Some("10.0.0.7".to_owned()),
            is_online,
            ping: if is_online {
                "Online"
            } else {
                "ConnectionLost"
            }
            .to_owned(),
            ..Node::default()
        }
    }

    fn named(name: &str) -> Pick {
        Pick::Name(name.to_owned())
    }

    fn refused(pick: &Pick, nodes: Vec<Node>) -> Reason {
        told(pick, "eu-west-1", choose(pick, nodes).unwrap_err())
    }

    #[test]
    fn the_old_registration_of_a_machine_is_not_in_the_way() {
        let nodes = vec![node("1", "office", false), node("2", "office", true)];
        assert_eq!(choose(&named("office"), nodes).unwrap().id, "mi-2");
    }

    #[test]
    fn the_name_of_the_machine_serves_where_it_was_registered_without_one() {
        let nodes = vec![node("1", "", true)];
        assert_eq!(choose(&named("host.internal"), nodes).unwrap().id, "mi-1");
    }

    #[test]
    fn several_that_fit_are_listed_and_none_is_taken() {
        let nodes = vec![node("1", "a_b", true), node("2", "a_b", true)];
        let reason = refused(&named("a_b"), nodes);
        assert_eq!(reason.code, "several_fit");
        assert_eq!(
            reason.message,
            "2 nodes fit `a_b`: mi-1 (a_b, 10.0.0.7), mi-2 (a_b, 10.0.0.7)"
        );
        assert!(reason.hint.unwrap().contains("node = \"mi-1\""));
        let many = (0..14).map(|at| node(&at.to_string(), "x", true));
        let reason = refused(&named("x"), many.collect());
        assert!(reason.message.ends_with(", 4 more"), "{}", reason.message);
    }

    #[test]
    fn one_that_is_not_connected_is_no_use_and_what_starts_it_is_told() {
        let pick = Pick::Id("mi-1".to_owned());
        let reason = refused(&pick, vec![node("1", "office", false)]);
        assert_eq!(reason.code, "node_offline");
        assert!(reason.message.contains("ConnectionLost"));
        assert!(reason.hint.unwrap().contains("amazon-ssm-agent"));
    }

    #[test]
    fn an_unknown_name_is_told_with_the_one_that_was_meant() {
        let reason = refused(&named("offcie"), vec![node("1", "office", true)]);
        assert_eq!(reason.code, "not_found");
        assert!(reason.message.contains("eu-west-1"));
        assert!(reason.hint.unwrap().contains("`office`"));
    }

    #[test]
    fn an_instance_is_no_hybrid_node() {
        let instance = Node {
            id: "i-1".to_owned(),
            ..node("1", "office", true)
        };
        assert_eq!(refused(&named("office"), vec![instance]).code, "not_found");
    }
}
