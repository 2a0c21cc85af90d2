//! The watchdog of the bastion's containers, in the shells that a container may have.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{LIMIT, SHELLS, infra, programs};

#[test]
fn the_template_holds_the_watchdog_as_it_is() {
    let script = std::fs::read_to_string(infra("watchdog.sh")).expect("the script");
    let template = std::fs::read_to_string(infra("bastion.yaml")).expect("the template");
    let (_, rest) = template
        .split_once("      Text: |\n")
        .expect("where it stands");
    let mut held = String::new();
    for line in rest.lines() {
        match line.strip_prefix("        ") {
            Some(line) => held.push_str(line),
            None if line.is_empty() => {}
            None => break,
        }
        held.push('\n');
    }
    assert_eq!(held.trim_end(), script.trim_end());
}

/// One test, since every watchdog sees the processes of the whole machine.
#[test]
fn the_watchdog_ends_with_the_last_session_and_not_before() {
    if !programs::are_there(&["dash", "busybox"], Path::new("")) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let worker = folder.path().join("ssm-session-worker");
    std::fs::copy("/bin/sleep", &worker).expect("a program of that name");

    // Nobody comes; a worker that is dead and not reaped is nobody.
    let zombie = Process::worker(&worker, "0");
    let began = Instant::now();
    let alone: Vec<_> = start(&[("IDLE_SECONDS", "1"), ("FIRST_SECONDS", "3")]);
    let forgotten = start(&[("IDLE_SECONDS", "0"), ("MAX_SECONDS", "0")]);
    for watchdog in alone {
        let ended = watchdog.ends();
        assert_said(&ended, "no session for 3 s");
        assert!(
            began.elapsed() >= Duration::from_secs(3),
            "a first user has his time"
        );
    }
    drop(zombie);

    // Somebody is there.
    let session = Process::worker(&worker, "1000");
    let mut busy = start(&[("IDLE_SECONDS", "1"), ("FIRST_SECONDS", "1")]);
    for watchdog in start(&[("IDLE_SECONDS", "1"), ("MAX_SECONDS", "4")]) {
        assert_said(&watchdog.ends(), "4 s are the longest");
    }
    for watchdog in &mut busy {
        assert_eq!(watchdog.has_ended(), None, "somebody is there");
    }
    drop(session);
    for watchdog in busy {
        assert_said(&watchdog.ends(), "no session for 1 s");
    }

    // Told to end, it does; and until then it lived without anybody, as it was told.
    for mut watchdog in forgotten {
        assert_eq!(watchdog.has_ended(), None, "it was told to stay");
        let pid = i32::try_from(watchdog.0.id()).expect("a pid");
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
        let ended = watchdog.ends();
        assert_eq!(
            (ended.status.code(), ended.status.signal()),
            (Some(0), None)
        );
    }
}

#[test]
fn a_session_in_one_container_keeps_the_others() {
    if !programs::are_there(&["dash", "busybox"], Path::new("")) {
        return;
    }
    let shared = SHELLS.map(|_| tempfile::tempdir().expect("a folder"));
    let mut watchdogs = Vec::new();
    for (shell, folder) in SHELLS.iter().zip(&shared) {
        let variables = [
            ("IDLE_SECONDS", "4"),
            ("FIRST_SECONDS", "4"),
            ("SHARED", folder.path().to_str().expect("text")),
            ("CONTAINER", "bastion-2"),
        ];
        watchdogs.push(Process::watchdog(shell, &variables));
    }
    // The container beside each says so at each of its ticks, of which a busy machine may let some be late.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(7) {
        for (watchdog, folder) in watchdogs.iter_mut().zip(&shared) {
            std::fs::write(folder.path().join("busy"), "").expect("written");
            assert_eq!(watchdog.has_ended(), None, "{:?}", began.elapsed());
        }
        sleep(Duration::from_millis(100));
    }
    for watchdog in watchdogs {
        assert_said(&watchdog.ends(), "no session for 4 s");
    }
}

/// One for each shell.
fn start(variables: &[(&str, &str)]) -> Vec<Process> {
    let started = SHELLS.map(|shell| Process::watchdog(shell, variables));
    started.into()
}

#[track_caller]
fn assert_said(ended: &Ended, words: &str) {
    assert!(ended.status.success(), "{}", ended.status);
    assert!(ended.said.contains(words), "{}", ended.said);
}

/// How a watchdog ended.
struct Ended {
    status: ExitStatus,
    said: String,
}

/// A process that does not outlive the test.
struct Process(Child);

impl Process {
    fn watchdog(shell: &[&str], variables: &[(&str, &str)]) -> Self {
        let script = std::fs::read_to_string(infra("watchdog.sh")).expect("the script");
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg("-c").arg(script);
        let variables = variables.iter().copied();
        command.env("TICK_SECONDS", "1").envs(variables);
        Self(command.stdout(Stdio::piped()).spawn().expect("a shell"))
    }

    /// One that is named as that of a session.
    fn worker(program: &Path, seconds: &str) -> Self {
        let started = Command::new(program).arg(seconds).spawn();
        Self(started.expect("a worker"))
    }

    fn has_ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("asked")
    }

    fn ends(mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            match self.has_ended() {
                Some(status) => break status,
                None => assert!(began.elapsed() < LIMIT, "it does not end"),
            }
            sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        let mut stdout = self.0.stdout.take().expect("piped");
        stdout.read_to_string(&mut said).expect("text");
        Ended { status, said }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
