//! The start of one target: sent once, and after an unclear answer found by what identifies its run.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::preflight::Ready;
use crate::github::actions::WorkflowRun;
use crate::github::once::{look_for, sent_once};
use crate::github::{GitHub, GitHubError};
use crate::names::{IssueRef, RunId};
use crate::problem::Help;
use crate::targets::StartBy;
use crate::ticket::StartState;

/// Everything that one start takes.
#[derive(Debug)]
pub(super) struct Starter<'a> {
    /// The target.
    pub(super) ready: &'a Ready,
    /// The ticket that it belongs to.
    pub(super) ticket: IssueRef,
    /// The workflow's inputs, or the event's payload.
    pub(super) values: Map<String, Value>,
    /// When it was claimed, by GitHub's clock: its run is not older.
    pub(super) claimed_at: DateTime<Utc>,
    /// Since when a hub job that is over may have started it.
    pub(super) uncertain_since: Option<DateTime<Utc>>,
    /// As whom it is started, where that is known.
    pub(super) actor: Option<String>,
}

/// What became of a start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// The target's name.
    pub(super) target: String,
    /// How far it came.
    pub(super) state: StartState,
    /// The run.
    pub(super) run: Option<RunId>,
    /// The run in the browser.
    pub(super) run_url: Option<String>,
    /// What went wrong.
    pub(super) error: Option<String>,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// The runs that could be the wanted one.
enum Found {
    One(RunId, String),
    /// Started, and GitHub does not tell which run it is.
    Untold,
    Several(Vec<String>),
}

/// Starts targets that share a workflow, one after the other, so that their runs are not confused.
pub(super) async fn start_in_turn(
    github: &GitHub,
    starters: Vec<Starter<'_>>,
    mut known_runs: BTreeSet<RunId>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for starter in starters {
        let outcome = match starter.start(github, &known_runs).await {
            Ok(found) => starter.outcome(found),
            Err(error) => starter.failed(&error),
        };
        known_runs.extend(outcome.run);
        outcomes.push(outcome);
    }
    outcomes
}

impl Outcome {
    /// Nothing was started.
    #[must_use]
    pub(super) fn refused(target: &str, error: String) -> Self {
        let target = target.to_owned();
        Self { target, state: StartState::Refused, run: None, run_url: None, error: Some(error), help: None }
    }
}

impl Starter<'_> {
    async fn start(&self, github: &GitHub, known_runs: &BTreeSet<RunId>) -> Result<Found, GitHubError> {
        let repository = &self.ready.target.repository;
        let workflow = match &self.ready.target.start {
            StartBy::Workflow(workflow) => workflow,
            StartBy::Event(event_type) if self.uncertain_since.is_none() => {
                return github.send_event(repository, event_type, &self.values).await.map(|()| Found::Untold);
            }
            StartBy::Event(_) => return Ok(Found::Several(Vec::new())),
        };
        if let Some(since) = self.uncertain_since
            && let Some(found) = self.look(github, workflow, since, known_runs).await?
        {
            tracing::info!(
                "{} was started by a hub job that is over; going on with its run",
                self.ready.target.name
            );
            return Ok(found);
        }
        let git_ref = &self.ready.git_ref;
        let look = async || self.look(github, workflow, self.claimed_at, known_runs).await;
        let send = async || {
            let started = github.start_workflow(repository, workflow, git_ref, &self.values).await?;
            Ok(started.map_or(Found::Untold, |run| Found::One(run.id, run.html_url)))
        };
        match sent_once(send, look).await? {
            Found::Untold => Ok(look_for(&look).await.ok().flatten().unwrap_or(Found::Untold)),
            found => Ok(found),
        }
    }

    /// Looks for the run: that workflow and ref, by that actor, created since `since`, and recorded
    /// by no claim. Of several the one whose name holds the ticket.
    async fn look(
        &self,
        github: &GitHub,
        workflow: &str,
        since: DateTime<Utc>,
        known_runs: &BTreeSet<RunId>,
    ) -> Result<Option<Found>, GitHubError> {
        let Ready { target, git_ref, .. } = self.ready;
        let mut runs = github.dispatched_runs(&target.repository, workflow, git_ref, since).await?;
        runs.retain(|run| {
            let same_actor = match (&self.actor, run.actor()) {
                (Some(wanted), Some(actor)) => wanted.eq_ignore_ascii_case(actor),
                _ => true,
            };
            let of_another = names_another(run.title(), &self.ticket);
            same_actor && !of_another && run.created_at >= since && !known_runs.contains(&run.id)
        });
        let ticket = self.ticket.to_string();
        let names_the_ticket = |run: &&WorkflowRun| holds(run.title(), &ticket);
        let named: Vec<&WorkflowRun> = runs.iter().filter(names_the_ticket).collect();
        Ok(match (&runs[..], &named[..]) {
            ([], _) => None,
            ([run], _) => Some(Found::One(run.id, run.html_url.clone())),
            (_, [run]) => Some(Found::One(run.id, run.html_url.clone())),
            _ => Some(Found::Several(runs.iter().map(|run| run.html_url.clone()).collect())),
        })
    }

    fn outcome(&self, found: Found) -> Outcome {
        let target = self.ready.target.name.clone();
        let started =
            Outcome { target, state: StartState::Started, run: None, run_url: None, error: None, help: None };
        match found {
            Found::One(run, url) => Outcome { run: Some(run), run_url: Some(url), ..started },
            Found::Untold => started,
            Found::Several(urls) => Outcome {
                state: StartState::Unknown,
                error: Some(match &urls[..] {
                    [] => "it may have been started, and GitHub does not tell".to_owned(),
                    urls => {
                        format!("it may have been started, and several runs could be it: {}", urls.join(" "))
                    }
                }),
                help: Some(format!(
                    "look at the runs of {}; give the workflow a `run-name` that holds the input `release-ticket`, \
                     so that its run can be told from others",
                    self.ready.target.repository
                )),
                ..started
            },
        }
    }

    fn failed(&self, error: &GitHubError) -> Outcome {
        let state = if error.is_without_effect() { StartState::Refused } else { StartState::Unknown };
        Outcome {
            target: self.ready.target.name.clone(),
            state,
            run: None,
            run_url: None,
            error: Some(error.to_string()),
            help: error.help(),
        }
    }
}

/// Whether `title` holds the ticket's name, and not one that only begins like it.
fn holds(title: &str, ticket: &str) -> bool {
    let behind = |at: usize| title[at + ticket.len()..].chars().next();
    title.match_indices(ticket).any(|(at, _)| !behind(at).is_some_and(|c| c.is_ascii_digit()))
}

/// Whether `title` holds another ticket of the same hub.
fn names_another(title: &str, ticket: &IssueRef) -> bool {
    let hub = format!("{}#", ticket.repository);
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let names_some = title.match_indices(&hub).any(|(at, _)| is_number(&title[at + hub.len()..]));
    names_some && !holds(title, &ticket.to_string())
}

#[cfg(test)]
mod tests {
    use super::{holds, names_another};

    #[test]
    fn a_run_name_holds_its_own_ticket_only() {
        assert!(holds("Release for acme/hub#12", "acme/hub#12"));
        assert!(holds("acme/hub#12: web", "acme/hub#12"));
        assert!(!holds("Release for acme/hub#123", "acme/hub#12"));
        let number = crate::names::IssueNumber(12);
        let ticket = crate::names::IssueRef { repository: "acme/hub".parse().expect("a name"), number };
        assert!(names_another("Release for acme/hub#123", &ticket));
        assert!(!names_another("Release for acme/hub#12", &ticket) && !names_another("Release", &ticket));
    }
}
