//! `bastiond shell`, the built program, on a terminal and between pipes.

mod bastion;
pub mod encrypted;
mod nodes;
mod pipes;
mod refused;
mod terminal;

use std::ffi::OsString;
use std::process::{Command, Stdio};

use bastiond::sim::{Script, World};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;

use crate::process::PROGRAM;
use crate::support::{House, Terms, until, within};

/// The program, as a person with these variables would call it. A configuration is there.
fn command(house: &House, words: &[&str]) -> Command {
    let paths = house.paths();
    std::fs::write(&paths.config, house.config(&Terms::default())).expect("written");
    let mut command = Command::new(PROGRAM);
    command.arg("shell").args(words);
    surround(&mut command, house);
    command
}

fn surround(command: &mut Command, house: &House) {
    let paths = house.paths();
    let variables: [(&str, OsString); 8] = [
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", house.folder.path().into()),
        ("TERM", "xterm".into()),
        ("BASTIOND_CONFIG", paths.config.into()),
        ("BASTIOND_SOCKET", paths.socket.into()),
        ("BASTIOND_STATE_DIR", paths.state.into()),
        ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST".into()),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-access-key".into()),
    ];
    command.env_clear().envs(variables);
}

/// An account with a task that somebody else runs; gives its id.
pub async fn house_with_task(script: Script) -> (House, String) {
    let house = House::with(script).await;
    let task = house.world().run_task("bastion");
    let connected = |world: &World| world.is_connected(&task);
    until(house.world(), "its agent is there", connected).await;
    (house, task)
}

/// Starts it with no input; its output is to be read.
fn start(house: &House, words: &[&str]) -> Child {
    let mut command = tokio::process::Command::from(command(house, words));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.kill_on_drop(true).spawn().expect("it starts")
}

/// How a program ended, and all that it wrote.
pub struct Finished {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// Runs it between pipes: `stdin` goes in, to its end; `None` is `/dev/null`.
pub async fn between_pipes(house: &House, words: &[&str], stdin: Option<&[u8]>) -> Finished {
    let mut command = tokio::process::Command::from(command(house, words));
    command
        .stdin(stdin.map_or_else(Stdio::null, |_| Stdio::piped()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let pipe = child.stdin.take();
    let feed = async {
        if let (Some(mut pipe), Some(bytes)) = (pipe, stdin) {
            // Who ends before the end of its input is not to be blamed.
            let _ = pipe.write_all(bytes).await;
        }
    };
    let both = async { tokio::join!(child.wait_with_output(), feed).0 };
    let output = within("the program ends", both).await.expect("an end");
    Finished {
        status: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}
