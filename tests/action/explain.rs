//! Failures explain themselves: what a notice shows of failed jobs, of the runs before and of what changed, and to whom.

use std::time::Duration;

use simulated_github::{Fault, Issue, Job, Kind};

use crate::support::{Acme, Step, for_people};

/// A log as the runner writes it: with the time before each line.
fn log(lines: &str) -> Vec<u8> {
    let timed = lines.lines().map(|line| format!("2026-01-05T09:00:00.1234567Z {line}\n"));
    timed.collect::<String>().into_bytes()
}

const LOG: &str = "##[group]Run cargo test\n\u{1b}[36;1mcargo test\u{1b}[0m\nenv:\n  TOKEN: ***\n##[endgroup]\n\
                   test adds ... \u{1b}[31mFAILED\u{1b}[0m\nerror: test failed\n\
                   ##[error]Process completed with exit code 101.\nPost job cleanup.\n";

/// A job that failed with this log.
fn failed(name: &str, log: impl Into<Vec<u8>>) -> Job {
    Job::new(name).step("Run tests", "failure").log(log).concluded("failure")
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

/// What the last notice in an issue of the target says.
fn said(acme: &Acme) -> String {
    for_people(&issue(acme).body)
}

/// The requests, of which some are sent at the same time, in the order of their names.
fn requests(acme: &Acme) -> String {
    let mut requests = acme.requests();
    requests.sort();
    requests.join("\n")
}

/// A run that is over, at the newest commit.
fn ended(acme: &Acme, conclusion: &str) -> u64 {
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    acme.world.finish_run(run, conclusion);
    run
}

#[tokio::test]
async fn a_notice_shows_the_log_around_its_last_error_the_runs_before_and_what_changed() {
    let acme = Acme::new().await;
    for conclusion in ["success", "failure", "success", "success"] {
        ended(&acme, conclusion);
    }
    acme.world.push_as("acme/web", "main", "Add a feature\n\nAt length.", "Dana <dana@acme.example>");
    acme.world.push_as("acme/web", "main", "Fixes #12 for @alice, see [it](https://evil.example)", "@eve");
    let (_, step) = notify(&acme, failed("build", log(LOG)));
    acme.world.clear_exchanges();
    step.run_in(&acme).await.succeeds();
    insta::with_settings!({filters => [(r"[0-9a-f]{40}", "COMMIT"), (r"http://127.0.0.1:\d+", "https://github.com")]}, {
        insta::assert_snapshot!(said(&acme).replace('\u{200b}', "¤"), @r"
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

    // Without an explanation the notice takes what it took before.
    let (_, step) = notify(&acme, failed("build", log(LOG)));
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
    assert!(!said(&acme).contains("details"), "{}", said(&acme));
}

#[tokio::test]
async fn annotations_come_before_the_log() {
    let acme = Acme::new().await;
    let build = failed("build", log(LOG))
        .annotated("failure", ".github", 1, "Process completed with exit code 101.")
        .annotated("warning", ".github", 1, "Node 20 is old")
        .annotated("failure", "src/lib.rs", 7, "mismatched types");
    let (_, step) = notify(&acme, build);
    step.run_in(&acme).await.succeeds();
    let said = said(&acme);
    assert!(said.contains("<b>build</b>: what its annotations say"), "{said}");
    assert!(said.contains("```text\nsrc/lib.rs:7: mismatched types\n```"), "{said}");
    assert!(acme.world.downloads().is_empty());
    assert_eq!(acme.requests().iter().filter(|request| request.ends_with("/logs")).count(), 0);
}

#[tokio::test]
async fn with_annotations_alone_no_log_is_read() {
    let acme = Acme::new().await;
    let (_, step) = notify(&acme, failed("build", log(LOG)));
    step.input("explain", "annotations").run_in(&acme).await.succeeds();
    assert!(acme.world.downloads().is_empty());
    assert!(!said(&acme).contains("details"), "nothing was found, and nobody says so: {}", said(&acme));
    let (_, step) = notify(&acme, failed("build", log(LOG)));
    step.input("explain", "loudly").run_in(&acme).await.ends_with(2).says("explain");
}

#[tokio::test]
async fn of_a_long_log_the_end_is_read_and_no_more() {
    let long: String = (0..200_000).map(|n| format!("line {n} of a long log\n")).collect();
    let long = log(&format!("{long}{LOG}"));
    assert!(long.len() > 10_000_000);
    for has_ranges in [true, false] {
        let acme = Acme::new().await;
        if !has_ranges {
            acme.world.logs_without_ranges();
        }
        let (_, step) = notify(&acme, failed("build", long.clone()));
        step.run_in(&acme).await.succeeds();
        assert!(said(&acme).contains("error: test failed"), "{}", said(&acme));
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
        let (_, step) = notify(&acme, failed("build", log(LOG)));
        let done = step.debug().run_in(&acme).await;
        done.succeeds();
        let [download] = &acme.world.downloads()[..] else { panic!("one download") };
        assert_eq!((&download.authorization, download.status), (&None, if is_down { 503 } else { 200 }));
        let issue = issue(&acme);
        for text in [&done.log, &done.errors, &done.summary, &issue.body] {
            assert!(!text.contains("_logs") && !text.contains("sig="), "{text}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_step_does_without_an_explanation() {
    let acme = Acme::new().await;
    let slow = Fault::on("GET", "/repos/acme/web/check-runs/*/annotations").always();
    acme.world.fault(slow.then(Kind::Latency(Duration::from_secs(60))));
    let (_, step) = notify(&acme, failed("build", log(LOG)));
    let running = step.spawn_in(&acme);
    while !acme.requests().iter().any(|request| request.ends_with("/annotations")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal("INT");
    running.end().await.fails();
    assert!(said(&acme).contains("Something went wrong"), "{}", said(&acme));
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
    let (_, step) = notify(&acme, failed(name, hostile));
    let done = step.run_in(&acme).await;
    done.succeeds();
    assert!(!done.log.contains("forged"), "{}", done.log);
    let said = said(&acme);
    assert!(
        !said.contains("hunter2") && !said.contains(['\u{1b}', '\u{202e}', '\u{2066}', '\u{0}', '\r']),
        "{said}"
    );
    let (before, fenced) = said.split_once("`````text\n").expect("a fence of five");
    let (block, after) = fenced.split_once("\n`````\n").expect("its end");
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
    acme.world.add_job(run, Job::new("stopped").concluded("cancelled"));
    for name in ["one", "two", "three", "four"] {
        let wide: String = (0..40).map(|n| format!("{n} {}\n", "🚀<@`".repeat(300))).collect();
        acme.world.add_job(run, failed(name, log(&format!("{wide}##[error]{name} broke"))));
    }
    step(&acme, run).run_in(&acme).await.succeeds();
    let said = said(&acme);
    let explained = &said[said.find("<details>").expect("one")..=said.rfind("</details>").expect("one")];
    let length = explained.encode_utf16().count();
    assert!(length < 4_000, "{length} characters");
    for name in ["one", "two", "three"] {
        assert!(explained.contains(&format!("<b>{name}</b>")), "{explained}");
        assert!(explained.contains(&format!("Error: {name} broke")), "{explained}");
    }
    assert_eq!(explained.matches("<details>").count(), 3);
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
        let ticket = acme.dispatched("web").await;
        ended(&acme, "success");
        acme.world.push_as("acme/web", "main", "Add a secret feature", "Dana");
        let (_, step) = notify(&acme, failed("build", log(LOG)));
        acme.world.clear_exchanges();
        step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
        let notice = acme.records(ticket).pop().expect("a notice").body;
        let board = acme.board(ticket);
        for (text, is_there) in [
            ("error: test failed", is_open),
            ("secret feature", is_open),
            ("not everyone here may read them there", !is_open),
            ("First red: the run before it was green.", true),
            ("step 1, Run tests", true),
        ] {
            assert_eq!(notice.contains(text), is_there, "{web} in {hub}: {text}\n{notice}");
        }
        assert_eq!(board.contains("`error: test failed`"), is_open, "{web} in {hub}\n{board}");
        let asks = |end: &str| acme.requests().iter().any(|request| request.contains(end));
        assert_eq!(
            asks("/logs") || asks("/annotations") || asks("/compare/"),
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
    let (_, step) = notify(&acme, failed("build", log(LOG)));
    step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
    assert!(said(&acme).contains("error: test failed"), "{}", said(&acme));
    assert!(!said(&acme).contains("not everyone here"), "{}", said(&acme));
}

#[tokio::test]
async fn what_cannot_be_explained_takes_a_line_and_never_the_notice() {
    for (what, line) in [
        ("no permission", Some("This cannot be explained: grant the token `actions: read` on acme/web.")),
        ("a job that runs", Some("GitHub shows the log of `build` when that job is over")),
        ("a log that is gone", None),
        ("a server without a log", None),
        ("GitHub is down", None),
    ] {
        let acme = Acme::new().await;
        let (_, mut step) = match what {
            "a job that runs" => notify(&acme, Job::new("build").step("Run tests", "failure").running()),
            "a log that is gone" => notify(&acme, failed("build", "").without_log()),
            _ => notify(&acme, failed("build", log(LOG))),
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
        let said = said(&acme);
        assert!(
            said.contains("Something went wrong") && said.contains("@alice please have a look."),
            "{said}"
        );
        assert!(!said.contains("<details>"), "{what}: {said}");
        match line {
            Some(line) => assert_eq!(said.matches(line).count(), 1, "{what}: {said}"),
            None => assert!(!said.contains("explain") && !said.contains("GitHub"), "{what}: {said}"),
        }
    }
}

/// A dispatch that waits for a target whose job ends like this, and the requests about why.
async fn dispatched(acme: &Acme, job: Job, conclusion: &str) -> (String, Vec<String>) {
    acme.world.token("hub-token").can("acme/web", &["checks: read"]);
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    let step = step.input("release", "1.4.0").input("wait", "true").input("wait-interval", "30ms");
    let running = step.spawn_in(acme);
    while acme.world.runs("acme/web").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.add_job(run, job);
    acme.world.finish_run(run, conclusion);
    running.end().await;
    let asked = acme.requests().into_iter();
    let asked = asked.filter(|request| request.ends_with("/annotations") || request.ends_with("/logs"));
    (acme.board(1), asked.collect())
}

#[tokio::test]
async fn the_blocker_on_the_board_says_what_the_failed_job_said() {
    let annotated =
        failed("build", log(LOG)).annotated("failure", "src/lib.rs", 7, "no `x` here | **there**");
    for (job, line, asks) in [
        (
            annotated,
            "failed at `build`, step `Run tests` · `src/lib.rs:7: no 'x' here | **there**` · [failed job]",
            1,
        ),
        (
            failed("build", log(LOG)),
            "failed at `build`, step `Run tests` · `error: test failed` · [failed job]",
            2,
        ),
        (failed("build", "").without_log(), "failed at `build`, step `Run tests` · [failed job]", 2),
    ] {
        let acme = Acme::new().await;
        let (board, asked) = dispatched(&acme, job, "failure").await;
        assert!(board.contains(line), "{line}\n{board}");
        assert_eq!(asked.len(), asks, "{asked:?}");
    }
}

#[tokio::test]
async fn a_run_that_goes_well_or_whose_log_is_not_for_all_costs_no_question() {
    let acme = Acme::new().await;
    let (_, asked) = dispatched(&acme, Job::new("build").concluded("success"), "success").await;
    assert_eq!(asked, Vec::<String>::new());
    let acme = Acme::new().await;
    acme.world.repository("acme/web").private();
    let (board, asked) = dispatched(&acme, failed("build", log(LOG)), "failure").await;
    assert_eq!(asked, Vec::<String>::new());
    assert!(board.contains("failed at `build`, step `Run tests` · [failed job]"), "{board}");
}
