//! The conversion of GitHub's jobs into those that a ticket keeps.

use crate::github::actions::RunJob;
use crate::ticket::{FollowedJob, text};

/// The most characters of a name: the author of a pull request names the jobs and steps of its run.
const NAME_LIMIT: usize = 250;

impl From<&RunJob> for FollowedJob {
    fn from(job: &RunJob) -> Self {
        Self {
            name: text::cut_name(&job.name, NAME_LIMIT),
            status: job.status.clone().unwrap_or_else(|| "unknown".to_owned()),
            conclusion: job.conclusion.clone(),
            url: job.html_url.clone(),
            step: job.failed_step().map(|step| text::cut_name(&step.name, NAME_LIMIT)),
            error: None,
        }
    }
}
