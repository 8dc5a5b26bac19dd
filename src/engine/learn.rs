//! Learning: the answer to a step becomes a part of the facts. Rules decide, this module does not.

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{
    Absence, AwaitedOutputs, Board, Cause, Doubt, Due, Facts, Identity, Lag, Lock, LookProblems, Outcome,
    OwnRecord, OwnStart, Round, StartPhase, TicketState,
};
use super::identify::{Match, contains_ticket, identify, names_another};
use super::ready::ReadyTarget;
use super::request::Request;
use super::step::{Answer, Evidence, Failure, Pause, Search, Sighting, Step, TargetRef, TargetRun};
use crate::names::{CommentId, TargetName, short_sha};
use crate::plan::{Creation, Effect, EffectOutcome, NewRef, WorkflowStart};
use crate::problem::{Problem, Topic};
use crate::ticket::claim::{Claims, Liveness};
use crate::ticket::followers::reports_of;
use crate::ticket::gate::MovePolicy;
use crate::ticket::reason::and;
use crate::ticket::state::Run;
use crate::ticket::{
    Comment, Dispatch, FollowedRun, Notice, Reason, Record, Start, StartState, Survey, Writer,
};

/// The greatest difference between two clocks of GitHub: a run may seem this much older than its claim.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The time for which GitHub has to repeat a refusal to show a run before the refusal counts.
const REFUSAL_DELAY: TimeDelta = TimeDelta::seconds(60);

impl Facts {
    /// Folds in the answer to a step.
    pub fn learn(&mut self, step: &Step, answer: Answer, request: &Request, now: DateTime<Utc>) {
        match (step, answer) {
            (Step::ReadLog, Answer::Failed(failure)) => self.learn_log_failure(&failure, request),
            (Step::ReadLog, Answer::Stale) if !self.has_read && !request.wind_up => self.learn_lag(now),
            (Step::ReadLog, _) => {
                (self.has_read, self.round.is_read, self.lag) = (true, true, None);
                if request.wind_up {
                    self.adopt_records_of(request);
                }
            }
            (Step::ReadLogBeforeRefusal, Answer::Failed(failure)) => {
                self.learn_log_failure(&failure, request)
            }
            (Step::ReadLogBeforeRefusal, _) => self.has_confirmed = true,
            (Step::AskIdentity, answer) => {
                self.identity = match answer {
                    Answer::Identity(Some(login)) => Identity::Login(login),
                    _ => Identity::Unknown,
                };
                if request.wind_up {
                    self.adopt_records_of(request);
                }
            }
            (Step::AskHubRun(job), answer) => self.learn_hub_run(job, answer),
            (Step::LookAtRun(of), answer) => self.learn_run(of, answer, request, now),
            (Step::FindRelease(of, attempt), answer) => {
                let ready = request.targets.iter().find(|ready| *ready.name() == of.target);
                self.learn_release(of, *attempt, answer, ready, now);
            }
            (Step::Verify(inspection), answer) => self.learn_checks(inspection, answer, now),
            (Step::FindRun(search), Answer::Runs(candidates)) => {
                self.learn_search(search, Ok(identify(search, &candidates)), now);
            }
            (Step::FindRun(search), Answer::Failed(failure)) => self.learn_search(search, Err(failure), now),
            (Step::StartAgain(retries), _) => self.retries = Some(retries.clone()),
            (Step::Refuse { target, reason }, _) => {
                let phase = StartPhase::Settled(Outcome::of(StartState::Refused, reason.clone()));
                self.starts.insert(target.clone(), OwnStart { sends: 0, phase });
            }
            (Step::Apply(effect), answer) => self.learn_effect(effect, answer, request, now),
            (Step::LookAtCommit(of), answer) => {
                let commit = self.learn_commit(of, answer);
                self.round.commits.insert(of.target.clone(), commit);
            }
            (Step::FindPreviousRelease(_), answer) => {
                self.recording.previous_release = Some(match answer {
                    Answer::PreviousRelease(previous_release) => previous_release,
                    _ => None,
                });
            }
            (Step::Survey(of), answer) => {
                let survey = match answer {
                    Answer::Survey(survey) => *survey,
                    _ => Survey::default(),
                };
                self.recording.surveys.insert(of.target.clone(), survey);
            }
            (Step::Pause { reason: Pause::Listing, .. } | Step::FindRun(_), _) => {}
            (Step::Pause { reason, .. }, _) => {
                self.round = Round::default();
                if let Pause::Outputs(targets) = reason {
                    self.count_output_looks(targets, now);
                }
                // Other jobs may write in the meantime, and a failed update of the board is repeated.
                self.board.due = Due::Later;
            }
        }
    }

    /// The commit of a target's ref. Without it the target is not started.
    fn learn_commit(&mut self, target_ref: &TargetRef, answer: Answer) -> Option<String> {
        match answer {
            Answer::Commit(sha) => Some(sha),
            Answer::Failed(failure) => {
                let TargetRef { repository, git_ref, .. } = target_ref;
                let what = format!("cannot find the commit of `{git_ref}` in {repository}: {failure}");
                let problem = problem(what, &failure);
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
            _ => None,
        }
    }

    fn count_output_looks(&mut self, targets: &[TargetName], now: DateTime<Utc>) {
        for target in targets {
            let first = AwaitedOutputs { since: now, looks: 0 };
            self.awaited_outputs.entry(target.clone()).or_insert(first).looks += 1;
        }
    }

    fn learn_log_failure(&mut self, failure: &Failure, request: &Request) {
        if request.wind_up {
            // The job gives back the claims that it knows, and cancels the runs that it knows.
            self.round.is_read = true;
            self.problems.push(problem(format!("cannot read the ticket: {failure}"), failure));
        } else if self.has_read && !failure.is_final {
            // A job that waits for an hour survives a bad answer.
            self.round.is_read = true;
        } else {
            self.stop(failure);
        }
    }

    /// GitHub does not list this job's claim yet: such a list decides nothing.
    fn learn_lag(&mut self, now: DateTime<Utc>) {
        let lag = self.lag.get_or_insert(Lag { since: now, lists: 0 });
        lag.lists += 1;
        let wait = now - lag.since;
        if wait >= Lag::LIMIT {
            let what = format!(
                "GitHub does not list the comment that this job wrote {} s ago, so the order of the claims is not known",
                wait.num_seconds()
            );
            let help = Some(Topic::Claim.advice("run the job again, or set `claim: ref`"));
            self.stop(&Failure { what, help, is_final: false, is_without_effect: true });
        }
    }

    fn stop(&mut self, failure: &Failure) {
        let what = match &self.ticket {
            TicketState::Open { issue, .. } => format!("cannot continue with {issue}: {failure}"),
            TicketState::New(new) => format!("cannot open a ticket in {}: {failure}", new.repository),
        };
        self.fatal_problem = Some(problem(what, failure));
    }

    /// Takes the claims of all steps of this job as this step's own.
    fn adopt_records_of(&mut self, request: &Request) {
        let claims = Claims { log: &self.log, basis: &self.basis(request) };
        let records = claims.own().filter(|(_, dispatch)| dispatch.by == request.by);
        self.own_records =
            records.map(|(comment, dispatch)| own_record(comment.clone(), dispatch.clone())).collect();
    }

    fn learn_hub_run(&mut self, job: &Writer, answer: Answer) {
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

    fn learn_run(&mut self, target_run: &TargetRun, answer: Answer, request: &Request, now: DateTime<Utc>) {
        self.round.runs.insert((target_run.target.clone(), target_run.run));
        match answer {
            Answer::Run(sighting) => match self.misfit(target_run, &sighting, request) {
                None => {
                    self.learn_sight(target_run, &sighting, request, now);
                    self.compare_commits(target_run, &sighting, request);
                    self.doubts.remove(&(target_run.target.clone(), target_run.run));
                    // Answers come in any order.
                    let is_older = |run: &FollowedRun| run.run > target_run.run;
                    if !self.runs.get(&target_run.target).is_some_and(is_older) {
                        self.changes.insert(target_run.target.clone(), sighting.changed_at);
                        let run = Run::of(&sighting.run);
                        let reports = reports_of(Some(&run), self.log.reports().map(|(_, report)| report));
                        self.runs.insert(target_run.target.clone(), FollowedRun { reports, ..sighting.run });
                    }
                }
                Some(misfit) => self.refute(target_run, self.is_run_of_target(target_run, request), &misfit),
            },
            Answer::Failed(failure) if self.is_run_of_target(target_run, request) => {
                self.learn_refusal(target_run, &failure, request, now)
            }
            Answer::NoRun if self.is_run_of_target(target_run, request) => {
                self.learn_absence(target_run, request, now)
            }
            Answer::Failed(failure) if failure.is_final => self.doubt(target_run, false, request, now),
            Answer::NoRun => self.doubt(target_run, true, request, now),
            _ => {}
        }
    }

    /// GitHub shows the run. If it shows an ended run without a conclusion for a while, the job waits no longer.
    fn learn_sight(
        &mut self,
        target_run: &TargetRun,
        sighting: &Sighting,
        request: &Request,
        now: DateTime<Utc>,
    ) {
        if !sighting.run.lacks_conclusion() {
            self.sight.remove(&target_run.target);
            return;
        }
        let mute_since = self.sight.get(&target_run.target).and_then(|sight| sight.mute_since);
        let since = mute_since.unwrap_or(now);
        let is_lost = request.follow.is_some() && now - since >= REFUSAL_DELAY;
        self.sight.insert(
            target_run.target.clone(),
            LookProblems { mute_since: Some(since), is_lost, ..LookProblems::default() },
        );
        if is_lost {
            let TargetRun { target, repository, run } = target_run;
            let what = format!("{target}: run {run} of {repository} has ended, but GitHub does not say how");
            let help = format!("look at {}; then run the job again, which asks GitHub", sighting.run.run_url);
            self.problems.push(Problem::new(what).help(Topic::Target, help));
        }
    }

    /// A branch or tag may move between the look at its commit and the start: then nobody has approved the new commit.
    fn compare_commits(&mut self, target_run: &TargetRun, sighting: &Sighting, request: &Request) {
        let basis = self.basis(request);
        let claims = Claims { log: &self.log, basis: &basis };
        let ticket = self.log.ticket_by_basis(&basis);
        let mut starts =
            claims.own().flat_map(|(_, claim)| claim.targets.iter().map(move |start| (claim, start)));
        let Some((claim, start)) = starts.find(|(_, start)| start.run == Some(target_run.run)) else {
            return;
        };
        let binds = ticket.gates_in(&start.needs).any(|gate| gate.move_policy != MovePolicy::Warn);
        let (Some(approved_commit), Some(head)) = (&start.commit, &sighting.head_sha) else { return };
        let is_own = claim.by == request.by;
        let (approved_commit, head) = (approved_commit.clone(), head.clone());
        self.compared_runs.insert(target_run.run);
        if !binds
            || approved_commit == head
            || sighting.run.has_ended() && !is_own
            || !self.unapproved_runs.insert(target_run.run)
        {
            return;
        }
        let TargetRun { target, repository, .. } = target_run;
        let what = format!(
            "{target} began at commit {} of {repository}, but {} was approved: the ref moved at that moment, and the \
             run is cancelled",
            short_sha(&head),
            short_sha(&approved_commit)
        );
        let help = format!(
            "look at {}; approve the new commit with `/release go`, and then comment `/release retry {target}`",
            sighting.run.run_url
        );
        self.problems.push(Problem::new(what).help(Topic::Gate, help));
    }

    /// Whether this hub's own records, or GitHub, say that the run is the target's.
    fn is_run_of_target(&self, target_run: &TargetRun, request: &Request) -> bool {
        let ticket = self.log.ticket_by_basis(&self.basis(request));
        let run = ticket.targets.get(&target_run.target).and_then(|target| target.run.as_ref());
        run.is_some_and(|run| run.id == target_run.run)
    }

    /// Why a run is not the target's: it belongs to another workflow, or is older than the first claim on the target
    /// (without a claim: older than the ticket).
    fn misfit(&self, target_run: &TargetRun, sighting: &Sighting, request: &Request) -> Option<String> {
        let basis = self.basis(request);
        let claims = Claims { log: &self.log, basis: &basis };
        let starts =
            claims.own().flat_map(|(comment, claim)| claim.targets.iter().map(move |start| (comment, start)));
        let starts =
            starts.filter(|(_, start)| start.target == target_run.target && !start.state.is_passive());
        let entries: Vec<(&Comment, &Start)> = starts.collect();
        let own_workflow = request
            .targets
            .iter()
            .find(|ready| *ready.name() == target_run.target)
            .and_then(ReadyTarget::workflow);
        let mut workflows =
            entries.iter().filter_map(|(_, start)| start.workflow.as_ref()).chain(own_workflow).peekable();
        if let (Some(file), Some(workflow)) = (&sighting.workflow, workflows.peek().copied())
            && !workflows.any(|workflow| workflow.is_at(file))
        {
            return Some(format!(
                "it is a run of {file}, but the workflow of {} is {workflow}",
                target_run.target
            ));
        }
        // This hub has identified the run before it recorded it.
        if entries.iter().any(|(_, start)| start.run == Some(target_run.run)) {
            return None;
        }
        if let Some(why) = self.misfit_of_unrecorded_run(target_run, sighting, &entries, claims) {
            return Some(why);
        }
        let opened_at = match &self.ticket {
            TicketState::Open { opened_at, .. } => *opened_at,
            TicketState::New(_) => None,
        };
        let claimed_at = entries.iter().map(|(comment, _)| comment.created_at).min();
        match claimed_at.or(opened_at) {
            Some(since) if sighting.created_at + CLOCK_SKEW >= since => None,
            Some(_) => Some(format!("it is older than the claim on {}", target_run.target)),
            None => Some(format!("no hub job has claimed {}", target_run.target)),
        }
    }

    /// Why a run that no claim on the target records belongs to another target or ticket.
    fn misfit_of_unrecorded_run(
        &self,
        target_run: &TargetRun,
        sighting: &Sighting,
        entries: &[(&Comment, &Start)],
        claims: Claims<'_>,
    ) -> Option<String> {
        let is_run = |start: &&Start| start.run == Some(target_run.run);
        if let Some(start) = claims.own().flat_map(|(_, claim)| &claim.targets).find(is_run) {
            return Some(format!("it is the run of {}", start.target));
        }
        let TicketState::Open { issue, .. } = &self.ticket else { return None };
        if names_another(&sighting.title, issue) {
            return Some("its name holds another ticket".to_owned());
        }
        let is_named = contains_ticket(&sighting.title, &issue.to_string());
        let is_by_event = entries.iter().any(|(_, start)| start.workflow.is_none());
        if is_by_event {
            let is_other = sighting.event.as_deref().is_some_and(|event| event != "repository_dispatch");
            return (is_other && !is_named)
                .then(|| "it was not started by an event of a dispatch".to_owned());
        }
        // A dispatch records each run that it starts, unless GitHub does not say which run it is.
        let is_nameless =
            |(_, start): &(&Comment, &Start)| start.state == StartState::Started && start.run.is_none();
        let is_dispatched = sighting.actor.as_deref().is_some_and(|actor| {
            actor.ends_with("[bot]")
                || matches!(&self.identity, Identity::Login(own) if own.eq_ignore_ascii_case(actor))
        });
        // Without a claim on the target, somebody may have deleted it.
        let is_recorded = !entries.is_empty() && !entries.iter().any(is_nameless);
        (is_dispatched && !is_named && is_recorded)
            .then(|| "a bot started it, and its name does not hold the ticket".to_owned())
    }

    fn refute(&mut self, target_run: &TargetRun, is_run_of_target: bool, misfit: &str) {
        let TargetRun { target, repository, run } = target_run;
        self.doubts.insert((target.clone(), *run), Doubt::Refuted);
        let what = format!("run {run} of {repository} does not count for {target}: {misfit}");
        if is_run_of_target {
            self.sight.insert(target.clone(), LookProblems { is_lost: true, ..LookProblems::default() });
            let help = "find out who has edited the records of the ticket";
            self.problems.push(Problem::new(what).help(Topic::Record, help));
        } else {
            tracing::warn!("{what}");
        }
    }

    /// GitHub does not show a run that only a report names. A replica may lack a run that has just begun.
    fn doubt(&mut self, target_run: &TargetRun, is_certain: bool, request: &Request, now: DateTime<Utc>) {
        let key = (target_run.target.clone(), target_run.run);
        let Doubt::NotShown(since) = *self.doubts.entry(key.clone()).or_insert(Doubt::NotShown(now)) else {
            return;
        };
        if now - since < REFUSAL_DELAY && request.follow.is_some() {
            return;
        }
        self.doubts.insert(key, Doubt::Refuted);
        let ticket = self.log.ticket_by_basis(&self.basis(request));
        let target = ticket.targets.get(&target_run.target);
        let is_nameless = target.is_some_and(|target| target.start.is_some() && target.run.is_none());
        if is_nameless && !is_certain {
            // GitHub shows no run of this target: only reports show its state.
            self.sight.entry(target_run.target.clone()).or_default().is_hidden = true;
        } else {
            let TargetRun { target, repository, run } = target_run;
            tracing::warn!(
                "GitHub shows no run {run} in {repository}, so its reports for {target} do not count"
            );
        }
    }

    /// GitHub refuses to show the run. A replica may lack a run that has just begun, so a refusal counts only after a
    /// while.
    fn learn_refusal(
        &mut self,
        target_run: &TargetRun,
        failure: &Failure,
        request: &Request,
        now: DateTime<Utc>,
    ) {
        let ticket = self.log.ticket_by_basis(&self.basis(request));
        let target = ticket.targets.get(&target_run.target);
        let is_released = target.is_some_and(|target| target.status.is_released());
        let start = target.and_then(|target| target.start.as_ref());
        let by_event = start.is_some_and(|start| start.workflow.is_none());
        let is_young = start.is_some_and(|start| now - start.at < REFUSAL_DELAY);
        let sight = self.sight.entry(target_run.target.clone()).or_default();
        // This answer does not show whether the run is absent.
        sight.absence = None;
        if !failure.is_final {
            return;
        }
        let refusal = now - *sight.refused_since.get_or_insert(now);
        if is_young || refusal < REFUSAL_DELAY && request.follow.is_some() && !is_released {
            return;
        }
        sight.is_hidden = true;
        // A released target has nothing more to show; a target that an event started reports itself.
        sight.is_lost = !is_released && !by_event && request.runs_decide();
        if sight.is_lost {
            let TargetRun { target, repository, run } = target_run;
            self.problems.push(problem(
                format!("cannot follow {target}, run {run} of {repository}: {failure}"),
                failure,
            ));
        }
    }

    /// GitHub shows the repository, and no such run. A replica may lag: the run counts as deleted after several such
    /// answers. The end of a run stays known.
    fn learn_absence(&mut self, target_run: &TargetRun, request: &Request, now: DateTime<Utc>) {
        let ticket = self.log.ticket_by_basis(&self.basis(request));
        let Some(target) = ticket.targets.get(&target_run.target) else { return };
        let Some(run) = target.run.as_ref() else { return };
        let is_young = target.start.as_ref().is_some_and(|start| now - start.at < REFUSAL_DELAY);
        let has_ended = target.followed_run.as_ref().is_some_and(FollowedRun::has_ended);
        if has_ended || is_young && request.follow.is_none() {
            return;
        }
        let sight = self.sight.entry(target_run.target.clone()).or_default();
        let Absence { since, looks } = sight.absence.unwrap_or(Absence { since: now, looks: 0 });
        let absence = Absence { since, looks: looks + 1 };
        sight.absence = Some(absence);
        let is_deleted = match request.follow {
            Some(_) => !is_young && now - since >= REFUSAL_DELAY,
            None => absence.next_look().is_none(),
        };
        if is_deleted {
            let run = FollowedRun {
                attempt: run.attempt,
                run_url: run.url.clone().unwrap_or_default(),
                ..FollowedRun::deleted_run(target_run.target.clone(), run.repository.clone(), run.id, now)
            };
            self.runs.insert(target_run.target.clone(), run);
        }
    }

    fn learn_search(&mut self, search: &Search, result: Result<Match, Failure>, now: DateTime<Utc>) {
        let own_start = self.starts.remove(&search.target);
        let sends = own_start.as_ref().map_or(0, |own_start| own_start.sends);
        let phase = own_start.map(|own_start| own_start.phase);
        if let Ok(Match::One(_, url)) = &result {
            let how = match search.evidence {
                Evidence::Nothing => "already, although no record of the ticket says so",
                _ if sends > 0 => "by this job",
                _ => "by a hub job that has ended",
            };
            tracing::info!("{} was started {how}; going on with its run {url}", search.target);
        }
        let next_phase = match result {
            Ok(Match::One(run, url)) => StartPhase::Settled(Outcome::of_run(Some((run, url)))),
            Ok(Match::Several(runs)) => match phase {
                Some(StartPhase::Listing { cause: Cause::Unnamed, .. }) => {
                    let reason = unclear_run(search, runs);
                    tracing::warn!("{}: {}", search.target, reason.plain());
                    StartPhase::Settled(Outcome::of(StartState::Started, reason))
                }
                _ => StartPhase::Settled(Outcome::of(StartState::Unknown, unclear_start(search, runs))),
            },
            Ok(Match::Nothing) => match phase {
                // Without a claim of this hub one look is enough.
                None if search.evidence != Evidence::Claim => StartPhase::Cleared,
                None => StartPhase::Listing { since: now, looks: 1, cause: Cause::Died },
                Some(StartPhase::Listing { since, looks, cause }) if looks + 1 < cause.looks() => {
                    StartPhase::Listing { since, looks: looks + 1, cause }
                }
                Some(StartPhase::Listing { cause: Cause::Unnamed, .. }) => {
                    StartPhase::Settled(Outcome::of_run(None))
                }
                Some(StartPhase::Listing { cause: Cause::Unclear(failure), .. }) if sends > 1 => {
                    StartPhase::Settled(Outcome::of_unclear_start(failure, vec![search.runs_url.clone()]))
                }
                Some(StartPhase::Sent) => StartPhase::Sent,
                _ => StartPhase::Cleared,
            },
            // A failed look changes nothing: the start stays unclear.
            Err(error) => match phase {
                Some(StartPhase::Listing { cause: Cause::Unnamed, .. }) => {
                    StartPhase::Settled(Outcome::of_run(None))
                }
                Some(StartPhase::Listing { cause: Cause::Unclear(failure), .. }) => {
                    StartPhase::Settled(Outcome::of_unclear_start(failure, vec![search.runs_url.clone()]))
                }
                Some(StartPhase::Sent) => StartPhase::Sent,
                _ => StartPhase::Settled(Outcome::of_failure(error)),
            },
        };
        self.searched_targets.insert(search.target.clone());
        self.starts.insert(search.target.clone(), OwnStart { sends, phase: next_phase });
    }

    fn learn_effect(&mut self, effect: &Effect, answer: Answer, request: &Request, now: DateTime<Utc>) {
        match (effect, answer) {
            (Effect::OpenIssue(_), Answer::Applied(EffectOutcome::Opened { issue, url, is_new })) => {
                let opened_at = Some(now).filter(|_| is_new);
                self.ticket = TicketState::Open { issue, url, is_new: Some(is_new), opened_at };
                // A ticket that this step has just opened has no records yet; later ones are read after the claim.
                (self.has_read, self.round.is_read) = (is_new, is_new);
            }
            (Effect::OpenIssue(_), Answer::Failed(failure)) => self.stop(&failure),
            (Effect::CloseDuplicate { issue, .. }, _) => {
                self.duplicates.retain(|duplicate| duplicate != issue)
            }
            (Effect::WriteRecord { comment, record, .. }, answer) => {
                self.learn_record(*comment, record, answer, request);
            }
            (Effect::UpdateBoard { .. }, Answer::Applied(EffectOutcome::Board(board))) => {
                let new_board = board.filter(|board| board.is_new).map(|board| board.comment);
                let comment_to_pin = new_board.or(self.board.comment_to_pin);
                let is_behind = board.is_some_and(|board| board.is_behind);
                let due = if is_behind { self.board.due } else { Due::Not };
                self.board = Board { due, comment_to_pin, failure: None, ..self.board };
            }
            (Effect::UpdateBoard { .. }, Answer::Failed(failure)) => {
                self.board = Board { due: Due::Not, failure: Some(failure), ..self.board };
            }
            (Effect::PinBoard { .. }, _) => self.board.comment_to_pin = None,
            (Effect::CreateRef(new), answer) => self.learn_ref(new, answer, now),
            (Effect::StartWorkflow(start), answer) => {
                self.warn_of_moved_refs(start, request);
                self.learn_start(&start.target, true, answer, now);
            }
            (Effect::SendEvent(start), answer) => self.learn_start(&start.target, false, answer, now),
            (Effect::Skip { target, .. }, _) => {
                self.skips.insert(target.clone());
            }
            (Effect::CancelRun { target, repository, run }, answer) => {
                self.cancelled_runs.insert(*run);
                let ticket = self.log.ticket_by_basis(&self.basis(request));
                let is_second = ticket.second_starts.iter().any(|second| second.run == Some(*run));
                match &answer {
                    Answer::Failed(_) if is_second => {
                        self.uncancelled_runs.insert(*run);
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
                    && !self.unapproved_runs.contains(run)
                    && !ticket.is_to_be_cancelled(*run, attempt)
                {
                    self.late_targets.insert(target.clone());
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

    /// A ping is sent once, even if it may have failed.
    fn learn_ping(&mut self, notice: &Notice, answer: Answer) {
        self.pings.extend(notice.pings.iter().cloned());
        match answer {
            Answer::Failed(failure) => {
                let mentions: Vec<String> = notice.mention.iter().map(ToString::to_string).collect();
                let what = format!("cannot mention {} on the ticket: {failure}", and(&mentions));
                self.problems.push(problem(what, &failure));
            }
            _ => self.board.due = self.board.due.max(Due::Later),
        }
    }

    /// The job goes on without this record: the result of the release is in the other records, too.
    fn learn_release_record(&mut self, answer: Answer, request: &Request) {
        match answer {
            Answer::Failed(failure) => {
                self.recording.has_failed = true;
                self.problems.push(problem(format!("cannot record the release: {failure}"), &failure));
            }
            Answer::Applied(EffectOutcome::Written(new_comment)) if !new_comment.is_trusted => {
                self.recording.has_failed = true;
                self.problems.push(new_comment.author_problem(&request.wording.hub));
            }
            _ => self.board.due = self.board.due.max(Due::Later),
        }
    }

    /// A decision without a record has no effect, so the job stops if it cannot write the record.
    fn learn_decision(&mut self, answer: Answer, request: &Request) {
        match answer {
            Answer::Applied(EffectOutcome::Written(new_comment)) if !new_comment.is_trusted => {
                self.fatal_problem = Some(new_comment.author_problem(&request.wording.hub));
            }
            Answer::Applied(EffectOutcome::Written(new_comment)) => {
                if let Some(author) = new_comment.author {
                    self.identity = Identity::Login(author);
                }
                self.board.due = self.board.due.max(Due::Later);
            }
            Answer::Failed(failure) => self.stop(&failure),
            _ => {}
        }
    }

    fn learn_record(
        &mut self,
        comment: Option<CommentId>,
        record: &Record,
        answer: Answer,
        request: &Request,
    ) {
        let record = match record {
            Record::Dispatch(record) => record,
            Record::Notice(notice) => return self.learn_ping(notice, answer),
            Record::Decision(_) => return self.learn_decision(answer, request),
            Record::Release(_) => return self.learn_release_record(answer, request),
            Record::Report(_) => return,
        };
        let index = self.own_records.iter().position(|own| Some(own.comment) == comment);
        // A record repeats its old entries, even if later records have newer ones of these targets.
        let before = index.map_or(&[][..], |index| &self.own_records[index].record.targets);
        let news: Vec<&Start> = record.targets.iter().filter(|start| !before.contains(start)).collect();
        // A record that changes only these fields is a remark: the release goes on without it.
        let is_same = |dispatch: &Dispatch| {
            dispatch.followed_runs == record.followed_runs && dispatch.verifications == record.verifications
        };
        let is_remark =
            index.is_some_and(|index| news.is_empty() && is_same(&self.own_records[index].record));
        match answer {
            Answer::Applied(EffectOutcome::Written(new_comment)) if !new_comment.is_trusted => {
                self.fatal_problem = Some(new_comment.author_problem(&request.wording.hub));
            }
            Answer::Applied(EffectOutcome::Written(new_comment)) => {
                if let Some(author) = &new_comment.author {
                    self.identity = Identity::Login(author.clone());
                }
                self.board.due = self.board.due.max(Due::Later);
                match index {
                    Some(index) => {
                        // If a person has deleted the comment, the record is in a new one.
                        let OwnRecord { created_at, author, .. } = self.own_records[index].clone();
                        self.own_records[index] =
                            OwnRecord { created_at, author, ..own_record(new_comment, record.clone()) };
                    }
                    None => {
                        if !record.targets.is_empty() {
                            self.board.due = Due::Now;
                            (self.has_read, self.round.is_read) = (false, false);
                        }
                        self.own_records.push(own_record(new_comment, record.clone()));
                    }
                }
                for start in news.into_iter().filter(|start| start.state != StartState::Claimed) {
                    self.starts.remove(&start.target);
                    // The next claim takes the next turn.
                    if start.state == StartState::Waiting {
                        self.locks.remove(&start.target);
                    }
                }
            }
            Answer::Failed(failure) if is_remark => {
                self.round.has_failed_to_record = true;
                let what = format!("cannot record which job follows the runs: {failure}");
                let problem = problem(what, &failure);
                if failure.is_final && !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
            }
            Answer::Failed(failure) if news.is_empty() && request.follow.is_some() && !failure.is_final => {
                self.round.has_failed_to_record = true;
            }
            Answer::Failed(failure) => self.stop(&failure),
            _ => {}
        }
    }

    fn learn_ref(&mut self, new: &NewRef, answer: Answer, now: DateTime<Utc>) {
        let (target, turn) = (&new.target, new.turn);
        let is_unclear = matches!(self.locks.get(target), Some(Lock::Unclear { .. }));
        let lock = match answer {
            Answer::Applied(EffectOutcome::Ref(Creation::New)) => {
                if turn > 0 {
                    // The owner of the turn before may have written a record in the meantime.
                    (self.has_read, self.round.is_read) = (false, false);
                }
                Lock::Owned { turn }
            }
            Answer::Applied(EffectOutcome::Ref(Creation::Exists)) => {
                Lock::Taken { turn, since: now, is_unclear }
            }
            Answer::Failed(failure) if !failure.is_without_effect && !is_unclear => Lock::Unclear { turn },
            Answer::Failed(failure) => {
                let phase = StartPhase::Settled(Outcome::of_failure(failure));
                self.starts.insert(target.clone(), OwnStart { sends: 0, phase });
                return;
            }
            _ => return,
        };
        self.locks.insert(target.clone(), lock);
    }

    /// Warns of refs that have moved since their approval: a gate with `on-moved: warn` does not stop the target.
    fn warn_of_moved_refs(&self, start: &WorkflowStart, request: &Request) {
        let ticket = self.log.ticket_by_basis(&self.basis(request));
        for gate in ticket.gates_in(&start.after) {
            for lapse in ticket.standing(gate, &start.target).warnings {
                let WorkflowStart { target, repository, .. } = start;
                let approved_commit = lapse.commit.and_then(|commit| commit.sha.as_deref());
                let (Some(approved_commit), Some(now)) = (approved_commit, lapse.now) else { continue };
                let server = &request.wording.server_url;
                tracing::warn!(
                    "{target} starts at commit {}, but gate `{}` was approved at {}: \
                     {server}/{repository}/compare/{approved_commit}...{now}",
                    short_sha(now),
                    gate.name,
                    short_sha(approved_commit)
                );
            }
        }
    }

    fn learn_start(&mut self, target: &TargetName, is_workflow: bool, answer: Answer, now: DateTime<Utc>) {
        let Some(own_start) = self.starts.get_mut(target) else { return };
        let listing = |cause| StartPhase::Listing { since: now, looks: 0, cause };
        own_start.phase = match answer {
            Answer::Applied(EffectOutcome::Started(None)) if is_workflow => listing(Cause::Unnamed),
            Answer::Applied(EffectOutcome::Started(run)) => StartPhase::Settled(Outcome::of_run(run)),
            Answer::Failed(failure) if is_workflow && !failure.is_without_effect => {
                listing(Cause::Unclear(failure))
            }
            Answer::Failed(failure) => StartPhase::Settled(Outcome::of_failure(failure)),
            _ => return,
        };
    }
}

fn own_record(comment: Comment, record: Dispatch) -> OwnRecord {
    let Comment { id, url, created_at, author, .. } = comment;
    OwnRecord { comment: id, url, created_at, author, record }
}

fn problem(what: String, failure: &Failure) -> Problem {
    Problem { help: failure.help.clone(), ..Problem::new(what) }
}

fn unclear_start(search: &Search, runs: Vec<String>) -> Reason {
    unclear_reason("it may have been started", search, runs)
}

/// The reason of a start that GitHub accepted without naming its run.
fn unclear_run(search: &Search, runs: Vec<String>) -> Reason {
    unclear_reason("it was started, but GitHub did not name its run", search, runs)
}

fn unclear_reason(error: &str, search: &Search, runs: Vec<String>) -> Reason {
    Reason::Unclear {
        error: error.to_owned(),
        runs,
        help: Some(format!(
            "look at the runs of {}; give the workflow a `run-name` that holds the inputs `release-ticket` and \
             `release-target`, so that its run can be identified",
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
        // This job leaves `web` to another job, in the record that starts `api`. That job dies, and this job starts
        // `web` without a clear answer. A third job has claimed `db`, so this job looks at `api` again.
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
        let round = story.facts.round.clone();
        let pause = |reason| Step::Pause { until: story.now + TimeDelta::seconds(1), reason };
        story.facts.learn(&pause(Pause::Listing), Answer::Done, &story.request, story.now);
        assert_eq!(story.facts.round, round);
        let pause = pause(Pause::Runs(vec!["web".into()]));
        story.facts.learn(&pause, Answer::Done, &story.request, story.now);
        assert_eq!(story.facts.round, Round::default());
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
