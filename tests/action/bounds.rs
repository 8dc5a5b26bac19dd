//! Hostile and broken input meets a limit: an error that says what to do, instead of a panic, a step
//! without end, gigabytes, or a token in the wrong place.

use serde_json::json;
use simulated_github::Job;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::answers::{Answers, endless, json};
use crate::support::{Acme, Step};

/// A report to a ticket on this server.
fn report_to(server: &Answers) -> Step {
    let step = Step::new("report").input("ticket", "acme/hub#1").input("status", "success");
    step.input("retry-timeout", "2s").variable("GITHUB_API_URL", server.url())
}

// ---- where the ticket is ----

#[tokio::test]
async fn a_ticket_of_another_repository_than_the_steps_gets_neither_token_nor_text() {
    let acme = Acme::new().await;
    acme.world.repository("evil/hub");
    acme.world.token("target-token").can_everything();
    let ticket = acme.world.issue("evil/hub", "Mine", "", "alice");
    let step = |mode| {
        let step = Step::new(mode).input("repository", "acme/hub").input("targets", "web");
        step.input("workflow", "release.yml").input("status", "failure").input("message", "internal")
    };
    let elsewhere = format!("evil/hub#{ticket}");
    for mode in ["dispatch", "report", "notify"] {
        for event in ["inputs", "client_payload"] {
            let event = json!({ event: { "release-ticket": &elsewhere } });
            let outcome = step(mode).event(event).run_in(&acme).await;
            outcome.ends_with(2).says(&format!(
                "::error::the event's input `release-ticket` names {elsewhere}, but input `repository` names \
                 acme/hub%0Ahelp: start the run with a ticket of acme/hub"
            ));
        }
        for ticket in [&elsewhere, &format!("https://github.com/evil/hub/issues/{ticket}")] {
            let outcome = step(mode).input("ticket", ticket).run_in(&acme).await;
            outcome.ends_with(2).says(&format!(
                "::error::input `ticket` names {elsewhere}, but input `repository` names acme/hub%0Ahelp: name a \
                 ticket of acme/hub; or leave `repository` out"
            ));
        }
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_ticket_decides_where_it_is_unless_the_step_names_another_repository() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "Release", "", "alice");
    for repository in [None, Some("acme/hub"), Some("hub"), Some("ACME/Hub")] {
        let step = Step::new("report").input("status", "success").job(repository.unwrap_or("none"));
        let step = step.event(json!({ "inputs": { "release-ticket": format!("acme/hub#{ticket}") } }));
        let step = repository.into_iter().fold(step, |step, name| step.input("repository", name));
        assert_eq!(step.run_in(&acme).await.succeeds().output("delivered"), "true", "{repository:?}");
    }
    assert_eq!(acme.records(ticket).len(), 4);
}

// ---- templates ----

#[tokio::test]
async fn a_template_that_came_with_the_event_is_refused() {
    let acme = Acme::new().await;
    let template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let events = [
        json!({ "inputs": { "version": template } }),
        json!({ "client_payload": { "inputs": { "version": template } } }),
        json!({ "issue": { "number": 1, "title": template } }),
        json!({ "ref": format!("refs/heads/{template}") }),
    ];
    for event in events {
        for (name, text) in [
            ("release", template.to_owned()),
            ("title", format!("Release {template}")),
            ("body", format!("See {template}.\n")),
            ("targets", format!("- repository: web\n  inputs: {{ channel: \"{template}\" }}")),
            ("inputs", format!("channel: \"{template}\"")),
            ("only", template.to_owned()),
        ] {
            let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
            let outcome = step.event(event.clone()).input(name, text).run_in(&acme).await;
            outcome
                .ends_with(2)
                .says(&format!("input `{name}` contains a template that came with the event"));
            outcome.says("help: write `{{ inputs.NAME }}`");
        }
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_template_takes_no_gigabytes_and_ends() {
    let acme = Acme::new().await;
    for template in [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set text = 'a' * 999999 %}{{ text | replace('a', text) }}",
        "{% set a = [1] * 9999 %}{% set b = [a] * 9999 %}{% set c = [b] * 9999 %}{{ c }}",
        "{% set a = [1] * 9999 %}{% set b = [a] * 9999 %}{% set c = [b] * 9999 %}{{ c | string }}",
        "{{ [[[1] * 9999] * 9999] * 9999 ~ '' }}",
        &format!("{{{{ {}nothing }}}}", "-".repeat(30_000)),
        &"{{ 1 }}".repeat(9_999),
    ] {
        let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
        let outcome = step.input("release", template).within_memory(1 << 30).run_in(&acme).await;
        outcome.fails().says("`release`: the template").says("does not render").says("help: ");
        assert!(outcome.log.len() < 2_000, "{}", outcome.log);
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_template_that_renders_to_nothing_counts_as_blank() {
    let acme = Acme::new().await;
    let file = "targets: [{ repository: acme/web, workflow: release.yml }]";
    acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
    let event = json!({ "inputs": { "version": "1.4.0", "only": "" } });
    let step = Step::new("dispatch").event(event).input("release", "{{ inputs.version }}");
    let step = step.input("only", "{{ inputs.only }}").input("targets", "{{ inputs.targets | default('') }}");
    step.run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web").len(), 1);
    assert_eq!(acme.world.issue_view("acme/hub", 1).title, "Release 1.4.0");
}

// ---- numbers and times ----

#[tokio::test]
async fn a_duration_longer_than_any_run_is_refused() {
    let acme = Acme::new().await;
    for name in ["wait-timeout", "wait-interval", "retry-timeout"] {
        for duration in ["18446744073709551615s", "36d", "584542046090y"] {
            let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
            let outcome = step.input("wait", "true").input(name, duration).run_in(&acme).await;
            outcome.ends_with(2).says(&format!("input `{name}`: `{duration}` is more than the 35 days"));
        }
        for duration in ["99999999999999999999s", "-1s"] {
            let outcome = Step::new("dispatch").input(name, duration).run_in(&acme).await;
            outcome.ends_with(2).says(&format!("input `{name}`: `{duration}` is not a duration"));
        }
    }
    for number in ["18446744073709551616", "-1", "1e3", "0"] {
        let outcome = Step::new("dispatch").input("max-parallel", number).run_in(&acme).await;
        outcome
            .ends_with(2)
            .says(&format!("input `max-parallel`: `{number}` is not a whole number from 1 on"));
    }
    assert_eq!(acme.requests(), [""; 0]);
    let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
    step.input("max-parallel", u64::MAX).input("retry-timeout", "35d").run_in(&acme).await.succeeds();
}

#[tokio::test]
async fn a_wait_that_a_server_asks_for_is_never_endless() {
    for (header, value) in [("retry-after", u64::MAX), ("x-ratelimit-reset", u64::MAX)] {
        let server = Answers::serve(move |_| {
            let mut answer = json(429, &json!({ "message": "rate limit" }));
            answer.headers_mut().insert("x-ratelimit-remaining", 0.into());
            answer.headers_mut().insert(header, value.into());
            answer
        });
        let outcome = report_to(&server.await).input("retry-timeout", "35d").start().await;
        outcome.succeeds().says("::warning::cannot report").says("has to wait for GitHub's rate limit");
    }
}

#[tokio::test]
async fn a_time_that_no_clock_shows_is_refused() {
    for time in ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "9999999999999999-01-01T00:00:00Z"] {
        let url = "https://github.com";
        let comment = json!({ "id": 1, "html_url": url, "created_at": time, "updated_at": time });
        let server = Answers::serve(move |_| json(200, &json!([comment]))).await;
        let outcome = report_to(&server).start().await;
        outcome.succeeds().says("::warning::cannot report").says("is malformed");
    }
}

#[tokio::test]
async fn numbers_that_a_member_wrote_into_a_record_leave_room_for_the_next() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let claim = acme.records(ticket).remove(0).body;
    let seq = claim.split_once("\"seq\":").and_then(|(_, rest)| rest.split_once(',')).expect("a number").0;
    let forgery = claim.replace(&format!("\"seq\":{seq},"), &format!("\"seq\":{},", u64::MAX));
    assert_ne!(forgery, claim);
    acme.world.comment("acme/hub", ticket, "alice", &forgery);
    let step = Step::new("dispatch").input("targets", "web, api").input("workflow", "release.yml");
    step.input("release", "1.4.0").run(acme.world.runs("acme/hub")[0].id).run_in(&acme).await.succeeds();
    assert_eq!((acme.world.runs("acme/web").len(), acme.world.runs("acme/api").len()), (1, 1));
}

// ---- answers ----

#[tokio::test]
async fn a_list_that_always_names_a_next_page_is_not_followed_for_ever() {
    let next = "<http://127.0.0.1/x?page=2>; rel=\"next\"";
    let last = "<http://127.0.0.1/x?page=2>; rel=\"next\", <http://127.0.0.1/x?page=18446744073709551615>; rel=\"last\"";
    for link in [next, last] {
        let server = Answers::serve(move |request| {
            let mut answer = match request {
                "GET /repos/acme/hub/issues/1" => json(200, &issue()),
                _ => json(200, &json!([])),
            };
            answer.headers_mut().insert("link", link.parse().expect("a header"));
            answer
        });
        let server = server.await;
        let outcome = report_to(&server).start().await;
        outcome.succeeds().says("::warning::cannot report").says("has more than 200 pages");
        outcome.says("help: check which server answers at the API's address");
        let pages = server.requests().iter().filter(|request| request.contains("page=")).count();
        assert!((200..220).contains(&pages), "{pages}");
    }
    let server = Answers::serve(move |request| {
        let url = "https://api.github.example";
        let mut answer = match request {
            request if request.contains("/issues?") => json(200, &json!([])),
            request if request.contains("/contents/") => {
                json(200, &json!({ "url": url, "content": "b246IHdvcmtmbG93X2Rpc3BhdGNo" }))
            }
            _ => json(200, &json!({ "state": "active", "default_branch": "main" })),
        };
        answer.headers_mut().insert("link", next.parse().expect("a header"));
        answer
    });
    let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
    let outcome = step.variable("GITHUB_API_URL", server.await.url()).start().await;
    outcome.fails().says("cannot look for a ticket in acme/hub").says("more than 200 pages");
}

fn issue() -> serde_json::Value {
    json!({ "number": 1, "state": "open", "html_url": "https://github.com", "title": "Release" })
}

/// The memory that a step may take in bytes, which an answer without an end exceeds.
const MEMORY: u64 = 512 << 20;

#[tokio::test]
async fn an_answer_without_an_end_takes_no_gigabytes() {
    for (status, says) in [
        (200, "has more than 67108864 bytes"),
        (403, "GitHub refused to list the comments of acme/hub#1: Forbidden (403)"),
        (429, "has to wait for GitHub's rate limit: Too Many Requests"),
        (500, "got no clear answer: 500 Internal Server Error"),
    ] {
        let server = Answers::serve(move |_| endless(status, r#"{"message":""#, "endless ")).await;
        let outcome = report_to(&server).input("retry-timeout", "1s").within_memory(MEMORY).start().await;
        outcome.succeeds().says("::warning::cannot report").says(says);
        assert!(outcome.log.len() < 4_000, "{}", outcome.log);
    }
}

#[tokio::test]
async fn a_service_that_answers_without_an_end_takes_no_gigabytes() {
    let acme = Acme::new().await;
    let job = acme.world.job_identity("acme/web", "release.yml");
    let identity = job.variables();
    for endless_path in ["/sts/exchange", "/identity"] {
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmFjbWUvd2ViIn0.c2lnbmF0dXJl";
        let server = Answers::serve(move |request| {
            if request.contains(endless_path) {
                endless(200, r#"{"value":""#, "endless")
            } else {
                json(200, &json!({ "value": jwt }))
            }
        });
        let server = server.await;
        let step = report_to(&server).without("INPUT_TOKEN").input("sts-url", server.url());
        let step = step.input("sts-identity", "report").within_memory(MEMORY);
        let step = identity.iter().fold(step, |step, (name, value)| step.variable(name, value));
        let step = step.variable("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/identity?of=1", server.url()));
        let outcome = step.start().await;
        outcome.succeeds().says("::warning::cannot report").says("more than 67108864 bytes");
    }
}

#[tokio::test]
async fn a_proxy_whose_answer_has_no_end_opens_no_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let proxy = format!("http://{}", listener.local_addr().expect("it is bound"));
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-endless: ").await;
            // Until the client closes the connection.
            while stream.write_all(&[b'a'; 65_536]).await.is_ok() {}
        }
    });
    let step = Step::new("report").input("ticket", "acme/hub#1").input("status", "success");
    let step = step.input("retry-timeout", "1s").variable("GITHUB_API_URL", "https://api.github.example");
    let outcome = step.variable("https_proxy", proxy).within_memory(MEMORY).start().await;
    task.abort();
    outcome.succeeds().says("::warning::cannot report").says("refused a connection to api.github.example");
}

#[tokio::test]
async fn a_bounded_part_of_a_servers_text_is_quoted() {
    for body in [
        json!({ "message": "long ".repeat(9_000) }),
        json!({ "message": "", "errors": ["long ".repeat(9_000)] }),
        json!("long ".repeat(9_000)),
    ] {
        for status in [200, 403, 422, 503] {
            let body = body.clone();
            let server = Answers::serve(move |_| json(status, &body)).await;
            let outcome = report_to(&server).input("retry-timeout", "1s").start().await;
            outcome.succeeds().says("::warning::cannot report");
            assert!(outcome.log.len() < 5_000, "{status}: {}", outcome.log);
        }
    }
}

// ---- characters ----

/// Clears a screen, rings, moves the cursor by a C1 control, turns the direction of the text, and ends a line.
const CONTROLS: &str = "\u{1b}[2J\u{7}\u{9b}1A\u{202e}\u{2066}\u{2028}\u{85}\u{8}";

#[track_caller]
fn assert_visible(log: &str) {
    let is_hidden = |c: char| c.is_control() && c != '\n' || CONTROLS.contains(c) && !c.is_ascii_graphic();
    assert!(!log.contains(is_hidden), "{log:?}");
}

#[tokio::test]
async fn no_control_character_reaches_the_log() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let with_controls = |name: &str| format!("{name}{CONTROLS}");
    for mode in ["dispatch", "report", "notify"] {
        for plan in ["true", "false"] {
            let step = Step::new(mode).input("ticket", format!("acme/hub#{ticket}")).input("dry-run", plan);
            let step =
                step.input("message", with_controls("said")).input("stage", with_controls("stage")).debug();
            let step = step
                .input("status", "failure")
                .input("target", with_controls("web"))
                .job(&with_controls("job"));
            let step = step
                .input("targets", "web")
                .input("workflow", "release.yml")
                .input("title", with_controls("title"));
            let step = step
                .input("release", with_controls("release"))
                .variable("GITHUB_WORKFLOW", with_controls("workflow"));
            let outcome = step.variable("GITHUB_REF", with_controls("ref")).run_in(&acme).await;
            assert_visible(&format!("{}{}", outcome.log, outcome.errors));
        }
        // Refused inputs that hold them.
        for name in [
            "mode",
            "ticket",
            "repository",
            "retry-timeout",
            "status",
            "only",
            "targets",
            "inputs",
            "body-path",
        ] {
            let step = Step::new(mode).input(name, with_controls("{{ ")).input("workflow", "release.yml");
            let outcome = step.run_in(&acme).await;
            assert_visible(&format!("{}{}", outcome.log, outcome.errors));
        }
    }
}

#[tokio::test]
async fn no_control_character_of_a_server_reaches_the_log() {
    let message = format!("so{CONTROLS}::error::there");
    for status in [200, 403, 422, 429, 503] {
        let message = message.clone();
        let server =
            Answers::serve(move |_| json(status, &json!({ "message": message, "errors": [message] }))).await;
        let outcome = report_to(&server).input("retry-timeout", "1s").debug().start().await;
        outcome.succeeds().says("::warning::cannot report");
        assert_visible(&outcome.log);
        assert!(!outcome.log.contains("\n::error::there"), "{}", outcome.log);
        if status != 200 {
            outcome.says("so\\u{1b}[2J");
        }
    }
}

#[tokio::test]
async fn no_control_character_of_a_targets_job_reaches_the_log() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
    let mut step = step.input("wait", "true").input("wait-interval", "1s").spawn_in(&acme);
    while acme.world.runs("acme/web").is_empty() {
        assert!(step.is_running(), "it starts its target");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.add_job(
        run,
        Job::new(format!("build{CONTROLS}")).step(format!("test{CONTROLS}"), "failure").conclusion("failure"),
    );
    acme.world.finish_run(run, "failure");
    let outcome = step.end().await;
    outcome.fails().says("build\\u{1b}[2J");
    assert_visible(&outcome.log);
}
