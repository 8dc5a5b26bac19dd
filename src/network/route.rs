//! The route of a connection: to the host itself, through a proxy's tunnel, or to a proxy that
//! forwards requests.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::uri::{Scheme, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::util::MapErr;
use tower::{Service, ServiceExt};

use super::obstacle::{ProxyError, UnknownHost};

/// The longest time to open a TCP connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Resolver = MapErr<GaiResolver, fn(std::io::Error) -> UnknownHost>;
type ProxyTunnel = Tunnel<HttpsConnector<HttpConnector<Resolver>>>;
type TunnelError = <ProxyTunnel as Service<Uri>>::Error;

/// Opens connections.
#[derive(Clone, Debug)]
pub(super) struct Route {
    proxies: Arc<Matcher>,
    tcp: HttpConnector<Resolver>,
    to_proxy: HttpsConnector<HttpConnector<Resolver>>,
}

impl Route {
    pub(super) fn new(proxies: Arc<Matcher>, tls: Arc<ClientConfig>) -> Self {
        let resolver: Resolver = GaiResolver::new().map_err(UnknownHost);
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        Self { proxies, to_proxy: HttpsConnector::from((tcp.clone(), tls)), tcp }
    }

    async fn open(self, host: Uri) -> Result<Stream, BoxError> {
        let Some(proxy) = self.proxies.intercept(&host) else {
            let io = MaybeHttpsStream::Http(self.tcp.oneshot(host).await?);
            return Ok(Stream { io, is_forwarded: false });
        };
        if host.scheme() == Some(&Scheme::HTTP) {
            let io = self.to_proxy.oneshot(proxy.uri().clone()).await;
            let io = io.map_err(|source| ProxyError::Unreachable { proxy: name_of(&proxy), source })?;
            return Ok(Stream { io, is_forwarded: true });
        }
        let mut tunnel = ProxyTunnel::new(proxy.uri().clone(), self.to_proxy);
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        let io = tunnel.oneshot(host.clone()).await.map_err(|error| tunnel_error(&proxy, &host, error))?;
        Ok(Stream { io, is_forwarded: false })
    }
}

impl Service<Uri> for Route {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, host: Uri) -> Self::Future {
        Box::pin(self.clone().open(host))
    }
}

fn tunnel_error(proxy: &Intercept, host: &Uri, error: TunnelError) -> ProxyError {
    let proxy = name_of(proxy);
    match error {
        TunnelError::ConnectFailed(source) => ProxyError::Unreachable { proxy, source },
        TunnelError::ProxyAuthRequired => ProxyError::Unauthorized { proxy },
        error => {
            let host = host.host().unwrap_or_default().to_owned();
            ProxyError::Refused { proxy, host, source: error.into() }
        }
    }
}

/// The proxy's host and port, without its credentials.
fn name_of(proxy: &Intercept) -> String {
    proxy.uri().authority().map(ToString::to_string).unwrap_or_default()
}

/// A connection, and whether a proxy forwards the requests on it. Such requests name the whole
/// address: <https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form>.
#[derive(Debug)]
pub(super) struct Stream {
    io: MaybeHttpsStream<TokioIo<TcpStream>>,
    is_forwarded: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
