//! The outbox: records that a step keeps for the job's next step, in a file below `RUNNER_TEMP`.
//!
//! A step puts the job's record here before it sends it, so that the job's next report delivers an undelivered one,
//! too. The step locks the file while it works, so that parallel steps write one after the other.
//!
//! Every step of the job can write here, even a build tool without a token. So the file counts only if it is a file of
//! its own with nothing but records of this job; and a step edits a comment that the file names only if GitHub shows
//! that comment as the job's record ([`crate::report`]).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{CommentId, IssueRef};
use crate::ticket::{Report, Writer};

/// The longest wait for another step of the same job.
const LOCK_LIMIT: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(50);

/// The most bytes that a step reads. No step writes more: a record fits a comment, and a job has few tickets.
const SIZE_LIMIT: u64 = 4 << 20;

/// The outbox of a job. Its file is locked until the value is dropped.
///
/// If the steps share no folder, each step has an outbox of its own, and the next step finds nothing in its own.
#[derive(Debug)]
pub struct Outbox {
    file: Option<File>,
    /// Whether the file has all records of the steps before.
    is_complete: bool,
    contents: Contents,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    /// The job's records by ticket.
    #[serde(default)]
    records: BTreeMap<String, JobRecord>,
}

/// The job's record on one ticket, in the state that the steps before know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its comment, once a step knows it.
    pub comment: Option<CommentId>,
    /// The record, delivered or not.
    pub record: Report,
    /// Whether it may be on the ticket although no step knows its comment: a step ended while it sent the record.
    #[serde(rename = "sent")]
    pub is_sent: bool,
}

impl Outbox {
    /// Opens the outbox of `writer`'s job below `temp`, waiting while another step has it.
    pub async fn lock(temp: Option<&Path>, writer: &Writer) -> Self {
        let alone = Self { file: None, is_complete: false, contents: Contents::default() };
        let Some(temp) = temp else { return alone };
        match open_and_lock(&file_of(temp, writer)).await {
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
                    "steps of this job cannot share their record: {} cannot be used: {error}",
                    temp.display()
                );
                alone
            }
        }
    }

    /// Whether it has every record that an earlier step wrote.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The job's record on `ticket`, if an earlier step kept it here.
    #[must_use]
    pub fn record(&self, ticket: &IssueRef) -> Option<&JobRecord> {
        self.contents.records.get(&ticket.to_string())
    }

    /// Keeps the job's record on `ticket`; returns whether the job's next step will find it.
    pub fn keep(&mut self, ticket: &IssueRef, record: JobRecord) -> bool {
        self.contents.records.insert(ticket.to_string(), record);
        let Some(file) = &mut self.file else { return false };
        let text = serde_json::to_vec(&self.contents).expect("the outbox has string keys");
        let result = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text));
        if let Err(error) = &result {
            tracing::warn!("the file that the steps of this job share cannot be written: {error}");
        }
        result.is_ok()
    }
}

impl Contents {
    /// The contents of the file; `None` if it has something that no step of this job writes.
    fn parse(text: &[u8], writer: &Writer) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let contents: Self = serde_json::from_slice(text).ok()?;
        let is_ours = contents.records.values().all(|entry| entry.record.by == *writer);
        is_ours.then_some(contents)
    }
}

async fn open_and_lock(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    make_folder(path.parent().expect("the file is in a folder"))?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    // This step may have more rights than the job's other steps. It must not write through a link of theirs, nor wait
    // for the reader of a pipe of theirs.
    let mut file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(Error::other("it is not a file of its own"));
    }
    let start = tokio::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_LIMIT => {
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
    // The runner makes the folder above. If it is missing, the container has no mount there, and a new folder would
    // vanish with this container.
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let is_folder = std::fs::symlink_metadata(folder)?.is_dir();
    is_folder.then_some(()).ok_or_else(|| Error::other("its folder is not a directory"))
}

fn file_of(temp: &Path, writer: &Writer) -> PathBuf {
    let job = percent_encoding::utf8_percent_encode(&writer.job, percent_encoding::NON_ALPHANUMERIC);
    let job: String = job.to_string().chars().take(150).collect();
    let check_run = writer.check_run.map(|id| format!("-{id}")).unwrap_or_default();
    temp.join("release-ticket").join(format!("{}-{}-{job}{check_run}.json", writer.run, writer.attempt))
}
