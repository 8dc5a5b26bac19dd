//! Notifying on the ticket.

use std::cmp::Reverse;

use super::{Age, age};
use crate::apply;
use crate::github::{GitHub, GitHubError};
use crate::inputs::CommentMode;
use crate::ledger::Ledger;
use crate::names::{CommentId, IssueRef, Login, number};
use crate::plan::{Effect, EffectOutcome};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::ticket::course::{Course, Flapping, PastNotice};
use crate::ticket::{Comment, Log, Notice, Record, Status, Writer, text};

/// The ticket's log, and the way to it.
pub(super) struct Facts<'a> {
    ledger: Ledger<'a>,
    pub(super) log: Log,
}

impl Facts<'_> {
    pub(super) fn ticket(&self) -> &IssueRef {
        self.ledger.ticket()
    }
}

pub(super) async fn read<'a>(ticket: &IssueRef, github: &'a GitHub) -> Result<Facts<'a>, GitHubError> {
    let (ledger, log) = Ledger::read(github, ticket.clone()).await?;
    Ok(Facts { ledger, log })
}

/// The notices of the same failure, and the comments that hold them.
fn same_failure<'a>(log: &'a Log, notice: &'a Notice) -> impl Iterator<Item = (&'a Comment, &'a Notice)> {
    log.notices().filter(|(_, other)| other.fingerprint == notice.fingerprint)
}

/// The course of the same failure by its notices.
pub(super) fn course(log: &Log, notice: &Notice) -> Course {
    let entry = |(comment, other): (&Comment, &Notice)| PastNotice {
        comment: Some(comment.id),
        at: comment.created_at,
        notice: other.clone(),
    };
    same_failure(log, notice).map(entry).collect()
}

/// The effects of a notice that pings `mention`; none if a success resolves nothing.
pub(super) fn decide(
    facts: &Facts<'_>,
    notice: &Notice,
    newest: Age,
    mention: Vec<Login>,
    mode: CommentMode,
) -> Vec<Effect> {
    let (log, ticket) = (&facts.log, facts.ticket());
    let Some((comment, notice)) = place(log, notice, newest, mode) else { return Vec::new() };
    let is_pinged = comment.is_some() && !notice.flapping.is_empty();
    let record = Box::new(Record::Notice(notice.mentioning(if is_pinged { Vec::new() } else { mention })));
    vec![
        Effect::WriteRecord { issue: ticket.clone(), comment, record },
        Effect::UpdateBoard { issue: ticket.clone() },
    ]
}

/// The notice to write and the comment to write it into; nothing if a success resolves nothing.
fn place(log: &Log, notice: &Notice, newest: Age, mode: CommentMode) -> Option<(Option<CommentId>, Notice)> {
    // `newest` is about runs of this repository only.
    let is_believed = |by: &Writer| by.repository != notice.by.repository || age(by) <= newest;
    let newest = same_failure(log, notice)
        .filter(|(_, other)| is_believed(&other.by))
        .max_by_key(|(comment, other)| (other.by.run, other.by.attempt, other.seq, Reverse(comment.id)));
    let is_ours = |other: &Notice| age(&other.by) <= age(&notice.by);
    let course = course(log, notice);
    let is_success = notice.status == Status::Success;
    let resolvable = |other: &Notice| other.status != Status::Success && is_ours(other);
    let resolves = || newest.is_some_and(|(_, other)| resolvable(other));
    if is_success && (!resolves() || course.has_failed_beside(&notice.by)) {
        return None;
    }
    // Each run edits the failure's notice of the run before, and never that of a newer run.
    let ours = newest.filter(|(_, other)| is_ours(other));
    let flapping = ours.map_or(Flapping::No, |_| course.flapping(notice, notice.at));
    let comment_id = match mode {
        _ if flapping.comment().is_some() => flapping.comment(),
        CommentMode::Update => ours.map(|(comment, _)| comment.id),
        CommentMode::New => None,
    };
    let earlier = same_failure(log, notice).find(|(comment, _)| Some(comment.id) == comment_id);
    // Newer than all earlier notices of this job, and of others of its run.
    let highest_seq = newest.map_or(0, |(_, other)| other.seq.min(number::MAX / 2));
    let seq = number::next(log.last_seq(&notice.by).max(highest_seq));
    // The fields that a newer release wrote into it stay.
    let other = earlier.map(|(_, earlier)| earlier.other.clone()).unwrap_or_default();
    let flapping = flapping.times().to_vec();
    Some((comment_id, Notice { seq, other, flapping, ..notice.clone() }))
}

/// Applies the effects; a board that cannot be written is a warning, as the notice is there.
pub(super) async fn apply(
    effects: &[Effect],
    facts: &mut Facts<'_>,
    url: &str,
    receipt: &mut Receipt,
) -> Result<(), GitHubError> {
    let ticket = facts.ledger.ticket().clone();
    if effects.is_empty() {
        tracing::info!(
            "{ticket} has no open failure that this success could resolve, or another job of the run has failed"
        );
        receipt.summary = "The ticket has no open failure.\n".to_owned();
        return Ok(());
    }
    for effect in effects {
        let result = apply::apply(effect, &mut facts.ledger, &mut facts.log).await;
        match (effect, result) {
            (_, Ok(EffectOutcome::Written(comment))) => {
                receipt.is_delivered = Some(comment.is_trusted);
                if !comment.is_trusted {
                    receipt.problems.push(comment.author_problem(&ticket.repository));
                }
                let Comment { id, url: comment_url, .. } = comment;
                receipt.comment = Some((id.0, comment_url));
                receipt.issue = receipt.ticket.clone();
                receipt.summary = format!("Notified on {}.\n", text::link(&ticket.to_string(), url));
                tracing::info!("notified on {ticket}");
            }
            (Effect::UpdateBoard { .. }, Err(error)) => {
                Problem::of(&format!("the board of {ticket} is not up to date"), &error).warn();
            }
            (_, Err(error)) => return Err(error),
            (_, Ok(_)) => {}
        }
    }
    Ok(())
}
