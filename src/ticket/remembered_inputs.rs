//! Inputs that a ticket remembers: a dispatch whose event has inputs records those that its templates name, and a later
//! dispatch whose event has none uses them.
//!
//! All records of one run keep inputs of the same event, so together they have the inputs of that run. Those of the newest
//! run count, in any order of the records.

use super::claim::Claims;
use super::event_inputs::EventInputs;
use super::record::Dispatch;
use super::status::Word;
use crate::names::RunId;

/// The inputs that a ticket remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct RememberedInputs {
    /// The run that was started with these inputs.
    pub run: RunId,
    /// Its inputs.
    pub inputs: Word<EventInputs>,
}

impl RememberedInputs {
    /// The inputs in the records of this hub's own identity; `None` if there are none.
    #[must_use]
    pub fn of(claims: Claims<'_>) -> Option<Self> {
        let run = claims.newest(|record| record.inputs.is_some())?.by.run;
        let mut records: Vec<&Dispatch> =
            claims.own().map(|(_, record)| record).filter(|record| record.by.run == run).collect();
        records.sort_by_key(|record| (record.by.attempt, record.seq));
        let mut all = EventInputs::default();
        for inputs in records.iter().filter_map(|record| record.inputs.as_ref()) {
            match inputs {
                Word::Known(inputs) => all.add(inputs),
                Word::Newer(_) => return Some(Self { run, inputs: inputs.clone() }),
            }
        }
        Some(Self { run, inputs: Word::Known(all) })
    }
}

/// The inputs that the next record of a run has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueInputs {
    /// None: the ticket remembers them, or those of a newer run.
    Nothing,
    /// The same as those of an older run: they stay right if records arrive in another order.
    Again,
    /// Inputs that the ticket does not remember.
    News,
}

/// The inputs that the next record of `run` has to keep: `inputs` are those of its event.
#[must_use]
pub fn due_inputs(inputs: &EventInputs, run: RunId, memory: Option<&RememberedInputs>) -> DueInputs {
    match memory {
        None if *inputs == EventInputs::default() => DueInputs::Nothing,
        None => DueInputs::News,
        Some(newest) if newest.run > run => DueInputs::Nothing,
        Some(newest) => match &newest.inputs {
            Word::Known(newest_inputs) if newest.run == run && inputs.is_part_of(newest_inputs) => {
                DueInputs::Nothing
            }
            Word::Known(newest_inputs) if newest.run < run && newest_inputs == inputs => DueInputs::Again,
            _ => DueInputs::News,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn inputs(values: Value) -> EventInputs {
        EventInputs::fitting(values.as_object().expect("an object").clone())
    }

    #[test]
    fn a_run_records_what_the_ticket_does_not_remember_of_it() {
        let (beta, stable) = (inputs(json!({ "channel": "beta" })), inputs(json!({ "channel": "stable" })));
        let both = inputs(json!({ "channel": "beta", "notes": "x" }));
        let memory_of = |run: u64, inputs: &EventInputs| {
            Some(RememberedInputs { run: RunId(run), inputs: Word::Known(inputs.clone()) })
        };
        let newer = |run: u64| Some(RememberedInputs { run: RunId(run), inputs: Word::Newer(json!(7)) });
        for (inputs, memory, expected) in [
            (&beta, None, DueInputs::News),
            (&EventInputs::default(), None, DueInputs::Nothing),
            (&EventInputs::default(), memory_of(400, &beta), DueInputs::News),
            (&beta, memory_of(400, &beta), DueInputs::Again),
            (&beta, memory_of(400, &stable), DueInputs::News),
            (&beta, memory_of(400, &both), DueInputs::News),
            (&beta, memory_of(500, &beta), DueInputs::Nothing),
            (&beta, memory_of(500, &both), DueInputs::Nothing),
            (&both, memory_of(500, &beta), DueInputs::News),
            (&beta, memory_of(600, &stable), DueInputs::Nothing),
            (&beta, newer(400), DueInputs::News),
            (&beta, newer(600), DueInputs::Nothing),
        ] {
            assert_eq!(due_inputs(inputs, RunId(500), memory.as_ref()), expected, "{inputs:?} {memory:?}");
        }
    }
}
