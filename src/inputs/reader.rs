//! Reads the values of the inputs, and goes on after one that cannot be read: all problems are reported together.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use super::error::{InputError, ValueError, alternatives};
use super::table::{Input, ModeName, Takes, Words, words};
use crate::duration;
use crate::github::tokens::InputToken;
use crate::names::Login;
use crate::place::Place;
use crate::problem::Help;
use crate::ticket::Status;
use crate::yaml::{self, Node, PlacedValue};

/// The inputs of a step, and the problems of those that were read.
///
/// An input that cannot be read counts as absent from then on, since the step will fail.
pub(super) struct Reader<'a> {
    values: &'a BTreeMap<String, String>,
    mode: Option<ModeName>,
    problems: Vec<InputError>,
}

impl<'a> Reader<'a> {
    /// Reads the mode, on which the meaning of other inputs depends.
    pub(super) fn new(values: &'a BTreeMap<String, String>) -> Self {
        let mut reader = Self { values, mode: None, problems: Vec::new() };
        reader.mode = reader.one_of("mode");
        reader
    }

    /// The mode, if it is a known one.
    pub(super) fn mode(&self) -> Option<ModeName> {
        self.mode
    }

    /// The problems of the inputs that were read.
    pub(super) fn into_problems(self) -> Vec<InputError> {
        self.problems
    }

    pub(super) fn refuse(&mut self, problem: InputError) {
        self.problems.push(problem);
    }

    /// The value of `result`; notes an error.
    pub(super) fn accept<T>(&mut self, result: Result<T, InputError>) -> Option<T> {
        result.map_err(|problem| self.refuse(problem)).ok()
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Its row in the table. In an unknown mode the step fails anyway, so that any mode's row will do.
    fn row(&self, name: &str) -> &'static Input {
        Input::of(name, self.mode.unwrap_or(ModeName::Dispatch))
    }

    fn default(&self, name: &str) -> Option<&'static str> {
        self.row(name).default.text(self.mode.unwrap_or(ModeName::Dispatch))
    }

    /// The text of an input, or its default; none if both are blank.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.values.get(name).map(|value| value.trim());
        value.or_else(|| self.default(name)).map(str::to_owned)
    }

    /// The text of an input with its white space.
    pub(super) fn verbatim(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// Refuses a secret that cannot be used, in a mode that starts something. A report and a notice meet the problem
    /// when they need the secret: a report that cannot be delivered fails no release, and a notice writes its message
    /// to the log.
    pub(super) fn refuse_secret(&mut self, problem: InputError) {
        if !matches!(self.mode, Some(ModeName::Report | ModeName::Notify)) {
            self.refuse(problem);
        }
    }

    pub(super) fn token(&mut self, name: &'static str) -> Option<InputToken> {
        let token = InputToken::new(name, &self.text(name)?);
        if token.secret.is_none() {
            self.refuse_secret(InputError::Token(name));
        }
        Some(token)
    }

    /// The value of an input by `parse`; `None` if the input is blank or refused.
    pub(super) fn value_of<T>(
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
        self.value_of(name, |text| Ok(duration::parse(text)?))
    }

    /// Several words of a type; empty for the word `none`.
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
        self.value_of(name, |text| {
            let number = text.parse().ok().filter(|number| *number >= T::from(1));
            number.ok_or_else(|| ValueError::Number(text.to_owned()))
        })
    }

    /// The items of a list. One without items counts as blank.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        let items = self.value_of(name, list_of).unwrap_or_default();
        let default = self.default(name).filter(|_| items.is_empty());
        default.and_then(|text| list_of(text).ok()).unwrap_or(items)
    }

    pub(super) fn login(&mut self, name: &'static str) -> Option<Login> {
        self.value_of(name, login)
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
        let choices = match self.row(name).takes {
            Takes::Statuses(choices) => choices,
            _ => &[],
        };
        let takes = || alternatives(choices.iter().map(|status| status.as_str()));
        let statuses: Result<Vec<Status>, InputError> = self
            .list(name)
            .into_iter()
            .map(|text| {
                let status =
                    choices.iter().copied().find(|status| status.as_str().eq_ignore_ascii_case(&text));
                // GitHub has more words for the end of a run.
                let by_conclusion = || Status::of_conclusion(&text.to_ascii_lowercase());
                let status = status.or_else(by_conclusion).filter(|status| choices.contains(status));
                status.ok_or_else(|| InputError::Word { name, text, takes: takes() })
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
/// When it looks like a YAML list, and is not a list of texts.
pub fn list_of(text: &str) -> Result<Vec<String>, ValueError> {
    let text = text.trim();
    if text.starts_with('[') || text.starts_with("- ") {
        return yaml_list(text);
    }
    let items = text.split(['\n', ',']).map(str::trim).filter(|item| !item.is_empty());
    Ok(items.map(str::to_owned).collect())
}

fn yaml_list(text: &str) -> Result<Vec<String>, ValueError> {
    let at = |place: &Place| format!("in line {}, column {}", place.line, place.column);
    let list = yaml::parse("the list", text).map_err(|error| {
        let help = error.help().map(|help| format!("; {}", help.text)).unwrap_or_default();
        ValueError::List(format!("{}, {}{help}", error.what, at(&error.place)))
    })?;
    let Node::List(items) = list.value else {
        return Err(ValueError::List(format!("it is {}", list.value.kind())));
    };
    let item = |item: PlacedValue<Node>| match &item.value {
        Node::Text(_) | Node::Number(_) | Node::Bool(_) => Ok(item.value.to_text()),
        other => Err(ValueError::List(format!("an item is {}, {}", other.kind(), at(&item.place)))),
    };
    items.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_yaml_json_lines_or_commas_and_its_items_are_as_they_are_written() {
        for (text, items) in [
            ("[yes, no, 1.10, 1e12345]", vec!["yes", "no", "1.10", "1e12345"]),
            ("- on\n- 'a, b'\n- true", vec!["on", "a, b", "true"]),
            ("a,b\n c ", vec!["a", "b", "c"]),
            (" , ", vec![]),
        ] {
            assert_eq!(list_of(text).expect(text), items);
        }
    }

    #[test]
    fn a_text_that_is_no_list_of_texts_is_refused_at_its_place() {
        let texts = ["[a, ~]", "- a\n- [b]", "- a\nb", "[a, {{ release }}]", "- a: b", "[a"];
        let messages = texts.map(|text| list_of(text).expect_err(text).to_string());
        insta::assert_snapshot!(messages.join("\n"), @r#"
        not a list of texts: an item is nothing, in line 1, column 5
        not a list of texts: an item is a list, in line 2, column 3
        not a list of texts: this is not YAML: this is neither a key with its `:` nor an item with its `- `, in line 2, column 1; put the text in quotes
        not a list of texts: without quotes, this template is a mapping, in line 1, column 6; put templates in quotes: "{{ release }}"
        not a list of texts: an item is a mapping, in line 1, column 3
        not a list of texts: this is not YAML: unclosed bracket '[', in line 1, column 1
        "#);
    }
}
