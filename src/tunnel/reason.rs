//! What ended a session, in words for the person at the database client.

use std::time::Duration;

use super::containers::Full;
use crate::proto::Failure;
use crate::status::Reason;

/// No connection is reset without a word in the log.
pub fn log_reset(reason: &Reason, connections: usize) {
    let Reason { code, message, .. } = reason;
    tracing::info!(code, error = message, connections, "connections are reset");
}

/// The service ended the session to `remote` and gave this text, which is often the agent's.
pub fn closed(output: &str, remote: &str) -> Reason {
    let text = output.to_lowercase();
    if text.contains("no such host") || text.contains("lookup ") {
        let message = format!("the bastion cannot resolve the host of {remote}: {output}");
        return Reason::new("host_not_resolved", message).with_hint(
            "check `host` in the configuration, and that the bastion's VPC resolves it",
        );
    }
    if text.contains("is forbidden") {
        let message = format!("the agent refuses to forward to {remote}: {output}");
        return Reason::new("host_refused_by_agent", message)
            .with_hint("the agent never forwards to link-local or VPC service addresses: set `host` to the database");
    }
    if text.contains("inactivity") || text.contains("timed out due to") {
        return Reason::new(
            "session_idle_timeout",
            format!("AWS ended the idle session: {output}"),
        );
    }
    if text.contains("unable to connect") {
        return refused(remote, Duration::ZERO);
    }
    let said = if output.is_empty() {
        "no reason was given"
    } else {
        output
    };
    Reason::new("session_closed", format!("AWS ended the session: {said}"))
}

/// What the system of the task gives a dial is two minutes; a port that is closed says so in milliseconds, but other
/// dials may have been before it.
const TIMED_OUT: Duration = Duration::from_secs(60);

/// The agent could not connect a stream, after so long: the port is closed, or the packets are dropped.
pub fn refused(remote: &str, after: Duration) -> Reason {
    if after >= TIMED_OUT {
        let seconds = after.as_secs();
        let message = format!(
            "the bastion cannot connect to {remote}: no answer for {seconds} s, then it gave up"
        );
        return Reason::new("connect_timed_out", message).with_hint(DROPPED);
    }
    let message = format!("the bastion cannot connect to {remote}: refused, nothing listens there");
    Reason::new("connect_failed", message)
        .with_hint("check `host` and `port`, and that the database is running")
}

/// A connection has been waiting for so long, and the agent has not even come to the end of its dial.
pub fn no_answer(remote: &str, waited: Duration) -> Reason {
    let seconds = waited.as_secs();
    let message = format!(
        "no answer from {remote} for {seconds} s: its packets seem to be dropped on the way"
    );
    Reason::new("no_answer", message).with_hint(DROPPED)
}

const DROPPED: &str = "check that the database's security group admits the bastion's, and the routes and network ACLs \
     between their subnets";

/// The agent acknowledges everything and delivers nothing, while another session works.
pub fn silent(connections: usize) -> Reason {
    let connections = match connections {
        1 => "its connection was".to_owned(),
        many => format!("its {many} connections were"),
    };
    let message = format!(
        "the agent of a session has stopped listening to it: {connections} cut, and the next goes to a new session"
    );
    Reason::new("session_silent", message)
}

/// There is no place for another session.
pub fn full(full: Full) -> Reason {
    let sessions = full.sessions;
    let message = match full.containers {
        1 => {
            format!("the bastion's container has {sessions} sessions, and bears no more at a time")
        }
        many => format!(
            "the bastion's {many} containers have {sessions} sessions, and bear no more at a time"
        ),
    };
    let hint = match full.learnt {
        true => {
            "close connections of other tunnels, or give the task definition another container: the agent takes no \
                 more sessions"
        }
        false => {
            "close connections of other tunnels, raise `max_sessions_per_container`, or give the task definition \
                  another container"
        }
    };
    Reason::new("container_full", message).with_hint(hint)
}

/// The protocol cannot go on.
pub fn failed(failure: &Failure) -> Reason {
    let code = match failure {
        Failure::HandshakeTimeout => "handshake_timeout",
        Failure::AgentTooOld(_) => "agent_too_old",
        Failure::EncryptionRequested => "encryption_requested",
        Failure::Unresponsive => "session_unresponsive",
        Failure::Handshake(_)
        | Failure::NotAPortSession
        | Failure::SessionType(_)
        | Failure::Mux(_)
        | Failure::ActionFailed { .. }
        | Failure::MuxSilent => "protocol_error",
    };
    let reason = Reason::new(code, failure.to_string());
    match failure {
        Failure::AgentTooOld(_) => {
            reason.with_hint("update the agent: aws ssm send-command --document-name AWS-UpdateSSMAgent --targets Key=InstanceIds,Values=INSTANCE")
        }
        _ => reason,
    }
}
