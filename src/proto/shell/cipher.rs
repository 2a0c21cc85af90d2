//! The encryption that an account may ask of shells, by a data key of its KMS key.
//!
//! The key is 64 bytes: the agent encrypts with the first half, the client with the second. What is encrypted is a nonce
//! of 12 bytes, AES-256-GCM's ciphertext, and its tag of 16 bytes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::{Bytes, BytesMut};
use std::fmt;

/// Bytes of a data key.
pub const KEY_LENGTH: usize = 64;
/// By how much a payload grows.
pub const GROWTH: usize = NONCE_LEN + 16;

/// One end of an encrypted session.
pub struct Cipher {
    seal: LessSafeKey,
    open: LessSafeKey,
    /// Each value serves once. Older agents draw theirs at random; both kinds are told with the message.
    nonce: u128,
}

/// What cannot be decrypted: another key, a flipped bit, an end cut off. Which of these, nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Cipher {
    /// The client's end. The first nonce follows from `seed`: no key serves two sessions, so it need not be secret.
    pub fn client(key: &[u8; KEY_LENGTH], seed: u64) -> Self {
        let (agent, client) = key.split_at(KEY_LENGTH / 2);
        Self::new(client, agent, seed)
    }

    /// The agent's end.
    pub fn agent(key: &[u8; KEY_LENGTH], seed: u64) -> Self {
        let (agent, client) = key.split_at(KEY_LENGTH / 2);
        Self::new(agent, client, seed)
    }

    fn new(seal: &[u8], open: &[u8], seed: u64) -> Self {
        let key = |half| UnboundKey::new(&AES_256_GCM, half).expect("a half has 32 bytes");
        Self {
            seal: LessSafeKey::new(key(seal)),
            open: LessSafeKey::new(key(open)),
            nonce: fastrand::Rng::with_seed(seed).u128(..),
        }
    }

    /// A payload for the wire.
    pub fn encrypt(&mut self, plain: &[u8]) -> Bytes {
        self.nonce = self.nonce.wrapping_add(1);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&self.nonce.to_le_bytes()[..NONCE_LEN]);
        let mut sealed = BytesMut::with_capacity(plain.len() + GROWTH);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .seal
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut sealed[NONCE_LEN..])
            .expect("a message is far shorter than the cipher's limit");
        sealed.extend_from_slice(tag.as_ref());
        sealed.freeze()
    }

    /// What a payload from the wire says.
    pub fn decrypt(&self, sealed: &[u8]) -> Result<Bytes, Unreadable> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(Unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unreadable)?;
        let mut rest = BytesMut::from(rest);
        let length = self
            .open
            .open_in_place(nonce, Aad::empty(), &mut rest)
            .map_err(|_| Unreadable)?
            .len();
        rest.truncate(length);
        Ok(rest.freeze())
    }
}

/// Keys are secret.
impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0 to 63.
    fn key() -> [u8; KEY_LENGTH] {
        std::array::from_fn(|at| at as u8)
    }

    /// Made with another implementation (Python's `cryptography`): AES-256-GCM, no additional data.
    const FROM_AGENT: &str =
        "000102030405060708090a0b2170b976e591aa7ead20f0eedf9d6e6f0b11a53094f528de705fcab351ff";
    const FROM_CLIENT: &str =
        "0b0a090807060504030201007ddada9756611e314d7f2fd181dcc82551a4c93c9f4e06f037139066a0d956";

    #[test]
    fn the_first_half_of_the_key_is_the_agents_and_the_second_the_clients() {
        let (client, agent) = (Cipher::client(&key(), 1), Cipher::agent(&key(), 1));
        assert_eq!(
            client.decrypt(&bytes(FROM_AGENT)).unwrap(),
            "from the agent"
        );
        assert_eq!(
            agent.decrypt(&bytes(FROM_CLIENT)).unwrap(),
            "from the client"
        );
        assert_eq!(agent.decrypt(&bytes(FROM_AGENT)), Err(Unreadable));
    }

    #[test]
    fn what_one_end_encrypts_the_other_reads_and_no_two_messages_are_alike() {
        let (mut client, agent) = (Cipher::client(&key(), 7), Cipher::agent(&key(), 8));
        let (first, second) = (client.encrypt(b"ls"), client.encrypt(b"ls"));
        assert_ne!(first, second);
        assert_eq!(first.len(), 2 + GROWTH);
        assert_eq!(agent.decrypt(&first).unwrap(), "ls");
        assert_eq!(agent.decrypt(&second).unwrap(), "ls");
        assert_eq!(agent.decrypt(&client.encrypt(b"")).unwrap(), "");
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let (mut client, agent) = (Cipher::client(&key(), 7), Cipher::agent(&key(), 8));
        let whole = client.encrypt(b"rm x");
        for at in 0..whole.len() {
            let mut spoilt = whole.to_vec();
            spoilt[at] ^= 1;
            assert_eq!(agent.decrypt(&spoilt), Err(Unreadable), "byte {at}");
            assert_eq!(agent.decrypt(&whole[..at]), Err(Unreadable), "{at} bytes");
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let text = |pair| std::str::from_utf8(pair).expect("hexadecimal digits");
        pairs
            .map(|pair| u8::from_str_radix(text(pair), 16).expect("hexadecimal digits"))
            .collect()
    }
}
