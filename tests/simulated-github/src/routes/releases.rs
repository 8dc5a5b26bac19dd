//! Releases.

use axum::http::header::LOCATION;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::release::Release;

/// The releases, the newest first, with drafts for callers that may write.
pub(super) fn list(call: Call<'_>) -> Answer {
    let releases = call.repository()?.releases.iter().rev();
    let objects = releases.filter(|release| !release.draft || may_write(&call));
    let objects: Result<Vec<Value>, Reply> = objects.map(|release| release_object(&call, release)).collect();
    Ok(call.list(objects?))
}

/// The release with this id.
pub(super) fn get(call: Call<'_>) -> Answer {
    let release = release(&call)?;
    release_object(&call, release).map(Reply::ok)
}

/// The newest published release, without prereleases.
pub(super) fn latest(call: Call<'_>) -> Answer {
    let mut releases = call.repository()?.releases.iter().rev();
    let latest = releases.find(|release| !release.draft && !release.prerelease);
    release_object(&call, latest.ok_or_else(Reply::not_found)?).map(Reply::ok)
}

/// The published release of this tag.
pub(super) fn of_tag(call: Call<'_>) -> Answer {
    let release = published_release(&call, call.param("tag"))?.ok_or_else(Reply::not_found)?;
    release_object(&call, release).map(Reply::ok)
}

/// Creates a release, and the missing tag of a published one.
pub(super) fn create(call: Call<'_>) -> Answer {
    let tag = call.required_text("tag_name")?;
    let target = call.text("target_commitish")?.unwrap_or_default();
    let is_forbidden = |character: char| character.is_whitespace() || "~^:?*[\\".contains(character);
    let is_tag = !tag.is_empty() && !tag.contains(is_forbidden) && !tag.contains("..") && !tag.ends_with('.');
    if !is_tag {
        return Err(invalid("tag_name", "custom", Some("tag_name is not a valid tag")));
    }
    if published_release(&call, &tag)?.is_some() {
        return Err(invalid("tag_name", "already_exists", None));
    }
    let body = call.text("body")?.unwrap_or_default();
    if body.chars().count() > 125_000 {
        return Err(invalid("body", "custom", Some("body is too long (maximum is 125000 characters)")));
    }
    let is_new_tag = call.repository()?.commit_at(&format!("tags/{tag}")).is_none();
    if is_new_tag && !target.is_empty() && call.repository()?.commit_at(&target).is_none() {
        return Err(invalid("target_commitish", "invalid", None));
    }
    let release = Release {
        name: call.text("name")?.unwrap_or_default(),
        draft: call.flag("draft")?,
        prerelease: call.flag("prerelease")?,
        author: call.caller.login().to_owned(),
        ..Release::new(tag.clone()).at(target).notes(body)
    };
    let id = call.state.add_release(&call.key.clone(), release).ok_or_else(Reply::not_found)?;
    let place = call.place();
    call.state.note_change(place, format_args!("release {tag} published"));
    let release = call.repository()?.releases.iter().find(|release| release.id == id);
    let object = release_object(&call, release.ok_or_else(Reply::not_found)?)?;
    let url = object["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(object).header(LOCATION, url))
}

/// Edits the title and the notes.
pub(super) fn update(mut call: Call<'_>) -> Answer {
    let id = release(&call)?.id;
    let (name, body) = (call.text("name")?, call.text("body")?);
    let releases = &mut call.repository_mut()?.releases;
    let data = releases.iter_mut().find(|data| data.id == id).ok_or_else(Reply::not_found)?;
    let before = data.clone();
    data.name = name.unwrap_or_else(|| before.name.clone());
    data.body = body.unwrap_or_else(|| before.body.clone());
    if *data != before {
        let place = call.place();
        call.state.note_change(place, format_args!("release {} edited", before.tag));
    }
    release_object(&call, release(&call)?).map(Reply::ok)
}

fn release<'a>(call: &'a Call<'_>) -> Result<&'a Release, Reply> {
    let id = call.number("release_id")?;
    let release = call.repository()?.releases.iter().find(|release| release.id == id);
    release.filter(|release| !release.draft || may_write(call)).ok_or_else(Reply::not_found)
}

fn published_release<'a>(call: &'a Call<'_>, tag: &str) -> Result<Option<&'a Release>, Reply> {
    Ok(call.repository()?.releases.iter().find(|release| release.tag == tag && !release.draft))
}

fn may_write(call: &Call<'_>) -> bool {
    let token = call.caller.secret().and_then(|secret| call.state.token(secret));
    token.is_some_and(|token| token.may(&call.key, "contents", crate::token::Level::Write))
}

fn invalid(field: &str, code: &str, message: Option<&str>) -> Reply {
    let mut error = json!({ "resource": "Release", "field": field, "code": code });
    if let Some(message) = message {
        error["message"] = json!(message);
    }
    Reply::invalid(json!([error]))
}

fn release_object(call: &Call<'_>, release: &Release) -> Result<Value, Reply> {
    Ok(json::release(&call.state.links, call.repository()?, release))
}
