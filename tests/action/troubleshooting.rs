//! The page on troubleshooting: each topic of a help has its section, and the log links to it.

use release_ticket_action::problem::Topic;

use crate::documentation::anchors;
use crate::support::{Acme, Step};

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// The sections below the groups of the page, in its order.
fn sections() -> Vec<String> {
    anchors(&PAGE.lines().filter(|line| line.starts_with("### ")).collect::<Vec<_>>().join("\n"))
}

fn link(topic: Topic) -> String {
    format!(
        "see: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#{}",
        topic.anchor()
    )
}

#[test]
fn each_topic_is_a_section_and_each_section_is_a_topic() {
    let topics: Vec<&str> = Topic::ALL.iter().map(|topic| topic.anchor()).collect();
    assert_eq!(sections(), topics);
}

#[test]
fn no_anchor_of_the_page_is_there_twice() {
    let mut anchors = anchors(PAGE);
    let count = anchors.len();
    anchors.sort();
    anchors.dedup();
    assert_eq!(anchors.len(), count);
}

#[tokio::test]
async fn the_log_of_a_refusal_links_to_its_section_and_ticket_and_results_do_not() {
    let acme = Acme::new().await;
    // It may read the workflow and not start it.
    acme.world.token("hub-token").can("acme/web", &["actions: read", "contents: read"]);
    let step = Step::new("dispatch").run(500).input("targets", "web").input("workflow", "release.yml");
    let outcome = step.run_in(&acme).await;
    let help = "help: grant the token `actions: write` on acme/web";
    outcome.fails().says(&format!("{help}%0A{}", link(Topic::Start)));
    let results = outcome.output("results");
    let record = &acme.records(1)[0].body;
    for text in [results, record] {
        assert!(text.contains("grant the token `actions: write`"), "{text}");
        assert!(!text.contains("see: ") && !text.contains("troubleshooting.md"), "{text}");
    }
}

#[tokio::test]
async fn several_problems_share_the_link_of_the_first() {
    let acme = Acme::new().await;
    let step = Step::new("dispatch")
        .input("wait", "ture")
        .input("claim", "comments")
        .input("targets", "[{ repository: web, workflw: x.yml }]");
    let outcome = step.run_in(&acme).await;
    outcome.ends_with(2);
    insta::assert_snapshot!(outcome.visible_log(), @"
    ::error::input `targets`:1:21: a target has no key `workflw`%0Ahelp: did you mean `workflow`?%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#the-targets-file-is-refused
    ::error::input `targets`:1:2: `web` has no workflow%0Ahelp: add `workflow: FILE.yml` to it, to the file's `defaults` or to the step
    ::error::input `wait` is `ture`; it takes `true` or `false`%0Ahelp: did you mean `true`?%0Asee: https://github.com/org/release-ticket-action/blob/main/docs/troubleshooting.md#an-input-is-refused
    ::error::input `claim` is `comments`; it takes `comment` or `ref`%0Ahelp: did you mean `comment`?
    ");
}

#[tokio::test]
async fn a_warning_links_to_its_section() {
    let acme = Acme::new().await;
    let ticket = acme.world.issue("acme/hub", "By hand", "", "alice");
    let step = Step::new("report").input("token", "").input("ticket", format!("acme/hub#{ticket}"));
    let outcome = step.input("status", "success").run_in(&acme).await;
    outcome.succeeds().says("::warning::cannot report to acme/hub#1").says(&link(Topic::BlankSecret));
}
