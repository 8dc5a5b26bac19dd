//! The API as a service: arrival, effect and answer of each request, and what goes wrong
//! in between.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE,
    USER_AGENT,
};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use chrono::TimeDelta;
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use crate::World;
use crate::call::{Payload, Reply};
use crate::exchange::Exchange;
use crate::fault::{Kind, Met, meet};
use crate::identity;
use crate::joblog;
use crate::repository::sha1;
use crate::routes::{self, Request};
use crate::site;
use crate::state::{Ghes, State};

/// The API of a [`World`].
///
/// A request that was sent is served to its end, even if the client stops waiting for the
/// answer: as on GitHub, giving up does not undo anything.
#[derive(Clone)]
pub struct Service {
    world: World,
}

/// The connection broke before an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke before an answer came")]
pub struct Dropped;

impl Service {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }
}

type Answered = Result<Response<Body>, Dropped>;

impl<B> tower::Service<axum::http::Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Response<Body>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let world = self.world.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await else {
                return Err(Dropped);
            };
            let request = read(&parts, body.to_bytes().to_vec());
            let beside = joblog::answer(&world, &request).or_else(|| site::answer(&world, &request));
            let beside = beside.or_else(|| identity::answer(&world, &request));
            if let Some(reply) = beside {
                return Ok(bare(reply));
            }
            let (sender, receiver) = oneshot::channel();
            tokio::spawn(exchange(world, request, parts.headers, sender));
            receiver.await.unwrap_or(Err(Dropped))
        })
    }
}

fn read(parts: &axum::http::request::Parts, body: Vec<u8>) -> Request {
    let text = |name: HeaderName| {
        let value = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let path = parts.uri.path();
    Request {
        method: parts.method.clone(),
        path: path.strip_prefix("/api/v3").unwrap_or(path).to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: text(AUTHORIZATION),
        accept: text(ACCEPT).unwrap_or_default(),
        range: text(RANGE),
        body,
    }
}

/// Serves one request, from its arrival to the moment when its answer is sent.
async fn exchange(world: World, request: Request, headers: HeaderMap, sender: oneshot::Sender<Answered>) {
    let arrival = world.lock().arrive(&request, &headers);
    pass(arrival.latency / 2).await;
    let reply = world.lock().take_effect(&arrival, &request);
    pass(arrival.latency - arrival.latency / 2).await;
    let mut state = world.lock();
    let answered = match reply {
        Some(reply) if !sender.is_closed() => Ok(state.respond(&arrival, &request, &headers, reply)),
        _ => Err(Dropped),
    };
    // Who no longer listens does not need to hear.
    let _ = sender.send(answered);
    state.limits.leave(request.token());
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A request on its way.
struct Arrival {
    id: u64,
    wrong: Option<Kind>,
    latency: Duration,
    /// How old the replica is that answers, or that a write looks at first.
    lag: Duration,
    /// Seconds to wait, if a secondary limit refuses the request.
    refused: Option<u64>,
}

impl State {
    /// Notes a request, and what will go wrong with it.
    fn arrive(&mut self, request: &Request, headers: &HeaderMap) -> Arrival {
        let id = self.next_exchange_id();
        let at = self.now();
        self.exchanges.push(Exchange {
            id,
            at,
            token: request.token().map(str::to_owned),
            user_agent: headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).map(str::to_owned),
            method: request.method.to_string(),
            path: request.path.clone(),
            query: request.query.clone(),
            request_body: serde_json::from_slice(&request.body).ok(),
            status: None,
            response_headers: HeaderMap::new(),
            response_body: None,
            effective: false,
        });
        let method = request.method.as_str();
        let Met { wrong, mut latency, mut lag } =
            meet(&mut self.faults, method, &request.path, &request.body);
        if let Some(draw) = &self.latency {
            latency += draw(&request.method, &request.path);
        }
        if let Some(draw) = self.replicas.lag.as_ref().filter(|_| routes::meets_lag(request)) {
            lag += draw(&request.method, &request.path);
        }
        let refused = self.limits.arrive(request.token(), &request.method, at);
        Arrival { id, wrong, latency, lag, refused }
    }

    /// Does what the request asks. `None` if the connection breaks.
    fn take_effect(&mut self, arrival: &Arrival, request: &Request) -> Option<Reply> {
        let told = self.story.len();
        let reply = match &arrival.wrong {
            Some(Kind::StatusBefore(status)) => Some(broken(*status)),
            Some(Kind::DropBefore) => None,
            Some(Kind::RateLimited { status, retry_after, reset_in, secondary }) => {
                Some(self.limited(*status, *retry_after, *reset_in, *secondary))
            }
            Some(Kind::StatusAfter(status)) => {
                self.answer(arrival, request);
                Some(broken(*status))
            }
            Some(Kind::DropAfter) => {
                self.answer(arrival, request);
                None
            }
            Some(Kind::Latency(_) | Kind::Lag(_)) | None => Some(self.answer(arrival, request)),
        };
        let effective = self.story.len() > told;
        if let Some(exchange) = self.exchange_mut(arrival.id) {
            exchange.effective = effective;
        }
        reply
    }

    fn answer(&mut self, arrival: &Arrival, request: &Request) -> Reply {
        match arrival.refused {
            Some(seconds) => self.limited(403, Some(seconds), None, true),
            None => routes::answer(self, request, arrival.lag),
        }
    }

    fn limited(
        &mut self,
        status: u16,
        retry_after: Option<u64>,
        reset_in: Option<u64>,
        secondary: bool,
    ) -> Reply {
        let message = match secondary {
            true => {
                "You have exceeded a secondary rate limit. Please wait a few minutes \
                     before you try again."
            }
            false => "API rate limit exceeded",
        };
        let mut reply = Reply::refusal(status_code(status), message);
        if let Some(seconds) = retry_after {
            let name = HeaderName::from_static("retry-after");
            reply = reply.header(name, seconds.to_string());
        }
        if !secondary {
            let name = HeaderName::from_static("x-ratelimit-remaining");
            reply = reply.header(name, "0");
        }
        if let Some(seconds) = reset_in {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let reset = self.now().timestamp().saturating_add(seconds);
            let name = HeaderName::from_static("x-ratelimit-reset");
            reply = reply.header(name, reset.to_string());
        }
        reply
    }

    /// Puts the common headers on a reply, and notes the answer that the client gets.
    fn respond(
        &mut self,
        arrival: &Arrival,
        request: &Request,
        headers: &HeaderMap,
        reply: Reply,
    ) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = reply.status;
        let answered = response.headers_mut();
        let mut sent = write(&reply, answered);
        if request.method == Method::GET && reply.status == StatusCode::OK {
            let etag = header_value(&format!("W/\"{}\"", sha1(&sent)));
            let unchanged = headers.get(IF_NONE_MATCH) == Some(&etag);
            answered.insert(ETAG, etag);
            if unchanged {
                // https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
                self.limits.refund(request.token());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                sent.clear();
            }
        }
        self.common_headers(arrival, request, response.headers_mut());
        if let Some(exchange) = self.exchange_mut(arrival.id) {
            exchange.status = Some(response.status().as_u16());
            exchange.response_headers = response.headers().clone();
            exchange.response_body = serde_json::from_slice(&sent).ok();
        }
        *response.body_mut() = Body::from(sent);
        response
    }

    fn common_headers(&mut self, arrival: &Arrival, request: &Request, headers: &mut HeaderMap) {
        let now = self.now();
        let window = self.limits.window(request.token(), now);
        // A reset in the middle of a second is over when the second is.
        let reset = (window.reset + TimeDelta::milliseconds(999)).timestamp();
        let version = self.ghes.map_or_else(
            || "github.com".to_owned(),
            |Ghes(major, minor)| format!("enterprise-server@{major}.{minor}.0"),
        );
        let date = (now + self.date_off).format("%a, %d %b %Y %H:%M:%S GMT");
        let values = [
            (DATE, date.to_string()),
            (HeaderName::from_static("x-github-request-id"), format!("SIM0:{:06X}", arrival.id)),
            (HeaderName::from_static("x-ratelimit-limit"), window.limit.to_string()),
            (HeaderName::from_static("x-ratelimit-remaining"), window.remaining().to_string()),
            (HeaderName::from_static("x-ratelimit-used"), window.used.to_string()),
            (HeaderName::from_static("x-ratelimit-reset"), reset.to_string()),
            (HeaderName::from_static("x-ratelimit-resource"), "core".to_owned()),
            (HeaderName::from_static("x-github-enterprise-version"), version),
        ];
        for (name, value) in values {
            // What an answer says itself counts.
            if self.ghes.is_some() || name != "x-github-enterprise-version" {
                headers.entry(name).or_insert_with(|| header_value(&value));
            }
        }
    }

    /// The exchange with this id, unless it was cleared away.
    fn exchange_mut(&mut self, id: u64) -> Option<&mut Exchange> {
        let exchanges = self.exchanges.iter_mut().rev();
        let mut exchanges = exchanges.take_while(|exchange| exchange.id >= id);
        exchanges.find(|exchange| exchange.id == id)
    }
}

/// A reply without the headers of the API, for what is no part of it.
fn bare(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = reply.status;
    let body = write(&reply, response.headers_mut());
    *response.body_mut() = Body::from(body);
    response
}

/// Puts a reply's own headers in place, and returns its body.
fn write(reply: &Reply, headers: &mut HeaderMap) -> Vec<u8> {
    let (kind, body) = match &reply.body {
        Payload::Empty => (None, Vec::new()),
        Payload::Json(value) => (Some("application/json; charset=utf-8"), value.to_string().into_bytes()),
        Payload::Text { kind, text } => (Some(*kind), text.clone().into_bytes()),
        Payload::Bytes(bytes) => (Some("application/octet-stream"), bytes.clone()),
    };
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in &reply.headers {
        headers.insert(name, header_value(value));
    }
    body
}

/// What comes back from a GitHub that is not well.
fn broken(status: u16) -> Reply {
    let status = status_code(status);
    Reply::refusal(status, status.canonical_reason().unwrap_or("Unknown error"))
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a fault names a status of HTTP")
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
}
