//! Renames and transfers: a hub or a target gets a new name, before a release or while it runs, and a ticket moves to
//! another repository.

use release_ticket_action::problem::Topic;
use serde_json::Value;
use simulated_github::Run;

use crate::support::{Acme, Outcome, RELEASE_WORKFLOW, Step, for_people, until_the_board_says, wait_for_run};

fn dispatch(targets: &str) -> Step {
    let step = Step::new("dispatch").run(500).input("targets", targets).input("workflow", "release.yml");
    step.input("release", "1.4.0")
}

fn waiting_dispatch(targets: &str) -> Step {
    dispatch(targets).input("wait", "true").input("wait-interval", "50ms")
}

/// The last stage of a target's run, reported by the name that the hub had.
fn report(run: &Run, job: &str) -> Step {
    let step = Step::new("report").run(run.id).job(job).input("stage", job);
    step.input("ticket", "acme/hub#1").input("status", "success")
}

async fn run_of(acme: &Acme, repository: &str) -> Run {
    wait_for_run(acme, repository, |mut runs| runs.pop()).await
}

fn warnings(outcome: &Outcome) -> Vec<String> {
    let warnings = outcome.log.lines().filter_map(|line| line.strip_prefix("::warning::"));
    warnings.map(|warning| warning.replace("%0A", "\n")).collect()
}

fn rename_warning(old: &str, new: &str) -> String {
    format!(
        "{old} is now {new}\nhelp: write {new} in place of {old}: GitHub's redirect, which this step follows, ends \
         when somebody takes the old name\nsee: {}",
        Topic::NewName.url()
    )
}

fn board(acme: &Acme, hub: &str) -> String {
    let comments = acme.world.issue_view(hub, 1).comments;
    let board = comments.iter().find(|comment| comment.body.starts_with("<!-- release-ticket:1 board "));
    for_people(&board.expect("a board").body)
}

fn status(outcome: &Outcome) -> String {
    let results: Value = serde_json::from_str(outcome.output("results")).expect("JSON");
    results[0]["status"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn reports_reach_a_hub_that_was_renamed_while_the_targets_run() {
    let acme = Acme::new().await;
    acme.dispatch("web").await;
    acme.world.rename("acme/hub", "acme/central");
    let run = run_of(&acme, "acme/web").await;
    for job in ["build", "publish"] {
        let outcome = report(&run, job).input("done", job == "publish").run_in(&acme).await;
        assert_eq!(outcome.succeeds().output("delivered"), "true", "{}", outcome.log);
        assert_eq!(warnings(&outcome), [rename_warning("acme/hub", "acme/central")]);
    }
    let board = board(&acme, "acme/central");
    // The records: the dispatch, two reports, and the ping of the driver.
    assert!(board.contains("Shows 4 records") && board.contains("✅ released"), "{board}");
}

#[tokio::test]
async fn a_dispatch_goes_on_when_its_hub_is_renamed_and_so_does_the_next_one_by_either_name() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    let run = run_of(&acme, "acme/web").await;
    until_the_board_says(&acme, "queued").await;
    acme.world.rename("acme/hub", "acme/central");
    acme.world.finish_run(run.id, "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert_eq!((status(&outcome).as_str(), outcome.output("delivered")), ("released", "true"));
    assert_eq!(warnings(&outcome), [rename_warning("acme/hub", "acme/central")]);
    assert!(board(&acme, "acme/central").contains("✅ released"));
    for (run, hub) in [(501, "acme/hub"), (502, "acme/central")] {
        let again = dispatch("web").run(run).in_repository(hub).input("ticket", "1");
        let again = again.run_in(&acme).await;
        assert_eq!(status(again.succeeds()), "released", "{hub}: {}", again.log);
        assert_eq!(acme.world.runs("acme/web").len(), 1, "{hub}: nothing is started twice");
    }
}

#[tokio::test]
async fn a_target_that_was_renamed_before_is_started_under_its_new_name() {
    let acme = Acme::new().await;
    acme.world.rename("acme/web", "acme/site");
    let outcome = dispatch("web").run_in(&acme).await;
    assert_eq!(warnings(outcome.succeeds()), [rename_warning("acme/web", "acme/site")]);
    assert_eq!(acme.world.runs("acme/site").len(), 1);
}

#[tokio::test]
async fn a_target_that_is_renamed_meanwhile_is_followed_and_may_report_under_its_new_name() {
    let acme = Acme::new().await;
    let step = waiting_dispatch("web").spawn_in(&acme);
    let run = run_of(&acme, "acme/web").await;
    until_the_board_says(&acme, "queued").await;
    acme.world.rename("acme/web", "acme/site");
    // A successful stage would end the wait before the hub looks at the run.
    let start = report(&run, "build").input("status", "in_progress");
    let outcome = start.in_repository("acme/site").run_in(&acme).await;
    assert_eq!(warnings(outcome.succeeds()), [""; 0], "it counts");
    until_the_board_says(&acme, "build").await;
    acme.world.finish_run(run.id, "success");
    let outcome = step.end().await;
    assert_eq!(warnings(outcome.succeeds()), [rename_warning("acme/web", "acme/site")]);
    assert_eq!(status(&outcome), "released");
}

#[tokio::test]
async fn a_ticket_that_was_transferred_is_named_as_it_is_now() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    acme.world.repository("acme/other");
    let new = acme.world.transfer_issue("acme/hub", ticket, "acme/other");
    let run = acme.world.start_run("acme/web", "release.yml", "push");
    let outcome = report(&acme.world.run(run).expect("a run"), "build").run_in(&acme).await;
    assert_eq!(outcome.succeeds().output("delivered"), "false");
    outcome.says(&format!("acme/hub#{ticket} is now acme/other#{new}; name that ticket"));
    let outcome = dispatch("web").input("ticket", ticket).run_in(&acme).await;
    outcome.fails().says(&format!("acme/hub#{ticket} is now acme/other#{new}"));
    assert_eq!(acme.world.runs("acme/web").len(), 1, "nothing is started");
}

#[tokio::test]
async fn an_app_gets_its_token_for_what_was_renamed() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").private();
    acme.world.repository("acme/web").private().file(".github/workflows/release.yml", RELEASE_WORKFLOW);
    let app = acme.world.app("acme-release");
    let app = app.installed_on("acme", &["issues: write", "actions: write", "contents: read"]);
    let app = app.only_for("acme", &["hub", "web"]);
    acme.world.rename("acme/hub", "acme/central");
    acme.world.rename("acme/web", "acme/site");
    let outcome = dispatch("web, api").app(&app).run_in(&acme).await;
    outcome.fails().says("not for acme/api");
    let outcome = dispatch("web").app(&app).run_in(&acme).await;
    let names = [rename_warning("acme/hub", "acme/central"), rename_warning("acme/web", "acme/site")];
    let mut messages = warnings(outcome.succeeds());
    messages.sort();
    assert_eq!(messages, names);
    let tokens = acme.world.installation_tokens();
    assert!(tokens.iter().all(|token| token.is_revoked), "{tokens:?}");
    let last = tokens.last().expect("a token");
    assert_eq!(last.repositories, ["acme/central", "acme/site"]);
    let run = run_of(&acme, "acme/site").await;
    let outcome = report(&run, "build").app(&app).run_in(&acme).await;
    assert_eq!(outcome.succeeds().output("delivered"), "true", "{}", outcome.log);
}

#[tokio::test]
async fn an_app_gets_a_token_of_its_own_for_what_was_transferred_to_another_owner() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").private();
    acme.world.repository("acme/web").private().file(".github/workflows/release.yml", RELEASE_WORKFLOW);
    let app = acme.world.app("acme-release");
    let app = app.installed_on("acme", &["issues: write", "actions: write", "contents: read"]);
    let app = app.installed_on("globex", &["issues: write", "actions: write", "contents: read"]);
    acme.world.rename("acme/web", "globex/web");
    let outcome = dispatch("web").app(&app).run_in(&acme).await;
    assert_eq!(warnings(outcome.succeeds()), [rename_warning("acme/web", "globex/web")]);
    assert_eq!(acme.world.runs("globex/web").len(), 1);
    let tokens = acme.world.installation_tokens();
    let token_repositories =
        tokens.iter().filter(|token| !token.permissions.is_empty()).map(|token| &token.repositories[..]);
    assert!(
        token_repositories.clone().all(|names| names == ["acme/hub"] || names == ["globex/web"]),
        "{tokens:?}"
    );
    assert_eq!(token_repositories.count(), 2, "{tokens:?}");
}
