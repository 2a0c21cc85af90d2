//! The entry script of a hybrid bastion, with programs in place of AWS's that write down what they are asked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{LIMIT, SHELLS, infra, programs};

const CURL: &str = r#"echo '{"Cluster":"c","TaskARN":"arn:aws:ecs:eu-west-1:123456789012:task/c/0a1b2c","Family":"b"}'"#;
const AWS: &str = r#"echo "aws $*" >>"$CALLS"
case "$*" in *create-activation*) printf 'act-1\tthe-code\n' ;; esac"#;
/// Registers, or is the agent until it is told to end.
const AGENT: &str = r#"case "$*" in
*-register*)
  echo "register $*" >>"$CALLS"
  [ -z "$REFUSED" ] || exit 1
  echo '{"ManagedInstanceID":"mi-0123456789abcdef0","Region":"eu-west-1"}' >"$STATE/registration" ;;
*) echo "agent $$" >>"$CALLS"; [ -z "$AGENT_ENDS" ] || exit 0; exec sleep 1000 ;;
esac"#;

#[test]
fn a_task_is_a_node_from_its_start_to_its_end_and_leaves_nothing_behind() {
    for_each_shell(|shell| {
        let mut entry = Entry::start(shell, &[]);
        let agent = entry.said("agent ");
        entry.terminate();
        assert_eq!(entry.ends(), Some(0));
        let calls = entry.calls();
        let at = |words: &str| {
            let found = calls.iter().position(|call| call.contains(words));
            found.unwrap_or_else(|| panic!("no `{words}` in {calls:#?}"))
        };
        let created = &calls[at("create-activation")];
        for words in [
            "--registration-limit 1",
            "--iam-role b-node",
            "Key=bastiond:task,Value=0a1b2c",
            "Key=bastiond:stack,Value=b",
        ] {
            assert!(created.contains(words), "{words}: {created}");
        }
        let order = [
            at("create-activation"),
            at("-register -y -id act-1 -code the-code -region eu-west-1"),
            at("delete-activation --activation-id act-1"),
            at("agent "),
            at("deregister-managed-instance --instance-id mi-0123456789abcdef0"),
        ];
        assert!(
            order.is_sorted() && calls.len() == order.len(),
            "{calls:#?}"
        );
        let pid = agent.trim_start_matches("agent ");
        assert!(
            !Path::new("/proc").join(pid).exists(),
            "the agent has ended"
        );
    });
}

#[test]
fn a_node_that_nobody_uses_ends_with_its_watchdog() {
    for_each_shell(|shell| {
        let limits = [
            ("IDLE_SECONDS", "0"),
            ("MAX_SECONDS", "1"),
            ("TICK_SECONDS", "1"),
        ];
        let mut entry = Entry::start(shell, &limits);
        assert_eq!(entry.ends(), Some(0));
        assert!(
            entry.has("deregister-managed-instance"),
            "{:#?}",
            entry.calls()
        );
    });
}

#[test]
fn a_node_without_its_agent_ends_as_failed() {
    for_each_shell(|shell| {
        let mut entry = Entry::start(shell, &[("AGENT_ENDS", "1")]);
        assert_eq!(entry.ends(), Some(1));
        assert!(
            entry.has("deregister-managed-instance"),
            "{:#?}",
            entry.calls()
        );
    });
}

#[test]
fn an_activation_that_came_to_nothing_is_deleted() {
    for_each_shell(|shell| {
        let mut entry = Entry::start(shell, &[("REFUSED", "1")]);
        assert_eq!(entry.ends(), Some(1));
        assert!(
            entry.has("delete-activation --activation-id act-1"),
            "{:#?}",
            entry.calls()
        );
        assert!(
            !entry.has("deregister"),
            "there was no node: {:#?}",
            entry.calls()
        );
    });
}

fn for_each_shell(test: impl Fn(&[&str])) {
    if programs::are_there(&["dash", "busybox"], Path::new("")) {
        SHELLS.into_iter().for_each(test);
    }
}

/// The script at work; it does not outlive the test.
struct Entry {
    process: Child,
    folder: tempfile::TempDir,
}

impl Entry {
    fn start(shell: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, script) in [("curl", CURL), ("aws", AWS), ("amazon-ssm-agent", AGENT)] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&path, mode).expect("executable");
        }
        let path = std::env::var("PATH").expect("a PATH");
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(infra("hybrid/entry.sh"));
        command
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("CALLS", folder.path().join("calls"))
            .env("STATE", folder.path())
            .env("WATCHDOG", infra("watchdog.sh"))
            .env("NAME", "b")
            .env("NODE_ROLE", "b-node")
            .env("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x")
            .envs(variables.iter().copied())
            .stdout(Stdio::null());
        Self {
            process: command.spawn().expect("a shell"),
            folder,
        }
    }

    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn has(&self, words: &str) -> bool {
        self.calls().iter().any(|call| call.contains(words))
    }

    /// Waits for the call that begins so.
    fn said(&self, words: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(call) = self.calls().into_iter().find(|it| it.starts_with(words)) {
                return call;
            }
            assert!(began.elapsed() < LIMIT, "no `{words}`");
            sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.process.id()).expect("a pid");
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    }

    fn ends(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("asked") {
                return status.code();
            }
            assert!(began.elapsed() < LIMIT, "it does not end");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
