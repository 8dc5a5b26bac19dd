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
use crate::service::Dropped;

/// A world that answers HTTP on this machine, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Where it answers, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves `service` at an address.
    pub(crate) async fn of<S>(service: S, address: SocketAddr) -> std::io::Result<Self>
    where
        S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Dropped>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, accepting: tokio::spawn(accept(listener, service)) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl World {
    /// Serves the world at a free port of this machine's loopback address.
    ///
    /// Links in the world lead to the server from then on.
    pub async fn serve(&self) -> std::io::Result<Server> {
        self.serve_on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Serves the world at an address.
    pub async fn serve_on(&self, address: SocketAddr) -> std::io::Result<Server> {
        let server = Server::of(self.service(), address).await?;
        self.served_at(&server.url());
        Ok(server)
    }
}

/// Takes connections. They end with the task, which owns them.
async fn accept<S>(listener: TcpListener, service: S)
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Dropped>,
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

/// Answers the requests of one connection. A [`Dropped`](crate::Dropped) exchange ends it
/// without an answer.
async fn converse<S>(stream: TcpStream, service: S)
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Dropped>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let service = TowerToHyperService::new(service);
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A broken connection is what a fault asked for, or the client's own doing.
    let _ = connection.await;
}
