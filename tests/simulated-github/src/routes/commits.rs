//! Commits.

use crate::call::{Answer, Call, Reply};
use crate::json;

/// The commit at which a branch or tag is, or the one with this hash.
pub(super) fn get(call: Call<'_>) -> Answer {
    let (repository, named) = (call.repository()?, call.param("ref"));
    let Some((sha, commit)) = repository.commit_at(named) else {
        return Err(Reply::unprocessable(format!("No commit found for SHA: {named}")));
    };
    Ok(Reply::ok(json::commit(&call.state.links, repository, sha, commit)))
}
