//! The site beside the API: pages for people, and `/_simulation/` for test scripts.
//!
//! Exchanges, faults and limits do not apply to its requests.

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::World;
use crate::call::Reply;
use crate::exchange::Exchange;
use crate::issue::Issue;
use crate::limits::Limits;
use crate::page;
use crate::repository::RepoKey;
use crate::routes::Request;
use crate::run::Job;
use crate::state::State;

/// Answers a request for the site. `None` if the request is for the API.
pub(crate) fn answer(world: &World, request: &Request) -> Option<Reply> {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let mut state = world.lock();
    match (&request.method, segments.as_slice()) {
        (method, ["_simulation", rest @ ..]) => {
            let reply = control(&mut state, method, rest, &request.body);
            Some(reply.unwrap_or_else(Reply::not_found))
        }
        (&Method::GET, [""]) => Some(html(index(&state))),
        // These paths belong to the API.
        (_, ["repositories", ..]) => None,
        (&Method::GET, [owner, repo, "issues", number]) => {
            let number: u64 = number.parse().ok()?;
            let now = state.now();
            let issue = find_issue(&state, owner, repo, number)?;
            Some(html(page::issue_refreshing(issue, now, refresh(request))))
        }
        (&Method::GET, [_, _, "actions", "runs", id, ..]) => {
            let run = state.run(id.parse().ok()?)?;
            Some(html(page::run(run)))
        }
        _ => None,
    }
}

fn html(page: String) -> Reply {
    Reply::text("text/html; charset=utf-8", page)
}

fn plain(text: String) -> Reply {
    Reply::text("text/plain; charset=utf-8", text)
}

fn refresh(request: &Request) -> Option<u64> {
    let mut query = form_urlencoded::parse(request.query.as_bytes());
    let (_, seconds) = query.find(|(name, _)| name == "refresh")?;
    seconds.parse().ok()
}

fn index(state: &State) -> String {
    page::index(state.repositories().map(|data| {
        let name = data.full_name();
        let runs = state.runs_of(&RepoKey::new(&name)).collect();
        (name, data.all_issues().collect(), runs)
    }))
}

fn find_issue<'a>(state: &'a State, owner: &str, repo: &str, number: u64) -> Option<&'a Issue> {
    let key = RepoKey::new(&format!("{owner}/{repo}"));
    state.repository(&key)?.issue(number)
}

/// The routes under `/_simulation/`.
fn control(state: &mut State, method: &Method, path: &[&str], body: &[u8]) -> Option<Reply> {
    match (method, path) {
        (&Method::GET, ["story"]) => Some(plain(state.story.join("\n") + "\n")),
        (&Method::GET, ["exchanges"]) => {
            let exchanges: Vec<Value> = state.exchanges.iter().map(exchange).collect();
            Some(Reply::ok(json!(exchanges)))
        }
        (&Method::GET, ["runs"]) => {
            let runs: Vec<_> = state.runs().collect();
            Some(Reply::ok(json!(runs)))
        }
        (&Method::GET, ["limits"]) => Some(Reply::ok(limits(&state.limits))),
        (&Method::GET, ["unknown-routes"]) => Some(Reply::ok(json!(state.unknown_routes))),
        (&Method::GET, ["issues", owner, repo, number]) => {
            let issue = find_issue(state, owner, repo, number.parse().ok()?)?;
            Some(plain(raw(issue)))
        }
        (&Method::POST, ["runs", id]) => Some(change_run(state, id.parse().ok()?, body)),
        (&Method::POST, ["runs", id, "rerun"]) => {
            let id = id.parse().ok()?;
            let now = state.second();
            let by = state.run(id)?.actor.clone();
            state.update_run(id, |run| run.restart(&by, now, |_| false));
            Some(Reply::ok(json!(state.run(id))))
        }
        _ => None,
    }
}

/// The sums of all requests so far.
fn limits(limits: &Limits) -> Value {
    json!({
        "points": limits.points(),
        "creations": limits.content.len(),
        "most_points_a_minute": limits.most_points_a_minute(),
        "most_creations_a_minute": limits.most_creations_a_minute(),
        "most_at_once": limits.most_at_once(),
        "refused": limits.refusals,
    })
}

/// The change of a run by a script. `jobs` replaces the jobs of the latest attempt.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunChange {
    status: Option<String>,
    conclusion: Option<String>,
    jobs: Option<Vec<Job>>,
}

fn change_run(state: &mut State, id: u64, body: &[u8]) -> Reply {
    if state.run(id).is_none() {
        return Reply::not_found();
    }
    let change: RunChange = match serde_json::from_slice(body) {
        Ok(change) => change,
        Err(error) => return Reply::refusal(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let now = state.second();
    state.update_run(id, |run| {
        if let Some(jobs) = change.jobs {
            run.jobs = jobs;
        }
        if let Some(status) = change.status {
            run.status = status;
        }
        if let Some(conclusion) = change.conclusion {
            run.finish(&conclusion, now);
        }
    });
    Reply::ok(json!(state.run(id)))
}

fn exchange(exchange: &Exchange) -> Value {
    let headers = exchange.response_headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), Value::String(value))
    });
    json!({
        "id": exchange.id,
        "at": exchange.at,
        "token": exchange.token,
        "method": exchange.method,
        "path": exchange.path,
        "query": exchange.query,
        "request_body": exchange.request_body,
        "status": exchange.status,
        "response_headers": headers.collect::<serde_json::Map<_, _>>(),
        "response_body": exchange.response_body,
        "effective": exchange.effective,
    })
}

/// The Markdown of an issue and its comments.
fn raw(issue: &Issue) -> String {
    let mut text = format!("# {}\n\n{}\n", issue.title, issue.body);
    for comment in &issue.comments {
        let (id, author) = (comment.id, &comment.author);
        text.push_str(&format!("\n---\n\ncomment {id} by {author}\n\n{}\n", comment.body));
    }
    text
}
