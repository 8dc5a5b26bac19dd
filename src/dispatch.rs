//! The mode `dispatch`: finds or creates the ticket, and starts the release workflows of the targets.
//!
//! ```text
//! prepare  the step's inputs, the ticket and the targets become a request (`prepare`), with the command that a comment
//!          gave (`steering`)
//! drive    the engine gives the next steps and `perform` performs them, until no step is left
//! receipt  the results, as outputs and summary
//! ```

mod approval;
mod asker;
mod closed_tickets;
mod command_request;
mod follow;
mod forms;
pub mod gates;
mod lookup;
mod outlook;
mod perform;
mod preflight;
mod prepare;
mod reading;
mod refusals;
mod steering;
mod stop;
mod survey;
mod template_inputs;
mod verify;
mod workflow_facts;

use crate::cancel::{Cancellation, WIND_UP_LIMIT, unless};
use crate::engine::results::{self, Results};
use crate::engine::{Facts, Request, TicketState, forecast, recording};
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, Needs};
use crate::inputs::{ClaimMode, Common, DispatchInputs};
use crate::job::Job;
use crate::names::IssueRef;
use crate::outbox::Outbox;
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::runner::log::NOTICE;
use crate::ticket::{Release, board, text};
use crate::workspace;
use asker::Asker;
use outlook::Outlook;
use perform::Performer;
use stop::Stop;
use tokio::time::Instant;

/// The number of requests at once, for requests that start nothing.
const READS_AT_ONCE: usize = 32;

/// A step of the hub: its job, its inputs, and the client for GitHub.
#[derive(Debug, Clone, Copy)]
pub struct Hub<'a> {
    /// The job that runs the step.
    pub job: &'a Job,
    /// The inputs of every mode.
    pub common: &'a Common,
    /// The inputs of this mode.
    pub inputs: &'a DispatchInputs,
    /// The client for GitHub, with the step's tokens.
    pub github: &'a GitHub,
}

/// The permissions that a dispatch needs in the hub. Those in the targets' repositories follow when the targets are
/// read.
fn needs(common: &Common, inputs: &DispatchInputs) -> Needs {
    let needs = Needs::default().must(&common.hub, Permission::Issues, Level::Write).may(
        &common.hub,
        Permission::Actions,
        Level::Read,
    );
    if inputs.claim == ClaimMode::Ref || inputs.publish_release {
        return needs.must(&common.hub, Permission::Contents, Level::Write);
    }
    needs
}

/// Runs the mode. A problem, and a cancellation too, stands in the receipt.
pub async fn run(hub: Hub<'_>, mut cancellation: Cancellation<'_>) -> Receipt {
    hub.github.tokens().need(needs(hub.common, hub.inputs));
    let mut receipt = Receipt { has_opened_issue: Some(false), ..Receipt::default() };
    let asker = match unless(&mut cancellation, asker::find(hub)).await {
        Some(Ok(Asker::Refused(why))) => {
            tracing::info!(target: NOTICE, "nothing is started: {why}");
            return receipt;
        }
        Some(Ok(asker)) => asker,
        Some(Err(problems)) => {
            receipt.is_delivered = Some(false);
            receipt.problems.extend(problems);
            return receipt;
        }
        None => {
            Outlook::of(hub).fill(&mut receipt, hub.common.dry_run);
            return receipt;
        }
    };
    let mut outlook = Outlook::of(hub);
    match unless(&mut cancellation, steering::prepare(hub, &asker, &mut outlook)).await {
        Some(Ok((request, facts))) if hub.common.dry_run => {
            let outcome = unless(&mut cancellation, dry_run(hub, facts, &request, &mut receipt)).await;
            receipt.is_cancelled = outcome.is_none();
        }
        Some(Ok((request, facts))) => work(hub, facts, request, cancellation, &mut receipt).await,
        Some(Err(problems)) => match &asker {
            Asker::Command(command) if !hub.common.dry_run => {
                let (request, facts) = steering::request_despite(hub, command, problems);
                work(hub, facts, request, cancellation, &mut receipt).await;
            }
            _ => {
                receipt.is_delivered = Some(false);
                receipt.problems.extend(problems);
            }
        },
        None => outlook.fill(&mut receipt, hub.common.dry_run),
    }
    receipt
}

/// Asks GitHub all questions that come before the first effect, and goes on with assumed answers.
async fn dry_run(hub: Hub<'_>, mut facts: Facts, request: &Request, receipt: &mut Receipt) {
    Performer::new(hub.github, &facts).ask(&mut facts, request).await;
    receipt.problems.extend(facts.fatal_problem().cloned());
    receipt.plan = Some(forecast(facts, request, hub.job.clock.now()));
}

async fn work(
    hub: Hub<'_>,
    mut facts: Facts,
    mut request: Request,
    mut cancellation: Cancellation<'_>,
    receipt: &mut Receipt,
) {
    let lock = unless(&mut cancellation, Outbox::lock(hub.job.temp.as_deref(), &request.by)).await;
    let Some(_one_step_at_a_time) = lock else {
        (receipt.is_cancelled, request.wind_up) = (true, true);
        fill(receipt, &facts, &request, hub);
        receipt.is_delivered = Some(false);
        return;
    };
    let (mut performer, stop) = (Performer::new(hub.github, &facts), Stop::default());
    let mut drive = Box::pin(performer.drive(&mut facts, &request, &stop));
    if unless(&mut cancellation, &mut drive).await.is_some() {
        drop(drive);
        return fill(receipt, &facts, &request, hub);
    }
    let until = Instant::now() + WIND_UP_LIMIT;
    hub.github.hurry();
    stop.after_creation(drive).await;
    (receipt.is_cancelled, request.wind_up) = (true, true);
    facts.wind_up();
    let no_stop = Stop::default();
    let wind_up = performer.drive(&mut facts, &request, &no_stop);
    let in_time = tokio::time::timeout_at(until, wind_up).await.is_ok();
    fill(receipt, &facts, &request, hub);
    if !in_time {
        receipt.problems.push(Problem::new("there was no time left to say so on the ticket"));
    }
    if !in_time || receipt.ticket.is_none() {
        receipt.is_delivered = Some(false);
    }
}

/// Writes the release's record into a file of the workspace.
fn keep_record(receipt: &mut Receipt, record: &Release, ticket: &IssueRef, hub: Hub<'_>) {
    let Some(workspace) = &hub.job.workspace else { return };
    let name = format!("release-record-{}.json", ticket.number);
    match workspace::write(workspace, &name, &record.file()) {
        Ok(()) => receipt.record_path = Some(name),
        Err(error) => receipt.problems.push(Problem::from(&error)),
    }
}

/// Writes the results into the receipt.
fn fill(receipt: &mut Receipt, facts: &Facts, request: &Request, hub: Hub<'_>) {
    let Results { comment, targets, waiting_for, failures, problems, is_delivered: delivered } =
        results::results(facts, request, hub.job.clock.now());
    receipt.failures.extend(failures);
    receipt.problems.extend(problems);
    receipt.is_delivered = Some(delivered);
    receipt.results = Some(serde_json::Value::from(targets).to_string());
    let TicketState::Open { issue, url, is_new, .. } = &facts.ticket else { return };
    receipt.ticket = Some((issue.clone(), url.clone()));
    receipt.has_opened_issue = Some(is_new.unwrap_or(false));
    receipt.comment = comment.map(|(id, url)| (id.0, url));
    receipt.waiting_for = waiting_for;
    if let Some(record) = recording::release_record(facts, request, hub.job.clock.now()) {
        keep_record(receipt, &record, issue, hub);
    }
    let ticket = facts.log.ticket();
    receipt.summary = format!("### {}\n\n{}\n", text::link(&issue.to_string(), url), board::summary(ticket));
    tracing::info!("{}", board::plain(ticket));
}
