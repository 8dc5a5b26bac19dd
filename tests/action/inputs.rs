//! Inputs and events that a step refuses before its first request.

use std::collections::BTreeMap;

use release_ticket_action::inputs::table::{Takes, Words};
use release_ticket_action::inputs::{INPUTS, Inputs};
use release_ticket_action::job::{Clock, Job};
use release_ticket_action::problem::chain;

use crate::support::{Acme, Step};

#[tokio::test]
async fn all_bad_inputs_are_reported_together() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch")
        .input("ticket", "twelve")
        .input("repository", "a b")
        .input("dry-run", "yes")
        .input("comment-mode", "edit")
        .input("max-parallel", "0")
        .input("retry-timeout", "soon")
        .input("inputs", "[1, 2]")
        .input("dispatch-type", "repository")
        .input("targets", "[{ repository: web, workflw: x.yml }]");
    let outcome = step.run_in(&acme).await;
    outcome.ends_with(2);
    insta::assert_snapshot!(outcome.visible_log(), @"
    ::error::input `repository`: `a b` is not a repository; write `owner/name`
    ::error::input `ticket`: `twelve` is not a ticket; write `12`, `#12`, `owner/name#12` or the issue's URL
    ::error::input `comment-mode` is `edit`; it takes `update` or `new`
    ::error::input `dry-run` is `yes`; it takes `true` or `false`
    ::error::input `retry-timeout`: `soon` is not a duration; write `90s`, `15m` or `1h 30m`
    ::error::input `event-type` is missing; `dispatch-type: repository` sends an event of that type
    ::error::input `inputs` is a list; it takes a mapping of names to values
    ::error::input `targets`:1:21: a target has no key `workflw`%0Ahelp: did you mean `workflow`?%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-targets-file-is-refused
    ::error::input `targets`:1:2: `web` has no workflow%0Ahelp: add `workflow: FILE.yml` to it, to the file's `defaults` or to the step
    ::error::input `max-parallel`: `0` is not a whole number from 1 on
    ");
    assert_eq!(acme.requests(), [""; 0]);
}

#[tokio::test]
async fn a_misspelt_word_of_an_input_is_refused_with_the_word_that_is_meant() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch").input("command-permission", "maintian").input("wait", "ture");
    let outcome = step.input("claim", "git").run_in(&acme).await;
    outcome.ends_with(2);
    insta::assert_snapshot!(outcome.visible_log(), @"
    ::error::input `wait` is `ture`; it takes `true` or `false`%0Ahelp: did you mean `true`?%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#an-input-is-refused
    ::error::input `claim` is `git`; it takes `comment` or `ref`
    ::error::input `command-permission` is `maintian`; it takes `triage`, `write`, `maintain` or `admin`%0Ahelp: did you mean `maintain`?
    ");
    assert_eq!(acme.requests(), [""; 0]);
}

/// The reader takes the values that the table, and so the documentation, describes.
#[test]
fn a_value_that_an_input_does_not_take_is_refused_in_every_mode() {
    let environment = [("GITHUB_REPOSITORY", "acme/hub"), ("GITHUB_RUN_ID", "1")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let clock = Clock::starting_at(chrono::DateTime::UNIX_EPOCH);
    let job = Job::read(&environment, clock).expect("all that a job needs");
    for input in INPUTS {
        let value = match input.takes {
            // Text for people is cut and defused, never refused.
            Takes::Text | Takes::Url | Takes::Path | Takes::Template | Takes::Context => continue,
            Takes::Boolean => "yes",
            Takes::Number => "0",
            Takes::Duration => "soon",
            Takes::OneOf(_) | Takes::SomeOf(_) | Takes::Statuses(_) => "nonsense",
            Takes::List | Takes::Mapping => "[{}",
            Takes::Secret | Takes::Login | Takes::Logins | Takes::Repository | Takes::Ticket => "a b",
        };
        for mode in input.modes {
            // A report and a notice meet a bad secret later, when they need it.
            if matches!(input.takes, Takes::Secret) && mode.as_str() != "dispatch" {
                continue;
            }
            let mut inputs = BTreeMap::from([("status".to_owned(), "success".to_owned())]);
            inputs.insert("mode".to_owned(), mode.as_str().to_owned());
            inputs.insert(input.name.to_owned(), value.to_owned());
            let problems = Inputs::read(&inputs, &job).expect_err(input.name);
            let names_it =
                problems.iter().any(|problem| chain(problem).contains(&format!("`{}`", input.name)));
            assert!(names_it, "`{}` in {}: {problems:?}", input.name, mode.as_str());
        }
    }
}

#[tokio::test]
async fn a_bad_ticket_of_the_event_is_not_called_an_input_of_the_step() {
    let acme = Acme::new().await;
    let event = serde_json::json!({ "inputs": { "release-ticket": "twelve" } });
    let outcome = Step::new("report").input("status", "success").event(event).run_in(&acme).await;
    outcome.ends_with(2).says("::error::the event's input `release-ticket`: `twelve` is not a ticket");
}

#[tokio::test]
async fn a_missing_or_unknown_mode_is_refused() {
    let acme = Acme::new().await;
    Step::new("deploy")
        .run_in(&acme)
        .await
        .ends_with(2)
        .says("`mode` is `deploy`; it takes `dispatch`, `report` or `notify`");
    Step::new("").run_in(&acme).await.ends_with(2).says("`mode` is missing");
}

#[tokio::test]
async fn the_worst_of_several_statuses_counts() {
    let acme = Acme::new().await;
    let ticket = acme.dispatch("web").await;
    for (statuses, worst) in [
        ("success,failure,skipped", "failure"),
        ("success, cancelled", "cancelled"),
        ("skipped\nsuccess", "success"),
        (r#"["skipped", "skipped"]"#, "skipped"),
    ] {
        let step = Step::new("report").run(9_000).input("ticket", ticket).input("repository", "hub");
        step.input("status", statuses).input("stage", statuses).run_in(&acme).await.succeeds();
        let record = acme.records(ticket).into_iter().rfind(|record| record.body.contains(":1 report "));
        let record = record.expect("a report").body;
        assert!(record.contains(&format!(r#""status":"{worst}""#)), "{statuses}: {record}");
    }
    let outcome = Step::new("report").input("status", "success,done").run_in(&acme).await;
    outcome.ends_with(2).says("`status` is `done`; it takes `queued`");
    Step::new("report").input("status", ",").run_in(&acme).await.ends_with(2).says("`status` is missing");
}

#[tokio::test]
async fn a_secret_is_masked_and_never_quoted() {
    let acme = Acme::new().await;
    let outcome = Step::new("dispatch").input("token", "ghs_se cret").run_in(&acme).await;
    outcome.ends_with(2).says("::add-mask::ghs_se cret\n").says("`token` contains spaces");
    assert!(!outcome.visible_log().contains("se cret"), "{}", outcome.log);
    assert!(!outcome.summary.contains("se cret"), "{}", outcome.summary);
}

#[tokio::test]
async fn the_binary_says_what_it_is_if_no_runner_starts_it() {
    let outcome = Step::new("report").without("INPUT_MODE").start().await;
    outcome.ends_with(2);
    assert!(outcome.errors.contains("cargo run --example rehearse"), "{}", outcome.errors);
    assert_eq!(outcome.log, "");
    let outcome = Step::new("report").without("GITHUB_REPOSITORY").start().await;
    outcome.ends_with(2).says("not started by a runner: GITHUB_REPOSITORY not set");
}

#[tokio::test]
async fn a_broken_event_is_refused() {
    let acme = Acme::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("event.json");
    std::fs::write(&path, "{ not json").expect("a writable folder");
    let step = Step::new("report").input("status", "success").variable("GITHUB_EVENT_PATH", path.display());
    step.run_in(&acme).await.ends_with(2).says("is not a JSON object");
}
