//! GitHub Apps: their installations, and the tokens of their installations.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::app::{AppData, Installation, InstallationToken};
use crate::call::{Answer, Call, Reply};
use crate::json;
use crate::key;
use crate::repository::{RepoKey, RepositoryData};
use crate::state::State;
use crate::token::{Caller, Level};

/// The longest lifetime of a token that an App signs.
const LONGEST_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// The App that signed this token, or a refusal. `None` if it is another kind of token.
pub(super) fn sign_in(state: &State, token: &str, now: DateTime<Utc>) -> Option<Result<Caller, Reply>> {
    token.starts_with("eyJ").then(|| app_of(state, token, now))
}

fn app_of(state: &State, token: &str, now: DateTime<Utc>) -> Result<Caller, Reply> {
    let refusal = |message: &str| Reply::refusal(StatusCode::UNAUTHORIZED, message);
    let claims = key::verify(token).ok_or_else(|| refusal("A JSON web token could not be decoded"))?;
    let time = |name: &str| DateTime::from_timestamp(claims[name].as_i64()?, 0);
    let (Some(issued_at), Some(expires_at)) = (time("iat"), time("exp")) else {
        return Err(refusal("A JSON web token could not be decoded"));
    };
    if issued_at > now {
        return Err(refusal(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    if expires_at <= now {
        return Err(refusal(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if expires_at > now + LONGEST_LIFETIME {
        return Err(refusal("'Expiration time' claim ('exp') is too far in the future"));
    }
    let issuer = claims["iss"].as_str().map_or_else(|| claims["iss"].to_string(), str::to_owned);
    let mut apps = state.apps();
    let app = apps.find(|app| app.client_id == issuer || app.id.to_string() == issuer);
    let app = app.ok_or_else(|| Reply::refusal(StatusCode::NOT_FOUND, "Integration not found"))?;
    Ok(Caller::App { slug: app.slug.clone(), login: app.login() })
}

/// The App that sends the request.
fn app<'c>(call: &'c Call<'_>) -> Result<&'c AppData, Reply> {
    let Caller::App { slug, .. } = &call.caller else {
        let message = "A JSON web token could not be decoded";
        return Err(Reply::refusal(StatusCode::UNAUTHORIZED, message));
    };
    call.state.app(slug).ok_or_else(Reply::not_found)
}

pub(super) fn installation_of_repository(call: Call<'_>) -> Answer {
    let app = app(&call)?;
    let (owner, repo) = (call.param("owner"), call.param("repo"));
    let key = RepoKey::new(&format!("{owner}/{repo}"));
    let exists = call.state.repository(&key).is_some();
    let installation = app.on(owner).filter(|installation| exists && installation.covers(&key));
    installation_answer(&call, app, installation)
}

pub(super) fn installation_of_owner(call: Call<'_>) -> Answer {
    let app = app(&call)?;
    installation_answer(&call, app, app.on(call.param("username")))
}

fn installation_answer(call: &Call<'_>, app: &AppData, installation: Option<&Installation>) -> Answer {
    let installation = installation.ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(json::installation(&call.state.links, app, installation)))
}

/// Creates a token. It is limited to the repositories and permissions that the body names.
pub(super) fn create_token(call: Call<'_>) -> Answer {
    let app = app(&call)?;
    let id = call.number("installation_id")?;
    let installation = app.installations.iter().find(|it| it.id == id).ok_or_else(Reply::not_found)?;
    if installation.suspended_at.is_some() {
        return Err(Reply::forbidden("This installation has been suspended"));
    }
    let names = match call.names("repositories", "name")? {
        Some(names) => Some(names),
        None => names_of_ids(&call)?,
    };
    let repositories = repositories(call.state, installation, names.as_deref())?;
    let permissions = permissions(installation, &call.object("permissions")?)?;
    let login = app.login();
    let installation = installation.clone();
    let all = names.is_none() && installation.selection.is_none();
    let lifetime = call.state.installation_tokens.lifetime;
    let expires_at = call.now + lifetime;
    let secret = mint(call.state, &installation, &login, &repositories, &permissions, expires_at);
    let objects: Vec<Value> = repositories
        .iter()
        .filter_map(|key| call.state.repository(key))
        .map(|data| json::repository_of_installation(&call.state.links, data))
        .collect();
    let mut levels = level_names(&permissions);
    levels["metadata"] = json!("read");
    let mut body = json!({
        "token": secret,
        "expires_at": json::time(expires_at),
        "permissions": levels,
        "repository_selection": if all { "all" } else { "selected" },
    });
    if !all {
        body["repositories"] = Value::Array(objects);
    }
    Ok(Reply::created(body))
}

/// The names of the repositories whose ids are in the body.
fn names_of_ids(call: &Call<'_>) -> Result<Option<Vec<String>>, Reply> {
    let Some(ids) = call.field("repository_ids").and_then(Value::as_array) else { return Ok(None) };
    let names = ids.iter().map(|id| Some(call.state.repository_with_id(id.as_u64()?)?.name.clone()));
    let names: Option<Vec<String>> = names.collect();
    names.map(Some).ok_or_else(|| Reply::unprocessable(INACCESSIBLE))
}

/// The permissions of organizations, not of their repositories.
const OF_ORGANIZATIONS: [&str; 1] = ["members"];

/// A new token of an installation, which acts as `login`.
pub(crate) fn mint(
    state: &mut State,
    installation: &Installation,
    login: &str,
    repositories: &[RepoKey],
    permissions: &BTreeMap<String, Level>,
    expires_at: DateTime<Utc>,
) -> String {
    let number = state.installation_tokens.tokens.len() + 1;
    // Real tokens may be this long, and contain dots.
    let secret =
        format!("ghs_{number}.{}", crate::repository::sha1(format!("token {number}").as_bytes()).repeat(12));
    let names = repositories.iter().filter_map(|key| state.repository(key)).map(RepositoryData::full_name);
    let entry = InstallationToken {
        secret: secret.clone(),
        owner: installation.owner.clone(),
        repositories: names.collect(),
        permissions: permissions.iter().map(|(name, level)| format!("{name}: {}", level.as_str())).collect(),
        is_revoked: false,
    };
    let token = state.token_mut(&secret);
    token.actor = login.to_owned();
    token.expires_at = Some(expires_at);
    token.installation = Some(installation.id);
    token.grant_all(repositories, permissions);
    let of_organization = permissions.iter().filter(|(name, _)| OF_ORGANIZATIONS.contains(&name.as_str()));
    let of_organization = of_organization.map(|(name, level)| (name.clone(), *level)).collect();
    token.grant_all(&[RepoKey::new(&installation.owner)], &of_organization);
    state.installation_tokens.tokens.push(entry);
    secret
}

const INACCESSIBLE: &str =
    "There is at least one repository that does not exist or is not accessible to the parent installation.";

fn repositories(
    state: &State,
    installation: &Installation,
    names: Option<&[String]>,
) -> Result<Vec<RepoKey>, Reply> {
    let is_of_owner = |data: &&RepositoryData| data.owner.eq_ignore_ascii_case(&installation.owner);
    let all = state.repositories().filter(is_of_owner).map(|data| RepoKey::new(&data.full_name()));
    let reachable: Vec<RepoKey> = all.filter(|key| installation.covers(key)).collect();
    let Some(names) = names else { return Ok(reachable) };
    let keys = names.iter().map(|name| RepoKey::new(&format!("{}/{name}", installation.owner)));
    let keys: Option<Vec<RepoKey>> = keys.map(|key| reachable.contains(&key).then_some(key)).collect();
    keys.ok_or_else(|| Reply::unprocessable(INACCESSIBLE))
}

fn permissions(
    installation: &Installation,
    requests: &serde_json::Map<String, Value>,
) -> Result<BTreeMap<String, Level>, Reply> {
    if requests.is_empty() {
        return Ok(installation.permissions.clone());
    }
    let requests = requests.iter().filter(|(name, _)| *name != "metadata");
    let grants = requests.map(|(name, level)| {
        let level = level.as_str().and_then(Level::parse)?;
        let most = installation.permissions.get(name)?;
        (*most >= level).then(|| (name.clone(), level))
    });
    grants.collect::<Option<_>>().ok_or_else(|| {
        Reply::unprocessable("The permissions requested are not granted to this installation.")
    })
}

pub(crate) fn level_names(permissions: &BTreeMap<String, Level>) -> Value {
    permissions.iter().map(|(name, level)| (name.clone(), json!(level.as_str()))).collect()
}

/// Revokes the token of the request.
pub(super) fn revoke_token(call: Call<'_>) -> Answer {
    let secret = call.caller.secret().map(str::to_owned).unwrap_or_default();
    let is_of_installation = call.state.token(&secret).is_some_and(|token| token.installation.is_some());
    if !is_of_installation {
        return Err(Reply::forbidden("Resource not accessible by personal access token"));
    }
    call.state.token_mut(&secret).is_revoked = true;
    Ok(Reply::no_content())
}
