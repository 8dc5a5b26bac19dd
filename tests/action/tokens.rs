//! A GitHub App instead of a token: the tokens that it gets, for which repositories and how long, and the errors if it
//! gets none.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use release_ticket_action::github::needs::{Level, Permission};
use release_ticket_action::github::tokens::app::App as GitHubApp;
use release_ticket_action::github::tokens::jwt::SigningKey;
use release_ticket_action::github::{Credentials, GitHub, Needs};
use release_ticket_action::names::{IssueNumber, IssueRef};
use simulated_github::{App, Fault, KeyForm, Kind, World, private_key};

use crate::client::in_process;
use crate::support::{Acme, Outcome, RELEASE_WORKFLOW, Step, now, until_the_board_says};

/// All that a dispatch and its reports need.
const RELEASE: &[&str] = &["issues: write", "actions: write", "contents: read"];

/// A world without a single token, in which an App is installed on `acme`.
async fn acme() -> (Acme, App) {
    acme_at(World::at(now())).await
}

async fn acme_at(world: World) -> (Acme, App) {
    let acme = Acme::in_world(world).await;
    for name in acme.world.repositories() {
        acme.world.repository(&name).private();
    }
    let app = acme.world.app("acme-release").installed_on("acme", RELEASE);
    (acme, app)
}

fn dispatch(app: &App, targets: &str) -> Step {
    let step = Step::new("dispatch").app(app).run(500).input("targets", targets);
    step.input("workflow", "release.yml").input("release", "1.4.0")
}

fn report(app: &App, ticket: u64) -> Step {
    Step::new("report").app(app).input("ticket", format!("acme/hub#{ticket}")).input("status", "success")
}

/// The tokens of the App, a line for each.
fn token_lines(acme: &Acme) -> String {
    let tokens = acme.world.installation_tokens();
    let lines = tokens.iter().map(|token| {
        let (repositories, permissions) = (token.repositories.join(", "), token.permissions.join(", "));
        let end = if token.is_revoked { "revoked" } else { "left to expire" };
        format!("{} for {repositories}: {permissions} ({end})", token.owner)
    });
    lines.collect::<Vec<_>>().join("\n")
}

// ---- new tokens ----

#[tokio::test]
async fn each_owner_gets_a_token_for_what_the_dispatch_needs_there() {
    let (acme, app) = acme().await;
    acme.world.repository("globex/site").private().file(".github/workflows/release.yml", RELEASE_WORKFLOW);
    acme.world.repository("globex/unrelated").private();
    app.installed_on(
        "globex",
        &["issues: write", "actions: write", "contents: write", "administration: write"],
    );
    dispatch(&app, "web, api, globex/site").run_in(&acme).await.succeeds();
    insta::assert_snapshot!(token_lines(&acme), @"
    acme for acme/api, acme/hub, acme/web: actions: write, contents: read, issues: write (revoked)
    globex for globex/site: actions: write, contents: read (revoked)
    ");
    for repository in ["acme/web", "acme/api", "globex/site"] {
        let runs = acme.world.runs(repository);
        assert_eq!(runs.len(), 1, "{repository}");
        assert_eq!(runs[0].actor, "acme-release[bot]");
    }
}

#[tokio::test]
async fn a_report_gets_a_token_for_the_hub_and_its_issues() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    report(&app, ticket).run_in(&acme).await.succeeds();
    assert_eq!(token_lines(&acme), "acme for acme/hub: issues: write (revoked)");
    // Two requests for the token, and one to revoke it.
    assert!(acme.requests().len() <= 4 + 3, "{:#?}", acme.requests());
}

#[tokio::test]
async fn a_step_without_a_ticket_needs_no_token() {
    let (acme, app) = acme().await;
    Step::new("report").app(&app).input("status", "success").run_in(&acme).await.succeeds();
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_targets_file_that_is_read_first_costs_a_second_token_and_no_more_permissions() {
    let (acme, app) = acme().await;
    let targets = "defaults: { workflow: release.yml }\ntargets: [web, api]";
    acme.world.repository("acme/hub").file(".github/release-targets.yml", targets);
    Step::new("dispatch").app(&app).input("release", "1.4.0").run_in(&acme).await.succeeds();
    insta::assert_snapshot!(token_lines(&acme), @"
    acme for acme/hub: actions: read, contents: read, issues: write (revoked)
    acme for acme/api, acme/hub, acme/web: actions: write, contents: read, issues: write (revoked)
    ");
}

#[tokio::test]
async fn a_notice_uses_the_permissions_of_the_app_where_it_happened() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let notify = |app: &App| {
        Step::new("notify").app(app).input("ticket", format!("acme/hub#{ticket}")).input("status", "failure")
    };
    notify(&app).run_in(&acme).await.succeeds();
    app.installed_on("acme", &["issues: write"]).only_for("acme", &["hub"]);
    notify(&app).run_in(&acme).await.succeeds().says("the failed step is not named");
    insta::assert_snapshot!(token_lines(&acme), @"
    acme for acme/hub, acme/web: actions: read, contents: read, issues: write (revoked)
    acme for acme/hub: issues: write (revoked)
    ");
}

#[tokio::test]
async fn an_event_needs_contents_instead_of_actions() {
    let (acme, app) = acme().await;
    app.installed_on("acme", &["issues: write", "actions: write", "contents: write"]);
    let step = Step::new("dispatch").app(&app).input("targets", "web").input("dispatch-type", "repository");
    step.input("event-type", "release").run_in(&acme).await.succeeds();
    assert_eq!(
        token_lines(&acme),
        "acme for acme/hub, acme/web: actions: read, contents: write, issues: write (revoked)"
    );
}

#[tokio::test]
async fn the_key_is_read_in_every_form_in_which_it_is_given() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let pkcs1 = app.private_key();
    for key in [
        private_key(KeyForm::Pkcs8),
        pkcs1.replace('\n', "\\n"),
        pkcs1.replace('\n', "\r\n"),
        format!("\n  {}", pkcs1.replace('\n', "\n  ")),
        STANDARD.encode(&pkcs1),
        STANDARD.encode(private_key(KeyForm::Pkcs8)),
        pkcs1,
    ] {
        let outcome = report(&app, ticket).input("private-key", key).run_in(&acme).await;
        assert_eq!(outcome.succeeds().output("delivered"), "true", "{}", outcome.log);
    }
    let step = report(&app, ticket).without("INPUT_CLIENT-ID").input("app-id", app.id());
    assert_eq!(step.run_in(&acme).await.succeeds().output("delivered"), "true");
}

#[tokio::test]
async fn the_app_wins_over_token_and_ticket_token_over_both() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    report(&app, ticket).input("token", "target-token").run_in(&acme).await.succeeds();
    report(&app, ticket).job("other").input("ticket-token", "target-token").run_in(&acme).await.succeeds();
    let authors: Vec<String> = acme.records(ticket).into_iter().map(|comment| comment.author).collect();
    assert_eq!(authors, ["acme-release[bot]", "acme-report[bot]"]);
    assert_eq!(acme.world.installation_tokens().len(), 1);
}

// ---- ends of tokens ----

/// A client in this process, which signs in as the App.
fn client(world: &World, app: &App) -> GitHub {
    in_process(world, Credentials { app: Some(github_app(app)), ..Credentials::default() })
}

/// The App in the action's own type.
pub(crate) fn github_app(app: &App) -> GitHubApp {
    let key = SigningKey::parse(&app.private_key()).expect("a key");
    GitHubApp { id: app.client_id(), key: Ok(key) }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_hours_gets_a_new_token_before_the_old_one_ends() {
    let world = World::new();
    world.repository("acme/hub").private();
    let app = world.app("acme-release").installed_on("acme", RELEASE);
    let number = world.issue("acme/hub", "By hand", "", "alice");
    let ticket = IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(number) };
    let github = client(&world, &app);
    github.tokens().need(Needs::default().must(&ticket.repository, Permission::Issues, Level::Write));
    for _ in 0..12 {
        github.issue(&ticket).await.expect("the ticket");
        tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    }
    // Every fourth quarter of an hour ends less than five minutes before the hour does.
    assert_eq!(world.installation_tokens().len(), 3);
    let others = world.exchanges().into_iter().filter(|exchange| exchange.status != Some(200));
    assert!(others.map(|exchange| exchange.status).all(|status| status == Some(201)));

    // The client replaces a token that a person revoked, after GitHub's refusal; a second refusal is final.
    world.token(&world.installation_tokens()[2].secret).revoke();
    github.issue(&ticket).await.expect("the ticket");
    assert_eq!(world.installation_tokens().len(), 4);
    github.revoke_tokens(Duration::from_secs(1)).await;
    assert!(world.installation_tokens()[3].is_revoked, "the others have ended");
}

#[tokio::test]
async fn a_step_that_outlives_a_token_goes_on_with_another_and_revokes_both() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    acme.world.installation_tokens_last(Duration::from_secs(4));
    acme.world.latency(|method, _| match method.as_str() {
        "DELETE" => Duration::ZERO,
        _ => Duration::from_millis(700),
    });
    report(&app, ticket).run_in(&acme).await.succeeds();
    let tokens = acme.world.installation_tokens();
    assert!(tokens.len() >= 2, "{tokens:?}");
    assert!(tokens.last().is_some_and(|token| token.is_revoked), "{tokens:?}");
    let revocations = acme.requests().into_iter().filter(|request| request == "DELETE /installation/token");
    assert_eq!(revocations.count(), tokens.len());
}

#[tokio::test]
async fn a_token_that_ends_too_early_is_named_by_its_input_with_a_longer_lived_one() {
    for (input, secret, why) in [
        (
            "ticket-token",
            "ghs_ticket",
            "a token of a GitHub App lasts an hour, and `github.token` until its job ends, 24 hours at most",
        ),
        ("token", "ghp_all", "it was revoked or has expired"),
    ] {
        let acme = Acme::new().await;
        acme.world.token(secret).acts_as("acme-release[bot]").can_everything();
        let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
        let step = step.input("release", "1.4.0").input("wait", "true").input("wait-interval", "50ms");
        let step = step.input("wait-timeout", "2s").input(input, secret).spawn_in(&acme);
        until_the_board_says(&acme, "queued").await;
        acme.world.token(secret).revoke();
        let outcome = step.end().await;
        outcome.fails().says("Bad credentials (401)");
        let good = format!("help: `{input}` was good until ");
        let renewal = format!(
            " UTC, and GitHub refuses it now: {why}; give the step a GitHub App (`client-id` and `private-key`) in place of \
             `{input}`: then the step has new tokens for as long as it runs"
        );
        outcome.says(&good).says(&renewal);
    }
}

#[tokio::test]
async fn a_token_that_never_was_good_is_named_by_its_input() {
    let acme = Acme::new().await;
    let step = Step::new("report").input("ticket", "acme/hub#1").input("status", "success");
    let outcome = step.input("ticket-token", "ghs_gone").run_in(&acme).await;
    outcome.succeeds().says(
        "Bad credentials (401)%0Ahelp: `ticket-token` is wrong, revoked or expired; give the step another one",
    );
}

#[tokio::test]
async fn tokens_are_revoked_after_a_failure_too() {
    let (acme, app) = acme().await;
    let dispatches = "/repos/acme/web/actions/workflows/release.yml/dispatches";
    acme.world.fault(Fault::on("POST", dispatches).then(Kind::StatusBefore(422)));
    dispatch(&app, "web").run_in(&acme).await.fails().says("cannot start web");
    assert_eq!(
        token_lines(&acme),
        "acme for acme/hub, acme/web: actions: write, contents: read, issues: write (revoked)"
    );
}

#[tokio::test]
async fn tokens_are_revoked_after_a_cancellation_before_the_runner_kills() {
    for mode in ["dispatch", "report", "notify"] {
        let (acme, app) = acme().await;
        let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
        acme.world.latency(|_, _| Duration::from_millis(150));
        let step = match mode {
            "dispatch" => dispatch(&app, "web, api"),
            mode => Step::new(mode)
                .app(&app)
                .input("ticket", format!("acme/hub#{ticket}"))
                .input("status", "failure"),
        };
        let step = step.spawn_in(&acme);
        while acme.world.story().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        step.signal("INT");
        let start = Instant::now();
        step.end().await.says("the step is cancelled");
        assert!(start.elapsed() < Duration::from_millis(7_500), "{mode} took {:?}", start.elapsed());
        let tokens = acme.world.installation_tokens();
        assert!(
            !tokens.is_empty() && tokens.iter().all(|token| token.is_revoked),
            "{mode}: {}",
            token_lines(&acme)
        );
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_revoked_is_no_reason_to_fail() {
    let (acme, app) = acme().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    acme.world.fault(Fault::on("DELETE", "/installation/token").then(Kind::StatusBefore(503)));
    let outcome = report(&app, ticket).debug().run_in(&acme).await;
    outcome.succeeds().says("::debug::a token is not revoked");
    assert!(!outcome.log.contains("::warning::"), "{}", outcome.log);
}

// ---- refusals ----

/// The errors of a dispatch that changes nothing.
async fn refusal(acme: &Acme, step: Step) -> String {
    let outcome: Outcome = step.run_in(acme).await;
    outcome.fails();
    assert_eq!(acme.world.story(), "", "nothing happened");
    let url = acme.server.url();
    let errors =
        outcome.visible_log().lines().filter(|line| line.starts_with("::")).collect::<Vec<_>>().join("\n");
    errors.replace("%0A", "\n").replace(&url, "https://github.com")
}

#[tokio::test]
async fn an_app_that_is_not_installed_where_it_is_needed_says_so() {
    let (acme, app) = acme().await;
    acme.world.repository("globex/site").private();
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "globex/site, web")).await, @"
    ::error::`targets`:1:1: target site: cannot reach globex/site: the GitHub App Iv23li00000000400001 is not installed on globex
    help: install the App on globex for globex/site, or give another token for it
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-github-app-gives-no-token
    ");
}

#[tokio::test]
async fn an_app_that_lacks_a_repository_names_it_and_no_other() {
    let (acme, app) = acme().await;
    app.only_for("acme", &["hub", "web"]);
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web, api, docs, nowhere")).await, @"
    ::error::`targets`:1:6: target api: cannot reach acme/api: the GitHub App Iv23li00000000400001 is installed on acme, but not for acme/api
    help: check the name, and add acme/api to the repositories of the installation: https://github.com/organizations/acme/settings/installations/80001
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-github-app-gives-no-token
    ::error::`targets`:1:11: target docs: cannot reach acme/docs: the GitHub App Iv23li00000000400001 is installed on acme, but not for acme/docs
    help: check the name, and add acme/docs to the repositories of the installation: https://github.com/organizations/acme/settings/installations/80001
    ::error::`targets`:1:17: target nowhere: cannot reach acme/nowhere: the GitHub App Iv23li00000000400001 is installed on acme, but not for acme/nowhere
    help: check the name, and add acme/nowhere to the repositories of the installation: https://github.com/organizations/acme/settings/installations/80001
    ");
}

#[tokio::test]
async fn an_app_that_is_suspended_says_so() {
    let (acme, app) = acme().await;
    app.suspend("acme");
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web")).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: the GitHub App Iv23li00000000400001 is suspended on acme
    help: unsuspend the installation: https://github.com/organizations/acme/settings/installations/80001
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-github-app-gives-no-token
    ");
}

#[tokio::test]
async fn a_permission_that_the_app_lacks_is_named_before_anything_happens() {
    let (acme, app) = acme().await;
    app.installed_on("acme", &["issues: read", "contents: read", "actions: write"]);
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web")).await, @"
    ::error::cannot look for a ticket in acme/hub: the GitHub App Iv23li00000000400001 is not granted `issues: write` on acme/hub
    help: add `issues: write` to the permissions in the App's settings, and accept them for acme: https://github.com/organizations/acme/settings/installations/80001
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-lacks-a-permission
    ");
    app.installed_on("acme", &["issues: write", "contents: read", "actions: read"]);
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web")).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: the GitHub App Iv23li00000000400001 is not granted `actions: write` on acme/web
    help: add `actions: write` to the permissions in the App's settings, and accept them for acme: https://github.com/organizations/acme/settings/installations/80001
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-lacks-a-permission
    ");
    let event = || dispatch(&app, "web").input("dispatch-type", "repository").input("event-type", "release");
    insta::assert_snapshot!(refusal(&acme, event()).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: the GitHub App Iv23li00000000400001 is not granted `contents: write` on acme/web
    help: add `contents: write` to the permissions in the App's settings, and accept them for acme: https://github.com/organizations/acme/settings/installations/80001
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-token-lacks-a-permission
    ");
}

#[tokio::test]
async fn an_app_signs_in_with_the_time_of_github_where_the_clock_of_the_runner_is_off() {
    for (ahead, direction) in [(20, "behind"), (-20, "ahead of")] {
        let (acme, app) = acme_at(World::at(now() + chrono::TimeDelta::minutes(ahead))).await;
        let outcome = dispatch(&app, "web").run_in(&acme).await;
        outcome.succeeds();
        // The warning counts whole seconds, and one or two of them pass during the step.
        let warnings = ["19m 58s", "19m 59s", "20m", "20m 1s", "20m 2s"].map(|by| {
            format!(
                "::warning::this runner's clock is {by} {direction} GitHub's: the GitHub App {} signs in with GitHub's \
                 time%0Ahelp: set the runner's clock, and keep it synchronized with NTP",
                app.client_id()
            )
        });
        assert!(warnings.iter().any(|warning| outcome.log.contains(warning)), "{}", outcome.log);
        assert_eq!(acme.world.runs("acme/web").len(), 1);
        assert!(acme.world.installation_tokens().iter().all(|token| token.is_revoked));
    }
}

#[tokio::test]
async fn a_signature_that_is_refused_for_its_time_twice_is_an_error() {
    let (acme, app) = acme_at(World::at(now() + chrono::TimeDelta::minutes(20))).await;
    // A proxy answers with a time of its own.
    acme.world.wrong_date(chrono::TimeDelta::hours(3));
    let errors = refusal(&acme, dispatch(&app, "web")).await;
    assert!(errors.contains("GitHub does not accept the time in the signature"), "{errors}");
    let questions =
        acme.requests().into_iter().filter(|request| request == "GET /repos/acme/hub/installation");
    assert_eq!(questions.count(), 2, "{:#?}", acme.requests());
}

#[tokio::test]
async fn the_errors_distinguish_a_key_of_another_app_from_a_missing_app() {
    let (acme, app) = acme().await;
    let another = dispatch(&app, "web").input("private-key", private_key(KeyForm::Another));
    insta::assert_snapshot!(refusal(&acme, another).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: GitHub does not accept the signature of the GitHub App Iv23li00000000400001: A JSON web token could not be decoded
    help: check that `client-id` is the App's client id, and that `private-key` is one of the private keys in the App's settings
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-github-app-gives-no-token
    ");
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web").input("client-id", "Iv1.nobody")).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: GitHub does not accept the signature of the GitHub App Iv1.nobody: Integration not found
    help: check that `client-id` is the App's client id, and that `private-key` is one of the private keys in the App's settings
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-github-app-gives-no-token
    ");
    insta::assert_snapshot!(refusal(&acme, dispatch(&app, "web").input("private-key", "")).await, @"
    ::error::`targets`:1:1: target web: cannot reach acme/web: `private-key` of the GitHub App Iv23li00000000400001 is blank: does the secret exist here?
    help: put the App's private key into a secret and give it as `private-key`; runs that forks and Dependabot start get no secrets
    see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#a-secret-is-blank
    ");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_never_quoted() {
    let (acme, app) = acme().await;
    let pem = app.private_key();
    let lines: Vec<&str> = pem.lines().collect();
    let cut_key = [&lines[..2], &lines[lines.len() - 1..]].concat().join("\n");
    for (key, description) in [
        ("not-a-key-at-all", "neither PEM nor base64 of it"),
        (&STANDARD.encode("not-a-key-at-all"), "neither PEM nor base64 of it"),
        (&pem.replace("RSA PRIVATE", "EC PRIVATE"), "PEM of something other than a private RSA key"),
        (&pem.replace("RSA PRIVATE KEY", "CERTIFICATE"), "PEM of something other than a private RSA key"),
        (&pem.replace("RSA PRIVATE", "ENCRYPTED PRIVATE"), "encrypted"),
        (&cut_key, "not a private RSA key of 2048 bits or more, or it is cut short"),
        (&pem.replace("RSA PRIVATE", "OPENSSH PRIVATE"), "an OpenSSH key, which no GitHub App has"),
        (&pem.replace("RSA PRIVATE", "PUBLIC").replace('\n', " "), "a public key, not the private one"),
        ("SHA256:0Oxd+Yqg6nsWy0hUBjoXqRBvJoQ7QZxgL3kD9bY0wLk=", "the fingerprint of a key, not the key"),
        (lines[1], "neither PEM nor base64 of it"),
    ] {
        let outcome = dispatch(&app, "web").input("private-key", key).run_in(&acme).await;
        let help =
            "help: put the whole .pem file that GitHub gave when the key was generated into the secret";
        outcome.ends_with(2).says(&format!("::error::input `private-key` is {description}%0A{help}"));
        assert_no_quote(&outcome, key);
        // A garbled secret prevents the delivery of a report, and fails no release.
        let outcome = report(&app, 7).input("private-key", key).run_in(&acme).await;
        let app = app.client_id();
        outcome.succeeds().says(&format!(
            "::warning::cannot report to acme/hub#7: `private-key` of the GitHub App {app} is {description}%0A{help}"
        ));
        assert_eq!(outcome.output("delivered"), "false");
        assert_no_quote(&outcome, key);
    }
    let step = report(&app, 7).input("private-key", &cut_key).input("fail-on-error", "true");
    step.run_in(&acme).await.fails();
    assert_eq!(acme.requests(), [""; 0]);
}

/// Asserts that only the commands that mask the key quote it.
#[track_caller]
fn assert_no_quote(outcome: &Outcome, key: &str) {
    let text = format!("{}{}{}", outcome.visible_log(), outcome.errors, outcome.summary);
    for part in key.split("-----").flat_map(str::split_whitespace).filter(|part| part.len() >= 8) {
        assert!(!text.contains(part), "{part} is in {text}");
        assert!(outcome.log.contains(&format!("::add-mask::{part}\n")), "{part} is not hidden");
    }
}

#[tokio::test]
async fn a_report_and_a_notice_of_a_garbled_token_say_what_it_is() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    for input in ["token", "ticket-token"] {
        let step = |mode: &str| {
            let step =
                Step::new(mode).input("ticket", format!("acme/hub#{ticket}")).input("status", "failure");
            step.input(input, "ghs_one ghs_two").input("message", "the build broke")
        };
        let message = format!("`{input}` contains spaces, line breaks or other characters that no token has");
        let help = "help: put the token alone into the secret, as GitHub gave it";
        let outcome = step("report").run_in(&acme).await;
        outcome
            .succeeds()
            .says(&format!("::warning::cannot report to acme/hub#{ticket}: {message}%0A{help}"));
        assert_eq!(outcome.output("delivered"), "false");
        let outcome = step("notify").run_in(&acme).await;
        outcome.says(&message).says("the build broke");
        assert!(!outcome.visible_log().contains("ghs_one"), "{}", outcome.log);
    }
    assert_eq!(acme.world.issue_view("acme/hub", ticket).comments.len(), 0);
}

#[tokio::test]
async fn half_an_app_is_reported_at_once() {
    let (acme, app) = acme().await;
    let two_ids = dispatch(&app, "web").input("app-id", app.id());
    two_ids
        .run_in(&acme)
        .await
        .ends_with(2)
        .says("`client-id` and `app-id` both name the App; give one of them");
    let key_alone = dispatch(&app, "web").without("INPUT_CLIENT-ID");
    key_alone
        .run_in(&acme)
        .await
        .ends_with(2)
        .says("`client-id` is blank, but `private-key` is the key of a GitHub App");
}
