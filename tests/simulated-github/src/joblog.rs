//! The server of the logs of jobs. It is not the API: it answers at `/_logs/` of the same address by the name
//! `localhost`.
//!
//! It takes a signed link that expires after a minute, and no token, as the blob store of GitHub does. Its requests are
//! not exchanges.

use axum::http::header::{CONTENT_RANGE, HeaderName};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};

use crate::World;
use crate::call::{Payload, Reply};
use crate::repository::sha1;
use crate::routes::Request;
use crate::state::State;

/// The lifetime of a link.
const LIFETIME: TimeDelta = TimeDelta::minutes(1);

/// The condition of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogServer {
    /// It gives the part of a log that the header `range` requests.
    GivesParts,
    /// It gives whole logs only.
    GivesAll,
    /// It gives no logs.
    IsDown,
}

/// A request for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download {
    /// The job.
    pub job: u64,
    /// The header `authorization`. The server refuses a request with one.
    pub authorization: Option<String>,
    /// The header `range`.
    pub range: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// The length of the answer in bytes.
    pub bytes: usize,
}

/// A link to the log of a job.
pub(crate) fn link(state: &mut State, job: u64) -> String {
    let expires = (state.now() + LIFETIME).timestamp();
    let web = state.links.web.replace("//127.0.0.1", "//localhost");
    format!("{web}/_logs/{job}?se={expires}&sig={}", signature(job, expires))
}

fn signature(job: u64, expires: i64) -> String {
    sha1(format!("log {job} until {expires}").as_bytes())
}

/// Answers a request for a log. `None` if it is for something else.
pub(crate) fn answer(world: &World, request: &Request) -> Option<Reply> {
    let job = request.path.strip_prefix("/_logs/").filter(|_| request.method == Method::GET)?;
    let job: u64 = job.parse().ok()?;
    let mut state = world.lock();
    let reply = download(&mut state, job, request);
    let bytes = if let Payload::Bytes(bytes) = &reply.body { bytes.len() } else { 0 };
    state.downloads.push(Download {
        job,
        authorization: request.authorization.clone(),
        range: request.range.clone(),
        status: reply.status.as_u16(),
        bytes,
    });
    Some(reply)
}

fn download(state: &mut State, job: u64, request: &Request) -> Reply {
    let refusal = |status: StatusCode| Reply::empty(status);
    if request.authorization.is_some() {
        // The real server says "The account being accessed does not support …", or the like.
        return refusal(StatusCode::BAD_REQUEST);
    }
    if state.log_server == LogServer::IsDown {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    }
    let query: Vec<(String, String)> =
        form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    let of = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let expires: i64 = of("se").and_then(|text| text.parse().ok()).unwrap_or_default();
    let now = state.now();
    let has_expired = DateTime::<Utc>::from_timestamp(expires, 0).is_none_or(|end| end < now);
    if has_expired || of("sig") != Some(&signature(job, expires)) {
        return refusal(StatusCode::FORBIDDEN);
    }
    let Some(log) = state.job(job).and_then(|(_, job)| job.log.clone()) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    // A client requests the end of a log by its first byte, not by its length.
    let from = request.range.as_deref().filter(|_| state.log_server == LogServer::GivesParts);
    let from = from.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let body = Payload::Bytes(log[from.unwrap_or_default().min(log.len())..].to_vec());
    match from {
        None => Reply { status: StatusCode::OK, headers: Vec::new(), body },
        Some(from) if from >= log.len() => refusal(StatusCode::RANGE_NOT_SATISFIABLE),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", log.len() - 1, log.len());
            let headers: Vec<(HeaderName, String)> = vec![(CONTENT_RANGE, range)];
            Reply { status: StatusCode::PARTIAL_CONTENT, headers, body }
        }
    }
}
