//! The approval of a ticket: the answers of its form, and whether templates may read them.
//!
//! | source of the answers | case |
//! |---|---|
//! | the event | somebody approved the issue, with a label for example |
//! | the record of an earlier dispatch | the event is not an approval: a comment, a start by hand |
//! | the issue as it is | neither has answers: the person who started the workflow has read the issue |
//!
//! The author of an issue can edit it at any time. So an event counts only while the issue has the same answers, or if
//! its answers are recorded.

use serde_json::Value;

use super::refusals::Refusals;
use crate::form::{self, Answers, Form, Source};
use crate::problem::{Problem, Topic};
use crate::targets::enumeration;
use crate::ticket::claim::Claims;
use crate::ticket::marker::{self, Kind};
use crate::ticket::{Word, text};

/// The room of a record for answers, in characters of its marker.
const RECORD_LIMIT: usize = 8_000;

/// The longest quotation of a value from outside, in characters.
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

/// The answers that templates may read, and the refusals of others.
#[derive(Debug, Default)]
pub(super) struct Approval {
    /// The answers of the form.
    pub(super) answers: Answers,
    /// The same answers, if no record has them yet.
    pub(super) new_answers: Option<Answers>,
    /// The source of the questions, if the answers come from an issue that has headings.
    pub(super) source: Option<Source>,
    /// The values that templates may not read, with the reasons.
    pub(super) refusals: Refusals,
}

/// The path of the answers in templates.
pub(super) const FORM: &[&str] = &["form"];
const TITLE: &[&str] = &["event", "issue", "title"];
const BODY: &[&str] = &["event", "issue", "body"];

/// Decides which answers count. `forms` say which headings of an issue are questions.
pub(super) fn decide(
    event: Option<TicketEvent<'_>>,
    record: Option<&Word<Answers>>,
    now: IssueText<'_>,
    forms: &[Form],
) -> Approval {
    match (event, record) {
        (Some(event), _) if event.is_approval => of_event(event.issue, record, now, forms),
        (_, Some(Word::Known(answers))) => Approval { answers: answers.clone(), ..Approval::default() },
        (_, Some(Word::Newer(_))) => {
            let what = "a newer release of the action recorded the answers of the form";
            Approval::default()
                .with_refusal(FORM, Problem::new(what).help(Topic::NewerRelease, "update the action"))
        }
        (Some(event), None) => of_event(event.issue, None, now, forms),
        (None, None) => of_text(now.body, forms),
    }
}

/// The newest answers that a dispatch of this hub's own identity recorded.
pub(super) fn recorded_answers(claims: Claims<'_>) -> Option<&Word<Answers>> {
    claims.newest(|dispatch| dispatch.form.is_some())?.form.as_ref()
}

fn of_event(
    event: IssueText<'_>,
    record: Option<&Word<Answers>>,
    now: IssueText<'_>,
    forms: &[Form],
) -> Approval {
    let mut approval = of_text(event.body, forms);
    if record.and_then(Word::as_known) == Some(&approval.answers) {
        approval.new_answers = None;
    } else if let Some(what) = differences(event.body, now.body, forms) {
        approval.answers.clear();
        approval.new_answers = None;
        approval = approval.with_refusal(FORM, approve_again(&what));
    }
    if event.title != now.title {
        let what = format!("its title was {}, and is now {}", quote(event.title), quote(now.title));
        approval = approval.with_refusal(TITLE, approve_again(&what));
    }
    if event.body != now.body {
        approval = approval.with_refusal(BODY, approve_again("its text has changed"));
    }
    approval
}

fn of_text(body: &str, forms: &[Form]) -> Approval {
    let source = form::asks(body).then(Source::default);
    let reading = match form::parse(body, forms) {
        Ok(reading) => reading,
        Err(error) => {
            return Approval { source, ..Approval::default() }.with_refusal(FORM, Problem::from(&error));
        }
    };
    let source = source.map(|_| reading.source.clone());
    let length = text::length(&marker::render(Kind::Dispatch, &reading.by_first_name));
    if length > RECORD_LIMIT {
        let what = format!(
            "the answers of the form take {length} characters, but a record of the ticket has room for {RECORD_LIMIT}"
        );
        let help = "shorten the longest answer, or put its text into a comment";
        let approval = Approval { source, ..Approval::default() };
        return approval.with_refusal(FORM, Problem::new(what).help(Topic::Form, help));
    }
    let new_answers = Some(reading.answers.clone()).filter(|answers| !answers.is_empty());
    let approval = Approval { answers: reading.answers, new_answers, source, refusals: Refusals::default() };
    reading.shared_names.iter().fold(approval, |approval, (name, labels)| {
        approval.with_refusal(&["form", name], ambiguity(name, labels, &reading.source))
    })
}

fn ambiguity(name: &str, labels: &[String], source: &Source) -> Problem {
    let labels = enumeration(labels.iter().map(String::as_str));
    let file = match source {
        Source::File(path) => format!("`{path}`"),
        _ => "the form's file".to_owned(),
    };
    let help = format!("give each of these questions an `id` in {file}, and use that `id` in the template");
    Problem::new(format!("`form.{name}` is ambiguous: it could be the answer to {labels}"))
        .help(Topic::Form, help)
}

/// The differences between the answers `before` and `now`; `None` without any, or if `before` cannot be read.
fn differences(before: &str, now: &str, forms: &[Form]) -> Option<String> {
    let answers = form::parse(before, forms).ok()?.by_first_name;
    let now = match form::parse(now, forms) {
        Ok(now) if now.by_first_name == answers => return None,
        Ok(now) => now.by_first_name,
        Err(error) => return Some(error.to_string()),
    };
    let names = answers.keys().chain(now.keys().filter(|name| !answers.contains_key(*name)));
    let changes = names.filter(|name| answers.get(*name) != now.get(*name)).map(|name| {
        let value = |of: &Answers| match of.get(name) {
            Some(Value::String(text)) => quote(text),
            Some(value) => quote(&value.to_string()),
            None => "absent".to_owned(),
        };
        format!("`{name}` was {}, and is now {}", value(&answers), value(&now))
    });
    Some(changes.collect::<Vec<_>>().join("; "))
}

fn quote(text: &str) -> String {
    format!("`{}`", text::cut(text, QUOTE_LIMIT))
}

fn approve_again(what: &str) -> Problem {
    let help = "read the issue, and approve it again, for example: remove the label and add it";
    Problem::new(format!("the issue was edited after its approval: {what}")).help(Topic::Form, help)
}

impl Approval {
    fn with_refusal(mut self, path: &[&str], problem: Problem) -> Self {
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

    fn problems(approval: &Approval, template: &str) -> Vec<Problem> {
        approval.refusals.of(&Reads::of([template]))
    }

    /// The version that a dispatch releases.
    fn version(event: Option<TicketEvent<'_>>, record: Option<&str>, now: IssueText<'_>) -> String {
        let record = record.map(|version| Word::Known(answers(version)));
        let approval = decide(event, record.as_ref(), now, &[]);
        match &problems(&approval, "{{ form.version }}")[..] {
            [] => approval.answers["version"].as_str().expect("text").to_owned(),
            [problem, ..] => problem.what.clone(),
        }
    }

    #[test]
    fn the_approval_counts_then_the_record_then_the_issue() {
        for (event, recorded_answers, now, expected) in [
            (event(OLD, true), None, OLD, "1.4.0"),
            (event(NEW, true), Some("1.4.0"), NEW, "6.6.6"),
            (event(OLD, true), Some("1.4.0"), NEW, "1.4.0"),
            (event(NEW, false), Some("1.4.0"), NEW, "1.4.0"),
            (event(OLD, false), None, OLD, "1.4.0"),
            (None, Some("1.4.0"), NEW, "1.4.0"),
            (None, None, NEW, "6.6.6"),
        ] {
            assert_eq!(
                version(event, recorded_answers, now),
                expected,
                "{event:?} {recorded_answers:?} {now:?}"
            );
        }
    }

    #[test]
    fn an_event_whose_issue_was_edited_since_counts_for_nothing() {
        for (event, recorded_answers) in
            [(event(OLD, true), None), (event(OLD, false), None), (event(OLD, true), Some("2.0.0"))]
        {
            assert_eq!(
                version(event, recorded_answers, NEW),
                "the issue was edited after its approval: `version` was `1.4.0`, and is now `6.6.6`"
            );
        }
        let approval = decide(event(OLD, true), None, NEW, &[]);
        assert_eq!((approval.answers.len(), approval.new_answers), (0, None));
        let twice = IssueText { title: "", body: "### Version\n\n1\n\n### Version\n\n2" };
        assert_eq!(
            version(event(twice, true), None, twice),
            "the issue has these questions more than once: `version`"
        );
    }

    #[test]
    fn only_what_a_template_uses_is_refused() {
        let now = IssueText { title: "Another", body: NEW.body };
        let approval = decide(event(OLD, true), None, now, &[]);
        for (template, count) in [
            ("{{ release }}", 0),
            ("{{ form.version }}", 1),
            ("{{ event.issue.title }}", 1),
            ("{{ event.issue.body }}", 1),
            ("{{ event.comment.body }} {{ event.label.name }}", 0),
            ("{{ form.version }} {{ event.issue.title }}", 2),
        ] {
            assert_eq!(problems(&approval, template).len(), count, "{template}");
        }
    }

    #[test]
    fn answers_that_no_record_has_room_for_are_refused() {
        let body = |length: usize| format!("### Notes\n\n{}", "<".repeat(length));
        let of = |body: &str| decide(None, None, IssueText { title: "", body }, &[]);
        assert!(of(&body(1_000)).new_answers.is_some());
        let long = of(&body(2_000));
        assert!(long.new_answers.is_none());
        assert_eq!(problems(&long, "{{ form.notes }}").len(), 1);
    }

    #[test]
    fn answers_in_a_format_of_a_newer_release_are_not_guessed() {
        let newer = Word::Newer(json!(["1.4.0"]));
        let approval = decide(None, Some(&newer), NEW, &[]);
        assert_eq!(problems(&approval, "{{ form.version }}").len(), 1);
    }
}
