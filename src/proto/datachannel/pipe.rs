//! Bytes on their way into messages.
//!
//! Frames go in whole, with headers of their own and data that is not copied; messages take as many bytes as they hold,
//! wherever that cuts. The one copy of the payload between the caller and the wire is made by [`Pipe::take`].

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// A queue of bytes.
#[derive(Debug, Default)]
pub struct Pipe {
    segments: VecDeque<Segment>,
    length: usize,
}

#[derive(Debug)]
enum Segment {
    Header { bytes: [u8; 8], taken: usize },
    Data(Bytes),
}

impl Pipe {
    /// Adds a frame's header.
    pub fn push_header(&mut self, bytes: [u8; 8]) {
        self.length += bytes.len();
        self.segments.push_back(Segment::Header { bytes, taken: 0 });
    }

    /// Adds a frame's data.
    pub fn push_data(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.length += data.len();
            self.segments.push_back(Segment::Data(data));
        }
    }

    /// Moves at most `max` bytes to the end of `buffer`.
    pub fn take(&mut self, max: usize, buffer: &mut BytesMut) {
        let mut room = max.min(self.length);
        self.length -= room;
        while room > 0 {
            let front = self
                .segments
                .front_mut()
                .expect("as many bytes as the length says");
            let (taken, empty) = front.take(room, buffer);
            room -= taken;
            if empty {
                self.segments.pop_front();
            }
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.length = 0;
    }
}

impl Segment {
    /// Moves at most `room` bytes; tells how many, and whether that was all.
    fn take(&mut self, room: usize, buffer: &mut BytesMut) -> (usize, bool) {
        match self {
            Self::Header { bytes, taken } => {
                let end = bytes.len().min(*taken + room);
                let count = end - *taken;
                buffer.put_slice(&bytes[*taken..end]);
                *taken = end;
                (count, end == bytes.len())
            }
            Self::Data(data) => {
                let count = data.len().min(room);
                buffer.put_slice(&data[..count]);
                data.advance(count);
                (count, data.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_wherever_messages_are_cut() {
        for size in 1..40 {
            let mut pipe = Pipe::default();
            pipe.push_header(*b"header01");
            pipe.push_data(Bytes::from_static(b"some data"));
            pipe.push_data(Bytes::new());
            pipe.push_header(*b"header02");
            let mut all = BytesMut::new();
            while !pipe.is_empty() {
                let before = all.len();
                pipe.take(size, &mut all);
                assert!(all.len() - before <= size);
            }
            assert_eq!(&all[..], b"header01some dataheader02", "cut at {size}");
        }
    }

    #[test]
    fn a_cleared_pipe_has_nothing() {
        let mut pipe = Pipe::default();
        pipe.push_data(Bytes::from_static(b"gone"));
        pipe.clear();
        let mut taken = BytesMut::new();
        pipe.take(10, &mut taken);
        assert!(taken.is_empty() && pipe.is_empty());
    }
}
