//! The program as its users run it.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::user::{ONE_TUNNEL, User, text, wait_until};

// ---- start ----

#[test]
fn start_returns_when_the_daemon_answers_and_says_where() {
    let user = User::with(ONE_TUNNEL);
    let started = user.run(&["start"]);
    let pid = user.status().daemon.pid;
    assert_eq!(text(&started.stderr), "");
    let said = text(&started.stdout);
    assert!(
        said.starts_with(&format!(
            "bastiond is running (pid {pid}); listening on 127.0.0.1:"
        )),
        "{said}"
    );
    assert!(said.ends_with(" (app-db)\n"), "{said}");
    assert_eq!(started.status.code(), Some(0));
}

#[test]
fn the_daemon_lets_go_of_everything_of_its_start() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let pid = user.status().daemon.pid;
    let session = session_of(pid);
    assert_ne!(
        session,
        session_of(std::process::id()),
        "a session of its own"
    );
    assert_ne!(
        session, pid,
        "not its leader: it cannot get a terminal again"
    );
    // It says that it is ready, and then lets go of the pipe that it said it on.
    let streams =
        || (0..3).filter_map(|stream| fs::read_link(format!("/proc/{pid}/fd/{stream}")).ok());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !streams().all(|file| file == Path::new("/dev/null")) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            streams().collect::<Vec<_>>()
        );
        sleep(Duration::from_millis(5));
    }
}

/// Zero when its leader lives outside this PID namespace, as for a test in a container.
fn session_of(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name, in brackets, may hold anything; then come state, parent, group, session.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_second_start_says_who_is_running() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let pid = user.status().daemon.pid;
    let second = user.run(&["start"]);
    assert_eq!(
        text(&second.stderr),
        format!(
            "error: bastiond is already running (pid {pid}), socket {}\n",
            user.socket()
        )
    );
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(user.status().daemon.pid, pid, "the first is as it was");
}

#[test]
fn a_start_that_fails_shows_the_daemons_words() {
    let user = User::with("[[tunel]]\nname = \"db\"\n");
    let failed = user.run(&["start"]);
    let said = text(&failed.stderr);
    assert!(
        said.starts_with(&format!(
            "error: the configuration `{}/config.toml` has mistakes\n",
            user.folder()
        )),
        "{said}"
    );
    assert!(
        said.contains("line 1: `tunel`: unknown key\n  hint: did you mean `tunnel`?\n"),
        "{said}"
    );
    assert_eq!(text(&failed.stdout), "");
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_start_whose_profile_is_not_there_says_so_and_not_that_its_region_is_missing() {
    let config = ONE_TUNNEL.replace("region = \"eu-west-1\"", "profile = \"dev\"");
    let user = User::with(&config);
    let failed = user.run(&["start"]);
    let folder = user.folder();
    let said = text(&failed.stderr);
    assert!(
        said.contains(&format!(
            "the profile does not exist: `dev` was looked for in {folder}/.aws/config and {folder}/.aws/credentials\n"
        )),
        "{said}"
    );
    let mends = "hint: run aws configure sso --profile dev, or correct `profile` under [aws]\n";
    assert!(said.ends_with(mends), "{said}");
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_start_without_a_configuration_says_what_to_do() {
    let user = User::with(ONE_TUNNEL);
    fs::remove_file(user.home.path().join("config.toml")).unwrap();
    let failed = user.run(&["start"]);
    assert_eq!(
        text(&failed.stderr),
        format!(
            "error: there is no configuration at `{}/config.toml`\nhint: bastiond init writes one; without an AWS account, try `bastiond demo`\n",
            user.folder()
        )
    );
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_daemon_in_the_foreground_needs_nobody_to_read_what_it_says() {
    let user = User::with(ONE_TUNNEL);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut run = user.command(&["run"]).stderr(writer).spawn().unwrap();
    wait_until("it answers", || {
        user.run(&["ctl", "list"]).status.success() || run.try_wait().unwrap().is_some()
    });
    assert_eq!(user.status().daemon.pid, run.id());
    assert!(user.run(&["ctl", "shutdown"]).status.success());
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_once() {
    let user = User::with(ONE_TUNNEL);
    let path = user.home.path().join("config.toml");
    fs::write(&path, b"[aws]\nregion = \"\xff\"\n").unwrap();
    let said = |user: &User| text(&user.run(&["start"]).stderr).to_owned();
    assert_eq!(
        said(&user),
        format!(
            "error: cannot read the configuration `{}/config.toml`: line 2 is not UTF-8\n",
            user.folder()
        )
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let said = said(&user);
    assert_eq!(said.matches("s a directory").count(), 1, "{said}");
}

#[test]
fn a_runtime_folder_that_cannot_be_made_is_told_with_what_to_do() {
    let user = User::with(ONE_TUNNEL);
    fs::write(user.home.path().join("run"), "in the way").unwrap();
    let failed = user.run(&["start"]);
    let said = text(&failed.stderr);
    assert_eq!(said.matches("cannot be made").count(), 1, "{said}");
    assert!(
        said.ends_with("hint: set BASTIOND_SOCKET to a path in a folder of your own\n"),
        "{said}"
    );
}

#[test]
fn a_runtime_folder_open_to_others_is_refused() {
    let user = User::with(ONE_TUNNEL);
    let run = user.home.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).unwrap();
    let failed = user.run(&["start"]);
    let said = text(&failed.stderr);
    assert!(
        said.ends_with(&format!(
            "is open to others (mode 0777)\nhint: chmod 700 {}\n",
            run.display()
        )),
        "{said}"
    );
    assert_eq!(failed.status.code(), Some(1));
}

#[test]
fn a_configuration_may_be_named_relative_to_where_one_is() {
    let user = User::with("not a configuration");
    fs::write(user.home.path().join("other.toml"), ONE_TUNNEL).unwrap();
    let started = user.run(&["start", "--config", "other.toml"]);
    assert_eq!(text(&started.stderr), "");
    let path = user.status().daemon.config_path.unwrap();
    assert_eq!(path, format!("{}/other.toml", user.folder()));
}

#[test]
fn a_daemon_that_was_killed_is_replaced() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let first = user.status().daemon.pid;
    kill_process(Pid::from_raw(first.cast_signed()).unwrap(), Signal::KILL).unwrap();
    // Its last thread, and with it the lock, may outlive its first.
    let lock = fs::File::open(user.home.path().join("run/b.lock")).unwrap();
    wait_until("the killed daemon is gone", || {
        lock.try_lock_shared().is_ok()
    });
    drop(lock);
    assert!(Path::new(&user.socket()).exists(), "its socket is left");
    assert_eq!(user.run(&["ctl", "status"]).status.code(), Some(3));
    assert_eq!(text(&user.run(&["start"]).stderr), "");
    assert_ne!(user.status().daemon.pid, first);
}

#[test]
fn logs_are_kept_in_a_private_folder() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    assert_private(&user.status().daemon.log_path.unwrap());
}

#[test]
fn a_log_folder_that_cannot_be_written_is_only_a_warning() {
    let user = User::with(ONE_TUNNEL);
    fs::create_dir(user.home.path().join("state")).unwrap();
    fs::write(user.home.path().join("state/logs"), "a file in the way").unwrap();
    let started = user.run(&["start"]);
    let said = text(&started.stderr);
    assert!(
        said.starts_with(&format!(
            "warning: cannot write logs in `{}/state/logs`: ",
            user.folder()
        )),
        "{said}"
    );
    assert_eq!(started.status.code(), Some(0));
    assert_eq!(user.status().daemon.log_path, None);
}

// ---- run ----

#[test]
fn run_stays_in_the_foreground_until_a_signal() {
    let user = User::with(ONE_TUNNEL);
    let mut daemon = user
        .command(&["run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = user.status();
    assert_eq!(status.daemon.pid, daemon.id());
    assert_private(&status.daemon.log_path.unwrap());
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    assert!(!Path::new(&user.socket()).exists());
    let said = std::io::read_to_string(daemon.stderr.take().unwrap()).unwrap();
    assert!(
        said.contains("bastiond is ready; listening on 127.0.0.1:"),
        "{said}"
    );
}

#[test]
fn a_daemon_whose_start_was_given_up_does_not_stay() {
    let user = User::with(ONE_TUNNEL);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let errors = user.home.path().join("errors");
    let daemon = user
        .command(&["run", "--detached"])
        .stdout(writer)
        .stderr(fs::File::create(&errors).unwrap())
        .status();
    assert_eq!(daemon.unwrap().code(), Some(1));
    let said = fs::read_to_string(errors).unwrap();
    assert!(
        said.starts_with("error: whoever started this daemon is gone"),
        "{said}"
    );
}

// ---- ctl ----

#[test]
fn status_of_a_healthy_daemon_is_a_table_and_code_0() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let status = user.run(&["ctl", "status"]);
    let said = text(&status.stdout);
    assert!(said.starts_with("bastiond 0.1.0, pid "), "{said}");
    assert!(said.contains("\nTUNNEL  LOCAL "), "{said}");
    assert!(said.contains("\napp-db  127.0.0.1:"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colour in a pipe: {said:?}");
    assert_eq!(
        (text(&status.stderr).as_str(), status.status.code()),
        ("", Some(0))
    );
}

#[test]
fn status_as_json_is_nothing_but_json() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let status = user.run(&["ctl", "status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (json["schema"].as_u64(), json["healthy"].as_bool()),
        (Some(1), Some(true))
    );
    assert_eq!(
        (text(&status.stderr).as_str(), status.status.code()),
        ("", Some(0))
    );
}

#[test]
fn status_with_a_problem_is_code_4_in_words_and_json() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let user = User::with(&ONE_TUNNEL.replace("127.0.0.1:0", &address.to_string()));
    user.run(&["start"]);
    let status = user.run(&["ctl", "status"]);
    let said = text(&status.stdout);
    assert!(
        said.contains(&format!(
            "\n# Health\n1. tunnel app-db: {address} is taken by "
        )),
        "{said}"
    );
    assert_eq!(status.status.code(), Some(4));
    assert_eq!(
        user.run(&["ctl", "status", "--json"]).status.code(),
        Some(4)
    );
}

#[test]
fn an_unknown_tunnel_is_code_4_and_suggests() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    for verb in ["up", "down"] {
        let unknown = user.run(&["ctl", verb, "app_db"]);
        assert_eq!(
            text(&unknown.stderr),
            "error: there is no tunnel `app_db`; there are `app-db`\nhint: did you mean `app-db`?\n"
        );
        assert_eq!(unknown.status.code(), Some(4));
    }
}

#[test]
fn down_answers_with_the_tunnel() {
    let user = User::with(ONE_TUNNEL);
    user.run(&["start"]);
    let done = user.run(&["ctl", "down", "app-db"]);
    let said = text(&done.stdout);
    assert!(said.starts_with("app-db: idle "), "{said}");
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn without_a_daemon_every_ctl_is_code_3_and_says_how_to_start_it() {
    let user = User::with(ONE_TUNNEL);
    for ctl in [
        &["ctl", "status"][..],
        &["ctl", "up", "app-db"],
        &["ctl", "down", "app-db"],
        &["ctl", "shutdown"],
    ] {
        let failed = user.run(ctl);
        assert_eq!(
            text(&failed.stderr),
            format!(
                "error: cannot reach the daemon at `{}`: is it running?\nhint: bastiond start\n",
                user.socket()
            )
        );
        assert_eq!(
            (text(&failed.stdout).as_str(), failed.status.code()),
            ("", Some(3)),
            "{ctl:?}"
        );
    }
}

#[test]
fn wrong_usage_is_code_2() {
    let user = User::with(ONE_TUNNEL);
    for wrong in [
        &[][..],
        &["ctl"],
        &["ctl", "up"],
        &["ctl", "statsu"],
        &["run", "--confg", "x"],
        &["shell", "dev", "ls"],
        &["shell", "i-1", "--document", "D", "--", "ls"],
        &["shell", "i-1", "--parameter", "command=ls"],
        &["shell", "i-1", "--document", "D", "--parameter", "command"],
    ] {
        assert_eq!(user.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let said = text(&user.run(&["ctl", "statsu"]).stderr);
    assert!(said.contains("'status'"), "{said}");
}

#[test]
fn version_and_help_are_data() {
    let user = User::with(ONE_TUNNEL);
    assert_eq!(
        text(&user.run(&["-V"]).stdout),
        format!("bastiond {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = text(&user.run(&["--help"]).stdout);
    assert!(help.contains("bastiond ctl status"), "{help}");
    assert!(!help.contains("detached"), "{help}");
}

#[test]
fn shutdown_leaves_no_socket_and_no_process_and_a_start_may_follow_at_once() {
    let user = User::with(ONE_TUNNEL);
    for _ in 0..3 {
        assert_eq!(text(&user.run(&["start"]).stderr), "");
        let pid = user.status().daemon.pid;
        let stopped = user.run(&["ctl", "shutdown"]);
        assert_eq!(
            text(&stopped.stdout),
            format!("bastiond (pid {pid}) has stopped\n")
        );
        assert_eq!(stopped.status.code(), Some(0));
        assert!(!Path::new(&user.socket()).exists());
        wait_until("the process is gone", || is_gone(pid));
    }
}

// ---- helpers ----

fn assert_private(folder: &str) {
    assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
}

/// A process that ended counts as gone though nobody has asked for its exit code yet.
fn is_gone(pid: u32) -> bool {
    let ended =
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    ended || test_kill_process(Pid::from_raw(pid.cast_signed()).unwrap()).is_err()
}
