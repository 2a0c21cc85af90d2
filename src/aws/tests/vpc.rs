//! Networks: what EC2 is asked, and what is made of its answers.

use super::{
    super::fake::{Fake, answer},
    *,
};

/// As EC2 documents them.
fn told(operation: &str, rest: &str) -> Option<http::Response<http_body_util::Full<bytes::Bytes>>> {
    let inner = match operation {
        "DescribeSubnets" => {
            "<subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><state>available</state>\
             <cidrBlock>10.0.0.0/24</cidrBlock><availableIpAddressCount>251</availableIpAddressCount>\
             <availabilityZone>eu-west-1a</availabilityZone><availabilityZoneId>euw1-az2</availabilityZoneId>\
             <ownerId>123456789012</ownerId><tagSet><item><key>Name</key><value>a &amp; b</value></item></tagSet>\
             </item><item><subnetId>subnet-2</subnetId><new><of>AWS</of></new></item></subnetSet>"
        }
        "DescribeRouteTables" => {
            "<routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet><item>\
             <destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId><state>active</state>\
             </item><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId>\
             <state>blackhole</state></item></routeSet><associationSet><item><main>true</main></item><item>\
             <main>false</main><subnetId>subnet-1</subnetId></item></associationSet></item></routeTableSet>"
        }
        "DescribeSecurityGroups" => {
            "<securityGroupInfo><item><groupId>sg-1</groupId><groupName>bastion</groupName><vpcId>vpc-1</vpcId>\
             <tagSet/></item></securityGroupInfo>"
        }
        "DescribeSecurityGroupRules" => {
            "<securityGroupRuleSet><item><securityGroupRuleId>sgr-1</securityGroupRuleId><groupId>sg-2</groupId>\
             <isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>5432</fromPort><toPort>5432</toPort>\
             <referencedGroupInfo><groupId>sg-1</groupId><userId>1</userId></referencedGroupInfo></item><item>\
             <isEgress>true</isEgress><ipProtocol>-1</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>\
             <cidrIpv4>0.0.0.0/0</cidrIpv4></item></securityGroupRuleSet>"
        }
        _ => {
            "<vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>\
             <serviceName>com.amazonaws.eu-west-1.s3</serviceName><state>available</state>\
             <privateDnsEnabled>false</privateDnsEnabled><routeTableIdSet><item>rtb-1</item></routeTableIdSet>\
             <groupSet><item><groupId>sg-1</groupId></item></groupSet></item></vpcEndpointSet>"
        }
    };
    let body =
        format!("<{operation}Response><requestId>r</requestId>{inner}{rest}</{operation}Response>");
    answer(200, body)
}

#[tokio::test]
async fn what_ec2_tells_of_a_network_is_understood() {
    let fake = Fake::start(|call, _| told(&call.operation, "")).await;
    let aws = aws(&fake).await;
    let subnets = aws.subnets(&[]).await.unwrap();
    assert_eq!(
        (
            subnets[0].zone.as_str(),
            subnets[0].zone_id.as_str(),
            subnets[0].free_addresses
        ),
        ("eu-west-1a", "euw1-az2", 251)
    );
    assert_eq!(
        (subnets[0].tags["Name"].as_str(), subnets[1].id.as_str()),
        ("a & b", "subnet-2")
    );
    let tables = aws.route_tables(&[]).await.unwrap();
    let way = &tables[0].routes[1];
    assert_eq!(
        (way.nat_gateway.as_deref(), way.state.as_str()),
        (Some("nat-1"), "blackhole")
    );
    let uses = &tables[0].associations;
    assert!(uses[0].main && uses[1].subnet.as_deref() == Some("subnet-1"));
    let groups = aws.security_groups(&[]).await.unwrap();
    assert_eq!(
        (groups[0].id.as_str(), groups[0].name.as_str()),
        ("sg-1", "bastion")
    );
    let rules = aws.security_group_rules(&[]).await.unwrap();
    assert_eq!(
        (rules[0].from_port, rules[0].peer.as_deref()),
        (Some(5432), Some("sg-1"))
    );
    assert!(rules[1].is_egress && rules[1].cidr_ipv4.is_some() && rules[1].peer.is_none());
    let endpoints = aws.vpc_endpoints(&[]).await.unwrap();
    assert_eq!(
        (&endpoints[0].route_tables[..], &endpoints[0].groups[..]),
        (&["rtb-1".to_owned()][..], &["sg-1".to_owned()][..])
    );
}

#[tokio::test]
async fn filters_go_out_literally_and_lists_are_read_to_their_last_page() {
    let fake = Fake::start(|call, n| match n {
        0 | 1 => told(&call.operation, &format!("<nextToken>t/{n}</nextToken>")),
        _ => told(&call.operation, "<nextToken/>"),
    })
    .await;
    let filters = [
        Filter::new("vpc-id", ["vpc-1", "vpc-2"]),
        Filter::tag("Team", "a*b?"),
    ];
    let found = aws(&fake).await.subnets(&filters).await.unwrap();
    assert_eq!(found.len(), 6);
    let forms: Vec<String> = fake.calls().into_iter().map(|call| call.form).collect();
    let first = "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1\
        &Filter.1.Value.2=vpc-2&Filter.2.Name=tag%3ATeam&Filter.2.Value.1=a%5C*b%5C%3F&MaxResults=100";
    assert_eq!(forms[0], first);
    assert_eq!(forms[2], format!("{first}&NextToken=t%2F1"));
    assert!(
        fake.calls()[0]
            .authorization
            .contains("/eu-west-1/ec2/aws4_request")
    );
}

#[tokio::test]
async fn an_error_of_ec2_keeps_its_request_id() {
    let fake = Fake::start(|_, _| {
        let error = "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>no</Message></Error></Errors>\
            <RequestID>in-the-body</RequestID></Response>";
        let response = http::Response::builder().status(400);
        Some(response.body(http_body_util::Full::new(error.into())).unwrap())
    })
    .await;
    let failed = aws(&fake).await.vpc_endpoints(&[]).await.unwrap_err();
    assert_eq!(
        (failed.message.as_str(), failed.request_id.as_deref()),
        ("no", Some("in-the-body"))
    );
}
