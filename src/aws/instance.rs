//! EC2 instances: found, started and stopped.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Aws,
    error::{Error, Kind},
    query::{Call, Filter, Form, Items, List, Service},
    vpc::{Tags, items, tags},
};

/// The states that an instance does not come back from are left out.
const LIVING: [&str; 4] = ["pending", "running", "stopping", "stopped"];

const DESCRIBE_INSTANCES: List = List {
    service: Service::Ec2,
    action: "DescribeInstances",
    by_id: "",
};
const START_INSTANCES: Call = Call {
    service: Service::Ec2,
    action: "StartInstances",
};
const STOP_INSTANCES: Call = Call {
    service: Service::Ec2,
    action: "StopInstances",
};

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Instance {
    /// `i-…`.
    #[serde(rename = "instanceId")]
    pub id: String,
    /// `pending`, `running`, `stopping` or `stopped`.
    #[serde(rename = "instanceState", deserialize_with = "state_name")]
    pub state: String,
    /// Why it is in that state: a code, and words.
    pub state_reason: Option<StateReason>,
    /// When it was last started.
    pub launch_time: Option<String>,
    /// Its address in its network.
    #[serde(rename = "privateIpAddress")]
    pub address: Option<String>,
    /// Its tags.
    #[serde(rename = "tagSet", deserialize_with = "tags")]
    pub tags: Tags,
    /// The role that its programs have.
    #[serde(rename = "iamInstanceProfile")]
    pub profile: Option<Profile>,
}

/// What gives an instance its role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Its ARN.
    pub arn: String,
}

/// Why an instance is in its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StateReason {
    /// Such as `Server.InsufficientInstanceCapacity`.
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// Instances that were started in one go.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reservation {
    #[serde(rename = "instancesSet", deserialize_with = "items")]
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    #[serde(rename = "instancesSet")]
    _instances: Items<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {}

fn state_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct State {
        name: String,
    }
    State::deserialize(from).map(|state| state.name)
}

impl Instance {
    /// The tag `Name`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let name = self.tags.get("Name").map(String::as_str);
        name.filter(|name| !name.is_empty())
    }

    /// When it was last started.
    #[must_use]
    pub fn started_at(&self) -> Option<SystemTime> {
        let at = OffsetDateTime::parse(self.launch_time.as_deref()?, &Rfc3339).ok()?;
        Some(at.into())
    }
}

impl Aws {
    /// The instances that pass all filters (`instance-id`, `tag:…`), but for those that are gone for good.
    pub async fn instances(&self, filters: &[Filter]) -> Result<Vec<Instance>, Error> {
        let mut filters = filters.to_vec();
        filters.push(Filter::new("instance-state-name", LIVING));
        let found = self.select::<Reservation>(DESCRIBE_INSTANCES, &filters);
        let found = found.await?.into_iter();
        Ok(found.flat_map(|it| it.instances).collect())
    }

    /// The instance of this id, if there is one.
    pub async fn instance(&self, id: &str) -> Result<Option<Instance>, Error> {
        let found = match self.instances(&[Filter::new("instance-id", [id])]).await {
            Err(error) if error.kind == Kind::NotFound => Vec::new(),
            found => found?,
        };
        Ok(found.into_iter().find(|instance| instance.id == id))
    }

    /// Starts an instance that has stopped; one that runs goes on running.
    pub async fn start_instance(&self, id: &str) -> Result<(), Error> {
        self.change_instance(START_INSTANCES, id).await
    }

    /// Stops an instance; one that has stopped stays so.
    pub async fn stop_instance(&self, id: &str) -> Result<(), Error> {
        self.change_instance(STOP_INSTANCES, id).await
    }

    async fn change_instance(&self, call: Call, id: &str) -> Result<(), Error> {
        let mut form = Form::of(call);
        form.add("InstanceId.1", id);
        let read = |text: &str| quick_xml::de::from_str::<Changed>(text);
        self.ask(call, &form, read).await.map(drop)
    }
}
