//! The reusable workflows: `dispatch.yml` for a hub, `finish.yml` for a target.

use serde_json::json;

use crate::acme::Acme;
use crate::assert_page;
use crate::examples::Example;

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_failure_pings_the_driver_and_the_next_attempt_resolves_it() {
    let mut acme = Acme::new("reusable-hub").await;
    acme.target("acme/docs", &Example::of("reusable-target").with_failing("Publish"));
    let runs = acme.start("acme/hub", "release.yml", json!({ "version": "1.4.0" })).await;
    let hub = runs.of("acme/hub").concludes("success");
    hub.prints("Follow the release on http").prints("/acme/hub/issues/1");
    runs.of("acme/docs").concludes("failure");
    assert_page!("reusable-fails", acme.ticket());

    acme.plant("acme/docs", &Example::of("reusable-target"));
    let run = acme.world.runs("acme/docs").remove(0).id;
    acme.world.rerun(run);
    acme.play(run).await.of("acme/docs").concludes("success");
    assert_page!("reusable-resolved", acme.ticket());
    assert_eq!(acme.world.issues("acme/docs"), [], "the failure is on the ticket");
}
