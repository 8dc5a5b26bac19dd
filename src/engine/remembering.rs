//! What a job leaves for later dispatches of the ticket, in one of its records: the answers of the form, and the inputs
//! of its event.

use super::step::Step;
use super::view::View;
use crate::form::Answers;
use crate::ticket::remembered::{Due, Remembered, due};
use crate::ticket::{Dispatch, Word, marker, text};

/// Answers that take more of a record, in characters of its marker, leave no room for inputs: a later one keeps these.
const ROOM_FOR_FORM: usize = 8_000;

impl View<'_> {
    /// `record` with what none of this job's records keeps yet.
    pub(super) fn keeping(&self, record: Dispatch) -> Dispatch {
        let form = self.form_due().cloned();
        let has_room = form.as_ref().is_none_or(|form| text::length(&marker::json(form)) <= ROOM_FOR_FORM);
        let inputs = self.request.inputs.clone();
        let inputs = inputs.filter(|_| has_room && self.inputs_due() != Due::Nothing);
        Dispatch { form: form.map(Word::Known), inputs: inputs.map(Word::Known), ..record }
    }

    /// Whether a record of this job has something.
    fn keeps(&self, has: impl Fn(&Dispatch) -> bool) -> bool {
        self.known.own.iter().any(|own| has(&own.record))
    }

    fn form_due(&self) -> Option<&Answers> {
        self.request.form.as_ref().filter(|_| !self.keeps(|own| own.form.is_some()))
    }

    fn inputs_due(&self) -> Due {
        let Some(inputs) = &self.request.inputs else { return Due::Nothing };
        if self.keeps(|own| own.inputs.is_some()) {
            return Due::Nothing;
        }
        let remembered = Remembered::of(self.claims());
        due(inputs, self.request.by.run, remembered.as_ref())
    }
}

/// Of several records that are written at once only the first keeps it.
pub(super) fn kept_once(records: impl Iterator<Item = Dispatch>) -> impl Iterator<Item = Dispatch> {
    records.enumerate().map(|(index, record)| match index {
        0 => record,
        _ => Dispatch { form: None, inputs: None, ..record },
    })
}

/// Records what the ticket does not remember yet, where this job has nothing else to record.
pub(super) fn remember(view: &View<'_>) -> Vec<Step> {
    let is_due = view.form_due().is_some() || view.inputs_due() == Due::News;
    if view.known.round.recording_failed || !is_due {
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
    fn kept(story: &Story) -> Vec<&str> {
        let inputs = story.known.own.iter().filter_map(|own| own.record.inputs.as_ref());
        inputs.filter_map(|inputs| inputs.known()?.values["channel"].as_str()).collect()
    }

    #[test]
    fn the_first_record_of_a_job_keeps_its_inputs_and_the_others_do_not() {
        let names: Vec<String> = (0..90).map(|n| format!("target-{n:0>2}")).collect();
        let mut story = Story::of_many(names.iter().map(|name| target(name)).collect());
        story.request.inputs = Some(channel("beta"));
        story.run();
        assert_eq!((story.known.own.len(), kept(&story)), (3, vec!["beta"]));
        assert!(story.known.own[0].record.inputs.is_some());
    }

    #[test]
    fn inputs_that_have_no_room_beside_the_answers_of_a_form_stand_in_the_next_record() {
        let mut story = job(["web"], "beta");
        story.request.form = Some(Map::from_iter([("notes".to_owned(), "x".repeat(9_000).into())]));
        story.run();
        let [first, second] = &story.known.own[..] else { panic!("{} records", story.known.own.len()) };
        assert_eq!((first.record.form.is_some(), first.record.inputs.is_some()), (true, false));
        assert_eq!((second.record.form.is_some(), second.record.inputs.is_some()), (false, true));
    }

    #[test]
    fn a_job_that_starts_nothing_records_inputs_that_the_ticket_does_not_remember() {
        let mut story = job([], "stable").after(started_with(50, "beta"));
        assert_eq!(story.run(), ["read", "comment: what later dispatches go on with", "board"]);
        assert_eq!(kept(&story), ["stable"]);
    }

    #[test]
    fn a_job_writes_no_record_for_inputs_that_the_ticket_remembers() {
        for remembered in [started_with(50, "beta"), started_with(100, "beta"), started_with(150, "stable")] {
            assert_eq!(job([], "beta").after(remembered).run(), ["read", "board"]);
        }
    }

    #[test]
    fn a_record_that_is_written_anyway_keeps_inputs_again_unless_the_same_run_or_a_newer_one_has_recorded_them()
     {
        for (remembered, expected) in [
            (started_with(50, "beta"), &["beta"][..]),
            (started_with(100, "beta"), &[]),
            (started_with(150, "stable"), &[]),
        ] {
            let run = remembered.by.run;
            let mut story = job(["api"], "beta").after(remembered);
            story.run();
            assert_eq!(kept(&story), expected, "{run}");
        }
    }
}
