//! The request: a person asks for the release with an issue form, and approves it with a label.

use std::path::{Path, PathBuf};

use release_ticket_action::form::{self, Answers, Form, FormError};
use release_ticket_action::problem::{Advice, Help, Topic};
use serde_json::{Value, json};
use simulated_github::{IssueForm, IssueFormError, World};

use crate::arguments::Arguments;
use crate::setting::{DRIVER, HUB};

/// The label that approves a release.
const APPROVED: &str = "approved";

/// The reason why there is no request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The form cannot be opened.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The form, or an answer to it, is invalid.
    #[error("`{}`", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<IssueFormError>,
    },
    /// The action does not understand the issue.
    #[error("`{}` makes an issue without clear answers", path.display())]
    Answers {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: FormError,
    },
}

impl Help for RequestError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Read { .. } => Some(Topic::Rehearsal.advice("`--form` takes a file of `.github/ISSUE_TEMPLATE`")),
            Self::Form { source, .. } if matches!(**source, IssueFormError::Syntax(_)) => {
                Some(Topic::Rehearsal.advice("`--form` takes a form: <https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms>"))
            }
            Self::Form { .. } => Some(Topic::Rehearsal.advice("give answers as `--answer 'QUESTION=ANSWER'`")),
            Self::Answers { source, .. } => source.help(),
        }
    }
}

/// The issue that asks for the release.
#[derive(Debug)]
pub(crate) struct Request {
    title: String,
    labels: Vec<String>,
    body: String,
    answers: Answers,
    /// The form's file: its path in the hub, and its text.
    file: (String, String),
}

impl Request {
    /// Fills in the form at `path`.
    pub(crate) fn read(path: &Path, arguments: &Arguments) -> Result<Self, RequestError> {
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(RequestError::Read { path, source }),
        };
        let form_and_body = IssueForm::parse(&text).and_then(|form| {
            let body = form.body(&arguments.answers.iter().cloned().collect())?;
            Ok((form, body))
        });
        let (form, body) = match form_and_body {
            Ok(form_and_body) => form_and_body,
            Err(source) => return Err(RequestError::Form { path, source: source.into() }),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = (format!(".github/ISSUE_TEMPLATE/{name}"), text);
        let questions: Vec<Form> = Form::read(&file.0, &file.1).ok().flatten().into_iter().collect();
        let reading =
            form::parse(&body, &questions).map_err(|source| RequestError::Answers { path, source })?;
        let labels = form.labels().into_iter().map(str::to_owned).collect();
        Ok(Self { title: form.title().to_owned(), labels, body, answers: reading.answers, file })
    }

    /// The form's file: its path in the hub, and its text.
    pub(crate) fn file(&self) -> (&str, &str) {
        (&self.file.0, &self.file.1)
    }

    /// The answer that names the release.
    pub(crate) fn version(&self) -> Option<&str> {
        self.answers.get("version")?.as_str()
    }

    /// The ticked boxes below `Targets`, if the form has that question.
    pub(crate) fn targets(&self) -> Option<Vec<&str>> {
        let boxes = self.answers.get("targets")?.as_array()?;
        Some(boxes.iter().filter_map(Value::as_str).collect())
    }

    /// The inputs of the hub's step that come from the form.
    pub(crate) fn with(&self) -> Vec<(&str, &str)> {
        let release = self.version().map(|_| ("release", "{{ form.version }}"));
        let only = self.targets().map(|_| ("only", "{{ form.targets }}"));
        release.into_iter().chain(only).collect()
    }

    /// Opens the issue if it is not open yet, and returns the event of its approval.
    pub(crate) fn approve(&self, world: &World) -> Value {
        let open = world.issues(HUB).first().map(|issue| issue.number);
        let number = open.unwrap_or_else(|| {
            let title = format!("{}{}", self.title, self.version().unwrap_or_default());
            let number = world.issue(HUB, &title, &self.body, DRIVER);
            let labels = self.labels.iter().map(String::as_str).chain([APPROVED]);
            labels.for_each(|label| world.label_issue(HUB, number, label));
            number
        });
        let issue = world.issue_view(HUB, number);
        json!({
            "action": "labeled",
            "issue": { "number": number, "title": issue.title, "body": issue.body },
            "label": { "name": APPROVED },
        })
    }
}
