//! Why a target is not started: one type and one wording, for records, boards, logs and plans.
//!
//! A record keeps the reason as data beside the state of a start. A reason that a later release adds
//! needs no new state: this release keeps it and reads it as "held" ([`super::status::Word`]).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::status::{TargetStatus, Word};
use crate::names::{CommentId, Login, TargetName};

/// Why a target is not started, or not started again.
///
/// A field that this release does not know may be one more reason, so it makes the whole a reason of a newer
/// release.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// Other targets have to be released before.
    Needs {
        /// Those that are not released yet.
        targets: Vec<TargetName>,
    },
    /// Another hub job claimed it first.
    Claimed {
        /// That job's run in the browser.
        run_url: String,
    },
    /// Another hub job has its git reference, and no claim tells which job that is.
    Locked {
        /// The reference.
        by: String,
    },
    /// A run of it was started already.
    Started {
        /// The run in the browser; none if it was started by an event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
        /// How the target stands, if that is worth saying.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<TargetStatus>,
    },
    /// A run of it was started already, and deleted before it was known how it ended.
    Deleted {
        /// Where the run was in the browser.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
    },
    /// It was started a second time, and the run of an earlier claim counts.
    Second {
        /// The run that counts, in the browser; none if GitHub does not say which it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
    },
    /// It is through already.
    Released {
        /// Released, or skipped.
        status: TargetStatus,
    },
    /// An earlier ticket of the same release, which is closed, has released it.
    TakenOver {
        /// That ticket, `owner/name#7`.
        ticket: String,
        /// Released, or skipped.
        status: TargetStatus,
    },
    /// GitHub refused the start, or the inputs cannot be written.
    Refused {
        /// What was refused.
        error: String,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// It may have been started, and nothing tells whether it was.
    Unclear {
        /// What happened.
        error: String,
        /// The runs that could be the one, in the browser.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        runs: Vec<String>,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// Somebody has decided that it waits.
    OnHold {
        /// Who.
        by: Login,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody has decided that it counts as over.
    Skipped {
        /// Who.
        by: Login,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Nothing is started within a freeze.
    Frozen {
        /// Its end.
        to: DateTime<Utc>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A record that this release of the action cannot read may hold it.
    Unreadable {
        /// The comment with that record.
        comment: CommentId,
    },
}

impl Reason {
    /// What follows the name of the target and a colon: `it waits for web and api`. `name` renders
    /// the name of another target.
    #[must_use]
    pub fn clause(&self, name: impl Fn(&TargetName) -> String) -> String {
        match self {
            Self::Needs { targets } => {
                format!("it waits for {}", and(&targets.iter().map(name).collect::<Vec<_>>()))
            }
            Self::Claimed { run_url } => format!("another hub job claimed it first: {run_url}"),
            Self::Locked { by } => format!(
                "another hub job has claimed it by the reference `{by}`, and no comment tells which job that is"
            ),
            Self::Started { run_url, status } => {
                let run = run_url.as_deref().unwrap_or("an event");
                match status.filter(|status| status.is_bad()) {
                    None => format!("it was started already by {run}"),
                    Some(status) => {
                        let run = run_url.as_deref().unwrap_or("its run");
                        let what = match status {
                            TargetStatus::Cancelled => run.to_owned(),
                            _ => format!("the failed jobs of {run}"),
                        };
                        format!(
                            "it was started already and {}; re-run {what}, or set `retry-failed: true` for a new run",
                            status.word()
                        )
                    }
                }
            }
            Self::Deleted { run_url } => format!(
                "its run {} was deleted, so GitHub does not say how it ended; if it is not released, set \
                 `retry-failed: true` for a new run",
                run_url.as_deref().unwrap_or_default()
            ),
            Self::Second { run_url } => {
                let first = run_url.as_deref().unwrap_or("an earlier start");
                format!("it was started twice; {first} came first, so the second run does not count")
            }
            Self::Released { status } => format!("it is {} already", status.word()),
            Self::TakenOver { ticket, status } => format!("{ticket} has {} it", status.word()),
            Self::Refused { error, .. } => error.clone(),
            Self::Unclear { error, runs, .. } if runs.is_empty() => error.clone(),
            Self::Unclear { error, runs, .. } => {
                format!("{error}; its run could be here: {}", runs.join(" "))
            }
            Self::OnHold { by, why } => format!("{by} holds it{}", said(why)),
            Self::Skipped { by, why } => format!("{by} has skipped it{}", said(why)),
            Self::Frozen { to, why } => {
                format!("nothing is started before {}{}", to.format("%Y-%m-%d %H:%M UTC"), said(why))
            }
            Self::Unreadable { comment } => format!(
                "a newer release of the action wrote comment {comment} of the ticket, which may hold it; update the action"
            ),
        }
    }

    /// The same as text for a log.
    #[must_use]
    pub fn plain(&self) -> String {
        self.clause(ToString::to_string)
    }

    /// What to do about it, where the clause does not say it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Refused { help, .. } | Self::Unclear { help, .. } => help.as_deref(),
            Self::Locked { .. } => {
                Some("if no hub job is at work, delete that reference, and dispatch again")
            }
            Self::Needs { .. } => Some(
                "run this dispatch again when that is released: by hand, on a schedule, or set `wait: true`",
            ),
            Self::OnHold { .. } | Self::Skipped { .. } => {
                Some("comment `/release resume` with the target's name on the ticket, and it is started")
            }
            Self::Frozen { .. } => Some(
                "run this dispatch again after that, or comment `/release override-freeze : reason` on the ticket",
            ),
            _ => None,
        }
    }

    /// Whether the target is started once this is over.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Needs { .. } | Self::OnHold { .. } | Self::Skipped { .. } | Self::Frozen { .. })
    }

    /// Whether the target failed by it: somebody has to act.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unclear { .. } | Self::Locked { .. })
    }
}

impl Word<Reason> {
    /// As [`Reason::help`]; of a reason of a newer release nothing is known.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Known(reason) => reason.help(),
            Self::Newer(_) => None,
        }
    }

    /// As [`Reason::clause`]; a reason of a newer release says that it is one.
    #[must_use]
    pub fn clause(&self, name: impl Fn(&TargetName) -> String) -> String {
        match self {
            Self::Known(reason) => reason.clause(name),
            Self::Newer(value) => {
                let word = value.get("reason").and_then(|word| word.as_str()).unwrap_or("a reason");
                format!("`{word}`, a reason that only a newer release of the action knows")
            }
        }
    }
}

/// `: the reason`, where there is one.
fn said(why: &Option<String>) -> String {
    why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
}

/// `web`, `web and api`, `web, api and docs`.
pub(crate) fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
