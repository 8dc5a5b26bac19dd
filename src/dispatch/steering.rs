//! Steering: a command on the ticket becomes a part of the request.
//!
//! ```text
//! acknowledged ──► line ── parsed with the names of targets and gates ──► Asked, in the request of a dispatch (`asked`)
//!                    │                         │
//!                    └──── refused ────────────┴──► Asked, in a request without targets
//! ```
//!
//! A refused command is answered, also if something else keeps the step from going on.

use std::collections::BTreeSet;

use super::Hub;
use super::asked::{asked_by, refused, request};
use super::asker::{Asker, Commanded};
use super::lookup::Named;
use super::outlook::Outlook;
use super::prepare;
use crate::apply;
use crate::command::{self, About, Command, Names};
use crate::engine::request::Asked;
use crate::engine::{Known, Request};
use crate::names::Reaction;
use crate::plan::Effect;
use crate::problem::Problem;
use crate::ticket::Verb;

/// Prepares what is asked for, as [`prepare::prepare`] does. A command is acknowledged before that.
///
/// # Errors
///
/// With all problems, in the order of their places.
pub(super) async fn prepare(
    hub: Hub<'_>,
    asker: &Asker,
    outlook: &mut Outlook,
) -> Result<(Request, Known), Vec<Problem>> {
    if let Asker::Command(command) = asker {
        acknowledge(hub, command).await;
        if let Err(problem) = &command.line {
            let asked = asked_by(command, Err(problem.clone()), BTreeSet::new());
            let wording = prepare::wording(hub, &Named::default());
            return Ok(refused(hub, command, asked, wording));
        }
    }
    prepare::prepare(hub, asker, outlook).await
}

/// Shows the person that the comment is read.
async fn acknowledge(hub: Hub<'_>, command: &Commanded) {
    let (issue, comment) = (command.issue.clone(), command.comment);
    let reaction = Effect::React { issue, comment, reaction: Reaction::Eyes };
    if !hub.common.dry_run
        && let Err(error) = apply::send(&reaction, hub.github).await
    {
        tracing::debug!("the command is not acknowledged: {error}");
    }
}

/// A request that answers a command although these problems stop the job. A hold of the whole ticket needs no targets, so
/// it is recorded all the same.
pub(super) fn stuck(hub: Hub<'_>, command: &Commanded, problems: Vec<Problem>) -> (Request, Known) {
    let wording = prepare::wording(hub, &Named::default());
    let line = command.line.clone();
    let parsed = line.and_then(|line| command::parse(&line, Names { targets: &[], gates: &[] }));
    let is_hold = |parsed: &Command| parsed.verb == Verb::Hold && !matches!(parsed.about, About::These(_));
    let asked = match parsed {
        Ok(parsed) if is_hold(&parsed) => asked_by(command, Ok(parsed), BTreeSet::new()),
        parsed => {
            let failure = Some(cannot_go_on(&problems));
            Asked { failure, ..asked_by(command, parsed, BTreeSet::new()) }
        }
    };
    let (request, known) = request(hub, command, asked, wording);
    (Request { obstacles: problems, ..request }, known)
}

/// The answer to the person: the first of the problems, and where the others are.
fn cannot_go_on(problems: &[Problem]) -> Problem {
    let Some(first) = problems.first() else { return Problem::new("the hub's job cannot go on".to_owned()) };
    let more = match problems.len() {
        1 => String::new(),
        count => format!(" (and {} more problems, in the job's log)", count - 1),
    };
    let help = first.help.as_deref().map(|help| format!("{help}; ")).unwrap_or_default();
    Problem::new(format!("the hub's job cannot go on: {}{more}", first.what))
        .help(format!("{help}run the job again when that is mended: it reads this command again"))
}
