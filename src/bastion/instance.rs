//! An EC2 instance in the place of a task: started when it is needed, and stopped when nobody uses it if it is tagged for
//! that.
//!
//! It is the same for everybody, so two laptops that start it at once do the same thing. Whoever finds it stopping waits
//! until it has stopped, and starts it again.

use std::time::Duration;

use super::calls::{Answer, Seen, trouble};
use super::lifecycle::{Action, Agent, Outcome, Phase, Sighting, Trouble};
use crate::aws::{self, Aws, Filter, Instance, Kind, Nodes};
use crate::config::{Pick, suggest};
use crate::cost::Metered;
use crate::status::Reason;

/// The tag, and its value, of an instance that may be stopped when nobody uses it.
pub const MANAGED_TAG: (&str, &str) = ("bastiond:managed", "true");

const STARTING: &str = "starting the instance";
const STOPPING: &str = "waiting for the instance to stop";
/// So many candidates are named; more is no help.
const MOST_NAMES: usize = 10;
/// Ends that somebody wanted: the next start is not to blame for them.
const WANTED_ENDS: [&str; 3] = [
    "Client.UserInitiatedShutdown",
    "Client.InstanceInitiatedShutdown",
    "Client.UserInitiatedHibernate",
];

/// The calls of a bastion that is an instance.
pub struct InstanceCalls {
    pick: Pick,
    aws: Aws,
    /// Who acts, for the log.
    who: String,
}

/// Why there is no instance to use.
#[derive(Debug, Clone, PartialEq)]
enum Problem {
    /// None fits; these there are.
    Unknown(Vec<Instance>),
    /// These all fit.
    Several(Vec<Instance>),
}

/// The instances that `pick` names, of which there should be one.
pub async fn fitting(aws: &Aws, pick: &Pick) -> Result<Vec<Instance>, aws::Error> {
    let filter = match pick {
        Pick::Id(id) => Filter::new("instance-id", [id]),
        Pick::Tag { key, value } => Filter::tag(key, value),
        Pick::Name(name) => Filter::tag("Name", name),
    };
    match aws.instances(&[filter]).await {
        Err(error) if error.kind == Kind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

impl InstanceCalls {
    /// Calls for the instance that `pick` names.
    pub fn new(pick: Pick, aws: Aws, who: String) -> Self {
        Self { pick, aws, who }
    }

    /// Make a call. Each has a deadline of its own.
    pub async fn perform(&self, action: Action) -> Answer {
        match action {
            Action::Find => match self.find().await {
                // A stopped one has to be launched.
                Ok(instance) if instance.state == "stopped" => Outcome::Found(Ok(None)).into(),
                Ok(instance) => answer(&instance, |it| Outcome::Found(Ok(Some(it)))),
                Err(trouble) => Outcome::Found(Err(trouble)).into(),
            },
            Action::Launch => match self.launch().await {
                Ok((id, step)) => Outcome::Launched(Ok(Sighting {
                    arn: id,
                    phase: Phase::Coming(step),
                }))
                .into(),
                Err(trouble) => Outcome::Launched(Err(trouble)).into(),
            },
            Action::Describe(id) => match self.aws.instance(&id).await {
                Ok(Some(instance)) => answer(&instance, |it| Outcome::Described(Ok(Some(it)))),
                Ok(None) => Outcome::Described(Ok(None)).into(),
                Err(error) => Outcome::Described(Err(trouble(error))).into(),
            },
            Action::Probe(id) => Outcome::Probed(self.probe(&id).await.map_err(trouble)).into(),
            Action::CountSessions(id) => {
                let sessions = self.aws.active_sessions(&id).await;
                Outcome::Counted(sessions.map(|ids| ids.len()).map_err(trouble)).into()
            }
            Action::Stop { arn, reason } => {
                let reason = format!("{reason}, by {}", self.who);
                let result = stop(&self.aws, &arn, &reason).await.map(drop);
                if let Err(error) = &result {
                    tracing::warn!(instance = %arn, %error, "cannot stop the instance");
                }
                let result = result.map_err(trouble);
                Outcome::Stopped { arn, result }.into()
            }
            Action::Settle => Outcome::Settled(true).into(),
        }
    }

    async fn find(&self) -> Result<Instance, Trouble> {
        let all = [];
        let found = fitting(&self.aws, &self.pick).await.map_err(trouble)?;
        let problem = match choose(found) {
            Ok(instance) => return Ok(instance),
            // Who may not see the list is told without it.
            Err(Problem::Unknown(_)) => {
                Problem::Unknown(self.aws.instances(&all).await.unwrap_or_default())
            }
            Err(problem) => problem,
        };
        Err(Trouble {
            reason: told(&self.pick, self.aws.region(), problem),
            retry: false,
            ambiguous: false,
            ripens_in: None,
        })
    }

    /// EC2 tells of a stop some seconds before an instance can be started: what comes too early is done again.
    async fn launch(&self) -> Result<(String, &'static str), Trouble> {
        let id = self.find().await?.id;
        tracing::info!(instance = %id, "starting the instance");
        match self.aws.start_instance(&id).await {
            Ok(()) => Ok((id, STARTING)),
            Err(error) if is_too_early(&error) => Ok((id, STOPPING)),
            Err(error) => Err(trouble(error)),
        }
    }

    /// Whoever may not ask for the connection may see the list of nodes.
    async fn probe(&self, id: &str) -> Result<bool, aws::Error> {
        match self.aws.connection_status(id).await {
            Err(error) if matches!(error.kind, Kind::Denied(_)) => {
                let nodes = self.aws.nodes(Nodes::Id(id)).await?;
                Ok(nodes.iter().any(|node| node.id == id && node.is_online))
            }
            status => status,
        }
    }
}

/// Stop an instance that nobody uses, unless it is not tagged for that; `false` when it is left.
pub async fn stop(aws: &Aws, id: &str, why: &str) -> Result<bool, aws::Error> {
    let Some(instance) = aws.instance(id).await? else {
        return Ok(true);
    };
    if !is_managed(&instance) {
        let (key, value) = MANAGED_TAG;
        tracing::info!(instance = %id, "leaving the instance running: it is not tagged {key}={value}");
        return Ok(false);
    }
    tracing::info!(instance = %id, reason = %why, "stopping the instance");
    aws.stop_instance(id).await?;
    Ok(true)
}

fn is_managed(instance: &Instance) -> bool {
    let (key, value) = MANAGED_TAG;
    instance.tags.get(key).is_some_and(|it| it == value)
}

fn is_too_early(error: &aws::Error) -> bool {
    error.code.as_deref() == Some("IncorrectInstanceState")
}

fn answer(instance: &Instance, outcome: impl FnOnce(Sighting) -> Outcome) -> Answer {
    let sighting = Sighting {
        arn: instance.id.clone(),
        phase: phase(instance),
    };
    let seen = Seen {
        arn: instance.id.clone(),
        last_status: instance.state.clone(),
        created_at: instance.started_at(),
        started_at: instance.started_at(),
        node: None,
        metered: Metered {
            arn: instance.id.clone(),
            size: None,
            began: None,
        },
    };
    Answer {
        outcome: outcome(sighting),
        seen: Some(seen),
    }
}

/// What the lifecycle needs to know of an instance.
fn phase(instance: &Instance) -> Phase {
    match instance.state.as_str() {
        "running" => Phase::Up {
            targets: vec![instance.id.clone()],
            agent: Agent::Running,
            // It has no age at which it is replaced.
            age: Duration::ZERO,
        },
        "pending" => Phase::Coming(STARTING),
        "stopping" => Phase::Coming(STOPPING),
        _ => ended(instance),
    }
}

/// What was stopped can be started; what did not come up will not the next time.
fn ended(instance: &Instance) -> Phase {
    let why = instance.state_reason.clone().unwrap_or_default();
    let is_wanted = why.code.is_empty() || WANTED_ENDS.contains(&why.code.as_str());
    let mut message = format!("instance {} is {}", shown(instance), instance.state);
    if !why.message.is_empty() {
        message = format!("{message}: {}", why.message);
    }
    let reason = Reason::new("instance_stopped", message);
    Phase::Going {
        reason: match is_wanted {
            true => reason,
            false => reason.with_hint(hint(&why.code)),
        },
        retries: is_wanted.into(),
        stopped: true,
    }
}

fn hint(code: &str) -> &'static str {
    match code {
        "Server.InsufficientInstanceCapacity" => {
            "try again later, or change the instance's type: its zone has no capacity for this one"
        }
        "Client.InternalError" | "Client.InvalidSnapshot.NotFound" => {
            "check that the KMS key of its volumes is enabled and may be used by who starts it"
        }
        "Client.VolumeLimitExceeded" => {
            "request a higher quota for volumes in the Service Quotas console"
        }
        _ => {
            "look at the instance in the EC2 console: its state transition reason, and its system log"
        }
    }
}

/// EC2 has selected already.
fn choose(mut found: Vec<Instance>) -> Result<Instance, Problem> {
    match found.len() {
        0 => Err(Problem::Unknown(found)),
        1 => Ok(found.remove(0)),
        _ => Err(Problem::Several(found)),
    }
}

fn told(pick: &Pick, region: &str, problem: Problem) -> Reason {
    match problem {
        Problem::Several(found) => {
            let message = format!("{} instances fit `{pick}`: {}", found.len(), listed(&found));
            let first = found.first().map_or("i-…", |it| it.id.as_str());
            let hint = format!("name one in the configuration, as in `instance = \"{first}\"`");
            Reason::new("several_fit", message).with_hint(hint)
        }
        Problem::Unknown(all) => {
            let message = format!("there is no instance `{pick}` in region {region}");
            let names: Vec<&str> = match pick {
                Pick::Id(_) => all.iter().map(|it| it.id.as_str()).collect(),
                Pick::Tag { .. } => Vec::new(),
                Pick::Name(_) => all.iter().filter_map(Instance::name).collect(),
            };
            let hint = match suggest::nearest(&pick.to_string(), names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "correct `instance` of the bastion, and check `region` and `profile`".to_owned()
                }
            };
            Reason::new("not_found", message).with_hint(hint)
        }
    }
}

fn listed(found: &[Instance]) -> String {
    let names: Vec<_> = found.iter().take(MOST_NAMES).map(shown).collect();
    match found.len() - names.len() {
        0 => names.join(", "),
        more => format!("{}, {more} more", names.join(", ")),
    }
}

/// `i-… (jump, 10.0.0.7)`.
fn shown(instance: &Instance) -> String {
    let told = instance
        .name()
        .into_iter()
        .chain(instance.address.as_deref());
    let told: Vec<_> = told.collect();
    match told.is_empty() {
        true => instance.id.clone(),
        false => format!("{} ({})", instance.id, told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::StateReason;

    fn instance(id: &str, state: &str) -> Instance {
        Instance {
            id: id.to_owned(),
            state: state.to_owned(),
            address: Some("10.0.0.7".to_owned()),
            tags: [("Name".to_owned(), "jump".to_owned())].into(),
            ..Instance::default()
        }
    }

    fn stopped(code: &str) -> Phase {
        let reason = StateReason {
            code: code.to_owned(),
            message: format!("{code}: as it happens"),
        };
        phase(&Instance {
            state_reason: Some(reason),
            ..instance("i-1", "stopped")
        })
    }

    #[test]
    fn each_state_is_a_step_of_the_start() {
        let steps = [("pending", STARTING), ("stopping", STOPPING)];
        for (state, step) in steps {
            assert_eq!(phase(&instance("i-1", state)), Phase::Coming(step));
        }
        let up = phase(&instance("i-1", "running"));
        assert!(matches!(up, Phase::Up { .. }), "{up:?}");
    }

    #[test]
    fn what_somebody_stopped_is_started_again_and_what_failed_to_start_is_told() {
        for (code, again) in [
            ("", true),
            ("Client.UserInitiatedShutdown", true),
            ("Server.InsufficientInstanceCapacity", false),
            ("Client.InternalError", false),
            ("Server.InternalError", false),
        ] {
            let Phase::Going {
                reason,
                retries,
                stopped,
            } = stopped(code)
            else {
                panic!("{code}");
            };
            assert!(stopped && (retries > 0) == again, "{code}");
            assert!(reason.message.contains("i-1 (jump, 10.0.0.7)"));
            assert_eq!(reason.hint.is_some(), !again, "{code}");
        }
    }

    #[test]
    fn only_the_tag_lets_an_instance_be_stopped() {
        let mut tagged = instance("i-1", "running");
        assert!(!is_managed(&tagged));
        for (value, may) in [("false", false), ("True", false), ("true", true)] {
            tagged
                .tags
                .insert(MANAGED_TAG.0.to_owned(), value.to_owned());
            assert_eq!(is_managed(&tagged), may, "{value}");
        }
    }

    #[test]
    fn several_that_fit_are_listed_and_none_is_taken() {
        let found = vec![instance("i-1", "running"), instance("i-2", "stopped")];
        let pick = Pick::Name("jump".to_owned());
        let reason = told(&pick, "eu-west-1", choose(found).unwrap_err());
        assert_eq!(
            reason.message,
            "2 instances fit `jump`: i-1 (jump, 10.0.0.7), i-2 (jump, 10.0.0.7)"
        );
        assert!(reason.hint.unwrap().contains("instance = \"i-1\""));
    }

    #[test]
    fn an_unknown_one_is_told_with_the_one_that_was_meant() {
        let all = || Problem::Unknown(vec![instance("i-0123456789abcdef0", "running")]);
        for (pick, near) in [
            (Pick::Name("jmup".to_owned()), "`jump`"),
            (
                Pick::Id("i-0123456789abcdef1".to_owned()),
                "i-0123456789abcdef0",
            ),
        ] {
            let reason = told(&pick, "eu-west-1", all());
            assert_eq!(reason.code, "not_found");
            assert!(reason.hint.unwrap().contains(near), "{pick}");
        }
        let tag = Pick::Tag {
            key: "a".to_owned(),
            value: "b".to_owned(),
        };
        let reason = told(&tag, "eu-west-1", all());
        assert!(reason.hint.unwrap().contains("`instance`"));
    }
}
