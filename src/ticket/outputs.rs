//! Outputs: the values that a target gives back, such as the version that it published.
//!
//! A stage's record keeps them, the fold merges them for each target, and templates of later targets' inputs read them.
//! They are text from outside: short, and never templates themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most characters of an output's value.
pub const VALUE_LIMIT: usize = 1_000;

/// The most bytes of the names and values of all outputs of a target.
pub const TARGET_LIMIT: usize = 8 * 1024;

/// The most characters of an output's name.
pub const NAME_LIMIT: usize = 100;

/// The outputs in a record. An entry that this release would not have written is kept, and does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outputs(Value);

impl Outputs {
    /// Whether the record has no entries, not even ones that do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_null() || self.0.as_object().is_some_and(Map::is_empty)
    }

    /// The outputs that count, in the order in which they were reported.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.0.as_object().into_iter().flatten();
        let texts = entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        texts.filter(|(name, value)| is_name(name) && fits(value))
    }

    /// The outputs that count, as owned texts.
    pub fn to_pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The output of this name, if it counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Takes over `newer`, whose values replace earlier ones of the same name.
    pub fn update(&mut self, newer: Self) {
        match (&mut self.0, newer.0) {
            (_, Value::Null) => {}
            (Value::Object(all), Value::Object(newer)) => all.extend(newer),
            (all, newer) => *all = newer,
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Outputs {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(outputs: I) -> Self {
        let entries = outputs.into_iter().map(|(name, value)| (name.into(), Value::String(value.into())));
        let entries: Map<String, Value> = entries.collect();
        Self(if entries.is_empty() { Value::Null } else { Value::Object(entries) })
    }
}

/// Whether `text` can be an output's name: lower-case letters, digits, `_` and `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    !text.is_empty() && text.len() <= NAME_LIMIT && text.bytes().all(is_plain)
}

/// Whether `value` is within [`VALUE_LIMIT`].
#[must_use]
pub fn fits(value: &str) -> bool {
    value.chars().count() <= VALUE_LIMIT
}

/// The outputs that are within [`TARGET_LIMIT`], in the order of their names, and the names of the others.
#[must_use]
pub fn cut_to_limit(outputs: BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let mut room = TARGET_LIMIT;
    let (mut fitting, mut left_out) = (BTreeMap::new(), Vec::new());
    for (name, value) in outputs {
        match room.checked_sub(name.len() + value.len()) {
            Some(rest) => {
                room = rest;
                fitting.insert(name, value);
            }
            None => left_out.push(name),
        }
    }
    (fitting, left_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_that_is_not_an_output_is_kept_and_does_not_count() {
        let record =
            json!({ "version": "1.4.1", "Version": "2", "count": 7, "": "x", "notes": "x".repeat(1_001) });
        let outputs: Outputs = serde_json::from_value(record.clone()).expect("any mapping");
        assert_eq!(outputs.iter().collect::<Vec<_>>(), [("version", "1.4.1")]);
        assert_eq!(serde_json::to_value(&outputs).expect("JSON"), record);
    }

    #[test]
    fn a_newer_value_replaces_an_earlier_one() {
        let mut outputs = Outputs::from_iter([("version", "1"), ("url", "x")]);
        outputs.update(Outputs::from_iter([("version", "2")]));
        assert_eq!(outputs.iter().collect::<Vec<_>>(), [("version", "2"), ("url", "x")]);
    }

    #[test]
    fn a_target_has_so_many_bytes_of_outputs() {
        let outputs = (0..10).map(|number| (format!("name-{number}"), "ä".repeat(500)));
        let (fitting, left_out) = cut_to_limit(outputs.collect());
        assert_eq!((fitting.len(), left_out), (8, vec!["name-8".to_owned(), "name-9".to_owned()]));
    }
}
