//! Failures explain themselves: a notice shows failed jobs, the runs before and the changes, if its readers may see
//! them.

use std::time::Duration;

use simulated_github::{Fault, Issue, Job, Kind};

use crate::support::{Acme, Step, for_people};

/// A log as the runner writes it: with the time before each line.
fn log(lines: &str) -> Vec<u8> {
    let lines = lines.lines().map(|line| format!("2026-01-05T09:00:00.1234567Z {line}\n"));
    lines.collect::<String>().into_bytes()
}

const LOG: &str = "##[group]Run cargo test\n\u{1b}[36;1mcargo test\u{1b}[0m\nenv:\n  TOKEN: ***\n##[endgroup]\n\
                   test adds ... \u{1b}[31mFAILED\u{1b}[0m\nerror: test failed\n\
                   ##[error]Process completed with exit code 101.\nPost job cleanup.\n";

/// A job that failed with this log.
fn failed_job(name: &str, log: impl Into<Vec<u8>>) -> Job {
    Job::new(name).step("Run tests", "failure").log(log).conclusion("failure")
}

/// A run of the target's workflow with one job that failed, and its step that notifies.
fn notify(acme: &Acme, job: Job) -> (u64, Step) {
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    acme.world.add_job(run, job);
    acme.world.add_job(run, Job::new("notify").running());
    (run, step(acme, run))
}

fn step(acme: &Acme, run: u64) -> Step {
    let token = acme.world.token("web-token").acts_as("github-actions[bot]");
    token.can("acme/web", &["issues: write", "actions: read", "checks: read", "contents: read"]);
    let step = Step::new("notify").input("token", "web-token").input("ticket-token", "target-token");
    step.run(run).job("notify").input("status", "failure")
}

fn issue(acme: &Acme) -> Issue {
    acme.world.issues("acme/web").pop().expect("an issue")
}

/// The text of the newest issue of the target, as people see it.
fn notice_text(acme: &Acme) -> String {
    for_people(&issue(acme).body)
}

/// The requests, sorted, since some of them are sent at the same time.
fn requests(acme: &Acme) -> String {
    let mut requests = acme.requests();
    requests.sort();
    requests.join("\n")
}

/// A run that has ended with this conclusion, at the newest commit.
fn end_run(acme: &Acme, conclusion: &str) -> u64 {
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    acme.world.finish_run(run, conclusion);
    run
}

#[tokio::test]
async fn a_notice_shows_the_log_around_its_last_error_the_runs_before_and_what_changed() {
    let acme = Acme::new().await;
    for conclusion in ["success", "failure", "success", "success"] {
        end_run(&acme, conclusion);
    }
    acme.world.push_as("acme/web", "main", "Add a feature\n\nAt length.", "Dana <dana@acme.example>");
    acme.world.push_as("acme/web", "main", "Fixes #12 for @alice, see [it](https://evil.example)", "@eve");
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    acme.world.clear_exchanges();
    step.run_in(&acme).await.succeeds();
    insta::with_settings!({filters => [(r"[0-9a-f]{40}", "COMMIT"), (r"http://127.0.0.1:\d+", "https://github.com")]}, {
        insta::assert_snapshot!(notice_text(&acme).replace('\u{200b}', "¤"), @r"
        ❌ **Something went wrong** in acme/web, job `notify`: [run 7005](https://github.com/acme/web/actions/runs/7005)

        > Release failed in acme/web at main
        > [build](https://github.com/acme/web/actions/runs/7005/job/70001) failed in [step 1, Run tests](https://github.com/acme/web/actions/runs/7005/job/70001#step:1:1)

        📈 First red since [run 2](https://github.com/acme/web/actions/runs/7002): 3 of the 4 runs before it were green.

        <details><summary>🔎 <b>build</b>: the last error in its log</summary>

        ```text
        test adds ... FAILED
        error: test failed
        Error: Process completed with exit code 101.
        ```

        </details>

        [2 commits](https://github.com/acme/web/compare/COMMIT...COMMIT) since [run 4](https://github.com/acme/web/actions/runs/7004), which succeeded.

        - Fixes #¤12 for @¤alice, see \[it](https://evil.example) (eve)
        - Add a feature (Dana <¤danaacme.example>)

        @alice please have a look.
        ");
    });
    insta::assert_snapshot!(requests(&acme), @"
    GET /repos/acme/web/actions/jobs/70001/logs
    GET /repos/acme/web/actions/runs/7005
    GET /repos/acme/web/actions/runs/7005/attempts/1/jobs
    GET /repos/acme/web/actions/workflows/202/runs
    GET /repos/acme/web/check-runs/70001/annotations
    GET /repos/acme/web/compare/023174b38e376da584d129b6cb81c46d19a860bb...8d8f953c11defbe3be43291b81a5583b6aa60324
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    POST /repos/acme/web/issues
    POST /repos/acme/web/issues
    ");
    let [download] = &acme.world.downloads()[..] else { panic!("one download") };
    assert_eq!((download.status, &download.authorization, &download.range), (200, &None, &None));

    // Without an explanation, a notice asks for the jobs and the issues alone.
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    acme.world.clear_exchanges();
    step.input("explain", "off").input("fingerprint", "off").run_in(&acme).await.succeeds();
    insta::assert_snapshot!(requests(&acme), @"
    GET /repos/acme/web/actions/runs/7006/attempts/1/jobs
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    GET /repos/acme/web/issues
    POST /repos/acme/web/issues
    POST /repos/acme/web/issues
    ");
    assert!(!notice_text(&acme).contains("details"), "{}", notice_text(&acme));
}

#[tokio::test]
async fn annotations_come_before_the_log() {
    let acme = Acme::new().await;
    let build = failed_job("build", log(LOG))
        .annotation("failure", ".github", 1, "Process completed with exit code 101.")
        .annotation("warning", ".github", 1, "Node 20 is old")
        .annotation("failure", "src/lib.rs", 7, "mismatched types");
    let (_, step) = notify(&acme, build);
    step.run_in(&acme).await.succeeds();
    let notice = notice_text(&acme);
    assert!(notice.contains("<b>build</b>: its annotations"), "{notice}");
    assert!(notice.contains("```text\nsrc/lib.rs:7: mismatched types\n```"), "{notice}");
    assert!(acme.world.downloads().is_empty());
    assert_eq!(acme.requests().iter().filter(|request| request.ends_with("/logs")).count(), 0);
}

#[tokio::test]
async fn with_annotations_alone_no_log_is_read() {
    let acme = Acme::new().await;
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    step.input("explain", "annotations").run_in(&acme).await.succeeds();
    assert!(acme.world.downloads().is_empty());
    assert!(
        !notice_text(&acme).contains("details"),
        "nothing was found, and the notice does not mention it: {}",
        notice_text(&acme)
    );
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    step.input("explain", "loudly").run_in(&acme).await.ends_with(2).says("explain");
}

#[tokio::test]
async fn only_the_end_of_a_long_log_is_read() {
    let long: String = (0..200_000).map(|n| format!("line {n} of a long log\n")).collect();
    let long = log(&format!("{long}{LOG}"));
    assert!(long.len() > 10_000_000);
    for has_ranges in [true, false] {
        let acme = Acme::new().await;
        if !has_ranges {
            acme.world.logs_without_ranges();
        }
        let (_, step) = notify(&acme, failed_job("build", long.clone()));
        step.run_in(&acme).await.succeeds();
        assert!(notice_text(&acme).contains("error: test failed"), "{}", notice_text(&acme));
        let [_, end] = &acme.world.downloads()[..] else { panic!("two downloads") };
        assert_eq!(end.range, Some(format!("bytes={}-", long.len() - 256 * 1024)));
        assert_eq!(end.bytes, if has_ranges { 256 * 1024 } else { long.len() });
    }
}

#[tokio::test]
async fn the_link_to_a_log_gets_no_token_and_is_named_nowhere() {
    for is_down in [false, true] {
        let acme = Acme::new().await;
        if is_down {
            acme.world.logs_down();
        }
        let (_, step) = notify(&acme, failed_job("build", log(LOG)));
        let outcome = step.debug().run_in(&acme).await;
        outcome.succeeds();
        let [download] = &acme.world.downloads()[..] else { panic!("one download") };
        assert_eq!((&download.authorization, download.status), (&None, if is_down { 503 } else { 200 }));
        let issue = issue(&acme);
        for text in [&outcome.log, &outcome.errors, &outcome.summary, &issue.body] {
            assert!(!text.contains("_logs") && !text.contains("sig="), "{text}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_step_does_without_an_explanation() {
    let acme = Acme::new().await;
    let slow = Fault::on("GET", "/repos/acme/web/check-runs/*/annotations").always();
    acme.world.fault(slow.then(Kind::Latency(Duration::from_secs(60))));
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    let process = step.spawn_in(&acme);
    while !acme.requests().iter().any(|request| request.ends_with("/annotations")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.signal("INT");
    process.end().await.fails();
    assert!(notice_text(&acme).contains("Something went wrong"), "{}", notice_text(&acme));
}

#[tokio::test]
async fn a_hostile_log_is_text() {
    let acme = Acme::new().await;
    let mut hostile = log(
        "````\n</details><img src=x onerror=alert(1)> @alice #1 <!-- release-ticket:1 board {} -->\n\
         ::add-mask::hunter2\n::error::forged\n\u{1b}]0;title\u{7}\u{1b}[2J\u{202e}tfel\u{2066}\n10 %\r100 %\n\
         [x](javascript:alert(1))\n# Heading\n##[error]```` it broke ````",
    );
    hostile.extend(b"\xff\xfe not UTF-8 \x00\n");
    let name = "<b>@alice</b> `x`";
    let (_, step) = notify(&acme, failed_job(name, hostile));
    let outcome = step.run_in(&acme).await;
    outcome.succeeds();
    assert!(!outcome.log.contains("forged"), "{}", outcome.log);
    let notice = notice_text(&acme);
    assert!(
        !notice.contains("hunter2") && !notice.contains(['\u{1b}', '\u{202e}', '\u{2066}', '\u{0}', '\r']),
        "{notice}"
    );
    let (before, rest) = notice.split_once("`````text\n").expect("a fence of five");
    let (block, after) = rest.split_once("\n`````\n").expect("its end");
    assert!(block.contains("````\n</details><img") && block.contains("\n100 %\n"), "{block}");
    assert!(block.ends_with("\u{fffd}\u{fffd} not UTF-8"), "{block}");
    for text in [before, after] {
        assert!(!text.contains("<b>@") && !text.contains("<img") && !text.contains("#1"), "{text}");
    }
    assert_eq!(after.matches("</details>").count(), 1);
}

#[tokio::test]
async fn three_jobs_are_explained_in_four_thousand_characters() {
    let acme = Acme::new().await;
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    acme.world.add_job(run, Job::new("stopped").conclusion("cancelled"));
    for name in ["one", "two", "three", "four"] {
        let wide: String = (0..40).map(|n| format!("{n} {}\n", "🚀<@`".repeat(300))).collect();
        acme.world.add_job(run, failed_job(name, log(&format!("{wide}##[error]{name} broke"))));
    }
    step(&acme, run).run_in(&acme).await.succeeds();
    let notice = notice_text(&acme);
    let explanation =
        &notice[notice.find("<details>").expect("one")..=notice.rfind("</details>").expect("one")];
    let length = explanation.encode_utf16().count();
    assert!(length < 4_000, "{length} characters");
    for name in ["one", "two", "three"] {
        assert!(explanation.contains(&format!("<b>{name}</b>")), "{explanation}");
        assert!(explanation.contains(&format!("Error: {name} broke")), "{explanation}");
    }
    assert_eq!(explanation.matches("<details>").count(), 3);
}

#[tokio::test]
async fn a_log_is_shown_only_where_everyone_may_read_it() {
    // Where the job ran, where the ticket is, and whether its readers see the log.
    for (web, hub, is_open) in [
        ("public", "public", true),
        ("public", "private", true),
        ("internal", "private", true),
        ("internal", "internal", true),
        ("internal", "public", false),
        ("private", "private", false),
        ("private", "internal", false),
        ("private", "public", false),
    ] {
        let acme = Acme::new().await;
        for (name, visibility) in [("acme/web", web), ("acme/hub", hub)] {
            let repository = acme.world.repository(name);
            match visibility {
                "private" => drop(repository.private()),
                "internal" => drop(repository.internal()),
                _ => {}
            }
        }
        let ticket = acme.dispatch("web").await;
        end_run(&acme, "success");
        acme.world.push_as("acme/web", "main", "Add a secret feature", "Dana");
        let (_, step) = notify(&acme, failed_job("build", log(LOG)));
        acme.world.clear_exchanges();
        step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
        let notice = acme.records(ticket).pop().expect("a notice").body;
        let board = acme.board(ticket);
        for (text, is_there) in [
            ("error: test failed", is_open),
            ("secret feature", is_open),
            ("some readers of this notice may not read them there", !is_open),
            ("First red: the run before it was green.", true),
            ("step 1, Run tests", true),
        ] {
            assert_eq!(notice.contains(text), is_there, "{web} in {hub}: {text}\n{notice}");
        }
        assert_eq!(board.contains("`error: test failed`"), is_open, "{web} in {hub}\n{board}");
        let has_request = |end: &str| acme.requests().iter().any(|request| request.contains(end));
        assert_eq!(
            has_request("/logs") || has_request("/annotations") || has_request("/compare/"),
            is_open,
            "{:?}",
            acme.requests()
        );
    }
}

#[tokio::test]
async fn where_a_ticket_cannot_be_written_the_issue_beside_the_log_shows_it() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").private();
    let ticket = acme.world.issue("acme/hub", "Release", "", "alice");
    acme.world.lock_issue("acme/hub", ticket);
    let (_, step) = notify(&acme, failed_job("build", log(LOG)));
    step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
    assert!(notice_text(&acme).contains("error: test failed"), "{}", notice_text(&acme));
    assert!(!notice_text(&acme).contains("some readers of this notice"), "{}", notice_text(&acme));
}

#[tokio::test]
async fn a_failure_that_cannot_be_explained_costs_a_line_and_never_the_notice() {
    for (what, line) in [
        ("no permission", Some("This cannot be explained: grant the token `actions: read` on acme/web.")),
        ("a job that runs", Some("GitHub shows the log of `build` after that job has ended")),
        ("a log that is gone", None),
        ("a server without a log", None),
        ("GitHub is down", None),
    ] {
        let acme = Acme::new().await;
        let (_, mut step) = match what {
            "a job that runs" => notify(&acme, Job::new("build").step("Run tests", "failure").running()),
            "a log that is gone" => notify(&acme, failed_job("build", "").without_log()),
            _ => notify(&acme, failed_job("build", log(LOG))),
        };
        match what {
            "no permission" => {
                acme.world.repository("acme/web").private();
                let token = acme.world.token("poor-token").acts_as("github-actions[bot]");
                token.can("acme/web", &["issues: write"]);
                step = step.input("token", "poor-token");
            }
            "a server without a log" => acme.world.logs_down(),
            "GitHub is down" => {
                for path in
                    ["/repos/acme/web/check-runs/*/annotations", "/repos/acme/web/actions/jobs/*/logs"]
                {
                    acme.world.fault(Fault::on("GET", path).always().then(Kind::StatusBefore(502)));
                }
                step = step.input("retry-timeout", "1s");
            }
            _ => {}
        }
        step.run_in(&acme).await.succeeds();
        let notice = notice_text(&acme);
        assert!(
            notice.contains("Something went wrong") && notice.contains("@alice please have a look."),
            "{notice}"
        );
        assert!(!notice.contains("<details>"), "{what}: {notice}");
        match line {
            Some(line) => assert_eq!(notice.matches(line).count(), 1, "{what}: {notice}"),
            None => assert!(!notice.contains("explain") && !notice.contains("GitHub"), "{what}: {notice}"),
        }
    }
}

/// Dispatches web, waits for its run with this job, and returns the board and the requests for an explanation.
async fn dispatch_and_wait(acme: &Acme, job: Job, conclusion: &str) -> (String, Vec<String>) {
    acme.world.token("hub-token").can("acme/web", &["checks: read"]);
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    let step = step.input("release", "1.4.0").input("wait", "true").input("wait-interval", "30ms");
    let process = step.spawn_in(acme);
    while acme.world.runs("acme/web").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.add_job(run, job);
    acme.world.finish_run(run, conclusion);
    process.end().await;
    let requests = acme.requests().into_iter();
    let requests = requests.filter(|request| request.ends_with("/annotations") || request.ends_with("/logs"));
    (acme.board(1), requests.collect())
}

#[tokio::test]
async fn the_blocker_on_the_board_says_what_the_failed_job_said() {
    let job_with_annotation =
        failed_job("build", log(LOG)).annotation("failure", "src/lib.rs", 7, "no `x` here | **there**");
    for (job, line, request_count) in [
        (
            job_with_annotation,
            "failed at `build`, step `Run tests` · `src/lib.rs:7: no 'x' here | **there**` · [failed job]",
            1,
        ),
        (
            failed_job("build", log(LOG)),
            "failed at `build`, step `Run tests` · `error: test failed` · [failed job]",
            2,
        ),
        (failed_job("build", "").without_log(), "failed at `build`, step `Run tests` · [failed job]", 2),
    ] {
        let acme = Acme::new().await;
        let (board, requests) = dispatch_and_wait(&acme, job, "failure").await;
        assert!(board.contains(line), "{line}\n{board}");
        assert_eq!(requests.len(), request_count, "{requests:?}");
    }
}

#[tokio::test]
async fn a_run_that_succeeds_or_whose_log_is_not_for_all_costs_no_question() {
    let acme = Acme::new().await;
    let (_, requests) = dispatch_and_wait(&acme, Job::new("build").conclusion("success"), "success").await;
    assert_eq!(requests, Vec::<String>::new());
    let acme = Acme::new().await;
    acme.world.repository("acme/web").private();
    let (board, requests) = dispatch_and_wait(&acme, failed_job("build", log(LOG)), "failure").await;
    assert_eq!(requests, Vec::<String>::new());
    assert!(board.contains("failed at `build`, step `Run tests` · [failed job]"), "{board}");
}
