//! How a task is run: the parameters, the tags that make it recognisable, and the token that makes
//! two laptops which run it at the same moment get the same one.
//!
//! Pure. In shared mode every laptop must send the very same request, so nothing personal is in it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::{Network, RunTask, Task};
use crate::config::{Bastion, Mode, Pick, TaskAgent};

/// The tag with the version of the daemon that ran the task.
pub const VERSION_TAG: &str = "bastiond:version";

/// So long before the end of its life a task is not used any more.
const WORN_BEFORE: Duration = Duration::from_secs(10 * 60);

/// Fargate's interruptible capacity.
const SPOT: &str = "FARGATE_SPOT";

/// What tells a fitting task from others.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether ECS puts its agent there.
    pub exec: bool,
    /// How old it may be at most.
    pub max_age: Option<Duration>,
}

/// What distinguishes one use of the client token from the next: ECS answers a token with the old
/// task until an hour after that has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Epoch {
    /// The newest stopped task of the family.
    After(String),
    /// None is known: the minute.
    Minute(u64),
}

impl Epoch {
    /// By the stopped tasks of the family.
    pub fn of(stopped: &[Task], now: SystemTime) -> Self {
        match stopped
            .iter()
            .max_by_key(|task| (task.created_at, task.arn.as_str()))
        {
            Some(newest) => Self::After(newest.arn.clone()),
            None => {
                let seconds = now
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_secs();
                Self::Minute(seconds / 60)
            }
        }
    }
}

/// The tags of the task that `bastion` wants, in this network.
pub fn wanted(bastion: &Bastion, network: &Network, owner: &str) -> Wanted {
    let mut tags = BTreeMap::from([
        ("bastiond:stack", bastion.name.clone()),
        ("bastiond:mode", mode(bastion).to_owned()),
        ("bastiond:params", params(bastion, network)),
        (VERSION_TAG, env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    if bastion.mode == Mode::User {
        tags.insert("bastiond:owner", owner.to_owned());
    }
    let tags = tags.into_iter();
    let mut tags: BTreeMap<_, _> = tags.map(|(key, value)| (key.to_owned(), value)).collect();
    tags.extend(bastion.launch.tags.clone());
    Wanted {
        tags,
        exec: bastion.agent == TaskAgent::Exec,
        max_age: max_age(bastion),
    }
}

/// How old a task may be to be used: what begins now should not be cut soon.
pub fn max_age(bastion: &Bastion) -> Option<Duration> {
    bastion
        .max_lifetime
        .map(|lifetime| lifetime.saturating_sub(WORN_BEFORE))
}

/// The request that runs it.
pub fn request(bastion: &Bastion, network: &Network, owner: &str, epoch: &Epoch) -> RunTask {
    RunTask {
        cluster: bastion.cluster.clone(),
        task_definition: bastion.task_definition.clone(),
        subnets: network.subnets.clone(),
        security_groups: network.security_groups.clone(),
        exec: bastion.agent == TaskAgent::Exec,
        assign_public_ip: network.assign_public_ip,
        capacity_providers: bastion.launch.capacity_providers.clone(),
        platform_version: bastion.launch.platform_version.clone(),
        started_by: started_by(bastion, owner),
        tags: wanted(bastion, network, owner).tags,
        propagate_tags: bastion.launch.propagate_tags,
        group: bastion.launch.group.clone(),
        overrides: bastion.launch.overrides.clone(),
        client_token: client_token(bastion, network, owner, epoch),
    }
}

/// The same on demand, for when there is no Spot capacity: a task that serves everybody who wants the other.
/// `None` if it is that already, or if no provider is known to be Spot's.
pub fn on_demand(request: &RunTask) -> Option<RunTask> {
    let mut providers = request.capacity_providers.iter();
    let is_spot = providers.any(|provider| provider.name == SPOT);
    is_spot.then(|| RunTask {
        capacity_providers: Vec::new(),
        // The other request has used the first token, if only to fail.
        client_token: hex(&Sha256::digest(format!(
            "{}|on-demand",
            request.client_token
        )))[..52]
            .to_owned(),
        ..request.clone()
    })
}

/// At most 36 characters of `[A-Za-z0-9_/-]`, and nothing personal: a digest stands for the user.
fn started_by(bastion: &Bastion, owner: &str) -> String {
    match bastion.mode {
        Mode::Shared => "bastiond/shared".to_owned(),
        Mode::User => format!("bastiond/{}", &hex(&Sha256::digest(owner))[..16]),
    }
}

fn client_token(bastion: &Bastion, network: &Network, owner: &str, epoch: &Epoch) -> String {
    let owner = if bastion.mode == Mode::User {
        owner
    } else {
        "-"
    };
    let epoch = match epoch {
        Epoch::After(arn) => arn.clone(),
        Epoch::Minute(minute) => minute.to_string(),
    };
    let parts = [
        "v1",
        &bastion.cluster,
        bastion.family(),
        mode(bastion),
        owner,
        &params(bastion, network),
        &epoch,
    ];
    hex(&Sha256::digest(parts.join("|")))[..52].to_owned()
}

/// Sixteen hexadecimal digits that change with any launch parameter, and are the same on every laptop: in which of the
/// subnets that fit a task runs makes no difference.
pub fn params(bastion: &Bastion, network: &Network) -> String {
    let mut groups = network.security_groups.clone();
    groups.sort();
    digest(
        bastion,
        &[
            json!(network.place),
            json!(groups),
            json!(network.assign_public_ip),
        ],
    )
}

/// The same of what is written in the configuration, which tells without a call whether a task of an earlier run is
/// still wanted.
pub fn written(bastion: &Bastion) -> String {
    let texts = |picks: &[Pick]| picks.iter().map(Pick::to_string).collect::<Vec<_>>();
    let network = &bastion.network;
    digest(
        bastion,
        &[
            json!(texts(&network.subnets)),
            json!(texts(&network.security_groups)),
            json!(network.assign_public_ip),
        ],
    )
}

fn digest(bastion: &Bastion, network: &[Value; 3]) -> String {
    let canonical = json!([
        bastion.name,
        bastion.cluster,
        bastion.task_definition,
        network,
        bastion.launch.capacity_providers,
        bastion.launch.platform_version,
        bastion.launch.tags,
        bastion.agent == TaskAgent::Hybrid,
        bastion.launch.propagate_tags,
        bastion.launch.group,
        bastion.launch.overrides,
    ]);
    hex(&Sha256::digest(canonical.to_string()))[..16].to_owned()
}

fn mode(bastion: &Bastion) -> &'static str {
    match bastion.mode {
        Mode::Shared => "shared",
        Mode::User => "user",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, OnShutdown};

    fn bastion(extra: &str) -> Bastion {
        let text = format!(
            "[bastion.dev]\ncluster = 'c'\ntask_definition = 'bastion:3'\nsubnets = ['subnet-0a1b2c3d']\n\
             security_groups = ['sg-0a1b2c3d']\n{extra}\n[[tunnel]]\nname = 'db'\nhost = 'db.internal'\nport = 5432\n"
        );
        Config::parse(&text)
            .expect("a valid configuration")
            .bastions["dev"]
            .clone()
    }

    fn network(bastion: &Bastion) -> Network {
        Network::by_ids(&bastion.network).expect("ids")
    }

    fn request(bastion: &Bastion, owner: &str, epoch: &Epoch) -> RunTask {
        super::request(bastion, &network(bastion), owner, epoch)
    }

    #[test]
    fn laptops_that_found_other_subnets_of_one_place_share_a_task() {
        let found = |subnet: &str, class: &str| Network {
            subnets: vec![subnet.into()],
            security_groups: vec!["sg-2".into(), "sg-1".into()],
            place: vec!["vpc-1".into(), class.into()],
            ..Network::default()
        };
        let (one, other) = (found("subnet-1", "egress"), found("subnet-2", "egress"));
        assert_eq!(params(&bastion(""), &one), params(&bastion(""), &other));
        let public = found("subnet-1", "public");
        assert_ne!(params(&bastion(""), &one), params(&bastion(""), &public));
    }

    #[test]
    fn two_laptops_send_the_same_request_in_shared_mode() {
        let epoch = Epoch::Minute(7);
        let (ana, kim) = (
            request(&bastion(""), "ana", &epoch),
            request(&bastion(""), "kim", &epoch),
        );
        assert_eq!(format!("{ana:?}"), format!("{kim:?}"));
    }

    #[test]
    fn two_users_never_get_each_others_task_in_user_mode() {
        let own = bastion("mode = 'user'");
        let (ana, kim) = (
            request(&own, "ana", &Epoch::Minute(7)),
            request(&own, "kim", &Epoch::Minute(7)),
        );
        assert_ne!(ana.client_token, kim.client_token);
        assert_ne!(ana.tags["bastiond:owner"], kim.tags["bastiond:owner"]);
        assert_ne!(ana.started_by, kim.started_by);
    }

    #[test]
    fn a_token_is_new_when_the_task_it_made_has_stopped() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(120);
        let stopped = Task {
            arn: "arn:1".to_owned(),
            ..Task::default()
        };
        assert_eq!(Epoch::of(&[], now), Epoch::Minute(2));
        assert_eq!(Epoch::of(&[stopped], now), Epoch::After("arn:1".to_owned()));
        let token = |epoch| request(&bastion(""), "ana", &epoch).client_token;
        assert_ne!(
            token(Epoch::Minute(2)),
            token(Epoch::After("arn:1".to_owned()))
        );
    }

    #[test]
    fn what_does_not_change_the_task_does_not_change_its_digest() {
        let both = |extra: &str| {
            let bastion = bastion(extra);
            (params(&bastion, &network(&bastion)), written(&bastion))
        };
        let (params, written) = both("");
        assert_eq!(both("idle_stop = '1h'"), (params.clone(), written.clone()));
        let other = both("assign_public_ip = true");
        assert!(other.0 != params && other.1 != written);
        for other in [
            "group = 'bastions'",
            "propagate_tags = false",
            "overrides = { cpu = 256 }",
            "overrides.container.bastion.command = ['true']",
        ] {
            assert_ne!(both("").0, both(other).0, "{other}");
        }
        assert_eq!(bastion("").on_shutdown, OnShutdown::Stop);
    }

    #[test]
    fn ecs_accepts_what_is_sent() {
        let run = request(
            &bastion("mode = 'user'"),
            "ana@example.com",
            &Epoch::Minute(1),
        );
        assert!(run.client_token.len() <= 64);
        assert!(run.started_by.len() <= 36);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_/-".contains(c);
        assert!(run.started_by.chars().all(allowed), "{}", run.started_by);
        assert_eq!(bastion("").family(), "bastion");
    }
}
