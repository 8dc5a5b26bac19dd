//! Assignees, and people who can be assigned.

use crate::call::{Answer, Call, Reply};

use super::issues::{add_assignees, issue_object, remove_assignees};

pub(super) fn check(call: Call<'_>) -> Answer {
    match call.repository()?.can_be_assigned(call.param("assignee")) {
        true => Ok(Reply::no_content()),
        false => Err(Reply::not_found()),
    }
}

pub(super) fn check_issue(call: Call<'_>) -> Answer {
    call.issue()?;
    check(call)
}

/// Assigns people. GitHub leaves out people who cannot be assigned, in silence; without push access,
/// it leaves out all.
pub(super) fn add(mut call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    let logins = call.names("assignees", "login")?.unwrap_or_default();
    if call.can_push() {
        add_assignees(&mut call, number, &logins)?;
    }
    issue_object(&call, number).map(Reply::created)
}

pub(super) fn remove(mut call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    let logins = call.names("assignees", "login")?.unwrap_or_default();
    if call.can_push() {
        remove_assignees(&mut call, number, &logins)?;
    }
    issue_object(&call, number).map(Reply::ok)
}
