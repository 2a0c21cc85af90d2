//! `ctl status --watch`: the status drawn again every second, in place.
//!
//! It has the terminal's other screen, so that what stood on the first is there again afterwards, however it ends.

use std::{
    future::pending,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{complaint, look, selection::Selection, text};
use crate::{control::client::Client, exit::Exit};

const EVERY: Duration = Duration::from_secs(1);
/// Of a terminal that does not tell.
const HEIGHT: usize = 24;
/// The other screen, without a cursor and without lines that go on in the next.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const TOP: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

pub(super) async fn watch(client: &Client, selection: &Selection) -> Exit {
    if !io::stdout().is_terminal() {
        crate::errln!(
            "error: --watch needs a terminal\nhint: for programs there is bastiond ctl events --json"
        );
        return Exit::Usage;
    }
    let (mut interrupt, mut terminate) = match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => {
            crate::errln!("error: cannot listen for signals: {error}");
            return Exit::Failed;
        }
    };
    let _screen = Screen::enter();
    let drawing = async {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if draw(&frame(client, selection).await).is_err() {
                // The terminal is gone; the signal that says so is on its way.
                pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = drawing => Exit::Ok,
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    }
}

/// The status, or why there is none: a daemon that restarts is there again in a moment.
async fn frame(client: &Client, selection: &Selection) -> String {
    let status = match client.status().await {
        Ok(status) => status,
        Err(error) => return complaint(&error.into()),
    };
    match selection.of(status) {
        Ok(status) => text::render(&status, &look(selection.verbose)),
        Err(error) => complaint(&error),
    }
}

/// In one piece, so that nobody sees half of it.
fn draw(text: &str) -> io::Result<()> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let height = size.map_or(0, |size| usize::from(size.ws_row));
    let height = if height < 2 { HEIGHT } else { height };
    let lines: Vec<&str> = text.lines().take(height - 1).collect();
    let mut frame = TOP.to_owned();
    for line in lines {
        frame.push_str(&format!("{line}{CLEAR_LINE}\r\n"));
    }
    frame.push_str(CLEAR_REST);
    let mut stdout = io::stdout().lock();
    stdout.write_all(frame.as_bytes())?;
    stdout.flush()
}

struct Screen;

impl Screen {
    fn enter() -> Screen {
        crate::output::out(format_args!("{ENTER}"));
        let _ = io::stdout().flush();
        Screen
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        crate::output::out(format_args!("{LEAVE}"));
        let _ = io::stdout().flush();
    }
}
