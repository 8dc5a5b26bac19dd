//! The outbox: what a step keeps for the job's next step, in a file below `RUNNER_TEMP`.
//!
//! A step puts the job's record here before it sends it, so that a report which could not be
//! delivered goes out with the job's next one. The file is locked while a step works, so that steps
//! which run in parallel come one after the other.
//!
//! Every step of the job can write here, a build tool too, which has no token. So the file counts only if it
//! is a file of its own and holds nothing but records of this job; and a comment that it names is edited only
//! if GitHub shows that comment as the job's record ([`crate::report`]).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{CommentId, IssueRef};
use crate::ticket::{Report, Writer};

/// How long a step waits for another of the same job.
const LOCK_LIMIT: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// What is longer was not written by a step: a record fits a comment, and a job has few tickets.
const SIZE_LIMIT: u64 = 4 << 20;

/// The outbox of a job, locked until it is dropped.
///
/// Where the steps share no folder, each step has an outbox of its own and the next one finds nothing.
#[derive(Debug)]
pub struct Outbox {
    file: Option<File>,
    /// Whether the file tells what the steps before have written.
    is_complete: bool,
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
        let alone = Self { file: None, is_complete: false, contents: Contents::default() };
        let Some(temp) = temp else { return alone };
        match open_locked(&file_of(temp, writer)).await {
            Ok((file, text)) => {
                let contents = Contents::parse(&text, writer);
                Self {
                    file: Some(file),
                    is_complete: contents.is_some(),
                    contents: contents.unwrap_or_default(),
                }
            }
            Err(error) => {
                tracing::debug!(
                    "steps of this job share nothing: {} cannot be used: {error}",
                    temp.display()
                );
                alone
            }
        }
    }

    /// Whether what is not kept here was not written by an earlier step either.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
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
}

impl Contents {
    /// What the steps before have kept; `None` if a file says something that no step of this job writes.
    fn parse(text: &[u8], writer: &Writer) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let contents: Self = serde_json::from_slice(text).ok()?;
        let is_ours = contents.records.values().all(|kept| kept.record.by == *writer);
        is_ours.then_some(contents)
    }
}

async fn open_locked(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    make_folder(path.parent().expect("the file is in a folder"))?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    // This step may write where the job's other steps may not: neither through a link of theirs, nor for as
    // long as a pipe of theirs waits for a reader.
    let mut file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(Error::other("it is not a file of its own"));
    }
    let started = tokio::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_LIMIT => {
                tokio::time::sleep(LOCK_POLL).await
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::other("another step of this job holds it for too long"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    let mut text = Vec::new();
    (&mut file).take(SIZE_LIMIT).read_to_end(&mut text)?;
    Ok((file, text))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    // The runner makes the folder above. Where it is missing nothing is mounted there, and a folder made
    // now would be gone with this step's container.
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let is_folder = std::fs::symlink_metadata(folder)?.is_dir();
    is_folder.then_some(()).ok_or_else(|| Error::other("its folder is something else"))
}

fn file_of(temp: &Path, writer: &Writer) -> PathBuf {
    let job = percent_encoding::utf8_percent_encode(&writer.job, percent_encoding::NON_ALPHANUMERIC);
    let job: String = job.to_string().chars().take(150).collect();
    let check_run = writer.check_run.map(|id| format!("-{id}")).unwrap_or_default();
    temp.join("release-ticket").join(format!("{}-{}-{job}{check_run}.json", writer.run, writer.attempt))
}
