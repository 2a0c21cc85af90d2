//! Trouble on demand: everything that can go wrong between a client and the agent, as plain values.
//!
//! [`Faults`] are conditions that hold until changed (set with [`World::set_faults`](super::World::set_faults));
//! [`Command`] is something that happens once, to one session. Faults of the AWS API are [`ApiFault`]s.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::frames::Form;

/// Standing conditions on sessions. The default is faithful: nothing goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Seed of every random choice below.
    pub seed: u64,
    /// What happens to messages on their way from the client to the agent.
    pub to_agent: Line,
    /// What happens to messages on their way from the agent to the client.
    pub to_client: Line,
    /// End each link after so many messages (both ways together).
    pub cut_after: Option<(u64, Cut)>,
    /// The agent looks alive and is not.
    pub zombie: Zombie,
    /// How the agent's dials to the destination fare.
    pub dial: Dial,
    /// What is unusual about the handshake.
    pub handshake: Handshake,
    /// Which WebSocket requests are let in.
    pub signature: Signature,
    /// Flag 2 (TerminateSession) is acknowledged and nothing else happens.
    pub ignore_terminate: bool,
    /// How `channel_closed` is written.
    pub closed_form: Form,
}

/// One direction of a link. Rates are probabilities, 0 to 1, a message at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The message is lost.
    pub drop: f64,
    /// An acknowledgement is lost; other messages are not touched.
    pub drop_acks: f64,
    /// The message arrives twice.
    pub duplicate: f64,
    /// A stream message arrives with a wrong digest (its repeat is right again).
    pub bad_digest: f64,
    /// The message is held back for up to `reorder_by`, so others overtake it.
    pub reorder: f64,
    /// The longest time a reordered message is held.
    pub reorder_by: Duration,
    /// Every message takes this long.
    pub latency: Duration,
}

impl Line {
    /// Whether messages pass untouched.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        *self == Self::default()
    }
}

/// How a link ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Close 1000 "Bye", as the service does about hourly.
    Bye,
    /// A close frame with this code and reason.
    Close(u16, String),
    /// The TCP connection is closed without a close frame.
    Drop,
    /// The TCP connection is reset.
    Reset,
    /// Nothing is read or written any more, and nobody says so.
    HalfOpen,
}

/// An agent that does not do its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zombie {
    /// It works.
    #[default]
    No,
    /// Everything is acknowledged; no stream is served and no byte delivered (its smux server died).
    Acks,
    /// Nothing is acknowledged; WebSocket pings are still answered (its reader died).
    Mute,
}

/// What the agent's dials meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dial {
    /// The destination itself decides.
    #[default]
    Normal,
    /// No answer at all, as when a security group drops packets: later streams wait behind.
    Hang,
    /// Every dial is refused: Flag 3 and FIN.
    Refuse,
}

/// What is unusual about the handshake on its way. (What it says is `Script::agent`: session type, extra actions,
/// customer message.)
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Handshake {
    /// Nothing.
    #[default]
    Normal,
    /// The agent's messages reach the client only this long after its link came up.
    Delay(Duration),
    /// The agent says nothing at all.
    Never,
    /// The first HandshakeRequest is lost, and comes by resend.
    Lost,
    /// The HandshakeRequest arrives twice, under one number.
    Twice,
    /// No handshake: the first message is Output, as in a shell session.
    Output(Bytes),
    /// `channel_closed` with this output comes instead.
    Closed(String),
}

/// Which WebSocket requests the gateway lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// Signed or not: the token decides (as the service does today).
    #[default]
    Any,
    /// Unsigned requests are answered with this status.
    Required(u16),
    /// Signed requests are answered with this status.
    Refused(u16),
}

/// What a dying task's sessions tell their clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Death {
    /// Nothing: the service keeps the channel until the idle timeout, as in reality.
    #[default]
    Silent,
    /// `channel_closed` at once.
    Announced,
}

/// Something that happens once to one session.
#[derive(Clone, Debug)]
pub enum Command {
    /// Its link ends.
    Cut(Cut),
    /// The service ends it with this text (`None`: no `Output` at all).
    End(Option<String>),
    /// A frame is sent to the client as it is.
    Inject(Bytes),
    /// The client gets `pause_publication`, or with `start` its opposite.
    PauseClient {
        /// `start_publication` instead.
        start: bool,
    },
    /// The agent gets `pause_publication`, or with `start` its opposite.
    PauseAgent {
        /// `start_publication` instead.
        start: bool,
    },
}

/// What an AWS API call meets instead of, or after, doing its work.
#[derive(Clone, Debug)]
pub enum ApiFault {
    /// `ThrottlingException`, status 400.
    Throttle,
    /// Status 500, the service's own internal error.
    Internal,
    /// `AccessDeniedException` in IAM's words.
    AccessDenied,
    /// `ExpiredTokenException`: the caller's session token is over.
    ExpiredToken,
    /// Another error: status, code, message.
    Error(u16, String, String),
    /// `ConflictException`, which names this task.
    Conflict(String),
    /// This is the answer, with status 200, and nothing is done.
    Answer(Value),
    /// The call is done, and its answer altered.
    Rewrite(fn(&mut Value)),
    /// The call is done, and its answer lost: the connection is reset.
    LoseAnswer,
    /// The connection is reset and nothing done.
    Reset,
    /// No answer, ever.
    Hang,
    /// The call is done after this long.
    Delay(Duration),
}
