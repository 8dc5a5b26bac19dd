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
    Choice(Vec<Choice>),
    Environment,
}

/// An option of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    /// As it is written.
    written: String,
    /// As GitHub's parser reads it: a number loses its spelling, so that `3.10` is `3.1`.
    read: String,
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
        let Some(dispatch) = trigger(root.value.get("on")) else { return Ok(None) };
        let inputs = match dispatch.and_then(|dispatch| dispatch.get("inputs")) {
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

    /// The input that `name` means, in the case in which it is declared.
    #[must_use]
    pub fn spelling(&self, name: &str) -> Option<&str> {
        let alike = || self.inputs.iter().find(|input| input.name.eq_ignore_ascii_case(name));
        self.input(name).or_else(alike).map(|input| input.name.as_str())
    }

    /// The value of an input as GitHub takes it: the option of a choice as GitHub reads it, if `value` is how it is
    /// written.
    #[must_use]
    pub fn value(&self, name: &str, value: String) -> String {
        let option = self.options(name).iter().find(|option| option.written == value);
        option.map_or(value, |option| option.read.clone())
    }

    /// How the option is written that GitHub reads as `value`, if that is otherwise.
    #[must_use]
    pub fn written(&self, name: &str, value: &str) -> Option<&str> {
        let is_it = |option: &&Choice| option.read == value && option.written != value;
        self.options(name).iter().find(is_it).map(|option| option.written.as_str())
    }

    fn options(&self, name: &str) -> &[Choice] {
        match self.input(name).map(|input| &input.kind) {
            Some(Kind::Choice(options)) => options,
            _ => &[],
        }
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
        let is_missing = value.is_empty() && input.required && !input.has_default;
        let (what, or) = match value {
            "" => ("is blank".to_owned(), "; leave the input out for its default"),
            _ => (format!("is `{}`", text::cut(value, 60)), ""),
        };
        (!is_missing && !input.kind.fits(value)).then(|| Misfit {
            name: name.to_owned(),
            what,
            help: format!("it takes {}{or}", input.kind.values()),
        })
    }
}

impl Kind {
    fn fits(&self, value: &str) -> bool {
        match self {
            Self::Text | Self::Environment => true,
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Number => value.is_empty() || value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Choice(options) => options.iter().any(|option| option.read == value),
        }
    }

    fn values(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Choice(options) => {
                format!("one of {}", listed(options.iter().map(|option| option.written.as_str())))
            }
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
        Node::Mapping(_) => on?.get(EVENT).map(Some),
        event => is_event(event).then_some(None),
    }
}

fn declared_input((name, node): &(Placed<String>, Placed<Node>)) -> DeclaredInput {
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
    DeclaredInput {
        name: name.value.clone(),
        kind,
        required: of("required") == Some(&Node::Bool(true)),
        // A blank one is a value too: whether it will do is GitHub's word.
        has_default: of("default").is_some_and(|default| *default != Node::Null),
    }
}

fn choice(option: &Node) -> Choice {
    let written = option.to_text();
    let number = match option {
        Node::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    };
    Choice { read: number.map_or_else(|| written.clone(), |number| number.to_string()), written }
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
            ("n: &n no\n'on': workflow_dispatch\nenv: { on: off, y: *n }", Some("")),
            ("jobs: {}", None),
        ] {
            assert_eq!(names(text).as_deref(), expected, "{text}");
        }
        assert!(Declared::read("w.yml", "on: [").is_err());
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_fits() {
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
        let declared = Declared::read("w.yml", text).expect("YAML").expect("a trigger");
        let misfits = |given: &[(&str, &str)]| {
            let misfits = declared.misfits(given.iter().copied());
            let lines = misfits.iter().map(|it| format!("{} {} / {}", it.name, it.what, it.help));
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
        // GitHub takes no blank for these, not even of an input with a default.
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
        version is required, and it is not given / add it to the target's `inputs`; it takes text
        "
        );
    }

    #[test]
    fn an_option_that_is_a_number_may_be_given_as_it_is_written_or_as_github_reads_it() {
        let text = "on: { workflow_dispatch: { inputs: { python: { type: choice, options: [3.9, 3.10, 007, '3.20'] } } } }";
        let declared = Declared::read("w.yml", text).expect("YAML").expect("a trigger");
        for (given, sent, written) in [
            ("3.9", "3.9", None),
            ("3.10", "3.1", Some("3.10")),
            ("3.1", "3.1", Some("3.10")),
            ("007", "7", Some("007")),
            ("3.20", "3.20", None),
        ] {
            let value = declared.value("python", given.to_owned());
            assert_eq!((value.as_str(), declared.written("python", &value)), (sent, written), "{given}");
            assert_eq!(declared.misfits([("python", value.as_str())]), [], "{given}");
        }
        assert_eq!(declared.misfits([("python", "3.2")]).len(), 1);
    }

    #[test]
    fn an_input_is_found_in_any_case() {
        let text = "on: { workflow_dispatch: { inputs: { Version: {}, dry-run: {}, DRY-RUN: {} } } }";
        let declared = Declared::read("w.yml", text).expect("YAML").expect("a trigger");
        let spelling = |name| declared.spelling(name);
        assert_eq!(
            ["version", "dry-run", "DRY-RUN"].map(spelling),
            [Some("Version"), Some("dry-run"), Some("DRY-RUN")]
        );
        assert_eq!(spelling("versions"), None);
    }
}
