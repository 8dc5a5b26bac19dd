//! What a dispatch says: the ticket's title and body, and the inputs of the targets.
//!
//! All templates are rendered once before the first effect, so that none fails halfway.

use serde_json::{Map, Value, json};

use super::Hub;
use super::preflight::Ready;
use crate::names::{IssueNumber, IssueRef, Login};
use crate::opening::NewIssue;
use crate::problem::Problem;
use crate::targets::{Input, StartBy};
use crate::template::{self, HubValues, RunValues, TargetValues, TemplateError, TicketValues, Values};
use crate::ticket::{Key, text};

/// All that templates say, rendered for a ticket once its number is known.
pub(super) struct Wording<'a> {
    hub: Hub<'a>,
    /// The answers of the issue form that opened the ticket.
    form: Map<String, Value>,
    release: Option<String>,
    names: Vec<String>,
    body: String,
}

const TITLE: &str =
    "{% if release %}Release {{ release }}{% else %}Release for {{ targets[:3] | join(', ') }}{% endif %}";

const BODY: &str = "\
{% if driver %}**Driver:** @{{ driver }}\n{% endif %}\
**Targets:** {{ targets | join(', ') }}\n\
**Started by:** [hub run {{ run.id }}]({{ run.url }})\n\n\
The board in the comments shows how far this release is. This text is yours: it is never rewritten.\n";

impl<'a> Wording<'a> {
    /// What can be said before the targets are known; renders the release's name.
    ///
    /// Where the step names none, it is the one that the ticket is `known` for.
    pub(super) fn new(
        hub: Hub<'a>,
        form: Map<String, Value>,
        known: Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut wording = Self { hub, form, release: known, names: Vec::new(), body: BODY.to_owned() };
        if let Some(template) = &hub.inputs.release {
            let release = wording.early("`release`", template)?;
            wording.release = Some(release.trim().to_owned()).filter(|release| !release.is_empty());
        }
        Ok(wording)
    }

    /// Renders an input that says what is dispatched.
    pub(super) fn early(&self, input: &str, template: &str) -> Result<String, Vec<Problem>> {
        self.render(template, None, None).map_err(|error| vec![problem(input, &error)])
    }

    /// Says from now on who takes part, and what the ticket's text is made from.
    pub(super) fn about(&mut self, names: Vec<String>, body: Option<String>) {
        self.names = names;
        self.body = body.unwrap_or_else(|| BODY.to_owned());
    }

    /// The names of all targets that are listed.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What does not render.
    pub(super) fn check(&self, targets: &[Ready]) -> Vec<Problem> {
        let title_and_body = [self.title(), self.render(&self.body, None, None)];
        let mut problems: Vec<Problem> = title_and_body
            .into_iter()
            .filter_map(|rendered| rendered.err())
            .map(|error| problem("the ticket's text", &error))
            .collect();
        for ready in targets {
            let ticket = self.ticket_to_be();
            for (Input { name, place, .. }, error) in self.rendered_inputs(ready, &ticket).1 {
                let input = format!("target {}, input `{name}`", ready.target.name);
                problems.push(problem(&input, &error).at(place));
            }
        }
        problems
    }

    /// Stands for a ticket that has no number yet.
    pub(super) fn ticket_to_be(&self) -> IssueRef {
        IssueRef { repository: self.hub.common.hub.clone(), number: IssueNumber(0) }
    }

    fn render(
        &self,
        template: &str,
        target: Option<&Ready>,
        ticket: Option<&IssueRef>,
    ) -> Result<String, TemplateError> {
        let Hub { job, common, .. } = self.hub;
        let values = Values {
            ticket: ticket.map(|ticket| TicketValues::new(ticket, job.issue_url(ticket))),
            hub: HubValues::from(&common.hub),
            target: target.map(target_values),
            targets: self.names.clone(),
            release: self.release.clone().unwrap_or_default(),
            driver: template::driver_value(self.driver()),
            run: RunValues { id: job.run.0, attempt: job.attempt, url: job.run_url() },
            inputs: job.event.inputs(),
            form: self.form.clone(),
            event: job.event.payload().clone(),
        };
        template::render(template, &values)
    }

    pub(super) fn driver(&self) -> Option<&Login> {
        self.hub.inputs.driver.as_ref()
    }

    fn title(&self) -> Result<String, TemplateError> {
        let title = self.render(self.hub.inputs.title.as_deref().unwrap_or(TITLE), None, None)?;
        Ok(text::title(&title))
    }

    pub(super) fn release(&self) -> Option<String> {
        self.release.clone()
    }

    /// The inputs of a target's workflow as far as they render, and why the others do not.
    pub(super) fn rendered_inputs<'r>(
        &self,
        ready: &'r Ready,
        ticket: &IssueRef,
    ) -> (Map<String, Value>, Vec<(&'r Input, TemplateError)>) {
        let (mut inputs, mut broken) = (Map::new(), Vec::new());
        for input in &ready.target.inputs {
            match self.render(&input.template, Some(ready), Some(ticket)) {
                Ok(text) => {
                    inputs.insert(input.name.clone(), Value::String(text));
                }
                Err(error) => broken.push((input, error)),
            }
        }
        // What a workflow gets without asking, where it declares it.
        for (name, value) in
            [("release-ticket", ticket.to_string()), ("release-target", ready.target.name.clone())]
        {
            if ready.declares(name) && !inputs.contains_key(name) {
                inputs.insert(name.to_owned(), Value::String(value));
            }
        }
        (inputs, broken)
    }

    /// The inputs of a target's workflow as they are sent: text, as a person would type it.
    pub(super) fn inputs_of(
        &self,
        ready: &Ready,
        ticket: &IssueRef,
    ) -> Result<Map<String, Value>, TemplateError> {
        let (inputs, broken) = self.rendered_inputs(ready, ticket);
        broken.into_iter().next().map_or(Ok(inputs), |(_, error)| Err(error))
    }

    /// What a `repository_dispatch` carries.
    pub(super) fn payload_of(
        &self,
        ready: &Ready,
        ticket: &IssueRef,
    ) -> Result<Map<String, Value>, TemplateError> {
        let inputs = self.inputs_of(ready, ticket)?;
        let payload = json!({ "release-ticket": ticket.to_string(), "release-target": ready.target.name, "inputs": inputs });
        Ok(payload.as_object().cloned().unwrap_or_default())
    }

    pub(super) fn new_issue(
        &self,
        key: &Key,
        continues: Option<&IssueRef>,
    ) -> Result<NewIssue, TemplateError> {
        let mut body = self.render(&self.body, None, None)?;
        if let Some(closed) = continues {
            body += &format!("\nContinues #{}, which is closed.\n", closed.number);
        }
        Ok(NewIssue {
            repository: self.hub.common.hub.clone(),
            title: self.title()?,
            body: key.ticket_body(&body),
            labels: self.hub.inputs.labels.clone(),
            key: key.clone(),
        })
    }
}

fn problem(what: &str, error: &TemplateError) -> Problem {
    let help = "correct the name; or, if it may be missing, write `{{ inputs.name | default('') }}`";
    Problem::new(format!("{what}: {error}")).help(help)
}

fn target_values(ready: &Ready) -> TargetValues {
    let repository = &ready.target.repository;
    TargetValues {
        name: ready.target.name.clone(),
        repository: repository.to_string(),
        owner: repository.owner().to_owned(),
        repo: repository.name().to_owned(),
        workflow: match &ready.target.start {
            StartBy::Workflow(file) => file.clone(),
            StartBy::Event(_) => String::new(),
        },
        git_ref: ready.git_ref.clone(),
    }
}
