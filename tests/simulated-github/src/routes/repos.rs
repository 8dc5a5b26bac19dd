//! Repositories, their files and their collaborators.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::repository::blob_sha;

pub(super) fn get(call: Call<'_>) -> Answer {
    let repository = call.repository()?;
    let object = json::full_repository(&call.state.links, repository, call.can_push());
    Ok(Reply::ok(object))
}

/// A file or the list of a directory, at `ref` or else at the default branch.
pub(super) fn contents(call: Call<'_>) -> Answer {
    let repository = call.repository()?;
    let git_ref = call.query("ref").unwrap_or(&repository.default_branch);
    let Some(tree) = repository.tree(git_ref) else {
        let status = axum::http::StatusCode::NOT_FOUND;
        let message = format!("No commit found for the ref {git_ref}");
        return Err(Reply::refusal(status, message));
    };
    let path = call.param("path").trim_matches('/');
    let links = &call.state.links;
    let Some(text) = tree.get(path) else {
        return directory(&call, git_ref, path, &tree);
    };
    if call.accept.contains("raw") {
        return Ok(Reply::text("application/vnd.github.raw+json; charset=utf-8", text.clone()));
    }
    let file = json::file(links, repository, git_ref, path, text);
    Ok(Reply::ok(file))
}

fn directory(call: &Call<'_>, git_ref: &str, path: &str, tree: &BTreeMap<String, String>) -> Answer {
    let repository = call.repository()?;
    let inside = format!("{path}/");
    let mut entries: BTreeMap<String, Value> = BTreeMap::new();
    for (file, text) in tree {
        let Some(rest) = file.strip_prefix(&inside) else {
            continue;
        };
        let (name, is_deeper) = rest.split_once('/').map_or((rest, false), |(it, _)| (it, true));
        let (size, sha) = match is_deeper {
            true => (0, String::new()),
            false => (text.len(), blob_sha(text)),
        };
        let entry = format!("{inside}{name}");
        let links = &call.state.links;
        let object = json::content(links, repository, git_ref, &entry, None, size, &sha);
        entries.insert(entry, object);
    }
    match entries.is_empty() {
        true => Err(Reply::not_found()),
        false => Ok(Reply::ok(Value::Array(entries.into_values().collect()))),
    }
}

pub(super) fn collaborator(call: Call<'_>) -> Answer {
    match call.repository()?.belongs(call.param("username")) {
        true => Ok(Reply::no_content()),
        false => Err(Reply::not_found()),
    }
}

pub(super) fn permission(call: Call<'_>) -> Answer {
    let username = call.param("username");
    let login = call.state.user(username).ok_or_else(|| {
        Reply::refusal(axum::http::StatusCode::NOT_FOUND, format!("{username} is not a user"))
    })?;
    let object = json::permission(&call.state.links, call.repository()?, &login);
    Ok(Reply::ok(object))
}
