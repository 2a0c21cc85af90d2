//! The client's part of the handshake, with or without encryption.

use super::cipher::{Cipher, KEY_LENGTH};
use super::{Event, Failure, HANDSHAKE, Handshake, Shell};
use crate::proto::message::PayloadType;
use crate::proto::payload::{
    Challenge, FAILED, HandshakeComplete, HandshakeRequest, HandshakeResponse, KmsEncryption,
    KmsResult, ProcessedAction, RequestedAction, SUCCESS, SessionType, UNSUPPORTED, clipped,
    described,
};
use crate::proto::session::SETTLE;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize as _;
use serde_json::Value;
use std::time::Instant;

const SESSION_TYPE: &str = "SessionType";
const KMS_ENCRYPTION: &str = "KMSEncryption";
/// What `SessionType` may be.
const SHELLS: [&str; 3] = [
    "Standard_Stream",
    "InteractiveCommands",
    "NonInteractiveCommands",
];

impl Shell {
    /// The data key that [`Event::KeyWanted`] asked for: as it is, and as KMS encrypted it.
    pub fn provide_key(&mut self, key: &[u8; KEY_LENGTH], encrypted: &[u8]) {
        let Some((answers, challenged)) = self.take_answers() else {
            return;
        };
        self.cipher = Some(Cipher::client(key, self.options.seed));
        let result = KmsResult {
            key: STANDARD.encode(encrypted),
            hash: None,
            acknowledges_challenge: challenged,
        };
        let result = serde_json::to_value(result).expect("strings are JSON");
        self.respond(with_key_action(answers, SUCCESS, result, ""));
    }

    /// There is no data key, and `why`.
    pub fn refuse_key(&mut self, why: &str) {
        let Some((answers, _)) = self.take_answers() else {
            return;
        };
        self.respond(with_key_action(answers, FAILED, Value::Null, why));
        self.fail(Failure::NoKey(why.to_owned()));
    }

    /// A second request would need a second response, which kills the agent's reader: it is no news.
    pub(super) fn take_request(&mut self, payload: &[u8], now: Instant) {
        if self.handshake != Handshake::Waiting {
            return;
        }
        let request: HandshakeRequest = match serde_json::from_slice(payload) {
            Ok(request) => request,
            Err(error) => return self.fail(Failure::Handshake(described(&error))),
        };
        self.agent_version = Some(clipped(&request.agent_version));
        self.handshake_by = Some(now + 2 * HANDSHAKE);
        let (answers, failures): (Vec<_>, Vec<_>) =
            request.requested_client_actions.iter().map(process).unzip();
        let wish = request
            .requested_client_actions
            .iter()
            .find(|action| action.action_type == KMS_ENCRYPTION);
        if let Some(failure) = failures.into_iter().flatten().next() {
            self.respond(answers);
            return self.fail(failure);
        }
        match wish.map(|action| KmsEncryption::deserialize(&action.action_parameters)) {
            None => self.respond(answers),
            Some(Err(error)) => self.fail(Failure::Handshake(described(&error))),
            Some(Ok(wish)) => {
                self.handshake = Handshake::KeyWanted {
                    answers,
                    challenged: wish.challenge.is_some(),
                };
                self.events.push_back(Event::KeyWanted {
                    key_id: wish.key_id,
                    challenge: wish.challenge,
                });
            }
        }
    }

    /// The agent wants to see that both have the same key.
    pub(super) fn take_challenge(&mut self, payload: &[u8]) {
        let Some(cipher) = self.cipher.as_mut() else {
            return self.fail(Failure::Handshake("a challenge without a key".to_owned()));
        };
        let sealed = serde_json::from_slice(payload)
            .ok()
            .and_then(|request: Challenge| STANDARD.decode(request.challenge).ok());
        let Some(sealed) = sealed else {
            return self.fail(Failure::Handshake("a challenge that is none".to_owned()));
        };
        let Ok(plain) = cipher.decrypt(&sealed) else {
            return self.fail(Failure::Unreadable);
        };
        let proof = Challenge {
            challenge: STANDARD.encode(cipher.encrypt(&plain)),
        };
        let payload = serde_json::to_vec(&proof).expect("a string is JSON");
        self.channel
            .send_control(PayloadType::ChallengeResponse, payload);
    }

    pub(super) fn take_complete(&mut self, payload: &[u8], now: Instant) {
        match self.handshake {
            Handshake::Complete => return,
            Handshake::Answered => {}
            Handshake::Waiting | Handshake::KeyWanted { .. } => {
                let early = "completed before it was answered".to_owned();
                return self.fail(Failure::Handshake(early));
            }
        }
        match serde_json::from_slice::<HandshakeComplete>(payload) {
            Ok(complete) => {
                self.settled_at = Some(now + SETTLE);
                self.complete(Some(clipped(&complete.customer_message)));
            }
            Err(error) => self.fail(Failure::Handshake(described(&error))),
        }
    }

    /// The far side listens from now on, or soon.
    pub(super) fn complete(&mut self, customer_message: Option<String>) {
        self.handshake = Handshake::Complete;
        self.handshake_by = None;
        self.events.push_back(Event::Ready {
            agent_version: self.agent_version.clone(),
            customer_message: customer_message.filter(|message| !message.is_empty()),
        });
        if self.is_listening() {
            self.send_size();
        }
    }

    /// The next step of the handshake was not made in time.
    pub(super) fn handle_silent_start(&mut self) {
        match self.handshake {
            Handshake::Complete => {}
            Handshake::Waiting if !self.options.expects_greeting => self.complete(None),
            Handshake::Waiting => self.fail(Failure::HandshakeTimeout(HANDSHAKE.as_secs())),
            Handshake::KeyWanted { .. } | Handshake::Answered => {
                self.fail(Failure::HandshakeTimeout(2 * HANDSHAKE.as_secs()));
            }
        }
    }

    pub(super) fn send_size(&mut self) {
        if let Some(size) = self.size {
            let payload = serde_json::to_vec(&size).expect("numbers are JSON");
            self.channel.send_control(PayloadType::Size, payload);
        }
    }

    fn respond(&mut self, answers: Vec<ProcessedAction>) {
        self.handshake = Handshake::Answered;
        let response = HandshakeResponse::new(super::CLIENT_VERSION, answers);
        let payload = serde_json::to_vec(&response).expect("strings and numbers are JSON");
        self.channel
            .send_control(PayloadType::HandshakeResponse, payload);
    }

    fn take_answers(&mut self) -> Option<(Vec<ProcessedAction>, bool)> {
        match std::mem::replace(&mut self.handshake, Handshake::Answered) {
            Handshake::KeyWanted {
                answers,
                challenged,
            } => Some((answers, challenged)),
            other => {
                self.handshake = other;
                None
            }
        }
    }
}

/// The answer to one action, and why the shell fails if it does. That for a key is filled in later.
fn process(action: &RequestedAction) -> (ProcessedAction, Option<Failure>) {
    let failure = match action.action_type.as_str() {
        SESSION_TYPE => check_session(&action.action_parameters).err(),
        _ => None,
    };
    let status = match (action.action_type.as_str(), &failure) {
        (_, Some(_)) => FAILED,
        (SESSION_TYPE | KMS_ENCRYPTION, None) => SUCCESS,
        _ => UNSUPPORTED,
    };
    let error = match (&failure, status) {
        (Some(failure), _) => failure.to_string(),
        (None, UNSUPPORTED) => format!("unsupported action {}", action.action_type),
        (None, _) => String::new(),
    };
    let answer = ProcessedAction {
        action_type: action.action_type.clone(),
        action_status: status,
        action_result: Value::Null,
        error,
    };
    (answer, failure)
}

fn check_session(parameters: &Value) -> Result<(), Failure> {
    let session = SessionType::deserialize(parameters)
        .map_err(|error| Failure::Handshake(described(&error)))?;
    match SHELLS.contains(&session.session_type.as_str()) {
        true => Ok(()),
        false => Err(Failure::SessionType(clipped(&session.session_type))),
    }
}

fn with_key_action(
    mut answers: Vec<ProcessedAction>,
    status: u32,
    result: Value,
    error: &str,
) -> Vec<ProcessedAction> {
    for answer in &mut answers {
        if answer.action_type == KMS_ENCRYPTION {
            answer.action_status = status;
            answer.action_result = result.clone();
            answer.error = error.to_owned();
        }
    }
    answers
}
