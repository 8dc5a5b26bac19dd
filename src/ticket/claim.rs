//! Claims: which hub job starts a target, when several want to.
//!
//! A hub job that wants to start a target creates a record that claims it, reads the ticket, and
//! goes on only if no earlier claim stands. Comment ids grow, and whoever created a later claim
//! sees the earlier ones, so exactly one job goes on. A claim whose hub job is over and that
//! records no start is void; but the job may have died right after the request, so the run is
//! looked for before the target is started again.

use super::log::Log;
use super::record::{Start, StartState, Writer};
use crate::names::CommentId;

/// What is known of the hub job behind a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, and will do what it claimed.
    Alive,
    /// It is over: what it has not recorded it will never record.
    Over,
}

/// How a target stands before a hub job starts it.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nobody has started it.
    Free,
    /// It was started.
    Started(Start),
    /// Another hub job claimed it earlier, and is at it.
    Held {
        /// The other job.
        by: Writer,
        /// Its claim.
        claim: CommentId,
    },
    /// It may have been started by claims that record no run: look before starting it again.
    Uncertain(Vec<CommentId>),
}

/// How `target` stands by the claims that were created before `mine`; by all claims if I have none yet.
pub fn standing(
    log: &Log,
    target: &str,
    mine: Option<CommentId>,
    liveness: impl Fn(&Writer) -> Liveness,
) -> Standing {
    let mut started = None;
    let mut held = None;
    let mut uncertain = Vec::new();
    let earlier = log.dispatches().filter(|(comment, _)| mine.is_none_or(|mine| comment.id < mine));
    for (comment, dispatch) in earlier {
        for start in dispatch.targets.iter().filter(|start| start.target == target) {
            match start.state {
                StartState::Yielded | StartState::Refused => {}
                StartState::Started => started = Some(start.clone()),
                StartState::Unknown | StartState::Cancelled => uncertain.push(comment.id),
                StartState::Claimed => match liveness(&dispatch.by) {
                    Liveness::Over => uncertain.push(comment.id),
                    Liveness::Alive => {
                        held.get_or_insert(Standing::Held { by: dispatch.by.clone(), claim: comment.id });
                    }
                },
            }
        }
    }
    match (started, held) {
        (Some(start), _) => Standing::Started(start),
        (None, Some(held)) => held,
        (None, None) if uncertain.is_empty() => Standing::Free,
        (None, None) => Standing::Uncertain(uncertain),
    }
}

/// The other hub jobs whose liveness [`standing`] will ask for.
pub fn claimants(log: &Log, mine: Option<CommentId>) -> impl Iterator<Item = &Writer> {
    log.dispatches()
        .filter(move |(comment, _)| mine.is_none_or(|mine| comment.id < mine))
        .filter(|(_, dispatch)| dispatch.targets.iter().any(|start| start.state == StartState::Claimed))
        .map(|(_, dispatch)| &dispatch.by)
}

/// Whether what `writer` left undone is over, as far as `me` can tell without asking GitHub.
///
/// A run has one attempt at a time, so an older attempt is over. The steps of my own job come one
/// after the other.
#[must_use]
pub fn is_over_for(writer: &Writer, me: &Writer) -> Option<Liveness> {
    if writer == me {
        return Some(Liveness::Over);
    }
    if writer.repository != me.repository || writer.run != me.run {
        return None;
    }
    Some(if writer.attempt < me.attempt { Liveness::Over } else { Liveness::Alive })
}
