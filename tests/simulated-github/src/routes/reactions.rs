//! Reactions to issues and to comments.

use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::issue::Reaction;
use crate::json;
use crate::repository::RepositoryData;

use super::comments;

const CONTENTS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

/// Adds a reaction to an issue. An existing one is the answer again.
pub(super) fn create(mut call: Call<'_>) -> Answer {
    let number = call.issue()?.number;
    let (reaction, is_new) = react(&mut call, number, None)?;
    Ok(reply_with(&call, &reaction, is_new))
}

/// Adds a reaction to a comment.
pub(super) fn create_for_comment(mut call: Call<'_>) -> Answer {
    let (number, id) = comments::issue_and_id(&call)?;
    // The replica that looks up the comment may lack it.
    let exists = call.state.lagging(call.lag, call.caller.secret(), |state| {
        state.repository(&call.key).is_some_and(|repository| repository.issue_of_comment(id).is_some())
    });
    if !exists {
        return Err(Reply::not_found());
    }
    let (reaction, is_new) = react(&mut call, number, Some(id))?;
    if is_new {
        let place = call.issue_place(number);
        let Reaction { content, author, .. } = &reaction;
        call.state.note_change(place, format_args!("comment {id} got {content} from {author}"));
    }
    call.note_comment(number, id);
    Ok(reply_with(&call, &reaction, is_new))
}

fn react(call: &mut Call<'_>, number: u64, comment: Option<u64>) -> Result<(Reaction, bool), Reply> {
    let content = call.text("content")?.unwrap_or_default();
    if !CONTENTS.contains(&content.as_str()) {
        let problem = json!({ "resource": "Reaction", "code": "invalid", "field": "content" });
        return Err(Reply::invalid(json!([problem])));
    }
    let login = call.caller.login().to_owned();
    let reaction = call.state.react(&call.key, number, comment, &login, &content);
    reaction.ok_or_else(Reply::not_found)
}

fn reply_with(call: &Call<'_>, reaction: &Reaction, is_new: bool) -> Reply {
    let object = json::reaction(&call.state.links, reaction);
    if is_new { Reply::created(object) } else { Reply::ok(object) }
}

/// The reactions to a comment, or those of the kind in the query.
pub(super) fn of_comment(call: Call<'_>) -> Answer {
    let (number, id) = comments::issue_and_id(&call)?;
    let reactions = reactions(call.repository()?, number, id)?.iter();
    let is_of_kind =
        |reaction: &&Reaction| call.query("content").is_none_or(|content| content == reaction.content);
    let objects = reactions.filter(is_of_kind).map(|reaction| json::reaction(&call.state.links, reaction));
    Ok(call.list(objects.collect::<Vec<Value>>()))
}

fn reactions(repository: &RepositoryData, number: u64, id: u64) -> Result<&[Reaction], Reply> {
    let comment = repository.issue(number).and_then(|issue| issue.comment(id));
    comment.map(|comment| comment.reactions.as_slice()).ok_or_else(Reply::not_found)
}

/// Deletes a reaction of the caller.
pub(super) fn delete_of_comment(mut call: Call<'_>) -> Answer {
    let (number, id) = comments::issue_and_id(&call)?;
    let reaction = call.number("reaction_id")?;
    let is_it = |one: &Reaction| one.id == reaction && call.caller.is(&one.author);
    let position = reactions(call.repository()?, number, id)?.iter().position(is_it);
    let index = position.ok_or_else(Reply::not_found)?;
    let issue = call.repository_mut()?.issue_mut(number);
    let reactions = issue.and_then(|issue| issue.reactions_mut(Some(id))).ok_or_else(Reply::not_found)?;
    let Reaction { content, author, .. } = reactions.remove(index);
    let place = call.issue_place(number);
    call.state.note_change(place, format_args!("comment {id} lost {content} from {author}"));
    call.note_comment(number, id);
    Ok(Reply::no_content())
}
