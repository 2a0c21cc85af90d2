//! What a long wait is waiting for, on one line of a terminal.

use std::{
    future::Future,
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{text, units::span, width::cut};
use crate::{control::client::Client, status::Status};

/// Nothing is shown before: most calls are over by then.
const FIRST: Duration = Duration::from_millis(400);
const EVERY: Duration = Duration::from_millis(500);
const ERASE: &str = "\r\x1b[K";

/// Waits for `call`; meanwhile shows what `tunnel`, or each that is starting, is doing.
pub(super) async fn shown<T>(
    client: &Client,
    tunnel: Option<&str>,
    call: impl Future<Output = T>,
) -> T {
    if !stderr().is_terminal() {
        return call.await;
    }
    let mut call = std::pin::pin!(call);
    let mut ticks = interval_at(Instant::now() + FIRST, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let _line = Line;
    loop {
        tokio::select! {
            done = &mut call => return done,
            _ = ticks.tick() => {
                // A status that cannot be had is no reason not to go on waiting.
                if let Ok(status) = client.status().await {
                    draw(&phases(&status, tunnel));
                }
            }
        }
    }
}

/// A line that is gone when nobody holds it any more.
struct Line;

impl Drop for Line {
    fn drop(&mut self) {
        let _ = write!(stderr(), "{ERASE}");
    }
}

fn draw(text: &str) {
    let columns =
        rustix::termios::tcgetwinsize(stderr()).map_or(80, |size| usize::from(size.ws_col));
    let _ = write!(stderr(), "{ERASE}{}", cut(text, columns.max(20) - 1));
    let _ = stderr().flush();
}

/// `app-db: starting 12s: waiting for agent 3s (usually 35s)`
fn phases(status: &Status, tunnel: Option<&str>) -> String {
    let is_meant = |name: &str| tunnel.is_none_or(|wanted| wanted == name);
    let meant = status.tunnels.iter().filter(|it| is_meant(&it.name));
    let told = meant.map(|tunnel| {
        let usual = status
            .bastion_of(tunnel)
            .and_then(|it| it.usual_start.as_ref());
        let usual = usual.map(|it| format!(" (usually {})", span(it.whole.p50_ms.div_ceil(1000))));
        let state = text::state(tunnel);
        format!("{}: {state}{}", tunnel.name, usual.unwrap_or_default())
    });
    text::printable(&told.collect::<Vec<_>>().join("; "))
}
