//! The mode `dispatch`: finds or creates the ticket and starts the release workflows of the targets.
//!
//! ```text
//! read    ticket, targets, their workflow files
//! decide  which targets are started, which wait, and which are left alone
//! apply   open the ticket, claim, start, record, show; follow the runs, and decide again
//! ```
//!
//! `preflight` reads and checks, against what workflows have `declared`; `wording` renders the
//! templates; `waves` decides; `work` claims, starts, records and tells; `start` starts one target
//! and finds its run; `follow` looks what runs do.

mod declared;
mod follow;
mod preflight;
mod start;
mod waves;
mod wording;
mod work;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::form;
use crate::github::needs::{Level, Permission};
use crate::github::{GitHub, GitHubError, Needs};
use crate::inputs::{Common, DispatchInputs};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{CommentId, IssueRef};
use crate::opening::{self, NewIssue};
use crate::outbox::Outbox;
use crate::plan::{self, Effect, Plan};
use crate::problem::Problem;
use crate::receipt::Receipt;
use crate::targets::StartBy;
use crate::ticket::claim::Liveness;
use crate::ticket::{Key, Log, Writer};
use preflight::Ready;
use waves::Next;
use wording::Wording;
use work::Dispatcher;

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

/// What is known before anything is decided.
struct Facts<'a> {
    targets: Vec<Ready>,
    wording: Wording<'a>,
    ticket: Ticket,
}

/// The ticket that is used, or what it takes to open one.
enum Ticket {
    Known { issue: IssueRef, url: String, orphans: Vec<IssueRef> },
    New { key: Key, continues: Option<IssueRef> },
}

/// What a dispatch needs in the hub; what it needs in the targets is known when they are read.
#[must_use]
pub fn needs(common: &Common) -> Needs {
    Needs::default().must(&common.hub, Permission::Issues, Level::Write).may(
        &common.hub,
        Permission::Actions,
        Level::Read,
    )
}

/// A ticket that the step names, if it names one.
#[derive(Default)]
struct Named {
    ticket: Option<Ticket>,
    /// The answers of the issue form that opened it.
    form: Map<String, Value>,
    /// The release that it was opened for, or dispatched before.
    release: Option<String>,
}

/// Dispatches a release.
pub async fn run(hub: Hub<'_>) -> Receipt {
    let mut receipt = Receipt { created: Some(false), ..Receipt::default() };
    if let Err(problems) = dispatch(hub, &mut receipt).await {
        receipt.delivered.get_or_insert(false);
        receipt.problems.extend(problems);
    }
    receipt
}

async fn dispatch(hub: Hub<'_>, receipt: &mut Receipt) -> Result<(), Vec<Problem>> {
    let Hub { job, common, inputs, github } = hub;
    let Facts { targets, wording, ticket } = read(hub).await?;
    if common.dry_run {
        let log = known_log(hub, &targets, &wording, &ticket).await?;
        receipt.plan = Some(plan(hub, &targets, &wording, &ticket, &log));
        return Ok(());
    }
    let (ticket, url) = open_ticket(&ticket, &wording, github, receipt).await?;
    receipt.ticket = Some((ticket.clone(), url.clone()));
    let writer = common.writer(job);
    let _one_step_at_a_time = Outbox::lock(job.temp.as_deref(), &writer).await;
    let ledger = match receipt.created {
        // Nobody has written to a ticket that this step has just opened; who does so now is seen with the claim.
        Some(true) => Ledger::unread(github, ticket.clone()),
        _ => read_ledger(&ticket, github).await?,
    };
    let mut dispatcher = Dispatcher::new(hub, &wording, writer, ledger);
    let worked = dispatcher.work(&targets).await;
    dispatcher.tell(&targets, &url, receipt);
    let is_done = work::is_done(dispatcher.log(), wording.names());
    let mut problems = dispatcher.into_problems();
    if let Err(error) = worked {
        receipt.delivered = Some(false);
        problems.push(Problem::of(&format!("cannot go on with {ticket}"), &error));
    }
    if inputs.close_on_success && is_done && problems.is_empty() {
        let closed = close(&ticket, github).await;
        problems.extend(closed.err().map(|error| Problem::of(&format!("cannot close {ticket}"), &error)));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The hub job was cancelled: what it had claimed and not started is no longer its to start, and what
/// it had started is cancelled too, if that is wanted.
pub async fn cancel(hub: Hub<'_>) -> Receipt {
    let mut receipt = Receipt::default();
    if hub.common.dry_run {
        return receipt;
    }
    if let Err(problems) = wind_up(hub, &mut receipt).await {
        receipt.problems.extend(problems);
    }
    receipt
}

async fn wind_up(hub: Hub<'_>, receipt: &mut Receipt) -> Result<(), Vec<Problem>> {
    let Hub { job, common, inputs, github } = hub;
    let Named { ticket, form, release } = read_ticket(hub).await?;
    let wording = Wording::new(hub, form, release)?;
    let Ticket::Known { issue, url, .. } = find_ticket(hub, ticket, &wording).await? else { return Ok(()) };
    receipt.ticket = Some((issue.clone(), url));
    let told =
        |error| vec![Problem::of(&format!("cannot say on {issue} that the step was cancelled"), &error)];
    let mut ledger = read_ledger(&issue, github).await?;
    let writer = common.writer(job);
    if inputs.cancel_on_timeout {
        let runs = work::started_runs(ledger.log(), &writer);
        receipt.problems.extend(work::cancel_runs(hub, runs).await);
    }
    for (comment, record) in work::cancelled(ledger.log(), &writer, job.clock.now()) {
        ledger.write(Some(comment), &record).await.map_err(told)?;
    }
    ledger.show_board().await.map(drop).map_err(told)
}

// ---- read ----

/// Reads and checks everything before the first effect, and tells all that is wrong at once.
async fn read(hub: Hub<'_>) -> Result<Facts<'_>, Vec<Problem>> {
    let Named { ticket, form, release } = read_ticket(hub).await?;
    let mut wording = Wording::new(hub, form, release)?;
    let listed = preflight::targets(hub, &wording).await?;
    let mut problems = Vec::new();
    let only = preflight::only(hub, &wording, &listed).unwrap_or_else(|told| {
        problems.extend(told);
        None
    });
    let names = listed.targets.iter().map(|target| target.name.clone()).collect();
    wording.about(names, preflight::body_template(hub).await?);
    let meant = |name: &str| only.as_ref().is_none_or(|only| only.contains(name));
    let targets: Vec<_> = listed.targets.into_iter().filter(|target| meant(&target.name)).collect();
    hub.github.tokens().need(preflight::needs(&targets));
    let (targets, unreachable) = preflight::reach(targets, hub).await;
    problems.extend(listed.problems);
    problems.extend(unreachable);
    problems.extend(wording.check(&targets));
    problems.extend(preflight::check_inputs(&targets, &wording, hub.github));
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        return Err(problems);
    }
    let ticket = find_ticket(hub, ticket, &wording).await?;
    Ok(Facts { targets, wording, ticket })
}

/// The ticket that the step names, and what it says of itself.
async fn read_ticket(hub: Hub<'_>) -> Result<Named, Vec<Problem>> {
    let Some(ticket) = &hub.common.ticket else { return Ok(Named::default()) };
    let issue = hub.github.issue(ticket).await;
    let issue =
        issue.map_err(|error| vec![Problem::of(&format!("cannot read the ticket {ticket}"), &error)])?;
    if !issue.is_open() {
        let closed = Problem::new(format!("the ticket {ticket} is closed"));
        return Err(vec![closed.help("reopen it, or leave `ticket` blank for a new one")]);
    }
    let body = issue.body.as_deref().unwrap_or_default();
    let release = match Key::of(body).filter(|_| issue.is_trusted()) {
        Some(Key::Release(release)) => Some(release),
        // An issue that a person opened does not say it; the dispatches before this one do.
        _ if hub.inputs.release.is_none() => read_ledger(ticket, hub.github).await?.log().fold().release,
        _ => None,
    };
    let form = form::parse(body);
    let ticket = Ticket::Known { issue: ticket.clone(), url: issue.html_url, orphans: Vec::new() };
    Ok(Named { ticket: Some(ticket), form, release })
}

/// The ticket that the step names, else the open one of the same release.
async fn find_ticket(
    hub: Hub<'_>,
    named: Option<Ticket>,
    wording: &Wording<'_>,
) -> Result<Ticket, Vec<Problem>> {
    if let Some(ticket) = named {
        return Ok(ticket);
    }
    let Hub { job, common, inputs, github } = hub;
    let hub = &common.hub;
    let told = |doing: String| move |error: GitHubError| vec![Problem::of(&doing, &error)];
    let key = wording.release().map_or(Key::Run(job.run), Key::Release);
    let found =
        opening::find(github, hub, &key).await.map_err(told(format!("cannot look for a ticket in {hub}")))?;
    if let Some(opening::Found { issue, orphans }) = found {
        let url = issue.html_url;
        let issue = IssueRef { repository: hub.clone(), number: issue.number };
        return Ok(Ticket::Known { issue, url, orphans });
    }
    // Without a name a release has one run, so only that run's later attempts can come upon a closed ticket.
    let may_be_closed = matches!(key, Key::Release(_)) || job.attempt > 1;
    let Some(label) = inputs.labels.first().filter(|_| may_be_closed) else {
        return Ok(Ticket::New { key, continues: None });
    };
    let closed = opening::find_closed(github, hub, &key, label).await;
    let closed = closed.map_err(told(format!("cannot look for a closed ticket in {hub}")))?;
    let Some(closed) = closed else { return Ok(Ticket::New { key, continues: None }) };
    let issue = IssueRef { repository: hub.clone(), number: closed.number };
    // The run of a job that closed its ticket may be run again.
    if job.attempt > 1 {
        let ledger = read_ledger(&issue, github).await?;
        let ours = |by: &Writer| by.repository == job.repository && by.run == job.run;
        let is_ours = ledger.log().dispatches().any(|(_, dispatch)| ours(&dispatch.by));
        if is_ours && work::is_done(ledger.log(), wording.names()) {
            return Ok(Ticket::Known { issue, url: closed.html_url, orphans: Vec::new() });
        }
    }
    let continues = Some(issue).filter(|_| matches!(key, Key::Release(_)));
    Ok(Ticket::New { key, continues })
}

/// The log of a ticket that is there already, with what its runs say now.
async fn known_log(
    hub: Hub<'_>,
    targets: &[Ready],
    wording: &Wording<'_>,
    ticket: &Ticket,
) -> Result<Log, Vec<Problem>> {
    let Ticket::Known { issue, .. } = ticket else { return Ok(Log::default()) };
    let ledger = read_ledger(issue, hub.github).await?;
    Ok(Dispatcher::new(hub, wording, hub.common.writer(hub.job), ledger).preview(targets).await)
}

async fn read_ledger<'a>(ticket: &IssueRef, github: &'a GitHub) -> Result<Ledger<'a>, Vec<Problem>> {
    let read = Ledger::read(github, ticket.clone()).await;
    read.map_err(|error| vec![Problem::of(&format!("cannot read {ticket}"), &error)])
}

// ---- decide ----

/// What would happen, as far as the log tells now.
fn plan(hub: Hub<'_>, targets: &[Ready], wording: &Wording<'_>, ticket: &Ticket, log: &Log) -> Plan {
    let mut plan = Plan::default();
    let (issue, ticket) = match ticket {
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
    let effects = effects(hub, targets, wording, &ticket, log);
    if effects.iter().any(|effect| !matches!(effect, Effect::Skip { .. })) {
        plan.push(Effect::CreateComment {
            issue: issue.clone(),
            body: "the claim of this hub run".to_owned(),
        });
    }
    effects.into_iter().for_each(|effect| plan.push(effect));
    plan.push(Effect::UpdateBoard { issue });
    plan
}

/// What happens to each target, those first that wait for nothing.
fn effects(
    hub: Hub<'_>,
    targets: &[Ready],
    wording: &Wording<'_>,
    ticket: &IssueRef,
    log: &Log,
) -> Vec<Effect> {
    let state = log.fold();
    let again: BTreeMap<String, CommentId> = waves::again(targets, log, &state, hub.inputs, hub.job.run);
    let waves = waves::waves(targets, &state);
    let mut effects: Vec<(usize, Effect)> = Vec::new();
    for ready in targets {
        let target = ready.target.name.clone();
        let after = again.get(&target).copied();
        let needs = match waves::next(ready, log, &state, after, |_| Liveness::Over) {
            Next::Leave(because) => {
                effects.push((0, Effect::Skip { because, target }));
                continue;
            }
            Next::Start => Vec::new(),
            Next::Wait(needs) => needs,
        };
        let wave = waves.get(ready.target.name.as_str()).copied().unwrap_or(1);
        let repository = ready.target.repository.clone();
        let effect = match &ready.target.start {
            StartBy::Workflow(workflow) => Effect::StartWorkflow {
                target,
                repository,
                workflow: workflow.clone(),
                git_ref: ready.git_ref.clone(),
                inputs: wording.inputs_of(ready, ticket).unwrap_or_default(),
                after: needs,
            },
            StartBy::Event(event_type) => Effect::SendEvent {
                target,
                repository,
                event_type: event_type.clone(),
                client_payload: wording.payload_of(ready, ticket).unwrap_or_default(),
                after: needs,
            },
        };
        effects.push((wave, effect));
    }
    effects.sort_by_key(|(wave, _)| *wave);
    effects.into_iter().map(|(_, effect)| effect).collect()
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
    let new = new.map_err(|error| vec![Problem::new(error.to_string())])?;
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

/// Closes the ticket with a last word. Another hub job may have done so before.
async fn close(ticket: &IssueRef, github: &GitHub) -> Result<(), GitHubError> {
    const LAST_WORD: &str = "🎉 Every target is released, so this ticket is closed.";
    if !github.issue(ticket).await?.is_open() {
        return Ok(());
    }
    opening::comment_once(github, ticket, LAST_WORD).await?;
    github.close_issue(ticket).await?;
    tracing::info!("closed {ticket}: every target is released");
    Ok(())
}
