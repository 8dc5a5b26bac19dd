//! The checks of gates before anything is started: the token can see their teams, and can read the commits to which
//! they bind approvals.

use release_ticket_action::dispatch::gates;
use release_ticket_action::engine::ReadyTarget;
use release_ticket_action::github::needs::{Level, Permission};
use release_ticket_action::github::tokens::InputToken;
use release_ticket_action::github::{Credentials, GitHub, Needs};
use release_ticket_action::names::{GitRef, RepoName};
use release_ticket_action::place::Place;
use release_ticket_action::targets::{StartBy, Target, Verify};
use release_ticket_action::ticket::gate::{Approver, Gate, MovePolicy, Rules};
use release_ticket_action::workflow::Declaration;
use simulated_github::World;

use crate::client::in_process;
use crate::support::{RELEASE_WORKFLOW, now};

/// A world with a team and two private targets, and a token that can only start their workflows.
fn world() -> World {
    let world = World::at(now());
    world.team("acme/release").member("alice");
    world.token("t").acts_as("acme-release[bot]");
    for name in ["acme/web", "acme/api"] {
        world.repository(name).private().branch("v1");
        world.token("t").can(name, &["actions: write"]);
    }
    world
}

fn client(world: &World) -> GitHub {
    let token = Some(InputToken::new("token", "t"));
    let github = in_process(world, Credentials { token, ..Credentials::default() });
    for name in ["acme/web", "acme/api"] {
        let repository: RepoName = name.parse().expect("a name");
        github.tokens().need(Needs::default().may(&repository, Permission::Contents, Level::Read));
    }
    github
}

fn gate(name: &str, approvers: &[&str]) -> Gate {
    Gate {
        name: name.into(),
        approvers: approvers.iter().map(|text| Approver::parse(text).expect("an approver")).collect(),
        required_approvals: 1,
        excludes_driver: false,
        move_policy: MovePolicy::Lapse.into(),
    }
}

fn rules<const N: usize>(gates: [Gate; N]) -> Rules {
    Rules { gates: gates.into(), ..Rules::default() }
}

/// A target at `main` behind these gates, whose workflow file was not read.
fn target(name: &str, needs: &[&str]) -> ReadyTarget {
    let target = Target {
        name: name.into(),
        repository: format!("acme/{name}").parse().expect("a name"),
        start: StartBy::Workflow("release.yml".into()),
        git_ref: None,
        inputs: Vec::new(),
        needs: needs.iter().map(|name| (*name).into()).collect(),
        upstream: Vec::new(),
        stale_after: None,
        outputs_from_release: false,
        verify: Verify::default(),
        place: Place { source: "targets.yml".to_owned(), line: 3, column: 5 },
    };
    ReadyTarget { target, git_ref: GitRef::from("main"), declaration: None, is_same_account: true }
}

/// The problems, and the number of requests.
async fn check(world: &World, rules: &Rules, targets: &[ReadyTarget]) -> (String, usize) {
    let problems = gates::check(&client(world), rules, targets).await;
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    (lines.join("\n"), world.exchanges().len())
}

#[tokio::test]
async fn an_invisible_team_is_reported_with_every_gate_that_names_it() {
    let world = world();
    let rules = rules([
        gate("staging", &["@acme/release", "dana"]),
        gate("go", &["alice", "@Acme/Release", "@acme/sre"]),
        gate("late", &[]),
    ]);
    let (problems, requests) = check(&world, &rules, &[target("web", &[])]).await;
    insta::assert_snapshot!(problems, @"
    gates `staging` and `go` name the team acme/release, whose members cannot be read: GitHub refused to list the members of the team acme/release: Resource not accessible by integration (403)
    help: a team needs the token of an App with `members: read` on acme (`client-id` and `private-key`), or of an account that sees the team; `github.token` may never read members
    gate `go` names the team acme/sre, whose members cannot be read: GitHub refused to list the members of the team acme/sre: Resource not accessible by integration (403)
    help: a team needs the token of an App with `members: read` on acme (`client-id` and `private-key`), or of an account that sees the team; `github.token` may never read members
    ");
    assert_eq!(requests, 2, "one for each team");
}

#[tokio::test]
async fn a_visible_team_is_not_a_problem() {
    let world = world();
    world.token("t").can("acme", &["members: read"]);
    let rules = rules([gate("go", &["@acme/release"])]);
    assert_eq!(check(&world, &rules, &[]).await, (String::new(), 1));
}

#[tokio::test]
async fn a_gate_binds_approvals_to_commits_that_the_token_has_to_read() {
    let world = world();
    let rules = rules([gate("go", &[]), gate("late", &["alice"])]);
    let targets = [target("web", &["api", "go", "late"]), target("api", &["go"]), target("docs", &["api"])];
    let (problems, requests) = check(&world, &rules, &targets).await;
    insta::assert_snapshot!(problems, @"
    targets.yml:3:5: gates `go` and `late` bind approvals to commits, but the token cannot read those of acme/web: GitHub refused to say at which commit `main` of acme/web is: Resource not accessible by integration (403)
    help: grant the token `contents: read` on acme/web; or set `on-moved: warn`, with which approvals count for any commit
    targets.yml:3:5: gate `go` binds approvals to commits, but the token cannot read those of acme/api: GitHub refused to say at which commit `main` of acme/api is: Resource not accessible by integration (403)
    help: grant the token `contents: read` on acme/api; or set `on-moved: warn`, with which approvals count for any commit
    ");
    assert_eq!(requests, 2, "one for each branch");

    world.clear_exchanges();
    world.token("t").can("acme/web", &["contents: read"]).can("acme/api", &["contents: read"]);
    assert_eq!(check(&world, &rules, &targets).await, (String::new(), 2));
}

#[tokio::test]
async fn a_branch_that_github_does_not_show_is_a_problem_too() {
    let world = world();
    let web = ReadyTarget { git_ref: GitRef::from("refs/heads/v9"), ..target("web", &["go"]) };
    world.token("t").can("acme/web", &["contents: read"]);
    let (problems, _) = check(&world, &rules([gate("go", &[])]), &[web]).await;
    insta::assert_snapshot!(problems, @"
    targets.yml:3:5: gate `go` binds approvals to commits, but GitHub shows none of `v9` in acme/web
    help: correct the `ref` of web, or grant the token `contents: read` on acme/web; or set `on-moved: warn`, with which approvals count for any commit
    ");
}

#[tokio::test]
async fn commits_that_nobody_needs_are_not_asked_for() {
    let world = world();
    let warning_gate = Gate { move_policy: MovePolicy::Warn.into(), ..gate("warned", &[]) };
    let rules = rules([gate("go", &[]), warning_gate]);
    let file = Declaration::read("release.yml", RELEASE_WORKFLOW).expect("a workflow");
    let readable = ReadyTarget { declaration: file, ..target("web", &["go"]) };
    let targets = [readable, target("api", &["warned"]), target("docs", &["web"])];
    assert_eq!(check(&world, &rules, &targets).await, (String::new(), 0));
}

#[tokio::test]
async fn a_target_that_is_started_by_an_event_is_bound_to_the_default_branch() {
    let world = world();
    world.token("t").can("acme/web", &["contents: write"]);
    let ready = target("web", &["go"]);
    let start = StartBy::Event("release".to_owned());
    let by_event = ReadyTarget { target: Target { start, ..ready.target.clone() }, ..ready };
    assert_eq!(check(&world, &rules([gate("go", &[])]), &[by_event]).await, (String::new(), 1));
    assert_eq!(world.exchanges()[0].request_line(), "GET /repos/acme/web/commits/main");
}

#[tokio::test]
async fn a_word_of_a_newer_release_binds_too() {
    let world = world();
    let newer = serde_json::from_value(serde_json::json!("explode")).expect("any word");
    let rules = rules([Gate { move_policy: newer, ..gate("go", &[]) }]);
    let (problems, _) = check(&world, &rules, &[target("web", &["go"])]).await;
    assert!(problems.contains("gate `go` binds approvals to commits"), "{problems}");
}
