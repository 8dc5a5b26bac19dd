//! Outputs: the values that a target gives back, such as the version that it published.
//!
//! A stage's record keeps them, the fold merges them for each target, and the inputs of later targets are rendered
//! with them. They are text from outside: never templates, and bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An output's value has at most so many characters.
pub const VALUE_LIMIT: usize = 1_000;

/// The names and values of a target's outputs have at most so many bytes, all together.
pub const TARGET_LIMIT: usize = 8 * 1024;

/// An output's name has at most so many characters.
pub const NAME_LIMIT: usize = 100;

/// Outputs as a record holds them. An entry that this release would not have written is kept, and does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outputs(Value);

impl Outputs {
    /// Whether there is nothing to keep.
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

    /// The same, as texts of their own.
    pub fn owned(&self) -> impl Iterator<Item = (String, String)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The output of this name, if it counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes over `newer`, whose values replace earlier ones of the same name.
    pub fn update(&mut self, newer: Self) {
        match (&mut self.0, newer.0) {
            (_, Value::Null) => {}
            (Value::Object(known), Value::Object(newer)) => known.extend(newer),
            (known, newer) => *known = newer,
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

/// Whether a text can be an output's name: lower-case letters, digits, `_` and `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    !text.is_empty() && text.len() <= NAME_LIMIT && text.bytes().all(is_plain)
}

/// Whether a value is short enough.
#[must_use]
pub fn fits(value: &str) -> bool {
    value.chars().count() <= VALUE_LIMIT
}

/// As many of these outputs as a target may have, in the order of their names, and the names of the others.
#[must_use]
pub fn bounded(outputs: BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let mut room = TARGET_LIMIT;
    let (mut kept, mut left_out) = (BTreeMap::new(), Vec::new());
    for (name, value) in outputs {
        match room.checked_sub(name.len() + value.len()) {
            Some(rest) => {
                room = rest;
                kept.insert(name, value);
            }
            None => left_out.push(name),
        }
    }
    (kept, left_out)
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
        let (kept, left_out) = bounded(outputs.collect());
        assert_eq!((kept.len(), left_out), (8, vec!["name-8".to_owned(), "name-9".to_owned()]));
    }
}
