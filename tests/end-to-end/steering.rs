//! One workflow that starts a release, and continues it after a comment.

use serde_json::json;

use crate::acme::Acme;
use crate::assert_page;
use crate::examples::Example;

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_comment_opens_the_gate_and_starts_the_second_wave_with_the_inputs_of_the_start() {
    let mut acme = Acme::new("steered").await;
    acme.world.repository("acme/hub").role("alice", "write");
    acme.target("acme/web", &Example::of("plain-target").with_input("channel"));
    acme.target("acme/docs", &Example::of("plain-target").with_input("channel"));
    let inputs = json!({ "version": "1.4.0", "channel": "beta" });
    let runs = acme.start("acme/hub", "release.yml", inputs).await;
    runs.of("acme/web").concludes("success");
    runs.of("acme/hub").concludes("success");
    assert!(acme.world.runs("acme/docs").is_empty(), "the gate is closed");
    let runs = acme.comment("alice", "/release go : looks good").await;
    runs.of("acme/hub").concludes("success");
    runs.of("acme/docs").concludes("success");
    assert_eq!(acme.world.runs("acme/docs")[0].inputs["channel"], "beta");
    let ticket = acme.ticket();
    assert_eq!(ticket.state, "closed");
    assert_page!("steered", ticket);
}
