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
//!
//! Whoever approves the issue reads it as GitHub shows it. So the body is read as Markdown, and what is not
//! shown is not part of an answer: HTML, comments too, and the definitions of links and footnotes.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, OffsetIter, Options, Parser, Tag};
use serde_json::{Map, Value};

use crate::problem::Help;

/// What GitHub writes where nothing was answered.
const NO_RESPONSE: &str = "_No response_";

/// The answers by the names of their questions.
pub type Answers = Map<String, Value>;

/// Why the answers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Several answers to one question.
    #[error("the issue asks more than once: {}", quoted(.0))]
    AskedTwice(Vec<String>),
    /// Questions that people see only when they unfold them.
    #[error("the issue asks inside `<details>`, where people may not look: {}", quoted(.0))]
    Folded(Vec<String>),
}

impl Help for FormError {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::AskedTwice(_) => {
                "leave one heading `###` for each question; within an answer, put headings into a code block, or write \
                 `####`"
            }
            Self::Folded(_) => "write `</details>` as a paragraph of its own before the next question",
        };
        Some(help.to_owned())
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The answers in `body`. An issue that no form opened has none.
///
/// # Errors
///
/// When nobody can tell which answer people see.
pub fn parse(body: &str) -> Result<Answers, FormError> {
    let body = body.replace("\r\n", "\n");
    let mut answers = Answers::new();
    let (mut twice, mut folded) = (Vec::new(), Vec::new());
    for question in questions(&body) {
        let name = name_of(&question.heading);
        if name.is_empty() {
            continue;
        }
        if question.is_folded {
            folded.push(name.clone());
        }
        if answers.insert(name.clone(), answer(&question.markdown)).is_some() && !twice.contains(&name) {
            twice.push(name);
        }
    }
    match (twice.is_empty(), folded.is_empty()) {
        (true, true) => Ok(answers),
        (true, false) => Err(FormError::Folded(folded)),
        (false, _) => Err(FormError::AskedTwice(twice)),
    }
}

/// A heading, and the Markdown of what is shown below it.
struct Question {
    heading: String,
    is_folded: bool,
    markdown: String,
}

/// The headings of level 3 that stand in no list, quote or other block.
fn questions(body: &str) -> Vec<Question> {
    let mut events =
        Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES).into_offset_iter();
    let mut questions: Vec<Question> = Vec::new();
    let (mut open_folds, mut shown_to) = (0, 0);
    while let Some(block) = next_block(&mut events) {
        let (first, range) = &block[0];
        match first {
            Event::Start(Tag::Heading { level: HeadingLevel::H3, .. }) => questions.push(Question {
                heading: text_of(&block),
                is_folded: open_folds > 0,
                markdown: String::new(),
            }),
            hidden if is_hidden(hidden) => {}
            _ => {
                if let Some(question) = questions.last_mut() {
                    let gap = body.get(shown_to..range.start).unwrap_or_default();
                    question.markdown.extend(gap.chars().filter(|c| c.is_whitespace()));
                    question.markdown += &shown(body, &block);
                }
            }
        }
        open_folds = folds_after(open_folds, body, &block);
        shown_to = range.end;
    }
    questions
}

/// A piece of Markdown, and where it stands.
type Placed<'a> = (Event<'a>, Range<usize>);

/// The next block that stands in no other one, with all that is in it.
fn next_block<'a>(events: &mut OffsetIter<'a>) -> Option<Vec<Placed<'a>>> {
    let (mut block, mut depth) = (Vec::new(), 0_usize);
    for (event, range) in events {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        block.push((event, range));
        if depth == 0 {
            return Some(block);
        }
    }
    None
}

/// Whether GitHub shows nothing for it, or not in its place.
fn is_hidden(event: &Event<'_>) -> bool {
    matches!(event, Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock | Tag::FootnoteDefinition(_)))
}

/// The Markdown of a block, without what is hidden in it.
fn shown(body: &str, block: &[Placed<'_>]) -> String {
    let (_, whole) = &block[0];
    let mut markdown = String::new();
    let mut from = whole.start;
    for (_, hidden) in block.iter().filter(|(event, range)| is_hidden(event) && range.start >= whole.start) {
        markdown += body.get(from..hidden.start).unwrap_or_default();
        from = from.max(hidden.end);
    }
    markdown + body.get(from..whole.end).unwrap_or_default()
}

/// The text of a heading.
fn text_of(block: &[Placed<'_>]) -> String {
    let texts = block.iter().filter_map(|(event, _)| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect()
}

/// How many `<details>` are open after a block. One that may be closed inside a comment or a value counts as open.
fn folds_after(open: usize, body: &str, block: &[Placed<'_>]) -> usize {
    let html = block
        .iter()
        .filter(|(event, _)| matches!(event, Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock)));
    html.fold(open, |open, (_, range)| {
        let html = body.get(range.clone()).unwrap_or_default().to_ascii_lowercase();
        let is_plain = !["<!", "<?", "="].into_iter().any(|mark| html.contains(mark));
        let closed = if is_plain { html.matches("</details").count() } else { 0 };
        (open + html.matches("<details").count()).saturating_sub(closed)
    })
}

/// `Release version (required)` becomes `release_version_required`.
fn name_of(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

fn answer(markdown: &str) -> Value {
    let text = markdown.trim();
    let answers: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let boxes: Option<Vec<(bool, &str)>> = answers.iter().map(|line| check_box(line)).collect();
    match boxes {
        Some(boxes) if !boxes.is_empty() => {
            boxes.into_iter().filter(|(ticked, _)| *ticked).map(|(_, label)| Value::from(label)).collect()
        }
        _ if text == NO_RESPONSE => Value::from(""),
        _ => Value::from(text),
    }
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
            Value::Object(parse(body).expect("clear answers")),
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

    fn parsed(body: &str) -> Value {
        parse(body).map_or_else(|error| error.to_string().into(), Value::Object)
    }

    #[test]
    fn a_question_that_is_asked_twice_has_no_answer() {
        for body in [
            "### Targets\n\n- [x] web\n\n### Notes\n\nHa\n\n### Targets\n\n- [x] api\n",
            "### Targets\n\nweb\n### *targets* ###\n\napi\n### Targets!\n",
            "### Targets\n\nweb\n\n### Tar<!-- -->gets\n\napi\n",
        ] {
            assert_eq!(parse(body), Err(FormError::AskedTwice(vec!["targets".into()])), "{body}");
        }
    }

    #[test]
    fn a_heading_that_github_shows_as_something_else_asks_nothing() {
        let version = "### Version\n\n6.6.6";
        let quote = "> ### Version\n>\n> 6.6.6";
        let list = "- ### Version\n\n  6.6.6";
        for (other, shown) in [
            (format!("<!--\n{version}\n-->"), ""),
            (format!("<!-- --\n{version}\n-->"), ""),
            (format!("<?\n{version}\n?>"), ""),
            (format!("<pre>\n{version}\n</pre>"), ""),
            (format!("```\n{version}\n```"), "```\n### Version\n\n6.6.6\n```"),
            (format!("~~~~\n~~~\n{version}\n~~~~"), "~~~~\n~~~\n### Version\n\n6.6.6\n~~~~"),
            (format!("    {}", version.replace('\n', "\n    ")), "### Version\n    \n    6.6.6"),
            (quote.to_owned(), quote),
            (list.to_owned(), list),
            ("[^1]:\n    ### Version\n\n    6.6.6".to_owned(), ""),
        ] {
            let body = format!("### Version\n\n1.4.0\n\n### Notes\n\n{other}\n\n### End\n\nhere\n");
            assert_eq!(parsed(&body), json!({ "version": "1.4.0", "notes": shown, "end": "here" }), "{body}");
        }
        // A comment that begins within a paragraph ends with it.
        assert_eq!(parsed(&format!("### Notes\n\ntext <!--\n{version}"))["version"], "6.6.6");
    }

    #[test]
    fn what_github_does_not_show_is_no_answer() {
        for (answer, shown) in [
            ("<!-- 6.6.6 -->", json!("")),
            ("1.4.0 <!-- 6.6.6 -->", json!("1.4.0")),
            ("1.4<!-- 6.6.6 -->.0", json!("1.4.0")),
            ("<!-- 6.6.6\n-->\n1.4.0", json!("1.4.0")),
            ("1.4.0\n<!--\n6.6.6\n-->", json!("1.4.0")),
            ("1.4.0<a title=\"6.6.6\">", json!("1.4.0")),
            ("[//]: # (6.6.6)\n1.4.0", json!("1.4.0")),
            ("[a]: b\n[a]: 6.6.6\n\n1.4.0\n\n[c]: 6.6.6", json!("1.4.0")),
            ("[^1]: 6.6.6\n\n1.4.0", json!("1.4.0")),
            ("- [x] web\n<!--\n- [x] api\n-->", json!(["web"])),
            ("- [x] web\n<div title=\"\n- [x] api\n\">", json!(["web"])),
            ("- [x] web <!-- the site -->\n- [x] docs\n", json!(["web", "docs"])),
            ("`<!-- code -->` is `Vec<String>`", json!("`<!-- code -->` is `Vec<String>`")),
        ] {
            let body = format!("### Answer\n\n{answer}\n\n### End\n\nhere\n");
            assert_eq!(parsed(&body), json!({ "answer": shown, "end": "here" }), "{body}");
        }
    }

    #[test]
    fn a_question_that_is_folded_away_is_refused() {
        let hidden = "### Channel\n\nbeta\n\n";
        for fold in
            ["<details>", "<details><!-- </details> -->", "<DETAILS title='</details>'>", "a <details> b"]
        {
            let body = format!("### Notes\n\n{fold}\n\n{hidden}");
            assert_eq!(parse(&body), Err(FormError::Folded(vec!["channel".into()])), "{body}");
        }
        let log = "<details><summary>Log</summary>\n\n```\nlog\n```\n\n</details>";
        for open in [log, "<details><summary>Log</summary>text</details>"] {
            let body = format!("### Notes\n\n{open}\n\n{hidden}");
            assert_eq!(parsed(&body)["channel"], "beta", "{body}");
        }
    }

    #[test]
    fn an_issue_without_a_form_has_no_answers() {
        for body in ["", "just text\n- [x] done", "## A heading\n\ntext", "### \n\nnothing"] {
            assert_eq!(parsed(body), json!({}), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in "(### [a-z!]{0,5}\n|- \\[[ x]\\] [a-z]{0,3}\n|```\n|.{0,10}\n){0,12}") {
            let _ = parse(&body);
        }
    }
}
