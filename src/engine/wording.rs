//! What a dispatch says: the ticket's title and body, and the inputs of the targets.
//!
//! All templates are rendered once before the first effect, so that none fails halfway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ready::Ready;
use crate::names::{IssueNumber, IssueRef, Login, RepoName};
use crate::plan::NewIssue;
use crate::targets::{Input, StartBy};
use crate::template::{self, Reads, TargetValues, TemplateError, TicketValues, Values};
use crate::ticket::{Key, text};

/// All that templates say, rendered for a ticket once its number is known.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The hub.
    pub hub: RepoName,
    /// Where people see the server.
    pub server_url: String,
    /// Who is responsible.
    pub driver: Option<Login>,
    /// The labels of the ticket.
    pub labels: Vec<String>,
    /// A template for the title; none: the built-in one.
    pub title: Option<String>,
    /// A template for the body; none: the built-in one.
    pub body: Option<String>,
    /// What templates see of everything but the ticket and the target.
    pub values: Values,
    /// Whether inputs that read missing outputs are taken as they will be rendered later: before anything is started,
    /// and in a forecast.
    pub assumes_outputs: bool,
}

/// The outputs of the targets that come before another one, by their names.
pub type Upstream = BTreeMap<String, BTreeMap<String, String>>;

/// The inputs of a target's workflow.
#[derive(Debug, Default)]
pub struct RenderedInputs<'r> {
    /// The inputs as they are sent.
    pub inputs: Map<String, Value>,
    /// Those that stand there as templates, as the outputs that they read are not reported yet.
    pub to_come: BTreeSet<String>,
    /// Why others do not render.
    pub broken: Vec<(&'r Input, TemplateError)>,
}

/// What a new ticket has to do with an earlier one of the same release, which is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nothing, or there is none.
    Nothing,
    /// It takes over what is released there.
    Continues(IssueNumber),
    /// It takes over nothing: everything is started again.
    Repeats(IssueNumber),
}

const TITLE: &str =
    "{% if release %}Release {{ release }}{% else %}Release for {{ targets[:3] | join(', ') }}{% endif %}";

const BODY: &str = "\
{% if driver %}**Driver:** @{{ driver }}\n{% endif %}\
**Targets:** {{ targets | join(', ') }}\n\
**Started by:** [hub run {{ run.id }}]({{ run.url }})\n\n\
The board in the comments shows how far this release is. This text is yours: it is never rewritten.\n";

impl Wording {
    /// Renders what is known before there is a ticket or a target.
    ///
    /// # Errors
    ///
    /// When the template is malformed or names something that does not exist.
    pub fn early(&self, template: &str) -> Result<String, TemplateError> {
        template::render(template, &self.values)
    }

    /// The name or version of the release.
    #[must_use]
    pub fn release(&self) -> Option<String> {
        Some(self.values.release.clone()).filter(|release| !release.is_empty())
    }

    /// Checks that the ticket's title and body render.
    ///
    /// # Errors
    ///
    /// When one does not.
    pub fn check(&self) -> Vec<TemplateError> {
        [self.title(), self.body()].into_iter().filter_map(Result::err).collect()
    }

    /// Stands for a ticket that has no number yet.
    #[must_use]
    pub fn ticket_to_be(&self) -> IssueRef {
        IssueRef { repository: self.hub.clone(), number: IssueNumber(0) }
    }

    /// Renders a template for a target.
    ///
    /// # Errors
    ///
    /// When it is malformed, or names something that does not exist.
    pub fn render_for(
        &self,
        template: &str,
        target: &Ready,
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
        Ok(text::title(&self.early(self.title.as_deref().unwrap_or(TITLE))?))
    }

    /// The template is the hub's; what it fills in comes from anywhere.
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

    /// The inputs of a target's workflow as far as they render, and why the others do not.
    #[must_use]
    pub fn rendered_inputs<'r>(
        &self,
        ready: &'r Ready,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> RenderedInputs<'r> {
        let RenderedInputs { mut inputs, mut to_come, mut broken } = RenderedInputs::default();
        for input in &ready.target.inputs {
            match self.render_for(&input.template, ready, ticket, upstream) {
                Ok(text) => {
                    let text = match &ready.declared {
                        Some(declared) => declared.value(&input.name, text),
                        None => text,
                    };
                    inputs.insert(input.name.clone(), Value::String(text));
                }
                Err(error) if self.assumes_outputs && error.is_for_outputs() && reads_outputs(input) => {
                    inputs.insert(input.name.clone(), Value::String(input.template.clone()));
                    to_come.insert(input.name.clone());
                }
                Err(error) => broken.push((input, error)),
            }
        }
        // What a workflow gets without asking, where it declares it.
        for (name, value) in
            [("release-ticket", ticket.to_string()), ("release-target", ready.target.name.to_string())]
        {
            if let Some(name) = ready.spelling(name).filter(|name| !inputs.contains_key(*name)) {
                inputs.insert(name.to_owned(), Value::String(value));
            }
        }
        RenderedInputs { inputs, to_come, broken }
    }

    /// Whether an input of the target reads outputs of other targets.
    #[must_use]
    pub fn reads_outputs(&self, ready: &Ready) -> bool {
        ready.target.inputs.iter().any(reads_outputs)
    }

    /// Whether an input of the target reads an output that is missing.
    #[must_use]
    pub fn lacks_outputs(&self, ready: &Ready, ticket: &IssueRef, upstream: &Upstream) -> bool {
        let RenderedInputs { broken, .. } = self.rendered_inputs(ready, ticket, upstream);
        broken.iter().any(|(input, error)| error.is_for_outputs() && reads_outputs(input))
    }

    /// The inputs of a target's workflow as they are sent: text, as a person would type it.
    ///
    /// # Errors
    ///
    /// When one does not render.
    pub fn inputs_of(
        &self,
        ready: &Ready,
        ticket: &IssueRef,
        upstream: &Upstream,
    ) -> Result<Map<String, Value>, TemplateError> {
        let RenderedInputs { inputs, broken, .. } = self.rendered_inputs(ready, ticket, upstream);
        broken.into_iter().next().map_or(Ok(inputs), |(_, error)| Err(error))
    }

    /// What a `repository_dispatch` carries.
    ///
    /// # Errors
    ///
    /// When an input does not render.
    pub fn payload_of(
        &self,
        ready: &Ready,
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
    /// When its title or body does not render.
    pub fn new_issue(&self, key: &Key, follows: Follows) -> Result<NewIssue, TemplateError> {
        let mut body = self.body()?;
        match follows {
            Follows::Nothing => {}
            Follows::Continues(closed) => body += &format!("\nContinues #{closed}, which is closed.\n"),
            Follows::Repeats(closed) => {
                body += &format!("\nReleases again what #{closed} released, which is closed.\n");
            }
        }
        let continues = match follows {
            Follows::Continues(closed) => Some(closed),
            Follows::Nothing | Follows::Repeats(_) => None,
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

/// The same values, with all texts as they may stand in Markdown.
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

fn target_values(ready: &Ready) -> TargetValues {
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
