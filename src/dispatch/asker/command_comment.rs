//! Commands: a comment of a person on the step's ticket, and whether that person has the role to steer the release.
//!
//! The dispatch ignores any other comment. A command that does not count is refused with an answer, because its author
//! waits for one.

use super::super::Hub;
use super::super::reading::to_problems;
use super::{Asker, CommandComment, has_dispatched};
use crate::command;
use crate::event::EventComment;
use crate::github::role::{AccountRole, Role};
use crate::names::{IssueRef, Login};
use crate::problem::{Problem, Topic};
use crate::ticket::decision::Person;
use crate::ticket::{Key, Verb, Word};
use crate::trust;

/// Reads the command in the event's comment.
pub(super) async fn find(hub: Hub<'_>) -> Result<Asker, Vec<Problem>> {
    let nobody = |why: String| Ok(Asker::Refused(why));
    let Some(comment) = hub.job.event.event_comment() else {
        return nobody("the event does not name the comment's author".to_owned());
    };
    if comment.action != "created" {
        let what = match comment.action {
            "deleted" => "a deleted comment changes nothing",
            _ => "an edited comment changes nothing: write a new one",
        };
        return nobody(what.to_owned());
    }
    if comment.is_by_bot {
        return nobody(format!("{} is a bot: issues and comments by bots start nothing", comment.author));
    }
    let Some(line) = command::find(comment.body) else {
        let what = "the comment is neither a command nor a record; a command begins with `/release`";
        return nobody(what.to_owned());
    };
    let issue = match on_ticket(hub) {
        Ok(issue) => issue,
        Err(why) => return nobody(why),
    };
    let role = hub.github.account_role(&hub.common.hub, &comment.author).await;
    let doing = format!("cannot check whether {} may give commands in {}", comment.author, hub.common.hub);
    let role = role.map_err(to_problems(doing))?;
    let line = match check_permission(hub, &comment, &role, line) {
        Ok(line) => ticket_problem(hub, &issue).await?.map_or(Ok(line), Err),
        Err(problem) => Err(problem),
    };
    let who = Person { login: comment.author, id: comment.author_id, role: role.name };
    let (comment, comment_url) = (comment.id, comment.url.to_owned());
    Ok(Asker::Command(Box::new(CommandComment { issue, comment, comment_url, who, line })))
}

/// The issue with the comment, if that is the step's ticket; else the reason why the comment is ignored.
fn on_ticket(hub: Hub<'_>) -> Result<IssueRef, String> {
    let Some(number) = hub.job.event.issue() else {
        return Err("the event does not name its issue".to_owned());
    };
    let issue = IssueRef { repository: hub.job.repository.clone(), number };
    match &hub.common.ticket {
        Some(ticket) if *ticket == issue => Ok(issue),
        Some(ticket) => Err(format!("the comment is on {issue}, but the ticket of this step is {ticket}")),
        None => Err(format!("the comment is on {issue}, but this step names no ticket")),
    }
}

/// The line with the command, if its author may give it.
fn check_permission(
    hub: Hub<'_>,
    comment: &EventComment<'_>,
    role: &AccountRole,
    line: Result<&str, Problem>,
) -> Result<String, Problem> {
    let login = &comment.author;
    if role.account.is_some_and(|account| account != comment.author_id) {
        let what = format!("the login {login} now belongs to another account than the author of the comment");
        return Err(Problem::new(what).help(Topic::Command, "write the comment again"));
    }
    let required_role = hub.inputs.command_permission;
    if role.role < required_role {
        let problem = lacks_role(hub, login, role.role, "a command", required_role);
        // Triage is the lowest setting.
        let may_be_set = role.role >= Role::Triage;
        let setting = may_be_set.then(|| format!("or set `command-permission: {}`", role.role));
        let help = problem.help.map(|help| help.and(setting.as_deref()));
        return Err(Problem { help, ..problem });
    }
    let line = line?;
    match command::verb(line)? {
        verb @ Verb::OverrideFreeze if role.role < Role::Maintain => {
            Err(lacks_role(hub, login, role.role, &format!("`{}`", verb.as_str()), Role::Maintain))
        }
        _ => Ok(line.to_owned()),
    }
}

fn lacks_role(hub: Hub<'_>, login: &Login, role: Role, what: &str, required_role: Role) -> Problem {
    let hub = &hub.common.hub;
    Problem::new(format!("{login} has at most the role {role} in {hub}, but {what} needs {required_role}")).help(
        Topic::Command,
        format!(
            "ask somebody with the role {required_role} to repeat the comment, or an admin to give {login} that role"
        ),
    )
}

/// The reason why the issue takes no commands, if it takes none.
async fn ticket_problem(hub: Hub<'_>, ticket: &IssueRef) -> Result<Option<Problem>, Vec<Problem>> {
    let issue =
        hub.github.issue(ticket).await.map_err(to_problems(format!("cannot read the ticket {ticket}")))?;
    let mut issues = [issue];
    trust::settle(hub.github, &ticket.repository, &mut issues).await;
    let [issue] = issues;
    if !issue.is_open() {
        return Ok(Some(Problem::new("the ticket is closed").help(Topic::Ticket, "reopen it")));
    }
    let key = Key::of(issue.body.as_deref().unwrap_or_default()).filter(|_| issue.is_trusted());
    let is_opened_by_dispatch = key.is_some_and(|key| !matches!(key, Word::Known(Key::Failure(_))));
    if is_opened_by_dispatch || has_dispatched(hub).await? {
        return Ok(None);
    }
    let what = format!("{ticket} is not a release ticket: no dispatch has used it");
    let help = format!("start its release first, as by the hub's workflow with `ticket: {}`", ticket.number);
    Ok(Some(Problem::new(what).help(Topic::Ticket, help)))
}
