//! The texts of a dispatch: the ticket's title and body, and the inputs of the targets.
//!
//! All templates are rendered once before the first effect, so that none fails halfway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ready::ReadyTarget;
use crate::names::{IssueNumber, IssueRef, Login, RepoName};
use crate::plan::NewIssue;
use crate::targets::{Input, StartBy};
use crate::template::{self, Reads, TargetValues, TemplateError, TicketValues, Values};
use crate::ticket::{Key, text};

/// The templates with their values, rendered for a ticket once its number is known.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The repository of the ticket.
    pub hub: RepoName,
    /// The address of the GitHub server for the browser.
    pub server_url: String,
    /// The person who is responsible for the release.
    pub driver: Option<Login>,
    /// The labels of the ticket.
    pub labels: Vec<String>,
    /// A template for the title; `None` for the built-in one.
    pub title: Option<String>,
    /// A template for the body; `None` for the built-in one.
    pub body: Option<String>,
    /// The values for templates, except those of the ticket and the target.
    pub values: Values,
    /// Whether inputs that read missing outputs stand as templates instead of failing: before anything is started, and
    /// in a forecast.
    pub assumes_outputs: bool,
}

/// The outputs of the targets that come before another one, by their names.
pub type Upstream = BTreeMap<String, BTreeMap<String, String>>;

/// The inputs of a target's workflow.
#[derive(Debug, Default)]
pub struct RenderedInputs<'r> {
    /// The inputs as they are sent.
    pub inputs: Map<String, Value>,
    /// The names of inputs that stand there as templates, because the outputs that they read are not reported yet.
    pub pending: BTreeSet<String>,
    /// The inputs that do not render, with the reasons.
    pub broken: Vec<(&'r Input, TemplateError)>,
}

/// The relation of a new ticket to an earlier, closed one of the same release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// No relation, or no earlier ticket.
    Nothing,
    /// The new ticket takes over the targets that are released there.
    Continues(IssueNumber),
    /// The new ticket takes over nothing: everything is started again.
    Repeats(IssueNumber),
}

const TITLE: &str =
    "{% if release %}Release {{ release }}{% else %}Release for {{ targets[:3] | join(', ') }}{% endif %}";

const BODY: &str = "\
{% if driver %}**Driver:** @{{ driver }}\n{% endif %}\
**Targets:** {{ targets | join(', ') }}\n\
**Started by:** [hub run {{ run.id }}]({{ run.url }})\n\n\
The board in the comments shows the progress of this release. You can edit this text: the action never rewrites it.\n";

impl Wording {
    /// Renders a template without the values of a ticket or a target.
    ///
    /// # Errors
    ///
    /// The template is malformed, or names something that does not exist.
    pub fn render_early(&self, template: &str) -> Result<String, TemplateError> {
        template::render(template, &self.values)
    }

    /// The name or version of the release; `None` if it has no name.
    #[must_use]
    pub fn release(&self) -> Option<String> {
        Some(self.values.release.clone()).filter(|release| !release.is_empty())
    }

    /// Renders the ticket's title and body, and returns the errors.
    pub fn check(&self) -> Vec<TemplateError> {
        [self.title(), self.body()].into_iter().filter_map(Result::err).collect()
    }

    /// The reference of a ticket that has no number yet: number 0.
    #[must_use]
    pub fn placeholder_ticket(&self) -> IssueRef {
        IssueRef { repository: self.hub.clone(), number: IssueNumber(0) }
    }

    /// Renders a template for a target.
    ///
    /// # Errors
    ///
    /// The template is malformed, or names something that does not exist.
    pub fn render_for(
        &self,
        template: &str,
        target: &ReadyTarget,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> Result<String, TemplateError> {
        let url = format!("{}/{}/issues/{}", self.server_url, ticket.repository, ticket.number);
        let values = Values {
            ticket: Some(TicketValues::new(ticket, url)),
            target: Some(target_values(target)),
            outputs: Some(upstream.clone()),
            ..self.values.clone()
        };
        template::render(template, &values)
    }

    fn title(&self) -> Result<String, TemplateError> {
        Ok(text::title(&self.render_early(self.title.as_deref().unwrap_or(TITLE))?))
    }

    /// The template is the hub's own; its values come from anywhere, so they are made harmless.
    fn body(&self) -> Result<String, TemplateError> {
        let values = Values {
            release: text::lines(&self.values.release),
            inputs: harmless(&self.values.inputs),
            form: harmless(&self.values.form),
            event: harmless(&self.values.event),
            ..self.values.clone()
        };
        template::render(self.body.as_deref().unwrap_or(BODY), &values)
    }

    /// The inputs of a target's workflow that render, and the errors of the others.
    #[must_use]
    pub fn rendered_inputs<'r>(
        &self,
        ready: &'r ReadyTarget,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> RenderedInputs<'r> {
        let RenderedInputs { mut inputs, mut pending, mut broken } = RenderedInputs::default();
        for input in &ready.target.inputs {
            match self.render_for(&input.template, ready, ticket, upstream) {
                Ok(text) => {
                    let text = match &ready.declaration {
                        Some(declaration) => declaration.value(&input.name, text),
                        None => text,
                    };
                    inputs.insert(input.name.clone(), Value::String(text));
                }
                Err(error) if self.assumes_outputs && error.is_for_outputs() && reads_outputs(input) => {
                    inputs.insert(input.name.clone(), Value::String(input.template.clone()));
                    pending.insert(input.name.clone());
                }
                Err(error) => broken.push((input, error)),
            }
        }
        // A workflow that declares these inputs gets them without an entry in the targets file.
        for (name, value) in
            [("release-ticket", ticket.to_string()), ("release-target", ready.target.name.to_string())]
        {
            if let Some(name) = ready.spelling(name).filter(|name| !inputs.contains_key(*name)) {
                inputs.insert(name.to_owned(), Value::String(value));
            }
        }
        RenderedInputs { inputs, pending, broken }
    }

    /// Whether an input of the target reads outputs of other targets.
    #[must_use]
    pub fn reads_outputs(&self, ready: &ReadyTarget) -> bool {
        ready.target.inputs.iter().any(reads_outputs)
    }

    /// Whether an input of the target reads an output that is missing.
    #[must_use]
    pub fn lacks_outputs(&self, ready: &ReadyTarget, ticket: &IssueRef, upstream: &Upstream) -> bool {
        let RenderedInputs { broken, .. } = self.rendered_inputs(ready, ticket, upstream);
        broken.iter().any(|(input, error)| error.is_for_outputs() && reads_outputs(input))
    }

    /// The inputs of a target's workflow as they are sent: text, as a person would type it.
    ///
    /// # Errors
    ///
    /// An input does not render.
    pub fn inputs_of(
        &self,
        ready: &ReadyTarget,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> Result<Map<String, Value>, TemplateError> {
        let RenderedInputs { inputs, broken, .. } = self.rendered_inputs(ready, ticket, upstream);
        broken.into_iter().next().map_or(Ok(inputs), |(_, error)| Err(error))
    }

    /// The `client_payload` of a `repository_dispatch`.
    ///
    /// # Errors
    ///
    /// An input does not render.
    pub fn payload_of(
        &self,
        ready: &ReadyTarget,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> Result<Map<String, Value>, TemplateError> {
        let inputs = self.inputs_of(ready, ticket, upstream)?;
        let payload = json!({ "release-ticket": ticket.to_string(), "release-target": ready.target.name, "inputs": inputs });
        Ok(payload.as_object().cloned().unwrap_or_default())
    }

    /// The issue that becomes the ticket of `key`.
    ///
    /// # Errors
    ///
    /// The title or the body does not render.
    pub fn new_issue(&self, key: &Key, follows: Predecessor) -> Result<NewIssue, TemplateError> {
        let mut body = self.body()?;
        match follows {
            Predecessor::Nothing => {}
            Predecessor::Continues(earlier) => body += &format!("\nContinues #{earlier}, which is closed.\n"),
            Predecessor::Repeats(earlier) => {
                body += &format!("\nRepeats the release of #{earlier}, which is closed.\n");
            }
        }
        let continues = match follows {
            Predecessor::Continues(earlier) => Some(earlier),
            Predecessor::Nothing | Predecessor::Repeats(_) => None,
        };
        Ok(NewIssue {
            repository: self.hub.clone(),
            title: self.title()?,
            body: key.ticket_body(&body, continues),
            labels: self.labels.clone(),
            assignee: self.driver.clone(),
            key: key.clone(),
        })
    }
}

/// Whether an input reads outputs of other targets.
fn reads_outputs(input: &Input) -> bool {
    Reads::of([input.template.as_str()]).may_read(&[template::OUTPUTS])
}

/// The same values, with all texts made safe for Markdown.
fn harmless(values: &Map<String, Value>) -> Map<String, Value> {
    fn value(of: &Value) -> Value {
        match of {
            Value::String(text) => Value::String(text::lines(text)),
            Value::Array(list) => list.iter().map(value).collect(),
            Value::Object(map) => Value::Object(harmless(map)),
            other => other.clone(),
        }
    }
    values.iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

fn target_values(ready: &ReadyTarget) -> TargetValues {
    let repository = &ready.target.repository;
    TargetValues {
        name: ready.target.name.to_string(),
        repository: repository.to_string(),
        owner: repository.owner().to_owned(),
        repo: repository.name().to_owned(),
        workflow: match &ready.target.start {
            StartBy::Workflow(file) => file.to_string(),
            StartBy::Event(_) => String::new(),
        },
        git_ref: ready.git_ref.to_string(),
    }
}
