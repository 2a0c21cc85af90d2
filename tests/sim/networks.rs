//! The simulator's networks, by raw calls.

use bastiond::sim::{self, Endpoint, Network, RouteTable, Script, SecurityGroup, Subnet};
use http::StatusCode;

use crate::support::api::Api;

async fn ask(api: &Api, form: &str) -> (StatusCode, String) {
    let form = format!("Version=2016-11-15&{form}");
    let answer = api.call(None, "ec2", form).await.expect("an answer");
    (answer.status, answer.body)
}

#[tokio::test]
async fn networks_are_told_by_filter_and_page() {
    let mut network = Network {
        route_tables: vec![RouteTable::new(
            "rtb-1",
            "vpc-1",
            &["subnet-1"],
            Some("nat-1"),
        )],
        security_groups: vec![
            SecurityGroup::new("sg-1", "vpc-1", "db").lets_in(5432, "sg-2"),
            SecurityGroup::new("sg-2", "vpc-1", "d\u{f6}ner_-*").tag("a:b", "c"),
        ],
        endpoints: vec![Endpoint::gateway("vpc-1", "s3", "rtb-1")],
        ..Network::default()
    };
    for number in 1..=5 {
        let vpc = if number < 4 { "vpc-1" } else { "vpc-2" };
        let subnet = Subnet::new(&format!("subnet-{number}"), vpc, "eu-west-1a");
        network.subnets.push(subnet);
    }
    let script = Script {
        page_size: 2,
        network,
        ..Script::fast()
    };
    let sim = sim::start(script).await.expect("it starts");
    let api = Api::of(&sim);

    let vpc = "Action=DescribeSubnets&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1";
    let (status, first) = ask(&api, vpc).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        first.contains("subnet-2") && !first.contains("subnet-3"),
        "{first}"
    );
    assert!(first.contains("<nextToken>2</nextToken>"), "{first}");
    let (_, second) = ask(&api, &format!("{vpc}&NextToken=2")).await;
    assert!(
        second.contains("subnet-3") && !second.contains("nextToken"),
        "{second}"
    );

    let (_, tables) = ask(&api, "Action=DescribeRouteTables").await;
    assert!(
        tables.contains("<natGatewayId>nat-1</natGatewayId>"),
        "{tables}"
    );
    let (_, groups) = ask(
        &api,
        "Action=DescribeSecurityGroups&Filter.1.Name=tag%3Aa%3Ab&Filter.1.Value.1=c",
    )
    .await;
    assert!(
        groups.contains("sg-2") && !groups.contains("sg-1"),
        "{groups}"
    );
    let (_, rules) = ask(
        &api,
        "Action=DescribeSecurityGroupRules&Filter.1.Name=group-id&Filter.1.Value.1=sg-1",
    )
    .await;
    assert!(
        rules.contains("<referencedGroupInfo><groupId>sg-2</groupId>"),
        "{rules}"
    );
    let (_, endpoints) = ask(&api, "Action=DescribeVpcEndpoints").await;
    assert!(
        endpoints.contains("com.amazonaws.ap-northeast-1.s3"),
        "{endpoints}"
    );
    let (status, error) = ask(
        &api,
        "Action=DescribeSubnets&Filter.1.Name=colour&Filter.1.Value.1=red",
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        error.contains("<Errors><Error><Code>InvalidParameterValue"),
        "{error}"
    );
}
