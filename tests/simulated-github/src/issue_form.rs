//! [Issue forms](https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema):
//! what GitHub asks, and what it writes into the issue.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What GitHub writes where nothing was answered.
const NO_RESPONSE: &str = "_No response_";

/// A file of `.github/ISSUE_TEMPLATE`.
#[derive(Debug, Deserialize)]
pub struct IssueForm {
    #[serde(default)]
    title: String,
    #[serde(default)]
    labels: Labels,
    body: Vec<Element>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Labels {
    List(Vec<String>),
    Text(String),
}

impl Default for Labels {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
struct Element {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    validations: Validations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    label: String,
    value: Option<String>,
    placeholder: Option<String>,
    render: Option<String>,
    multiple: bool,
    options: Vec<Choice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Validations {
    required: bool,
}

/// An option of a dropdown, or a check box.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Choice {
    Name(String),
    Box { label: String },
}

impl Choice {
    fn label(&self) -> &str {
        match self {
            Self::Name(label) | Self::Box { label } => label,
        }
    }
}

/// Why a form, or the answers to it, make no issue.
#[derive(Debug, thiserror::Error)]
pub enum IssueFormError {
    /// The file is none.
    #[error("it is not an issue form")]
    Syntax(#[from] serde_saphyr::Error),
    /// Nothing in the form has this label.
    #[error("the form does not ask `{label}`; it asks {asked}")]
    Unasked {
        /// What was answered.
        label: String,
        /// What the form asks.
        asked: String,
    },
    /// An answer that nobody can choose.
    #[error("`{label}` cannot be answered with `{answer}`; it takes {taken}")]
    NoOption {
        /// The question.
        label: String,
        /// The answer.
        answer: String,
        /// What it takes.
        taken: String,
    },
    /// A question that GitHub wants answered.
    #[error("`{label}` has no answer, and the form requires one")]
    Unanswered {
        /// The question.
        label: String,
    },
}

impl IssueForm {
    /// Reads a form.
    pub fn parse(text: &str) -> Result<Self, IssueFormError> {
        Ok(serde_saphyr::from_str(text)?)
    }

    /// The title that the issue begins with.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The labels that the issue gets.
    pub fn labels(&self) -> Vec<&str> {
        match &self.labels {
            Labels::List(labels) => labels.iter().map(String::as_str).collect(),
            Labels::Text(labels) => labels.split(',').map(str::trim).collect(),
        }
    }

    /// The body of the issue of somebody who gives these answers, by the labels of the questions: a text, or options
    /// with commas between them. All other questions get the answer of a person in a hurry: what stands there already
    /// or is suggested, the first option, every check box.
    pub fn body(&self, answers: &BTreeMap<String, String>) -> Result<String, IssueFormError> {
        let asked = || self.questions().map(|question| question.attributes.label.as_str());
        if let Some(label) = answers.keys().find(|label| !asked().any(|known| known == *label)) {
            return Err(IssueFormError::Unasked { label: label.clone(), asked: quoted(asked()) });
        }
        let mut parts = Vec::new();
        for question in self.questions() {
            let label = &question.attributes.label;
            let answer = question.answer(answers.get(label).map(String::as_str))?;
            parts.push(format!("### {label}\n\n{answer}\n"));
        }
        Ok(parts.join("\n"))
    }

    /// The elements that are answered; the others are texts for who fills in the form.
    fn questions(&self) -> impl Iterator<Item = &Element> {
        self.body.iter().filter(|element| element.kind != "markdown")
    }
}

impl Element {
    fn answer(&self, given: Option<&str>) -> Result<String, IssueFormError> {
        let Attributes { label, options, .. } = &self.attributes;
        let given = given.map(|given| self.chosen(given)).transpose()?;
        let answer = match self.kind.as_str() {
            "checkboxes" => {
                let is_ticked = |option: &str| given.as_ref().is_none_or(|given| given.contains(&option));
                let boxes = options.iter().map(|option| {
                    let tick = if is_ticked(option.label()) { 'X' } else { ' ' };
                    format!("- [{tick}] {}", option.label())
                });
                boxes.collect::<Vec<_>>().join("\n")
            }
            _ => match given {
                Some(given) => given.join(", "),
                None => self.suggestion().unwrap_or_default().to_owned(),
            },
        };
        match (&self.attributes.render, answer.trim().is_empty()) {
            (_, true) if self.validations.required => {
                Err(IssueFormError::Unanswered { label: label.clone() })
            }
            (_, true) => Ok(NO_RESPONSE.to_owned()),
            (Some(language), false) => Ok(format!("```{language}\n{answer}\n```")),
            (None, false) => Ok(answer),
        }
    }

    /// The options that an answer names, or the text that it is.
    fn chosen<'a>(&self, answer: &'a str) -> Result<Vec<&'a str>, IssueFormError> {
        let Attributes { label, options, multiple, .. } = &self.attributes;
        if options.is_empty() {
            return Ok(vec![answer]);
        }
        let several = *multiple || self.kind == "checkboxes";
        let chosen: Vec<&str> = match several {
            true => answer.split(',').map(str::trim).filter(|option| !option.is_empty()).collect(),
            false => vec![answer],
        };
        match chosen.iter().find(|chosen| !options.iter().any(|option| option.label() == **chosen)) {
            None => Ok(chosen),
            Some(unknown) => Err(IssueFormError::NoOption {
                label: label.clone(),
                answer: (*unknown).to_owned(),
                taken: quoted(options.iter().map(Choice::label)),
            }),
        }
    }

    fn suggestion(&self) -> Option<&str> {
        let Attributes { value, placeholder, options, .. } = &self.attributes;
        let placeholder = placeholder.as_deref().filter(|_| self.validations.required);
        value.as_deref().or_else(|| options.first().map(Choice::label)).or(placeholder)
    }
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "
title: 'Release '
labels: [release]
body:
  - { type: markdown, attributes: { value: Thanks! } }
  - { type: input, attributes: { label: Version, placeholder: 1.4.0 }, validations: { required: true } }
  - { type: dropdown, attributes: { label: Channel, options: [stable, beta] } }
  - { type: checkboxes, attributes: { label: Targets, options: [{ label: web }, { label: docs }] } }
  - { type: textarea, attributes: { label: Log, render: shell } }
  - { type: textarea, attributes: { label: Notes, placeholder: What is new? } }
";

    fn body(answers: &[(&str, &str)]) -> Result<String, String> {
        let answers = answers.iter().map(|(label, answer)| ((*label).to_owned(), (*answer).to_owned()));
        let form = IssueForm::parse(FORM).expect("a form");
        form.body(&answers.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn answers_are_written_as_github_writes_them() {
        let given = body(&[("Version", "2.0.0"), ("Channel", "beta"), ("Targets", "docs"), ("Log", "make")]);
        let expected = "### Version\n\n2.0.0\n\n### Channel\n\nbeta\n\n### Targets\n\n- [ ] web\n- [X] docs\n\n\
                        ### Log\n\n```shell\nmake\n```\n\n### Notes\n\n_No response_\n";
        assert_eq!(given.as_deref(), Ok(expected));
    }

    #[test]
    fn a_question_without_an_answer_has_the_one_that_is_suggested() {
        let suggested = body(&[]).expect("a body");
        for part in
            ["Version\n\n1.4.0\n", "Channel\n\nstable\n", "- [X] web\n- [X] docs\n", "Log\n\n_No response_\n"]
        {
            assert!(suggested.contains(part), "{part} is not in {suggested}");
        }
    }

    #[test]
    fn answers_that_nobody_can_give_are_refused() {
        let refused = [
            (
                ("Vers", "1"),
                "the form does not ask `Vers`; it asks `Version`, `Channel`, `Targets`, `Log`, `Notes`",
            ),
            (("Channel", "gamma"), "`Channel` cannot be answered with `gamma`; it takes `stable`, `beta`"),
            (("Targets", "web, api"), "`Targets` cannot be answered with `api`; it takes `web`, `docs`"),
            (("Version", " "), "`Version` has no answer, and the form requires one"),
        ];
        for (answer, expected) in refused {
            assert_eq!(body(&[answer]), Err(expected.to_owned()));
        }
    }
}
