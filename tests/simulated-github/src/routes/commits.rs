//! Commits.

use serde_json::Value;

use crate::call::{Answer, Call, Reply};
use crate::json;

/// The commit of a branch or tag, or with this hash.
pub(super) fn get(call: Call<'_>) -> Answer {
    let (repository, name) = (call.repository()?, call.param("ref"));
    let Some((sha, commit)) = repository.commit_at(name) else {
        return Err(Reply::unprocessable(format!("No commit found for SHA: {name}")));
    };
    Ok(Reply::ok(json::commit(&call.state.links, repository, sha, commit)))
}

/// The commits that only the second of two commits has, and the number of those that only the first has.
pub(super) fn compare(call: Call<'_>) -> Answer {
    let (links, repository) = (&call.state.links, call.repository()?);
    let (base, head) = call.param("basehead").split_once("...").ok_or_else(Reply::not_found)?;
    let (base, head) = (history(&call, base)?, history(&call, head)?);
    let ahead: Vec<&String> = head.iter().filter(|sha| !base.contains(sha)).collect();
    let behind = base.iter().filter(|sha| !head.contains(sha)).count();
    let merge_base = base.iter().find(|sha| head.contains(sha)).ok_or_else(Reply::not_found)?;
    let object = |sha: &String| {
        let (sha, commit) = repository.commit_at(sha).ok_or_else(Reply::not_found)?;
        Ok(json::commit(links, repository, sha, commit))
    };
    // The oldest first.
    let commits: Result<Vec<Value>, Reply> = ahead.iter().rev().map(|sha| object(sha)).collect();
    let (commits, _) = call.page(commits?);
    let ends = [object(&base[0])?, object(merge_base)?];
    Ok(Reply::ok(json::comparison(
        links,
        repository,
        call.param("basehead"),
        ends,
        commits,
        ahead.len(),
        behind,
    )))
}

/// A commit and those before it, the newest first.
fn history(call: &Call<'_>, name: &str) -> Result<Vec<String>, Reply> {
    let repository = call.repository()?;
    let mut next = repository.commit_at(name);
    let mut history = Vec::new();
    while let Some((sha, commit)) = next {
        history.push(sha.clone());
        next = commit.parent.as_deref().and_then(|parent| repository.commit_at(parent));
    }
    if history.is_empty() { Err(Reply::not_found()) } else { Ok(history) }
}
