//! The client of GitHub alone, in this process: what it asks, and what it makes of the answers.

use std::time::Duration;

use bytes::Bytes;
use chrono::{SubsecRound, TimeDelta};
use http_body_util::{BodyExt, Full};
use octocrab::OctoBody;
use release_ticket_action::github::tokens::GivenToken;
use release_ticket_action::github::{Credentials, GitHub, Tokens, transport};
use release_ticket_action::job::Clock;
use release_ticket_action::names::{GitRef, Login, RepoName, WorkflowFile};
use simulated_github::{Dropped, World};
use tower::ServiceExt;

use crate::support::{RELEASE_WORKFLOW, now};

const TOKEN: &str = "a-token";

/// A world with `acme/web`, and a client that may do everything there.
fn client() -> (World, GitHub, RepoName) {
    let world = World::at(now());
    world.user("bob");
    world.repository("acme/web").file(".github/workflows/release.yml", RELEASE_WORKFLOW).assignable("alice");
    world.token(TOKEN).acts_as("acme-release[bot]").can_everything();
    let service = ServiceExt::<http::Request<OctoBody>>::and_then(world.service(), |response| async {
        Ok::<_, Dropped>(whole(response).await)
    });
    let octocrab = transport::over_service(service, http::Uri::from_static("https://api.github.com"));
    let credentials = Credentials { token: Some(GivenToken::new("token", TOKEN)), ..Credentials::default() };
    let tokens = Tokens::new(credentials, |_| ());
    let github = GitHub::new(octocrab, tokens, Clock::starting_at(now()), Duration::from_secs(60));
    (world, github, "acme/web".parse().expect("a name"))
}

async fn whole<B>(response: http::Response<B>) -> http::Response<Full<Bytes>>
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
