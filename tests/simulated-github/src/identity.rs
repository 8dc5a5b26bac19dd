//! The identities of jobs: tokens that GitHub Actions signs for jobs with the permission.
//! <https://docs.github.com/actions/reference/security/oidc>
//!
//! They are not a part of the API: the exchanges do not list their requests.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::World;
use crate::call::Reply;
use crate::key::{install, sign};
use crate::repository::RepoKey;
use crate::routes::Request;

const PATH: &str = "/_identity";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The lifetime of a signed identity.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// The jobs that may request an identity, and the signed identities.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// The request token of each job, with its claims.
    jobs: Vec<(String, Map<String, Value>)>,
    tokens: Vec<String>,
}

/// A job that may request its identity. Cheap to clone.
#[derive(Clone)]
pub struct JobIdentity {
    world: World,
    token: String,
}

impl JobIdentity {
    fn claim(&self, name: &str, value: Value) -> Self {
        let mut state = self.world.lock();
        let claims = state.identities.jobs.iter_mut().find(|(token, _)| *token == self.token);
        claims.expect("a job stays").1.insert(name.into(), value);
        drop(state);
        self.clone()
    }

    /// Sets its subject. The default names its repository and branch.
    pub fn subject(&self, subject: &str) -> Self {
        self.claim("sub", json!(subject))
    }

    /// The token with which the job requests its identity.
    pub fn request_token(&self) -> &str {
        &self.token
    }

    /// The names and values of the variables that the runner adds to the job's environment.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let url = self.world.lock().links.web(format!("{PATH}?api-version=2.0"));
        [("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", self.token.clone())]
    }
}

impl World {
    /// A job of this workflow on the branch `main` that may request its identity.
    pub fn job_identity(&self, repository: &str, workflow: &str) -> JobIdentity {
        install();
        let (owner, name) = repository.split_once('/').expect("a repository is named owner/name");
        let workflow_ref = format!("{repository}/.github/workflows/{workflow}@refs/heads/main");
        let mut state = self.lock();
        let id = state.repository(&RepoKey::new(repository)).map(|data| data.id).unwrap_or_default();
        let owner_id = crate::json::user_id(owner);
        let claims = json!({
            "iss": ISSUER,
            "sub": format!("repo:{repository}:ref:refs/heads/main"),
            "repository": repository,
            "repository_id": id.to_string(),
            "repository_owner": owner,
            "repository_owner_id": owner_id.to_string(),
            "ref": "refs/heads/main",
            "event_name": "workflow_dispatch",
            "workflow_ref": workflow_ref,
            "job_workflow_ref": workflow_ref,
        });
        let token = format!("request-token-{}-{name}", state.identities.jobs.len() + 1);
        state.identities.jobs.push((token.clone(), claims.as_object().cloned().unwrap_or_default()));
        drop(state);
        JobIdentity { world: self.clone(), token }
    }

    /// The subject that GitHub gives to a repository created, renamed or transferred after 2026-07-15.
    pub fn immutable_subject(&self, repository: &str) -> String {
        let (owner, name) = repository.split_once('/').expect("a repository is named owner/name");
        let id = self.lock().repository(&RepoKey::new(repository)).map(|data| data.id).unwrap_or_default();
        let owner_id = crate::json::user_id(owner);
        format!("repo:{owner}@{owner_id}/{name}@{id}:ref:refs/heads/main")
    }

    /// All signed identities, the oldest first.
    pub fn signed_identities(&self) -> Vec<String> {
        self.lock().identities.tokens.clone()
    }
}

/// Answers a request for an identity. `None` if it is for something else.
pub(crate) fn answer(world: &World, request: &Request) -> Option<Reply> {
    (request.path == PATH).then(|| sign_identity(world, request).unwrap_or_else(|refusal| refusal))
}

fn sign_identity(world: &World, request: &Request) -> Result<Reply, Reply> {
    let mut state = world.lock();
    let is_it = |(token, _): &&(String, Map<String, Value>)| request.token() == Some(token);
    let job = state.identities.jobs.iter().find(is_it).filter(|_| request.method == Method::GET);
    let (_, mut claims) =
        job.cloned().ok_or_else(|| Reply::refusal(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
    let mut query = form_urlencoded::parse(request.query.as_bytes());
    let audience = query.find(|(name, _)| name == "audience").map(|(_, value)| value.into_owned());
    let now = state.second();
    let audience = audience.unwrap_or_else(|| "https://github.com/acme".into());
    claims.insert("aud".into(), json!(audience));
    claims.insert("iat".into(), json!(now.timestamp()));
    claims.insert("exp".into(), json!((now + LIFETIME).timestamp()));
    let token = sign(&Value::Object(claims));
    state.identities.tokens.push(token.clone());
    Ok(Reply::ok(json!({ "count": 1, "value": token })))
}
