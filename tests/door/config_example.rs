//! The example is what newcomers copy: it must be right, and show every key there is.

use std::{os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use bastiond::config::{Config, Keepalive, Launch, Mode, OnShutdown, Remote, Via};

const EXAMPLE: &str = include_str!("../../examples/bastiond.toml");

#[test]
fn the_example_says_what_it_seems_to_say() {
    let config = Config::parse(EXAMPLE).unwrap();
    assert_eq!(config.shutdown_timeout, Duration::from_secs(5));
    assert_eq!(config.on_event, ["/home/me/.config/bastiond/notify-send"]);
    assert_eq!(config.exit_when_idle, Some(Duration::from_secs(3600)));
    assert_eq!(config.aws.profile.as_deref(), Some("dev"));
    assert_eq!(
        config.aws.endpoint_url.as_deref(),
        Some("http://127.0.0.1:4566")
    );

    let bastion = &config.bastions["dev"];
    assert_eq!(
        (bastion.cluster.as_str(), bastion.task_definition.as_str()),
        ("backend", "bastion")
    );
    assert_eq!(
        bastion
            .launch
            .capacity_providers
            .first()
            .map(|it| it.name.as_str()),
        Some("FARGATE_SPOT")
    );
    assert_eq!(bastion.launch.tags["team"], "data");
    assert_eq!(bastion.idle_stop, Duration::from_secs(900));
    assert_eq!(
        (bastion.mode, bastion.on_shutdown),
        (Mode::Shared, OnShutdown::Stop)
    );

    let [db, cache, orders, metrics] = &config.tunnels[..] else {
        panic!("four tunnels: {:?}", config.tunnels)
    };
    assert_eq!(addresses(db), ["127.0.0.1:55432", "[::1]:55432"]);
    assert_eq!(db.via, Via::Bastion("dev".into()));
    let name = "app.cluster-x.ap-northeast-1.rds.amazonaws.com".into();
    assert_eq!(db.remote, Remote::Host { name, port: 5432 });
    assert_eq!(db.keepalive, Keepalive::WhileConnected);
    assert_eq!(addresses(cache), ["127.0.0.1:56379", "192.168.64.1:56379"]);
    assert_eq!(cache.via, Via::Target("i-0123456789abcdef0".into()));
    let Remote::Database {
        selector,
        port: None,
    } = &orders.remote
    else {
        panic!("a database: {:?}", orders.remote)
    };
    assert_eq!(selector.to_string(), "rds-cluster:tag:Env=dev:reader");
    assert_eq!(metrics.remote, Remote::Target { port: 9090 });
}

#[test]
fn what_the_example_calls_default_is_the_default() {
    let least = r#"
        [bastion.dev]
        cluster = "backend"
        task_definition = "bastion"
        subnets = ["subnet-0a1b2c3d"]
        [[tunnel]]
        name = "app-db"
        host = "app.cluster-x.ap-northeast-1.rds.amazonaws.com"
        port = 5432
    "#;
    let (least, example) = (
        Config::parse(least).unwrap(),
        Config::parse(EXAMPLE).unwrap(),
    );
    assert_eq!(least.tunnels[0], example.tunnels[0]);
    assert_eq!(least.shutdown_timeout, example.shutdown_timeout);
    assert_eq!(least.exit_when_idle, None);
    assert_eq!(least.aws.sign_websocket, example.aws.sign_websocket);
    let mut shown = example.bastions["dev"].clone();
    assert!(least.bastions["dev"].network.security_groups.is_empty());
    assert!(shown.aws.is_some() && shown.warm.is_some());
    assert_eq!(shown.network.assign_public_ip, Some(false));
    (shown.network, shown.container) = (least.bastions["dev"].network.clone(), None);
    assert!(shown.max_lifetime.is_some());
    (shown.warm, shown.aws, shown.max_lifetime) = (None, None, None);
    shown.launch = Launch::default();
    assert_eq!(least.bastions["dev"], shown);
}

#[test]
fn the_example_shows_every_key() {
    for table in ["", "[aws]", "[prices]", "[bastion.x]", "[[tunnel]]"] {
        for key in known_keys(table) {
            let shown = EXAMPLE.lines().any(|line| {
                // What takes the place of another key is a comment.
                let line = line.strip_prefix("# ").unwrap_or(line);
                line.starts_with(&format!("{key} ="))
                    || (line.starts_with('[')
                        && line.split(['[', ']', '.']).any(|word| word == key))
            });
            assert!(shown, "`{key}` of {table:?} is not in the example");
        }
    }
}

#[test]
fn no_damage_to_the_text_makes_the_parser_panic() {
    for (at, _) in EXAMPLE.char_indices().step_by(3) {
        let _ = Config::parse(&EXAMPLE[..at]);
    }
    for (at, found) in EXAMPLE.char_indices().step_by(31) {
        let rest = &EXAMPLE[at + found.len_utf8()..];
        for other in ["é", "\"", "[", "\n", "\0"] {
            let _ = Config::parse(&format!("{}{other}{rest}", &EXAMPLE[..at]));
        }
    }
}

/// The keys of a table, from the hint for one that does not exist.
fn known_keys(table: &str) -> Vec<String> {
    let error = Config::parse(&format!("{table}\nqqqqqqqqqq = 1")).unwrap_err();
    let hint = error.mistakes().iter().find_map(|mistake| {
        mistake
            .hint
            .clone()
            .filter(|hint| hint.starts_with("known:"))
    });
    let keys: Vec<String> = hint
        .expect("a list")
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(keys.len() > 3, "{keys:?}");
    keys
}

fn addresses(tunnel: &bastiond::config::Tunnel) -> Vec<String> {
    tunnel.listen.iter().map(ToString::to_string).collect()
}

/// What AWS says is part of some events: a program must not take it for a command of its own.
#[test]
fn the_programs_of_on_event_hand_on_what_they_are_told_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let notes = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\n", said.display());
    let path = format!(
        "{}:{}",
        folder.path().display(),
        std::env::var("PATH").unwrap()
    );
    let event = "tunnel app-db: failed ($(touch hurt) \"`touch hurt`\")";
    for program in ["notify-send", "osascript"] {
        let stand_in = folder.path().join(program);
        std::fs::write(&stand_in, &notes).unwrap();
        std::fs::set_permissions(&stand_in, std::fs::Permissions::from_mode(0o755)).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/on_event")
            .join(program);
        let status = std::process::Command::new(example)
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("BASTIOND_EVENT", event)
            .env("BASTIOND_EVENT_STATE", "failed")
            .env("BASTIOND_EVENT_HINT", "aws sso login")
            .status()
            .unwrap();
        assert!(status.success(), "{program}");
        let said = std::fs::read_to_string(&said).unwrap();
        let last: Vec<&str> = said.lines().rev().take(2).collect();
        assert_eq!(last, ["aws sso login", event], "{program}");
    }
    assert!(!folder.path().join("hurt").exists());
}
