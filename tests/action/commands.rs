//! Commands in comments: the comments that are commands, the people who may give them, and the refusals that come
//! before a look at the release.

use serde_json::{Value, json};
use simulated_github::{Fault, Kind};

use crate::support::{Acme, Outcome, Step};

/// The people of the hub, with their roles.
const PEOPLE: [(&str, &str); 5] =
    [("rita", "read"), ("tim", "triage"), ("wanda", "write"), ("mona", "maintain"), ("ada", "admin")];

/// A hub with a ticket whose target `web` was started, and people with all roles.
async fn hub() -> (Acme, u64) {
    let acme = Acme::new().await;
    let hub = acme.world.repository("acme/hub");
    for (login, role) in PEOPLE {
        hub.role(login, role);
    }
    let ticket = acme.dispatch("web").await;
    acme.world.clear_story();
    acme.world.clear_exchanges();
    (acme, ticket)
}

/// The step that a comment starts.
fn step(event: &Value) -> Step {
    let login = event["sender"]["login"].as_str().expect("somebody");
    let step = Step::new("dispatch").run(900).event(event.clone()).variable("GITHUB_ACTOR", login);
    step.input("targets", "web, api").input("workflow", "release.yml").input("driver", login)
}

async fn command(acme: &Acme, login: &str, ticket: u64, body: &str) -> Outcome {
    step(&acme.comment_by(login, ticket, body)).run_in(acme).await
}

/// The reactions to the comment of an event.
fn reactions(acme: &Acme, event: &Value) -> Vec<String> {
    acme.world.reactions(event["comment"]["id"].as_u64().expect("an id"))
}

fn run_count(acme: &Acme) -> usize {
    ["web", "api"].iter().map(|name| acme.world.runs(&format!("acme/{name}")).len()).sum()
}

/// Asserts that the step did nothing except to say why.
#[track_caller]
fn assert_left_alone(acme: &Acme, outcome: &Outcome, why: &str) {
    outcome.succeeds().says(&format!("::notice::nothing is started: {why}"));
    assert_eq!((acme.world.story().as_str(), run_count(acme)), ("", 1), "{}", outcome.log);
}

#[track_caller]
fn assert_refusal(acme: &Acme, outcome: &Outcome, why: &str) {
    outcome.succeeds().says(&format!(" is refused: {why}"));
    assert_eq!(run_count(acme), 1, "{}", outcome.log);
}

#[tokio::test]
async fn a_comment_that_is_neither_a_command_nor_a_record_is_left_alone_without_a_request() {
    let (acme, ticket) = hub().await;
    for body in [
        "Thanks, everybody!",
        "Please:\n/release go",
        " /release go",
        "> /release go",
        "```\n/release go\n```",
        "/releases",
        "/release-notes are here",
        "",
    ] {
        let mut event = acme.comment_by("ada", ticket, "Hello");
        event["comment"]["body"] = json!(body);
        let outcome = step(&event).run_in(&acme).await;
        assert_left_alone(&acme, &outcome, "the comment is neither a command nor a record");
    }
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_comment_that_was_edited_or_deleted_changes_nothing() {
    let (acme, ticket) = hub().await;
    let id = acme.world.comment("acme/hub", ticket, "ada", "/release hold");
    let outcome = step(&acme.world.comment_event(id, "edited")).run_in(&acme).await;
    assert_left_alone(&acme, &outcome, "an edited comment changes nothing: write a new one");
    let outcome = step(&acme.world.comment_event(id, "deleted")).run_in(&acme).await;
    assert_left_alone(&acme, &outcome, "a deleted comment changes nothing");
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn bots_and_pull_requests_give_no_commands() {
    let (acme, ticket) = hub().await;
    let outcome = command(&acme, "acme-report[bot]", ticket, "/release").await;
    assert_left_alone(
        &acme,
        &outcome,
        "acme-report[bot] is a bot: issues and comments by bots start nothing",
    );
    let pull = acme.world.pull_request("acme/hub", "A change", "alice");
    let outcome = command(&acme, "ada", pull, "/release").await;
    assert_left_alone(&acme, &outcome, "the event is about a pull request");
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_comment_on_another_issue_than_the_steps_ticket_is_left_alone() {
    let (acme, ticket) = hub().await;
    let other = acme.world.issue("acme/hub", "Another ticket", "", "alice");
    let event = acme.comment_by("ada", other, "/release");
    let outcome = step(&event).input("ticket", ticket).run_in(&acme).await;
    let why = format!("the comment is on acme/hub#{other}, but the ticket of this step is acme/hub#{ticket}");
    assert_left_alone(&acme, &outcome, &why);
    let outcome = step(&event).input("ticket", "0").run_in(&acme).await;
    assert_left_alone(&acme, &outcome, &format!("the comment is on acme/hub#{other}, but this step"));
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_command_takes_the_role_that_the_step_asks_for() {
    for (permission, login, why) in [
        (
            "",
            "rita",
            "rita has at most the role read in acme/hub, but a command needs write; ask somebody with the role write to repeat the comment, or an admin to give rita that role",
        ),
        (
            "",
            "tim",
            "tim has at most the role triage in acme/hub, but a command needs write; ask somebody with the role write to repeat the comment, or an admin to give tim that role; or set `command-permission: triage`",
        ),
        ("triage", "rita", "rita has at most the role read in acme/hub, but a command needs triage"),
        ("maintain", "wanda", "wanda has at most the role write in acme/hub, but a command needs maintain"),
        ("admin", "mona", "mona has at most the role maintain in acme/hub, but a command needs admin"),
    ] {
        let (acme, ticket) = hub().await;
        let event = acme.comment_by(login, ticket, "/release hold");
        let outcome = step(&event).input("command-permission", permission).run_in(&acme).await;
        assert_refusal(&acme, &outcome, why);
        assert_eq!(reactions(&acme, &event)[0], "acme-release[bot]: eyes");
    }
    for (permission, login) in [("", "wanda"), ("triage", "tim"), ("Maintain", "ada")] {
        let (acme, ticket) = hub().await;
        let event = acme.comment_by(login, ticket, "/release status");
        let outcome = step(&event).input("command-permission", permission).run_in(&acme).await;
        outcome.succeeds();
        assert!(!outcome.log.contains("is refused"), "{}", outcome.log);
        assert_eq!(reactions(&acme, &event)[0], "acme-release[bot]: eyes");
    }
}

#[tokio::test]
async fn a_role_is_what_github_says_and_not_what_the_event_says() {
    let (acme, ticket) = hub().await;
    let mut event = acme.comment_by("rita", ticket, "/release hold");
    event["comment"]["author_association"] = json!("OWNER");
    event["sender"]["site_admin"] = json!(true);
    let outcome = step(&event).run_in(&acme).await;
    assert_refusal(&acme, &outcome, "rita has at most the role read in acme/hub, but a command needs write");
}

#[tokio::test]
async fn a_role_of_the_organizations_own_counts_as_the_one_that_it_is_based_on() {
    let (acme, ticket) = hub().await;
    let hub = acme.world.repository("acme/hub");
    hub.custom_role("carol", "release-captain", "maintain").custom_role("dave", "helpdesk", "triage");
    let outcome = command(&acme, "dave", ticket, "/release hold").await;
    assert_refusal(
        &acme,
        &outcome,
        "dave has at most the role triage in acme/hub, but a command needs write",
    );
    let outcome = command(&acme, "carol", ticket, "/release override-freeze : urgent").await;
    assert!(!outcome.succeeds().log.contains("is refused"), "{}", outcome.log);
}

#[tokio::test]
async fn to_override_a_freeze_takes_maintain_in_any_case() {
    let (acme, ticket) = hub().await;
    let event = acme.comment_by("wanda", ticket, "/release override-freeze : urgent");
    for permission in ["triage", "write"] {
        let outcome = step(&event).input("command-permission", permission).run_in(&acme).await;
        assert_refusal(
            &acme,
            &outcome,
            "wanda has at most the role write in acme/hub, but `override-freeze` needs maintain",
        );
        assert!(!outcome.log.contains("or set `command-permission"), "{}", outcome.log);
    }
    let outcome = command(&acme, "mona", ticket, "/release override-freeze : urgent").await;
    assert!(!outcome.succeeds().log.contains("is refused"), "{}", outcome.log);
}

#[tokio::test]
async fn where_github_does_not_say_the_role_the_step_fails() {
    let (acme, ticket) = hub().await;
    let roles = Fault::on("GET", "/repos/acme/hub/collaborators/wanda/permission").always();
    acme.world.fault(roles.then(Kind::StatusBefore(403)));
    let outcome = command(&acme, "wanda", ticket, "/release hold").await;
    outcome.fails().says("cannot check whether wanda may give commands in acme/hub");
    assert_eq!((acme.world.story().as_str(), run_count(&acme)), ("", 1));
}

#[tokio::test]
async fn a_name_that_went_to_another_account_gives_no_role() {
    let (acme, ticket) = hub().await;
    let mut event = acme.comment_by("ada", ticket, "/release hold");
    event["comment"]["user"]["id"] = json!(1);
    let outcome = step(&event).run_in(&acme).await;
    assert_refusal(
        &acme,
        &outcome,
        "the login ada now belongs to another account than the author of the comment",
    );
}

#[tokio::test]
async fn a_closed_ticket_takes_no_commands() {
    let (acme, ticket) = hub().await;
    acme.world.close_issue("acme/hub", ticket);
    let outcome = command(&acme, "wanda", ticket, "/release status").await;
    assert_refusal(&acme, &outcome, "the ticket is closed; reopen it");
}

#[tokio::test]
async fn an_issue_that_no_dispatch_has_used_takes_no_commands() {
    let (acme, _) = hub().await;
    let other = acme.world.issue("acme/hub", "A question", "Why?", "alice");
    let failure = "<!-- release-ticket:1 notice {\"fingerprint\":\"f\"} -->\nIt failed.";
    let of_notify = acme.world.issue("acme/hub", "CI failed", failure, "acme-report[bot]");
    let ticket = "<!-- release-ticket:1 ticket {\"key\":{\"release\":\"1.4.0\"}} -->\nA ticket.";
    let of_stranger = acme.world.issue("acme/hub", "Release 1.4.0", ticket, "rita");
    for number in [other, of_notify, of_stranger] {
        let outcome = command(&acme, "wanda", number, "/release hold").await;
        let why = format!("acme/hub#{number} is not a release ticket: no dispatch has used it");
        assert_refusal(&acme, &outcome, &why);
    }
}

#[tokio::test]
async fn an_issue_of_a_person_takes_commands_once_it_was_dispatched() {
    let (acme, _) = hub().await;
    let number = acme.world.issue("acme/hub", "Please release", "### Version\n\n2.0.0", "alice");
    let first = Step::new("dispatch").run(901).input("targets", "docs").input("workflow", "release.yml");
    first.input("ticket", number).run_in(&acme).await.succeeds();
    let outcome = command(&acme, "wanda", number, "/release status").await;
    assert!(!outcome.succeeds().log.contains("is refused"), "{}", outcome.log);
}

#[tokio::test]
async fn a_command_that_is_not_clear_is_refused_whole() {
    let (acme, ticket) = hub().await;
    for (body, why) in [
        (
            "/release hold\n/release go",
            "the comment has more than one command, and none of them is carried out",
        ),
        ("/release hlod", "`/release hlod` is not a command; did you mean `hold`?"),
        ("/release hold wbe", "`wbe` is not a target of this ticket; did you mean `web`?"),
        (
            "/release retry",
            "`retry` needs the name of a target; the targets of this ticket are `web` and `api`; or write `all`",
        ),
        ("/release go staging", "`staging` is not a gate of this ticket; this ticket has no gates"),
    ] {
        let event = acme.comment_by("wanda", ticket, body);
        let outcome = step(&event).run_in(&acme).await;
        assert_refusal(&acme, &outcome, why);
        assert_eq!(reactions(&acme, &event)[0], "acme-release[bot]: eyes", "{body}");
    }
}

#[tokio::test]
async fn a_refused_command_is_answered_though_a_target_cannot_be_reached() {
    let (acme, ticket) = hub().await;
    let event = acme.comment_by("wanda", ticket, "/release hold wbe");
    let outcome = step(&event).input("targets", "web, api, gone").run_in(&acme).await;
    assert_refusal(&acme, &outcome, "`wbe` is not a target of this ticket");
    let requests = acme.requests().into_iter().filter(|line| line.contains("/acme/gone"));
    assert_eq!(requests.count(), 0);
}

#[tokio::test]
async fn a_rehearsed_command_gets_no_reaction() {
    let (acme, ticket) = hub().await;
    for body in ["/release status", "/release hlod"] {
        let event = acme.comment_by("wanda", ticket, body);
        step(&event).input("dry-run", "true").run_in(&acme).await.succeeds();
        assert_eq!((reactions(&acme, &event), acme.world.story().as_str()), (Vec::new(), ""), "{body}");
    }
}
