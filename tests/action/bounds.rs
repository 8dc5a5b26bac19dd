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
            let done = step(mode).event(event).run_in(&acme).await;
            done.ends_with(2).says(&format!(
                "::error::the event's input `release-ticket` names {elsewhere}, and input `repository` names \
                 acme/hub%0Ahelp: start the run with a ticket of acme/hub"
            ));
        }
        for ticket in [&elsewhere, &format!("https://github.com/evil/hub/issues/{ticket}")] {
            let done = step(mode).input("ticket", ticket).run_in(&acme).await;
            done.ends_with(2).says(&format!(
                "::error::input `ticket` names {elsewhere}, and input `repository` names acme/hub%0Ahelp: name a \
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
    let typed = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let events = [
        json!({ "inputs": { "version": typed } }),
        json!({ "client_payload": { "inputs": { "version": typed } } }),
        json!({ "issue": { "number": 1, "title": typed } }),
        json!({ "ref": format!("refs/heads/{typed}") }),
    ];
    for event in events {
        for (name, text) in [
            ("release", typed.to_owned()),
            ("title", format!("Release {typed}")),
            ("body", format!("See {typed}.\n")),
            ("targets", format!("- repository: web\n  inputs: {{ channel: \"{typed}\" }}")),
            ("inputs", format!("channel: \"{typed}\"")),
            ("only", typed.to_owned()),
        ] {
            let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
            let done = step.event(event.clone()).input(name, text).run_in(&acme).await;
            done.ends_with(2).says(&format!("input `{name}` holds a template that came with the event"));
            done.says("help: what people type is a value: write `{{ inputs.NAME }}`");
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
        let done = step.input("release", template).within_memory(1 << 30).run_in(&acme).await;
        done.fails().says("`release`: the template").says("does not render").says("help: ");
        assert!(done.log.len() < 2_000, "{}", done.log);
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_template_that_comes_to_nothing_counts_as_blank() {
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
            let done = step.input("wait", "true").input(name, duration).run_in(&acme).await;
            done.ends_with(2).says(&format!("input `{name}`: `{duration}` is more than the 35 days"));
        }
        for duration in ["99999999999999999999s", "-1s"] {
            let done = Step::new("dispatch").input(name, duration).run_in(&acme).await;
            done.ends_with(2).says(&format!("input `{name}`: `{duration}` is not a duration"));
        }
    }
    for number in ["18446744073709551616", "-1", "1e3", "0"] {
        let done = Step::new("dispatch").input("max-parallel", number).run_in(&acme).await;
        done.ends_with(2).says(&format!("input `max-parallel`: `{number}` is not a whole number from 1 on"));
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
        let done = report_to(&server.await).input("retry-timeout", "35d").start().await;
        done.succeeds().says("::warning::cannot report").says("has to wait for GitHub's rate limit");
    }
}

#[tokio::test]
async fn a_time_that_no_clock_shows_is_not_taken() {
    for time in ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "9999999999999999-01-01T00:00:00Z"] {
        let url = "https://github.com";
        let comment = json!({ "id": 1, "html_url": url, "created_at": time, "updated_at": time });
        let server = Answers::serve(move |_| json(200, &json!([comment]))).await;
        let done = report_to(&server).start().await;
        done.succeeds().says("::warning::cannot report").says("is not what it should be");
    }
}

#[tokio::test]
async fn numbers_that_a_member_wrote_into_a_record_leave_room_for_the_next() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let claim = acme.records(ticket).remove(0).body;
    let seq = claim.split_once("\"seq\":").and_then(|(_, rest)| rest.split_once(',')).expect("a number").0;
    let forged = claim.replace(&format!("\"seq\":{seq},"), &format!("\"seq\":{},", u64::MAX));
    assert_ne!(forged, claim);
    acme.world.comment("acme/hub", ticket, "alice", &forged);
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
        let server = Answers::serve(move |asked| {
            let mut answer = match asked {
                "GET /repos/acme/hub/issues/1" => json(200, &issue()),
                _ => json(200, &json!([])),
            };
            answer.headers_mut().insert("link", link.parse().expect("a header"));
            answer
        });
        let server = server.await;
        let done = report_to(&server).start().await;
        done.succeeds().says("::warning::cannot report").says("has more than 200 pages");
        done.says("help: check what answers at the API's address");
        let pages = server.asked().iter().filter(|asked| asked.contains("page=")).count();
        assert!((200..220).contains(&pages), "{pages}");
    }
    let server = Answers::serve(move |asked| {
        let url = "https://api.github.example";
        let mut answer = match asked {
            asked if asked.contains("/issues?") => json(200, &json!([])),
            asked if asked.contains("/contents/") => {
                json(200, &json!({ "url": url, "content": "b246IHdvcmtmbG93X2Rpc3BhdGNo" }))
            }
            _ => json(200, &json!({ "state": "active", "default_branch": "main" })),
        };
        answer.headers_mut().insert("link", next.parse().expect("a header"));
        answer
    });
    let step = Step::new("dispatch").input("targets", "web").input("workflow", "release.yml");
    let done = step.variable("GITHUB_API_URL", server.await.url()).start().await;
    done.fails().says("cannot look for a ticket in acme/hub").says("more than 200 pages");
}

fn issue() -> serde_json::Value {
    json!({ "number": 1, "state": "open", "html_url": "https://github.com", "title": "Release" })
}

/// Longer than the memory that the step may take.
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
        let done = report_to(&server).input("retry-timeout", "1s").within_memory(MEMORY).start().await;
        done.succeeds().says("::warning::cannot report").says(says);
        assert!(done.log.len() < 4_000, "{}", done.log);
    }
}

#[tokio::test]
async fn a_service_that_answers_without_an_end_takes_no_gigabytes() {
    let acme = Acme::new().await;
    let job = acme.world.job_identity("acme/web", "release.yml");
    let identity = job.variables();
    for endless_path in ["/sts/exchange", "/identity"] {
        let signed = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOmFjbWUvd2ViIn0.c2lnbmF0dXJl";
        let server = Answers::serve(move |asked| {
            if asked.contains(endless_path) {
                endless(200, r#"{"value":""#, "endless")
            } else {
                json(200, &json!({ "value": signed }))
            }
        });
        let server = server.await;
        let step = report_to(&server).without("INPUT_TOKEN").input("sts-url", server.url());
        let step = step.input("sts-identity", "report").within_memory(MEMORY);
        let step = identity.iter().fold(step, |step, (name, value)| step.variable(name, value));
        let step = step.variable("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/identity?of=1", server.url()));
        let done = step.start().await;
        done.succeeds().says("::warning::cannot report").says("more than 67108864 bytes");
    }
}

#[tokio::test]
async fn a_proxy_whose_answer_has_no_end_opens_no_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let proxy = format!("http://{}", listener.local_addr().expect("it is bound"));
    let accepting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx-endless: ").await;
            // Until nobody listens any more.
            while stream.write_all(&[b'a'; 65_536]).await.is_ok() {}
        }
    });
    let step = Step::new("report").input("ticket", "acme/hub#1").input("status", "success");
    let step = step.input("retry-timeout", "1s").variable("GITHUB_API_URL", "https://api.github.example");
    let done = step.variable("https_proxy", proxy).within_memory(MEMORY).start().await;
    accepting.abort();
    done.succeeds().says("::warning::cannot report").says("opens no connection to api.github.example");
}

#[tokio::test]
async fn of_what_a_server_says_a_bounded_part_is_quoted() {
    for body in [
        json!({ "message": "long ".repeat(9_000) }),
        json!({ "message": "", "errors": ["long ".repeat(9_000)] }),
        json!("long ".repeat(9_000)),
    ] {
        for status in [200, 403, 422, 503] {
            let body = body.clone();
            let server = Answers::serve(move |_| json(status, &body)).await;
            let done = report_to(&server).input("retry-timeout", "1s").start().await;
            done.succeeds().says("::warning::cannot report");
            assert!(done.log.len() < 5_000, "{status}: {}", done.log);
        }
    }
}

// ---- characters ----

/// Clears a screen, rings, moves the cursor by a C1 control, turns the direction of the text, and ends a line.
const HIDDEN: &str = "\u{1b}[2J\u{7}\u{9b}1A\u{202e}\u{2066}\u{2028}\u{85}\u{8}";

#[track_caller]
fn assert_visible(log: &str) {
    let hidden = |c: char| c.is_control() && c != '\n' || HIDDEN.contains(c) && !c.is_ascii_graphic();
    assert!(!log.contains(hidden), "{log:?}");
}

#[tokio::test]
async fn no_control_character_reaches_the_log() {
    let acme = Acme::new().await;
    let ticket = acme.dispatched("web").await;
    let hidden = |name: &str| format!("{name}{HIDDEN}");
    for mode in ["dispatch", "report", "notify"] {
        for plan in ["true", "false"] {
            let step = Step::new(mode).input("ticket", format!("acme/hub#{ticket}")).input("dry-run", plan);
            let step = step.input("message", hidden("said")).input("stage", hidden("stage")).debug();
            let step = step.input("status", "failure").input("target", hidden("web")).job(&hidden("job"));
            let step =
                step.input("targets", "web").input("workflow", "release.yml").input("title", hidden("title"));
            let step =
                step.input("release", hidden("release")).variable("GITHUB_WORKFLOW", hidden("workflow"));
            let done = step.variable("GITHUB_REF", hidden("ref")).run_in(&acme).await;
            assert_visible(&format!("{}{}", done.log, done.errors));
        }
        // Where an input is refused that holds them.
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
            let step = Step::new(mode).input(name, hidden("{{ ")).input("workflow", "release.yml");
            let done = step.run_in(&acme).await;
            assert_visible(&format!("{}{}", done.log, done.errors));
        }
    }
}

#[tokio::test]
async fn no_control_character_of_a_server_reaches_the_log() {
    let message = format!("so{HIDDEN}::error::there");
    for status in [200, 403, 422, 429, 503] {
        let message = message.clone();
        let server =
            Answers::serve(move |_| json(status, &json!({ "message": message, "errors": [message] }))).await;
        let done = report_to(&server).input("retry-timeout", "1s").debug().start().await;
        done.succeeds().says("::warning::cannot report");
        assert_visible(&done.log);
        assert!(!done.log.contains("\n::error::there"), "{}", done.log);
        if status != 200 {
            done.says("so\\u{1b}[2J");
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
        Job::new(format!("build{HIDDEN}")).step(format!("test{HIDDEN}"), "failure").concluded("failure"),
    );
    acme.world.finish_run(run, "failure");
    let done = step.end().await;
    done.fails().says("build\\u{1b}[2J");
    assert_visible(&done.log);
}
