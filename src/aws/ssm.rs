//! The calls of SSM: start, resume, end and count sessions; ask whether an agent is connected.

use std::{fmt, time::SystemTime};

use aws_sdk_ssm::operation::start_session::builders::StartSessionFluentBuilder;
use aws_sdk_ssm::types::{ConnectionStatus, SessionFilter, SessionFilterKey, SessionState};

use super::{
    Aws, StreamUrl, Token,
    error::{Error, Kind},
    paced::now,
};

/// The document that dials a host from the target.
const TO_REMOTE_HOST: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// The document that dials the target itself.
const TO_TARGET: &str = "AWS-StartPortForwardingSession";

/// Longest reason that StartSession takes, on one line (AWS API model).
const MAX_REASON: usize = 256;

/// The id of an SSM session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// An id that AWS gave, now or before a restart.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session that AWS has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session.
    pub id: SessionId,
    /// Where it leads.
    pub target: String,
    /// What StartSession was told.
    pub reason: Option<String>,
    /// When it was started.
    pub started_at: Option<SystemTime>,
}

/// A session that can be connected to: once, within seconds.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The session.
    pub id: SessionId,
    /// What opens the data channel, once.
    pub token: Token,
    /// Where the data channel is.
    pub url: StreamUrl,
}

impl Aws {
    /// Starts a session from `target` to `host`:`port`, or to the target's own `port`. One call at a time
    /// and one a second; never repeated by itself, since each may leave a session behind. `reason` shows in
    /// AWS's session list and in CloudTrail.
    pub async fn start_session(
        &self,
        target: &str,
        host: Option<&str>,
        port: u16,
        reason: &str,
    ) -> Result<Opened, Error> {
        let document = match host {
            Some(_) => TO_REMOTE_HOST,
            None => TO_TARGET,
        };
        self.start_session_by(document, target, host, port, reason)
            .await
    }

    /// The same by a `document` of one's own, which takes the same parameters and may accept fewer hosts and ports.
    pub async fn start_session_by(
        &self,
        document: &str,
        target: &str,
        host: Option<&str>,
        port: u16,
        reason: &str,
    ) -> Result<Opened, Error> {
        let mut request = self
            .ssm()
            .start_session()
            .target(target)
            .document_name(document)
            .parameters("portNumber", vec![port.to_string()])
            // Only echoed to the client; the listener is ours.
            .parameters("localPortNumber", vec!["0".to_owned()])
            .set_reason(one_line(reason));
        if let Some(host) = host {
            request = request.parameters("host", vec![host.to_owned()]);
        }
        self.begin(request).await
    }

    /// Starts a session by any document.
    pub(super) async fn begin(&self, request: StartSessionFluentBuilder) -> Result<Opened, Error> {
        // An attempt that is given up may have started a session all the same, so there is one, as long as all of a call.
        let once = || self.once_and_long();
        let mut turn = self.paces().start.lock().await;
        tokio::time::sleep(turn.wait(now())).await;
        turn.take(now());
        // The turn is kept until the answer is there.
        let reply = self
            .call("StartSession", || {
                request.clone().customize().config_override(once()).send()
            })
            .await;
        match &reply {
            Err(error) if error.kind == Kind::Throttled => turn.throttled(now()),
            _ => turn.taken(),
        }
        drop(turn);
        let reply = reply?;
        let id = SessionId::new(reply.session_id.unwrap_or_default());
        let opened = self.opened("StartSession", &id, reply.token_value, reply.stream_url);
        if !matches!(opened, Ok(Some(_))) && !id.as_str().is_empty() {
            // Nobody will ever connect to it; the error that made it useless is the one to tell.
            let _ = self.terminate_session(&id).await;
        }
        opened?.ok_or_else(|| self.untrusted("StartSession", "the answer has no token".to_owned()))
    }

    /// A fresh token and URL for a session whose link was lost; `None` when the session is over.
    pub async fn resume_session(&self, id: &SessionId) -> Result<Option<Opened>, Error> {
        let request = self.ssm().resume_session().session_id(id.as_str());
        // Whoever resumes a session tries again by himself.
        let reply = self
            .paced("ResumeSession", &self.paces().resume, |once| {
                request.clone().customize().config_override(once).send()
            })
            .await;
        match reply {
            Ok(reply) => self.opened("ResumeSession", id, reply.token_value, reply.stream_url),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends a session; one that is over already counts as ended.
    pub async fn terminate_session(&self, id: &SessionId) -> Result<(), Error> {
        let request = self.ssm().terminate_session().session_id(id.as_str());
        let reply = self
            .paced_patiently("TerminateSession", &self.paces().terminate, |once| {
                request.clone().customize().config_override(once).send()
            })
            .await;
        match reply {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the agent of `target` is connected to AWS.
    pub async fn connection_status(&self, target: &str) -> Result<bool, Error> {
        let request = self.ssm().get_connection_status().target(target);
        let reply = self
            .call("GetConnectionStatus", || request.clone().send())
            .await?;
        Ok(reply.status == Some(ConnectionStatus::Connected))
    }

    /// The active sessions on `target`, everybody's.
    pub async fn active_sessions(&self, target: &str) -> Result<Vec<SessionId>, Error> {
        let filter = SessionFilter::builder()
            .key(SessionFilterKey::TargetId)
            .value(target)
            .build();
        let filter = filter.expect("key and value are set");
        let sessions = self.described_sessions(Some(filter)).await?;
        Ok(sessions.into_iter().map(|session| session.id).collect())
    }

    /// The active sessions of the account, everybody's.
    pub async fn open_sessions(&self) -> Result<Vec<OpenSession>, Error> {
        self.described_sessions(None).await
    }

    async fn described_sessions(
        &self,
        filter: Option<SessionFilter>,
    ) -> Result<Vec<OpenSession>, Error> {
        let filters = filter.map(|filter| vec![filter]);
        let mut sessions = Vec::new();
        let mut page = None;
        loop {
            let request = self
                .ssm()
                .describe_sessions()
                .state(SessionState::Active)
                .set_filters(filters.clone());
            let request = request.set_next_token(page);
            let reply = self
                .paced_patiently("DescribeSessions", &self.paces().describe, |once| {
                    request.clone().customize().config_override(once).send()
                })
                .await?;
            let described = reply.sessions.unwrap_or_default().into_iter();
            sessions.extend(described.filter_map(|session| {
                Some(OpenSession {
                    id: SessionId(session.session_id?),
                    target: session.target.unwrap_or_default(),
                    reason: session.reason,
                    started_at: session.start_date.and_then(|at| at.try_into().ok()),
                })
            }));
            page = reply.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(sessions);
            }
        }
    }

    /// An answer without a token tells of a session that is over.
    pub(super) fn opened(
        &self,
        operation: &'static str,
        id: &SessionId,
        token: Option<String>,
        url: Option<String>,
    ) -> Result<Option<Opened>, Error> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let url = StreamUrl::parse(&url.unwrap_or_default(), self.is_loopback());
        let url = url.map_err(|refused| self.untrusted(operation, refused.to_string()))?;
        Ok(Some(Opened {
            id: id.clone(),
            token: Token::new(token),
            url,
        }))
    }

    pub(super) fn untrusted(&self, operation: &'static str, message: String) -> Error {
        self.failure(operation, None, message, Kind::Untrusted)
    }
}

pub(super) fn one_line(reason: &str) -> Option<String> {
    let line: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON)
        .collect();
    Some(line).filter(|line| !line.trim().is_empty())
}
