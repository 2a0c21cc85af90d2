//! The head of one HTTP request, kept as it came.

use std::io;

use tokio::{io::AsyncReadExt, net::TcpStream};

/// The longest head that is taken; a signed request with a session token has about 3 KiB.
const LONGEST: usize = 32 * 1024;

/// Request line and headers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The request target byte for byte.
    pub target: String,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Reads up to the empty line; also gives the bytes that came after it.
    pub async fn read(stream: &mut TcpStream) -> io::Result<(Self, Vec<u8>)> {
        let mut buffer = Vec::with_capacity(4096);
        loop {
            if let Some(end) = find(&buffer, b"\r\n\r\n") {
                let rest = buffer.split_off(end + 4);
                return Ok((Self::parse(&buffer)?, rest));
            }
            if buffer.len() > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the request head is too long",
                ));
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    fn parse(head: &[u8]) -> io::Result<Self> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP request");
        let text = std::str::from_utf8(head).map_err(|_| bad())?;
        let mut lines = text.split("\r\n");
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (Some("GET"), Some(target), Some("HTTP/1.1")) =
            (request.next(), request.next(), request.next())
        else {
            return Err(bad());
        };
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let headers =
            pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self {
            target: target.to_owned(),
            headers: headers.collect(),
        })
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_kept_byte_for_byte() {
        let head = Head::parse(
            b"GET /v1/x?cell-number=+/==%2B HTTP/1.1\r\nHost: a\r\nX-Two: b: c \r\n\r\n",
        )
        .unwrap();
        assert_eq!(head.target, "/v1/x?cell-number=+/==%2B");
        assert_eq!(head.header("host"), Some("a"));
        assert_eq!(head.header("x-two"), Some("b: c"));
    }

    #[test]
    fn another_language_is_an_error() {
        for junk in [
            &b"\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\n\r\n",
            b"GET /\r\n\r\n",
            b"\xff\xff\r\n\r\n",
        ] {
            assert!(Head::parse(junk).is_err());
        }
    }
}
