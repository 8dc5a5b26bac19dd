//! The [JSON Schema](https://json-schema.org) of the file of `record-path`, in `schema/release-record.json`.

use serde_json::{Value, json};

use super::FORMAT;

/// The schema.
#[must_use]
pub fn json_schema() -> Value {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let object = |keys: &[&str], properties: Value| json!({ "type": "object", "required": keys, "properties": properties });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let period = object(
        &["phase", "from", "to"],
        json!({
            "phase": { "enum": ["queued", "running", "waiting_for_people"] },
            "from": time,
            "to": time,
        }),
    );
    let target = object(
        &["target", "repository", "attempts"],
        json!({
            "target": text,
            "repository": text,
            "version": text,
            "tag": text,
            "commit": text,
            "run": count,
            "run_url": text,
            "attempts": count,
            "skipped": { "type": "boolean" },
            "release_url": text,
            "notes": text,
            "compare_url": text,
            "commits": count,
            "periods": list(period),
            "left_out": text,
        }),
    );
    let gate = object(&["name", "from", "to"], json!({ "name": text, "from": time, "to": time }));
    let failure = object(
        &["target", "what", "at", "mended_at"],
        json!({ "target": text, "what": text, "url": text, "at": time, "mended_at": time }),
    );
    let earlier =
        object(&["ticket_url", "seconds"], json!({ "release": text, "ticket_url": text, "seconds": count }));
    let nullable = json!({ "type": ["string", "null"] });
    let commit = object(
        &["target", "repository", "ref"],
        json!({ "target": text, "repository": text, "ref": text, "sha": text }),
    );
    let decision = object(
        &["who", "command", "names", "at", "url"],
        json!({
            "who": text,
            "command": nullable,
            "names": list(text.clone()),
            "reason": nullable,
            "at": time,
            "url": text,
            "commits": list(commit),
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The record of a release",
        "description": "The file that the output `record-path` names. Newer releases of the action may add properties.",
        "type": "object",
        "required": ["format", "run_url", "ticket_url", "started_at", "ended_at", "seconds", "targets", "decisions"],
        "properties": {
            "format": { "const": FORMAT },
            "release": text,
            "ticket_url": text,
            "run_url": text,
            "started_at": time,
            "ended_at": time,
            "seconds": count,
            "targets": list(target),
            "gates": list(gate),
            "failed_first": failure,
            "earlier": list(earlier),
            "decisions": list(decision),
        },
    })
}
