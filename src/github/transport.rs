//! The way to GitHub: one kept-alive HTTP client under octocrab, without its retries.
//!
//! octocrab would repeat every request, writes too, and wait for ever. So it gets the
//! [network's](crate::network) plain client here, and [`super::api`] decides which request is repeated and how
//! long an answer may take. For a renamed repository GitHub answers with a
//! [redirect](https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects)
//! to its id. The redirected request had no effect, so the second one repeats nothing.
//! Any other [`tower::Service`] can stand in for the network.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use tower::Service;
use tower_http::follow_redirect::policy::{Action, Attempt, Limited as Hops, Policy, SameOrigin};
use tower_http::follow_redirect::{FollowRedirectLayer, RequestUri};

use crate::network::Network;
use crate::problem::{Advice, Help, Topic};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why no connection to GitHub can be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The address is not an http(s) address.
    #[error("GITHUB_API_URL is `{0}`, which is not an http(s) address")]
    Address(String),
}

impl Help for TransportError {
    fn help(&self) -> Option<Advice> {
        let text = match self {
            Self::Address(_) => "set it to the address of GitHub's API, such as `https://api.github.com`",
        };
        Some(Topic::Host.advice(text))
    }
}

/// A client of the API at `api_url` over the network. The runner names the address in `GITHUB_API_URL`:
/// `https://api.github.com`, `https://api.SUBDOMAIN.ghe.com`, or `https://HOST/api/v3` of a GitHub
/// Enterprise Server.
///
/// Must be called within a tokio runtime.
///
/// # Errors
///
/// When `api_url` is not an http(s) address.
pub fn over_network(api_url: &str, network: &Network) -> Result<Octocrab, TransportError> {
    let base: http::Uri = api_url.parse().map_err(|_| TransportError::Address(api_url.to_owned()))?;
    if !matches!(base.scheme_str(), Some("http" | "https")) || base.authority().is_none() {
        return Err(TransportError::Address(api_url.to_owned()));
    }
    Ok(over_service(network.client(), base))
}

/// A client over `service`, with `base` in front of every path.
///
/// Must be called within a tokio runtime.
pub fn over_service<S, B>(service: S, base: http::Uri) -> Octocrab
where
    S: Service<http::Request<OctoBody>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    let result = OctocrabBuilder::new_empty()
        .with_service(service)
        .with_layer(&FollowRedirectLayer::with_policy(Redirects::default()))
        .with_layer(&BaseUriLayer::new(base))
        .with_auth(AuthState::None)
        .build();
    match result {
        Ok(octocrab) => octocrab,
        Err(never) => match never {},
    }
}

/// The most redirects of one request that are followed: a renamed repository takes one.
const MOST_REDIRECTS: usize = 3;

/// Follows redirects on the same server (scheme, host and port), so that no token reaches another one, if the second
/// request is the same as the first: a write is followed with the statuses 307 and 308 only. The link to a log is not
/// followed: it takes no token.
#[derive(Debug, Clone)]
struct Redirects {
    hops: Hops,
    origin: SameOrigin,
}

impl Default for Redirects {
    fn default() -> Self {
        Self { hops: Hops::new(MOST_REDIRECTS), origin: SameOrigin::new() }
    }
}

impl<E> Policy<OctoBody, E> for Redirects {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, E> {
        let is_verbatim = *attempt.previous_method() == Method::GET
            || matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let is_log = attempt.status() == StatusCode::FOUND && attempt.previous().path().ends_with("/logs");
        let is_same_server = Policy::<OctoBody, E>::redirect(&mut self.origin, attempt)?.is_follow();
        if is_verbatim && is_same_server && !is_log {
            Policy::<OctoBody, E>::redirect(&mut self.hops, attempt)
        } else {
            Ok(Action::Stop)
        }
    }

    fn clone_body(&self, body: &OctoBody) -> Option<OctoBody> {
        body.try_clone()
    }
}

/// The path that answered, if a redirect led away from `old_path`.
pub(super) fn new_path(answer: &http::response::Parts, old_path: &str) -> Option<String> {
    let RequestUri(uri) = answer.extensions.get()?;
    let path = uri.path_and_query()?.as_str();
    (!path.ends_with(old_path)).then(|| path.to_owned())
}

/// The whole body of an answer; none if it has more than `limit` bytes.
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http::Uri;
    use http::header::{AUTHORIZATION, LOCATION};
    use http_body_util::Full;
    use serde_json::json;

    use super::*;

    /// Sends one request to a server that redirects the path `/old` to `location`, and answers every other path.
    /// Returns the status of the answer, and the requests that the server got.
    async fn exchange(method: Method, status: u16, location: &'static str) -> (u16, Vec<String>) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let requests = log.clone();
        let service = tower::service_fn(move |request: http::Request<OctoBody>| {
            let requests = requests.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let body = String::from_utf8_lossy(&body).into_owned();
                let token = parts.headers.get(AUTHORIZATION).and_then(|token| token.to_str().ok());
                let token = token.unwrap_or("no token");
                let (method, uri) = (&parts.method, &parts.uri);
                requests.lock().expect("no panic").push(format!("{method} {uri} {body} {token}"));
                let answer = http::Response::builder();
                let answer = match uri.path() {
                    "/api/old" => answer.status(status).header(LOCATION, location),
                    _ => answer.status(200),
                };
                Ok::<_, Infallible>(answer.body(Full::new(Bytes::from("{}"))).expect("a response"))
            }
        });
        let octocrab = over_service(service, Uri::from_static("https://github.example/api"));
        let builder = http::Request::builder().method(method.clone()).uri("/old").header(AUTHORIZATION, "t");
        let body = (method != Method::GET).then(|| json!({ "x": 1 }));
        let request = octocrab.build_request(builder, body.as_ref()).expect("a request");
        let (parts, _) =
            body_of(octocrab.execute(request).await.expect("an answer"), 9).await.expect("a body");
        let log = log.lock().expect("no panic").clone();
        assert_eq!(new_path(&parts, "/old").is_some(), log.len() > 1);
        (parts.status.as_u16(), log)
    }

    #[tokio::test]
    async fn a_redirect_on_the_same_server_is_followed_as_it_was_sent() {
        const NEW: &str = "https://github.example/api/repositories/1?page=2";
        for (method, status, body) in [
            (Method::GET, 301, ""),
            (Method::GET, 302, ""),
            (Method::GET, 307, ""),
            (Method::POST, 307, "{\"x\":1}"),
            (Method::PATCH, 308, "{\"x\":1}"),
        ] {
            let (answer, requests) = exchange(method.clone(), status, NEW).await;
            let old = format!("{method} https://github.example/api/old {body} t");
            assert_eq!((answer, requests), (200, vec![old, format!("{method} {NEW} {body} t")]), "{status}");
        }
        let (_, requests) = exchange(Method::GET, 301, "/api/new").await;
        assert_eq!(requests[1], "GET https://github.example/api/new  t");
    }

    #[tokio::test]
    async fn a_redirect_elsewhere_and_a_write_that_would_change_are_not_followed() {
        for location in [
            "https://other.example/api/new",
            "https://github.example.other.example/api/new",
            "https://github.example:8443/api/new",
            "http://github.example/api/new",
            "//other.example/new",
            "https://github.example@other.example/new",
        ] {
            let (status, requests) = exchange(Method::POST, 307, location).await;
            assert_eq!((status, requests.len()), (307, 1), "{location}");
        }
        for (method, status) in
            [(Method::POST, 301), (Method::PATCH, 301), (Method::DELETE, 302), (Method::PUT, 303)]
        {
            let (answer, requests) = exchange(method, status, "https://github.example/api/new").await;
            assert_eq!((answer, requests.len()), (status, 1));
        }
    }

    #[tokio::test]
    async fn redirects_in_a_circle_end() {
        let (status, requests) = exchange(Method::POST, 307, "https://github.example/api/old?again").await;
        assert_eq!((status, requests.len()), (307, 1 + MOST_REDIRECTS));
    }
}
