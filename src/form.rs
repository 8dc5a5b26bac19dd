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
//! Templates see `form.release_version`, and `form.targets` as a list of the ticked labels.
//!
//! The body does not distinguish a text area from check boxes, nor a question from a heading in an answer. The file of
//! the form ([`Form`]) does. Without it each heading is a question.
//!
//! People approve the issue as GitHub shows it. So the body is read as Markdown, and hidden text is not part of an
//! answer: HTML, comments too, and the definitions of links and footnotes.

mod answer;
mod body;
mod file;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problem::{Advice, Help, Topic};
use answer::Kind;
use body::{Section, name_of};
pub use file::Form;

/// The answers by the names of their questions.
pub type Answers = Map<String, Value>;

/// The answers of an issue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The answers by every name of their questions.
    pub answers: Answers,
    /// The answers by the first name of each question.
    pub by_first_name: Answers,
    /// The names that several questions share, with the labels of these questions. No answer has such a name.
    pub shared_names: BTreeMap<String, Vec<String>>,
    /// The source of the questions.
    pub source: Source,
}

/// The source of the questions: it decides which headings of the issue are questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// The form in this file.
    File(String),
    /// The issue alone, without a form: every heading is a question.
    #[default]
    NoForm,
    /// The issue alone, as no form has these headings.
    NoneFits,
    /// The issue alone, as the forms in these files all have these headings, and differ.
    SeveralFit(Vec<String>),
}

/// Why the answers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Several answers to one question.
    #[error("the issue has these questions more than once: {}", quote(.0))]
    AskedTwice(Vec<String>),
    /// Questions that people see only when they unfold them.
    #[error("these questions are inside `<details>`, where people may not see them: {}", quote(.0))]
    Folded(Vec<String>),
    /// Answers of one line, or choices, with a part that people see only when they unfold it.
    #[error("the answers to these questions have parts inside `<details>`, where people may not see them: {}", quote(.0))]
    FoldedAnswer(Vec<String>),
}

impl Help for FormError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::AskedTwice(_) => {
                "leave one heading `###` for each question; within an answer, put headings into a code block, or write \
                 `####`; if the form asks different questions of that name, give each an `id` in the form's file"
            }
            Self::FoldedAnswer(_) => "take `<details>` out of the answer",
            Self::Folded(_) => "write `</details>` as a paragraph of its own before the next question",
        };
        Some(Topic::Form.advice(help))
    }
}

fn quote(names: &[String]) -> String {
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
/// When it is unclear which answer people see.
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

/// The form with the most questions that `body` answers.
fn form_of<'f>(body: &str, forms: &'f [Form]) -> Result<&'f Form, Source> {
    let headings = body::headings(body);
    let mut candidates: Vec<&Form> = forms.iter().filter(|form| form.is_asked_by(&headings)).collect();
    let most = candidates.iter().map(|form| form.questions.len()).max();
    candidates.retain(|form| Some(form.questions.len()) == most);
    match &candidates[..] {
        [] if forms.is_empty() => Err(Source::NoForm),
        [] => Err(Source::NoneFits),
        [form, others @ ..] if others.iter().all(|other| other.questions == form.questions) => Ok(form),
        several => Err(Source::SeveralFit(several.iter().map(|form| form.path.clone()).collect())),
    }
}

/// An answer with the label and the names of its question.
struct NamedAnswer {
    label: String,
    names: Vec<String>,
    answer: Value,
}

fn by_form(body: &str, form: &Form) -> Result<Reading, FormError> {
    let sections = body::sections(body, |heading| form.is_question(heading));
    refuse_folded(&sections)?;
    refuse_folded_answers(&sections, form.questions.iter().map(|question| question.kind))?;
    let answers = form.questions.iter().zip(sections).map(|(question, section)| {
        let mut names = vec![name_of(&question.heading)];
        names.extend(question.id.clone().filter(|id| *id != names[0]));
        names.retain(|name| !name.is_empty());
        NamedAnswer { label: section.heading, names, answer: question.kind.answer(&section.markdown) }
    });
    Ok(Reading::new(Source::File(form.path.clone()), answers.collect()))
}

fn by_headings(body: &str, source: Source) -> Result<Reading, FormError> {
    let sections = body::sections(body, |heading| !name_of(heading).is_empty());
    let names: Vec<String> = sections.iter().map(|section| name_of(&section.heading)).collect();
    let mut duplicates = Vec::new();
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) && !duplicates.contains(name) {
            duplicates.push(name.clone());
        }
    }
    if !duplicates.is_empty() {
        return Err(FormError::AskedTwice(duplicates));
    }
    refuse_folded(&sections)?;
    refuse_folded_answers(&sections, std::iter::repeat(Kind::Unknown))?;
    let answers = sections.into_iter().zip(names).map(|(section, name)| NamedAnswer {
        label: section.heading,
        names: vec![name],
        answer: Kind::Unknown.answer(&section.markdown),
    });
    Ok(Reading::new(source, answers.collect()))
}

fn refuse_folded(sections: &[Section]) -> Result<(), FormError> {
    let folded = sections.iter().filter(|section| section.is_folded);
    let folded: Vec<String> = folded.map(|section| name_of(&section.heading)).collect();
    if folded.is_empty() { Ok(()) } else { Err(FormError::Folded(folded)) }
}

/// Text of many lines may have parts to unfold, such as a log. A person who approves a choice has to see all of it.
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
    fn new(source: Source, answers: Vec<NamedAnswer>) -> Self {
        let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, label) in answers.iter().flat_map(|one| one.names.iter().map(|name| (name, &one.label))) {
            labels.entry(name.clone()).or_default().push(label.clone());
        }
        labels.retain(|_, labels| labels.len() > 1);
        let mut reading = Self { source, shared_names: labels, ..Self::default() };
        for NamedAnswer { names, answer, .. } in answers {
            let own: Vec<_> =
                names.into_iter().filter(|name| !reading.shared_names.contains_key(name)).collect();
            reading.by_first_name.extend(own.first().map(|name| (name.clone(), answer.clone())));
            reading.answers.extend(own.into_iter().map(|name| (name, answer.clone())));
        }
        reading
    }
}

#[cfg(test)]
#[path = "form/tests.rs"]
mod tests;
