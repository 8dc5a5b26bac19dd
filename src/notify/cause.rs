//! What went wrong, as a notice: the message, the failed jobs and steps, and what makes it the same failure.

use serde_json::Map;

use crate::github::GitHub;
use crate::github::actions::{RunJob, RunStep};
use crate::inputs::{Common, NotifyInputs};
use crate::job::Job;
use crate::names::Login;
use crate::problem::Problem;
use crate::ticket::{FollowedJob, Notice, Status, text};

/// The notice of what happened, as far as GitHub tells.
pub(super) async fn notice(job: &Job, common: &Common, inputs: &NotifyInputs, github: &GitHub) -> Notice {
    let failed = if inputs.status == Status::Success { Vec::new() } else { failed_jobs(job, github).await };
    let job_url = |id| format!("{}/{}/actions/runs/{}/job/{id}", job.server_url, job.repository, job.run);
    let url = failed.first().and_then(|failed| failed.html_url.clone()).or(common.check_run.map(job_url));
    let fingerprint = inputs.fingerprint.clone().unwrap_or_else(|| {
        format!("{} · {} · {} · {}", job.repository, job.workflow, common.job_name, job.git_ref)
    });
    Notice {
        job: failed.first().map(FollowedJob::from),
        pings: Vec::new(),
        by: common.writer(job),
        seq: 1,
        run_url: job.run_url(),
        fingerprint: text::cut_name(&fingerprint, 500),
        status: inputs.status.into(),
        message: message(job, common, inputs, &failed),
        url,
        mention: Vec::new(),
        at: job.clock.now(),
        other: Map::new(),
    }
}

/// The failed jobs of this attempt, as far as the token may read them.
async fn failed_jobs(job: &Job, github: &GitHub) -> Vec<RunJob> {
    match github.jobs(&job.repository, job.run, job.attempt).await {
        Ok(mut jobs) => {
            jobs.retain(RunJob::has_failed);
            jobs.truncate(10);
            jobs
        }
        Err(error) => {
            tracing::info!("{}", Problem::of("the failed step is not named", &error));
            Vec::new()
        }
    }
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
        Some(RunStep { name, number, .. }) => {
            format!(
                "{} {how} in {}",
                text::link(&job.name, url),
                text::link(&format!("step {number}, {name}"), &format!("{url}#step:{number}:1"))
            )
        }
        None => format!("{} {how}", text::link(&job.name, url)),
    }
}

/// What the step says, or what the run tells; then the failed jobs and steps in any case.
fn message(job: &Job, common: &Common, inputs: &NotifyInputs, failed: &[RunJob]) -> String {
    let first = inputs.message.clone().unwrap_or_else(|| {
        let how = match inputs.status {
            Status::Success => "works again",
            Status::Cancelled => "was cancelled",
            _ => "failed",
        };
        let workflow = if job.workflow.is_empty() { "The workflow" } else { &job.workflow };
        let branch = job.git_ref.trim_start_matches("refs/heads/");
        // A job that notifies of others is not the one that failed.
        let place = match failed.is_empty() && inputs.status != Status::Success {
            true => format!(", job {}", common.job_name),
            false => String::new(),
        };
        format!("{workflow} {how} in {} at {branch}{place}", job.repository)
    });
    std::iter::once(first).chain(failed.iter().map(failed_at)).collect::<Vec<_>>().join("\n")
}

/// Whom to ping: those who are named; else the ticket's driver; else who started the run.
pub(super) fn mention(inputs: &NotifyInputs, driver: Option<&Login>, job: &Job) -> Vec<Login> {
    if !inputs.mention.is_empty() {
        return inputs.mention.clone();
    }
    driver.or(job.actor.as_ref()).filter(|login| !login.is_bot()).cloned().into_iter().collect()
}
