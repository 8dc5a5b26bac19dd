//! Steps that are killed or cancelled at the worst moment.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use serde_json::Value;
use simulated_github::{Fault, Job, Kind};

use crate::support::{Acme, Outcome, RunningStep, Step};

/// The number of worlds that play side by side.
const WORLDS: usize = 16;

/// Plays a world of its own for each write after which a step can be killed. `play` takes the number of
/// writes before the kill, and says whether the step was still running then. Returns the number of writes
/// of a step that runs to its end.
pub(crate) async fn after_each_write(play: impl AsyncFn(usize) -> bool) -> usize {
    let worlds = futures::stream::iter(1..).map(async |writes| (writes, play(writes).await));
    let mut worlds = pin!(worlds.buffered(WORLDS));
    while let Some((writes, was_killed)) = worlds.next().await {
        if !was_killed {
            return writes - 1;
        }
    }
    unreachable!("a step makes a finite number of writes")
}

/// Kills `step` as soon as `writes` of its write requests had their effect, before it has the answer.
/// Returns whether it was still running then.
pub(crate) async fn kill_after(acme: &Acme, mut step: RunningStep, writes: usize) -> bool {
    let effects = || acme.world.exchanges().iter().filter(|exchange| exchange.effective).count();
    let before = effects();
    while step.is_running() {
        if effects() >= before + writes {
            step.signal("KILL");
            step.end().await;
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    step.end().await.succeeds();
    false
}

fn slow_down(acme: &Acme) {
    acme.world.latency(|_, _| Duration::from_millis(60));
}

#[tokio::test]
async fn a_dispatch_that_is_killed_after_any_write_is_finished_by_its_rerun() {
    let writes = after_each_write(async |writes| {
        let acme = Acme::new().await;
        slow_down(&acme);
        let step = |attempt| {
            let step = Step::new("dispatch").run(500).attempt(attempt).input("targets", "web, api");
            step.input("workflow", "release.yml").input("release", "1.4.0").input("max-parallel", "1")
        };
        let was_killed = kill_after(&acme, step(1).spawn_in(&acme), writes).await;
        acme.world.latency(|_, _| Duration::ZERO);
        let outcome = step(2).run_in(&acme).await;
        outcome.succeeds();
        for name in ["web", "api"] {
            let runs = acme.world.runs(&format!("acme/{name}")).len();
            assert_eq!(runs, 1, "{name}, killed after {writes}\n{}\n{}", acme.world.story(), outcome.log);
        }
        let issues = acme.world.issues("acme/hub");
        assert_eq!(issues.len(), 1, "killed after {writes}\n{}", acme.world.story());
        let board = acme.board(1);
        assert!(
            board.contains("🕓 **2 queued**") && board.contains("has not reported since it was started"),
            "after {writes}: {board}"
        );
        was_killed
    })
    .await;
    assert!(writes >= 7, "it was killed after each of its {writes} writes");
}

/// Lets every run begin after its start, and succeed a moment later.
fn finish_runs(acme: &Acme) -> tokio::task::JoinHandle<()> {
    let (world, mut starts) = (acme.world.clone(), acme.world.started_runs());
    tokio::spawn(async move {
        while let Some(run) = starts.recv().await {
            world.add_job(run.id, Job::new("publish").running());
            world.update_run(run.id, |run| run.status = "in_progress".into());
            tokio::time::sleep(Duration::from_millis(150)).await;
            world.finish_run(run.id, "success");
        }
    })
}

#[tokio::test]
async fn a_waiting_dispatch_that_is_killed_after_any_write_is_finished_by_its_rerun() {
    let writes = after_each_write(async |writes| {
        let acme = Acme::new().await;
        acme.world.latency(|_, _| Duration::from_millis(40));
        let runs = finish_runs(&acme);
        let step = |attempt| {
            let step = Step::new("dispatch").run(500).attempt(attempt).input("workflow", "release.yml");
            let step = step.input("targets", "[web, { repository: api, needs: web }]");
            step.input("release", "1.4.0").input("wait", "true").input("wait-interval", "30ms")
        };
        let was_killed = kill_after(&acme, step(1).spawn_in(&acme), writes).await;
        acme.world.latency(|_, _| Duration::ZERO);
        let outcome = step(2).run_in(&acme).await;
        let account = || format!("killed after {writes}\n{}\n{}", acme.world.story(), outcome.log);
        assert_eq!(outcome.code, Some(0), "{}", account());
        for name in ["web", "api"] {
            assert_eq!(acme.world.runs(&format!("acme/{name}")).len(), 1, "{name}, {}", account());
        }
        assert_eq!(acme.world.issues("acme/hub").len(), 1, "{}", account());
        let results: Vec<Value> = serde_json::from_str(outcome.output("results")).expect("a list");
        assert!(results.iter().all(|result| result["conclusion"] == "success"), "{results:?}, {}", account());
        assert!(acme.board(1).contains("**Everything is released.**"), "{}, {}", acme.board(1), account());
        runs.abort();
        was_killed
    })
    .await;
    // The ticket; for each wave a claim, a start and its record, each with the board.
    assert!(writes >= 12, "it was killed after each of its {writes} writes");
}

#[tokio::test]
async fn a_start_that_is_under_way_when_its_hub_job_is_cancelled_is_found() {
    for cancels in [false, true] {
        let acme = Acme::new().await;
        let starts = Fault::on("POST", "/repos/acme/web/actions/workflows/*/dispatches");
        acme.world.fault(starts.then(Kind::Latency(Duration::from_secs(4))));
        let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
        let step = step.input("release", "1.4.0").input("cancel-on-timeout", cancels).spawn_in(&acme);
        // Half of the time passes before the effect.
        while acme.world.runs("acme/web").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        step.signal("INT");
        let outcome = step.end().await;
        outcome.fails().says("the step was cancelled").says("web was started by this job");
        let run = acme.world.runs("acme/web").remove(0);
        assert_eq!(run.conclusion.as_deref(), cancels.then_some("cancelled"));
        assert!(
            acme.records(1)[0].body.contains(&format!("\"run\":{}", run.id)),
            "{}",
            acme.records(1)[0].body
        );
        Step::new("dispatch")
            .run(500)
            .attempt(2)
            .input("targets", "web")
            .input("workflow", "release.yml")
            .input("release", "1.4.0")
            .run_in(&acme)
            .await
            .succeeds();
        assert_eq!(acme.world.runs("acme/web").len(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_hub_job_cancels_its_runs_even_if_its_ticket_cannot_be_written() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    let step = step.input("release", "1.4.0").input("cancel-on-timeout", "true").input("wait", "true");
    let step = step.spawn_in(&acme);
    while acme.world.runs("acme/web").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The hub job has written all its records, and waits for the run.
    while !acme.records(1)[0].body.contains("\"followed\":[{\"target\":\"web\"") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    acme.world.fault(
        Fault::on("PATCH", "/repos/acme/hub/issues/comments/*").always().then(Kind::StatusBefore(403)),
    );
    step.signal("INT");
    step.end().await.fails().says("cancelled web");
    assert_eq!(acme.world.runs("acme/web")[0].conclusion.as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn a_report_that_is_killed_after_any_write_is_finished_by_the_jobs_next_step() {
    let writes = after_each_write(async |writes| {
        let acme = Acme::new().await;
        let ticket = acme.dispatch("web").await;
        let run = acme.world.runs("acme/web")[0].id;
        let temp = tempfile::tempdir().expect("a folder");
        slow_down(&acme);
        let step = |stage: &str| {
            let step = Step::new("report").run(run).job("build").temp(temp.path()).input("stage", stage);
            step.input("ticket", format!("acme/hub#{ticket}")).input("status", "success")
        };
        let was_killed = kill_after(&acme, step("first").spawn_in(&acme), writes).await;
        step("second").run_in(&acme).await.succeeds();
        let records = acme.records(ticket);
        assert_eq!(records.len(), 2, "a claim and one record, killed after {writes}");
        assert!(
            records[1].body.contains("`first`") && records[1].body.contains("`second`"),
            "{}",
            records[1].body
        );
        assert!(acme.board(ticket).contains("Shows 2 records"), "{}", acme.board(ticket));
        was_killed
    })
    .await;
    assert!(writes >= 2, "it was killed after each of its {writes} writes");
}

#[tokio::test]
async fn a_notify_that_is_killed_after_any_write_is_finished_by_its_rerun() {
    let writes = after_each_write(async |writes| {
        let acme = Acme::new().await;
        acme.world.repository("acme/web").assignable("alice");
        acme.world.token("web-token").acts_as("github-actions[bot]").can("acme/web", &["issues: write"]);
        slow_down(&acme);
        let step = |attempt| {
            Step::new("notify")
                .run(9_000)
                .attempt(attempt)
                .input("token", "web-token")
                .input("status", "failure")
        };
        let was_killed = kill_after(&acme, step(1).spawn_in(&acme), writes).await;
        step(2).run_in(&acme).await.succeeds();
        assert_eq!(acme.world.issues("acme/web").len(), 1, "killed after {writes}");
        was_killed
    })
    .await;
    assert!(writes >= 1, "it was killed after each of its {writes} writes");
}

/// Interrupts `step` once it has written its first comment.
async fn interrupt(acme: &Acme, step: RunningStep, signal: &str) -> Outcome {
    let comments = || {
        let effects = acme.world.exchanges().into_iter().filter(|exchange| exchange.effective);
        effects.filter(|exchange| exchange.method == "POST" && exchange.path.ends_with("/comments")).count()
    };
    let before = comments();
    while comments() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    step.signal(signal);
    let signal_time = std::time::Instant::now();
    let outcome = step.end().await;
    assert!(signal_time.elapsed() < Duration::from_secs(10), "the runner kills after ten seconds");
    outcome
}

#[tokio::test]
async fn a_cancelled_report_leaves_a_record_that_says_so() {
    for (signal, status, expected) in [
        ("INT", "in_progress", "🚫 cancelled **web** `build`"),
        ("TERM", "success", "✅ success **web** `build`"),
    ] {
        let acme = Acme::new().await;
        let ticket = acme.dispatch("web").await;
        let run = acme.world.runs("acme/web")[0].id;
        slow_down(&acme);
        let step = Step::new("report").run(run).job("build").share_temp().input("status", status);
        let step = step.input("ping", "none");
        let step = step.input("ticket", format!("acme/hub#{ticket}")).spawn_in(&acme);
        interrupt(&acme, step, signal).await.says("the step was cancelled before it was done");
        let record = acme.records(ticket).pop().expect("a record").body;
        assert!(record.contains(expected) && record.contains("The job was cancelled"), "{record}");
        assert_eq!(acme.records(ticket).len(), 2);
    }
}

#[tokio::test]
async fn a_cancelled_dispatch_gives_back_the_targets_that_it_has_not_started() {
    let play = async |signal| {
        let acme = Acme::new().await;
        slow_down(&acme);
        let step = |attempt| {
            let step = Step::new("dispatch").run(500).attempt(attempt).input("targets", "web, api");
            step.input("workflow", "release.yml").input("release", "1.4.0").input("max-parallel", "1")
        };
        interrupt(&acme, step(1).spawn_in(&acme), signal).await.fails();
        let claim = acme.records(1).remove(0).body;
        assert!(claim.contains("**web** (acme/web): 🚫 cancelled"), "{claim}");
        assert!(acme.board(1).contains("🚫 **2 cancelled**"), "{}", acme.board(1));
        step(2).run_in(&acme).await.succeeds();
        assert_eq!((acme.world.runs("acme/web").len(), acme.world.runs("acme/api").len()), (1, 1));
        assert!(acme.board(1).contains("🕓 **2 queued**"), "{}", acme.board(1));
    };
    join_all(["INT", "TERM"].map(play)).await;
}
