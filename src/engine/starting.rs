//! Starts: what this job has claimed and nobody claimed before is started, each once; what became of it is
//! recorded in the claim.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::known::{LOOKS, Outcome, Own, Phase, later};
use super::ready::Ready;
use super::request::Retry;
use super::step::{Pause, Search, Step};
use super::verdict::Verdict;
use super::view::View;
use crate::names::{CommentId, TargetName};
use crate::plan::{Effect, EventStart, WorkflowStart};
use crate::targets::StartBy;
use crate::ticket::claim::Standing;
use crate::ticket::{Dispatch, Reason, Start, StartState};

/// Records what became of starts, and what this job leaves to others.
pub(super) fn record_outcomes(view: &View<'_>) -> Vec<Step> {
    rewrite_claims(view, |own, start| {
        let ready = view.request.targets.iter().find(|ready| *ready.name() == start.target)?;
        outcome(view, own, ready, start.at)
    })
}

/// What is settled about an open claim.
fn outcome(view: &View<'_>, own: &Own, ready: &Ready, claimed_at: DateTime<Utc>) -> Option<Outcome> {
    let leave = |because| Some(Outcome::of(StartState::Yielded, because));
    match view.known.starts.get(ready.name()).map(|attempt| &attempt.phase) {
        Some(Phase::Settled(outcome)) => return Some(outcome.clone()),
        Some(Phase::Sent | Phase::Listing { .. }) => return None,
        Some(Phase::Cleared) | None => {}
    }
    match view.standing(ready.name(), Some(own.comment)) {
        Standing::Started { run_url, .. } => leave(Reason::Started { run_url, status: None }),
        Standing::Unreadable(comment) => leave(Reason::Unreadable { comment }),
        Standing::Held { claim, .. } if view.now >= patience_ends(view, claimed_at) => {
            leave(Reason::Claimed { run_url: run_url_of(view, claim) })
        }
        Standing::Held { .. } => None,
        Standing::Uncertain(_) if ready.workflow().is_none() && view.request.retry != Retry::Failed => {
            Some(Outcome::of(StartState::Unknown, uncertain_event(ready)))
        }
        Standing::Free | Standing::Uncertain(_) => {
            effect(view, ready).err().map(|because| Outcome::of(StartState::Refused, because))
        }
    }
}

fn patience_ends(view: &View<'_>, claimed_at: DateTime<Utc>) -> DateTime<Utc> {
    later(claimed_at, view.request.patience.limit)
}

fn run_url_of(view: &View<'_>, claim: CommentId) -> String {
    let mut claims = view.known.log.dispatches();
    claims
        .find(|(comment, _)| comment.id == claim)
        .map(|(_, claim)| claim.run_url.clone())
        .unwrap_or_default()
}

fn uncertain_event(ready: &Ready) -> Reason {
    Reason::Unclear {
        error: "an event may have started it, and GitHub does not tell".to_owned(),
        runs: Vec::new(),
        help: Some(format!(
            "look at the runs of {}; if none of them is the release, set `retry-failed: true` to send the event again",
            ready.target.repository
        )),
    }
}

/// Starts what nobody claimed before, several at once; looks for the run first where it may have been
/// started.
///
/// Targets that share a workflow come one after the other, so that their runs can be told apart.
pub(super) fn start(view: &View<'_>) -> Vec<Step> {
    let (mut steps, mut pauses, mut busy) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (own, ready) in view.open_claims() {
        let now = match view.known.starts.get(ready.name()).map(|attempt| &attempt.phase) {
            Some(Phase::Listing { since, looks, .. }) => {
                let due = later(*since, LOOKS[*looks]);
                busy.insert(ready.shared_by());
                if due > view.now {
                    pauses.push((due, Pause::Listing));
                    continue;
                }
                search(view, Some(own), ready, own.created_at).map(Step::FindRun)
            }
            phase => {
                let standing = view.standing(ready.name(), Some(own.comment));
                if let Standing::Held { .. } = standing {
                    let until = later(view.now, view.request.patience.poll);
                    pauses.push((until, Pause::Held(vec![ready.name().clone()])));
                    continue;
                }
                if !busy.insert(ready.shared_by()) {
                    continue;
                }
                let since = match (&standing, phase) {
                    (Standing::Uncertain(claims), None) => created_at(view, claims),
                    _ => None,
                };
                match since.and_then(|since| search(view, Some(own), ready, since)) {
                    Some(search) => Some(Step::FindRun(search)),
                    None => effect(view, ready).ok().map(Step::Apply),
                }
            }
        };
        steps.extend(now);
    }
    steps.truncate(view.request.max_parallel);
    if steps.is_empty() { shortest(pauses).into_iter().collect() } else { steps }
}

/// Of several reasons to pause the one that ends first; jobs that are waited for are named together.
fn shortest(pauses: Vec<(DateTime<Utc>, Pause)>) -> Option<Step> {
    let (until, _) = *pauses.iter().min_by_key(|(until, _)| *until)?;
    let held = pauses.iter().filter_map(|(_, pause)| match pause {
        Pause::Held(targets) => Some(targets.clone()),
        Pause::Listing | Pause::Runs(_) => None,
    });
    let held: Vec<TargetName> = held.flatten().collect();
    let listing = pauses.iter().any(|(due, pause)| *due == until && *pause == Pause::Listing);
    let reason = if listing { Pause::Listing } else { Pause::Held(held) };
    Some(Step::Pause { until, reason })
}

fn created_at(view: &View<'_>, claims: &[CommentId]) -> Option<DateTime<Utc>> {
    let mut records = view.known.log.dispatches();
    records.find(|(comment, _)| claims.contains(&comment.id)).map(|(comment, _)| comment.created_at)
}

/// The runs of the targets that may have been started by jobs that have ended, looked for before anything
/// is claimed.
pub(super) fn searches(view: &View<'_>) -> Vec<Step> {
    let searches = view.request.targets.iter().filter_map(|ready| {
        match (view.verdict(ready), view.standing(ready.name(), None)) {
            (Verdict::Start, Standing::Uncertain(claims)) => {
                search(view, None, ready, created_at(view, &claims)?).map(Step::FindRun)
            }
            _ => None,
        }
    });
    searches.collect()
}

/// What identifies the target's run; none if an event starts it. The job's own claim says as whom it starts.
fn search(view: &View<'_>, own: Option<&Own>, ready: &Ready, since: DateTime<Utc>) -> Option<Search> {
    Some(Search {
        target: ready.name().clone(),
        repository: ready.target.repository.clone(),
        workflow: ready.workflow()?.clone(),
        git_ref: ready.git_ref.clone(),
        since,
        actor: own.and_then(|own| own.author.clone()).filter(|_| ready.same_account),
        ticket: view.issue.clone(),
        known_runs: view.known_runs(),
    })
}

/// The effect that starts a target.
fn effect(view: &View<'_>, ready: &Ready) -> Result<Effect, Reason> {
    let refused =
        |error: crate::template::TemplateError| Reason::Refused { error: error.to_string(), help: None };
    let (wording, ticket) = (&view.request.wording, &view.issue);
    let (target, repository) = (ready.name().clone(), ready.target.repository.clone());
    let after = ready.target.needs.clone();
    Ok(match &ready.target.start {
        StartBy::Workflow(workflow) => Effect::StartWorkflow(WorkflowStart {
            target,
            repository,
            workflow: workflow.clone(),
            git_ref: ready.git_ref.clone(),
            inputs: wording.inputs_of(ready, ticket).map_err(refused)?,
            after,
        }),
        StartBy::Event(event_type) => Effect::SendEvent(EventStart {
            target,
            repository,
            event_type: event_type.clone(),
            client_payload: wording.payload_of(ready, ticket).map_err(refused)?,
            after,
        }),
    })
}

/// The job was cancelled while starts were under way: looks once which runs they started.
pub(super) fn find_what_was_sent(view: &View<'_>) -> Vec<Step> {
    let sent = |ready: &Ready| {
        let attempt = view.known.starts.get(ready.name());
        attempt.is_some_and(|attempt| matches!(attempt.phase, Phase::Sent | Phase::Listing { .. }))
    };
    let open = view.open_claims().filter(|(_, ready)| sent(ready));
    let is_new = |search: &Search| !view.known.searched.contains(&search.target);
    let searches = open.filter_map(|(own, ready)| search(view, Some(own), ready, own.created_at));
    searches.filter(is_new).map(Step::FindRun).collect()
}

/// The job was cancelled: what it had claimed and not started is no longer its to start.
pub(super) fn record_cancellation(view: &View<'_>) -> Vec<Step> {
    rewrite_claims(view, |_, start| {
        let phase = view.known.starts.get(&start.target).map(|attempt| &attempt.phase);
        Some(match phase {
            Some(Phase::Settled(outcome)) => outcome.clone(),
            _ => Outcome { state: StartState::Cancelled, run: None, because: None },
        })
    })
}

/// Rewrites each record of this job with an open claim that `outcome` settles.
fn rewrite_claims(view: &View<'_>, outcome: impl Fn(&Own, &Start) -> Option<Outcome>) -> Vec<Step> {
    let rewritten = view.known.own.iter().filter_map(|own| {
        let mut record = own.record.clone();
        let mut changes = false;
        for start in record.targets.iter_mut().filter(|start| start.state == StartState::Claimed) {
            let Some(outcome) = outcome(own, start) else { continue };
            let (run, run_url) = outcome.run.unzip();
            *start = Start {
                state: outcome.state.into(),
                run,
                run_url,
                because: outcome.because.map(Into::into),
                at: view.now,
                ..start.clone()
            };
            changes = true;
        }
        changes.then_some((own.comment, record))
    });
    let numbered = rewritten.zip(view.last_seq() + 1..);
    numbered.map(|((comment, record), seq)| view.write(Some(comment), Dispatch { seq, ..record })).collect()
}
