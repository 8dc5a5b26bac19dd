//! The client of GitHub alone, in this process: its requests, and its reading of the answers.

use std::time::Duration;

use bytes::Bytes;
use chrono::{SubsecRound, TimeDelta};
use http_body_util::{BodyExt, Full};
use octocrab::OctoBody;
use release_ticket_action::github::needs::{Level, Permission};
use release_ticket_action::github::tokens::InputToken;
use release_ticket_action::github::{Credentials, GitHub, Needs, Tokens, transport};
use release_ticket_action::job::Clock;
use release_ticket_action::names::{
    CommentId, GitRef, IssueNumber, IssueRef, Login, Reaction, RepoName, RunId, WorkflowFile,
};
use release_ticket_action::problem::{Help, Topic};
use simulated_github::{BrokenConnection, Fault, Kind, World};
use tower::ServiceExt;

use crate::support::{RELEASE_WORKFLOW, now};

const TOKEN: &str = "a-token";

/// A world with `acme/web`, and a client that may do everything there.
fn client() -> (World, GitHub, RepoName) {
    let world = World::at(now());
    world.user("bob");
    world.repository("acme/web").file(".github/workflows/release.yml", RELEASE_WORKFLOW).assignable("alice");
    world.token(TOKEN).acts_as("acme-release[bot]").can_everything();
    let github = with_token(&world);
    (world, github, "acme/web".parse().expect("a name"))
}

/// The same with a token that has these permissions and no others.
fn client_that_can(permissions: &[&str]) -> (World, GitHub, RepoName) {
    let world = World::at(now());
    world.repository("acme/web");
    world.token(TOKEN).acts_as("acme-release[bot]").can("acme/web", permissions);
    let github = with_token(&world);
    (world, github, "acme/web".parse().expect("a name"))
}

fn with_token(world: &World) -> GitHub {
    in_process(world, Credentials { token: Some(InputToken::new("token", TOKEN)), ..Credentials::default() })
}

/// A client in this process, so that its time can be paused.
pub(crate) fn in_process(world: &World, credentials: Credentials) -> GitHub {
    let service = ServiceExt::<http::Request<OctoBody>>::and_then(world.service(), |response| async {
        Ok::<_, BrokenConnection>(buffer(response).await)
    });
    let octocrab = transport::over_service(service, http::Uri::from_static("https://api.github.com"));
    let tokens = Tokens::new(credentials, |_| ());
    GitHub::new(octocrab, tokens, Clock::starting_at(world.now()), Duration::from_secs(60))
}

async fn buffer<B>(response: http::Response<B>) -> http::Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("bodies are in memory").to_bytes();
    http::Response::from_parts(parts, Full::new(body))
}

fn login(name: &str) -> Login {
    Login::parse(name).expect("a login")
}

#[tokio::test]
async fn runs_of_a_dispatch_are_found_among_all_runs_of_the_workflow() {
    let (world, github, web) = client();
    let since = now().trunc_subsecs(0);
    let start = |event: &str, git_ref: &str, after: TimeDelta| {
        let id = world.start_run("acme/web", "release.yml", event);
        world.update_run(id, |run| {
            run.git_ref = git_ref.to_owned();
            run.created_at = since + after;
        });
        id
    };
    let second = TimeDelta::seconds(1);
    for _ in 0..150 {
        start("push", "main", -second);
    }
    start("workflow_dispatch", "main", -second);
    let oldest = start("workflow_dispatch", "main", TimeDelta::zero());
    start("workflow_dispatch", "next", TimeDelta::zero());
    for _ in 0..120 {
        start("push", "main", second);
    }
    let newest = start("workflow_dispatch", "main", second);
    let (workflow, git_ref) = (WorkflowFile::from("release.yml"), GitRef::from("refs/heads/main"));
    // GitHub's times have whole seconds.
    let since = since + TimeDelta::milliseconds(400);
    let runs = github.dispatched_runs(&web, &workflow, &git_ref, since).await.expect("an answer");
    assert_eq!(runs.iter().map(|run| run.id.0).collect::<Vec<_>>(), [newest, oldest]);
    let pages: Vec<_> = world.exchanges().into_iter().map(|exchange| exchange.query).collect();
    assert_eq!(pages, ["per_page=100&page=1", "per_page=100&page=2"], "the rest is older");
}

#[tokio::test]
async fn a_run_says_at_which_commit_it_was_started() {
    let (world, github, web) = client();
    let id = world.start_run("acme/web", "release.yml", "workflow_dispatch");
    let started_at = world.repository("acme/web").head("main");
    world.push("acme/web", "main");
    let run = github.run(&web, RunId(id)).await.expect("an answer").expect("a run");
    assert_eq!(run.head_sha, Some(started_at));
}

#[tokio::test]
async fn an_issue_is_opened_and_assigned_with_one_request() {
    let (world, github, web) = client();
    let alice = login("alice");
    let issue = github.create_issue(&web, "A title", "", &[], Some(&alice)).await.expect("an issue").issue;
    assert!(issue.is_assigned_to(&alice));
    assert_eq!(world.exchanges().len(), 1);
}

#[tokio::test]
async fn an_issue_is_opened_without_a_login_that_cannot_be_assigned() {
    for can_push in [true, false] {
        let (world, github, web) = client();
        if !can_push {
            world.token(TOKEN).without_push("acme/web");
        }
        let bob = login("bob");
        let issue = github.create_issue(&web, "A title", "", &[], Some(&bob)).await.expect("an issue").issue;
        assert!(!issue.is_assigned_to(&bob));
        assert_eq!(world.issues("acme/web").len(), 1);
    }
}

// ---- reactions ----

/// A comment of a person on an issue of `acme/web`.
fn add_comment(world: &World, web: &RepoName) -> (IssueRef, CommentId) {
    let number = world.issue("acme/web", "Release 1.4.0", "", "alice");
    let comment = CommentId(world.comment("acme/web", number, "alice", "/release go"));
    (IssueRef { repository: web.clone(), number: IssueNumber(number) }, comment)
}

#[tokio::test(start_paused = true)]
async fn a_reaction_is_there_once_however_often_it_is_sent() {
    let (world, github, web) = client();
    let (issue, comment) = add_comment(&world, &web);
    world.fault(Fault::on("POST", "/repos/acme/web/issues/comments/*/reactions").then(Kind::DropAfter));
    github.react(&issue, comment, Reaction::Eyes).await.expect("an answer");
    github.react(&issue, comment, Reaction::Eyes).await.expect("an answer");
    github.react(&issue, comment, Reaction::ThumbsDown).await.expect("an answer");
    assert_eq!(world.reactions(comment.0), ["acme-release[bot]: eyes", "acme-release[bot]: -1"]);
    let statuses: Vec<_> = world.exchanges().into_iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [None, Some(200), Some(200), Some(201)]);
}

#[tokio::test(start_paused = true)]
async fn a_reaction_waits_for_a_comment_that_github_does_not_show_yet() {
    let (world, github, web) = client();
    world.lag(|_, _| Duration::from_secs(3));
    let (issue, comment) = add_comment(&world, &web);
    github.react(&issue, comment, Reaction::Eyes).await.expect("an answer");
    assert_eq!(world.reactions(comment.0), ["acme-release[bot]: eyes"]);
}

#[tokio::test(start_paused = true)]
async fn a_comment_that_was_deleted_gets_no_reaction_and_that_is_not_a_failure() {
    let (world, github, web) = client();
    let (issue, comment) = add_comment(&world, &web);
    world.delete_comment("acme/web", comment.0);
    let start = tokio::time::Instant::now();
    github.react(&issue, comment, Reaction::Rocket).await.expect("an answer");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_eq!(world.story(), "");
}

#[tokio::test]
async fn a_reaction_takes_write_access_to_issues_and_says_so() {
    let (world, github, web) = client_that_can(&["issues: read"]);
    let (issue, comment) = add_comment(&world, &web);
    github.tokens().need(Needs::default().must(&web, Permission::Issues, Level::Write));
    let refusal = github.react(&issue, comment, Reaction::Eyes).await.expect_err("a refusal");
    let refused_request = format!("GitHub refused to react to comment {comment} of {issue}");
    assert!(refusal.to_string().starts_with(&refused_request), "{refusal}");
    let help = Topic::Permission.advice("grant the token `issues: write` on acme/web");
    assert_eq!(refusal.help(), Some(help));
}

// ---- commits ----

#[tokio::test]
async fn a_branch_or_tag_is_at_one_commit_at_a_time() {
    let (world, github, web) = client();
    let repository = world.repository("acme/web").tag("v1").branch("release/1.x").branch("both").tag("both");
    let first = repository.head("main");
    let second = world.push("acme/web", "main");
    let third = world.push("acme/web", "both");
    let cases = [
        ("main", &second),
        ("refs/heads/main", &second),
        ("v1", &first),
        ("refs/tags/v1", &first),
        ("release/1.x", &first),
        ("refs/heads/release/1.x", &first),
        ("refs/heads/both", &third),
        ("refs/tags/both", &first),
    ];
    for (git_ref, sha) in cases {
        let commit = github.commit_of(&web, &GitRef::from(git_ref)).await.expect("an answer");
        assert_eq!(commit.as_ref(), Some(sha), "{git_ref}");
    }
    for git_ref in ["v9", "refs/heads/v1", "refs/tags/main"] {
        assert_eq!(
            github.commit_of(&web, &GitRef::from(git_ref)).await.expect("an answer"),
            None,
            "{git_ref}"
        );
    }
}

#[tokio::test]
async fn a_commit_takes_read_access_to_contents_and_the_refusal_says_so() {
    let (world, github, web) = client_that_can(&["actions: write"]);
    world.repository("acme/web").private();
    github.tokens().need(Needs::default().may(&web, Permission::Contents, Level::Read));
    let refusal = github.commit_of(&web, &GitRef::from("refs/heads/main")).await.expect_err("a refusal");
    let refused_request = "GitHub refused to say at which commit `main` of acme/web is";
    assert!(refusal.to_string().starts_with(refused_request), "{refusal}");
    let help = Topic::Permission.advice("grant the token `contents: read` on acme/web");
    assert_eq!(refusal.help(), Some(help));
}
