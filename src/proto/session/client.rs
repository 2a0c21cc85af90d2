//! The client's half: answering the handshake, and what the agent says.

use super::{Event, Failure, Handshake, Session};
use crate::proto::datachannel::Received;
use crate::proto::message::PayloadType;
use crate::proto::payload::{
    FAILED, Flag, HandshakeComplete, HandshakeRequest, HandshakeResponse, ProcessedAction,
    RequestedAction, SUCCESS, SessionType, UNSUPPORTED, clipped, described,
};
use crate::proto::version::{self, Traits};
use bytes::Bytes;
use serde_json::Value;
use std::time::Instant;

impl Session {
    /// Takes the next message in order.
    pub(super) fn client_receives(&mut self, received: Received, now: Instant) {
        match (received.payload_type, self.handshake) {
            (PayloadType::HandshakeRequest, Handshake::Waiting) => {
                self.answer_request(&received.payload)
            }
            (PayloadType::HandshakeComplete, Handshake::Answered) => {
                self.take_complete(&received.payload, now)
            }
            (PayloadType::HandshakeComplete, Handshake::Waiting) => {
                self.fail(Failure::Handshake("completed without a request".to_owned()));
            }
            (PayloadType::Output, Handshake::Waiting) => self.fail(Failure::NotAPortSession),
            (PayloadType::Output, _) => self.take_output(received.payload),
            (PayloadType::Flag, _)
                if Flag::parse(&received.payload) == Some(Flag::ConnectToPortError) =>
            {
                self.connect_failures += 1;
                self.mux.connect_failed();
            }
            // A second request would need a second response, which kills the agent's reader. The rest is no news.
            _ => {}
        }
    }

    fn take_output(&mut self, payload: Bytes) {
        if let Err(error) = self.mux.input(payload) {
            self.fail(error.into());
        }
    }

    fn answer_request(&mut self, payload: &[u8]) {
        let mut request: HandshakeRequest = match serde_json::from_slice(payload) {
            Ok(request) => request,
            Err(error) => return self.fail(Failure::Handshake(described(&error))),
        };
        request.agent_version = clipped(&request.agent_version);
        self.handshake = Handshake::Answered;
        self.traits = Traits::of(&request.agent_version);
        if !self.traits.acks_duplicates {
            self.channel.expect_wedges();
        }
        let answers: Vec<_> = request
            .requested_client_actions
            .iter()
            .map(|action| self.process(action, &request))
            .collect();
        self.peer_version = Some(request.agent_version);
        let asked = answers
            .iter()
            .any(|(action, _)| action.action_type == SESSION_TYPE);
        let unasked =
            (!asked).then(|| Failure::Handshake("no session type was asked for".to_owned()));
        let failure = answers
            .iter()
            .find_map(|(_, failure)| failure.clone())
            .or(unasked);
        self.respond(answers.into_iter().map(|(action, _)| action).collect());
        if let Some(failure) = failure {
            self.fail(failure);
        }
    }

    /// The answer to one action, and why the session fails if it does.
    fn process(
        &self,
        action: &RequestedAction,
        request: &HandshakeRequest,
    ) -> (ProcessedAction, Option<Failure>) {
        let (status, failure) = match action.action_type.as_str() {
            SESSION_TYPE => {
                match self.check_session(&action.action_parameters, &request.agent_version) {
                    Ok(()) => (SUCCESS, None),
                    Err(failure) => (FAILED, Some(failure)),
                }
            }
            "KMSEncryption" => (UNSUPPORTED, Some(Failure::EncryptionRequested)),
            _ => (UNSUPPORTED, None),
        };
        let error = match (&failure, status) {
            (Some(failure), _) => failure.to_string(),
            (None, SUCCESS) => String::new(),
            (None, _) => format!("unsupported action {}", action.action_type),
        };
        let (action_type, action_result) = (action.action_type.clone(), Value::Null);
        (
            ProcessedAction {
                action_type,
                action_status: status,
                action_result,
                error,
            },
            failure,
        )
    }

    fn check_session(&self, parameters: &Value, agent_version: &str) -> Result<(), Failure> {
        version::check(agent_version, self.options.remote_host)?;
        let session: SessionType = serde::Deserialize::deserialize(parameters)
            .map_err(|error| Failure::Handshake(described(&error)))?;
        if session.session_type != "Port" {
            return Err(Failure::SessionType(clipped(&session.session_type)));
        }
        if session.properties["type"] != "LocalPortForwarding" {
            return Err(Failure::SessionType(
                "Port without LocalPortForwarding".to_owned(),
            ));
        }
        Ok(())
    }

    fn respond(&mut self, actions: Vec<ProcessedAction>) {
        let response = HandshakeResponse::new(&self.options.client_version, actions);
        let payload = serde_json::to_vec(&response).expect("strings and numbers are JSON");
        self.channel
            .send_control(PayloadType::HandshakeResponse, payload);
    }

    fn take_complete(&mut self, payload: &[u8], now: Instant) {
        let complete: HandshakeComplete = match serde_json::from_slice(payload) {
            Ok(complete) => complete,
            Err(error) => return self.fail(Failure::Handshake(described(&error))),
        };
        self.handshake = Handshake::Complete;
        self.timers.completed(now);
        self.timers.settle(self.traits.keeps_early_data, now);
        self.events.push_back(Event::Ready {
            agent_version: self.peer_version.clone().unwrap_or_default(),
            customer_message: Some(clipped(&complete.customer_message))
                .filter(|message| !message.is_empty()),
        });
    }
}

const SESSION_TYPE: &str = "SessionType";
