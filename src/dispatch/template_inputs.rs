//! The inputs that templates read: those of the event that started the run, else those that the ticket remembers of an
//! earlier run.
//!
//! | the event | `inputs` |
//! |---|---|
//! | has inputs: a start by hand, or a `repository_dispatch` that carries some | its own, which are recorded |
//! | has none: a label, a comment, a schedule; or one that only names the ticket | those of the newest run that had some |
//!
//! Blank means absent: an event whose inputs are all blank has none.

use serde_json::{Map, Value};

use super::refusals::Refusals;
use crate::names::IssueRef;
use crate::problem::{Problem, Topic};
use crate::targets::enumeration;
use crate::template::Reads;
use crate::ticket::event_inputs::{self, EventInputs};
use crate::ticket::remembered_inputs::RememberedInputs;
use crate::ticket::{Word, text};

/// The path of the inputs in templates.
const INPUTS: &[&str] = &["inputs"];

/// The inputs that name the ticket and the target of a run: a person who starts a release does not set them.
const OF_THE_TICKET: [&str; 2] = ["release-ticket", "release-target"];

/// The help for a missing input.
const RUN_AGAIN: &str = "run the hub's workflow for this release again, with its inputs";

/// The inputs of a dispatch, and their source.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The inputs as templates see them.
    pub(super) values: Map<String, Value>,
    /// The help for a template that names a missing input; `None` if the event has inputs of its own.
    pub(super) help: Option<String>,
    /// The inputs that templates may not read, with the reasons.
    pub(super) refusals: Refusals,
    /// The ticket that remembers them, with their run, as a sentence.
    source: Option<String>,
    /// Whether the event has them.
    are_own: bool,
}

/// Decides which inputs count: `event_inputs`, or those of the `memory` of `ticket`.
pub(super) fn decide(
    event_inputs: Map<String, Value>,
    ticket: Option<&IssueRef>,
    memory: Option<RememberedInputs>,
) -> Inputs {
    if event_inputs.iter().any(|(name, value)| is_own(name, value)) {
        return Inputs { values: event_inputs, are_own: true, ..Inputs::default() };
    }
    let (Some(ticket), Some(RememberedInputs { run, inputs })) = (ticket, memory) else {
        return Inputs { help: Some(no_inputs_help(ticket)), values: event_inputs, ..Inputs::default() };
    };
    let mut refusals = Refusals::default();
    let EventInputs { mut values, too_long } = match inputs {
        Word::Known(inputs) => inputs,
        Word::Newer(_) => {
            let what =
                format!("a newer release of the action recorded the inputs of hub run {run} on {ticket}");
            refusals.add(INPUTS, Problem::new(what).help(Topic::NewerRelease, "update the action"));
            EventInputs::default()
        }
    };
    for (name, length) in too_long {
        let what =
            format!("{ticket} does not remember `{name}`: it has {} characters", text::thousands(length));
        refusals.add(&["inputs", &name], Problem::new(what).help(Topic::Template, RUN_AGAIN));
    }
    let help = format!(
        "this run's event has no inputs, and {ticket} remembers {} of hub run {run}; {RUN_AGAIN}",
        enumeration(values.keys().map(String::as_str))
    );
    for (name, value) in event_inputs {
        if !is_blank(&value) {
            values.insert(name, value);
        } else {
            values.entry(name).or_insert(value);
        }
    }
    let source = Some(format!("{ticket} remembers them of hub run {run}"));
    Inputs { values, help: Some(help), refusals, source, are_own: false }
}

fn no_inputs_help(ticket: Option<&IssueRef>) -> String {
    let ticket = ticket.map_or_else(
        || "the step names no ticket that remembers some".to_owned(),
        |ticket| format!("{ticket} remembers none"),
    );
    format!(
        "this run's event has no inputs, and {ticket}; {RUN_AGAIN}; or, if releases are also started without inputs, \
         give a default in the template: `{{{{ inputs.name | default('…') }}}}`"
    )
}

/// Whether a person set this input when the run was started.
fn is_own(name: &str, value: &Value) -> bool {
    match value {
        // The inputs of a `client_payload` stand beside its other properties too.
        Value::Object(inputs) if name == "inputs" => inputs.iter().any(|(name, value)| is_own(name, value)),
        _ => !OF_THE_TICKET.contains(&name) && !is_blank(value),
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

impl Inputs {
    /// The inputs to record for later dispatches: own ones that templates with these `reads` may read. Warns about
    /// those that have no room.
    pub(super) fn to_record(&self, reads: &Reads) -> Option<EventInputs> {
        if !self.are_own || !reads.may_read(INPUTS) {
            return None;
        }
        let inputs = EventInputs::fitting(reads.of_map("inputs", &self.values));
        if !inputs.too_long.is_empty() {
            let lengths = inputs.too_long.iter();
            let lengths = lengths.map(|(name, length)| format!("`{name}` ({})", text::thousands(*length)));
            let (lengths, room) =
                (lengths.collect::<Vec<_>>().join(", "), text::thousands(event_inputs::ROOM));
            tracing::warn!(
                "the ticket has no room for these inputs (length in characters): {lengths}. A record holds {room} \
                 characters of inputs. A later run without inputs fails if a template needs one of these"
            );
        }
        Some(inputs)
    }

    /// Logs the source of the inputs, if templates with these `reads` take some from the ticket.
    pub(super) fn explain(&self, reads: &Reads) {
        if let Some(source) = self.source.as_ref().filter(|_| reads.may_read(INPUTS)) {
            tracing::info!("this run's event has no inputs; {source}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names::{IssueNumber, RunId};

    fn map(values: Value) -> Map<String, Value> {
        values.as_object().expect("an object").clone()
    }

    fn ticket() -> IssueRef {
        IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(1) }
    }

    fn memory(values: Value) -> Option<RememberedInputs> {
        let inputs = EventInputs { values: map(values), ..EventInputs::default() };
        Some(RememberedInputs { run: RunId(500), inputs: Word::Known(inputs) })
    }

    #[test]
    fn an_event_with_an_input_that_says_something_has_inputs_of_its_own() {
        for (event_inputs, are_own) in [
            (json!({ "channel": "beta" }), true),
            (json!({ "channel": "", "draft": false }), true),
            (json!({ "release-ticket": "acme/hub#1", "inputs": { "channel": "beta" } }), true),
            (json!({ "inputs": "beta" }), true),
            (json!({}), false),
            (json!({ "channel": " ", "notes": null }), false),
            (json!({ "release-ticket": "acme/hub#1", "release-target": "web", "inputs": {} }), false),
            (json!({ "release-ticket": "acme/hub#1", "inputs": { "release-target": "web" } }), false),
        ] {
            assert_eq!(decide(map(event_inputs.clone()), None, None).are_own, are_own, "{event_inputs}");
        }
    }

    #[test]
    fn inputs_of_the_ticket_stand_beside_what_names_it_and_in_the_place_of_blank_ones() {
        let event_inputs = json!({ "release-ticket": "acme/hub#1", "channel": "", "notes": "" });
        let inputs = decide(map(event_inputs), Some(&ticket()), memory(json!({ "channel": "beta" })));
        let expected = json!({ "channel": "beta", "release-ticket": "acme/hub#1", "notes": "" });
        assert_eq!(Value::from(inputs.values), expected);
        let own = decide(map(json!({ "notes": "x" })), Some(&ticket()), memory(json!({ "channel": "beta" })));
        assert_eq!(Value::from(own.values), json!({ "notes": "x" }));
    }

    #[test]
    fn only_own_inputs_that_templates_name_are_recorded() {
        let record = |event_inputs: Value, template: &str| {
            let inputs = decide(map(event_inputs), Some(&ticket()), memory(json!({ "channel": "beta" })));
            inputs.to_record(&Reads::of([template])).map(|inputs| Value::from(inputs.values))
        };
        let event_inputs = json!({ "channel": "beta", "dry-run": true, "password": "x" });
        let template = "{{ inputs.channel }}{{ inputs['dry-run'] }}";
        assert_eq!(
            record(event_inputs.clone(), template),
            Some(json!({ "channel": "beta", "dry-run": true }))
        );
        assert_eq!(record(event_inputs.clone(), "{{ inputs | items | join }}"), Some(event_inputs.clone()));
        assert_eq!(record(event_inputs, "{{ release }}"), None);
        assert_eq!(record(json!({}), template), None);
    }
}
