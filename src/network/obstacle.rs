//! Obstacles to a connection, and how people remove them.

use std::error::Error;

use rustls::CertificateError;

use crate::problem::{Advice, Help, Topic};

type BoxError = Box<dyn Error + Send + Sync>;

/// The host's name does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("the host's name does not resolve")]
pub struct UnknownHost(#[source] pub std::io::Error);

/// Why a proxy does not lead to the host.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection to the proxy was not opened.
    #[error("the proxy {proxy} cannot be reached")]
    Unreachable {
        /// Its host and port.
        proxy: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The proxy asks for credentials, or refuses those of the request.
    #[error("the proxy {proxy} asks for a valid user and password (407)")]
    Unauthorized {
        /// Its host and port.
        proxy: String,
    },
    /// The proxy refuses a connection to the host.
    #[error("the proxy {proxy} refused a connection to {host}")]
    Refused {
        /// Its host and port.
        proxy: String,
        /// The host of the request.
        host: String,
        /// The proxy's answer.
        #[source]
        source: BoxError,
    },
}

impl ProxyError {
    fn obstacle(&self) -> Obstacle {
        match self {
            Self::Unreachable { .. } => Obstacle::ProxyAddress,
            Self::Unauthorized { .. } => Obstacle::ProxyCredentials,
            Self::Refused { .. } => Obstacle::ProxyRules,
        }
    }
}

impl Help for UnknownHost {
    fn help(&self) -> Option<Advice> {
        Some(Obstacle::HostName.remedy())
    }
}

impl Help for ProxyError {
    fn help(&self) -> Option<Advice> {
        Some(self.obstacle().remedy())
    }
}

/// An obstacle to a connection that people can remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate comes from an authority that is not trusted.
    Issuer,
    /// The server's certificate is not valid, from any authority.
    Certificate,
    /// The proxy cannot be reached.
    ProxyAddress,
    /// The proxy asks for other credentials.
    ProxyCredentials,
    /// The proxy does not lead to the host.
    ProxyRules,
    /// The host's name does not resolve.
    HostName,
}

impl Obstacle {
    /// The obstacle that caused `error`, if there is one.
    #[must_use]
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let obstacles = || causes(error).filter_map(Self::of);
        // A bad certificate is a better explanation than the address of the proxy that sent it.
        obstacles()
            .find(|obstacle| matches!(obstacle, Self::Issuer | Self::Certificate))
            .or(obstacles().next())
    }

    fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<ProxyError>() {
            return Some(error.obstacle());
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

    /// Whether it may disappear within a minute.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::ProxyAddress | Self::ProxyRules | Self::HostName)
    }

    /// How to remove it.
    #[must_use]
    pub fn remedy(self) -> Advice {
        let text = match self {
            Self::Issuer => {
                "name a PEM file with the certificate authority of the server (or of a proxy that inspects TLS) \
                 in SSL_CERT_FILE or NODE_EXTRA_CA_CERTS, below `${{ github.workspace }}` or \
                 `${{ runner.temp }}`, which the action's container sees"
            }
            Self::Certificate => {
                "check the address, and the server's certificate: its names, its dates, and that it is not \
                 itself a certificate authority"
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
        };
        self.topic().advice(text)
    }

    fn topic(self) -> Topic {
        match self {
            Self::Issuer | Self::Certificate => Topic::Certificate,
            Self::ProxyAddress | Self::ProxyCredentials | Self::ProxyRules => Topic::Proxy,
            Self::HostName => Topic::Host,
        }
    }
}

/// The error and its causes, from the outside in; also the error that an [`std::io::Error`] wraps, which
/// its own [`source`](std::error::Error::source) leaves out.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref().map(std::io::Error::get_ref) {
        Some(Some(inner)) => Some(inner),
        _ => error.source(),
    })
}
