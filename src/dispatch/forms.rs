//! The files of issue forms: they say which headings of the ticket are questions.

use futures::StreamExt;

use super::approval::Approval;
use super::{Hub, READS_AT_ONCE};
use crate::form::{Form, Source};
use crate::github::Needs;
use crate::github::needs::{Level, Permission};
use crate::names::RepoName;
use crate::problem::Problem;
use crate::runner::log::NOTICE;
use crate::targets::enumeration;
use crate::workspace;

/// The folder in which GitHub looks for forms.
const FOLDER: &str = ".github/ISSUE_TEMPLATE";

/// The forms of a repository.
#[derive(Default)]
pub(super) struct Files {
    pub(super) forms: Vec<Form>,
    /// The errors of files that could not be read.
    failures: Vec<String>,
}

/// The forms of `repository`, like the targets file: from the workspace, else at the run's commit.
///
/// # Errors
///
/// GitHub does not answer. A form that cannot be read stops no release.
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
                self.failures.push(error.to_string());
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
            self.failures.push(format!("`{path}`: {}", why.lines().next().unwrap_or_default()));
        })
        .ok()
    }

    /// Logs which headings count as questions, if no form says so.
    pub(super) fn explain(&self, approval: &Approval) {
        let why = match &approval.source {
            None | Some(Source::File(_)) => return,
            Some(Source::NoForm) => format!("no form was found in `{FOLDER}`"),
            Some(Source::NoneFits) => {
                format!("the headings are not the questions of a form in `{FOLDER}`, each once and in order")
            }
            Some(Source::SeveralFit(paths)) => {
                format!("{} have these questions", enumeration(paths.iter().map(String::as_str)))
            }
        };
        let questions = enumeration(approval.answers.keys().map(String::as_str));
        let questions = if approval.answers.is_empty() { String::new() } else { format!(": {questions}") };
        let failures: String = self.failures.iter().map(|why| format!("\nnot read: {why}")).collect();
        tracing::info!(
            target: NOTICE,
            "every heading `###` of the issue counts as a question, because {why}{questions}{failures}"
        );
    }
}
