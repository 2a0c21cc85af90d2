//! Managed nodes of Systems Manager: what its own list tells of instances and hybrid machines.

use std::time::SystemTime;

use aws_sdk_ssm::types::{InstanceInformation, InstanceInformationStringFilter, PingStatus};

use super::{
    Aws,
    error::{Error, Kind},
};

/// What AWS takes for a page (SSM API model: 5 to 50).
const PAGE_SIZE: i32 = 50;
/// Far above what an account has: a list that does not end is not followed for ever.
const MOST_PAGES: usize = 200;

/// A machine with an agent, as Systems Manager tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `i-…` or `mi-…`.
    pub id: String,
    /// What it was registered as.
    pub name: Option<String>,
    /// What the machine calls itself.
    pub computer: Option<String>,
    /// Its own address, as its agent told it.
    pub address: Option<String>,
    /// Whether its agent is connected.
    pub is_online: bool,
    /// `Online`, `ConnectionLost` or `Inactive`.
    pub ping: String,
    /// When its agent was last heard of.
    pub pinged_at: Option<SystemTime>,
    /// When it was registered.
    pub registered_at: Option<SystemTime>,
    /// The version of its agent.
    pub agent: Option<String>,
}

/// Which nodes. AWS combines a filter by tag with no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes<'a> {
    /// The one of this id.
    Id(&'a str),
    /// Those with this tag.
    Tag(&'a str, &'a str),
    /// Those with any tag of this key.
    TagKey(&'a str),
    /// All that are no EC2 instances.
    Hybrid,
}

impl Aws {
    /// The nodes that fit. An id that does not exist is no error.
    pub async fn nodes(&self, which: Nodes<'_>) -> Result<Vec<Node>, Error> {
        let filter = which.filter();
        let mut nodes = Vec::new();
        let mut page = None;
        for _ in 0..MOST_PAGES {
            let request = self.ssm().describe_instance_information();
            let request = request.filters(filter.clone()).set_next_token(page);
            let request = request.max_results(PAGE_SIZE);
            let reply = self
                .call("DescribeInstanceInformation", || request.clone().send())
                .await;
            let reply = match reply {
                Err(error) if error.kind == Kind::NotFound => return Ok(Vec::new()),
                reply => reply?,
            };
            let told = reply.instance_information_list.unwrap_or_default();
            nodes.extend(told.into_iter().filter_map(node));
            page = reply.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(nodes);
            }
        }
        let message = format!("there are more than {MOST_PAGES} pages");
        Err(self.failure("DescribeInstanceInformation", None, message, Kind::Other))
    }

    /// Takes a hybrid node off the list; one that is not there counts as taken off.
    pub async fn deregister_node(&self, id: &str) -> Result<(), Error> {
        let request = self.ssm().deregister_managed_instance().instance_id(id);
        let reply = self
            .call("DeregisterManagedInstance", || request.clone().send())
            .await;
        match reply {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Nodes<'_> {
    fn filter(&self) -> InstanceInformationStringFilter {
        let (key, value) = match *self {
            Self::Id(id) => ("InstanceIds".to_owned(), id),
            Self::Tag(key, value) => (format!("tag:{key}"), value),
            Self::TagKey(key) => ("tag-key".to_owned(), key),
            Self::Hybrid => ("ResourceType".to_owned(), "ManagedInstance"),
        };
        let filter = InstanceInformationStringFilter::builder().key(key);
        filter
            .values(value)
            .build()
            .expect("key and values are set")
    }
}

fn node(told: InstanceInformation) -> Option<Node> {
    let ping = told.ping_status;
    let time = |at: aws_smithy_types::DateTime| SystemTime::try_from(at).ok();
    Some(Node {
        id: told.instance_id?,
        name: told.name.filter(|name| !name.is_empty()),
        computer: told.computer_name.filter(|name| !name.is_empty()),
        address: told.ip_address.filter(|address| !address.is_empty()),
        is_online: ping == Some(PingStatus::Online),
        ping: ping
            .map_or("unknown", |it| match it {
                PingStatus::Online => "Online",
                PingStatus::ConnectionLost => "ConnectionLost",
                PingStatus::Inactive => "Inactive",
                _ => "unknown",
            })
            .to_owned(),
        pinged_at: told.last_ping_date_time.and_then(time),
        registered_at: told.registration_date.and_then(time),
        agent: told.agent_version.filter(|version| !version.is_empty()),
    })
}
