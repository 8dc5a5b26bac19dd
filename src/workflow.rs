//! What a workflow file declares for
//! [`workflow_dispatch`](https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatchinputs),
//! and whether inputs fit it.

use crate::targets::{did_you_mean, listed};
use crate::ticket::text;
use crate::yaml::{self, Node, Placed, YamlError};

/// The most characters that the names and values of a run's inputs may have together.
pub const LONGEST_INPUTS: usize = 65_535;

/// What a workflow declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    inputs: Vec<DeclaredInput>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct DeclaredInput {
    name: String,
    kind: Kind,
    required: bool,
    has_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Number,
    Choice(Vec<String>),
    Environment,
}

/// An input that does not fit, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The input.
    pub name: String,
    /// What is wrong, behind the input's name.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Declared {
    /// Reads a workflow file; none if it does not start on `workflow_dispatch`.
    ///
    /// # Errors
    ///
    /// When it is no YAML.
    pub fn read(path: &str, text: &str) -> Result<Option<Self>, YamlError> {
        let root = yaml::parse(path, text)?;
        let Some(dispatch) = trigger(get(&root.value, "on")) else { return Ok(None) };
        let inputs = match dispatch.and_then(|dispatch| get(dispatch, "inputs")) {
            Some(Node::Mapping(entries)) => entries.iter().map(declared_input).collect(),
            _ => Vec::new(),
        };
        Ok(Some(Self { inputs }))
    }

    /// Whether there is an input of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.input(name).is_some()
    }

    fn input(&self, name: &str) -> Option<&DeclaredInput> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// What of `given` does not fit, and what is missing.
    pub fn misfits<'g>(&self, given: impl IntoIterator<Item = (&'g str, &'g str)> + Clone) -> Vec<Misfit> {
        let wrong = given.clone().into_iter().filter_map(|(name, value)| self.misfit(name, value));
        let missing = self.inputs.iter().filter(|input| input.required && !input.has_default);
        let missing = missing.filter(|input| {
            !given.clone().into_iter().any(|(name, value)| name == input.name && !value.is_empty())
        });
        let missing = missing.map(|input| Misfit {
            name: input.name.clone(),
            what: "is required, and it is not given".to_owned(),
            help: format!("add it to the target's `inputs`; it takes {}", input.kind.values()),
        });
        wrong.chain(missing).collect()
    }

    fn misfit(&self, name: &str, value: &str) -> Option<Misfit> {
        let Some(input) = self.input(name) else {
            let names = self.inputs.iter().map(|input| input.name.as_str());
            return Some(Misfit {
                name: name.to_owned(),
                what: "is not declared".to_owned(),
                help: format!(
                    "{}; else declare it there, or set `ignore-unexpected-inputs: true` to leave it out",
                    did_you_mean(name, names).trim_end_matches('?')
                ),
            });
        };
        // That a required one is blank is told as such.
        let is_blank = value.is_empty() && input.required;
        (!is_blank && !input.kind.fits(value)).then(|| Misfit {
            name: name.to_owned(),
            what: format!("is `{}`", text::cut(value, 60)),
            help: format!("it takes {}", input.kind.values()),
        })
    }
}

impl Kind {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Text | Self::Environment => true,
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Number => value.is_empty() || value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Choice(options) => options.iter().any(|option| option == value),
        }
    }

    fn values(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Choice(options) => format!("one of {}", listed(options.iter().map(String::as_str))),
            Self::Environment => "the name of an environment".to_owned(),
        }
    }
}

/// What stands behind `workflow_dispatch` in one of the three forms of `on`; none if it is not there.
fn trigger(on: Option<&Node>) -> Option<Option<&Node>> {
    const EVENT: &str = "workflow_dispatch";
    let is_event = |node: &Node| matches!(node, Node::Text(name) if name == EVENT);
    match on? {
        Node::List(events) => events.iter().any(|event| is_event(&event.value)).then_some(None),
        Node::Mapping(_) => get(on?, EVENT).map(Some),
        event => is_event(event).then_some(None),
    }
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Node::Mapping(entries) = node else { return None };
    entries.iter().find(|(name, _)| name.value == key).map(|(_, value)| &value.value)
}

fn declared_input((name, node): &(Placed<String>, Placed<Node>)) -> DeclaredInput {
    let of = |key: &str| get(&node.value, key);
    let kind = match of("type").map(Node::to_text).as_deref() {
        Some("boolean") => Kind::Boolean,
        Some("number") => Kind::Number,
        Some("environment") => Kind::Environment,
        Some("choice") => Kind::Choice(match of("options") {
            Some(Node::List(options)) => options.iter().map(|option| option.value.to_text()).collect(),
            _ => Vec::new(),
        }),
        _ => Kind::Text,
    };
    DeclaredInput {
        name: name.value.clone(),
        kind,
        required: of("required") == Some(&Node::Bool(true)),
        has_default: of("default").is_some_and(|default| !default.to_text().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(workflow: &str) -> Option<String> {
        let declared = Declared::read("w.yml", workflow).expect("YAML")?;
        Some(declared.inputs.into_iter().map(|input| input.name).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn the_inputs_that_a_workflow_declares_are_read_in_every_form_of_on() {
        for (text, expected) in [
            (
                "on: { workflow_dispatch: { inputs: { release-ticket: {}, draft: { type: boolean } } } }",
                Some("release-ticket,draft"),
            ),
            ("on: [push, workflow_dispatch]", Some("")),
            ("on: workflow_dispatch", Some("")),
            ("on:\n  workflow_dispatch:\n", Some("")),
            ("on: [push]", None),
            ("on: { push: {} }", None),
            ("jobs: {}", None),
        ] {
            assert_eq!(names(text).as_deref(), expected, "{text}");
        }
        assert!(Declared::read("w.yml", ": : :").is_err());
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_fits() {
        let text = "
on:
  workflow_dispatch:
    inputs:
      version: { required: true }
      channel: { type: choice, options: [stable, 1.10] }
      draft: { type: boolean, required: true, default: false }
      count: { type: number }
";
        let declared = Declared::read("w.yml", text).expect("YAML").expect("a trigger");
        let misfits = |given: &[(&str, &str)]| {
            let misfits = declared.misfits(given.iter().copied());
            let lines = misfits.iter().map(|it| format!("{} {} / {}", it.name, it.what, it.help));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            misfits(&[("version", "1"), ("channel", "1.10"), ("draft", "true"), ("count", "-2.5")]),
            ""
        );
        insta::assert_snapshot!(
            misfits(&[("chanel", "stable"), ("channel", "beta"), ("draft", "yes"), ("count", "many"), ("version", "")]),
            @"
        chanel is not declared / did you mean `channel`; else declare it there, or set `ignore-unexpected-inputs: true` to leave it out
        channel is `beta` / it takes one of `stable` and `1.10`
        draft is `yes` / it takes `true` or `false`
        count is `many` / it takes a number
        version is required, and it is not given / add it to the target's `inputs`; it takes text
        "
        );
    }
}
