//! What a ticket remembers: a dispatch whose event has inputs records those that its templates name, and a later one
//! whose event has none goes on with them.
//!
//! All records of one run keep inputs of the same event, so together they say what that run was started with. Those of
//! the newest run count, whichever record came first.

use super::claim::Claims;
use super::event_inputs::EventInputs;
use super::record::Dispatch;
use super::status::Word;
use crate::names::RunId;

/// What a ticket remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// The run that was started with these inputs.
    pub run: RunId,
    /// Its inputs.
    pub inputs: Word<EventInputs>,
}

impl Remembered {
    /// What the ticket remembers, by the records of this hub's own identity.
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

/// Whether the next record of a run has to keep its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing: the ticket remembers them, or those of a newer run.
    Nothing,
    /// The ticket remembers the same of an older run: they stay right if records arrive in another order.
    Again,
    /// The ticket does not remember them.
    News,
}

/// Whether the next record of `run` has to keep its inputs, `given`.
#[must_use]
pub fn due(given: &EventInputs, run: RunId, remembered: Option<&Remembered>) -> Due {
    match remembered {
        None if *given == EventInputs::default() => Due::Nothing,
        None => Due::News,
        Some(newest) if newest.run > run => Due::Nothing,
        Some(newest) => match &newest.inputs {
            Word::Known(inputs) if newest.run == run && given.is_part_of(inputs) => Due::Nothing,
            Word::Known(inputs) if newest.run < run && inputs == given => Due::Again,
            _ => Due::News,
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
        let of = |run: u64, inputs: &EventInputs| {
            Some(Remembered { run: RunId(run), inputs: Word::Known(inputs.clone()) })
        };
        let newer = |run: u64| Some(Remembered { run: RunId(run), inputs: Word::Newer(json!(7)) });
        for (given, remembered, expected) in [
            (&beta, None, Due::News),
            (&EventInputs::default(), None, Due::Nothing),
            (&EventInputs::default(), of(400, &beta), Due::News),
            (&beta, of(400, &beta), Due::Again),
            (&beta, of(400, &stable), Due::News),
            (&beta, of(400, &both), Due::News),
            (&beta, of(500, &beta), Due::Nothing),
            (&beta, of(500, &both), Due::Nothing),
            (&both, of(500, &beta), Due::News),
            (&beta, of(600, &stable), Due::Nothing),
            (&beta, newer(400), Due::News),
            (&beta, newer(600), Due::Nothing),
        ] {
            assert_eq!(due(given, RunId(500), remembered.as_ref()), expected, "{given:?} {remembered:?}");
        }
    }
}
