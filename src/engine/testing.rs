//! Stories for the tests of the rules: [`next`] drives a hub job, and each of its steps becomes a short line.
//!
//! GitHub gives good answers unless a story says otherwise: it accepts starts, the runs have succeeded, a search
//! finds no run, and the other hub jobs have ended.

mod cast;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub(super) use cast::{HUB_RUN, dispatch, report, target, ticket, with_command};
use cast::{candidate, request, sighting};

use super::facts::Identity;
use super::step::{Answer, Candidate, Failure, Pause, Sighting, Step};
use super::{Facts, Follow, ReadyTarget, Request, Retry, TicketState, next, results};
use crate::names::{CommentId, RunId, TargetName};
use crate::plan::{Board, Creation, Effect, EffectOutcome};
use crate::ticket::claim::Liveness;
use crate::ticket::{Comment, Dispatch, Record};

/// The account of all hub jobs.
const OWN: &str = "acme-release[bot]";

/// The commit to which a branch or tag has moved.
const MOVED: &str = "2222222222222222222222222222222222222222";

/// An answer of GitHub.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says {
    /// It refuses, so nothing happened.
    Refused,
    /// No answer comes: the effect may have happened, and a repetition may succeed.
    Nothing,
    /// It started the target and does not name the run.
    NoRun,
    /// The reference exists.
    Exists,
    /// The list lacks this job's last comment.
    Lags,
    /// It lists these runs.
    Lists(&'static [u64]),
    /// It lists these runs, whose names hold the ticket.
    ListsNamed(&'static [u64]),
    /// The ticket had no board, so the step created one.
    NewBoard,
    /// The run goes on.
    GoesOn,
    /// The run waits for a review.
    NeedsReview,
    /// The branch or tag has moved.
    Moved,
    /// The run goes on, at the commit to which the branch or tag has moved.
    GoesOnMoved,
    /// The run has failed.
    Failed,
    /// The run has ended without a conclusion.
    EndedSomehow,
    /// The run does not exist.
    Gone,
    /// The other hub job is at work.
    AtWork,
    /// The other hub job has ended, or the run has succeeded.
    Ended,
    /// The token may not see the other hub job.
    NotForYou,
}

/// A hub job, its facts, and the answers of GitHub.
pub(super) struct Story {
    pub(super) facts: Facts,
    pub(super) request: Request,
    pub(super) now: DateTime<Utc>,
    answers: BTreeMap<String, VecDeque<Says>>,
    always: BTreeMap<String, Says>,
    runs: u64,
    /// The inputs of the workflows that the job has started.
    pub(super) inputs: BTreeMap<TargetName, Map<String, Value>>,
}

impl Story {
    /// A job that releases `targets` by an open ticket, and does not follow their runs.
    pub(super) fn of<const N: usize>(targets: [ReadyTarget; N]) -> Self {
        Self::of_many(targets.into())
    }

    pub(super) fn of_many(targets: Vec<ReadyTarget>) -> Self {
        let now = DateTime::UNIX_EPOCH;
        let ticket = TicketState::Open { issue: ticket(), url: String::new(), is_new: None, opened_at: None };
        let mut facts = Facts::new(ticket, Vec::new());
        facts.identity = Identity::Login(OWN.to_owned());
        Self {
            facts,
            request: request(targets),
            now,
            answers: BTreeMap::new(),
            always: BTreeMap::new(),
            runs: HUB_RUN,
            inputs: BTreeMap::new(),
        }
    }

    /// The job does not know its account yet.
    pub(super) fn not_knowing_its_account(mut self) -> Self {
        self.facts.identity = Identity::NotAsked;
        self
    }

    /// The job follows the runs for an hour, and looks every minute.
    pub(super) fn following(mut self) -> Self {
        let (timeout, interval) = (Duration::from_secs(60 * 60), Duration::from_secs(60));
        self.request.follow = Some(Follow { timeout, interval });
        self
    }

    pub(super) fn retrying(mut self, retry: Retry) -> Self {
        self.request.retry = retry;
        self
    }

    /// The log holds this record of another hub job.
    pub(super) fn after(mut self, record: Dispatch) -> Self {
        self.write(None, &Record::Dispatch(record).render());
        self
    }

    /// The first answers to a step; good ones follow.
    pub(super) fn when<const N: usize>(mut self, step: &str, says: [Says; N]) -> Self {
        self.answers.entry(step.to_owned()).or_default().extend(says);
        self
    }

    /// Each answer to a step.
    pub(super) fn always(mut self, step: &str, says: Says) -> Self {
        self.always.insert(step.to_owned(), says);
        self
    }

    /// The job is cancelled.
    pub(super) fn cancel(&mut self) {
        self.request.wind_up = true;
        self.facts.wind_up();
    }

    /// Sends the next steps; no answer comes.
    pub(super) fn send(&mut self) {
        self.facts.begin(&next(&self.facts, &self.request, self.now), self.now);
    }

    /// Runs the job to its end: steps at the same time share a line.
    pub(super) fn run(&mut self) -> Vec<String> {
        self.run_until("the end")
    }

    /// Runs the job until `end` is among its next steps.
    pub(super) fn run_until(&mut self, end: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let steps = next(&self.facts, &self.request, self.now);
            let words: Vec<String> = steps.iter().map(words).collect();
            if words.is_empty() || words.iter().any(|words| words == end) {
                return lines;
            }
            lines.push(words.join(" | "));
            assert!(lines.len() < 500, "the story does not end: {:#?}", &lines[480..]);
            self.perform(&steps);
        }
    }

    /// Performs steps, and folds their answers in.
    pub(super) fn perform(&mut self, steps: &[Step]) {
        self.facts.begin(steps, self.now);
        for step in steps {
            let answer = self.answer(step, &words(step));
            self.facts.learn(step, answer, &self.request, self.now);
        }
    }

    fn answer(&mut self, step: &Step, words: &str) -> Answer {
        let once = self.answers.get_mut(words).and_then(VecDeque::pop_front);
        match once.or_else(|| self.always.get(words).copied()) {
            Some(says) => answer_of(step, says),
            None => self.good_answer(step),
        }
    }

    /// The problems that would fail the step now.
    pub(super) fn problems(&self) -> Vec<String> {
        let results = results::results(&self.facts, &self.request, self.now);
        results.failures.iter().chain(&results.problems).map(|problem| problem.what.clone()).collect()
    }

    /// Writes a comment as a bot.
    pub(super) fn write(&mut self, comment: Option<CommentId>, body: &str) -> Comment {
        let next = CommentId(self.facts.log.last_id().map_or(1, |id| id.0 + 1));
        let new_comment = Comment {
            id: comment.unwrap_or(next),
            author: Some(OWN.to_owned()),
            is_trusted: true,
            body: body.to_owned(),
            created_at: self.now,
            updated_at: self.now,
            url: String::new(),
        };
        self.facts.log.extend([new_comment.clone()]);
        new_comment
    }

    fn good_answer(&mut self, step: &Step) -> Answer {
        match step {
            Step::AskIdentity => Answer::Identity(Some(OWN.to_owned())),
            Step::AskHubRun(_) => Answer::HubRun(Liveness::Ended),
            Step::LookAtRun(target_run) => {
                Answer::Run(Box::new(sighting(target_run, "completed", Some("success"))))
            }
            Step::LookAtCommit(_) => Answer::Commit("1111111111111111111111111111111111111111".to_owned()),
            Step::FindRelease(..) => Answer::Release(None),
            Step::Verify(inspection) if inspection.broken_checks.is_empty() => {
                Answer::Checks(inspection.passing_checks())
            }
            Step::Verify(inspection) => Answer::Checks(inspection.broken_checks.clone()),
            Step::FindRun(_) => Answer::Runs(Vec::new()),
            Step::FindPreviousRelease(_) => Answer::PreviousRelease(None),
            Step::Survey(_) => Answer::Survey(Box::default()),
            Step::Pause { until, .. } => {
                self.now = *until;
                Answer::Done
            }
            Step::Apply(Effect::OpenIssue(_)) => {
                Answer::Applied(EffectOutcome::Opened { issue: ticket(), url: String::new(), is_new: true })
            }
            Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
                Answer::Applied(EffectOutcome::Written(self.write(*comment, &record.render())))
            }
            Step::Apply(Effect::UpdateBoard { .. }) => {
                let board = Board { comment: CommentId(1000), is_new: false, is_behind: false };
                Answer::Applied(EffectOutcome::Board(Some(board)))
            }
            Step::Apply(Effect::CreateRef(_)) => Answer::Applied(EffectOutcome::Ref(Creation::New)),
            Step::Apply(Effect::StartWorkflow(start)) => {
                self.inputs.insert(start.target.clone(), start.inputs.clone());
                self.runs += 1;
                Answer::Applied(EffectOutcome::Started(Some((
                    RunId(self.runs),
                    format!("runs/{}", self.runs),
                ))))
            }
            Step::Apply(Effect::SendEvent(_)) => Answer::Applied(EffectOutcome::Started(None)),
            Step::ReadLog
            | Step::ReadLogBeforeRefusal
            | Step::StartAgain(_)
            | Step::Refuse { .. }
            | Step::Apply(_) => Answer::Done,
        }
    }
}

fn answer_of(step: &Step, says: Says) -> Answer {
    let failure = |is_final| {
        let what = if is_final { "it is refused" } else { "there is no answer" }.to_owned();
        Answer::Failed(Failure { what, help: None, is_final, is_without_effect: is_final })
    };
    let run = |status, conclusion| match step {
        Step::LookAtRun(of) => Answer::Run(Box::new(sighting(of, status, conclusion))),
        _ => panic!("{step:?} does not look at a run"),
    };
    match says {
        Says::Refused => failure(true),
        Says::Nothing => failure(false),
        Says::Exists => Answer::Applied(EffectOutcome::Ref(Creation::Exists)),
        Says::Lags => Answer::Stale,
        Says::NoRun => Answer::Applied(EffectOutcome::Started(None)),
        Says::Lists(runs) => Answer::Runs(runs.iter().map(|run| candidate(*run)).collect()),
        Says::ListsNamed(runs) => {
            let with_ticket = |run: &u64| Candidate { title: ticket().to_string(), ..candidate(*run) };
            Answer::Runs(runs.iter().map(with_ticket).collect())
        }
        Says::NewBoard => Answer::Applied(EffectOutcome::Board(Some(Board {
            comment: CommentId(1000),
            is_new: true,
            is_behind: false,
        }))),
        Says::GoesOn => run("in_progress", None),
        Says::GoesOnMoved => match run("in_progress", None) {
            Answer::Run(sighting) => {
                Answer::Run(Box::new(Sighting { head_sha: Some(MOVED.to_owned()), ..*sighting }))
            }
            other => other,
        },
        Says::NeedsReview => run("waiting", None),
        Says::Failed => run("completed", Some("failure")),
        Says::EndedSomehow => run("completed", None),
        Says::Moved => Answer::Commit(MOVED.to_owned()),
        Says::Gone => Answer::NoRun,
        Says::AtWork => Answer::HubRun(Liveness::Alive),
        Says::Ended => match step {
            Step::LookAtRun(_) => run("completed", Some("success")),
            _ => Answer::HubRun(Liveness::Ended),
        },
        Says::NotForYou => Answer::HubRunUnknown,
    }
}

/// A step in a few words. Most effects have the words of a dry run, without the name of the ticket.
fn words(step: &Step) -> String {
    match step {
        Step::ReadLog => "read".to_owned(),
        Step::ReadLogBeforeRefusal => "read once more".to_owned(),
        Step::AskIdentity => "ask whose token it is".to_owned(),
        Step::AskHubRun(job) => format!("ask for hub run {}", job.run),
        Step::LookAtRun(run) => format!("look at {}", run.target),
        Step::LookAtCommit(run) => format!("look at the commit of {}", run.target),
        Step::FindRelease(run, _) => format!("find the release of {}", run.target),
        Step::Verify(inspection) => format!("verify {}", inspection.target_run.target),
        Step::FindRun(search) => format!("find {}", search.target),
        Step::FindPreviousRelease(_) => "look for the previous release".to_owned(),
        Step::Survey(run) => format!("survey {}", run.target),
        Step::StartAgain(retries) if retries.is_empty() => "start again: nothing".to_owned(),
        Step::StartAgain(retries) => {
            format!("start again: {}", join(&retries.keys().cloned().collect::<Vec<_>>()))
        }
        Step::Refuse { target, .. } => format!("refuse {target}"),
        Step::Pause { reason: Pause::Listing, .. } => "pause: listing".to_owned(),
        Step::Pause { reason: Pause::OtherJobs(targets), .. } => {
            format!("pause: another job has {}", join(targets))
        }
        Step::Pause { reason: Pause::Outputs(targets), .. } => {
            format!("pause: outputs for {}", join(targets))
        }
        Step::Pause { reason: Pause::Verification(targets), .. } => {
            format!("pause: verification of {}", join(targets))
        }
        Step::Pause { reason: Pause::Runs(targets), .. } => format!("pause: runs of {}", join(targets)),
        Step::Apply(Effect::OpenIssue(_)) => "open a ticket".to_owned(),
        Step::Apply(Effect::UpdateBoard { .. }) => "board".to_owned(),
        Step::Apply(Effect::StartWorkflow(start)) => format!("start {}", start.target),
        Step::Apply(Effect::SendEvent(start)) => format!("send {}", start.target),
        Step::Apply(effect) => effect.to_string().replace(" on acme/hub#1", ""),
    }
}

fn join(names: &[TargetName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
