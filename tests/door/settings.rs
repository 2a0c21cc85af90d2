//! Settings from a file, the environment and the command line, and what is said of them.

use bastiond::config::{Config, Layers, schema, settings::settings};

use super::user::{User, text};

const FILE: &str = r#"
shutdown_timeout = "9s"

[bastion.dev]
cluster = "backend"
task_definition = "bastion"
subnets = ["subnet-1"]

[[tunnel]]
name = "app-db"
listen = "127.0.0.1:0"
host = "db.internal"
port = 5432

[[tunnel]]
name = "app"
listen = "127.0.0.1:0"
target = "i-0123456789abcdef0"
port = 6379
"#;

fn layers(environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Layers {
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    };
    Layers::new(FILE, owned(environment), &owned(flags))
}

fn mistakes(environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    Config::of(&layers(environment, flags))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_flag_goes_before_a_variable_and_that_before_the_file() {
    let seconds = |environment: &[_], flags: &[_]| {
        let config = Config::of(&layers(environment, flags)).unwrap();
        config.shutdown_timeout.as_secs()
    };
    let (variable, flag) = (
        ("BASTIOND_SHUTDOWN_TIMEOUT", "2s"),
        ("shutdown_timeout", "3s"),
    );
    assert_eq!(seconds(&[], &[]), 9);
    assert_eq!(seconds(&[variable], &[]), 2);
    assert_eq!(seconds(&[variable], &[flag]), 3);
}

#[test]
fn every_kind_of_value_can_be_a_variable() {
    let environment = [
        ("BASTIOND_AWS_PROFILE", "my profile"),
        ("BASTIOND_AWS_SIGN_WEBSOCKET", "false"),
        ("BASTIOND_BASTION_DEV_SUBNETS", "subnet-7, subnet-8"),
        ("BASTIOND_BASTION_DEV_TAGS", "team=data, env=dev"),
        ("BASTIOND_BASTION_DEV_AWS_REGION", "eu-west-3"),
        ("BASTIOND_PRICES_VCPU_HOUR", "0.05"),
        ("BASTIOND_TUNNEL_APP_DB_LISTEN", "55001,127.0.0.1:55002"),
        ("BASTIOND_TUNNEL_APP_PORT", "6380"),
    ];
    let config = Config::of(&layers(&environment, &[])).unwrap();
    assert_eq!(config.aws.profile.as_deref(), Some("my profile"));
    assert!(!config.aws.sign_websocket);
    let dev = &config.bastions["dev"];
    let subnets = dev.network.subnet_ids().expect("ids");
    assert_eq!(subnets, ["subnet-7", "subnet-8"]);
    assert_eq!(dev.launch.tags["env"], "dev");
    assert_eq!(
        dev.aws.as_ref().unwrap().region.as_deref(),
        Some("eu-west-3")
    );
    assert_eq!(config.prices.vcpu_hour, 0.05);
    assert_eq!(config.tunnels[0].listen.len(), 3);
    assert_eq!(
        config.tunnels[1].remote,
        bastiond::config::Remote::Target { port: 6380 }
    );
}

#[test]
fn a_mistake_says_which_variable_or_flag_it_is_in() {
    assert_eq!(
        mistakes(&[("BASTIOND_AWS_REGION", "nowhere")], &[]),
        "environment BASTIOND_AWS_REGION: `region` in [aws]: `nowhere` is not a region\n  \
         hint: write its id, such as `ap-northeast-1`"
    );
    assert_eq!(
        mistakes(&[("BASTIOND_TUNNEL_APP_PORT", "many")], &[]),
        "environment BASTIOND_TUNNEL_APP_PORT: `port` in [[tunnel]] \"app\": expected a whole number, \
         found string \"many\""
    );
    assert_eq!(
        mistakes(&[], &[("tunnel.app-db.keepalive", "neve")]),
        "--set tunnel.app-db.keepalive: `keepalive` in [[tunnel]] \"app-db\": `neve` is none of its values\n  \
         hint: did you mean `never`?"
    );
    assert_eq!(
        mistakes(&[], &[("tunnel.app_db.port", "1")]),
        "--set tunnel.app_db.port: there is no such setting\n  hint: did you mean `tunnel.app-db.port`?"
    );
}

#[test]
fn a_variable_that_could_mean_two_settings_is_refused() {
    let file = FILE.replace("name = \"app\"", "name = \"app_db\"");
    let environment = [("BASTIOND_TUNNEL_APP_DB_PORT".to_owned(), "1".to_owned())];
    let error = Config::of(&Layers::new(&file, environment, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment BASTIOND_TUNNEL_APP_DB_PORT: could mean `tunnel.app-db.port` or `tunnel.app_db.port`\n  \
         hint: use --set, or the file"
    );
}

#[test]
fn a_variable_that_is_no_setting_is_told_and_ignored() {
    let environment = [
        ("BASTIOND_TUNNEL_APP_DB_LISTN", "1"),
        ("BASTIOND_CONFIG", "/x"),
        ("BASTIOND_COLOUR", "red"),
        ("OTHER", "x"),
    ];
    let layers = layers(&environment, &[]);
    assert!(Config::of(&layers).is_ok());
    assert_eq!(
        layers.strangers(),
        [
            "BASTIOND_COLOUR is no setting",
            "BASTIOND_TUNNEL_APP_DB_LISTN is no setting; did you mean BASTIOND_TUNNEL_APP_DB_LISTEN?",
        ]
    );
}

#[test]
fn what_the_schema_calls_default_is_the_default() {
    let all = settings(&layers(&[], &[])).unwrap();
    let defaults: Vec<(String, String)> = all
        .iter()
        .filter(|setting| setting.origin.is_none())
        .map(|setting| (setting.path.clone(), plain(&setting.value)))
        .collect();
    assert!(defaults.len() > 8, "{defaults:?}");
    let said = Config::of(&Layers::new(FILE, [], &defaults)).unwrap();
    assert_eq!(said, Config::parse(FILE).unwrap());
}

#[test]
fn what_a_machine_or_a_node_of_a_task_does_not_take_is_not_shown_as_a_default() {
    let task = "cluster = \"c\"\ntask_definition = \"t\"\nagent = \"hybrid\"";
    for bastion in ["instance = \"jump\"", "node = \"office\"", task] {
        let file = format!(
            "[bastion.dev]\n{bastion}\n[[tunnel]]\nname = \"db\"\nhost = \"db.internal\"\nport = 5432\n"
        );
        let all = settings(&Layers::new(&file, [], &[])).unwrap();
        let defaults = all.iter().filter(|setting| setting.origin.is_none());
        let defaults: Vec<(String, String)> = defaults
            .map(|setting| (setting.path.clone(), plain(&setting.value)))
            .collect();
        let said = Config::of(&Layers::new(&file, [], &defaults)).unwrap();
        assert_eq!(said, Config::parse(&file).unwrap(), "{bastion}");
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}

#[test]
fn the_schema_takes_the_example_and_refuses_what_the_parser_refuses() {
    let validator = jsonschema::draft7::new(schema()).unwrap();
    let json = |text: &str| -> serde_json::Value {
        serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
    };
    let example = json(include_str!("../../examples/bastiond.toml"));
    let errors: Vec<String> = validator
        .iter_errors(&example)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    for wrong in [
        "shutdown_timeout = 5",
        "[aws]\nregoin = \"x\"",
        "[bastion.dev]\nmode = \"shard\"",
        "[[tunnel]]\nport = 5432",
        "[[tunnel]]\nname = \"x\"\nport = 0.5",
        "[[tunnel]]\nname = \"x\"\nlisten = true",
    ] {
        assert!(!validator.is_valid(&json(wrong)), "{wrong}");
    }
}

#[test]
fn show_tells_where_each_setting_comes_from() {
    let user = User::with(FILE);
    let shown = user
        .command(&["config", "show", "--set", "tunnel.app.hold_timeout=30s"])
        .env("BASTIOND_BASTION_DEV_IDLE_STOP", "20m")
        .output()
        .unwrap();
    assert_eq!(text(&shown.stderr), "");
    insta::assert_snapshot!(text(&shown.stdout).replace(&user.folder(), "HOME"), @r#"
    # HOME/config.toml
    reload_on_change = false        # default
    shutdown_timeout = "9s"         # config.toml:2

    [bastion.dev]
    agent = "exec"                  # default
    cluster = "backend"             # config.toml:5
    idle_stop = "20m"               # environment BASTIOND_BASTION_DEV_IDLE_STOP
    max_sessions_per_container = 4  # default
    mode = "shared"                 # default
    on_shutdown = "stop"            # default
    propagate_tags = true           # default
    subnets = ["subnet-1"]          # config.toml:7
    task_definition = "bastion"     # config.toml:6

    [[tunnel]]
    name = "app-db"                 # config.toml:10
    allow_non_loopback = false      # default
    half_close_linger = "60s"       # default
    hold_timeout = "90s"            # default
    host = "db.internal"            # config.toml:12
    keepalive = "while-connected"   # default
    listen = "127.0.0.1:0"          # config.toml:11
    max_session_age = "12h"         # default
    port = 5432                     # config.toml:13
    session_linger = "2m"           # default

    [[tunnel]]
    name = "app"                    # config.toml:16
    allow_non_loopback = false      # default
    half_close_linger = "60s"       # default
    hold_timeout = "30s"            # --set
    keepalive = "while-connected"   # default
    listen = "127.0.0.1:0"          # config.toml:17
    max_session_age = "12h"         # default
    port = 6379                     # config.toml:19
    session_linger = "2m"           # default
    target = "i-0123456789abcdef0"  # config.toml:18
    "#);
    let again = User::with(&text(&shown.stdout));
    assert_eq!(
        again.run(&["config", "check"]).status.code(),
        Some(0),
        "it is a configuration"
    );
}

#[test]
fn show_as_json_is_nothing_but_json() {
    let user = User::with(FILE);
    let shown = user
        .command(&["config", "show", "--json"])
        .env("BASTIOND_AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let settings = json["settings"].as_array().unwrap();
    let region = settings
        .iter()
        .find(|it| it["path"] == "aws.region")
        .unwrap();
    assert_eq!(
        region.to_string(),
        r#"{"origin":{"kind":"environment","name":"BASTIOND_AWS_REGION"},"path":"aws.region","value":"eu-west-1"}"#
    );
}

#[test]
fn check_says_what_is_right_and_every_mistake() {
    let user = User::with(FILE);
    let right = user.run(&["config", "check"]);
    let said = text(&right.stdout);
    assert_eq!(
        said,
        format!(
            "{}/config.toml: no mistakes; 2 tunnels, 1 bastion\n",
            user.folder()
        )
    );
    assert_eq!(
        (text(&right.stderr).as_str(), right.status.code()),
        ("", Some(0))
    );

    let user = User::with(
        &FILE
            .replace("port = 5432", "port = 0")
            .replace("\"9s\"", "\"9\""),
    );
    let wrong = user.run(&["config", "check"]);
    insta::assert_snapshot!(text(&wrong.stderr).replace(&user.folder(), "HOME"), @r#"
    error: the configuration `HOME/config.toml` has mistakes
    line 2: `shutdown_timeout`: `9` is not a duration
      hint: write for example "90s", "15m" or "1h30m"
    line 13: `port` in [[tunnel]] "app-db": `0` is not a port
      hint: ports are 1 to 65535
    "#);
    assert_eq!(
        (text(&wrong.stdout).as_str(), wrong.status.code()),
        ("", Some(1))
    );
}

#[test]
fn check_warns_of_variables_that_are_no_settings() {
    let user = User::with(FILE);
    let checked = user
        .command(&["config", "check"])
        .env("BASTIOND_AWS_REGOIN", "x")
        .output()
        .unwrap();
    assert_eq!(
        text(&checked.stderr),
        "warning: BASTIOND_AWS_REGOIN is no setting; did you mean BASTIOND_AWS_REGION?\n"
    );
    assert_eq!(checked.status.code(), Some(0));
}

#[test]
fn path_and_schema_need_no_configuration() {
    let user = User::with("not = a configuration");
    let path = user.run(&["config", "path"]);
    assert_eq!(
        text(&path.stdout),
        format!("{}/config.toml\n", user.folder())
    );
    let printed = user.run(&["config", "schema"]);
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(&printed, schema());
}

#[test]
fn a_daemon_obeys_its_flags_and_its_environment() {
    let user = User::with(FILE);
    let started = user
        .command(&["start", "--set", "tunnel.app.port=7000"])
        .env("BASTIOND_AWS_REGION", "eu-west-1")
        .env("BASTIOND_TUNNEL_APP_DB_HOST", "other.internal")
        .output()
        .unwrap();
    assert_eq!(text(&started.stderr), "");
    let remotes: Vec<String> = user
        .status()
        .tunnels
        .into_iter()
        .map(|it| it.remote)
        .collect();
    assert_eq!(remotes, ["other.internal:5432", "port 7000 of the target"]);
}
