//! A dispatch of more targets than GitHub lets a token start within a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::pending;
use release_ticket_action::github::{GitHub, transport};
use release_ticket_action::inputs::Inputs;
use release_ticket_action::job::{Clock, Environment, Job};
use release_ticket_action::receipt::Receipt;
use release_ticket_action::run;
use simulated_github::World;

use crate::network::Sky;
use crate::scenario::Weather;

const TARGETS: usize = 300;

/// A hub and its targets; GitHub refuses requests that exceed its limits.
fn world(names: &[String]) -> World {
    let world = World::new();
    world.repository("acme/hub").file(".github/workflows/release.yml", "on: workflow_dispatch");
    let token = world.token("ghs_hub").acts_as("acme-release[bot]");
    token.can("acme/hub", &["issues: write", "actions: read", "contents: read"]);
    for name in names {
        let repository = format!("acme/{name}");
        world.repository(&repository).file(".github/workflows/release.yml", "on: workflow_dispatch");
        token.can(&repository, &["actions: write", "contents: read"]);
    }
    world.secondary_limits();
    world
}

async fn dispatch(world: &World, names: &[String]) -> Receipt {
    let clock = Clock::starting_at(world.now());
    let run = world.start_run("acme/hub", "release.yml", "workflow_dispatch");
    let environment = [
        ("GITHUB_REPOSITORY", "acme/hub".to_owned()),
        ("GITHUB_RUN_ID", run.to_string()),
        ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
        ("GITHUB_JOB", "dispatch".to_owned()),
    ];
    let environment: Environment =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let job = Job::read(&environment, clock).expect("this is what a runner sets");
    let inputs = [
        ("mode", "dispatch".to_owned()),
        ("token", "ghs_hub".to_owned()),
        ("release", "1.4.0".to_owned()),
        ("workflow", "release.yml".to_owned()),
        ("targets", names.join(", ")),
    ];
    let inputs: BTreeMap<String, String> =
        inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let inputs = Inputs::read(&inputs, &job).expect("the inputs are fine");
    let weather = Weather {
        density: 0.0,
        merciful: true,
        latency: Duration::from_millis(400),
        lag: Duration::ZERO,
        retry_timeout: "5m",
    };
    let network = Sky::over(world, &weather, 1, None).network(true);
    let base = http::Uri::from_static("https://api.github.com");
    let octocrab = transport::over_service(network, base);
    let tokens = run::tokens(&inputs, |_, _| unreachable!("no step asks a token service"));
    let github = GitHub::new(octocrab, tokens, clock, inputs.common.retry_timeout);
    run::perform(&job, &inputs, &github, pending()).await
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_of_three_hundred_targets_starts_all_of_them_within_the_limits_of_github() {
    let names: Vec<String> = (1..=TARGETS).map(|number| format!("target-{number:03}")).collect();
    let world = world(&names);
    let start = world.now();
    let receipt = Box::pin(dispatch(&world, &names)).await;
    assert!(receipt.problems.is_empty() && receipt.failures.is_empty(), "{:?}", receipt.problems);
    let started_targets = names.iter().filter(|name| world.runs(&format!("acme/{name}")).len() == 1);
    assert_eq!(started_targets.count(), TARGETS);
    assert_eq!(world.limit_refusals(), 0, "GitHub has refused nothing");
    assert!(world.most_points_a_minute() <= 900, "{} points", world.most_points_a_minute());
    assert!(world.most_creations_a_minute() <= 80 && world.most_at_once() <= 100);
    let minutes = (world.now() - start).num_minutes();
    assert!((2..5).contains(&minutes), "{} points took {minutes} minutes", world.points());
}
