//! What the commands print, and how they end: transcripts, exit codes, terminals.

use std::{fs, os::unix::fs::MetadataExt, process::Output};

use rustix::process::{Pid, Signal, kill_process};

use super::user::{ONE_TUNNEL, User, text};

/// What a person sees of a command: its code, stdout, and stderr where there is any. What differs from run to run is
/// named instead.
fn transcript(user: &User, output: &Output) -> String {
    let mut said = format!(
        "code {}\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout)
    );
    if !output.stderr.is_empty() {
        said.push_str(&format!("--- stderr\n{}", text(&output.stderr)));
    }
    let status = user.status();
    for listener in status.tunnels.iter().flat_map(|tunnel| &tunnel.listeners) {
        said = said.replace(&listener.address, "127.0.0.1:PORT");
    }
    let pid = format!("pid {}", status.daemon.pid);
    let said = said
        .replace(&user.folder(), "HOME")
        .replace(&pid, "pid PID");
    let mut plain = String::new();
    for line in said.lines() {
        plain.push_str(&seconds_named(line));
        plain.push('\n');
    }
    plain
}

/// `12s` is `Ns`: how busy the machine is is nobody's business.
fn seconds_named(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let number = word.trim_end_matches([',', ':']);
        let is_time = number.strip_suffix('s').is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_time {
            word.replace(number, "Ns")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn started() -> User {
    let user = User::with(ONE_TUNNEL);
    assert_eq!(text(&user.run(&["start"]).stderr), "");
    user
}

/// `head` has gone before anything is written.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let user = User::with(ONE_TUNNEL);
    for args in READABLE {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = user.command(args).stdout(writer).output().unwrap();
        assert_eq!(text(&ended.stderr), "", "{args:?}");
        assert_eq!(ended.status.code(), Some(0), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn data_that_cannot_be_written_is_a_failure() {
    let user = User::with(ONE_TUNNEL);
    for args in READABLE {
        let full = fs::File::create("/dev/full").unwrap();
        let ended = user.command(args).stdout(full).output().unwrap();
        let said = text(&ended.stderr);
        assert!(
            said.starts_with("error: cannot write to stdout: "),
            "{args:?}: {said}"
        );
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
    }
}

/// Commands that write without asking anybody.
const READABLE: [&[&str]; 7] = [
    &["config", "show"],
    &["config", "schema"],
    &["config", "check"],
    &["man"],
    &["completion", "bash"],
    &["version", "--json"],
    &["infra", "template"],
];

#[test]
fn transcripts_of_a_daemon_at_rest() {
    let user = started();
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "status"])), @r#"
    code 0
    bastiond 0.1.0, pid PID, up Ns
    account not known yet in eu-west-1

    TUNNEL  LOCAL            TASK  SESS  CONN  SENT  RECV  STATE
    app-db  127.0.0.1:PORT  -        0     0     0     0  idle Ns
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "status", "app-db", "--verbose"])), @r#"
    code 0
    bastiond 0.1.0, pid PID, up Ns
    account not known yet in eu-west-1

    TUNNEL  LOCAL            TASK  SESS  CONN  SENT  RECV  STATE
    app-db  127.0.0.1:PORT  -        0     0     0     0  idle Ns
            leads to port 5432 of the target
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "status", "app_db"])), @r#"
    code 4
    --- stderr
    error: there is no tunnel `app_db`
    hint: did you mean `app-db`?
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "list"])), @r#"
    code 0
    TUNNEL  LOCAL            REMOTE                   STATE
    app-db  127.0.0.1:PORT  port 5432 of the target  idle Ns
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "connections"])), @r#"
    code 0
    there are no connections
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "down", "app-db"])), @r#"
    code 0
    app-db: idle Ns, 127.0.0.1:PORT
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "reset", "app-db"])), @r#"
    code 0
    app-db: idle Ns, 127.0.0.1:PORT
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "wait", "--for", "idle"])), @r#"
    code 0
    1 tunnel is idle
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "wait", "app-db", "--timeout", "1s"])), @r#"
    code 6
    --- stderr
    error: tunnel app-db is not ready within Ns: it is idle
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "wait", "app-db", "--timeout", "soon"])), @r#"
    code 2
    --- stderr
    error: `soon` is not a time such as Ns or 2m
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "cost"])), @r#"
    code 0
    nothing is counted yet: a task is when it has run for a minute
    "#);
}

#[test]
fn transcripts_of_a_reload() {
    let user = started();
    let file = user.home.path().join("config.toml");
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "reload"])), @r#"
    code 0
    reloaded: no tunnel has changed; 1 goes on as it is
    "#);
    fs::write(&file, ONE_TUNNEL.replace("5432", "0")).unwrap();
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "reload"])), @r#"
    code 1
    --- stderr
    error: configuration: what was in force before stays in force, since the configuration `HOME/config.toml` has mistakes; line 9: `port` in [[tunnel]] "app-db": `0` is not a port
    hint: bastiond config check, then bastiond ctl reload
    "#);
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "status"])), @r#"
    code 4
    bastiond 0.1.0, pid PID, up Ns
    account not known yet in eu-west-1

    TUNNEL  LOCAL            TASK  SESS  CONN  SENT  RECV  STATE
    app-db  127.0.0.1:PORT  -        0     0     0     0  idle Ns

    # Health
    1. configuration: what was in force before stays in force, since the configuration `HOME/config.toml` has mistakes; line 9: `port` in [[tunnel]] "app-db": `0` is not a port
       hint: bastiond config check, then bastiond ctl reload
    "#);
    let more = "\n[[tunnel]]\nname = \"cache\"\nlisten = \"127.0.0.1:0\"\ntarget = \"i-0123456789abcdef0\"\nport = 6379\n";
    fs::write(&file, format!("{ONE_TUNNEL}{more}")).unwrap();
    insta::assert_snapshot!(transcript(&user, &user.run(&["ctl", "reload"])), @r#"
    code 0
    reloaded: added cache; 1 goes on as it is
    "#);
}

#[test]
fn a_sign_in_that_is_needed_is_code_5() {
    let user = User::with(ONE_TUNNEL);
    let mut start = user.command(&["start"]);
    assert!(
        start
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .status()
            .unwrap()
            .success()
    );
    let up = user.run(&["ctl", "up", "app-db"]);
    let said = text(&up.stderr);
    assert!(said.contains("hint: "), "{said}");
    assert_eq!(up.status.code(), Some(5), "{said}");
    assert_eq!(user.run(&["ctl", "status"]).status.code(), Some(5));
}

#[test]
fn json_is_never_mixed_with_talk() {
    let user = started();
    for command in [
        &["ctl", "status", "--json"][..],
        &["ctl", "list", "--json"],
        &["ctl", "connections", "--json"],
        &["ctl", "cost", "--json"],
        &["ctl", "reload", "--json"],
        &["version", "--json"],
        &["config", "show", "--json"],
    ] {
        let output = user.run(command);
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&output.stdout);
        assert!(
            json.is_ok() || output.stdout.is_empty(),
            "{command:?}: {}",
            text(&output.stdout)
        );
        assert!(
            json.is_err() || output.stderr.is_empty(),
            "{command:?}: {}",
            text(&output.stderr)
        );
    }
    let events = user.run(&["ctl", "events", "--json", "--last", "9", "--no-follow"]);
    assert!(!events.stdout.is_empty());
    for line in text(&events.stdout).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["seq"].is_u64(), "{line}");
    }
}

#[test]
fn events_and_logs_are_told() {
    let user = started();
    let events = text(
        &user
            .run(&["ctl", "events", "-n", "100", "--no-follow"])
            .stdout,
    );
    assert!(events.contains("  daemon: ready"), "{events}");
    let logs = text(&user.run(&["ctl", "logs", "--since", "10m"]).stdout);
    assert!(logs.contains("listening"), "{logs}");
}

#[test]
fn who_follows_is_ended_by_a_signal() {
    let user = started();
    let mut following = user
        .command(&["ctl", "events", "-n", "1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It has begun when its first line is there.
    let mut first = [0];
    std::io::Read::read_exact(following.stdout.as_mut().unwrap(), &mut first).unwrap();
    // Not SIGINT, which is ignored in whatever a shell runs in the background.
    kill_process(Pid::from_child(&following), Signal::TERM).unwrap();
    let ended = following.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&ended),
        Some(15),
        "a shell calls that 143"
    );
}

// ---- terminals ----

fn on_a_terminal(user: &User, args: &[&str]) -> rexpect::session::PtySession {
    let mut command = user.command(args);
    command.env("TERM", "xterm-256color");
    rexpect::session::spawn_command(command, Some(60_000)).unwrap()
}

#[test]
fn watch_draws_in_place_and_leaves_the_terminal_as_it_was() {
    let user = started();
    for (control, code) in [(Some('c'), "130"), (None, "143")] {
        let mut terminal = on_a_terminal(&user, &["ctl", "status", "--watch"]);
        terminal.exp_string("\x1b[?1049h").unwrap();
        // Drawn, and drawn again from the top.
        for _ in 0..2 {
            terminal.exp_string("\x1b[H").unwrap();
            terminal.exp_string("app-db").unwrap();
        }
        match control {
            Some(control) => terminal.send_control(control).unwrap(),
            None => {
                let ended = terminal
                    .process_mut()
                    .signal(rexpect::process::Signal::SIGTERM);
                ended.unwrap();
            }
        }
        terminal.exp_string("\x1b[?25h\x1b[?1049l").unwrap();
        let ended = format!("{:?}", terminal.process().wait().unwrap());
        assert!(ended.ends_with(&format!(", {code})")), "{ended}");
    }
}

#[test]
fn watch_without_a_terminal_is_wrong_usage() {
    let user = started();
    let watched = user.run(&["ctl", "status", "--watch"]);
    assert!(text(&watched.stderr).contains("--watch needs a terminal"));
    assert_eq!(watched.status.code(), Some(2));
}

#[test]
fn a_long_wait_shows_what_it_waits_for_and_leaves_no_trace() {
    let user = started();
    let mut terminal = on_a_terminal(&user, &["ctl", "wait", "app-db", "--timeout", "2s"]);
    terminal.exp_string("app-db: idle").unwrap();
    terminal.exp_string("\r\x1b[K").unwrap();
    terminal.exp_string("error: ").unwrap();
}

#[test]
fn a_long_start_shows_what_it_waits_for_and_leaves_no_trace() {
    let user = User::with("");
    let at = |name: &str| user.home.path().join(name);
    // The daemon gets no further than this file before somebody writes into it.
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(made.unwrap().success());
    std::fs::remove_file(at("config.toml")).unwrap();
    std::os::unix::fs::symlink(at("pipe"), at("config.toml")).unwrap();
    let mut terminal = on_a_terminal(&user, &["start"]);
    terminal
        .exp_string("\r\x1b[Kwaiting for its ports")
        .unwrap();
    // Whoever reads it again finds a file.
    std::fs::write(at("new"), ONE_TUNNEL).unwrap();
    std::fs::rename(at("new"), at("config.toml")).unwrap();
    std::fs::write(at("pipe"), ONE_TUNNEL).unwrap();
    terminal.exp_string("\r\x1b[Kbastiond is running").unwrap();
}

#[test]
fn colour_is_for_terminals_and_no_color_is_honoured() {
    let user = started();
    let mut terminal = on_a_terminal(&user, &["ctl", "status"]);
    let coloured = terminal.exp_eof().unwrap();
    assert!(coloured.contains("\x1b[1m"), "{coloured:?}");
    let mut command = user.command(&["ctl", "status"]);
    command.env("TERM", "xterm-256color").env("NO_COLOR", "1");
    let mut terminal = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let plain = terminal.exp_eof().unwrap();
    assert!(
        plain.contains("app-db") && !plain.contains('\x1b'),
        "{plain:?}"
    );
}

// ---- what the program says of itself ----

#[test]
fn the_manual_has_every_exit_code_and_every_command() {
    let user = User::with("");
    let page = text(&user.run(&["man"]).stdout);
    for code in ["0", "1", "2", "3", "4", "5", "6", "130", "143"] {
        assert!(
            page.contains(&format!(".TP\n\\fB{code}\\fR\n")),
            "{code}: {page}"
        );
    }
    for command in [
        "ctl status",
        "ctl bugreport",
        "config show",
        "start",
        "completion",
    ] {
        assert!(
            page.contains(&format!("\\fB{command} ")),
            "{command}: {page}"
        );
    }
    let written = user.run(&["man", "--out", "pages"]);
    assert_eq!(text(&written.stderr), "");
    for name in ["bastiond.1", "bastiond-ctl-status.1"] {
        assert!(user.home.path().join("pages").join(name).exists(), "{name}");
    }
}

#[test]
fn shells_are_told_what_to_complete() {
    let user = User::with("");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&user.run(&["completion", shell]).stdout);
        assert!(script.contains("bugreport"), "{shell}");
    }
    assert_eq!(user.run(&["completion", "tcsh"]).status.code(), Some(2));
}

// ---- bugreport ----

#[test]
fn a_bug_report_is_private_and_holds_no_secret() {
    let config = format!(
        "{}\nhost = \"canary-host.internal\"\n",
        ONE_TUNNEL.replace(
            "region = \"eu-west-1\"",
            "region = \"eu-west-1\"\nrole_arn = \"arn:aws:iam::424242424242:role/canary-role\"\n\
             external_id = \"canary-external\"\nsource_identity = \"canary@example.com\"",
        )
    );
    let user = User::with(&config);
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "AKIACANARYCANARY1234"),
        ("AWS_SECRET_ACCESS_KEY", "canary/secret+key"),
        ("AWS_SESSION_TOKEN", "canary-session-token"),
        ("DB_PASSWORD", "canary-password"),
        ("HTTPS_PROXY", "http://canary-user:canary-proxy@127.0.0.1:1"),
    ];
    fs::create_dir(user.home.path().join(".aws")).unwrap();
    fs::write(
        user.home.path().join(".aws/credentials"),
        "[default]\naws_access_key_id = AKIACANARYCANARY5678\naws_secret_access_key = canary-in-file\n",
    )
    .unwrap();
    assert!(
        user.command(&["start"])
            .envs(secrets)
            .status()
            .unwrap()
            .success()
    );
    let log = fs::read_dir(user.home.path().join("state/logs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let planted = "2026-11-28T18:00:00Z WARN url wss://x.example/?token=canary-in-url for account 424242424242\n\
        2026-11-28T18:00:01Z WARN {\"TokenValue\": \"canary-in-json\"} Authorization: Bearer canary-bearer\n\
        2026-11-28T18:00:02Z WARN cannot reach canary-host.internal:5432 as canary@example.com, password=canary-word\n";
    fs::write(&log, fs::read_to_string(&log).unwrap() + planted).unwrap();

    let made = user
        .command(&["ctl", "bugreport", "--out", "report.txt"])
        .envs(secrets)
        .output()
        .unwrap();
    assert_eq!(text(&made.stderr), "");
    let path = user.home.path().join("report.txt");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let report = fs::read_to_string(&path).unwrap();
    for section in [
        "versions",
        "environment",
        "configuration",
        "status",
        "connections",
        "state changes",
        "log",
    ] {
        assert!(
            report.contains(&format!("\n# {section}\n")),
            "{section}: {report}"
        );
    }
    assert!(report.contains("tunnel.app-db.port = 5432"), "{report}");
    assert!(
        report.contains("2026-11-28T18:00:02Z WARN cannot reach <host "),
        "{report}"
    );
    for private in ["canary", "CANARY", "424242424242", &user.folder()] {
        let lines: Vec<&str> = report
            .lines()
            .filter(|line| line.contains(private))
            .collect();
        assert_eq!(lines, [""; 0], "{private}");
    }
    let again = user.run(&["ctl", "bugreport", "--out", "report.txt"]);
    assert_eq!(again.status.code(), Some(1), "no file is written over");
}

#[test]
fn a_bug_report_needs_no_daemon() {
    let user = User::with(ONE_TUNNEL);
    let made = user.run(&["ctl", "bugreport", "--out", "report.txt"]);
    assert_eq!(
        (text(&made.stderr).as_str(), made.status.code()),
        ("", Some(0))
    );
    let report = fs::read_to_string(user.home.path().join("report.txt")).unwrap();
    assert!(report.contains("daemon: none reached"), "{report}");
}

#[test]
fn who_has_a_service_installed_is_told_to_start_that() {
    let user = User::with(ONE_TUNNEL);
    let units = user.home.path().join(".config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("bastiond.service"), "").unwrap();
    let failed = user.run(&["ctl", "list"]);
    assert!(
        text(&failed.stderr).ends_with("hint: systemctl --user start bastiond\n"),
        "{}",
        text(&failed.stderr)
    );
    assert_eq!(failed.status.code(), Some(3));
}
