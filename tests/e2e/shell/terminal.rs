//! On a terminal: a person at the keys.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bastiond::sim::{Cut, Death, End, Script, World};
use rexpect::session::{PtySession, spawn_command};
use rustix::process::{Signal, kill_process};
use rustix::termios::{Winsize, tcsetwinsize};
use sha2::{Digest as _, Sha256};

use super::{house_with_task, surround};
use crate::process::PROGRAM;
use crate::support::{House, LIMIT, Terms, pattern, until};

/// A shell around the program, which says what the terminal was like before and after.
const AROUND: &str = r#"printf 'before=%s\n' "$(stty -g)"
"$0" shell "$@"
printf 'status=%d\n' $?
printf 'after=%s\n' "$(stty -g)""#;

/// A terminal in which the program runs. It blocks; so it works in threads of its own.
pub struct Terminal {
    session: Option<PtySession>,
    master: File,
    before: String,
}

impl Terminal {
    pub async fn open(house: &House, words: &[&str]) -> Self {
        let paths = house.paths();
        std::fs::write(&paths.config, house.config(&Terms::default())).expect("written");
        let mut command = Command::new("sh");
        command.args(["-c", AROUND, PROGRAM]).args(words);
        surround(&mut command, house);
        let limit = u64::try_from(LIMIT.as_millis()).ok();
        let session = spawn_command(command, limit).expect("a terminal");
        let master = session.process().get_file_handle().expect("its master");
        let mut terminal = Self {
            session: Some(session),
            master,
            before: String::new(),
        };
        terminal.expect("before=").await;
        terminal.before = terminal.expect("\r\n").await;
        terminal
    }

    async fn with<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut PtySession) -> T + Send + 'static,
    ) -> T {
        let mut session = self.session.take().expect("one at a time");
        let acting = tokio::task::spawn_blocking(move || (act(&mut session), session));
        let (done, session) = acting.await.expect("no panic");
        self.session = Some(session);
        done
    }

    /// Waits until it shows this; gives what came before.
    pub async fn expect(&mut self, text: &str) -> String {
        let text = text.to_owned();
        let shown = self.with(move |session| session.exp_string(&text)).await;
        shown.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Types this.
    pub async fn send(&mut self, text: &str) {
        let text = text.to_owned();
        let typed = self.with(move |session| session.send(&text).and_then(|_| session.flush()));
        typed.await.expect("typed");
    }

    fn resize(&self, cols: u16, rows: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).expect("another size");
    }

    /// Waits for the program's end; the terminal must be as it was. Gives what was shown before that.
    pub async fn ends(&mut self, status: i32) -> String {
        let shown = self.expect("status=").await;
        assert_eq!(self.expect("\r\n").await, status.to_string(), "{shown}");
        self.expect("after=").await;
        let after = self.expect("\r\n").await;
        assert_eq!(after, self.before, "the terminal is as it was");
        shown
    }
}

#[tokio::test]
async fn a_shell_has_a_prompt_and_its_own_status() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    terminal.send("echo he''llo\r").await;
    terminal.expect("hello\r\n").await;
    terminal.expect("$ ").await;
    terminal.send("exit 3\r").await;
    terminal.ends(3).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn the_far_side_has_this_terminals_size_from_the_start() {
    let (house, task) = house_with_task(Script::fast()).await;
    let words = [&task, "--", "sh", "-c", "read line; stty size"];
    let mut terminal = Terminal::open(&house, &words).await;
    terminal.resize(300, 100);
    until(house.world(), "it runs", is_ready).await;
    terminal.send("\r").await;
    terminal.expect("100 300\r\n").await;
    terminal.ends(0).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn an_editor_redraws_its_screen_when_the_size_changes() {
    if !crate::programs::are_there(&["vi"], std::path::Path::new("")) {
        return;
    }
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task, "--", "vi", "-u", "NONE"]).await;
    terminal.resize(90, 37);
    // The line above the lowest, empty.
    terminal.expect("\x1b[36;1H~").await;
    terminal.resize(120, 44);
    terminal.expect("\x1b[43;1H~").await;
    terminal.send("\x1b:q!\r").await;
    terminal.ends(0).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn control_characters_are_the_far_sides() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    for (key, status) in [("\x03", 130), ("\x1c", 131)] {
        terminal.send("echo wa''iting; sleep 1000\r").await;
        terminal.expect("waiting\r\n").await;
        terminal.send(key).await;
        terminal.expect("$ ").await;
        terminal.send("echo was $?\r").await;
        terminal.expect(&format!("was {status}\r\n")).await;
        terminal.expect("$ ").await;
    }
    terminal.send("set -m; echo wa''iting; sleep 1000\r").await;
    terminal.expect("waiting\r\n").await;
    terminal.send("\x1a").await;
    terminal.expect("$ ").await;
    terminal.send("kill -9 %1\r").await;
    terminal.expect("$ ").await;
    terminal.send("set +m; exec true\r").await;
    terminal.ends(0).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn pasted_text_arrives_untouched() {
    let (house, task) = house_with_task(Script::fast()).await;
    let digest = "stty raw -echo; echo ready; head -c 100000 | sha256sum; stty sane";
    let mut terminal = Terminal::open(&house, &[&task, "--", "sh", "-c", digest]).await;
    terminal.expect("ready").await;
    let mut pasted = "\x1b[200~żółć, 日本語, ~. and \x01\x02\x1b\x7f\r\n~~".repeat(3000);
    pasted.truncate(100_000 - 1);
    while !pasted.is_char_boundary(pasted.len()) {
        pasted.pop();
    }
    pasted = pasted.replace("\n~~", "\n##").replace("\r~", "\r#");
    let filler = 100_000 - pasted.len();
    pasted.push_str(&"x".repeat(filler));
    let expected: String = Sha256::digest(&pasted)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    terminal.send(&pasted).await;
    terminal.expect(&expected).await;
    terminal.ends(0).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_tilde_and_a_full_stop_leave_and_a_question_mark_says_so() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    terminal.send("~?").await;
    terminal.expect("~.  end the session").await;
    terminal.send("~.").await;
    terminal.ends(255).await;
    until(house.world(), "the session has ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_frozen_session_can_be_left() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    house.world().cut_links(&Cut::HalfOpen);
    // More than may wait for the far side.
    terminal.send(&"x".repeat(200_000)).await;
    let asked = Instant::now();
    terminal.send("\r~.").await;
    terminal.ends(255).await;
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "{:?}",
        asked.elapsed()
    );
    until(house.world(), "the session has ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_session_that_cannot_be_resumed_can_be_left() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    house.world().refuse_upgrades(1000, 503);
    house.world().cut_links(&Cut::Reset);
    until(house.world(), "it tries", |world| world.links().len() > 2).await;
    terminal.send("\r~.").await;
    terminal.ends(255).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_lost_link_in_the_middle_of_output_goes_unnoticed() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    terminal.send("yes\r").await;
    terminal.expect("y\r\ny\r\ny\r\n").await;
    house.world().cut_links(&Cut::Reset);
    until(house.world(), "it is resumed", |world| {
        world.links().len() > 1 && world.active_sessions()[0].linked
    })
    .await;
    terminal.send("\x03").await;
    terminal.expect("$ ").await;
    terminal.send("exit 5\r").await;
    terminal.ends(5).await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn every_signal_leaves_the_terminal_as_it_was() {
    let (house, task) = house_with_task(Script::fast()).await;
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut terminal = Terminal::open(&house, &[&task]).await;
        terminal.expect("$ ").await;
        kill_process(program_in(&house), signal).expect("signalled");
        terminal.ends(status).await;
        until(house.world(), "the session has ended", |world| {
            world.active_sessions().is_empty()
        })
        .await;
    }
    let ended = house
        .world()
        .sessions()
        .into_iter()
        .map(|session| session.ended);
    for end in ended {
        assert!(matches!(end, Some((_, End::Flag | End::Api))), "{end:?}");
    }
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_task_that_dies_ends_it_with_a_reason() {
    let script = Script {
        death: Death::Announced,
        ..Script::fast()
    };
    let (house, task) = house_with_task(script).await;
    let mut terminal = Terminal::open(&house, &[&task]).await;
    terminal.expect("$ ").await;
    let arn = house.world().tasks()[0].arn.clone();
    house.world().stop_task(&arn, "UserInitiated", "enough");
    let shown = terminal.ends(255).await;
    assert!(shown.contains("error: "), "{shown}");
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_session_is_recorded_for_its_owner_alone() {
    let (house, task) = house_with_task(Script::fast()).await;
    let file = house.folder.path().join("session.cast");
    let words = [&task, "--record", file.to_str().expect("text")];
    let mut terminal = Terminal::open(&house, &words).await;
    terminal.expect("$ ").await;
    terminal.send("echo rec''orded\r").await;
    terminal.expect("recorded\r\n").await;
    terminal.send("exit\r").await;
    terminal.ends(0).await;
    let mode = std::fs::metadata(&file)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut text = String::new();
    File::open(&file)
        .expect("a file")
        .read_to_string(&mut text)
        .expect("text");
    let (header, events) = text.split_once('\n').expect("a header");
    let header: serde_json::Value = serde_json::from_str(header).expect("JSON");
    assert_eq!(header["version"], 2);
    let mut shown = String::new();
    for event in events.lines() {
        let (at, kind, data): (f64, String, String) =
            serde_json::from_str(event).expect("an event");
        assert!(at >= 0.0 && (kind == "o" || kind == "r"), "{event}");
        shown.push_str(if kind == "o" { &data } else { "" });
    }
    assert!(shown.contains("recorded\r\n"), "{shown}");
    house.sweep_beside().await;
}

#[tokio::test]
async fn ten_megabytes_are_shown_without_loss() {
    let (house, task) = house_with_task(Script::fast()).await;
    let file = house.folder.path().join("bytes");
    let sent: Vec<u8> = pattern(7_500_000, 7)
        .iter()
        .map(|byte| b' ' + byte % 64)
        .collect();
    std::fs::write(&file, &sent).expect("written");
    let show = format!("base64 -w 0 {}; echo; echo do''ne", file.display());
    let (pty, pts) = pty_process::open().expect("a terminal");
    let words = ["shell", &task, "--", "sh", "-c", &show];
    let variables = super::command(&house, &[]);
    let variables = variables
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let command = pty_process::Command::new(PROGRAM)
        .args(words)
        .env_clear()
        .envs(variables);
    let mut program = command
        .kill_on_drop(true)
        .spawn(pts)
        .expect("the program starts");
    let (mut shown, mut chunk) = (Vec::new(), vec![0; 65536]);
    let (mut read, _write) = pty.into_split();
    let all = async {
        use tokio::io::AsyncReadExt as _;
        // On Linux a terminal without a program fails to be read.
        while let Ok(length @ 1..) = read.read(&mut chunk).await {
            shown.extend_from_slice(&chunk[..length]);
        }
    };
    crate::support::within("all is shown", all).await;
    assert!(program.wait().await.expect("an end").success());
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(&sent) + "\r\ndone\r\n";
    assert!(
        expected.len() > 10_000_000 && shown == expected.as_bytes(),
        "{} bytes",
        shown.len()
    );
    house.sweep_beside().await;
}

fn is_ready(world: &World) -> bool {
    world.sessions().iter().any(|session| session.ready)
}

/// The program among the children of the shell around it, by the folder in its environment.
pub fn program_in(house: &House) -> rustix::process::Pid {
    let folder = house
        .folder
        .path()
        .to_str()
        .expect("text")
        .as_bytes()
        .to_vec();
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = pids.find(|pid| {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let is_ours = read("environ")
            .windows(folder.len())
            .any(|part| part == folder);
        is_ours && read("cmdline").starts_with(PROGRAM.as_bytes())
    });
    rustix::process::Pid::from_raw(found.expect("it runs")).expect("a pid")
}
