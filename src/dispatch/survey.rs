//! What the release's record takes of GitHub: when the runs did what, the releases that they published, and the record
//! of the release before. What GitHub does not show is left out, and the record says so: nothing here fails.

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::step::{Before, SurveyOf};
use crate::github::actions::RunJob;
use crate::github::releases::Release as PublishedRelease;
use crate::github::{GitHub, GitHubError};
use crate::names::{IssueRef, RunId};
use crate::problem::Problem;
use crate::ticket::marker::{Kind, Marker};
use crate::ticket::release::times::{JobTimes, has_gap, periods};
use crate::ticket::{Release, Survey};

/// So many earlier tickets are looked at.
const TICKETS: usize = 3;

/// A release may seem this much older than the run that published it.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

/// Asks when a target's run did what, and for its release.
pub(super) async fn survey(of: &SurveyOf, github: &GitHub) -> Survey {
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
    tracing::info!("{}", Problem::of(&format!("the record leaves out {what}"), error));
    let what = format!("{what}: {error}");
    survey.left_out = Some(match survey.left_out.take() {
        Some(before) => format!("{before}; {what}"),
        None => what,
    });
}

async fn read_run(of: &SurveyOf, github: &GitHub, survey: &mut Survey) -> Result<(), GitHubError> {
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

async fn is_reviewed(of: &SurveyOf, run: RunId, github: &GitHub) -> Result<bool, GitHubError> {
    let reviews = github.approvals(&of.repository, run).await?;
    Ok(reviews.iter().any(|review| review.state == "approved"))
}

/// When a job that ran did so. One that was skipped never began.
fn times(job: &RunJob) -> Option<JobTimes> {
    let (began, ended) = (job.started_at?, job.completed_at?);
    let is_skipped = job.conclusion.as_deref() == Some("skipped");
    (!is_skipped).then(|| JobTimes { created: job.created_at.unwrap_or(began).min(began), began, ended })
}

/// The job that failed first, with its step.
fn first_failure(jobs: &[RunJob]) -> Option<(String, Option<String>, DateTime<Utc>)> {
    let failed = jobs.iter().filter(|job| job.has_failed());
    let (at, job) = failed.filter_map(|job| Some((job.completed_at?, job))).min_by_key(|(at, _)| *at)?;
    let step = job.failed_step().map(|step| format!(" / {}", step.name)).unwrap_or_default();
    Some((format!("{}{step}", job.name), job.html_url.clone(), at))
}

async fn read_release(of: &SurveyOf, github: &GitHub, survey: &mut Survey) -> Result<(), GitHubError> {
    let release = find_release(of, github, survey).await?;
    let head = release.as_ref().map(|release| release.tag_name.clone()).or_else(|| survey.commit.clone());
    survey.release =
        release.map(|release| (release.tag_name, release.html_url, release.body.unwrap_or_default()));
    let (Some(base), Some(head)) = (&of.base, head) else { return Ok(()) };
    if *base != head {
        let compared = github.compare(&of.repository, base, &head).await?;
        survey.compared = compared.map(|compared| (compared.html_url, compared.ahead_by));
    }
    Ok(())
}

/// The release of one of the tags, as far as it was published since the run began.
async fn find_release(
    of: &SurveyOf,
    github: &GitHub,
    survey: &Survey,
) -> Result<Option<PublishedRelease>, GitHubError> {
    let began = survey.periods.first().map(|period| period.from - CLOCKS_DIFFER);
    let is_new = |release: &PublishedRelease| match (began, release.published_at) {
        (Some(began), Some(published)) => published >= began,
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

/// The record of the release before, among the tickets that were closed last.
pub(super) async fn look_back(before: &Before, github: &GitHub) -> Option<Box<Release>> {
    match find_record(before, github).await {
        Ok(record) => record,
        Err(error) => {
            tracing::info!("{}", Problem::of("the record leaves out the releases before", &error));
            None
        }
    }
}

async fn find_record(before: &Before, github: &GitHub) -> Result<Option<Box<Release>>, GitHubError> {
    let Before { ticket, label, author } = before;
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
