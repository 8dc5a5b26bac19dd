//! A hub job at work on a ticket: it claims targets, starts them, follows their runs, and records what
//! became of them.

mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::Map;
use tokio::time::Instant;

use super::Hub;
use super::follow::{Follower, Wanted};
use super::preflight::Ready;
use super::start::{self, Outcome, Starter};
use super::waves::{self, Next, OutOfSight};
use super::wording::Wording;
use crate::github::GitHubError;
use crate::inputs::Wait;
use crate::ledger::Ledger;
use crate::names::{CommentId, RepoName, RunId};
use crate::problem::{Help, Problem};
use crate::targets::{StartBy, Target};
use crate::ticket::claim::{self, Counting, Liveness, Standing};
use crate::ticket::{
    Comment, Dispatch, FollowedRun, Log, Record, Start, StartState, Target as TicketTarget, Ticket, Writer,
};

/// So many targets share a record, so that it fits a comment.
const TARGETS_PER_RECORD: usize = 40;

/// How long a hub job waits for another one that claimed a target first.
const HELD_LIMIT: Duration = Duration::from_secs(120);
const HELD_POLL: Duration = Duration::from_secs(5);

/// So many runs are looked at in a second at the most: GitHub allows
/// [900 points a minute](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits),
/// and a look may take two.
const LOOKS_PER_SECOND: usize = 5;

/// A refusal to show a run is believed after so many.
const REFUSALS: usize = 3;

/// What a look at the runs may take when the time is over.
const ONE_LOOK: Duration = Duration::from_secs(30);

/// Nobody waits longer; GitHub ends a job after [five days](https://docs.github.com/actions/reference/limits) in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// A record that this step has created: claims, and the runs that it follows.
struct Own {
    comment: CommentId,
    created_at: DateTime<Utc>,
    record: Dispatch,
}

impl Own {
    /// Whether this job claimed the target here, and has not left it to another.
    fn claims(&self, target: &str) -> bool {
        let is_passive = |state| matches!(state, StartState::Waiting | StartState::Yielded);
        self.record.targets.iter().any(|start| start.target == target && !is_passive(start.state))
    }
}

/// A hub job at work on a ticket.
pub(super) struct Dispatcher<'a> {
    hub: Hub<'a>,
    wording: &'a Wording<'a>,
    writer: Writer,
    ledger: Ledger<'a>,
    records: Vec<Own>,
    /// The targets that are started again, each with the claim that started its failed run.
    again: BTreeMap<String, CommentId>,
    /// The targets that this step started.
    started: BTreeSet<String>,
    follower: Follower,
    out_of_sight: OutOfSight,
    /// How often GitHub refused to show a target's run, one time after the other.
    refusals: BTreeMap<String, usize>,
    /// The hub jobs of which nothing new is to be learnt.
    settled: BTreeMap<Writer, Liveness>,
    /// How each target stood when it was last told.
    told: BTreeMap<String, String>,
    /// Why the board is not up to date, if it is not.
    board_problem: Option<Problem>,
    /// What else went wrong.
    problems: Vec<Problem>,
}

impl<'a> Dispatcher<'a> {
    pub(super) fn new(hub: Hub<'a>, wording: &'a Wording<'a>, writer: Writer, ledger: Ledger<'a>) -> Self {
        Self {
            hub,
            wording,
            writer,
            ledger,
            records: Vec::new(),
            again: BTreeMap::new(),
            started: BTreeSet::new(),
            follower: Follower::default(),
            out_of_sight: OutOfSight::default(),
            refusals: BTreeMap::new(),
            settled: BTreeMap::new(),
            told: BTreeMap::new(),
            board_problem: None,
            problems: Vec::new(),
        }
    }

    /// Starts what is ready, wave by wave; waits for the runs if that is wanted.
    pub(super) async fn work(&mut self, targets: &[Ready]) -> Result<(), GitHubError> {
        let inputs = self.hub.inputs;
        if self.runs_decide(targets) {
            self.follow(targets, None).await?;
        }
        let state = self.ledger.log().fold();
        self.again = waves::again(targets, self.ledger.log(), &state, inputs, self.hub.job.run);
        self.tell_what_is_left(targets).await?;
        self.start_wave(targets).await?;
        if let Some(wait) = inputs.wait {
            self.wait(targets, wait).await?;
        } else {
            self.tell_what_waits(targets);
        }
        self.show_board().await;
        Ok(())
    }

    /// Whether what became of earlier runs decides what is started now.
    fn runs_decide(&self, targets: &[Ready]) -> bool {
        let inputs = self.hub.inputs;
        let has_needs = targets.iter().any(|ready| !ready.target.needs.is_empty());
        inputs.retry_failed || inputs.only.is_some() || has_needs
    }

    /// The log as it would be after the first look at the runs; nothing is written.
    pub(super) async fn preview(mut self, targets: &[Ready]) -> Log {
        let mut log = self.ledger.log().clone();
        if self.runs_decide(targets) {
            let wanted = self.wanted(targets, &log.fold());
            let looked = self.follower.look(self.hub.github, wanted).await;
            let followed = looked.into_iter().filter_map(|(_, seen)| seen.ok()).collect();
            let record = Record::Dispatch(self.record(Vec::new(), followed));
            log.extend([Comment {
                id: CommentId(u64::MAX),
                author: None,
                trusted: true,
                body: record.render(),
                created_at: self.hub.job.clock.now(),
                updated_at: self.hub.job.clock.now(),
                url: String::new(),
            }]);
        }
        log
    }

    /// Follows the runs until nothing more is to be expected, and starts what becomes ready.
    async fn wait(&mut self, targets: &[Ready], wait: Wait) -> Result<(), GitHubError> {
        let deadline = Instant::now() + wait.timeout.min(LONGEST_WAIT);
        let longest_round = Duration::from_secs((targets.len() / LOOKS_PER_SECOND) as u64);
        self.tell_what_only_reports_can_end(targets);
        loop {
            self.look(targets, deadline).await?;
            self.start_wave(targets).await?;
            self.tell_changes(targets);
            // Who shows the board reads again: what is read then counts before this ends.
            self.show_board().await;
            let open = self.open_targets(targets);
            if open.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                self.give_up(targets, &open, wait).await;
                break;
            }
            let pause = wait.interval.max(longest_round);
            tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
        }
        self.tell_failures(targets);
        Ok(())
    }

    /// Reads what others wrote and what the runs do. Who waits for an hour survives a bad answer.
    async fn look(&mut self, targets: &[Ready], deadline: Instant) -> Result<(), GitHubError> {
        let read = self.ledger.read_changes().await;
        let looked = match read {
            Ok(()) => self.follow(targets, Some(deadline)).await,
            Err(error) => Err(error),
        };
        match looked {
            Err(error) if !error.is_final() => {
                tracing::warn!("cannot look how {} stands this time: {error}", self.ledger.ticket());
                Ok(())
            }
            looked => looked,
        }
    }

    /// The targets of which something is still to be expected.
    fn open_targets(&self, targets: &[Ready]) -> Vec<String> {
        let state = self.ledger.log().fold();
        let is_open = |ready: &&Ready| {
            let Target { name, needs, .. } = &ready.target;
            let target = state.targets.get(name);
            let goes_on = target
                .is_some_and(|target| !waves::is_settled(name, target, &state, targets, &self.out_of_sight));
            let is_due = self.again.contains_key(name) && state.awaited(needs).next().is_none();
            !self.out_of_sight.lost.contains(name) && (goes_on || is_due && self.own_claim(name).is_none())
        };
        targets.iter().filter(is_open).map(|ready| ready.target.name.clone()).collect()
    }

    /// The time is over: says so, and cancels the runs if that is wanted.
    async fn give_up(&mut self, targets: &[Ready], open: &[String], wait: Wait) {
        let what = format!(
            "after {} {} not over",
            humantime::format_duration(wait.timeout),
            if open.len() == 1 { format!("{} is", open[0]) } else { format!("{} are", open.join(", ")) }
        );
        let help = "run the job again to go on waiting, or raise `wait-timeout`";
        self.problems.push(Problem::new(what).help(help));
        if self.hub.inputs.cancel_on_timeout {
            let runs = started_runs(self.ledger.log(), &self.writer);
            self.problems.extend(cancel_runs(self.hub, runs).await);
            if let Err(error) = self.follow(targets, None).await {
                tracing::warn!("cannot look what became of the cancelled runs: {error}");
            }
        }
    }

    /// Looks what became of the runs of `targets`, and of those that they need; records what has changed.
    async fn follow(&mut self, targets: &[Ready], deadline: Option<Instant>) -> Result<(), GitHubError> {
        let state = self.ledger.log().fold();
        let wanted = self.wanted(targets, &state);
        let looking = self.follower.look(self.hub.github, wanted);
        let looked = match deadline {
            // One look is granted in any case.
            Some(deadline) => {
                let until = deadline.max(Instant::now() + ONE_LOOK);
                tokio::time::timeout_at(until, looking).await.unwrap_or_default()
            }
            None => looking.await,
        };
        let mut news = Vec::new();
        for (wanted, seen) in looked {
            match seen {
                Ok(seen) => {
                    self.refusals.remove(&wanted.target);
                    if self.is_news(&seen, &state) {
                        news.push(seen);
                    }
                }
                Err(error) => self.cannot_follow(wanted, &error, &state),
            }
        }
        self.record_runs(news).await
    }

    /// The runs of `targets` and of all that they need, as far as they are known.
    fn wanted(&self, targets: &[Ready], state: &Ticket) -> Vec<Wanted> {
        let mut names: Vec<&str> = targets.iter().map(|ready| ready.target.name.as_str()).collect();
        names.extend(targets.iter().flat_map(|ready| &ready.target.needs).map(String::as_str));
        let (mut seen, mut wanted) = (BTreeSet::new(), Vec::new());
        while let Some(name) = names.pop() {
            let Some(target) = state.targets.get(name).filter(|_| seen.insert(name)) else { continue };
            names.extend(target.needs.iter().map(String::as_str));
            if let Some(run) = target.run.as_ref().filter(|_| !self.out_of_sight.unseen.contains(name)) {
                let repository = run.repository.clone();
                wanted.push(Wanted { target: name.to_owned(), repository, run: run.id });
            }
        }
        wanted
    }

    /// Whether what was seen of a run says more than the ticket does.
    fn is_news(&self, seen: &FollowedRun, state: &Ticket) -> bool {
        let target = state.targets.get(&seen.target);
        // A dispatch that does not wait says only what decides something: each word is a comment.
        let decides = seen.is_over() || target.is_some_and(|target| target.status.is_bad());
        if self.hub.inputs.wait.is_none() && !decides {
            return false;
        }
        let known = target.and_then(|target| target.followed.as_ref());
        // Where another hub job has seen more of it, it is enough to have said so once.
        let said = self.records.iter().flat_map(|own| &own.record.followed);
        let said = said.filter(|run| run.target == seen.target);
        !known.into_iter().chain(said).any(|known| is_same(known, seen))
    }

    /// A run that may not be seen, or not any more. GitHub's lists lag, so a refusal is believed the
    /// third time.
    fn cannot_follow(
        &mut self,
        Wanted { target, repository, run }: Wanted,
        error: &GitHubError,
        state: &Ticket,
    ) {
        let is_final = error.is_final();
        let refusals = self.refusals.entry(target.clone()).or_default();
        *refusals += usize::from(is_final);
        let known = state.targets.get(&target);
        let is_over = known.is_some_and(|target| target.status.is_over());
        if !is_final || *refusals < REFUSALS && self.hub.inputs.wait.is_some() && !is_over {
            tracing::info!("cannot look at run {run} of {repository} this time: {error}");
            return;
        }
        self.out_of_sight.unseen.insert(target.clone());
        let by_event =
            known.and_then(|target| target.start.as_ref()).is_some_and(|start| start.workflow.is_none());
        if is_over || by_event {
            // It has said all there is, or will say it itself.
            tracing::info!("{target} is not followed, run {run} of {repository}: {error}");
            return;
        }
        self.problems.push(Problem::of(&format!("cannot follow {target}, run {run} of {repository}"), error));
        self.out_of_sight.lost.insert(target);
    }

    /// Puts what was seen of runs into this job's records: where it claimed the target, else into one
    /// that only follows.
    async fn record_runs(&mut self, mut news: Vec<FollowedRun>) -> Result<(), GitHubError> {
        self.rewrite(|record| {
            let started = record.targets.iter().filter(|start| start.state == StartState::Started);
            let started = started.map(|start| start.target.clone());
            let known = record.followed.iter().map(|run| run.target.clone());
            let known: BTreeSet<String> = started.chain(known).collect();
            let seen: Vec<FollowedRun> = news.extract_if(.., |run| known.contains(&run.target)).collect();
            let is_same_attempt =
                |old: &FollowedRun, new: &FollowedRun| (old.run, old.attempt) == (new.run, new.attempt);
            record.followed.retain(|old| !seen.iter().any(|new| is_same_attempt(old, new)));
            let changes = !seen.is_empty();
            record.followed.extend(seen);
            changes
        })
        .await?;
        for chunk in news.chunks(TARGETS_PER_RECORD) {
            self.create_record(Vec::new(), chunk.to_vec()).await?;
        }
        Ok(())
    }

    /// Claims what is ready, starts it, and records what became of it.
    async fn start_wave(&mut self, targets: &[Ready]) -> Result<(), GitHubError> {
        self.leave_what_went_on(targets);
        let liveness = self.liveness(None).await?;
        let state = self.ledger.log().fold();
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for one in targets {
            match self.next(one, &state, &liveness) {
                Next::Start if self.may_claim(&one.target.name, &liveness) => ready.push(one),
                Next::Wait(_) if waves::waiting_entry_is_missing(self.ledger.log(), one) => waiting.push(one),
                _ => {}
            }
        }
        if ready.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        self.claim(&ready, &waiting).await?;
        self.show_board().await;
        let mut held = ready;
        let patience = Instant::now() + HELD_LIMIT;
        loop {
            let liveness = self.liveness(self.records.last().map(|own| own.comment)).await?;
            let (still_held, mine): (Vec<_>, Vec<_>) = held.into_iter().partition(|ready| {
                matches!(self.standing(&ready.target.name, &liveness), Standing::Held { .. })
            });
            self.start(&mine, &liveness).await?;
            held = still_held;
            if held.is_empty() || Instant::now() >= patience {
                break;
            }
            tracing::info!("another hub job has claimed {} first; waiting for it", names(&held));
            tokio::time::sleep(HELD_POLL).await;
            self.ledger.read_changes().await?;
        }
        self.yield_targets(&held).await
    }

    /// What was to be started again and waited for others may have been run again by somebody meanwhile.
    fn leave_what_went_on(&mut self, targets: &[Ready]) {
        if self.again.is_empty() {
            return;
        }
        let log = self.ledger.log();
        let still = waves::again(targets, log, &log.fold(), self.hub.inputs, self.hub.job.run);
        self.again.retain(|name, after| still.get(name) == Some(after));
    }

    /// What happens to a target next; `state` is the log's.
    fn next(&self, ready: &Ready, state: &Ticket, liveness: &BTreeMap<Writer, Liveness>) -> Next {
        let after = self.again.get(&ready.target.name).copied();
        waves::next(ready, self.ledger.log(), state, after, known_in(liveness))
    }

    /// Whether this step may claim the target: not twice, as a start that was refused is for the next
    /// step; and not while the hub job has it that came before.
    fn may_claim(&self, target: &str, liveness: &BTreeMap<Writer, Liveness>) -> bool {
        let entries = self.records.iter().flat_map(|own| &own.record.targets);
        let mut states = entries.filter(|start| start.target == target).map(|start| start.state);
        match states.rfind(|state| *state != StartState::Waiting) {
            None => true,
            Some(StartState::Yielded) => !matches!(self.standing(target, liveness), Standing::Held { .. }),
            Some(_) => false,
        }
    }

    /// Creates the records that claim `ready` and note `waiting`, and reads what others claimed before.
    async fn claim(&mut self, ready: &[&Ready], waiting: &[&Ready]) -> Result<(), GitHubError> {
        let now = self.hub.job.clock.now();
        let claimed = ready.iter().map(|ready| ready.entry(StartState::Claimed, now));
        let waiting = waiting.iter().map(|ready| ready.entry(StartState::Waiting, now));
        let entries: Vec<Start> = claimed.chain(waiting).collect();
        for chunk in entries.chunks(TARGETS_PER_RECORD) {
            self.create_record(chunk.to_vec(), Vec::new()).await?;
        }
        self.ledger.read_changes().await
    }

    async fn create_record(
        &mut self,
        targets: Vec<Start>,
        followed: Vec<FollowedRun>,
    ) -> Result<(), GitHubError> {
        let record = self.record(targets, followed);
        let comment = self.ledger.write(None, &Record::Dispatch(record.clone())).await?;
        self.records.push(Own { comment: comment.id, created_at: comment.created_at, record });
        Ok(())
    }

    /// This job's next record.
    fn record(&self, targets: Vec<Start>, followed: Vec<FollowedRun>) -> Dispatch {
        Dispatch {
            by: self.writer.clone(),
            seq: self.ledger.log().last_seq(&self.writer) + 1,
            run_url: self.hub.job.run_url(),
            driver: self.wording.driver().cloned(),
            release: self.wording.release(),
            targets,
            followed,
            other: Map::new(),
        }
    }

    /// Which of the other hub jobs that hold claims are still at work.
    async fn liveness(
        &mut self,
        before: Option<CommentId>,
    ) -> Result<BTreeMap<Writer, Liveness>, GitHubError> {
        let claimants: BTreeSet<Writer> = claim::claimants(self.ledger.log(), before).cloned().collect();
        let mut known = BTreeMap::new();
        for writer in claimants {
            let settled = claim::is_over_for(&writer, &self.writer);
            let liveness = match settled.or(self.settled.get(&writer).copied()) {
                Some(liveness) => liveness,
                None => match self.liveness_of(&writer).await? {
                    Some(liveness) => liveness,
                    // Who may not ask is told once, and takes the claims to stand.
                    None => *self.settled.entry(writer.clone()).or_insert(Liveness::Alive),
                },
            };
            // What is over stays over.
            if liveness == Liveness::Over {
                self.settled.insert(writer.clone(), liveness);
            }
            known.insert(writer, liveness);
        }
        Ok(known)
    }

    /// None if that cannot be told.
    async fn liveness_of(&self, writer: &Writer) -> Result<Option<Liveness>, GitHubError> {
        match self.hub.github.run(&writer.repository, writer.run).await {
            Ok(Some(run)) => {
                let over = run.status.as_deref() == Some("completed")
                    || run.run_attempt.is_some_and(|attempt| attempt > writer.attempt);
                Ok(Some(if over { Liveness::Over } else { Liveness::Alive }))
            }
            // "Not found" may also mean "not for this token", unless the repository is to be seen.
            Ok(None) if self.hub.github.repository(&writer.repository).await.is_ok() => {
                Ok(Some(Liveness::Over))
            }
            Ok(None) => {
                tracing::warn!(
                    "cannot see hub run {} of {}, so its claims stand",
                    writer.run,
                    writer.repository
                );
                Ok(None)
            }
            Err(error) if error.is_final() => {
                let help = error.help().unwrap_or_default();
                tracing::warn!(
                    "cannot tell whether hub run {} is over, so its claims stand: {error}\nhelp: {help}",
                    writer.run
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How a target stands by the claims before this job's own.
    fn standing(&self, target: &str, liveness: &BTreeMap<Writer, Liveness>) -> Standing {
        let after = self.again.get(target).copied();
        let before = self.own_claim(target).map(|own| own.comment);
        claim::standing(self.ledger.log(), target, Counting { after, before }, known_in(liveness))
    }

    fn own_claim(&self, target: &str) -> Option<&Own> {
        self.records.iter().rev().find(|own| own.claims(target))
    }

    /// Starts what nobody claimed before, several at once, and records what became of it.
    ///
    /// Targets that share a workflow come one after the other, so that their runs can be told apart.
    async fn start(
        &mut self,
        targets: &[&Ready],
        liveness: &BTreeMap<Writer, Liveness>,
    ) -> Result<(), GitHubError> {
        let (mut already, mut unsayable) = (Vec::new(), Vec::new());
        let mut groups: BTreeMap<_, Vec<Starter<'_>>> = BTreeMap::new();
        for ready in targets {
            let uncertain = match self.standing(&ready.target.name, liveness) {
                Standing::Started(_) | Standing::Held { .. } => {
                    already.push(*ready);
                    continue;
                }
                Standing::Free => None,
                Standing::Uncertain(claims) => self.created_at(&claims),
            };
            match self.starter(ready, uncertain) {
                Ok(starter) => groups.entry(ready.shared_by()).or_default().push(starter),
                Err(outcome) => unsayable.push(outcome),
            }
        }
        self.yield_targets(&already).await?;
        self.record_outcomes(unsayable).await?;
        let known_runs = self.known_runs();
        let github = self.hub.github;
        let max_parallel = self.hub.inputs.max_parallel;
        let mut outcomes = futures::stream::iter(groups.into_values())
            .map(|group| {
                let known_runs = known_runs.clone();
                async move { start::start_in_turn(github, group, known_runs).await }
            })
            .buffer_unordered(max_parallel)
            .chunks(max_parallel);
        while let Some(chunk) = outcomes.next().await {
            self.record_outcomes(chunk.into_iter().flatten().collect()).await?;
        }
        Ok(())
    }

    fn starter<'r>(
        &self,
        ready: &'r Ready,
        uncertain_since: Option<DateTime<Utc>>,
    ) -> Result<Starter<'r>, Outcome> {
        let ticket = self.ledger.ticket();
        let rendered = match &ready.target.start {
            StartBy::Workflow(_) => self.wording.inputs_of(ready, ticket),
            StartBy::Event(_) => self.wording.payload_of(ready, ticket),
        };
        let claim = self.own_claim(&ready.target.name);
        Ok(Starter {
            ready,
            ticket: ticket.clone(),
            values: rendered.map_err(|error| Outcome::refused(&ready.target.name, error.to_string()))?,
            claimed_at: claim.map_or_else(|| self.hub.job.clock.now(), |claim| claim.created_at),
            uncertain_since,
            actor: self.actor_for(&ready.target.repository),
        })
    }

    /// As whom workflows are started: the author of the claim, if the claim was written with the same token.
    fn actor_for(&self, repository: &RepoName) -> Option<String> {
        let claim = self.records.first()?.comment;
        let same = self.hub.github.tokens().are_the_same_for(&self.ledger.ticket().repository, repository);
        let author =
            self.ledger.log().dispatches().find(|(comment, _)| comment.id == claim)?.0.author.clone();
        author.filter(|_| same)
    }

    fn created_at(&self, claims: &[CommentId]) -> Option<DateTime<Utc>> {
        let mut records = self.ledger.log().dispatches();
        records.find(|(comment, _)| claims.contains(&comment.id)).map(|(comment, _)| comment.created_at)
    }

    /// The runs that any claim records.
    fn known_runs(&self) -> BTreeSet<RunId> {
        self.ledger
            .log()
            .dispatches()
            .flat_map(|(_, record)| &record.targets)
            .filter_map(|start| start.run)
            .collect()
    }

    /// Puts outcomes into the claims that they belong to.
    async fn record_outcomes(&mut self, outcomes: Vec<Outcome>) -> Result<(), GitHubError> {
        for outcome in &outcomes {
            match outcome.state {
                StartState::Started => {
                    self.started.insert(outcome.target.clone());
                    let link = outcome.run_url.as_deref().unwrap_or("(GitHub does not tell the run)");
                    tracing::info!("started {} {link}", outcome.target);
                }
                _ => {
                    let what = format!(
                        "cannot start {}: {}",
                        outcome.target,
                        outcome.error.as_deref().unwrap_or_default()
                    );
                    self.problems.push(Problem { help: outcome.help.clone(), ..Problem::new(what) });
                }
            }
        }
        let now = self.hub.job.clock.now();
        self.rewrite_claims(|start| {
            let Some(outcome) = outcomes.iter().find(|outcome| outcome.target == start.target) else {
                return false;
            };
            start.state = outcome.state;
            start.run = outcome.run;
            start.run_url = outcome.run_url.clone();
            start.error = outcome.error.clone();
            start.at = now;
            true
        })
        .await
    }

    /// Leaves targets to the hub job that claimed them before.
    async fn yield_targets(&mut self, targets: &[&Ready]) -> Result<(), GitHubError> {
        let names: BTreeSet<&str> = targets.iter().map(|ready| ready.target.name.as_str()).collect();
        self.rewrite_claims(|start| {
            let yields = names.contains(start.target.as_str());
            if yields {
                start.state = StartState::Yielded;
            }
            yields
        })
        .await
    }

    /// Rewrites each record in which `change` changed a claim that is open.
    async fn rewrite_claims(
        &mut self,
        mut change: impl FnMut(&mut Start) -> bool,
    ) -> Result<(), GitHubError> {
        self.rewrite(|record| {
            let open = record.targets.iter_mut().filter(|start| start.state == StartState::Claimed);
            open.filter_map(|start| change(start).then_some(())).count() > 0
        })
        .await
    }

    /// Rewrites each record in which `change` changed something.
    async fn rewrite(&mut self, mut change: impl FnMut(&mut Dispatch) -> bool) -> Result<(), GitHubError> {
        for own in &mut self.records {
            if change(&mut own.record) {
                own.record.seq = self.ledger.log().last_seq(&self.writer) + 1;
                let written =
                    self.ledger.write(Some(own.comment), &Record::Dispatch(own.record.clone())).await?;
                // Another one, if a person has deleted it.
                own.comment = written.id;
            }
        }
        Ok(())
    }

    /// A board that cannot be written does not stop a release: the records are there.
    async fn show_board(&mut self) {
        let ticket = self.ledger.ticket().clone();
        self.board_problem = match self.ledger.show_board().await {
            Ok(Some(board)) if board.created => {
                if let Err(error) = self.hub.github.pin_comment(&ticket, board.comment).await {
                    tracing::info!("the board of {ticket} is not pinned: {error}");
                }
                None
            }
            Ok(_) => None,
            Err(error) => Some(Problem::of(&format!("the board of {ticket} is not up to date"), &error)),
        };
    }

    /// What went wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_iter().chain(self.board_problem).collect()
    }

    /// The ticket's log, as it was last read.
    pub(super) fn log(&self) -> &Log {
        self.ledger.log()
    }
}

/// Who was not asked about is taken to be at work.
fn known_in(liveness: &BTreeMap<Writer, Liveness>) -> impl Fn(&Writer) -> Liveness {
    |writer| liveness.get(writer).copied().unwrap_or(Liveness::Alive)
}

fn names(targets: &[&Ready]) -> String {
    targets.iter().map(|ready| ready.target.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// The claims of `writer` that hold targets which it has not started, rewritten as cancelled.
pub(super) fn cancelled(log: &Log, writer: &Writer, now: DateTime<Utc>) -> Vec<(CommentId, Record)> {
    let is_open = |start: &Start| start.state == StartState::Claimed;
    let open = log.dispatches().filter(|(_, claim)| &claim.by == writer && claim.targets.iter().any(is_open));
    open.zip(log.last_seq(writer) + 1..)
        .map(|((comment, claim), seq)| {
            let mut claim = Dispatch { seq, ..claim.clone() };
            for start in claim.targets.iter_mut().filter(|start| is_open(start)) {
                start.state = StartState::Cancelled;
                start.at = now;
            }
            (comment.id, Record::Dispatch(claim))
        })
        .collect()
}

/// Whether every target of the ticket and every one that is `listed` is released, and no failure is open.
pub(super) fn is_done(log: &Log, listed: &[String]) -> bool {
    let state = log.fold();
    let is_over = |target: &TicketTarget| target.status.is_over();
    state.notices.is_empty()
        && state.targets.values().all(is_over)
        && listed.iter().all(|name| state.targets.get(name).is_some_and(is_over))
}

/// Whether a run stands as it did, whenever that was seen.
fn is_same(known: &FollowedRun, seen: &FollowedRun) -> bool {
    let known = FollowedRun { at: seen.at, other: seen.other.clone(), ..known.clone() };
    known == *seen
}

/// The runs that the hub's run of `writer` started and that are not known to be over.
pub(super) fn started_runs(log: &Log, writer: &Writer) -> Vec<Wanted> {
    let state = log.fold();
    let ours = log.dispatches().filter(|(_, dispatch)| {
        dispatch.by.repository == writer.repository
            && dispatch.by.run == writer.run
            && dispatch.by.job == writer.job
    });
    let started = ours.flat_map(|(_, dispatch)| &dispatch.targets).filter_map(|start| {
        let wanted =
            Wanted { target: start.target.clone(), repository: start.repository.clone(), run: start.run? };
        let followed = state.targets.get(&start.target).and_then(|target| target.followed.as_ref());
        let is_over = followed.is_some_and(|run| run.run == wanted.run && run.is_over());
        (!is_over).then_some(wanted)
    });
    started.collect()
}

/// Cancels these runs, and tells which could not be cancelled.
pub(super) async fn cancel_runs(hub: Hub<'_>, runs: Vec<Wanted>) -> Vec<Problem> {
    let cancelled = futures::stream::iter(runs).map(|Wanted { target, repository, run }| async move {
        match hub.github.cancel_run(&repository, run).await {
            Ok(()) => {
                tracing::info!("cancelled {target}, run {run} of {repository}");
                None
            }
            Err(error) => {
                Some(Problem::of(&format!("cannot cancel {target}, run {run} of {repository}"), &error))
            }
        }
    });
    cancelled.buffer_unordered(8).filter_map(futures::future::ready).collect().await
}
