//! `track: true`: one step reports how its job begins and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use simulated_github::{Fault, Job, Kind};
use tempfile::TempDir;

use crate::support::{Acme, Outcome, Step, for_people, without_links};

/// A job of a target whose first step tracks it.
struct TrackedJob {
    acme: Acme,
    ticket: u64,
    run: u64,
    temp: TempDir,
}

impl TrackedJob {
    async fn new() -> Self {
        let acme = Acme::new().await;
        let ticket = acme.dispatch("web").await;
        let run = acme.world.runs("acme/web")[0].id;
        acme.world.token("job-token").acts_as("github-actions[bot]").can("acme/web", &["actions: read"]);
        Self { acme, ticket, run, temp: tempfile::tempdir().expect("a folder") }
    }

    /// A step of the job.
    fn step(&self, job_status: &str) -> Step {
        let step = Step::new("report").run(self.run).job("build").temp(self.temp.path());
        let step = step.input("token", "job-token").input("ticket-token", "target-token");
        step.input("ticket", format!("acme/hub#{}", self.ticket)).input("status", job_status)
    }

    /// The tracking step, with the inputs that the runner evaluates for a job of this status.
    fn tracking_step(&self, job_status: &str) -> Step {
        self.step(job_status).input("track", "true")
    }

    async fn start(&self) -> Outcome {
        let outcome = self.tracking_step("success").run_in(&self.acme).await;
        outcome.succeeds();
        outcome
    }

    /// Adds the job to GitHub's run: it fails at its third step, and has not ended.
    fn fail_at_the_tests(&self) -> u64 {
        let job = Job::new("build").step("Set up job", "success").step("Track", "success");
        self.acme.world.add_job(self.run, job.step("Run tests", "failure").running())
    }

    fn row(&self) -> String {
        self.acme.row(self.ticket, "web")
    }

    /// The records of jobs of targets.
    fn records(&self) -> Vec<String> {
        let records = self.acme.records(self.ticket).into_iter();
        let records = records.filter(|record| record.body.starts_with("<!-- release-ticket:1 report "));
        let url = self.acme.server.url();
        let text = |body: &str| {
            for_people(body).replace(&self.run.to_string(), "RUN").replace(&url, "https://github.com")
        };
        records.map(|record| text(&record.body)).collect()
    }

    /// The job's record.
    fn record(&self) -> String {
        let [record] = &self.records()[..] else { panic!("one record: {:#?}", self.records()) };
        record.clone()
    }
}

#[tokio::test]
async fn a_tracked_job_is_under_way_and_then_has_ended() {
    let job = TrackedJob::new().await;
    job.acme.world.clear_exchanges();
    let main = job.start().await;
    assert!(job.acme.requests().len() <= 4, "{:#?}", job.acme.requests());
    assert!(job.row().contains("| 🔄 in progress | 🔄 build | "), "{}", job.row());
    assert_eq!(main.summary, "", "the post step's summary is that of the job");
    assert_eq!(
        main.state,
        BTreeMap::from([("tracks".to_owned(), r#"{"target":null,"stage":"build"}"#.to_owned())])
    );

    job.acme.world.clear_exchanges();
    let post =
        job.tracking_step("success").input("message", "42 tests").post(&main.state).run_in(&job.acme).await;
    post.succeeds();
    assert!(job.acme.requests().len() <= 4, "{:#?}", job.acme.requests());
    assert!(post.summary.contains("✅ success **web** `build` reported to"), "{}", post.summary);
    assert_eq!(post.state, BTreeMap::new());
    insta::assert_snapshot!(job.record(), @"
    ✅ success **web** `build` · [run RUN](https://github.com/acme/web/actions/runs/RUN)

    > 42 tests
    ");
}

#[tokio::test]
async fn the_message_of_a_tracking_step_is_about_the_end() {
    let job = TrackedJob::new().await;
    let url = "https://github.com/acme/web/releases/tag/v1";
    let step = |status: &str| {
        let step = job.tracking_step(status).input("done", "true").input("url", url);
        step.input("message-path", "notes.txt").variable("GITHUB_WORKSPACE", job.temp.path().display())
    };
    let main = step("success").run_in(&job.acme).await;
    main.succeeds();
    assert!(!main.log.contains("::warning::"), "a later step writes the file: {}", main.log);
    assert!(job.row().contains("| 🔄 in progress | 🔄 build | "), "{}", job.row());
    std::fs::write(job.temp.path().join("notes.txt"), "Published").expect("a writable folder");
    step("success").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.row().starts_with("| **web** | ✅ released |"), "{}", job.row());
    assert!(job.record().contains(&format!("[link]({url})")), "{}", job.record());
    assert!(job.record().contains("> Published"), "{}", job.record());
}

#[tokio::test]
async fn a_failed_job_names_its_step_and_links_to_it() {
    let job = TrackedJob::new().await;
    let id = job.fail_at_the_tests();
    let url = "https://github.com/acme/web/releases/latest";
    let step = |status: &str| {
        let step = job.tracking_step(status).input("message", "Build and tests").input("url", url);
        step.input("check-run-id", id)
    };
    let main = step("success").run_in(&job.acme).await;
    let post = step("failure").post(&main.state).run_in(&job.acme).await;
    post.succeeds();
    assert!(!post.log.contains("not named"), "{}", post.log);
    insta::assert_snapshot!(job.record().replace(&id.to_string(), "JOB"), @"
    ❌ failure **web** `build` · [link](https://github.com/acme/web/actions/runs/RUN/job/JOB#step:3:1) · [run RUN](https://github.com/acme/web/actions/runs/RUN)

    > step 3, Run tests
    > Build and tests
    ");
    let board = without_links(&job.acme.board(job.ticket));
    assert!(board.contains("**web** failed at `build`: step 3, Run tests"), "{board}");
}

#[tokio::test]
async fn a_cancelled_job_names_the_step_that_ran() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    let github_job = Job::new("build").step("Set up job", "success").step("Track", "success");
    job.acme.world.add_job(job.run, github_job.step("Run tests", "cancelled").running());
    job.tracking_step("cancelled").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("🚫 cancelled **web** `build`"), "{}", job.record());
    assert!(job.record().contains("> step 3, Run tests"), "{}", job.record());
}

#[tokio::test]
async fn a_step_that_github_shows_late_is_looked_for_again() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    let id = job.acme.world.add_job(job.run, Job::new("build").step("Set up job", "success").running());
    let post = job.tracking_step("failure").post(&main.state).spawn_in(&job.acme);
    let has_asked = || job.acme.requests().iter().any(|request| request.contains("/attempts/1/jobs"));
    while !has_asked() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    job.acme.world.update_run(job.run, |run| {
        let github_job = run.jobs.iter_mut().find(|job| job.id == id).expect("it was added");
        *github_job = github_job.clone().step("Run tests", "failure");
    });
    post.end().await.succeeds();
    assert!(job.record().contains("step 2, Run tests"), "{}", job.record());
}

#[tokio::test]
async fn jobs_of_the_same_name_are_not_taken_for_each_other() {
    let job = TrackedJob::new().await;
    job.fail_at_the_tests();
    let own = Job::new("build").step("Set up job", "success").step("Package", "failure").running();
    let id = job.acme.world.add_job(job.run, own);
    let step = |status: &str| job.tracking_step(status).input("check-run-id", id);
    let main = step("success").run_in(&job.acme).await;
    step("failure").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("step 2, Package"), "{}", job.record());
}

#[tokio::test]
async fn jobs_that_do_not_answer_do_not_hold_up_the_report() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    job.fail_at_the_tests();
    let slow = Fault::on("GET", "/repos/acme/web/actions/**").always();
    job.acme.world.fault(slow.then(Kind::Latency(Duration::from_secs(60))));
    for status in ["failure", "cancelled"] {
        let start = std::time::Instant::now();
        job.tracking_step(status).post(&main.state).run_in(&job.acme).await.succeeds();
        assert!(start.elapsed() < Duration::from_secs(7), "{status}: {:?}", start.elapsed());
    }
    assert!(job.record().contains("❌ failure **web** `build`"), "{}", job.record());
}

#[tokio::test]
async fn without_the_permission_the_step_is_not_named() {
    let job = TrackedJob::new().await;
    job.acme.world.repository("acme/web").private();
    let id = job.fail_at_the_tests();
    let step =
        |status: &str| job.tracking_step(status).input("token", "target-token").input("check-run-id", id);
    let main = step("success").run_in(&job.acme).await;
    let post = step("failure").post(&main.state).run_in(&job.acme).await;
    post.succeeds().says("the step at which the job ended is not named");
    assert!(!post.log.contains("::warning::"), "{}", post.log);
    insta::assert_snapshot!(job.record().replace(&id.to_string(), "JOB"), @"❌ failure **web** `build` · [link](https://github.com/acme/web/actions/runs/RUN/job/JOB) · [run RUN](https://github.com/acme/web/actions/runs/RUN)");
}

#[tokio::test]
async fn an_end_that_a_step_has_reported_stays() {
    for (status, message, end) in [
        ("success", "42 tests", "success"),
        ("failure", "The disk is full", "failure"),
        ("failure", "The disk is full", "cancelled"),
        ("skipped", "Nothing has changed", "success"),
    ] {
        let job = TrackedJob::new().await;
        let main = job.start().await;
        job.fail_at_the_tests();
        job.step(status).input("message", message).run_in(&job.acme).await.succeeds();
        let (record, story) = (job.record(), job.acme.world.story());
        job.acme.world.clear_exchanges();
        let post = job.tracking_step(end).input("message", "Over").post(&main.state).run_in(&job.acme).await;
        post.succeeds().says("a step of this job has reported");
        assert_eq!(post.output("delivered"), "true");
        assert_eq!((job.record(), job.acme.world.story()), (record, story), "{status}, {end}");
        assert_eq!(job.acme.requests().len(), 1, "{:#?}", job.acme.requests());
    }
}

#[tokio::test]
async fn a_job_that_ends_worse_than_a_step_has_reported_says_so_and_keeps_the_message() {
    for (status, end) in [("success", "failure"), ("success", "cancelled"), ("cancelled", "failure")] {
        let job = TrackedJob::new().await;
        let main = job.start().await;
        job.fail_at_the_tests();
        let step = job.step(status).input("message", "Published 1.4.0").input("done", "true");
        step.run_in(&job.acme).await.succeeds();
        job.tracking_step(end).post(&main.state).run_in(&job.acme).await.succeeds();
        let record = job.record();
        assert!(record.contains(&format!("{end} **web** `build`")), "{record}");
        assert!(record.contains("step 3, Run tests\n> Published 1.4.0"), "{record}");
        assert!(!job.row().contains("released"), "{}", job.row());
    }
}

#[tokio::test]
async fn a_step_that_reports_progress_leaves_the_end_to_the_post_step() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    job.step("in_progress").input("message", "half of it").run_in(&job.acme).await.succeeds();
    job.step("success").input("stage", "lint").run_in(&job.acme).await.succeeds();
    job.tracking_step("success").post(&main.state).run_in(&job.acme).await.succeeds();
    let record = job.record();
    assert!(record.contains("✅ success **web** `build`") && record.contains("`lint`"), "{record}");
    assert!(!record.contains("half of it"), "{record}");
}

#[tokio::test]
async fn an_undelivered_report_goes_out_at_the_end_of_the_job() {
    // The report of the start.
    let job = TrackedJob::new().await;
    job.acme.world.lock_issue("acme/hub", job.ticket);
    let main = job.start().await;
    main.says("::warning::cannot report to acme/hub#");
    assert_eq!(main.output("delivered"), "false");
    job.acme.world.unlock_issue("acme/hub", job.ticket);
    job.tracking_step("success").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("✅ success **web** `build`"), "{}", job.record());

    // A step's report of the end.
    for mode in ["update", "new"] {
        let job = TrackedJob::new().await;
        let main = job.tracking_step("success").input("comment-mode", mode).run_in(&job.acme).await;
        for (method, path) in [("POST", "issues/*/comments"), ("PATCH", "issues/comments/*")] {
            let writes = Fault::on(method, format!("/repos/acme/hub/{path}")).always();
            job.acme.world.fault(writes.then(Kind::StatusBefore(403)));
        }
        let report = job.step("success").input("comment-mode", mode).input("message", "42 tests");
        report.run_in(&job.acme).await.succeeds().says("cannot report");
        job.acme.world.clear_faults();
        let post = job.tracking_step("success").input("comment-mode", mode).post(&main.state);
        post.run_in(&job.acme).await.succeeds();
        assert!(job.row().contains("✅ build: 42 tests"), "{mode}: {}", job.row());
    }
}

#[tokio::test]
async fn a_new_comment_for_each_step_says_the_end_once() {
    let job = TrackedJob::new().await;
    let step = |step: Step| step.input("comment-mode", "new").run_in(&job.acme);
    let main = step(job.tracking_step("success")).await;
    step(job.step("success").input("message", "42 tests")).await.succeeds();
    step(job.step("success").input("stage", "lint")).await.succeeds();
    let story = job.acme.world.story();
    step(job.tracking_step("success").post(&main.state)).await.succeeds();
    assert_eq!(job.acme.world.story(), story);
    step(job.tracking_step("failure").post(&main.state)).await.succeeds();
    assert_eq!(job.records().len(), 4);
    assert!(job.row().contains("❌ build") && job.row().contains("✅ lint"), "{}", job.row());
    assert!(job.records()[3].contains("> 42 tests"), "{:#?}", job.records());
}

#[tokio::test]
async fn steps_that_share_no_folder_find_their_record_on_the_ticket() {
    let job = TrackedJob::new().await;
    let alone = |step: Step| step.without("RUNNER_TEMP").run_in(&job.acme);
    let main = alone(job.tracking_step("success")).await;
    alone(job.step("failure").input("message", "The disk is full")).await.succeeds();
    alone(job.tracking_step("failure").post(&main.state))
        .await
        .succeeds()
        .says("a step of this job has reported");
    assert!(job.record().contains("The disk is full"), "{}", job.record());
}

#[tokio::test]
async fn several_tracked_stages_and_targets_of_one_job_end_together() {
    let job = TrackedJob::new().await;
    let step = |target: &str, stage: &str, status: &str| {
        job.tracking_step(status).input("target", target).input("stage", stage)
    };
    let stages = [("web", "build"), ("web", "publish"), ("other", "build")];
    let mut states = Vec::new();
    for (target, stage) in stages {
        states.push(step(target, stage, "success").run_in(&job.acme).await.state);
    }
    // The runner runs post steps in reverse order. The stage that counts is that of the main step.
    for ((target, _), state) in stages.iter().zip(&states).rev() {
        step(target, "changed", "failure").post(state).run_in(&job.acme).await.succeeds();
    }
    let record = job.record();
    assert_eq!(record.matches("❌ failure").count(), 3, "{record}");
    assert!(!record.contains("in progress") && !record.contains("changed"), "{record}");
}

#[tokio::test]
async fn each_job_of_a_matrix_is_a_stage() {
    let job = TrackedJob::new().await;
    let step =
        |os: &str, status: &str| job.tracking_step(status).input("matrix", format!(r#"{{"os":"{os}"}}"#));
    let mains =
        [step("linux", "success").run_in(&job.acme).await, step("mac", "success").run_in(&job.acme).await];
    let mac_job = Job::new("build (mac)").step("Set up job", "success").step("Sign", "failure").running();
    job.acme.world.add_job(job.run, mac_job);
    step("linux", "success").post(&mains[0].state).run_in(&job.acme).await.succeeds();
    step("mac", "failure").post(&mains[1].state).run_in(&job.acme).await.succeeds();
    let row = without_links(&job.row());
    assert!(row.contains("❌ build (mac)") && row.contains("✅ build (linux)"), "{row}");
    assert!(job.records()[1].contains("step 2, Sign"), "{:#?}", job.records());
}

#[tokio::test]
async fn without_a_ticket_both_ends_succeed_and_do_nothing() {
    let acme = Acme::new().await;
    let step = |status: &str| Step::new("report").input("track", "true").input("status", status);
    let main = step("success").input("ticket", "-1").run_in(&acme).await;
    main.succeeds().says("::notice::there is no release ticket");
    assert_eq!(main.state, BTreeMap::new());
    let post = step("failure").input("ticket", "-1").post(&main.state).run_in(&acme).await;
    assert_eq!((post.succeeds().log.as_str(), post.errors.as_str(), post.summary.as_str()), ("", "", ""));
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn the_post_step_of_any_other_step_does_nothing_and_says_nothing() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let forgery = BTreeMap::from([("tracks".to_owned(), r#"{"stage":"publish"}"#.to_owned())]);
    let step = |mode: &str| {
        let step = Step::new(mode).input("targets", "web").input("workflow", "release.yml");
        step.input("ticket", ticket).input("status", "failure").input("repository", "acme/hub")
    };
    for state in [BTreeMap::new(), forgery] {
        for mode in ["dispatch", "report", "notify", "of-a-main-step-that-failed"] {
            // The main step refused invalid inputs.
            if mode == "of-a-main-step-that-failed" && !state.is_empty() {
                continue;
            }
            let post = step(mode).post(&state).run_in(&acme).await;
            assert_eq!((post.succeeds().visible_log(), post.errors.clone()), Default::default(), "{mode}");
            assert!(post.outputs.is_empty() && post.summary.is_empty(), "{mode}: {post:?}");
        }
    }
    // The main step stopped before it left a state.
    let post = step("report").input("track", "true").post(&BTreeMap::new()).run_in(&acme).await;
    assert_eq!(post.succeeds().log, "");
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_state_that_no_main_step_has_left_is_not_reported() {
    let job = TrackedJob::new().await;
    let long = format!(r#"{{"stage":"{}"}}"#, "x".repeat(5_000));
    for state in ["", " ", "yes", "{}", r#"{"stage":7}"#, r#"{"stage":" "}"#, r#"["build"]"#, &long] {
        let state = BTreeMap::from([("tracks".to_owned(), state.to_owned())]);
        let post = job.tracking_step("failure").post(&state).run_in(&job.acme).await;
        post.succeeds();
        assert_eq!(job.records(), [""; 0], "{state:?}: {}", post.log);
    }
    // Variables of earlier steps do not make a main step a post step.
    let main = job.tracking_step("failure").variable("STATE_tracks", r#"{"stage":"publish"}"#);
    main.run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("🔄 in progress **web** `build`"), "{}", job.record());
}

#[tokio::test]
async fn a_planted_success_does_not_hide_that_the_job_failed() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    let folder = std::fs::read_dir(job.temp.path().join("release-ticket")).expect("the job's state");
    let [file] = &folder.map(|entry| entry.expect("a file").path()).collect::<Vec<_>>()[..] else {
        panic!("one file")
    };
    let state = std::fs::read_to_string(file).expect("a text file");
    let forgery = state.replace("in_progress", "success").replace("\"seq\":1", "\"seq\":9");
    assert_ne!(forgery, state.replace("in_progress", "success"));
    std::fs::write(file, forgery).expect("a writable file");
    job.tracking_step("failure").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("❌ failure **web** `build`"), "{}", job.record());
}

#[tokio::test]
async fn a_status_of_a_job_that_is_under_way_is_refused_beside_track() {
    let job = TrackedJob::new().await;
    for status in ["queued", "in_progress"] {
        let main = job.tracking_step(status).run_in(&job.acme).await;
        main.ends_with(2).says("inputs `status` and `track` do not go together").says("leave `status` out");
        assert_eq!(main.state, BTreeMap::new());
    }
    let main =
        job.tracking_step("success").input("message", "a").input("message-path", "b").run_in(&job.acme).await;
    main.ends_with(2).says("`message` and `message-path`");
    let main = job.tracking_step("success").input("track", "yes").run_in(&job.acme).await;
    main.ends_with(2).says("input `track` is `yes`");
}

#[tokio::test]
async fn fail_on_error_is_for_both_ends() {
    let job = TrackedJob::new().await;
    job.acme.world.lock_issue("acme/hub", job.ticket);
    let step = |status: &str| job.tracking_step(status).input("fail-on-error", "true");
    let main = step("success").run_in(&job.acme).await;
    main.fails().says("::error::cannot report to acme/hub#");
    step("failure").post(&main.state).run_in(&job.acme).await.fails().says("::error::cannot report");
}

#[tokio::test]
async fn a_dry_run_prints_both_plans_and_changes_nothing() {
    let job = TrackedJob::new().await;
    let story = job.acme.world.story();
    let step = |status: &str| job.tracking_step(status).input("dry-run", "true");
    let main = step("success").run_in(&job.acme).await;
    main.succeeds().says("🔄 in progress");
    step("success").post(&main.state).run_in(&job.acme).await.succeeds().says("✅ success");
    assert_eq!(job.acme.world.story(), story);
}

#[tokio::test]
async fn a_runner_that_keeps_no_state_is_a_warning() {
    let job = TrackedJob::new().await;
    let main = job.tracking_step("success").variable("GITHUB_STATE", "/no/such/file").run_in(&job.acme).await;
    main.succeeds().says("::warning::the end of this job will not be reported: `/no/such/file`");
    assert!(job.row().contains("🔄 build"), "{}", job.row());
}

#[tokio::test]
async fn a_main_step_that_is_cancelled_leaves_the_end_to_its_post_step() {
    let job = TrackedJob::new().await;
    let slow = Fault::on("*", "/repos/acme/hub/issues/*/comments").always();
    job.acme.world.fault(slow.then(Kind::Latency(Duration::from_secs(60))));
    let main = job.tracking_step("success").spawn_in(&job.acme);
    tokio::time::sleep(Duration::from_millis(400)).await;
    main.signal("INT");
    let main = main.end().await;
    main.says("there was no time left to say so on the ticket");
    job.acme.world.clear_faults();
    job.tracking_step("cancelled").post(&main.state).run_in(&job.acme).await.succeeds();
    assert!(job.record().contains("🚫 cancelled **web** `build`"), "{}", job.record());
}

#[tokio::test]
async fn a_post_step_that_is_interrupted_reports_how_the_job_ended() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    let slow = Fault::on("GET", "/repos/acme/web/actions/**").always();
    job.acme.world.fault(slow.then(Kind::Latency(Duration::from_secs(60))));
    let post = job.tracking_step("failure").post(&main.state).spawn_in(&job.acme);
    tokio::time::sleep(Duration::from_millis(500)).await;
    post.signal("INT");
    let start = std::time::Instant::now();
    post.end().await;
    assert!(start.elapsed() < Duration::from_secs(10), "the runner kills after ten seconds");
    assert!(job.record().contains("❌ failure **web** `build`"), "{}", job.record());
}

#[tokio::test]
async fn the_failure_of_a_tracked_job_pings_the_driver_once() {
    let job = TrackedJob::new().await;
    let main = job.start().await;
    job.fail_at_the_tests();
    for _ in 0..2 {
        job.tracking_step("failure").post(&main.state).run_in(&job.acme).await.succeeds();
    }
    let pings = job.acme.records(job.ticket).iter().filter(|record| record.body.contains("@alice")).count();
    assert_eq!(pings, 1);
}

#[tokio::test]
async fn an_app_that_is_installed_for_the_hub_alone_reports_without_the_step() {
    let job = TrackedJob::new().await;
    let app = job.acme.world.app("acme-release");
    app.installed_on("acme", &["issues: write"]).only_for("acme", &["hub"]);
    let step = |status: &str| job.tracking_step(status).without("INPUT_TICKET-TOKEN").app(&app);
    let main = step("success").run_in(&job.acme).await;
    main.succeeds();
    job.fail_at_the_tests();
    let post = step("failure").post(&main.state).run_in(&job.acme).await;
    post.succeeds().says("is not named");
    assert!(job.record().contains("❌ failure **web** `build`"), "{}", job.record());
}
