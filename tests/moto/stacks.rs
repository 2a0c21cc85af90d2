//! The template in every switch's both positions, made by moto, and what `bastiond init --stack` makes of each.

use std::path::Path;

use bastiond::config::Config;

use crate::{
    server::{Server, is_installed},
    setup::{init, make_database},
};

/// Each against the template's default, which is the other position.
#[rustfmt::skip]
const SWITCHES: &[&[(&str, &str)]] = &[
    &[],
    &[("ExistingClusterName", "ours")],
    &[("AssignPublicIp", "ENABLED")],
    &[("TargetSecurityGroupId", ""), ("TargetCidr", "10.0.0.0/16")],
    &[("Containers", "2")],
    &[("Containers", "3")],
    &[("Containers", "4")],
    &[("CpuArchitecture", "X86_64")],
    &[("CapacityProvider", "FARGATE_SPOT")],
    &[("ImageSource", "pull-through-cache")],
    &[("ImageSource", "pull-through-cache"), ("ExistingPullThroughCache", "true")],
    &[("ImageSource", "custom"), ("CustomImage", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/b:1")],
    &[("KmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/k"), ("OperatorShell", "true")],
    &[("ServiceMode", "true")],
    &[("CreateRestrictedDocument", "false")],
    &[("AllowedPortPattern", "^(5432|3306)$")],
    &[("CreateOperatorRole", "true"), ("OperatorPrincipalArn", "arn:aws:iam::123456789012:root")],
    &[("CreateOperatorRole", "true"), ("OperatorPrincipalArn", "arn:aws:iam::123456789012:root"), ("OperatorRequireMfa", "true")],
    &[("CreateSsmMessagesEndpoint", "true"), ("CreateLogsEndpoint", "true")],
    &[("ImageSource", "pull-through-cache"), ("CreateEcrApiEndpoint", "true"), ("CreateEcrDkrEndpoint", "true"), ("CreateKmsEndpoint", "true")],
    &[("CreateS3Endpoint", "true"), ("RouteTableIds", "TABLE")],
];

#[test]
fn each_switch_of_the_template_makes_a_stack_that_init_reads() {
    if !is_installed() {
        return;
    }
    let moto = Server::start();
    make_database(&moto);
    let network = Network::of(&moto);
    for (index, switches) in SWITCHES.iter().enumerate() {
        let stack = format!("b{index}");
        network.deploy(&moto, &stack, switches);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.toml");
        let written = init(&moto, &path)
            .args(["--stack", &stack, "--database", "rds-cluster:app"])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&written.stderr);
        assert!(written.status.success(), "{switches:?}: {said}");
        check(&path, &stack, switches, &network);
    }
}

fn check(path: &Path, stack: &str, switches: &[(&str, &str)], network: &Network) {
    let text = std::fs::read_to_string(path).expect("written");
    let config = Config::parse(&text).expect("a configuration");
    let is = |key: &str| {
        switches
            .iter()
            .find(|(name, _)| *name == key)
            .map(|it| it.1)
    };
    let bastion = &config.bastions[stack];
    assert_eq!(
        bastion.cluster,
        is("ExistingClusterName").unwrap_or(stack),
        "{switches:?}"
    );
    if is("ServiceMode").is_some() {
        // Which says by itself how and where its tasks are run.
        let service = bastion.service.as_ref().map(|it| it.name.as_str());
        assert_eq!(service, Some(stack), "{text}");
        return;
    }
    assert_eq!(bastion.task_definition, stack);
    assert!(
        text.contains(&network.subnets[0]) && text.contains(&network.subnets[1]),
        "{text}"
    );
    assert_eq!(
        text.contains("assign_public_ip = true"),
        is("AssignPublicIp").is_some(),
        "{text}"
    );
    let mut providers = bastion.launch.capacity_providers.iter();
    let provider = providers.next().map(|provider| provider.name.as_str());
    assert_eq!(provider, is("CapacityProvider"), "{switches:?}");
    let document = config.tunnels[0].document.as_deref();
    let restricted = format!("{stack}-port-forward");
    let restricted = Some(restricted.as_str()).filter(|_| is("CreateRestrictedDocument").is_none());
    assert_eq!(document, restricted, "{switches:?}");
}

/// Where the stacks are put.
pub struct Network {
    pub vpc: String,
    pub subnets: Vec<String>,
    pub group: String,
    pub table: String,
}

impl Network {
    /// moto's default one, with a group for the database.
    pub fn of(moto: &Server) -> Self {
        let ec2 = |form: &str| moto.call("ec2", &format!("{form}&Version=2016-11-15"));
        let told = ec2("Action=DescribeSubnets");
        let vpc = between(&told, "<vpcId>").remove(0);
        let subnets = between(&told, "<subnetId>");
        let tables = ec2("Action=DescribeRouteTables");
        let table = between(&tables, "<routeTableId>").remove(0);
        let made = ec2(&format!(
            "Action=CreateSecurityGroup&GroupName=db&GroupDescription=db&VpcId={vpc}"
        ));
        let group = between(&made, "<groupId>").remove(0);
        Self {
            vpc,
            subnets,
            group,
            table,
        }
    }

    /// Makes a stack of the template as it stands.
    pub fn deploy(&self, moto: &Server, stack: &str, switches: &[(&str, &str)]) {
        let subnets = self.subnets[..2].join(",");
        let mut parameters = vec![
            ("Name", stack),
            ("VpcId", &self.vpc),
            ("SubnetIds", &subnets),
            ("TargetSecurityGroupId", &self.group),
        ];
        parameters.retain(|(name, _)| switches.iter().all(|(other, _)| other != name));
        parameters.extend(switches);
        for (_, value) in &mut parameters {
            if *value == "TABLE" {
                *value = &self.table;
            }
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "CreateStack")
            .append_pair("Version", "2010-05-15")
            .append_pair("StackName", stack)
            .append_pair("Capabilities.member.1", "CAPABILITY_IAM")
            .append_pair("TemplateBody", include_str!("../../infra/bastion.yaml"));
        for (index, (key, value)) in parameters.iter().enumerate() {
            let member = format!("Parameters.member.{}", index + 1);
            form.append_pair(&format!("{member}.ParameterKey"), key)
                .append_pair(&format!("{member}.ParameterValue"), value);
        }
        moto.call("cloudformation", &form.finish());
    }
}

/// The texts of all elements that begin so.
pub fn between(xml: &str, element: &str) -> Vec<String> {
    let texts = xml.split(element).skip(1);
    let texts = texts.filter_map(|rest| rest.split('<').next());
    texts.map(str::to_owned).collect()
}
