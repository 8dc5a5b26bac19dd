//! GitHub's runs as a ticket keeps them.

use crate::github::actions::RunJob;
use crate::ticket::FollowedJob;

impl From<&RunJob> for FollowedJob {
    fn from(job: &RunJob) -> Self {
        Self {
            name: job.name.clone(),
            status: job.status.clone().unwrap_or_else(|| "unknown".to_owned()),
            conclusion: job.conclusion.clone(),
            url: job.html_url.clone(),
            step: job.failed_step().map(|step| step.name.clone()),
        }
    }
}
