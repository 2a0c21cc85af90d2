//! What stands after the `?` of a call.

use std::{str::FromStr, time::Duration};

use super::{Refusal, call::Call, code::Code};
use crate::config::{self, suggest};

/// The words of a query, each of which the call knows.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of a call.
    pub(super) fn read(text: Option<&str>, call: Call) -> Result<Query, Box<Refusal>> {
        let known: Vec<&str> = call.words().iter().map(|word| word.name).collect();
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        let pairs: Vec<(String, String)> = pairs.into_owned().collect();
        match pairs
            .iter()
            .find(|(word, _)| !known.contains(&word.as_str()))
        {
            Some((unknown, _)) => Err(unknown_word(unknown, &known)),
            None => Ok(Query(pairs)),
        }
    }

    pub(super) fn text(&self, word: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let (_, text) = pairs.find(|(known, _)| known == word)?;
        Some(text)
    }

    /// A span of time such as `90s`.
    pub(super) fn duration(&self, word: &str) -> Result<Option<Duration>, Box<Refusal>> {
        let read = |text| {
            config::keep_for(text).map_err(|why| {
                let hint = r#"write for example "90s", "15m" or "1h30m""#.to_owned();
                Refusal::new(Code::WrongDuration, why).hint(Some(hint))
            })
        };
        self.text(word).map(read).transpose()
    }

    /// A number, or `true` and `false`.
    pub(super) fn value<T: FromStr>(
        &self,
        word: &str,
        kind: &str,
    ) -> Result<Option<T>, Box<Refusal>> {
        let wrong = |text| Refusal::new(Code::WrongQuery, format!("`{word}={text}` is not {kind}"));
        let read = |text: &str| text.parse().map_err(|_| wrong(text.to_owned()));
        self.text(word).map(read).transpose()
    }
}

fn unknown_word(word: &str, known: &[&str]) -> Box<Refusal> {
    let refusal = Refusal::new(Code::UnknownQuery, format!("`{word}` means nothing here"));
    refusal.hint(suggest::hint(word, known.iter().copied()))
}
