//! What keeps a connection from being opened, and what to do about it.

use std::error::Error;

use rustls::CertificateError;

type BoxError = Box<dyn Error + Send + Sync>;

/// Nothing is known of the host's name.
#[derive(Debug, thiserror::Error)]
#[error("the host's name does not resolve")]
pub struct UnknownHost(#[source] pub std::io::Error);

/// Why there is no way through a proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection to it was not opened.
    #[error("the proxy {proxy} cannot be reached")]
    Unreachable {
        /// Its host and port.
        proxy: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// It does not know who asks.
    #[error("the proxy {proxy} asks for a valid user and password (407)")]
    Unauthorized {
        /// Its host and port.
        proxy: String,
    },
    /// It opens no connection to the host.
    #[error("the proxy {proxy} opens no connection to {host}")]
    Refused {
        /// Its host and port.
        proxy: String,
        /// Where the connection was to lead.
        host: String,
        /// What it said instead.
        #[source]
        source: BoxError,
    },
}

/// What stands in the way, where people can remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate is of nobody who is trusted.
    Issuer,
    /// The server's certificate is not valid, whoever issued it.
    Certificate,
    /// The proxy is not there.
    ProxyAddress,
    /// The proxy wants to know who asks.
    ProxyCredentials,
    /// The proxy does not lead there.
    ProxyRules,
    /// The host is not known.
    HostName,
}

impl Obstacle {
    /// The obstacle that led to `error`, if it is one of these.
    #[must_use]
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let obstacles = || causes(error).filter_map(Self::named);
        // A certificate tells more than the proxy's address, which it came from.
        obstacles()
            .find(|obstacle| matches!(obstacle, Self::Issuer | Self::Certificate))
            .or(obstacles().next())
    }

    fn named(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<ProxyError>() {
            return Some(match error {
                ProxyError::Unreachable { .. } => Self::ProxyAddress,
                ProxyError::Unauthorized { .. } => Self::ProxyCredentials,
                ProxyError::Refused { .. } => Self::ProxyRules,
            });
        }
        if error.is::<UnknownHost>() {
            return Some(Self::HostName);
        }
        match error.downcast_ref::<rustls::Error>()? {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some(Self::Issuer),
            rustls::Error::InvalidCertificate(_) => Some(Self::Certificate),
            _ => None,
        }
    }

    /// Whether it may be gone in a minute.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::ProxyAddress | Self::ProxyRules | Self::HostName)
    }

    /// How to remove it, in the imperative.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Issuer => {
                "name a PEM file with the certificate authority of the server (or of a proxy that reads along) \
                 in SSL_CERT_FILE or NODE_EXTRA_CA_CERTS, below `${{ github.workspace }}` or \
                 `${{ runner.temp }}`, which the action's container sees"
            }
            Self::Certificate => {
                "check the address, and the server's certificate: its names, its dates, and that it is no \
                 certificate authority itself"
            }
            Self::ProxyAddress => {
                "check the variables `https_proxy` and `http_proxy` of the runner, or name the host in \
                 `no_proxy` if it is reached without a proxy"
            }
            Self::ProxyCredentials => {
                "give the proxy as `http://USER:PASSWORD@HOST:PORT` in `https_proxy` or `http_proxy`, and \
                 special characters percent-encoded (`@` as `%40`)"
            }
            Self::ProxyRules => {
                "have the proxy allow this host, or name it in `no_proxy` if it is reached without a proxy"
            }
            Self::HostName => {
                "check the address and the runner's name server; if only a proxy leads out, name it in \
                 `https_proxy`"
            }
        }
    }
}

/// The error and what caused it, from the outside in. An [`std::io::Error`] passes over the error that
/// it wraps, so that is looked at here.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref().map(std::io::Error::get_ref) {
        Some(Some(wrapped)) => Some(wrapped),
        _ => error.source(),
    })
}
