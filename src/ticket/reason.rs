//! Reasons against a start: one type and one wording, for records, boards, logs and plans.
//!
//! A record keeps the reason as data beside the state of a start. A reason that a later release adds
//! needs no new state: this release keeps it and reads it as "held" ([`super::status::Word`]).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::status::{TargetStatus, Word};
use crate::names::{CommentId, Login, TargetName};
use crate::problem::{Advice, Topic};

/// Why a target is not started, or not started again.
///
/// A field that this release does not know may be one more reason, so it makes the whole a reason of a newer
/// release.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// Other targets have to be released before.
    Needs {
        /// The targets that are not released yet.
        targets: Vec<TargetName>,
    },
    /// Another hub job claimed it first.
    Claimed {
        /// That job's run in the browser.
        run_url: String,
    },
    /// Another hub job has its git reference, and no claim names that job.
    Locked {
        /// The reference.
        by: String,
    },
    /// A run of it was started already.
    Started {
        /// The run in the browser; `None` if an event started it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
        /// The target's status, if the clause mentions it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<TargetStatus>,
    },
    /// A run of it was started already, and deleted before its conclusion was recorded.
    Deleted {
        /// The former page of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
    },
    /// It was started a second time, and the run of an earlier claim counts.
    Second {
        /// The run that counts, in the browser; `None` if GitHub does not say which run that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_url: Option<String>,
    },
    /// It is released or skipped already.
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
        /// GitHub's error, or the problem with the inputs.
        error: String,
        /// Help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// It may have been started: GitHub's answer was unclear.
    Unclear {
        /// The unclear answer.
        error: String,
        /// The runs that could be the one, in the browser.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        runs: Vec<String>,
        /// Help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        help: Option<String>,
    },
    /// A person holds it.
    OnHold {
        /// The person.
        by: Login,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A person has skipped it.
    Skipped {
        /// The person.
        by: Login,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// No target is started within a freeze.
    Frozen {
        /// The end of the freeze.
        to: DateTime<Utc>,
        /// The reason for the freeze.
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
    /// The reason as a clause behind the name of the target and a colon: `it waits for web and api`. `name` renders the
    /// name of another target.
    #[must_use]
    pub fn clause(&self, name: impl Fn(&TargetName) -> String) -> String {
        match self {
            Self::Needs { targets } => {
                format!("it waits for {}", and(&targets.iter().map(name).collect::<Vec<_>>()))
            }
            Self::Claimed { run_url } => format!("another hub job claimed it first: {run_url}"),
            Self::Locked { by } => format!(
                "another hub job has claimed it by the reference `{by}`, but no comment names that job"
            ),
            Self::Started { run_url, status } => match status.filter(|status| status.is_bad()) {
                None => match run_url {
                    Some(run) => format!("it was already started: {run}"),
                    None => "an event has already started it".to_owned(),
                },
                Some(status) => {
                    let run = run_url.as_deref().unwrap_or("its run");
                    let jobs = match status {
                        TargetStatus::Cancelled => run.to_owned(),
                        _ => format!("the failed jobs of {run}"),
                    };
                    format!(
                        "it was already started and {}; re-run {jobs}, or set `retry-failed: true` for a new run",
                        status.word()
                    )
                }
            },
            Self::Deleted { run_url } => format!(
                "its run{} was deleted, so GitHub does not say how it ended; if it is not released, set \
                 `retry-failed: true` for a new run",
                run_url.as_ref().map(|url| format!(" {url}")).unwrap_or_default()
            ),
            Self::Second { run_url } => {
                let first = run_url.as_deref().unwrap_or("an earlier start");
                format!("it was started twice; {first} came first, so the second run does not count")
            }
            Self::Released { status } => format!("it is already {}", status.word()),
            Self::TakenOver { ticket, status } => format!("{ticket} has {} it", status.word()),
            Self::Refused { error, .. } => error.clone(),
            Self::Unclear { error, runs, .. } if runs.is_empty() => error.clone(),
            Self::Unclear { error, runs, .. } => {
                format!("{error}; its run could be here: {}", runs.join(" "))
            }
            Self::OnHold { by, why } => format!("{by} holds it{}", clause_end(why)),
            Self::Skipped { by, why } => format!("{by} has skipped it{}", clause_end(why)),
            Self::Frozen { to, why } => {
                format!("nothing is started before {}{}", to.format("%Y-%m-%d %H:%M UTC"), clause_end(why))
            }
            Self::Unreadable { comment } => format!(
                "a newer release of the action wrote comment {comment} of the ticket, which may hold it; update the action"
            ),
        }
    }

    /// The clause as text for a log.
    #[must_use]
    pub fn plain(&self) -> String {
        self.clause(ToString::to_string)
    }

    /// Help; `None` if the clause has it.
    #[must_use]
    pub fn help(&self) -> Option<Advice> {
        let (topic, text) = match self {
            Self::Refused { help, .. } => (Topic::Start, help.as_deref()?),
            Self::Unclear { help, .. } => (Topic::UnclearStart, help.as_deref()?),
            Self::Locked { .. } => {
                (Topic::Claim, "if no hub job is at work, delete that reference, and dispatch again")
            }
            Self::Needs { .. } => (
                Topic::Target,
                "run this dispatch again when that is released: by hand, on a schedule, or set `wait: true`",
            ),
            Self::OnHold { .. } | Self::Skipped { .. } => {
                (Topic::Target, "to start it, comment `/release resume` with the target's name on the ticket")
            }
            Self::Frozen { .. } => (
                Topic::Target,
                "run this dispatch again after that, or comment `/release override-freeze : reason` on the ticket",
            ),
            _ => return None,
        };
        Some(topic.advice(text))
    }

    /// Whether the target is started when the reason ends.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Needs { .. } | Self::OnHold { .. } | Self::Skipped { .. } | Self::Frozen { .. })
    }

    /// Whether the target failed by it: a person has to act.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unclear { .. } | Self::Locked { .. })
    }
}

impl Word<Reason> {
    /// As [`Reason::help`]; `None` for a reason of a newer release.
    #[must_use]
    pub fn help(&self) -> Option<Advice> {
        match self {
            Self::Known(reason) => reason.help(),
            Self::Newer(_) => None,
        }
    }

    /// As [`Reason::clause`]; the clause of a newer release's reason says so.
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
fn clause_end(why: &Option<String>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_run_is_named_by_its_former_page_if_the_page_is_known() {
        let clause = |run_url: Option<&str>| Reason::Deleted { run_url: run_url.map(str::to_owned) }.plain();
        assert!(
            clause(Some("https://github.com/x")).starts_with("its run https://github.com/x was deleted, ")
        );
        assert!(clause(None).starts_with("its run was deleted, "));
    }
}
