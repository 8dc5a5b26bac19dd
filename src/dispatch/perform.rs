//! Performing the engine's steps: the only part of a dispatch that talks to GitHub once it has begun.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;

use super::follow::Follower;
use crate::apply;
use crate::engine::step::{Candidate, RunOf, Search};
use crate::engine::{Answer, Failure, Known, Pause, Request, Step, TicketIs, next, results, searches};
use crate::github::{GitHub, GitHubError};
use crate::ledger::Ledger;
use crate::names::TargetName;
use crate::plan::{Applied, Effect};
use crate::problem::Help;
use crate::runner::log::NOTICE;
use crate::ticket::Writer;
use crate::ticket::claim::Liveness;

/// So many requests that start nothing are under way at once.
const AT_ONCE: usize = 8;

/// What a look at a run may take, even when the time to wait is over.
const ONE_LOOK: Duration = Duration::from_secs(30);

/// Performs steps, and folds their answers into what is known.
pub(super) struct Performer<'a> {
    github: &'a GitHub,
    ledger: Option<Ledger<'a>>,
    follower: Follower,
    /// What was last said of each target.
    lines: BTreeMap<TargetName, String>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(github: &'a GitHub, known: &Known) -> Self {
        let ledger = match &known.ticket {
            TicketIs::Open { issue, .. } => Some(Ledger::unread(github, issue.clone())),
            TicketIs::New(_) => None,
        };
        Self { github, ledger, follower: Follower::default(), lines: BTreeMap::new() }
    }

    /// Does what comes next, until nothing does.
    pub(super) async fn drive(&mut self, known: &mut Known, request: &Request) {
        loop {
            let now = self.github.clock().now();
            let steps = next(known, request, now);
            if steps.is_empty() {
                break;
            }
            known.send(&steps, now);
            self.perform(steps, known, request).await;
        }
        if request.follow.is_some() {
            self.say_what_changed(known, request);
        }
    }

    /// Does what comes next as long as it only asks; then asks for what jobs that have ended may have started.
    pub(super) async fn ask(&mut self, known: &mut Known, request: &Request) {
        loop {
            let steps = next(known, request, self.github.clock().now());
            if steps.is_empty() || !steps.iter().all(Step::is_question) {
                break;
            }
            self.perform(steps, known, request).await;
        }
        let searches = searches(known, request, self.github.clock().now());
        self.perform(searches, known, request).await;
    }

    async fn perform(&mut self, steps: Vec<Step>, known: &mut Known, request: &Request) {
        let (aside, in_turn): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(is_independent);
        if !aside.is_empty() {
            self.perform_aside(aside, known, request).await;
        }
        for step in in_turn {
            let answer = self.perform_one(&step, known, request).await;
            known.learn(&step, answer, request, self.github.clock().now());
            if known.stopped().is_some() {
                break;
            }
        }
    }

    /// Performs steps that know nothing of each other at the same time.
    async fn perform_aside(&mut self, steps: Vec<Step>, known: &mut Known, request: &Request) {
        let is_start =
            |step: &Step| matches!(step, Step::Apply(Effect::StartWorkflow(_) | Effect::SendEvent(_)));
        let at_once = if steps.iter().any(is_start) { request.max_parallel } else { AT_ONCE };
        let (github, look_limit) = (self.github, look_limit(known, request, self.github));
        let performed = steps.into_iter().map(|step| {
            let seen = match &step {
                Step::LookAtRun(of) => Some(self.follower.take(of, github)),
                _ => None,
            };
            async move {
                match (step, seen) {
                    (step, Some(mut seen)) => {
                        let looked = tokio::time::timeout(look_limit, seen.look(github)).await;
                        (step, looked_at(&seen, looked), Some(seen))
                    }
                    (step, None) => {
                        let answer = aside(&step, github).await;
                        (step, answer, None)
                    }
                }
            }
        });
        let performed: Vec<_> = performed.collect();
        let mut performed = futures::stream::iter(performed).buffer_unordered(at_once);
        while let Some((step, answer, seen)) = performed.next().await {
            if let Some(seen) = seen {
                self.follower.put_back(seen);
            }
            known.learn(&step, answer, request, github.clock().now());
        }
    }

    async fn perform_one(&mut self, step: &Step, known: &mut Known, request: &Request) -> Answer {
        match step {
            Step::ReadLog => {
                let Some(ledger) = &mut self.ledger else { return Answer::Done };
                match ledger.read_changes(&mut known.log).await {
                    Ok(()) => Answer::Done,
                    Err(error) => {
                        tracing::warn!("cannot read {} this time: {error}", ledger.ticket());
                        Answer::Failed(failure(&error))
                    }
                }
            }
            Step::Apply(effect) => self.apply(effect, known).await,
            Step::Pause { until, reason } => {
                self.say_how_it_stands(reason, known, request);
                let pause = (*until - self.github.clock().now()).to_std().unwrap_or_default();
                tokio::time::sleep(pause).await;
                Answer::Done
            }
            Step::StartAgain(_) | Step::Refuse { .. } => Answer::Done,
            Step::AskHubRun(_) | Step::LookAtRun(_) | Step::FindRun(_) => aside(step, self.github).await,
        }
    }

    async fn apply(&mut self, effect: &Effect, known: &mut Known) -> Answer {
        let applied = match &mut self.ledger {
            Some(ledger) => apply::apply(effect, ledger, &mut known.log).await,
            None => apply::send(effect, self.github).await,
        };
        if let (Ok(Applied::Opened { issue, .. }), None) = (&applied, &self.ledger) {
            self.ledger = Some(Ledger::unread(self.github, issue.clone()));
        }
        answer(applied)
    }

    /// Says how targets stand, a line for each that has changed.
    fn say_how_it_stands(&mut self, reason: &Pause, known: &Known, request: &Request) {
        match reason {
            Pause::Listing => {}
            Pause::Held(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                tracing::info!("another hub job has claimed {} first; waiting for it", names.join(", "));
            }
            Pause::Runs(_) => {
                for name in results::silent(known, request).into_iter().filter(|_| self.lines.is_empty()) {
                    tracing::info!(
                        target: NOTICE,
                        "GitHub does not say which run {name} has: only its own reports can end the wait for it"
                    );
                }
                self.say_what_changed(known, request);
            }
        }
    }

    fn say_what_changed(&mut self, known: &Known, request: &Request) {
        for (name, line) in results::lines(known, request) {
            if self.lines.insert(name, line.clone()).as_ref() != Some(&line) {
                tracing::info!("{line}");
            }
        }
    }
}

/// Whether a step may be performed beside others.
fn is_independent(step: &Step) -> bool {
    match step {
        Step::AskHubRun(_) | Step::LookAtRun(_) | Step::FindRun(_) => true,
        Step::Apply(effect) => {
            matches!(effect, Effect::StartWorkflow(_) | Effect::SendEvent(_) | Effect::CancelRun { .. })
        }
        Step::ReadLog | Step::StartAgain(_) | Step::Refuse { .. } | Step::Pause { .. } => false,
    }
}

fn look_limit(known: &Known, request: &Request, github: &GitHub) -> Duration {
    let left = known.time_left(request, github.clock().now());
    left.map_or(Duration::MAX, |left| left.max(ONE_LOOK))
}

async fn aside(step: &Step, github: &GitHub) -> Answer {
    match step {
        Step::AskHubRun(job) => ask_hub_run(job, github).await,
        Step::FindRun(search) => find_run(search, github).await,
        Step::Apply(effect) => {
            let applied = apply::send(effect, github).await;
            say_what_started(effect, &applied);
            answer(applied)
        }
        _ => Answer::Done,
    }
}

fn say_what_started(effect: &Effect, applied: &Result<Applied, GitHubError>) {
    let target = match effect {
        Effect::StartWorkflow(start) => &start.target,
        Effect::SendEvent(start) => &start.target,
        _ => return,
    };
    match applied {
        Ok(Applied::Started(run)) => {
            let link = run.as_ref().map_or("(GitHub does not say as which run)", |(_, url)| url);
            tracing::info!("started {target} {link}");
        }
        Err(error) if !error.is_without_effect() => {
            tracing::info!("looking whether {target} was started: {error}");
        }
        _ => {}
    }
}

fn answer(applied: Result<Applied, GitHubError>) -> Answer {
    applied.map_or_else(|error| Answer::Failed(failure(&error)), Answer::Applied)
}

fn failure(error: &GitHubError) -> Failure {
    Failure {
        what: error.to_string(),
        help: error.help(),
        is_final: error.is_final(),
        is_without_effect: error.is_without_effect(),
    }
}

fn looked_at(
    seen: &super::follow::Seen,
    looked: Result<Result<(), GitHubError>, tokio::time::error::Elapsed>,
) -> Answer {
    let RunOf { target, repository, run } = seen.of();
    match looked {
        Ok(Ok(())) => seen.run().map_or(Answer::Done, |run| Answer::Run(Box::new(run))),
        Ok(Err(error)) => {
            tracing::info!("cannot look at {target}, run {run} of {repository}, this time: {error}");
            Answer::Failed(failure(&error))
        }
        Err(_) => {
            let what = format!("cannot look at {target}, run {run} of {repository}: no answer in time");
            tracing::info!("{what}");
            Answer::Failed(Failure { what, help: None, is_final: false, is_without_effect: true })
        }
    }
}

async fn find_run(search: &Search, github: &GitHub) -> Answer {
    let Search { repository, workflow, git_ref, since, .. } = search;
    match github.dispatched_runs(repository, workflow, git_ref, *since).await {
        Ok(runs) => Answer::Runs(
            runs.into_iter()
                .map(|run| Candidate {
                    run: run.id,
                    title: run.title().to_owned(),
                    actor: run.actor().map(str::to_owned),
                    created_at: run.created_at,
                    url: run.html_url,
                })
                .collect(),
        ),
        Err(error) => {
            tracing::warn!("cannot look for the run of {}: {error}", search.target);
            Answer::Failed(failure(&error))
        }
    }
}

/// Whether another hub job is at work.
async fn ask_hub_run(job: &Writer, github: &GitHub) -> Answer {
    let Writer { repository, run, attempt, .. } = job;
    match github.run(repository, *run).await {
        Ok(Some(found)) => {
            let has_ended = found.status.as_deref() == Some("completed")
                || found.run_attempt.is_some_and(|newest| newest > *attempt);
            Answer::HubRun(if has_ended { Liveness::Ended } else { Liveness::Alive })
        }
        // "Not found" may also mean "not for this token", unless the repository can be seen.
        Ok(None) if github.repository(repository).await.is_ok() => Answer::HubRun(Liveness::Ended),
        Ok(None) => {
            tracing::warn!("cannot see hub run {run} of {repository}, so its claims stand");
            Answer::HubRunUnknown
        }
        Err(error) if error.is_final() => {
            let help = error.help().unwrap_or_default();
            tracing::warn!(
                "cannot tell whether hub run {run} has ended, so its claims stand: {error}\nhelp: {help}"
            );
            Answer::HubRunUnknown
        }
        Err(error) => {
            tracing::warn!(
                "cannot tell this time whether hub run {run} has ended, so its claims stand: {error}"
            );
            Answer::Failed(failure(&error))
        }
    }
}
