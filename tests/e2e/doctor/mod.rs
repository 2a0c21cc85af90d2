//! `bastiond doctor` against an account in which all is well, and against the same with one thing spoilt.

mod faults;
mod machines;
mod program;
mod start;
mod status;

use std::collections::BTreeSet;
use std::time::Duration;

use bastiond::aws::Source;
use bastiond::config::Config;
use bastiond::doctor::{self, Level, Progress, Report, Request};
use bastiond::sim::{
    Acl, ApiFault, DbCluster, Endpoint, Network, RouteTable, Script, SecurityGroup, Subnet,
};
use tokio_util::sync::CancellationToken;

use crate::support::{HOST, House, PACE, Terms, within};

const VPC: &str = "vpc-0a1b2c3d";
pub const SUBNET: &str = "subnet-0a1b2c3d";
pub const GROUP: &str = "sg-0a1b2c3d";

/// A subnet with NAT, and an endpoint that the bastion is let into.
pub fn network() -> Network {
    let mut endpoint = Endpoint::interface(VPC, "ssmmessages");
    endpoint.groups = vec!["sg-endpoints".into()];
    Network {
        subnets: vec![Subnet::new(SUBNET, VPC, "ap-northeast-1a")],
        route_tables: vec![RouteTable::new("rtb-1", VPC, &[SUBNET], Some("nat-1"))],
        security_groups: vec![
            SecurityGroup::new(GROUP, VPC, "bastion"),
            SecurityGroup::new("sg-endpoints", VPC, "endpoints").lets_in(443, GROUP),
            SecurityGroup::new("sg-db", VPC, "databases").lets_in(5432, GROUP),
        ],
        endpoints: vec![endpoint],
        acls: vec![Acl {
            id: "acl-1".into(),
            vpc: VPC.into(),
            subnets: vec![SUBNET.into()],
            drops: Vec::new(),
        }],
        without: Vec::new(),
    }
}

/// An account in which all is well.
pub fn account() -> Script {
    let database = DbCluster {
        id: "app".into(),
        engine: "aurora-postgresql".into(),
        endpoint: HOST.into(),
        port: 5432,
        vpc: VPC.into(),
        zone: "ap-northeast-1a".into(),
        security_group: "sg-db".into(),
    };
    Script {
        network: network(),
        db_clusters: vec![database],
        ..Script::fast()
    }
}

/// What the doctor says of a configuration.
pub async fn look(house: &House, text: &str, only: &[&str]) -> Report {
    let only = only.iter().map(|id| (*id).to_owned());
    examined(house, text, |request| request.only = only.collect()).await
}

/// The same with another request.
pub async fn examined(house: &House, text: &str, alter: impl FnOnce(&mut Request)) -> Report {
    let mut request = request(house, text);
    alter(&mut request);
    let looked = doctor::examine(&request, Progress::quiet());
    within("the doctor has looked", looked)
        .await
        .expect("a report")
}

/// Everything is to be looked at.
pub fn request(house: &House, text: &str) -> Request {
    Request {
        config: Config::parse(text).map_err(|error| error.to_string()),
        paths: house.paths(),
        source: Source::fixed("AKIATESTTESTTESTTEST", "secret"),
        known: Vec::new(),
        lookup: |_| None,
        only: Vec::new(),
        tunnel: None,
        // However busy this machine is.
        silence: Duration::from_secs(40),
        start: false,
        pace: PACE,
        end: CancellationToken::new(),
    }
}

/// The checks, but for those of machines, with what they need.
fn of_tasks() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    doctor::needs().filter(|(id, _)| !id.starts_with('M'))
}

/// The ids of what is a warning or a failure.
pub fn fired(report: &Report) -> Vec<&str> {
    let fired = report.findings.iter().filter(|it| it.level >= Level::Warn);
    fired.map(|finding| finding.id.as_str()).collect()
}

/// A bastion's task that runs though no daemon does.
pub async fn left_running(house: &House) {
    left_running_as(house, "on_shutdown = \"leave\"").await;
}

async fn left_running_as(house: &House, bastion: &'static str) {
    was_up(house, bastion).await;
    assert!(house.world().task_statuses().contains(&"RUNNING"));
}

/// A daemon was there, and has ended.
async fn was_up(house: &House, bastion: &'static str) {
    let terms = Terms {
        bastion,
        ..Terms::default()
    };
    let daemon = house.daemon(&terms).await;
    within("it is up", daemon.client.up("app-db"))
        .await
        .expect("up");
    daemon.stop().await;
}

#[tokio::test]
async fn of_a_healthy_account_the_doctor_has_nothing_to_say() {
    let house = House::with(account()).await;
    let text = house.config(&Terms {
        host: Some("rds-cluster:app"),
        ..Terms::default()
    });
    let report = look(&house, &text, &[]).await;
    let worse = report.findings.iter().filter(|it| it.level > Level::Skip);
    assert_eq!(worse.collect::<Vec<_>>(), Vec::<&doctor::Finding>::new());
    // An endpoint of one's own has no websockets to try beside the session's.
    let skipped: Vec<_> = report
        .findings
        .iter()
        .filter(|it| it.level == Level::Skip)
        .map(|it| it.id.as_str())
        .collect();
    assert_eq!(skipped, ["L08"]);
    assert_eq!(report.exit_code(), 0);
    let shown: BTreeSet<_> = report.findings.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(shown, of_tasks().map(|(id, _)| id).collect());
    house.sweep().await;
}

#[tokio::test]
async fn with_a_running_task_and_its_daemon_all_is_well_too() {
    let house = House::with(account()).await;
    let terms = Terms::default();
    let daemon = house.daemon(&terms).await;
    within("it is up", daemon.client.up("app-db"))
        .await
        .expect("up");
    let report = look(&house, &house.config(&terms), &[]).await;
    assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
    let of = |id: &str| report.findings.iter().find(|it| it.id == id).expect("it");
    assert!(of("R02").evidence.contains("task"), "{:?}", of("R02"));
    assert!(of("R03").evidence.contains("by agent"), "{:?}", of("R03"));
    assert!(of("L03").evidence.contains("version"), "{:?}", of("L03"));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_denied_call_is_skipped_with_the_action_that_would_allow_it() {
    let house = House::with(account()).await;
    // One task has stopped.
    was_up(&house, "").await;
    // A provider, so that the cluster's are of interest.
    let bastion = "on_shutdown = \"leave\"\ncapacity_provider = \"FARGATE_SPOT\"";
    left_running_as(&house, bastion).await;
    let text = house.config(&Terms {
        bastion,
        ..Terms::default()
    });
    // Where everything has to be looked at.
    house.world().set_network(faults::isolated());
    let actions: BTreeSet<_> = of_tasks().flat_map(|(_, needs)| needs).collect();
    for action in actions {
        let (_, operation) = action.split_once(':').expect("service:Operation");
        let private = ApiFault::Rewrite(faults::private_image);
        house.world().fail_always("DescribeTaskDefinition", private);
        house.world().fail_always(operation, ApiFault::AccessDenied);
        let report = look(&house, &text, &[]).await;
        assert_eq!(fired(&report), Vec::<&str>::new(), "{action}");
        for (id, needs) in of_tasks() {
            let finding = report.findings.iter().find(|it| it.id == id).expect(id);
            let is_skipped = finding.level == Level::Skip && finding.evidence.contains(action);
            assert_eq!(is_skipped, needs.contains(action), "{action}: {finding:?}");
            if is_skipped {
                assert_eq!(finding.fix, Some(format!("allow {action}")));
            }
        }
        house.world().heal(operation);
    }
    house.sweep().await;
}

/// A second may pass between two looks at the clock.
fn untimed(mut finding: doctor::Finding) -> doctor::Finding {
    if finding.id == "L04" {
        finding.evidence.clear();
    }
    finding
}

#[tokio::test]
async fn a_check_alone_says_what_it_says_among_all() {
    let house = House::with(account()).await;
    left_running(&house).await;
    let text = house.config(&Terms::default());
    let all = look(&house, &text, &[]).await;
    for (id, _) in doctor::needs() {
        let alone = look(&house, &text, &[id]).await;
        let among = all.findings.iter().filter(|it| it.id == id);
        let among: Vec<_> = among.cloned().map(untimed).collect();
        let alone: Vec<_> = alone.findings.into_iter().map(untimed).collect();
        assert_eq!(alone, among);
    }
    house.sweep().await;
}

#[tokio::test]
async fn one_check_asks_no_more_than_it_needs() {
    let house = House::with(account()).await;
    let text = house.config(&Terms::default());
    look(&house, &text, &["T05"]).await;
    let mut calls = crate::support::operations(house.world());
    calls.sort();
    assert_eq!(calls, ["DescribeTaskDefinition", "GetCallerIdentity"]);
    house.sweep().await;
}
