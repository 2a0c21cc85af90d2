//! Reading the log files, from so many lines before their end on, and further as they grow.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A file is `bastiond.2026-11-28.log`: names sort as days do.
pub(super) const PREFIX: &str = "bastiond";
pub(super) const SUFFIX: &str = "log";
/// How much is read at once.
const BLOCK: u64 = 64 * 1024;

/// Which lines to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The last ones, of all files.
    pub last: usize,
    /// Of these, only what is not older.
    pub since: Option<OffsetDateTime>,
}

/// A place in the files.
#[derive(Debug)]
pub struct Tail {
    folder: PathBuf,
    /// The file, and how much of it was read; `None` before there is any.
    at: Option<(PathBuf, u64)>,
    /// Lines that are older are skipped until one is not.
    since: Option<OffsetDateTime>,
}

impl Tail {
    /// The place where what is wanted begins.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn open(folder: &Path, wanted: &Wanted) -> io::Result<Self> {
        let mut tail = Self {
            folder: folder.to_owned(),
            at: None,
            since: wanted.since,
        };
        let mut missing = wanted.last;
        for file in files(folder)?.into_iter().rev() {
            let (offset, found) = last_lines(&file, missing)?;
            tail.at = Some((file, offset));
            missing -= found;
            if missing == 0 {
                break;
            }
        }
        Ok(tail)
    }

    /// Whole lines that follow; nothing when there are none yet. Blocks, as files do.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let Some((file, offset)) = self.at.clone() else {
                match files(&self.folder)?.into_iter().next() {
                    Some(first) => self.at = Some((first, 0)),
                    None => return Ok(Vec::new()),
                }
                continue;
            };
            let block = match block(&file, offset) {
                // The oldest files are deleted, also while somebody reads them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                block => block?,
            };
            if block.is_empty() {
                match files(&self.folder)?.into_iter().find(|other| *other > file) {
                    Some(next) => self.at = Some((next, 0)),
                    None => return Ok(Vec::new()),
                }
                continue;
            }
            self.at = Some((file, offset + block.len() as u64));
            let lines = self.not_older(block);
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
    }

    fn not_older(&mut self, block: Vec<u8>) -> Vec<u8> {
        let Some(since) = self.since else {
            return block;
        };
        let mut start = 0;
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            if time_of(line).is_some_and(|at| at >= since) {
                self.since = None;
                return block[start..].to_vec();
            }
            start += line.len();
        }
        Vec::new()
    }
}

/// A line begins with its time; the further lines of a long message do not.
fn time_of(line: &[u8]) -> Option<OffsetDateTime> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let text = std::str::from_utf8(&line[..end]).ok()?;
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// The files, by day.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
    };
    let entries = fs::read_dir(folder)?.filter_map(Result::ok);
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    files.sort();
    Ok(files)
}

/// Where the last `wanted` whole lines of a file begin, and how many there are.
fn last_lines(file: &Path, wanted: usize) -> io::Result<(u64, usize)> {
    let mut file = File::open(file)?;
    let mut from = file.seek(SeekFrom::End(0))?;
    let (mut ends, mut buffer) = (0, Vec::new());
    while from > 0 {
        let size = BLOCK.min(from);
        from -= size;
        file.seek(SeekFrom::Start(from))?;
        buffer.clear();
        file.by_ref().take(size).read_to_end(&mut buffer)?;
        for (index, byte) in buffer.iter().enumerate().rev() {
            if *byte != b'\n' {
                continue;
            }
            // The end of the line before those that are wanted.
            if ends == wanted {
                return Ok((from + index as u64 + 1, wanted));
            }
            ends += 1;
        }
    }
    Ok((0, ends))
}

/// Whole lines from `offset` on, or a piece of one that is very long.
fn block(file: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut block = Vec::new();
    file.take(BLOCK).read_to_end(&mut block)?;
    let whole = block.iter().rposition(|byte| *byte == b'\n');
    match whole {
        Some(end) => block.truncate(end + 1),
        None if block.len() as u64 == BLOCK => {}
        None => block.clear(),
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_are_found_over_files_and_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let many: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        write(folder.path(), "bastiond.2026-11-27.log", &many);
        write(folder.path(), "bastiond.2026-11-28.log", "a\nb\npart");
        write(folder.path(), "other.log", "no\n");
        let read = |last| all(folder.path(), Wanted { last, since: None });
        assert_eq!(read(0), "");
        assert_eq!(read(1), "b\n");
        assert_eq!(read(3), "line 19999\na\nb\n");
        assert_eq!(read(10_002).lines().next(), Some("line 10000"));
        assert_eq!(read(usize::MAX), format!("{many}a\nb\n"));
    }

    #[test]
    fn what_is_older_is_left_out_with_its_further_lines() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "2026-11-28T09:00:00Z  INFO a\nmore of a\n2026-11-28T10:00:00.5Z  INFO b\nmore of b\n";
        write(folder.path(), "bastiond.2026-11-28.log", text);
        let since = |text: &str| Wanted {
            last: 100,
            since: Some(OffsetDateTime::parse(text, &Rfc3339).unwrap()),
        };
        let read = |text| all(folder.path(), since(text));
        assert_eq!(read("2026-11-28T08:00:00Z"), text);
        assert_eq!(read("2026-11-28T09:30:00Z"), text[39..]);
        assert_eq!(read("2026-11-28T11:00:00Z"), "");
    }

    #[test]
    fn what_is_written_later_follows_into_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = Tail::open(
            folder.path(),
            &Wanted {
                last: 10,
                since: None,
            },
        )
        .unwrap();
        let mut next = || String::from_utf8(tail.read().unwrap()).unwrap();
        assert_eq!(next(), "");
        let mut file = write(folder.path(), "bastiond.2026-11-28.log", "a\nb");
        assert_eq!((next(), next()), ("a\n".to_owned(), String::new()));
        file.write_all(b"c\n").unwrap();
        assert_eq!((next(), next()), ("bc\n".to_owned(), String::new()));
        write(folder.path(), "bastiond.2026-11-29.log", "d\n");
        assert_eq!((next(), next()), ("d\n".to_owned(), String::new()));
    }

    fn write(folder: &Path, name: &str, text: &str) -> File {
        let mut file = File::create(folder.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn all(folder: &Path, wanted: Wanted) -> String {
        let mut tail = Tail::open(folder, &wanted).unwrap();
        let mut text = Vec::new();
        loop {
            let block = tail.read().unwrap();
            if block.is_empty() {
                return String::from_utf8(text).unwrap();
            }
            text.extend(block);
        }
    }
}
