//! The notice of a failure: its message, the failed jobs and steps, and its fingerprint.

use serde_json::Map;

use super::subject::Subject;
use crate::explain::{FailedRun, explain};
use crate::github::actions::{RunJob, RunStep};
use crate::github::{GitHub, GitHubError};
use crate::inputs::{Common, NotifyInputs};
use crate::job::Job;
use crate::names::{Login, RepoName};
use crate::problem::Problem;
use crate::ticket::explanation::Explanation;
use crate::ticket::{FollowedJob, Notice, Status, text};

/// The characters of a message that are always shown, however many jobs have failed.
const LEAST_ROOM: usize = 500;

/// The notice for the readers of `place`, by GitHub's list of jobs.
pub(super) async fn notice(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    subject: &Subject,
    place: &RepoName,
    github: &GitHub,
) -> Notice {
    let answer = match inputs.status {
        Status::Success => Ok(Vec::new()),
        _ => failed_jobs(common, subject, github).await,
    };
    let explanation = match inputs.status {
        Status::Failure => {
            let (repository, run, jobs) = (&subject.by.repository, subject.by.run, answer.as_deref());
            explain(FailedRun { repository, run, jobs, place }, inputs.explain, github).await
        }
        _ => Explanation::default(),
    };
    let jobs = answer.unwrap_or_default();
    let of_check_run = |id| job.url_of_job(subject.by.run, id);
    let url = jobs.first().and_then(|job| job.html_url.clone());
    let fingerprint = subject.fingerprint(inputs.fingerprint.as_deref());
    let mut by = subject.by.clone();
    let mut first = jobs.first().map(FollowedJob::from);
    if let Some(first) = &mut first {
        first.error = explanation.error_of(&first.name).map(str::to_owned);
    }
    if !subject.is_job {
        by.job = first.as_ref().map(|job| job.name.clone()).unwrap_or_default();
    }
    Notice {
        job: first,
        explanation,
        pings: Vec::new(),
        seq: 1,
        run_url: subject.run_url.clone(),
        fingerprint: text::cut_name(&fingerprint, 500),
        status: inputs.status.into(),
        message: message(inputs, subject, &jobs),
        url: url.or(by.check_run.map(of_check_run)),
        by,
        mention: Vec::new(),
        flapping: Vec::new(),
        at: job.clock.now(),
        other: Map::new(),
    }
}

/// The failed jobs of this attempt; this job first, if it is one of them.
async fn failed_jobs(
    common: &Common,
    subject: &Subject,
    github: &GitHub,
) -> Result<Vec<RunJob>, GitHubError> {
    let by = &subject.by;
    let jobs = github.jobs(&by.repository, by.run, by.attempt).await;
    let mut jobs = jobs.inspect_err(|error| {
        Problem::of("the failed step is not named", error).inform();
    })?;
    jobs.retain(RunJob::has_failed);
    let is_other = |job: &RunJob| match by.check_run {
        Some(check_run) => job.id != Some(check_run),
        None => job.name != common.job_name,
    };
    jobs.sort_by_key(is_other);
    jobs.truncate(10);
    Ok(jobs)
}

/// `build failed in step 3, Run tests`, with a link to the step.
fn failed_at(job: &RunJob) -> String {
    let step = job.failed_step();
    let how = match job.conclusion.as_deref() {
        Some("cancelled") => "was cancelled",
        Some("timed_out") => "timed out",
        _ => "failed",
    };
    let url = job.html_url.as_deref().unwrap_or_default();
    match step {
        Some(step @ RunStep { name, number, .. }) => {
            let step = text::link(&format!("step {number}, {name}"), &step.url_on(url));
            format!("{} {how} in {step}", text::link(&job.name, url))
        }
        None => format!("{} {how}", text::link(&job.name, url)),
    }
}

/// `Release failed`.
pub(super) fn headline(inputs: &NotifyInputs, subject: &Subject) -> String {
    let how = match (inputs.status, subject.conclusion.as_deref()) {
        (Status::Success, _) => "works again",
        (Status::Cancelled, _) => "was cancelled",
        (_, Some("timed_out")) => "timed out",
        (_, Some("startup_failure")) => "could not start",
        (_, Some("stale")) => "was marked as stale by GitHub",
        (_, Some("action_required")) => "waits for an approval",
        _ => "failed",
    };
    let workflow = if subject.workflow.is_empty() { "The workflow" } else { &subject.workflow };
    format!("{workflow} {how}")
}

/// The message of the step, or a default one; then the failed jobs and steps in any case.
fn message(inputs: &NotifyInputs, subject: &Subject, jobs: &[RunJob]) -> String {
    let lines: Vec<String> = jobs.iter().map(failed_at).collect();
    let rest: String = lines.iter().map(|line| format!("\n{line}")).collect();
    let room = text::MESSAGE_LIMIT.saturating_sub(text::length(&rest)).max(LEAST_ROOM);
    let first = inputs.message.as_ref().map(|message| text::cut(message, room));
    first.unwrap_or_else(|| default_message(inputs, subject, jobs)) + &rest
}

fn default_message(inputs: &NotifyInputs, subject: &Subject, jobs: &[RunJob]) -> String {
    // A job that notifies of others is not the one that failed.
    let is_this_job = jobs.is_empty() && inputs.status != Status::Success;
    let job = match subject.is_job && (subject.is_of_matrix || is_this_job) {
        true => format!(", job {}", subject.by.job),
        false => String::new(),
    };
    format!("{} in {} at {}{job}", headline(inputs, subject), subject.by.repository, subject.place.name)
}

/// The message of the notice, with a text of the step that is too long for a comment.
pub(super) fn whole_message(inputs: &NotifyInputs, notice: &Notice) -> String {
    let cut = inputs.message.iter().filter(|message| !notice.message.contains(message.as_str()));
    cut.chain([&notice.message]).map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// The accounts to ping: those that the step names; else the ticket's driver; else the account that started the run.
pub(super) fn mention(inputs: &NotifyInputs, driver: Option<&Login>, job: &Job) -> Vec<Login> {
    if !inputs.mention.is_empty() {
        return inputs.mention.clone();
    }
    driver.or(job.actor.as_ref()).filter(|login| !login.is_bot()).cloned().into_iter().collect()
}
