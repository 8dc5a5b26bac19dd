//! The inputs that a workflow file declares for
//! [`workflow_dispatch`](https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatchinputs),
//! and whether a target's inputs fit them.

use crate::problem::{Advice, Topic};
use crate::targets::{did_you_mean, enumeration};
use crate::ticket::text;
use crate::yaml::{self, Node, PlacedValue, YamlError};

/// The most characters that the names and values of a run's inputs may have together.
pub const LONGEST_INPUTS: usize = 65_535;

/// The inputs that a workflow declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    inputs: Vec<InputDeclaration>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct InputDeclaration {
    name: String,
    kind: Kind,
    is_required: bool,
    has_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Number,
    Choice(Vec<Choice>),
    Environment,
}

/// An option of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    /// The text in the file.
    spelling: String,
    /// The value that GitHub's parser reads: of a number without its spelling, so that `3.10` is `3.1`.
    value: String,
}

/// An input that does not fit, with help.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The input.
    pub name: String,
    /// The mistake, to be read behind the input's name.
    pub what: String,
    /// The next step for a person.
    pub help: Advice,
}

impl Declaration {
    /// Reads a workflow file; `None` if it does not start on `workflow_dispatch`.
    ///
    /// # Errors
    ///
    /// When it is not YAML.
    pub fn read(path: &str, text: &str) -> Result<Option<Self>, YamlError> {
        let root = yaml::parse(path, text)?;
        let Some(dispatch) = trigger(root.value.get("on")) else { return Ok(None) };
        let inputs = match dispatch.and_then(|dispatch| dispatch.get("inputs")) {
            Some(Node::Mapping(entries)) => entries.iter().map(input_declaration).collect(),
            _ => Vec::new(),
        };
        Ok(Some(Self { inputs }))
    }

    /// Whether there is an input of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.input(name).is_some()
    }

    /// The name of the input as the file declares it; `name` may be in another case.
    #[must_use]
    pub fn input_name(&self, name: &str) -> Option<&str> {
        let alike = || self.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(name));
        self.input(name).or_else(alike).map(|input| input.name.as_str())
    }

    /// The value of an input for GitHub: for the spelling of an option the value that GitHub reads, else `value`.
    #[must_use]
    pub fn value(&self, name: &str, value: String) -> String {
        let option = self.options(name).iter().find(|option| option.spelling == value);
        option.map_or(value, |option| option.value.clone())
    }

    /// The spelling of the option that GitHub reads as `value`, if it differs.
    #[must_use]
    pub fn option_spelling(&self, name: &str, value: &str) -> Option<&str> {
        let is_it = |option: &&Choice| option.value == value && option.spelling != value;
        self.options(name).iter().find(is_it).map(|option| option.spelling.as_str())
    }

    fn options(&self, name: &str) -> &[Choice] {
        match self.input(name).map(|input| &input.kind) {
            Some(Kind::Choice(options)) => options,
            _ => &[],
        }
    }

    fn input(&self, name: &str) -> Option<&InputDeclaration> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The `inputs` that do not fit, and the required ones that are missing.
    pub fn misfits<'g>(&self, inputs: impl IntoIterator<Item = (&'g str, &'g str)> + Clone) -> Vec<Misfit> {
        let misfits = inputs.clone().into_iter().filter_map(|(name, value)| self.misfit(name, value));
        let missing_inputs = self.inputs.iter().filter(|input| input.is_required && !input.has_default);
        let missing_inputs = missing_inputs.filter(|input| {
            !inputs.clone().into_iter().any(|(name, value)| name == input.name && !value.is_empty())
        });
        let missing_inputs = missing_inputs.map(|input| Misfit {
            name: input.name.clone(),
            what: "is required and missing".to_owned(),
            help: Topic::WorkflowInput
                .advice(format!("add it to the target's `inputs`; it takes {}", input.kind.values())),
        });
        misfits.chain(missing_inputs).collect()
    }

    fn misfit(&self, name: &str, value: &str) -> Option<Misfit> {
        let Some(input) = self.input(name) else {
            let names = self.inputs.iter().map(|input| input.name.as_str());
            return Some(Misfit {
                name: name.to_owned(),
                what: "is not declared".to_owned(),
                help: Topic::WorkflowInput.advice(format!(
                    "{}; else declare it there, or set `ignore-unexpected-inputs: true` to leave it out",
                    did_you_mean(name, names).trim_end_matches('?')
                )),
            });
        };
        // `misfits` reports a blank input that is required as missing.
        let is_missing = value.is_empty() && input.is_required && !input.has_default;
        let (what, or) = match value {
            "" => ("is blank".to_owned(), "; leave the input out for its default"),
            _ => (format!("is `{}`", text::cut(value, 60)), ""),
        };
        (!is_missing && !input.kind.fits(value)).then(|| Misfit {
            name: name.to_owned(),
            what,
            help: Topic::WorkflowInput.advice(format!("it takes {}{or}", input.kind.values())),
        })
    }
}

impl Kind {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Text | Self::Environment => true,
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Number => value.is_empty() || value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Choice(options) => options.iter().any(|option| option.value == value),
        }
    }

    fn values(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Choice(options) => {
                format!("one of {}", enumeration(options.iter().map(|option| option.spelling.as_str())))
            }
            Self::Environment => "the name of an environment".to_owned(),
        }
    }
}

/// The value of `workflow_dispatch` in one of the three forms of `on`; `None` without that event.
fn trigger(on: Option<&Node>) -> Option<Option<&Node>> {
    const EVENT: &str = "workflow_dispatch";
    let is_event = |node: &Node| matches!(node, Node::Text(name) if name == EVENT);
    match on? {
        Node::List(events) => events.iter().any(|event| is_event(&event.value)).then_some(None),
        Node::Mapping(_) => on?.get(EVENT).map(Some),
        event => is_event(event).then_some(None),
    }
}

fn input_declaration((name, node): &(PlacedValue<String>, PlacedValue<Node>)) -> InputDeclaration {
    let of = |key: &str| node.value.get(key);
    let kind = match of("type").map(Node::to_text).as_deref() {
        Some("boolean") => Kind::Boolean,
        Some("number") => Kind::Number,
        Some("environment") => Kind::Environment,
        Some("choice") => Kind::Choice(match of("options") {
            Some(Node::List(options)) => options.iter().map(|option| choice(&option.value)).collect(),
            _ => Vec::new(),
        }),
        _ => Kind::Text,
    };
    InputDeclaration {
        name: name.value.clone(),
        kind,
        is_required: of("required") == Some(&Node::Bool(true)),
        // A blank default is a value too: GitHub decides whether it fits.
        has_default: of("default").is_some_and(|default| *default != Node::Null),
    }
}

fn choice(option: &Node) -> Choice {
    let spelling = option.to_text();
    let number = match option {
        Node::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    };
    Choice { value: number.map_or_else(|| spelling.clone(), |number| number.to_string()), spelling }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(workflow: &str) -> Option<String> {
        let declaration = Declaration::read("w.yml", workflow).expect("YAML")?;
        Some(declaration.inputs.into_iter().map(|input| input.name).collect::<Vec<_>>().join(","))
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
            ("n: &n no\n'on': workflow_dispatch\nenv: { on: off, y: *n }", Some("")),
            ("jobs: {}", None),
        ] {
            assert_eq!(names(text).as_deref(), expected, "{text}");
        }
        assert!(Declaration::read("w.yml", "on: [").is_err());
    }

    #[test]
    fn a_value_that_does_not_fit_is_reported_with_the_values_that_do() {
        let text = "
on:
  workflow_dispatch:
    inputs:
      version: { required: true }
      channel: { type: choice, options: [stable, 1.10] }
      confirm: { type: choice, options: [yes, no, ''] }
      blank: { required: true, default: '' }
      draft: { type: boolean, required: true, default: false }
      count: { type: number }
";
        let declaration = Declaration::read("w.yml", text).expect("YAML").expect("a trigger");
        let misfits = |inputs: &[(&str, &str)]| {
            let misfits = declaration.misfits(inputs.iter().copied());
            let lines = misfits.iter().map(|it| format!("{} {} / {}", it.name, it.what, it.help.text));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            misfits(&[
                ("version", "1"),
                ("channel", "1.1"),
                ("draft", "true"),
                ("count", "-2.5"),
                ("confirm", "no"),
                ("blank", "")
            ]),
            ""
        );
        assert_eq!(misfits(&[("version", "1"), ("confirm", "")]), "");
        // GitHub refuses a blank value for these, even if the input has a default.
        insta::assert_snapshot!(misfits(&[("version", "1"), ("draft", ""), ("channel", "")]), @"
        draft is blank / it takes `true` or `false`; leave the input out for its default
        channel is blank / it takes one of `stable` and `1.10`; leave the input out for its default
        ");
        insta::assert_snapshot!(
            misfits(&[("chanel", "stable"), ("channel", "beta"), ("draft", "yes"), ("count", "many"), ("version", "")]),
            @"
        chanel is not declared / did you mean `channel`; else declare it there, or set `ignore-unexpected-inputs: true` to leave it out
        channel is `beta` / it takes one of `stable` and `1.10`
        draft is `yes` / it takes `true` or `false`
        count is `many` / it takes a number
        version is required and missing / add it to the target's `inputs`; it takes text
        "
        );
    }

    #[test]
    fn an_option_that_is_a_number_may_be_given_as_it_is_written_or_as_github_reads_it() {
        let text = "on: { workflow_dispatch: { inputs: { python: { type: choice, options: [3.9, 3.10, 007, '3.20'] } } } }";
        let declaration = Declaration::read("w.yml", text).expect("YAML").expect("a trigger");
        for (text, sent, spelling) in [
            ("3.9", "3.9", None),
            ("3.10", "3.1", Some("3.10")),
            ("3.1", "3.1", Some("3.10")),
            ("007", "7", Some("007")),
            ("3.20", "3.20", None),
        ] {
            let value = declaration.value("python", text.to_owned());
            assert_eq!(
                (value.as_str(), declaration.option_spelling("python", &value)),
                (sent, spelling),
                "{text}"
            );
            assert_eq!(declaration.misfits([("python", value.as_str())]), [], "{text}");
        }
        assert_eq!(declaration.misfits([("python", "3.2")]).len(), 1);
    }

    #[test]
    fn an_input_is_found_in_any_case() {
        let text = "on: { workflow_dispatch: { inputs: { Version: {}, dry-run: {}, DRY-RUN: {} } } }";
        let declaration = Declaration::read("w.yml", text).expect("YAML").expect("a trigger");
        let input_name = |name| declaration.input_name(name);
        assert_eq!(
            ["version", "dry-run", "DRY-RUN"].map(input_name),
            [Some("Version"), Some("dry-run"), Some("DRY-RUN")]
        );
        assert_eq!(input_name("versions"), None);
    }
}
