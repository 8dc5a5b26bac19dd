//! A refusal by GitHub in plain words, with help, in each place where people look: the log, the record, the results.

use serde_json::Value;
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Outcome, Step, for_people};

fn dispatch(targets: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn errors(outcome: &Outcome) -> Vec<String> {
    let results: Vec<Value> = serde_json::from_str(outcome.output("results")).expect("a list");
    results.iter().map(|result| result["error"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_refused_start_is_explained_in_the_log_the_record_and_the_results() {
    let acme = Acme::new().await;
    // The token may read the workflow, and may not start it.
    acme.world.token("hub-token").can("acme/web", &["actions: read", "contents: read"]);
    let outcome = dispatch("web, api").run_in(&acme).await;
    let refusal = "GitHub refused to start `release.yml` of acme/web at `main`: Resource not accessible by \
                   integration (403)";
    let help = "grant the token `actions: write` on acme/web";
    outcome.fails().says(&format!("::error::cannot start web: {refusal}%0Ahelp: {help}"));
    assert_eq!(errors(&outcome), [format!("{refusal}\nhelp: {help}"), String::new()]);
    let record = for_people(&acme.records(1)[0].body);
    let (record, _) = record.split_once("\n- **api**").expect("the other target");
    insta::assert_snapshot!(record, @r"
    🚀 [Hub run 500](https://github.com/acme/hub/actions/runs/500) dispatches:

    - **web** (acme/web): ❌ could not be started
      > GitHub refused to start `release.yml` of acme/web at `main`: Resource not accessible by integration (403)
      >
      > **What to do:** grant the token `actions: write` on acme/web
    ");
}

#[tokio::test]
async fn each_refusal_of_a_start_has_its_remedy() {
    // GitHub's own check decides if the step cannot read the workflow file.
    let add_blind_token = |acme: &Acme| {
        acme.world.token("blind").acts_as("acme-release[bot]").can("acme/web", &["actions: write"])
    };
    for (workflow, git_ref, inputs, message, help) in [
        (
            "on: { workflow_dispatch: }",
            "main",
            "{ flavour: x }",
            "Unexpected inputs provided: [\"flavour\"]",
            "`ignore-unexpected-inputs: true`",
        ),
        (
            "on: { workflow_dispatch: { inputs: { flavour: { required: true } } } }",
            "main",
            "{}",
            "Required input 'flavour' not provided",
            "correct the target's `inputs`",
        ),
        (
            "on: { workflow_dispatch: }",
            "v9",
            "{}",
            "No ref found for: v9",
            "name a branch or tag of acme/web in the target's `ref`",
        ),
        (
            "on: { push: }",
            "main",
            "{}",
            "Workflow does not have 'workflow_dispatch' trigger",
            "add `on: workflow_dispatch` to `release.yml` of acme/web at `main`",
        ),
    ] {
        let acme = Acme::new().await;
        acme.world.repository("acme/web").private().file(".github/workflows/release.yml", workflow);
        add_blind_token(&acme);
        let targets = format!("[{{ repository: acme/web, ref: {git_ref}, inputs: {inputs} }}]");
        let step = dispatch(&targets).input("token", "blind").input("ticket-token", "hub-token");
        let outcome = step.run_in(&acme).await;
        outcome.fails().says(message).says("GitHub refused to start `release.yml` of acme/web").says("(422)");
        let record = for_people(&acme.records(1)[0].body);
        assert!(record.contains("**What to do:** ") && record.contains(help), "{record}");
        assert!(errors(&outcome)[0].contains(help), "{:?}", errors(&outcome));
    }
}

#[tokio::test]
async fn every_kind_of_refusal_names_the_request_and_the_help() {
    let report = || Step::new("report").input("ticket", "acme/hub#1").input("status", "success");
    let waiting_dispatch =
        || dispatch("web").input("wait", "true").input("wait-timeout", "1s").input("wait-interval", "1s");
    let cases = [
        ("POST", "/repos/acme/hub/issues", dispatch("web"), "open an issue in acme/hub"),
        ("GET", "/repos/acme/hub/issues", dispatch("web"), "list the open issues of acme/hub"),
        ("POST", "/repos/acme/hub/issues/*/comments", dispatch("web"), "write a comment on acme/hub#2"),
        ("GET", "/repos/acme/hub/issues/*/comments", dispatch("web"), "list the comments of acme/hub#2"),
        ("GET", "/repos/acme/hub/issues/1", dispatch("web").input("ticket", "1"), "show acme/hub#1"),
        ("PATCH", "/repos/acme/hub/issues/comments/*", dispatch("web"), "edit comment"),
        (
            "GET",
            "/repos/acme/web/contents/**",
            dispatch("web"),
            "show `.github/workflows/release.yml` of acme/web",
        ),
        ("GET", "/repos/acme/web/actions/runs/*", waiting_dispatch(), "show run"),
        (
            "POST",
            "/repos/acme/web/actions/runs/*/cancel",
            waiting_dispatch().input("cancel-on-timeout", "true"),
            "cancel run",
        ),
        (
            "POST",
            "/repos/acme/web/dispatches",
            dispatch("web").input("dispatch-type", "repository").input("event-type", "release"),
            "send the event `release` to acme/web",
        ),
        ("POST", "/repos/acme/hub/git/refs", dispatch("web").input("claim", "ref"), "create the reference"),
        ("POST", "/repos/acme/hub/issues/*/comments", report(), "write a comment on acme/hub#1"),
        (
            "POST",
            "/repos/acme/hub/issues/*/comments",
            Step::new("notify").input("ticket", "acme/hub#1").input("status", "failure"),
            "write a comment on acme/hub#1",
        ),
    ];
    for (method, path, step, purpose) in cases {
        let acme = Acme::new().await;
        acme.world.issue("acme/hub", "By hand", "", "alice");
        acme.world.token("hub-token").can("acme/hub", &["issues: write", "actions: read", "contents: write"]);
        acme.world.token("hub-token").can("acme/web", &["actions: write", "contents: write"]);
        acme.world.fault(Fault::on(method, path).always().then(Kind::StatusBefore(403)));
        let step = step.variable("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567");
        let outcome = step.input("retry-timeout", "1s").run_in(&acme).await;
        outcome
            .says(&format!("GitHub refused to {purpose}"))
            .says("Forbidden (403)")
            .says("help: grant the token ");
    }
}

#[tokio::test]
async fn a_blank_token_asks_whether_the_secret_exists() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let from_web = Step::new("report").input("token", "").input("ticket", format!("acme/hub#{ticket}"));
    let outcome = from_web.input("status", "success").run_in(&acme).await;
    insta::assert_snapshot!(outcome.succeeds().visible_log(), @"::warning::cannot report to acme/hub#1: `token` is blank: does the secret exist here?%0Ahelp: give the step a `token` that this run has; runs that forks and Dependabot start get no secrets; if the step gives a `ticket-token` or a GitHub App, it is blank here: does the secret exist?%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-secret-is-blank");
    let outcome = dispatch("web").input("token", "").run_in(&acme).await;
    outcome.fails().says("cannot reach acme/web: `token` is blank");
    let from_hub = Step::new("report").in_repository("acme/hub").input("token", "").input("ticket", ticket);
    from_hub.input("status", "success").run_in(&acme).await.says("`token` is blank: does the secret exist here?").says(
        "or, as the ticket is in this job's own repository, give the step `ticket-token: ${{ github.token }}` and \
         the job the permission `issues: write`",
    );
}

#[tokio::test]
async fn a_token_that_may_not_write_the_ticket_of_its_own_repository_names_the_jobs_own() {
    for (permissions, status) in [(&["actions: read", "metadata: read"][..], "403"), (&[], "404")] {
        let acme = Acme::new().await;
        acme.world.repository("acme/hub").private();
        let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
        acme.world.token("other").acts_as("bob");
        if status == "403" {
            acme.world.token("other").can("acme/hub", permissions);
        }
        let step = |repository: &str| {
            let step = Step::new("report").in_repository(repository).input("token", "other");
            step.input("ticket", format!("acme/hub#{ticket}")).input("status", "success")
        };
        let own_token = "`ticket-token: ${{ github.token }}` and the job the permission `issues: write`";
        let outcome = step("acme/hub").run_in(&acme).await;
        outcome.succeeds().says(&format!("({status})")).says(own_token);
        let outcome = step("acme/web").run_in(&acme).await;
        assert!(!outcome.log.contains(own_token), "{}", outcome.log);
        outcome.says(
            "if the step gives a `ticket-token` or a GitHub App, it is blank here: does the secret exist?",
        );
        let outcome = step("acme/hub").input("ticket-token", "other").run_in(&acme).await;
        assert!(!outcome.log.contains(own_token), "it has one already: {}", outcome.log);
    }
}
