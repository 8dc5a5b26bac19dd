//! Second starts: runs of a target that a hub job started although another claim came first.
//!
//! Claims settle which job starts a target, if GitHub's replicas show them in time. This module finds the starts that got
//! through all the same, by one rule for every reader of the ticket: if several claims record a start of the same target
//! after the same failure, the earliest counts.

use std::collections::BTreeMap;

use super::record::{Dispatch, Start};
use super::status::{StartState, Word};
use super::writer::Writer;
use crate::names::{CommentId, RepoName, RunId, TargetName};

/// A run of a target that came second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondStart {
    /// The target's name.
    pub target: TargetName,
    /// The run that came first, in the browser; `None` if GitHub does not say which run that is.
    pub first_url: Option<String>,
    /// The later claim's comment.
    pub claim: CommentId,
    /// The author of that comment.
    pub author: Option<String>,
    /// The hub job that wrote the claim.
    pub by: Writer,
    /// The repository of the second run.
    pub repository: RepoName,
    /// The second run; `None` if GitHub does not say which run that is.
    pub run: Option<RunId>,
    /// The second run in the browser.
    pub run_url: Option<String>,
    /// Whether a hub job has cancelled the run, and recorded that it came second.
    pub is_settled: bool,
}

/// The second starts among `claims`, which have their authors and are in the order of their ids.
pub(super) fn second_starts<'a>(
    claims: impl Iterator<Item = (CommentId, Option<&'a str>, &'a Dispatch)>,
) -> Vec<SecondStart> {
    let starts = claims.flat_map(|(claim, author, dispatch)| {
        dispatch.targets.iter().map(move |start| (claim, author, dispatch, start))
    });
    let mut first_starts: BTreeMap<(&TargetName, Option<CommentId>, Option<&str>), &Start> = BTreeMap::new();
    let mut second_starts: Vec<SecondStart> = Vec::new();
    let mut by_run: BTreeMap<(&TargetName, RunId), usize> = BTreeMap::new();
    for (claim, author, dispatch, start) in starts {
        // Claims of one account do not make a start of another account a second one.
        let key = (&start.target, start.repeats, author);
        let is_second = match (&start.state, first_starts.get(&key)) {
            (Word::Known(StartState::Superseded), _) => true,
            // A job that finds the run of a dead job records it once more.
            (Word::Known(StartState::Started), Some(first)) => start.run.is_none() || start.run != first.run,
            (Word::Known(StartState::Started), None) => {
                first_starts.insert(key, start);
                false
            }
            _ => false,
        };
        if !is_second {
            continue;
        }
        let is_settled = start.state == StartState::Superseded;
        if let Some(index) = start.run.and_then(|run| by_run.get(&(&start.target, run))) {
            second_starts[*index].is_settled |= is_settled;
            continue;
        }
        by_run.extend(start.run.map(|run| ((&start.target, run), second_starts.len())));
        second_starts.push(SecondStart {
            target: start.target.clone(),
            first_url: first_starts.get(&key).and_then(|first| first.run_url.clone()),
            claim,
            author: author.map(str::to_owned),
            by: dispatch.by.clone(),
            repository: start.repository.clone(),
            run: start.run,
            run_url: start.run_url.clone(),
            is_settled,
        });
    }
    second_starts
}
