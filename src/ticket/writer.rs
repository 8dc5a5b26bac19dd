//! Who writes a record.

use serde::{Deserialize, Serialize};

use crate::names::{RepoName, RunId, number};

/// The job that writes a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Writer {
    /// Where the job's run is.
    pub repository: RepoName,
    /// The run.
    pub run: RunId,
    /// The attempt of the run, from 1.
    pub attempt: u32,
    /// The job: its id in the workflow, with the values of its matrix.
    pub job: String,
    /// The job's check run, where the runner tells it: a workflow that is called twice in one run
    /// has jobs of the same id.
    #[serde(default, deserialize_with = "number::option", skip_serializing_if = "Option::is_none")]
    pub check_run: Option<u64>,
}
