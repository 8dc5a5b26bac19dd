//! Attestations of artifacts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::call::{Answer, Call, Reply};

/// The attestations of a digest. Without any, the answer is a 404.
pub(super) fn list(call: Call<'_>) -> Answer {
    let (digest, repository) = (call.param("subject_digest"), call.repository()?);
    let of_digest = repository.attestations.iter().filter(|(subject, _)| *subject == digest);
    let bundles: Vec<Value> = of_digest.map(|(_, statement)| bundle(statement)).collect();
    if bundles.is_empty() {
        return Err(Reply::not_found());
    }
    let id = repository.id;
    let attestations = bundles.into_iter().map(|bundle| json!({ "bundle": bundle, "repository_id": id }));
    Ok(Reply::ok(json!({ "attestations": attestations.collect::<Vec<_>>() })))
}

/// A bundle without a signature.
fn bundle(statement: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {},
        "dsseEnvelope": {
            "payload": BASE64.encode(statement.to_string()),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "" }],
        },
    })
}
