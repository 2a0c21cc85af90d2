//! Answers that go on, a line after another.

use std::marker::PhantomData;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{
    Client, Error, read,
    wire::{Wire, drive},
};

/// No line of ours is longer.
const LONGEST_LINE: usize = 1024 * 1024;

/// Lines that come as they are written, until the daemon has no more or ends. Dropping it ends the call.
pub struct Lines {
    client: Client,
    body: Incoming,
    wire: Wire,
    buffer: BytesMut,
}

/// The same, each line a value.
pub struct Values<T> {
    lines: Lines,
    kind: PhantomData<T>,
}

impl Lines {
    pub(super) fn new(client: Client, body: Incoming, wire: Wire) -> Self {
        Self {
            client,
            body,
            wire,
            buffer: BytesMut::new(),
        }
    }

    /// The next line, without its end; `None` when there is no further one. May be dropped and called again.
    ///
    /// # Errors
    /// When the daemon goes away in the middle.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(Error::Garbled("a line has no end".to_owned()));
            }
            let Some(frame) = drive(&mut self.wire, self.body.frame()).await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| self.client.broken(error))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

impl<T: DeserializeOwned> Values<T> {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            kind: PhantomData,
        }
    }

    /// The next value; `None` when there is no further one. May be dropped and called again.
    ///
    /// # Errors
    /// When the daemon goes away in the middle, or speaks in riddles.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        let line = self.lines.next().await?;
        line.map(|line| read(&line)).transpose()
    }
}
