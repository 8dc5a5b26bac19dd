//! A failure without a ticket.

use crate::acme::Acme;
use crate::assert_page;
use crate::examples::Example;

#[tokio::test]
#[ignore = "needs a Docker engine and act"]
async fn a_failure_without_a_ticket_opens_an_issue_which_the_next_success_closes() {
    let mut acme = Acme::new("hub").await;
    acme.target("acme/web", &Example::of("nightly").with_failing("Build and test"));
    acme.on_schedule("acme/web", "nightly.yml").await.of("acme/web").concludes("failure");
    acme.plant("acme/web", &Example::of("nightly"));
    acme.on_schedule("acme/web", "nightly.yml").await.of("acme/web").concludes("success");

    let issues = acme.world.issues("acme/web");
    let [issue] = &issues[..] else { panic!("one issue: {issues:#?}") };
    assert_page!("nightly", issue);
    assert_eq!(acme.world.issues("acme/hub"), []);
}
