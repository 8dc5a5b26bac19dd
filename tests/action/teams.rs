//! Teams of organizations: their members, the token that asks GitHub for them, and the help if GitHub does not answer.

use std::time::Duration;

use http::StatusCode;
use release_ticket_action::github::tokens::InputToken;
use release_ticket_action::github::{Credentials, GitHub, TicketToken};
use release_ticket_action::names::{Login, RepoName};
use release_ticket_action::problem::{Help, Topic};
use simulated_github::{App, Fault, Kind, World};

use crate::client::in_process;
use crate::support::now;
use crate::tokens::github_app;

/// A world with a team of `acme`, its hub and a target.
fn world() -> World {
    let world = World::at(now());
    world.repository("acme/hub").private();
    world.repository("acme/web").private();
    world.team("acme/release").member("alice").invitee("eve");
    world.user("mallory");
    world
}

fn login(name: &str) -> Login {
    Login::parse(name).expect("a login")
}

/// A client with this value of the input `token`.
fn with_token(world: &World, token: &str) -> GitHub {
    in_process(world, Credentials { token: Some(InputToken::new("token", token)), ..Credentials::default() })
}

/// A client with an App, and with the job's own token for the hub, as the documentation shows it.
fn with_app(world: &World, app: &App) -> GitHub {
    let hub: RepoName = "acme/hub".parse().expect("a name");
    world.token("ghs_of_the_job").can("acme/hub", &["issues: write"]);
    let ticket = TicketToken::Input(hub, InputToken::new("ticket-token", "ghs_of_the_job"));
    let (app, ticket) = (Some(github_app(app)), Some(ticket));
    in_process(world, Credentials { app, ticket, ..Credentials::default() })
}

#[tokio::test]
async fn only_a_person_who_accepted_the_invitation_is_a_member_of_a_team() {
    let world = world();
    world.token("m").can("acme", &["members: read"]);
    let github = with_token(&world, "m");
    for (name, is_member) in [("alice", true), ("ALICE", true), ("eve", false), ("mallory", false)] {
        let answer = github.is_team_member("acme", "release", &login(name)).await;
        assert_eq!(answer.expect("an answer"), is_member, "{name}");
    }
    let answer = github.is_team_member("acme", "nothing", &login("alice")).await;
    assert!(!answer.expect("an answer"), "nobody is a member of a team that is not there");
}

#[tokio::test]
async fn a_team_can_be_seen_by_a_token_that_may_read_members() {
    let world = world();
    world.token("m").can("acme", &["members: read"]);
    with_token(&world, "m").check_team("acme", "release").await.expect("it is there");
    let requests: Vec<_> = world.exchanges().into_iter().map(|it| (it.request_line(), it.query)).collect();
    let request = ("GET /orgs/acme/teams/release/members".to_owned(), "per_page=1".to_owned());
    assert_eq!(requests, [request]);
}

#[tokio::test]
async fn a_refusal_says_which_token_a_team_needs() {
    let world = world();
    world.token("ghs_of_the_job").can("acme/hub", &["issues: write"]);
    world.token("pat").acts_as("dana").can("acme/hub", &["issues: write"]);
    world.token("stranger").can("globex/site", &["issues: write"]);
    let needs = "a team needs the token of an App with `members: read` on acme (`client-id` and `private-key`), or of an \
                 account that sees the team; `github.token` may never read members";
    let check = "check the name, which is the last part of the team's address (…/orgs/acme/teams/NAME)";
    let cases = [
        ("ghs_of_the_job", StatusCode::FORBIDDEN, needs.to_owned()),
        ("pat", StatusCode::FORBIDDEN, needs.to_owned()),
        // GitHub does not say whether the team exists.
        ("stranger", StatusCode::NOT_FOUND, format!("{check}; {needs}")),
    ];
    for (token, status, help) in cases {
        let refusal = with_token(&world, token).check_team("acme", "release").await.expect_err("a refusal");
        let message = "GitHub refused to list the members of the team acme/release: ";
        assert!(refusal.to_string().starts_with(message), "{refusal}");
        assert_eq!(
            (refusal.status(), refusal.help()),
            (Some(status), Some(Topic::Team.advice(help))),
            "{token}"
        );
    }
    let github = with_token(&world, "pat");
    let refusal = github.is_team_member("acme", "release", &login("alice")).await.expect_err("a refusal");
    let message = "GitHub refused to say whether alice is in the team acme/release: ";
    assert!(refusal.to_string().starts_with(message), "{refusal}");
    assert_eq!(refusal.help(), Some(Topic::Team.advice(needs)));
}

#[tokio::test]
async fn an_app_asks_with_a_token_of_its_own_that_may_read_members_and_nothing_else() {
    let world = world();
    let app = world.app("acme-release").installed_on("acme", &["members: read", "actions: write"]);
    app.only_for("acme", &["web"]);
    let github = with_app(&world, &app);
    github.check_team("acme", "release").await.expect("it is there");
    assert!(github.is_team_member("Acme", "release", &login("alice")).await.expect("an answer"));
    let tokens = world.installation_tokens();
    let permissions: Vec<_> = tokens.iter().map(|token| token.permissions.join(", ")).collect();
    assert_eq!(permissions, ["members: read"], "one token, and not the job's own");
    github.revoke_tokens(Duration::from_secs(1)).await;
    assert!(world.installation_tokens().iter().all(|token| token.is_revoked));
}

#[tokio::test]
async fn an_app_that_may_not_read_members_says_so_before_it_asks_for_them() {
    let world = world();
    let app = world.app("acme-release").installed_on("acme", &["actions: write", "issues: write"]);
    let refusal = with_app(&world, &app).check_team("acme", "release").await.expect_err("a refusal");
    let id = app.client_id();
    assert_eq!(refusal.to_string(), format!("the GitHub App {id} is not granted `members: read` on acme"));
    insta::assert_snapshot!(refusal.help().expect("help").text, @"add `members: read` to the permissions in the App's settings, and accept them for acme: https://github.com/organizations/acme/settings/installations/80001");
    assert!(world.installation_tokens().is_empty());
}

#[tokio::test]
async fn an_app_has_to_be_installed_on_the_organization_of_a_team() {
    let world = world();
    let app = world.app("acme-release").installed_on("globex", &["members: read"]);
    let refusal = with_app(&world, &app).check_team("acme", "release").await.expect_err("a refusal");
    assert_eq!(refusal.to_string(), format!("the GitHub App {} is not installed on acme", app.client_id()));
    insta::assert_snapshot!(refusal.help().expect("help").text, @"check the name, and install the App on acme");

    app.installed_on("acme", &["members: read"]).suspend("acme");
    let refusal = with_app(&world, &app).check_team("acme", "release").await.expect_err("a refusal");
    assert!(refusal.to_string().ends_with("is suspended on acme"), "{refusal}");
}

#[tokio::test]
async fn the_help_for_a_missing_team_is_to_check_its_name() {
    let world = world();
    let app = world.app("acme-release").installed_on("acme", &["members: read"]);
    let refusal = with_app(&world, &app).check_team("acme", "no-such-team").await.expect_err("a refusal");
    let help = "check the name, which is the last part of the team's address (…/orgs/acme/teams/NAME)";
    let help = Topic::Team.advice(help);
    assert_eq!((refusal.status(), refusal.help()), (Some(StatusCode::NOT_FOUND), Some(help)));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_revoked_meanwhile_is_replaced() {
    let world = world();
    let app = world.app("acme-release").installed_on("acme", &["members: read"]);
    let github = with_app(&world, &app);
    github.check_team("acme", "release").await.expect("it is there");
    world.token(&world.installation_tokens()[0].secret).revoke();
    github.check_team("acme", "release").await.expect("it is there");
    assert_eq!(world.installation_tokens().len(), 2);
    tokio::time::sleep(Duration::from_secs(56 * 60)).await;
    github.check_team("acme", "release").await.expect("it is there");
    assert_eq!(world.installation_tokens().len(), 3, "it would end too soon");
}

#[tokio::test(start_paused = true)]
async fn a_question_about_a_team_is_asked_again_after_an_unclear_answer() {
    let world = world();
    world.token("m").can("acme", &["members: read"]);
    world.fault(Fault::on("GET", "/orgs/**").then(Kind::StatusAfter(502)));
    world.fault(Fault::on("GET", "/orgs/**").then(Kind::DropBefore));
    let github = with_token(&world, "m");
    assert!(github.is_team_member("acme", "release", &login("alice")).await.expect("an answer"));
}
