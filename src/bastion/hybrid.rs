//! A task that registers itself as a hybrid node when it starts: which node it is, and what becomes of that after its end.
//!
//! The node is known by the tag `bastiond:task`, which the task gives its activation, else by its address. Every start
//! leaves a node behind that nobody can use any more, so it is deregistered: with its task, and in a sweep for those
//! whose end nobody saw.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::aws::{self, Aws, Node, Nodes, Task};
use crate::state::TaskRecord;

/// The tag of a node that is a task, with the task's id.
const TASK_TAG: &str = "bastiond:task";
/// A dead node is swept away when it is older: what is younger may be somebody's whose connection is lost for a moment.
const SWEPT_AFTER: Duration = Duration::from_secs(3600);

/// The nodes of one bastion's tasks.
pub struct Hybrid {
    aws: Aws,
    /// The latest task and the node that it is.
    known: Mutex<Option<(String, String)>>,
}

impl Hybrid {
    /// `earlier` is the task that an earlier run has left.
    pub fn new(aws: Aws, earlier: Option<&TaskRecord>) -> Self {
        let known = earlier.and_then(|task| Some((task.arn.clone(), task.node.clone()?)));
        Self {
            aws,
            known: Mutex::new(known),
        }
    }

    /// The node that a running task is; `None` while it has not registered itself.
    pub async fn node_of(&self, task: &Task) -> Result<Option<String>, aws::Error> {
        if let Some(node) = self.known(&task.arn) {
            return Ok(Some(node));
        }
        let mut node = newest(
            self.aws.nodes(Nodes::Tag(TASK_TAG, &task.id)).await?,
            |_| true,
        );
        if node.is_none()
            && let Some(address) = &task.address
        {
            let all = self.aws.nodes(Nodes::Hybrid).await?;
            node = newest(all, |node| is_at(node, address, task.created_at));
        }
        let node = node.filter(|node| node.is_online).map(|node| node.id);
        if let Some(node) = &node {
            tracing::info!(task = %task.arn, %node, "the task has registered itself");
            *self.lock() = Some((task.arn.clone(), node.clone()));
        }
        Ok(node)
    }

    /// The task has stopped, or is about to: its node goes too, and with it those that are dead for long.
    pub async fn retire(&self, arn: &str) {
        let id = arn.rsplit('/').next().unwrap_or(arn);
        let node = self.known(arn);
        let tagged = self.aws.nodes(Nodes::Tag(TASK_TAG, id)).await;
        let tagged = tagged.unwrap_or_default().into_iter().map(|node| node.id);
        let mut nodes: Vec<String> = node.into_iter().chain(tagged).collect();
        nodes.sort();
        nodes.dedup();
        for node in nodes {
            self.deregister(&node).await;
        }
        self.sweep().await;
    }

    /// Deregister what tasks have left behind.
    async fn sweep(&self) {
        let all = match self.aws.nodes(Nodes::TagKey(TASK_TAG)).await {
            Ok(all) => all,
            Err(error) => {
                tracing::warn!(%error, "cannot look for nodes of tasks that have ended");
                return;
            }
        };
        let now = SystemTime::now();
        for node in all.iter().filter(|node| is_dead(node, now)) {
            self.deregister(&node.id).await;
        }
    }

    async fn deregister(&self, node: &str) {
        match self.aws.deregister_node(node).await {
            Ok(()) => tracing::info!(node, "deregistered the node of a task that has ended"),
            Err(error) => {
                tracing::warn!(node, %error, "cannot deregister the node of a task that has ended");
            }
        }
    }

    /// The node of the task, if it is known already.
    pub fn known(&self, arn: &str) -> Option<String> {
        let known = self.lock();
        let (_, node) = known.as_ref().filter(|(task, _)| task == arn)?;
        Some(node.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The nodes that a task has registered itself as, by their tag.
pub async fn nodes_of(aws: &Aws, task: &Task) -> Result<Vec<String>, aws::Error> {
    let nodes = aws.nodes(Nodes::Tag(TASK_TAG, &task.id)).await?;
    Ok(nodes.into_iter().map(|node| node.id).collect())
}

/// Addresses are used again: what was registered before the task began is another's.
fn is_at(node: &Node, address: &str, created: Option<SystemTime>) -> bool {
    let is_later = match (node.registered_at, created) {
        (Some(registered), Some(created)) => registered >= created,
        _ => true,
    };
    node.is_online && node.address.as_deref() == Some(address) && is_later
}

fn newest(nodes: Vec<Node>, fits: impl Fn(&Node) -> bool) -> Option<Node> {
    let hybrid = nodes.into_iter().filter(|node| node.id.starts_with("mi-"));
    let fitting = hybrid.filter(|node| fits(node));
    fitting.max_by_key(|node| (node.is_online, node.registered_at))
}

fn is_dead(node: &Node, now: SystemTime) -> bool {
    let long_ago = |at: Option<SystemTime>| {
        let age = at.and_then(|at| now.duration_since(at).ok());
        age.is_some_and(|age| age >= SWEPT_AFTER)
    };
    node.id.starts_with("mi-")
        && node.ping == "ConnectionLost"
        && long_ago(node.registered_at)
        && long_ago(node.pinged_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(NOW + Duration::from_secs(seconds))
    }

    fn node(id: &str, registered: u64, is_online: bool) -> Node {
        Node {
            id: id.to_owned(),
            address: Some("10.0.0.7".to_owned()),
            is_online,
            ping: if is_online {
                "Online"
            } else {
                "ConnectionLost"
            }
            .to_owned(),
            registered_at: at(registered),
            pinged_at: at(registered),
            ..Node::default()
        }
    }

    #[test]
    fn of_several_at_an_address_the_newest_that_is_connected_and_younger_than_the_task_is_it() {
        let fits = |node: &Node| is_at(node, "10.0.0.7", at(100));
        let nodes = vec![
            node("mi-old", 50, true),
            node("mi-1", 110, true),
            node("mi-2", 120, true),
            node("mi-dead", 130, false),
            node("i-1", 140, true),
        ];
        assert_eq!(newest(nodes, fits).map(|it| it.id).as_deref(), Some("mi-2"));
        assert_eq!(newest(vec![node("mi-old", 50, true)], fits), None);
    }

    #[test]
    fn only_nodes_that_have_been_dead_for_an_hour_are_swept_away() {
        let now = NOW + Duration::from_secs(7200);
        assert!(is_dead(&node("mi-1", 3600, false), now));
        assert!(!is_dead(&node("mi-1", 3601, false), now));
        assert!(!is_dead(&node("mi-1", 0, true), now));
        assert!(!is_dead(&node("i-1", 0, false), now));
        let heard_of = Node {
            pinged_at: at(7000),
            ..node("mi-1", 0, false)
        };
        assert!(!is_dead(&heard_of, now));
    }
}
