//! Tracked jobs: the ticket after a failure, a cancellation, and in a matrix.

use serde_json::json;

use crate::acme::{Acme, EndedRuns};
use crate::assert_page;
use crate::examples::Example;

/// A release of `web` alone, whose jobs are tracked.
async fn release(acme: &mut Acme, target: &Example) -> EndedRuns {
    acme.target("acme/web", target);
    acme.target("acme/docs", &Example::of("reusable-target"));
    acme.start("acme/hub", "release.yml", json!({ "version": "1.4.0", "channel": "beta" })).await
}

#[track_caller]
fn says(acme: &Acme, text: &str) {
    let ticket = acme.ticket();
    let bodies: Vec<&str> = ticket.comments.iter().map(|comment| comment.body.as_str()).collect();
    assert!(bodies.iter().any(|body| body.replace('\u{a0}', " ").contains(text)), "{bodies:#?}");
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_job_that_fails_names_its_step() {
    let mut acme = Acme::new("hub").await;
    let target = Example::of("target").with_failing("Build and test");
    release(&mut acme, &target).await.of("acme/web").concludes("failure");
    says(&acme, "**web** failed at `build`: step 3, Build and test");
    assert_page!("tracked-failure", acme.ticket());
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_job_that_is_cancelled_says_so_in_its_post_step() {
    let mut acme = Acme::new("hub").await;
    acme.cancel("acme/web", "The tests run.");
    let target = Example::of("target").with_command("Build and test", "echo \"The tests run.\" && sleep 60");
    release(&mut acme, &target).await.of("acme/web").concludes("cancelled");
    says(&acme, "**web** was cancelled at `build`: step 3, Build and test");
    assert_page!("tracked-cancellation", acme.ticket());
}

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn each_job_of_a_matrix_is_tracked_by_itself() {
    let mut acme = Acme::new("hub").await;
    let on_mac = "test ${{ matrix.system }} = linux";
    let target = Example::of("target").with_matrix("[linux, mac]").with_command("Build and test", on_mac);
    release(&mut acme, &target).await.of("acme/web").concludes("failure");
    says(&acme, "✅ build (linux)");
    says(&acme, "**web** failed at `build (mac)`: step 3, Build and test");
    assert_page!("tracked-matrix", acme.ticket());
}
