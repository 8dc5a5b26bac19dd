//! Templates: MiniJinja with undefined variables refused, so that a typing error never becomes an
//! empty input of a release.

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::names::{IssueRef, Login, RepoName};
use crate::problem::Help;

/// Why a template does not render.
#[derive(Debug, thiserror::Error)]
#[error("the template `{template}` does not render: {reason}")]
pub struct TemplateError {
    /// The template's text.
    pub template: String,
    /// Why.
    pub reason: String,
}

impl Help for TemplateError {
    fn help(&self) -> Option<String> {
        let help = "correct the name; or, if it may be missing, write `{{ inputs.name | default('') }}`";
        Some(help.to_owned())
    }
}

/// MiniJinja's message, without the line of a template that is quoted whole.
fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// The values that templates see.
#[derive(Debug, Clone, Serialize)]
pub struct Values {
    /// The ticket; null in its own title and body, as it has no number before it is opened.
    pub ticket: Option<TicketValues>,
    /// The hub.
    pub hub: HubValues,
    /// The target; null in the title and body of the ticket.
    pub target: Option<TargetValues>,
    /// The names of all targets.
    pub targets: Vec<String>,
    /// The release's name or version, blank if it has none.
    pub release: String,
    /// The driver's login, blank if there is no driver.
    pub driver: String,
    /// The hub's run.
    pub run: RunValues,
    /// The inputs of the event.
    pub inputs: Map<String, Value>,
    /// The answers of the issue form that opened the ticket.
    pub form: Map<String, Value>,
    /// The whole event.
    pub event: Map<String, Value>,
}

/// The ticket, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct TicketValues {
    number: u64,
    url: String,
    repository: String,
}

impl TicketValues {
    /// The values of `ticket`, whose page is at `url`.
    #[must_use]
    pub fn new(ticket: &IssueRef, url: String) -> Self {
        Self { number: ticket.number.0, url, repository: ticket.repository.to_string() }
    }
}

/// The hub, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct HubValues {
    owner: String,
    name: String,
}

impl From<&RepoName> for HubValues {
    fn from(hub: &RepoName) -> Self {
        Self { owner: hub.owner().to_owned(), name: hub.name().to_owned() }
    }
}

/// A target, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct TargetValues {
    /// Its name.
    pub name: String,
    /// `owner/name`.
    pub repository: String,
    /// The repository's owner.
    pub owner: String,
    /// The repository without its owner.
    pub repo: String,
    /// The workflow's file.
    pub workflow: String,
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub git_ref: String,
}

/// The hub's run, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct RunValues {
    /// Its id.
    pub id: u64,
    /// Its attempt.
    pub attempt: u32,
    /// Its page.
    pub url: String,
}

/// The driver's login as templates see it.
#[must_use]
pub fn driver_value(driver: Option<&Login>) -> String {
    driver.map(|login| login.as_str().to_owned()).unwrap_or_default()
}

/// Renders `template` with `values`.
///
/// # Errors
///
/// When the template is malformed or names something that does not exist.
pub fn render(template: &str, values: &Values) -> Result<String, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // MiniJinja writes `True` and `['a']` as Python does; workflows and YAML take `true` and `["a"]`.
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool | ValueKind::Seq | ValueKind::Map => {
            let json = serde_json::to_string(value);
            let json =
                json.map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
            out.write_str(&json).map_err(Into::into)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    // MiniJinja drops one line break at the end; the template's own stays.
    environment
        .render_str(&format!("{template}\n"), minijinja::value::Serde(values))
        .map_err(|error| TemplateError { template: template.to_owned(), reason: reason(&error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        let hub: RepoName = "acme/hub".parse().expect("a name");
        let ticket = IssueRef { repository: hub.clone(), number: crate::names::IssueNumber(12) };
        Values {
            ticket: Some(TicketValues::new(&ticket, "https://github.com/acme/hub/issues/12".into())),
            hub: HubValues::from(&hub),
            target: None,
            targets: vec!["web".into()],
            release: "1.4.0".into(),
            driver: "alice".into(),
            run: RunValues { id: 7, attempt: 1, url: String::new() },
            inputs: json!({"draftRelease": true, "release-ticket": "x", "n": 3})
                .as_object()
                .expect("one")
                .clone(),
            form: json!({"targets": ["web", "the docs"]}).as_object().expect("one").clone(),
            event: Map::new(),
        }
    }

    #[test]
    fn templates_see_the_ticket_the_hub_and_the_inputs() {
        for (template, expected) in [
            ("{{ hub.name }}#{{ ticket.number }}", "hub#12"),
            ("{{ inputs.draftRelease }}", "true"),
            ("{{ inputs['release-ticket'] }}-{{ inputs.n }}", "x-3"),
            ("v{{ release | upper }}\n", "v1.4.0\n"),
            ("{{ form.targets }}", r#"["web","the docs"]"#),
            ("{% if inputs.n > 2 %}<b>{% endif %}", "<b>"),
        ] {
            assert_eq!(render(template, &values()).expect(template), expected);
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused() {
        for template in ["{{ inputs.chanel }}", "{{ ticket.nubmer }}", "{{ nothing }}", "{{ broken"] {
            let error = render(template, &values()).expect_err(template).to_string();
            assert!(error.contains(template), "{error}");
        }
    }
}
