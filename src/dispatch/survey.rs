//! GitHub's part of the release's record: the times of the runs and jobs, the releases that they published, and the
//! record of the previous release. Nothing here fails: the record leaves out what GitHub does not show, and says so.

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::step::{RecordSearch, SurveyRequest};
use crate::github::actions::RunJob;
use crate::github::releases::Release as PublishedRelease;
use crate::github::{GitHub, GitHubError};
use crate::names::{IssueRef, RunId};
use crate::problem::Problem;
use crate::ticket::marker::{Kind, Marker};
use crate::ticket::release::times::{JobTimes, has_gap, periods};
use crate::ticket::{Release, Survey};

/// The number of earlier tickets that are read.
const TICKETS: usize = 3;

/// The time by which a release may seem older than the run that published it: clocks differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

/// Asks for the times of a target's run and jobs, and for its release.
pub(super) async fn survey(of: &SurveyRequest, github: &GitHub) -> Survey {
    let mut survey = Survey::default();
    if let Err(error) = read_run(of, github, &mut survey).await {
        leave_out(&mut survey, "the jobs of its run", &error);
    }
    if let Err(error) = read_release(of, github, &mut survey).await {
        leave_out(&mut survey, "its release and what has changed", &error);
    }
    survey
}

fn leave_out(survey: &mut Survey, what: &str, error: &GitHubError) {
    Problem::of(&format!("the record leaves out {what}"), error).inform();
    let what = format!("{what}: {error}");
    survey.omission = Some(match survey.omission.take() {
        Some(before) => format!("{before}; {what}"),
        None => what,
    });
}

async fn read_run(of: &SurveyRequest, github: &GitHub, survey: &mut Survey) -> Result<(), GitHubError> {
    let Some((run, attempt)) = of.run else { return Ok(()) };
    let jobs = github.jobs(&of.repository, run, attempt).await?;
    let times: Vec<JobTimes> = jobs.iter().filter_map(times).collect();
    let is_reviewed = has_gap(&times) && is_reviewed(of, run, github).await?;
    survey.periods = periods(&times, is_reviewed);
    survey.commit = jobs.iter().find_map(|job| job.head_sha.clone());
    let first = of.first_run.map(|first| (first, 1)).or((attempt > 1).then_some((run, 1)));
    if let Some((run, attempt)) = first {
        let jobs = github.jobs(&of.repository, run, attempt).await?;
        survey.failure = first_failure(&jobs);
    }
    Ok(())
}

async fn is_reviewed(of: &SurveyRequest, run: RunId, github: &GitHub) -> Result<bool, GitHubError> {
    let reviews = github.approvals(&of.repository, run).await?;
    Ok(reviews.iter().any(|review| review.state == "approved"))
}

/// The times of a job; `None` if it was skipped or has not ended.
fn times(job: &RunJob) -> Option<JobTimes> {
    let (began_at, ended_at) = (job.started_at?, job.completed_at?);
    let is_skipped = job.conclusion.as_deref() == Some("skipped");
    (!is_skipped).then(|| JobTimes {
        created_at: job.created_at.unwrap_or(began_at).min(began_at),
        began_at,
        ended_at,
    })
}

/// The job that failed first: its name with the step, its page, and the time.
fn first_failure(jobs: &[RunJob]) -> Option<(String, Option<String>, DateTime<Utc>)> {
    let failed_jobs = jobs.iter().filter(|job| job.has_failed());
    let (at, job) = failed_jobs.filter_map(|job| Some((job.completed_at?, job))).min_by_key(|(at, _)| *at)?;
    let step = job.failed_step().map(|step| format!(" / {}", step.name)).unwrap_or_default();
    Some((format!("{}{step}", job.name), job.html_url.clone(), at))
}

async fn read_release(of: &SurveyRequest, github: &GitHub, survey: &mut Survey) -> Result<(), GitHubError> {
    let release = find_release(of, github, survey).await?;
    let head = release.as_ref().map(|release| release.tag_name.clone()).or_else(|| survey.commit.clone());
    survey.release =
        release.map(|release| (release.tag_name, release.html_url, release.body.unwrap_or_default()));
    let (Some(base), Some(head)) = (&of.base, head) else { return Ok(()) };
    if *base != head {
        let comparison = github.compare(&of.repository, base, &head).await?;
        survey.comparison = comparison.map(|comparison| (comparison.html_url, comparison.ahead_by));
    }
    Ok(())
}

/// The release of one of the tags, if it was published since the run began.
async fn find_release(
    of: &SurveyRequest,
    github: &GitHub,
    survey: &Survey,
) -> Result<Option<PublishedRelease>, GitHubError> {
    let began = survey.periods.first().map(|period| period.from - CLOCKS_DIFFER);
    let is_new = |release: &PublishedRelease| match (began, release.published_at) {
        (Some(began), Some(published_at)) => published_at >= began,
        _ => true,
    };
    for tag in &of.tags {
        let release = github.release_by_tag(&of.repository, tag).await?;
        if let Some(release) = release.filter(is_new) {
            return Ok(Some(release));
        }
    }
    Ok(None)
}

/// The record of the previous release, among the tickets that were closed last.
pub(super) async fn look_back(before: &RecordSearch, github: &GitHub) -> Option<Box<Release>> {
    match find_record(before, github).await {
        Ok(record) => record,
        Err(error) => {
            Problem::of("the record leaves out the releases before", &error).inform();
            None
        }
    }
}

async fn find_record(before: &RecordSearch, github: &GitHub) -> Result<Option<Box<Release>>, GitHubError> {
    let RecordSearch { ticket, label, author } = before;
    let mut issues = github.closed_issues(&ticket.repository, label.as_deref()).await?;
    let is_ticket =
        |body: &str| matches!(Marker::find(body), Some(Ok(marker)) if marker.kind() == Some(Kind::Ticket));
    issues.retain(|issue| issue.number < ticket.number && issue.body.as_deref().is_some_and(is_ticket));
    issues.sort_by_key(|issue| std::cmp::Reverse(issue.number));
    for issue in issues.iter().take(TICKETS) {
        let earlier = IssueRef { repository: ticket.repository.clone(), number: issue.number };
        let comments = github.comments(&earlier, None).await?;
        let own = comments
            .iter()
            .filter(|comment| comment.author().is_some_and(|login| login.eq_ignore_ascii_case(author)));
        if let Some(record) = own.filter_map(|comment| record_of(&comment.body)).next() {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn record_of(body: &str) -> Option<Box<Release>> {
    let marker = Marker::find(body)?.ok()?;
    if marker.kind() != Some(Kind::Release) {
        return None;
    }
    marker.data().ok()
}
