//! The way out of this machine: proxies, certificates, and an HTTP client that honours both.
//!
//! A container step gets the runner's [proxies](https://docs.github.com/actions/how-tos/manage-runners/self-hosted-runners/use-proxy-servers)
//! in its environment, and the variables of the workflow's `env`. The requests are left to others.

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
use crate::problem::Help;
use route::Route;

/// Files with certificate authorities: of OpenSSL and Go programs, and of actions that run on Node.
const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"];

/// Why the environment describes no way out.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// These variables name something else than an HTTP proxy. They may hold a password, so none is quoted.
    #[error("{} must name an HTTP proxy", .0.join(", "))]
    Proxy(Vec<&'static str>),
}

impl Help for NetworkError {
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Proxy(_) => {
                "write `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`, and special characters of a \
                 password percent-encoded (`@` as `%40`); SOCKS proxies are not supported"
            }
        };
        Some(help.to_owned())
    }
}

/// Why a file adds no certificate authorities.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The file does not exist, or may not be read.
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
    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unreadable { .. } => {
                "put the file below `${{ github.workspace }}` or `${{ runner.temp }}`, which the action's \
                 container sees, and name it by them"
            }
            Self::Unusable { .. } => {
                "give a text file of certificates that begin with `-----BEGIN CERTIFICATE-----`"
            }
        };
        Some(help.to_owned())
    }
}

/// The way out, as the environment describes it.
#[derive(Debug, Clone)]
pub struct Network {
    proxies: Arc<Matcher>,
    tls: Arc<ClientConfig>,
}

impl Network {
    /// Reads the proxies, and the certificate authorities that are trusted besides the
    /// [public ones](webpki_roots).
    ///
    /// A file of certificates that cannot be read is returned as a warning: the servers may not need it.
    ///
    /// # Errors
    ///
    /// When the environment names a proxy that cannot be used: to go without it would be wrong.
    pub fn read(environment: &Environment) -> Result<(Self, Vec<CertificatesError>), NetworkError> {
        let proxies = Arc::new(proxies(environment)?);
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut failures = Vec::new();
        for variable in CERTIFICATE_VARIABLES {
            if let Some(path) = given(environment, variable)
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
    /// It sends each request once and waits for ever: time-outs and retries are the caller's.
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

/// An HTTP client that goes through the proxies, and keeps its connections alive.
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
        // A tunnel has its credentials already. What a proxy forwards carries them itself.
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

/// The value of a variable, unless that is blank.
fn given<'a>(environment: &'a Environment, variable: &str) -> Option<&'a str> {
    environment.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn proxies(environment: &Environment) -> Result<Matcher, NetworkError> {
    // As the runner and curl do, small letters first.
    let first_of = |variables: [&'static str; 2]| {
        variables.into_iter().find_map(|variable| Some((variable, given(environment, variable)?)))
    };
    let all = first_of(["all_proxy", "ALL_PROXY"]);
    let http = first_of(["http_proxy", "HTTP_PROXY"]).or(all);
    let https = first_of(["https_proxy", "HTTPS_PROXY"]).or(all);
    let mut unusable: Vec<_> = [http, https]
        .into_iter()
        .flatten()
        .filter(|(_, proxy)| !is_usable(proxy))
        .map(|(name, _)| name)
        .collect();
    unusable.dedup();
    if !unusable.is_empty() {
        return Err(NetworkError::Proxy(unusable));
    }
    let value = |found: Option<(&str, &str)>| found.map(|(_, value)| value.to_owned()).unwrap_or_default();
    let no = without_ports(&value(first_of(["no_proxy", "NO_PROXY"])));
    let no = [no].into_iter().chain(identity_host(environment)).collect::<Vec<_>>().join(",");
    Ok(Matcher::builder().http(value(http)).https(value(https)).no(no).build())
}

/// The host at which a job asks for its identity, if that is this machine: no proxy leads there, and none is to
/// see the token that the job asks with.
fn identity_host(environment: &Environment) -> Option<String> {
    let url = Url::parse(given(environment, IDENTITY_URL)?).ok().filter(is_loopback)?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// Whether the matcher takes this for an HTTP proxy; it ignores a value that it does not understand.
fn is_usable(proxy: &str) -> bool {
    let matcher = Matcher::builder().all(proxy).build();
    let intercept = matcher.intercept(&Uri::from_static("http://anywhere"));
    intercept.is_some_and(|intercept| {
        let is_http = matches!(intercept.uri().scheme_str(), Some("http" | "https"));
        // Text that is neither host nor port may be a part of a password.
        is_http
            && intercept.uri().authority().is_some_and(|authority| {
                let rest = authority.as_str().strip_prefix(authority.host());
                rest.is_some_and(|rest| rest.is_empty() || authority.port().is_some())
            })
    })
}

/// GitHub's page names hosts with ports, `ghes.example:443`; the matcher goes by the host alone.
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
