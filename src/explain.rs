//! The explanation of a failed run: excerpts from its failed jobs, the first red run, and the changes since then. Every
//! reader of the explanation may read all of that.
//!
//! It is an extra: parts that cannot be read are left out, it takes little time, and no decision rests on it.

mod excerpt;
mod history;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::time::Instant;

use self::excerpt::Quote;
use self::history::Past;
use crate::github::actions::{RunJob, WorkflowRun};
use crate::github::releases::Comparison;
use crate::github::{GitHub, GitHubError};
use crate::inputs::Explain;
use crate::names::{RepoName, RunId};
use crate::problem::{Help, Problem};
use crate::ticket::explanation::{Changes, Excerpt, Explanation, Source};
use crate::ticket::text;

/// The time limit of an explanation.
const LIMIT: Duration = Duration::from_secs(20);

/// The time limit of an error line, for a hub job that follows the run.
const LINE_LIMIT: Duration = Duration::from_secs(10);

/// The most failed jobs of an explanation.
const MOST_JOBS: usize = 3;

/// The most commits of an explanation.
const MOST_COMMITS: usize = 5;

/// The most characters of a name in a remark.
const MOST_NAME: usize = 80;

/// The readers of a repository: everyone, the members of its organization or enterprise, or people with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Visibility {
    Public,
    Internal,
    Private,
}

/// A failed run, and the place for its explanation.
#[derive(Debug, Clone, Copy)]
pub struct FailedRun<'a> {
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
pub async fn explain(failed_run: FailedRun<'_>, how: Explain, github: &GitHub) -> Explanation {
    if how == Explain::Off {
        return Explanation::default();
    }
    let within = Within { github, deadline: Instant::now() + LIMIT };
    let readers = readers_may_read(failed_run.repository, failed_run.place, github);
    let is_open = within.time(readers).await.unwrap_or(false);
    let excerpts = job_excerpts(failed_run, is_open, how, within);
    let ((excerpts, remarks), past) =
        futures::future::join(excerpts, past(failed_run, is_open, within)).await;
    let (history, changes) = past.unwrap_or_default();
    Explanation { excerpts, history, changes, remarks, is_withheld: !is_open }
}

/// The line that says why a job failed; `None` without one that the readers of `place` may read.
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
        let quote = job_quote(repository, job, Explain::Auto, github).await;
        let quote = quote.inspect_err(|error| not_shown(job, error).inform());
        let (_, quote) = quote.ok()??;
        quote.error
    };
    within.time(line).await.flatten()
}

/// The deadline of an explanation, which ends at once when the step has to be quick.
#[derive(Debug, Clone, Copy)]
struct Within<'a> {
    github: &'a GitHub,
    deadline: Instant,
}

impl Within<'_> {
    async fn time<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let work = pin!(tokio::time::timeout_at(self.deadline, work));
        match select(work, pin!(self.github.wait_for_hurry())).await {
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
        Problem::of(&format!("cannot check who may read {repository}"), error).inform();
    });
    let settings = settings.ok()?;
    Some(match settings.visibility.as_deref() {
        Some("public") => Visibility::Public,
        Some("internal") => Visibility::Internal,
        None if !settings.private => Visibility::Public,
        _ => Visibility::Private,
    })
}

/// The excerpts from the failed jobs, and remarks on missing ones.
async fn job_excerpts(
    failed_run: FailedRun<'_>,
    is_open: bool,
    how: Explain,
    within: Within<'_>,
) -> (Vec<Excerpt>, Vec<String>) {
    let (mut excerpts, mut remarks) = (Vec::new(), Vec::new());
    let jobs = match failed_run.jobs {
        Ok(jobs) => jobs,
        Err(error) => return (excerpts, lack(error).into_iter().collect()),
    };
    if !is_open {
        let source = text::repository(failed_run.repository);
        let remark = format!(
            "Logs and commits of {source} are not shown: some readers of this notice may not read them there."
        );
        return (excerpts, if jobs.is_empty() { remarks } else { vec![remark] });
    }
    let mut jobs: Vec<&RunJob> = jobs.iter().collect();
    // Where one job of a matrix fails, the others are cancelled.
    jobs.sort_by_key(|job| job.conclusion.as_deref() == Some("cancelled"));
    jobs.truncate(MOST_JOBS);
    let quotes =
        jobs.iter().map(|job| within.time(job_quote(failed_run.repository, job, how, within.github)));
    for (job, quote) in jobs.iter().zip(join_all(quotes).await) {
        match quote {
            Some(Ok(Some((source, Quote { lines, error })))) => {
                excerpts.push(Excerpt { job: job.name.clone(), source, lines, error });
            }
            Some(Ok(None)) if how == Explain::Auto && !job.has_ended() => remarks.push(format!(
                "GitHub shows the log of {} after that job has ended: a later job can notify with its last error.",
                text::code(&text::cut_name(&job.name, MOST_NAME))
            )),
            Some(Ok(None)) => {}
            Some(Err(error)) => {
                not_shown(job, &error).inform();
                remarks.extend(lack(&error));
            }
            None => tracing::info!("there is no time left for an excerpt from job `{}`", job.name),
        }
    }
    remarks.dedup();
    (excerpts, remarks)
}

/// The lines of a job that say why it failed: from its annotations, else from its log after its end.
async fn job_quote(
    repository: &RepoName,
    job: &RunJob,
    how: Explain,
    github: &GitHub,
) -> Result<Option<(Source, Quote)>, GitHubError> {
    let Some(id) = job.id else { return Ok(None) };
    let refusal = match github.annotations(repository, id).await {
        Ok(annotations) => match excerpt::of_annotations(&annotations) {
            Some(quote) => return Ok(Some((Source::Annotations, quote))),
            None => None,
        },
        Err(error) => Some(error),
    };
    if how != Explain::Auto || !job.has_ended() {
        return refusal.map_or(Ok(None), Err);
    }
    if let Some(error) = refusal {
        let what =
            format!("the annotations of job `{}` cannot be read, and its log is read instead", job.name);
        Problem::of(&what, &error).inform();
    }
    let log = github.log_end(repository, id).await?;
    Ok(log.and_then(|log| excerpt::of_log(&log)).map(|quote| (Source::Log, quote)))
}

/// Since when the workflow fails, and the changes since it succeeded last.
async fn past(
    failed_run: FailedRun<'_>,
    is_open: bool,
    within: Within<'_>,
) -> Option<(Option<String>, Option<Changes>)> {
    let FailedRun { repository, .. } = failed_run;
    let (run, runs) = within.time(runs(failed_run, within.github)).await??;
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
async fn runs(failed_run: FailedRun<'_>, github: &GitHub) -> Option<(WorkflowRun, Vec<WorkflowRun>)> {
    let FailedRun { repository, run, .. } = failed_run;
    let request = async {
        let Some(run) = github.run(repository, run).await? else { return Ok(None) };
        let Some(workflow) = run.workflow_id else { return Ok(None) };
        let runs = github.newest_runs(repository, workflow).await?;
        Ok(Some((run, runs)))
    };
    request.await.unwrap_or_else(|error: GitHubError| {
        Problem::of("the earlier runs are not shown", &error).inform();
        None
    })
}

/// The changes between the commits of two runs.
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
    let comparison = github.compare(repository, base, head).await;
    let comparison = comparison.inspect_err(|error| {
        Problem::of("the changes since the last success are not shown", error).inform();
    });
    let Comparison { html_url, ahead_by, commits, .. } = comparison.ok()??;
    let total_commits = usize::try_from(ahead_by).ok()?;
    // GitHub gives the oldest first, and of very many not the newest.
    let newest = commits.iter().rev().filter(|_| commits.len() == total_commits).take(MOST_COMMITS);
    let commits = newest.map(|commit| (commit.subject().to_owned(), commit.author().map(str::to_owned)));
    Some(Changes { since, url: html_url, total: total_commits, commits: commits.collect() })
}

fn not_shown(job: &RunJob, error: &GitHubError) -> Problem {
    Problem::of(&format!("an excerpt from job `{}` is not shown", job.name), error)
}

/// The help for a missing permission, as a line of Markdown.
fn lack(error: &GitHubError) -> Option<String> {
    let help = error.help().filter(|_| error.is_lack_of_permission())?;
    Some(format!("This cannot be explained: {}.", text::inline(&help.text)))
}
