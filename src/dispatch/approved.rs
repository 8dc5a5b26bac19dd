//! What was approved: the answers of the ticket's form, and whether they may be used.
//!
//! | the answers are those of | where |
//! |---|---|
//! | the event | somebody approved the issue, with a label for example |
//! | the record of an earlier dispatch | the event brings no approval: a comment, a start by hand |
//! | the issue as it is | neither says anything: whoever started the workflow has read it |
//!
//! The author of an issue can edit it at any time, so an event counts only while the issue still says the same,
//! or once its answers are recorded.

use serde_json::Value;

use super::refusals::Refusals;
use crate::form::{self, Answers, Form, Source};
use crate::problem::Problem;
use crate::targets::listed;
use crate::ticket::claim::Claims;
use crate::ticket::marker::{self, Kind};
use crate::ticket::{Word, text};

/// A record has so much room for answers, in characters of its marker.
const RECORD_LIMIT: usize = 8_000;

/// A value from outside is quoted up to this length.
const QUOTE_LIMIT: usize = 60;

/// An issue as it is, or as it was when an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IssueText<'a> {
    pub(super) title: &'a str,
    pub(super) body: &'a str,
}

/// An event that is about the ticket.
#[derive(Debug, Clone, Copy)]
pub(super) struct TicketEvent<'a> {
    pub(super) issue: IssueText<'a>,
    pub(super) is_approval: bool,
}

/// What templates may take from the ticket.
#[derive(Debug, Default)]
pub(super) struct Approved {
    /// The answers of the form.
    pub(super) answers: Answers,
    /// The same, if no record has them yet.
    pub(super) unrecorded: Option<Answers>,
    /// Where the questions come from, if the answers are read from an issue that has headings.
    pub(super) source: Option<Source>,
    /// Why templates may not read some of it.
    pub(super) refusals: Refusals,
}

/// Where templates find the answers.
pub(super) const FORM: &[&str] = &["form"];
const TITLE: &[&str] = &["event", "issue", "title"];
const BODY: &[&str] = &["event", "issue", "body"];

/// Decides which answers count. Those of an issue are read as `forms` ask for them.
pub(super) fn decide(
    event: Option<TicketEvent<'_>>,
    recorded: Option<&Word<Answers>>,
    now: IssueText<'_>,
    forms: &[Form],
) -> Approved {
    match (event, recorded) {
        (Some(event), _) if event.is_approval => of_event(event.issue, recorded, now, forms),
        (_, Some(Word::Known(answers))) => Approved { answers: answers.clone(), ..Approved::default() },
        (_, Some(Word::Newer(_))) => {
            let what = "a newer release of the action recorded the answers of the form";
            Approved::default().refusing(FORM, Problem::new(what).help("update the action"))
        }
        (Some(event), None) => of_event(event.issue, None, now, forms),
        (None, None) => of_text(now.body, forms),
    }
}

/// The newest answers that a dispatch of this hub's own identity recorded.
pub(super) fn recorded(claims: Claims<'_>) -> Option<&Word<Answers>> {
    claims.newest(|dispatch| dispatch.form.is_some())?.form.as_ref()
}

fn of_event(
    event: IssueText<'_>,
    recorded: Option<&Word<Answers>>,
    now: IssueText<'_>,
    forms: &[Form],
) -> Approved {
    let mut approved = of_text(event.body, forms);
    if recorded.and_then(Word::known) == Some(&approved.answers) {
        approved.unrecorded = None;
    } else if let Some(what) = changed(event.body, now.body, forms) {
        approved.answers.clear();
        approved.unrecorded = None;
        approved = approved.refusing(FORM, approve_again(&what));
    }
    if event.title != now.title {
        let what = format!("its title was {}, and is now {}", quoted(event.title), quoted(now.title));
        approved = approved.refusing(TITLE, approve_again(&what));
    }
    if event.body != now.body {
        approved = approved.refusing(BODY, approve_again("its text is another one"));
    }
    approved
}

fn of_text(body: &str, forms: &[Form]) -> Approved {
    let source = form::asks(body).then(Source::default);
    let reading = match form::parse(body, forms) {
        Ok(reading) => reading,
        Err(error) => {
            return Approved { source, ..Approved::default() }.refusing(FORM, Problem::from(&error));
        }
    };
    let source = source.map(|_| reading.source.clone());
    let length = text::length(&marker::render(Kind::Dispatch, &reading.once));
    if length > RECORD_LIMIT {
        let what = format!(
            "the answers of the form take {length} characters, and a record of the ticket has room for {RECORD_LIMIT}"
        );
        let help = "shorten the longest answer, or put its text into a comment";
        let refused = Approved { source, ..Approved::default() };
        return refused.refusing(FORM, Problem::new(what).help(help));
    }
    let unrecorded = Some(reading.answers.clone()).filter(|answers| !answers.is_empty());
    let approved = Approved { answers: reading.answers, unrecorded, source, refusals: Refusals::default() };
    reading.shared.iter().fold(approved, |approved, (name, labels)| {
        approved.refusing(&["form", name], shared(name, labels, &reading.source))
    })
}

fn shared(name: &str, labels: &[String], source: &Source) -> Problem {
    let labels = listed(labels.iter().map(String::as_str));
    let file = match source {
        Source::File(path) => format!("`{path}`"),
        _ => "the form's file".to_owned(),
    };
    Problem::new(format!("`form.{name}` may be the answer to each of {labels}")).help(format!(
        "give each of these questions an `id` in {file}, and name the one that is meant by its `id`"
    ))
}

/// The differences between the answers `then` and `now`, if the earlier ones were clear.
fn changed(then: &str, now: &str, forms: &[Form]) -> Option<String> {
    let answers = form::parse(then, forms).ok()?.once;
    let now = match form::parse(now, forms) {
        Ok(now) if now.once == answers => return None,
        Ok(now) => now.once,
        Err(error) => return Some(error.to_string()),
    };
    let names = answers.keys().chain(now.keys().filter(|name| !answers.contains_key(*name)));
    let changes = names.filter(|name| answers.get(*name) != now.get(*name)).map(|name| {
        let value = |of: &Answers| match of.get(name) {
            Some(Value::String(text)) => quoted(text),
            Some(ticked) => quoted(&ticked.to_string()),
            None => "absent".to_owned(),
        };
        format!("`{name}` was {}, and is now {}", value(&answers), value(&now))
    });
    Some(changes.collect::<Vec<_>>().join("; "))
}

fn quoted(text: &str) -> String {
    format!("`{}`", text::cut(text, QUOTE_LIMIT))
}

fn approve_again(what: &str) -> Problem {
    Problem::new(format!("the issue was edited after its approval: {what}"))
        .help("read the issue, and approve it again, as by removing the label and adding it")
}

impl Approved {
    fn refusing(mut self, path: &[&str], problem: Problem) -> Self {
        self.refusals.add(path, problem);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::Reads;

    const OLD: IssueText<'_> = IssueText { title: "Release", body: "### Version\n\n1.4.0" };
    const NEW: IssueText<'_> = IssueText { title: "Release", body: "### Version\n\n6.6.6" };

    fn answers(version: &str) -> Answers {
        form::parse(&format!("### Version\n\n{version}"), &[]).expect("one question").answers
    }

    fn event(issue: IssueText<'static>, is_approval: bool) -> Option<TicketEvent<'static>> {
        Some(TicketEvent { issue, is_approval })
    }

    fn problems(approved: &Approved, template: &str) -> Vec<Problem> {
        approved.refusals.of(&Reads::of([template]))
    }

    /// The version that a dispatch goes by.
    fn version(event: Option<TicketEvent<'_>>, recorded: Option<&str>, now: IssueText<'_>) -> String {
        let recorded = recorded.map(|version| Word::Known(answers(version)));
        let approved = decide(event, recorded.as_ref(), now, &[]);
        match &problems(&approved, "{{ form.version }}")[..] {
            [] => approved.answers["version"].as_str().expect("text").to_owned(),
            [problem, ..] => problem.what.clone(),
        }
    }

    #[test]
    fn the_approval_counts_then_the_record_then_the_issue() {
        for (event, recorded, now, expected) in [
            (event(OLD, true), None, OLD, "1.4.0"),
            (event(NEW, true), Some("1.4.0"), NEW, "6.6.6"),
            (event(OLD, true), Some("1.4.0"), NEW, "1.4.0"),
            (event(NEW, false), Some("1.4.0"), NEW, "1.4.0"),
            (event(OLD, false), None, OLD, "1.4.0"),
            (None, Some("1.4.0"), NEW, "1.4.0"),
            (None, None, NEW, "6.6.6"),
        ] {
            assert_eq!(version(event, recorded, now), expected, "{event:?} {recorded:?} {now:?}");
        }
    }

    #[test]
    fn an_event_whose_issue_was_edited_since_counts_for_nothing() {
        for (event, recorded) in
            [(event(OLD, true), None), (event(OLD, false), None), (event(OLD, true), Some("2.0.0"))]
        {
            assert_eq!(
                version(event, recorded, NEW),
                "the issue was edited after its approval: `version` was `1.4.0`, and is now `6.6.6`"
            );
        }
        let approved = decide(event(OLD, true), None, NEW, &[]);
        assert_eq!((approved.answers.len(), approved.unrecorded), (0, None));
        let twice = IssueText { title: "", body: "### Version\n\n1\n\n### Version\n\n2" };
        assert_eq!(version(event(twice, true), None, twice), "the issue asks more than once: `version`");
    }

    #[test]
    fn only_what_a_template_uses_is_refused() {
        let now = IssueText { title: "Another", body: NEW.body };
        let approved = decide(event(OLD, true), None, now, &[]);
        for (template, count) in [
            ("{{ release }}", 0),
            ("{{ form.version }}", 1),
            ("{{ event.issue.title }}", 1),
            ("{{ event.issue.body }}", 1),
            ("{{ event.comment.body }} {{ event.label.name }}", 0),
            ("{{ form.version }} {{ event.issue.title }}", 2),
        ] {
            assert_eq!(problems(&approved, template).len(), count, "{template}");
        }
    }

    #[test]
    fn answers_that_no_record_has_room_for_are_refused() {
        let body = |length: usize| format!("### Notes\n\n{}", "<".repeat(length));
        let of = |body: &str| decide(None, None, IssueText { title: "", body }, &[]);
        assert!(of(&body(1_000)).unrecorded.is_some());
        let long = of(&body(2_000));
        assert!(long.unrecorded.is_none());
        assert_eq!(problems(&long, "{{ form.notes }}").len(), 1);
    }

    #[test]
    fn answers_in_a_format_of_a_newer_release_are_not_guessed() {
        let newer = Word::Newer(json!(["1.4.0"]));
        let approved = decide(None, Some(&newer), NEW, &[]);
        assert_eq!(problems(&approved, "{{ form.version }}").len(), 1);
    }
}
