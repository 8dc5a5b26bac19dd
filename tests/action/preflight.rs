//! The checks of a dispatch before its first effect, and the plan that it prints.

use serde_json::{Value, json};
use simulated_github::Comment;

use crate::support::{Acme, Outcome, Step};

const WORKFLOW: &str = "
name: Release
on:
  workflow_dispatch:
    inputs:
      release-ticket: {}
      version: { required: true }
      channel: { type: choice, options: [stable, beta], default: stable }
      draft: { type: boolean }
      retries: { type: number }
";

fn add_files(acme: &Acme, targets: &str) {
    acme.world.repository("acme/hub").file(".github/release-targets.yml", targets);
    for name in ["web", "api", "docs"] {
        acme.world.repository(&format!("acme/{name}")).file(".github/workflows/release.yml", WORKFLOW);
    }
}

async fn dispatch(acme: &Acme, targets: &str) -> Outcome {
    add_files(acme, targets);
    step().run_in(acme).await
}

fn step() -> Step {
    let event = json!({ "inputs": { "version": "1.4.0" } });
    Step::new("dispatch").run(500).event(event).input("release", "{{ inputs.version }}")
}

/// The errors in the log, one below the other as people see them.
fn errors(outcome: &Outcome) -> String {
    let errors = outcome.log.lines().filter_map(|line| line.strip_prefix("::error")?.split_once("::"));
    errors.map(|(_, error)| error.replace("%0A", "\n").replace("%25", "%")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn all_mistakes_of_all_targets_are_reported_at_once() {
    let acme = Acme::new().await;
    acme.world
        .repository("acme/old")
        .file(".github/workflows/release.yml", WORKFLOW)
        .disable_workflow("release.yml");
    acme.world.repository("acme/push").file(".github/workflows/release.yml", "on: push");
    acme.world.repository("acme/next").branch("next").file_on(
        "next",
        ".github/workflows/release.yml",
        WORKFLOW,
    );
    for name in ["old", "push", "next"] {
        acme.world.token("hub-token").can(&format!("acme/{name}"), &["actions: write", "contents: read"]);
    }
    let outcome = dispatch(
        &acme,
        "\
defaults:
  workflow: release.yml
  inputs: { version: '{{ release }}' }
targets:
  - repository: acme/web
    inputs: { chanel: beta, draft: yes please, retries: many }
  - repository: acme/api
    inputs: { version: '{{ inputs.verison }}', channel: nightly }
    needs: [wep]
  - { repository: acme/docs, name: web }
  - { repository: acme/old }
  - { repository: acme/push }
  - { repository: acme/missing, workflw: x.yml }
  - { repository: acme/next, ref: next }
",
    )
    .await;
    outcome.fails();
    insta::assert_snapshot!(errors(&outcome), @"
    .github/release-targets.yml:6:23: target web: input `chanel` of release.yml in acme/web is not declared
    help: did you mean `channel`; else declare it there, or set `ignore-unexpected-inputs: true` to leave it out
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#inputs-do-not-fit-the-workflow
    .github/release-targets.yml:6:36: target web: input `draft` of release.yml in acme/web is `yes please`
    help: it takes `true` or `false`
    .github/release-targets.yml:6:57: target web: input `retries` of release.yml in acme/web is `many`
    help: it takes a number
    .github/release-targets.yml:8:24: target api, input `version`: the template `{{ inputs.verison }}` does not render: there is no `inputs.verison`
    help: did you mean `version`? `inputs` has `version`; if it may be missing, write `{{ inputs.verison | default('') }}`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-template-cannot-be-rendered
    .github/release-targets.yml:8:57: target api: input `channel` of release.yml in acme/api is `nightly`
    help: it takes one of `stable` and `beta`
    .github/release-targets.yml:9:13: `api` needs `wep`, which is neither a target nor a gate
    help: did you mean `web`?
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-targets-file-is-refused
    .github/release-targets.yml:10:5: the name `web` is taken, at 5:5
    help: give it a `name` of its own
    .github/release-targets.yml:11:5: target old: release.yml in acme/old is disabled (disabled_manually)
    help: enable it: gh workflow enable release.yml --repo acme/old
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-workflow-is-missing-or-switched-off
    .github/release-targets.yml:12:5: target push: `.github/workflows/release.yml` of acme/push does not start on `workflow_dispatch` at main
    help: add `workflow_dispatch:` below its `on:`
    .github/release-targets.yml:13:5: target missing: cannot reach acme/missing: GitHub refused to show acme/missing: Not Found (404)
    help: check that acme/missing and the things named in it exist, and that the token may see them (`github.token` reaches its own repository only)
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-lacks-a-permission
    .github/release-targets.yml:13:33: a target has no key `workflw`
    help: did you mean `workflow`?
    .github/release-targets.yml:14:5: target next: GitHub does not know the workflow release.yml in acme/next
    help: a workflow that is started this way must be on the default branch too
    ");
    outcome.says("::error file=.github/release-targets.yml,line=13,col=33::.github/release-targets.yml:13:33: a target");
    assert_eq!(acme.world.story(), "", "nothing is written");
}

#[tokio::test]
async fn mistakes_of_gates_and_freezes_are_reported_with_those_of_targets() {
    let acme = Acme::new().await;
    let targets = "\
targets:
  - { repository: web, workflow: release.yml, inputs: { version: 1.4.0 }, needs: [goo] }
  - { repository: api, workflow: release.yml, inputs: { version: 1.4.0 }, needs: [Go] }
gates:
  - { name: go, approver: alice, required: none }
  - { name: API }
freeze: { from: 2026-12-20T00:00, to: 2026-12-24 }
";
    let outcome = dispatch(&acme, targets).await;
    outcome.fails();
    insta::assert_snapshot!(errors(&outcome), @"
    .github/release-targets.yml:2:83: `web` needs `goo`, which is neither a target nor a gate
    help: did you mean `go`?
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-targets-file-is-refused
    .github/release-targets.yml:5:17: a gate has no key `approver`
    help: did you mean `approvers`?
    .github/release-targets.yml:5:44: `required` is text
    help: it takes a whole number from 1 to 100
    .github/release-targets.yml:6:5: the name `API` is taken, at 3:5
    help: give it a `name` of its own
    .github/release-targets.yml:7:17: `from`: `2026-12-20T00:00` has no time zone
    help: add `Z` for UTC, or an offset such as `+01:00`
    ");
    assert_eq!(acme.world.story(), "", "nothing is written");
}

#[tokio::test]
async fn only_cannot_name_a_gate() {
    let acme = Acme::new().await;
    add_files(
        &acme,
        "targets: [web, { repository: docs, needs: [web, Go] }]\n\
         gates: [{ name: Go }]\n\
         defaults: { workflow: release.yml, inputs: { version: 1.4.0 } }",
    );
    let outcome = step().input("only", "web, go, goo").run_in(&acme).await;
    outcome.fails();
    insta::assert_snapshot!(errors(&outcome), @"
    `only` names `go`, which is a gate
    help: name targets, such as `web` and `docs`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#an-input-is-refused
    `only` names `goo`, which is not a target
    help: the choices are `web` and `docs`
    ");
    assert_eq!(acme.world.story(), "", "nothing is written");
}

#[tokio::test]
async fn a_missing_required_input_is_reported() {
    let acme = Acme::new().await;
    let outcome = dispatch(&acme, "targets: [{ repository: web, workflow: release.yml }]").await;
    outcome.fails();
    insta::assert_snapshot!(errors(&outcome), @"
    .github/release-targets.yml:1:11: target web: input `version` of release.yml in acme/web is required and missing
    help: add it to the target's `inputs`; it takes text
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#inputs-do-not-fit-the-workflow
    ");
}

#[tokio::test]
async fn undeclared_inputs_are_left_out_on_request() {
    let acme = Acme::new().await;
    add_files(
        &acme,
        "{ defaults: { workflow: release.yml }, targets: [{ repository: web, inputs: { version: 2, colour: red } }] }",
    );
    let outcome = step().input("ignore-unexpected-inputs", "true").run_in(&acme).await;
    outcome.succeeds().says("::notice::web: its workflow does not declare `colour`, so it is left out");
    assert_eq!(acme.world.runs("acme/web")[0].inputs["version"], "2");
}

#[tokio::test]
async fn values_of_yaml_go_out_as_github_expects_them() {
    let acme = Acme::new().await;
    let outcome = dispatch(
        &acme,
        "
targets:
  - repository: web
    workflow: release.yml
    inputs:
      version: 1.10
      draft: true
      retries: 3
  - repository: api
    workflow: release.yml
    inputs:
      version: |
        first line
        {{ target.name }} line
",
    )
    .await;
    outcome.succeeds();
    let inputs = |name: &str| Value::Object(acme.world.runs(&format!("acme/{name}"))[0].inputs.clone());
    assert_eq!(
        inputs("web"),
        json!({ "release-ticket": "acme/hub#1", "version": "1.10", "channel": "stable", "draft": "true", "retries": "3" })
    );
    assert_eq!(inputs("api")["version"], "first line\napi line\n");
}

#[tokio::test]
async fn a_workflow_file_is_read_once_however_many_targets_share_it() {
    let acme = Acme::new().await;
    let targets: String = (0..12)
        .map(|n| format!("  - {{ name: t{n}, repository: web, inputs: {{ version: {n} }} }}\n"))
        .collect();
    add_files(&acme, &format!("defaults: {{ workflow: release.yml }}\ntargets:\n{targets}"));
    acme.world.clear_exchanges();
    step().run_in(&acme).await.succeeds();
    let reads = acme
        .requests()
        .into_iter()
        .filter(|request| request.contains("/contents/.github/workflows/"))
        .count();
    assert_eq!((reads, acme.world.runs("acme/web").len()), (1, 12));
}

#[tokio::test]
async fn the_limit_of_a_server_that_takes_fewer_inputs_is_reported_before_the_start() {
    let acme = Acme::new().await;
    let names: Vec<String> = (0..11).map(|n| format!("i{n}")).collect();
    let declarations: String = names.iter().map(|name| format!("{name}: {{}}, ")).collect();
    let workflow = format!("on: {{ workflow_dispatch: {{ inputs: {{ {declarations} }} }} }}");
    let inputs: String = names.iter().map(|name| format!("{name}: x, ")).collect();
    let targets = format!("targets: [{{ repository: web, workflow: many.yml, inputs: {{ {inputs} }} }}]");
    acme.world.repository("acme/web").file(".github/workflows/many.yml", &workflow);
    acme.world.ghes("3.20");
    dispatch(&acme, &targets).await.fails().says("it has 11 inputs, but this server takes 10");
    acme.world.ghes("3.21");
    dispatch(&acme, &targets).await.succeeds();
}

#[tokio::test]
async fn more_inputs_or_characters_than_github_takes_are_reported() {
    let acme = Acme::new().await;
    let inputs: String = (0..26).map(|n| format!("i{n}: x, ")).collect();
    let declarations: String = (0..26).map(|n| format!("i{n}: {{}}, ")).collect();
    let workflow = format!("on: {{ workflow_dispatch: {{ inputs: {{ {declarations} }} }} }}");
    acme.world.repository("acme/web").file(".github/workflows/many.yml", &workflow);
    let targets = format!("targets: [{{ repository: web, workflow: many.yml, inputs: {{ {inputs} }} }}]");
    dispatch(&acme, &targets).await.fails().says("it has 26 inputs, but this server takes 25");
    let text = "x".repeat(66_000);
    let targets =
        format!("targets: [{{ repository: web, workflow: release.yml, inputs: {{ version: {text} }} }}]");
    dispatch(&acme, &targets).await.fails().says("GitHub takes 65535");
}

#[tokio::test]
async fn the_plan_shows_every_start_in_its_wave_and_what_has_happened_already() {
    let acme = Acme::new().await;
    add_files(
        &acme,
        "
defaults: { workflow: release.yml, inputs: { version: '{{ release }}' } }
targets:
  - { repository: docs, needs: [api] }
  - { repository: api, needs: [web], inputs: { draft: true } }
  - web
",
    );
    let step = || step().input("wait", "true").input("wait-interval", "1s").input("close-on-success", "true");
    let outcome = step().input("dry-run", "true").run_in(&acme).await;
    outcome.succeeds();
    insta::assert_snapshot!(outcome.visible_log(), @"
    the plan (`dry-run`: nothing is changed)
    open an issue in acme/hub: Release 1.4.0 (labels: release), assigned to alice; `0` stands for its number below
    comment on acme/hub#0: web claimed; docs and api waiting
    bring the board of acme/hub#0 up to date
    pin the board of acme/hub#0
    start web: release.yml in acme/web at main with version: 1.4.0, release-ticket: acme/hub#0
    edit comment 1 on acme/hub#0: web started; docs and api waiting
    edit comment 1 on acme/hub#0: web started; docs and api waiting; web queued
    bring the board of acme/hub#0 up to date
    wait for docs, api and web
    edit comment 1 on acme/hub#0: web started; docs and api waiting; web released
    comment on acme/hub#0: api claimed
    bring the board of acme/hub#0 up to date
    start api when web is released: release.yml in acme/api at main with version: 1.4.0, draft: true, release-ticket: acme/hub#0
    edit comment 2 on acme/hub#0: api started
    edit comment 2 on acme/hub#0: api started; api queued
    bring the board of acme/hub#0 up to date
    wait for docs and api
    edit comment 2 on acme/hub#0: api started; api released
    comment on acme/hub#0: docs claimed
    bring the board of acme/hub#0 up to date
    start docs when api is released: release.yml in acme/docs at main with version: 1.4.0, release-ticket: acme/hub#0
    edit comment 3 on acme/hub#0: docs started
    edit comment 3 on acme/hub#0: docs started; docs queued
    bring the board of acme/hub#0 up to date
    wait for docs
    edit comment 3 on acme/hub#0: docs started; docs released
    comment on acme/hub#0: **Every target is released.**
    comment on acme/hub#0: the record of the release 1.4.0
    bring the board of acme/hub#0 up to date
    close acme/hub#0
    ");
    let plan: Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    let starts: Vec<_> =
        plan.as_array().expect("a list").iter().filter(|it| it["effect"] == "start-workflow").collect();
    assert_eq!(starts[1]["after"], json!(["web"]));
    assert!(outcome.summary.contains("start docs when api is released"), "{}", outcome.summary);
    assert_eq!(acme.world.story(), "");

    // A dispatch that does not wait starts the first wave.
    let step = |run: u64| crate::preflight::step().run(run);
    step(500).run_in(&acme).await.succeeds();
    let outcome = step(501).input("dry-run", "true").run_in(&acme).await;
    insta::assert_snapshot!(outcome.visible_log().replace(&acme.server.url(), "https://github.com"), @"
    the plan treats the claims of acme-release[bot] as this hub's own: only a write would show the account of this step
    the plan (`dry-run`: nothing is changed)
    leave web alone: it was already started: https://github.com/acme/web/actions/runs/7001
    leave docs alone: it waits for api
    leave api alone: it waits for web
    ");

    // The plan looks at the present state of the runs, as the dispatch would.
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    acme.world.clear_story();
    let outcome = step(502).input("dry-run", "true").run_in(&acme).await;
    outcome
        .says("leave web alone: it is already released")
        .says("start api when web is released: ")
        .says("leave docs alone: it waits for api");
    assert_eq!(acme.world.story(), "");
}

// ---- the plan and the requests ----

/// The changes of a planned effect, in the words of [`changes`].
fn planned_changes(effect: &Value) -> Vec<String> {
    let text = |key: &str| effect[key].as_str().unwrap_or_default();
    match text("effect") {
        "open-issue" => vec![format!("open an issue for {}", text("assignee"))],
        "create-comment" => vec!["create a comment".into()],
        "edit-comment" => vec!["edit a comment".into()],
        "update-board" => vec!["board".into()],
        "pin-board" => vec!["pin a comment".into()],
        "start-workflow" => vec![format!("start {}", text("target"))],
        "close-issue" => vec!["close an issue".into()],
        "wait" => Vec::new(),
        effect => panic!("{effect} was not expected"),
    }
}

/// The changes of all requests, in their order.
fn changes(acme: &Acme) -> Vec<String> {
    let mut board = None;
    let exchanges = acme.world.exchanges();
    let changes = exchanges.iter().filter(|exchange| exchange.effective).map(|exchange| {
        let body = exchange.request_body.as_ref().map(ToString::to_string).unwrap_or_default();
        let is_board = body.contains("release-ticket:1 board");
        let path = exchange.path.as_str();
        let parts: Vec<&str> = path.trim_start_matches("/repos/acme/").split('/').collect();
        match (exchange.method.as_str(), &parts[1..]) {
            ("POST", ["issues"]) => {
                let assignees = &exchange.request_body.as_ref().expect("an issue")["assignees"];
                format!("open an issue for {}", assignees[0].as_str().unwrap_or_default())
            }
            (_, ["issues", ..]) if is_board => {
                board = Some(());
                "board".to_owned()
            }
            ("POST", ["issues", _, "comments"]) => "create a comment".to_owned(),
            ("PUT", ["issues", "comments", _, "pin"]) => "pin a comment".to_owned(),
            ("PATCH", ["issues", "comments", _]) => "edit a comment".to_owned(),
            ("PATCH", ["issues", _]) => "close an issue".to_owned(),
            ("POST", ["actions", "workflows", _, "dispatches"]) => format!("start {}", parts[0]),
            request => panic!("{request:?} was not expected"),
        }
    });
    let changes = changes.collect();
    assert!(board.is_some());
    changes
}

#[tokio::test]
async fn the_plan_is_what_the_dispatch_does() {
    let acme = Acme::new().await;
    add_files(
        &acme,
        "
defaults: { workflow: release.yml, inputs: { version: '{{ release }}' } }
targets:
  - web
  - { repository: docs, needs: [web] }
",
    );
    let step = || step().input("wait", "true").input("wait-interval", "1s").input("close-on-success", "true");
    let outcome = step().input("dry-run", "true").run_in(&acme).await;
    let plan: Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    let plan: Vec<String> = plan.as_array().expect("a list").iter().flat_map(planned_changes).collect();
    acme.world.clear_exchanges();

    let step = step().spawn_in(&acme);
    for name in ["web", "docs"] {
        // The board shows each run as queued before it ends, as the plan assumes.
        let is_row = |line: &str| line.contains(&format!("**{name}**](")) && line.contains("queued](");
        let has_row = |comment: &Comment| comment.body.lines().any(is_row);
        while !acme.world.issues("acme/hub").first().is_some_and(|issue| issue.comments.iter().any(has_row)) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let run = acme.world.runs(&format!("acme/{name}"))[0].id;
        acme.world.finish_run(run, "success");
    }
    step.end().await.succeeds();
    assert_eq!(changes(&acme), plan);
}

#[tokio::test]
async fn a_plan_of_a_notice_names_whom_it_assigns() {
    let acme = Acme::new().await;
    let token = acme.world.token("web-token").acts_as("acme-web[bot]");
    token.can("acme/web", &["issues: write", "actions: read"]);
    acme.world.repository("acme/web").assignable("alice");
    let step = || {
        let step = Step::new("notify").in_repository("acme/web").run(9_000).input("token", "web-token");
        step.input("status", "failure").input("message", "it broke")
    };
    let outcome = step().input("dry-run", "true").run_in(&acme).await;
    let plan: Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    assert_eq!(plan[0]["assignee"], "alice", "{plan}");
    step().run_in(&acme).await.succeeds();
    assert!(acme.world.story().contains("acme/web#1  assigned alice"), "{}", acme.world.story());
}

// ---- files and values as people write them ----

#[tokio::test]
async fn values_reach_the_target_as_they_are_written() {
    let acme = Acme::new().await;
    acme.world.repository("acme/web").file(
        ".github/workflows/main.yml",
        "
on:
  workflow_dispatch:
    inputs:
      confirm: { type: choice, options: [yes, no] }
      python: { type: choice, options: [3.9, 3.10] }
      level: {}
      sha: {}
      Draft: { type: boolean }
      note: { required: true, default: '' }
",
    );
    let outcome = dispatch(
        &acme,
        "
x-note: anchors stand here, and {{ nothing }} is read of it
targets:
  - repository: web
    workflow: ./.github/workflows/main.yml
    inputs: { confirm: yes, python: 3.10, level: off, sha: 1e12345, draft: TRUE }
",
    )
    .await;
    outcome.succeeds()
        .says("::notice::web: the input `draft` is sent as `Draft`, as its workflow declares it")
        .says("::notice::web: input `python` is sent as `3.1`, which is how GitHub reads the option 3.10 of main.yml");
    let inputs = Value::Object(acme.world.runs("acme/web")[0].inputs.clone());
    assert_eq!(
        inputs,
        json!({ "confirm": "yes", "python": "3.1", "level": "off", "sha": "1e12345", "Draft": "true", "note": "" })
    );
}

#[tokio::test]
async fn a_file_may_be_a_list_of_names() {
    let acme = Acme::new().await;
    add_files(&acme, "- acme/web\n- repository: docs\n  needs: [web]\n");
    let step = step().input("workflow", "release.yml").input("inputs", "version: 1.4.0");
    step.run_in(&acme).await.succeeds();
    assert_eq!((acme.world.runs("acme/web").len(), acme.world.runs("acme/docs").len()), (1, 0));
}

#[tokio::test]
async fn an_expression_that_github_did_not_evaluate_is_refused_where_it_stands() {
    let acme = Acme::new().await;
    let targets = "
targets:
  - repository: web
    workflow: release.yml
    inputs: { version: '${{ inputs.version }}' }
";
    let outcome = dispatch(&acme, targets).await;
    insta::assert_snapshot!(errors(outcome.fails()), @"
    .github/release-targets.yml:5:24: target web, input `version`: the template `${{ inputs.version }}` does not render: `${{ … }}` in line 1, column 1 is not evaluated: GitHub evaluates it in workflow files only
    help: write `{{ … }}` in place of `${{ … }}`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-template-cannot-be-rendered
    ");
    let step = || step().input("targets", "web").input("workflow", "release.yml");
    let outcome = step()
        .input("title", "Release ${{ inputs.version }}")
        .input("inputs", "version: 1")
        .run_in(&acme)
        .await;
    insta::assert_snapshot!(errors(outcome.fails()), @"
    the ticket's text: the template `Release ${{ inputs.version }}` does not render: `${{ … }}` in line 1, column 9 is not evaluated: GitHub evaluates it in workflow files only
    help: write `{{ … }}` in place of `${{ … }}`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-template-cannot-be-rendered
    ");
    acme.world.repository("acme/hub").file("body.md", "# {{ release }}\n\nNotes of ${{ inputs.version }}\n");
    let outcome = step().input("body-path", "body.md").input("inputs", "version: 1").run_in(&acme).await;
    insta::assert_snapshot!(errors(outcome.fails()), @"
    the ticket's text: the template `Notes of ${{ inputs.version }}` does not render: `${{ … }}` in line 3, column 10 is not evaluated: GitHub evaluates it in workflow files only
    help: write `{{ … }}` in place of `${{ … }}`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-template-cannot-be-rendered
    ");
    let outcome = step().input("inputs", "version: {{ release }}").run_in(&acme).await;
    insta::assert_snapshot!(errors(outcome.ends_with(2)), @r#"
    input `inputs`:1:11: without quotes, this template is a mapping
    help: put templates in quotes: "{{ release }}"
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-text-is-not-yaml
    "#);
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn an_optional_boolean_or_choice_takes_no_blank() {
    let acme = Acme::new().await;
    let targets = "targets: [{ repository: web, workflow: release.yml, inputs: { version: 1, draft: '', channel: '' } }]";
    let outcome = dispatch(&acme, targets).await;
    insta::assert_snapshot!(errors(outcome.fails()), @"
    .github/release-targets.yml:1:82: target web: input `draft` of release.yml in acme/web is blank
    help: it takes `true` or `false`; leave the input out for its default
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#inputs-do-not-fit-the-workflow
    .github/release-targets.yml:1:95: target web: input `channel` of release.yml in acme/web is blank
    help: it takes one of `stable` and `beta`; leave the input out for its default
    ");
    assert_eq!(acme.world.story(), "");
}

// ---- starts that GitHub would refuse after other starts ----

#[tokio::test]
async fn a_ref_that_is_neither_a_branch_nor_a_tag_is_refused_before_the_first_start() {
    let acme = Acme::new().await;
    let sha = "64d9f66f1df87cd18c204770810acaec836dfadb";
    let targets = |git_ref: &str| {
        format!(
            "defaults: {{ workflow: release.yml, inputs: {{ version: 1 }} }}\ntargets: [web, {{ repository: api, ref: '{git_ref}' }}]"
        )
    };
    let mut messages = Vec::new();
    for git_ref in [sha, "refs/pull/67/merge", "refs/heads/gh-readonly-queue/main/pr-67-64d9f66", "HEAD"] {
        add_files(&acme, &targets(git_ref));
        let outcome = step().input("dry-run", "true").run_in(&acme).await;
        messages.push(errors(outcome.fails()));
    }
    insta::assert_snapshot!(messages.join("\n"), @"
    .github/release-targets.yml:2:40: `ref` is a commit, but GitHub starts workflows at a branch or a tag
    help: name a branch or a tag, or leave `ref` out for the default branch; a workflow that is to check out this commit takes it as one of its `inputs`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-ref-is-not-a-branch-or-a-tag
    .github/release-targets.yml:2:40: `ref` is the commit of a pull request, but GitHub starts workflows at a branch or a tag
    help: name a branch or a tag, or leave `ref` out for the default branch
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-ref-is-not-a-branch-or-a-tag
    .github/release-targets.yml:2:40: `ref` is a branch of a merge queue, which GitHub deletes again
    help: name a branch or a tag, or leave `ref` out for the default branch
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-ref-is-not-a-branch-or-a-tag
    .github/release-targets.yml:2:40: `ref` is neither `refs/heads/…` nor `refs/tags/…`, but GitHub starts workflows at a branch or a tag
    help: name a branch or a tag, or leave `ref` out for the default branch
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-ref-is-not-a-branch-or-a-tag
    ");
    let step = step().input("targets", "web").input("workflow", "release.yml").input("ref", sha);
    insta::assert_snapshot!(errors(step.run_in(&acme).await.ends_with(2)), @"
    input `ref` is a commit, but GitHub starts workflows at a branch or a tag
    help: name a branch or a tag, or leave `ref` out for the default branch; a workflow that is to check out this commit takes it as one of its `inputs`
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-ref-is-not-a-branch-or-a-tag
    ");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn an_archived_target_is_refused_before_others_are_started() {
    let acme = Acme::new().await;
    add_files(
        &acme,
        "defaults: { workflow: release.yml, inputs: { version: 1 } }\ntargets: [web, api, { name: again, repository: api }]",
    );
    acme.world.repository("acme/api").archive();
    for dry_run in ["true", "false"] {
        let outcome = step().input("dry-run", dry_run).run_in(&acme).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(errors(outcome.fails()), @"
            .github/release-targets.yml:2:16: target api: acme/api is archived, and nothing can be started in it
            help: take it out of the targets, or unarchive it in its settings
            see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-repository-is-closed-to-changes
            .github/release-targets.yml:2:21: target again: acme/api is archived, and nothing can be started in it
            help: take it out of the targets, or unarchive it in its settings
            ");
        }
    }
    acme.world.repository("acme/docs").disable();
    let docs = step().input("targets", "docs").input("workflow", "release.yml");
    insta::assert_snapshot!(errors(docs.run_in(&acme).await.fails()), @"
    `targets`:1:1: target docs: GitHub has disabled acme/docs
    help: take it out of the targets, or ask GitHub's support
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-repository-is-closed-to-changes
    ");
    let event =
        step().input("targets", "api").input("dispatch-type", "repository").input("event-type", "release");
    acme.world.token("hub-token").can("acme/api", &["contents: write"]);
    event.run_in(&acme).await.fails().says("acme/api is archived");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn another_name_of_a_workflow_leads_to_its_file() {
    let acme = Acme::new().await;
    add_files(&acme, "targets: [web]");
    acme.world.repository("acme/web").file(".github/workflows/ci.yml", "name: CI\non: push");
    for name in ["Release", "release", "RELEASE.yml", "release.yaml"] {
        let outcome = step().input("workflow", name).run_in(&acme).await;
        outcome
            .fails()
            .says(&format!("acme/web has no `.github/workflows/{name}` at main"))
            .says("help: did you mean `release.yml`? `workflow` takes the name of the file");
    }
    let outcome = step().input("workflow", "deploy.yml").run_in(&acme).await;
    outcome.fails().says("help: correct `workflow` or `ref`");
    // The token may start workflows and not read their files.
    acme.world.repository("acme/web").private();
    let token = acme.world.token("blind-token").acts_as("acme-release[bot]");
    token.can("acme/hub", &["issues: write", "contents: read"]).can("acme/web", &["actions: write"]);
    let outcome = step().input("workflow", "Release").input("token", "blind-token").run_in(&acme).await;
    outcome
        .fails()
        .says("GitHub does not know the workflow Release in acme/web")
        .says("help: did you mean `release.yml`?");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn actions_that_are_switched_off_are_named() {
    let acme = Acme::new().await;
    acme.world.token("hub-token").can("acme/new", &["actions: write", "contents: read"]);
    acme.world.repository("acme/new").actions_off().file(".github/workflows/release.yml", WORKFLOW);
    let targets = "defaults: { workflow: release.yml, inputs: { version: 1 } }\ntargets: [web, new]";
    let outcome = dispatch(&acme, targets).await;
    insta::assert_snapshot!(errors(outcome.fails()), @"
    .github/release-targets.yml:2:16: target new: Actions are disabled in acme/new: GitHub does not list any workflow there, but release.yml is at main
    help: enable them in its settings, under Actions → General
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-repository-is-closed-to-changes
    ");
    assert_eq!(acme.world.story(), "");

    // If Actions were on before, GitHub reports this at the start of the workflow.
    acme.world.repository("acme/api").actions_off();
    let outcome =
        dispatch(&acme, "targets: [{ repository: api, workflow: release.yml, inputs: { version: 1 } }]")
            .await;
    outcome
        .fails()
        .says("Actions has been disabled for this repository (422)")
        .says("enable Actions in the settings of acme/api");
}
