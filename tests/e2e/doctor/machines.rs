//! Machines in the place of tasks: what is looked at of them, and what is not.

use std::collections::BTreeSet;

use bastiond::doctor::{Level, Report};
use bastiond::sim::{ApiFault, Instance, ManagedNode, Script};
use serde_json::{Value, json};

use super::{account, fired, look};
use crate::machines::through;
use crate::support::{House, Terms};

const ID: &str = "i-0123456789abcdef0";
const NODE: &str = "mi-0123456789abcdef0";

/// A call, and how its answer is altered.
type Spoilt = Option<(&'static str, fn(&mut Value))>;

async fn house() -> House {
    let office = |connected| ManagedNode {
        id: NODE.into(),
        connected,
        name: "office".into(),
        address: "10.0.0.7".into(),
        tags: Vec::new(),
        age: std::time::Duration::from_secs(7200),
    };
    let gone = ManagedNode {
        id: "mi-0fedcba9876543210".into(),
        name: "gone".into(),
        ..office(false)
    };
    let twin = |id: &str| Instance::fast(id, "twin").running();
    let silent = Instance {
        has_agent: false,
        ..Instance::fast("i-00000000000000003", "silent").running()
    };
    House::with(Script {
        instances: vec![
            Instance::fast(ID, "jump").running(),
            Instance::fast("i-00000000000000004", "resting"),
            twin("i-00000000000000001"),
            twin("i-00000000000000002"),
            silent,
        ],
        managed_nodes: vec![office(true), gone],
        ..account()
    })
    .await
}

async fn of(house: &House, terms: &Terms) -> Report {
    look(house, &house.config(terms), &[]).await
}

#[tokio::test]
async fn machines_that_are_well_have_their_own_checks_and_a_session() {
    let house = house().await;
    for line in ["instance = \"jump\"", "node = \"office\""] {
        let report = of(&house, &through(line)).await;
        assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
        let of_it = |subject: &str| -> BTreeSet<&str> {
            let findings = report.findings.iter().filter(|it| it.subject == subject);
            findings.map(|it| it.id.as_str()).collect()
        };
        // No task of it is looked for.
        assert_eq!(of_it("bastion jump"), ["M01", "M02", "M03", "M04"].into());
        let session = report
            .findings
            .iter()
            .find(|it| it.id == "R03")
            .expect("it");
        assert_eq!(session.level, Level::Ok, "{session:?}");
        assert!(session.evidence.contains("by agent"), "{session:?}");
    }
    house.sweep().await;
}

/// A bastion's instance that has stopped is as it should be: nobody is connected.
#[tokio::test]
async fn an_instance_that_rests_is_well() {
    let house = house().await;
    let report = of(&house, &through("instance = \"resting\"")).await;
    assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
    let told = report
        .findings
        .iter()
        .find(|it| it.id == "M01")
        .expect("it");
    assert!(told.evidence.ends_with("is stopped"), "{told:?}");
    assert_eq!(house.world().count("StartSession"), 0);
    house.sweep().await;
}

fn old(value: &mut Value) {
    let all = value["InstanceInformationList"].as_array_mut();
    for node in all.into_iter().flatten() {
        node["AgentVersion"] = json!("3.0.1124.0");
    }
}

fn without_role(value: &mut Value) {
    let reservations = value["reservationSet"]["item"].as_array_mut();
    for reservation in reservations.into_iter().flatten() {
        let instances = reservation["instancesSet"]["item"].as_array_mut();
        for instance in instances.into_iter().flatten() {
            let instance = instance.as_object_mut().expect("an instance");
            instance.remove("iamInstanceProfile");
        }
    }
}

#[tokio::test]
async fn faults_of_machines_fire_their_check_alone() {
    let fixed = |id: &'static str| Terms {
        via: id,
        ..Terms::default()
    };
    let rows: [(&str, &str, Terms, Spoilt); 8] = [
        (
            "M01",
            "describe-instances",
            through("instance = \"none\""),
            None,
        ),
        (
            "M01",
            "i-00000000000000002",
            through("instance = \"twin\""),
            None,
        ),
        (
            "M01",
            "describe-instance-information",
            through("node = \"none\""),
            None,
        ),
        (
            "M01",
            "start-instances --region ap-northeast-1 --instance-ids i-00000000000000004",
            fixed("target = \"i-00000000000000004\""),
            None,
        ),
        (
            "M02",
            "runs on mi-0fedcba9876543210",
            through("node = \"gone\""),
            None,
        ),
        (
            "M02",
            "runs on i-00000000000000003",
            through("instance = \"silent\""),
            None,
        ),
        (
            "M03",
            "AWS-UpdateSSMAgent --targets Key=InstanceIds,Values=i-0123456789abcdef0",
            fixed("target = \"i-0123456789abcdef0\""),
            Some(("DescribeInstanceInformation", old)),
        ),
        (
            "M04",
            "associate-iam-instance-profile",
            through("instance = \"silent\""),
            Some(("DescribeInstances", without_role)),
        ),
    ];
    let house = house().await;
    for (id, fix, terms, spoilt) in rows {
        if let Some((operation, alter)) = spoilt {
            house
                .world()
                .fail_always(operation, ApiFault::Rewrite(alter));
        }
        let report = of(&house, &terms).await;
        assert_eq!(fired(&report), [id], "{fix}: {report:#?}");
        let finding = report
            .findings
            .iter()
            .find(|it| it.id == id && it.level == Level::Fail);
        let told = finding.and_then(|it| it.fix.as_deref()).expect("a fix");
        assert!(told.contains(fix), "{id}: {told}");
        if let Some((operation, _)) = spoilt {
            house.world().heal(operation);
        }
    }
    house.sweep().await;
}

#[tokio::test]
async fn what_may_not_be_asked_of_machines_is_skipped() {
    let house = house().await;
    for (operation, action) in [
        ("DescribeInstances", "ec2:DescribeInstances"),
        (
            "DescribeInstanceInformation",
            "ssm:DescribeInstanceInformation",
        ),
    ] {
        house.world().fail_always(operation, ApiFault::AccessDenied);
        let report = of(&house, &through("instance = \"jump\"")).await;
        assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
        let told = report
            .findings
            .iter()
            .find(|it| it.id == "M02")
            .expect("it");
        let allow = format!("allow {action}");
        assert_eq!(
            (told.level, told.fix.as_deref()),
            (Level::Skip, Some(allow.as_str()))
        );
        house.world().heal(operation);
    }
    house.sweep().await;
}
