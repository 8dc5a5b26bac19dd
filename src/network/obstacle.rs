//! What keeps a connection from being opened, and how to remove it.

use std::error::Error;

use rustls::CertificateError;

use crate::problem::Help;

type BoxError = Box<dyn Error + Send + Sync>;

/// The host's name does not resolve.
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
    /// It asks for credentials, or refuses those that were given.
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
        /// The host that the connection was to lead to.
        host: String,
        /// Its answer.
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
    fn help(&self) -> Option<String> {
        Some(Obstacle::HostName.remedy().to_owned())
    }
}

impl Help for ProxyError {
    fn help(&self) -> Option<String> {
        Some(self.obstacle().remedy().to_owned())
    }
}

/// Something that keeps a connection from being opened, and that people can remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate comes from an authority that is not trusted.
    Issuer,
    /// The server's certificate is not valid, whoever issued it.
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
    /// The obstacle that caused `error`, if it is one of these.
    #[must_use]
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let obstacles = || causes(error).filter_map(Self::named);
        // A bad certificate says more than the address of the proxy that it came from.
        obstacles()
            .find(|obstacle| matches!(obstacle, Self::Issuer | Self::Certificate))
            .or(obstacles().next())
    }

    fn named(error: &(dyn Error + 'static)) -> Option<Self> {
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
        }
    }
}

/// The error and its causes, from the outside in; also the error that an [`std::io::Error`] wraps, which
/// its own [`source`](std::error::Error::source) leaves out.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref().map(std::io::Error::get_ref) {
        Some(Some(wrapped)) => Some(wrapped),
        _ => error.source(),
    })
}
