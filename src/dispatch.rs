//! The mode `dispatch`: finds or creates the ticket and starts the release workflows of the targets.
//!
//! ```text
//! read    targets, their workflow files, the ticket and its log
//! decide  which targets are started, and which are left alone
//! apply   open the ticket, claim, start, record, show
//! ```
//!
//! [`preflight`] reads and checks, `wording` renders the templates, `work` claims, starts and
//! records, [`start`] starts one target and finds its run.

pub mod preflight;
pub mod start;
mod wording;
mod work;

use crate::github::{GitHub, GitHubError};
use crate::inputs::{Common, DispatchInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::IssueRef;
use crate::opening::{self, NewIssue};
use crate::plan::{self, Effect, Plan};
use crate::receipt::{Problem, Receipt};
use crate::runner::job_state::JobState;
use crate::targets::StartBy;
use crate::ticket::claim::{self, Liveness, Standing};
use crate::ticket::{Key, Log};
use preflight::Ready;
use wording::Wording;
use work::{Dispatcher, skipped_because};

/// What is known before anything is decided.
struct Facts {
    targets: Vec<Ready>,
    /// A template for the ticket's body.
    body: Option<String>,
    ticket: Ticket,
}

/// The ticket that is used, or what it takes to open one.
enum Ticket {
    Known { issue: IssueRef, url: String, orphans: Vec<IssueRef> },
    New { key: Key, continues: Option<IssueRef> },
}

/// Dispatches a release.
pub async fn run(job: &Job, common: &Common, inputs: &DispatchInputs, github: &GitHub) -> Receipt {
    let mut receipt = Receipt { created: Some(false), ..Receipt::default() };
    if let Err(problems) = dispatch(job, common, inputs, github, &mut receipt).await {
        receipt.delivered.get_or_insert(false);
        receipt.problems.extend(problems);
    }
    receipt
}

async fn dispatch(
    job: &Job,
    common: &Common,
    inputs: &DispatchInputs,
    github: &GitHub,
    receipt: &mut Receipt,
) -> Result<(), Vec<Problem>> {
    let facts = read(job, common, inputs, github).await?;
    let wording = Wording::new(job, &common.hub, inputs, facts.body.clone(), &facts.targets)?;
    if common.dry_run {
        receipt.plan = Some(plan(&facts, &wording, &known_log(&facts, github).await?));
        return Ok(());
    }
    let (ticket, url) = open_ticket(&facts.ticket, &wording, github, receipt).await?;
    receipt.ticket = Some((ticket.clone(), url.clone()));
    let writer = common.writer(job);
    let _one_step_at_a_time = JobState::lock(job.temp.as_deref(), &writer).await;
    let ledger = read_ledger(&ticket, github).await?;
    let mut dispatcher = Dispatcher::new(job, github, &wording, writer, ledger);
    let worked = dispatcher.work(&facts.targets, inputs.max_parallel).await;
    dispatcher.tell(&facts.targets, &url, receipt);
    let mut problems = dispatcher.problems;
    if let Err(error) = worked {
        receipt.delivered = Some(false);
        problems.push(Problem::of(&format!("cannot go on with {ticket}"), &error));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The hub job was cancelled: what it had claimed and not started is no longer its to start.
pub async fn cancel(job: &Job, common: &Common, inputs: &DispatchInputs, github: &GitHub) -> Receipt {
    let mut receipt = Receipt::default();
    if common.dry_run {
        return receipt;
    }
    if let Err(problems) = wind_up(job, common, inputs, github, &mut receipt).await {
        receipt.problems = problems;
    }
    receipt
}

async fn wind_up(
    job: &Job,
    common: &Common,
    inputs: &DispatchInputs,
    github: &GitHub,
    receipt: &mut Receipt,
) -> Result<(), Vec<Problem>> {
    let Ticket::Known { issue, url, .. } = find_ticket(job, common, inputs, github).await? else {
        return Ok(());
    };
    receipt.ticket = Some((issue.clone(), url));
    let told =
        |error| vec![Problem::of(&format!("cannot say on {issue} that the step was cancelled"), &error)];
    let mut ledger = read_ledger(&issue, github).await?;
    for (comment, record) in work::cancelled(ledger.log(), &common.writer(job), job.clock.now()) {
        ledger.write(Some(comment), &record).await.map_err(told)?;
    }
    ledger.show_board().await.map(drop).map_err(told)
}

// ---- read ----

async fn read(
    job: &Job,
    common: &Common,
    inputs: &DispatchInputs,
    github: &GitHub,
) -> Result<Facts, Vec<Problem>> {
    let targets = preflight::targets(job, inputs, github).await?;
    let targets = preflight::check(targets, github, inputs.max_parallel).await?;
    let body = preflight::body_template(job, inputs, github).await?;
    Ok(Facts { targets, body, ticket: find_ticket(job, common, inputs, github).await? })
}

async fn find_ticket(
    job: &Job,
    common: &Common,
    inputs: &DispatchInputs,
    github: &GitHub,
) -> Result<Ticket, Vec<Problem>> {
    let hub = &common.hub;
    let told = |doing: String| move |error: GitHubError| vec![Problem::of(&doing, &error)];
    if let Some(ticket) = &common.ticket {
        let issue = github.issue(ticket).await.map_err(told(format!("cannot read the ticket {ticket}")))?;
        if !issue.is_open() {
            let help = Some("reopen it, or leave `ticket` blank for a new one".to_owned());
            return Err(vec![Problem { what: format!("the ticket {ticket} is closed"), help }]);
        }
        return Ok(Ticket::Known { issue: ticket.clone(), url: issue.html_url, orphans: Vec::new() });
    }
    let key = inputs.release.clone().map_or(Key::Run(job.run), Key::Release);
    let found =
        opening::find(github, hub, &key).await.map_err(told(format!("cannot look for a ticket in {hub}")))?;
    if let Some(opening::Found { issue, orphans }) = found {
        let url = issue.html_url;
        let issue = IssueRef { repository: hub.clone(), number: issue.number };
        return Ok(Ticket::Known { issue, url, orphans });
    }
    let mut continues = None;
    if let (Key::Release(_), Some(label)) = (&key, inputs.labels.first()) {
        let closed = opening::find_closed(github, hub, &key, label).await;
        let closed = closed.map_err(told(format!("cannot look for a closed ticket in {hub}")))?;
        continues = closed.map(|issue| IssueRef { repository: hub.clone(), number: issue.number });
    }
    Ok(Ticket::New { key, continues })
}

/// The log of a ticket that is there already.
async fn known_log(facts: &Facts, github: &GitHub) -> Result<Log, Vec<Problem>> {
    match &facts.ticket {
        Ticket::Known { issue, .. } => read_ledger(issue, github).await.map(|ledger| ledger.log().clone()),
        Ticket::New { .. } => Ok(Log::default()),
    }
}

async fn read_ledger<'a>(ticket: &IssueRef, github: &'a GitHub) -> Result<Ledger<'a>, Vec<Problem>> {
    let read = Ledger::read(github, ticket.clone()).await;
    read.map_err(|error| vec![Problem::of(&format!("cannot read {ticket}"), &error)])
}

// ---- decide ----

/// What would happen, as far as the log tells now.
fn plan(facts: &Facts, wording: &Wording<'_>, log: &Log) -> Plan {
    let mut plan = Plan::default();
    let (issue, ticket) = match &facts.ticket {
        Ticket::Known { issue, .. } => (plan::Issue::from(issue.clone()), issue.clone()),
        Ticket::New { key, continues } => {
            if let Ok(NewIssue { repository, title, body, labels, .. }) =
                wording.new_issue(key, continues.as_ref())
            {
                let assignee = wording.driver().cloned();
                plan.push(Effect::OpenIssue { repository, title, body, labels, assignee });
            }
            let stand_in = wording.ticket_to_be();
            (plan::Issue::New(stand_in.repository.clone()), stand_in)
        }
    };
    let ticket_state = log.fold();
    let mut starts = Vec::new();
    for ready in &facts.targets {
        let target = ready.target.name.clone();
        let repository = ready.target.repository.clone();
        if let Standing::Started(start) = claim::standing(log, &target, None, |_| Liveness::Over) {
            let status = ticket_state.targets.get(&target).map(|target| target.status);
            starts.push(Effect::Skip { because: skipped_because(&start, status), target });
            continue;
        }
        starts.push(match &ready.target.start {
            StartBy::Workflow(workflow) => Effect::StartWorkflow {
                target,
                repository,
                workflow: workflow.clone(),
                git_ref: ready.git_ref.clone(),
                inputs: wording.inputs_of(ready, &ticket).unwrap_or_default(),
            },
            StartBy::Event(event_type) => Effect::SendEvent {
                target,
                repository,
                event_type: event_type.clone(),
                client_payload: wording.payload_of(ready, &ticket).unwrap_or_default(),
            },
        });
    }
    if starts.iter().any(|effect| !matches!(effect, Effect::Skip { .. })) {
        plan.push(Effect::CreateComment {
            issue: issue.clone(),
            body: "the claim of this hub run".to_owned(),
        });
    }
    starts.into_iter().for_each(|effect| plan.push(effect));
    plan.push(Effect::UpdateBoard { issue });
    plan
}

// ---- apply ----

async fn open_ticket(
    ticket: &Ticket,
    wording: &Wording<'_>,
    github: &GitHub,
    receipt: &mut Receipt,
) -> Result<(IssueRef, String), Vec<Problem>> {
    let (key, continues) = match ticket {
        Ticket::Known { issue, url, orphans } => {
            opening::close_as_duplicates(github, orphans, issue.number).await;
            return Ok((issue.clone(), url.clone()));
        }
        Ticket::New { key, continues } => (key, continues.as_ref()),
    };
    let new = wording.new_issue(key, continues);
    let new = new.map_err(|error| vec![Problem { what: error.to_string(), help: None }])?;
    let opened = opening::open(github, &new).await;
    let opened = opened
        .map_err(|error| vec![Problem::of(&format!("cannot open a ticket in {}", new.repository), &error)])?;
    let ticket = IssueRef { repository: new.repository, number: opened.issue.number };
    receipt.created = Some(opened.created);
    if opened.created {
        tracing::info!("opened the ticket {ticket}: {}", new.title);
        opening::assign(github, &ticket, wording.driver()).await;
    }
    Ok((ticket, opened.issue.html_url))
}
