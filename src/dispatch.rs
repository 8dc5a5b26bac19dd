//! The mode `dispatch`: finds or creates the ticket and starts the release workflows of the targets.
//!
//! ```text
//! prepare  the step's inputs, the ticket and the targets become a request (`prepare`), with the command that a comment
//!          gave (`steering`)
//! drive    the engine says what comes next, `perform` does it, until nothing is left to do
//! receipt  what became of it
//! ```

mod approved;
mod asked;
mod asker;
mod closed;
mod facts;
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
mod remembered;
mod steering;
mod stop;
mod survey;
mod verify;

use crate::cancel::{Cancelled, WINDING_UP, unless};
use crate::engine::results::{self, Results};
use crate::engine::{Known, Request, TicketIs, forecast, recording};
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

/// So many requests that start nothing are under way at once.
const READS_AT_ONCE: usize = 32;

/// A step of the hub: the job that it belongs to, what it was given, and whom it asks.
#[derive(Debug, Clone, Copy)]
pub struct Hub<'a> {
    /// The job.
    pub job: &'a Job,
    /// The inputs of every mode.
    pub common: &'a Common,
    /// The inputs of this mode.
    pub inputs: &'a DispatchInputs,
    /// GitHub.
    pub github: &'a GitHub,
}

/// What a dispatch needs in the hub; what it needs in the targets is known when they are read.
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

/// Dispatches a release.
pub async fn run(hub: Hub<'_>, mut cancelled: Cancelled<'_>) -> Receipt {
    hub.github.tokens().need(needs(hub.common, hub.inputs));
    let mut receipt = Receipt { created: Some(false), ..Receipt::default() };
    let asker = match unless(&mut cancelled, asker::find(hub)).await {
        Some(Ok(Asker::Nobody(why))) => {
            tracing::info!(target: NOTICE, "nothing is started: {why}");
            return receipt;
        }
        Some(Ok(asker)) => asker,
        Some(Err(problems)) => {
            receipt.delivered = Some(false);
            receipt.problems.extend(problems);
            return receipt;
        }
        None => {
            Outlook::of(hub).fill(&mut receipt, hub.common.dry_run);
            return receipt;
        }
    };
    let mut outlook = Outlook::of(hub);
    match unless(&mut cancelled, steering::prepare(hub, &asker, &mut outlook)).await {
        Some(Ok((request, known))) if hub.common.dry_run => {
            let planned = unless(&mut cancelled, dry_run(hub, known, &request, &mut receipt)).await;
            receipt.is_cancelled = planned.is_none();
        }
        Some(Ok((request, known))) => work(hub, known, request, cancelled, &mut receipt).await,
        Some(Err(problems)) => match &asker {
            Asker::Command(command) if !hub.common.dry_run => {
                let (request, known) = steering::stuck(hub, command, problems);
                work(hub, known, request, cancelled, &mut receipt).await;
            }
            _ => {
                receipt.delivered = Some(false);
                receipt.problems.extend(problems);
            }
        },
        None => outlook.fill(&mut receipt, hub.common.dry_run),
    }
    receipt
}

/// Asks GitHub whatever comes before the first effect, and goes on with assumed answers.
async fn dry_run(hub: Hub<'_>, mut known: Known, request: &Request, receipt: &mut Receipt) {
    Performer::new(hub.github, &known).ask(&mut known, request).await;
    receipt.problems.extend(known.stopped().cloned());
    receipt.plan = Some(forecast(known, request, hub.job.clock.now()));
}

async fn work(
    hub: Hub<'_>,
    mut known: Known,
    mut request: Request,
    mut cancelled: Cancelled<'_>,
    receipt: &mut Receipt,
) {
    let lock = unless(&mut cancelled, Outbox::lock(hub.job.temp.as_deref(), &request.by)).await;
    let Some(_one_step_at_a_time) = lock else {
        (receipt.is_cancelled, request.wind_up) = (true, true);
        fill(receipt, &known, &request, hub);
        receipt.delivered = Some(false);
        return;
    };
    let (mut performer, stop) = (Performer::new(hub.github, &known), Stop::default());
    let mut driving = Box::pin(performer.drive(&mut known, &request, &stop));
    if unless(&mut cancelled, &mut driving).await.is_some() {
        drop(driving);
        return fill(receipt, &known, &request, hub);
    }
    let until = Instant::now() + WINDING_UP;
    hub.github.hurry();
    stop.once_created(driving).await;
    (receipt.is_cancelled, request.wind_up) = (true, true);
    known.wind_up();
    let to_the_end = Stop::default();
    let wind_up = performer.drive(&mut known, &request, &to_the_end);
    let in_time = tokio::time::timeout_at(until, wind_up).await.is_ok();
    fill(receipt, &known, &request, hub);
    if !in_time {
        receipt.problems.push(Problem::new("there was no time left to say so on the ticket"));
    }
    if !in_time || receipt.ticket.is_none() {
        receipt.delivered = Some(false);
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

/// Writes what became of it all into the receipt.
fn fill(receipt: &mut Receipt, known: &Known, request: &Request, hub: Hub<'_>) {
    let Results { comment, targets, waiting_for, failures, problems, delivered } =
        results::results(known, request, hub.job.clock.now());
    receipt.failures.extend(failures);
    receipt.problems.extend(problems);
    receipt.delivered = Some(delivered);
    receipt.results = Some(serde_json::Value::from(targets).to_string());
    let TicketIs::Open { issue, url, created, .. } = &known.ticket else { return };
    receipt.ticket = Some((issue.clone(), url.clone()));
    receipt.created = Some(created.unwrap_or(false));
    receipt.comment = comment.map(|(id, url)| (id.0, url));
    receipt.waiting_for = waiting_for;
    if let Some(record) = recording::recorded(known, request, hub.job.clock.now()) {
        keep_record(receipt, &record, issue, hub);
    }
    let ticket = known.log.ticket();
    receipt.summary = format!("### {}\n\n{}\n", text::link(&issue.to_string(), url), board::summary(ticket));
    tracing::info!("{}", board::plain(ticket));
}
