//! The moments at which a person has to act: the ticket names that person, and mentions them once.

use std::time::Duration;

use simulated_github::{Environment, Job, Run};

use crate::support::{Acme, Step, for_people, until_the_board_says, wait_for_run};

pub(crate) fn dispatch(targets: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

pub(crate) fn waiting_dispatch(targets: &str) -> Step {
    dispatch(targets).input("wait", "true").input("wait-interval", "50ms")
}

/// A report of the target's run, by its own job.
pub(crate) fn report(acme: &Acme, target: &str, status: &str) -> Step {
    let run = acme.world.runs(&format!("acme/{target}")).pop().expect("a run").id;
    let step = Step::new("report").in_repository(&format!("acme/{target}")).run(run).job("publish");
    step.input("token", "target-token").input("ticket", "acme/hub#1").input("status", status)
}

pub(crate) async fn run_of(acme: &Acme, name: &str) -> Run {
    wait_for_run(acme, &format!("acme/{name}"), |mut runs| runs.pop()).await
}

/// The comments that mention the driver.
fn pings(acme: &Acme) -> Vec<String> {
    let bodies = acme.records(1).into_iter().map(|comment| for_people(&comment.body));
    bodies.filter(|body| body.contains("@alice")).collect()
}

#[tokio::test]
async fn a_failure_that_a_waiting_hub_sees_mentions_the_driver_once_with_the_job_and_the_step() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    acme.world.add_job(
        web.id,
        Job::new("build").step("Compile", "success").step("Run tests", "failure").conclusion("failure"),
    );
    acme.world.finish_run(web.id, "failure");
    step.end().await.fails();
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    let pings = pings(&acme);
    assert_eq!(pings.len(), 1, "{pings:#?}");
    assert!(
        pings[0].starts_with("❌ @alice\n\n> **web** failed at `build`, step `Run tests`"),
        "{}",
        pings[0]
    );
    assert!(pings[0].contains("re-runs the failed jobs there"), "{}", pings[0]);
    let board = acme.board(1);
    assert!(board.contains("**Next:** `alice` looks at **[web]("), "{board}");
    // The next attempt fails as well.
    acme.world.rerun(web.id);
    acme.world.finish_run(web.id, "failure");
    waiting_dispatch("web").run(502).run_in(&acme).await.fails();
    assert_eq!(self::pings(&acme).len(), 2);
}

#[tokio::test]
async fn a_later_dispatch_sees_a_run_that_failed_before_it_reported() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(
        board.contains("**web** has not reported since it was started, and no hub run follows it"),
        "{board}"
    );
    acme.world.finish_run(run_of(&acme, "web").await.id, "failure");
    dispatch("web").run(501).run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(
        board.contains("**web** failed") && !board.contains("Nothing is blocking the release"),
        "{board}"
    );
    assert_eq!(pings(&acme).len(), 1);
}

#[tokio::test]
async fn without_a_hub_that_waits_the_next_wave_asks_for_the_hubs_workflow() {
    let acme = Acme::new().await;
    dispatch("[web, { repository: docs, needs: web }]").run_in(&acme).await.succeeds();
    report(&acme, "web", "in_progress").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(
        board.contains(
            "Nothing is blocking the release. Under way: **web**, which reports itself. After that"
        ),
        "{board}"
    );
    report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(
        board.contains("**docs** can start now") && !board.contains("Nothing is blocking the release"),
        "{board}"
    );
    assert!(board.contains("`alice` [runs the hub's workflow again]("), "{board}");
    assert_eq!(pings(&acme), [""; 0]);
}

#[tokio::test]
async fn a_hub_that_stops_following_says_so() {
    for cancels in [false, true] {
        let acme = Acme::new().await;
        let step = waiting_dispatch("web")
            .input("cancel-on-timeout", cancels)
            .input("wait-timeout", "2s")
            .spawn_in(&acme);
        let web = run_of(&acme, "web").await;
        until_the_board_says(&acme, "follows it").await;
        step.end().await.fails().says("has not ended");
        let board = acme.board(1);
        assert!(!board.contains("Nothing is blocking the release"), "{board}");
        if cancels {
            let run = acme.world.run(web.id).expect("the run");
            let is_over = run.conclusion.as_deref() == Some("cancelled");
            let says =
                if is_over { "**web** did not begin: cancelled" } else { "is being cancelled by the hub" };
            assert!(board.contains(says), "{board}");
        } else {
            assert!(board.contains("no hub run follows it"), "{board}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_hub_job_says_that_no_hub_run_follows_the_runs() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    run_of(&acme, "web").await;
    until_the_board_says(&acme, "follows it").await;
    step.signal("INT");
    step.end().await.fails();
    let board = acme.board(1);
    assert!(
        board.contains("no hub run follows it") && !board.contains("Nothing is blocking the release"),
        "{board}"
    );
}

#[tokio::test]
async fn a_run_that_reports_without_a_last_stage_names_the_author_of_the_workflow() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    report(&acme, "web", "success").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(board.contains("**web** has reported `publish`, but not its last stage"), "{board}");
    assert!(board.contains("adds `done: true` to the last report"), "{board}");
}

#[tokio::test]
async fn a_failing_report_and_a_notice_of_the_same_run_are_one_line_and_one_mention() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    let run = run_of(&acme, "web").await.id;
    acme.world.token("target-token").can("acme/web", &["actions: read"]);
    acme.world.add_job(
        run,
        Job::new("publish").step("Compile", "success").step("Upload", "failure").conclusion("failure"),
    );
    report(&acme, "web", "failure").input("message", "3 tests failed").run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme).len(), 1, "{:#?}", pings(&acme));
    let notify =
        Step::new("notify").in_repository("acme/web").run(run).job("notify").input("token", "target-token");
    let notify = notify.input("ticket", "acme/hub#1").input("status", "failure");
    notify.run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme).len(), 1, "{:#?}", pings(&acme));
    let board = acme.board(1);
    let line = "> - **web** failed at `publish`, step `Upload`: 3 tests failed · [failed job](";
    assert!(board.contains(line), "{board}");
    assert_eq!(board.matches("> - ").count(), 1, "{board}");
}

#[tokio::test]
async fn nobody_is_mentioned_if_the_step_excludes_that() {
    let acme = Acme::new().await;
    dispatch("web").run_in(&acme).await.succeeds();
    report(&acme, "web", "failure").input("ping", "none").run_in(&acme).await.succeeds();
    report(&acme, "web", "failure").input("ping", "done, stuck").run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme), [""; 0]);
    let outcome = report(&acme, "web", "failure").input("ping", "always").run_in(&acme).await;
    outcome.ends_with(2).says("`ping` is `always`; it takes `failure`, `review`, `stuck`, `done` or `none`");
}

#[tokio::test]
async fn a_hub_that_follows_leaves_no_ping_to_the_reports() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    until_the_board_says(&acme, "follows it").await;
    report(&acme, "web", "failure").run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme), [""; 0]);
    acme.world.finish_run(web.id, "failure");
    step.end().await.fails();
    assert_eq!(pings(&acme).len(), 1);
}

#[tokio::test]
async fn the_last_report_says_that_all_is_released_and_closes_the_ticket_if_the_hub_asks_for_that() {
    for closes in [false, true] {
        let acme = Acme::new().await;
        dispatch("web, api").input("close-on-success", closes).run_in(&acme).await.succeeds();
        for name in ["web", "api"] {
            report(&acme, name, "success").input("done", "true").run_in(&acme).await.succeeds();
        }
        let pings = pings(&acme);
        assert_eq!(pings.len(), 1, "{pings:#?}");
        assert!(pings[0].contains("Every target is released"), "{}", pings[0]);
        let state = acme.world.issue_view("acme/hub", 1).state;
        assert_eq!(state, if closes { "closed" } else { "open" });
        assert!(acme.board(1).contains("**Everything is released.**"), "{}", acme.board(1));
        // A comment of each job, the claim, the board and the ping.
        assert_eq!(acme.world.issue_view("acme/hub", 1).comments.len(), 5);
    }
}

#[tokio::test]
async fn a_target_that_does_not_change_is_stuck_until_it_reports() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").input("stale-after", "1s").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    until_the_board_says(&acme, "has not changed since").await;
    let mentions = pings(&acme);
    assert_eq!(mentions.len(), 1, "{}", acme.board(1));
    assert!(mentions[0].contains("**web** has not changed since"), "{}", mentions[0]);
    report(&acme, "web", "in_progress").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(!board.contains("has not changed since"), "{board}");
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
    assert_eq!(pings(&acme).len(), 2, "stuck, and done: {:#?}", pings(&acme));
}

#[tokio::test]
async fn a_later_dispatch_marks_a_target_as_stuck() {
    let acme = Acme::new().await;
    let dispatch = || dispatch("[{ repository: web, stale-after: 1s }]");
    dispatch().run_in(&acme).await.succeeds();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    dispatch().run(501).run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(
        board.contains("**web** has not changed since") && board.contains("cancels it there if it hangs"),
        "{board}"
    );
    dispatch().run(502).run_in(&acme).await.succeeds();
    assert_eq!(pings(&acme).len(), 1);
}

#[tokio::test]
async fn a_report_for_a_name_that_is_not_listed_warns_and_does_not_count() {
    let acme = Acme::new().await;
    dispatch("web, api").run_in(&acme).await.succeeds();
    let outcome =
        report(&acme, "web", "success").input("target", "wbe").input("done", "true").run_in(&acme).await;
    outcome.succeeds().says("no dispatch of the ticket lists the target `wbe`").says("did you mean `web`?");
    let board = acme.board(1);
    assert!(board.contains("**0 of 2 released**"), "{board}");
    let (rows, apart) = board.split_once("Not listed by any dispatch, and not counted:").expect("two tables");
    assert!(!rows.contains("| [**wbe**]") && apart.contains("**wbe**"), "{board}");
    assert!(board.contains("**wbe** reports, but no dispatch of this ticket lists it"), "{board}");
    // A dispatch of some targets lists the others, too.
    let acme = Acme::new().await;
    dispatch("web, api").input("only", "web").run_in(&acme).await.succeeds();
    let run = acme.world.start_run("acme/api", "release.yml", "workflow_dispatch");
    let api = Step::new("report").in_repository("acme/api").run(run).input("token", "target-token");
    let api = api.input("ticket", "acme/hub#1").input("status", "success").input("done", "true");
    let outcome = api.run_in(&acme).await;
    assert!(!outcome.log.contains("no dispatch of the ticket lists"), "{}", outcome.log);
    assert!(acme.board(1).contains("**1 of 2 released**"), "{}", acme.board(1));
}

#[tokio::test]
async fn the_summary_of_the_step_is_the_boards_picture() {
    let acme = Acme::new().await;
    let outcome = dispatch("[web, { repository: docs, needs: web }]").run_in(&acme).await;
    for text in ["**0 of 2 released**", "> [!NOTE]", "**Next:**", "- **web** [🕓 queued]("] {
        assert!(outcome.summary.contains(text), "{text}: {}", outcome.summary);
    }
}

#[tokio::test]
async fn a_review_mentions_the_reviewers_once_for_each_environment() {
    let acme = Acme::new().await;
    let environments = [
        Environment::new("staging").reviewer("dana"),
        Environment::new("production").reviewer("dana").reviewer("acme/sre"),
    ];
    let step = waiting_dispatch("web").spawn_in(&acme);
    let web = run_of(&acme, "web").await;
    let comments_with = |text: &'static str| {
        let bodies = acme.records(1).into_iter().map(|comment| for_people(&comment.body));
        bodies.filter(move |body| body.contains(text)).collect::<Vec<_>>()
    };
    for environment in environments {
        let name = environment.name.clone();
        acme.world.add_job(web.id, Job::new(format!("deploy {name}")).waiting_for(environment));
        until_the_board_says(&acme, &format!("to approve `{name}` · [review](")).await;
        let ping = comments_with("@dana").pop().expect("a ping");
        assert!(ping.contains(&format!("to approve `{name}` · [review](")), "{ping}");
        acme.world.approve(web.id, &name);
    }
    acme.world.finish_run(web.id, "success");
    step.end().await.succeeds();
    let reviews = comments_with("@dana");
    assert_eq!(reviews.len(), 2, "{reviews:#?}");
    assert!(
        reviews[1].starts_with("🕓 @acme/sre @dana") || reviews[1].contains("@acme/sre"),
        "{}",
        reviews[1]
    );
    assert_eq!(pings(&acme).len(), 1, "only that all is released: {:#?}", pings(&acme));
}

#[tokio::test]
async fn a_hub_job_that_was_killed_follows_nothing_for_the_next_dispatch() {
    let acme = Acme::new().await;
    let hub_run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let step = waiting_dispatch("web").run(hub_run).spawn_in(&acme);
    run_of(&acme, "web").await;
    until_the_board_says(&acme, "follows it").await;
    step.signal("KILL");
    step.end().await;
    acme.world.finish_run(hub_run, "cancelled");
    assert!(acme.board(1).contains("follows it"));
    dispatch("web").run_in(&acme).await.succeeds();
    let board = acme.board(1);
    assert!(board.contains("no hub run follows it"), "{board}");
}

#[tokio::test]
async fn a_start_that_is_refused_mentions_the_driver_with_the_remedy() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/web", &["actions: read", "contents: read"]);
    dispatch("web").run_in(&acme).await.fails();
    let pings = pings(&acme);
    assert_eq!(pings.len(), 1, "{:#?}", acme.records(1));
    assert!(
        pings[0].contains("**web** could not be started") && pings[0].contains("actions: write"),
        "{}",
        pings[0]
    );
    assert!(acme.board(1).contains("for **web**: grant the token `actions: write`"), "{}", acme.board(1));
}
