//! The API as a service: the arrival, the effect and the answer of each request, and the faults between
//! them.

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
use crate::fault::{Impact, Kind, impact};
use crate::identity;
use crate::joblog;
use crate::repository::sha1;
use crate::routes::{self, Request};
use crate::site;
use crate::state::{Ghes, State};

/// The API of a [`World`].
///
/// Each request takes effect, even if the client no longer waits for the answer: as on GitHub, a client that
/// gives up undoes nothing.
#[derive(Clone)]
pub struct Service {
    world: World,
}

/// The connection broke before an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke before an answer came")]
pub struct BrokenConnection;

impl Service {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }
}

type Outcome = Result<Response<Body>, BrokenConnection>;

impl<B> tower::Service<axum::http::Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Response<Body>;
    type Error = BrokenConnection;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BrokenConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let world = self.world.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await else {
                return Err(BrokenConnection);
            };
            let request = read(&parts, body.to_bytes().to_vec());
            let reply = joblog::answer(&world, &request).or_else(|| site::answer(&world, &request));
            let reply = reply.or_else(|| identity::answer(&world, &request));
            if let Some(reply) = reply {
                return Ok(bare(reply));
            }
            let (sender, receiver) = oneshot::channel();
            tokio::spawn(exchange(world, request, parts.headers, sender));
            receiver.await.unwrap_or(Err(BrokenConnection))
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

/// Serves one request, from its arrival to its answer.
async fn exchange(world: World, request: Request, headers: HeaderMap, sender: oneshot::Sender<Outcome>) {
    let arrival = world.lock().arrive(&request, &headers);
    pass(arrival.latency / 2).await;
    let reply = world.lock().take_effect(&arrival, &request);
    pass(arrival.latency - arrival.latency / 2).await;
    let mut state = world.lock();
    let outcome = match reply {
        Some(reply) if !sender.is_closed() => Ok(state.respond(&arrival, &request, &headers, reply)),
        _ => Err(BrokenConnection),
    };
    // The client may have gone.
    let _ = sender.send(outcome);
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
    failure: Option<Kind>,
    latency: Duration,
    /// The lag of the replica that answers, or that a write reads first.
    lag: Duration,
    /// Seconds to wait, if a secondary limit refuses the request.
    wait: Option<u64>,
}

impl State {
    /// Logs a request, and finds its faults, its lag and its limits.
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
        let Impact { failure, mut latency, mut lag } =
            impact(&mut self.faults, method, &request.path, &request.body);
        if let Some(draw) = &self.latency {
            latency += draw(&request.method, &request.path);
        }
        if let Some(draw) = self.replicas.lag.as_ref().filter(|_| routes::meets_lag(request)) {
            lag += draw(&request.method, &request.path);
        }
        let wait = self.limits.arrive(request.token(), &request.method, at);
        Arrival { id, failure, latency, lag, wait }
    }

    /// Lets the request take effect. `None` if the connection breaks.
    fn take_effect(&mut self, arrival: &Arrival, request: &Request) -> Option<Reply> {
        let story_length = self.story.len();
        let reply = match &arrival.failure {
            Some(Kind::StatusBefore(status)) => Some(broken(*status)),
            Some(Kind::DropBefore) => None,
            Some(Kind::RateLimited { status, retry_after, reset_in, secondary }) => {
                Some(self.limit_refusal(*status, *retry_after, *reset_in, *secondary))
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
        let effective = self.story.len() > story_length;
        if let Some(exchange) = self.exchange_mut(arrival.id) {
            exchange.effective = effective;
        }
        reply
    }

    fn answer(&mut self, arrival: &Arrival, request: &Request) -> Reply {
        match arrival.wait {
            Some(seconds) => self.limit_refusal(403, Some(seconds), None, true),
            None => routes::answer(self, request, arrival.lag),
        }
    }

    fn limit_refusal(
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

    /// Adds the common headers to a reply, and logs the answer.
    fn respond(
        &mut self,
        arrival: &Arrival,
        request: &Request,
        headers: &HeaderMap,
        reply: Reply,
    ) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = reply.status;
        let own_headers = response.headers_mut();
        let mut body = write(&reply, own_headers);
        if request.method == Method::GET && reply.status == StatusCode::OK {
            let etag = header_value(&format!("W/\"{}\"", sha1(&body)));
            let is_unchanged = headers.get(IF_NONE_MATCH) == Some(&etag);
            own_headers.insert(ETAG, etag);
            if is_unchanged {
                // https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
                self.limits.refund(request.token());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                body.clear();
            }
        }
        self.common_headers(arrival, request, response.headers_mut());
        if let Some(exchange) = self.exchange_mut(arrival.id) {
            exchange.status = Some(response.status().as_u16());
            exchange.response_headers = response.headers().clone();
            exchange.response_body = serde_json::from_slice(&body).ok();
        }
        *response.body_mut() = Body::from(body);
        response
    }

    fn common_headers(&mut self, arrival: &Arrival, request: &Request, headers: &mut HeaderMap) {
        let now = self.now();
        let window = self.limits.window(request.token(), now);
        // Rounded up: a client that waits for this second waits long enough.
        let reset = (window.reset + TimeDelta::milliseconds(999)).timestamp();
        let version = self.ghes.map_or_else(
            || "github.com".to_owned(),
            |Ghes(major, minor)| format!("enterprise-server@{major}.{minor}.0"),
        );
        let date = (now + self.date_error).format("%a, %d %b %Y %H:%M:%S GMT");
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
            // The reply's own headers count.
            if self.ghes.is_some() || name != "x-github-enterprise-version" {
                headers.entry(name).or_insert_with(|| header_value(&value));
            }
        }
    }

    /// The exchange with this id. `None` if the list has been cleared since.
    fn exchange_mut(&mut self, id: u64) -> Option<&mut Exchange> {
        let exchanges = self.exchanges.iter_mut().rev();
        let mut exchanges = exchanges.take_while(|exchange| exchange.id >= id);
        exchanges.find(|exchange| exchange.id == id)
    }
}

/// A response without the headers of the API, for the other servers and pages.
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

/// The answer of a GitHub with problems.
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
