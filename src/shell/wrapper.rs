//! How a command tells its exit status through a terminal, which has no place for one.
//!
//! ECS Exec and interactive documents give a terminal and nothing else. So the command is run by a small script in the
//! container's `sh`: it says when it begins and how the command ended, in marks that no other program writes, since they
//! hold a number drawn for this session. [`Marks`] takes them out of what the terminal shows.
//!
//! Without a terminal on this side, the far side's is put out of the way: nothing is echoed, no line end is translated,
//! the command's output goes through a pipe, and standard input comes in base64, which no terminal takes for control characters and which can say that it ends.
//!
//! Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Begins and ends a mark: ASCII's record separator.
const SEPARATOR: u8 = 0x1e;
/// The longest mark: the number of a session, a sign, and a status.
const LONGEST: usize = 64;
/// Bytes of input in one line of base64: less than a terminal's longest line.
const LINE: usize = 57;
/// The status when there is no `stty`, or it fails: what a shell says of a command that cannot be run.
const UNPREPARED: u8 = 126;
/// The line after the last.
const END_OF_INPUT: &[u8] = b"=\n";

/// What the far side is to make of its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A person types.
    Terminal,
    /// Bytes, to their end.
    Piped,
    /// There is none.
    Empty,
}

/// The command line that runs `words` and tells how it went; ECS and the documents split it as a shell would.
pub fn wrapped(words: &[String], input: Input, number: &str) -> String {
    let command = shell_words::join(words);
    let begin = format!("printf '\\036{number}+\\036'");
    let end = format!("printf '\\036{number}=%d\\036' $?");
    let failed = format!("printf '\\036{number}={UNPREPARED}\\036'");
    let quiet = format!("stty -echo -opost || {{ {failed}; exit; }}");
    // The command writes to a pipe, as it would without us: many programs behave otherwise on a terminal.
    let piped = |command: &str| {
        format!(
            "s=$({{ {{ {command} 3>&- 4>&-; echo $? >&3; }} | cat >&4; }} 3>&1); (exit $s); {end}"
        )
    };
    let script = match input {
        Input::Terminal => format!("{begin}; {command}; {end}"),
        Input::Empty => {
            let command = piped(&format!("{command} </dev/null"));
            format!("{quiet}; {begin}; exec 4>&1; {command}")
        }
        Input::Piped => {
            let command = piped(&command);
            format!("{quiet}; {begin}; exec 4>&1; sed -n '/^=$/q;p' | base64 -d | {{ {command}; }}")
        }
    };
    shell_words::join(["sh", "-c", &script])
}

/// Standard input as the script of [`Input::Piped`] wants it.
#[derive(Debug, Default)]
pub struct Encoder {
    rest: Vec<u8>,
}

impl Encoder {
    /// Whole lines of what has come so far.
    pub fn encode(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / LINE * LINE;
        let rest = self.rest.split_off(whole);
        let lines = std::mem::replace(&mut self.rest, rest);
        encoded(&lines)
    }

    /// The last line, and the word that it is.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut last = encoded(&std::mem::take(&mut self.rest));
        last.extend_from_slice(END_OF_INPUT);
        last
    }
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in bytes.chunks(LINE) {
        lines.extend_from_slice(STANDARD.encode(line).as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The script listens.
    Begun,
    /// The command has ended, with this status.
    Ended(i32),
}

/// Takes marks out of the far side's output.
#[derive(Debug)]
pub struct Marks {
    number: Vec<u8>,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
}

impl Marks {
    /// Looks for marks with this number.
    pub fn new(number: &str) -> Self {
        Self {
            number: number.as_bytes().to_vec(),
            held: Vec::new(),
        }
    }

    /// What there is to show of this output, and the marks in it.
    pub fn handle(&mut self, output: &[u8]) -> (Vec<u8>, Vec<Mark>) {
        let (mut shown, mut marks) = (Vec::with_capacity(output.len()), Vec::new());
        for &byte in output {
            if self.held.is_empty() && byte != SEPARATOR {
                shown.push(byte);
                continue;
            }
            let ends = !self.held.is_empty() && byte == SEPARATOR;
            if ends && let Some(mark) = self.mark() {
                marks.push(mark);
                self.held.clear();
                continue;
            }
            if ends || !self.may_become_a_mark(byte) {
                shown.append(&mut self.held);
            }
            if self.held.is_empty() && byte != SEPARATOR {
                shown.push(byte);
            } else {
                self.held.push(byte);
            }
        }
        (shown, marks)
    }

    /// What was held back when nothing more comes.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn may_become_a_mark(&self, next: u8) -> bool {
        let Some((_, text)) = self.held.split_first() else {
            return next == SEPARATOR;
        };
        let expected = self.number.get(text.len());
        text.len() < LONGEST && expected.is_none_or(|expected| *expected == next)
    }

    fn mark(&self) -> Option<Mark> {
        let text = self.held.get(1..)?.strip_prefix(self.number.as_slice())?;
        let (sign, status) = text.split_first()?;
        match sign {
            b'+' if status.is_empty() => Some(Mark::Begun),
            b'=' => {
                let status = std::str::from_utf8(status).ok()?;
                status.parse().ok().map(Mark::Ended)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn marks_are_found_and_taken_out_however_the_output_is_cut() {
        let output = b"before\x1e77+\x1eab\x1ec\x1e\x1e77=12\x1eafter\x1e78+\x1e";
        for size in 1..output.len() {
            let mut marks = Marks::new("77");
            let (mut shown, mut found) = (Vec::new(), Vec::new());
            for piece in output.chunks(size) {
                let (show, mark) = marks.handle(piece);
                shown.extend(show);
                found.extend(mark);
            }
            shown.extend(marks.finish());
            assert_eq!(found, [Mark::Begun, Mark::Ended(12)], "cut at {size}");
            assert_eq!(shown, b"beforeab\x1ec\x1eafter\x1e78+\x1e", "cut at {size}");
        }
    }

    #[test]
    fn what_looks_like_a_mark_is_held_no_longer_than_it_may_be_one() {
        let mut marks = Marks::new("77");
        assert_eq!(marks.handle(b"\x1e7").0, b"");
        assert_eq!(marks.handle(b"8").0, b"\x1e78");
        let long = [b"\x1e77=".as_slice(), &[b'1'; 100]].concat();
        assert_eq!(marks.handle(&long).0, long);
        assert_eq!(marks.handle(b"\x1e77=1").0, b"");
        assert_eq!(marks.finish(), b"\x1e77=1");
    }

    #[test]
    fn the_command_line_survives_its_being_split() {
        let line = wrapped(&words(&["echo", "it's", "a b"]), Input::Terminal, "77");
        let split = shell_words::split(&line).expect("it can be split");
        assert_eq!(split[..2], ["sh", "-c"]);
        assert_eq!(
            split[2],
            r"printf '\03677+\036'; echo 'it'\''s' 'a b'; printf '\03677=%d\036' $?"
        );
    }

    #[test]
    fn input_is_cut_into_lines_that_say_when_they_end() {
        let input: Vec<u8> = (0..=255).collect();
        for size in [1, 56, 57, 58, 256] {
            let mut encoder = Encoder::default();
            let mut lines = Vec::new();
            for piece in input.chunks(size) {
                lines.extend(encoder.encode(piece));
            }
            lines.extend(encoder.finish());
            let text = String::from_utf8(lines).expect("base64");
            let mut lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.pop(), Some("="));
            assert!(lines.iter().all(|line| line.len() <= 76));
            let decoded: Vec<u8> = lines
                .iter()
                .flat_map(|line| STANDARD.decode(line).expect("base64"))
                .collect();
            assert_eq!(decoded, input);
        }
    }
}
