//! What comes from the far side's terminal, or from its command.

use super::{Event, Failure, Handshake, Shell};
use crate::proto::datachannel::Received;
use crate::proto::message::PayloadType;
use bytes::Bytes;
use std::time::Instant;

impl Shell {
    /// Takes the next message in order.
    pub(super) fn receive(&mut self, received: Received, now: Instant) {
        let payload = received.payload;
        match received.payload_type {
            PayloadType::HandshakeRequest => self.take_request(&payload, now),
            PayloadType::ChallengeRequest => self.take_challenge(&payload),
            PayloadType::HandshakeComplete => self.take_complete(&payload, now),
            PayloadType::Output | PayloadType::StdErr | PayloadType::ExitCode => {
                self.take_output(received.payload_type, payload);
            }
            _ => {}
        }
    }

    /// An agent that asks for a handshake says nothing before it is complete; one that does not, begins like this.
    fn take_output(&mut self, kind: PayloadType, payload: Bytes) {
        if self.handshake == Handshake::Waiting {
            self.complete(None);
        }
        let plain = match &self.cipher {
            None if matches!(self.handshake, Handshake::KeyWanted { .. }) => {
                return self.fail(Failure::Unreadable);
            }
            None => payload,
            Some(cipher) => match cipher.decrypt(&payload) {
                Ok(plain) => plain,
                Err(_) => return self.fail(Failure::Unreadable),
            },
        };
        let event = match kind {
            PayloadType::StdErr => Event::StdErr(plain),
            PayloadType::ExitCode => match exit_code(&plain) {
                Some(code) => Event::Exit(code),
                None => return,
            },
            _ => Event::Output(plain),
        };
        self.events.push_back(event);
    }
}

/// `EXIT_CODE: 3`, and a line's end.
fn exit_code(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?;
    text.trim().strip_prefix("EXIT_CODE:")?.trim().parse().ok()
}
