//! Claims: which hub job starts a target, when several want to.
//!
//! A hub job that wants to start a target creates a record that claims it, reads the ticket until a list shows
//! that record, and goes on only if no earlier claim stands. Where comment ids grow, and a list that shows a
//! claim shows those before it, exactly one job goes on; [`super::second`] finds what gets through otherwise. A
//! claim whose hub job is over and that records no start is void; but the job may have died right after the
//! request, so the run is looked for before the target is started again.
//!
//! Only claims of this hub's own identity count. What another account claims keeps nobody from starting the target,
//! and makes a job look for the run first: the account of the hub may have been another one.
//!
//! A target whose run failed is started again by the same rules: what was claimed up to the failed
//! start is history, and only later claims count.

use super::basis::Basis;
use super::log::{Comment, Log};
use super::record::{Dispatch, Start};
use super::status::{StartState, Word};
use super::writer::Writer;
use crate::names::{CommentId, RunId, TargetName};

/// What is known of the hub job behind a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It runs, and will do what it claimed.
    Alive,
    /// It runs, and starts nothing by its claim: another job has the reference that it would need.
    Idle,
    /// It has ended: what it has not recorded it will never record.
    Ended,
}

/// How a target stands before a hub job starts it.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nobody has started it.
    Free,
    /// It was started.
    Started {
        /// As this run, if GitHub said so.
        run: Option<RunId>,
        /// The run in the browser.
        run_url: Option<String>,
    },
    /// Another hub job claimed it earlier, and is at it.
    Held {
        /// The other job.
        by: Writer,
        /// Its claim.
        claim: CommentId,
    },
    /// Another hub job has its git reference, and no claim tells which job that is.
    Locked {
        /// The reference.
        by: String,
    },
    /// It may have been started by claims that record no run: look before starting it again.
    Uncertain(Vec<CommentId>),
    /// Other accounts than this hub's say that they claimed it: look before starting it.
    ClaimedByOthers(Vec<CommentId>),
    /// A record that this release cannot read may hold it.
    Unreadable(CommentId),
}

/// Which claims on a target count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counting {
    /// Those created after this one, whose run has failed; none: all from the first on.
    pub after: Option<CommentId>,
    /// Those created before my own; none: all, as I have none yet.
    pub before: Option<CommentId>,
    /// All but this one.
    pub except: Option<CommentId>,
}

impl Counting {
    fn holds(self, claim: CommentId) -> bool {
        self.after.is_none_or(|after| claim > after)
            && self.before.is_none_or(|before| claim < before)
            && self.except != Some(claim)
    }
}

/// The claims on a ticket, as those of this hub's own identity and those of others.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The ticket's log.
    pub log: &'a Log,
    /// Which account is this hub's.
    pub basis: &'a Basis,
}

impl<'a> Claims<'a> {
    /// The claims of this hub's own identity, oldest first.
    pub fn own(self) -> impl Iterator<Item = (&'a Comment, &'a Dispatch)> {
        self.log.dispatches().filter(move |(comment, _)| self.basis.is_own(comment.author.as_deref()))
    }

    /// The newest of these that has something, by its run, its attempt, and how often it was written.
    pub fn newest(self, has: impl Fn(&Dispatch) -> bool) -> Option<&'a Dispatch> {
        let having = self.own().map(|(_, record)| record).filter(|record| has(record));
        having.max_by_key(|record| (record.by.run, record.by.attempt, record.seq))
    }

    /// The claims of other accounts, oldest first; none while the own identity is not known.
    pub fn of_others(self) -> impl Iterator<Item = (&'a Comment, &'a Dispatch)> {
        let dispatches = self.log.dispatches().filter(move |_| self.basis.identity.is_some());
        dispatches.filter(move |(comment, _)| !self.basis.is_own(comment.author.as_deref()))
    }
}

/// How `target` stands by the claims that count.
pub fn standing(
    claims: Claims<'_>,
    target: &TargetName,
    counting: Counting,
    liveness: impl Fn(&Writer) -> Liveness,
) -> Standing {
    let mut started = None;
    let mut held = None;
    let mut unreadable = claims.log.unreadable_hold(target, claims.basis);
    let mut uncertain = Vec::new();
    for (comment, dispatch) in claims.own().filter(|(comment, _)| counting.holds(comment.id)) {
        for start in dispatch.targets.iter().filter(|start| start.target == *target) {
            match &start.state {
                // It waits for what only a newer release knows.
                Word::Known(StartState::Waiting) if start.because.as_ref().is_some_and(Word::is_newer) => {
                    unreadable.get_or_insert(comment.id);
                }
                Word::Known(
                    StartState::Waiting | StartState::Yielded | StartState::Superseded | StartState::Refused,
                ) => {}
                Word::Known(StartState::Started | StartState::TakenOver) => {
                    let (run, run_url) = (start.run, start.run_url.clone());
                    started.get_or_insert(Standing::Started { run, run_url });
                }
                Word::Known(StartState::Unknown | StartState::Cancelled) => uncertain.push(comment.id),
                Word::Known(StartState::Claimed) => match liveness(&dispatch.by) {
                    Liveness::Ended => uncertain.push(comment.id),
                    Liveness::Idle => {}
                    Liveness::Alive => {
                        held.get_or_insert(Standing::Held { by: dispatch.by.clone(), claim: comment.id });
                    }
                },
                Word::Newer(_) => {
                    unreadable.get_or_insert(comment.id);
                }
            }
        }
    }
    match (started, unreadable, held) {
        (Some(started), _, _) => started,
        (None, Some(comment), _) => Standing::Unreadable(comment),
        (None, None, Some(held)) => held,
        (None, None, None) if !uncertain.is_empty() => Standing::Uncertain(uncertain),
        (None, None, None) => {
            let others = claims.of_others().filter(|(comment, _)| counting.holds(comment.id));
            let others: Vec<CommentId> = others
                .filter(|(_, claim)| may_have_started(claim, target))
                .map(|(comment, _)| comment.id)
                .collect();
            if others.is_empty() { Standing::Free } else { Standing::ClaimedByOthers(others) }
        }
    }
}

fn may_have_started(claim: &Dispatch, target: &TargetName) -> bool {
    let is_nothing = |state: &Word<StartState>| !state.is_settled() || *state == StartState::Refused;
    claim.targets.iter().any(|start| start.target == *target && !is_nothing(&start.state))
}

/// Before all comments: in the place of the claim that started a failed run, where that is gone.
pub const BEFORE_ALL: CommentId = CommentId(0);

/// The claim that started `target`'s run `failed`: what came up to it is history for a new start.
#[must_use]
pub fn start_of(claims: Claims<'_>, target: &TargetName, failed: Option<RunId>) -> Option<CommentId> {
    // Run ids grow. A run that nobody tells was started by an event, before it failed.
    let is_it = |start: &Start| {
        let not_later = failed.is_none_or(|failed| start.run.is_none_or(|run| run <= failed));
        let is_start = start.state == StartState::Started || start.state == StartState::TakenOver;
        start.target == *target && is_start && not_later
    };
    let starts = claims.own().filter(|(_, dispatch)| dispatch.targets.iter().any(is_it));
    starts.map(|(comment, _)| comment.id).max()
}

/// The hub jobs whose liveness [`standing`] will ask for.
pub fn claimants(claims: Claims<'_>, before: Option<CommentId>) -> impl Iterator<Item = &Writer> {
    claims
        .own()
        .filter(move |(comment, _)| Counting { before, ..Counting::default() }.holds(comment.id))
        .filter(|(_, dispatch)| dispatch.targets.iter().any(|start| start.state == StartState::Claimed))
        .map(|(_, dispatch)| &dispatch.by)
}

/// Whether the hub job `writer` is still at work, as far as `me` knows without asking GitHub.
///
/// A run has one attempt at a time, so an older attempt has ended. The steps of my own job come one
/// after the other.
#[must_use]
pub fn liveness_without_asking(writer: &Writer, me: &Writer) -> Option<Liveness> {
    if writer == me {
        return Some(Liveness::Ended);
    }
    if writer.repository != me.repository || writer.run != me.run {
        return None;
    }
    Some(if writer.attempt < me.attempt { Liveness::Ended } else { Liveness::Alive })
}
