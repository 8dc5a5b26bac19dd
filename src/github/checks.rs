//! Check runs: each job of a run is one. <https://docs.github.com/rest/checks/runs>

use serde::Deserialize;

use super::client::{GitHub, Request};
use super::error::GitHubError;
use crate::names::RepoName;

/// A remark that a step made about a line of a file, or about the job.
#[derive(Debug, Deserialize)]
pub struct Annotation {
    /// The file; `.github` if it is about none.
    #[serde(default)]
    pub path: String,
    /// The first line that it is about.
    #[serde(default)]
    pub start_line: u64,
    #[serde(default)]
    annotation_level: Option<String>,
    /// Its heading.
    #[serde(default)]
    pub title: Option<String>,
    /// Its text.
    #[serde(default)]
    pub message: Option<String>,
}

impl Annotation {
    /// Whether it is about a failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.annotation_level.as_deref() == Some("failure")
    }
}

impl GitHub {
    /// The annotations of a job, which is a check run of the same id; the first fifty.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn annotations(&self, repository: &RepoName, job: u64) -> Result<Vec<Annotation>, GitHubError> {
        let path = format!("/check-runs/{job}/annotations?per_page=50");
        let purpose = format!("list the annotations of job {job} of {repository}");
        Ok(self.send(Request::get(repository, path, purpose)).await?.json()?)
    }
}
