//! The answers of an [issue form](https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms),
//! from the body of the issue that it opened.
//!
//! GitHub writes each question as a heading, and the answer below it:
//!
//! ```text
//! ### Release version
//!
//! 1.4.0
//!
//! ### Targets
//!
//! - [x] web
//! - [ ] docs
//! ```
//!
//! Templates see `form.release_version` and, as a list of what is ticked, `form.targets`.

use serde_json::{Map, Value};

/// What GitHub writes where nothing was answered.
const NO_RESPONSE: &str = "_No response_";

/// The answers in `body` by the names of their questions. An issue that no form opened has none.
#[must_use]
pub fn parse(body: &str) -> Map<String, Value> {
    let mut answers = Map::new();
    let mut question: Option<(String, Vec<&str>)> = None;
    let mut fence = None;
    for line in body.lines() {
        fence = match fence {
            // Within a fence a heading is code.
            Some(fence) => Some(fence).filter(|fence| !line.trim_start().starts_with(fence)),
            None => ["```", "~~~"].into_iter().find(|fence| line.trim_start().starts_with(fence)),
        };
        match (line.strip_prefix("### ").filter(|_| fence.is_none()), &mut question) {
            (Some(heading), _) => {
                keep_first(&mut answers, question.replace((name_of(heading), Vec::new())));
            }
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    keep_first(&mut answers, question);
    answers.remove("");
    answers
}

/// A heading in the answer to a later question does not replace what was answered before.
fn keep_first(answers: &mut Map<String, Value>, question: Option<(String, Vec<&str>)>) {
    if let Some((name, answer)) = question.map(answered) {
        answers.entry(name).or_insert(answer);
    }
}

/// `Release version (required)` becomes `release_version_required`.
fn name_of(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

fn answered((name, lines): (String, Vec<&str>)) -> (String, Value) {
    let text = lines.join("\n").trim().to_owned();
    let answers: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let boxes: Option<Vec<(bool, &str)>> = answers.iter().map(|line| check_box(line)).collect();
    let answer = match boxes {
        Some(boxes) if !boxes.is_empty() => {
            boxes.into_iter().filter(|(ticked, _)| *ticked).map(|(_, label)| Value::from(label)).collect()
        }
        _ if text == NO_RESPONSE => Value::from(""),
        _ => Value::from(text),
    };
    (name, answer)
}

/// `- [x] web`: whether it is ticked, and its label.
fn check_box(line: &str) -> Option<(bool, &str)> {
    let rest = line.strip_prefix("- [").or_else(|| line.strip_prefix("* ["))?;
    let (mark, label) = rest.split_once("] ")?;
    match mark {
        "x" | "X" => Some((true, label.trim())),
        " " => Some((false, label.trim())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_answer_is_read() {
        let body = "\
### Release version\r\n\r\n1.4.0\r\n\r\n### Which targets?\r\n\r\n- [x] web\r\n- [ ] docs\r\n- [X] api, the old one\r\n
### None of these\r\n\r\n- [ ] a\r\n
### Notes\r\n\r\n_No response_\r\n
### Log\r\n\r\n```shell\n### not a heading\n```\n
### Text\n\nTwo\n\nparagraphs\n- [x] and a list\n";
        assert_eq!(
            Value::Object(parse(body)),
            json!({
                "release_version": "1.4.0",
                "which_targets": ["web", "api, the old one"],
                "none_of_these": [],
                "notes": "",
                "log": "```shell\n### not a heading\n```",
                "text": "Two\n\nparagraphs\n- [x] and a list",
            })
        );
    }

    #[test]
    fn a_heading_within_a_later_answer_replaces_nothing() {
        let answers = parse("### Targets\n\n- [x] web\n\n### Notes\n\nHa\n\n### Targets\n\n- [x] api\n");
        assert_eq!(answers["targets"], json!(["web"]));
    }

    #[test]
    fn an_issue_without_a_form_has_no_answers() {
        for body in ["", "just text\n- [x] done", "## A heading\n\ntext", "### \n\nnothing"] {
            assert!(parse(body).is_empty(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in "(### [a-z!]{0,5}\n|- \\[[ x]\\] [a-z]{0,3}\n|```\n|.{0,10}\n){0,12}") {
            let _ = parse(&body);
        }
    }
}
