//! Every call that the daemon can make, each with all that it can carry.

use std::collections::BTreeMap;

use bastiond::{
    aws::{
        Aws, Desired, Filter, Image, NewChangeSet, Nodes, Question, RunTask, SessionId, Source,
        Timeouts, UsageMetric,
    },
    config::{self, CapacityProvider, Config, ContainerOverride, Overrides, Remote},
    net::Net,
};

/// In words that are hard on patterns.
pub(super) async fn every_call(endpoint: &str) {
    let aws = account(endpoint, "").await;
    let arn =
        "arn:aws:ecs:eu-west-1:123456789012:task/my_cluster-1/0123456789abcdef0123456789abcdef";
    let target = "ecs:my_cluster-1_0123456789abcdef_0123456789abcdef-0527074092";
    let words = "d\u{f6}ner\u{7}\n\u{65e5}\u{672c} tunnel `app-db`".repeat(30);
    for (family, desired) in [
        (Some("bastion"), Desired::Running),
        (None, Desired::Stopped),
    ] {
        let _ = aws.list_tasks("my_cluster-1", family, desired).await;
    }
    let _ = aws
        .describe_tasks("my_cluster-1", &vec![arn.to_owned(); 250])
        .await;
    let _ = aws.run_task(&run()).await;
    let _ = aws.stop_task("my_cluster-1", arn, &words).await;
    let service = "arn:aws:ecs:eu-west-1:123456789012:service/my_cluster-1/my_service-1";
    let _ = aws.service("my_cluster-1", service).await;
    let _ = aws.scale_service("my_cluster-1", "my_service-1", 1).await;
    let _ = aws
        .tag_service(service, "bastiond:lease", "1764363266/1a2b3c4d")
        .await;
    let _ = aws.service_tasks("my_cluster-1", "my_service-1").await;
    let _ = aws
        .execute_command("c", arn, Some("bastion"), "sh -c 'id'")
        .await;
    let _ = aws
        .start_session(target, Some("db.internal"), 5432, &words)
        .await;
    let _ = aws.start_session(target, None, 9090, "").await;
    let parameters = BTreeMap::from([("command".to_owned(), vec!["id".to_owned()])]);
    let _ = aws
        .start_document("i-0123456789abcdef0", Some("my-document"), &parameters, "r")
        .await;
    let id = SessionId::new("bastiond-me-0123456789abcdef0");
    let _ = aws.resume_session(&id).await;
    let _ = aws.terminate_session(&id).await;
    let _ = aws.connection_status(target).await;
    let _ = aws.active_sessions(target).await;
    let _ = aws.open_sessions().await;
    let context = BTreeMap::from([("aws:ssm:SessionId".to_owned(), "s".to_owned())]);
    let _ = aws.data_key("alias/shells", &context).await;
    let _ = aws.identity().await;
    for which in [
        Nodes::Id("mi-0123456789abcdef0"),
        Nodes::Tag("pl\u{e4}ce", "d\u{f6}ner_-1"),
        Nodes::TagKey("bastiond:task"),
        Nodes::Hybrid,
    ] {
        let _ = aws.nodes(which).await;
    }
    let _ = aws.deregister_node("mi-0123456789abcdef0").await;
    let filters = [Filter::tag("Name", "jump *host?\\_1")];
    let _ = aws.instances(&filters).await;
    let _ = aws.instance("i-0123456789abcdef0").await;
    let _ = aws.start_instance("i-0123456789abcdef0").await;
    let _ = aws.stop_instance("i-0123456789abcdef0").await;
    inspect(&aws).await;
    let _ = aws.stacks().await;
    let _ = aws.stack("my-stack").await;
    deploy(&aws).await;
    for host in [
        "rds-cluster:app",
        "rds-cluster:tag:Env=dev",
        "rds-instance:one",
        "rds-instance:tag:Env=dev",
        "rds-proxy:front:readonly",
        "elasticache:cache:reader",
        "memcached:words",
        "docdb:docs",
        "neptune:graph",
        "redshift:dwh",
        "redshift:tag:Env=dev",
        "redshift-serverless:dev-1",
        "opensearch:Logs-1",
    ] {
        let text = format!(
            "[[tunnel]]\nname = \"t\"\ntarget = \"i-0123456789abcdef0\"\nhost = \"{host}\"\n"
        );
        let tunnel = Config::parse(&text).expect(host).tunnels.remove(0);
        let Remote::Database { selector, port } = tunnel.remote else {
            panic!("{host} is a database");
        };
        let _ = aws.locate(&selector, port).await;
        let network = config::Network {
            databases: vec![selector],
            ..config::Network::default()
        };
        let _ = aws.network(&network, "d\u{f6}ner_1").await;
    }
    let filters = [
        Filter::new("vpc-id", ["vpc-0a1b2c3d", "vpc-1"]),
        Filter::tag("aws:cloudformation:stack-name", "d\u{f6}ner *_-?"),
    ];
    let _ = aws.subnets(&filters).await;
    let _ = aws.route_tables(&filters[..1]).await;
    let _ = aws.security_groups(&filters).await;
    let _ = aws.security_group_rules(&filters[1..]).await;
    let _ = aws.vpc_endpoints(&[]).await;
    let role = "role_arn = \"arn:aws:iam::123456789012:role/path/start\"\n\
                mfa_serial = \"arn:aws:iam::123456789012:mfa/me\"";
    let _ = account(endpoint, role)
        .await
        .give_mfa_code("123456".into())
        .await;
}

/// What makes, changes and deletes a stack.
async fn deploy(aws: &Aws) {
    let arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/my-stack/01234567-89ab-cdef-0123-456789abcdef";
    let name = "bastiond-infra-0123456789abcdef0123456789abcdef";
    let pairs = BTreeMap::from([("bastiond:infra".to_owned(), "d\u{f6}ner".to_owned())]);
    for is_new in [true, false] {
        let new = NewChangeSet {
            stack: "my-stack",
            name,
            is_new,
            template: include_str!("../../../infra/bastion.yaml"),
            parameters: &pairs,
            tags: &pairs,
        };
        let _ = aws.create_change_set(new).await;
    }
    let _ = aws.change_set("my-stack", name).await;
    let _ = aws.change_sets("my-stack").await;
    let _ = aws.execute_change_set("my-stack", name).await;
    let _ = aws.delete_change_set("my-stack", name).await;
    let _ = aws.stack_events(arn).await;
    let _ = aws.stack_resources(arn).await;
    let _ = aws.stack_template(arn).await;
    let _ = aws
        .delete_stack(arn, "01234567-89ab-cdef-0123-456789abcdef")
        .await;
}

/// What only the doctor asks.
async fn inspect(aws: &Aws) {
    let _ = aws.cluster("my_cluster-1").await;
    let _ = aws.task_definition("bastion:7").await;
    let _ = aws
        .session_document("AWS-StartPortForwardingSessionToRemoteHost")
        .await;
    let _ = aws.session_preferences().await;
    let _ = aws.has_log_group("/bastiond/my_stack-1.x").await;
    let _ = aws.fargate_quota("L-3032A538").await;
    let metric = UsageMetric {
        namespace: "AWS/Usage".into(),
        name: "ResourceCount".into(),
        dimensions: [("Service".to_owned(), "Fargate".to_owned())].into(),
    };
    let _ = aws.usage(&metric).await;
    for version in ["1.37_a-b", "sha256:00ff"] {
        let image = Image {
            registry: "123456789012".into(),
            region: "eu-west-1".into(),
            repository: "docker-hub/library/busybox".into(),
            version: version.into(),
        };
        let _ = aws.image_architectures(&image).await;
    }
    let _ = aws.network_acls(&[Filter::new("vpc-id", ["vpc-1"])]).await;
    let _ = aws.vpc_dns("vpc-0a1b2c3d").await;
    let role = "arn:aws:iam::123456789012:role/path/task";
    let question = Question {
        actions: vec!["ecs:RunTask".into(), "ecs:StopTask".into()],
        resources: vec![role.into(), "arn:aws:ssm:eu-west-1::document/AWS-X".into()],
        context: vec![
            ("ecs:cluster", "string", "arn:x".into()),
            ("ssm:SessionDocumentAccessCheck", "boolean", "true".into()),
        ],
    };
    let _ = aws.simulate(role, &question).await;
    let _ = aws.role("task_role-1.x").await;
}

fn run() -> RunTask {
    RunTask {
        cluster: "arn:aws:ecs:eu-west-1:123456789012:cluster/my_cluster-1".into(),
        task_definition: "bastion:7".into(),
        subnets: vec!["subnet-0a1b2c3d".into(); 16],
        security_groups: vec!["sg-0a1b2c3d".into(); 5],
        assign_public_ip: true,
        capacity_providers: vec![CapacityProvider {
            name: "FARGATE_SPOT".into(),
            weight: 1000,
            base: 100_000,
        }],
        exec: true,
        platform_version: Some("1.4.0".into()),
        started_by: "bastiond/0123456789abcdef".into(),
        tags: BTreeMap::from([
            ("bastiond:stack".to_owned(), "my_stack-1.x".to_owned()),
            ("bastiond:owner".to_owned(), "me@example.com".to_owned()),
        ]),
        propagate_tags: true,
        group: Some("bastions".into()),
        overrides: overrides(),
        client_token: "x".repeat(64),
    }
}

async fn account(endpoint: &str, more: &str) -> Aws {
    let text = format!(
        "[aws]\nregion = \"eu-west-1\"\nendpoint_url = \"{endpoint}\"\n{more}\n[[tunnel]]\nname = \"t\"\nport = 1\n\
         target = \"i-0123456789abcdef0\"\n"
    );
    let config: config::Aws = Config::parse(&text).expect("a configuration").aws;
    let net = Net::new(|_| None).expect("a net");
    let source = Source::fixed("AKIATEST", "secret");
    Aws::with(&config, "o'brien \u{f6}", &net, source, Timeouts::default())
        .await
        .expect("calls can be made")
}

/// Everything that a task may have otherwise.
fn overrides() -> Overrides {
    let bastion = ContainerOverride {
        command: Some(vec!["sleep".into(), "60".into()]),
        environment: [("IDLE".to_owned(), "5".to_owned())].into(),
        cpu: Some(128),
        memory: Some(256),
    };
    Overrides {
        cpu: Some(512),
        memory: Some(1024),
        ephemeral_storage: Some(30),
        task_role_arn: Some("arn:aws:iam::123456789012:role/task".into()),
        execution_role_arn: Some("arn:aws:iam::123456789012:role/execution".into()),
        containers: [("bastion".to_owned(), bastion)].into(),
    }
}
