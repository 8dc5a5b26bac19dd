//! GitHub's answers about a target's workflow before a start: the repository, the file at its branch or tag, and
//! whether the workflow is enabled.

use tokio::sync::OnceCell;

use crate::github::GitHub;
use crate::github::actions;
use crate::github::contents::Repository;
use crate::github::error::GitHubError;
use crate::names::{GitRef, RepoName, WorkflowFile};
use crate::problem::{Problem, Topic};
use crate::targets::{StartBy, Target};
use crate::workflow::Declaration;

/// The key by which each workflow file is read once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorkflowKey {
    pub(super) repository: RepoName,
    file: Option<WorkflowFile>,
    git_ref: Option<GitRef>,
}

impl WorkflowKey {
    pub(super) fn of(target: &Target) -> Self {
        let file = match &target.start {
            StartBy::Workflow(file) => Some(file.clone()),
            StartBy::Event(_) => None,
        };
        Self { repository: target.repository.clone(), file, git_ref: target.git_ref.clone() }
    }
}

/// A workflow in which no check found a problem.
pub(super) struct WorkflowFacts {
    /// The branch or tag of its runs.
    pub(super) git_ref: GitRef,
    /// The declaration in its file; `None` if the file could not be read, or an event starts the target.
    pub(super) declaration: Option<Declaration>,
}

/// The settings of a repository in which something can be started.
async fn settings_of(repository: &RepoName, github: &GitHub) -> Result<Repository, Problem> {
    let read = github.repository(repository).await;
    let settings = read.map_err(|error| Problem::of(&format!("cannot reach {repository}"), &error))?;
    if settings.archived {
        return Err(Problem::new(format!("{repository} is archived, and nothing can be started in it"))
            .help(Topic::Repository, "take it out of the targets, or unarchive it in its settings"));
    }
    if settings.disabled {
        return Err(Problem::new(format!("GitHub has disabled {repository}"))
            .help(Topic::Repository, "take it out of the targets, or ask GitHub's support"));
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

/// Reads and checks a workflow. Workflows of one repository share its `settings`, which are asked for once.
///
/// # Errors
///
/// All problems that prevent a start.
pub(super) async fn read(
    key: &WorkflowKey,
    settings: &OnceCell<Result<Repository, Problem>>,
    github: &GitHub,
) -> Result<WorkflowFacts, Vec<Problem>> {
    let WorkflowKey { repository, file, git_ref } = key;
    let settings = settings.get_or_init(|| settings_of(repository, github));
    let to_problems = |problem: &Problem| vec![problem.clone()];
    let ref_of =
        |settings: &Repository| git_ref.clone().unwrap_or_else(|| settings.default_branch.clone().into());
    let Some(file) = file else {
        let settings = settings.await.as_ref().map_err(to_problems)?;
        return Ok(WorkflowFacts { git_ref: ref_of(settings), declaration: None });
    };
    let path = file.path();
    let text = github.file(repository, &path, git_ref.as_ref().map(GitRef::as_str));
    let (settings, text, state) = tokio::join!(settings, text, state_of(repository, file, github));
    let settings = settings.as_ref().map_err(to_problems)?;
    let workflow = Workflow { repository, file, path, git_ref: ref_of(settings), settings, github };
    let declaration = workflow.declaration(text, state).await?;
    Ok(WorkflowFacts { git_ref: workflow.git_ref, declaration })
}

/// The result of reading a workflow's file.
enum Text {
    /// The file declares inputs.
    Declaration(Declaration),
    /// The repository has no such file.
    Missing,
    /// The token may not read the file, or the repository has none.
    Hidden(Problem),
}

/// Whether GitHub runs a workflow.
enum State {
    /// It does, or the token may not ask.
    Runs,
    /// GitHub knows no such workflow.
    Unknown,
    /// It is disabled.
    Off(Problem),
}

impl State {
    /// `problem`, and a second one if the workflow is disabled. If its file cannot be read, an unknown workflow adds
    /// nothing to that problem.
    fn problems_with(self, problem: Problem) -> Vec<Problem> {
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
            Problem::new(format!("{file} in {repository} is disabled ({state})"))
                .help(Topic::Workflow, format!("enable it: gh workflow enable {file} --repo {repository}")),
        ),
        Ok(None) => State::Unknown,
        // Without the permission to look, GitHub's own check at the start decides.
        Err(error) => {
            let what = format!("cannot check whether {file} in {repository} is enabled");
            Problem::of(&what, &error).inform();
            State::Runs
        }
    }
}

impl Workflow<'_> {
    /// The declaration; `None` if the token may not read the file: then GitHub's own check at the start decides.
    async fn declaration(
        &self,
        text: Result<Option<String>, GitHubError>,
        state: State,
    ) -> Result<Option<Declaration>, Vec<Problem>> {
        match (self.parse(text), state) {
            (Ok(Text::Declaration(declaration)), State::Runs) => Ok(Some(declaration)),
            (Ok(Text::Hidden(why)), State::Runs) => {
                self.leave_to_github(&why);
                Ok(None)
            }
            (Ok(Text::Missing), state) => Err(state.problems_with(self.missing_file().await)),
            (Err(problem), state) => Err(state.problems_with(problem)),
            (Ok(_), State::Off(off)) => Err(vec![off]),
            (Ok(_), State::Unknown) => Err(vec![self.unknown_workflow().await]),
        }
    }

    fn parse(&self, text: Result<Option<String>, GitHubError>) -> Result<Text, Problem> {
        let Self { repository, path, git_ref, settings, .. } = self;
        let text = match text {
            Ok(Some(text)) => text,
            // In a private repository "not found" may also mean "not for this token".
            Ok(None) if settings.private => {
                let why = Problem::new(format!("the token cannot see that file at {git_ref}"));
                let help = format!("grant the token `contents: read` on {repository}");
                return Ok(Text::Hidden(why.help(Topic::Permission, help)));
            }
            Ok(None) => return Ok(Text::Missing),
            Err(error) if error.status() == Some(http::StatusCode::FORBIDDEN) => {
                return Ok(Text::Hidden(Problem::from(&error)));
            }
            Err(error) => return Err(Problem::of(&format!("cannot read `{path}` of {repository}"), &error)),
        };
        match Declaration::read(path, &text) {
            Ok(Some(declaration)) => Ok(Text::Declaration(declaration)),
            Ok(None) => Err(Problem::new(format!(
                "`{path}` of {repository} does not start on `workflow_dispatch` at {git_ref}"
            ))
            .help(Topic::Workflow, "add `workflow_dispatch:` below its `on:`")),
            Err(error) => Err(Problem::new(format!("in {repository} at {git_ref}: {error}"))
                .help(Topic::Workflow, "correct the workflow file")),
        }
    }

    /// `actions: write` alone may start a workflow and not read it: then GitHub's own check decides.
    fn leave_to_github(&self, why: &Problem) {
        let Self { repository, path, .. } = self;
        let what = format!(
            "cannot check the inputs of `{path}` in {repository}, or pass the ticket to it: {}",
            why.what
        );
        Problem { help: why.help.clone(), ..Problem::new(what) }.warn();
    }

    /// The workflows that GitHub knows; `None` if it does not answer.
    async fn workflows(&self) -> Option<Vec<actions::Workflow>> {
        self.github.workflows(self.repository).await.ok()
    }

    /// The file to name, if `workflow` is not the name of a file but of a workflow.
    fn suggestion(&self, workflows: &[actions::Workflow]) -> Option<String> {
        let name = self.file.as_str();
        if workflows.iter().any(|workflow| workflow.file() == name) {
            return None;
        }
        let workflow = workflows.iter().find(|workflow| workflow.is_called(name))?;
        Some(format!("did you mean `{}`? `workflow` takes the name of the file", workflow.file()))
    }

    async fn missing_file(&self) -> Problem {
        let Self { repository, path, git_ref, .. } = self;
        let workflows = self.workflows().await.unwrap_or_default();
        let help = self.suggestion(&workflows).unwrap_or_else(|| "correct `workflow` or `ref`".to_owned());
        Problem::new(format!("{repository} has no `{path}` at {git_ref}")).help(Topic::Workflow, help)
    }

    /// The problem if GitHub knows no such workflow: there may be a file all the same.
    async fn unknown_workflow(&self) -> Problem {
        let Self { repository, file, settings, .. } = self;
        let workflows = self.workflows().await;
        let problem = Problem::new(format!("GitHub does not know the workflow {file} in {repository}"));
        if let Some(help) = self.suggestion(workflows.as_deref().unwrap_or_default()) {
            return problem.help(Topic::Workflow, help);
        }
        if !self.is_on_default_branch().await {
            let help = "a workflow that is started this way must be on the default branch too";
            return problem.help(Topic::Workflow, help);
        }
        let branch = &settings.default_branch;
        if workflows.is_some_and(|workflows| workflows.is_empty()) {
            let what = format!(
                "Actions are disabled in {repository}: GitHub does not list any workflow there, but {file} is at \
                 {branch}"
            );
            let help = "enable them in its settings, under Actions → General";
            return Problem::new(what).help(Topic::Repository, help);
        }
        Problem::new(format!("{}, but the file is at {branch}", problem.what)).help(
            Topic::Workflow,
            "if the file is new, run this again in a minute; otherwise check that Actions are enabled in the \
             repository's settings",
        )
    }

    async fn is_on_default_branch(&self) -> bool {
        let branch = self.settings.default_branch.as_str();
        let file = self.github.file(self.repository, &self.path, Some(branch)).await;
        matches!(file, Ok(Some(_)))
    }
}
