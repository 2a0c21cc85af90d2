//! What is remembered of a session and of its links.

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    faults::{Command, Faults},
    gateway::Upgraded,
};

/// An SSM session as the service and its agent know it.
#[derive(Clone, Debug)]
pub struct Session {
    /// `SessionId`.
    pub id: String,
    /// The target it was started for.
    pub target: String,
    /// The document's name.
    pub document: String,
    /// Where its streams go: the document's host, `localhost` without one.
    pub host: String,
    /// The port its streams go to.
    pub port: u16,
    /// StartSession's `Reason`.
    pub reason: Option<String>,
    /// When StartSession was answered.
    pub started: Instant,
    /// Why and when it ended.
    pub ended: Option<(Instant, End)>,
    /// Links opened so far.
    pub links: usize,
    /// Whether a link is up.
    pub linked: bool,
    /// Whether the handshake is complete.
    pub ready: bool,
    /// Streams that the client opened so far.
    pub opened: usize,
    /// Streams with a connection to the destination.
    pub streams: usize,
    /// Dials that failed.
    pub refused: usize,
    /// Times that Flag 2 (TerminateSession) came in.
    pub terminate_flags: usize,
    /// Frames that the agent ignored as malformed.
    pub rejected: usize,
}

impl Session {
    /// Whether the service still has it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.ended.is_none()
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client's Flag 2.
    Flag,
    /// The TerminateSession call.
    Api,
    /// The shell or the command ended.
    Exited,
    /// No input for the idle timeout.
    Idle,
    /// The agent failed, in these words.
    Failed(String),
    /// The task died.
    Died,
    /// A test's command.
    Commanded,
}

/// A WebSocket request as the gateway saw it.
#[derive(Clone)]
pub struct Link {
    /// When.
    pub at: Instant,
    /// The session named in the path; empty when there was none.
    pub session: String,
    /// The request target byte for byte.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status it was answered with; 101 when let in.
    pub status: u16,
    /// The first frame, once it came and could be read.
    pub open: Option<Opening>,
    /// Why it is over, once it is.
    pub ended: Option<String>,
}

impl Link {
    /// A header's value; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the request was signed, by header or in the query.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.header("authorization").is_some() || self.target.contains("X-Amz-Signature=")
    }

    /// Whether the gateway let it in and its token was good.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.accepted)
    }
}

/// The first frame of a link, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// `MessageSchemaVersion`.
    pub schema_version: String,
    /// `RequestId`: new for each link.
    pub request_id: String,
    /// `ClientId`: one for the whole session.
    pub client_id: String,
    /// `ClientVersion`.
    pub client_version: String,
    /// Whether its token opened the session.
    pub accepted: bool,
}

/// A session with the ways to reach its agent.
pub(super) struct Entry {
    pub public: Session,
    /// Tokens issued and not used, with the end of their validity.
    pub tokens: Vec<(String, Instant)>,
    pub faults: watch::Sender<Faults>,
    pub agent: mpsc::Sender<ToAgent>,
}

/// What the simulator tells the agent of a session.
pub(super) enum ToAgent {
    /// A WebSocket whose token was good, and its place among the links.
    Attach(Box<Upgraded>, usize),
    /// ResumeSession was called: the idle timer starts anew.
    Resumed,
    /// TerminateSession was called.
    Terminate,
    /// A test wants something to happen.
    Command(Command),
}
