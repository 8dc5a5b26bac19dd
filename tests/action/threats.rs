//! The attacks in SECURITY.md, and their limits.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use simulated_github::World;
use tower::ServiceExt;

use crate::support::{Acme, Step};

/// The status of GitHub's answer to a request with this token.
async fn status(world: &World, token: &str, method: &str, path: &str, body: Value) -> u16 {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("user-agent", "thief")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("tests build valid requests");
    let answer = world.service().oneshot(request).await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

/// The statuses of a thief's requests: to start a target, to read its files, to list and to open issues of the hub.
async fn try_attacks(world: &World, token: &str) -> [u16; 4] {
    let start = "/repos/acme/web/actions/workflows/release.yml/dispatches";
    [
        status(world, token, "POST", start, json!({ "ref": "main" })).await,
        status(world, token, "GET", "/repos/acme/web/contents/.github/workflows/release.yml", json!({}))
            .await,
        status(world, token, "GET", "/repos/acme/hub/issues", json!({})).await,
        status(world, token, "POST", "/repos/acme/hub/issues", json!({ "title": "Stolen" })).await,
    ]
}

#[tokio::test]
async fn a_stolen_token_is_good_for_what_its_step_needs_and_for_nothing_once_it_ended() {
    let acme = Acme::new().await;
    for name in ["hub", "web"] {
        acme.world.repository(&format!("acme/{name}")).private();
    }
    let permissions = ["issues: write", "actions: write", "contents: write", "administration: write"];
    let app = acme.world.app("acme-release").installed_on("acme", &permissions);
    acme.world.app("octo-sts").installed_on("acme", &permissions);
    let policy = "issuer: https://token.actions.githubusercontent.com\nsubject_pattern: repo:acme/.*\n\
                  permissions: { issues: write }\n";
    acme.world.repository("acme/hub").file(".github/chainguard/report.sts.yaml", policy);
    let service = acme.world.serve_token_service().await.expect("a free port on loopback");
    let job = acme.world.job_identity("acme/web", "release.yml");
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let report =
        || Step::new("report").input("ticket", format!("acme/hub#{ticket}")).input("status", "success");
    acme.world.latency(|_, _| Duration::from_millis(60));

    for (name, step, limits) in [
        ("a report by an App", report().app(&app), [404, 404, 200, 201]),
        (
            "a report by a token service",
            report().exchange_identity(&job, &service, "report"),
            [404, 404, 200, 201],
        ),
        (
            "a dispatch whose ticket has a token of its own",
            Step::new("dispatch").app(&app).input("ticket-token", "hub-token").input("targets", "web"),
            [200, 200, 404, 404],
        ),
    ] {
        let before = acme.world.installation_tokens().len();
        let step = step.input("workflow", "release.yml").run(500).job(name).spawn_in(&acme);
        while acme.world.installation_tokens().len() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let secret = acme.world.installation_tokens()[before].secret.clone();
        let statuses = try_attacks(&acme.world, &secret).await;
        let statuses = statuses.map(|status| if status == 204 { 200 } else { status });
        assert_eq!(statuses, limits, "{name}");
        step.end().await;
        assert_eq!(try_attacks(&acme.world, &secret).await, [401; 4], "{name}, when it has ended");
    }
}

#[tokio::test]
async fn a_run_that_a_forks_pull_request_started_can_do_nothing_and_ends_well() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").private();
    // GitHub gives it a token that reads, no secrets, and no identity.
    acme.world.token("fork-token").can("acme/web", &["contents: read", "issues: read", "actions: read"]);
    let ticket = acme.world.issue("acme/hub", "Release", "", "alice");
    let event = json!({
        "action": "opened",
        "pull_request": { "title": format!("acme/hub#{ticket}"), "body": "release-ticket: 1" },
        "issue": { "number": 1, "pull_request": {} },
    });
    let step = |mode| Step::new(mode).input("token", "fork-token").event(event.clone());
    let blank =
        |step: Step| step.input("client-id", "Iv1.acme").input("private-key", "").input("ticket-token", "");

    let report = blank(step("report").input("status", "success")).run_in(&acme).await;
    report.succeeds().says("there is no release ticket");
    let report =
        blank(step("report").input("status", "success")).input("ticket", format!("acme/hub#{ticket}"));
    report.run_in(&acme).await.succeeds().says("help: put the App's private key into a secret");
    let service = step("report").input("status", "success").input("ticket", format!("acme/hub#{ticket}"));
    let service = service.input("sts-identity", "report").run_in(&acme).await;
    service.succeeds().says("pull requests from forks").says("id-token: write");
    step("notify")
        .input("status", "failure")
        .run_in(&acme)
        .await
        .fails()
        .says("the notice that could not be written");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn text_of_an_event_is_filled_in_and_is_no_template() {
    let acme = Acme::new().await;
    let text = "{{ event }} {% raw %} ${{ secrets.KEY }}";
    let event = json!({ "inputs": { "channel": text } });
    let workflow = "on: { workflow_dispatch: { inputs: { channel: {} } } }";
    acme.world.repository("acme/web").file(".github/workflows/release.yml", workflow);
    let step = Step::new("dispatch").event(event).input("targets", "web").input("workflow", "release.yml");
    let step =
        step.input("inputs", "channel: '{{ inputs.channel }}'").input("title", "To {{ inputs.channel }}");
    step.run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web")[0].inputs["channel"], text);
    assert_eq!(acme.world.issue_view("acme/hub", 1).title, format!("To {text}"));
}

#[tokio::test]
async fn a_record_that_a_member_forged_changes_a_row_and_starts_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let claim = acme.records(ticket).remove(0).body;
    let forgery =
        claim.replace("\"web\"", "\"api\"").replace("acme/web", "evil/api").replace("\"run\":", "\"run\":9");
    acme.world.comment("acme/hub", ticket, "alice", &forgery);
    acme.world.clear_story();
    let before = acme.world.runs("acme/web").len();
    let step = Step::new("report").run(9_000).input("ticket", format!("acme/hub#{ticket}"));
    step.input("status", "success").run_in(&acme).await.succeeds();
    // The hub believes its members: the board has the row, and everybody can see its author.
    assert!(acme.board(ticket).contains("api"), "{}", acme.board(ticket));
    assert!(!acme.world.story().contains("started"), "{}", acme.world.story());
    assert_eq!((acme.world.runs("acme/web").len(), acme.world.runs("acme/api").len()), (before, 0));
}

/// The names of tests in SECURITY.md: the texts in backquotes that look like a sentence.
fn named_tests() -> Vec<String> {
    let page = include_str!("../../SECURITY.md");
    let quotes = page.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.matches('_').count() >= 3
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quotes.filter(is_name).map(str::to_owned).collect()
}

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *all += &std::fs::read_to_string(&path).expect("a readable file");
        }
    }
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut all);
    }
    let names = named_tests();
    assert!(names.len() > 20, "{names:?}");
    let missing_tests: Vec<&String> =
        names.iter().filter(|name| !all.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing_tests, [""; 0]);
}
