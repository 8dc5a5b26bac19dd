//! An HTTP proxy on this machine, as companies have them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// A proxy that forwards requests and opens tunnels, until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

/// The behaviour of a proxy towards its clients.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules {
    /// The `USER:PASSWORD` that each request needs.
    pub(crate) credentials: Option<&'static str>,
    /// The end of every tunnel, in place of the host that the request names.
    pub(crate) destination: Option<SocketAddr>,
    /// Whether it refuses every request.
    pub(crate) refuses: bool,
}

impl Proxy {
    pub(crate) async fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::default();
        let task = tokio::spawn(accept(listener, rules, Arc::clone(&requests)));
        Self { address, requests, task }
    }

    /// Its address, with `userinfo` such as `alice:secret@` or nothing.
    pub(crate) fn url(&self, userinfo: &str) -> String {
        format!("http://{userinfo}{}", self.address)
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The method and the address of each request that it received.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, rules: Rules, requests: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let requests = Arc::clone(&requests);
        let serve = service_fn(move |request: Request<Incoming>| {
            let line = format!("{} {}", request.method(), request.uri());
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            async move { Ok::<_, Infallible>(answer(request, rules).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), serve)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn answer(mut request: Request<Incoming>, rules: Rules) -> Answer {
    let header = request.headers_mut().remove(PROXY_AUTHORIZATION);
    let required_header =
        rules.credentials.map(|credentials| format!("Basic {}", BASE64_STANDARD.encode(credentials)));
    if required_header.is_some_and(|required_header| header.is_none_or(|header| header != required_header)) {
        return empty_answer(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    }
    if rules.refuses {
        return empty_answer(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::CONNECT {
        let client = Client::builder(TokioExecutor::new()).build_http();
        return client
            .request(request)
            .await
            .map_or_else(|_| empty_answer(StatusCode::BAD_GATEWAY), |response| response.map(BodyExt::boxed));
    }
    let host = request.uri().authority().expect("CONNECT names a host").to_string();
    let connection = match rules.destination {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(host).await,
    };
    let Ok(mut server) = connection else { return empty_answer(StatusCode::BAD_GATEWAY) };
    tokio::spawn(async move {
        let client = hyper::upgrade::on(request).await.expect("a tunnel follows the answer");
        // Either side may hang up.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
    });
    empty_answer(StatusCode::OK)
}

fn empty_answer(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}
