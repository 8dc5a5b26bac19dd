//! The data in a board's marker: the versions of the records that the board shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::CommentId;

/// The data in the marker of a board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardData {
    /// The records that the board was folded from.
    #[serde(rename = "seen")]
    pub versions: RecordVersions,
    /// The records that the writer of the board could not read in full: a newer release wrote them. A job that can read
    /// more of them replaces the board; any other job leaves it.
    #[serde(rename = "unread", default, skip_serializing_if = "Vec::is_empty")]
    pub unread_records: Vec<CommentId>,
}

/// A version vector: the sequence number of each record that a board was folded from.
///
/// So that it fits a comment, it lists only the newest records; of the older records it has the number, and the number of
/// their writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordVersions {
    #[serde(default, skip_serializing_if = "Older::is_none")]
    older: Older,
    records: BTreeMap<CommentId, u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Older {
    records: u64,
    writes: u64,
}

impl Older {
    fn is_none(&self) -> bool {
        self.records == 0
    }
}

impl RecordVersions {
    /// The most records that are listed one by one.
    const LIST_LIMIT: usize = 1_000;

    /// The vector of these records.
    #[must_use]
    pub fn of(records: impl Iterator<Item = (CommentId, u64)>) -> Self {
        let mut records: BTreeMap<CommentId, u64> = records.collect();
        let mut older = Older::default();
        while records.len() > Self::LIST_LIMIT {
            let (_, seq) = records.pop_first().expect("it has more than `LIST_LIMIT` records");
            older.records += 1;
            older.writes = older.writes.saturating_add(seq);
        }
        Self { older, records }
    }

    /// The records that this vector lists with a higher sequence number than `seq_of` has for them.
    pub(super) fn newer_records(&self, seq_of: impl Fn(CommentId) -> Option<u64>) -> Vec<CommentId> {
        let newer = self.records.iter().filter(|(id, seq)| seq_of(**id).is_none_or(|other| other < **seq));
        newer.map(|(id, _)| *id).collect()
    }

    /// Whether the vector lists the record.
    pub(super) fn lists(&self, id: CommentId) -> bool {
        self.records.contains_key(&id)
    }

    /// The number of records, listed or older.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.older.records).unwrap_or(usize::MAX).saturating_add(self.records.len())
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
