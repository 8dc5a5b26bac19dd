//! Release requests as issue forms: the issue is the ticket, and its answers are template values.

use serde_json::{Value, json};

use crate::support::{Acme, Step};

const BODY: &str = "### Version\r\n\r\n1.4.0\r\n\r\n### Targets\r\n\r\n- [X] web\r\n- [ ] api\r\n- [X] docs\r\n\r\n### Channel\r\n\r\nbeta\r\n\r\n### Notes\r\n\r\n_No response_\r\n";

const TARGETS: &str = "
defaults: { workflow: release.yml, inputs: { channel: '{{ form.channel }}' } }
targets: [web, api, docs]
";

/// A step of the workflow that starts when an issue is labelled.
fn step(number: u64) -> Step {
    let event = json!({ "action": "labeled", "issue": { "number": number }, "label": { "name": "release" } });
    Step::new("dispatch").run(500).event(event).input("release", "{{ form.version }}")
}

#[tokio::test]
async fn an_issue_form_starts_what_is_ticked_with_its_answers() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    let number = acme.world.issue("acme/hub", "Please release", BODY, "alice");
    let done = step(number).input("only", "{{ form.targets }}").run_in(&acme).await;
    done.succeeds();
    assert_eq!((done.output("ticket-number"), done.output("created")), ("1", "false"));
    let started = |name: &str| acme.world.runs(&format!("acme/{name}"));
    assert_eq!(["web", "api", "docs"].map(|name| started(name).len()), [1, 0, 1]);
    assert_eq!(started("web")[0].inputs["channel"], "beta");
    assert_eq!(acme.world.issue_view("acme/hub", number).body, BODY, "the issue's text is its author's");
    assert!(acme.board(number).contains("## Release 1.4.0"), "{}", acme.board(number));
}

/// The form that people copy asks what its workflow and its targets file want to know.
#[tokio::test]
async fn the_example_form_fits_the_workflow_beside_it() {
    const FORM: &str =
        include_str!("../../examples/workflows/release-request/.github/ISSUE_TEMPLATE/release.yml");
    const FILE: &str = include_str!("../../examples/workflows/release-request/.github/release-targets.yml");
    let form: Value = serde_saphyr::from_str(FORM).expect("YAML");
    let answers = form["body"].as_array().expect("questions").iter().map(|question| {
        let attributes = &question["attributes"];
        let answer = match question["type"].as_str() {
            Some("checkboxes") => {
                let labels = attributes["options"].as_array().into_iter().flatten();
                labels
                    .map(|option| format!("- [X] {}\n", option["label"].as_str().unwrap_or_default()))
                    .collect()
            }
            Some("dropdown") => attributes["options"][0].as_str().unwrap_or_default().to_owned(),
            Some("input") => attributes["placeholder"].as_str().unwrap_or_default().to_owned(),
            _ => "_No response_".to_owned(),
        };
        format!("### {}\n\n{answer}\n\n", attributes["label"].as_str().unwrap_or_default())
    });
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", FILE);
    let number = acme.world.issue("acme/hub", "Release", &answers.collect::<String>(), "alice");
    step(number).input("only", "{{ form.targets }}").run_in(&acme).await.succeeds();
    assert_eq!(["web", "docs"].map(|name| acme.world.runs(&format!("acme/{name}")).len()), [1, 1]);
    assert_eq!(acme.world.runs("acme/web")[0].inputs["channel"], "stable");
    assert!(acme.board(number).contains("## Release 1.4.0"), "{}", acme.board(number));
}

#[tokio::test]
async fn the_targets_themselves_can_come_from_check_boxes() {
    let acme = Acme::new().await;
    let number = acme.world.issue("acme/hub", "Please release", BODY, "alice");
    let step = step(number).input("targets", "{{ form.targets }}").input("workflow", "release.yml");
    step.run_in(&acme).await.succeeds();
    assert_eq!(["web", "api", "docs"].map(|name| acme.world.runs(&format!("acme/{name}")).len()), [1, 0, 1]);
}

#[tokio::test]
async fn nothing_ticked_is_told_and_not_taken_for_all() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    let body = BODY.replace("[X]", "[ ]");
    let number = acme.world.issue("acme/hub", "Please release", &body, "alice");
    acme.world.clear_story();
    let done = step(number).input("only", "{{ form.targets }}").run_in(&acme).await;
    done.fails().says("`only` names no target");
    let done = step(number).input("targets", "{{ form.targets }}").input("workflow", "release.yml");
    done.run_in(&acme).await.fails().says("the list of targets is empty");
    assert_eq!(acme.world.story(), "");
}

#[tokio::test]
async fn answers_are_values_and_never_templates() {
    let acme = Acme::new().await;
    acme.world
        .repository("acme/web")
        .file(".github/workflows/release.yml", "on: { workflow_dispatch: { inputs: { channel: {} } } }");
    let body = BODY.replace("beta", "{{ event.issue.number }} ${{ secrets.X }} @alice");
    let number = acme.world.issue("acme/hub", "Please release", &body, "mallory");
    let step = step(number).input("targets", "web").input("workflow", "release.yml");
    step.input("inputs", "channel: '{{ form.channel }}'").run_in(&acme).await.succeeds();
    assert_eq!(
        acme.world.runs("acme/web")[0].inputs["channel"],
        "{{ event.issue.number }} ${{ secrets.X }} @alice"
    );
}

#[tokio::test]
async fn an_answer_that_the_form_does_not_have_is_told() {
    let acme = Acme::new().await;
    let number = acme.world.issue("acme/hub", "Please release", "no form", "alice");
    let done = step(number).input("targets", "web").input("workflow", "release.yml").run_in(&acme).await;
    done.fails().says("`release`: the template `{{ form.version }}` does not render");
}
