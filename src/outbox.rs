//! The outbox: what a step keeps for the job's next step, in a file below `RUNNER_TEMP`.
//!
//! A step puts the job's record here before it sends it, so that a report which could not be
//! delivered goes out with the job's next one. The ticket's log lies beside it, which saves the next
//! step requests. The file is locked while a step works, so that steps which run in parallel come
//! one after the other.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::ReadLog;
use crate::names::{CommentId, IssueRef};
use crate::ticket::{Report, Writer};

/// How long a step waits for another of the same job.
const LOCK_LIMIT: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// The outbox of a job, locked until it is dropped.
///
/// Where the steps share no folder, each step has an outbox of its own and the next one finds nothing.
#[derive(Debug)]
pub struct Outbox {
    file: Option<File>,
    /// The file's path; the logs of tickets lie beside it.
    path: PathBuf,
    contents: Contents,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    /// By ticket.
    #[serde(default)]
    records: BTreeMap<String, JobRecord>,
}

/// The job's record on one ticket, as far as the steps before know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its comment, once that is known.
    pub comment: Option<CommentId>,
    /// What it says, delivered or not.
    pub record: Report,
    /// Whether it may be on the ticket although no comment is known: a step ended while it sent it.
    pub sent: bool,
}

impl Outbox {
    /// Opens the outbox of `writer`'s job below `temp`, waiting while another step has it.
    pub async fn lock(temp: Option<&Path>, writer: &Writer) -> Self {
        let alone = Self { file: None, path: PathBuf::new(), contents: Contents::default() };
        let Some(temp) = temp else { return alone };
        let path = file_of(temp, writer);
        match open_locked(&path).await {
            Ok((file, contents)) => Self { file: Some(file), path, contents },
            Err(error) => {
                tracing::debug!(
                    "steps of this job share nothing: {} cannot be used: {error}",
                    temp.display()
                );
                alone
            }
        }
    }

    /// Whether the next step will find what this one keeps.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.file.is_some()
    }

    /// The job's record on `ticket`, if an earlier step kept one.
    #[must_use]
    pub fn kept(&self, ticket: &IssueRef) -> Option<&JobRecord> {
        self.contents.records.get(&ticket.to_string())
    }

    /// Keeps the job's record on `ticket`; says whether the job's next step will find it.
    pub fn keep(&mut self, ticket: &IssueRef, record: JobRecord) -> bool {
        self.contents.records.insert(ticket.to_string(), record);
        let Some(file) = &mut self.file else { return false };
        let text = serde_json::to_vec(&self.contents).expect("the outbox has string keys");
        let saved = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text));
        if let Err(error) = &saved {
            tracing::warn!("what the steps of this job share cannot be written: {error}");
        }
        saved.is_ok()
    }

    /// The log of `ticket` as an earlier step read it.
    #[must_use]
    pub fn log(&self, ticket: &IssueRef) -> Option<ReadLog> {
        self.file.as_ref()?;
        serde_json::from_slice(&std::fs::read(self.log_path(ticket)).ok()?).ok()
    }

    /// Keeps the log of `ticket` for a later step. A log saves requests and nothing else, so this may fail.
    pub fn keep_log(&self, ticket: &IssueRef, log: &ReadLog) {
        if !self.is_shared() {
            return;
        }
        let text = serde_json::to_vec(log).expect("the log has string keys");
        if let Err(error) = std::fs::write(self.log_path(ticket), text) {
            tracing::debug!("the log of {ticket} is not kept for the next step: {error}");
        }
    }

    fn log_path(&self, ticket: &IssueRef) -> PathBuf {
        let repository = &ticket.repository;
        self.path.with_extension(format!(
            "{}-{}-{}.log",
            repository.owner(),
            repository.name(),
            ticket.number
        ))
    }
}

async fn open_locked(path: &Path) -> std::io::Result<(File, Contents)> {
    // The runner makes the folder above. Where it is missing nothing is mounted there, and a folder made
    // now would be gone with this step's container.
    match path.parent().map_or(Ok(()), std::fs::create_dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
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
                return Err(std::io::Error::other("another step of this job holds it for too long"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((file, serde_json::from_str(&text).unwrap_or_default()))
}

fn file_of(temp: &Path, writer: &Writer) -> PathBuf {
    let job = percent_encoding::utf8_percent_encode(&writer.job, percent_encoding::NON_ALPHANUMERIC);
    let job: String = job.to_string().chars().take(150).collect();
    let check_run = writer.check_run.map(|id| format!("-{id}")).unwrap_or_default();
    temp.join("release-ticket").join(format!("{}-{}-{job}{check_run}.json", writer.run, writer.attempt))
}
