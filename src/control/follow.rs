//! Answers that go on: events and logs, a line each.
//!
//! Nobody waits for their readers. What a reader of events has not taken when the ring of events comes round is lost to
//! it: it is told so in a last line, and dropped. One that takes nothing at all is cut off by the server.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Door, Refusal,
    answer::{self, Answer, busy},
    code::Code,
    query::Query,
};
use crate::{
    events::{Read, Reader},
    logs::{Tail, Wanted},
    status::{Event, EventKind, SCHEMA},
};

/// Lines of the log, if the call does not say.
const LINES: usize = 100;
/// The most that may be asked for.
const MOST_LINES: usize = 100_000;
/// How often the log is looked at for new lines.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Lines that are sent together.
const BATCH: usize = 64;

/// `GET /v1/events`
pub(super) fn events(
    door: &Door,
    query: &Query,
    closing: &CancellationToken,
) -> Result<Answer, Box<Refusal>> {
    let last = query.value("last", "a whole number")?.unwrap_or(0);
    let follow = query.value("follow", "`true` or `false`")?.unwrap_or(true);
    let state = Events {
        reader: door.shown.events.reader(last),
        follow,
        is_over: false,
        closing: closing.clone(),
        _place: place(door)?,
    };
    let chunks = stream::unfold(state, async |mut state| {
        let chunk = state.next().await?;
        Some((chunk, state))
    });
    Ok(lines("application/x-ndjson", chunks))
}

struct Events {
    reader: Reader,
    follow: bool,
    is_over: bool,
    closing: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Events {
    /// What there is, or comes next.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let mut text = Vec::new();
        let mut read = self.reader.try_next();
        if read.is_none() && self.follow {
            read = tokio::select! {
                read = self.reader.next() => Some(read),
                () = self.closing.cancelled() => None,
            };
        }
        for _ in 0..BATCH {
            match read {
                None => break,
                Some(Read::Event(event)) => push_line(&mut text, &*event),
                Some(Read::Lost(lost)) => {
                    self.is_over = true;
                    push_line(&mut text, &dropped(lost));
                    break;
                }
            }
            read = self.reader.try_next();
        }
        (!text.is_empty()).then(|| text.into())
    }
}

fn push_line(text: &mut Vec<u8>, value: &impl Serialize) {
    let line = serde_json::to_vec(value).expect("an event has only string keys");
    text.extend(line);
    text.push(b'\n');
}

/// The last words to a reader that was too slow.
fn dropped(lost: u64) -> Event {
    let now = OffsetDateTime::now_utc();
    tracing::warn!(lost, "dropped a slow reader of events");
    Event {
        schema: SCHEMA,
        seq: 0,
        at: now,
        unix_seconds: now.unix_timestamp() as f64,
        kind: EventKind::Stream,
        name: "events".to_owned(),
        tunnel: None,
        id: None,
        state: "dropped".to_owned(),
        was: None,
        detail: Some(format!(
            "its reader was too slow: {lost} events were lost to it"
        )),
        code: Some("slow_reader".to_owned()),
        hint: Some("read faster, and ask for the last 1000 when coming back".to_owned()),
    }
}

/// `GET /v1/logs`
pub(super) async fn logs(
    door: &Door,
    query: &Query,
    closing: &CancellationToken,
) -> Result<Answer, Box<Refusal>> {
    let since = query.text("since").map(moment).transpose()?;
    let last: Option<usize> = query.value("last", "a whole number")?;
    let wanted = Wanted {
        last: last
            .unwrap_or(if since.is_some() { MOST_LINES } else { LINES })
            .min(MOST_LINES),
        since,
    };
    let follow = query.value("follow", "`true` or `false`")?.unwrap_or(false);
    let none = || Refusal::new(Code::NoLogs, "this daemon writes no log files");
    let folder = door.shown.logs.clone().ok_or_else(none)?;
    let place = place(door)?;
    let opened = spawn_blocking(move || Tail::open(&folder, &wanted)).await;
    let tail = opened.ok().and_then(Result::ok).ok_or_else(none)?;
    let state = Logs {
        tail: Some(tail),
        follow,
        closing: closing.clone(),
        _place: place,
    };
    let chunks = stream::unfold(state, async |mut state| {
        let chunk = state.next().await?;
        Some((chunk, state))
    });
    Ok(lines("text/plain; charset=utf-8", chunks))
}

/// `10m` ago, or a moment.
fn moment(text: &str) -> Result<OffsetDateTime, Box<Refusal>> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(moment);
    }
    let ago = humantime::parse_duration(text).ok();
    let moment = ago.and_then(|ago| {
        let ago = time::Duration::try_from(ago).ok()?;
        OffsetDateTime::now_utc().checked_sub(ago)
    });
    moment.ok_or_else(|| {
        let detail = format!("`since={text}` is neither a span of time nor a moment");
        let hint = "write for example 10m, or 2026-11-28T09:00:00Z";
        Refusal::new(Code::WrongQuery, detail).hint(Some(hint.to_owned()))
    })
}

struct Logs {
    /// Taken while it is read.
    tail: Option<Tail>,
    follow: bool,
    closing: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Logs {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let mut tail = self.tail.take()?;
            let read = spawn_blocking(move || {
                let text = tail.read();
                (tail, text)
            });
            let (tail, text) = read.await.ok()?;
            match text {
                Ok(text) if !text.is_empty() => {
                    self.tail = Some(tail);
                    return Some(text.into());
                }
                Ok(_) if self.follow => self.tail = Some(tail),
                Ok(_) => return None,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the log");
                    return None;
                }
            }
            tokio::select! {
                () = sleep(LOOK_AGAIN) => {}
                () = self.closing.cancelled() => self.follow = false,
            }
        }
    }
}

fn place(door: &Door) -> Result<OwnedSemaphorePermit, Box<Refusal>> {
    door.following
        .clone()
        .try_acquire_owned()
        .map_err(|_| busy())
}

fn lines(kind: &'static str, chunks: impl stream::Stream<Item = Bytes> + Send + 'static) -> Answer {
    use futures_util::StreamExt as _;
    let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
    answer::of(kind, StreamBody::new(frames).boxed_unsync())
}
