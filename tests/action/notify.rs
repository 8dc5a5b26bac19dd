//! The mode `notify`: the notification rule with all its branches.

use simulated_github::{Fault, Issue, Job, Kind};

use crate::support::{Acme, Step, for_people};

/// A failing run of `acme/web`, and the step that notifies of it with a token for that repository
/// and another for the ticket.
pub(crate) fn notify(acme: &Acme, status: &str) -> Step {
    let token = acme.world.token("web-token").acts_as("github-actions[bot]");
    token.can("acme/web", &["issues: write", "actions: read"]);
    let step = Step::new("notify").input("token", "web-token").input("ticket-token", "target-token");
    step.run(9_000).job("failed").input("status", status)
}

pub(crate) fn issues(acme: &Acme) -> Vec<Issue> {
    acme.world.issues("acme/web")
}

#[tokio::test]
async fn an_existing_ticket_gets_a_notice_that_mentions_the_driver() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.add_job(
        run,
        Job::new("build").step("Compile", "success").step("Run tests", "failure").conclusion("failure"),
    );
    let step = notify(&acme, "failure").run(run).input("ticket", format!("acme/hub#{ticket}"));
    let outcome = step.run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(outcome.output("issue-number"), ticket.to_string());
    assert_eq!(outcome.output("created"), "false");
    let notice = acme.records(ticket).pop().expect("a notice").body;
    assert!(notice.contains("\n\n@alice please have a look."), "{notice}");
    assert!(
        notice.contains("build") && notice.contains("Run tests") && notice.contains("#step:2:1"),
        "{notice}"
    );
    let board = acme.board(ticket);
    let failure = "**web** failed at `build`, step `Run tests`: Release failed in acme/web at main";
    assert_eq!(board.matches("Run tests").count(), 1, "{board}");
    assert!(board.contains(failure) && board.contains("❌ failed"), "{board}");
    assert!(!board.contains("@alice"), "the board pings nobody: {board}");
    assert_eq!(issues(&acme), []);
}

#[tokio::test]
async fn without_a_ticket_one_issue_is_opened_where_it_happened() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").assignable("alice");
    let outcome = notify(&acme, "failure").input("message", "the nightly build broke").run_in(&acme).await;
    outcome.succeeds();
    let [issue] = &issues(&acme)[..] else { panic!("one issue") };
    assert_eq!((outcome.output("created"), outcome.output("issue-number")), ("true", "1"));
    assert_eq!(
        (&issue.labels[..], &issue.assignees[..]),
        (&["release-failure".to_owned()][..], &["alice".to_owned()][..])
    );
    insta::assert_snapshot!(format!("{}\n\n{}", issue.title, for_people(&issue.body)), @"
    Release failed: the nightly build broke

    ❌ **Something went wrong** in acme/web, job `failed`: [run 9000](https://github.com/acme/web/actions/runs/9000)

    > the nightly build broke

    @alice please have a look.
    ");

    // The same failure again goes into the same issue, another one does not.
    let again = notify(&acme, "failure").run(9_001).run_in(&acme).await;
    assert_eq!((again.output("created"), again.output("issue-number")), ("false", "1"));
    assert_eq!(issues(&acme)[0].comments.len(), 1);
    notify(&acme, "failure").job("other").run_in(&acme).await.succeeds();
    notify(&acme, "failure").input("fingerprint", "mine").run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme).len(), 3);
}

#[tokio::test]
async fn an_issue_of_a_run_is_not_called_after_the_job_that_notifies() {
    let acme = Acme::new().await;
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    notify(&acme, "failure").run(run).input("fingerprint", "alone").run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme)[0].title, "Release failed in acme/web at main, job failed");

    acme.world.add_job(run, Job::new("build").step("Run tests", "failure").conclusion("failure"));
    notify(&acme, "failure").run(run).job("notify").run_in(&acme).await.succeeds();
    notify(&acme, "success").run(run + 1).job("notify").run_in(&acme).await.succeeds();
    let issue = &issues(&acme)[1];
    assert_eq!(issue.title, "Release failed in acme/web at main");
    let resolution = for_people(&issue.comments[0].body);
    assert!(resolution.trim_end().ends_with("> Release works again in acme/web at main"), "{resolution}");
}

#[tokio::test]
async fn the_success_after_a_failure_resolves_it() {
    let acme = Acme::new().await;
    notify(&acme, "success")
        .run_in(&acme)
        .await
        .succeeds()
        .says("no notice: there is no open failure that this success could resolve");
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    notify(&acme, "success").run(9_001).run_in(&acme).await.succeeds().says("resolved acme/web#1");
    let issue = &issues(&acme)[0];
    assert_eq!((issue.state.as_str(), issue.state_reason.as_deref()), ("closed", Some("completed")));
    assert!(issue.comments[0].body.contains("This works again"), "{}", issue.comments[0].body);
    assert!(!for_people(&issue.comments[0].body).contains('@'), "good news pings nobody");
    notify(&acme, "success").run(9_002).run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme)[0].comments.len(), 1);
}

#[tokio::test]
async fn a_skipped_job_has_neither_failed_nor_recovered() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    acme.world.clear_exchanges();
    let outcome = notify(&acme, "skipped,skipped").run(9_001).run_in(&acme).await;
    outcome.succeeds().says("nothing to notify");
    assert_eq!((acme.requests(), issues(&acme)[0].is_open()), (Vec::new(), true));
}

#[tokio::test]
async fn a_late_word_of_an_older_run_changes_nothing() {
    let acme = Acme::new().await;
    let [older, newer, newest] = [(); 3].map(|()| acme.world.start_run("acme/web", "release.yml", "push"));
    notify(&acme, "failure").run(newer).run_in(&acme).await.succeeds();
    acme.world.clear_exchanges();
    notify(&acme, "success")
        .run(older)
        .run_in(&acme)
        .await
        .succeeds()
        .says("a newer run has already reported");
    // The step asks GitHub once whether the newer run exists.
    let question = format!("GET /repos/acme/web/actions/runs/{newer}");
    assert_eq!(acme.requests().iter().filter(|request| **request == question).count(), 1);
    assert!(issues(&acme)[0].is_open());
    notify(&acme, "success").run(newest).run_in(&acme).await.succeeds();
    notify(&acme, "failure")
        .run(older)
        .run_in(&acme)
        .await
        .succeeds()
        .says("a newer run has already reported");
    assert_eq!((issues(&acme).len(), issues(&acme)[0].is_open()), (1, false));
}

#[tokio::test]
async fn the_same_failure_soon_after_reopens_the_issue_and_later_opens_another() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    notify(&acme, "success").run_in(&acme).await.succeeds();
    notify(&acme, "failure").run(9_001).run_in(&acme).await.succeeds();
    assert_eq!((issues(&acme).len(), issues(&acme)[0].is_open()), (1, true));

    let old_world = simulated_github::World::at(crate::support::now() - chrono::TimeDelta::days(8));
    let acme = Acme::in_world(old_world).await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    notify(&acme, "success").run_in(&acme).await.succeeds();
    notify(&acme, "failure").run(9_001).run_in(&acme).await.succeeds();
    let [old_issue, new_issue] = &issues(&acme)[..] else { panic!("two issues") };
    assert!(!old_issue.is_open() && new_issue.is_open());
    assert!(new_issue.body.contains("The same happened before, in #1."), "{}", new_issue.body);
}

#[tokio::test]
async fn a_ticket_that_cannot_be_written_is_no_reason_to_stay_silent() {
    for (name, help) in [
        ("missing", "check that acme/hub"),
        ("deleted", "name another"),
        ("locked", "unlock the issue"),
        ("out of reach", "`issues: write`"),
        ("issues off", "enable issues"),
    ] {
        let acme = Acme::new().await;
        let ticket = acme.world.issue("acme/hub", "Release", "", "alice");
        let mut step = notify(&acme, "failure").input("ticket", format!("acme/hub#{ticket}"));
        match name {
            "missing" => step = step.input("ticket", "acme/hub#4711"),
            "deleted" => acme.world.delete_issue("acme/hub", ticket),
            "locked" => acme.world.lock_issue("acme/hub", ticket),
            "out of reach" => step = step.input("ticket-token", "web-token"),
            _ => drop(acme.world.repository("acme/hub").issues_off()),
        }
        let outcome = step.run_in(&acme).await;
        outcome.succeeds().says("::warning::cannot notify on the ticket").says(help);
        assert_eq!((outcome.output("created"), outcome.output("delivered")), ("true", "false"), "{name}");
        let body = &issues(&acme)[0].body;
        assert!(body.contains("This is here because the ticket could not be written"), "{name}: {body}");
    }
}

#[tokio::test]
async fn the_log_and_the_summary_have_a_notice_that_no_issue_can_hold() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").issues_off();
    let message = "line one\nline two ::error:: \nline three";
    let outcome = notify(&acme, "failure").input("message", message).run_in(&acme).await;
    outcome
        .fails()
        .says("enable issues in the settings of acme/web")
        .says("line one%0Aline two ::error:: %0Aline three");
    for line in ["line one", "line two", "line three"] {
        assert!(outcome.summary.contains(line), "{}", outcome.summary);
    }
    assert_eq!((outcome.output("ticket-number"), outcome.output("issue-number")), ("", ""));
}

#[tokio::test]
async fn a_notice_on_a_ticket_is_resolved_there() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let step =
        |status: &str, run| notify(&acme, status).run(run).input("ticket", format!("acme/hub#{ticket}"));
    step("success", 8_999).run_in(&acme).await.succeeds().says("no open failure");
    step("failure", 9_000).run_in(&acme).await.succeeds();
    assert!(acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
    step("success", 9_001).run_in(&acme).await.succeeds();
    assert!(!acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
    assert_eq!(acme.records(ticket).len(), 3);
}

#[tokio::test]
async fn update_edits_the_notice_of_the_same_failure() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for attempt in [1, 2] {
        let step = notify(&acme, "failure").attempt(attempt).input("comment-mode", "update");
        step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await.succeeds();
    }
    assert_eq!(acme.records(ticket).len(), 2);
    assert!(acme.records(ticket)[1].body.contains("attempt 2"));
    for run in [9_000, 9_001, 9_002] {
        notify(&acme, "failure").run(run).input("comment-mode", "update").run_in(&acme).await.succeeds();
    }
    assert_eq!((issues(&acme).len(), issues(&acme)[0].comments.len()), (1, 1));
}

#[tokio::test]
async fn a_notice_pings_the_people_that_it_names_and_nobody_else() {
    let acme = Acme::new().await;
    let step =
        notify(&acme, "cancelled").input("mention", "@bob, acme/release-team").input("message", "ask @carol");
    step.run_in(&acme).await.succeeds();
    let body = for_people(&issues(&acme)[0].body);
    assert!(body.contains("@bob @acme/release-team please have a look"), "{body}");
    assert!(!body.contains("@carol") && !body.contains("@alice"), "{body}");
}

#[tokio::test]
async fn a_lost_answer_opens_no_second_issue() {
    let acme = Acme::new().await;
    acme.world.fault(Fault::on("POST", "/repos/acme/web/issues").then(Kind::StatusAfter(502)));
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    assert_eq!(issues(&acme).len(), 1);
}

#[tokio::test]
async fn two_jobs_that_notify_the_same_failure_at_once_share_an_issue() {
    let acme = Acme::new().await;
    let (one, two) = tokio::join!(
        notify(&acme, "failure").run_in(&acme),
        notify(&acme, "failure").run(9_001).run_in(&acme)
    );
    one.succeeds();
    two.succeeds();
    assert_eq!(issues(&acme).into_iter().filter(Issue::is_open).count(), 1);
}

#[tokio::test]
async fn a_forged_fingerprint_does_not_swallow_a_failure() {
    let acme = Acme::new().await;
    notify(&acme, "failure").run_in(&acme).await.succeeds();
    let body = issues(&acme)[0].body.clone();
    acme.world.close_issue("acme/web", 1);
    let forgery = acme.world.issue("acme/web", "Nothing to see", &body, "mallory");
    let outcome = notify(&acme, "failure").run(9_001).run_in(&acme).await;
    assert_ne!(outcome.output("issue-number"), forgery.to_string());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let acme = Acme::new().await;
    let outcome = notify(&acme, "failure").input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds().says("open an issue in acme/web");
    assert_eq!(issues(&acme), []);
}

#[tokio::test]
async fn a_label_that_github_refuses_is_left_out_with_a_warning() {
    let acme = Acme::new().await;
    let long_label = "x".repeat(51);
    let step =
        notify(&acme, "failure").input("labels", format!("urgent, {long_label}")).input("mention", "@bob");
    step.run_in(&acme).await.succeeds().says(&format!(
        "::warning::acme/web#1 was opened without the labels [\"{long_label}\"], which GitHub refuses%0A\
         help: correct the input `labels`: a label has 50 characters at most"
    ));
    assert_eq!(issues(&acme)[0].labels, ["urgent"]);
    assert!(issues(&acme)[0].body.contains("@bob please have a look."));
}

#[tokio::test]
async fn a_tag_or_a_branch_of_a_merge_queue_is_used_once_and_its_failure_is_resolved_by_the_next_one() {
    for (names, first, last) in [
        (["refs/tags/v1.2.3", "refs/tags/v1.2.4", "refs/tags/v1.2.5"], "at v1.2.3", "at v1.2.5"),
        (
            [12, 13, 14].map(|number| match number {
                12 => "refs/heads/gh-readonly-queue/main/pr-12-0f3c",
                13 => "refs/heads/gh-readonly-queue/main/pr-13-77aa",
                _ => "refs/heads/gh-readonly-queue/main/pr-14-c0de",
            }),
            "at main (merge queue)",
            "at main (merge queue)",
        ),
    ] {
        let acme = Acme::new().await;
        let step = |index: usize, status| {
            notify(&acme, status).run(9_000 + index as u64).variable("GITHUB_REF", names[index])
        };
        step(0, "failure").run_in(&acme).await.succeeds();
        step(1, "failure").run_in(&acme).await.succeeds();
        // A success on a branch does not resolve the failure of a tag or of a merge queue.
        notify(&acme, "success").run(9_001).run_in(&acme).await.succeeds().says("no open failure");
        step(2, "success").run_in(&acme).await.succeeds().says("resolved acme/web#1");
        let [issue] = &issues(&acme)[..] else { panic!("one issue") };
        assert_eq!(issue.title, format!("Release failed in acme/web {first}, job failed"));
        assert!(!issue.is_open());
        let resolution = &issue.comments[1].body;
        assert!(resolution.contains(&format!("Release works again in acme/web {last}")), "{resolution}");
    }
}

#[tokio::test]
async fn a_pull_request_is_a_failure_of_its_own() {
    let acme = Acme::new().await;
    let step = |status, number: u64| {
        notify(&acme, status).variable("GITHUB_REF", format!("refs/pull/{number}/merge")).run(9_000 + number)
    };
    step("failure", 67).run_in(&acme).await.succeeds();
    step("success", 68).run_in(&acme).await.succeeds().says("no open failure");
    assert_eq!(issues(&acme)[0].title, "Release failed in acme/web at pull request 67, job failed");
}

#[tokio::test]
async fn the_titles_distinguish_the_legs_of_a_matrix() {
    let acme = Acme::new().await;
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    let jobs = ["linux", "windows"].map(|os| {
        let job = Job::new(format!("test ({os})")).step("Run tests", "failure").conclusion("failure");
        (os, acme.world.add_job(run, job))
    });
    for (os, job) in jobs {
        let step =
            notify(&acme, "failure").run(run).job("test").input("matrix", format!(r#"{{"os":"{os}"}}"#));
        step.input("check-run-id", job).run_in(&acme).await.succeeds();
        let step =
            notify(&acme, "failure").run(run).job("test").input("matrix", format!(r#"{{"os":"{os}"}}"#));
        let step = step.input("message", "the tests are red").input("fingerprint", os);
        step.run_in(&acme).await.succeeds();
    }
    let titles: Vec<String> = issues(&acme).into_iter().map(|issue| issue.title).collect();
    insta::assert_snapshot!(titles.join("\n"), @"
    Release failed in acme/web at main, job test (linux)
    Release failed, job test (linux): the tests are red
    Release failed in acme/web at main, job test (windows)
    Release failed, job test (windows): the tests are red
    ");
    let windows_body = for_people(&issues(&acme)[2].body);
    let position = windows_body.find("test (windows)](").expect("the leg that notifies");
    assert!(windows_body.find("test (linux)](").is_some_and(|other| position < other), "{windows_body}");
}

#[tokio::test]
async fn a_success_resolves_no_failure_of_its_own_run_by_another_job() {
    let acme = Acme::new().await;
    let step = |job: &str, status: &str, run: u64| {
        notify(&acme, status).job(job).run(run).input("fingerprint", "shared")
    };
    for mode in ["new", "update"] {
        let of_mode = |job, status, run| step(job, status, run).input("comment-mode", mode);
        of_mode("a", "failure", 9_000).run_in(&acme).await.succeeds();
        let outcome = of_mode("b", "success", 9_000).run_in(&acme).await;
        outcome
            .succeeds()
            .says("no notice: another job of this run has failed, and acme/web#1 reports that failure");
        assert!(issues(&acme)[0].is_open());
        // The success of a newer attempt resolves the failure.
        of_mode("b", "success", 9_000).attempt(2).run_in(&acme).await.succeeds().says("resolved acme/web#1");
    }
    assert_eq!(issues(&acme).len(), 1);

    let ticket = acme.dispatch("web").await;
    let on_ticket = |job, status, run| step(job, status, run).input("ticket", format!("acme/hub#{ticket}"));
    on_ticket("a", "failure", 9_000).run_in(&acme).await.succeeds();
    let outcome = on_ticket("b", "success", 9_000).run_in(&acme).await;
    outcome.succeeds().says("or another job of the run has failed");
    assert!(acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
    // In either order, the board counts each job of the newest attempt.
    on_ticket("b", "success", 9_001).run_in(&acme).await.succeeds();
    assert!(!acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
    on_ticket("a", "failure", 9_001).run_in(&acme).await.succeeds();
    assert!(acme.board(ticket).contains("[!CAUTION]"), "{}", acme.board(ticket));
}
