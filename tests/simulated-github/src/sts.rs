//! A security token service that speaks octo-sts's protocol: it exchanges the identity of a job for a token of its
//! own App, if a trust policy in the repository allows that.
//! <https://github.com/octo-sts/app/blob/main/docs/trust-policies.md>
//!
//! It is a service of another party, with its own address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, Response, StatusCode};
use chrono::TimeDelta;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::World;
use crate::key::verify;
use crate::repository::RepoKey;
use crate::routes::apps::mint;
use crate::server::Server;
use crate::service::BrokenConnection;
use crate::token::Level;

/// The slug of its App.
const APP: &str = "octo-sts";

/// The default audience of a policy: the service's own domain.
const DOMAIN: &str = "127.0.0.1";

/// A service on this machine. It ends when the value is dropped.
pub struct TokenService {
    server: Server,
    questions: Arc<Mutex<Vec<Question>>>,
}

/// A request to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// The path with its query.
    pub path: String,
    /// The token of the header `authorization`.
    pub bearer: String,
    /// The status of the answer.
    pub status: u16,
}

impl TokenService {
    /// Its address, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All requests so far, in the order of arrival.
    pub fn questions(&self) -> Vec<Question> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl World {
    /// Serves a token service at a free port of this machine's loopback address. Its App is `octo-sts`: install it
    /// on the owners of the repositories.
    pub async fn serve_token_service(&self) -> std::io::Result<TokenService> {
        self.app(APP);
        let questions: Arc<Mutex<Vec<Question>>> = Arc::default();
        let (world, log) = (self.clone(), questions.clone());
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let (answer, question) = answer(&world, &request);
            log.lock().unwrap_or_else(PoisonError::into_inner).push(question);
            async move { Ok::<_, BrokenConnection>(answer) }
        });
        let server = Server::of(service, (Ipv4Addr::LOCALHOST, 0).into()).await?;
        Ok(TokenService { server, questions })
    }
}

/// A policy from a file of the repository.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustPolicy {
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    issuer_pattern: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    subject_pattern: Option<String>,
    #[serde(default)]
    audience: Option<String>,
    #[serde(default)]
    claim_pattern: BTreeMap<String, String>,
    permissions: BTreeMap<String, String>,
}

/// A refusal: its status, its code in gRPC, and its message.
struct Refusal(StatusCode, u8, String);

fn not_found(message: String) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, 5, message)
}

fn permission_denied(message: String) -> Refusal {
    Refusal(StatusCode::FORBIDDEN, 7, message)
}

fn unauthenticated(message: &str) -> Refusal {
    Refusal(StatusCode::UNAUTHORIZED, 16, message.into())
}

fn answer<B>(world: &World, request: &Request<B>) -> (Response<Body>, Question) {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let (status, body) = match exchange(world, request, bearer) {
        Ok(token) => (StatusCode::OK, json!({ "token": token })),
        Err(Refusal(status, code, message)) => {
            (status, json!({ "code": code, "message": message, "details": [] }))
        }
    };
    let question = Question {
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        bearer: bearer.to_owned(),
        status: status.as_u16(),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    (response, question)
}

fn exchange<B>(world: &World, request: &Request<B>, bearer: &str) -> Result<String, Refusal> {
    if request.uri().path() != "/sts/exchange" {
        return Err(not_found("Not Found".into()));
    }
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (scope, identity) = (parameter("scope"), parameter("identity"));
    let claims = verify(bearer).ok_or_else(|| unauthenticated("unable to verify bearer token"))?;
    let mut state = world.lock();
    let now = state.second();
    if claims["exp"].as_i64().is_none_or(|end| end <= now.timestamp()) {
        return Err(unauthenticated("unable to verify bearer token"));
    }
    let key = RepoKey::new(scope);
    let owner = scope.split_once('/').map_or(scope, |(owner, _)| owner);
    let app = state.app(APP).expect("it was created with the service");
    let login = app.login();
    let installation = app.on(owner).filter(|installation| installation.covers(&key)).cloned();
    let installation =
        installation.ok_or_else(|| not_found(format!("no installation found for {owner:?}")))?;
    let path = format!(".github/chainguard/{identity}.sts.yaml");
    let policy = state.repository(&key).and_then(|data| data.tree(&data.default_branch)?.get(&path).cloned());
    let policy = policy.ok_or_else(|| not_found(format!("unable to find trust policy for {identity:?}")))?;
    let policy: TrustPolicy = serde_saphyr::from_str(&policy)
        .map_err(|_| not_found(format!("unable to parse trust policy found for {identity:?}")))?;
    policy.check(&claims)?;
    let permissions = policy.permissions.iter().map(|(name, level)| {
        let level = Level::parse(level)?;
        (*installation.permissions.get(name)? >= level).then(|| (name.clone(), level))
    });
    let permissions = permissions
        .collect::<Option<_>>()
        .ok_or_else(|| permission_denied("token exchange failure (StatusUnprocessableEntity)".into()))?;
    Ok(mint(&mut state, &installation, &login, &[key], &permissions, now + TimeDelta::hours(1)))
}

impl TrustPolicy {
    fn check(&self, claims: &Value) -> Result<(), Refusal> {
        let claim = |name: &str| claims[name].as_str().unwrap_or_default();
        matches("issuer", claim("iss"), self.issuer.as_deref(), self.issuer_pattern.as_deref())?;
        matches("subject", claim("sub"), self.subject.as_deref(), self.subject_pattern.as_deref())?;
        let audience = self.audience.as_deref().unwrap_or(DOMAIN);
        if claim("aud") != audience {
            let message =
                format!("trust policy: audience {audience:?} did not match any of [{:?}]", claim("aud"));
            return Err(permission_denied(message));
        }
        for (name, pattern) in &self.claim_pattern {
            if !fits(pattern, claim(name)) {
                return Err(permission_denied(format!(
                    "trust policy: claim {name:?} did not match {pattern:?}"
                )));
            }
        }
        Ok(())
    }
}

fn matches(claim: &str, text: &str, value: Option<&str>, pattern: Option<&str>) -> Result<(), Refusal> {
    match (value, pattern) {
        (Some(value), None) if value == text => Ok(()),
        (Some(value), None) => {
            Err(permission_denied(format!("trust policy: {claim} {text:?} did not match {value:?}")))
        }
        (None, Some(pattern)) if fits(pattern, text) => Ok(()),
        (None, Some(pattern)) => Err(permission_denied(format!(
            "trust policy: {claim} {text:?} did not match pattern {pattern:?}"
        ))),
        _ => Err(not_found("unable to compile trust policy".into())),
    }
}

/// Whether a pattern fits the whole text.
fn fits(pattern: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
}
