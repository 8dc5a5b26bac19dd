//! Learning: what came of a step is folded into what is known. Nothing is decided here.

use chrono::{DateTime, TimeDelta, Utc};

use super::identify::{Found, holds, identify, names_another};
use super::known::{
    Attempt, AwaitedOutputs, Board, Cause, Doubt, Due, Gone, Identity, Known, Lag, Lock, Outcome, Own, Phase,
    Round, Sight, TicketIs,
};
use super::ready::Ready;
use super::request::Request;
use super::step::{Answer, CommitOf, Evidence, Failure, Pause, RunOf, Search, Sighting, Step};
use crate::names::{CommentId, TargetName, short_sha};
use crate::plan::{Applied, Created, Effect, NewRef, WorkflowStart};
use crate::problem::Problem;
use crate::ticket::claim::{Claims, Liveness};
use crate::ticket::followers::reports_of;
use crate::ticket::gate::OnMoved;
use crate::ticket::reason::and;
use crate::ticket::state::Run;
use crate::ticket::{
    Comment, Dispatch, FollowedRun, Notice, Reason, Record, Start, StartState, Survey, Writer,
};

/// A run may seem this much older than what it was started by.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(60);

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
                    self.adopt_records_of(request);
                }
            }
            (Step::Confirm, Answer::Failed(failure)) => self.log_failed(&failure, request),
            (Step::Confirm, _) => self.has_confirmed = true,
            (Step::AskIdentity, answer) => {
                self.identity = match answer {
                    Answer::Identity(Some(login)) => Identity::Is(login),
                    _ => Identity::Unknown,
                };
                if request.wind_up {
                    self.adopt_records_of(request);
                }
            }
            (Step::AskHubRun(job), answer) => self.hub_run(job, answer),
            (Step::LookAtRun(of), answer) => self.looked(of, answer, request, now),
            (Step::FindRelease(of, attempt), answer) => {
                let ready = request.targets.iter().find(|ready| *ready.name() == of.target);
                self.release_found(of, *attempt, answer, ready, now);
            }
            (Step::Verify(inspection), answer) => self.checked(inspection, answer, now),
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
            (Step::LookAtCommit(of), answer) => {
                let commit = self.commit_answered(of, answer);
                self.round.commits.insert(of.target.clone(), commit);
            }
            (Step::LookBack(_), answer) => {
                self.recording.before = Some(match answer {
                    Answer::Before(before) => before,
                    _ => None,
                });
            }
            (Step::Survey(of), answer) => {
                let survey = match answer {
                    Answer::Surveyed(survey) => *survey,
                    _ => Survey::default(),
                };
                self.recording.surveys.insert(of.target.clone(), survey);
            }
            (Step::Pause { reason: Pause::Listing, .. } | Step::FindRun(_), _) => {}
            (Step::Pause { reason, .. }, _) => {
                self.round = Round::default();
                if let Pause::Outputs(targets) = reason {
                    self.looked_for_outputs(targets, now);
                }
                // Others write meanwhile, and a board that could not be written is tried again.
                self.board.due = Due::Later;
            }
        }
    }

    /// A target whose commit GitHub does not say is not started.
    fn commit_answered(&mut self, of: &CommitOf, answer: Answer) -> Option<String> {
        match answer {
            Answer::Commit(sha) => Some(sha),
            Answer::Failed(failure) => {
                let CommitOf { repository, git_ref, .. } = of;
                let what = format!("cannot tell at which commit `{git_ref}` of {repository} is: {failure}");
                let problem = problem(what, &failure);
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
            _ => None,
        }
    }

    fn looked_for_outputs(&mut self, targets: &[TargetName], now: DateTime<Utc>) {
        for target in targets {
            let first = AwaitedOutputs { since: now, looks: 0 };
            self.awaited_outputs.entry(target.clone()).or_insert(first).looks += 1;
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
    fn adopt_records_of(&mut self, request: &Request) {
        let claims = Claims { log: &self.log, basis: &self.basis(request) };
        let ours = claims.own().filter(|(_, dispatch)| dispatch.by == request.by);
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
            Answer::Run(sighting) => match self.misfit(of, &sighting, request) {
                None => {
                    self.sighted(of, &sighting, request, now);
                    self.compare(of, &sighting, request);
                    self.doubts.remove(&(of.target.clone(), of.run));
                    // Answers come in any order.
                    let is_older = |known: &FollowedRun| known.run > of.run;
                    if !self.runs.get(&of.target).is_some_and(is_older) {
                        self.changes.insert(of.target.clone(), sighting.changed_at);
                        let run = Run::seen(&sighting.run);
                        let reports = reports_of(Some(&run), self.log.reports().map(|(_, report)| report));
                        self.runs.insert(of.target.clone(), FollowedRun { reports, ..sighting.run });
                    }
                }
                Some(misfit) => self.misfits(of, self.known_run(of, request), &misfit),
            },
            Answer::Failed(failure) if self.known_run(of, request) => self.unseen(of, &failure, request, now),
            Answer::NoRun if self.known_run(of, request) => self.gone(of, request, now),
            Answer::Failed(failure) if failure.is_final => self.doubt(of, false, request, now),
            Answer::NoRun => self.doubt(of, true, request, now),
            _ => {}
        }
    }

    /// GitHub shows the run. Where it says for a while that the run has ended, and not how, nobody waits any longer.
    fn sighted(&mut self, of: &RunOf, sighting: &Sighting, request: &Request, now: DateTime<Utc>) {
        if !sighting.run.lacks_conclusion() {
            self.sight.remove(&of.target);
            return;
        }
        let known = self.sight.get(&of.target).and_then(|sight| sight.mute_since);
        let since = known.unwrap_or(now);
        let is_lost = request.follow.is_some() && now - since >= REFUSED_FOR;
        self.sight.insert(of.target.clone(), Sight { mute_since: Some(since), is_lost, ..Sight::default() });
        if is_lost {
            let RunOf { target, repository, run } = of;
            let what = format!("{target}: run {run} of {repository} has ended, and GitHub does not say how");
            let help = format!("look at {}; then run the job again, which asks GitHub", sighting.run.run_url);
            self.problems.push(Problem::new(what).help(help));
        }
    }

    /// A branch or tag may move between the look at its commit and the start: then the run is one that nobody approved.
    fn compare(&mut self, of: &RunOf, sighting: &Sighting, request: &Request) {
        let basis = self.basis(request);
        let claims = Claims { log: &self.log, basis: &basis };
        let ticket = self.log.believed(&basis);
        let mut starts =
            claims.own().flat_map(|(_, claim)| claim.targets.iter().map(move |start| (claim, start)));
        let Some((claim, start)) = starts.find(|(_, start)| start.run == Some(of.run)) else { return };
        let binds = ticket.gates_in(&start.needs).any(|gate| gate.on_moved != OnMoved::Warn);
        let (Some(approved), Some(started)) = (&start.commit, &sighting.head_sha) else { return };
        let is_own = claim.by == request.by;
        let (approved, started) = (approved.clone(), started.clone());
        self.compared.insert(of.run);
        if !binds
            || approved == started
            || sighting.run.has_ended() && !is_own
            || !self.unapproved.insert(of.run)
        {
            return;
        }
        let RunOf { target, repository, .. } = of;
        let what = format!(
            "{target} began at commit {} of {repository}, and {} was approved: the ref moved at that moment, and the \
             run is cancelled",
            short_sha(&started),
            short_sha(&approved)
        );
        let help = format!(
            "look at {}; approve the new commit with `/release go`, and then comment `/release retry {target}`",
            sighting.run.run_url
        );
        self.problems.push(Problem::new(what).help(help));
    }

    /// Whether this hub's own records, or GitHub, say that the run is the target's.
    fn known_run(&self, of: &RunOf, request: &Request) -> bool {
        let ticket = self.log.believed(&self.basis(request));
        let run = ticket.targets.get(&of.target).and_then(|target| target.run.as_ref());
        run.is_some_and(|run| run.id == of.run)
    }

    /// Why a run is not the target's: it is one of another workflow, or older than the first claim on the target;
    /// where nobody has claimed it, than the ticket.
    fn misfit(&self, of: &RunOf, sighting: &Sighting, request: &Request) -> Option<String> {
        let basis = self.basis(request);
        let claims = Claims { log: &self.log, basis: &basis };
        let starts =
            claims.own().flat_map(|(comment, claim)| claim.targets.iter().map(move |start| (comment, start)));
        let starts = starts.filter(|(_, start)| start.target == of.target && !start.state.is_passive());
        let claimed: Vec<(&Comment, &Start)> = starts.collect();
        let listed =
            request.targets.iter().find(|ready| *ready.name() == of.target).and_then(Ready::workflow);
        let mut workflows =
            claimed.iter().filter_map(|(_, start)| start.workflow.as_ref()).chain(listed).peekable();
        if let (Some(file), Some(workflow)) = (&sighting.workflow, workflows.peek().copied())
            && !workflows.any(|workflow| workflow.is_at(file))
        {
            return Some(format!("it is a run of {file}, and the workflow of {} is {workflow}", of.target));
        }
        // A run that this hub has recorded as the target's was identified then.
        if claimed.iter().any(|(_, start)| start.run == Some(of.run)) {
            return None;
        }
        if let Some(why) = self.of_something_else(of, sighting, &claimed, claims) {
            return Some(why);
        }
        let opened_at = match &self.ticket {
            TicketIs::Open { opened_at, .. } => *opened_at,
            TicketIs::New(_) => None,
        };
        let claimed_at = claimed.iter().map(|(comment, _)| comment.created_at).min();
        match claimed_at.or(opened_at) {
            Some(since) if sighting.created_at + CLOCKS_DIFFER >= since => None,
            Some(_) => Some(format!("it is older than the claim on {}", of.target)),
            None => Some(format!("nobody has claimed {}", of.target)),
        }
    }

    /// Why a run that no claim on the target records is one of another target or ticket.
    fn of_something_else(
        &self,
        of: &RunOf,
        sighting: &Sighting,
        claimed: &[(&Comment, &Start)],
        claims: Claims<'_>,
    ) -> Option<String> {
        let is_run = |start: &&Start| start.run == Some(of.run);
        if let Some(start) = claims.own().flat_map(|(_, claim)| &claim.targets).find(is_run) {
            return Some(format!("it is the run of {}", start.target));
        }
        let TicketIs::Open { issue, .. } = &self.ticket else { return None };
        if names_another(&sighting.title, issue) {
            return Some("its name holds another ticket".to_owned());
        }
        let is_named = holds(&sighting.title, &issue.to_string());
        let is_by_event = claimed.iter().any(|(_, start)| start.workflow.is_none());
        if is_by_event {
            let is_other = sighting.event.as_deref().is_some_and(|event| event != "repository_dispatch");
            return (is_other && !is_named).then(|| "no event of a dispatch started it".to_owned());
        }
        // What a dispatch has started it has recorded, unless GitHub did not say which run that is.
        let is_nameless =
            |(_, start): &(&Comment, &Start)| start.state == StartState::Started && start.run.is_none();
        let is_dispatched = sighting.actor.as_deref().is_some_and(|actor| {
            actor.ends_with("[bot]")
                || matches!(&self.identity, Identity::Is(own) if own.eq_ignore_ascii_case(actor))
        });
        // Where nobody claims the target, its claim may have been deleted.
        let is_recorded = !claimed.is_empty() && !claimed.iter().any(is_nameless);
        (is_dispatched && !is_named && is_recorded)
            .then(|| "a bot started it, and its name does not hold the ticket".to_owned())
    }

    fn misfits(&mut self, of: &RunOf, is_known: bool, misfit: &str) {
        let RunOf { target, repository, run } = of;
        self.doubts.insert((target.clone(), *run), Doubt::Refuted);
        let what = format!("run {run} of {repository} does not count for {target}: {misfit}");
        if is_known {
            self.sight.insert(target.clone(), Sight { is_lost: true, ..Sight::default() });
            let help = "look who has edited the records of the ticket".to_owned();
            self.problems.push(Problem::new(what).help(help));
        } else {
            tracing::warn!("{what}");
        }
    }

    /// A run that only a report names, and that GitHub does not show. A run that has just begun may be missing in
    /// a replica.
    fn doubt(&mut self, of: &RunOf, is_certain: bool, request: &Request, now: DateTime<Utc>) {
        let key = (of.target.clone(), of.run);
        let Doubt::NotShown(since) = *self.doubts.entry(key.clone()).or_insert(Doubt::NotShown(now)) else {
            return;
        };
        if now - since < REFUSED_FOR && request.follow.is_some() {
            return;
        }
        self.doubts.insert(key, Doubt::Refuted);
        let ticket = self.log.believed(&self.basis(request));
        let target = ticket.targets.get(&of.target);
        let is_nameless = target.is_some_and(|target| target.start.is_some() && target.run.is_none());
        if is_nameless && !is_certain {
            // GitHub shows no run of this target: its reports are all there is.
            self.sight.entry(of.target.clone()).or_default().is_unseen = true;
        } else {
            let RunOf { target, repository, run } = of;
            tracing::warn!(
                "GitHub shows no run {run} in {repository}, so what it reports for {target} does not count"
            );
        }
    }

    /// A run that may not be seen, or not any more. A run that was just started may be missing in a replica,
    /// so a refusal is believed when it has lasted for a while.
    fn unseen(&mut self, of: &RunOf, failure: &Failure, request: &Request, now: DateTime<Utc>) {
        let ticket = self.log.believed(&self.basis(request));
        let target = ticket.targets.get(&of.target);
        let is_released = target.is_some_and(|target| target.status.is_released());
        let start = target.and_then(|target| target.start.as_ref());
        let by_event = start.is_some_and(|start| start.workflow.is_none());
        let is_young = start.is_some_and(|start| now - start.at < REFUSED_FOR);
        let sight = self.sight.entry(of.target.clone()).or_default();
        // Whether it is gone nobody can tell this time.
        sight.gone = None;
        if !failure.is_final {
            return;
        }
        let refused_for = now - *sight.refused_since.get_or_insert(now);
        if is_young || refused_for < REFUSED_FOR && request.follow.is_some() && !is_released {
            return;
        }
        sight.is_unseen = true;
        // A target that is released has said all there is; one that was started by an event reports itself.
        sight.is_lost = !is_released && !by_event && request.runs_decide();
        if sight.is_lost {
            let RunOf { target, repository, run } = of;
            self.problems.push(problem(
                format!("cannot follow {target}, run {run} of {repository}: {failure}"),
                failure,
            ));
        }
    }

    /// GitHub has no such run, although the repository can be seen. A replica may lag: the run counts as deleted when
    /// several looks agree. How a run has ended stays known.
    fn gone(&mut self, of: &RunOf, request: &Request, now: DateTime<Utc>) {
        let ticket = self.log.believed(&self.basis(request));
        let Some(target) = ticket.targets.get(&of.target) else { return };
        let Some(run) = target.run.as_ref() else { return };
        let is_young = target.start.as_ref().is_some_and(|start| now - start.at < REFUSED_FOR);
        let is_known = target.followed.as_ref().is_some_and(FollowedRun::has_ended);
        if is_known || is_young && request.follow.is_none() {
            return;
        }
        let sight = self.sight.entry(of.target.clone()).or_default();
        let Gone { since, looks } = sight.gone.unwrap_or(Gone { since: now, looks: 0 });
        let gone = Gone { since, looks: looks + 1 };
        sight.gone = Some(gone);
        let is_settled = match request.follow {
            Some(_) => !is_young && now - since >= REFUSED_FOR,
            None => gone.next_look().is_none(),
        };
        if is_settled {
            let run = FollowedRun {
                attempt: run.attempt,
                run_url: run.url.clone().unwrap_or_default(),
                ..FollowedRun::deleted(of.target.clone(), run.repository.clone(), run.id, now)
            };
            self.runs.insert(of.target.clone(), run);
        }
    }

    fn found(&mut self, search: &Search, found: Result<Found, Failure>, now: DateTime<Utc>) {
        let attempt = self.starts.remove(&search.target);
        let sends = attempt.as_ref().map_or(0, |attempt| attempt.sends);
        let phase = attempt.map(|attempt| attempt.phase);
        if let Ok(Found::One(_, url)) = &found {
            let how = match search.evidence {
                Evidence::Nothing => "already, although no record of the ticket says so",
                _ if sends > 0 => "by this job",
                _ => "by a hub job that has ended",
            };
            tracing::info!("{} was started {how}; going on with its run {url}", search.target);
        }
        let settled = match found {
            Ok(Found::One(run, url)) => Phase::Settled(Outcome::started(Some((run, url)))),
            Ok(Found::Several(runs)) => match phase {
                Some(Phase::Listing { cause: Cause::Unnamed, .. }) => {
                    let because = one_of(search, runs);
                    tracing::warn!("{}: {}", search.target, because.plain());
                    Phase::Settled(Outcome::of(StartState::Started, because))
                }
                _ => Phase::Settled(Outcome::of(StartState::Unknown, several(search, runs))),
            },
            Ok(Found::Nothing) => match phase {
                // What no claim of this hub says is looked for once.
                None if search.evidence != Evidence::Claim => Phase::Cleared,
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
                let opened_at = Some(now).filter(|_| created);
                self.ticket = TicketIs::Open { issue, url, created: Some(created), opened_at };
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
            (Effect::StartWorkflow(start), answer) => {
                self.warn_of_moved_refs(start, request);
                self.start_answered(&start.target, true, answer, now);
            }
            (Effect::SendEvent(start), answer) => self.start_answered(&start.target, false, answer, now),
            (Effect::Skip { target, .. }, _) => {
                self.left.insert(target.clone());
            }
            (Effect::CancelRun { target, repository, run }, answer) => {
                self.cancelled.insert(*run);
                let ticket = self.log.believed(&self.basis(request));
                let is_second = ticket.second_starts.iter().any(|second| second.run == Some(*run));
                match &answer {
                    Answer::Failed(_) if is_second => {
                        self.uncancelled.insert(*run);
                    }
                    _ if is_second => {
                        tracing::warn!("{target} was started twice; its second run {run} is cancelled");
                    }
                    _ => {}
                }
                let attempt = ticket.targets.get(target).and_then(|target| target.run.as_ref());
                let attempt = attempt.filter(|of| of.id == *run).map_or(1, |run| run.attempt);
                if !request.wind_up
                    && !is_second
                    && !self.unapproved.contains(run)
                    && !ticket.is_to_be_cancelled(*run, attempt)
                {
                    self.late.insert(target.clone());
                }
                self.round.runs.remove(&(target.clone(), *run));
                if let Answer::Failed(failure) = answer {
                    let what = format!("cannot cancel {target}, run {run} of {repository}: {failure}");
                    self.problems.push(problem(what, &failure));
                }
            }
            (Effect::PublishRelease(new), answer) => {
                self.recording.is_published = true;
                if let Answer::Failed(failure) = answer {
                    let what = format!("cannot publish the record of the release: {failure}");
                    self.problems.push(problem(what, &failure));
                } else {
                    tracing::debug!("the record is published as {} of {}", new.tag, new.repository);
                }
            }
            (Effect::React { .. }, _) => self.has_reacted = true,
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

    /// Somebody is pinged once, also where it may have failed.
    fn pinged(&mut self, notice: &Notice, answer: Answer) {
        self.pinged.extend(notice.pings.iter().cloned());
        match answer {
            Answer::Failed(failure) => {
                let mentioned: Vec<String> = notice.mention.iter().map(ToString::to_string).collect();
                let what = format!("cannot mention {} on the ticket: {failure}", and(&mentioned));
                self.problems.push(problem(what, &failure));
            }
            _ => self.board.due = self.board.due.max(Due::Later),
        }
    }

    /// What a release came to is in its records all the same, so nothing stops without this one.
    fn recorded(&mut self, answer: Answer, request: &Request) {
        match answer {
            Answer::Failed(failure) => {
                self.recording.has_failed = true;
                self.problems.push(problem(format!("cannot record the release: {failure}"), &failure));
            }
            Answer::Applied(Applied::Written(written)) if !written.trusted => {
                self.recording.has_failed = true;
                self.problems.push(written.not_believed(&request.wording.hub));
            }
            _ => self.board.due = self.board.due.max(Due::Later),
        }
    }

    /// Nothing is done that no record says.
    fn decided(&mut self, answer: Answer, request: &Request) {
        match answer {
            Answer::Applied(Applied::Written(written)) if !written.trusted => {
                self.stopped = Some(written.not_believed(&request.wording.hub));
            }
            Answer::Applied(Applied::Written(written)) => {
                if let Some(author) = written.author {
                    self.identity = Identity::Is(author);
                }
                self.board.due = self.board.due.max(Due::Later);
            }
            Answer::Failed(failure) => self.stop(&failure),
            _ => {}
        }
    }

    fn wrote(&mut self, comment: Option<CommentId>, record: &Record, answer: Answer, request: &Request) {
        let record = match record {
            Record::Dispatch(record) => record,
            Record::Notice(notice) => return self.pinged(notice, answer),
            Record::Decision(_) => return self.decided(answer, request),
            Record::Release(_) => return self.recorded(answer, request),
            Record::Report(_) => return,
        };
        let index = self.own.iter().position(|own| Some(own.comment) == comment);
        // A record repeats its old entries, whatever became of these targets in later records.
        let before = index.map_or(&[][..], |index| &self.own[index].record.targets);
        let news: Vec<&Start> = record.targets.iter().filter(|start| !before.contains(start)).collect();
        // Without it the release goes on as it would with it.
        let is_same =
            |known: &Dispatch| known.followed == record.followed && known.verified == record.verified;
        let is_remark = index.is_some_and(|index| news.is_empty() && is_same(&self.own[index].record));
        match answer {
            Answer::Applied(Applied::Written(written)) if !written.trusted => {
                self.stopped = Some(written.not_believed(&request.wording.hub));
            }
            Answer::Applied(Applied::Written(written)) => {
                if let Some(author) = &written.author {
                    self.identity = Identity::Is(author.clone());
                }
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
                for start in news.into_iter().filter(|start| start.state != StartState::Claimed) {
                    self.starts.remove(&start.target);
                    // Whoever claims it next takes the next turn.
                    if start.state == StartState::Waiting {
                        self.locks.remove(&start.target);
                    }
                }
            }
            Answer::Failed(failure) if is_remark => {
                self.round.recording_failed = true;
                let what = format!("cannot record who follows the runs: {failure}");
                let problem = problem(what, &failure);
                if failure.is_final && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
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

    /// A gate that only warns lets a target through although its ref has moved since it was approved.
    fn warn_of_moved_refs(&self, start: &WorkflowStart, request: &Request) {
        let ticket = self.log.believed(&self.basis(request));
        for gate in ticket.gates_in(&start.after) {
            for lapse in ticket.standing(gate, &start.target).moved {
                let WorkflowStart { target, repository, .. } = start;
                let approved = lapse.approved.and_then(|commit| commit.sha.as_deref());
                let (Some(approved), Some(now)) = (approved, lapse.now) else { continue };
                let server = &request.wording.server_url;
                tracing::warn!(
                    "{target} starts at commit {}, and gate `{}` was approved at {}: \
                     {server}/{repository}/compare/{approved}...{now}",
                    short_sha(now),
                    gate.name,
                    short_sha(approved)
                );
            }
        }
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
    unclear("it may have been started", search, runs)
}

/// GitHub has taken the start, and does not say which of these runs it is.
fn one_of(search: &Search, runs: Vec<String>) -> Reason {
    unclear("it was started, and GitHub does not say as which run", search, runs)
}

fn unclear(error: &str, search: &Search, runs: Vec<String>) -> Reason {
    Reason::Unclear {
        error: error.to_owned(),
        runs,
        help: Some(format!(
            "look at the runs of {}; give the workflow a `run-name` that holds the inputs `release-ticket` and \
             `release-target`, so that its run can be told from others",
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
