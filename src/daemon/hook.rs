//! Runs the program of `on_event` when something changes that a person may want to know.
//!
//! One at a time, and never in anybody's way: it reads the events as every other reader does. A program that takes too
//! long is killed with all that it started; events that come meanwhile wait, and the oldest of too many are left out.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::events::{Events, Read, Reader};
use crate::status::{Event, EventKind};

/// What a program may take. One that shows a notice is done at once.
const DEADLINE: Duration = Duration::from_secs(10);
/// What it is given to end once it is told to.
const GRACE: Duration = Duration::from_secs(1);
/// Events that wait for the one that is running.
const MOST_WAITING: usize = 16;
/// Of what it says, so much is logged.
const MOST_OUTPUT: u64 = 4096;

/// See the module.
pub struct Hook {
    reader: Reader,
    command: watch::Receiver<Vec<String>>,
    waiting: VecDeque<Arc<Event>>,
}

impl Hook {
    /// Of what happens from now on. An empty command is none; it may change.
    pub fn new(events: &Events, command: watch::Receiver<Vec<String>>) -> Self {
        Self {
            reader: events.reader(0),
            command,
            waiting: VecDeque::new(),
        }
    }

    /// Run the command for what is worth it, until cancelled. What was told before the end is still run.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            while let Some(read) = self.reader.try_next() {
                self.note(read);
            }
            if let Some(event) = self.waiting.pop_front() {
                let command = self.command.borrow().clone();
                run(&command, &event, DEADLINE).await;
                continue;
            }
            tokio::select! {
                // Both may have come at once: the last that happens is told just before the end.
                biased;
                read = self.reader.next() => self.note(read),
                () = cancel.cancelled() => return,
            }
        }
    }

    fn note(&mut self, read: Read) {
        let event = match read {
            Read::Event(event) if !self.command.borrow().is_empty() && is_worth_it(&event) => event,
            Read::Event(_) => return,
            Read::Lost(lost) => {
                return tracing::warn!(lost, "`on_event` is too slow: events were left out");
            }
        };
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
            tracing::warn!("`on_event` is too slow: an event was left out");
        }
        self.waiting.push_back(event);
    }
}

/// Ready, failed, in need of a sign-in, or stopped.
fn is_worth_it(event: &Event) -> bool {
    match event.kind {
        EventKind::Tunnel => match event.state.as_str() {
            // A link that was lost and is back is nothing to tell: AWS closes each of them hourly.
            "ready" => event.was.as_deref() != Some("reconnecting"),
            state => matches!(state, "failed" | "needs_login"),
        },
        // What has no task at the start was not stopped.
        EventKind::Bastion => match event.state.as_str() {
            "failed" => true,
            "stopped" => event.was.is_some(),
            _ => false,
        },
        EventKind::Daemon
        | EventKind::Session
        | EventKind::Listener
        | EventKind::Credentials
        | EventKind::Stream => false,
    }
}

async fn run(command: &[String], event: &Event, deadline: Duration) {
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    let started = Command::new(program)
        .args(arguments)
        .envs(environment(event))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return tracing::warn!(program, %error, "`on_event` cannot be run"),
    };
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    if timeout(deadline, followed(program, &mut child))
        .await
        .is_ok()
    {
        group.0 = None;
        return;
    }
    tracing::warn!(
        program,
        "`on_event` takes more than {} s: killed",
        deadline.as_secs()
    );
    drop(group);
    let _ = timeout(GRACE, child.wait()).await;
}

/// A program and all that it has started; killed when this is dropped, unless it has ended.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Until it has ended, and whoever else has its output.
async fn followed(program: &str, child: &mut Child) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (said, complained) = tokio::join!(said(stdout), said(stderr));
    let output = [said, complained].concat();
    let output = String::from_utf8_lossy(&output);
    match child.wait().await {
        Ok(status) if status.success() && output.is_empty() => {
            tracing::debug!(program, "`on_event` was run");
        }
        Ok(status) if status.success() => {
            tracing::info!(program, output = output.trim_end(), "`on_event` was run");
        }
        Ok(status) => {
            tracing::warn!(program, %status, output = output.trim_end(), "`on_event` failed");
        }
        Err(error) => tracing::warn!(program, %error, "`on_event` cannot be waited for"),
    }
}

/// The beginning of what is said; the rest is read, so that nobody waits for it to be taken, and dropped.
async fn said(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut said = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(MOST_OUTPUT).read_to_end(&mut said).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    said
}

/// The event, as a program gets it. What it does not have is empty, so that `set -u` is no trap.
fn environment(event: &Event) -> Vec<(&'static str, String)> {
    let word = serde_json::to_value(event.kind).unwrap_or_default();
    let at = serde_json::to_value(event).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        ("BASTIOND_EVENT", event.to_string()),
        ("BASTIOND_EVENT_KIND", text(&word)),
        ("BASTIOND_EVENT_NAME", event.name.clone()),
        ("BASTIOND_EVENT_STATE", event.state.clone()),
        ("BASTIOND_EVENT_WAS", maybe(&event.was)),
        ("BASTIOND_EVENT_AT", text(&at["at"])),
        ("BASTIOND_EVENT_DETAIL", maybe(&event.detail)),
        ("BASTIOND_EVENT_CODE", maybe(&event.code)),
        ("BASTIOND_EVENT_HINT", maybe(&event.hint)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Change;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", note.display());
        // On a busy machine it may take a while to get so far.
        for seconds in [1, 5, 60] {
            run(&command(&script), &event(), Duration::from_secs(seconds)).await;
            let noted = std::fs::read_to_string(&note).unwrap_or_default();
            let Some(pid) = noted.strip_suffix('\n') else {
                continue;
            };
            let stat = format!("/proc/{pid}/stat");
            let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
            let ended = async {
                while runs() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(PATIENCE, ended).await.expect("it is killed");
            return;
        }
        panic!("it never started anything");
    }

    #[tokio::test]
    async fn a_program_that_says_much_is_not_kept_waiting() {
        let script = "yes | head -c 1000000; yes | head -c 1000000 >&2";
        let began = std::time::Instant::now();
        run(&command(script), &event(), PATIENCE).await;
        // It was not killed for taking its time.
        assert!(began.elapsed() < PATIENCE);
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_no_trouble() {
        run(&["/nonexistent/program".to_owned()], &event(), PATIENCE).await;
        run(&command("exit 3"), &event(), PATIENCE).await;
        run(&[], &event(), PATIENCE).await;
    }

    /// Both are there at once: whichever is looked at first, the event counts.
    #[tokio::test]
    async fn what_was_told_just_before_the_end_is_still_run() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let events = Events::default();
            let note = folder.path().join(round.to_string());
            let (_keep, command) = watch::channel(command(&format!("echo > {}", note.display())));
            let end = CancellationToken::new();
            let hook = tokio::spawn(Hook::new(&events, command).run(end.clone()));
            tokio::task::yield_now().await;
            events.tell(Change::new(EventKind::Bastion, "dev", "failed"));
            end.cancel();
            timeout(PATIENCE, hook).await.expect("it ends").unwrap();
            assert!(note.exists(), "round {round}");
        }
    }

    #[tokio::test]
    async fn of_too_many_events_the_oldest_are_left_out() {
        let events = Events::default();
        let (_keep, command) = watch::channel(vec!["true".to_owned()]);
        let mut hook = Hook {
            reader: events.reader(0),
            command,
            waiting: VecDeque::new(),
        };
        for seq in 0..MOST_WAITING as u64 + 5 {
            hook.note(Read::Event(Arc::new(Event { seq, ..event() })));
        }
        assert_eq!(hook.waiting.len(), MOST_WAITING);
        assert_eq!(hook.waiting[0].seq, 5);
    }

    #[test]
    fn a_link_that_is_back_is_nothing_to_tell() {
        let ready = |was: &str| Event {
            was: Some(was.to_owned()),
            ..event()
        };
        assert!(is_worth_it(&ready("starting")));
        assert!(!is_worth_it(&ready("reconnecting")));
        let daemon = Event {
            kind: EventKind::Daemon,
            ..event()
        };
        assert!(!is_worth_it(&daemon));
    }

    fn command(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    /// A tunnel is ready.
    fn event() -> Event {
        let events = Events::default();
        events.tell(Change::of_daemon("ready"));
        let Some(Read::Event(event)) = events.reader(1).try_next() else {
            panic!("it was told");
        };
        Event {
            kind: EventKind::Tunnel,
            name: "app-db".to_owned(),
            ..(*event).clone()
        }
    }
}
