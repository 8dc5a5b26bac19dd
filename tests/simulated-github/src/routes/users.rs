//! People, and GitHub's facts about itself.

use axum::http::StatusCode;
use serde_json::json;

use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::state::Ghes;
use crate::token::{Caller, is_bot};

/// The account of the token. GitHub refuses the token of an App.
pub(super) fn current(call: Call<'_>) -> Answer {
    match &call.caller {
        Caller::Anonymous => Err(Reply::refusal(StatusCode::UNAUTHORIZED, "Requires authentication")),
        Caller::App { .. } => Err(Reply::forbidden("Resource not accessible by integration")),
        Caller::Token { actor, .. } if is_bot(actor) => {
            Err(Reply::forbidden("Resource not accessible by integration"))
        }
        Caller::Token { actor, .. } => Ok(Reply::ok(json::profile(&call.state.links, actor))),
    }
}

pub(super) fn get(call: Call<'_>) -> Answer {
    let login = call.state.user(call.param("username"));
    let login = login.ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(json::profile(&call.state.links, &login)))
}

pub(super) fn meta(call: Call<'_>) -> Answer {
    let mut meta = json!({ "verifiable_password_authentication": false });
    if let Some(Ghes(major, minor)) = call.state.ghes {
        meta["installed_version"] = json!(format!("{major}.{minor}.0"));
    }
    Ok(Reply::ok(meta))
}

/// The rest of the hour. The request costs nothing.
pub(super) fn rate_limit(call: Call<'_>) -> Answer {
    let now = call.now;
    let window = call.state.limits.window(call.caller.secret(), now);
    let core = json!({
        "limit": window.limit,
        "used": window.used,
        "remaining": window.remaining(),
        "reset": window.reset.timestamp(),
    });
    let search = json!({
        "limit": 30, "used": 0, "remaining": 30, "reset": now.timestamp() + 60,
    });
    Ok(Reply::ok(json!({
        "resources": { "core": core, "search": search },
        "rate": core,
    })))
}
