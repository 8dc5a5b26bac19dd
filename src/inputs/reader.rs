//! Takes the values of the inputs apart, and goes on when one cannot be read: all that is wrong with
//! them is reported together.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::error::{InputError, ValueError, alternatives};
use super::table::{Input, ModeName, Takes, Words, words};
use crate::duration;
use crate::github::tokens;
use crate::names::Login;
use crate::ticket::Status;

/// The inputs of a step, and what is wrong with those that were read.
///
/// An input that cannot be read counts as absent from then on, since the step will fail.
pub(super) struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
    mode: Option<ModeName>,
    problems: Vec<InputError>,
}

impl<'a> Reader<'a> {
    /// Reads the mode, on which the meaning of other inputs depends.
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Self {
        let mut reader = Self { given, mode: None, problems: Vec::new() };
        reader.mode = reader.one_of("mode");
        reader
    }

    /// The mode, if it is a known one.
    pub(super) fn mode(&self) -> Option<ModeName> {
        self.mode
    }

    /// What is wrong with the inputs that were read.
    pub(super) fn into_problems(self) -> Vec<InputError> {
        self.problems
    }

    pub(super) fn refuse(&mut self, problem: InputError) {
        self.problems.push(problem);
    }

    /// The value of `result`, or none after its error was noted.
    pub(super) fn accept<T>(&mut self, result: Result<T, InputError>) -> Option<T> {
        result.map_err(|problem| self.refuse(problem)).ok()
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Its row in the table. Whatever an unknown mode would make of it, the step fails.
    fn row(&self, name: &str) -> &'static Input {
        Input::of(name, self.mode.unwrap_or(ModeName::Dispatch))
    }

    fn default(&self, name: &str) -> Option<&'static str> {
        self.row(name).default.text(self.mode.unwrap_or(ModeName::Dispatch))
    }

    /// The text of an input, or its default; none if both are blank.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let given = self.given.get(name).map(|value| value.trim());
        given.or_else(|| self.default(name)).map(str::to_owned)
    }

    /// The text of an input with its white space.
    pub(super) fn verbatim(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned()
    }

    pub(super) fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        let text = self.text(name)?;
        if !tokens::is_printable(&text) {
            self.refuse(InputError::Token(name));
            return None;
        }
        Some(text.into())
    }

    /// What `parse` makes of an input that is not blank.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.accept(parse(&text).map_err(|source| InputError::Value { name, source }))
    }

    pub(super) fn one_of<T: Words>(&mut self, name: &'static str) -> Option<T> {
        let takes = || alternatives(words::<T>());
        let Some(text) = self.text(name) else {
            self.refuse(InputError::Missing { name, takes: takes() });
            return None;
        };
        let value = T::ALL.iter().find(|value| value.as_str().eq_ignore_ascii_case(&text));
        self.accept(value.copied().ok_or_else(|| InputError::Word { name, text, takes: takes() }))
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> bool {
        self.one_of(name).unwrap_or_default()
    }

    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.parsed(name, |text| Ok(duration::parse(text)?))
    }

    /// Some of the words of a type; none of them where `none` stands there.
    pub(super) fn some_of<T: Words + Ord>(&mut self, name: &'static str) -> BTreeSet<T> {
        const NONE: &str = "none";
        let items = self.list(name);
        if matches!(&items[..], [one] if one.eq_ignore_ascii_case(NONE)) {
            return BTreeSet::new();
        }
        let words = items.into_iter().filter_map(|text| {
            let value = T::ALL.iter().find(|value| value.as_str().eq_ignore_ascii_case(&text));
            let takes = || alternatives(words::<T>().into_iter().chain([NONE]));
            self.accept(value.copied().ok_or_else(|| InputError::Word { name, text, takes: takes() }))
        });
        words.collect()
    }

    pub(super) fn number<T: FromStr + PartialOrd + From<u8>>(&mut self, name: &'static str) -> Option<T> {
        self.parsed(name, |text| {
            let number = text.parse().ok().filter(|number| *number >= T::from(1));
            number.ok_or_else(|| ValueError::Number(text.to_owned()))
        })
    }

    /// The items of a list. One without items counts as blank.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        let items = self.parsed(name, list_of).unwrap_or_default();
        let default = self.default(name).filter(|_| items.is_empty());
        default.and_then(|text| list_of(text).ok()).unwrap_or(items)
    }

    pub(super) fn login(&mut self, name: &'static str) -> Option<Login> {
        self.parsed(name, login)
    }

    pub(super) fn logins(&mut self, name: &'static str) -> Vec<Login> {
        let names = self.list(name);
        let logins = names
            .iter()
            .filter_map(|text| self.accept(login(text).map_err(|source| InputError::Value { name, source })));
        logins.collect()
    }

    /// The status; of several, as `join(needs.*.result)` gives them, the worst.
    pub(super) fn status(&mut self, name: &'static str) -> Option<Status> {
        let known = match self.row(name).takes {
            Takes::Statuses(known) => known,
            _ => &[],
        };
        let takes = || alternatives(known.iter().map(|status| status.as_str()));
        let statuses: Result<Vec<Status>, InputError> = self
            .list(name)
            .into_iter()
            .map(|text| {
                let status = known.iter().find(|status| status.as_str().eq_ignore_ascii_case(&text));
                status.copied().ok_or_else(|| InputError::Word { name, text, takes: takes() })
            })
            .collect();
        let worst = self.accept(statuses)?.into_iter().max();
        self.accept(worst.ok_or_else(|| InputError::Missing { name, takes: takes() }))
    }
}

fn login(text: &str) -> Result<Login, ValueError> {
    Login::parse(text).ok_or_else(|| ValueError::Login(text.to_owned()))
}

/// Items as a YAML or JSON list, one a line, or with commas between them.
///
/// # Errors
///
/// When it looks like a YAML list and is not one, or one of something else than text.
pub fn list_of(text: &str) -> Result<Vec<String>, ValueError> {
    let text = text.trim();
    if text.starts_with('[') || text.starts_with("- ") {
        return serde_saphyr::from_str(text).map_err(|error| ValueError::List(error.to_string()));
    }
    let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
    Ok(items.map(str::to_owned).collect())
}
