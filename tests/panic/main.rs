//! A step that fails by a mistake in the action itself. What it leaves to do is done by the process's only
//! panic hook, so this test has a process of its own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use release_ticket_action::job::Clock;
use release_ticket_action::run;
use simulated_github::World;
use tokio::runtime::Builder;

#[test]
fn what_was_minted_is_revoked_before_a_panic_ends_the_step() {
    let github = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    #[expect(clippy::disallowed_methods, reason = "tests have no main to read it")]
    let now = chrono::Utc::now();
    let world = World::at(now);
    world.user("alice");
    world.repository("acme/hub");
    let app = world.app("acme-release").installed_on("acme", &["issues: write"]);
    let ticket = world.issue("acme/hub", "Release 1.4.0", "", "alice");
    let server = github.block_on(world.serve()).expect("a free port on loopback");
    world.latency(|_, _| Duration::from_millis(60));

    let environment: BTreeMap<String, String> = [
        ("GITHUB_API_URL", server.url()),
        ("GITHUB_REPOSITORY", "acme/web".into()),
        ("GITHUB_RUN_ID", "1".into()),
        ("INPUT_MODE", "report".into()),
        ("INPUT_CLIENT-ID", app.client_id()),
        ("INPUT_PRIVATE-KEY", app.private_key()),
        ("INPUT_STATUS", "success".into()),
        ("INPUT_TICKET", format!("acme/hub#{ticket}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // Polled by the step whenever it waits.
    let failing = async {
        while !uses_a_minted_token(&world) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("a mistake");
    };
    let step = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::starting_at(now);
    let run = || step.block_on(run::run(&environment, clock, failing));
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "it failed");

    let tokens = world.installation_tokens();
    assert_eq!(tokens.iter().map(|token| token.revoked).collect::<Vec<_>>(), [true]);
}

fn uses_a_minted_token(world: &World) -> bool {
    let minted = world.installation_tokens();
    let used = |token: &str| minted.iter().any(|minted| minted.secret == token);
    world.exchanges().iter().any(|exchange| exchange.token.as_deref().is_some_and(used))
}
