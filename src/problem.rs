//! Problems: what happened and where, and what a person can do about it.
//!
//! Every error of this crate says what to do next through [`Help`], so that each of them becomes a
//! [`Problem`] in the same way.

use std::fmt;

use crate::place::Place;

/// An error that says what a person can do about it.
pub trait Help: std::error::Error {
    /// What to do, in the imperative; `None` when the message says all there is.
    fn help(&self) -> Option<String>;
}

/// Something that went wrong: what happened and where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of a file or an input that it is about.
    pub place: Option<Place>,
    /// What happened, and where.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// This happened.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { place: None, what: what.into(), help: None }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same, at this place.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        Self { place: Some(place.clone()), ..self }
    }

    /// `doing` failed because of `error`.
    #[must_use]
    pub fn of(doing: &str, error: &impl Help) -> Self {
        Self { place: None, what: format!("{doing}: {}", chain(error)), help: error.help() }
    }
}

impl<E: Help> From<&E> for Problem {
    fn from(error: &E) -> Self {
        Self { place: None, what: chain(error), help: error.help() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.iter().try_for_each(|place| write!(f, "{place}: "))?;
        f.write_str(&self.what)?;
        self.help.iter().try_for_each(|help| write!(f, "\nhelp: {help}"))
    }
}

/// The message of an error, with those of its causes.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut messages = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        messages += &format!(": {error}");
        cause = error.source();
    }
    messages
}

/// At most the first `limit` characters of `text`, as whole sentences or words, with a word where there are more.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}… (cut)", whole_words(&text[..end])),
        None => text.to_owned(),
    }
}

/// How far the end of a sentence, and that of a word, may be before the end of a text that is cut, in bytes.
const SENTENCE: usize = 200;
const WORD: usize = 80;

/// The beginning of `text`, a text that was cut, up to the end of its last sentence or else of its last word; all of it
/// if neither is near its end.
#[must_use]
pub fn whole_words(text: &str) -> &str {
    let near = |within: usize| text.len().saturating_sub(within.min(text.len() / 2));
    let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(end, _)| end);
    let ends: Vec<usize> = ends.filter(|end| *end >= near(SENTENCE)).collect();
    let is_sentence = |end: &&usize| text[..**end].ends_with(['.', '!', '?', ';']);
    let word = || ends.last().filter(|end| **end >= near(WORD));
    let end = ends.iter().rfind(is_sentence).or_else(word);
    end.map_or(text, |end| text[..*end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_the_end_of_a_sentence_or_of_a_word() {
        assert_eq!(excerpt("It failed. Look at the log of the job.", 20), "It failed.… (cut)");
        assert_eq!(excerpt("It failed in the second job", 20), "It failed in the… (cut)");
        assert_eq!(excerpt("a-name-that-is-too-long-for-this", 20), "a-name-that-is-too-l… (cut)");
        assert_eq!(excerpt("It failed.", 20), "It failed.");
    }
}
