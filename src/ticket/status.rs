//! The words of the wire: how a stage, a start and a target stand.
//!
//! Jobs pinned to an old release of the action read tickets that newer releases write, so no word is
//! ever refused: one that this release does not know is kept as it is ([`Word::Newer`]), written back,
//! and means "held, by a newer release": never free, never absent, never less than what is known.

use std::cmp::Ordering;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A word as a record holds it: one that this release knows, or one that a newer release wrote.
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
    pub fn known(&self) -> Option<&T> {
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

    /// The word of a newer release as people can read it.
    pub(super) fn newer_text(&self) -> Option<String> {
        match self {
            Self::Known(_) => None,
            Self::Newer(Value::String(word)) => Some(word.clone()),
            Self::Newer(value) => Some(value.to_string()),
        }
    }
}

/// Read as a value first, in which each key stands once: what is written back is then read as the same again.
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
        self.known() == Some(other)
    }
}

/// A word that only a newer release knows outranks all others: it may mean more than any of them.
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

/// How a stage stands.
///
/// The order is that in which states of the same stage from different jobs of one attempt outrank
/// each other: a failure in one job of a matrix is not hidden by the success of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Will run.
    Queued,
    /// Runs.
    InProgress,
    /// Left out on purpose.
    Skipped,
    /// Ended well.
    Success,
    /// Was stopped.
    Cancelled,
    /// Ended badly.
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

    /// What a [conclusion](https://docs.github.com/rest/actions/workflow-runs) of GitHub comes to; none if it is a new
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

    /// Emoji and words, as people read it.
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

    /// Whether no later attempt has to do it again.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Success | Self::Skipped)
    }
}

impl Word<Status> {
    /// Emoji and words, as people read it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.known().map_or("🔒 held", |status| status.label())
    }

    /// Whether no later attempt has to do it again.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.known().is_some_and(|status| status.is_good())
    }
}

/// How far the start of a target has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartState {
    /// Not claimed yet.
    Waiting,
    /// Claimed: it will be started, or is being started right now.
    Claimed,
    /// Left to another hub job, whose claim came first.
    Yielded,
    /// The hub job was cancelled before it could tell.
    Cancelled,
    /// GitHub took it, and another hub job's claim came first: it does not count, and was cancelled.
    Superseded,
    /// An earlier ticket of the same release, which is closed, has released the target.
    TakenOver,
    /// GitHub took it.
    Started,
    /// GitHub refused it; nothing runs.
    Refused,
    /// Nobody can tell whether it runs.
    Unknown,
}

impl StartState {
    /// The state in a word or a few.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Yielded => "left to another job",
            Self::Cancelled => "cancelled",
            Self::Superseded => "started second",
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

    /// Whether it settles who starts the target by this ticket, or that nobody does.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Yielded | Self::Superseded)
    }
}

impl Word<StartState> {
    /// Whether it settles who starts the target by this ticket, or that nobody does.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.known().is_none_or(|state| state.is_settled())
    }

    /// The state in a word or a few.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.known().map_or("held", |state| state.word())
    }

    /// Whether the hub job that wrote it will not start the target by this entry.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.known().is_some_and(|state| state.is_passive())
    }
}

/// How a target stands.
///
/// The order is that of the board: the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetStatus {
    /// A stage failed, or the target could not be started.
    Failed,
    /// A stage was cancelled.
    Cancelled,
    /// A word that this release does not know decides: a newer release has it in hand.
    Held,
    /// Its run waits until somebody approves it.
    Review,
    /// Its run is under way.
    InProgress,
    /// Its run has ended well, and a hub job verifies what it has made.
    Verifying,
    /// Started, and nothing was heard of it yet.
    Queued,
    /// Not started, as somebody holds it.
    OnHold,
    /// Not started: something has to happen before.
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

    /// Whether the run of the target goes on.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Review | Self::InProgress | Self::Queued)
    }

    /// Whether the target has been started, or is through without that.
    #[must_use]
    pub fn is_started(self) -> bool {
        !matches!(self, Self::Waiting | Self::OnHold)
    }

    /// Whether the target is through: nothing more is expected of it.
    #[must_use]
    pub fn is_released(self) -> bool {
        matches!(self, Self::Released | Self::Skipped)
    }

    /// Whether somebody has to act.
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

    /// The emoji alone.
    #[must_use]
    pub fn emoji(self) -> &'static str {
        self.label().split_once(' ').map_or("", |(emoji, _)| emoji)
    }

    /// So many targets that stand so: `2 in progress`.
    #[must_use]
    pub fn counted(self, count: usize) -> String {
        let word = if self == Self::Review && count > 1 { "need review" } else { self.word() };
        format!("{count} {word}")
    }

    /// The word alone: `in progress`.
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
            [1, 2].map(|count| TargetStatus::Review.counted(count)),
            ["1 needs review", "2 need review"]
        );
        assert_eq!(TargetStatus::InProgress.counted(2), "2 in progress");
    }

    #[test]
    fn a_word_of_a_newer_release_outranks_what_is_known() {
        let newer = Word::Newer(json!("neutral"));
        for status in Status::ALL {
            assert!(newer > Word::Known(status));
        }
    }
}
