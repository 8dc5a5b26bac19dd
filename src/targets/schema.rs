//! The keys of the targets file: those that the reader accepts, and that the
//! [JSON Schema](https://json-schema.org) in `schema/release-targets.json` describes to editors.

use serde_json::{Map, Value, json};

use crate::yaml::Node;

/// A key of a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The kind of its value.
    pub takes: Takes,
    /// Its meaning, as editors show it.
    pub meaning: &'static str,
}

/// The kind of a key's value.
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
    /// The name of a target or a gate.
    Name,
    /// A login, a team, or a list of them.
    Approvers,
    /// A whole number from 1 to [`MOST_REQUIRED`].
    Count,
    /// `true` or `false`.
    Flag,
    /// One of [`ON_MOVED`].
    OnMoved,
    /// One of [`OUTPUTS_FROM`].
    OutputsFrom,
    /// A mapping with the keys of [`VERIFY`].
    Verify,
    /// Text that is a template.
    Template,
    /// A moment.
    Moment,
    /// One line of at most [`REASON_LIMIT`] characters.
    Reason,
    /// A list of mappings with the keys of [`GATE`].
    Gates,
    /// A mapping with the keys of [`FREEZE`], or a list of them.
    Freezes,
}

/// The most characters of a name.
pub const NAME_LIMIT: usize = 100;

/// In a command, the word for all targets or gates, and therefore not a name.
pub const ALL: &str = "all";

/// The characters that end a name in a command.
pub const SEPARATORS: [char; 2] = [',', ':'];

/// The most gates of a file.
pub const MOST_GATES: usize = 20;

/// The most approvers of a gate.
pub const MOST_APPROVERS: usize = 50;

/// The most people that a gate can require.
pub const MOST_REQUIRED: u32 = 100;

/// The most freezes of a file.
pub const MOST_FREEZES: usize = 50;

/// The most characters of a freeze's reason.
pub const REASON_LIMIT: usize = 200;

/// The words of `on-moved`, the default first.
pub const ON_MOVED: [&str; 2] = ["lapse", "warn"];

/// The words of `outputs-from`.
pub const OUTPUTS_FROM: [&str; 1] = ["release"];

/// The prefix of keys that are left alone: they hold values for anchors (`&`), and values for other programs.
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
    "The time without a change after which a started target counts as stuck: 45m, 1h 30m.",
);

const OUTPUTS: Key = key(
    "outputs-from",
    Takes::OutputsFrom,
    "release: the outputs version (its tag), url and immutable come from the release that the run publishes.",
);

const VERIFIED: Key = key(
    "verify",
    Takes::Verify,
    "The checks after the run has succeeded, before the target counts as released.",
);

/// The keys of `verify`.
pub const VERIFY: &[Key] = &[
    key(
        "release",
        Takes::Template,
        "The tag of a release that must be published and point to the run's commit: {{ outputs.web.version }}.",
    ),
    key("immutable", Takes::Flag, "Whether that release has to be immutable. Default: false."),
    key(
        "attestation",
        Takes::Template,
        "A digest, sha256:…, for which the repository must have an attestation by the run's workflow and commit.",
    ),
];

/// The keys of the file.
pub const FILE: &[Key] = &[
    key("defaults", Takes::Defaults, "The values of the keys that a target leaves out."),
    key("targets", Takes::Targets, "The repositories that take part in the release."),
    key("gates", Takes::Gates, "Targets that need a gate wait until people say go."),
    key("freeze", Takes::Freezes, "The times in which nothing is started."),
];

/// The keys of `defaults`.
pub const DEFAULTS: &[Key] = &[WORKFLOW, REF, INPUTS, STALE_AFTER, OUTPUTS, VERIFIED];

/// The keys of a target.
pub const TARGET: &[Key] = &[
    key("repository", Takes::Text, "owner/name, or a name for the hub's owner."),
    key("name", Takes::Name, "The target's name, unique in a ticket. Default: the repository's name."),
    WORKFLOW,
    REF,
    INPUTS,
    key(
        "needs",
        Takes::Names,
        "The targets that have to be released, and the gates that have to be open, before this one is started.",
    ),
    STALE_AFTER,
    OUTPUTS,
    VERIFIED,
];

/// The keys of a gate.
pub const GATE: &[Key] = &[
    key("name", Takes::Name, "The gate's name, which no target has. Targets name it in their needs."),
    key(
        "approvers",
        Takes::Approvers,
        "The people and teams who may say go or no-go: alice, or @acme/release. Default: anyone who may give commands.",
    ),
    key("required", Takes::Count, "The number of people who have to say go. Default: 1."),
    key("not-driver", Takes::Flag, "Whether the driver's own go does not count. Default: false."),
    key(
        "on-moved",
        Takes::OnMoved,
        "When a target's ref has moved since the go: lapse (default) asks for another go, warn starts the target.",
    ),
];

/// The keys of a freeze.
pub const FREEZE: &[Key] = &[
    key("from", Takes::Moment, "The start: 2026-12-20T00:00Z, or a date for 00:00 UTC."),
    key("to", Takes::Moment, "The end, which is not part of the freeze."),
    key("reason", Takes::Reason, "The reason why nothing is started, in one line."),
];

impl Takes {
    /// Whether a value has the form of this kind.
    #[must_use]
    pub fn fits(self, node: &Node) -> bool {
        let is_scalar = |node: &Node| matches!(node, Node::Text(_) | Node::Number(_) | Node::Bool(_));
        match (self, node) {
            (Self::Names | Self::Approvers, Node::List(items)) => {
                items.iter().all(|item| is_scalar(&item.value))
            }
            (Self::Inputs, node) => matches!(node, Node::Mapping(_)),
            (Self::Count, node) => matches!(node, Node::Number(_)),
            (Self::Flag, node) => matches!(node, Node::Bool(_)),
            (Self::OnMoved | Self::OutputsFrom | Self::Moment, node) => matches!(node, Node::Text(_)),
            // The reader checks these from inside.
            (Self::Defaults | Self::Verify | Self::Targets | Self::Gates | Self::Freezes, _) => true,
            (_, node) => is_scalar(node),
        }
    }

    /// Whether its text is never rendered, so that a template is a mistake.
    #[must_use]
    pub fn is_verbatim(self) -> bool {
        use Takes::{Approvers, Duration, Moment, Name, Names, OnMoved, OutputsFrom, Reason, Text};
        matches!(self, Text | Duration | Names | Name | Approvers | OnMoved | OutputsFrom | Moment | Reason)
    }

    /// The kind in words: `a duration`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Duration => "a duration",
            Self::Names => "a name or a list of names",
            Self::Inputs => "a mapping of inputs to values",
            Self::Defaults => "a mapping",
            Self::Targets => "a list of targets",
            Self::Name => "a name",
            Self::Approvers => "a login, a team or a list of them",
            Self::Count => "a whole number from 1 to 100",
            Self::Flag => "`true` or `false`",
            Self::OnMoved => "`lapse` or `warn`",
            Self::OutputsFrom => "`release`",
            Self::Verify => "a mapping",
            Self::Template => "text",
            Self::Moment => "a time such as `2026-12-20T00:00Z`",
            Self::Reason => "one line of text",
            Self::Gates => "a list of gates",
            Self::Freezes => "a list of freezes",
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
            Self::Name => scalar(NAME, NAME_LIMIT),
            Self::Approvers => {
                let (most, each) = (MOST_APPROVERS, plain());
                let list = json!({ "type": "array", "minItems": 1, "maxItems": most, "items": each, "uniqueItems": true });
                json!({ "oneOf": [plain(), list] })
            }
            Self::Count => json!({ "type": "integer", "minimum": 1, "maximum": MOST_REQUIRED }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::OnMoved => json!({ "enum": ON_MOVED }),
            Self::OutputsFrom => json!({ "enum": OUTPUTS_FROM }),
            Self::Verify => mapping(VERIFY, &[]),
            Self::Template => json!({ "type": ["string", "number", "boolean"] }),
            Self::Moment => json!({ "type": "string", "pattern": MOMENT }),
            Self::Reason => scalar(ONE_LINE, REASON_LIMIT),
            Self::Gates => {
                json!({ "type": "array", "maxItems": MOST_GATES, "items": mapping(GATE, &["name"]) })
            }
            Self::Freezes => {
                let freeze = mapping(FREEZE, &["from", "to"]);
                let list = json!({ "type": "array", "maxItems": MOST_FREEZES, "items": freeze });
                json!({ "oneOf": [freeze, list] })
            }
        }
    }
}

/// Text that holds no template.
const NO_TEMPLATE: &str = r"^(?![\s\S]*\{\{)";

/// A name that a command can use: not `all`, and without [`SEPARATORS`] and line breaks.
const NAME: &str = r"^(?![\s\S]*\{\{)(?!\s*[aA][lL][lL]\s*$)\s*[^,:\r\n]*\s*$";

/// One line that holds no template.
const ONE_LINE: &str = r"^(?![\s\S]*\{\{)\s*[^\r\n]*\s*$";

/// A date, or a time with its zone.
const MOMENT: &str = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$";

/// Text that is never rendered; a number or a boolean is text too.
fn plain() -> Value {
    json!({ "type": ["string", "number", "boolean"], "pattern": NO_TEMPLATE })
}

/// Text of this pattern with at most `most` characters; a number or a boolean is text too.
fn scalar(pattern: &str, most: usize) -> Value {
    json!({ "type": ["string", "number", "boolean"], "pattern": pattern, "maxLength": most })
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
