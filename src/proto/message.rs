//! One message: the unit of the data channel, one binary WebSocket frame each.
//!
//! Turns bytes into a [`Message`] and back, and checks what can be checked without state. What a message means is left
//! to `datachannel` and `session`. Decoding copies nothing: the payload is a slice of the frame. All integers are
//! big-endian; `docs/protocol.md` has the table.

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;
use uuid::Uuid;

/// The length of the header as we write it; also the value of its first field, which is where the payload's length
/// stands.
pub const HEADER: usize = 116;
/// Bytes of a message before its payload: the header and the payload's length.
pub const OVERHEAD: usize = HEADER + 4;

/// The header without the payload type, as the service writes it in some `channel_closed`.
const SHORT_HEADER: usize = 112;
const KIND: std::ops::Range<usize> = 4..36;
const DIGEST: std::ops::Range<usize> = 80..112;

/// A decoded message, or one to be encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What the message is for.
    pub kind: Kind,
    /// Milliseconds since the Unix epoch at its creation.
    pub created: u64,
    /// Its number among the stream data of its direction; 0 in all others.
    pub sequence: i64,
    /// Bit 0 SYN, bit 1 FIN. Written as the reference does; nobody reads it.
    pub flags: u64,
    /// Its identity, the same in every repeat.
    pub id: Uuid,
    /// What the payload is; `None` only in the short header that the service writes.
    pub payload_type: Option<PayloadType>,
    /// The payload, a slice of the frame when decoded.
    pub payload: Bytes,
    digest: [u8; 32],
}

impl Message {
    /// Reads one frame. The digest is read, not compared: see [`Message::check_digest`].
    ///
    /// `pause_publication` and `start_publication` are taken by their name alone, as the reference client does.
    pub fn decode(frame: Bytes) -> Result<Self, Error> {
        let kind = read_kind(&frame)?;
        if matches!(kind, Kind::PausePublication | Kind::StartPublication) {
            return Ok(Self::bare(kind));
        }
        let header = header_length(&frame)?;
        let payload = frame.slice(header + 4..);
        let said = u32::from_be_bytes(read(&frame, header));
        if usize::try_from(said) != Ok(payload.len()) {
            return Err(Error::PayloadLength {
                said,
                actual: payload.len(),
            });
        }
        let created = u64::from_be_bytes(read(&frame, 40));
        if created == 0 {
            return Err(Error::NoDate);
        }
        Ok(Self {
            kind,
            created,
            sequence: i64::from_be_bytes(read(&frame, 48)),
            flags: u64::from_be_bytes(read(&frame, 56)),
            id: read_id(&frame),
            payload_type: (header >= HEADER).then(|| u32::from_be_bytes(read(&frame, 112)).into()),
            payload,
            digest: read(&frame, DIGEST.start),
        })
    }

    /// A message to be encoded, with a full header.
    pub fn new(head: Head, payload: Bytes) -> Self {
        Self {
            kind: head.kind,
            created: head.created,
            sequence: head.sequence,
            flags: head.flags,
            id: head.id,
            payload_type: Some(head.payload_type),
            digest: Sha256::digest(&payload).into(),
            payload,
        }
    }

    /// The message as one frame; with the short header if it has no payload type.
    pub fn encode(&self) -> Bytes {
        let head = Head {
            kind: self.kind,
            created: self.created,
            sequence: self.sequence,
            flags: self.flags,
            id: self.id,
            payload_type: self.payload_type.unwrap_or(PayloadType::Unset),
        };
        let mut buffer = BytesMut::with_capacity(OVERHEAD + self.payload.len());
        let header = if self.payload_type.is_some() {
            HEADER
        } else {
            SHORT_HEADER
        };
        write(&mut buffer, &head, header, |buffer| {
            buffer.put_slice(&self.payload)
        });
        buffer.freeze()
    }

    /// Compares the payload with the header's digest. An empty payload needs none, as in the reference client.
    pub fn check_digest(&self) -> Result<(), Error> {
        let fits = self.payload.is_empty() || Sha256::digest(&self.payload)[..] == self.digest;
        if fits { Ok(()) } else { Err(Error::Digest) }
    }

    fn bare(kind: Kind) -> Self {
        Self {
            kind,
            created: 0,
            sequence: 0,
            flags: 0,
            id: Uuid::nil(),
            payload_type: None,
            payload: Bytes::new(),
            digest: [0; 32],
        }
    }
}

/// Payloads carry users' bytes, so only their length is shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("sequence", &self.sequence)
            .field("flags", &self.flags)
            .field("id", &self.id)
            .field("payload_type", &self.payload_type)
            .field("payload_length", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// All of a message but its payload.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// See [`Message::kind`].
    pub kind: Kind,
    /// See [`Message::created`].
    pub created: u64,
    /// See [`Message::sequence`].
    pub sequence: i64,
    /// See [`Message::flags`].
    pub flags: u64,
    /// See [`Message::id`].
    pub id: Uuid,
    /// What the payload is.
    pub payload_type: PayloadType,
}

/// Encodes one message at the end of `buffer` and splits it off; `payload` appends the payload.
///
/// Many messages cut from one large buffer share its allocation: this is how the hot paths avoid one each.
pub fn encode(buffer: &mut BytesMut, head: &Head, payload: impl FnOnce(&mut BytesMut)) -> Bytes {
    write(buffer, head, HEADER, payload);
    buffer.split().freeze()
}

fn write(buffer: &mut BytesMut, head: &Head, header: usize, payload: impl FnOnce(&mut BytesMut)) {
    debug_assert!(
        buffer.is_empty(),
        "a message begins where the last one was split off"
    );
    let mut kind = [b' '; KIND.end - KIND.start];
    let name = head.kind.name().as_bytes();
    kind[..name.len()].copy_from_slice(name);
    let (high, low) = head.id.as_bytes().split_at(8);

    buffer.put_u32(header as u32);
    buffer.put_slice(&kind);
    buffer.put_u32(1);
    buffer.put_u64(head.created);
    buffer.put_i64(head.sequence);
    buffer.put_u64(head.flags);
    buffer.put_slice(low);
    buffer.put_slice(high);
    buffer.put_bytes(0, DIGEST.end - DIGEST.start);
    if header >= HEADER {
        buffer.put_u32(head.payload_type.into());
    }
    buffer.put_u32(0);
    let start = buffer.len();
    payload(buffer);
    let length = (buffer.len() - start) as u32;
    buffer[start - 4..start].copy_from_slice(&length.to_be_bytes());
    let digest = Sha256::digest(&buffer[start..]);
    buffer[DIGEST].copy_from_slice(&digest);
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbered data from the client.
    InputStreamData,
    /// Numbered data from the agent.
    OutputStreamData,
    /// One number of the other direction has arrived.
    Acknowledge,
    /// The service has ended the session.
    ChannelClosed,
    /// The service asks to stop sending data.
    PausePublication,
    /// The service allows to send data again.
    StartPublication,
    /// Between agent and service only.
    AgentSessionState,
    /// Between service and a few agent releases only.
    DataChannelReady,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::InputStreamData,
        Self::OutputStreamData,
        Self::Acknowledge,
        Self::ChannelClosed,
        Self::PausePublication,
        Self::StartPublication,
        Self::AgentSessionState,
        Self::DataChannelReady,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InputStreamData => "input_stream_data",
            Self::OutputStreamData => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::PausePublication => "pause_publication",
            Self::StartPublication => "start_publication",
            Self::AgentSessionState => "agent_session_state",
            Self::DataChannelReady => "data_channel_ready",
        }
    }
}

/// What the payload of stream data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    /// 0: in all that is not stream data.
    Unset,
    /// 1: raw bytes; in a tunnel, smux.
    Output,
    /// 3: JSON, from the client: the size of its terminal.
    Size,
    /// 5: JSON, from the agent.
    HandshakeRequest,
    /// 6: JSON, from the client.
    HandshakeResponse,
    /// 7: JSON, from the agent.
    HandshakeComplete,
    /// 8: JSON, from the agent: prove that you have the key.
    ChallengeRequest,
    /// 9: JSON, from the client: the proof.
    ChallengeResponse,
    /// 10: four bytes, see [`super::payload::Flag`].
    Flag,
    /// 11: raw bytes, from the agent: what a command wrote to its standard error.
    StdErr,
    /// 12: text, from the agent: how a command ended.
    ExitCode,
    /// Any other: acknowledged and ignored.
    Other(u32),
}

impl From<u32> for PayloadType {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Unset,
            1 => Self::Output,
            3 => Self::Size,
            5 => Self::HandshakeRequest,
            6 => Self::HandshakeResponse,
            7 => Self::HandshakeComplete,
            8 => Self::ChallengeRequest,
            9 => Self::ChallengeResponse,
            10 => Self::Flag,
            11 => Self::StdErr,
            12 => Self::ExitCode,
            other => Self::Other(other),
        }
    }
}

impl From<PayloadType> for u32 {
    fn from(kind: PayloadType) -> Self {
        match kind {
            PayloadType::Unset => 0,
            PayloadType::Output => 1,
            PayloadType::Size => 3,
            PayloadType::HandshakeRequest => 5,
            PayloadType::HandshakeResponse => 6,
            PayloadType::HandshakeComplete => 7,
            PayloadType::ChallengeRequest => 8,
            PayloadType::ChallengeResponse => 9,
            PayloadType::Flag => 10,
            PayloadType::StdErr => 11,
            PayloadType::ExitCode => 12,
            PayloadType::Other(other) => other,
        }
    }
}

/// Why a frame was ignored. None of these ends a link or a session: what mattered comes again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Too short to hold what it must.
    #[error("frame of {0} bytes is too short for a message")]
    Truncated(usize),
    /// The header's length lies outside of what a header can be, or of the frame.
    #[error("header length {0} is not that of a message")]
    HeaderLength(u32),
    /// The payload is not as long as the header says.
    #[error("payload length {said} is not the {actual} bytes that follow")]
    PayloadLength {
        /// What the header says.
        said: u32,
        /// What is there.
        actual: usize,
    },
    /// The payload does not have the digest that the header says.
    #[error("payload digest does not match")]
    Digest,
    /// The creation date is zero, which the reference refuses too.
    #[error("message has no creation date")]
    NoDate,
    /// No message of this name is known. The name is escaped and at most 32 bytes of the frame.
    #[error("unknown message type `{0}`")]
    UnknownKind(String),
    /// A known message that only the other side sends.
    #[error("message type `{0}` is not for this side")]
    WrongWay(&'static str),
    /// The payload is not what its kind promises.
    #[error("{0} payload cannot be read")]
    Payload(&'static str),
    /// More early messages than are kept while one is missing; it comes again.
    #[error("message {0} came too early to be kept")]
    TooEarly(i64),
    /// The agent's port plugin is not ready for it; it comes again.
    #[error("message {0} came before the port was ready")]
    NotReady(i64),
    /// The session has ended.
    #[error("session is over")]
    Over,
}

fn read_kind(frame: &[u8]) -> Result<Kind, Error> {
    let field = frame.get(KIND).ok_or(Error::Truncated(frame.len()))?;
    let name = trim(field);
    let known = Kind::ALL
        .into_iter()
        .find(|kind| kind.name().as_bytes() == name);
    known.ok_or_else(|| Error::UnknownKind(name.escape_ascii().to_string()))
}

/// The reference trims NUL, then white space.
fn trim(field: &[u8]) -> &[u8] {
    let start = field.iter().take_while(|&&byte| byte == 0).count();
    let end = field.iter().rev().take_while(|&&byte| byte == 0).count();
    field
        .get(start..field.len() - end)
        .unwrap_or_default()
        .trim_ascii()
}

/// Where the payload's length stands, known to lie inside the frame.
fn header_length(frame: &[u8]) -> Result<usize, Error> {
    if frame.len() < SHORT_HEADER + 4 {
        return Err(Error::Truncated(frame.len()));
    }
    let said = u32::from_be_bytes(read(frame, 0));
    let header = usize::try_from(said).map_err(|_| Error::HeaderLength(said))?;
    if header < SHORT_HEADER || header > frame.len() - 4 {
        return Err(Error::HeaderLength(said));
    }
    Ok(header)
}

fn read_id(frame: &[u8]) -> Uuid {
    let mut id = read::<16>(frame, 64);
    id.rotate_left(8);
    Uuid::from_bytes(id)
}

/// `N` bytes at `offset`, which the caller has checked to lie inside the frame.
fn read<const N: usize>(frame: &[u8], offset: usize) -> [u8; N] {
    frame[offset..offset + N]
        .try_into()
        .expect("a slice of N bytes")
}
