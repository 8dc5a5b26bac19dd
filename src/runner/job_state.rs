//! What the steps of one job tell each other, in a file below `RUNNER_TEMP`.
//!
//! A report that could not be delivered waits here for the job's next step. The file is locked
//! while a step works on the job's records, so that steps that run in parallel come one after the
//! other.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::IssueRef;
use crate::ticket::{StageReport, Writer};

/// How long a step waits for another of the same job.
const LOCK_LIMIT: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// The state that the steps of a job share, locked until it is dropped.
///
/// Where there is no folder to share, each step is on its own: nothing is remembered.
#[derive(Debug)]
pub struct JobState {
    file: Option<File>,
    known: Known,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// The highest sequence number that any step used.
    #[serde(default)]
    seq: u64,
    /// Reports that did not reach their ticket, oldest first.
    #[serde(default)]
    undelivered: BTreeMap<String, Vec<StageReport>>,
}

impl JobState {
    /// Opens the state of `writer`'s job below `temp`, waiting while another step has it.
    pub async fn lock(temp: Option<&Path>, writer: &Writer) -> Self {
        let Some(temp) = temp else { return Self { file: None, known: Known::default() } };
        match open_locked(&file_of(temp, writer)).await {
            Ok((file, known)) => Self { file: Some(file), known },
            Err(error) => {
                tracing::debug!(
                    "steps of this job share nothing: {} cannot be used: {error}",
                    temp.display()
                );
                Self { file: None, known: Known::default() }
            }
        }
    }

    /// The highest sequence number that an earlier step used.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.known.seq
    }

    /// Reports of earlier steps that did not reach `ticket`, oldest first.
    #[must_use]
    pub fn undelivered(&self, ticket: &IssueRef) -> &[StageReport] {
        self.known.undelivered.get(&ticket.to_string()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Keeps a report that did not reach `ticket`; says whether a later step will find it.
    pub fn keep(&mut self, ticket: &IssueRef, report: StageReport) -> bool {
        self.known.undelivered.entry(ticket.to_string()).or_default().push(report);
        self.save()
    }

    /// Remembers that all reports reached `ticket`, under sequence numbers up to `seq`.
    pub fn delivered(&mut self, ticket: &IssueRef, seq: u64) {
        self.known.undelivered.remove(&ticket.to_string());
        self.known.seq = self.known.seq.max(seq);
        self.save();
    }

    fn save(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        let text = serde_json::to_vec(&self.known).expect("the state has string keys");
        let saved = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text));
        if let Err(error) = &saved {
            tracing::warn!("the state that the steps of this job share cannot be written: {error}");
        }
        saved.is_ok()
    }
}

async fn open_locked(path: &Path) -> std::io::Result<(File, Known)> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let started = tokio::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_LIMIT => {
                tokio::time::sleep(LOCK_POLL).await
            }
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::other("another step of this job has it for too long"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((file, serde_json::from_str(&text).unwrap_or_default()))
}

fn file_of(temp: &Path, writer: &Writer) -> PathBuf {
    let job =
        percent_encoding::utf8_percent_encode(&writer.job, percent_encoding::NON_ALPHANUMERIC).to_string();
    let job: String = job.chars().take(150).collect();
    temp.join("release-ticket").join(format!("{}-{}-{job}.json", writer.run, writer.attempt))
}
