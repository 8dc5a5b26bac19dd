//! The input `outputs` of a report: a mapping of names to values.
//!
//! A name that no output can have is a mistake in the workflow, and fails the step. A value comes from the run: one that
//! is too long is left out with a warning, as half a version or digest would be worse than none.

use std::collections::BTreeMap;

use crate::problem::{Problem, Topic};
use crate::ticket::outputs::{self, NAME_LIMIT, Outputs, TARGET_LIMIT, VALUE_LIMIT};
use crate::yaml::{self, Node, PlacedValue};

const SOURCE: &str = "`outputs`";

/// Reads the mapping. Blank values are absent.
///
/// # Errors
///
/// With all problems.
pub(super) fn parse(text: &str) -> Result<Outputs, Vec<Problem>> {
    let root = yaml::parse(SOURCE, text).map_err(|error| vec![error.problem()])?;
    let entries = match &root.value {
        Node::Null => return Ok(Outputs::default()),
        Node::Mapping(entries) => entries,
        other => {
            let what = format!("it is {}; it takes a mapping of names to values", other.kind());
            return Err(vec![
                Problem::new(what)
                    .help(Topic::Output, "write `version: 1.4.1`, one output a line")
                    .at(&root.place),
            ]);
        }
    };
    let problems: Vec<Problem> = entries.iter().filter_map(|(name, _)| name_problem(name)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let values =
        entries.iter().map(|(name, value)| (name.value.clone(), value.value.to_text().trim().to_owned()));
    Ok(short_values(values.filter(|(_, value)| !value.is_empty()).collect()))
}

fn name_problem(name: &PlacedValue<String>) -> Option<Problem> {
    if outputs::is_name(&name.value) {
        return None;
    }
    let what = format!("`{}` cannot be the name of an output", name.value);
    let help = format!("use lower-case letters, digits, `_` and `-`, at most {NAME_LIMIT} of them");
    Some(Problem::new(what).help(Topic::Output, help).at(&name.place))
}

/// The values that are short enough.
fn short_values(values: BTreeMap<String, String>) -> Outputs {
    let (fitting, long): (BTreeMap<_, _>, BTreeMap<_, _>) =
        values.into_iter().partition(|(_, value)| outputs::fits(value));
    for (name, value) in long {
        let length = value.chars().count();
        let what = format!("the output `{name}` has {length} characters, and is not reported");
        let help =
            format!("a value has at most {VALUE_LIMIT} characters: report the address of the text instead");
        Problem::new(what).help(Topic::Output, help).warn();
    }
    let (outputs, left_out) = outputs::cut_to_limit(fitting);
    for name in left_out {
        let what = format!("the output `{name}` is not reported: there is no room for it");
        let help = format!("the outputs of a target have at most {TARGET_LIMIT} bytes, all together");
        Problem::new(what).help(Topic::Output, help).warn();
    }
    outputs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(outputs) => {
                outputs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
            }
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn values_stay_as_they_are_written_and_blank_ones_are_absent() {
        for (text, expected) in [
            ("version: 1.10", "version=1.10"),
            (r#"{ "version": "1.4.1", "latest": true }"#, "latest=true version=1.4.1"),
            ("version:\nurl: ''\ntag: v1", "tag=v1"),
            (
                "digest: sha256:0f3c\nurl: https://acme.example/1",
                "digest=sha256:0f3c url=https://acme.example/1",
            ),
            ("files: [a, b]", r#"files=["a","b"]"#),
            ("# nothing yet", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn names_that_no_output_can_have_are_refused_together() {
        insta::assert_snapshot!(read("Version: 1\nmy version: 2\ntag: v1"), @"
        `outputs`:1:1: `Version` cannot be the name of an output
        help: use lower-case letters, digits, `_` and `-`, at most 100 of them
        `outputs`:2:1: `my version` cannot be the name of an output
        help: use lower-case letters, digits, `_` and `-`, at most 100 of them
        ");
        insta::assert_snapshot!(read("1.4.1"), @"
        `outputs`:1:1: it is text; it takes a mapping of names to values
        help: write `version: 1.4.1`, one output a line
        ");
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out() {
        assert_eq!(read(&format!("tag: v1\nnotes: {}", "x".repeat(VALUE_LIMIT + 1))), "tag=v1");
        let many: String =
            (0..10).map(|number| format!("name-{number}: {}\n", "x".repeat(VALUE_LIMIT))).collect();
        assert_eq!(parse(&many).expect("a mapping").iter().count(), 8);
    }
}
