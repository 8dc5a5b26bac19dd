//! The world on a socket.

use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::World;
use crate::service::BrokenConnection;

/// A server on this machine. It ends when the value is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Its address, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves `service` at an address.
    pub(crate) async fn of<S>(service: S, address: SocketAddr) -> std::io::Result<Self>
    where
        S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = BrokenConnection>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, service)) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    /// Serves the world at a free port of this machine's loopback address.
    ///
    /// From then on, links in the world lead to the server.
    pub async fn serve(&self) -> std::io::Result<Server> {
        self.serve_on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Serves the world at an address.
    pub async fn serve_on(&self, address: SocketAddr) -> std::io::Result<Server> {
        let server = Server::of(self.service(), address).await?;
        self.set_url(&server.url());
        Ok(server)
    }
}

/// Accepts connections. The task owns them: they end with it.
async fn accept<S>(listener: TcpListener, service: S)
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = BrokenConnection>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, service.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection. The error [`BrokenConnection`] ends it without an answer.
async fn converse<S>(stream: TcpStream, service: S)
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = BrokenConnection>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let service = TowerToHyperService::new(service);
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A fault or the client broke the connection.
    let _ = connection.await;
}
