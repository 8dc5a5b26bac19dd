//! Learning: what came of a step is folded into what is known. Nothing is decided here.

use chrono::{DateTime, TimeDelta, Utc};

use super::identify::{Found, identify};
use super::known::{Attempt, Board, Cause, Due, Known, Lag, Lock, Outcome, Own, Phase, Round, TicketIs};
use super::request::Request;
use super::step::{Answer, Failure, Pause, RunOf, Search, Step};
use crate::names::{CommentId, TargetName};
use crate::plan::{Applied, Created, Effect, NewRef};
use crate::problem::Problem;
use crate::ticket::claim::Liveness;
use crate::ticket::{Comment, Dispatch, Reason, Record, Start, StartState, Writer};

/// A refusal to show a run is believed when GitHub has refused for so long.
const REFUSED_FOR: TimeDelta = TimeDelta::seconds(60);

impl Known {
    /// Folds in what came of a step.
    pub fn learn(&mut self, step: &Step, answer: Answer, request: &Request, now: DateTime<Utc>) {
        match (step, answer) {
            (Step::ReadLog, Answer::Failed(failure)) => self.log_failed(&failure, request),
            (Step::ReadLog, Answer::Stale) if !self.has_read && !request.wind_up => self.lagged(now),
            (Step::ReadLog, _) => {
                (self.has_read, self.round.is_read, self.lag) = (true, true, None);
                if request.wind_up {
                    self.adopt_records_of(&request.by);
                }
            }
            (Step::AskHubRun(job), answer) => self.hub_run(job, answer),
            (Step::LookAtRun(of), answer) => self.looked(of, answer, request, now),
            (Step::FindRun(search), Answer::Runs(candidates)) => {
                self.found(search, Ok(identify(search, &candidates)), now);
            }
            (Step::FindRun(search), Answer::Failed(failure)) => self.found(search, Err(failure), now),
            (Step::StartAgain(again), _) => self.again = Some(again.clone()),
            (Step::Refuse { target, because }, _) => {
                let phase = Phase::Settled(Outcome::of(StartState::Refused, because.clone()));
                self.starts.insert(target.clone(), Attempt { sends: 0, phase });
            }
            (Step::Apply(effect), answer) => self.applied(effect, answer, request, now),
            (Step::Pause { reason: Pause::Listing, .. } | Step::FindRun(_), _) => {}
            (Step::Pause { .. }, _) => {
                self.round = Round::default();
                // Others write meanwhile, and a board that could not be written is tried again.
                self.board.due = Due::Later;
            }
        }
    }

    fn log_failed(&mut self, failure: &Failure, request: &Request) {
        if request.wind_up {
            // It gives back and cancels what it knows of.
            self.round.is_read = true;
            self.problems.push(problem(format!("cannot read the ticket: {failure}"), failure));
        } else if self.has_read && !failure.is_final {
            // Whoever waits for an hour survives a bad answer.
            self.round.is_read = true;
        } else {
            self.stop(failure);
        }
    }

    /// GitHub does not list this job's claim yet: nothing is decided by such a list.
    fn lagged(&mut self, now: DateTime<Utc>) {
        let lag = self.lag.get_or_insert(Lag { since: now, lists: 0 });
        lag.lists += 1;
        let waited = now - lag.since;
        if waited >= Lag::LIMIT {
            let what = format!(
                "GitHub does not list the comment that this job wrote {} s ago, so nobody can tell which job comes first",
                waited.num_seconds()
            );
            let help = Some("run the job again, or set `claim: ref`".to_owned());
            self.stop(&Failure { what, help, is_final: false, is_without_effect: true });
        }
    }

    fn stop(&mut self, failure: &Failure) {
        let what = match &self.ticket {
            TicketIs::Open { issue, .. } => format!("cannot go on with {issue}: {failure}"),
            TicketIs::New(new) => format!("cannot open a ticket in {}: {failure}", new.repository),
        };
        self.stopped = Some(problem(what, failure));
    }

    /// Takes every claim of this job as its own, whichever of its steps wrote it.
    fn adopt_records_of(&mut self, by: &Writer) {
        let ours = self.log.dispatches().filter(|(_, dispatch)| dispatch.by == *by);
        self.own = ours.map(|(comment, dispatch)| own(comment.clone(), dispatch.clone())).collect();
    }

    fn hub_run(&mut self, job: &Writer, answer: Answer) {
        match answer {
            Answer::HubRun(liveness) => {
                self.round.jobs.insert(job.clone(), liveness);
                // A job that has ended does not begin again.
                if liveness == Liveness::Ended {
                    self.settled_jobs.insert(job.clone(), liveness);
                }
            }
            // No answer this time: its claims stand for now.
            Answer::Failed(_) => {
                self.round.jobs.insert(job.clone(), Liveness::Alive);
            }
            _ => {
                self.settled_jobs.insert(job.clone(), Liveness::Alive);
            }
        }
    }

    fn looked(&mut self, of: &RunOf, answer: Answer, request: &Request, now: DateTime<Utc>) {
        self.round.runs.insert((of.target.clone(), of.run));
        match answer {
            Answer::Run(run) => {
                self.sight.remove(&of.target);
                self.runs.insert(of.target.clone(), *run);
            }
            Answer::Failed(failure) => self.unseen(of, &failure, request, now),
            _ => {}
        }
    }

    /// A run that may not be seen, or not any more. A run that was just started may be missing in a replica,
    /// so a refusal is believed when it has lasted for a while.
    fn unseen(&mut self, of: &RunOf, failure: &Failure, request: &Request, now: DateTime<Utc>) {
        let target = self.log.ticket().targets.get(&of.target);
        let is_released = target.is_some_and(|target| target.status.is_released());
        let by_event =
            target.and_then(|target| target.start.as_ref()).is_some_and(|start| start.workflow.is_none());
        let sight = self.sight.entry(of.target.clone()).or_default();
        if !failure.is_final {
            return;
        }
        let refused_for = now - *sight.refused_since.get_or_insert(now);
        if refused_for < REFUSED_FOR && request.follow.is_some() && !is_released {
            return;
        }
        sight.is_unseen = true;
        // A target that is released has said all there is; one that was started by an event reports itself.
        sight.is_lost = !is_released && !by_event;
        if sight.is_lost {
            let RunOf { target, repository, run } = of;
            self.problems.push(problem(
                format!("cannot follow {target}, run {run} of {repository}: {failure}"),
                failure,
            ));
        }
    }

    fn found(&mut self, search: &Search, found: Result<Found, Failure>, now: DateTime<Utc>) {
        let attempt = self.starts.remove(&search.target);
        let sends = attempt.as_ref().map_or(0, |attempt| attempt.sends);
        let phase = attempt.map(|attempt| attempt.phase);
        if let Ok(Found::One(_, url)) = &found {
            let by = if sends > 0 { "this job" } else { "a hub job that has ended" };
            tracing::info!("{} was started by {by}; going on with its run {url}", search.target);
        }
        let settled = match found {
            Ok(Found::One(run, url)) => Phase::Settled(Outcome::started(Some((run, url)))),
            Ok(Found::Several(runs)) => {
                Phase::Settled(Outcome::of(StartState::Unknown, several(search, runs)))
            }
            Ok(Found::Nothing) => match phase {
                None => Phase::Listing { since: now, looks: 1, cause: Cause::Died },
                Some(Phase::Listing { since, looks, cause }) if looks + 1 < cause.looks() => {
                    Phase::Listing { since, looks: looks + 1, cause }
                }
                Some(Phase::Listing { cause: Cause::Unnamed, .. }) => Phase::Settled(Outcome::started(None)),
                Some(Phase::Listing { cause: Cause::Unclear(failure), .. }) if sends > 1 => {
                    Phase::Settled(Outcome::unclear(failure, vec![search.page.clone()]))
                }
                Some(Phase::Sent) => Phase::Sent,
                _ => Phase::Cleared,
            },
            // Without a look it stays as unclear as it was, whatever kept the job from looking.
            Err(error) => match phase {
                Some(Phase::Listing { cause: Cause::Unnamed, .. }) => Phase::Settled(Outcome::started(None)),
                Some(Phase::Listing { cause: Cause::Unclear(failure), .. }) => {
                    Phase::Settled(Outcome::unclear(failure, vec![search.page.clone()]))
                }
                Some(Phase::Sent) => Phase::Sent,
                _ => Phase::Settled(Outcome::failed(error)),
            },
        };
        self.searched.insert(search.target.clone());
        self.starts.insert(search.target.clone(), Attempt { sends, phase: settled });
    }

    fn applied(&mut self, effect: &Effect, answer: Answer, request: &Request, now: DateTime<Utc>) {
        match (effect, answer) {
            (Effect::OpenIssue(_), Answer::Applied(Applied::Opened { issue, url, created })) => {
                self.ticket = TicketIs::Open { issue, url, created: Some(created) };
                // Nobody has written to a ticket that this step has just opened; who does so now is read
                // after the claim.
                (self.has_read, self.round.is_read) = (created, created);
            }
            (Effect::OpenIssue(_), Answer::Failed(failure)) => self.stop(&failure),
            (Effect::CloseDuplicate { issue, .. }, _) => self.duplicates.retain(|known| known != issue),
            (Effect::WriteRecord { comment, record, .. }, answer) => {
                self.wrote(*comment, record, answer, request);
            }
            (Effect::UpdateBoard { .. }, Answer::Applied(Applied::Board(board))) => {
                let created = board.filter(|board| board.created).map(|board| board.comment);
                let to_pin = created.or(self.board.to_pin);
                let is_behind = board.is_some_and(|board| board.is_behind);
                let due = if is_behind { self.board.due } else { Due::Not };
                self.board = Board { due, to_pin, failure: None, ..self.board };
            }
            (Effect::UpdateBoard { .. }, Answer::Failed(failure)) => {
                self.board = Board { due: Due::Not, failure: Some(failure), ..self.board };
            }
            (Effect::PinBoard { .. }, _) => self.board.to_pin = None,
            (Effect::CreateRef(new), answer) => self.ref_answered(new, answer, now),
            (Effect::StartWorkflow(start), answer) => self.start_answered(&start.target, true, answer, now),
            (Effect::SendEvent(start), answer) => self.start_answered(&start.target, false, answer, now),
            (Effect::Skip { target, .. }, _) => {
                self.left.insert(target.clone());
            }
            (Effect::CancelRun { target, repository, run }, answer) => {
                self.cancelled.insert(*run);
                let mut second = self.log.ticket().second_starts.iter();
                let is_second = second.any(|second| second.run == Some(*run));
                match &answer {
                    Answer::Failed(_) if is_second => {
                        self.uncancelled.insert(*run);
                    }
                    _ if is_second => {
                        tracing::warn!("{target} was started twice; its second run {run} is cancelled");
                    }
                    _ => {}
                }
                if !request.wind_up && !is_second {
                    self.late.insert(target.clone());
                }
                self.round.runs.remove(&(target.clone(), *run));
                if let Answer::Failed(failure) = answer {
                    let what = format!("cannot cancel {target}, run {run} of {repository}: {failure}");
                    self.problems.push(problem(what, &failure));
                }
            }
            (Effect::DeleteRefs { .. }, _) => self.has_refs = false,
            (Effect::CloseIssue { issue, .. }, answer) => {
                self.is_closed = true;
                if let Answer::Failed(failure) = answer {
                    self.has_refs = false;
                    self.problems.push(problem(format!("cannot close {issue}: {failure}"), &failure));
                }
            }
            _ => {}
        }
    }

    fn wrote(&mut self, comment: Option<CommentId>, record: &Record, answer: Answer, request: &Request) {
        let Record::Dispatch(record) = record else { return };
        let index = self.own.iter().position(|own| Some(own.comment) == comment);
        // A record repeats its old entries, whatever became of these targets in later records.
        let before = index.map_or(&[][..], |index| &self.own[index].record.targets);
        let news: Vec<&Start> = record.targets.iter().filter(|start| !before.contains(start)).collect();
        match answer {
            Answer::Applied(Applied::Written(written)) => {
                self.board.due = self.board.due.max(Due::Later);
                match index {
                    Some(index) => {
                        // The comment is another one if a person has deleted it.
                        let Own { created_at, author, .. } = self.own[index].clone();
                        self.own[index] = Own { created_at, author, ..own(written, record.clone()) };
                    }
                    None => {
                        if !record.targets.is_empty() {
                            self.board.due = Due::Now;
                            (self.has_read, self.round.is_read) = (false, false);
                        }
                        self.own.push(own(written, record.clone()));
                    }
                }
                let recorded = news.into_iter().filter(|start| start.state != StartState::Claimed);
                recorded.for_each(|start| drop(self.starts.remove(&start.target)));
            }
            Answer::Failed(failure) if news.is_empty() && request.follow.is_some() && !failure.is_final => {
                self.round.recording_failed = true;
            }
            Answer::Failed(failure) => self.stop(&failure),
            _ => {}
        }
    }

    fn ref_answered(&mut self, new: &NewRef, answer: Answer, now: DateTime<Utc>) {
        let (target, turn) = (&new.target, new.turn);
        let is_unclear = matches!(self.locks.get(target), Some(Lock::Unclear { .. }));
        let lock = match answer {
            Answer::Applied(Applied::Ref(Created::New)) => {
                if turn > 0 {
                    // Whoever had it before may have written meanwhile.
                    (self.has_read, self.round.is_read) = (false, false);
                }
                Lock::Held { turn }
            }
            Answer::Applied(Applied::Ref(Created::Exists)) => Lock::Taken { turn, since: now, is_unclear },
            Answer::Failed(failure) if !failure.is_without_effect && !is_unclear => Lock::Unclear { turn },
            Answer::Failed(failure) => {
                let phase = Phase::Settled(Outcome::failed(failure));
                self.starts.insert(target.clone(), Attempt { sends: 0, phase });
                return;
            }
            _ => return,
        };
        self.locks.insert(target.clone(), lock);
    }

    fn start_answered(&mut self, target: &TargetName, is_workflow: bool, answer: Answer, now: DateTime<Utc>) {
        let Some(attempt) = self.starts.get_mut(target) else { return };
        let listing = |cause| Phase::Listing { since: now, looks: 0, cause };
        attempt.phase = match answer {
            Answer::Applied(Applied::Started(None)) if is_workflow => listing(Cause::Unnamed),
            Answer::Applied(Applied::Started(run)) => Phase::Settled(Outcome::started(run)),
            Answer::Failed(failure) if is_workflow && !failure.is_without_effect => {
                listing(Cause::Unclear(failure))
            }
            Answer::Failed(failure) => Phase::Settled(Outcome::failed(failure)),
            _ => return,
        };
    }
}

fn own(comment: Comment, record: Dispatch) -> Own {
    let Comment { id, url, created_at, author, .. } = comment;
    Own { comment: id, url, created_at, author, record }
}

fn problem(what: String, failure: &Failure) -> Problem {
    Problem { help: failure.help.clone(), ..Problem::new(what) }
}

fn several(search: &Search, runs: Vec<String>) -> Reason {
    Reason::Unclear {
        error: "it may have been started".to_owned(),
        runs,
        help: Some(format!(
            "look at the runs of {}; give the workflow a `run-name` that holds the input `release-ticket`, so that \
             its run can be told from others",
            search.repository
        )),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::engine::testing::{Says, Story, dispatch, target};

    #[test]
    fn a_record_that_repeats_an_old_entry_does_not_make_the_job_forget_a_start() {
        // `web` is left to another job, in the record that starts `api`; that job dies, and `web` is started
        // without a clear answer. Meanwhile `db`, which a third job has, makes this one look at `api` again.
        let mut story =
            Story::of([target("web"), target("api"), target("lib"), target("db").needing(["lib"])])
                .following()
                .after(dispatch(50, [("web", StartState::Claimed)]))
                .always("ask for hub run 50", Says::AtWork)
                .always("ask for hub run 51", Says::AtWork)
                .always("look at api", Says::GoesOn)
                .always("look at lib", Says::GoesOn);
        let yielded = "web left to another job; api and lib started; db waiting; api and lib in progress";
        story.run_until(&format!("edit comment 2: {yielded}"));
        story = story
            .after(dispatch(51, [("db", StartState::Claimed)]))
            .always("ask for hub run 50", Says::Ended)
            .when("start web", [Says::Nothing])
            .when("look at api", [Says::GoesOn])
            .always("look at api", Says::Ended)
            .always("look at lib", Says::Ended);
        let lines = story.run_until("edit comment 4: web started; db claimed");
        let starts: Vec<usize> = (0..lines.len()).filter(|line| lines[*line] == "start web").collect();
        let looks = lines[starts[0]..starts[1]].iter().filter(|line| line.contains("find web")).count();
        assert_eq!(looks, 8, "{lines:#?}");
    }

    #[test]
    fn a_pause_ends_a_round_of_questions_and_a_pause_for_a_list_does_not() {
        let mut story = Story::of([target("web")]).when("start web", [Says::Nothing]);
        story.run_until("pause: listing");
        let round = story.known.round.clone();
        let pause = |reason| Step::Pause { until: story.now + TimeDelta::seconds(1), reason };
        story.known.learn(&pause(Pause::Listing), Answer::Done, &story.request, story.now);
        assert_eq!(story.known.round, round);
        let pause = pause(Pause::Runs(vec!["web".into()]));
        story.known.learn(&pause, Answer::Done, &story.request, story.now);
        assert_eq!(story.known.round, Round::default());
    }

    #[test]
    fn a_job_that_has_ended_is_not_asked_for_again() {
        let mut story = Story::of([target("web")]).following();
        story = story.after(dispatch(50, [("api", StartState::Claimed)])).when("look at web", [Says::GoesOn]);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "ask for hub run 50").count(), 1);
    }

    #[test]
    fn a_cancelled_job_takes_the_claims_of_its_earlier_steps_for_its_own() {
        let mut story = Story::of([target("web")]);
        let by = story.request.by.clone();
        story = story.after(Dispatch { by, ..dispatch(50, [("web", StartState::Claimed)]) });
        story.cancel();
        assert_eq!(story.run(), ["read", "edit comment 1: web cancelled", "board"]);
    }

    #[test]
    fn several_runs_that_could_be_the_one_leave_the_start_unknown_and_are_named() {
        let mut story = Story::of([target("web")]).when("start web", [Says::Nothing]);
        story = story.when("find web", [Says::Lists(&[101, 102])]);
        let lines = story.run();
        assert!(lines.contains(&"edit comment 1: web unknown".to_owned()), "{lines:#?}");
        let problem = "cannot start web: it may have been started; its run could be here: runs/101 runs/102";
        assert_eq!(story.problems(), [problem]);
    }
}
