//! One stream's connection to the destination: bytes both ways until either end is through, as the agent copies them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Notify, mpsc},
};

use crate::proto::StreamId;

/// Bytes read from the destination at once: one smux frame's most.
const READ: usize = 32 * 1024;

/// Bytes from a destination, or `None` at its end.
pub(super) type FromDestination = (StreamId, Option<Bytes>);

/// Copies until either side ends, then closes both ways: the agent knows no half-close.
///
/// The end of `inbox` is the client's FIN: what came before it is written first. `room` is told whenever `inbox` has
/// been emptied some.
pub(super) async fn run(
    id: StreamId,
    mut socket: TcpStream,
    inbox: mpsc::Receiver<VecDeque<Bytes>>,
    outbox: mpsc::Sender<FromDestination>,
    room: Arc<Notify>,
) {
    let (reader, writer) = socket.split();
    let _: io::Result<()> = tokio::select! {
        result = write_all(writer, inbox, room) => result,
        result = read_all(id, reader, &outbox) => result,
    };
    let _ = outbox.send((id, None)).await;
}

async fn write_all(
    mut writer: WriteHalf<'_>,
    mut inbox: mpsc::Receiver<VecDeque<Bytes>>,
    room: Arc<Notify>,
) -> io::Result<()> {
    while let Some(chunks) = inbox.recv().await {
        room.notify_one();
        let mut chunks = Chunks(chunks);
        while chunks.has_remaining() {
            writer.write_buf(&mut chunks).await?;
        }
    }
    Ok(())
}

async fn read_all(
    id: StreamId,
    mut reader: ReadHalf<'_>,
    outbox: &mpsc::Sender<FromDestination>,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ);
        if reader.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let bytes = buffer.split().freeze();
        if outbox.send((id, Some(bytes))).await.is_err() {
            return Ok(());
        }
    }
}

/// Small slices written together: a message carries about 1 KiB, and a system call each would dominate.
struct Chunks(VecDeque<Bytes>);

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.0);
        let filled = pairs.map(|(slice, chunk)| *slice = IoSlice::new(chunk));
        filled.count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.0.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_one_buffer() {
        let mut chunks = Chunks(
            ["one", "", "two"]
                .map(|text| Bytes::from_static(text.as_bytes()))
                .into(),
        );
        assert_eq!(chunks.remaining(), 6);
        chunks.advance(4);
        assert_eq!(chunks.chunk(), b"wo");
        chunks.advance(2);
        assert!(!chunks.has_remaining());
    }
}
