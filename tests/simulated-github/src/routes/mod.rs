//! The routes of the API, and the way of a request to its route.
//!
//! [`table`] lists all routes: a new route is a line there and a function in the module of its
//! subject.

mod actions;
pub(crate) mod apps;
mod assignees;
mod attestations;
mod comments;
mod commits;
mod issues;
mod labels;
mod reactions;
mod refs;
mod releases;
mod repos;
mod runs;
mod teams;
mod users;

use std::sync::LazyLock;
use std::time::Duration;

use axum::http::header::HeaderName;
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::call::{Answer, Call, Payload, Reply};
use crate::repository::RepoKey;
use crate::state::State;
use crate::token::{Caller, Level, TokenData};

type Handler = fn(Call<'_>) -> Answer;

/// The callers that may take a route.
#[derive(Debug, Clone, Copy)]
enum Access {
    /// All callers. Some of these routes check the caller themselves.
    Anyone,
    /// Callers that may read the repository: with one of these permissions if it is private.
    Read(&'static [&'static str]),
    /// Callers with one of these permissions to write.
    Write(&'static [&'static str]),
    /// Callers with one of these permissions in the organization, to read.
    Organization(&'static [&'static str]),
}

struct Route {
    access: Access,
    handler: Handler,
    /// Whether GitHub counts it as the creation of content.
    creates: bool,
}

const METADATA: &[&str] = &["metadata"];
const CONTENTS: &[&str] = &["contents"];
const ISSUES: &[&str] = &["issues"];
const CONVERSATION: &[&str] = &["issues", "pull_requests"];
const CHECKS: &[&str] = &["checks"];
const ACTIONS: &[&str] = &["actions"];
const MEMBERS: &[&str] = &["members"];
const ATTESTATIONS: &[&str] = &["attestations"];

/// Every route: its method, path, access and handler.
#[rustfmt::skip] // A table reads best with a line for each row.
fn table() -> Vec<(Method, &'static str, Access, Handler)> {
    use Access::{Anyone, Organization, Read, Write};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        (GET, "/meta", Anyone, users::meta),
        (GET, "/rate_limit", Anyone, users::rate_limit),
        (GET, "/user", Anyone, users::current),
        (GET, "/users/{username}", Anyone, users::get),
        (POST, "/app/installations/{installation_id}/access_tokens", Anyone, apps::create_token),
        (GET, "/repos/{owner}/{repo}/installation", Anyone, apps::installation_of_repository),
        (GET, "/users/{username}/installation", Anyone, apps::installation_of_owner),
        (DELETE, "/installation/token", Anyone, apps::revoke_token),
        (GET, "/orgs/{org}/teams/{team_slug}/members", Organization(MEMBERS), teams::members),
        (GET, "/orgs/{org}/teams/{team_slug}/memberships/{username}", Organization(MEMBERS), teams::membership),
        (GET, "/repos/{owner}/{repo}", Read(METADATA), repos::get),
        (GET, "/repos/{owner}/{repo}/contents/{*path}", Read(CONTENTS), repos::contents),
        (GET, "/repos/{owner}/{repo}/collaborators/{username}", Read(METADATA), repos::collaborator),
        (GET, "/repos/{owner}/{repo}/collaborators/{username}/permission", Read(METADATA), repos::permission),
        (GET, "/repos/{owner}/{repo}/commits/{ref}", Read(CONTENTS), commits::get),
        (GET, "/repos/{owner}/{repo}/compare/{basehead}", Read(CONTENTS), commits::compare),
        (GET, "/repos/{owner}/{repo}/releases", Read(CONTENTS), releases::list),
        (POST, "/repos/{owner}/{repo}/releases", Write(CONTENTS), releases::create),
        (GET, "/repos/{owner}/{repo}/releases/latest", Read(CONTENTS), releases::latest),
        (GET, "/repos/{owner}/{repo}/releases/tags/{tag}", Read(CONTENTS), releases::of_tag),
        (GET, "/repos/{owner}/{repo}/releases/{release_id}", Read(CONTENTS), releases::get),
        (PATCH, "/repos/{owner}/{repo}/releases/{release_id}", Write(CONTENTS), releases::update),
        (GET, "/repos/{owner}/{repo}/attestations/{subject_digest}", Read(ATTESTATIONS), attestations::list),
        (POST, "/repos/{owner}/{repo}/git/refs", Write(CONTENTS), refs::create),
        (DELETE, "/repos/{owner}/{repo}/git/refs/{*ref}", Write(CONTENTS), refs::delete),
        (GET, "/repos/{owner}/{repo}/git/ref/{*ref}", Read(CONTENTS), refs::get),
        (GET, "/repos/{owner}/{repo}/git/matching-refs/{*ref}", Read(CONTENTS), refs::matching),
        (POST, "/repos/{owner}/{repo}/dispatches", Write(CONTENTS), actions::repository_dispatch),
        (GET, "/repos/{owner}/{repo}/issues", Read(ISSUES), issues::list),
        (POST, "/repos/{owner}/{repo}/issues", Write(ISSUES), issues::create),
        (GET, "/repos/{owner}/{repo}/issues/{issue_number}", Read(CONVERSATION), issues::get),
        (PATCH, "/repos/{owner}/{repo}/issues/{issue_number}", Write(CONVERSATION), issues::update),
        (PUT, "/repos/{owner}/{repo}/issues/{issue_number}/lock", Write(CONVERSATION), issues::lock),
        (DELETE, "/repos/{owner}/{repo}/issues/{issue_number}/lock", Write(CONVERSATION), issues::unlock),
        (GET, "/repos/{owner}/{repo}/issues/{issue_number}/comments", Read(CONVERSATION), comments::list),
        (POST, "/repos/{owner}/{repo}/issues/{issue_number}/comments", Write(CONVERSATION), comments::create),
        (GET, "/repos/{owner}/{repo}/issues/comments", Read(CONVERSATION), comments::list_all),
        (GET, "/repos/{owner}/{repo}/issues/comments/{comment_id}", Read(CONVERSATION), comments::get),
        (PATCH, "/repos/{owner}/{repo}/issues/comments/{comment_id}", Write(CONVERSATION), comments::update),
        (DELETE, "/repos/{owner}/{repo}/issues/comments/{comment_id}", Write(CONVERSATION), comments::delete),
        (PUT, "/repos/{owner}/{repo}/issues/comments/{comment_id}/pin", Write(CONVERSATION), comments::pin),
        (DELETE, "/repos/{owner}/{repo}/issues/comments/{comment_id}/pin", Write(CONVERSATION), comments::unpin),
        (GET, "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", Read(CONVERSATION), reactions::of_comment),
        (POST, "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions", Write(CONVERSATION), reactions::create_for_comment),
        (DELETE, "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}", Write(CONVERSATION), reactions::delete_of_comment),
        (POST, "/repos/{owner}/{repo}/issues/{issue_number}/reactions", Write(CONVERSATION), reactions::create),
        (GET, "/repos/{owner}/{repo}/issues/{issue_number}/labels", Read(CONVERSATION), labels::of_issue),
        (POST, "/repos/{owner}/{repo}/issues/{issue_number}/labels", Write(CONVERSATION), labels::add),
        (PUT, "/repos/{owner}/{repo}/issues/{issue_number}/labels", Write(CONVERSATION), labels::set),
        (DELETE, "/repos/{owner}/{repo}/issues/{issue_number}/labels", Write(CONVERSATION), labels::remove_all),
        (DELETE, "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", Write(CONVERSATION), labels::remove),
        (GET, "/repos/{owner}/{repo}/labels", Read(CONVERSATION), labels::list),
        (POST, "/repos/{owner}/{repo}/labels", Write(CONVERSATION), labels::create),
        (GET, "/repos/{owner}/{repo}/labels/{name}", Read(CONVERSATION), labels::get),
        (GET, "/repos/{owner}/{repo}/assignees/{assignee}", Read(METADATA), assignees::check),
        (GET, "/repos/{owner}/{repo}/issues/{issue_number}/assignees/{assignee}", Read(CONVERSATION), assignees::check_issue),
        (POST, "/repos/{owner}/{repo}/issues/{issue_number}/assignees", Write(CONVERSATION), assignees::add),
        (DELETE, "/repos/{owner}/{repo}/issues/{issue_number}/assignees", Write(CONVERSATION), assignees::remove),
        (GET, "/repos/{owner}/{repo}/actions/workflows", Read(ACTIONS), actions::list),
        (GET, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}", Read(ACTIONS), actions::get),
        (POST, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", Write(ACTIONS), actions::dispatch),
        (GET, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", Read(ACTIONS), runs::list_of_workflow),
        (GET, "/repos/{owner}/{repo}/actions/runs", Read(ACTIONS), runs::list),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}", Read(ACTIONS), runs::get),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", Read(ACTIONS), runs::jobs),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments", Read(ACTIONS), runs::pending_deployments),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/approvals", Read(ACTIONS), runs::approvals),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}", Read(ACTIONS), runs::attempt),
        (GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs", Read(ACTIONS), runs::attempt_jobs),
        (POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel", Write(ACTIONS), runs::cancel),
        (POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun", Write(ACTIONS), runs::rerun),
        (POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs", Write(ACTIONS), runs::rerun_failed_jobs),
        (GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}", Read(ACTIONS), runs::job),
        (GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", Read(ACTIONS), runs::job_log),
        (GET, "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", Read(CHECKS), runs::annotations),
        (GET, "/repos/{owner}/{repo}/compare/{basehead}", Read(CONTENTS), commits::compare),
    ]
}

#[cfg(test)]
mod tour;

static ROUTES: LazyLock<matchit::Router<Vec<(Method, Route)>>> = LazyLock::new(|| {
    let mut by_path: Vec<(&str, Vec<(Method, Route)>)> = Vec::new();
    for (method, path, access, handler) in table() {
        let creates =
            method == Method::POST && matches!(path.rsplit('/').next(), Some("issues" | "comments"));
        let route = Route { access, handler, creates };
        match by_path.iter_mut().find(|(other, _)| *other == path) {
            Some((_, methods)) => methods.push((method, route)),
            None => by_path.push((path, vec![(method, route)])),
        }
    }
    let mut router = matchit::Router::new();
    for (path, methods) in by_path {
        router.insert(path, methods).expect("no two routes of the table contradict each other");
    }
    router
});

/// A request, before a look at the world.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) authorization: Option<String>,
    pub(crate) accept: String,
    /// The header `range`.
    pub(crate) range: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Its token, in any form that GitHub accepts.
    pub(crate) fn token(&self) -> Option<&str> {
        let header = self.authorization.as_deref()?;
        let (_, token) = header.split_once(' ').unwrap_or(("", header));
        Some(token.trim())
    }
}

/// Whether a replica has a part in the answer: it answers each GET, and finds the comment for a new reaction.
pub(crate) fn meets_lag(request: &Request) -> bool {
    let is_reaction = || request.path.contains("/issues/comments/") && request.path.ends_with("/reactions");
    request.method == Method::GET || request.method == Method::POST && is_reaction()
}

/// Answers a request, with its effect. A GET finds the database of `lag` ago. Other requests find the present,
/// except in the lookup that uses [`Call::lag`].
pub(crate) fn answer(state: &mut State, request: &Request, lag: Duration) -> Reply {
    route(state, request, lag).unwrap_or_else(|refusal| refusal)
}

fn route(state: &mut State, request: &Request, lag: Duration) -> Answer {
    let now = state.now();
    let caller = authenticate(state, request, now)?;
    if request.path != "/rate_limit" && !state.limits.spend(caller.secret(), now) {
        return Err(Reply::forbidden("API rate limit exceeded"));
    }
    let path = path_by_name(state, &request.path)?;
    let path_match = ROUTES.at(&path).ok();
    let method_and_route = path_match.as_ref().and_then(|path_match| {
        let mut routes = path_match.value.iter();
        routes.find(|(method, _)| *method == request.method)
    });
    let (Some(path_match), Some((_, route))) = (&path_match, method_and_route) else {
        return Err(unknown_route(state, request));
    };
    let params: Vec<(String, String)> =
        path_match.params.iter().map(|(name, value)| (name.to_owned(), decode(value))).collect();
    let key = reach(state, &caller, route.access, &params, request)?;
    if route.creates {
        admit_content(state, &caller)?;
    }
    let token = caller.secret().map(str::to_owned);
    let query: Vec<_> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let lag_of_read = match request.method {
        Method::GET if runs::come_from_index(&path, &query) => lag + state.replicas.index_lag,
        Method::GET => lag,
        _ => Duration::ZERO,
    };
    let body = parse_body(&request.body)?;
    let (viewer, repository) = (caller.clone(), key.clone());
    let reply = state.lagging(lag_of_read, token.as_deref(), |state| {
        (route.handler)(Call {
            now: state.second(),
            state,
            caller,
            key,
            params,
            query,
            path,
            body,
            accept: request.accept.clone(),
            lag,
        })
    });
    let reply = reply.map(|mut reply| {
        if let Payload::Json(body) = &mut reply.body {
            hide_members(body, state, &viewer, &repository);
        }
        accepted_permissions(reply, route.access)
    });
    if route.creates && reply.is_ok() {
        state.limits.note_content(token.as_deref(), now);
    }
    reply
}

fn authenticate(state: &State, request: &Request, now: DateTime<Utc>) -> Result<Caller, Reply> {
    let Some(secret) = request.token() else {
        return Ok(Caller::Anonymous);
    };
    if let Some(app) = apps::sign_in(state, secret, now) {
        return app;
    }
    match state.token(secret) {
        Some(token) if token.is_valid(now) => {
            if token.installation.is_some_and(|id| state.is_suspended(id)) {
                return Err(Reply::forbidden("This installation has been suspended"));
            }
            Ok(Caller::Token { secret: secret.to_owned(), actor: token.actor.clone() })
        }
        _ => Err(Reply::refusal(StatusCode::UNAUTHORIZED, "Bad credentials")),
    }
}

fn unknown_route(state: &mut State, request: &Request) -> Reply {
    let line = format!("{} {}", request.method, request.path);
    let message = format!("simulated GitHub has no route {line}");
    state.unknown_routes.push(line);
    Reply::refusal(StatusCode::NOT_IMPLEMENTED, message)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parse_body(body: &[u8]) -> Result<Value, Reply> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| Reply::refusal(StatusCode::BAD_REQUEST, "Problems parsing JSON"))
}

/// Replaces the association of a private member by `CONTRIBUTOR`, for callers that may not see the membership.
fn hide_members(body: &mut Value, state: &State, viewer: &Caller, repository: &RepoKey) {
    match body {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| hide_members(item, state, viewer, repository));
        }
        Value::Object(object) if object.get("author_association").is_some_and(|it| it == "MEMBER") => {
            let author = object["user"]["login"].as_str().unwrap_or_default();
            let sees_members = viewer
                .secret()
                .and_then(|secret| state.token(secret))
                .is_some_and(|token| token.sees_members);
            let is_hidden = state.repository(repository).is_some_and(|repository| repository.hides(author));
            if is_hidden && !sees_members && !viewer.is(author) {
                object["author_association"] = "CONTRIBUTOR".into();
            }
        }
        _ => {}
    }
}

/// Finds the repository in the path, if the caller may see it and has the permission of the route.
fn reach(
    state: &State,
    caller: &Caller,
    access: Access,
    params: &[(String, String)],
    request: &Request,
) -> Result<RepoKey, Reply> {
    let param = |name: &str| {
        let pair = params.iter().find(|(key, _)| key == name);
        pair.map_or("", |(_, value)| value.as_str())
    };
    let full_name = format!("{}/{}", param("owner"), param("repo"));
    let key = RepoKey::new(&full_name);
    let (permissions, level) = match access {
        Access::Anyone if !param("repo").is_empty() && state.repository(&key).is_none() => {
            return Err(elsewhere(state, &key, &full_name, request));
        }
        Access::Anyone => return Ok(key),
        Access::Organization(permissions) => {
            return reach_organization(state, caller, param("org"), permissions).map(|()| key);
        }
        Access::Read(permissions) => (permissions, Level::Read),
        Access::Write(permissions) => (permissions, Level::Write),
    };
    let Some(repository) = state.repository(&key) else {
        return Err(elsewhere(state, &key, &full_name, request));
    };
    let token = caller.secret().and_then(|secret| state.token(secret));
    if repository.is_private && !token.is_some_and(|token| token.reaches(&key)) {
        return Err(Reply::not_found());
    }
    if repository.is_archived && level == Level::Write {
        return Err(Reply::forbidden("Repository was archived so is read-only."));
    }
    if !repository.is_private && level == Level::Read {
        return Ok(key);
    }
    let token = token.ok_or_else(unauthorized)?;
    let has_permission = permissions.iter().any(|permission| token.may(&key, permission, level));
    if has_permission {
        return Ok(key);
    }
    Err(accepted_permissions(inaccessible(token), access))
}

/// Checks whether the caller has the permission of the route in an organization.
fn reach_organization(
    state: &State,
    caller: &Caller,
    organization: &str,
    permissions: &'static [&'static str],
) -> Result<(), Reply> {
    let token = caller.secret().and_then(|secret| state.token(secret)).ok_or_else(unauthorized)?;
    let key = RepoKey::new(organization);
    if permissions.iter().any(|permission| token.may(&key, permission, Level::Read)) {
        return Ok(());
    }
    if !token.knows(organization) {
        return Err(Reply::not_found());
    }
    Err(accepted_permissions(inaccessible(token), Access::Organization(permissions)))
}

/// The answer to a caller without a token.
fn unauthorized() -> Reply {
    Reply::refusal(StatusCode::UNAUTHORIZED, "Requires authentication")
}

/// The answer to a token without the permission.
fn inaccessible(token: &TokenData) -> Reply {
    Reply::forbidden(match token.is_bot() {
        true => "Resource not accessible by integration",
        false => "Resource not accessible by personal access token",
    })
}

/// The path with a name instead of the id of its repository: `/repositories/101/issues`.
fn path_by_name(state: &State, path: &str) -> Result<String, Reply> {
    let Some(by_id) = path.strip_prefix("/repositories/") else { return Ok(path.to_owned()) };
    let (id, rest) = by_id.find('/').map_or((by_id, ""), |end| by_id.split_at(end));
    let repository = id.parse().ok().and_then(|id| state.repository_with_id(id));
    let full_name = repository.ok_or_else(Reply::not_found)?.full_name();
    Ok(format!("/repos/{full_name}{rest}"))
}

/// The answer for a missing repository. A renamed one is a redirect to its id.
fn elsewhere(state: &State, key: &RepoKey, full_name: &str, request: &Request) -> Reply {
    let Some(renamed) = state.repository_by_old_name(key) else {
        return Reply::not_found();
    };
    let status = match request.method {
        Method::GET => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::TEMPORARY_REDIRECT,
    };
    let rest = request.path.get("/repos/".len() + full_name.len()..);
    let rest = rest.unwrap_or_default();
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let path = format!("/repositories/{}{rest}{query}", renamed.id);
    Reply::redirect(status, state.links.api(path))
}

fn accepted_permissions(reply: Reply, access: Access) -> Reply {
    let (permissions, level) = match access {
        Access::Anyone => return reply,
        Access::Read(permissions) | Access::Organization(permissions) => (permissions, Level::Read),
        Access::Write(permissions) => (permissions, Level::Write),
    };
    let names: Vec<String> =
        permissions.iter().map(|permission| format!("{permission}={}", level.as_str())).collect();
    let name = HeaderName::from_static("x-accepted-github-permissions");
    reply.header(name, names.join("; "))
}

/// Refuses a caller that creates too much content.
fn admit_content(state: &mut State, caller: &Caller) -> Result<(), Reply> {
    let now = state.now();
    let Some(seconds) = state.limits.refuse_content(caller.secret(), now) else {
        return Ok(());
    };
    let message = "You have exceeded a secondary rate limit and have been temporarily blocked \
                   from content creation. Please retry your request again later.";
    let name = HeaderName::from_static("retry-after");
    Err(Reply::forbidden(message).header(name, seconds.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_without_contradictions() {
        assert!(ROUTES.at("/repos/acme/hub/issues/comments/1").is_ok());
        assert!(ROUTES.at("/repos/acme/hub/contents/a/b/c.yml").is_ok());
        assert!(ROUTES.at("/repos/acme/hub/git/refs/heads/main").is_ok());
    }
}
