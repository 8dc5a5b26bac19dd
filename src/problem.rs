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

/// At most the first `limit` characters of `text`, with a word where there are more.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}… (cut)", &text[..end]),
        None => text.to_owned(),
    }
}
