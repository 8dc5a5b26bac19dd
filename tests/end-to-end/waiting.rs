//! A hub that follows the runs of targets that do not report.

use serde_json::json;

use crate::acme::Acme;
use crate::assert_page;
use crate::examples::Example;

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn targets_without_a_token_and_without_a_step_are_followed_to_their_end() {
    let mut acme = Acme::new("smallest").await;
    acme.target("acme/web", &Example::of("plain-target"));
    // Runs at the same time must not share the names of workflow and job.
    let docs = Example::of("plain-target").with_failing("Publish").with_name("Release the docs");
    acme.target("acme/docs", &docs);
    let runs = acme.start("acme/hub", "release.yml", json!({ "version": "1.4.0" })).await;
    runs.of("acme/web").concludes("success");
    runs.of("acme/docs").concludes("failure");
    let hub = runs.of("acme/hub").concludes("failure");
    hub.prints("docs failed at publish");
    let ticket = acme.ticket();
    assert_page!("waiting", ticket.clone());
    let board = ticket.comments.iter().find(|comment| comment.body.contains(" board "));
    let board = &board.expect("a board").body;
    assert!(
        board.contains("**1 of 2 released**") && board.contains("**docs** failed at `publish`"),
        "{board}"
    );
}
