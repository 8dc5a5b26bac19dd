//! Workflow files: their triggers, their inputs, and the titles of their runs.

use serde_json::{Map, Value, json};

/// A workflow of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub(crate) id: u64,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) is_enabled: bool,
}

impl Workflow {
    pub(crate) fn file(&self) -> &str {
        file_name(&self.path)
    }
}

pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether GitHub looks for a workflow in the file at `path`.
pub(crate) fn is_workflow_path(path: &str) -> bool {
    path.strip_prefix(".github/workflows/")
        .is_some_and(|file| !file.contains('/') && (file.ends_with(".yml") || file.ends_with(".yaml")))
}

/// The part of a workflow file that is about its start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definition {
    pub(crate) name: Option<String>,
    run_name: Option<String>,
    triggers: Map<String, Value>,
}

/// The limits of a `workflow_dispatch`: the number of its inputs, and their length together.
pub(crate) const MOST_INPUTS: usize = 25;
pub(crate) const MOST_INPUTS_BEFORE_3_21: usize = 10;
const LONGEST_INPUTS: usize = 65_535;

impl Definition {
    /// Reads a workflow file. `None` if it is not YAML or has no `on`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let file: Map<String, Value> = yaml(text)?;
        let text_of = |key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            name: text_of("name"),
            run_name: text_of("run-name"),
            triggers: triggers(file.get("on")?),
        })
    }

    pub(crate) fn starts_on(&self, event: &str) -> bool {
        self.triggers.contains_key(event)
    }

    /// Whether a `repository_dispatch` of this type starts the workflow.
    pub(crate) fn starts_on_type(&self, event_type: &str) -> bool {
        let Some(trigger) = self.triggers.get("repository_dispatch") else {
            return false;
        };
        match trigger.get("types") {
            None | Some(Value::Null) => true,
            Some(Value::String(only)) => only == event_type,
            Some(types) => types.as_array().is_some_and(|types| types.iter().any(|one| one == event_type)),
        }
    }

    /// The inputs of a run: `values`, and defaults for the others.
    pub(crate) fn inputs(
        &self,
        values: &Map<String, Value>,
        most: usize,
    ) -> Result<Map<String, Value>, String> {
        let empty = Map::new();
        let declarations = self
            .triggers
            .get("workflow_dispatch")
            .and_then(|trigger| trigger.get("inputs"))
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        if values.len() > most {
            let count = values.len();
            return Err(format!(
                "Invalid request.\n\nNo more than {most} properties are allowed; {count} were supplied."
            ));
        }
        let values = texts(values)?;
        let length: usize =
            values.iter().map(|(name, text)| name.chars().count() + text.chars().count()).sum();
        if length > LONGEST_INPUTS {
            return Err("inputs are too large.".into());
        }
        let names = values.iter().map(|(name, _)| name);
        let strangers: Vec<&String> = names.filter(|name| !declarations.contains_key(*name)).collect();
        if !strangers.is_empty() {
            return Err(format!("Unexpected inputs provided: {strangers:?}"));
        }
        declarations
            .iter()
            .map(|(name, input)| {
                let value = values.iter().find(|(other, _)| other == name);
                let text = input_text(name, input, value.map(|(_, text)| text.as_str()))?;
                Ok((name.clone(), Value::String(text)))
            })
            .collect()
    }

    /// The title of a run: `run-name`, with its expressions filled in from `contexts`.
    pub(crate) fn title(&self, contexts: &Value, path: &str) -> String {
        match &self.run_name {
            Some(template) => fill_in(template, contexts),
            None => self.name.clone().unwrap_or_else(|| path.to_owned()),
        }
    }
}

/// YAML as GitHub's parser reads it: `yes`, `no`, `on` and `off` are text, and numbers lose their spelling.
fn yaml(text: &str) -> Option<Map<String, Value>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { enforce_alias_anchor_ratio: false },
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}

/// `on` in its three forms: a name, a list of names, a mapping.
fn triggers(on: &Value) -> Map<String, Value> {
    match on {
        Value::String(event) => Map::from_iter([(event.clone(), Value::Null)]),
        Value::Array(events) => {
            events.iter().filter_map(Value::as_str).map(|event| (event.to_owned(), Value::Null)).collect()
        }
        Value::Object(events) => events.clone(),
        _ => Map::new(),
    }
}

fn texts(values: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    values
        .iter()
        .map(|(name, value)| match scalar_text(value) {
            Some(text) => Ok((name.clone(), text)),
            None => Err(format!("Invalid request.\n\nFor 'properties/{name}', {value} is not a string.")),
        })
        .collect()
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

fn input_text(name: &str, input: &Value, value: Option<&str>) -> Result<String, String> {
    let kind = input.get("type").and_then(Value::as_str).unwrap_or("string");
    let is_required = input.get("required") == Some(&Value::Bool(true));
    let default = input.get("default").and_then(scalar_text);
    let value = value.filter(|text| !(is_required && default.is_none() && text.is_empty()));
    let Some(text) = value.map(str::to_owned).or_else(|| default.clone()) else {
        return match (is_required, kind) {
            (true, _) => Err(format!("Required input '{name}' not provided")),
            (false, "boolean") => Ok("false".into()),
            (false, _) => Ok(String::new()),
        };
    };
    let options = input.get("options").and_then(Value::as_array);
    let fits = match kind {
        "boolean" => matches!(text.as_str(), "true" | "false"),
        "number" => text.is_empty() || text.parse::<f64>().is_ok(),
        "choice" => {
            options.is_none_or(|options| {
                options.iter().any(|option| scalar_text(option).as_ref() == Some(&text))
            }) || value.is_none()
        }
        _ => true,
    };
    match (fits, kind) {
        (true, _) => Ok(text),
        // GitHub answers this for both kinds, and for a blank value, too: https://github.com/cli/cli/issues/5246
        (false, "choice" | "boolean") => {
            Err(format!("Provided value '{text}' for input '{name}' not in the list of allowed values"))
        }
        (false, _) => Err(format!("Provided value '{text}' for input '{name}' is not a {kind}")),
    }
}

/// Replaces each `${{ a.b || 'c' }}`. Functions and other operators give an empty text.
fn fill_in(template: &str, contexts: &Value) -> String {
    let mut parts = template.split("${{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("}}") {
            Some((expression, rest)) => {
                text.push_str(&evaluate(expression, contexts));
                text.push_str(rest);
            }
            None => {
                text.push_str("${{");
                text.push_str(part);
            }
        }
    }
    text
}

fn evaluate(expression: &str, contexts: &Value) -> String {
    expression
        .split("||")
        .map(|operand| operand_text(operand.trim(), contexts))
        .find(|text| !matches!(text.as_str(), "" | "false" | "0"))
        .unwrap_or_default()
}

fn operand_text(operand: &str, contexts: &Value) -> String {
    if let Some(literal) = operand.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return literal.replace("''", "'");
    }
    let pointer = format!("/{}", operand.replace('.', "/"));
    contexts.pointer(&pointer).and_then(scalar_text).unwrap_or_default()
}

/// The contexts that a `run-name` can use.
pub(crate) fn contexts(actor: &str, git_ref: &str, inputs: &Map<String, Value>, event: Value) -> Value {
    json!({
        "inputs": inputs,
        "github": { "actor": actor, "ref_name": git_ref, "event": event },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "
name: Release
run-name: Release ${{ inputs.channel }} by ${{ github.actor }} (${{ inputs.ticket || 'no ticket' }})
on:
  workflow_dispatch:
    inputs:
      channel: { type: choice, options: [stable, beta], required: true }
      draft: { type: boolean }
      sure: { type: choice, options: [yes, no, 3.10], default: no }
      count: { type: number, default: 3 }
      ticket:
        default: ''
";

    fn values(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("tests give objects")
    }

    fn release() -> Definition {
        Definition::parse(RELEASE).expect("the sample is a workflow")
    }

    #[test]
    fn inputs_that_are_left_out_get_their_defaults() {
        let inputs = release().inputs(&values(json!({ "channel": "beta", "draft": true })), 25);
        assert_eq!(
            inputs.map(Value::Object),
            Ok(json!({ "channel": "beta", "draft": "true", "sure": "no", "count": "3", "ticket": "" }))
        );
        for (sure, fits) in [("yes", true), ("true", false), ("3.1", true), ("3.10", false)] {
            let inputs = release().inputs(&values(json!({ "channel": "beta", "sure": sure })), 25);
            assert_eq!(inputs.is_ok(), fits, "{sure}: {inputs:?}");
        }
    }

    #[test]
    fn inputs_that_do_not_fit_are_refused() {
        let cases = [
            (json!({}), "Required input 'channel' not provided"),
            (json!({ "channel": "" }), "Required input 'channel' not provided"),
            (
                json!({ "channel": "nightly" }),
                "Provided value 'nightly' for input 'channel' not in the list of allowed values",
            ),
            (json!({ "channel": "beta", "ticked": "1" }), r#"Unexpected inputs provided: ["ticked"]"#),
            (
                json!({ "channel": "beta", "draft": "maybe" }),
                "Provided value 'maybe' for input 'draft' not in the list of allowed values",
            ),
            (
                json!({ "channel": "beta", "draft": "" }),
                "Provided value '' for input 'draft' not in the list of allowed values",
            ),
            (
                json!({ "channel": "beta", "sure": "" }),
                "Provided value '' for input 'sure' not in the list of allowed values",
            ),
            (json!({ "channel": "beta", "ticket": "x".repeat(65_600) }), "inputs are too large."),
        ];
        for (inputs, message) in cases {
            assert_eq!(release().inputs(&values(inputs), 25), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_run_name_is_filled_in() {
        let inputs = values(json!({ "channel": "beta", "ticket": "" }));
        let contexts = contexts("alice", "main", &inputs, Value::Null);
        let title = release().title(&contexts, "release.yml");
        assert_eq!(title, "Release beta by alice (no ticket)");
    }

    #[test]
    fn a_trigger_may_be_a_name_a_list_or_a_mapping() {
        for on in ["push", "[push, pull_request]", "{ push: { branches: [main] } }"] {
            let workflow = Definition::parse(&format!("on: {on}"));
            assert!(workflow.is_some_and(|workflow| workflow.starts_on("push")));
        }
    }

    #[test]
    fn the_types_of_a_repository_dispatch_are_honoured() {
        let starts = |on: &str| {
            Definition::parse(&format!("on: {on}")).is_some_and(|workflow| workflow.starts_on_type("release"))
        };
        assert!(starts("repository_dispatch"));
        assert!(starts("{ repository_dispatch: { types: [build, release] } }"));
        assert!(starts("{ repository_dispatch: { types: release } }"));
        assert!(!starts("{ repository_dispatch: { types: [build] } }"));
        assert!(!starts("push"));
    }
}
