//! A security token service that speaks octo-sts's protocol: it is shown the identity of a job, and
//! gives a token of its own App where a trust policy in the repository says so.
//! <https://github.com/octo-sts/app/blob/main/docs/trust-policies.md>
//!
//! It is somebody else's service, with an address of its own.

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
use crate::key::verified;
use crate::repository::RepoKey;
use crate::routes::apps::mint;
use crate::server::Server;
use crate::service::Dropped;
use crate::token::Level;

/// The App that it acts as.
const APP: &str = "octo-sts";

/// What it expects as the audience: its own domain.
const DOMAIN: &str = "127.0.0.1";

/// A service that answers on this machine, until it is dropped.
pub struct TokenService {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A question that it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The path with its query.
    pub path: String,
    /// What the question was authorized with.
    pub bearer: String,
    /// The status of the answer.
    pub status: u16,
}

impl TokenService {
    /// Where it answers.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl World {
    /// Serves a token service at a free port of this machine's loopback address. It is the App
    /// `octo-sts`, which is to be installed where tokens are wanted.
    pub async fn serve_token_service(&self) -> std::io::Result<TokenService> {
        self.app(APP);
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (world, log) = (self.clone(), asked.clone());
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let (answer, asked) = answer(&world, &request);
            log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            async move { Ok::<_, Dropped>(answer) }
        });
        let server = Server::of(service, (Ipv4Addr::LOCALHOST, 0).into()).await?;
        Ok(TokenService { server, asked })
    }
}

/// A policy as it is written into the repository.
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

fn denied(message: String) -> Refusal {
    Refusal(StatusCode::FORBIDDEN, 7, message)
}

fn unauthenticated(message: &str) -> Refusal {
    Refusal(StatusCode::UNAUTHORIZED, 16, message.into())
}

fn answer<B>(world: &World, request: &Request<B>) -> (Response<Body>, Asked) {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let (status, body) = match exchange(world, request, bearer) {
        Ok(token) => (StatusCode::OK, json!({ "token": token })),
        Err(Refusal(status, code, message)) => {
            (status, json!({ "code": code, "message": message, "details": [] }))
        }
    };
    let asked = Asked {
        path: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        bearer: bearer.to_owned(),
        status: status.as_u16(),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    (response, asked)
}

fn exchange<B>(world: &World, request: &Request<B>, bearer: &str) -> Result<String, Refusal> {
    if request.uri().path() != "/sts/exchange" {
        return Err(not_found("Not Found".into()));
    }
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let asked = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (scope, identity) = (asked("scope"), asked("identity"));
    let claims = verified(bearer).ok_or_else(|| unauthenticated("unable to verify bearer token"))?;
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
        .ok_or_else(|| denied("token exchange failure (StatusUnprocessableEntity)".into()))?;
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
            return Err(denied(message));
        }
        for (name, pattern) in &self.claim_pattern {
            if !fits(pattern, claim(name)) {
                return Err(denied(format!("trust policy: claim {name:?} did not match {pattern:?}")));
            }
        }
        Ok(())
    }
}

fn matches(what: &str, is: &str, exactly: Option<&str>, pattern: Option<&str>) -> Result<(), Refusal> {
    match (exactly, pattern) {
        (Some(wanted), None) if wanted == is => Ok(()),
        (Some(wanted), None) => Err(denied(format!("trust policy: {what} {is:?} did not match {wanted:?}"))),
        (None, Some(pattern)) if fits(pattern, is) => Ok(()),
        (None, Some(pattern)) => {
            Err(denied(format!("trust policy: {what} {is:?} did not match pattern {pattern:?}")))
        }
        _ => Err(not_found("unable to compile trust policy".into())),
    }
}

/// The whole text must fit.
fn fits(pattern: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
}
