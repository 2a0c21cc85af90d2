//! Every mistake a configuration can hold, and what its author reads.

use bastiond::config::{Config, Place};

/// A right configuration that each case breaks in one place.
const RIGHT: &str = r#"
[bastion.dev]
cluster = "backend"
task_definition = "bastion"
subnets = ["subnet-1"]

[[tunnel]]
name = "db"
port = 5432
"#;

/// One mistake: the line to add below `[[tunnel]]`'s keys, or a whole file, and the exact message.
enum Case {
    /// A line added to `[[tunnel]]`, which makes it line 10.
    Tunnel(&'static str, &'static str),
    /// A line added to `[bastion.dev]`, which makes it line 6.
    Bastion(&'static str, &'static str),
    /// A line of an `[aws]` table, which makes it line 12.
    Aws(&'static str, &'static str),
    /// A text replaced in the right file.
    Instead(&'static str, &'static str, &'static str),
    /// A whole file.
    File(&'static str, &'static str),
}
use Case::*;

#[test]
fn each_mistake_has_its_line_key_and_remedy() {
    for case in CASES {
        let (text, expected) = case.text();
        let found = Config::parse(&text)
            .map(|_| ())
            .expect_err(&text)
            .to_string();
        assert_eq!(found, expected, "\n{text}");
    }
}

#[test]
fn several_mistakes_are_reported_at_once_in_the_order_of_their_lines() {
    let text = r#"shutdown_timeout = 5
[aws]
regoin = "eu-central-1"
profile = 3
[bastion.dev]
subnets = ["subnet-1", 7]
[[tunnel]]
port = 0
"#;
    let found = Config::parse(text).expect_err("wrong all over");
    assert_eq!(
        found.to_string(),
        r#"line 1: `shutdown_timeout`: expected a duration in quotes, such as "90s", "15m" or "1h30m", found integer `5`
line 3: `regoin` in [aws]: unknown key
  hint: did you mean `region`?
line 4: `profile` in [aws]: expected a string, found integer `3`
line 5: `cluster` in [bastion.dev]: missing
  hint: name the ECS cluster to run the task in
line 5: `task_definition` in [bastion.dev]: missing
  hint: name the task definition to run
line 6: `subnets` in [bastion.dev]: expected a string, found integer `7`
line 7: `name` in [[tunnel]] number 1: missing
  hint: give it a name, such as `name = "app-db"`
line 8: `port` in [[tunnel]] number 1: `0` is not a port
  hint: ports are 1 to 65535"#
    );
    let columns: Vec<usize> = found
        .mistakes()
        .iter()
        .map(|mistake| match mistake.place {
            Place::File { column, .. } => column,
            Place::Environment(_) | Place::Flag(_) => 0,
        })
        .collect();
    assert_eq!(columns, [20, 1, 11, 1, 1, 24, 1, 8]);
}

#[test]
fn the_right_file_is_right() {
    Config::parse(RIGHT).unwrap();
}

impl Case {
    fn text(&self) -> (String, &'static str) {
        match self {
            Tunnel(line, message) => (format!("{RIGHT}{line}"), message),
            Bastion(line, message) => {
                (RIGHT.replacen("\n\n", &format!("\n{line}\n\n"), 1), message)
            }
            Aws(line, message) => (format!("{RIGHT}\n[aws]\n{line}"), message),
            Instead(old, new, message) => {
                assert!(RIGHT.contains(old), "{old}");
                (RIGHT.replacen(old, new, 1), message)
            }
            File(text, message) => ((*text).to_owned(), message),
        }
    }
}

const CASES: &[Case] = &[
    // The text itself.
    File("[aws\n", "line 1:5: unclosed table, expected `]`"),
    File("a = 1\na = 2\n", "line 2: `a`: duplicate key"),
    File(
        "x = yes\ny = no\n",
        "line 1:5: string values must be quoted, expected literal string\nline 2:5: invalid float, expected `nan`",
    ),
    File(
        "",
        "line 1: `tunnel`: missing: there is nothing to listen for\n  hint: add a [[tunnel]] table",
    ),
    File(
        "[aws]\nregion = \"eu-central-1\"\n",
        "line 1: `tunnel`: missing: there is nothing to listen for\n  hint: add a [[tunnel]] table",
    ),
    // Unknown keys and wrong types.
    File(
        "[tunnels]\n",
        "line 1: `tunnel`: missing: there is nothing to listen for\n  hint: add a [[tunnel]] table\nline 1: `tunnels`: unknown key\n  hint: did you mean `tunnel`?",
    ),
    File(
        "[tunnel]\nname = \"db\"\n",
        "line 1: `tunnel`: tunnels are a list of tables\n  hint: write [[tunnel]], with two brackets, above each",
    ),
    File(
        "[[bastion]]\ncluster = \"a\"\n[[tunnel]]\nname = \"db\"\nport = 1\ntarget = \"i-01234567\"",
        "line 1: `bastion`: bastions are tables with a name\n  hint: write [bastion.NAME] above its keys",
    ),
    Instead(
        "[bastion.dev]",
        "[bastion]",
        "line 3: `bastion`: bastions are tables with a name\n  hint: write [bastion.NAME] above its keys",
    ),
    Aws(
        "regoin = \"eu-central-1\"",
        "line 12: `regoin` in [aws]: unknown key\n  hint: did you mean `region`?",
    ),
    Aws(
        "colour = \"red\"",
        "line 12: `colour` in [aws]: unknown key\n  hint: known: `profile`, `region`, `role_arn`, `role_chain`, `external_id`, `role_duration`, `source_identity`, `mfa_serial`, `endpoint_url`, `sign_websocket`",
    ),
    Aws(
        "sign_websocket = \"yes\"",
        r#"line 12: `sign_websocket` in [aws]: expected true or false, found string "yes""#,
    ),
    Bastion(
        "task_definiton = \"bastion\"",
        "line 6: `task_definiton` in [bastion.dev]: unknown key\n  hint: did you mean `task_definition`?",
    ),
    Bastion(
        "assign_public_ip = \"no\"",
        r#"line 6: `assign_public_ip` in [bastion.dev]: expected true or false, found string "no""#,
    ),
    Bastion(
        "security_groups = \"sg-1\"",
        r#"line 6: `security_groups` in [bastion.dev]: expected a list, found string "sg-1""#,
    ),
    Tunnel(
        "lisen = 1",
        r#"line 10: `lisen` in [[tunnel]] "db": unknown key
  hint: did you mean `listen`?"#,
    ),
    Tunnel(
        "prot = 1",
        r#"line 10: `prot` in [[tunnel]] "db": unknown key
  hint: did you mean `port`?"#,
    ),
    // [aws]
    Aws(
        "profile = \" \"",
        "line 12: `profile` in [aws]: must not be empty",
    ),
    Aws(
        "region = \"Frankfurt\"",
        "line 12: `region` in [aws]: `Frankfurt` is not a region\n  hint: write its id, such as `ap-northeast-1`",
    ),
    Aws(
        "region = \"eu-central-1a\"",
        "line 12: `region` in [aws]: `eu-central-1a` is not a region\n  hint: write its id, such as `ap-northeast-1`",
    ),
    Aws(
        "external_id = \"x/1\"",
        "line 12: `external_id` in [aws]: means nothing without `role_arn`\n  hint: set `role_arn` too",
    ),
    Aws(
        "source_identity = \"m\"\nrole_arn = \"arn:aws:iam::123456789012:role/NAME\"",
        "line 12: `source_identity` in [aws]: must have 2 to 64 letters, digits and _+=,.@-",
    ),
    Aws(
        "role_duration = \"2h\"\nrole_chain = [\"arn:aws:iam::123456789012:role/HUB\"]\nrole_arn = \"arn:aws:iam::123456789012:role/NAME\"",
        "line 12: `role_duration` in [aws]: must be from 15m to 1h\n  hint: AWS gives no role longer, and one that is assumed by a role an hour at most",
    ),
    Bastion(
        "aws.region = \"nowhere\"",
        "line 6: `region` in [bastion.dev.aws]: `nowhere` is not a region\n  hint: write its id, such as `ap-northeast-1`",
    ),
    Aws(
        "role_arn = \"start-bastion\"",
        "line 12: `role_arn` in [aws]: `start-bastion` is not the ARN of a role\n  hint: it looks like `arn:aws:iam::123456789012:role/NAME`",
    ),
    Aws(
        "role_arn = \"arn:aws:iam::123456789012:user/me\"",
        "line 12: `role_arn` in [aws]: `arn:aws:iam::123456789012:user/me` is not the ARN of a role\n  hint: it looks like `arn:aws:iam::123456789012:role/NAME`",
    ),
    Aws(
        "endpoint_url = \"127.0.0.1:4566\"",
        "line 12: `endpoint_url` in [aws]: `127.0.0.1:4566` is not a URL\n  hint: write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT`",
    ),
    Aws(
        "endpoint_url = \"ftp://127.0.0.1\"",
        "line 12: `endpoint_url` in [aws]: `ftp://127.0.0.1` is neither https nor http\n  hint: write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT`",
    ),
    Aws(
        "endpoint_url = \"http://moto.example:4566\"",
        "line 12: `endpoint_url` in [aws]: `http://moto.example:4566` would carry session tokens in the clear\n  hint: write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT`",
    ),
    Aws(
        "endpoint_url = \"https://me:pw@vpce.example\"",
        "line 12: `endpoint_url` in [aws]: must not have a user or password in it",
    ),
    Aws(
        "endpoint_url = \"https://vpce.example/?a=b\"",
        "line 12: `endpoint_url` in [aws]: `https://vpce.example/?a=b` must not have a query or a fragment\n  hint: write `https://HOST[:PORT]`, or `http://127.0.0.1:PORT`",
    ),
    // [bastion.NAME]
    Instead(
        "[bastion.dev]",
        "[bastion.\"a b\"]",
        "line 2: `a b` in [bastion]: `a b` is not a name\n  hint: use up to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
    ),
    Instead(
        "cluster = \"backend\"\n",
        "",
        "line 2: `cluster` in [bastion.dev]: missing\n  hint: name the ECS cluster to run the task in",
    ),
    Instead(
        "cluster = \"backend\"",
        "cluster = \"back end\"",
        "line 3: `cluster` in [bastion.dev]: must not have spaces or control characters",
    ),
    Instead(
        "cluster = \"backend\"",
        "cluster = \"\"",
        "line 3: `cluster` in [bastion.dev]: must not be empty",
    ),
    Instead(
        "task_definition = \"bastion\"\n",
        "",
        "line 2: `task_definition` in [bastion.dev]: missing\n  hint: name the task definition to run",
    ),
    Instead(
        "[\"subnet-1\"]",
        "[]",
        "line 5: `subnets` in [bastion.dev]: must name at least one subnet\n  hint: leave it out, and subnets of the database's VPC are found",
    ),
    Instead(
        "[\"subnet-1\"]",
        "[\"subnet-1\", \"sg-2\"]",
        "line 5: `subnets` in [bastion.dev]: `sg-2` is not an id that begins with `subnet-`",
    ),
    Instead(
        "[\"subnet-1\"]",
        "[\"subnet-1_\"]",
        "line 5: `subnets` in [bastion.dev]: `subnet-1_` is not an id",
    ),
    Instead(
        "[\"subnet-1\"]",
        "[\"tag:Tier\"]",
        "line 5: `subnets` in [bastion.dev]: `tag:Tier` is not a tag\n  hint: write `tag:KEY=VALUE`",
    ),
    Instead(
        "[\"subnet-1\"]",
        r#"["subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1","subnet-1"]"#,
        "line 5: `subnets` in [bastion.dev]: 17 are too many: ECS takes 16",
    ),
    Bastion(
        "platform_version = \"1.3.0\"",
        "line 6: `platform_version` in [bastion.dev]: `1.3.0` is no platform version that has ECS Exec\n  hint: write \"LATEST\", or \"1.4.0\" or later",
    ),
    Bastion(
        "tags = { \"bastiond:mode\" = \"x\" }",
        "line 6: `tags.bastiond:mode` in [bastion.dev]: keys that begin so belong to AWS and to bastiond",
    ),
    Bastion(
        "tags = { team = \"a;b\" }",
        "line 6: `tags.team` in [bastion.dev]: `a;b` is no text for a tag: at most 256 letters, digits, spaces and `+-=._:/@`",
    ),
    Bastion(
        "security_groups = [\" \"]",
        "line 6: `security_groups` in [bastion.dev]: ` ` is not a name\n  hint: write `sg-…`, `tag:KEY=VALUE` or a name",
    ),
    Bastion(
        "security_groups = [\"sg-1\",\"sg-2\",\"sg-3\",\"sg-4\",\"sg-5\",\"sg-6\"]",
        "line 6: `security_groups` in [bastion.dev]: 6 are too many: ECS takes 5",
    ),
    Bastion(
        "warm = \"Mon-Fri 18:00-09:00\"",
        r#"line 6: `warm` in [bastion.dev]: `18:00-09:00` ends before it begins
  hint: write days and hours, such as "Mon-Fri 09:00-18:30""#,
    ),
    Bastion(
        "max_hours_per_day = 4",
        "line 6: `max_hours_per_day` in [bastion.dev]: means nothing without `warm`\n  hint: set `warm` too",
    ),
    Bastion(
        "idle_stop = \"a while\"",
        r#"line 6: `idle_stop` in [bastion.dev]: `a while` is not a duration
  hint: write for example "90s", "15m" or "1h30m""#,
    ),
    Bastion(
        "idle_stop = \"0s\"",
        "line 6: `idle_stop` in [bastion.dev]: `0s` is out of range: 1s to 7d",
    ),
    Bastion(
        "idle_stop = 900",
        r#"line 6: `idle_stop` in [bastion.dev]: expected a duration in quotes, such as "90s", "15m" or "1h30m", found integer `900`"#,
    ),
    Bastion(
        "mode = \"usr\"",
        "line 6: `mode` in [bastion.dev]: `usr` is none of its values\n  hint: did you mean `user`?",
    ),
    Bastion(
        "on_shutdown = \"destroy\"",
        "line 6: `on_shutdown` in [bastion.dev]: `destroy` is none of its values\n  hint: known: `stop`, `leave`",
    ),
    // [[tunnel]]
    Instead(
        "name = \"db\"\n",
        "",
        r#"line 7: `name` in [[tunnel]] number 1: missing
  hint: give it a name, such as `name = "app-db"`"#,
    ),
    Instead(
        "\"db\"",
        "\"my db\"",
        r#"line 8: `name` in [[tunnel]] "my db": `my db` is not a name
  hint: use up to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit"#,
    ),
    Tunnel(
        "\n[[tunnel]]\nname = \"db\"\nlisten = 1\nport = 1",
        r#"line 12: `name` in [[tunnel]] "db": another tunnel is called `db` too"#,
    ),
    Tunnel(
        "\n[[tunnel]]\nname = \"other\"\nport = 1",
        r#"line 11: `listen` in [[tunnel]] "other": 127.0.0.1:55432 is taken by [[tunnel]] "db"
  hint: give each tunnel a `listen` of its own"#,
    ),
    Tunnel(
        "\n[[tunnel]]\nname = \"other\"\nport = 1\nlisten = [1, \"[::1]:55432\"]",
        r#"line 14: `listen` in [[tunnel]] "other": [::1]:55432 is taken by [[tunnel]] "db"
  hint: give each tunnel a `listen` of its own"#,
    ),
    Tunnel(
        "listen = [\"127.0.0.1:1\", 1]",
        r#"line 10: `listen` in [[tunnel]] "db": 127.0.0.1:1 is there twice"#,
    ),
    Tunnel(
        "listen = []",
        r#"line 10: `listen` in [[tunnel]] "db": must name at least one address"#,
    ),
    Tunnel(
        "listen = true",
        r#"line 10: `listen` in [[tunnel]] "db": expected a port, an "address:port", or a list of these, found boolean `true`"#,
    ),
    Tunnel(
        "listen = [1, 2.5]",
        r#"line 10: `listen` in [[tunnel]] "db": expected a port or an "address:port", found floating point `2.5`"#,
    ),
    Tunnel(
        "listen = 70000",
        r#"line 10: `listen` in [[tunnel]] "db": `70000` is not a port
  hint: ports are 1 to 65535"#,
    ),
    Tunnel(
        "listen = \":5432\"",
        r#"line 10: `listen` in [[tunnel]] "db": `:5432` is not an address and port
  hint: write a port, or for example "127.0.0.1:55432" or "[::1]:55432""#,
    ),
    Tunnel(
        "listen = \"0.0.0.0:55432\"",
        r#"line 10: `listen` in [[tunnel]] "db": 0.0.0.0:55432 can be reached from other machines
  hint: use a loopback address, or set `allow_non_loopback = true`"#,
    ),
    Tunnel(
        "bastion = \"dve\"",
        r#"line 10: `bastion` in [[tunnel]] "db": no bastion is called `dve`
  hint: did you mean `dev`?"#,
    ),
    Tunnel(
        "bastion = \"dev\"\ntarget = \"i-01234567\"",
        r#"line 11: `target` in [[tunnel]] "db": stands beside `bastion`
  hint: keep one of them"#,
    ),
    Tunnel(
        "target = \"arn:aws:ec2:eu-central-1:123456789012:instance/i-01234567\"",
        r#"line 10: `target` in [[tunnel]] "db": `arn:aws:ec2:eu-central-1:123456789012:instance/i-01234567` is not an SSM target
  hint: write `i-…`, `mi-…` or `ecs:CLUSTER_TASK_RUNTIME`"#,
    ),
    Tunnel(
        "target = \"i-0123XYZ8\"",
        r#"line 10: `target` in [[tunnel]] "db": `i-0123XYZ8` is not an SSM target
  hint: write `i-…`, `mi-…` or `ecs:CLUSTER_TASK_RUNTIME`"#,
    ),
    Tunnel(
        "target = \"ecs:cluster_task\"",
        r#"line 10: `target` in [[tunnel]] "db": `ecs:cluster_task` is not an SSM target
  hint: write `i-…`, `mi-…` or `ecs:CLUSTER_TASK_RUNTIME`"#,
    ),
    File(
        "[[tunnel]]\nname = \"db\"\nport = 1\n",
        r#"line 1: `bastion` in [[tunnel]] "db": missing
  hint: add a [bastion.NAME] table, or name a `target`"#,
    ),
    File(
        "[[tunnel]]\nname = \"db\"\nport = 1\nbastion = \"dev\"\n",
        r#"line 4: `bastion` in [[tunnel]] "db": no bastion is called `dev`
  hint: add a [bastion.NAME] table"#,
    ),
    Tunnel(
        "\n[bastion.prod]\ncluster = \"c\"\ntask_definition = \"t\"\nsubnets = [\"subnet-1\"]",
        r#"line 7: `bastion` in [[tunnel]] "db": missing
  hint: name one of `dev`, `prod`"#,
    ),
    Tunnel(
        "host = \"169.254.170.2\"",
        r#"line 10: `host` in [[tunnel]] "db": `169.254.170.2` is a link-local address, where AWS keeps credentials and metadata"#,
    ),
    Tunnel(
        "host = \"fe80::1\"",
        r#"line 10: `host` in [[tunnel]] "db": `fe80::1` is a link-local address, where AWS keeps credentials and metadata"#,
    ),
    Tunnel(
        "host = \"fd00:ec2::254\"",
        r#"line 10: `host` in [[tunnel]] "db": `fd00:ec2::254` is a link-local address, where AWS keeps credentials and metadata"#,
    ),
    Tunnel(
        "host = \"localhost\"",
        r#"line 10: `host` in [[tunnel]] "db": `localhost` would be the bastion itself
  hint: for a port of the target, leave `host` out"#,
    ),
    Tunnel(
        "host = \"127.0.0.1\"",
        r#"line 10: `host` in [[tunnel]] "db": `127.0.0.1` would be the bastion itself
  hint: for a port of the target, leave `host` out"#,
    ),
    Tunnel(
        "host = \"127.1\"",
        r#"line 10: `host` in [[tunnel]] "db": `127.1` is not an address
  hint: write IPv4 addresses as four numbers"#,
    ),
    Tunnel(
        "host = \"db.example:5432\"",
        r#"line 10: `host` in [[tunnel]] "db": `db.example:5432` has a port in it
  hint: write the port as `port = …`"#,
    ),
    Tunnel(
        "host = \"postgres://db.example\"",
        r#"line 10: `host` in [[tunnel]] "db": `postgres://db.example` is a URL, not a host
  hint: write the host name alone"#,
    ),
    Tunnel(
        "host = \"db example\"",
        r#"line 10: `host` in [[tunnel]] "db": `db example` is not a host name"#,
    ),
    Tunnel(
        "host = \"rds-clutser:app\"",
        r#"line 10: `host` in [[tunnel]] "db": no kind of database is called `rds-clutser`
  hint: did you mean `rds-cluster`?"#,
    ),
    Tunnel(
        "host = \"rds-cluster:app:raeder\"",
        r#"line 10: `host` in [[tunnel]] "db": `raeder` is no endpoint of an `rds-cluster`
  hint: did you mean `reader`?"#,
    ),
    Tunnel(
        "host = \"msk:orders\"",
        r#"line 10: `host` in [[tunnel]] "db": `msk`: its brokers send clients on to names of their own, which one tunnel does not reach
  hint: run the client inside the VPC"#,
    ),
    Instead(
        "port = 5432",
        "host = \"rds-cluster:app\"\nport = 0",
        r#"line 10: `port` in [[tunnel]] "db": `0` is not a port
  hint: ports are 1 to 65535"#,
    ),
    Instead(
        "port = 5432",
        "host = \"rds-clutser:app\"",
        r#"line 9: `host` in [[tunnel]] "db": no kind of database is called `rds-clutser`
  hint: did you mean `rds-cluster`?"#,
    ),
    Tunnel(
        "host = \"ff02::1\"",
        r#"line 10: `host` in [[tunnel]] "db": `ff02::1` is not the address of one host"#,
    ),
    Instead(
        "port = 5432",
        "",
        r#"line 7: `port` in [[tunnel]] "db": missing
  hint: give the port of the database, such as `port = 5432`"#,
    ),
    Instead(
        "port = 5432",
        "port = 0",
        r#"line 9: `port` in [[tunnel]] "db": `0` is not a port
  hint: ports are 1 to 65535"#,
    ),
    Instead(
        "port = 5432",
        "port = 65536",
        r#"line 9: `port` in [[tunnel]] "db": `65536` is not a port
  hint: ports are 1 to 65535"#,
    ),
    Instead(
        "port = 5432",
        "port = \"5432\"",
        r#"line 9: `port` in [[tunnel]] "db": expected a whole number, found string "5432""#,
    ),
    Instead(
        "[bastion.dev]",
        "[prices]\nspot_discount = 70.0\n[bastion.dev]",
        "line 3: `spot_discount` in [prices]: 70 is out of range: 0 to 1",
    ),
    Tunnel(
        "document = \"bastiond-port-forward\"",
        "line 10: `document` in [[tunnel]] \"db\": stands without `host`\n  hint: take it out",
    ),
    Tunnel(
        "hold_timeout = \"8d\"",
        r#"line 10: `hold_timeout` in [[tunnel]] "db": `8d` is out of range: 1s to 7d"#,
    ),
    Tunnel(
        "session_linger = \"2\"",
        r#"line 10: `session_linger` in [[tunnel]] "db": `2` is not a duration
  hint: write for example "90s", "15m" or "1h30m""#,
    ),
    Tunnel(
        "half_close_linger = \"1ms\"",
        r#"line 10: `half_close_linger` in [[tunnel]] "db": `1ms` is out of range: 1s to 7d"#,
    ),
    Tunnel(
        "keepalive = \"always\"",
        r#"line 10: `keepalive` in [[tunnel]] "db": `always` is none of its values
  hint: known: `while-connected`, `never`"#,
    ),
];
