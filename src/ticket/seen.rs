//! What a board was made from: the data in its marker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::CommentId;

/// The data in the marker of a board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardData {
    /// The records that the board was folded from.
    pub seen: Seen,
    /// Those of them that the writer of the board could not read, or not whole: a newer release wrote
    /// them. Whoever can read more of them replaces the board; whoever cannot leaves it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<CommentId>,
}

/// A version vector: the sequence number of each record that a board was folded from.
///
/// So that it fits a comment, only the newest records are listed; of the older ones it says how
/// many there are and how often they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
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

impl Seen {
    /// How many records are listed one by one.
    const LISTED: usize = 1_000;

    /// The vector of these records.
    #[must_use]
    pub fn of(records: impl Iterator<Item = (CommentId, u64)>) -> Self {
        let mut records: BTreeMap<CommentId, u64> = records.collect();
        let mut older = Older::default();
        while records.len() > Self::LISTED {
            let (_, seq) = records.pop_first().expect("it has more than none");
            older.records += 1;
            older.writes = older.writes.saturating_add(seq);
        }
        Self { older, records }
    }

    /// The records that this vector lists with a higher sequence number than `known` has for them.
    pub(super) fn beyond(&self, known: impl Fn(CommentId) -> Option<u64>) -> Vec<CommentId> {
        let newer = self.records.iter().filter(|(id, seq)| known(**id).is_none_or(|known| known < **seq));
        newer.map(|(id, _)| *id).collect()
    }

    /// Whether the record is listed.
    pub(super) fn lists(&self, id: CommentId) -> bool {
        self.records.contains_key(&id)
    }

    /// How many records were seen.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.older.records).unwrap_or(usize::MAX).saturating_add(self.records.len())
    }

    /// Whether no record was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
