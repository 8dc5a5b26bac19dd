//! The keys of the targets file: those that the reader accepts, and that the
//! [JSON Schema](https://json-schema.org) in `schema/release-targets.json` describes to editors.

use serde_json::{Map, Value, json};

use crate::yaml::Node;

/// A key of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand behind it.
    pub takes: Takes,
    /// What it means.
    pub meaning: &'static str,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// One line of text, or a number that is taken for text.
    Text,
    /// A duration.
    Duration,
    /// One name, or a list of names.
    Names,
    /// A mapping of a workflow's inputs to values.
    Inputs,
    /// A mapping with the keys of [`DEFAULTS`].
    Defaults,
    /// A list of repositories and of mappings with the keys of [`TARGET`].
    Targets,
}

/// Keys with this prefix are left alone: they hold values for anchors (`&`), and what other programs read.
pub const EXTENSION: &str = "x-";

const fn key(name: &'static str, takes: Takes, meaning: &'static str) -> Key {
    Key { name, takes, meaning }
}

const WORKFLOW: Key = key("workflow", Takes::Text, "The workflow's file below .github/workflows.");
const REF: Key =
    key("ref", Takes::Text, "The branch or tag at which the workflow runs. Default: the default branch.");
const INPUTS: Key = key(
    "inputs",
    Takes::Inputs,
    "The workflow's inputs. Text is a MiniJinja template, such as {{ inputs.channel }}.",
);

const STALE_AFTER: Key = key(
    "stale-after",
    Takes::Duration,
    "How long the target may stay as it is after its start, before it is marked as stuck: 45m, 1h 30m.",
);

/// The keys of the file.
pub const FILE: &[Key] = &[
    key("defaults", Takes::Defaults, "What holds for targets that say nothing else."),
    key("targets", Takes::Targets, "Who takes part in the release."),
];

/// The keys of `defaults`.
pub const DEFAULTS: &[Key] = &[WORKFLOW, REF, INPUTS, STALE_AFTER];

/// The keys of a target.
pub const TARGET: &[Key] = &[
    key("repository", Takes::Text, "owner/name, or a name for the hub's owner."),
    key("name", Takes::Text, "The target's name, unique in a ticket. Default: the repository's name."),
    WORKFLOW,
    REF,
    INPUTS,
    key("needs", Takes::Names, "The targets that are released before this one is started."),
    STALE_AFTER,
];

impl Takes {
    /// Whether a value is of this kind, as far as its own form tells.
    #[must_use]
    pub fn fits(self, node: &Node) -> bool {
        let is_scalar = |node: &Node| matches!(node, Node::Text(_) | Node::Number(_) | Node::Bool(_));
        match (self, node) {
            (Self::Text | Self::Duration, node) => is_scalar(node),
            (Self::Names, Node::List(items)) => items.iter().all(|item| is_scalar(&item.value)),
            (Self::Names, node) => is_scalar(node),
            (Self::Inputs, node) => matches!(node, Node::Mapping(_)),
            // The reader checks these from inside.
            (Self::Defaults | Self::Targets, _) => true,
        }
    }

    /// What it is, for people.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Duration => "a duration",
            Self::Names => "a name or a list of names",
            Self::Inputs => "a mapping of inputs to values",
            Self::Defaults => "a mapping",
            Self::Targets => "a list of targets",
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text => plain(),
            Self::Duration => json!({ "type": "string", "pattern": NO_TEMPLATE }),
            Self::Names => json!({
                "oneOf": [plain(), { "type": "array", "items": plain(), "uniqueItems": true }],
            }),
            Self::Inputs => json!({ "type": "object", "maxProperties": 25 }),
            Self::Defaults => mapping(DEFAULTS, &[]),
            Self::Targets => {
                let target = json!({ "oneOf": [{ "type": "string" }, mapping(TARGET, &["repository"])] });
                json!({ "type": "array", "minItems": 1, "items": target })
            }
        }
    }
}

/// Text that holds no template.
const NO_TEMPLATE: &str = r"^(?![\s\S]*\{\{)";

/// Text as it stands; a number or a boolean is text too.
fn plain() -> Value {
    json!({ "type": ["string", "number", "boolean"], "pattern": NO_TEMPLATE })
}

/// The JSON Schema of the targets file.
#[must_use]
pub fn json_schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Release targets",
        "description": "The targets file of release-ticket-action.",
        "oneOf": [mapping(FILE, &["targets"]), Takes::Targets.schema()],
    })
}

fn mapping(keys: &[Key], required: &[&str]) -> Value {
    let properties = keys.iter().map(|key| {
        let mut schema = key.takes.schema();
        schema["description"] = json!(key.meaning);
        (key.name.to_owned(), schema)
    });
    let mut schema = json!({
        "type": "object",
        "properties": properties.collect::<Map<_, _>>(),
        "patternProperties": { (format!("^{EXTENSION}")): {} },
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}
