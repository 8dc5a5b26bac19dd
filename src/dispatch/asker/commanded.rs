//! Commands: a comment of a person on the step's ticket, and whether GitHub lets that person steer the release.
//!
//! Any other comment is left alone. A command that counts for nothing is refused with an answer: its author waits for
//! one.

use super::super::Hub;
use super::super::reading::failed;
use super::{Asker, Commanded, has_dispatched};
use crate::believe;
use crate::command;
use crate::event::Commented;
use crate::github::role::{GivenRole, Role};
use crate::names::{IssueRef, Login};
use crate::problem::Problem;
use crate::ticket::decision::Person;
use crate::ticket::{Key, Verb, Word};

/// The command that the event's comment gives.
pub(super) async fn find(hub: Hub<'_>) -> Result<Asker, Vec<Problem>> {
    let nobody = |why: String| Ok(Asker::Nobody(why));
    let Some(comment) = hub.job.event.commented() else {
        return nobody("the event does not say who wrote the comment".to_owned());
    };
    if comment.action != "created" {
        let what = match comment.action {
            "deleted" => "a deleted comment changes nothing",
            _ => "an edited comment changes nothing: write a new one",
        };
        return nobody(what.to_owned());
    }
    if comment.is_by_bot {
        return nobody(format!("{} is a bot, and what bots write on issues starts nothing", comment.author));
    }
    let Some(line) = command::find(comment.body) else {
        let what =
            "the comment is neither a command nor a record; a command begins the comment with `/release`";
        return nobody(what.to_owned());
    };
    let issue = match on_ticket(hub) {
        Ok(issue) => issue,
        Err(why) => return nobody(why),
    };
    let given = hub.github.given_role(&hub.common.hub, &comment.author).await;
    let doing = format!("cannot tell whether {} may give commands in {}", comment.author, hub.common.hub);
    let given = given.map_err(failed(doing))?;
    let line = match permitted(hub, &comment, &given, line) {
        Ok(line) => unusable(hub, &issue).await?.map_or(Ok(line), Err),
        Err(problem) => Err(problem),
    };
    let who = Person { login: comment.author, id: comment.author_id, role: given.name };
    let (comment, comment_url) = (comment.id, comment.url.to_owned());
    Ok(Asker::Command(Box::new(Commanded { issue, comment, comment_url, who, line })))
}

/// The issue with the comment, if that is the ticket of the step; else why the comment is left alone.
fn on_ticket(hub: Hub<'_>) -> Result<IssueRef, String> {
    let Some(number) = hub.job.event.issue() else {
        return Err("the event does not name its issue".to_owned());
    };
    let issue = IssueRef { repository: hub.job.repository.clone(), number };
    match &hub.common.ticket {
        Some(ticket) if *ticket == issue => Ok(issue),
        Some(ticket) => Err(format!("the comment is on {issue}, and the ticket of this step is {ticket}")),
        None => Err(format!("the comment is on {issue}, and this step does not take it for its ticket")),
    }
}

/// The line with the command, if its author may give it.
fn permitted(
    hub: Hub<'_>,
    comment: &Commented<'_>,
    given: &GivenRole,
    line: Result<&str, Problem>,
) -> Result<String, Problem> {
    let login = &comment.author;
    if given.account.is_some_and(|account| account != comment.author_id) {
        let what =
            format!("the login {login} belongs to another account now than the one that wrote the comment");
        return Err(Problem::new(what).help("write the comment again"));
    }
    let required = hub.inputs.command_permission;
    if given.role < required {
        let problem = lacks_role(hub, login, given.role, "a command", required);
        // There is no lower setting.
        let may_be_set = given.role >= Role::Triage;
        let setting =
            if may_be_set { format!("; or set `command-permission: {}`", given.role) } else { String::new() };
        let help = problem.help.clone().unwrap_or_default();
        return Err(problem.help(help + &setting));
    }
    let line = line?;
    match command::verb(line)? {
        verb @ Verb::OverrideFreeze if given.role < Role::Maintain => {
            Err(lacks_role(hub, login, given.role, &format!("`{}`", verb.as_str()), Role::Maintain))
        }
        _ => Ok(line.to_owned()),
    }
}

fn lacks_role(hub: Hub<'_>, login: &Login, role: Role, what: &str, required: Role) -> Problem {
    let hub = &hub.common.hub;
    Problem::new(format!("{login} may {role} {hub}, and {what} takes {required}")).help(format!(
        "somebody with the role {required} repeats the comment, or an admin gives {login} that role"
    ))
}

/// Why the issue takes no commands, if it takes none.
async fn unusable(hub: Hub<'_>, ticket: &IssueRef) -> Result<Option<Problem>, Vec<Problem>> {
    let issue = hub.github.issue(ticket).await.map_err(failed(format!("cannot read the ticket {ticket}")))?;
    let mut issues = [issue];
    believe::settle(hub.github, &ticket.repository, &mut issues).await;
    let [issue] = issues;
    if !issue.is_open() {
        return Ok(Some(Problem::new("the ticket is closed").help("reopen it")));
    }
    let key = Key::of(issue.body.as_deref().unwrap_or_default()).filter(|_| issue.is_trusted());
    let is_opened_by_dispatch = key.is_some_and(|key| !matches!(key, Word::Known(Key::Failure(_))));
    if is_opened_by_dispatch || has_dispatched(hub).await? {
        return Ok(None);
    }
    let what = format!("{ticket} is not a release ticket: no dispatch has used it");
    let help = format!("start its release first, as by the hub's workflow with `ticket: {}`", ticket.number);
    Ok(Some(Problem::new(what).help(help)))
}
