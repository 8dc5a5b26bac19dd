//! What a dispatch says: the ticket's title and body, and the inputs of the targets.
//!
//! All templates are rendered once before the first effect, so that none fails halfway.

use serde_json::{Map, Value, json};

use super::preflight::Ready;
use crate::inputs::DispatchInputs;
use crate::job::Job;
use crate::names::{IssueNumber, IssueRef, Login, RepoName};
use crate::opening::NewIssue;
use crate::receipt::Problem;
use crate::targets::StartBy;
use crate::template::{self, HubValues, RunValues, TargetValues, TemplateError, TicketValues, Values};
use crate::ticket::{Key, text};

/// All that templates say, rendered for a ticket once its number is known.
pub(super) struct Wording<'a> {
    job: &'a Job,
    hub: RepoName,
    inputs: &'a DispatchInputs,
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
    /// Takes the templates, and checks that all of them render.
    pub(super) fn new(
        job: &'a Job,
        hub: &RepoName,
        inputs: &'a DispatchInputs,
        body: Option<String>,
        targets: &[Ready],
    ) -> Result<Self, Vec<Problem>> {
        let names = targets.iter().map(|ready| ready.target.name.clone()).collect();
        let body = body.unwrap_or_else(|| BODY.to_owned());
        let wording = Self { job, hub: hub.clone(), inputs, names, body };
        let title_and_body = [wording.title(), wording.render(&wording.body, None, None)];
        let mut problems: Vec<Problem> = title_and_body
            .into_iter()
            .filter_map(|rendered| rendered.err())
            .map(|error| problem("the ticket's text", &error))
            .collect();
        for ready in targets {
            let ticket = wording.ticket_to_be();
            for (name, value) in &ready.target.inputs {
                if let Err(error) = wording.input(value, ready, &ticket) {
                    problems.push(problem(&format!("target {}, input `{name}`", ready.target.name), &error));
                }
            }
        }
        if problems.is_empty() { Ok(wording) } else { Err(problems) }
    }

    /// Stands for a ticket that has no number yet.
    pub(super) fn ticket_to_be(&self) -> IssueRef {
        IssueRef { repository: self.hub.clone(), number: IssueNumber(0) }
    }

    fn render(
        &self,
        template: &str,
        target: Option<&Ready>,
        ticket: Option<&IssueRef>,
    ) -> Result<String, TemplateError> {
        let values = Values {
            ticket: ticket.map(|ticket| TicketValues::new(ticket, self.job.issue_url(ticket))),
            hub: HubValues::from(&self.hub),
            target: target.map(target_values),
            targets: self.names.clone(),
            release: self.inputs.release.clone().unwrap_or_default(),
            driver: template::driver_value(self.driver()),
            run: RunValues { id: self.job.run.0, attempt: self.job.attempt, url: self.job.run_url() },
            inputs: self.job.event.inputs(),
            event: self.job.event.payload().clone(),
        };
        template::render(template, &values)
    }

    pub(super) fn driver(&self) -> Option<&Login> {
        self.inputs.driver.as_ref()
    }

    fn title(&self) -> Result<String, TemplateError> {
        let title = self.render(self.inputs.title.as_deref().unwrap_or(TITLE), None, None)?;
        Ok(text::title(&title))
    }

    pub(super) fn release(&self) -> Option<String> {
        self.inputs.release.clone()
    }

    /// The inputs of a target's workflow as they are sent: text, as a person would type it.
    pub(super) fn inputs_of(
        &self,
        ready: &Ready,
        ticket: &IssueRef,
    ) -> Result<Map<String, Value>, TemplateError> {
        let mut inputs = Map::new();
        for (name, value) in &ready.target.inputs {
            let text = self.input(value, ready, ticket)?;
            inputs.insert(name.clone(), Value::String(text));
        }
        for (name, value) in
            [("release-ticket", ticket.to_string()), ("release-target", ready.target.name.clone())]
        {
            if ready.declares(name) && !inputs.contains_key(name) {
                inputs.insert(name.to_owned(), Value::String(value));
            }
        }
        Ok(inputs)
    }

    fn input(&self, value: &Value, ready: &Ready, ticket: &IssueRef) -> Result<String, TemplateError> {
        match value {
            Value::String(template) => self.render(template, Some(ready), Some(ticket)),
            Value::Null => Ok(String::new()),
            other => Ok(other.to_string()),
        }
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
            repository: self.hub.clone(),
            title: self.title()?,
            body: key.ticket_body(&body),
            labels: self.inputs.labels.clone(),
            key: key.clone(),
        })
    }
}

fn problem(place: &str, error: &TemplateError) -> Problem {
    let help = "correct the name; or, if it may be missing, write `{{ inputs.name | default('') }}`";
    Problem { what: format!("{place}: {error}"), help: Some(help.to_owned()) }
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
