//! Reactions to issues.

use axum::http::StatusCode;

use crate::call::{Answer, Call, Reply};
use crate::json;

const CONTENTS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

/// Adds a reaction; one that is there already is the answer again.
pub(super) fn create(mut call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    let content = call.body["content"].as_str().unwrap_or_default().to_owned();
    if !CONTENTS.contains(&content.as_str()) {
        return Err(Reply::refusal(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed"));
    }
    let (login, now) = (call.caller.login().to_owned(), call.now);
    let issue = call.repository_mut()?.issue_mut(number).ok_or_else(Reply::not_found)?;
    let (reaction, is_new) = issue.react(&login, &content, now);
    let reaction = reaction.clone();
    let shown = json::reaction(&call.state.links, number, &reaction);
    Ok(if is_new { Reply::created(shown) } else { Reply::ok(shown) })
}
