//! Networks in moto: found around a database, by tags and by names.

use bastiond::{
    aws::{Aws, Kind, Network},
    config::{self, Pick},
};

use crate::{RDS, account, selector, server::Server};

const EC2: &str = "Version=2016-11-15";
const ZONE_B: &str = "eu-west-1b";

/// A VPC with a public and two private subnets, and what is in it, by their ids.
pub struct Vpc {
    pub public: String,
    pub a: String,
    pub b: String,
    pub isolated: String,
    pub group: String,
}

pub fn ec2(moto: &Server, form: &str) -> String {
    moto.call("ec2", &format!("{form}&{EC2}"))
}

/// The first element of this name.
fn id(answer: &str, element: &str) -> String {
    let (_, rest) = answer
        .split_once(&format!("<{element}>"))
        .unwrap_or_else(|| panic!("{element}: {answer}"));
    rest.split('<').next().unwrap_or_default().to_owned()
}

/// A route table of `subnets`, with a default route to a gateway of this kind.
fn table(moto: &Server, vpc: &str, subnets: &[&str], way: &str) {
    let table = ec2(moto, &format!("Action=CreateRouteTable&VpcId={vpc}"));
    let table = id(&table, "routeTableId");
    ec2(
        moto,
        &format!("Action=CreateRoute&RouteTableId={table}&DestinationCidrBlock=0.0.0.0%2F0&{way}"),
    );
    for subnet in subnets {
        ec2(
            moto,
            &format!("Action=AssociateRouteTable&RouteTableId={table}&SubnetId={subnet}"),
        );
    }
}

fn tag(moto: &Server, id: &str, key: &str, value: &str) {
    let form = format!("Action=CreateTags&ResourceId.1={id}&Tag.1.Key={key}&Tag.1.Value={value}");
    ec2(moto, &form);
}

pub fn build(moto: &Server) -> Vpc {
    let vpc = id(
        &ec2(moto, "Action=CreateVpc&CidrBlock=10.9.0.0%2F16"),
        "vpcId",
    );
    let subnet = |number: usize, zone: &str| {
        let form = format!(
            "Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.9.{number}.0%2F24&AvailabilityZone={zone}"
        );
        id(&ec2(moto, &form), "subnetId")
    };
    let (public, isolated) = (subnet(1, ZONE_B), subnet(4, ZONE_B));
    let (a, b) = (subnet(2, "eu-west-1a"), subnet(3, ZONE_B));
    let gateway = id(
        &ec2(moto, "Action=CreateInternetGateway"),
        "internetGatewayId",
    );
    ec2(
        moto,
        &format!("Action=AttachInternetGateway&InternetGatewayId={gateway}&VpcId={vpc}"),
    );
    let address = id(
        &ec2(moto, "Action=AllocateAddress&Domain=vpc"),
        "allocationId",
    );
    let nat = format!("Action=CreateNatGateway&SubnetId={public}&AllocationId={address}");
    let nat = id(&ec2(moto, &nat), "natGatewayId");
    table(moto, &vpc, &[&public], &format!("GatewayId={gateway}"));
    table(moto, &vpc, &[&a, &b], &format!("NatGatewayId={nat}"));
    let group =
        format!("Action=CreateSecurityGroup&GroupName=my_app-1&GroupDescription=x&VpcId={vpc}");
    let group = id(&ec2(moto, &group), "groupId");
    let names = format!(
        "Action=CreateDBSubnetGroup&{RDS}&DBSubnetGroupName=db&DBSubnetGroupDescription=x\
         &SubnetIds.SubnetIdentifier.1={a}&SubnetIds.SubnetIdentifier.2={b}"
    );
    moto.call("rds", &names);
    let database = format!(
        "Action=CreateDBInstance&{RDS}&DBInstanceIdentifier=app&Engine=postgres&AllocatedStorage=20\
         &DBInstanceClass=db.t3.medium&MasterUsername=me&MasterUserPassword=secret-secret&Port=5433\
         &DBSubnetGroupName=db&AvailabilityZone={ZONE_B}&VpcSecurityGroupIds.VpcSecurityGroupId.1={group}"
    );
    moto.call("rds", &database);
    Vpc {
        public,
        a,
        b,
        isolated,
        group,
    }
}

fn around_the_database() -> config::Network {
    config::Network {
        databases: vec![selector("rds-instance:app")],
        ..config::Network::default()
    }
}

async fn found(aws: &Aws, wanted: &config::Network) -> Network {
    aws.network(wanted, "my_app-1").await.expect("a network")
}

#[tokio::test]
async fn a_network_is_found_around_a_database() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let vpc = build(&moto);
    let network = found(&aws, &around_the_database()).await;
    assert_eq!(network.subnets, [vpc.b.clone(), vpc.a.clone()]);
    assert_eq!(network.security_groups, [vpc.group]);
    assert!(!network.assign_public_ip);
    let told: Vec<&str> = network.chosen.iter().map(|it| it.reason.as_str()).collect();
    assert!(
        told[0].starts_with("found: in the database's zone eu-west-1b; way out by nat-"),
        "{told:?}"
    );
    tag(&moto, &vpc.public, "bastiond%3Asubnet", "true");
    let tagged = found(&aws, &around_the_database()).await;
    assert_eq!(
        (tagged.subnets, tagged.assign_public_ip),
        (vec![vpc.public], true)
    );
}

#[tokio::test]
async fn tags_and_names_are_taken_to_the_letter() {
    let Some((moto, aws)) = account().await else {
        return;
    };
    let vpc = build(&moto);
    tag(&moto, &vpc.a, "Name", "priv%C3%A9e_a-1");
    tag(&moto, &vpc.isolated, "Name", "priv%C3%A9e_a-12");
    tag(&moto, &vpc.b, "Tier", "b");
    let wanted = config::Network {
        subnets: vec![
            Pick::Name("priv\u{e9}e_a-1".into()),
            Pick::Tag {
                key: "Tier".into(),
                value: "b".into(),
            },
        ],
        security_groups: vec![Pick::Name("my_app-1".into())],
        ..config::Network::default()
    };
    let network = found(&aws, &wanted).await;
    assert_eq!(network.subnets, [vpc.a, vpc.b]);
    assert_eq!(network.security_groups, [vpc.group]);

    let mistyped = config::Network {
        security_groups: vec![Pick::Name("my_app".into())],
        ..wanted
    };
    let failed = aws
        .network(&mistyped, "x")
        .await
        .expect_err("no such group");
    assert_eq!(failed.kind, Kind::NotFound);
    assert!(
        failed
            .message
            .starts_with("there is no security group `my_app` in eu-west-1; there are `my_app-1`"),
        "{failed}"
    );
}

#[tokio::test]
async fn nothing_is_found_without_a_database_or_a_tag() {
    let Some((_moto, aws)) = account().await else {
        return;
    };
    let failed = aws.network(&config::Network::default(), "x").await;
    assert_eq!(
        failed.expect_err("nothing to go by").kind,
        Kind::Configuration
    );
    let failed = aws.network(&around_the_database(), "x").await;
    assert_eq!(failed.expect_err("no database").kind, Kind::NotFound);
}
