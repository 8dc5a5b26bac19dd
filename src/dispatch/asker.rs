//! The asker of a dispatch, for an event that anybody can cause.
//!
//! Anybody may comment on a public hub's issues and discussions, and a token for issues is enough to label one. So such
//! an event starts something only if its sender has the role for it on GitHub: triage for a label and the like, write
//! for all others. A comment counts only as a command ([`command_comment`]), or as a record that arrives on a ticket of
//! this hub: then the dispatch looks for targets that have become ready, and that rests on GitHub's answers.

mod command_comment;

use serde_json::Value;

use super::Hub;
use super::reading::{identity, read_log};
use crate::github::issues::IssueComment;
use crate::github::role::Role;
use crate::names::{CommentId, IssueRef};
use crate::problem::Problem;
use crate::ticket::claim::Claims;
use crate::ticket::decision::Person;
use crate::ticket::marker::{Kind, Marker};
use crate::ticket::{Basis, Log};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    /// A person with the role for all that the step does, or an event that only such a person can cause.
    Permitted,
    /// A record that arrived on a ticket of this hub: it starts nothing a second time.
    Record,
    /// A person, by a command on the ticket.
    Command(Box<CommandComment>),
    /// Nobody with the role for it. The text is the reason.
    Refused(String),
}

/// A comment with a command on the ticket. The names in the command are read after the targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandComment {
    /// The ticket.
    pub(super) issue: IssueRef,
    pub(super) comment: CommentId,
    /// The comment's page for the browser.
    pub(super) comment_url: String,
    /// The author.
    pub(super) who: Person,
    /// The line with the command, or the reason why it does not count.
    pub(super) line: Result<String, Problem>,
}

/// Finds the asker by the event, and asks GitHub for the sender's role.
pub(super) async fn find(hub: Hub<'_>) -> Result<Asker, Vec<Problem>> {
    let Some(event) = hub.job.event.public_event() else { return Ok(Asker::Permitted) };
    let nobody = |why: String| Ok(Asker::Refused(why));
    if event.is_pull_request {
        return nobody("the event is about a pull request".to_owned());
    }
    let body = event.comment.map(|comment| comment.get("body").and_then(Value::as_str).unwrap_or_default());
    if body.is_some_and(|body| Marker::find(body).is_none()) {
        return command_comment::find(hub).await;
    }
    let record = event.comment.and_then(record_kind);
    if matches!(record, Some(Kind::Board | Kind::Dispatch | Kind::Decision | Kind::Ticket)) {
        return nobody("a dispatch wrote the comment".to_owned());
    }
    let number = hub.common.ticket.as_ref().map(|ticket| ticket.number);
    let is_on_closed_ticket = event.is_on_closed_issue && hub.job.event.issue() == number;
    if event.comment.is_some() && is_on_closed_ticket && is_released(hub).await? {
        return nobody("the ticket is closed, and everything on it is released".to_owned());
    }
    let Some(sender) = event.sender.as_ref().or(hub.job.actor.as_ref()) else {
        return nobody("the event does not name its sender".to_owned());
    };
    let required_role = if event.is_label { Role::Triage } else { Role::Write };
    let hub_name = &hub.common.hub;
    let role = if event.is_by_bot || sender.is_bot() {
        None
    } else {
        let role = hub.github.role(hub_name, sender).await;
        let doing = format!("cannot check whether {sender} may start a release in {hub_name}");
        Some(role.map_err(|error| vec![Problem::of(&doing, &error)])?)
    };
    match role {
        Some(role) if role >= required_role => Ok(Asker::Permitted),
        // The hub reads the record itself, and believes it or not.
        _ if record.is_some() && has_dispatched(hub).await? => Ok(Asker::Record),
        None => nobody(format!("{sender} is a bot: issues and comments by bots start nothing")),
        Some(_) => nobody(format!("{sender} does not have the role {required_role} in {hub_name}")),
    }
}

/// The kind of record that the event's comment holds.
fn record_kind(comment: &Value) -> Option<Kind> {
    let body = comment.get("body")?.as_str()?;
    let marker = Marker::find(body)?.ok()?;
    let is_trusted =
        || serde_json::from_value::<IssueComment>(comment.clone()).is_ok_and(|comment| comment.is_trusted());
    marker.kind().filter(|_| is_trusted())
}

/// Whether this hub's own identity has dispatched anything with the ticket.
async fn has_dispatched(hub: Hub<'_>) -> Result<bool, Vec<Problem>> {
    let Some((log, basis)) = read(hub).await? else { return Ok(false) };
    Ok(Claims { log: &log, basis: &basis }.own().next().is_some())
}

/// Whether everything on the ticket is released, by its records.
async fn is_released(hub: Hub<'_>) -> Result<bool, Vec<Problem>> {
    let Some((log, basis)) = read(hub).await? else { return Ok(false) };
    let targets = log.ticket().targets.keys().cloned().collect();
    let ticket = log.ticket_by_basis(&Basis { hidden_targets: targets, ..basis });
    Ok(!ticket.targets.is_empty() && ticket.is_done(&ticket.left_out))
}

/// The ticket's log, and the basis of decisions.
async fn read(hub: Hub<'_>) -> Result<Option<(Log, Basis)>, Vec<Problem>> {
    let Some(ticket) = &hub.common.ticket else { return Ok(None) };
    let log = read_log(ticket, hub.github).await?;
    let identity = identity(ticket, &log, hub).await?;
    Ok(Some((log, Basis { identity, ..Basis::default() })))
}
