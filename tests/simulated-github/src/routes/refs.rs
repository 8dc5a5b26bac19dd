//! Git references.

use axum::http::header::LOCATION;
use serde_json::Value;

use crate::call::{Answer, Call, Reply};
use crate::json;

/// The reference with this name.
pub(super) fn get(call: Call<'_>) -> Answer {
    let name = ref_name(&call);
    let sha = call.repository()?.refs().get(&name).ok_or_else(Reply::not_found)?.clone();
    ref_object(&call, &name, &sha).map(Reply::ok)
}

/// The references whose names begin with this text.
pub(super) fn matching(call: Call<'_>) -> Answer {
    let prefix = ref_name(&call);
    let refs = call.repository()?.refs().iter().filter(|(name, _)| name.starts_with(&prefix));
    let refs: Result<Vec<Value>, Reply> = refs.map(|(name, sha)| ref_object(&call, name, sha)).collect();
    Ok(call.list(refs?))
}

/// Creates a reference. GitHub refuses it if one exists: of two requests, the second one is refused.
///
/// Any hash counts as the hash of an object.
pub(super) fn create(mut call: Call<'_>) -> Answer {
    let name = call.required_text("ref")?;
    let sha = call.required_text("sha")?;
    let refusal = |message: &str| Err(Reply::unprocessable(message));
    if !name.starts_with("refs/") || name.split('/').filter(|part| !part.is_empty()).count() < 3 {
        return refusal("Reference name must contain at least three slash-separated components.");
    }
    let is_hash = sha.len() == 40 && sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return refusal("The sha parameter must be exactly 40 characters and contain only [0-9a-f].");
    }
    let refs = call.repository()?.refs();
    if refs.contains_key(&name) {
        return refusal("Reference already exists");
    }
    // For Git, a name is a path: it cannot be both a file and a folder.
    let inside = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|it| it.starts_with('/'));
    if refs.keys().any(|other| inside(other, &name) || inside(&name, other)) {
        return refusal("Reference update failed");
    }
    call.repository_mut()?.set_ref(&name, &sha);
    let place = call.place();
    call.state.note_change(place, format_args!("ref {name} created"));
    let object = ref_object(&call, &name, &sha)?;
    let url = object["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::created(object).header(LOCATION, url))
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let name = ref_name(&call);
    if name == format!("refs/heads/{}", call.repository()?.default_branch) {
        return Err(Reply::unprocessable("Cannot delete the default branch"));
    }
    if !call.repository_mut()?.remove_ref(&name) {
        return Err(Reply::unprocessable("Reference does not exist"));
    }
    let place = call.place();
    call.state.note_change(place, format_args!("ref {name} deleted"));
    Ok(Reply::no_content())
}

/// The full name of the reference in the path: the path omits `refs/`.
fn ref_name(call: &Call<'_>) -> String {
    format!("refs/{}", call.param("ref"))
}

fn ref_object(call: &Call<'_>, name: &str, sha: &str) -> Result<Value, Reply> {
    Ok(json::git_ref(&call.state.links, call.repository()?, name, sha))
}
