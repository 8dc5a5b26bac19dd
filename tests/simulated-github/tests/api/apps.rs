//! GitHub Apps: their signatures, their installations, and their tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use simulated_github::{App, KeyForm, World, private_key};

use crate::support::{Answer, client, world};

/// A token that the App signs. It is valid between two moments, in seconds from now.
fn jwt(world: &World, issuer: &str, from: i64, until: i64, key: KeyForm) -> String {
    let now = world.now().timestamp();
    let claims = json!({ "iat": now + from, "exp": now + until, "iss": issuer });
    let pem = private_key(key);
    let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(der).expect("base64");
    let key = EncodingKey::from_rsa_der(&der);
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).expect("the key signs")
}

/// An App on `acme`, and a token that it signs.
pub(crate) fn app(world: &World) -> (App, String) {
    let app = world.app("acme-release").installed_on("acme", &["issues: write", "actions: read"]);
    let token = jwt(world, &app.client_id(), -60, 540, KeyForm::Pkcs1);
    (app, token)
}

/// The answer to the App's request for a token of its installation on `acme`.
pub(crate) async fn mint(world: &World, jwt: &str, body: Value) -> Answer {
    let app = client(world, jwt);
    let id = app.get("/repos/acme/hub/installation").await.json()["id"].clone();
    app.post(&format!("/app/installations/{id}/access_tokens"), body).await
}

#[tokio::test]
async fn a_signature_is_good_for_ten_minutes_and_of_one_key() {
    let world = world();
    let (app, _) = app(&world);
    let number = app.id().to_string();
    let id = app.client_id();
    for (issuer, from, until, key, status, says) in [
        (id.as_str(), -60, 540, KeyForm::Pkcs1, 200, ""),
        (&number, -60, 540, KeyForm::Pkcs1, 200, ""),
        (&id, -60, 660, KeyForm::Pkcs1, 401, "'Expiration time' claim ('exp') is too far in the future"),
        (&id, -660, -60, KeyForm::Pkcs1, 401, "('exp') must be a numeric value representing the future time"),
        (&id, 60, 540, KeyForm::Pkcs1, 401, "'Issued at' claim ('iat')"),
        (&id, -60, 540, KeyForm::Another, 401, "could not be decoded"),
        ("Iv1.nobody", -60, 540, KeyForm::Pkcs1, 404, "Integration not found"),
    ] {
        let token = jwt(&world, issuer, from, until, key);
        let answer = client(&world, &token).get("/repos/acme/hub/installation").await;
        assert_eq!(answer.status, status, "{issuer} {from} {until}");
        assert!(answer.message().contains(says), "{}", answer.message());
    }
}

#[tokio::test]
async fn an_installation_is_found_by_its_owner_and_by_a_selected_repository() {
    let world = world();
    let (app, token) = app(&world);
    app.only_for("acme", &["hub"]);
    let app = client(&world, &token);
    for (path, status) in [
        ("/repos/acme/hub/installation", 200),
        ("/repos/acme/web/installation", 404),
        ("/repos/acme/nothing/installation", 404),
        ("/repos/globex/site/installation", 404),
        ("/users/acme/installation", 200),
        ("/users/globex/installation", 404),
    ] {
        assert_eq!(app.get(path).await.status, status, "{path}");
    }
    assert_eq!(client(&world, "t").get("/users/acme/installation").await.status, 401);
}

#[tokio::test]
async fn a_token_reaches_only_its_repositories_and_permissions() {
    let world = world();
    let (app, token_of_app) = app(&world);
    let limits = json!({ "repositories": ["hub"], "permissions": { "issues": "read" } });
    let object = mint(&world, &token_of_app, limits).await.json();
    assert_eq!(object["permissions"], json!({ "issues": "read", "metadata": "read" }));
    let token = client(&world, object["token"].as_str().expect("a token"));
    assert_eq!(token.get("/repos/acme/hub/issues").await.status, 200);
    assert_eq!(token.post("/repos/acme/hub/issues", json!({ "title": "x" })).await.status, 403);
    assert_eq!(token.post("/repos/acme/web/issues", json!({ "title": "x" })).await.status, 403);

    for (body, says) in [
        (json!({ "repositories": ["hub", "nothing"] }), "at least one repository that does not exist"),
        (json!({ "permissions": { "actions": "write" } }), "permissions requested are not granted"),
        (json!({ "permissions": { "contents": "read" } }), "permissions requested are not granted"),
    ] {
        let refusal = mint(&world, &token_of_app, body).await;
        assert_eq!(refusal.status, 422);
        assert!(refusal.message().contains(says), "{}", refusal.message());
    }
    app.suspend("acme");
    assert_eq!(mint(&world, &token_of_app, json!({})).await.status, 403);
    assert_eq!(token.get("/repos/acme/hub/issues").await.status, 403);
}

#[tokio::test]
async fn a_token_ends_with_its_hour_or_when_it_is_revoked() {
    let world = world();
    let (_, token_of_app) = app(&world);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let object = mint(&world, &token_of_app, json!({})).await.json();
        tokens.push(client(&world, object["token"].as_str().expect("a token")));
    }
    let issues = "/repos/acme/hub/issues";
    assert_eq!(tokens[0].send("DELETE", "/installation/token", Value::Null).await.status, 204);
    assert_eq!((tokens[0].get(issues).await.status, tokens[1].get(issues).await.status), (401, 200));
    let flags: Vec<bool> = world.installation_tokens().iter().map(|token| token.is_revoked).collect();
    assert_eq!(flags, [true, false]);
    world.advance(Duration::from_secs(3_601));
    assert_eq!(tokens[1].get(issues).await.status, 401);
    assert_eq!(client(&world, "t").send("DELETE", "/installation/token", Value::Null).await.status, 403);
}
