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
//! The body does not say what a text area is and what a list of check boxes, nor whether a heading is a question or
//! part of an answer. The file of the form ([`Form`]) does. Without it each heading is a question.
//!
//! Whoever approves the issue reads it as GitHub shows it. So the body is read as Markdown, and what is not
//! shown is not part of an answer: HTML, comments too, and the definitions of links and footnotes.

mod answer;
mod body;
mod file;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problem::Help;
use answer::Kind;
use body::{Section, name_of};
pub use file::Form;

/// The answers by the names of their questions.
pub type Answers = Map<String, Value>;

/// What an issue answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The answers by every name of their questions.
    pub answers: Answers,
    /// The answers by one name of each question.
    pub once: Answers,
    /// The names that several questions have, with the labels of these. They name no answer.
    pub shared: BTreeMap<String, Vec<String>>,
    /// Where the questions come from.
    pub source: Source,
}

/// Where the questions come from: which headings of the issue are questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// The form in this file.
    File(String),
    /// From the issue alone, as there is no form: every heading is a question.
    #[default]
    NoForm,
    /// From the issue alone, as no form has these headings.
    NoneFits,
    /// From the issue alone, as the forms in these files have these headings, and differ.
    SeveralFit(Vec<String>),
}

/// Why the answers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Several answers to one question.
    #[error("the issue asks more than once: {}", quoted(.0))]
    AskedTwice(Vec<String>),
    /// Questions that people see only when they unfold them.
    #[error("the issue asks inside `<details>`, where people may not look: {}", quoted(.0))]
    Folded(Vec<String>),
    /// Answers of a line, or of a choice, of which people see a part only when they unfold it.
    #[error("the issue answers inside `<details>`, where people may not look: {}", quoted(.0))]
    FoldedAnswer(Vec<String>),
}

impl Help for FormError {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::AskedTwice(_) => {
                "leave one heading `###` for each question; within an answer, put headings into a code block, or write \
                 `####`; if the form asks different questions of that name, give each an `id` in the form's file"
            }
            Self::FoldedAnswer(_) => "take `<details>` out of the answer",
            Self::Folded(_) => "write `</details>` as a paragraph of its own before the next question",
        };
        Some(help.to_owned())
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whether `body` has a heading that may be a question.
#[must_use]
pub fn asks(body: &str) -> bool {
    !body::headings(&without_returns(body)).is_empty()
}

/// The answers in `body`, by the one of `forms` that asks for them. An issue that no form opened has none.
///
/// # Errors
///
/// When nobody can tell which answer people see.
pub fn parse(body: &str, forms: &[Form]) -> Result<Reading, FormError> {
    let body = without_returns(body);
    match form_of(&body, forms) {
        Ok(form) => by_form(&body, form),
        Err(source) => by_headings(&body, source),
    }
}

fn without_returns(body: &str) -> String {
    body.replace("\r\n", "\n")
}

/// The form that asks for the most of what `body` answers.
fn form_of<'f>(body: &str, forms: &'f [Form]) -> Result<&'f Form, Source> {
    let headings = body::headings(body);
    let mut fitting: Vec<&Form> = forms.iter().filter(|form| form.is_asked_by(&headings)).collect();
    let most = fitting.iter().map(|form| form.questions.len()).max();
    fitting.retain(|form| Some(form.questions.len()) == most);
    match &fitting[..] {
        [] if forms.is_empty() => Err(Source::NoForm),
        [] => Err(Source::NoneFits),
        [form, others @ ..] if others.iter().all(|other| other.questions == form.questions) => Ok(form),
        several => Err(Source::SeveralFit(several.iter().map(|form| form.path.clone()).collect())),
    }
}

/// A question's names, and the answer to it.
struct Answered {
    label: String,
    names: Vec<String>,
    answer: Value,
}

fn by_form(body: &str, form: &Form) -> Result<Reading, FormError> {
    let sections = body::sections(body, |heading| form.is_question(heading));
    refuse_folded(&sections)?;
    refuse_folded_answers(&sections, form.questions.iter().map(|question| question.kind))?;
    let answered = form.questions.iter().zip(sections).map(|(question, section)| {
        let mut names = vec![name_of(&question.heading)];
        names.extend(question.id.clone().filter(|id| *id != names[0]));
        names.retain(|name| !name.is_empty());
        Answered { label: section.heading, names, answer: question.kind.answer(&section.markdown) }
    });
    Ok(Reading::new(Source::File(form.path.clone()), answered.collect()))
}

fn by_headings(body: &str, source: Source) -> Result<Reading, FormError> {
    let sections = body::sections(body, |heading| !name_of(heading).is_empty());
    let names: Vec<String> = sections.iter().map(|section| name_of(&section.heading)).collect();
    let mut twice = Vec::new();
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) && !twice.contains(name) {
            twice.push(name.clone());
        }
    }
    if !twice.is_empty() {
        return Err(FormError::AskedTwice(twice));
    }
    refuse_folded(&sections)?;
    refuse_folded_answers(&sections, std::iter::repeat(Kind::Unknown))?;
    let answered = sections.into_iter().zip(names).map(|(section, name)| Answered {
        label: section.heading,
        names: vec![name],
        answer: Kind::Unknown.answer(&section.markdown),
    });
    Ok(Reading::new(source, answered.collect()))
}

fn refuse_folded(sections: &[Section]) -> Result<(), FormError> {
    let folded = sections.iter().filter(|section| section.is_folded);
    let folded: Vec<String> = folded.map(|section| name_of(&section.heading)).collect();
    if folded.is_empty() { Ok(()) } else { Err(FormError::Folded(folded)) }
}

/// Text of many lines may have parts to unfold, such as a log. Whoever approves a choice has to see all of it.
fn refuse_folded_answers(sections: &[Section], kinds: impl Iterator<Item = Kind>) -> Result<(), FormError> {
    let folded = sections.iter().zip(kinds).filter(|(section, kind)| {
        let may_fold = match kind {
            Kind::Area | Kind::Code => true,
            Kind::Line | Kind::Choice | Kind::Boxes => false,
            Kind::Unknown => !kind.answer(&section.markdown).is_array(),
        };
        section.has_folds && !may_fold
    });
    let folded: Vec<String> = folded.map(|(section, _)| name_of(&section.heading)).collect();
    if folded.is_empty() { Ok(()) } else { Err(FormError::FoldedAnswer(folded)) }
}

impl Reading {
    fn new(source: Source, answered: Vec<Answered>) -> Self {
        let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, label) in answered.iter().flat_map(|one| one.names.iter().map(|name| (name, &one.label))) {
            labels.entry(name.clone()).or_default().push(label.clone());
        }
        labels.retain(|_, labels| labels.len() > 1);
        let mut reading = Self { source, shared: labels, ..Self::default() };
        for Answered { names, answer, .. } in answered {
            let own: Vec<_> = names.into_iter().filter(|name| !reading.shared.contains_key(name)).collect();
            reading.once.extend(own.first().map(|name| (name.clone(), answer.clone())));
            reading.answers.extend(own.into_iter().map(|name| (name, answer.clone())));
        }
        reading
    }
}

#[cfg(test)]
#[path = "form/tests.rs"]
mod tests;
