//! A hub job at work on a ticket: it claims targets, starts them, and records what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::preflight::Ready;
use super::start::{self, Outcome, Starter};
use super::wording::Wording;
use crate::github::{GitHub, GitHubError};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{CommentId, RepoName, RunId};
use crate::receipt::{Problem, Receipt};
use crate::runner::log::NOTICE;
use crate::targets::StartBy;
use crate::ticket::claim::{self, Liveness, Standing};
use crate::ticket::{
    Dispatch, Log, Record, Start, StartState, Target, TargetStatus, Ticket, Writer, board, text,
};

/// So many targets share a claim, so that its record fits a comment.
const TARGETS_PER_CLAIM: usize = 80;

/// How long a hub job waits for another one that claimed a target first.
const HELD_LIMIT: Duration = Duration::from_secs(120);
const HELD_POLL: Duration = Duration::from_secs(5);

/// A claim that this job has created.
struct Claim {
    comment: CommentId,
    created_at: DateTime<Utc>,
    record: Dispatch,
}

/// A hub job at work on a ticket.
pub(super) struct Dispatcher<'a> {
    job: &'a Job,
    github: &'a GitHub,
    wording: &'a Wording<'a>,
    writer: Writer,
    ledger: Ledger<'a>,
    claims: Vec<Claim>,
    /// The targets that this step started.
    started: BTreeSet<String>,
    /// What went wrong.
    pub(super) problems: Vec<Problem>,
}

impl<'a> Dispatcher<'a> {
    pub(super) fn new(
        job: &'a Job,
        github: &'a GitHub,
        wording: &'a Wording<'a>,
        writer: Writer,
        ledger: Ledger<'a>,
    ) -> Self {
        Self {
            job,
            github,
            wording,
            writer,
            ledger,
            claims: Vec::new(),
            started: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Claims what is open, starts it, records what became of it, and keeps the board up to date.
    pub(super) async fn work(&mut self, targets: &[Ready], max_parallel: usize) -> Result<(), GitHubError> {
        let liveness = self.liveness(None).await?;
        let open: Vec<&Ready> =
            targets.iter().filter(|ready| !self.is_started(&ready.target.name, None, &liveness)).collect();
        self.claim(&open).await?;
        self.show_board().await;
        let mut waiting = open;
        let patience = tokio::time::Instant::now() + HELD_LIMIT;
        loop {
            let liveness = self.liveness(self.claims.last().map(|claim| claim.comment)).await?;
            let (held, mine): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|ready| {
                matches!(self.standing(&ready.target.name, &liveness), Standing::Held { .. })
            });
            self.start(&mine, &liveness, max_parallel).await?;
            waiting = held;
            if waiting.is_empty() || tokio::time::Instant::now() >= patience {
                break;
            }
            tracing::info!("another hub job has claimed {} first; waiting for it", names(&waiting));
            tokio::time::sleep(HELD_POLL).await;
            self.ledger.read_changes().await?;
        }
        self.yield_targets(&waiting).await?;
        self.show_board().await;
        Ok(())
    }

    /// Creates the records that claim `targets`, and reads what others claimed before.
    async fn claim(&mut self, targets: &[&Ready]) -> Result<(), GitHubError> {
        for chunk in targets.chunks(TARGETS_PER_CLAIM) {
            let record = Dispatch {
                by: self.writer.clone(),
                seq: self.ledger.log().last_seq(&self.writer) + 1,
                run_url: self.job.run_url(),
                driver: self.wording.driver().cloned(),
                release: self.wording.release(),
                targets: chunk.iter().map(|ready| ready.claimed(self.job.clock.now())).collect(),
                other: Map::new(),
            };
            let comment = self.ledger.write(None, &Record::Dispatch(record.clone())).await?;
            self.claims.push(Claim { comment: comment.id, created_at: comment.created_at, record });
        }
        if targets.is_empty() { Ok(()) } else { self.ledger.read_changes().await }
    }

    /// Which of the other hub jobs that hold claims are still at work.
    async fn liveness(&self, mine: Option<CommentId>) -> Result<BTreeMap<Writer, Liveness>, GitHubError> {
        let mut known = BTreeMap::new();
        for writer in claim::claimants(self.ledger.log(), mine) {
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
        match self.github.run(&writer.repository, writer.run).await {
            Ok(Some(run)) => {
                let over = run.status.as_deref() == Some("completed")
                    || run.run_attempt.is_some_and(|attempt| attempt > writer.attempt);
                Ok(if over { Liveness::Over } else { Liveness::Alive })
            }
            // "Not found" may also mean "not for this token", unless the repository is to be seen.
            Ok(None) if self.github.repository(&writer.repository).await.is_ok() => Ok(Liveness::Over),
            Ok(None) => {
                tracing::warn!(
                    "cannot see hub run {} of {}, so its claims stand",
                    writer.run,
                    writer.repository
                );
                Ok(Liveness::Alive)
            }
            Err(error @ GitHubError::Refused { .. }) => {
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

    fn standing(&self, target: &str, liveness: &BTreeMap<Writer, Liveness>) -> Standing {
        let mine =
            self.claims.iter().find(|claim| claim.record.targets.iter().any(|start| start.target == target));
        self.standing_before(target, mine.map(|claim| claim.comment), liveness)
    }

    fn standing_before(
        &self,
        target: &str,
        mine: Option<CommentId>,
        liveness: &BTreeMap<Writer, Liveness>,
    ) -> Standing {
        let of = |writer: &Writer| liveness.get(writer).copied().unwrap_or(Liveness::Alive);
        claim::standing(self.ledger.log(), target, mine, of)
    }

    fn is_started(
        &self,
        target: &str,
        mine: Option<CommentId>,
        liveness: &BTreeMap<Writer, Liveness>,
    ) -> bool {
        let Standing::Started(start) = self.standing_before(target, mine, liveness) else { return false };
        let status = self.ledger.log().fold().targets.get(target).map(|target| target.status);
        tracing::info!(target: NOTICE, "{target} is left alone: {}", skipped_because(&start, status));
        true
    }

    /// Starts what nobody claimed before, several at once, and records what became of it.
    ///
    /// Targets that share a workflow come one after the other, so that their runs can be told apart.
    async fn start(
        &mut self,
        targets: &[&Ready],
        liveness: &BTreeMap<Writer, Liveness>,
        max_parallel: usize,
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
        let github = self.github;
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
        let claim = self
            .claims
            .iter()
            .find(|claim| claim.record.targets.iter().any(|start| start.target == ready.target.name));
        Ok(Starter {
            ready,
            ticket: ticket.clone(),
            values: rendered.map_err(|error| Outcome::refused(&ready.target.name, error.to_string()))?,
            claimed_at: claim.map_or_else(|| self.job.clock.now(), |claim| claim.created_at),
            uncertain_since,
            actor: self.actor_for(&ready.target.repository),
        })
    }

    /// As whom workflows are started: the author of the claim, if the claim was written with the same token.
    fn actor_for(&self, repository: &RepoName) -> Option<String> {
        let claim = self.claims.first()?.comment;
        let same = self.github.tokens().are_the_same_for(&self.ledger.ticket().repository, repository);
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
                    self.problems.push(Problem { what, help: outcome.help.clone() });
                }
            }
        }
        let now = self.job.clock.now();
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

    /// Rewrites each claim in which `change` changed something.
    async fn rewrite_claims(
        &mut self,
        mut change: impl FnMut(&mut Start) -> bool,
    ) -> Result<(), GitHubError> {
        for claim in &mut self.claims {
            let mut changes = false;
            for start in &mut claim.record.targets {
                changes |= change(start);
            }
            if changes {
                claim.record.seq = self.ledger.log().last_seq(&self.writer) + 1;
                self.ledger.write(Some(claim.comment), &Record::Dispatch(claim.record.clone())).await?;
            }
        }
        Ok(())
    }

    /// A board that cannot be written does not stop a release: the records are there.
    async fn show_board(&mut self) {
        let ticket = self.ledger.ticket().clone();
        match self.ledger.show_board().await {
            Ok(Some(board)) if board.created => {
                if let Err(error) = self.github.pin_comment(&ticket, board.comment).await {
                    tracing::info!("the board of {ticket} is not pinned: {error}");
                }
            }
            Ok(_) => {}
            Err(error) => {
                self.problems.push(Problem::of(&format!("the board of {ticket} is not up to date"), &error))
            }
        }
    }

    /// Writes what became of it all into the receipt.
    pub(super) fn tell(&self, targets: &[Ready], url: &str, receipt: &mut Receipt) {
        receipt.delivered = Some(true);
        receipt.comment = self.claims.first().map(|claim| {
            let comment = self.ledger.log().dispatches().find(|(comment, _)| comment.id == claim.comment);
            (claim.comment.0, comment.map(|(comment, _)| comment.url.clone()).unwrap_or_default())
        });
        let state = self.ledger.log().fold();
        let results: Vec<Value> =
            targets.iter().map(|ready| self.result(ready, state.targets.get(&ready.target.name))).collect();
        receipt.results = Some(Value::from(results).to_string());
        receipt.summary =
            format!("### {}\n\n{}\n", text::link(&self.ledger.ticket().to_string(), url), summary(&state));
        tracing::info!("{}", board::plain(&state));
    }

    fn result(&self, ready: &Ready, target: Option<&Target>) -> Value {
        let name = &ready.target.name;
        let mine =
            self.claims.iter().flat_map(|claim| &claim.record.targets).find(|start| &start.target == name);
        let start = target.and_then(|target| target.start.as_ref());
        let status = match (mine.map(|start| start.state), target) {
            _ if self.started.contains(name) => "started",
            (Some(StartState::Unknown), _) => "unknown",
            (_, Some(target)) => plain_word(target.status),
            (_, None) => "unknown",
        };
        let conclusion = match target.map(|target| target.status) {
            Some(TargetStatus::Released) => Some("success"),
            Some(TargetStatus::Failed) => Some("failure"),
            Some(TargetStatus::Cancelled) => Some("cancelled"),
            Some(TargetStatus::Skipped) => Some("skipped"),
            _ => None,
        };
        let run = target.and_then(|target| target.run.as_ref());
        json!({
            "name": name,
            "repository": ready.target.repository,
            "status": status.replace(' ', "_"),
            "conclusion": conclusion,
            "run_id": run.map(|run| run.id),
            "run_url": run.and_then(|run| run.url.as_deref()).or(start.and_then(|start| start.run_url.as_deref())),
            "error": target.and_then(|target| target.error.as_deref()),
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

/// Why a target that was started is left alone.
pub(super) fn skipped_because(start: &Start, status: Option<TargetStatus>) -> String {
    let run = start.run_url.as_deref().or(start.run.is_none().then_some("an event")).unwrap_or("its run");
    match status {
        Some(TargetStatus::Released) => "it is released already".to_owned(),
        Some(status @ (TargetStatus::Failed | TargetStatus::Cancelled)) => {
            format!("it was started already and {}; re-run the failed jobs of {run}", plain_word(status))
        }
        _ => format!("it was started already by {run}"),
    }
}

fn plain_word(status: TargetStatus) -> &'static str {
    board::shown(status).split_once(' ').map_or("", |(_, word)| word)
}
