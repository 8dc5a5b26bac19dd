//! The files of the forms that may have opened the ticket: they say which of the headings are questions.

use futures::StreamExt;

use super::approved::Approved;
use super::{Hub, READS_AT_ONCE};
use crate::form::{Form, Source};
use crate::github::Needs;
use crate::github::needs::{Level, Permission};
use crate::names::RepoName;
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::targets::listed;
use crate::workspace;

/// Where GitHub looks for forms.
const FOLDER: &str = ".github/ISSUE_TEMPLATE";

/// The forms of a repository.
#[derive(Default)]
pub(super) struct Files {
    pub(super) forms: Vec<Form>,
    /// Why others are not known.
    unread: Vec<String>,
}

/// The forms of `repository`, like the targets file: from the workspace, else at the run's commit.
///
/// # Errors
///
/// When GitHub does not answer. A form that cannot be read stops no release.
pub(super) async fn read(hub: Hub<'_>, repository: &RepoName) -> Result<Files, Vec<Problem>> {
    let is_own = hub.job.repository == *repository;
    let mut files = Files::default();
    if is_own && let Some(workspace) = &hub.job.workspace {
        let names = files.note(FOLDER, workspace::list(workspace, FOLDER)).unwrap_or_default();
        for path in names.iter().filter_map(|name| path_of(name)) {
            let text = files.note(&path, workspace::read(workspace, &path)).flatten();
            files.add(&path, text);
        }
        if !files.forms.is_empty() {
            return Ok(files);
        }
    }
    let at = hub.job.sha.as_deref().filter(|_| is_own);
    files.fetch(hub, repository, at).await?;
    Ok(files)
}

/// The path of a file that may be a form.
fn path_of(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    (["yml", "yaml"].contains(&kind) && stem != "config").then(|| format!("{FOLDER}/{name}"))
}

impl Files {
    async fn fetch(
        &mut self,
        hub: Hub<'_>,
        repository: &RepoName,
        at: Option<&str>,
    ) -> Result<(), Vec<Problem>> {
        let github = hub.github;
        github.tokens().need(Needs::default().may(repository, Permission::Contents, Level::Read));
        let names = match github.folder(repository, FOLDER, at).await {
            Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => {
                self.unread.push(error.to_string());
                return Ok(());
            }
            answer => {
                answer.map_err(|error| vec![Problem::of("cannot read the form of the issue", &error)])?
            }
        };
        let paths: Vec<String> = names.iter().filter_map(|name| path_of(name)).collect();
        let texts = futures::stream::iter(paths)
            .map(|path| async {
                let file = github.file(repository, &path, at).await;
                (path, file)
            })
            .buffered(READS_AT_ONCE);
        let texts: Vec<_> = texts.collect().await;
        for (path, file) in texts {
            let file = file.map_err(|error| vec![Problem::of(&format!("cannot read `{path}`"), &error)])?;
            self.add(&path, file);
        }
        Ok(())
    }

    fn add(&mut self, path: &str, text: Option<String>) {
        let form = text.and_then(|text| self.note(path, Form::read(path, &text)));
        self.forms.extend(form.flatten());
    }

    fn note<T, E: std::error::Error>(&mut self, path: &str, read: Result<T, E>) -> Option<T> {
        read.inspect_err(|error| {
            let why = error.to_string();
            self.unread.push(format!("`{path}`: {}", why.lines().next().unwrap_or_default()));
        })
        .ok()
    }

    /// Says what was taken for questions, where no form says what they are.
    pub(super) fn explain(&self, approved: &Approved) {
        let why = match &approved.source {
            None | Some(Source::File(_)) => return,
            Some(Source::NoForm) => format!("no form is known in `{FOLDER}`"),
            Some(Source::NoneFits) => {
                format!("they are not the questions of a form in `{FOLDER}`, each once and in their order")
            }
            Some(Source::SeveralFit(paths)) => {
                format!("{} have these questions", listed(paths.iter().map(String::as_str)))
            }
        };
        let questions = listed(approved.answers.keys().map(String::as_str));
        let questions = if approved.answers.is_empty() { String::new() } else { format!(": {questions}") };
        let unread: String = self.unread.iter().map(|why| format!("\nnot read: {why}")).collect();
        tracing::info!(
            target: NOTICE,
            "every heading `###` of the issue counts as a question, as {why}{questions}{unread}"
        );
    }
}
