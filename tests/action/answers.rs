//! A server with the answers of a test, such as GitHub never gives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// An answer with this JSON.
pub(crate) fn json(status: u16, body: &Value) -> Answer {
    answer(status, Full::new(Bytes::from(body.to_string())).boxed())
}

/// An answer that begins with `start`, and goes on with `part` for ever.
pub(crate) fn endless(status: u16, start: &'static str, part: &'static str) -> Answer {
    let parts =
        std::iter::once(Bytes::from(start)).chain(std::iter::repeat(Bytes::from(part.repeat(65_536))));
    let frames = futures::stream::iter(parts.map(|part| Ok(Frame::data(part))));
    answer(status, BodyExt::boxed(StreamBody::new(frames)))
}

fn answer(status: u16, body: BoxBody<Bytes, Infallible>) -> Answer {
    Response::builder().status(status).body(body).expect("a status")
}

/// A server that runs until it is dropped.
pub(crate) struct Answers {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Answers {
    /// Answers each request by `answer`, which gets it as `METHOD /path?query`.
    pub(crate) async fn serve(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::default();
        let task = tokio::spawn(accept(listener, Arc::new(answer), Arc::clone(&requests)));
        Self { address, requests, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, as `METHOD /path?query`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    answer: Arc<impl Fn(&str) -> Answer + Send + Sync + 'static>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
        let serve = service_fn(move |request: Request<Incoming>| {
            let line = format!("{} {}", request.method(), request.uri());
            let answer = answer(&line);
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            async move { Ok::<_, Infallible>(answer) }
        });
        // A client that has read enough hangs up.
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve),
        );
    }
}
