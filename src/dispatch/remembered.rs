//! The inputs that templates see: those of the event that started the run; where it has none of its own, those that the
//! ticket remembers of an earlier run.
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
use crate::problem::Problem;
use crate::targets::listed;
use crate::template::Reads;
use crate::ticket::event_inputs::{self, EventInputs};
use crate::ticket::remembered::Remembered;
use crate::ticket::{Word, text};

/// Where templates find the inputs.
const INPUTS: &[&str] = &["inputs"];

/// The inputs that name the ticket and the target of a run: nobody starts a release with them.
const OF_THE_TICKET: [&str; 2] = ["release-ticket", "release-target"];

/// What to do where an input is missing.
const RUN_AGAIN: &str = "run the hub's workflow for this release again, with its inputs";

/// The inputs of a dispatch.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// The inputs as templates see them.
    pub(super) values: Map<String, Value>,
    /// What to do where a template names an input that is not there; none: the event has inputs of its own.
    pub(super) help: Option<String>,
    /// Why templates may not read some of them.
    pub(super) refusals: Refusals,
    /// The ticket that remembers them, with the run that they are of.
    source: Option<String>,
    are_own: bool,
}

/// Decides which inputs count: those of the event, `given`, or those that `ticket` remembers.
pub(super) fn decide(
    given: Map<String, Value>,
    ticket: Option<&IssueRef>,
    remembered: Option<Remembered>,
) -> Inputs {
    if given.iter().any(|(name, value)| is_own(name, value)) {
        return Inputs { values: given, are_own: true, ..Inputs::default() };
    }
    let (Some(ticket), Some(Remembered { run, inputs })) = (ticket, remembered) else {
        return Inputs { help: Some(nothing_remembered(ticket)), values: given, ..Inputs::default() };
    };
    let mut refusals = Refusals::default();
    let EventInputs { mut values, too_long } = match inputs {
        Word::Known(inputs) => inputs,
        Word::Newer(_) => {
            let what =
                format!("a newer release of the action recorded the inputs of hub run {run} on {ticket}");
            refusals.add(INPUTS, Problem::new(what).help("update the action"));
            EventInputs::default()
        }
    };
    for (name, length) in too_long {
        let what =
            format!("{ticket} does not remember `{name}`: it has {} characters", text::thousands(length));
        refusals.add(&["inputs", &name], Problem::new(what).help(RUN_AGAIN));
    }
    let help = format!(
        "this run's event has no inputs, and {ticket} remembers {} of hub run {run}; {RUN_AGAIN}",
        listed(values.keys().map(String::as_str))
    );
    for (name, value) in given {
        if !is_blank(&value) {
            values.insert(name, value);
        } else {
            values.entry(name).or_insert(value);
        }
    }
    let source = Some(format!("{ticket} remembers them of hub run {run}"));
    Inputs { values, help: Some(help), refusals, source, are_own: false }
}

fn nothing_remembered(ticket: Option<&IssueRef>) -> String {
    let ticket = ticket.map_or_else(
        || "the step names no ticket that remembers some".to_owned(),
        |ticket| format!("{ticket} remembers none"),
    );
    format!(
        "this run's event has no inputs, and {ticket}; {RUN_AGAIN}; or, if releases are also started without inputs, \
         write what holds then: `{{{{ inputs.name | default('…') }}}}`"
    )
}

/// Whether it is an input with which somebody has started the run.
fn is_own(name: &str, value: &Value) -> bool {
    match value {
        // The inputs of a `client_payload` stand beside its other properties as well.
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
    /// The inputs that are recorded for later dispatches, if templates read this. Warns of those that have no room.
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
                "the ticket does not remember these inputs, with their lengths in characters: {lengths}. A record has \
                 room for {room} of all inputs, and a later run whose event has none fails where a template needs these"
            );
        }
        Some(inputs)
    }

    /// Says whose inputs these are, if templates that read this take some from the ticket.
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

    fn remembered(values: Value) -> Option<Remembered> {
        let inputs = EventInputs { values: map(values), ..EventInputs::default() };
        Some(Remembered { run: RunId(500), inputs: Word::Known(inputs) })
    }

    #[test]
    fn an_event_with_an_input_that_says_something_has_inputs_of_its_own() {
        for (given, are_own) in [
            (json!({ "channel": "beta" }), true),
            (json!({ "channel": "", "draft": false }), true),
            (json!({ "release-ticket": "acme/hub#1", "inputs": { "channel": "beta" } }), true),
            (json!({ "inputs": "beta" }), true),
            (json!({}), false),
            (json!({ "channel": " ", "notes": null }), false),
            (json!({ "release-ticket": "acme/hub#1", "release-target": "web", "inputs": {} }), false),
            (json!({ "release-ticket": "acme/hub#1", "inputs": { "release-target": "web" } }), false),
        ] {
            assert_eq!(decide(map(given.clone()), None, None).are_own, are_own, "{given}");
        }
    }

    #[test]
    fn inputs_of_the_ticket_stand_beside_what_names_it_and_in_the_place_of_blank_ones() {
        let given = json!({ "release-ticket": "acme/hub#1", "channel": "", "notes": "" });
        let inputs = decide(map(given), Some(&ticket()), remembered(json!({ "channel": "beta" })));
        let expected = json!({ "channel": "beta", "release-ticket": "acme/hub#1", "notes": "" });
        assert_eq!(Value::from(inputs.values), expected);
        let own =
            decide(map(json!({ "notes": "x" })), Some(&ticket()), remembered(json!({ "channel": "beta" })));
        assert_eq!(Value::from(own.values), json!({ "notes": "x" }));
    }

    #[test]
    fn only_own_inputs_that_templates_name_are_recorded() {
        let record = |given: Value, template: &str| {
            let inputs = decide(map(given), Some(&ticket()), remembered(json!({ "channel": "beta" })));
            inputs.to_record(&Reads::of([template])).map(|inputs| Value::from(inputs.values))
        };
        let given = json!({ "channel": "beta", "dry-run": true, "password": "x" });
        let named = "{{ inputs.channel }}{{ inputs['dry-run'] }}";
        assert_eq!(record(given.clone(), named), Some(json!({ "channel": "beta", "dry-run": true })));
        assert_eq!(record(given.clone(), "{{ inputs | items | join }}"), Some(given.clone()));
        assert_eq!(record(given, "{{ release }}"), None);
        assert_eq!(record(json!({}), named), None);
    }
}
