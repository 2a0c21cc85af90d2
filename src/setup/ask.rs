//! Questions on a terminal. Ctrl-C ends the program at any of them, and by then nothing has been changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};

use super::answer;

/// Somebody to ask, if there is one.
pub(super) struct Person {
    is_there: bool,
}

impl Person {
    /// Whoever is at the terminal.
    pub fn at_the_terminal() -> Self {
        Self {
            is_there: io::stdin().is_terminal(),
        }
    }

    /// Whether there is anybody.
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// What `flag` would have said, else the answer to `question`: `suggested` if it is empty. It is asked again until the
    /// answer can be `read`.
    pub fn ask<T>(
        &self,
        question: &str,
        suggested: Option<&str>,
        flag: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        if !self.is_there {
            return match suggested.map(&read) {
                Some(Ok(value)) => Ok(value),
                _ => bail!("there is no terminal to ask at: {question}\nhint: give {flag}"),
            };
        }
        loop {
            let line = line(question, suggested)?;
            let text = match line.trim() {
                "" => suggested.unwrap_or_default(),
                text => text,
            };
            match read(text) {
                Ok(value) => return Ok(value),
                Err(why) => crate::errln!("  {why}"),
            }
        }
    }

    /// A question for yes or no. Without a terminal it is no.
    pub fn confirms(&self, question: &str) -> anyhow::Result<bool> {
        if !self.is_there {
            return Ok(false);
        }
        let question = format!("{question} (y/n)");
        self.ask(&question, Some("n"), "", answer::yes)
    }

    /// One of a list, by its number; the first is suggested.
    pub fn chooses(&self, question: &str, flag: &str, lines: &[String]) -> anyhow::Result<usize> {
        if self.is_there {
            for (index, line) in lines.iter().enumerate() {
                crate::errln!("{:>4}  {line}", index + 1);
            }
        } else if lines.len() > 1 {
            bail!("there is no terminal to ask at: {question}\nhint: give {flag}");
        }
        let read = |text: &str| answer::choice(text, lines.len());
        self.ask(question, Some("1"), flag, read)
    }
}

fn line(question: &str, suggested: Option<&str>) -> anyhow::Result<String> {
    match suggested.filter(|it| !it.is_empty()) {
        Some(suggested) => crate::output::err(format_args!("{question} [{suggested}]: ")),
        None => crate::output::err(format_args!("{question}: ")),
    }
    io::stderr().flush()?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if read.context("cannot read the answer")? == 0 {
        crate::errln!("");
        bail!("no answer: nothing was changed");
    }
    Ok(line)
}
