//! The ticket of a dispatch: the one that the step names, else the open one of the same release, else
//! what it takes to open one.

use super::Hub;
use super::approved::{self, Approved, IssueText, TicketEvent};
use super::preflight::template_problem;
use crate::believe;
use crate::engine::TicketIs;
use crate::engine::closing::is_done;
use crate::engine::wording::Wording;
use crate::github::{GitHub, GitHubError};
use crate::job::Job;
use crate::ledger::Ledger;
use crate::names::{IssueRef, TargetName};
use crate::opening::{self, Lookup};
use crate::problem::Problem;
use crate::ticket::claim::Claims;
use crate::ticket::{Basis, Key, Log, Word, Writer};

/// A ticket that the step names, if it names one.
#[derive(Default)]
pub(super) struct Named {
    pub(super) ticket: Option<TicketIs>,
    /// What its author wrote, as far as that was approved.
    pub(super) approved: Approved,
    /// The release that it was opened for, or dispatched before.
    pub(super) release: Option<String>,
}

/// The ticket that the step names, and what it says of itself.
pub(super) async fn read_named(hub: Hub<'_>) -> Result<Named, Vec<Problem>> {
    let Some(ticket) = &hub.common.ticket else { return Ok(Named::default()) };
    let issue = hub.github.issue(ticket).await;
    let issue =
        issue.map_err(|error| vec![Problem::of(&format!("cannot read the ticket {ticket}"), &error)])?;
    let mut issues = [issue];
    believe::settle(hub.github, &ticket.repository, &mut issues).await;
    let [issue] = issues;
    hub.github.expect(ticket);
    if !issue.is_open() {
        let closed = Problem::new(format!("the ticket {ticket} is closed"));
        return Err(vec![closed.help("reopen it, or leave `ticket` blank for a new one")]);
    }
    let now = IssueText { title: &issue.title, body: issue.body.as_deref().unwrap_or_default() };
    let event = event_of(ticket, hub.job);
    let key = match Key::of(now.body).filter(|_| issue.is_trusted()) {
        Some(Word::Known(Key::Release(release))) => Some(release),
        _ => None,
    };
    // An issue that a person opened does not say which release it is; the dispatches before this one do.
    let asks_for_release = key.is_none() && hub.inputs.release.is_none();
    let asks_for_answers = issue.comments > 0 && !event.is_some_and(|event| event.approves(&now));
    let log = if asks_for_release || asks_for_answers {
        read_log(ticket, hub.github).await?
    } else {
        Log::default()
    };
    let identity = identity(ticket, &log, hub).await?;
    let basis = Basis { identity, ..Basis::default() };
    let recorded = log.believed(&basis).release.clone();
    let release = key.or_else(|| recorded.filter(|_| asks_for_release));
    let approved = approved::decide(event, approved::recorded(Claims { log: &log, basis: &basis }), now);
    let opened_at = Some(issue.created_at);
    let ticket = TicketIs::Open { issue: ticket.clone(), url: issue.html_url, created: None, opened_at };
    Ok(Named { ticket: Some(ticket), approved, release })
}

/// What the event says of `ticket`, if it is about that issue.
fn event_of<'j>(ticket: &IssueRef, job: &'j Job) -> Option<TicketEvent<'j>> {
    let event = &job.event;
    let is_about_it = event.issue() == Some(ticket.number) && job.repository == ticket.repository;
    let body = event.issue_text("body").filter(|_| is_about_it)?;
    let issue = IssueText { title: event.issue_text("title").unwrap_or_default(), body };
    Some(TicketEvent { issue, is_approval: event.is_approval() })
}

/// The ticket to use, and open ones of the same release that came second.
pub(super) async fn find(
    hub: Hub<'_>,
    named: Option<TicketIs>,
    wording: &Wording,
    listed: &[TargetName],
) -> Result<(TicketIs, Vec<IssueRef>), Vec<Problem>> {
    if let Some(ticket) = named {
        return Ok((ticket, Vec::new()));
    }
    let Hub { job, common, github, .. } = hub;
    let key = wording.release().map_or(Key::Run(job.run), Key::Release);
    let found = opening::find(github, &common.hub, &key).await;
    let found = found.map_err(failed(format!("cannot look for a ticket in {}", common.hub)))?;
    match found {
        Lookup::Found(found) => {
            let opening::Found { issue, duplicates } = *found;
            let (url, opened_at) = (issue.html_url, Some(issue.created_at));
            let issue = IssueRef { repository: common.hub.clone(), number: issue.number };
            Ok((TicketIs::Open { issue, url, created: None, opened_at }, duplicates))
        }
        Lookup::Unreadable(issue) => Err(vec![unreadable(&issue)]),
        Lookup::Absent => Ok((find_closed(hub, key, wording, listed).await?, Vec::new())),
    }
}

fn unreadable(issue: &IssueRef) -> Problem {
    let what = format!(
        "the open ticket {issue} was written by a newer release of the action, or its first line is damaged: it may be \
         the ticket of this release"
    );
    let help =
        format!("update the action; or say which ticket to use, as in `ticket: {issue}`; or close that one");
    Problem::new(what).help(help)
}

/// No ticket is open: one that this run closed itself is used again; else a new one is opened.
async fn find_closed(
    hub: Hub<'_>,
    key: Key,
    wording: &Wording,
    listed: &[TargetName],
) -> Result<TicketIs, Vec<Problem>> {
    let Hub { job, common, inputs, github } = hub;
    let new = |continues: Option<&IssueRef>| {
        let new = wording.new_issue(&key, continues);
        let new = new.map_err(|error| vec![template_problem("the ticket's text", &error)])?;
        Ok(TicketIs::New(Box::new(new)))
    };
    // Without a name a release has one run, so only that run's later attempts can come upon a closed ticket.
    let may_be_closed = matches!(key, Key::Release(_)) || job.attempt > 1;
    let Some(label) = inputs.labels.first().filter(|_| may_be_closed) else { return new(None) };
    let closed = opening::find_closed(github, &common.hub, &key, label).await;
    let closed = closed.map_err(failed(format!("cannot look for a closed ticket in {}", common.hub)))?;
    let Some(closed) = closed else { return new(None) };
    let issue = IssueRef { repository: common.hub.clone(), number: closed.number };
    // The run of a job that closed its ticket may be run again.
    if job.attempt > 1 {
        let log = read_log(&issue, github).await?;
        // The engine asks GitHub about the runs, and goes on if one of them has not ended well.
        let identity = identity(&issue, &log, hub).await?;
        let unseen = listed.iter().cloned().collect();
        let basis = Basis { identity, unseen, ..Basis::default() };
        let ours = |by: &Writer| by.repository == job.repository && by.run == job.run;
        let is_ours = Claims { log: &log, basis: &basis }.own().any(|(_, dispatch)| ours(&dispatch.by));
        if is_ours && is_done(&log.believed(&basis), listed) {
            let (url, opened_at) = (closed.html_url, Some(closed.created_at));
            return Ok(TicketIs::Open { issue, url, created: None, opened_at });
        }
    }
    new(Some(&issue).filter(|_| matches!(key, Key::Release(_))))
}

/// Under which account this step writes, if the log has claims that may be its own. Where only a write would tell,
/// a dry run takes the first claim for this hub's own.
pub(super) async fn identity(
    ticket: &IssueRef,
    log: &Log,
    hub: Hub<'_>,
) -> Result<Option<String>, Vec<Problem>> {
    let Some(first) = log.first_claimant() else { return Ok(None) };
    let identity = hub.github.identity(ticket, !hub.common.dry_run).await;
    let identity =
        identity.map_err(failed(format!("cannot tell under which account this step writes to {ticket}")))?;
    Ok(identity.or_else(|| hub.common.dry_run.then(|| first.to_owned())))
}

async fn read_log(ticket: &IssueRef, github: &GitHub) -> Result<Log, Vec<Problem>> {
    let read = Ledger::read(github, ticket.clone()).await;
    read.map(|(_, log)| log).map_err(failed(format!("cannot read {ticket}")))
}

fn failed(doing: String) -> impl FnOnce(GitHubError) -> Vec<Problem> {
    move |error| vec![Problem::of(&doing, &error)]
}
