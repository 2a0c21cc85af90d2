//! The way out of a terminal whose far side does not answer: `~.` at the start of a line, as with ssh.
//!
//! Pure. What is typed goes in; what is to be sent, and what the person wants of us, comes out.

/// Whether a line begins, and with a tilde.
#[derive(Debug)]
pub struct Escape {
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    LineStart,
    /// A tilde at the start of a line waits for what follows it.
    Tilde,
    WithinLine,
}

/// What the person wants of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `~.`: end the session.
    Quit,
    /// `~?`: say what there is.
    Help,
}

/// The answer to `~?`.
pub const HELP: &str = "\r\n~.  end the session\r\n~?  this help\r\n~~  send a tilde\r\n";

impl Escape {
    /// At the start of a line.
    pub fn new() -> Self {
        Self {
            place: Place::LineStart,
        }
    }

    /// Takes what was typed and gives what is to be sent. After [`Wish::Quit`] nothing is.
    pub fn handle(&mut self, typed: &[u8]) -> (Vec<u8>, Option<Wish>) {
        let mut sent = Vec::with_capacity(typed.len() + 1);
        let mut wish = None;
        for &byte in typed {
            let after_newline = match byte {
                b'\r' | b'\n' => Place::LineStart,
                _ => Place::WithinLine,
            };
            self.place = match (self.place, byte) {
                (Place::LineStart, b'~') => Place::Tilde,
                (Place::Tilde, b'.') => return (sent, Some(Wish::Quit)),
                (Place::Tilde, b'?') => {
                    wish = Some(Wish::Help);
                    Place::LineStart
                }
                (Place::Tilde, b'~') => {
                    sent.push(b'~');
                    Place::WithinLine
                }
                (Place::Tilde, _) => {
                    sent.extend([b'~', byte]);
                    after_newline
                }
                (Place::LineStart | Place::WithinLine, _) => {
                    sent.push(byte);
                    after_newline
                }
            };
        }
        (sent, wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is sent, and the last wish, when these come one after the other.
    fn typed(pieces: &[&str]) -> (String, Option<Wish>) {
        let mut escape = Escape::new();
        let (mut all, mut last) = (Vec::new(), None);
        for piece in pieces {
            let (sent, wish) = escape.handle(piece.as_bytes());
            all.extend(sent);
            last = wish.or(last);
        }
        (String::from_utf8(all).expect("text"), last)
    }

    #[test]
    fn a_tilde_and_a_dot_at_the_start_of_a_line_end_it() {
        assert_eq!(typed(&["~."]), (String::new(), Some(Wish::Quit)));
        assert_eq!(typed(&["ls\r~", "."]), ("ls\r".into(), Some(Wish::Quit)));
        assert_eq!(typed(&["a\n~.rm"]), ("a\n".into(), Some(Wish::Quit)));
    }

    #[test]
    fn anywhere_else_they_are_what_they_are() {
        for text in ["ls ~.", "cp ~/a .", "a~.", "~/bin/x", "~x~.", "~\r~\r"] {
            assert_eq!(typed(&[text]), (text.into(), None), "{text}");
        }
    }

    #[test]
    fn two_tildes_are_one_and_a_question_is_answered() {
        assert_eq!(typed(&["~~."]), ("~.".into(), None));
        assert_eq!(typed(&["~?ls"]), ("ls".into(), Some(Wish::Help)));
        assert_eq!(typed(&["~?~."]), (String::new(), Some(Wish::Quit)));
    }

    #[test]
    fn a_paste_that_has_none_passes_untouched() {
        let paste = "\u{1b}[200~zwölf ~ Boxkämpfer\u{1b}[201~".repeat(1000);
        assert_eq!(typed(&[&paste]), (paste, None));
    }
}
