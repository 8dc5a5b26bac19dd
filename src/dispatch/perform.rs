//! Performing the engine's steps: the only part of a dispatch that sends requests after it has begun.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;

use super::READS_AT_ONCE;
use super::follow::{Follower, RunSnapshot};
use super::stop::Stop;
use super::survey;
use super::verify;
use crate::apply;
use crate::engine::step::{Candidate, Search, TargetRun};
use crate::engine::{Answer, Facts, Failure, Pause, Request, Step, TicketState, next, results, searches};
use crate::github::{GitHub, GitHubError};
use crate::ledger::{Ledger, Pen, Reading};
use crate::names::TargetName;
use crate::plan::{Effect, EffectOutcome};
use crate::problem::{Help, Problem};
use crate::runner::log::NOTICE;
use crate::ticket::claim::Liveness;
use crate::ticket::reason::and;
use crate::ticket::{Comment, Writer};

/// The time for a look at a run, even if the time to wait has ended.
const ONE_LOOK: Duration = Duration::from_secs(30);

/// The time that a hub run may still be at work although GitHub shows it as completed, without a conclusion.
const SETTLING_TIME: TimeDelta = TimeDelta::seconds(60);

/// Performs steps, and folds their answers into the facts.
pub(super) struct Performer<'a> {
    github: &'a GitHub,
    ledger: Option<Ledger<'a>>,
    follower: Follower,
    /// A dry run only asks, and changes nothing.
    only_asks: bool,
    /// The last line in the log about each target.
    lines: BTreeMap<TargetName, String>,
    /// The end of a rate limit that the log named last.
    limit_end: Option<DateTime<Utc>>,
}

impl<'a> Performer<'a> {
    pub(super) fn new(github: &'a GitHub, facts: &Facts) -> Self {
        let ledger = match &facts.ticket {
            TicketState::Open { issue, .. } if !facts.log.is_empty() => {
                Some(Ledger::of_log(github, issue.clone(), &facts.log))
            }
            TicketState::Open { issue, .. } => Some(Ledger::new(github, issue.clone())),
            TicketState::New(_) => None,
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

    /// Performs the next steps until none is left, or until `stop` is due.
    pub(super) async fn drive(&mut self, facts: &mut Facts, request: &Request, stop: &Stop) {
        while !stop.is_due() {
            let now = self.github.clock().now();
            let steps = next(facts, request, now);
            if steps.is_empty() {
                break;
            }
            facts.begin(&steps, now);
            self.perform(steps, facts, request, stop).await;
        }
        if request.follow.is_some() {
            self.report_changes(facts, request);
        }
    }

    /// Performs the next steps as long as they only ask, and waits for answers that lag a little; then asks for the
    /// runs that ended jobs may have started.
    pub(super) async fn ask(&mut self, facts: &mut Facts, request: &Request) {
        self.only_asks = true;
        loop {
            let steps = next(facts, request, self.github.clock().now());
            let is_pause = |step: &Step| matches!(step, Step::Pause { reason: Pause::Listing, .. });
            if steps.is_empty() || !steps.iter().all(|step| step.is_question() || is_pause(step)) {
                break;
            }
            self.perform(steps, facts, request, &Stop::default()).await;
        }
        let searches = searches(facts, request, self.github.clock().now());
        self.perform(searches, facts, request, &Stop::default()).await;
    }

    /// Performs steps, and folds their answers into the facts.
    pub(super) async fn perform(
        &mut self,
        steps: Vec<Step>,
        facts: &mut Facts,
        request: &Request,
        stop: &Stop,
    ) {
        if let [Step::ReadLog, Step::Apply(Effect::UpdateBoard { .. })] = &steps[..] {
            return self.read_beside_board(&steps, facts, request).await;
        }
        let (independent, in_order): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(is_independent);
        if !independent.is_empty() {
            self.perform_aside(independent, facts, request).await;
        }
        for step in in_order {
            let work = self.perform_one(&step, facts, request);
            let answer = if creates(&step) { stop.track_creation(work).await } else { work.await };
            facts.learn(&step, answer, request, self.github.clock().now());
            if facts.fatal_problem().is_some() || stop.is_due() {
                break;
            }
        }
    }

    /// Reads the log and writes the board at the same time.
    async fn read_beside_board(&mut self, steps: &[Step], facts: &mut Facts, request: &Request) {
        let Some(ledger) = &mut self.ledger else { return };
        let (reading, board) = ledger.read_beside_board(&mut facts.log).await;
        let answers = [reading_answer(reading, ledger), answer(board.map(EffectOutcome::Board))];
        for (step, answer) in steps.iter().zip(answers) {
            facts.learn(step, answer, request, self.github.clock().now());
        }
    }

    /// Performs independent steps at the same time.
    async fn perform_aside(&mut self, steps: Vec<Step>, facts: &mut Facts, request: &Request) {
        let is_start =
            |step: &Step| matches!(step, Step::Apply(Effect::StartWorkflow(_) | Effect::SendEvent(_)));
        let others = steps.iter().filter(|step| !is_start(step)).count();
        let at_once = if others == steps.len() { READS_AT_ONCE } else { request.max_parallel + others };
        let (github, look_limit) = (self.github, look_limit(facts, request, self.github));
        let hub = self.ledger.as_ref().map(|ledger| ledger.ticket().repository.clone());
        let hub = hub.as_ref();
        let results = steps.into_iter().map(|step| {
            let means = match &step {
                Step::LookAtRun(of) => Means::Look(Box::new(self.follower.take(of, github))),
                Step::Apply(Effect::WriteRecord { .. }) => Means::Pen(self.ledger.as_ref().map(Ledger::pen)),
                _ => Means::Request,
            };
            async move {
                let result = match means {
                    Means::Look(mut snapshot) => {
                        let result = tokio::time::timeout(look_limit, snapshot.look(github)).await;
                        if let (Ok(Ok(())), Some(hub)) = (&result, hub) {
                            snapshot.ask_why(hub, github).await;
                        }
                        AsideResult::Looked(look_answer(&snapshot, result, github).await, snapshot)
                    }
                    Means::Pen(pen) => AsideResult::Written(write(&step, pen).await),
                    Means::Request => AsideResult::Answered(perform_request(&step, github).await),
                };
                (step, result)
            }
        });
        let results: Vec<_> = results.collect();
        let mut results = futures::stream::iter(results).buffer_unordered(at_once);
        while let Some((step, result)) = results.next().await {
            let answer = match result {
                AsideResult::Looked(answer, snapshot) => {
                    self.follower.put_back(*snapshot);
                    answer
                }
                AsideResult::Written(record) => answer(record.map(|record| self.keep(&step, record, facts))),
                AsideResult::Answered(answer) => answer,
            };
            facts.learn(&step, answer, request, github.clock().now());
        }
    }

    /// Adds a record that was written to the log.
    fn keep(&mut self, step: &Step, record: Comment, facts: &mut Facts) -> EffectOutcome {
        EffectOutcome::Written(match (step, &mut self.ledger) {
            (Step::Apply(Effect::WriteRecord { comment, .. }), Some(ledger)) => {
                ledger.keep_record(record, *comment, &mut facts.log)
            }
            _ => record,
        })
    }

    async fn perform_one(&mut self, step: &Step, facts: &mut Facts, request: &Request) -> Answer {
        match step {
            Step::ReadLog | Step::ReadLogBeforeRefusal => {
                let Some(ledger) = &mut self.ledger else { return Answer::Done };
                reading_answer(ledger.read_changes(&mut facts.log).await, ledger)
            }
            Step::AskIdentity => self.ask_identity(facts).await,
            Step::Apply(effect) => self.apply(effect, facts).await,
            Step::Pause { until, reason } => {
                self.report_progress(reason, facts, request);
                let until = self.limit_end(facts, request).map_or(*until, |end| end.max(*until));
                let pause = (until - self.github.clock().now()).to_std().unwrap_or_default();
                tokio::time::sleep(pause).await;
                Answer::Done
            }
            // `is_independent` has the list of the questions.
            _ => perform_request(step, self.github).await,
        }
    }

    /// The account under which this step writes. If only a write would show it, a dry run takes the first claim for
    /// this hub's own.
    async fn ask_identity(&self, facts: &Facts) -> Answer {
        let TicketState::Open { issue, .. } = &facts.ticket else { return Answer::Identity(None) };
        match self.github.identity(issue, !self.only_asks).await {
            Ok(Some(identity)) => Answer::Identity(Some(identity)),
            Ok(None) if self.only_asks => {
                let first = facts.log.first_claimant().map(str::to_owned);
                let account = first.as_deref().unwrap_or("nobody");
                tracing::info!(
                    "the plan treats the claims of {account} as this hub's own: only a write would show the account of \
                     this step"
                );
                Answer::Identity(first)
            }
            Ok(None) => Answer::Identity(None),
            Err(error) => Answer::Failed(failure(&error)),
        }
    }

    async fn apply(&mut self, effect: &Effect, facts: &mut Facts) -> Answer {
        let result = match &mut self.ledger {
            Some(ledger) => apply::apply(effect, ledger, &mut facts.log).await,
            None => apply::send(effect, self.github).await,
        };
        if let (Ok(EffectOutcome::Opened { issue, .. }), None) = (&result, &self.ledger) {
            self.ledger = Some(Ledger::new(self.github, issue.clone()));
        }
        answer(result)
    }

    /// The end of GitHub's rate limit, or of the time that this step waits, if that is earlier.
    fn limit_end(&mut self, facts: &Facts, request: &Request) -> Option<DateTime<Utc>> {
        let now = self.github.clock().now();
        let left = TimeDelta::from_std(facts.time_left(request, now)?).ok()?;
        let end = self.github.rate_limit_end()?;
        if self.limit_end != Some(end) {
            tracing::info!("GitHub's rate limit ends at {}: waiting until then", end.format("%H:%M:%S UTC"));
            self.limit_end = Some(end);
        }
        Some(end.min(now.checked_add_signed(left)?))
    }

    /// Logs the reason of a pause, with a line for each target that has changed.
    fn report_progress(&mut self, reason: &Pause, facts: &Facts, request: &Request) {
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
            Pause::OtherJobs(targets) => {
                let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
                tracing::info!("another hub job has claimed {} first; waiting for it", names.join(", "));
            }
            Pause::Runs(_) => {
                for name in
                    results::silent_targets(facts, request).into_iter().filter(|_| self.lines.is_empty())
                {
                    tracing::info!(
                        target: NOTICE,
                        "GitHub does not say which run {name} has: only its own reports can end the wait for it"
                    );
                }
                self.report_changes(facts, request);
            }
        }
    }

    fn report_changes(&mut self, facts: &Facts, request: &Request) {
        for (name, line) in results::log_lines(facts, request) {
            if self.lines.insert(name, line.clone()).as_ref() != Some(&line) {
                tracing::info!("{line}");
            }
        }
    }
}

/// The means of a step that is performed beside others.
enum Means<'a> {
    /// The last answers about a run.
    Look(Box<RunSnapshot>),
    /// The ticket.
    Pen(Option<Pen<'a>>),
    /// A request alone.
    Request,
}

/// The result of a step that was performed beside others.
enum AsideResult {
    Looked(Answer, Box<RunSnapshot>),
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
        | Step::FindPreviousRelease(_)
        | Step::Survey(_) => true,
        Step::Apply(effect) => {
            matches!(
                effect,
                // New records are written one after another: after a refused claim no other one is written.
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
        | Step::ReadLogBeforeRefusal
        | Step::AskIdentity
        | Step::StartAgain(_)
        | Step::Refuse { .. }
        | Step::Pause { .. } => false,
    }
}

fn look_limit(facts: &Facts, request: &Request, github: &GitHub) -> Duration {
    let left = facts.time_left(request, github.clock().now());
    left.map_or(Duration::MAX, |left| left.max(ONE_LOOK))
}

async fn perform_request(step: &Step, github: &GitHub) -> Answer {
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
            Ok(checks) => Answer::Checks(checks),
            Err(error) => Answer::Failed(failure(&error)),
        },
        Step::FindRun(search) => find_run(search, github).await,
        Step::FindPreviousRelease(before) => Answer::PreviousRelease(survey::look_back(before, github).await),
        Step::Survey(of) => Answer::Survey(Box::new(survey::survey(of, github).await)),
        Step::Apply(effect) => {
            let result = apply::send(effect, github).await;
            report_start(effect, &result);
            answer(result)
        }
        _ => Answer::Done,
    }
}

fn report_start(effect: &Effect, result: &Result<EffectOutcome, GitHubError>) {
    let target = match effect {
        Effect::StartWorkflow(start) => &start.target,
        Effect::SendEvent(start) => &start.target,
        _ => return,
    };
    match result {
        Ok(EffectOutcome::Started(run)) => {
            let link = run.as_ref().map_or("(GitHub did not name the run)", |(_, url)| url);
            tracing::info!("started {target} {link}");
        }
        Err(error) if !error.is_without_effect() => {
            tracing::info!("checking whether {target} was started: {error}");
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
            retry_problem(&format!("cannot read {} this time", ledger.ticket()), &error).warn();
            Answer::Failed(failure(&error))
        }
    }
}

fn answer(result: Result<EffectOutcome, GitHubError>) -> Answer {
    result.map_or_else(|error| Answer::Failed(failure(&error)), Answer::Applied)
}

fn failure(error: &GitHubError) -> Failure {
    Failure {
        what: error.to_string(),
        help: error.help(),
        is_final: error.is_final(),
        is_without_effect: error.is_without_effect(),
    }
}

/// A failure that this step answers by asking again. It has a remedy only if that does not help.
fn retry_problem(doing: &str, error: &GitHubError) -> Problem {
    let problem = Problem::of(doing, error);
    if error.is_final() { problem } else { Problem { help: None, ..problem } }
}

async fn look_answer(
    snapshot: &RunSnapshot,
    result: Result<Result<(), GitHubError>, tokio::time::error::Elapsed>,
    github: &GitHub,
) -> Answer {
    let TargetRun { target, repository, run } = snapshot.of();
    match result {
        Ok(Ok(())) => snapshot.sighting().map_or(Answer::Done, |sighting| Answer::Run(Box::new(sighting))),
        // "Not found" may also mean "not for this token", unless the repository can be seen.
        Ok(Err(error)) if error.is_gone() && github.repository(repository).await.is_ok() => Answer::NoRun,
        Ok(Err(error)) => {
            let what = format!("cannot read the run {run} of {target} in {repository} now");
            retry_problem(&what, &error).inform();
            Answer::Failed(failure(&error))
        }
        Err(_) => {
            let what =
                format!("cannot read the run {run} of {target} in {repository} now: no answer in time");
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
            retry_problem(&format!("cannot look for the run of {}", search.target), &error).warn();
            Answer::Failed(failure(&error))
        }
    }
}

/// Whether another hub job is at work.
async fn ask_hub_run(job: &Writer, github: &GitHub) -> Answer {
    let Writer { repository, run, attempt, .. } = job;
    match github.run(repository, *run).await {
        Ok(Some(hub_run)) => {
            // For a moment GitHub may show a run as completed without a conclusion.
            let is_settled = || {
                let changed_at = hub_run.updated_at.unwrap_or(hub_run.created_at);
                hub_run.conclusion.is_some() || github.clock().now() - changed_at > SETTLING_TIME
            };
            let has_ended = hub_run.status.as_deref() == Some("completed") && is_settled()
                || hub_run.run_attempt.is_some_and(|newest| newest > *attempt);
            Answer::HubRun(if has_ended { Liveness::Ended } else { Liveness::Alive })
        }
        // "Not found" may also mean "not for this token", unless the repository can be seen.
        Ok(None) if github.repository(repository).await.is_ok() => Answer::HubRun(Liveness::Ended),
        Ok(None) => {
            tracing::warn!("cannot see hub run {run} of {repository}, so its claims stand");
            Answer::HubRunUnknown
        }
        Err(error) if error.is_final() => {
            let what = format!("cannot check whether hub run {run} has ended, so its claims stand");
            Problem::of(&what, &error).warn();
            Answer::HubRunUnknown
        }
        Err(error) => {
            let what = format!("cannot check this time whether hub run {run} has ended, so its claims stand");
            retry_problem(&what, &error).warn();
            Answer::Failed(failure(&error))
        }
    }
}
