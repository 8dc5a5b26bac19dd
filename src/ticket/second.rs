//! Second starts: runs of a target that a hub job started although another claim came first.
//!
//! Claims settle who starts a target, as far as the replicas of GitHub show them in time. A start that got
//! through all the same is found here, by one rule that every reader of the ticket comes to: of the claims
//! that record a start of the same target, after the same failure, the earliest counts.

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
    /// The run that came first, in the browser; none if GitHub does not say which it is.
    pub first_url: Option<String>,
    /// The later claim.
    pub claim: CommentId,
    /// Its author.
    pub author: Option<String>,
    /// The hub job that wrote it.
    pub by: Writer,
    /// Where the second run is.
    pub repository: RepoName,
    /// The second run; none if GitHub does not say which it is.
    pub run: Option<RunId>,
    /// The second run in the browser.
    pub run_url: Option<String>,
    /// Whether a hub job has recorded that it came second, after it was cancelled.
    pub is_settled: bool,
}

/// The second starts among claims, which come with their author in the order of their ids.
pub(super) fn second_starts<'a>(
    claims: impl Iterator<Item = (CommentId, Option<&'a str>, &'a Dispatch)>,
) -> Vec<SecondStart> {
    let starts = claims.flat_map(|(claim, author, dispatch)| {
        dispatch.targets.iter().map(move |start| (claim, author, dispatch, start))
    });
    let mut first: BTreeMap<(&TargetName, Option<CommentId>, Option<&str>), &Start> = BTreeMap::new();
    let mut second: Vec<SecondStart> = Vec::new();
    let mut by_run: BTreeMap<(&TargetName, RunId), usize> = BTreeMap::new();
    for (claim, author, dispatch, start) in starts {
        // What one account writes makes no start of another one a second start.
        let key = (&start.target, start.repeats, author);
        let is_second = match (&start.state, first.get(&key)) {
            (Word::Known(StartState::Superseded), _) => true,
            // A job that finds the run of a dead one records it once more.
            (Word::Known(StartState::Started), Some(first)) => start.run.is_none() || start.run != first.run,
            (Word::Known(StartState::Started), None) => {
                first.insert(key, start);
                false
            }
            _ => false,
        };
        if !is_second {
            continue;
        }
        let is_settled = start.state == StartState::Superseded;
        if let Some(known) = start.run.and_then(|run| by_run.get(&(&start.target, run))) {
            let known: &mut SecondStart = &mut second[*known];
            known.is_settled |= is_settled;
            continue;
        }
        by_run.extend(start.run.map(|run| ((&start.target, run), second.len())));
        second.push(SecondStart {
            target: start.target.clone(),
            first_url: first.get(&key).and_then(|first| first.run_url.clone()),
            claim,
            author: author.map(str::to_owned),
            by: dispatch.by.clone(),
            repository: start.repository.clone(),
            run: start.run,
            run_url: start.run_url.clone(),
            is_settled,
        });
    }
    second
}
