//! The network of this machine: proxies, certificates, and an HTTP client that uses both.
//!
//! A container step gets the runner's [proxies](https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/use-proxy-servers)
//! in its environment, and the variables of the workflow's `env`.

pub mod obstacle;
mod route;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::uri::{Scheme, Uri};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;
use url::{Host, Url};

use crate::job::{Environment, IDENTITY_URL};
use crate::problem::{Advice, Help, Topic};
use route::Route;

/// Variables that name files of certificate authorities: for OpenSSL and Go programs, and for actions on Node.
const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"];

/// Why the network cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// These variables name something other than an HTTP proxy. They may hold a password, so the message quotes none.
    #[error("{} must name an HTTP proxy", .0.join(", "))]
    Proxy(Vec<&'static str>),
}

impl Help for NetworkError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Proxy(_) => {
                "write `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`, with special characters of the \
                 password percent-encoded (`@` as `%40`); SOCKS proxies are not supported"
            }
        };
        Some(Topic::Proxy.advice(help))
    }
}

/// Why a file of certificate authorities was not used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The file does not exist, or cannot be read.
    #[error("{variable} names `{path}`, which cannot be read")]
    Unreadable {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{variable} names `{path}`, which is not a file of certificates in PEM format")]
    Unusable {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: String,
    },
}

impl Help for CertificatesError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Unreadable { .. } => {
                "put the file below `${{ github.workspace }}` or `${{ runner.temp }}`, which the action's \
                 container sees, and use that expression in its path"
            }
            Self::Unusable { .. } => {
                "give a text file of certificates that begin with `-----BEGIN CERTIFICATE-----`"
            }
        };
        Some(Topic::Certificate.advice(help))
    }
}

/// The network that the environment describes.
#[derive(Debug, Clone)]
pub struct Network {
    proxies: Arc<Matcher>,
    tls: Arc<ClientConfig>,
}

impl Network {
    /// Reads the proxies, and the certificate authorities in addition to the
    /// [public ones](webpki_roots).
    ///
    /// A file of certificates that cannot be used is a warning: the servers may not need it.
    ///
    /// # Errors
    ///
    /// When the environment names a proxy that cannot be used: requests must not bypass it.
    pub fn read(environment: &Environment) -> Result<(Self, Vec<CertificatesError>), NetworkError> {
        let proxies = Arc::new(proxies(environment)?);
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut failures = Vec::new();
        for variable in CERTIFICATE_VARIABLES {
            if let Some(path) = value_of(environment, variable)
                && let Err(error) = add_certificates(&mut roots, variable, path)
            {
                failures.push(error);
            }
        }
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok((Self { proxies, tls: Arc::new(tls) }, failures))
    }

    /// A client for any http(s) address, with connections of its own.
    ///
    /// It sends each request once and waits for ever: time-outs and retries are up to the caller.
    #[must_use]
    pub fn client<B>(&self) -> HttpClient<B>
    where
        B: http_body::Body<Data = Bytes> + Send,
    {
        let route = Route::new(Arc::clone(&self.proxies), Arc::clone(&self.tls));
        let connector = HttpsConnector::from((route, Arc::clone(&self.tls)));
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        HttpClient { client, proxies: Arc::clone(&self.proxies) }
    }
}

/// An HTTP client that uses the proxies, and keeps its connections alive.
#[derive(Debug)]
pub struct HttpClient<B> {
    client: legacy::Client<HttpsConnector<Route>, B>,
    proxies: Arc<Matcher>,
}

impl<B> Clone for HttpClient<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), proxies: Arc::clone(&self.proxies) }
    }
}

impl<B> Service<Request<B>> for HttpClient<B>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Incoming>;
    type Error = legacy::Error;
    type Future = legacy::ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.client.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // A tunnel has its credentials already; a request that a proxy forwards needs its own.
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(request.uri())
            && let Some(credentials) = proxy.basic_auth()
        {
            request.headers_mut().insert(PROXY_AUTHORIZATION, credentials.clone());
        }
        self.client.call(request)
    }
}

/// Whether an address leads to this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The value of a variable; none if it is blank.
fn value_of<'a>(environment: &'a Environment, variable: &str) -> Option<&'a str> {
    environment.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn proxies(environment: &Environment) -> Result<Matcher, NetworkError> {
    // The runner and curl also read the lower-case name first.
    let first_of = |variables: [&'static str; 2]| {
        variables.into_iter().find_map(|variable| Some((variable, value_of(environment, variable)?)))
    };
    let all = first_of(["all_proxy", "ALL_PROXY"]);
    let http = first_of(["http_proxy", "HTTP_PROXY"]).or(all);
    let https = first_of(["https_proxy", "HTTPS_PROXY"]).or(all);
    let mut variables: Vec<_> = [http, https]
        .into_iter()
        .flatten()
        .filter(|(_, proxy)| !is_usable(proxy))
        .map(|(name, _)| name)
        .collect();
    variables.dedup();
    if !variables.is_empty() {
        return Err(NetworkError::Proxy(variables));
    }
    let value =
        |variable: Option<(&str, &str)>| variable.map(|(_, value)| value.to_owned()).unwrap_or_default();
    let no_proxy = without_ports(&value(first_of(["no_proxy", "NO_PROXY"])));
    let no_proxy = [no_proxy].into_iter().chain(identity_host(environment)).collect::<Vec<_>>().join(",");
    Ok(Matcher::builder().http(value(http)).https(value(https)).no(no_proxy).build())
}

/// The host of the request for the job's identity, if that is this machine: no proxy leads there, and a proxy must not
/// see the token of that request.
fn identity_host(environment: &Environment) -> Option<String> {
    let url = Url::parse(value_of(environment, IDENTITY_URL)?).ok().filter(is_loopback)?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// Whether the matcher reads this as an HTTP proxy; it ignores a value that it cannot read.
fn is_usable(proxy: &str) -> bool {
    let matcher = Matcher::builder().all(proxy).build();
    let intercept = matcher.intercept(&Uri::from_static("http://anywhere"));
    intercept.is_some_and(|intercept| {
        let is_http = matches!(intercept.uri().scheme_str(), Some("http" | "https"));
        // Text besides host and port may be a part of a password.
        is_http
            && intercept.uri().authority().is_some_and(|authority| {
                let rest = authority.as_str().strip_prefix(authority.host());
                rest.is_some_and(|rest| rest.is_empty() || authority.port().is_some())
            })
    })
}

/// GitHub's page names hosts with ports, `ghes.example:443`; the matcher compares hosts only.
fn without_ports(hosts: &str) -> String {
    let without_port = |host: &str| match host.trim().rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => host.to_owned(),
        _ => host.to_owned(),
    };
    hosts.split(',').map(without_port).collect::<Vec<_>>().join(",")
}

fn add_certificates(
    roots: &mut RootCertStore,
    variable: &'static str,
    path: &str,
) -> Result<(), CertificatesError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(CertificatesError::Unreadable { variable, path, source }),
    };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().unwrap_or_default();
    match roots.add_parsable_certificates(certificates) {
        (0, _) => Err(CertificatesError::Unusable { variable, path }),
        _ => Ok(()),
    }
}
