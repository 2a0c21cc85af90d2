//! M: machines in the place of a task: EC2 instances and hybrid nodes, of a bastion or as a tunnel's fixed target.

use crate::aws::Instance;
use crate::doctor::check::{Check, Gap, Judge, Level, Verdict, known};
use crate::doctor::facts::Node;
use crate::proto::version;

const INSTANCES: &str = "ec2:DescribeInstances";
const NODES: &str = "ssm:DescribeInstanceInformation";

pub const CHECKS: &[Check] = &[
    Check {
        id: "M01",
        title: "the machine is there",
        looks_at: "the instances or nodes that fit, and the state of an instance",
        levels: &[Level::Fail],
        why: "Where several fit, none is taken. A bastion's instance is started when somebody connects; the fixed target of a \
              tunnel has to run.",
        fix: "name one that exists: {what}",
        needs: &[INSTANCES, NODES],
        judge: Judge::Node(there),
    },
    Check {
        id: "M02",
        title: "its agent is connected to AWS",
        looks_at: "`PingStatus` in the list of managed nodes",
        levels: &[Level::Fail],
        why: "Sessions are served by the SSM agent. One that is not connected does not run, has no way to ssmmessages and ssm, \
              or no permission.",
        fix: "see that amazon-ssm-agent runs on {id}, and that it reaches ssm and ssmmessages.{region} on port 443",
        needs: &[INSTANCES, NODES],
        judge: Judge::Node(connected),
    },
    Check {
        id: "M03",
        title: "its agent is new enough",
        looks_at: "`AgentVersion` in the list of managed nodes",
        levels: &[Level::Fail],
        why: "Sessions to another host, with many connections in one, take agent 3.1.1374 or later.",
        fix: "aws ssm send-command --region {region} --document-name AWS-UpdateSSMAgent --targets Key=InstanceIds,Values={id}",
        needs: &[INSTANCES, NODES],
        judge: Judge::Node(agent),
    },
    Check {
        id: "M04",
        title: "an instance has a role",
        looks_at: "the instance profile of an instance whose agent is not connected",
        levels: &[Level::Fail],
        why: "The agent takes its permissions from the instance profile, or from the account's Default Host Management.",
        fix: "aws ec2 associate-iam-instance-profile --region {region} --instance-id {id} --iam-instance-profile Name=PROFILE, \
              with a role that has the policy AmazonSSMManagedInstanceCore",
        needs: &[INSTANCES, NODES],
        judge: Judge::Node(role),
    },
];

fn there(node: &Node) -> Result<Verdict, Gap> {
    let (wanted, region) = (&node.wanted, &node.region);
    let (found, list) = match &node.instances {
        Some(instances) => {
            let ids = known(instances)?.iter().map(|it| it.id.as_str());
            let list = format!("aws ec2 describe-instances --region {region}");
            (ids.collect::<Vec<_>>(), list)
        }
        None => {
            let nodes = known(&node.managed)?;
            let list = format!("aws ssm describe-instance-information --region {region}");
            match node.managed_one() {
                Ok(one) => (vec![one.id.as_str()], list),
                Err(_) => (nodes.iter().map(|it| it.id.as_str()).collect(), list),
            }
        }
    };
    Ok(match found.as_slice() {
        [] => Verdict::fail(format!("nothing fits `{wanted}` in {region}")).fill("what", list),
        [one] => match running(node)? {
            Some(instance) if instance.state == "stopped" && !node.is_started => {
                let fix = format!("aws ec2 start-instances --region {region} --instance-ids {one}");
                Verdict::fail(format!("{one} has stopped")).fix(fix)
            }
            Some(instance) => Verdict::ok(format!("{one} is {}", instance.state)),
            None => Verdict::ok(*one),
        },
        several => {
            let several = several.join(", ");
            Verdict::fail(format!("`{wanted}` fits {several}")).fill("what", several)
        }
    })
}

/// The instance, if it is one.
fn running(node: &Node) -> Result<Option<&Instance>, Gap> {
    match &node.instances {
        None => Ok(None),
        Some(instances) => match known(instances)?.as_slice() {
            [one] => Ok(Some(one)),
            _ => Err(Gap::Needs("the machine (M01)")),
        },
    }
}

/// An instance that has stopped has no agent that could be connected.
fn needs_to_run(node: &Node) -> Result<(), Gap> {
    match running(node)? {
        Some(instance) if instance.state != "running" => Err(Gap::Needs("an instance that runs")),
        _ => Ok(()),
    }
}

fn connected(node: &Node) -> Result<Verdict, Gap> {
    let id = node.id()?;
    needs_to_run(node)?;
    if known(&node.managed)?.is_empty() {
        // M04 tells of an instance that has no role at all.
        if running(node)?.is_some_and(|it| it.profile.is_none()) {
            return Err(Gap::Needs("a role (M04)"));
        }
        let evidence = format!("Systems Manager does not know {id}");
        return Ok(Verdict::fail(evidence)
            .fill("id", id)
            .fill("region", &node.region));
    }
    let one = node.managed_one()?;
    Ok(match one.is_online {
        true => Verdict::ok(&one.ping),
        false => Verdict::fail(format!("{id} is {}", one.ping)),
    }
    .fill("id", id)
    .fill("region", &node.region))
}

fn agent(node: &Node) -> Result<Verdict, Gap> {
    let id = node.id()?;
    needs_to_run(node)?;
    if known(&node.managed)?.is_empty() {
        return Err(Gap::Needs("an agent that is connected (M02)"));
    }
    let told = node.managed_one()?.agent.as_deref();
    let told = told.ok_or(Gap::Needs("a version, which AWS does not tell"))?;
    Ok(match version::check(told, true) {
        Ok(_) => Verdict::ok(told),
        Err(old) => Verdict::fail(old.to_string()),
    }
    .fill("id", id)
    .fill("region", &node.region))
}

fn role(node: &Node) -> Result<Verdict, Gap> {
    let Some(instance) = running(node)? else {
        return Ok(Verdict::ok("it is no instance"));
    };
    let managed = known(&node.managed)?;
    Ok(match &instance.profile {
        Some(profile) => Verdict::ok(profile.arn.rsplit('/').next().unwrap_or_default()),
        None if managed.iter().any(|it| it.is_online) => {
            Verdict::ok("by the account's Default Host Management")
        }
        None if instance.state != "running" => return Err(Gap::Needs("an instance that runs")),
        None => Verdict::fail(format!("{} has no instance profile", instance.id)),
    }
    .fill("id", &instance.id)
    .fill("region", &node.region))
}
