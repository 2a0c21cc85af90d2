//! A recording of what a terminal showed, as an asciicast (version 2: a header and one line of JSON for each event).

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::proto::payload::Size;

/// A file that is being recorded to. Only its owner may read it: terminals show secrets.
#[derive(Debug)]
pub struct Recording<W: Write = BufWriter<File>> {
    file: W,
    /// The beginning of a character whose end has not come yet.
    rest: Vec<u8>,
}

impl Recording {
    /// A new file; one that exists is left alone.
    pub fn create(path: &Path, size: Size) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Self::begin(BufWriter::new(file), size, SystemTime::now())
    }
}

impl<W: Write> Recording<W> {
    fn begin(mut file: W, size: Size, now: SystemTime) -> io::Result<Self> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let header = json!({
            "version": 2,
            "width": size.cols,
            "height": size.rows,
            "timestamp": since.unwrap_or_default().as_secs(),
        });
        writeln!(file, "{header}")?;
        Ok(Self {
            file,
            rest: Vec::new(),
        })
    }

    /// The terminal showed this, so long after the beginning.
    pub fn output(&mut self, after: Duration, bytes: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let whole = whole_characters(&self.rest);
        let rest = self.rest.split_off(whole);
        let shown = std::mem::replace(&mut self.rest, rest);
        match shown.is_empty() {
            true => Ok(()),
            false => self.event(after, "o", &String::from_utf8_lossy(&shown)),
        }
    }

    /// The terminal has this size from now on.
    pub fn resize(&mut self, after: Duration, size: Size) -> io::Result<()> {
        self.event(after, "r", &format!("{}x{}", size.cols, size.rows))
    }

    /// All is written.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn event(&mut self, after: Duration, kind: &str, text: &str) -> io::Result<()> {
        writeln!(self.file, "{}", json!([after.as_secs_f64(), kind, text]))
    }
}

/// The length without a last character that is cut off.
fn whole_characters(bytes: &[u8]) -> usize {
    let cut = |error: std::str::Utf8Error| error.error_len().is_none();
    let tail = bytes.len().saturating_sub(3);
    (tail..bytes.len())
        .find(|&at| {
            std::str::from_utf8(&bytes[at..])
                .is_err_and(|error| error.valid_up_to() == 0 && cut(error))
        })
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_a_header_and_a_line_for_each_event() {
        let mut written = Vec::new();
        let size = Size { cols: 80, rows: 24 };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut recording = Recording::begin(&mut written, size, at).unwrap();
        let text = "grün\r\n".as_bytes();
        recording
            .output(Duration::from_millis(10), &text[..3])
            .unwrap();
        recording
            .output(Duration::from_millis(20), &text[3..])
            .unwrap();
        recording
            .output(Duration::from_millis(25), b"\xff\n")
            .unwrap();
        let large = Size {
            cols: 300,
            rows: 100,
        };
        recording.resize(Duration::from_millis(30), large).unwrap();
        recording.finish().unwrap();
        let lines = String::from_utf8(written).unwrap();
        let expected = [
            r#"{"height":24,"timestamp":1700000000,"version":2,"width":80}"#,
            r#"[0.01,"o","gr"]"#,
            r#"[0.02,"o","ün\r\n"]"#,
            "[0.025,\"o\",\"\u{fffd}\\n\"]",
            r#"[0.03,"r","300x100"]"#,
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_file_that_exists_is_left_alone_and_a_new_one_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.cast");
        let size = Size { cols: 1, rows: 1 };
        Recording::create(&path, size).unwrap().finish().unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = Recording::create(&path, size).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
