//! A step that panics because of a mistake in the action itself. The panic hook cleans up after it. A process has only
//! one such hook, so this test has a process of its own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use release_ticket_action::job::Clock;
use release_ticket_action::run;
use simulated_github::World;
use tokio::runtime::Builder;

#[test]
fn tokens_are_revoked_before_a_panic_ends_the_step() {
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
    // The step polls this whenever it waits.
    let mistake = async {
        while !uses_an_app_token(&world) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("a mistake");
    };
    let step = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::starting_at(now);
    let run = || step.block_on(run::run(&environment, clock, mistake));
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "the step panics");

    let tokens = world.installation_tokens();
    assert_eq!(tokens.iter().map(|token| token.is_revoked).collect::<Vec<_>>(), [true]);
}

fn uses_an_app_token(world: &World) -> bool {
    let tokens = world.installation_tokens();
    let is_app_token = |token: &str| tokens.iter().any(|app_token| app_token.secret == token);
    world.exchanges().iter().any(|exchange| exchange.token.as_deref().is_some_and(is_app_token))
}
