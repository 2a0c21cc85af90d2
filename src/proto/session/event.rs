//! What a session tells its owner.

use crate::proto::smux::{self, StreamId};
use crate::proto::version;
use std::time::{Duration, Instant};
use thiserror::Error;

/// News for the owner of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is complete; comes once. An agent tells its own version, and no message.
    Ready {
        /// What the agent says it is.
        agent_version: String,
        /// For the user, never empty.
        customer_message: Option<String>,
    },
    /// Agent only: the client opened a stream.
    Opened(StreamId),
    /// The stream had nothing to read and now has: [`super::Session::read`] until `None`. Not repeated while it has.
    Readable(StreamId),
    /// The remote end sent all it will. What it sent before can still be read; then [`super::Session::finish`].
    Finished(StreamId),
    /// Client only: the agent could not reach the destination for this stream. Already removed: no `finish` needed.
    Refused(StreamId),
    /// Client only: the stream was finished before the agent said anything about it, and now the agent did. Its dial is
    /// over, and so are all before it. A stream that is opened and finished at once is a probe of the agent's mux.
    Answered(StreamId),
    /// Nothing was acknowledged for 30 s of a living link while something should have been: take a new link. Comes once
    /// a link. If there is none within 60 s of the next link either, [`Failure::Unresponsive`] follows.
    Unresponsive,
    /// Agent only: the client wishes to end the session.
    TerminateRequested,
    /// The service ended the session; final. No resume, no TerminateSession.
    Closed {
        /// The service's or the agent's reason; may be empty.
        output: String,
    },
    /// The session cannot go on; final. The service does not know: end the session there.
    Failed(Failure),
}

/// Why a session cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No HandshakeComplete within 15 s of the first link.
    #[error("the agent did not complete the handshake within 15 s")]
    HandshakeTimeout,
    /// The agent's handshake message cannot be read, or came out of turn.
    #[error("the agent's handshake cannot be understood: {0}")]
    Handshake(String),
    /// Data came without a handshake, as in a shell session.
    #[error("not a port session: the agent sent data without a handshake")]
    NotAPortSession,
    /// A session of a kind that is no tunnel.
    #[error("not a session that carries a tunnel, but `{0}`: is the document right?")]
    SessionType(String),
    /// The agent lacks something the tunnel needs.
    #[error(transparent)]
    AgentTooOld(#[from] version::TooOld),
    /// The agent wants KMS encryption, which port sessions never have.
    #[error("the agent asks for KMS encryption, which a tunnel does not have")]
    EncryptionRequested,
    /// The far side's mux cannot be followed any more.
    #[error("the streams inside the session broke: {0}")]
    Mux(#[from] smux::Error),
    /// No acknowledgement for 30 s, and none for 60 s of a new link.
    #[error("the agent acknowledges nothing, on a new link neither")]
    Unresponsive,
    /// Agent only: an action it asked for was not processed by the client.
    #[error("{action} failed on client with status {status}: {error}")]
    ActionFailed {
        /// The action's type.
        action: String,
        /// What the client said.
        status: u32,
        /// Why, as the client said.
        error: String,
    },
    /// Agent only: nothing came for the mux in a whole keepalive period.
    #[error("nothing came from the client in a keepalive period")]
    MuxSilent,
}

/// A named deadline of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A message may have to be sent again.
    Resend,
    /// More of what must be sent again after a reconnect may go.
    Burst,
    /// An agent has rested after its last message.
    Pace,
    /// A pause has lasted long enough.
    Pause,
    /// The handshake should be complete.
    Handshake,
    /// The agent should be ready for data by now.
    Settle,
    /// Something should have been acknowledged by now.
    Silence,
    /// An agent that does not repeat acknowledgements is to be asked for one.
    Probe,
    /// A message that does nothing is to be sent.
    Keepalive,
    /// An agent looks whether something came for its mux.
    MuxSilence,
    /// The mux of an agent says that it is there.
    MuxNop,
}

/// How a session is doing. Cheap to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The smoothed round trip to the agent; `None` before the first acknowledgement.
    pub rtt: Option<Duration>,
    /// Unacknowledged messages allowed.
    pub window: usize,
    /// Messages sent and not acknowledged.
    pub unacked: usize,
    /// Bytes taken by `write` and not sent yet, frame headers included.
    pub unsent_bytes: usize,
    /// Bytes received and not read yet, over all streams.
    pub unread_bytes: usize,
    /// Streams open.
    pub streams: usize,
    /// Streams opened for which neither a byte nor an end has come: the agent may still be dialling.
    pub unresolved: usize,
    /// How long ago the oldest of those was sent.
    pub oldest_unresolved: Option<Duration>,
    /// Stream messages sent, repeats not counted.
    pub messages_sent: u64,
    /// Stream messages accepted, duplicates not counted.
    pub messages_received: u64,
    /// Bytes written to streams.
    pub bytes_sent: u64,
    /// Bytes received for streams.
    pub bytes_received: u64,
    /// Messages sent again, each time counted.
    pub resent: u64,
    /// Messages received that were there already.
    pub duplicates: u64,
    /// Frames ignored: damaged, unknown, or too early to keep.
    pub dropped: u64,
    /// Streams that the agent could not connect.
    pub connect_failures: u64,
    /// When the agent last acknowledged anything.
    pub last_ack: Option<Instant>,
}

/// Something that the service says by itself; see [`super::Session::notice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `pause_publication`.
    Pause,
    /// `start_publication`.
    Start,
    /// `channel_closed`.
    Closed {
        /// The session that ended.
        session_id: String,
        /// Why.
        output: String,
        /// Whether with the short header that the service has been seen to use.
        short_header: bool,
    },
}
