//! The 8-byte header of a smux frame, version 1: version, command, length and stream, the last two little-endian.

use thiserror::Error;

/// Bytes of a header.
pub const HEADER: usize = 8;

/// The most data put in one frame: the limit of the reference's writer. Up to 65,535 bytes are accepted.
pub const MAX_DATA: usize = 32_768;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame does.
    pub command: Command,
    /// Bytes of data that follow; only [`Command::Psh`] has any, whatever the others say.
    pub length: u16,
    /// The stream it is about; 0 for [`Command::Nop`].
    pub stream: u32,
}

/// What a frame does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a stream.
    Syn,
    /// Says that no more data comes.
    Fin,
    /// Carries data.
    Psh,
    /// Does nothing.
    Nop,
}

/// Why the far side's frames cannot be followed; there is no way back into step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Not version 1.
    #[error("frame of mux version {0}, only 1 is spoken")]
    Version(u8),
    /// No command of version 1.
    #[error("unknown mux command {0}")]
    Command(u8),
    /// All stream ids are used up.
    #[error("no stream ids left")]
    NoIds,
}

impl Header {
    /// A header without data.
    pub fn bare(command: Command, stream: u32) -> Self {
        Self {
            command,
            length: 0,
            stream,
        }
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let [l0, l1] = self.length.to_le_bytes();
        let [s0, s1, s2, s3] = self.stream.to_le_bytes();
        [VERSION, self.command as u8, l0, l1, s0, s1, s2, s3]
    }

    /// Reads a header.
    pub fn decode(bytes: [u8; HEADER]) -> Result<Self, Error> {
        let [version, command, l0, l1, s0, s1, s2, s3] = bytes;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let command = match command {
            0 => Command::Syn,
            1 => Command::Fin,
            2 => Command::Psh,
            3 => Command::Nop,
            other => return Err(Error::Command(other)),
        };
        let length = u16::from_le_bytes([l0, l1]);
        Ok(Self {
            command,
            length,
            stream: u32::from_le_bytes([s0, s1, s2, s3]),
        })
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_bytes_of_the_reference() {
        let syn = Header::bare(Command::Syn, 3);
        let push = Header {
            command: Command::Psh,
            length: 5,
            stream: 3,
        };
        assert_eq!(syn.encode(), [1, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(push.encode(), [1, 2, 5, 0, 3, 0, 0, 0]);
        assert_eq!(
            Header::bare(Command::Fin, 3).encode(),
            [1, 1, 0, 0, 3, 0, 0, 0]
        );
        assert_eq!(
            Header::bare(Command::Nop, 0).encode(),
            [1, 3, 0, 0, 0, 0, 0, 0]
        );
        for header in [syn, push] {
            assert_eq!(Header::decode(header.encode()), Ok(header));
        }
    }

    #[test]
    fn other_versions_and_commands_are_refused() {
        assert_eq!(
            Header::decode([2, 0, 0, 0, 3, 0, 0, 0]),
            Err(Error::Version(2))
        );
        assert_eq!(
            Header::decode([1, 4, 0, 0, 3, 0, 0, 0]),
            Err(Error::Command(4))
        );
    }
}
