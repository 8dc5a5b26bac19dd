//! Why a run failed, as far as GitHub says so and whoever reads the explanation may read that: what its failed jobs said,
//! since when its workflow fails, and what changed since.
//!
//! It is an extra: whatever cannot be read is left out, it takes little time, and nothing is decided by it.

mod excerpt;
mod history;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::time::Instant;

use self::excerpt::Telling;
use self::history::Past;
use crate::github::actions::{RunJob, WorkflowRun};
use crate::github::releases::Comparison;
use crate::github::{GitHub, GitHubError};
use crate::inputs::Explain;
use crate::names::{RepoName, RunId};
use crate::problem::{Help, Problem};
use crate::ticket::explanation::{Changes, Excerpt, Explanation, Source};
use crate::ticket::text;

/// How long an explanation may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How long the line of a job may take that a hub follows.
const LINE_LIMIT: Duration = Duration::from_secs(10);

/// So many failed jobs are explained.
const MOST_JOBS: usize = 3;

/// So many commits are named.
const MOST_COMMITS: usize = 5;

/// The most characters of a name in a remark.
const MOST_NAME: usize = 80;

/// What people may read of a repository elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Visibility {
    Public,
    Internal,
    Private,
}

/// A run that failed, and where its explanation is to stand.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// The repository in which it ran.
    pub repository: &'a RepoName,
    /// The run.
    pub run: RunId,
    /// Its jobs that failed, or why GitHub names none.
    pub jobs: Result<&'a [RunJob], &'a GitHubError>,
    /// The repository whose readers read the explanation.
    pub place: &'a RepoName,
}

/// Explains a failed run.
pub async fn explain(failed: Failed<'_>, how: Explain, github: &GitHub) -> Explanation {
    if how == Explain::Off {
        return Explanation::default();
    }
    let within = Within { github, deadline: Instant::now() + LIMIT };
    let readers = readers_may_read(failed.repository, failed.place, github);
    let is_open = within.time(readers).await.unwrap_or(false);
    let said = said(failed, is_open, how, within);
    let ((excerpts, remarks), past) = futures::future::join(said, past(failed, is_open, within)).await;
    let (history, changes) = past.unwrap_or_default();
    Explanation { excerpts, history, changes, remarks, is_withheld: !is_open }
}

/// The line that says why a job failed, for the readers of `place`; none where there is none for them.
pub async fn error_line(
    repository: &RepoName,
    job: &RunJob,
    place: &RepoName,
    github: &GitHub,
) -> Option<String> {
    let within = Within { github, deadline: Instant::now() + LINE_LIMIT };
    let line = async {
        if !readers_may_read(repository, place, github).await {
            return None;
        }
        let said = of_job(repository, job, Explain::Auto, github).await;
        let said = said.inspect_err(|error| tracing::info!("{}", not_shown(job, error)));
        let (_, telling) = said.ok()??;
        telling.error
    };
    within.time(line).await.flatten()
}

/// The time that is left, unless the step has to be quick.
#[derive(Debug, Clone, Copy)]
struct Within<'a> {
    github: &'a GitHub,
    deadline: Instant,
}

impl Within<'_> {
    async fn time<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let work = pin!(tokio::time::timeout_at(self.deadline, work));
        match select(work, pin!(self.github.hurried())).await {
            Either::Left((done, _)) => done.ok(),
            Either::Right(_) => None,
        }
    }
}

/// Whether everyone who reads `place` may read the logs of `repository`. Members of an organization read its internal
/// repositories.
async fn readers_may_read(repository: &RepoName, place: &RepoName, github: &GitHub) -> bool {
    if repository == place {
        return true;
    }
    match visibility(repository, github).await {
        Some(Visibility::Public) => true,
        Some(Visibility::Internal) if repository.owner().eq_ignore_ascii_case(place.owner()) => {
            visibility(place, github).await >= Some(Visibility::Internal)
        }
        _ => false,
    }
}

async fn visibility(repository: &RepoName, github: &GitHub) -> Option<Visibility> {
    let settings = github.repository(repository).await;
    let settings = settings.inspect_err(|error| {
        tracing::info!("{}", Problem::of(&format!("nobody can tell who may read {repository}"), error));
    });
    let settings = settings.ok()?;
    Some(match settings.visibility.as_deref() {
        Some("public") => Visibility::Public,
        Some("internal") => Visibility::Internal,
        None if !settings.private => Visibility::Public,
        _ => Visibility::Private,
    })
}

/// What the failed jobs said, and remarks on why that is not all.
async fn said(
    failed: Failed<'_>,
    is_open: bool,
    how: Explain,
    within: Within<'_>,
) -> (Vec<Excerpt>, Vec<String>) {
    let (mut excerpts, mut remarks) = (Vec::new(), Vec::new());
    let jobs = match failed.jobs {
        Ok(jobs) => jobs,
        Err(error) => return (excerpts, lack(error).into_iter().collect()),
    };
    if !is_open {
        let source = text::repository(failed.repository);
        let remark = format!(
            "Logs and commits of {source} are not shown here: not everyone here may read them there."
        );
        return (excerpts, if jobs.is_empty() { remarks } else { vec![remark] });
    }
    let mut jobs: Vec<&RunJob> = jobs.iter().collect();
    // Where one job of a matrix fails, the others are cancelled.
    jobs.sort_by_key(|job| job.conclusion.as_deref() == Some("cancelled"));
    jobs.truncate(MOST_JOBS);
    let asked = jobs.iter().map(|job| within.time(of_job(failed.repository, job, how, within.github)));
    for (job, asked) in jobs.iter().zip(join_all(asked).await) {
        match asked {
            Some(Ok(Some((source, Telling { lines, error })))) => {
                excerpts.push(Excerpt { job: job.name.clone(), source, lines, error });
            }
            Some(Ok(None)) if how == Explain::Auto && !job.has_ended() => remarks.push(format!(
                "GitHub shows the log of {} when that job is over: a job after it can notify with its last error.",
                text::code(&text::cut_name(&job.name, MOST_NAME))
            )),
            Some(Ok(None)) => {}
            Some(Err(error)) => {
                tracing::info!("{}", not_shown(job, &error));
                remarks.extend(lack(&error));
            }
            None => tracing::info!("there is no time left to show what job `{}` said", job.name),
        }
    }
    remarks.dedup();
    (excerpts, remarks)
}

/// What a job said: in its annotations, else in its log once it is over.
async fn of_job(
    repository: &RepoName,
    job: &RunJob,
    how: Explain,
    github: &GitHub,
) -> Result<Option<(Source, Telling)>, GitHubError> {
    let Some(id) = job.id else { return Ok(None) };
    let refusal = match github.annotations(repository, id).await {
        Ok(annotations) => match excerpt::of_annotations(&annotations) {
            Some(telling) => return Ok(Some((Source::Annotations, telling))),
            None => None,
        },
        Err(error) => Some(error),
    };
    if how != Explain::Auto || !job.has_ended() {
        return refusal.map_or(Ok(None), Err);
    }
    if let Some(error) = refusal {
        tracing::info!("{}", Problem::of(&format!("the log of job `{}` is read", job.name), &error));
    }
    let log = github.log_end(repository, id).await?;
    Ok(log.and_then(|log| excerpt::of_log(&log)).map(|telling| (Source::Log, telling)))
}

/// Since when the workflow fails, and what changed since it succeeded last.
async fn past(
    failed: Failed<'_>,
    is_open: bool,
    within: Within<'_>,
) -> Option<(Option<String>, Option<Changes>)> {
    let Failed { repository, .. } = failed;
    let (run, runs) = within.time(runs(failed, within.github)).await??;
    // A branch of a fork has the name that the fork's owner gave it.
    if !run.is_of_branch_in(repository) {
        return None;
    }
    let past = Past::of(&run, &runs, repository);
    let green = past.last_green().filter(|_| is_open);
    let changes = match green {
        Some(green) => within.time(changes(repository, green, &run, within.github)).await.flatten(),
        None => None,
    };
    Some((past.line(), changes))
}

/// The failed run, and the last ones of its workflow.
async fn runs(failed: Failed<'_>, github: &GitHub) -> Option<(WorkflowRun, Vec<WorkflowRun>)> {
    let Failed { repository, run, .. } = failed;
    let asked = async {
        let Some(run) = github.run(repository, run).await? else { return Ok(None) };
        let Some(workflow) = run.workflow_id else { return Ok(None) };
        let runs = github.newest_runs(repository, workflow).await?;
        Ok(Some((run, runs)))
    };
    asked.await.unwrap_or_else(|error: GitHubError| {
        tracing::info!("{}", Problem::of("the runs before are not shown", &error));
        None
    })
}

/// What changed between the commits of two runs.
async fn changes(
    repository: &RepoName,
    green: &WorkflowRun,
    run: &WorkflowRun,
    github: &GitHub,
) -> Option<Changes> {
    let since = history::link(green);
    let (base, head) = (green.head_sha.as_deref()?, run.head_sha.as_deref()?);
    if base == head {
        return Some(Changes { since, url: String::new(), total: 0, commits: Vec::new() });
    }
    let compared = github.compare(repository, base, head).await;
    let compared = compared.inspect_err(|error| {
        tracing::info!("{}", Problem::of("what changed since the last success is not shown", error));
    });
    let Comparison { html_url, ahead_by, commits, .. } = compared.ok()??;
    let total_commits = usize::try_from(ahead_by).ok()?;
    // GitHub gives the oldest first, and of very many not the newest.
    let newest = commits.iter().rev().filter(|_| commits.len() == total_commits).take(MOST_COMMITS);
    let commits = newest.map(|commit| (commit.subject().to_owned(), commit.author().map(str::to_owned)));
    Some(Changes { since, url: html_url, total: total_commits, commits: commits.collect() })
}

fn not_shown(job: &RunJob, error: &GitHubError) -> Problem {
    Problem::of(&format!("what job `{}` said is not shown", job.name), error)
}

/// What people can do where a permission is missing, as a line of Markdown.
fn lack(error: &GitHubError) -> Option<String> {
    let help = error.help().filter(|_| error.is_lack_of_permission())?;
    Some(format!("This cannot be explained: {}.", text::inline(&help)))
}
