//! Steering: a command on the ticket becomes a part of the request.
//!
//! ```text
//! acknowledged ──► line ── parsed with the names of targets and gates ──► in the request of a dispatch (`command_request`)
//!                    │                         │
//!                    └──── refused ────────────┴──► in a request without targets
//! ```
//!
//! A refused command is answered, even if something else stops the step.

use std::collections::BTreeSet;

use super::Hub;
use super::asker::{Asker, CommandComment};
use super::command_request::{command_request, refusal, request_without_targets};
use super::lookup::NamedTicket;
use super::outlook::Outlook;
use super::prepare;
use crate::apply;
use crate::command::{self, About, Command, Names};
use crate::engine::request::CommandRequest;
use crate::engine::{Facts, Request};
use crate::names::Reaction;
use crate::plan::Effect;
use crate::problem::{Problem, Topic};
use crate::ticket::Verb;

/// Prepares the request like [`prepare::prepare`]. A command is acknowledged before that.
///
/// # Errors
///
/// All problems, in the order of their places.
pub(super) async fn prepare(
    hub: Hub<'_>,
    asker: &Asker,
    outlook: &mut Outlook,
) -> Result<(Request, Facts), Vec<Problem>> {
    if let Asker::Command(command) = asker {
        acknowledge(hub, command).await;
        if let Err(problem) = &command.line {
            let command_request = command_request(command, Err(problem.clone()), BTreeSet::new());
            let wording = prepare::wording(hub, &NamedTicket::default());
            return Ok(refusal(hub, command, command_request, wording));
        }
    }
    prepare::prepare(hub, asker, outlook).await
}

/// Shows the comment's author that the step has read it.
async fn acknowledge(hub: Hub<'_>, command: &CommandComment) {
    let (issue, comment) = (command.issue.clone(), command.comment);
    let reaction = Effect::React { issue, comment, reaction: Reaction::Eyes };
    if !hub.common.dry_run
        && let Err(error) = apply::send(&reaction, hub.github).await
    {
        tracing::debug!("the command is not acknowledged: {error}");
    }
}

/// A request that answers a command although `problems` stop the job. A hold of the whole ticket needs no targets, so
/// it is recorded nevertheless.
pub(super) fn request_despite(
    hub: Hub<'_>,
    comment: &CommandComment,
    problems: Vec<Problem>,
) -> (Request, Facts) {
    let wording = prepare::wording(hub, &NamedTicket::default());
    let line = comment.line.clone();
    let command = line.and_then(|line| command::parse(&line, Names { targets: &[], gates: &[] }));
    let is_hold = |command: &Command| command.verb == Verb::Hold && !matches!(command.about, About::These(_));
    let command_request = match command {
        Ok(command) if is_hold(&command) => command_request(comment, Ok(command), BTreeSet::new()),
        command => {
            let failure = Some(cannot_go_on(&problems));
            CommandRequest { failure, ..command_request(comment, command, BTreeSet::new()) }
        }
    };
    let (request, facts) = request_without_targets(hub, comment, command_request, wording);
    (Request { obstacles: problems, ..request }, facts)
}

/// The answer to the comment's author: the first problem, and where the others are.
fn cannot_go_on(problems: &[Problem]) -> Problem {
    let Some(first) = problems.first() else {
        return Problem::new("the hub's job cannot continue".to_owned());
    };
    let more = match problems.len() {
        1 => String::new(),
        2 => " (and 1 more problem, in the job's log)".to_owned(),
        count => format!(" (and {} more problems, in the job's log)", count - 1),
    };
    let again = "fix that and run the job again: it reads this command again";
    let help = match first.help.clone() {
        Some(help) => help.and(Some(again)),
        None => Topic::Command.advice(again),
    };
    let what = format!("the hub's job cannot continue: {}{more}", first.what);
    Problem { help: Some(help), ..Problem::new(what) }
}
