//! The JSON Schema of the targets file accepts the files that the reader accepts. `release_record` checks a file against
//! the schema of the release's record.

use release_ticket_action::targets::schema::json_schema;
use release_ticket_action::targets::{Defaults, parse_file};
use release_ticket_action::ticket::release;
use serde_json::Value;

#[test]
fn the_files_in_the_repository_are_the_schemas_of_the_code() {
    let schemas = [
        ("schema/release-targets.json", json_schema()),
        ("schema/release-record.json", release::schema::json_schema()),
    ];
    for (file, schema) in schemas {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = format!("{schema:#}\n");
        let content = std::fs::read_to_string(&path).unwrap_or_default();
        // The test writes the file, so that only the commit is left to do.
        if content != text {
            std::fs::write(&path, &text).expect("a writable folder");
        }
        assert!(content == text, "{file} was out of date; this test has written it");
    }
}

#[test]
fn the_schema_and_the_reader_accept_the_same_files() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a schema");
    let hub = "acme/hub".parse().expect("a name");
    for (fits, text) in [
        (true, "targets: [web, acme/docs]"),
        (true, "defaults: { workflow: r.yml, ref: main, inputs: { a: 1, b: true, c: [x] } }\ntargets: [web]"),
        (
            true,
            "targets: [{ repository: web, name: w, workflow: r.yml, ref: v1, inputs: { a: '{{ release }}' } }]",
        ),
        (true, "targets: [web, { repository: docs, needs: web }, { repository: api, needs: [web, docs] }]"),
        (true, "targets: [{ repository: web, ref: 1.4 }]"),
        (false, "targets: []"),
        (false, "targets: web"),
        (false, "defaults: {}"),
        (true, "- web\n- { repository: docs, needs: [web] }"),
        (
            true,
            "x-all: &all { draft: true }\ndefaults: { x-why: 1 }\ntargets: [{ repository: web, inputs: *all, x-y: [] }]",
        ),
        (true, "targets: [{ repository: web, name: on, ref: yes }, { repository: api, needs: [on] }]"),
        (true, "targets: [{ repository: web, name: 1.4 }, { repository: api, needs: 1.4 }]"),
        (true, "targets: [{ repository: web, workflow: ./.github/workflows/ui.yml }]"),
        (false, "[]"),
        (false, "web"),
        (false, "x-targets: [web]"),
        (false, "y-targets: []\ntargets: [web]"),
        (false, "targets: [{ repository: web, ref: '{{ inputs.ref }}' }]"),
        (false, "targets: [{ repository: web, needs: ['{{ inputs.ref }}'] }]"),
        (false, "target: [web]"),
        (false, "targets: [7]"),
        (false, "targets: [{ name: web }]"),
        (false, "targets: [{ repository: web, repo: x }]"),
        (false, "targets: [{ repository: web, inputs: [a] }]"),
        (false, "targets: [{ repository: web, ref: { a: b } }]"),
        (false, "targets: [web, { repository: docs, needs: { a: web } }]"),
        (false, "defaults: { needs: [web] }\ntargets: [web]"),
        (false, "targets: [{ repository: web, name: All }]"),
        (false, "targets: [{ repository: web, name: 'a, b' }]"),
        (true, "targets: [{ repository: web, needs: sign off }]\ngates: [{ name: sign off, x-why: 1 }]"),
        (true, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, approvers: alice }]"),
        (
            true,
            "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, approvers: [alice, '@acme/release'], required: 2, not-driver: true, on-moved: warn }]",
        ),
        (true, "targets: [web]\ngates: []\nfreeze: []"),
        (false, "targets: [web]\ngates: { name: go }"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [go]"),
        (false, "targets: [web]\ngates: [{ approvers: alice }]"),
        (false, "targets: [web]\ngates: [{ name: all }]"),
        (false, "targets: [web]\ngates: [{ name: 'a:b' }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, needs: web }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, approvers: [] }]"),
        (
            false,
            "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, approvers: [alice, alice] }]",
        ),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, required: 0 }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, required: 101 }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, required: '2' }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, not-driver: 'true' }]"),
        (false, "targets: [{ repository: web, needs: go }]\ngates: [{ name: go, on-moved: stop }]"),
        (true, "targets: [web]\nfreeze: { from: 2026-12-20, to: 2027-01-02T00:00Z, reason: Holidays }"),
        (
            true,
            "targets: [web]\nfreeze: [{ from: 2026-12-20T08:00:30+01:00, to: 2026-12-20T09:00-0100, reason: \"One line\\n\" }]",
        ),
        (false, "targets: [web]\nfreeze: [{ from: 2026-12-20 }]"),
        (false, "targets: [web]\nfreeze: [{ from: 2026-12-20T00:00, to: 2027-01-02 }]"),
        (false, "targets: [web]\nfreeze: [{ from: 2026, to: 2027-01-02 }]"),
        (false, "targets: [web]\nfreeze: [{ from: 2026-12-20, to: 2027-01-02, until: x }]"),
        (false, "targets: [web]\nfreeze: [{ from: 2026-12-20, to: 2027-01-02, reason: \"a\\nb\" }]"),
    ] {
        let value: Value = serde_saphyr::from_str(text).expect("YAML");
        let list = parse_file(
            "t.yml",
            text,
            &hub,
            &Defaults { workflow: Some("r.yml".into()), ..Defaults::default() },
        );
        assert_eq!(validator.is_valid(&value), fits, "the schema, of {text}");
        assert_eq!(list.problems.is_empty(), fits, "the reader, of {text}: {:?}", list.problems);
    }
}
