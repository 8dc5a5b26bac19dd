//! Two targets at the same time: one reports with steps of its own, the other calls `finish.yml`.

use serde_json::{Value, json};

use crate::acme::Acme;
use crate::assert_page;
use crate::examples::Example;

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn two_targets_are_released_at_the_same_time() {
    let mut acme = Acme::new("hub").await;
    acme.target("acme/web", &Example::of("target"));
    acme.target("acme/docs", &Example::of("reusable-target"));
    let inputs = json!({ "version": "1.4.0", "channel": "beta" });
    let runs = acme.start("acme/hub", "release.yml", inputs).await;
    let hub = runs.of("acme/hub").concludes("success");
    for target in ["acme/web", "acme/docs"] {
        runs.of(target).concludes("success");
    }
    runs.of("acme/web").prints("Published in the channel beta.");

    let [web, docs] = ["acme/web", "acme/docs"].map(|name| acme.world.runs(name).remove(0));
    assert_eq!(
        Value::Object(web.inputs),
        json!({ "release-ticket": "acme/hub#1", "release-target": "web", "channel": "beta" })
    );
    let page = |run: u64, repository| format!("/{repository}/actions/runs/{run}");
    hub.prints("/acme/hub/issues/1, the runs are http");
    hub.prints(&page(web.id, "acme/web")).prints(&page(docs.id, "acme/docs"));
    assert!(hub.summary.contains("### [acme/hub#1]("), "{}", hub.summary);

    assert_page!("two-targets", acme.ticket());
}
