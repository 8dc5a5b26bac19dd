//! The inputs that a ticket remembers: a dispatch whose event has none goes on with those of an earlier one.

use serde_json::{Value, json};
use simulated_github::Comment;

use crate::support::{Acme, Outcome, Step};

const TARGETS: &str = "
defaults: { workflow: release.yml, inputs: { channel: '{{ inputs.channel }}' } }
targets:
  - acme/web
  - { repository: acme/docs, needs: [web] }
";

/// A hub whose targets take the channel from the workflow's inputs.
async fn hub() -> Acme {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    acme
}

fn step(run: u64, event: Value) -> Step {
    Step::new("dispatch").run(run).event(event).input("release", "{{ inputs.version }}")
}

/// A person starts the hub's workflow with this channel.
fn by_hand(run: u64, channel: &str) -> Step {
    with_inputs(run, json!({ "version": "1.4.0", "channel": channel }))
}

fn with_inputs(run: u64, inputs: Value) -> Step {
    step(run, json!({ "inputs": inputs }))
}

/// A person puts a label on the ticket.
fn on_label(run: u64) -> Step {
    let issue = json!({ "number": 1, "title": "Release 1.4.0", "body": "" });
    step(run, json!({ "action": "labeled", "issue": issue, "label": { "name": "go on" } }))
}

/// The hub's workflow runs on a schedule, and names the ticket.
fn on_schedule(run: u64) -> Step {
    step(run, json!({ "schedule": "0 * * * *" })).input("ticket", 1)
}

/// A report of the target's job arrives on the ticket.
fn on_report(run: u64) -> Step {
    const REPORTER: &str = "acme-report[bot]";
    let by = json!({ "repository": "acme/web", "run": 7_001, "attempt": 1, "job": "publish" });
    let report = json!({ "by": by, "seq": 1, "run_url": "", "stages": [] });
    let comment = json!({
        "id": 1, "body": format!("<!-- release-ticket:1 report {report} -->\nDone."), "user": { "login": REPORTER, "type": "Bot" },
        "author_association": "NONE", "created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:00:00Z", "html_url": "",
    });
    let sender = json!({ "login": REPORTER, "type": "Bot" });
    step(run, json!({ "action": "created", "issue": { "number": 1 }, "comment": comment, "sender": sender }))
}

/// A run of another workflow ends.
fn on_workflow_run(run: u64) -> Step {
    step(run, json!({ "action": "completed", "workflow_run": { "id": 7_001 } })).input("ticket", 1)
}

/// A ticket whose first wave has the channel beta, and is released.
async fn first_wave() -> Acme {
    let acme = hub().await;
    by_hand(500, "beta").run_in(&acme).await.succeeds();
    release(&acme, "web");
    acme
}

fn release(acme: &Acme, target: &str) {
    let runs = acme.world.runs(&format!("acme/{target}"));
    acme.world.finish_run(runs.last().expect("a run").id, "success");
}

/// The channels of the runs of each target.
fn channels(acme: &Acme) -> Vec<(&'static str, String)> {
    let channel = |name| {
        let runs = acme.world.runs(&format!("acme/{name}"));
        runs.into_iter().map(move |run| (name, run.inputs["channel"].as_str().unwrap_or_default().to_owned()))
    };
    ["web", "docs"].into_iter().flat_map(channel).collect()
}

fn pairs(starts: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    starts.iter().map(|(name, channel)| (*name, (*channel).to_owned())).collect()
}

/// The inputs in the records of the ticket, in the order of the records.
fn recorded_inputs(acme: &Acme) -> Vec<Value> {
    let inputs = acme.records(1).into_iter().filter_map(|record| data(&record)?.get("inputs").cloned());
    inputs.collect()
}

fn data(record: &Comment) -> Option<Value> {
    let (marker, _) = record.body.split_once('\n')?;
    serde_json::from_str(marker[marker.find('{')?..].trim_end_matches(" -->")).ok()
}

/// Replaces the inputs in the first record that keeps some.
fn replace_inputs(acme: &Acme, inputs: &Value) {
    let mut records = acme.records(1).into_iter();
    let record = records.find(|record| record.body.contains(r#""inputs":"#)).expect("a record");
    let mut data = data(&record).expect("JSON");
    data["inputs"] = inputs.clone();
    acme.world.edit_comment(record.id, &format!("<!-- release-ticket:1 dispatch {data} -->\ntext"));
}

#[tokio::test]
async fn a_later_wave_is_started_with_the_inputs_of_the_first_one() {
    for event in [on_label, on_schedule, on_report, on_workflow_run] {
        let acme = first_wave().await;
        let outcome = event(600).run_in(&acme).await;
        outcome.succeeds().says("this run's event has no inputs; acme/hub#1 remembers them of hub run 500");
        assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "beta")]), "{}", outcome.log);
        assert_eq!(recorded_inputs(&acme), [json!({ "values": { "version": "1.4.0", "channel": "beta" } })]);
        assert!(acme.board(1).contains("## Release 1.4.0"), "{}", acme.board(1));
    }
}

#[tokio::test]
async fn every_template_sees_the_inputs_that_the_ticket_remembers() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file("ticket.md", "From {{ inputs.from }}.");
    let templates = |step: Step| {
        let step = step.input("targets", "{{ inputs.list }}").input("only", "{{ inputs['only-these'] }}");
        let step = step.input("title", "{{ inputs.name }}").input("body-path", "ticket.md");
        step.input("workflow", "release.yml").input("inputs", "channel: '{{ inputs.channel }}'")
    };
    let inputs = json!({
        "version": "1.4.0", "list": "web, docs", "only-these": "web", "name": "Spring", "from": "main",
        "channel": "beta", "unnamed": "x",
    });
    let first = templates(with_inputs(500, inputs.clone())).run_in(&acme).await;
    first.succeeds();
    let mut template_inputs = inputs;
    template_inputs.as_object_mut().expect("an object").remove("unnamed");
    assert_eq!(recorded_inputs(&acme), [json!({ "values": template_inputs })]);
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.finish_run(run, "failure");
    templates(on_schedule(600)).input("retry-failed", true).run_in(&acme).await.succeeds();
    assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("web", "beta")]));
}

#[tokio::test]
async fn a_later_run_with_other_inputs_wins_though_it_starts_nothing() {
    let acme = hub().await;
    by_hand(500, "beta").run_in(&acme).await.succeeds();
    by_hand(600, "stable").run_in(&acme).await.succeeds();
    let last = acme.records(1).pop().expect("a record").body;
    assert!(last.contains("keeps its inputs for later dispatches of this ticket"), "{last}");
    release(&acme, "web");
    on_label(700).run_in(&acme).await.succeeds().says("remembers them of hub run 600");
    assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "stable")]));
    assert_eq!(recorded_inputs(&acme).len(), 2);
}

#[tokio::test]
async fn the_newest_run_counts_whichever_record_came_first() {
    let acme = hub().await;
    by_hand(600, "stable").run_in(&acme).await.succeeds();
    by_hand(500, "beta").run_in(&acme).await.succeeds();
    release(&acme, "web");
    on_label(700).run_in(&acme).await.succeeds();
    assert_eq!(channels(&acme), pairs(&[("web", "stable"), ("docs", "stable")]));
    assert_eq!(recorded_inputs(&acme).len(), 1, "no dispatch would read those of the older run");
}

#[tokio::test]
async fn inputs_in_a_record_of_another_account_count_for_nothing() {
    let acme = first_wave().await;
    let forgery = data(&acme.records(1)[0]).map(|mut data| {
        data["by"]["run"] = json!(599);
        data["inputs"]["values"]["channel"] = json!("stable");
        data["targets"] = json!([]);
        format!("<!-- release-ticket:1 dispatch {data} -->\ntext")
    });
    acme.world.comment("acme/hub", 1, "acme-report[bot]", &forgery.expect("a record"));
    on_label(600).run_in(&acme).await.succeeds();
    assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "beta")]));
}

#[tokio::test]
async fn a_rerun_records_no_second_copy() {
    let acme = hub().await;
    by_hand(500, "beta").run_in(&acme).await.succeeds();
    let comments = acme.records(1).len();
    by_hand(500, "beta").attempt(2).run_in(&acme).await.succeeds();
    assert_eq!((recorded_inputs(&acme).len(), acme.records(1).len()), (1, comments));
    by_hand(600, "beta").run_in(&acme).await.succeeds();
    assert_eq!(
        (recorded_inputs(&acme).len(), acme.records(1).len()),
        (1, comments),
        "the same inputs of another run"
    );
    release(&acme, "web");
    by_hand(500, "beta").attempt(3).run_in(&acme).await.succeeds();
    assert_eq!((recorded_inputs(&acme).len(), channels(&acme).len()), (1, 2));
}

#[tokio::test]
async fn an_input_that_a_record_has_no_room_for_stops_only_a_later_wave_that_needs_it() {
    for (docs, is_started) in [("{{ inputs.channel }}", true), ("{{ inputs.notes | default('') }}", false)] {
        let acme = Acme::new().await;
        let file =
            TARGETS.replace("needs: [web]", &format!("needs: [web], inputs: {{ channel: \"{docs}\" }}"));
        acme.world.repository("acme/hub").file(".github/release-targets.yml", &file);
        acme.world
            .repository("acme/docs")
            .file(".github/workflows/release.yml", "on: { workflow_dispatch: { inputs: { channel: {} } } }");
        let inputs = json!({ "version": "1.4.0", "channel": "beta", "notes": "x".repeat(12_000) });
        let notes =
            |step: Step| step.input("body", "{% if inputs.channel == 'x' %}{{ inputs.notes }}{% endif %}");
        let first = notes(with_inputs(500, inputs)).run_in(&acme).await;
        first.succeeds().says("::warning::the ticket has no room for these inputs").says("`notes` (12,000)");
        release(&acme, "web");
        let short_inputs =
            json!({ "values": { "version": "1.4.0", "channel": "beta" }, "too_long": { "notes": 12_000 } });
        assert_eq!(recorded_inputs(&acme), [short_inputs]);
        let second = on_label(600).run_in(&acme).await;
        if is_started {
            second.succeeds();
            assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "beta")]));
        } else {
            second
                .fails()
                .says("acme/hub#1 does not remember `notes`: it has 12,000 characters")
                .says("help: run the hub's workflow for this release again, with its inputs");
            assert_eq!(channels(&acme), pairs(&[("web", "beta")]));
        }
    }
}

#[tokio::test]
async fn inputs_in_the_format_of_a_newer_release_stop_only_what_uses_inputs() {
    let acme = first_wave().await;
    replace_inputs(&acme, &json!({ "sealed": "c29tZXRoaW5n" }));
    let plain = TARGETS.replace("{{ inputs.channel }}", "stable");
    acme.world.clear_story();
    let outcome = on_label(600).run_in(&acme).await;
    outcome
        .fails()
        .says("a newer release of the action recorded the inputs of hub run 500 on acme/hub#1")
        .says("help: update the action");
    assert_eq!(channels(&acme), pairs(&[("web", "beta")]));
    acme.world.repository("acme/hub").file(".github/release-targets.yml", &plain);
    on_label(601).input("release", "1.4.0").run_in(&acme).await.succeeds();
    assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "stable")]));
}

#[tokio::test]
async fn an_event_that_only_names_the_ticket_has_no_inputs_of_its_own() {
    for event in [
        json!({ "inputs": { "release-ticket": "acme/hub#1", "release-target": "web" } }),
        json!({ "inputs": { "release-ticket": "acme/hub#1", "channel": "", "version": "" } }),
        json!({ "action": "go-on", "client_payload": { "release-ticket": "acme/hub#1", "inputs": {} } }),
    ] {
        let acme = first_wave().await;
        step(600, event.clone()).run_in(&acme).await.succeeds();
        assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "beta")]), "{event}");
        assert_eq!(recorded_inputs(&acme).len(), 1);
    }
    let acme = first_wave().await;
    let event = json!({ "client_payload": { "release-ticket": "acme/hub#1", "inputs": { "version": "1.4.0", "channel": "stable" } } });
    step(600, event).run_in(&acme).await.succeeds();
    assert_eq!(channels(&acme), pairs(&[("web", "beta"), ("docs", "stable")]));
}

/// Asserts that a dispatch reports a missing input, with this help.
#[track_caller]
fn assert_missing_input(outcome: &Outcome, help: &str) {
    outcome.fails().says("there is no `inputs.").says(help);
    assert!(!outcome.log.contains("default('')"), "{}", outcome.log);
}

#[tokio::test]
async fn the_help_for_a_missing_input_proposes_no_other_value() {
    let acme = first_wave().await;
    on_label(600).input("title", "{{ inputs.notes }}").run_in(&acme).await.fails().says(
        "help: this run's event has no inputs, and acme/hub#1 remembers `version` and `channel` of hub run 500; run the hub's \
         workflow for this release again, with its inputs",
    );
    let again = "; run the hub's workflow for this release again, with its inputs; or, if releases are also started without \
                 inputs, give a default in the template: `{{ inputs.name | default('…') }}`";
    let outcome = step(601, json!({ "schedule": "0 * * * *" })).run_in(&acme).await;
    assert_missing_input(
        &outcome,
        &format!(
            "help: this run's event has no inputs, and the step names no ticket that remembers some{again}"
        ),
    );
    let number = acme.world.issue("acme/hub", "Please release", "", "alice");
    let outcome = on_schedule(602).input("ticket", number).run_in(&acme).await;
    assert_missing_input(
        &outcome,
        &format!("help: this run's event has no inputs, and acme/hub#2 remembers none{again}"),
    );
    // A wrong name gets its usual help.
    by_hand(603, "beta")
        .input("title", "{{ inputs.chanel }}")
        .run_in(&acme)
        .await
        .fails()
        .says("did you mean `channel`?");
}

#[tokio::test]
async fn inputs_that_no_template_names_are_not_recorded() {
    let acme = Acme::new().await;
    let inputs = json!({ "version": "1.4.0", "password": "hunter2" });
    let step = with_inputs(500, inputs).input("targets", "web").input("workflow", "release.yml");
    step.input("release", "1.4.0").run_in(&acme).await.succeeds();
    assert_eq!(recorded_inputs(&acme), [] as [Value; 0]);
    let comments = acme.world.issue_view("acme/hub", 1).comments;
    assert!(comments.iter().all(|comment| !comment.body.contains("hunter2")));
}

#[tokio::test]
async fn a_dry_run_goes_on_with_the_inputs_that_the_ticket_remembers() {
    let acme = hub().await;
    by_hand(500, "beta").run_in(&acme).await.succeeds();
    let plan = by_hand(600, "stable").input("dry-run", true).run_in(&acme).await;
    plan.succeeds().says("comment on acme/hub#1: the inputs for later dispatches");
    release(&acme, "web");
    let plan = on_label(700).input("dry-run", true).run_in(&acme).await;
    plan.succeeds().says("release.yml in acme/docs at main with channel: beta");
}

#[tokio::test]
async fn a_dispatch_that_goes_on_reads_the_ticket_once_before_it_writes() {
    for event in [on_label, on_schedule] {
        let acme = first_wave().await;
        acme.world.clear_exchanges();
        event(600).run_in(&acme).await.succeeds();
        let requests = acme.requests();
        let comments = "/repos/acme/hub/issues/1/comments";
        let before = requests.iter().take_while(|line| **line != format!("POST {comments}"));
        assert_eq!(before.filter(|line| **line == format!("GET {comments}")).count(), 1, "{requests:#?}");
        // The asker, the issue, the log, the account of the token (two), the file, three for each target, the state of
        // the first one, two records with an edit, the log with the claim, a look for a run of docs, its start, its
        // record, the board, and the log again.
        assert!(requests.len() <= 22, "{} requests: {requests:#?}", requests.len());
    }
}
