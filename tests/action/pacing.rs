//! GitHub's limits: comments on an issue, and the rates of requests and of new content.

use std::time::Duration;

use simulated_github::{Fault, Kind};

use crate::support::{Acme, Step, until_the_board_says};

const ISSUE_IS_FULL: &str = "Commenting is disabled on issues with more than 2500 comments";

/// A ticket with this number of comments in all.
async fn ticket_with(comments: usize) -> (Acme, u64) {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    let comments_so_far = acme.world.issue_view("acme/hub", ticket).comments.len();
    acme.world.comments("acme/hub", ticket, "alice", comments - comments_so_far);
    (acme, ticket)
}

fn report(acme: &Acme, ticket: u64) -> Step {
    let step = Step::new("report").run(acme.world.runs("acme/web")[0].id).job("build");
    step.input("ticket", format!("acme/hub#{ticket}")).input("status", "success")
}

#[tokio::test]
async fn a_ticket_warns_once_when_it_is_about_to_be_full() {
    let (acme, ticket) = ticket_with(2_200).await;
    let outcome = report(&acme, ticket).run_in(&acme).await;
    let warnings: Vec<&str> =
        outcome.succeeds().log.lines().filter(|line| line.starts_with("::warning::")).collect();
    let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
    assert!(
        warning.contains("of the 2500 comments that GitHub takes on an issue%0Ahelp: prefer `wait: true`"),
        "{warning}"
    );
    assert_eq!(outcome.output("delivered"), "true");
}

#[tokio::test]
async fn a_report_to_a_full_ticket_names_the_limit_and_no_permission() {
    let (acme, ticket) = ticket_with(2_500).await;
    let outcome = report(&acme, ticket).run_in(&acme).await;
    outcome.succeeds().says("::warning::cannot report to acme/hub#1").says(ISSUE_IS_FULL).says(
        "%0Ahelp: the issue has reached GitHub's limit of comments; close it, and run the dispatch again",
    );
    assert_eq!(outcome.output("delivered"), "false");
    assert!(!outcome.log.contains("permission") && !outcome.log.contains("grant"), "{}", outcome.log);
}

#[tokio::test]
async fn a_notice_for_a_full_ticket_goes_into_an_issue_where_it_happened() {
    let (acme, ticket) = ticket_with(2_500).await;
    let token = acme.world.token("web-token").acts_as("github-actions[bot]");
    token.can("acme/web", &["issues: write", "actions: read"]);
    let step = Step::new("notify").input("token", "web-token").input("ticket-token", "target-token");
    let step = step.run(9_000).input("status", "failure").input("message", "the build broke");
    let outcome = step.input("ticket", format!("acme/hub#{ticket}")).run_in(&acme).await;
    outcome
        .succeeds()
        .says("::warning::cannot notify on the ticket")
        .says(ISSUE_IS_FULL)
        .says("the issue has reached GitHub's limit");
    assert_eq!((outcome.output("created"), outcome.output("delivered")), ("true", "false"));
    let [issue] = &acme.world.issues("acme/web")[..] else { panic!("one issue") };
    assert!(
        issue.body.contains("the build broke")
            && issue.body.contains("This is here because the ticket could not be written"),
        "{}",
        issue.body
    );
    assert!(!outcome.log.contains("grant"), "{}", outcome.log);
}

#[tokio::test]
async fn a_dispatch_of_sixty_targets_stays_within_the_limits_of_github() {
    let acme = Acme::new().await;
    let names: Vec<String> = (1..=60).map(|number| format!("target-{number:02}")).collect();
    names.iter().for_each(|name| acme.add_target(name));
    acme.world.secondary_limits();
    let step = Step::new("dispatch").run(500).input("targets", names.join(", "));
    let outcome = step.input("workflow", "release.yml").input("release", "1.4.0").run_in(&acme).await;
    outcome.succeeds();
    let started_targets = names.iter().filter(|name| acme.world.runs(&format!("acme/{name}")).len() == 1);
    assert_eq!(started_targets.count(), 60);
    assert_eq!(acme.world.limit_refusals(), 0, "GitHub refused no request\n{}", outcome.log);
    assert!(acme.world.most_points_a_minute() <= 900 && acme.world.most_at_once() <= 100);
}

/// A dispatch that follows the run of web, and looks at it every 50 ms.
fn waiting_dispatch(timeout: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    let step = step.input("release", "1.4.0").input("wait", "true").input("wait-interval", "50ms");
    step.input("wait-timeout", timeout).input("retry-timeout", "1s")
}

fn rate_limit(seconds: u64) -> Kind {
    Kind::RateLimited { status: 403, retry_after: None, reset_in: Some(seconds), secondary: false }
}

const RUN: &str = "/repos/acme/web/actions/runs/*";

#[tokio::test]
async fn a_dispatch_that_waits_asks_nothing_until_the_rate_limit_ends() {
    let acme = Acme::new().await;
    acme.world.fault(Fault::on("GET", RUN).always().then(rate_limit(2)));
    let outcome = waiting_dispatch("5s").run_in(&acme).await;
    outcome.fails().says("GitHub's rate limit ends at ");
    // Without the pause, there would be 60 looks or more.
    let looks = outcome.log.matches("cannot read the run 7001 of web").count();
    assert!((1..10).contains(&looks), "{}", outcome.log);
    assert!(outcome.log.matches("GitHub's rate limit ends at ").count() <= looks, "{}", outcome.log);
}

#[tokio::test]
async fn a_dispatch_goes_on_when_the_rate_limit_has_ended() {
    let acme = Acme::new().await;
    acme.world.fault(Fault::on("GET", RUN).then(rate_limit(1)));
    let step = waiting_dispatch("60s").spawn_in(&acme);
    while acme.world.runs("acme/web").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    let outcome = step.end().await;
    outcome.succeeds().says("GitHub's rate limit ends at ");
    assert_eq!(outcome.log.matches("GitHub's rate limit ends at ").count(), 1, "{}", outcome.log);
}

#[tokio::test]
async fn a_dispatch_that_waits_for_the_end_of_a_rate_limit_can_be_cancelled() {
    let acme = Acme::new().await;
    acme.world.fault(Fault::on("GET", RUN).then(rate_limit(2_400)));
    let step = waiting_dispatch("2h").spawn_in(&acme);
    until_the_board_says(&acme, "queued").await;
    while !acme.world.exchanges().iter().any(|exchange| exchange.status == Some(403)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The step reads the answer, and sleeps.
    tokio::time::sleep(Duration::from_millis(500)).await;
    step.signal("INT");
    let outcome = step.end().await;
    outcome.says("the step is cancelled");
    assert_eq!(outcome.log.matches("cannot read the run 7001 of web").count(), 1, "{}", outcome.log);
}
