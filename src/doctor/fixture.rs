//! Facts that are all well, for the tests of judges to spoil.

use crate::aws::{
    self, AgentStatus, Cluster, Container, ContainerDefinition, Definition, Dns, Home, Identity,
    Quota, Task,
};
use crate::config::Config;
use crate::doctor::check::Gap;
use crate::doctor::facts::{
    Account, Bastion, Credentials, Daemon, Document, Endpoint, Machine, Network, Policies, Port,
    PortState, Proxies, Tunnel, Upgrade,
};

const TEXT: &str = r#"
[aws]
region = "eu-west-1"
[bastion.dev]
cluster = "backend"
task_definition = "bastion"
subnets = ["subnet-0a1b2c3d"]
security_groups = ["sg-0a1b2c3d"]
[[tunnel]]
name = "app-db"
listen = "127.0.0.1:55432"
host = "db.internal"
port = 5432
"#;

fn config() -> Config {
    Config::parse(TEXT).unwrap()
}

pub fn machine() -> Machine {
    Machine {
        config_path: "/home/me/config.toml".into(),
        config: Ok(1),
        daemon: Daemon::Absent,
        proxies: Proxies::default(),
        network: Ok(()),
    }
}

pub fn account() -> Account {
    let endpoint = |service: &str| Endpoint {
        service: service.into(),
        host: format!("{service}.eu-west-1.amazonaws.com"),
        addresses: Some(Ok(vec!["52.1.2.3".parse().unwrap()])),
        reached: Ok(Some("Amazon".into())),
    };
    Account {
        region: "eu-west-1".into(),
        role: None,
        endpoints: ["sts", "ecs", "ssm", "ssmmessages"].map(endpoint).into(),
        upgrade: Ok(Upgrade::Answered(400)),
        credentials: Ok(Credentials {
            source: "profile `dev`".into(),
            left: None,
        }),
        identity: Ok(Identity {
            account: "123456789012".into(),
            arn: "arn:aws:sts::123456789012:assumed-role/Developer/me".into(),
            user_id: "AROA:me".into(),
        }),
        skew: Some(0),
        arns: Vec::new(),
        user: "me".into(),
        preferences: Ok(None),
    }
}

fn definition() -> Definition {
    let container = ContainerDefinition {
        name: "bastion".into(),
        essential: true,
        init: true,
        environment: [("IDLE_SECONDS".to_owned(), "900".to_owned())].into(),
        ..ContainerDefinition::default()
    };
    let role = |name: &str| Some(format!("arn:aws:iam::123456789012:role/{name}"));
    Definition {
        arn: "arn:aws:ecs:eu-west-1:123456789012:task-definition/bastion:3".into(),
        status: "ACTIVE".into(),
        network_mode: Some("awsvpc".into()),
        compatibilities: vec!["EC2".into(), "FARGATE".into()],
        task_role: role("task"),
        execution_role: role("execution"),
        architecture: "ARM64".into(),
        cpu: Some("256".into()),
        containers: vec![container],
        ..Definition::default()
    }
}

pub fn bastion() -> Bastion {
    let cluster = Cluster {
        status: "ACTIVE".into(),
        ..Cluster::default()
    };
    let mut bastions = config().bastions.into_values();
    Bastion {
        config: bastions.next().unwrap(),
        region: "eu-west-1".into(),
        ports: vec![5432],
        cluster: Ok(Some(cluster)),
        definition: Ok(Some(definition())),
        log_groups: Ok(Vec::new()),
        tasks: Ok(Vec::new()),
        stopped: Ok(Vec::new()),
        connected: Err(Gap::Needs("a running task")),
        sessions: Err(Gap::Needs("a running task")),
        network: Network {
            place: Ok(aws::Network::by_ids(&config().bastions["dev"].network).unwrap()),
            subnets: Ok(Vec::new()),
            route_tables: Ok(Vec::new()),
            endpoints: Ok(Vec::new()),
            rules: Ok(Vec::new()),
            beside: Ok(Vec::new()),
            acls: Ok(Vec::new()),
            dns: Ok(Dns {
                support: true,
                hostnames: true,
            }),
            far_rules: Ok(Vec::new()),
        },
        policies: Policies {
            operator: Ok(Vec::new()),
            task_role: Ok(None),
            task_role_may: Ok(Vec::new()),
            execution_role_may: Ok(Vec::new()),
        },
        quota: Ok(Some(Quota {
            value: 6.0,
            metric: None,
        })),
        usage: Ok(0.0),
        architectures: Ok(Vec::new()),
        far: Vec::new(),
        fences: Vec::new(),
        start: None,
    }
}

pub fn tunnel() -> Tunnel {
    let config = config().tunnels.remove(0);
    let address = config.listen[0];
    let document = Document {
        name: "AWS-StartPortForwardingSessionToRemoteHost".into(),
        content: serde_json::json!({"sessionType": "Port"}),
    };
    Tunnel {
        config,
        ports: vec![Port {
            address,
            state: PortState::Free,
        }],
        document: Ok(Some(document)),
        address: None,
        home: Ok(Home::default()),
        region: "eu-west-1".into(),
        trial: Ok(None),
    }
}

pub fn task() -> Task {
    let agent = AgentStatus {
        status: "RUNNING".into(),
        reason: None,
    };
    Task {
        id: "0123".into(),
        last_status: "RUNNING".into(),
        desired_status: "RUNNING".into(),
        enable_execute_command: true,
        platform_version: Some("1.4.0".into()),
        containers: vec![Container {
            name: "bastion".into(),
            runtime_id: Some("0123-1".into()),
            exec_agent: Some(agent),
            ..Container::default()
        }],
        ..Task::default()
    }
}
