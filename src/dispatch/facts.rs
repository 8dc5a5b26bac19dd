//! What GitHub says of a target's workflow before it is started: the repository, the file at its branch or tag, and
//! whether GitHub runs it.

use tokio::sync::OnceCell;

use crate::github::GitHub;
use crate::github::actions;
use crate::github::contents::Repository;
use crate::github::error::GitHubError;
use crate::names::{GitRef, RepoName, WorkflowFile};
use crate::problem::{Help, Problem};
use crate::targets::{StartBy, Target};
use crate::workflow::Declared;

/// By what a workflow file is read once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkflowKey {
    /// Its repository.
    pub(super) repository: RepoName,
    file: Option<WorkflowFile>,
    git_ref: Option<GitRef>,
}

impl WorkflowKey {
    /// Of a target.
    pub(super) fn of(target: &Target) -> Self {
        let file = match &target.start {
            StartBy::Workflow(file) => Some(file.clone()),
            StartBy::Event(_) => None,
        };
        Self { repository: target.repository.clone(), file, git_ref: target.git_ref.clone() }
    }
}

/// A workflow that GitHub will start, as far as could be checked.
pub(super) struct WorkflowFacts {
    /// The branch or tag at which it is started.
    pub(super) git_ref: GitRef,
    /// What it declares; none if its file could not be read, or there is none.
    pub(super) declared: Option<Declared>,
}

/// The settings of a repository in which something can be started.
async fn settings_of(repository: &RepoName, github: &GitHub) -> Result<Repository, Problem> {
    let read = github.repository(repository).await;
    let settings = read.map_err(|error| Problem::of(&format!("cannot reach {repository}"), &error))?;
    if settings.archived {
        return Err(Problem::new(format!("{repository} is archived, and nothing can be started in it"))
            .help("take it out of the targets, or unarchive it in its settings"));
    }
    if settings.disabled {
        return Err(Problem::new(format!("GitHub has disabled {repository}"))
            .help("take it out of the targets, or ask GitHub's support"));
    }
    Ok(settings)
}

/// A workflow's file at a branch or tag.
struct Workflow<'a> {
    repository: &'a RepoName,
    file: &'a WorkflowFile,
    path: String,
    git_ref: GitRef,
    settings: &'a Repository,
    github: &'a GitHub,
}

/// What GitHub says of a workflow. The `settings` of its repository are asked for once, whoever asks first.
///
/// # Errors
///
/// With all that keeps it from being started.
pub(super) async fn read(
    key: &WorkflowKey,
    settings: &OnceCell<Result<Repository, Problem>>,
    github: &GitHub,
) -> Result<WorkflowFacts, Vec<Problem>> {
    let WorkflowKey { repository, file, git_ref } = key;
    let settings = settings.get_or_init(|| settings_of(repository, github));
    let refused = |problem: &Problem| vec![problem.clone()];
    let ref_of =
        |settings: &Repository| git_ref.clone().unwrap_or_else(|| settings.default_branch.clone().into());
    let Some(file) = file else {
        let settings = settings.await.as_ref().map_err(refused)?;
        return Ok(WorkflowFacts { git_ref: ref_of(settings), declared: None });
    };
    let path = file.path();
    let text = github.file(repository, &path, git_ref.as_ref().map(GitRef::as_str));
    let (settings, text, state) = tokio::join!(settings, text, state_of(repository, file, github));
    let settings = settings.as_ref().map_err(refused)?;
    let workflow = Workflow { repository, file, path, git_ref: ref_of(settings), settings, github };
    let declared = workflow.declared(text, state).await?;
    Ok(WorkflowFacts { git_ref: workflow.git_ref, declared })
}

/// What a workflow's file says.
enum Text {
    /// What it declares.
    Declared(Declared),
    /// There is no file.
    Missing,
    /// The token may not read it, or there is no file.
    Hidden(Problem),
}

/// Whether GitHub runs a workflow.
enum State {
    /// It does, or whether it does is not known.
    Runs,
    /// GitHub knows no such workflow.
    Unknown,
    /// Somebody switched it off.
    Off(Problem),
}

impl State {
    /// `problem`, with what else keeps the workflow from being started. Where its file is not to be had, it is no news
    /// that GitHub does not know it.
    fn also(self, problem: Problem) -> Vec<Problem> {
        match self {
            Self::Off(off) => vec![problem, off],
            Self::Runs | Self::Unknown => vec![problem],
        }
    }
}

async fn state_of(repository: &RepoName, file: &WorkflowFile, github: &GitHub) -> State {
    match github.workflow_state(repository, file).await {
        Ok(Some(state)) if state == "active" => State::Runs,
        Ok(Some(state)) => State::Off(
            Problem::new(format!("{file} in {repository} is switched off ({state})"))
                .help(format!("switch it on: gh workflow enable {file} --repo {repository}")),
        ),
        Ok(None) => State::Unknown,
        // Who may not look leaves it to GitHub's own check.
        Err(error) => {
            let help = error.help().unwrap_or_default();
            tracing::info!(
                "whether {file} in {repository} is switched on is not checked: {error}\nhelp: {help}"
            );
            State::Runs
        }
    }
}

impl Workflow<'_> {
    /// What it declares; none if the token may not read its file, which leaves the check to GitHub.
    async fn declared(
        &self,
        text: Result<Option<String>, GitHubError>,
        state: State,
    ) -> Result<Option<Declared>, Vec<Problem>> {
        match (self.parsed(text), state) {
            (Ok(Text::Declared(declared)), State::Runs) => Ok(Some(declared)),
            (Ok(Text::Hidden(why)), State::Runs) => {
                self.leave_to_github(&why);
                Ok(None)
            }
            (Ok(Text::Missing), state) => Err(state.also(self.missing().await)),
            (Err(problem), state) => Err(state.also(problem)),
            (Ok(_), State::Off(off)) => Err(vec![off]),
            (Ok(_), State::Unknown) => Err(vec![self.unknown().await]),
        }
    }

    fn parsed(&self, text: Result<Option<String>, GitHubError>) -> Result<Text, Problem> {
        let Self { repository, path, git_ref, settings, .. } = self;
        let text = match text {
            Ok(Some(text)) => text,
            // Of a private repository "not found" may also mean "not for this token".
            Ok(None) if settings.private => {
                let why = Problem::new(format!("it is not to be seen at {git_ref}"));
                return Ok(Text::Hidden(
                    why.help(format!("grant the token `contents: read` on {repository}")),
                ));
            }
            Ok(None) => return Ok(Text::Missing),
            Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => {
                return Ok(Text::Hidden(Problem::from(&error)));
            }
            Err(error) => return Err(Problem::of(&format!("cannot read `{path}` of {repository}"), &error)),
        };
        match Declared::read(path, &text) {
            Ok(Some(declared)) => Ok(Text::Declared(declared)),
            Ok(None) => Err(Problem::new(format!(
                "`{path}` of {repository} does not start on `workflow_dispatch` at {git_ref}"
            ))
            .help("add `workflow_dispatch:` below its `on:`")),
            Err(error) => Err(Problem::new(format!("in {repository} at {git_ref}: {error}"))
                .help("correct the workflow file")),
        }
    }

    /// `actions: write` alone may start a workflow and not read it: then GitHub's own check decides.
    fn leave_to_github(&self, why: &Problem) {
        let Self { repository, path, .. } = self;
        tracing::warn!(
            "the inputs of `{path}` in {repository} are not checked, and it is not told its ticket: {why}"
        );
    }

    /// The workflows that GitHub knows; none if it does not say.
    async fn known(&self) -> Option<Vec<actions::Workflow>> {
        self.github.workflows(self.repository).await.ok()
    }

    /// Which workflow is meant, if `workflow` is not the name of its file.
    fn meant(&self, known: &[actions::Workflow]) -> Option<String> {
        let name = self.file.as_str();
        if known.iter().any(|workflow| workflow.file() == name) {
            return None;
        }
        let called = known.iter().find(|workflow| workflow.is_called(name))?;
        Some(format!("did you mean `{}`? `workflow` takes the name of the file", called.file()))
    }

    /// The repository has no such file.
    async fn missing(&self) -> Problem {
        let Self { repository, path, git_ref, .. } = self;
        let known = self.known().await.unwrap_or_default();
        let help = self.meant(&known).unwrap_or_else(|| "correct `workflow` or `ref`".to_owned());
        Problem::new(format!("{repository} has no `{path}` at {git_ref}")).help(help)
    }

    /// GitHub knows no such workflow, though there may be a file.
    async fn unknown(&self) -> Problem {
        let Self { repository, file, settings, .. } = self;
        let known = self.known().await;
        let problem = Problem::new(format!("GitHub knows no workflow {file} in {repository}"));
        if let Some(help) = self.meant(known.as_deref().unwrap_or_default()) {
            return problem.help(help);
        }
        if !self.is_on_default_branch().await {
            return problem.help("a workflow that is started this way must be on the default branch too");
        }
        let branch = &settings.default_branch;
        if known.is_some_and(|known| known.is_empty()) {
            let what = format!(
                "Actions are switched off in {repository}: GitHub knows no workflow there, and {file} is at {branch}"
            );
            return Problem::new(what).help("switch them on in its settings, under Actions → General");
        }
        Problem::new(format!("{}, and the file is at {branch}", problem.what)).help(
            "if the file is new, run this again in a minute; else look whether Actions are switched on in the \
             repository's settings",
        )
    }

    async fn is_on_default_branch(&self) -> bool {
        let branch = self.settings.default_branch.as_str();
        let file = self.github.file(self.repository, &self.path, Some(branch)).await;
        matches!(file, Ok(Some(_)))
    }
}
