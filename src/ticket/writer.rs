//! The writers of records.

use serde::{Deserialize, Serialize};

use crate::names::{RepoName, RunId, number};

/// The job that writes a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Writer {
    /// The repository of the job's run.
    pub repository: RepoName,
    /// The job's run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The job's id in the workflow, with the values of its matrix.
    pub job: String,
    /// The job's check run, if the runner provides it: a workflow that is called twice in one run has two jobs of the same
    /// id.
    #[serde(default, deserialize_with = "number::option", skip_serializing_if = "Option::is_none")]
    pub check_run: Option<u64>,
}
