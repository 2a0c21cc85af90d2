//! What the owner does with streams.

use super::{Life, Session};
use crate::proto::message::PayloadType;
use crate::proto::payload::Flag;
use crate::proto::smux::StreamId;
use bytes::Bytes;

impl Session {
    /// Opens a stream (client). May be called before [`Event::Ready`], and without a link: it is sent when it can be.
    ///
    /// There is no word of success; the first byte, the end, or [`Event::Refused`] resolves it. Bound the number of
    /// [`Stats::unresolved`] streams: the agent dials for one after the other.
    ///
    /// [`Event::Ready`]: super::Event::Ready
    /// [`Event::Refused`]: super::Event::Refused
    /// [`Stats::unresolved`]: super::Stats::unresolved
    pub fn open(&mut self) -> StreamId {
        match self.mux.open(&mut self.channel.pipe) {
            Ok(id) => id,
            Err(error) => {
                self.fail(error.into());
                StreamId(0)
            }
        }
    }

    /// Queues data for a stream, without a copy. On a stream that is no more, it does nothing. Call it only while
    /// [`Session::can_write`]; nothing breaks otherwise, but nothing bounds the memory either.
    pub fn write(&mut self, id: StreamId, data: Bytes) {
        if self.life == Life::Going {
            self.bytes_sent += data.len() as u64;
            self.mux.write(id, data, &mut self.channel.pipe);
        }
    }

    /// Whether there is room for more data, over all streams: look again after [`Session::poll_transmit`].
    pub fn can_write(&self) -> bool {
        self.channel.pipe.len() < MAX_UNSENT
    }

    /// The next piece of what a stream has received, a slice of the frame it came in, or many small ones in one;
    /// `None` when all is read.
    pub fn read(&mut self, id: StreamId) -> Option<Bytes> {
        self.mux.read(id)
    }

    /// Ends a stream: a FIN follows all that was written, and what was not read is dropped. The agent closes the
    /// destination's connection both ways. Data that still comes for it is discarded. Also to be called after
    /// [`Event::Finished`](super::Event::Finished), when all is read.
    pub fn finish(&mut self, id: StreamId) {
        self.mux.finish(id, &mut self.channel.pipe);
    }

    /// Tells the client that a stream could not be connected, and ends it (agent).
    pub fn refuse(&mut self, id: StreamId) {
        self.channel
            .send_control(PayloadType::Flag, Flag::ConnectToPortError.bytes().to_vec());
        self.finish(id);
    }

    /// Bytes received and not read yet, over all streams. Nothing bounds them but the owner, who can stop reading the
    /// link, which stops every stream, or end the stream that is slow.
    pub fn unread(&self) -> usize {
        self.mux.unread()
    }

    /// The same for one stream.
    pub fn unread_of(&self, id: StreamId) -> usize {
        self.mux.unread_of(id)
    }
}

/// Unsent bytes from which no more are taken: enough to keep the link busy, little enough that a stream which begins
/// now does not wait for long.
const MAX_UNSENT: usize = 64 * 1024;
