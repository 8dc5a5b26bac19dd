//! The inputs of the event that started a hub job, if the job's record has room for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::marker;
use super::text;

/// The room that a record has for inputs, in characters of its marker.
pub const ROOM: usize = 8_000;

/// The part of this room for the names of the inputs that do not fit.
const ROOM_FOR_NAMES: usize = 2_000;

/// Inputs of an event, as a record keeps them. A newer release may keep more about them, so a field that this one does
/// not know makes them a word of a newer release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventInputs {
    /// The values by their names.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// The inputs that the record has no room for, with their lengths in characters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub too_long: BTreeMap<String, usize>,
}

impl EventInputs {
    /// These inputs without the longest, so that the rest fits into a record.
    #[must_use]
    pub fn fitting(values: Map<String, Value>) -> Self {
        let cost = |name: &str, value: &Value| text::length(&marker::json(&json!({ name: value })));
        let costs = values.iter().map(|(name, value)| (cost(name, value), name.clone()));
        let mut by_cost: Vec<(usize, String)> = costs.collect();
        by_cost.sort();
        let (mut inputs, mut names) = (Self { values, ..Self::default() }, 0);
        let mut size: usize = by_cost.iter().map(|(cost, _)| cost).sum();
        while size + names > ROOM
            && let Some((value_cost, name)) = by_cost.pop()
            && let Some(value) = inputs.values.shift_remove(&name)
        {
            size -= value_cost;
            let length = length(&value);
            let name_cost = cost(&name, &length.into());
            if names + name_cost <= ROOM_FOR_NAMES {
                names += name_cost;
                inputs.too_long.insert(name, length);
            }
        }
        inputs
    }

    /// Whether these are the values of `other`, or some of them.
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        let has_value = |(name, value): (&String, &Value)| other.values.get(name) == Some(value);
        let has_name = |name: &String| other.too_long.contains_key(name) || other.values.contains_key(name);
        self.values.iter().all(has_value) && self.too_long.keys().all(has_name)
    }

    /// Adds the inputs that another record of the same run keeps.
    pub(super) fn add(&mut self, other: &Self) {
        self.values.extend(other.values.clone());
        self.too_long.extend(other.too_long.clone());
        self.too_long.retain(|name, _| !self.values.contains_key(name));
    }
}

/// The length of an input in characters, as people type it.
fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().chars().count(), |text| text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::Word;

    fn map(values: Value) -> Map<String, Value> {
        values.as_object().expect("an object").clone()
    }

    fn inputs(values: Value) -> EventInputs {
        EventInputs::fitting(map(values))
    }

    fn length_in_record(inputs: &EventInputs) -> usize {
        text::length(&marker::json(inputs))
    }

    #[test]
    fn inputs_that_a_record_has_no_room_for_are_left_out_the_longest_first() {
        let notes = "x".repeat(7_000);
        let of =
            inputs(json!({ "log": "é".repeat(9_000), "channel": "beta", "notes": notes, "more": notes }));
        assert_eq!(of.values.keys().collect::<Vec<_>>(), ["channel", "more"]);
        let too_long = of.too_long.iter().map(|(name, length)| format!("{name}: {length}"));
        assert_eq!(too_long.collect::<Vec<_>>(), ["log: 9000", "notes: 7000"]);
        let all = inputs(json!({ "channel": "beta", "draft": true }));
        assert_eq!((all.values.len(), all.too_long.len()), (2, 0));
    }

    #[test]
    fn inputs_of_any_number_and_size_leave_room_for_the_rest_of_a_record() {
        let many = |count: usize, name: usize, value: &str| {
            let entries = (0..count).map(|n| (format!("{n:0>name$}"), Value::from(value)));
            EventInputs::fitting(entries.collect())
        };
        for of in [
            many(1, 2, &"x".repeat(65_000)),
            many(1, 60_000, "x"),
            many(500, 20, &"x".repeat(100)),
            many(5_000, 10, ""),
            many(100, 5, &"<".repeat(500)),
            many(9, 900, &"-".repeat(5_000)),
        ] {
            let length = length_in_record(&of);
            assert!(length <= ROOM + 50, "{length} characters");
        }
        assert!(!many(500, 20, &"x".repeat(100)).too_long.is_empty());
    }

    #[test]
    fn a_field_that_this_release_does_not_know_makes_it_a_word_of_a_newer_one() {
        for (data, is_newer) in [
            (json!({ "values": { "channel": "beta" } }), false),
            (json!({ "values": {}, "too_long": { "notes": 9_000 } }), false),
            (json!({ "values": {}, "elsewhere": { "notes": 7 } }), true),
            (json!(["channel"]), true),
        ] {
            let word: Word<EventInputs> = serde_json::from_value(data.clone()).expect("a word");
            assert_eq!(word.is_newer(), is_newer, "{data}");
            assert_eq!(serde_json::to_value(&word).expect("JSON"), data);
        }
    }
}
