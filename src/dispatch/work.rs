//! A hub job at work on a ticket: it claims targets, starts them, follows their runs, and records what
//! became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::Hub;
use super::follow::{Follower, Wanted};
use super::preflight::Ready;
use super::start::{self, Outcome, Starter};
use super::waves::{self, Next};
use super::wording::Wording;
use crate::github::GitHubError;
use crate::inputs::Wait;
use crate::ledger::Ledger;
use crate::names::{CommentId, RepoName, RunId};
use crate::receipt::{Problem, Receipt};
use crate::runner::log::NOTICE;
use crate::targets::{StartBy, Target};
use crate::ticket::claim::{self, Counting, Liveness, Standing};
use crate::ticket::{
    Dispatch, FollowedRun, Log, Record, Start, StartState, Target as TicketTarget, TargetStatus, Ticket,
    Writer, board, text,
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
    /// The targets whose runs cannot be followed.
    lost: BTreeSet<String>,
    /// How each target stood when it was last told.
    told: BTreeMap<String, String>,
    /// What went wrong.
    pub(super) problems: Vec<Problem>,
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
            lost: BTreeSet::new(),
            told: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Starts what is ready, wave by wave; waits for the runs if that is wanted.
    pub(super) async fn work(&mut self, targets: &[Ready]) -> Result<(), GitHubError> {
        let inputs = self.hub.inputs;
        let has_needs = targets.iter().any(|ready| !ready.target.needs.is_empty());
        if inputs.retry_failed || inputs.only.is_some() || has_needs {
            // What became of earlier runs decides what is started now.
            self.follow(targets).await?;
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

    /// Follows the runs until nothing more is to be expected, and starts what becomes ready.
    async fn wait(&mut self, targets: &[Ready], wait: Wait) -> Result<(), GitHubError> {
        let deadline = Instant::now() + wait.timeout;
        let longest_round = Duration::from_secs((targets.len() / LOOKS_PER_SECOND) as u64);
        loop {
            self.follow(targets).await?;
            self.start_wave(targets).await?;
            self.tell_changes(targets);
            // Who shows the board reads again: what is read then counts before this ends.
            self.show_board().await;
            let open = self.open_targets(targets);
            if open.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                self.give_up(&open, wait).await;
                break;
            }
            let pause = wait.interval.max(longest_round);
            tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
            self.ledger.read_changes().await?;
        }
        self.tell_failures(targets);
        Ok(())
    }

    /// The targets of which something is still to be expected.
    fn open_targets(&self, targets: &[Ready]) -> Vec<String> {
        let state = self.ledger.log().fold();
        let is_open = |ready: &&Ready| {
            let Target { name, needs, .. } = &ready.target;
            let goes_on =
                state.targets.get(name).is_some_and(|target| !waves::is_settled(target, &state, targets));
            let is_due = self.again.contains_key(name) && state.awaited(needs).next().is_none();
            !self.lost.contains(name) && (goes_on || is_due && self.own_claim(name).is_none())
        };
        targets.iter().filter(is_open).map(|ready| ready.target.name.clone()).collect()
    }

    /// The time is over: says so, and cancels the runs if that is wanted.
    async fn give_up(&mut self, open: &[String], wait: Wait) {
        let what = format!(
            "after {} {} not over",
            humantime::format_duration(wait.timeout),
            if open.len() == 1 { format!("{} is", open[0]) } else { format!("{} are", open.join(", ")) }
        );
        let help = "run the job again to go on waiting, or raise `wait-timeout`".to_owned();
        self.problems.push(Problem::new(what).help(help));
        if self.hub.inputs.cancel_on_timeout {
            let runs = started_runs(self.ledger.log(), &self.writer);
            self.problems.extend(cancel_runs(self.hub, runs).await);
        }
    }

    /// Looks what became of the runs of `targets`, and records what has changed.
    async fn follow(&mut self, targets: &[Ready]) -> Result<(), GitHubError> {
        let state = self.ledger.log().fold();
        let wanted = targets.iter().filter_map(|ready| {
            let name = &ready.target.name;
            let target = state.targets.get(name).filter(|_| !self.lost.contains(name))?;
            let run = target.run.as_ref()?.id;
            Some(Wanted { target: name.clone(), repository: target.repository.clone(), run })
        });
        let looked = self.follower.look(self.hub.github, wanted.collect()).await;
        let mut news = Vec::new();
        for (Wanted { target, repository, run }, seen) in looked {
            match seen {
                Ok(seen) => {
                    let known = state.targets.get(&target).and_then(|target| target.followed.as_ref());
                    // Where another hub job has seen more of it, it is enough to have said so once.
                    let said = self.records.iter().flat_map(|own| &own.record.followed);
                    let said = said.filter(|run| run.target == target);
                    if !known.into_iter().chain(said).any(|known| is_same(known, &seen)) {
                        news.push(seen);
                    }
                }
                Err(error @ GitHubError::Refused { .. }) => {
                    self.lost.insert(target.clone());
                    let doing = format!("cannot follow {target}, run {run} of {repository}");
                    self.problems.push(Problem::of(&doing, &error));
                }
                Err(error) => tracing::warn!("cannot look at run {run} of {repository} this time: {error}"),
            }
        }
        self.record_runs(news).await
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
            record.followed.retain(|old| !seen.iter().any(|new| new.target == old.target));
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
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for one in targets {
            match self.next(one, &liveness) {
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

    fn next(&self, ready: &Ready, liveness: &BTreeMap<Writer, Liveness>) -> Next {
        let log = self.ledger.log();
        let after = self.again.get(&ready.target.name).copied();
        let of = |writer: &Writer| liveness.get(writer).copied().unwrap_or(Liveness::Alive);
        waves::next(ready, log, &log.fold(), after, of)
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
        let record = Dispatch {
            by: self.writer.clone(),
            seq: self.ledger.log().last_seq(&self.writer) + 1,
            run_url: self.hub.job.run_url(),
            driver: self.wording.driver().cloned(),
            release: self.wording.release(),
            targets,
            followed,
            other: Map::new(),
        };
        let comment = self.ledger.write(None, &Record::Dispatch(record.clone())).await?;
        self.records.push(Own { comment: comment.id, created_at: comment.created_at, record });
        Ok(())
    }

    /// Which of the other hub jobs that hold claims are still at work.
    async fn liveness(&self, before: Option<CommentId>) -> Result<BTreeMap<Writer, Liveness>, GitHubError> {
        let mut known = BTreeMap::new();
        for writer in claim::claimants(self.ledger.log(), before) {
            if known.contains_key(writer) {
                continue;
            }
            let liveness = match claim::is_over_for(writer, &self.writer) {
                Some(liveness) => liveness,
                None => self.liveness_of(writer).await?,
            };
            known.insert(writer.clone(), liveness);
        }
        Ok(known)
    }

    async fn liveness_of(&self, writer: &Writer) -> Result<Liveness, GitHubError> {
        match self.hub.github.run(&writer.repository, writer.run).await {
            Ok(Some(run)) => {
                let over = run.status.as_deref() == Some("completed")
                    || run.run_attempt.is_some_and(|attempt| attempt > writer.attempt);
                Ok(if over { Liveness::Over } else { Liveness::Alive })
            }
            // "Not found" may also mean "not for this token", unless the repository is to be seen.
            Ok(None) if self.hub.github.repository(&writer.repository).await.is_ok() => Ok(Liveness::Over),
            Ok(None) => {
                tracing::warn!(
                    "cannot see hub run {} of {}, so its claims stand",
                    writer.run,
                    writer.repository
                );
                Ok(Liveness::Alive)
            }
            Err(error @ (GitHubError::Refused { .. } | GitHubError::NoToken { .. })) => {
                let help = error.help().unwrap_or_default();
                tracing::warn!(
                    "cannot tell whether hub run {} is over, so its claims stand: {error}\nhelp: {help}",
                    writer.run
                );
                Ok(Liveness::Alive)
            }
            Err(error) => Err(error),
        }
    }

    /// How a target stands by the claims before this job's own.
    fn standing(&self, target: &str, liveness: &BTreeMap<Writer, Liveness>) -> Standing {
        let after = self.again.get(target).copied();
        let before = self.own_claim(target).map(|own| own.comment);
        let of = |writer: &Writer| liveness.get(writer).copied().unwrap_or(Liveness::Alive);
        claim::standing(self.ledger.log(), target, Counting { after, before }, of)
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
        self.record(unsayable).await?;
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
            self.record(chunk.into_iter().flatten().collect()).await?;
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
    async fn record(&mut self, outcomes: Vec<Outcome>) -> Result<(), GitHubError> {
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
                self.ledger.write(Some(own.comment), &Record::Dispatch(own.record.clone())).await?;
            }
        }
        Ok(())
    }

    /// A board that cannot be written does not stop a release: the records are there.
    async fn show_board(&mut self) {
        let ticket = self.ledger.ticket().clone();
        match self.ledger.show_board().await {
            Ok(Some(board)) if board.created => {
                if let Err(error) = self.hub.github.pin_comment(&ticket, board.comment).await {
                    tracing::info!("the board of {ticket} is not pinned: {error}");
                }
            }
            Ok(_) => {}
            Err(error) => {
                self.problems.push(Problem::of(&format!("the board of {ticket} is not up to date"), &error))
            }
        }
    }

    // ---- what is said in the log ----

    /// Says which targets are left alone, and why.
    async fn tell_what_is_left(&self, targets: &[Ready]) -> Result<(), GitHubError> {
        let liveness = self.liveness(None).await?;
        for ready in targets {
            if let Next::Leave(because) = self.next(ready, &liveness) {
                tracing::info!(target: NOTICE, "{} is left alone: {because}", ready.target.name);
            }
        }
        Ok(())
    }

    /// Without `wait` this step starts no further wave: says what remains, and how it goes on.
    fn tell_what_waits(&self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for ready in targets {
            let Target { name, needs, .. } = &ready.target;
            let awaited: Vec<&str> = state.awaited(needs).map(|(needed, _)| needed).collect();
            let waits = state.targets.get(name).is_some_and(|target| target.status == TargetStatus::Waiting);
            if waits && !awaited.is_empty() {
                tracing::info!(
                    target: NOTICE,
                    "{name} waits for {}; run this dispatch again when it is released: by hand, on a schedule, or set `wait: true`",
                    awaited.join(", ")
                );
            }
        }
    }

    /// Says how targets stand now, a line for each that has changed.
    fn tell_changes(&mut self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for name in targets.iter().map(|ready| &ready.target.name) {
            let Some(target) = state.targets.get(name) else { continue };
            let said = target.stage.as_ref().and_then(|stage| stage.message.as_deref());
            let said = said.map(|said| format!(": {}", text::first_line(said))).unwrap_or_default();
            let now = format!("{}{said}", board::standing(&state, target));
            if self.told.insert(name.clone(), now.clone()).as_ref() != Some(&now) {
                let link = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
                tracing::info!("{}", format!("{name}  {now}  {link}").trim_end());
            }
        }
    }

    /// The step fails if a target did, or was held up by one.
    fn tell_failures(&mut self, targets: &[Ready]) {
        let state = self.ledger.log().fold();
        for Ready { target: Target { name, needs, .. }, .. } in targets {
            let Some(target) = state.targets.get(name) else { continue };
            // That it could not be started was said then.
            if target.status.is_bad() && target.run.is_some() {
                let url = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or("its run");
                let stage =
                    target.stage.as_ref().map(|stage| format!(" at {}", stage.name)).unwrap_or_default();
                let said = target.stage.as_ref().and_then(|stage| stage.message.as_deref());
                let said = said.map(|said| format!(": {}", text::first_line(said))).unwrap_or_default();
                let help = format!(
                    "look at {url}; then re-run its failed jobs, or dispatch again with `retry-failed: true` for a new run"
                );
                let what = match target.status {
                    TargetStatus::Cancelled => format!("{name} was cancelled{stage}{said}"),
                    _ => format!("{name} failed{stage}{said}"),
                };
                self.problems.push(Problem::new(what).help(help));
            }
            if target.status == TargetStatus::Waiting && waves::is_settled(target, &state, targets) {
                let awaited: Vec<String> = state
                    .awaited(needs)
                    .map(|(needed, status)| match status {
                        Some(status) => format!("{needed} ({})", board::word(status)),
                        None => format!("{needed} (which nobody has started)"),
                    })
                    .collect();
                let what = format!("{name} was not started: it waits for {}", awaited.join(", "));
                let help = "release that first; then run this dispatch again".to_owned();
                self.problems.push(Problem::new(what).help(help));
            }
        }
    }

    /// Whether every target of the ticket is released, and no failure is open.
    pub(super) fn is_done(&self) -> bool {
        let state = self.ledger.log().fold();
        state.notices.is_empty()
            && !state.targets.is_empty()
            && state.targets.values().all(|target| target.status.is_over())
    }

    /// Writes what became of it all into the receipt.
    pub(super) fn tell(&self, targets: &[Ready], url: &str, receipt: &mut Receipt) {
        receipt.delivered = Some(true);
        receipt.comment = self.records.first().map(|own| {
            let comment = self.ledger.log().dispatches().find(|(comment, _)| comment.id == own.comment);
            (own.comment.0, comment.map(|(comment, _)| comment.url.clone()).unwrap_or_default())
        });
        let state = self.ledger.log().fold();
        let results: Vec<Value> =
            targets.iter().map(|ready| self.result(ready, state.targets.get(&ready.target.name))).collect();
        receipt.results = Some(Value::from(results).to_string());
        receipt.summary =
            format!("### {}\n\n{}\n", text::link(&self.ledger.ticket().to_string(), url), summary(&state));
        tracing::info!("{}", board::plain(&state));
    }

    fn result(&self, ready: &Ready, target: Option<&TicketTarget>) -> Value {
        let name = &ready.target.name;
        let claimed = self.own_claim(name).and_then(|own| {
            own.record.targets.iter().find(|start| start.target == *name).map(|start| start.state)
        });
        let start = target.and_then(|target| target.start.as_ref());
        let status = match (claimed, target) {
            (Some(StartState::Unknown), _) => "unknown",
            _ if self.started.contains(name) && self.hub.inputs.wait.is_none() => "started",
            (_, Some(target)) => board::word(target.status),
            (_, None) => "unknown",
        };
        let followed = target.and_then(|target| target.followed.as_ref());
        let conclusion = followed.and_then(|run| run.conclusion.as_deref());
        let conclusion = conclusion.or_else(|| match target?.status {
            TargetStatus::Released => Some("success"),
            TargetStatus::Failed => Some("failure"),
            TargetStatus::Cancelled => Some("cancelled"),
            TargetStatus::Skipped => Some("skipped"),
            TargetStatus::InProgress | TargetStatus::Queued | TargetStatus::Waiting => None,
        });
        let run = target.and_then(|target| target.run.as_ref());
        let error = target.and_then(|target| {
            let failed = target.stage.as_ref().filter(|_| target.status.is_bad());
            target.error.clone().or_else(|| failed.and_then(|stage| stage.message.clone()))
        });
        json!({
            "name": name,
            "repository": ready.target.repository,
            "status": status.replace(' ', "_"),
            "conclusion": conclusion,
            "run_id": run.map(|run| run.id),
            "run_url": run.and_then(|run| run.url.as_deref()).or(start.and_then(|start| start.run_url.as_deref())),
            "error": error,
        })
    }
}

fn summary(state: &Ticket) -> String {
    let rows = state.targets.iter().map(|(name, target)| {
        let run = target.run.as_ref().and_then(|run| run.url.as_deref()).unwrap_or_default();
        format!("- **{}** {}\n", text::inline(name), text::link(board::shown(target.status), run))
    });
    rows.collect()
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
