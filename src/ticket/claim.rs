//! Claims: of several hub jobs that want to start a target, one does.
//!
//! A hub job that wants to start a target creates a record that claims it, reads the ticket until a list shows
//! that record, and goes on only if no earlier claim stands. If comment ids grow, and a list that shows a
//! claim shows those before it, exactly one job goes on; [`super::second`] finds second starts if they do not. A
//! claim without a start, by a hub job that has ended, is void; but the job may have died right after the request, so
//! the next job looks for the run before it starts the target again.
//!
//! Only claims of this hub's own identity count. A claim by another account stops no job from starting the target; the
//! job only looks for the run first, because the hub may have used another account before.
//!
//! A target whose run failed is started again by the same rules: the claims up to the failed start are history, and
//! only later claims count.

use super::basis::Basis;
use super::log::{Comment, Log};
use super::record::{Dispatch, Start};
use super::status::{StartState, Word};
use super::writer::Writer;
use crate::names::{CommentId, RunId, TargetName};

/// The state of the hub job behind a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It runs, and will start what it claimed.
    Alive,
    /// It runs, and starts nothing by its claim: another job has the git reference that it would need.
    Idle,
    /// It has ended, and records nothing more.
    Ended,
}

/// The state of a target before a hub job starts it.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// No job has started it.
    Free,
    /// It was started.
    Started {
        /// The run; `None` if GitHub did not name it.
        run: Option<RunId>,
        /// The run in the browser.
        run_url: Option<String>,
    },
    /// Another hub job claimed it earlier, and is about to start it.
    ClaimedFirst {
        /// The other job.
        by: Writer,
        /// Its claim.
        claim: CommentId,
    },
    /// Another hub job has its git reference, and no claim says which job that is.
    Locked {
        /// The reference.
        by: String,
    },
    /// It may have been started by claims that record no run: look before starting it again.
    Uncertain(Vec<CommentId>),
    /// Only other accounts than this hub's claim it: look before starting it.
    ClaimedByOthers(Vec<CommentId>),
    /// A record that this release cannot read may hold it.
    Unreadable(CommentId),
}

/// The range of claims on a target that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counting {
    /// The claim of the failed run, after which they begin; `None`: they begin with the first.
    pub after: Option<CommentId>,
    /// This job's own claim, before which they end; `None`: it has no claim yet, and all count.
    pub before: Option<CommentId>,
    /// One claim that does not count.
    pub except: Option<CommentId>,
}

impl Counting {
    fn holds(self, claim: CommentId) -> bool {
        self.after.is_none_or(|after| claim > after)
            && self.before.is_none_or(|before| claim < before)
            && self.except != Some(claim)
    }
}

/// The claims on a ticket: those of this hub's own identity, and those of other accounts.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The ticket's log.
    pub log: &'a Log,
    /// The basis that names this hub's account.
    pub basis: &'a Basis,
}

impl<'a> Claims<'a> {
    /// The claims of this hub's own identity, oldest first.
    pub fn own(self) -> impl Iterator<Item = (&'a Comment, &'a Dispatch)> {
        self.log.dispatches().filter(move |(comment, _)| self.basis.is_own(comment.author.as_deref()))
    }

    /// The newest of the hub's own claims for which `has` holds: by its run, its attempt and its sequence number.
    pub fn newest(self, has: impl Fn(&Dispatch) -> bool) -> Option<&'a Dispatch> {
        let records = self.own().map(|(_, record)| record).filter(|record| has(record));
        records.max_by_key(|record| (record.by.run, record.by.attempt, record.seq))
    }

    /// The claims of other accounts, oldest first; none until this step knows its own identity.
    pub fn of_others(self) -> impl Iterator<Item = (&'a Comment, &'a Dispatch)> {
        let dispatches = self.log.dispatches().filter(move |_| self.basis.identity.is_some());
        dispatches.filter(move |(comment, _)| !self.basis.is_own(comment.author.as_deref()))
    }
}

/// The state of `target` by the claims that count.
pub fn standing(
    claims: Claims<'_>,
    target: &TargetName,
    counting: Counting,
    liveness: impl Fn(&Writer) -> Liveness,
) -> Standing {
    let mut own_start = None;
    let mut holder = None;
    let mut unreadable = claims.log.unreadable_hold(target, claims.basis);
    let mut uncertain = Vec::new();
    for (comment, dispatch) in claims.own().filter(|(comment, _)| counting.holds(comment.id)) {
        for start in dispatch.targets.iter().filter(|start| start.target == *target) {
            match &start.state {
                // It waits for a reason that only a newer release knows.
                Word::Known(StartState::Waiting) if start.reason.as_ref().is_some_and(Word::is_newer) => {
                    unreadable.get_or_insert(comment.id);
                }
                Word::Known(
                    StartState::Waiting | StartState::Yielded | StartState::Superseded | StartState::Refused,
                ) => {}
                Word::Known(StartState::Started | StartState::TakenOver) => {
                    let (run, run_url) = (start.run, start.run_url.clone());
                    own_start.get_or_insert(Standing::Started { run, run_url });
                }
                Word::Known(StartState::Unknown | StartState::Cancelled) => uncertain.push(comment.id),
                Word::Known(StartState::Claimed) => match liveness(&dispatch.by) {
                    Liveness::Ended => uncertain.push(comment.id),
                    Liveness::Idle => {}
                    Liveness::Alive => {
                        holder.get_or_insert(Standing::ClaimedFirst {
                            by: dispatch.by.clone(),
                            claim: comment.id,
                        });
                    }
                },
                Word::Newer(_) => {
                    unreadable.get_or_insert(comment.id);
                }
            }
        }
    }
    match (own_start, unreadable, holder) {
        (Some(start), _, _) => start,
        (None, Some(comment), _) => Standing::Unreadable(comment),
        (None, None, Some(holder)) => holder,
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

/// A comment id before all others. It stands for the claim of a failed run where that comment is gone.
pub const BEFORE_ALL: CommentId = CommentId(0);

/// The claim that started `target`'s `failed_run`. For a new start, this claim and all before it are history.
#[must_use]
pub fn start_of(claims: Claims<'_>, target: &TargetName, failed_run: Option<RunId>) -> Option<CommentId> {
    // Run ids grow. A start without a run id was an event, which came before the failure.
    let is_that_start = |start: &Start| {
        let is_early = failed_run.is_none_or(|failed_run| start.run.is_none_or(|run| run <= failed_run));
        let is_start = start.state == StartState::Started || start.state == StartState::TakenOver;
        start.target == *target && is_start && is_early
    };
    let starts = claims.own().filter(|(_, dispatch)| dispatch.targets.iter().any(is_that_start));
    starts.map(|(comment, _)| comment.id).max()
}

/// The hub jobs whose liveness [`standing`] needs.
pub fn claimants(claims: Claims<'_>, before: Option<CommentId>) -> impl Iterator<Item = &Writer> {
    claims
        .own()
        .filter(move |(comment, _)| Counting { before, ..Counting::default() }.holds(comment.id))
        .filter(|(_, dispatch)| dispatch.targets.iter().any(|start| start.state == StartState::Claimed))
        .map(|(_, dispatch)| &dispatch.by)
}

/// Whether the hub job `writer` is still at work, if `me` can say so without a question to GitHub.
///
/// A run has one attempt at a time, so an older attempt has ended. The steps of one job run one after the other, so an
/// earlier step of `me` has ended.
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
