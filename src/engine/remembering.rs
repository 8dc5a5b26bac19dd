//! Remembering: a job leaves the answers of the form and the inputs of its event for later dispatches of the ticket, in
//! one of its records.

use super::step::Step;
use super::view::View;
use crate::form::Answers;
use crate::ticket::remembered_inputs::{DueInputs, RememberedInputs, due_inputs};
use crate::ticket::{Dispatch, Word, marker, text};

/// The longest answers beside which a record has room for inputs, in characters of its marker. After longer ones the
/// next record has the inputs.
const ROOM_FOR_FORM: usize = 8_000;

impl View<'_> {
    /// `record`, with the answers and inputs that no record of this job has yet.
    pub(super) fn with_memory(&self, record: Dispatch) -> Dispatch {
        let form = self.form_due().cloned();
        let has_room = form.as_ref().is_none_or(|form| text::length(&marker::json(form)) <= ROOM_FOR_FORM);
        let inputs = self.request.inputs.clone();
        let inputs = inputs.filter(|_| has_room && self.inputs_due() != DueInputs::Nothing);
        Dispatch { form: form.map(Word::Known), inputs: inputs.map(Word::Known), ..record }
    }

    /// Whether a record of this job has a field.
    fn keeps(&self, has: impl Fn(&Dispatch) -> bool) -> bool {
        self.facts.own_records.iter().any(|own| has(&own.record))
    }

    fn form_due(&self) -> Option<&Answers> {
        self.request.form.as_ref().filter(|_| !self.keeps(|own| own.form.is_some()))
    }

    fn inputs_due(&self) -> DueInputs {
        let Some(inputs) = &self.request.inputs else { return DueInputs::Nothing };
        if self.keeps(|own| own.inputs.is_some()) {
            return DueInputs::Nothing;
        }
        let memory = RememberedInputs::of(self.claims());
        due_inputs(inputs, self.request.by.run, memory.as_ref())
    }
}

/// Leaves the answers and inputs only in the first of several records that are written at once.
pub(super) fn keep_once(records: impl Iterator<Item = Dispatch>) -> impl Iterator<Item = Dispatch> {
    records.enumerate().map(|(index, record)| match index {
        0 => record,
        _ => Dispatch { form: None, inputs: None, ..record },
    })
}

/// Records answers and inputs that the ticket does not remember yet, if this job has nothing else to record.
pub(super) fn remember(view: &View<'_>) -> Vec<Step> {
    let is_due = view.form_due().is_some() || view.inputs_due() == DueInputs::News;
    if view.facts.round.has_failed_to_record || !is_due {
        return Vec::new();
    }
    vec![view.write(None, view.record(view.last_seq() + 1, Vec::new(), Vec::new()))]
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use crate::engine::testing::{Story, dispatch, target};
    use crate::ticket::{Dispatch, EventInputs, StartState, Word};

    fn channel(channel: &str) -> EventInputs {
        EventInputs::fitting(json!({ "channel": channel }).as_object().cloned().unwrap_or_default())
    }

    /// A hub job that was started with a channel, and has started `web`.
    fn started_with(hub_run: u64, value: &str) -> Dispatch {
        let inputs = Some(Word::Known(channel(value)));
        Dispatch { inputs, ..dispatch(hub_run, [("web", StartState::Started)]) }
    }

    fn job<const N: usize>(names: [&str; N], value: &str) -> Story {
        let mut story = Story::of(names.map(target));
        story.request.inputs = Some(channel(value));
        story
    }

    /// The channels that the job's own records keep.
    fn kept_channels(story: &Story) -> Vec<&str> {
        let inputs = story.facts.own_records.iter().filter_map(|own| own.record.inputs.as_ref());
        inputs.filter_map(|inputs| inputs.as_known()?.values["channel"].as_str()).collect()
    }

    #[test]
    fn the_first_record_of_a_job_keeps_its_inputs_and_the_others_do_not() {
        let names: Vec<String> = (0..90).map(|n| format!("target-{n:0>2}")).collect();
        let mut story = Story::of_many(names.iter().map(|name| target(name)).collect());
        story.request.inputs = Some(channel("beta"));
        story.run();
        assert_eq!((story.facts.own_records.len(), kept_channels(&story)), (3, vec!["beta"]));
        assert!(story.facts.own_records[0].record.inputs.is_some());
    }

    #[test]
    fn inputs_that_have_no_room_beside_the_answers_of_a_form_stand_in_the_next_record() {
        let mut story = job(["web"], "beta");
        story.request.form = Some(Map::from_iter([("notes".to_owned(), "x".repeat(9_000).into())]));
        story.run();
        let [first, second] = &story.facts.own_records[..] else {
            panic!("{} records", story.facts.own_records.len())
        };
        assert_eq!((first.record.form.is_some(), first.record.inputs.is_some()), (true, false));
        assert_eq!((second.record.form.is_some(), second.record.inputs.is_some()), (false, true));
    }

    #[test]
    fn a_job_that_starts_nothing_records_inputs_that_the_ticket_does_not_remember() {
        let mut story = job([], "stable").after(started_with(50, "beta"));
        assert_eq!(story.run(), ["read", "comment: the inputs for later dispatches", "board"]);
        assert_eq!(kept_channels(&story), ["stable"]);
    }

    #[test]
    fn a_job_writes_no_record_for_inputs_that_the_ticket_remembers() {
        for record in [started_with(50, "beta"), started_with(100, "beta"), started_with(150, "stable")] {
            assert_eq!(job([], "beta").after(record).run(), ["read", "board"]);
        }
    }

    #[test]
    fn a_record_that_is_written_anyway_keeps_inputs_again_unless_the_same_run_or_a_newer_one_has_recorded_them()
     {
        for (record, expected) in [
            (started_with(50, "beta"), &["beta"][..]),
            (started_with(100, "beta"), &[]),
            (started_with(150, "stable"), &[]),
        ] {
            let run = record.by.run;
            let mut story = job(["api"], "beta").after(record);
            story.run();
            assert_eq!(kept_channels(&story), expected, "{run}");
        }
    }
}
