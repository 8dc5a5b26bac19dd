//! Performing the engine's steps: the only part of a dispatch that talks to GitHub once it has begun.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;

use super::READS_AT_ONCE;
use super::follow::{Follower, Seen};
use super::stop::Stop;
use super::survey;
use super::verify;
use crate::apply;
use crate::engine::step::{Candidate, RunOf, Search};
use crate::engine::{Answer, Failure, Known, Pause, Request, Step, TicketIs, next, results, searches};
use crate::github::{GitHub, GitHubError};
use crate::ledger::{Ledger, Pen, Reading};
use crate::names::TargetName;
use crate::plan::{Applied, Effect};
use crate::problem::{Help, Problem};
use crate::runner::log::NOTICE;
use crate::ticket::claim::Liveness;
use crate::ticket::reason::and;
use crate::ticket::{Comment, Writer};

/// What a look at a run may take, even when the time to wait is over.
const ONE_LOOK: Duration = Duration::from_secs(30);

/// A hub run that GitHub shows as over, and not how it ended, may be at work for so long.
const UNSETTLED: TimeDelta = TimeDelta::seconds(60);

/// Performs steps, and folds their answers into what is known.
pub(super) struct Performer<'a> {
    github: &'a GitHub,
    ledger: Option<Ledger<'a>>,
    follower: Follower,
    /// Whether it only asks: a dry run changes nothing.
    only_asks: bool,
    /// What was last said of each target.
    lines: BTreeMap<TargetName, String>,
    /// The end of a rate limit that was said last.
    limit_end: Option<DateTime<Utc>>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(github: &'a GitHub, known: &Known) -> Self {
        let ledger = match &known.ticket {
            TicketIs::Open { issue, .. } if !known.log.is_empty() => {
                Some(Ledger::of_log(github, issue.clone(), &known.log))
            }
            TicketIs::Open { issue, .. } => Some(Ledger::unread(github, issue.clone())),
            TicketIs::New(_) => None,
        };
        Self {
            github,
            ledger,
            follower: Follower::default(),
            only_asks: false,
            lines: BTreeMap::new(),
            limit_end: None,
        }
    }

    /// Does what comes next, until nothing does or it is to `stop`.
    pub(super) async fn drive(&mut self, known: &mut Known, request: &Request, stop: &Stop) {
        while !stop.is_due() {
            let now = self.github.clock().now();
            let steps = next(known, request, now);
            if steps.is_empty() {
                break;
            }
            known.send(&steps, now);
            self.perform(steps, known, request, stop).await;
        }
        if request.follow.is_some() {
            self.say_what_changed(known, request);
        }
    }

    /// Does what comes next as long as it only asks, and waits for an answer that may come a little later; then asks
    /// for what jobs that have ended may have started.
    pub(super) async fn ask(&mut self, known: &mut Known, request: &Request) {
        self.only_asks = true;
        loop {
            let steps = next(known, request, self.github.clock().now());
            let is_pause = |step: &Step| matches!(step, Step::Pause { reason: Pause::Listing, .. });
            if steps.is_empty() || !steps.iter().all(|step| step.is_question() || is_pause(step)) {
                break;
            }
            self.perform(steps, known, request, &Stop::default()).await;
        }
        let searches = searches(known, request, self.github.clock().now());
        self.perform(searches, known, request, &Stop::default()).await;
    }

    /// Performs steps, and folds their answers in.
    pub(super) async fn perform(
        &mut self,
        steps: Vec<Step>,
        known: &mut Known,
        request: &Request,
        stop: &Stop,
    ) {
        if let [Step::ReadLog, Step::Apply(Effect::UpdateBoard { .. })] = &steps[..] {
            return self.read_beside_board(&steps, known, request).await;
        }
        let (aside, in_turn): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(is_independent);
        if !aside.is_empty() {
            self.perform_aside(aside, known, request).await;
        }
        for step in in_turn {
            let performing = self.perform_one(&step, known, request);
            let answer = if creates(&step) { stop.creating(performing).await } else { performing.await };
            known.learn(&step, answer, request, self.github.clock().now());
            if known.stopped().is_some() || stop.is_due() {
                break;
            }
        }
    }

    /// Reads the log and writes the board at the same time.
    async fn read_beside_board(&mut self, steps: &[Step], known: &mut Known, request: &Request) {
        let Some(ledger) = &mut self.ledger else { return };
        let (reading, board) = ledger.read_beside_board(&mut known.log).await;
        let answers = [reading_answer(reading, ledger), answer(board.map(Applied::Board))];
        for (step, answer) in steps.iter().zip(answers) {
            known.learn(step, answer, request, self.github.clock().now());
        }
    }

    /// Performs steps that know nothing of each other at the same time.
    async fn perform_aside(&mut self, steps: Vec<Step>, known: &mut Known, request: &Request) {
        let is_start =
            |step: &Step| matches!(step, Step::Apply(Effect::StartWorkflow(_) | Effect::SendEvent(_)));
        let others = steps.iter().filter(|step| !is_start(step)).count();
        let at_once = if others == steps.len() { READS_AT_ONCE } else { request.max_parallel + others };
        let (github, look_limit) = (self.github, look_limit(known, request, self.github));
        let hub = self.ledger.as_ref().map(|ledger| ledger.ticket().repository.clone());
        let hub = hub.as_ref();
        let performed = steps.into_iter().map(|step| {
            let means = match &step {
                Step::LookAtRun(of) => Means::Look(Box::new(self.follower.take(of, github))),
                Step::Apply(Effect::WriteRecord { .. }) => Means::Pen(self.ledger.as_ref().map(Ledger::pen)),
                _ => Means::Request,
            };
            async move {
                let done = match means {
                    Means::Look(mut seen) => {
                        let looked = tokio::time::timeout(look_limit, seen.look(github)).await;
                        if let (Ok(Ok(())), Some(hub)) = (&looked, hub) {
                            seen.ask_why(hub, github).await;
                        }
                        Done::Looked(looked_at(&seen, looked, github).await, seen)
                    }
                    Means::Pen(pen) => Done::Written(write(&step, pen).await),
                    Means::Request => Done::Answered(aside(&step, github).await),
                };
                (step, done)
            }
        });
        let performed: Vec<_> = performed.collect();
        let mut performed = futures::stream::iter(performed).buffer_unordered(at_once);
        while let Some((step, done)) = performed.next().await {
            let answer = match done {
                Done::Looked(answer, seen) => {
                    self.follower.put_back(*seen);
                    answer
                }
                Done::Written(written) => answer(written.map(|written| self.keep(&step, written, known))),
                Done::Answered(answer) => answer,
            };
            known.learn(&step, answer, request, github.clock().now());
        }
    }

    /// Keeps a record that was written.
    fn keep(&mut self, step: &Step, written: Comment, known: &mut Known) -> Applied {
        Applied::Written(match (step, &mut self.ledger) {
            (Step::Apply(Effect::WriteRecord { comment, .. }), Some(ledger)) => {
                ledger.keep_record(written, *comment, &mut known.log)
            }
            _ => written,
        })
    }

    async fn perform_one(&mut self, step: &Step, known: &mut Known, request: &Request) -> Answer {
        match step {
            Step::ReadLog | Step::Confirm => {
                let Some(ledger) = &mut self.ledger else { return Answer::Done };
                reading_answer(ledger.read_changes(&mut known.log).await, ledger)
            }
            Step::AskIdentity => self.ask_identity(known).await,
            Step::Apply(effect) => self.apply(effect, known).await,
            Step::Pause { until, reason } => {
                self.say_how_it_stands(reason, known, request);
                let until = self.limit_end(known, request).map_or(*until, |end| end.max(*until));
                let pause = (until - self.github.clock().now()).to_std().unwrap_or_default();
                tokio::time::sleep(pause).await;
                Answer::Done
            }
            // `is_independent` has the list of the questions.
            _ => aside(step, self.github).await,
        }
    }

    /// Under which account this step writes. Where only a write would tell, a dry run takes the first claim for this
    /// hub's own.
    async fn ask_identity(&self, known: &Known) -> Answer {
        let TicketIs::Open { issue, .. } = &known.ticket else { return Answer::Identity(None) };
        match self.github.identity(issue, !self.only_asks).await {
            Ok(Some(identity)) => Answer::Identity(Some(identity)),
            Ok(None) if self.only_asks => {
                let first = known.log.first_claimant().map(str::to_owned);
                let account = first.as_deref().unwrap_or("nobody");
                tracing::info!(
                    "the plan takes the claims of {account} for this hub's own: only a write would tell"
                );
                Answer::Identity(first)
            }
            Ok(None) => Answer::Identity(None),
            Err(error) => Answer::Failed(failure(&error)),
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

    /// How long GitHub's rate limit keeps this step from asking, within the time that it waits.
    fn limit_end(&mut self, known: &Known, request: &Request) -> Option<DateTime<Utc>> {
        let now = self.github.clock().now();
        let left = TimeDelta::from_std(known.time_left(request, now)?).ok()?;
        let end = self.github.limited_until()?;
        if self.limit_end != Some(end) {
            tracing::info!("GitHub's rate limit ends at {}: waiting until then", end.format("%H:%M:%S UTC"));
            self.limit_end = Some(end);
        }
        Some(end.min(now.checked_add_signed(left)?))
    }

    /// Says how targets stand, a line for each that has changed.
    fn say_how_it_stands(&mut self, reason: &Pause, known: &Known, request: &Request) {
        match reason {
            Pause::Listing => {}
            Pause::Verification(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                tracing::info!("verifying {} again", and(&names));
            }
            Pause::Outputs(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                tracing::info!("looking again for the outputs that the inputs of {} read", and(&names));
            }
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

/// What a step takes that is performed beside others.
enum Means<'a> {
    /// What is known of a run.
    Look(Box<Seen>),
    /// The ticket.
    Pen(Option<Pen<'a>>),
    /// A request alone.
    Request,
}

/// What came of a step that was performed beside others.
enum Done {
    Looked(Answer, Box<Seen>),
    Written(Result<Comment, GitHubError>),
    Answered(Answer),
}

async fn write(step: &Step, pen: Option<Pen<'_>>) -> Result<Comment, GitHubError> {
    match (step, pen) {
        (Step::Apply(effect), Some(pen)) => apply::write(effect, &pen).await,
        _ => unreachable!("a record is written when the ticket is open"),
    }
}

/// Whether a step creates the ticket or a record on it.
fn creates(step: &Step) -> bool {
    matches!(step, Step::Apply(Effect::OpenIssue(_) | Effect::WriteRecord { comment: None, .. }))
}

/// Whether a step may be performed beside others.
fn is_independent(step: &Step) -> bool {
    match step {
        Step::AskHubRun(_)
        | Step::LookAtRun(_)
        | Step::LookAtCommit(_)
        | Step::FindRelease(..)
        | Step::Verify(_)
        | Step::FindRun(_)
        | Step::LookBack(_)
        | Step::Survey(_) => true,
        Step::Apply(effect) => {
            matches!(
                effect,
                // After a claim that is refused no other one is written.
                Effect::WriteRecord { comment: Some(_), .. }
                    | Effect::StartWorkflow(_)
                    | Effect::SendEvent(_)
                    | Effect::CreateRef(_)
                    | Effect::CancelRun { .. }
                    | Effect::PinBoard { .. }
                    | Effect::React { .. }
            )
        }
        Step::ReadLog
        | Step::Confirm
        | Step::AskIdentity
        | Step::StartAgain(_)
        | Step::Refuse { .. }
        | Step::Pause { .. } => false,
    }
}

fn look_limit(known: &Known, request: &Request, github: &GitHub) -> Duration {
    let left = known.time_left(request, github.clock().now());
    left.map_or(Duration::MAX, |left| left.max(ONE_LOOK))
}

async fn aside(step: &Step, github: &GitHub) -> Answer {
    match step {
        Step::AskHubRun(job) => ask_hub_run(job, github).await,
        Step::LookAtCommit(of) => match github.commit_of(&of.repository, &of.git_ref).await {
            Ok(Some(sha)) => Answer::Commit(sha),
            Ok(None) => Answer::Done,
            Err(error) => Answer::Failed(failure(&error)),
        },
        Step::FindRelease(of, _) => match verify::find_release(of, github).await {
            Ok(outputs) => Answer::Release(outputs),
            Err(error) => Answer::Failed(failure(&error)),
        },
        Step::Verify(inspection) => match verify::verify(inspection, github).await {
            Ok(checks) => Answer::Verified(checks),
            Err(error) => Answer::Failed(failure(&error)),
        },
        Step::FindRun(search) => find_run(search, github).await,
        Step::LookBack(before) => Answer::Before(survey::look_back(before, github).await),
        Step::Survey(of) => Answer::Surveyed(Box::new(survey::survey(of, github).await)),
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

fn reading_answer(reading: Result<Reading, GitHubError>, ledger: &Ledger<'_>) -> Answer {
    match reading {
        Ok(Reading::Current) => Answer::Done,
        Ok(Reading::Stale) => {
            tracing::info!("GitHub does not list yet what this job wrote to {}", ledger.ticket());
            Answer::Stale
        }
        Err(error) => {
            tracing::warn!("{}", this_time(&format!("cannot read {} this time", ledger.ticket()), &error));
            Answer::Failed(failure(&error))
        }
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

/// What failed, with a remedy only if asking again does not help: this step asks again.
fn this_time(doing: &str, error: &GitHubError) -> Problem {
    let problem = Problem::of(doing, error);
    if error.is_final() { problem } else { Problem { help: None, ..problem } }
}

async fn looked_at(
    seen: &Seen,
    looked: Result<Result<(), GitHubError>, tokio::time::error::Elapsed>,
    github: &GitHub,
) -> Answer {
    let RunOf { target, repository, run } = seen.of();
    match looked {
        Ok(Ok(())) => seen.sighting().map_or(Answer::Done, |sighting| Answer::Run(Box::new(sighting))),
        // "Not found" may also mean "not for this token", unless the repository can be seen.
        Ok(Err(error)) if error.is_gone() && github.repository(repository).await.is_ok() => Answer::NoRun,
        Ok(Err(error)) => {
            let what = format!("cannot look at {target}, run {run} of {repository}, this time");
            tracing::info!("{}", this_time(&what, &error));
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
            tracing::warn!("{}", this_time(&format!("cannot look for the run of {}", search.target), &error));
            Answer::Failed(failure(&error))
        }
    }
}

/// Whether another hub job is at work.
async fn ask_hub_run(job: &Writer, github: &GitHub) -> Answer {
    let Writer { repository, run, attempt, .. } = job;
    match github.run(repository, *run).await {
        Ok(Some(found)) => {
            // For a moment a run may seem to be over without a conclusion.
            let is_settled = || {
                let changed = found.updated_at.unwrap_or(found.created_at);
                found.conclusion.is_some() || github.clock().now() - changed > UNSETTLED
            };
            let has_ended = found.status.as_deref() == Some("completed") && is_settled()
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
            let what = format!("cannot tell whether hub run {run} has ended, so its claims stand");
            tracing::warn!("{}", Problem::of(&what, &error));
            Answer::HubRunUnknown
        }
        Err(error) => {
            let what = format!("cannot tell this time whether hub run {run} has ended, so its claims stand");
            tracing::warn!("{}", this_time(&what, &error));
            Answer::Failed(failure(&error))
        }
    }
}
