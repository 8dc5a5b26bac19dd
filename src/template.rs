//! Templates: MiniJinja that refuses undefined variables, so that a typing error never becomes an empty input of a
//! release.

mod names;
mod reads;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::names::{IssueRef, Login, RepoName};
use crate::problem::{Advice, Help, Topic, excerpt};
use names::{NamedValues, UnknownName};
pub use reads::Reads;

/// The most bytes of a template: half of the longest text that GitHub takes.
pub const TEMPLATE_LIMIT: usize = 32 * 1024;

/// The fuel of a template ([`Environment::set_fuel`]): an instruction takes one, and so do 64 bytes of text, which
/// limits text to 3 MB. A list of a hundred targets takes a thousand.
const FUEL: u64 = 50_000;

/// The time limit of a template. Fuel ends a template in milliseconds, except when a few instructions make a text of a
/// list of lists of lists: MiniJinja charges for that text after it has made it.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The stack of a template: MiniJinja calls itself for each operator of a row, and for each list within a list.
/// This is enough for a template of [`TEMPLATE_LIMIT`] that is one row of operators. Only the used part takes memory.
const STACK: usize = 256 * 1024 * 1024;

/// The most characters of a template, and of the reason, that an error quotes.
const QUOTE_LIMIT: usize = 200;

/// The name of the outputs of targets in templates.
pub const OUTPUTS: &str = "outputs";

/// Why a template does not render.
#[derive(Debug, thiserror::Error)]
#[error("the template `{template}` does not render: {reason}")]
pub struct TemplateError {
    /// The template's text, or the beginning of a long one.
    pub template: String,
    /// The mistake.
    pub reason: Reason,
}

/// A mistake in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is malformed.
    #[error("{0}")]
    Syntax(String),
    /// It cannot be evaluated.
    #[error("{0}")]
    Template(String),
    /// It reads outputs where there are none.
    #[error("only the inputs of targets have `outputs`")]
    Outputs,
    /// It holds an expression of GitHub, which is too late to be evaluated.
    #[error(
        "`${{{{ … }}}}` in line {line}, column {column} is not evaluated: GitHub evaluates it in workflow files only"
    )]
    Expression {
        /// The line of the template in which it begins, from 1.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
    },
    /// It names something that does not exist.
    #[error(transparent)]
    UnknownName(UnknownName),
    /// It has more bytes than [`TEMPLATE_LIMIT`].
    #[error("it is longer than {TEMPLATE_LIMIT} bytes")]
    TooLong,
    /// It takes too many steps, or makes a text that is too long.
    #[error("it takes too much time or memory")]
    TooMuch,
}

impl TemplateError {
    fn new(template: &str, reason: Reason) -> Self {
        Self { template: excerpt(template, QUOTE_LIMIT), reason }
    }

    /// Whether a missing output may be the reason, if the template reads outputs.
    #[must_use]
    pub fn is_for_outputs(&self) -> bool {
        match &self.reason {
            Reason::Template(_) => true,
            Reason::UnknownName(name) => name.is_output(),
            Reason::Syntax(_)
            | Reason::Outputs
            | Reason::Expression { .. }
            | Reason::TooLong
            | Reason::TooMuch => false,
        }
    }
}

impl Help for TemplateError {
    fn help(&self) -> Option<Advice> {
        let help = match &self.reason {
            Reason::Syntax(_) | Reason::Template(_) => {
                "correct the name; or, if it may be missing, write `{{ inputs.name | default('') }}`"
            }
            Reason::Expression { .. } => "write `{{ … }}` in place of `${{ … }}`",
            Reason::Outputs => "put it into the `inputs` of a target that needs the one with these outputs",
            Reason::UnknownName(name) => return name.help(),
            Reason::TooLong => "shorten it",
            Reason::TooMuch => "simplify it: fewer rounds of its loops, and shorter texts",
        };
        Some(Topic::Template.advice(help))
    }
}

impl From<minijinja::Error> for Reason {
    /// MiniJinja's message without its line number: a [`TemplateError`] quotes the template.
    fn from(error: minijinja::Error) -> Self {
        if error.kind() == ErrorKind::OutOfFuel {
            return Self::TooMuch;
        }
        let reason = error
            .detail()
            .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        let reason = excerpt(&reason, QUOTE_LIMIT);
        if error.kind() == ErrorKind::SyntaxError { Self::Syntax(reason) } else { Self::Template(reason) }
    }
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
    /// The driver's login, blank without a driver.
    pub driver: String,
    /// The hub's run.
    pub run: RunValues,
    /// The inputs of the event, or those that the ticket remembers.
    pub inputs: Map<String, Value>,
    /// The help for an input that does not exist; `None`: that for other names.
    #[serde(skip)]
    pub input_help: Option<String>,
    /// The answers of the issue form that opened the ticket.
    pub form: Map<String, Value>,
    /// The whole event.
    pub event: Map<String, Value>,
    /// The outputs of the targets that come before the target; null without a target.
    pub outputs: Option<BTreeMap<String, BTreeMap<String, String>>>,
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
/// When the template is malformed, names something that does not exist, or is too much to render.
pub fn render(template: &str, values: &Values) -> Result<String, TemplateError> {
    let refuse = |reason| TemplateError::new(template, reason);
    if !is_template(template) {
        return Ok(template.to_owned());
    }
    if let Some(error) = expression(template) {
        return Err(error);
    }
    if template.len() > TEMPLATE_LIMIT {
        return Err(refuse(Reason::TooLong));
    }
    // MiniJinja drops one line break at the end; the template's own stays.
    let text = format!("{template}\n");
    let input_help = values.input_help.clone();
    let has_outputs = values.outputs.is_some();
    let (values, name) = NamedValues::all(minijinja::Value::from(minijinja::value::Serde(values)));
    let (sender, result) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
        // After the time limit, nothing waits for the text.
        let _ = sender.send(environment().render_str(&text, values));
    });
    thread.map_err(|error| refuse(Reason::Template(error.to_string())))?;
    match result.recv_timeout(TIME_LIMIT) {
        Ok(result) => result.map_err(|error| {
            let name = name.last().filter(|_| error.kind() == ErrorKind::UndefinedError);
            let name = name.map(|name| name.with_help("inputs", input_help));
            if !has_outputs && name.is_none() && Reads::of([template]).may_read(&[OUTPUTS]) {
                return refuse(Reason::Outputs);
            }
            refuse(name.map_or_else(|| error.into(), Reason::UnknownName))
        }),
        Err(_) => Err(refuse(Reason::TooMuch)),
    }
}

/// Whether a text has anything to render.
fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|opening| text.contains(opening))
}

/// The error for the first expression of GitHub in a template.
fn expression(template: &str) -> Option<TemplateError> {
    let mut lines = (1..).zip(template.lines());
    let (line, text, at) = lines.find_map(|(line, text)| Some((line, text, text.find("${{")?)))?;
    let column = text[..at].chars().count() + 1;
    Some(TemplateError::new(text.trim(), Reason::Expression { line, column }))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
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
    environment
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
            input_help: None,
            form: json!({"targets": ["web", "the docs"]}).as_object().expect("one").clone(),
            event: Map::new(),
            outputs: None,
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

    #[test]
    fn an_expression_of_github_is_refused() {
        for (template, line, column) in
            [("${{ inputs.n }}", 1, 1), ("ä${{inputs.n}}", 1, 2), ("{{ inputs.n }}\n\nn: ${{ 'x' }}", 3, 4)]
        {
            let error = render(template, &values()).expect_err(template);
            assert_eq!(error.reason, Reason::Expression { line, column }, "{template}: {error}");
        }
        // A dollar before a value, and the text itself, can still be written.
        for (template, expected) in [
            ("{{ '$' }}{{ inputs.n }}", "$3"),
            ("${% raw %}{{ github.sha }}{% endraw %}", "${{ github.sha }}"),
        ] {
            assert_eq!(render(template, &values()).expect(template), expected);
        }
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_names_that_exist() {
        let values = Values {
            form: json!({"version": "1", "notes": "", "1_st": ""}).as_object().expect("one").clone(),
            event: json!({"issue": {"title": "x"}}).as_object().expect("one").clone(),
            ..values()
        };
        for (template, error, help) in [
            (
                "{{ form.verison }}",
                "there is no `form.verison`",
                "did you mean `version`? `form` has `1_st`, `notes` and `version`; if it may be missing, write `{{ \
                 form.verison | default('') }}`",
            ),
            (
                "{{ form['x'] }}",
                "no `form.x`",
                "`form` has `1_st`, `notes` and `version`; if it may be missing, write `{{ form.x | default('') }}`",
            ),
            ("{{ form.x | default('') }}{{ ticket.nubmer }}", "no `ticket.nubmer`", "did you mean `number`?"),
            ("{{ event.issue.titel }}", "no `event.issue.titel`", "did you mean `title`?"),
            ("{{ form.x | default('') }}{{ nothing }}", "undefined value", "correct the name"),
        ] {
            let refusal = render(template, &values).expect_err(template);
            assert!(refusal.to_string().ends_with(error), "{refusal}");
            let text = refusal.help().map(|help| help.text).unwrap_or_default();
            assert!(text.starts_with(help), "{text}");
        }
        let all = "{% for name, answer in form | items %}{{ name }}={{ answer }} {% endfor %}{{ form }}";
        let expected = "1_st= notes= version=1 {\"1_st\":\"\",\"notes\":\"\",\"version\":\"1\"}";
        assert_eq!(render(all, &values).expect(all), expected);
    }

    #[test]
    fn an_unknown_input_comes_with_the_help_that_the_event_asks_for() {
        let values = Values { input_help: Some("run it again".into()), ..values() };
        for (template, help) in [
            ("{{ inputs.m }}", "did you mean `n`? run it again"),
            ("{{ inputs.version }}", "run it again"),
            ("{{ form.target }}", "did you mean `targets`? `form` has"),
        ] {
            let error = render(template, &values).expect_err(template);
            assert!(error.help().is_some_and(|advice| advice.text.starts_with(help)), "{:?}", error.help());
        }
    }

    #[test]
    fn a_template_of_any_shape_renders_or_is_refused() {
        let long = |from: &str, part: &str, to: &str| {
            let parts = (TEMPLATE_LIMIT - from.len() - to.len()) / part.len();
            format!("{from}{}{to}", part.repeat(parts))
        };
        // Each goes as deep into MiniJinja as its length allows.
        for template in [
            long("{{ ", "-", "1 }}"),
            long("{{ ", "not ", "1 }}"),
            long("{{ ", "1 if 1 else ", "1 }}"),
            long("{{ 1", "+1", " }}"),
            long("{{ 1", "~1", " }}"),
            long("{{ 1", "**1", " }}"),
            long("{{ 1", "<1", " }}"),
            long("{{ 1", " and 1", " }}"),
            long("{{ 1", "|d", " }}"),
            long("{{ 1", " is odd", " }}"),
            long("{{ hub", ".a", " }}"),
            long("{{ hub", "[1]", " }}"),
            long("{{ hub", "()", " }}"),
            long("{{ ", "(", ""),
            long("{{ ", "[", ""),
            long("{{ ", "{1:", ""),
            long("", "{% if 1 %}", ""),
            long("", "{% for x in [1] %}", ""),
            long("{% if 0 %}", "{% elif 1 %}", "{% endif %}"),
            long("", "{{", ""),
            long("", "{#", ""),
            "{% set list = namespace(of=1) %}{% for i in range(9999) %}{% set list.of = [list.of] %}{% endfor %}{{ \
             list.of }}"
                .to_owned(),
        ] {
            if let Err(error) = render(&template, &values()) {
                assert!(error.to_string().len() < 600, "{error}");
            }
        }
    }

    #[test]
    fn a_template_of_any_greed_is_refused() {
        for template in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{{ 'x' * 99999999 }}",
            "{% set text = namespace(of='x') %}{% for i in range(99) %}{% set text.of = text.of ~ text.of %}{% endfor %}",
            "{% set text = 'a' * 999999 %}{{ text | replace('a', text) }}",
            "{{ ('\\n' * 99999) | indent(99999) }}",
            "{{ range(99999) | join('x' * 99999) }}",
            "{{ '%999999999d' | format(1) }}",
            "{{ range(99999) | batch(1) | list }}",
        ] {
            let error = render(template, &values()).expect_err(template);
            assert_eq!(error.reason, Reason::TooMuch, "{template}: {error}");
        }
        let long = " ".repeat(TEMPLATE_LIMIT);
        assert_eq!(
            render(&format!("{{{{ 1 }}}}{long}"), &values()).expect_err("long").reason,
            Reason::TooLong
        );
        assert_eq!(render(&format!("{long} \n"), &values()).expect("plain text"), format!("{long} \n"));
    }
}
