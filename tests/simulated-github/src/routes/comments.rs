//! Comments on issues.

use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::issue::{Comment, MOST_COMMENTS, too_long};
use crate::json;
use crate::state::Ghes;

use super::issues::body_too_long;

pub(super) fn list(call: Call<'_>) -> Answer {
    let since = call.since()?;
    let repository = call.repository()?;
    let issue = call.issue()?;
    let comments = issue
        .comments
        .iter()
        .filter(|comment| since.is_none_or(|since| comment.updated_at >= since))
        .map(|comment| json::comment(&call.state.links, repository, issue.number, comment));
    Ok(call.list(comments.collect()))
}

/// The comments of all issues.
pub(super) fn list_all(call: Call<'_>) -> Answer {
    let since = call.since()?;
    let repository = call.repository()?;
    let mut comments: Vec<(u64, &Comment)> = repository
        .all_issues()
        .flat_map(|issue| issue.comments.iter().map(|it| (issue.number, it)))
        .filter(|(_, comment)| since.is_none_or(|since| comment.updated_at >= since))
        .collect();
    comments.sort_by_key(|(_, comment)| comment.id);
    match call.query("sort") {
        Some("updated") => comments.sort_by_key(|(_, comment)| comment.updated_at),
        Some("created") => comments.sort_by_key(|(_, comment)| comment.created_at),
        _ => {}
    }
    if call.query("sort").is_some() && call.query("direction") != Some("asc") {
        comments.reverse();
    }
    let objects =
        comments.into_iter().map(|(number, it)| json::comment(&call.state.links, repository, number, it));
    Ok(call.list(objects.collect()))
}

/// Adds a comment. In a locked conversation, only a person with push access may do so; a GitHub
/// App may not, with any permissions.
pub(super) fn create(mut call: Call<'_>) -> Answer {
    let issue = call.issue()?;
    let (number, is_locked, comments) = (issue.number, issue.is_locked, issue.comments.len());
    let author = call.caller.login().to_owned();
    let is_person = !crate::token::is_bot(&author);
    if is_locked && !(is_person && call.can_push()) {
        let message = "Unable to create comment because issue is locked.";
        return Err(Reply::forbidden(message));
    }
    if comments >= MOST_COMMENTS {
        return Err(Reply::forbidden("Commenting is disabled on issues with more than 2500 comments"));
    }
    let body = body(&call)?;
    let id = call.state.add_comment(&call.key, number, &author, &body);
    let id = id.ok_or_else(Reply::not_found)?;
    let place = call.issue_place(number);
    call.state.note_change(place, format_args!("comment {id} added"));
    call.note_comment(number, id);
    let comment = comment_object(&call, number, id)?;
    let url = comment["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(comment).header(axum::http::header::LOCATION, url))
}

pub(super) fn get(call: Call<'_>) -> Answer {
    let (number, id) = issue_and_id(&call)?;
    comment_object(&call, number, id).map(Reply::ok)
}

pub(super) fn update(mut call: Call<'_>) -> Answer {
    let (number, id) = issue_and_id(&call)?;
    let body = body(&call)?;
    check_author(&call, number, id)?;
    let now = call.now;
    let comment = comment_mut(&mut call, id)?;
    if comment.body != body {
        comment.edit(&body, now);
        touch(&mut call, number)?;
        let place = call.issue_place(number);
        call.state.note_change(place, format_args!("comment {id} edited"));
    }
    call.note_comment(number, id);
    comment_object(&call, number, id).map(Reply::ok)
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let (number, id) = issue_and_id(&call)?;
    check_author(&call, number, id)?;
    let issue = call.repository_mut()?.issue_mut(number);
    let issue = issue.ok_or_else(Reply::not_found)?;
    issue.comments.retain(|comment| comment.id != id);
    touch(&mut call, number)?;
    let place = call.issue_place(number);
    call.state.note_change(place, format_args!("comment {id} deleted"));
    call.note_comment(number, id);
    Ok(Reply::no_content())
}

/// Pins a comment. An issue has one pinned comment: the new one replaces the old one.
pub(super) fn pin(mut call: Call<'_>) -> Answer {
    let (number, id) = pinnable(&call)?;
    let (now, by) = (call.now, call.caller.login().to_owned());
    if !comment_mut(&mut call, id)?.is_pinned {
        let issue = call.repository_mut()?.issue_mut(number);
        let issue = issue.ok_or_else(Reply::not_found)?;
        issue.comments.iter_mut().for_each(Comment::unpin);
        comment_mut(&mut call, id)?.pin(&by, now);
        let place = call.issue_place(number);
        call.state.note_change(place, format_args!("comment {id} pinned"));
    }
    comment_object(&call, number, id).map(Reply::ok)
}

pub(super) fn unpin(mut call: Call<'_>) -> Answer {
    let (number, id) = pinnable(&call)?;
    let comment = comment_mut(&mut call, id)?;
    if comment.is_pinned {
        comment.unpin();
        let place = call.issue_place(number);
        call.state.note_change(place, format_args!("comment {id} unpinned"));
    }
    Ok(Reply::no_content())
}

/// The comment to pin. Releases before 3.20 cannot pin comments.
fn pinnable(call: &Call<'_>) -> Result<(u64, u64), Reply> {
    if call.state.ghes.is_some_and(|release| release < Ghes(3, 20)) {
        return Err(Reply::not_found());
    }
    if !call.can_push() {
        return Err(Reply::forbidden("Must have admin rights to Repository."));
    }
    issue_and_id(call)
}

/// The number of the issue of the comment in the path, and the comment's id.
pub(super) fn issue_and_id(call: &Call<'_>) -> Result<(u64, u64), Reply> {
    let id = call.number("comment_id")?;
    let number = call.repository()?.issue_of_comment(id);
    Ok((number.ok_or_else(Reply::not_found)?, id))
}

/// Fails unless the caller wrote the comment or has push access.
fn check_author(call: &Call<'_>, number: u64, id: u64) -> Result<(), Reply> {
    let issue = call.repository()?.issue(number);
    let comment = issue.and_then(|issue| issue.comment(id));
    let author = &comment.ok_or_else(Reply::not_found)?.author;
    match call.can_push() || call.caller.is(author) {
        true => Ok(()),
        false => Err(Reply::forbidden("Must have admin rights to Repository.")),
    }
}

fn comment_mut<'a>(call: &'a mut Call<'_>, id: u64) -> Result<&'a mut Comment, Reply> {
    call.state.comment_mut(id).ok_or_else(Reply::not_found)
}

fn touch(call: &mut Call<'_>, number: u64) -> Result<(), Reply> {
    let now = call.now;
    if let Some(issue) = call.repository_mut()?.issue_mut(number) {
        issue.updated_at = now;
    }
    Ok(())
}

fn body(call: &Call<'_>) -> Result<String, Reply> {
    let body = call.required_text("body")?;
    if body.trim().is_empty() {
        let problem = json!({
            "resource": "IssueComment", "code": "missing_field", "field": "body",
        });
        return Err(Reply::invalid(json!([problem])));
    }
    match too_long(&body) {
        true => Err(Reply::invalid(json!([body_too_long("IssueComment")]))),
        false => Ok(body),
    }
}

fn comment_object(call: &Call<'_>, number: u64, id: u64) -> Result<Value, Reply> {
    let repository = call.repository()?;
    let issue = repository.issue(number);
    let comment = issue.and_then(|issue| issue.comment(id));
    let comment = comment.ok_or_else(Reply::not_found)?;
    Ok(json::comment(&call.state.links, repository, number, comment))
}
