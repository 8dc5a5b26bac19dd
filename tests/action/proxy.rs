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
    seen: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

/// What a proxy does with those who come.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules {
    /// `USER:PASSWORD` that it asks for.
    pub(crate) credentials: Option<&'static str>,
    /// Where every tunnel leads, whatever the name of the host.
    pub(crate) leads_to: Option<SocketAddr>,
    /// Whether it leads nowhere.
    pub(crate) refuses: bool,
}

impl Proxy {
    pub(crate) async fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::default();
        let accepting = tokio::spawn(accept(listener, rules, Arc::clone(&seen)));
        Self { address, seen, accepting }
    }

    /// Its address, with `userinfo` such as `alice:secret@` or nothing.
    pub(crate) fn url(&self, userinfo: &str) -> String {
        format!("http://{userinfo}{}", self.address)
    }

    /// Its host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked for: the method and what came behind it.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, rules: Rules, seen: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        let serve = service_fn(move |request: Request<Incoming>| {
            let line = format!("{} {}", request.method(), request.uri());
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            async move { Ok::<_, Infallible>(answer(request, rules).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), serve)
            .with_upgrades();
        tokio::spawn(connection);
    }
}

async fn answer(mut request: Request<Incoming>, rules: Rules) -> Answer {
    let given = request.headers_mut().remove(PROXY_AUTHORIZATION);
    let wanted =
        rules.credentials.map(|credentials| format!("Basic {}", BASE64_STANDARD.encode(credentials)));
    if wanted.is_some_and(|wanted| given.is_none_or(|given| given != wanted)) {
        return bare(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    }
    if rules.refuses {
        return bare(StatusCode::FORBIDDEN);
    }
    if request.method() != Method::CONNECT {
        let client = Client::builder(TokioExecutor::new()).build_http();
        return client
            .request(request)
            .await
            .map_or_else(|_| bare(StatusCode::BAD_GATEWAY), |response| response.map(BodyExt::boxed));
    }
    let host = request.uri().authority().expect("CONNECT names a host").to_string();
    let connected = match rules.leads_to {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(host).await,
    };
    let Ok(mut server) = connected else { return bare(StatusCode::BAD_GATEWAY) };
    tokio::spawn(async move {
        let client = hyper::upgrade::on(request).await.expect("a tunnel follows the answer");
        // Either side may hang up.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
    });
    bare(StatusCode::OK)
}

fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}
