//! The [file of a form](https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema):
//! its questions in their order, and the kind of each answer.

use super::answer::Kind;
use super::body::{self, name_of};
use crate::yaml::{self, Node, PlacedValue, YamlError};

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its file.
    pub path: String,
    pub(super) questions: Vec<Question>,
}

/// A question of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The element's `id`, which the issue does not show.
    pub(super) id: Option<String>,
    /// Its label, as the issue shows it.
    pub(super) heading: String,
    pub(super) kind: Kind,
}

impl Form {
    /// Reads a file; `None` if it is not a form with questions.
    ///
    /// # Errors
    ///
    /// When it is not YAML.
    pub fn read(path: &str, text: &str) -> Result<Option<Self>, YamlError> {
        let root = yaml::parse(path, text)?;
        let Some(Node::List(elements)) = root.value.get("body") else { return Ok(None) };
        let questions: Vec<_> = elements.iter().filter_map(Question::read).collect();
        Ok((!questions.is_empty()).then(|| Self { path: path.to_owned(), questions }))
    }

    /// Whether an issue with these headings answers this form: each question once, in the order of the form, nothing
    /// that could be mistaken for one of them, and other headings only where people write text of many lines.
    pub(super) fn is_asked_by(&self, headings: &[String]) -> bool {
        let (mut questions, mut may_have_headings) = (self.questions.iter(), false);
        let fits = headings.iter().all(|heading| {
            if !self.is_question(heading) {
                return may_have_headings;
            }
            questions.next().is_some_and(|question| {
                may_have_headings = matches!(question.kind, Kind::Area | Kind::Code);
                question.heading == *heading
            })
        });
        fits && questions.next().is_none()
    }

    /// Whether a heading is one of this form's, or looks like one.
    pub(super) fn is_question(&self, heading: &str) -> bool {
        self.questions.iter().any(|question| {
            question.heading == heading
                || Some(name_of(heading)).filter(|name| !name.is_empty()) == Some(name_of(&question.heading))
        })
    }
}

impl Question {
    fn read(element: &PlacedValue<Node>) -> Option<Self> {
        let text = |node: Option<&Node>| node.map(|node| node.to_text().trim().to_owned());
        let element = &element.value;
        let attributes = element.get("attributes")?;
        let has_code = text(attributes.get("render")).is_some_and(|language| !language.is_empty());
        let kind = match text(element.get("type"))?.as_str() {
            "markdown" => return None,
            "checkboxes" => Kind::Boxes,
            "dropdown" => Kind::Choice,
            "textarea" if has_code => Kind::Code,
            "textarea" => Kind::Area,
            _ => Kind::Line,
        };
        let label = text(attributes.get("label"))?;
        let heading = body::headings(&format!("### {label}\n")).into_iter().next()?;
        Some(Self { id: text(element.get("id")).filter(|id| is_id(id)), heading, kind })
    }
}

/// Whether GitHub accepts a text as an `id`.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
