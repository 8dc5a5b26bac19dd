//! [Issue forms](https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema):
//! their questions, and the text that GitHub writes into the issue.

use std::collections::BTreeMap;

use serde::Deserialize;

/// GitHub's text for a question without an answer.
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

/// A problem with a form or with its answers.
#[derive(Debug, thiserror::Error)]
pub enum IssueFormError {
    /// The file is not an issue form.
    #[error("it is not an issue form")]
    Syntax(#[from] serde_saphyr::Error),
    /// Nothing in the form has this label.
    #[error("the form does not ask `{label}`; it asks {questions}")]
    NoQuestion {
        /// The label of the answer.
        label: String,
        /// The labels of the form.
        questions: String,
    },
    /// An answer that is not an option of the question.
    #[error("`{label}` cannot be answered with `{answer}`; it takes {options}")]
    NoOption {
        /// The question.
        label: String,
        /// The answer.
        answer: String,
        /// The options of the question.
        options: String,
    },
    /// A required question without an answer.
    #[error("`{label}` has no answer, and the form requires one")]
    NoAnswer {
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

    /// The body of the issue that these answers make. An answer is a text, or options with commas between them, by the
    /// label of its question. Other questions get the quickest answer: the default or suggested text, the first option,
    /// or every check box.
    pub fn body(&self, answers: &BTreeMap<String, String>) -> Result<String, IssueFormError> {
        let labels = || self.questions().map(|question| question.attributes.label.as_str());
        if let Some(label) = answers.keys().find(|label| !labels().any(|other| other == *label)) {
            return Err(IssueFormError::NoQuestion { label: label.clone(), questions: quote(labels()) });
        }
        let mut parts = Vec::new();
        for question in self.questions() {
            let label = &question.attributes.label;
            let answer = question.answer(answers.get(label).map(String::as_str))?;
            parts.push(format!("### {label}\n\n{answer}\n"));
        }
        Ok(parts.join("\n"))
    }

    /// The elements that take an answer. The others are texts for people.
    fn questions(&self) -> impl Iterator<Item = &Element> {
        self.body.iter().filter(|element| element.kind != "markdown")
    }
}

impl Element {
    fn answer(&self, text: Option<&str>) -> Result<String, IssueFormError> {
        let Attributes { label, options, .. } = &self.attributes;
        let choices = text.map(|text| self.choices(text)).transpose()?;
        let answer = match self.kind.as_str() {
            "checkboxes" => {
                let is_ticked =
                    |option: &str| choices.as_ref().is_none_or(|choices| choices.contains(&option));
                let boxes = options.iter().map(|option| {
                    let tick = if is_ticked(option.label()) { 'X' } else { ' ' };
                    format!("- [{tick}] {}", option.label())
                });
                boxes.collect::<Vec<_>>().join("\n")
            }
            _ => match choices {
                Some(choices) => choices.join(", "),
                None => self.suggestion().unwrap_or_default().to_owned(),
            },
        };
        match (&self.attributes.render, answer.trim().is_empty()) {
            (_, true) if self.validations.required => Err(IssueFormError::NoAnswer { label: label.clone() }),
            (_, true) => Ok(NO_RESPONSE.to_owned()),
            (Some(language), false) => Ok(format!("```{language}\n{answer}\n```")),
            (None, false) => Ok(answer),
        }
    }

    /// The options that an answer names, or its text if the question has no options.
    fn choices<'a>(&self, answer: &'a str) -> Result<Vec<&'a str>, IssueFormError> {
        let Attributes { label, options, multiple, .. } = &self.attributes;
        if options.is_empty() {
            return Ok(vec![answer]);
        }
        let is_list = *multiple || self.kind == "checkboxes";
        let choices: Vec<&str> = match is_list {
            true => answer.split(',').map(str::trim).filter(|option| !option.is_empty()).collect(),
            false => vec![answer],
        };
        match choices.iter().find(|choice| !options.iter().any(|option| option.label() == **choice)) {
            None => Ok(choices),
            Some(stranger) => Err(IssueFormError::NoOption {
                label: label.clone(),
                answer: (*stranger).to_owned(),
                options: quote(options.iter().map(Choice::label)),
            }),
        }
    }

    fn suggestion(&self) -> Option<&str> {
        let Attributes { value, placeholder, options, .. } = &self.attributes;
        let placeholder = placeholder.as_deref().filter(|_| self.validations.required);
        value.as_deref().or_else(|| options.first().map(Choice::label)).or(placeholder)
    }
}

fn quote<'a>(words: impl Iterator<Item = &'a str>) -> String {
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
        let body = body(&[("Version", "2.0.0"), ("Channel", "beta"), ("Targets", "docs"), ("Log", "make")]);
        let text = "### Version\n\n2.0.0\n\n### Channel\n\nbeta\n\n### Targets\n\n- [ ] web\n- [X] docs\n\n\
                        ### Log\n\n```shell\nmake\n```\n\n### Notes\n\n_No response_\n";
        assert_eq!(body.as_deref(), Ok(text));
    }

    #[test]
    fn a_question_without_an_answer_gets_the_suggestion() {
        let body = body(&[]).expect("a body");
        for part in
            ["Version\n\n1.4.0\n", "Channel\n\nstable\n", "- [X] web\n- [X] docs\n", "Log\n\n_No response_\n"]
        {
            assert!(body.contains(part), "{part} is not in {body}");
        }
    }

    #[test]
    fn answers_that_the_form_does_not_take_are_refused() {
        let cases = [
            (
                ("Vers", "1"),
                "the form does not ask `Vers`; it asks `Version`, `Channel`, `Targets`, `Log`, `Notes`",
            ),
            (("Channel", "gamma"), "`Channel` cannot be answered with `gamma`; it takes `stable`, `beta`"),
            (("Targets", "web, api"), "`Targets` cannot be answered with `api`; it takes `web`, `docs`"),
            (("Version", " "), "`Version` has no answer, and the form requires one"),
        ];
        for (answer, expected) in cases {
            assert_eq!(body(&[answer]), Err(expected.to_owned()));
        }
    }
}
