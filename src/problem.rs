//! Problems: what happened and where, and what a person can do about it.
//!
//! Every error of this crate gives its help through [`Help`], so that each of them becomes a [`Problem`] in the same
//! way. Help has a [`Topic`]: the section of the page on troubleshooting to which the log links.

mod topic;

use std::collections::BTreeSet;
use std::fmt;

use crate::place::Place;
pub use topic::{Advice, Topic};

/// An error with help for a person.
pub trait Help: std::error::Error {
    /// The next step for a person; `None` when the message already says it.
    fn help(&self) -> Option<Advice>;
}

/// Something that went wrong, with its place and with help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place in a file or an input that it is about.
    pub place: Option<Place>,
    /// The message: the thing, and what happened to it.
    pub what: String,
    /// The next step for a person.
    pub help: Option<Advice>,
}

impl Problem {
    /// A problem with this message.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { place: None, what: what.into(), help: None }
    }

    /// The same problem with help.
    #[must_use]
    pub fn help(self, topic: Topic, text: impl Into<String>) -> Self {
        Self { help: Some(topic.advice(text)), ..self }
    }

    /// The same problem at this place.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        Self { place: Some(place.clone()), ..self }
    }

    /// The message `what`, with `error` as its cause.
    #[must_use]
    pub fn of(what: &str, error: &impl Help) -> Self {
        Self { place: None, what: format!("{what}: {}", chain(error)), help: error.help() }
    }

    /// Logs it as a warning.
    pub fn warn(&self) {
        tracing::warn!("{}", self.log_text());
    }

    /// Logs it as a plain line.
    pub fn inform(&self) {
        tracing::info!("{}", self.log_text());
    }

    /// Its text for a log: below the help the link to its section.
    fn log_text(&self) -> String {
        let link = self.help.as_ref().map(|help| format!("\nsee: {}", help.topic.url()));
        format!("{self}{}", link.unwrap_or_default())
    }
}

/// The text of each problem for a log. Of problems that share a link, the first has it.
#[must_use]
pub fn log_texts(problems: &[Problem]) -> Vec<String> {
    let mut topics = BTreeSet::new();
    let texts = problems.iter().map(|problem| {
        let is_new = problem.help.as_ref().is_some_and(|help| topics.insert(help.topic));
        if is_new { problem.log_text() } else { problem.to_string() }
    });
    texts.collect()
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
        self.help.iter().try_for_each(|help| write!(f, "\nhelp: {}", help.text))
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

/// At most the first `limit` characters of `text`. A longer text is cut behind a sentence or a word, and marked as cut.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}… (cut)", whole_words(&text[..end])),
        None => text.to_owned(),
    }
}

/// The most bytes that a cut behind a sentence, or behind a word, takes off a text.
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
    fn the_first_problem_of_each_topic_has_the_link() {
        let problems = [
            Problem::new("one").help(Topic::Yaml, "correct it"),
            Problem::new("two"),
            Problem::new("three").help(Topic::Yaml, "keep one"),
            Problem::new("four").help(Topic::Ref, "name a tag"),
        ];
        let see = |topic: Topic| format!("see: {}", topic.url());
        assert_eq!(
            log_texts(&problems),
            [
                format!("one\nhelp: correct it\n{}", see(Topic::Yaml)),
                "two".to_owned(),
                "three\nhelp: keep one".to_owned(),
                format!("four\nhelp: name a tag\n{}", see(Topic::Ref)),
            ]
        );
    }

    #[test]
    fn a_long_text_is_cut_at_the_end_of_a_sentence_or_of_a_word() {
        assert_eq!(excerpt("It failed. Look at the log of the job.", 20), "It failed.… (cut)");
        assert_eq!(excerpt("It failed in the second job", 20), "It failed in the… (cut)");
        assert_eq!(excerpt("a-name-that-is-too-long-for-this", 20), "a-name-that-is-too-l… (cut)");
        assert_eq!(excerpt("It failed.", 20), "It failed.");
    }
}
