//! Answers of GitHub that are seconds old, as its replicas and its search index give them.

use std::time::Duration;

use futures::future::join_all;
use simulated_github::{Comment, Fault, Issue, Kind, Run};

use crate::support::{Acme, Outcome, RunningStep, Step, for_people};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A dispatch of release 1.4.0 by a hub run that has begun.
fn dispatch(acme: &Acme, targets: &str) -> Step {
    let run = acme.world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let step = Step::new("dispatch").run(run).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn with_wait(step: Step, interval: &str) -> Step {
    step.input("wait", "true").input("wait-interval", interval)
}

/// Makes each answer as old as `draw` says for it.
fn lag(acme: &Acme, draw: impl Fn() -> Duration + Send + Sync + 'static) {
    acme.world.lag(move |_, _| draw());
}

/// Makes the answers about some paths this old.
fn lag_of(acme: &Acme, lag: Duration, lags: fn(&str) -> bool) {
    acme.world.lag(move |_, path| if lags(path) { lag } else { Duration::ZERO });
}

fn is_list_of_comments(path: &str) -> bool {
    path.ends_with("/comments")
}

fn is_list_of_runs(path: &str) -> bool {
    path.ends_with("/runs")
}

fn runs(acme: &Acme, name: &str) -> Vec<Run> {
    acme.world.runs(&format!("acme/{name}"))
}

/// The runs of a target that nobody has cancelled.
fn lasting_runs(acme: &Acme, name: &str) -> usize {
    let runs = runs(acme, name);
    runs.iter().filter(|run| run.conclusion.as_deref() != Some("cancelled")).count()
}

async fn until(event: &str, acme: &Acme, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {event}:\n{}", acme.world.story());
}

/// The story of the world, and the logs of steps in it.
fn account(acme: &Acme, steps: &[&Outcome]) -> String {
    let logs: Vec<&str> = steps.iter().map(|outcome| outcome.log.as_str()).collect();
    format!("{}\n\n{}", acme.world.story(), logs.join("\n---\n"))
}

#[tokio::test]
async fn a_waiting_hub_job_sees_a_report_that_lists_show_four_seconds_late() {
    let acme = Acme::new().await;
    lag_of(&acme, seconds(4), is_list_of_comments);
    let step = with_wait(dispatch(&acme, "web"), "200ms").spawn_in(&acme);
    until("was web started", &acme, || runs(&acme, "web").len() == 1).await;
    let web = runs(&acme, "web")[0].id;
    let report = Step::new("report").run(web).job("publish").input("done", "true").input("status", "success");
    let report = report.input("stage", "announce").input("ticket", "acme/hub#1").run_in(&acme).await;
    report.succeeds();
    tokio::time::sleep(seconds(5)).await;
    acme.world.finish_run(web, "success");
    let outcome = step.end().await;
    outcome.succeeds().says("web  🕓 queued (reported: ✅ released)  announce");
    let board = acme.board(1);
    assert!(board.contains("**Everything is released.**"), "{board}");
    assert!(board.contains(&format!("Shows {} records", acme.records(1).len())), "{board}");
}

/// Two hub jobs at once, in worlds of their own with answers up to 1 s and up to 3 s old.
async fn two_hub_jobs_at_once(has_ticket: bool) {
    let play = async |most: u64| {
        let acme = Acme::new().await;
        if has_ticket {
            acme.dispatch("docs").await;
        }
        lag(&acme, move || seconds(most).mul_f64(fastrand::f64()));
        let [one, two] = [(); 2].map(|()| dispatch(&acme, "web").run_in(&acme));
        let (one, two) = tokio::join!(one, two);
        let account = account(&acme, &[&one, &two]);
        assert_eq!(runs(&acme, "web").len(), 1, "answers up to {most} s old\n{account}");
        let open = acme.world.issues("acme/hub").into_iter().filter(Issue::is_open);
        assert_eq!(open.count(), 1, "answers up to {most} s old\n{account}");
        one.succeeds();
        two.succeeds();
    };
    join_all([1, 1, 1, 3, 3, 3].map(play)).await;
}

#[tokio::test]
async fn one_of_two_hub_jobs_at_once_starts_the_target_however_old_the_answers_are() {
    two_hub_jobs_at_once(true).await;
}

#[tokio::test]
async fn two_hub_jobs_at_once_leave_one_ticket_open_however_old_the_answers_are() {
    two_hub_jobs_at_once(false).await;
}

#[tokio::test]
async fn a_hub_job_waits_until_its_own_ticket_shows() {
    let acme = Acme::new().await;
    lag(&acme, || seconds(1));
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!(runs(&acme, "web").len(), 1);
    assert_eq!(outcome.output("created"), "true");
}

#[tokio::test]
async fn the_rerun_of_a_killed_job_looks_for_its_run_until_lists_show_it() {
    let acme = Acme::new().await;
    lag_of(&acme, seconds(10), is_list_of_runs);
    // The search index lags further still; the action does not ask it.
    acme.world.index_lag(HOUR);
    acme.world.latency(|_, path| match path.ends_with("/dispatches") {
        true => seconds(1),
        false => Duration::ZERO,
    });
    let step = |attempt| {
        let step = Step::new("dispatch").run(500).attempt(attempt).input("targets", "web");
        step.input("workflow", "release.yml").input("release", "1.4.0")
    };
    let first = step(1).spawn_in(&acme);
    until("was web started", &acme, || runs(&acme, "web").len() == 1).await;
    first.signal("KILL");
    first.end().await;
    tokio::time::sleep(seconds(5)).await;
    let outcome = step(2).run_in(&acme).await;
    outcome.succeeds().says("web was started by a hub job that has ended");
    assert_eq!(runs(&acme, "web").len(), 1, "{}", account(&acme, &[&outcome]));
}

#[tokio::test]
async fn an_unclear_start_is_looked_for_until_lists_that_are_a_minute_old_show_it() {
    let acme = Acme::new().await;
    lag_of(&acme, seconds(60), is_list_of_runs);
    acme.world.index_lag(HOUR);
    let starts = Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches");
    acme.world.fault(starts.then(Kind::StatusAfter(502)));
    let outcome = dispatch(&acme, "web").run_in(&acme).await;
    outcome.succeeds().says("checking whether web was started");
    assert_eq!(runs(&acme, "web").len(), 1, "{}", account(&acme, &[&outcome]));
}

#[tokio::test]
async fn a_run_that_is_not_found_for_three_seconds_is_followed_all_the_same() {
    let acme = Acme::new().await;
    lag_of(&acme, seconds(3), |path| path.contains("/actions/runs/"));
    let step = with_wait(dispatch(&acme, "web"), "1s").spawn_in(&acme);
    until("was web started", &acme, || runs(&acme, "web").len() == 1).await;
    let refusals = || {
        let exchanges = acme.world.exchanges().into_iter();
        let refusals = exchanges.filter(|exchange| exchange.status == Some(404));
        refusals.filter(|exchange| exchange.path.contains("/actions/runs/")).count()
    };
    until("was the run refused twice", &acme, || refusals() >= 2).await;
    acme.world.finish_run(runs(&acme, "web")[0].id, "success");
    step.end().await.succeeds();
}

#[tokio::test]
async fn a_record_that_a_board_shows_is_not_gone_because_it_is_not_found_for_seconds() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web, api").await;
    acme.world.token("other-token").acts_as("acme-report[bot]").can("acme/hub", &["issues: write"]);
    acme.world.lag_shows_own_writes(true);
    lag(&acme, || Duration::ZERO);
    let report = |name: &str, job: &str| {
        let step = Step::new("report").run(runs(&acme, name)[0].id).in_repository(&format!("acme/{name}"));
        step.job(job).input("ticket", format!("acme/hub#{ticket}")).input("status", "success")
    };
    report("web", "build").run_in(&acme).await.succeeds();
    report("api", "announce").input("token", "other-token").run_in(&acme).await.succeeds();
    let record = acme.records(ticket).pop().expect("a record").id;
    // Lists hold the token's own writes as they are now, the board among them, and lack the other record.
    lag(&acme, || seconds(5));
    acme.world.clear_exchanges();
    report("web", "publish").run_in(&acme).await.succeeds();
    let single = format!("GET /repos/acme/hub/issues/comments/{record}");
    let exchanges = acme.world.exchanges();
    let answers: Vec<u16> = exchanges
        .iter()
        .filter(|exchange| exchange.request_line() == single)
        .filter_map(|exchange| exchange.status)
        .collect();
    assert!(answers.contains(&404), "it was not found at first: {answers:?}");
    let board = acme.board(ticket);
    assert!(board.contains("Shows 4 records") && board.contains("announce"), "{board}");
}

/// A dispatch by a job with a token of its own.
fn with_own_token(acme: &Acme, step: Step, token: &str) -> Step {
    let own = acme.world.token(token).acts_as("acme-release[bot]");
    own.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    own.can("acme/web", &["actions: write", "contents: read"]);
    step.input("token", token)
}

/// Two hub jobs that begin at once. Each sees its own writes at once, and those of the other 20 s late.
fn two_that_do_not_see_each_other(acme: &Acme, step: impl Fn() -> Step) -> [RunningStep; 2] {
    acme.world.lag_shows_own_writes(true);
    let steps = ["first", "second"].map(|token| with_own_token(acme, step(), token));
    lag(acme, || seconds(20));
    steps.map(|step| step.spawn_in(acme))
}

/// The records that claim web, and the run that each of them has started.
fn claims(acme: &Acme) -> Vec<(Comment, u64)> {
    let runs = runs(acme, "web");
    let mut claims = Vec::new();
    for record in acme.records(1) {
        let run = runs.iter().find(|run| record.body.contains(&format!("\"run\":{}", run.id)));
        // Another job may record again that the second run came second.
        let run = run.filter(|run| !claims.iter().any(|(_, id)| *id == run.id));
        claims.extend(run.map(|run| (record, run.id)));
    }
    claims
}

fn conclusion(acme: &Acme, run: u64) -> Option<String> {
    acme.world.run(run).expect("a run").conclusion
}

fn report_of(run: u64) -> Step {
    let step = Step::new("report").run(run).job("build").input("status", "in_progress");
    step.input("ticket", "acme/hub#1")
}

#[tokio::test]
async fn a_waiting_job_cancels_the_later_of_two_starts_as_soon_as_it_sees_both() {
    let acme = Acme::new().await;
    acme.dispatch("docs").await;
    let [one, two] = two_that_do_not_see_each_other(&acme, || with_wait(dispatch(&acme, "web"), "200ms"));
    until("were two starts recorded", &acme, || claims(&acme).len() == 2).await;
    let [(_, first), (_, second)] = &claims(&acme)[..] else { panic!("two claims") };
    lag(&acme, || Duration::ZERO);
    until("was the second run cancelled", &acme, || {
        conclusion(&acme, *second).as_deref() == Some("cancelled")
    })
    .await;
    report_of(*second).run_in(&acme).await.succeeds().says("::warning::web was started twice");
    acme.world.finish_run(*first, "success");
    let (one, two) = tokio::join!(one.end(), two.end());
    let account = account(&acme, &[&one, &two]);
    let failures: Vec<&Outcome> =
        [&one, &two].into_iter().filter(|outcome| outcome.code == Some(1)).collect();
    let [failure] = &failures[..] else { panic!("one of them fails\n{account}") };
    failure.says("web: it was started twice").says("help: check whether the second run released");
    let winner = if one.code == Some(1) { &two } else { &one };
    winner.succeeds();
    assert_eq!(conclusion(&acme, *first).as_deref(), Some("success"), "{account}");
    // Either job records it: the one that cancelled the run, or the one that started it.
    let is_superseded = acme.records(1).iter().any(|record| record.body.contains("\"state\":\"superseded\""));
    assert!(is_superseded, "{account}");
    assert!(acme.board(1).contains("1 of 2 released"), "{}", acme.board(1));
}

#[tokio::test]
async fn a_record_says_that_the_run_of_the_later_claim_came_second() {
    let acme = Acme::new().await;
    acme.dispatch("docs").await;
    let steps = two_that_do_not_see_each_other(&acme, || with_wait(dispatch(&acme, "web"), "200ms"));
    until("were two starts recorded", &acme, || claims(&acme).len() == 2).await;
    let [(_, first), _] = &claims(&acme)[..] else { panic!("two claims") };
    lag(&acme, || Duration::ZERO);
    // The job that sees it first records it.
    let texts = || acme.records(1).into_iter().map(|record| record.body);
    until("was the second start recorded", &acme, || texts().any(|text| text.contains("superseded"))).await;
    acme.world.finish_run(*first, "success");
    for step in steps {
        step.end().await;
    }
    let texts: String = texts().map(|text| for_people(&text)).collect();
    assert!(texts.contains("**web** (acme/web): 🚫 it was started twice"), "{texts}");
}

/// Two starts of web by hub jobs that have ended, and a third hub job that sees both.
async fn after_two_starts(targets: &str) -> (Acme, Outcome) {
    let acme = Acme::new().await;
    acme.dispatch("docs").await;
    let [one, two] = two_that_do_not_see_each_other(&acme, || dispatch(&acme, "web"));
    one.end().await.succeeds();
    two.end().await.succeeds();
    acme.world.runs("acme/hub").iter().for_each(|run| acme.world.finish_run(run.id, "success"));
    lag(&acme, || Duration::ZERO);
    let third = dispatch(&acme, targets).run_in(&acme).await;
    (acme, third)
}

/// Asserts that the run of the later claim was cancelled, and that of the first one was not.
fn assert_the_first_lasts(acme: &Acme, third: &Outcome) {
    let account = account(acme, &[third]);
    let [(_, first), (_, second)] = &claims(acme)[..] else { panic!("two claims\n{account}") };
    assert_eq!(conclusion(acme, *second).as_deref(), Some("cancelled"), "{account}");
    assert_eq!((conclusion(acme, *first), lasting_runs(acme, "web")), (None, 1), "{account}");
}

#[tokio::test]
async fn a_later_hub_job_cancels_the_later_of_two_starts() {
    let (acme, third) = after_two_starts("web, api").await;
    assert_the_first_lasts(&acme, &third);
    assert_eq!(runs(&acme, "api").len(), 1);
}

#[tokio::test]
async fn a_later_hub_job_with_nothing_to_start_cancels_the_later_of_two_starts() {
    let (acme, third) = after_two_starts("web").await;
    assert_the_first_lasts(&acme, &third);
}

#[tokio::test]
async fn a_hub_job_that_cancels_the_second_start_of_another_job_fails() {
    let (_acme, third) = after_two_starts("web, api").await;
    third.fails().says("web: it was started twice");
}

#[tokio::test]
async fn a_second_ticket_of_a_release_is_closed_as_a_duplicate_by_a_later_hub_job() {
    let acme = Acme::new().await;
    let [one, two] = two_that_do_not_see_each_other(&acme, || dispatch(&acme, "web"));
    one.end().await.succeeds();
    two.end().await.succeeds();
    let issues = acme.world.issues("acme/hub");
    assert!(issues.len() == 2 && issues.iter().all(|issue| issue.is_open() && issue.comments.len() == 2));
    lag(&acme, || Duration::ZERO);
    let later = dispatch(&acme, "web").run_in(&acme).await;
    later.succeeds().says("acme/hub#2 came second to #1; closing it as a duplicate");
    assert_eq!(later.output("ticket-number"), "1");
    let [first, second] = &acme.world.issues("acme/hub")[..] else { panic!("two issues") };
    assert!(first.is_open() && !second.is_open());
    assert_eq!(second.state_reason.as_deref(), Some("duplicate"));
    assert!(second.comments.last().is_some_and(|last| last.body == "Duplicate of #1"));
    assert_eq!(runs(&acme, "web").len(), 2, "each ticket has started web, and nobody starts it again");
}
