//! Stories for the tests of the rules: a hub job is driven by [`next`], and each of its steps becomes a short line.
//!
//! GitHub gives good answers unless a story says otherwise: it takes starts, the runs have ended well, a search
//! finds no run, and the other hub jobs have ended.

mod given;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub(super) use given::{HUB_RUN, commanded, dispatch, report, target, ticket};
use given::{candidate, request, sighting};

use super::known::Identity;
use super::step::{Answer, Candidate, Failure, Pause, Sighting, Step};
use super::{Follow, Known, Ready, Request, Retry, TicketIs, next, results};
use crate::names::{CommentId, RunId, TargetName};
use crate::plan::{Applied, Board, Created, Effect};
use crate::ticket::claim::Liveness;
use crate::ticket::{Comment, Dispatch, Record};

/// The account of all hub jobs.
const OWN: &str = "acme-release[bot]";

/// The commit to which a branch or tag has moved.
const MOVED: &str = "2222222222222222222222222222222222222222";

/// What GitHub answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says {
    /// It refuses, so nothing happened.
    Refused,
    /// There is no answer: it may have happened, and may go well the next time.
    Nothing,
    /// It started the target and does not say as which run.
    NoRun,
    /// The reference exists.
    Exists,
    /// The list lacks what this job has written.
    Lags,
    /// It lists these runs.
    Lists(&'static [u64]),
    /// It lists these runs, whose names hold the ticket.
    ListsNamed(&'static [u64]),
    /// There was no board, so it created one.
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
    /// The run has ended, and nobody knows how.
    EndedSomehow,
    /// There is no such run.
    Gone,
    /// The other hub job is at work.
    AtWork,
    /// The other hub job has ended, or the run has ended well.
    Ended,
    /// The token may not see the other hub job.
    NotForYou,
}

/// A hub job, what it knows, and the answers that GitHub will give.
pub(super) struct Story {
    pub(super) known: Known,
    pub(super) request: Request,
    pub(super) now: DateTime<Utc>,
    answers: BTreeMap<String, VecDeque<Says>>,
    always: BTreeMap<String, Says>,
    runs: u64,
    /// The inputs with which workflows were started.
    pub(super) inputs: BTreeMap<TargetName, Map<String, Value>>,
}

impl Story {
    /// A job that releases `targets` by a ticket that is open, and does not follow their runs.
    pub(super) fn of<const N: usize>(targets: [Ready; N]) -> Self {
        Self::of_many(targets.into())
    }

    pub(super) fn of_many(targets: Vec<Ready>) -> Self {
        let now = DateTime::UNIX_EPOCH;
        let ticket = TicketIs::Open { issue: ticket(), url: String::new(), created: None, opened_at: None };
        let mut known = Known::new(ticket, Vec::new());
        known.identity = Identity::Is(OWN.to_owned());
        Self {
            known,
            request: request(targets),
            now,
            answers: BTreeMap::new(),
            always: BTreeMap::new(),
            runs: HUB_RUN,
            inputs: BTreeMap::new(),
        }
    }

    /// The job does not know yet under which account it writes.
    pub(super) fn not_knowing_its_account(mut self) -> Self {
        self.known.identity = Identity::NotAsked;
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

    /// The answers to a step, one after the other; good ones follow.
    pub(super) fn when<const N: usize>(mut self, step: &str, says: [Says; N]) -> Self {
        self.answers.entry(step.to_owned()).or_default().extend(says);
        self
    }

    /// The answer to a step, each time.
    pub(super) fn always(mut self, step: &str, says: Says) -> Self {
        self.always.insert(step.to_owned(), says);
        self
    }

    /// The job is cancelled.
    pub(super) fn cancel(&mut self) {
        self.request.wind_up = true;
        self.known.wind_up();
    }

    /// Sends the next steps, whose answers never come.
    pub(super) fn send(&mut self) {
        self.known.send(&next(&self.known, &self.request, self.now), self.now);
    }

    /// Runs the job to its end: a line for all that it does at once.
    pub(super) fn run(&mut self) -> Vec<String> {
        self.run_until("the end")
    }

    /// Runs the job until `end` is among its next steps.
    pub(super) fn run_until(&mut self, end: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let steps = next(&self.known, &self.request, self.now);
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
        self.known.send(steps, self.now);
        for step in steps {
            let answer = self.answer(step, &words(step));
            self.known.learn(step, answer, &self.request, self.now);
        }
    }

    fn answer(&mut self, step: &Step, words: &str) -> Answer {
        let once = self.answers.get_mut(words).and_then(VecDeque::pop_front);
        match once.or_else(|| self.always.get(words).copied()) {
            Some(says) => answer_of(step, says),
            None => self.good_answer(step),
        }
    }

    /// The problems that fail the step, if it ends now.
    pub(super) fn problems(&self) -> Vec<String> {
        let results = results::results(&self.known, &self.request, self.now);
        results.failures.iter().chain(&results.problems).map(|problem| problem.what.clone()).collect()
    }

    /// Writes a comment as a bot.
    pub(super) fn write(&mut self, comment: Option<CommentId>, body: &str) -> Comment {
        let next = CommentId(self.known.log.last_id().map_or(1, |id| id.0 + 1));
        let written = Comment {
            id: comment.unwrap_or(next),
            author: Some(OWN.to_owned()),
            trusted: true,
            body: body.to_owned(),
            created_at: self.now,
            updated_at: self.now,
            url: String::new(),
        };
        self.known.log.extend([written.clone()]);
        written
    }

    fn good_answer(&mut self, step: &Step) -> Answer {
        match step {
            Step::AskIdentity => Answer::Identity(Some(OWN.to_owned())),
            Step::AskHubRun(_) => Answer::HubRun(Liveness::Ended),
            Step::LookAtRun(of) => Answer::Run(Box::new(sighting(of, "completed", Some("success")))),
            Step::LookAtCommit(_) => Answer::Commit("1111111111111111111111111111111111111111".to_owned()),
            Step::FindRelease(..) => Answer::Release(None),
            Step::Verify(inspection) if inspection.broken.is_empty() => Answer::Verified(inspection.passed()),
            Step::Verify(inspection) => Answer::Verified(inspection.broken.clone()),
            Step::FindRun(_) => Answer::Runs(Vec::new()),
            Step::LookBack(_) => Answer::Before(None),
            Step::Survey(_) => Answer::Surveyed(Box::default()),
            Step::Pause { until, .. } => {
                self.now = *until;
                Answer::Done
            }
            Step::Apply(Effect::OpenIssue(_)) => {
                Answer::Applied(Applied::Opened { issue: ticket(), url: String::new(), created: true })
            }
            Step::Apply(Effect::WriteRecord { comment, record, .. }) => {
                Answer::Applied(Applied::Written(self.write(*comment, &record.render())))
            }
            Step::Apply(Effect::UpdateBoard { .. }) => {
                let board = Board { comment: CommentId(1000), created: false, is_behind: false };
                Answer::Applied(Applied::Board(Some(board)))
            }
            Step::Apply(Effect::CreateRef(_)) => Answer::Applied(Applied::Ref(Created::New)),
            Step::Apply(Effect::StartWorkflow(start)) => {
                self.inputs.insert(start.target.clone(), start.inputs.clone());
                self.runs += 1;
                Answer::Applied(Applied::Started(Some((RunId(self.runs), format!("runs/{}", self.runs)))))
            }
            Step::Apply(Effect::SendEvent(_)) => Answer::Applied(Applied::Started(None)),
            Step::ReadLog | Step::Confirm | Step::StartAgain(_) | Step::Refuse { .. } | Step::Apply(_) => {
                Answer::Done
            }
        }
    }
}

fn answer_of(step: &Step, says: Says) -> Answer {
    let failed = |is_final| {
        let what = if is_final { "it is refused" } else { "there is no answer" }.to_owned();
        Answer::Failed(Failure { what, help: None, is_final, is_without_effect: is_final })
    };
    let run = |status, conclusion| match step {
        Step::LookAtRun(of) => Answer::Run(Box::new(sighting(of, status, conclusion))),
        _ => panic!("{step:?} does not look at a run"),
    };
    match says {
        Says::Refused => failed(true),
        Says::Nothing => failed(false),
        Says::Exists => Answer::Applied(Applied::Ref(Created::Exists)),
        Says::Lags => Answer::Stale,
        Says::NoRun => Answer::Applied(Applied::Started(None)),
        Says::Lists(runs) => Answer::Runs(runs.iter().map(|run| candidate(*run)).collect()),
        Says::ListsNamed(runs) => {
            let named = |run: &u64| Candidate { title: ticket().to_string(), ..candidate(*run) };
            Answer::Runs(runs.iter().map(named).collect())
        }
        Says::NewBoard => Answer::Applied(Applied::Board(Some(Board {
            comment: CommentId(1000),
            created: true,
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
        Step::Confirm => "read once more".to_owned(),
        Step::AskIdentity => "ask whose token it is".to_owned(),
        Step::AskHubRun(job) => format!("ask for hub run {}", job.run),
        Step::LookAtRun(of) => format!("look at {}", of.target),
        Step::LookAtCommit(of) => format!("look at the commit of {}", of.target),
        Step::FindRelease(of, _) => format!("find the release of {}", of.target),
        Step::Verify(inspection) => format!("verify {}", inspection.of.target),
        Step::FindRun(search) => format!("find {}", search.target),
        Step::LookBack(_) => "look for the release before".to_owned(),
        Step::Survey(of) => format!("survey {}", of.target),
        Step::StartAgain(again) if again.is_empty() => "start again: nothing".to_owned(),
        Step::StartAgain(again) => {
            format!("start again: {}", join(&again.keys().cloned().collect::<Vec<_>>()))
        }
        Step::Refuse { target, .. } => format!("refuse {target}"),
        Step::Pause { reason: Pause::Listing, .. } => "pause: listing".to_owned(),
        Step::Pause { reason: Pause::Held(targets), .. } => {
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
