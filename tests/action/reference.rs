//! Rendered text: from the table of the inputs, in `action.yml`, in the reference, and in the workflows that others
//! call; and from the JSON Schema of the targets file, in the reference.
//!
//! The test compares; `UPDATE_REFERENCE=1 cargo test --test action reference` writes the files.

use std::collections::BTreeMap;
use std::path::Path;

use release_ticket_action::inputs::table::{DefaultValue, ModeName, Section, Takes, Words};
use release_ticket_action::inputs::{INPUTS, Input};
use release_ticket_action::targets::schema::json_schema;
use serde_json::Value;

const NOTE: &str = "Rendered from src/inputs/table.rs; CONTRIBUTING.md says how to change it.";

const RUNS_ON: (&str, &str) =
    ("runs-on", r#"{ description: "A Linux runner with Docker", type: string, default: ubuntu-latest }"#);

/// The workflows that others call, with the facts that the table does not have.
const CALLED_WORKFLOWS: [CalledWorkflow; 2] = [
    CalledWorkflow {
        file: ".github/workflows/dispatch.yml",
        wording: &[
            RUNS_ON,
            (
                "repository",
                r#"{ description: "The hub, where that is another repository; it needs the secret `ticket-token`", type: string }"#,
            ),
        ],
        steps: &[Step {
            mode: ModeName::Dispatch,
            // A called workflow that asks for `id-token: write` would make every caller grant it, so
            // users of a token service write the step themselves.
            omitted_inputs: &["sts-identity", "sts-url"],
            values: &[
                ("token", "${{ secrets.token || github.token }}"),
                (
                    "ticket-token",
                    "${{ secrets.ticket-token || (!inputs.client-id && !inputs.app-id && github.token) || '' }}",
                ),
            ],
        }],
    },
    CalledWorkflow {
        file: ".github/workflows/finish.yml",
        wording: &[
            (
                "results",
                r#"{ description: "How the jobs before this one ended: `join(needs.*.result)`", type: string, required: true }"#,
            ),
            RUNS_ON,
            ("stage", r#"{ description: "What the ticket calls this end", type: string, default: release }"#),
        ],
        steps: &[
            Step {
                mode: ModeName::Report,
                // The job's own token is the default, and only the notice needs it. No target holds an App's key.
                // A called workflow is a job of its own, without the caller's workspace.
                omitted_inputs: &[
                    "sts-identity",
                    "sts-url",
                    "token",
                    "client-id",
                    "app-id",
                    "private-key",
                    "message-path",
                    "track",
                ],
                values: &[("status", "${{ inputs.results }}"), ("done", "true")],
            },
            Step {
                mode: ModeName::Notify,
                // The run itself shows the failure.
                omitted_inputs: &[
                    "sts-identity",
                    "sts-url",
                    "token",
                    "client-id",
                    "app-id",
                    "private-key",
                    "message",
                    "message-path",
                ],
                values: &[("status", "${{ inputs.results }}")],
            },
        ],
    },
];

/// A workflow that others call.
struct CalledWorkflow {
    file: &'static str,
    /// Inputs that the action does not have, and inputs with another declaration here.
    wording: &'static [(&'static str, &'static str)],
    steps: &'static [Step],
}

/// A step of such a workflow, whose id is the name of its mode.
struct Step {
    mode: ModeName,
    /// The inputs that callers cannot give.
    omitted_inputs: &'static [&'static str],
    /// The inputs with another value than the caller's.
    values: &'static [(&'static str, &'static str)],
}

/// Rendered lines of a file.
struct Region {
    file: &'static str,
    /// The lines above it that lead to it, in this order, without their indentation.
    anchors: Vec<String>,
    lines: Vec<String>,
}

#[test]
fn the_reference_is_rendered_from_the_table_of_inputs_and_the_schema() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for region in regions() {
        let text = files.entry(region.file).or_insert_with(|| read(region.file));
        *text = region.put_into(text);
    }
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let update = std::env::var_os("UPDATE_REFERENCE").is_some();
    let mut differences = String::new();
    for (file, rendering) in files {
        let content = read(file);
        if content == rendering {
            continue;
        }
        if update {
            std::fs::write(path(file), &rendering).expect("a writable file");
            continue;
        }
        let difference = rendering.lines().zip(content.lines()).find(|(should, has)| should != has);
        let (should, has) = difference.unwrap_or_default();
        differences += &format!("{file}\n  has:    {}\n  should: {}\n", has.trim(), should.trim());
    }
    assert!(
        differences.is_empty(),
        "these files differ from src/inputs/table.rs and src/targets/schema.rs; \
         `UPDATE_REFERENCE=1 cargo test --test action reference` writes them:\n{differences}"
    );
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).expect("a text file of the project")
}

fn regions() -> Vec<Region> {
    let anchors = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let mut regions =
        vec![Region { file: "action.yml", anchors: anchors(&["inputs:"]), lines: inputs_of_action() }];
    regions.extend(tables_of_inputs());
    regions.extend(tables_of_targets_file());
    for workflow in &CALLED_WORKFLOWS {
        let anchors = anchors(&["workflow_call:", "inputs:"]);
        regions.push(Region { file: workflow.file, anchors, lines: workflow.inputs() });
        for step in workflow.steps {
            let anchors = vec![format!("id: {}", step.mode.as_str()), "with:".to_owned()];
            regions.push(Region { file: workflow.file, anchors, lines: step.with() });
        }
    }
    regions
}

impl Region {
    /// `text` with these lines in place of the present ones: in Markdown a paragraph, in YAML the lines with a
    /// deeper indentation than the line above.
    fn put_into(&self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let mut start = 0;
        for anchor in &self.anchors {
            let position = lines[start..].iter().position(|line| line.trim_start() == anchor);
            start += 1 + position.unwrap_or_else(|| panic!("{} has no line `{anchor}`", self.file));
        }
        let indent = |line: &str| line.len() - line.trim_start().len();
        let outer = indent(lines[start - 1]);
        let is_inside = |line: &str| !line.is_empty() && (self.file.ends_with(".md") || indent(line) > outer);
        let length = lines[start..].iter().take_while(|line| is_inside(line)).count();
        let new_lines = self.lines.iter().map(|line| match self.file.ends_with(".md") {
            true => line.clone(),
            false => format!("{}{line}", " ".repeat(outer + 2)),
        });
        let before = lines[..start].iter().map(|line| (*line).to_owned());
        let after = lines[start + length..].iter().map(|line| (*line).to_owned());
        before.chain(new_lines).chain(after).map(|line| line + "\n").collect()
    }
}

/// Every name of the table once, with its rows.
fn names() -> Vec<(&'static str, Vec<&'static Input>)> {
    let mut names: Vec<(&str, Vec<&Input>)> = Vec::new();
    for input in INPUTS {
        match names.iter_mut().find(|(name, _)| *name == input.name) {
            Some((_, rows)) => rows.push(input),
            None => names.push((input.name, vec![input])),
        }
    }
    names
}

// ---- action.yml ----

fn inputs_of_action() -> Vec<String> {
    let mut lines = vec![format!("# {NOTE}")];
    for (name, rows) in names() {
        let meanings = rows.iter().map(|row| match row.modes.len() == ModeName::ALL.len() {
            true => sentence(&meaning(row, row.modes)),
            false => format!("{}: {}", modes_of(row.modes, ", "), meaning(row, row.modes)),
        });
        let description = meanings.collect::<Vec<_>>().join(". ");
        assert!(
            !description.contains("${{"),
            "an action with an expression in a description does not load: {description}"
        );
        lines.push(format!("{name}:"));
        lines.push(format!("  description: {}", scalar(&description)));
        match rows[0].default {
            DefaultValue::Required => lines.push("  required: true".to_owned()),
            default if default.declared().is_empty() => {}
            default => lines.push(format!("  default: {}", scalar(default.declared()))),
        }
    }
    lines
}

/// The meaning of an input for some modes, with a default that no other place shows.
fn meaning(input: &Input, modes: &[ModeName]) -> String {
    let default = match input.default {
        DefaultValue::ByMode(texts) => by_mode(texts, modes),
        DefaultValue::Derived(words) => words.to_owned(),
        _ => return input.meaning.to_owned(),
    };
    format!("{}. Default: {default}", input.meaning)
}

/// `update` for dispatch and report, `new` for notify; a single text for all `modes` stands alone.
fn by_mode(texts: &[(ModeName, &str)], modes: &[ModeName]) -> String {
    let mut groups: Vec<(&str, Vec<ModeName>)> = Vec::new();
    for (mode, text) in texts.iter().filter(|(mode, _)| modes.contains(mode)) {
        match groups.iter_mut().find(|(other, _)| other == text) {
            Some((_, modes)) => modes.push(*mode),
            None => groups.push((text, vec![*mode])),
        }
    }
    match &groups[..] {
        [(text, _)] => format!("`{text}`"),
        groups => {
            let texts =
                groups.iter().map(|(text, modes)| format!("`{text}` for {}", modes_of(modes, " and ")));
            texts.collect::<Vec<_>>().join(", ")
        }
    }
}

fn modes_of(modes: &[ModeName], between: &str) -> String {
    modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>().join(between)
}

fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

/// The text as a scalar of YAML, quoted where it would be something else.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_alphanumeric() || "$.".contains(first))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && text.parse::<f64>().is_err()
        && text.parse::<bool>().is_err();
    if is_plain { text.to_owned() } else { quote(text) }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

// ---- docs/reference/inputs.md ----

/// A table for each topic of the inputs that every mode takes, and of those of each mode.
fn tables_of_inputs() -> Vec<Region> {
    let of_every_mode = ("Every mode", ModeName::ALL);
    let of_one = ModeName::ALL.iter().map(|mode| (mode.as_str(), std::slice::from_ref(mode)));
    let sections = std::iter::once(of_every_mode).chain(of_one);
    let tables = sections.flat_map(|(heading, modes)| {
        Section::ALL.into_iter().filter_map(move |topic| {
            let topic_heading = format!("### {}", topic.heading());
            let anchors = vec![format!("## {heading}"), topic_heading, String::new()];
            let lines = table_of_inputs(modes, topic)?;
            Some(Region { file: "docs/reference/inputs.md", anchors, lines })
        })
    });
    tables.collect()
}

/// The table of the inputs about `topic` that exactly these modes take, if there are any.
fn table_of_inputs(modes: &[ModeName], topic: Section) -> Option<Vec<String>> {
    let is_in_section = |input: &&Input| match modes {
        [mode] => input.modes.contains(mode) && input.modes.len() < ModeName::ALL.len(),
        modes => input.modes == modes,
    };
    let inputs = INPUTS.iter().filter(|input| input.topic == topic).filter(is_in_section);
    let rows = inputs.map(|input| {
        let default = match input.default {
            DefaultValue::Required => "required".to_owned(),
            DefaultValue::Nothing => String::new(),
            DefaultValue::Fixed(text) | DefaultValue::Expression(text) => format!("`{text}`"),
            DefaultValue::ByMode(texts) => by_mode(texts, modes),
            DefaultValue::Derived(words) => words.to_owned(),
        };
        row([&format!("`{}`", input.name), &default, noun(input.takes), input.meaning])
    });
    let rows: Vec<String> = rows.collect();
    (!rows.is_empty()).then(|| table(["input", "default", "takes", "meaning"], rows))
}

fn table<const COLUMNS: usize>(titles: [&str; COLUMNS], rows: Vec<String>) -> Vec<String> {
    let head = [row(titles), "|---".repeat(COLUMNS) + "|"];
    head.into_iter().chain(rows).collect()
}

fn row<const COLUMNS: usize>(cells: [&str; COLUMNS]) -> String {
    let cells = cells.map(|cell| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") });
    format!("|{}|", cells.join("|"))
}

// ---- docs/reference/targets-file.md ----

/// A table for each kind of mapping in the targets file.
fn tables_of_targets_file() -> Vec<Region> {
    let schema = json_schema();
    let file = &schema["oneOf"][0];
    let target = &file["properties"]["targets"]["items"]["oneOf"][1];
    let tables = [
        ("The file", file),
        ("A target", target),
        ("Checks of `verify`", &target["properties"]["verify"]),
        ("A gate", &file["properties"]["gates"]["items"]),
        ("A freeze", &file["properties"]["freeze"]["oneOf"][0]),
    ];
    let region = |(heading, mapping): (&str, &Value)| Region {
        file: "docs/reference/targets-file.md",
        anchors: vec![format!("## {heading}"), String::new()],
        lines: table_of_keys(mapping),
    };
    tables.map(region).into()
}

fn table_of_keys(mapping: &Value) -> Vec<String> {
    let keys = mapping["properties"].as_object().expect("a mapping has keys");
    let required_keys: Vec<&str> =
        mapping["required"].as_array().into_iter().flatten().flat_map(Value::as_str).collect();
    let rows = keys.iter().map(|(key, value)| {
        let need = if required_keys.contains(&key.as_str()) { "required" } else { "" };
        let meaning = value["description"].as_str().expect("each key has a description");
        row([&format!("`{key}`"), need, &kind(value), meaning.trim_end_matches('.')])
    });
    table(["key", "need", "takes", "meaning"], rows.collect())
}

/// The kind of value that a key takes, in a word.
fn kind(value: &Value) -> String {
    if let Some(words) = value["enum"].as_array() {
        let words = words.iter().map(|word| format!("`{}`", word.as_str().expect("a word")));
        return words.collect::<Vec<_>>().join(" or ");
    }
    let name = match (&value["type"], &value["oneOf"]) {
        (Value::String(name), _) => match name.as_str() {
            "object" => "mapping",
            "array" => "list",
            "string" => "text",
            "integer" => "number",
            name => name,
        },
        (Value::Array(_), _) => "text",
        (_, Value::Array(kinds)) if kinds[0]["type"] == "object" => "mapping, or a list of mappings",
        (_, Value::Array(_)) => "text, or a list",
        other => panic!("no word for the kind {other:?}"),
    };
    name.to_owned()
}

#[test]
fn the_defaults_of_a_targets_file_are_keys_of_a_target() {
    let schema = json_schema();
    let keys = |mapping: &Value| -> Vec<String> {
        mapping["properties"].as_object().expect("a mapping has keys").keys().cloned().collect()
    };
    let file = &schema["oneOf"][0]["properties"];
    let mut target_keys = keys(&file["targets"]["items"]["oneOf"][1]);
    target_keys.retain(|key| !["repository", "name", "needs"].contains(&key.as_str()));
    assert_eq!(
        keys(&file["defaults"]),
        target_keys,
        "docs/reference/targets-file.md says which keys it takes"
    );
}

fn noun(takes: Takes) -> &'static str {
    match takes {
        Takes::Text => "text",
        Takes::Secret => "secret",
        Takes::Boolean => "boolean",
        Takes::Number => "number",
        Takes::Duration => "duration",
        Takes::SomeOf(_) => "words",
        Takes::OneOf(_) => "word",
        Takes::Statuses(_) => "statuses",
        Takes::List => "list",
        Takes::Mapping => "mapping",
        Takes::Template => "template",
        Takes::Path => "file",
        Takes::Url => "URL",
        Takes::Login => "login",
        Takes::Logins => "logins",
        Takes::Repository => "repository",
        Takes::Ticket => "ticket",
        Takes::Context => "filled in by the runner",
    }
}

// ---- the workflows that others call ----

impl CalledWorkflow {
    /// The inputs of the workflow: those of its own wording, then those that its steps pass on.
    fn inputs(&self) -> Vec<String> {
        let mut lines = vec![format!("# {NOTE}")];
        let is_of_action = |name: &str| INPUTS.iter().any(|input| input.name == name);
        let others = self.wording.iter().filter(|(name, _)| !is_of_action(name));
        lines.extend(others.map(|(name, text)| format!("{name}: {text}")));
        let mut inputs: Vec<(&Input, Vec<ModeName>)> = Vec::new();
        for (mode, input) in
            self.steps.iter().flat_map(|step| step.workflow_inputs().map(|it| (step.mode, it)))
        {
            match inputs.iter_mut().find(|(other, _)| other.name == input.name) {
                Some((first, modes)) if first.modes.contains(&mode) => modes.push(mode),
                Some(_) => panic!("`{}` means several things in {}", input.name, self.file),
                None => inputs.push((input, vec![mode])),
            }
        }
        lines.extend(inputs.iter().map(|(input, modes)| {
            let wording = self.wording.iter().find(|(name, _)| *name == input.name);
            let text = wording.map_or_else(|| declaration(input, modes), |(_, text)| (*text).to_owned());
            format!("{}: {text}", input.name)
        }));
        lines
    }
}

/// The declaration of a workflow's input. A workflow passes on a blank string, so that the action's default
/// counts; a boolean or a number is never blank.
fn declaration(input: &Input, modes: &[ModeName]) -> String {
    let mut defaults: Vec<&str> = modes.iter().filter_map(|mode| input.default.text(*mode)).collect();
    defaults.dedup();
    let (kind, default) = match (input.takes, &defaults[..]) {
        (Takes::Boolean, [default]) => ("boolean", format!(", default: {default}")),
        (Takes::Number, [default]) => ("number", format!(", default: {default}")),
        _ => ("string", String::new()),
    };
    let description = match input.default {
        _ if !default.is_empty() => input.meaning.to_owned(),
        DefaultValue::Fixed(text) => format!("{}. Default: `{text}`", input.meaning),
        _ => meaning(input, modes),
    };
    let description = quote(&sentence(&description));
    format!("{{ description: {description}, type: {kind}{default} }}")
}

impl Step {
    /// The inputs of the action that are inputs of the workflow, too.
    fn workflow_inputs(&self) -> impl Iterator<Item = &'static Input> {
        let has_own_value = |name: &str| self.values.iter().any(|(other, _)| *other == name);
        self.inputs().filter(move |input| {
            input.name != "mode" && !has_own_value(input.name) && !matches!(input.takes, Takes::Secret)
        })
    }

    /// The inputs of the action that the step sets.
    fn inputs(&self) -> impl Iterator<Item = &'static Input> {
        let in_mode = INPUTS.iter().filter(|input| input.modes.contains(&self.mode));
        in_mode.filter(|input| {
            !matches!(input.takes, Takes::Context) && !self.omitted_inputs.contains(&input.name)
        })
    }

    fn with(&self) -> Vec<String> {
        let line = |input: &Input| {
            let name = input.name;
            let own = self.values.iter().find(|(other, _)| *other == name);
            let value = match (own, input.takes) {
                (Some((_, value)), _) => (*value).to_owned(),
                (None, Takes::Secret) => format!("${{{{ secrets.{name} }}}}"),
                (None, _) if name == "mode" => self.mode.as_str().to_owned(),
                (None, _) => format!("${{{{ inputs.{name} }}}}"),
            };
            format!("{name}: {value}")
        };
        self.inputs().map(line).collect()
    }
}
