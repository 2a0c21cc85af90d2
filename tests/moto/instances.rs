//! EC2 instances in moto: found by id, tag and name, started and stopped.

use bastiond::aws::{Aws, Filter, Kind};

use crate::{account, server::Server};

const EC2: &str = "Version=2016-11-15";
/// One that moto has.
const IMAGE: &str = "ami-12c6146b";

/// Runs one, and gives its id.
fn run(moto: &Server, name: &str, role: &str) -> String {
    let form = format!(
        "Action=RunInstances&{EC2}&ImageId={IMAGE}&MinCount=1&MaxCount=1&InstanceType=t3.nano\
         &TagSpecification.1.ResourceType=instance\
         &TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value={name}\
         &TagSpecification.1.Tag.2.Key=role&TagSpecification.1.Tag.2.Value={role}"
    );
    let answer = moto.call("ec2", &form);
    let (_, rest) = answer.split_once("<instanceId>").expect("an instance");
    rest.split('<').next().expect("its id").to_owned()
}

/// The ids of those that pass.
async fn ids(aws: &Aws, filter: Filter) -> Vec<String> {
    let found = aws.instances(&[filter]).await.expect("a list");
    found.into_iter().map(|instance| instance.id).collect()
}

#[tokio::test]
async fn an_instance_is_found_by_id_tag_and_name_to_the_letter() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let jump = run(&moto, "jump_host-1", "d%C3%B6ner");
    let other = run(&moto, "jump_host-12", "web");
    assert_eq!(
        ids(&aws, Filter::tag("Name", "jump_host-1")).await,
        [jump.as_str()]
    );
    assert_eq!(
        ids(&aws, Filter::tag("role", "d\u{f6}ner")).await,
        [jump.as_str()]
    );
    assert_eq!(
        ids(&aws, Filter::new("instance-id", [&other])).await,
        [other.as_str()]
    );
    // A pattern of EC2, taken for what it is.
    assert!(
        ids(&aws, Filter::tag("Name", "jump_host-?"))
            .await
            .is_empty()
    );
    let found = aws
        .instance(&jump)
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!(
        (found.name(), found.state.as_str()),
        (Some("jump_host-1"), "running")
    );
    assert!(
        found.address.is_some() && found.started_at().is_some(),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_instance_is_stopped_and_started_and_one_that_is_not_there_is_told() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let id = run(&moto, "jump", "bastion");
    let state = async || {
        let found = aws.instance(&id).await.expect("an answer");
        found.expect("it is there").state
    };
    aws.stop_instance(&id).await.expect("it is stopped");
    assert_eq!(state().await, "stopped");
    aws.start_instance(&id).await.expect("it is started");
    assert_eq!(state().await, "running");
    let failed = aws.start_instance("i-0123456789abcdef0").await;
    let failed = failed.expect_err("there is none");
    assert_eq!(failed.kind, Kind::NotFound, "{failed}");
    let terminate = format!("Action=TerminateInstances&{EC2}&InstanceId.1={id}");
    moto.call("ec2", &terminate);
    let gone = aws.instances(&[Filter::tag("Name", "jump")]).await;
    assert!(gone.expect("a list").is_empty(), "gone for good");
}
