//! The words of records for the states of stages, starts and targets.
//!
//! Jobs pinned to an old release of the action read tickets that newer releases write, so no word is an error. A word that
//! this release does not know is kept as it is ([`Word::Newer`]), written back, and means "held by a newer release": never
//! free, never absent, and never less than a known word.

use std::cmp::Ordering;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A word in a record, of this release or of a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// This release knows it.
    Known(T),
    /// A newer release wrote it.
    Newer(Value),
}

impl<T> Word<T> {
    /// The word, if this release knows it.
    #[must_use]
    pub fn as_known(&self) -> Option<&T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Newer(_) => None,
        }
    }

    /// Whether only a newer release knows it.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer(_))
    }

    /// The word of a newer release as text for people.
    pub(super) fn newer_text(&self) -> Option<String> {
        match self {
            Self::Known(_) => None,
            Self::Newer(Value::String(word)) => Some(word.clone()),
            Self::Newer(value) => Some(value.to_string()),
        }
    }
}

/// Parsed as a value first, in which each key occurs once: the text that is written back parses to the same word.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(T::deserialize(&value).map_or_else(|_| Self::Newer(value), Self::Known))
    }
}

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

impl<T: PartialEq> PartialEq<T> for Word<T> {
    fn eq(&self, other: &T) -> bool {
        self.as_known() == Some(other)
    }
}

/// A word of a newer release outranks all others: it may mean more than any of them.
impl<T: Ord> Ord for Word<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one.cmp(other),
            (Self::Known(_), Self::Newer(_)) => Ordering::Less,
            (Self::Newer(_), Self::Known(_)) => Ordering::Greater,
            (Self::Newer(one), Self::Newer(other)) => one.to_string().cmp(&other.to_string()),
        }
    }
}

impl<T: Ord> PartialOrd for Word<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The status of a stage.
///
/// In this order statuses of the same stage from different jobs of one attempt outrank each other: the success of one job
/// of a matrix does not hide the failure of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It will run.
    Queued,
    /// It runs.
    InProgress,
    /// It was left out on purpose.
    Skipped,
    /// It ended well.
    Success,
    /// It was stopped.
    Cancelled,
    /// It ended badly.
    Failure,
}

impl Status {
    /// Every status, in the order in which the contract lists them.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::InProgress, Self::Success, Self::Failure, Self::Cancelled, Self::Skipped];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Skipped => "skipped",
            Self::Success => "success",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
        }
    }

    /// The status for a [conclusion](https://docs.github.com/rest/actions/workflow-runs) of GitHub; `None` for an unknown
    /// one.
    #[must_use]
    pub fn of_conclusion(conclusion: &str) -> Option<Self> {
        Some(match conclusion {
            "success" | "neutral" => Self::Success,
            "skipped" => Self::Skipped,
            "cancelled" => Self::Cancelled,
            "failure" | "timed_out" | "startup_failure" | "action_required" | "stale" => Self::Failure,
            _ => return None,
        })
    }

    /// Emoji and words for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Queued => "🕓 queued",
            Self::InProgress => "🔄 in progress",
            Self::Skipped => "⏭️ skipped",
            Self::Success => "✅ success",
            Self::Cancelled => "🚫 cancelled",
            Self::Failure => "❌ failure",
        }
    }

    /// Whether the stage succeeded or was skipped: no later attempt has to repeat it.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Success | Self::Skipped)
    }
}

impl Word<Status> {
    /// Emoji and words for people.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.as_known().map_or("🔒 held", |status| status.label())
    }

    /// Whether the stage succeeded or was skipped: no later attempt has to repeat it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.as_known().is_some_and(|status| status.is_good())
    }
}

/// The progress of the start of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartState {
    /// Not claimed yet.
    Waiting,
    /// Claimed: the hub job will start the target, or is starting it.
    Claimed,
    /// Left to another hub job, whose claim came first.
    Yielded,
    /// The hub job was cancelled before it knew whether the target was started.
    Cancelled,
    /// GitHub accepted it, but another hub job's claim came first: its run does not count, and was cancelled.
    Superseded,
    /// An earlier ticket of the same release, which is closed, has released the target.
    TakenOver,
    /// GitHub accepted it.
    Started,
    /// GitHub refused it: there is no run.
    Refused,
    /// It is unclear whether there is a run.
    Unknown,
}

impl StartState {
    /// The state in a few words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Yielded => "left to another job",
            Self::Cancelled => "cancelled",
            Self::Superseded => "started a second time",
            Self::TakenOver => "taken over",
            Self::Started => "started",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the hub job that wrote it will not start the target by this entry.
    #[must_use]
    pub fn is_passive(self) -> bool {
        matches!(self, Self::Waiting | Self::Yielded | Self::Superseded | Self::TakenOver)
    }

    /// Whether it settles which job starts the target by this ticket, or that no job does.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Yielded | Self::Superseded)
    }
}

impl Word<StartState> {
    /// Whether it settles which job starts the target by this ticket, or that no job does.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.as_known().is_none_or(|state| state.is_settled())
    }

    /// The state in a few words.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.as_known().map_or("held", |state| state.word())
    }

    /// Whether the hub job that wrote it will not start the target by this entry.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.as_known().is_some_and(|state| state.is_passive())
    }
}

/// The status of a target.
///
/// The order is that of the board: the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetStatus {
    /// A stage failed, or the target could not be started.
    Failed,
    /// A stage was cancelled.
    Cancelled,
    /// A word of a newer release decides: that release handles the target.
    Held,
    /// Its run waits for an approval.
    Review,
    /// Its run is under way.
    InProgress,
    /// Its run has succeeded, and a hub job verifies its results.
    Verifying,
    /// Started, without a report so far.
    Queued,
    /// Not started, as a person holds it.
    OnHold,
    /// Not started, as it waits for other targets, a gate or a freeze.
    Waiting,
    /// The stage that ends the release was left out on purpose.
    Skipped,
    /// The stage that ends the release went well.
    Released,
}

impl TargetStatus {
    /// Every status, the most urgent first.
    pub const ALL: [Self; 11] = [
        Self::Failed,
        Self::Cancelled,
        Self::Held,
        Self::Review,
        Self::InProgress,
        Self::Verifying,
        Self::Queued,
        Self::OnHold,
        Self::Waiting,
        Self::Skipped,
        Self::Released,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Held | Self::OnHold => "held",
            Self::Review => "review",
            Self::InProgress => "in_progress",
            Self::Verifying => "verifying",
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Released => "released",
        }
    }

    /// Whether the run of the target is unfinished.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Review | Self::InProgress | Self::Queued)
    }

    /// Whether the target was started, or needs no start.
    #[must_use]
    pub fn is_started(self) -> bool {
        !matches!(self, Self::Waiting | Self::OnHold)
    }

    /// Whether the target is finished: released or skipped.
    #[must_use]
    pub fn is_released(self) -> bool {
        matches!(self, Self::Released | Self::Skipped)
    }

    /// Whether a person has to act.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled)
    }

    /// Emoji and word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Failed => "❌ failed",
            Self::Cancelled => "🚫 cancelled",
            Self::Held => "🔒 held",
            Self::Review => "✋ needs review",
            Self::InProgress => "🔄 in progress",
            Self::Verifying => "🔎 verifying",
            Self::Queued => "🕓 queued",
            Self::OnHold => "⏸️ on hold",
            Self::Waiting => "⏳ waiting",
            Self::Skipped => "⏭️ skipped",
            Self::Released => "✅ released",
        }
    }

    /// The emoji of the label.
    #[must_use]
    pub fn emoji(self) -> &'static str {
        self.label().split_once(' ').map_or("", |(emoji, _)| emoji)
    }

    /// A number of targets with this status, in words: `2 in progress`.
    #[must_use]
    pub fn count_phrase(self, count: usize) -> String {
        let word = if self == Self::Review && count > 1 { "need review" } else { self.word() };
        format!("{count} {word}")
    }

    /// The words of the label: `in progress`.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.label().split_once(' ').map_or("", |(_, word)| word)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ticket::Reason;

    #[test]
    fn a_word_of_a_newer_release_is_written_back_as_it_was() {
        for value in [json!("awaiting_approval"), json!({ "gate": ["go"] }), json!(7), json!(null)] {
            let word: Word<StartState> = serde_json::from_value(value.clone()).expect("any value is a word");
            assert!(word.is_newer() && word != StartState::Started && !word.is_passive());
            assert_eq!(serde_json::to_value(&word).expect("JSON"), value);
        }
        let word: Word<StartState> = serde_json::from_value(json!("started")).expect("a word");
        assert_eq!(word, StartState::Started);
    }

    #[test]
    fn a_word_with_a_key_that_stands_twice_is_read_the_same_when_it_was_written_back() {
        let text = r#"{ "reason": "refused", "error": "403", "error": "422" }"#;
        let word: Word<Reason> = serde_json::from_str(text).expect("any value is a word");
        let again = serde_json::to_string(&word).expect("JSON");
        assert_eq!(serde_json::from_str::<Word<Reason>>(&again).expect("a word"), word);
    }

    #[test]
    fn targets_that_need_a_review_are_counted_in_plain_words() {
        assert_eq!(
            [1, 2].map(|count| TargetStatus::Review.count_phrase(count)),
            ["1 needs review", "2 need review"]
        );
        assert_eq!(TargetStatus::InProgress.count_phrase(2), "2 in progress");
    }

    #[test]
    fn a_word_of_a_newer_release_outranks_what_is_known() {
        let newer = Word::Newer(json!("neutral"));
        for status in Status::ALL {
            assert!(newer > Word::Known(status));
        }
    }
}
