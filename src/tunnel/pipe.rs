//! The way from a link to one connection: chunks in order, bounded by bytes.
//!
//! The link never waits for a reader: it pushes and can see how much is queued, so that one slow
//! reader cannot hold up the others. What happens at the bound is the link's decision. A reset
//! overtakes whatever is queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// What the connection is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// Write these bytes to the client.
    Data(Bytes),
    /// Nothing follows: the far side has closed.
    End,
}

/// The link's end.
#[derive(Debug)]
pub struct Sender {
    items: mpsc::UnboundedSender<Item>,
    queued: Arc<AtomicUsize>,
    reset: CancellationToken,
}

/// The connection's end.
#[derive(Debug)]
pub struct Receiver {
    items: mpsc::UnboundedReceiver<Item>,
    queued: Arc<AtomicUsize>,
    drained: Arc<Notify>,
    reset: CancellationToken,
}

/// A new pipe. `drained` is notified whenever the queue has become empty.
pub fn pipe(drained: Arc<Notify>) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let reset = CancellationToken::new();
    let link = Sender {
        items: sender,
        queued: Arc::clone(&queued),
        reset: reset.clone(),
    };
    (
        link,
        Receiver {
            items: receiver,
            queued,
            drained,
            reset,
        },
    )
}

impl Sender {
    /// Queue an item; the connection may be gone already, which is no matter here.
    pub fn push(&self, item: Item) {
        let len = item.len();
        self.queued.fetch_add(len, Ordering::Relaxed);
        if self.items.send(item).is_err() {
            self.queued.fetch_sub(len, Ordering::Relaxed);
        }
    }

    /// End the connection now, whatever is queued.
    pub fn reset(self) {
        self.reset.cancel();
    }

    /// Bytes pushed and not yet written to the client.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

impl Receiver {
    /// Cancelled when the connection is to be reset.
    pub fn reset_requested(&self) -> CancellationToken {
        self.reset.clone()
    }

    /// Wait for the next items, at most `batch`; 0 means the link let go without an end.
    pub async fn pop(&mut self, into: &mut Vec<Item>, batch: usize) -> usize {
        self.items.recv_many(into, batch).await
    }

    /// These bytes have been written to the client, or given up.
    pub fn consumed(&self, bytes: usize) {
        if bytes > 0 && self.queued.fetch_sub(bytes, Ordering::Relaxed) == bytes {
            self.drained.notify_one();
        }
    }
}

/// What nobody will read any more holds up nobody.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.items.close();
        self.queued.store(0, Ordering::Relaxed);
        self.drained.notify_one();
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Item::Data(data) => data.len(),
            Item::End => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_count_until_they_are_written() {
        let (sender, mut receiver) = pipe(Arc::default());
        sender.push(Item::Data(Bytes::from_static(b"hello")));
        sender.push(Item::End);
        let mut items = Vec::new();
        receiver.pop(&mut items, 8).await;
        assert_eq!(items, [Item::Data(Bytes::from_static(b"hello")), Item::End]);
        assert_eq!(sender.queued(), 5);
        receiver.consumed(5);
        assert_eq!(sender.queued(), 0);
    }

    #[tokio::test]
    async fn what_a_dead_connection_left_unread_does_not_stall_the_link() {
        let drained = Arc::new(Notify::new());
        let (sender, receiver) = pipe(Arc::clone(&drained));
        sender.push(Item::Data(Bytes::from_static(b"hello")));
        drop(receiver);
        assert_eq!(sender.queued(), 0);
        drained.notified().await;
        sender.push(Item::Data(Bytes::from_static(b"late")));
        assert_eq!(sender.queued(), 0);
    }

    #[tokio::test]
    async fn an_emptied_pipe_tells_the_link() {
        let drained = Arc::new(Notify::new());
        let (sender, receiver) = pipe(Arc::clone(&drained));
        sender.push(Item::Data(Bytes::from_static(b"hello")));
        receiver.consumed(5);
        drained.notified().await;
    }
}
