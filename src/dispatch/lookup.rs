//! The ticket of a dispatch: the one that the step names, else the open one of the same release, else
//! what it takes to open one.

use serde_json::{Map, Value};

use super::Hub;
use super::preflight::template_problem;
use crate::engine::TicketIs;
use crate::engine::closing::is_done;
use crate::engine::wording::Wording;
use crate::form;
use crate::github::{GitHub, GitHubError};
use crate::ledger::Ledger;
use crate::names::{IssueRef, TargetName};
use crate::opening::{self, Lookup};
use crate::problem::Problem;
use crate::ticket::{Key, Log, Word, Writer};

/// A ticket that the step names, if it names one.
#[derive(Default)]
pub(super) struct Named {
    pub(super) ticket: Option<TicketIs>,
    /// The answers of the issue form that opened it.
    pub(super) form: Map<String, Value>,
    /// The release that it was opened for, or dispatched before.
    pub(super) release: Option<String>,
}

/// The ticket that the step names, and what it says of itself.
pub(super) async fn read_named(hub: Hub<'_>) -> Result<Named, Vec<Problem>> {
    let Some(ticket) = &hub.common.ticket else { return Ok(Named::default()) };
    let issue = hub.github.issue(ticket).await;
    let issue =
        issue.map_err(|error| vec![Problem::of(&format!("cannot read the ticket {ticket}"), &error)])?;
    hub.github.expect(ticket);
    if !issue.is_open() {
        let closed = Problem::new(format!("the ticket {ticket} is closed"));
        return Err(vec![closed.help("reopen it, or leave `ticket` blank for a new one")]);
    }
    let body = issue.body.as_deref().unwrap_or_default();
    let release = match Key::of(body).filter(|_| issue.is_trusted()) {
        Some(Word::Known(Key::Release(release))) => Some(release),
        // An issue that a person opened does not say it; the dispatches before this one do.
        _ if hub.inputs.release.is_none() => read_log(ticket, hub.github).await?.ticket().release.clone(),
        _ => None,
    };
    let form = form::parse(body);
    let ticket = TicketIs::Open { issue: ticket.clone(), url: issue.html_url, created: None };
    Ok(Named { ticket: Some(ticket), form, release })
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
            let url = issue.html_url;
            let issue = IssueRef { repository: common.hub.clone(), number: issue.number };
            Ok((TicketIs::Open { issue, url, created: None }, duplicates))
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
        let ours = |by: &Writer| by.repository == job.repository && by.run == job.run;
        if log.dispatches().any(|(_, dispatch)| ours(&dispatch.by)) && is_done(&log, listed) {
            return Ok(TicketIs::Open { issue, url: closed.html_url, created: None });
        }
    }
    new(Some(&issue).filter(|_| matches!(key, Key::Release(_))))
}

async fn read_log(ticket: &IssueRef, github: &GitHub) -> Result<Log, Vec<Problem>> {
    let read = Ledger::read(github, ticket.clone()).await;
    read.map(|(_, log)| log).map_err(failed(format!("cannot read {ticket}")))
}

fn failed(doing: String) -> impl FnOnce(GitHubError) -> Vec<Problem> {
    move |error| vec![Problem::of(&doing, &error)]
}
