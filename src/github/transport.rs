//! The way to GitHub: one kept-alive HTTP client under octocrab, without its retries.
//!
//! octocrab would repeat every request, writes included, and wait for ever. So it gets the
//! [network's](crate::network) plain client here, and [`super::api`] decides what is repeated and how
//! long an answer may take.
//! Any other [`tower::Service`] can stand in for the network.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use tower::Service;

use crate::network::Network;
use crate::problem::Help;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no way to GitHub.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The address cannot be used.
    #[error("GITHUB_API_URL is `{0}`, which is not an http(s) address")]
    Address(String),
}

impl Help for TransportError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Address(_) => {
                Some("set it to the address of GitHub's API, such as `https://api.github.com`".to_owned())
            }
        }
    }
}

/// The way over the network to the API at `api_url`, which the runner names in `GITHUB_API_URL`:
/// `https://api.github.com`, `https://api.SUBDOMAIN.ghe.com`, or `https://HOST/api/v3` of a GitHub
/// Enterprise Server.
///
/// Must be called within a tokio runtime.
///
/// # Errors
///
/// When the address cannot be used.
pub fn over_network(api_url: &str, network: &Network) -> Result<Octocrab, TransportError> {
    let base: http::Uri = api_url.parse().map_err(|_| TransportError::Address(api_url.to_owned()))?;
    if !matches!(base.scheme_str(), Some("http" | "https")) || base.authority().is_none() {
        return Err(TransportError::Address(api_url.to_owned()));
    }
    Ok(over_service(network.client(), base))
}

/// The way through `service`, with `base` in front of every path.
///
/// Must be called within a tokio runtime.
pub fn over_service<S, B>(service: S, base: http::Uri) -> Octocrab
where
    S: Service<http::Request<OctoBody>, Response = http::Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    let built = OctocrabBuilder::new_empty()
        .with_service(service)
        .with_layer(&BaseUriLayer::new(base))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(octocrab) => octocrab,
        Err(never) => match never {},
    }
}

/// The whole body of an answer; none of one that has more than `limit` bytes.
pub(super) async fn body_of<B>(
    response: http::Response<B>,
    limit: usize,
) -> Result<(http::response::Parts, Option<Bytes>), BoxError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok((parts, Some(body.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => Ok((parts, None)),
        Err(error) => Err(error),
    }
}
