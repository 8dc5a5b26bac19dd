//! Release requests as issue forms: the issue is the ticket, and its answers are template values.

use serde_json::{Value, json};
use simulated_github::{Fault, Kind};

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
async fn an_issue_form_starts_the_ticked_targets_with_its_answers() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    let number = acme.world.issue("acme/hub", "Please release", BODY, "alice");
    let outcome = step(number).input("only", "{{ form.targets }}").run_in(&acme).await;
    outcome.succeeds();
    assert_eq!((outcome.output("ticket-number"), outcome.output("created")), ("1", "false"));
    let runs = |name: &str| acme.world.runs(&format!("acme/{name}"));
    assert_eq!(["web", "api", "docs"].map(|name| runs(name).len()), [1, 0, 1]);
    assert_eq!(runs("web")[0].inputs["channel"], "beta");
    assert_eq!(acme.world.issue_view("acme/hub", number).body, BODY, "the issue's text is its author's");
    assert!(acme.board(number).contains("## Release 1.4.0"), "{}", acme.board(number));
}

/// The form that people copy asks for the values that its workflow and its targets file take.
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
async fn a_form_without_a_ticked_box_is_refused_and_not_taken_for_all() {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    let body = BODY.replace("[X]", "[ ]");
    let number = acme.world.issue("acme/hub", "Please release", &body, "alice");
    acme.world.clear_story();
    let outcome = step(number).input("only", "{{ form.targets }}").run_in(&acme).await;
    outcome.fails().says("`only` names no target");
    let step = step(number).input("targets", "{{ form.targets }}").input("workflow", "release.yml");
    step.run_in(&acme).await.fails().says("the list of targets is empty");
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
async fn an_answer_that_the_form_does_not_have_is_reported() {
    let acme = Acme::new().await;
    let number = acme.world.issue("acme/hub", "Please release", "no form", "alice");
    let outcome = step(number).input("targets", "web").input("workflow", "release.yml").run_in(&acme).await;
    outcome.fails().says("`release`: the template `{{ form.version }}` does not render");
}

/// The form that opens such an issue.
const FORM: &str = "
name: Release
body:
  - { type: markdown, attributes: { value: Hello } }
  - { type: input, id: version, attributes: { label: Version } }
  - { type: checkboxes, attributes: { label: Targets, options: [{ label: web }, { label: api }, { label: docs }] } }
  - { type: dropdown, attributes: { label: Channel, options: [beta, stable] } }
  - { type: textarea, id: release-notes, attributes: { label: Notes } }
";

/// A hub with a form and a targets file, and an issue with this body by a stranger.
async fn request_with_form(body: &str) -> (Acme, u64) {
    let (acme, number) = request_without_form(body).await;
    acme.world.repository("acme/hub").file(".github/ISSUE_TEMPLATE/release.yml", FORM);
    (acme, number)
}

async fn request_without_form(body: &str) -> (Acme, u64) {
    let acme = Acme::new().await;
    acme.world.repository("acme/hub").file(".github/release-targets.yml", TARGETS);
    let number = acme.world.issue("acme/hub", "Please release", body, "mallory");
    (acme, number)
}

/// The step of a workflow that an event about the issue starts, with the issue as GitHub shows it at that time.
fn step_on(acme: &Acme, number: u64, event: Value) -> Step {
    let issue = acme.world.issue_view("acme/hub", number);
    let mut payload = json!({ "issue": { "number": number, "title": issue.title, "body": issue.body } });
    payload.as_object_mut().expect("an object").extend(event.as_object().cloned().expect("an object"));
    step(number).event(payload).input("only", "{{ form.targets }}")
}

fn step_on_approval(acme: &Acme, number: u64) -> Step {
    step_on(acme, number, json!({ "action": "labeled", "label": { "name": "approved" } }))
}

fn step_on_comment(acme: &Acme, number: u64) -> Step {
    step(number).event(acme.comment_by("alice", number, "/release")).input("only", "{{ form.targets }}")
}

fn step_by_hand(number: u64) -> Step {
    let event = json!({ "inputs": { "release-ticket": number.to_string() } });
    step(number).event(event).input("ticket", number).input("only", "{{ form.targets }}")
}

/// The targets of all runs with their channels, in the order of the targets' names.
fn starts(acme: &Acme) -> Vec<(&'static str, String)> {
    let channel = |name| {
        let runs = acme.world.runs(&format!("acme/{name}"));
        runs.into_iter().map(move |run| (name, run.inputs["channel"].as_str().unwrap_or_default().to_owned()))
    };
    ["api", "docs", "web"].into_iter().flat_map(channel).collect()
}

fn with_channel(targets: &[&'static str], channel: &str) -> Vec<(&'static str, String)> {
    targets.iter().map(|name| (*name, channel.to_owned())).collect()
}

#[tokio::test]
async fn a_form_that_was_edited_after_its_approval_starts_nothing() {
    for (from, to, change) in [
        ("beta", "stable", "`channel` was `beta`, and is now `stable`"),
        ("- [ ] api", "- [X] api", "`targets`"),
        (
            "1.4.0",
            "1.4.0\n\n### Channel\n\nstable",
            "the issue has these questions more than once: `channel`",
        ),
        ("### Channel\r\n\r\nbeta", "", "`channel` was `beta`, and is now absent"),
    ] {
        let (acme, number) = request_with_form(BODY).await;
        let step = step_on_approval(&acme, number);
        acme.world.edit_issue_body("acme/hub", number, &BODY.replace(from, to));
        acme.world.clear_story();
        step.run_in(&acme)
            .await
            .fails()
            .says("edited after its approval")
            .says(change)
            .says("approve it again");
        assert_eq!((acme.world.story().as_str(), starts(&acme)), ("", Vec::new()), "{to}");
    }
}

#[tokio::test]
async fn a_form_that_was_approved_again_starts_what_it_says_now() {
    let (acme, number) = request_with_form(BODY).await;
    step_on_approval(&acme, number).run_in(&acme).await.succeeds();
    let later = BODY.replace("beta", "stable").replace("- [ ] api", "- [X] api");
    acme.world.edit_issue_body("acme/hub", number, &later);
    step_on_approval(&acme, number).run(600).run_in(&acme).await.succeeds();
    let targets = [with_channel(&["api"], "stable"), with_channel(&["docs", "web"], "beta")].concat();
    assert_eq!(starts(&acme), targets);
    acme.world.edit_issue_body("acme/hub", number, BODY);
    let retry = step_by_hand(number).run(700).input("retry-failed", true);
    for name in ["api", "web", "docs"] {
        acme.world
            .runs(&format!("acme/{name}"))
            .iter()
            .for_each(|run| acme.world.finish_run(run.id, "failure"));
    }
    retry.run_in(&acme).await.succeeds();
    assert_eq!(
        starts(&acme).iter().filter(|(_, channel)| channel == "stable").count(),
        4,
        "the newest approval counts"
    );
}

#[tokio::test]
async fn a_later_dispatch_goes_by_the_newest_approval_though_that_has_started_nothing() {
    let (acme, number) = request_with_form(BODY).await;
    let waves = TARGETS.replace("docs]", "{ repository: docs, needs: [web] }]");
    acme.world.repository("acme/hub").file(".github/release-targets.yml", &waves);
    step_on_approval(&acme, number).run_in(&acme).await.succeeds();
    acme.world.edit_issue_body("acme/hub", number, &BODY.replace("beta", "stable"));
    step_on_approval(&acme, number).run(600).run_in(&acme).await.succeeds();
    let last = acme.records(number).pop().expect("a record").body;
    assert!(last.contains("keeps the answers of the form for later dispatches of this ticket"), "{last}");
    acme.world.finish_run(acme.world.runs("acme/web")[0].id, "success");
    step_by_hand(number).run(700).run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), [with_channel(&["docs"], "stable"), with_channel(&["web"], "beta")].concat());
}

#[tokio::test]
async fn an_edit_that_changes_no_answer_stops_nothing() {
    let (acme, number) = request_with_form(BODY).await;
    let step = step_on_approval(&acme, number);
    acme.world.edit_issue_body("acme/hub", number, &format!("Hello\n\n{BODY}<!-- a remark -->\n"));
    acme.world.edit_issue_title("acme/hub", number, "Another title");
    step.run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"));
}

#[tokio::test]
async fn a_title_that_was_edited_after_its_approval_names_no_release() {
    let (acme, number) = request_with_form("").await;
    let step =
        step_on_approval(&acme, number).input("only", "web").input("inputs", "").input("targets", "web");
    let step = step.input("workflow", "release.yml").input("release", "{{ event.issue.title }}");
    acme.world.edit_issue_title("acme/hub", number, "6.6.6");
    step.run_in(&acme).await.fails().says("its title was `Please release`, and is now `6.6.6`");
    assert_eq!(starts(&acme), []);
}

/// A comment, a start by hand and a re-run go on with the approved answers.
#[tokio::test]
async fn later_dispatches_go_on_with_the_approved_answers() {
    for later in [step_by_hand, |number| step(number).input("only", "{{ form.targets }}")] {
        let (acme, number) = request_with_form(BODY).await;
        let first = step_on_approval(&acme, number);
        let rerun = step_on_approval(&acme, number).attempt(2);
        let before = BODY.replace("- [X] web", "- [ ] web");
        acme.world.edit_issue_body("acme/hub", number, BODY);
        first.run_in(&acme).await.succeeds();
        acme.world.edit_issue_body(
            "acme/hub",
            number,
            &before.replace("- [ ] api", "- [X] api").replace("beta", "stable"),
        );
        rerun.run_in(&acme).await.succeeds();
        step_on_comment(&acme, number).run(600).run_in(&acme).await.succeeds();
        later(number).run(700).run_in(&acme).await.succeeds();
        let edit = step_on(&acme, number, json!({ "action": "edited" }));
        edit.run(800).run_in(&acme).await.succeeds();
        assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"));
        assert!(
            acme.records(number)[0].body.contains(r#""form":{"version":"1.4.0","targets":["web","docs"]"#)
        );
    }
}

#[tokio::test]
async fn the_first_dispatch_of_an_issue_without_approval_sets_its_answers() {
    let (acme, number) = request_with_form(BODY).await;
    step_by_hand(number).run_in(&acme).await.succeeds();
    acme.world.edit_issue_body("acme/hub", number, &BODY.replace("- [ ] api", "- [X] api"));
    step_by_hand(number).run(600).run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"));

    let (acme, number) = request_with_form(BODY).await;
    step_on_comment(&acme, number).run_in(&acme).await.succeeds().says("is not a release ticket");
    assert_eq!(starts(&acme), []);
    let step = step_on(&acme, number, json!({ "action": "opened" }));
    acme.world.edit_issue_body("acme/hub", number, &BODY.replace("- [ ] api", "- [X] api"));
    step.run_in(&acme).await.fails().says("`targets` was");
    assert_eq!(starts(&acme), []);
}

#[tokio::test]
async fn text_of_a_form_that_github_does_not_show_starts_nothing() {
    let answers = "### Targets\n\n- [X] api\n\n### Channel\n\nstable\n";
    for comment in [
        format!("<!--\n{answers}\n-->\n\n"),
        format!("<!-- --\n\n{answers}\n-->\n\n"),
        format!("[//]: # (x)\n<?\n{answers}\n?>\n\n"),
    ] {
        for body in [
            format!("{comment}{BODY}"),
            format!("{BODY}\n{comment}"),
            BODY.replace("### Channel", &format!("{comment}### Channel")),
        ] {
            for (acme, number) in with_and_without_form(&body).await {
                step_on_approval(&acme, number).run_in(&acme).await.succeeds();
                assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"), "{body}");
            }
        }
    }
    let body = BODY.replace("beta", "beta<!-- stable -->").replace("- [ ] api", "<!--\n- [X] api\n-->");
    let (acme, number) = request_with_form(&body).await;
    step_on_approval(&acme, number).run_in(&acme).await.succeeds();
    assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"));
}

#[tokio::test]
async fn code_and_quotes_in_a_form_ask_nothing() {
    for fence in [
        "````\n```\n### Channel\n\nstable\n````",
        "~~~ ```\n### Channel\n\nstable\n~~~",
        "> ### Channel\n> stable",
    ] {
        let log = format!("### Log\n\n{fence}\n\n### Channel");
        let (acme, number) = request_with_form(&BODY.replace("### Channel", &log)).await;
        step_on_approval(&acme, number).run_in(&acme).await.succeeds();
        assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"), "{fence}");
    }
}

#[tokio::test]
async fn a_question_that_is_asked_twice_starts_nothing() {
    for (place, twice) in [
        ("_No response_", "Fine.\n\n### Channel\n\nstable"),
        ("### Version", "### Channel\n\nstable\n\n### Version"),
        ("_No response_", "### channel ###\n\nstable"),
        ("_No response_", "```\ncode\n``` no end\n```\n\n### Channel\n\nstable"),
    ] {
        for (acme, number) in with_and_without_form(&BODY.replace(place, twice)).await {
            acme.world.clear_story();
            step_on_approval(&acme, number)
                .run_in(&acme)
                .await
                .fails()
                .says("the issue has these questions more than once: `channel`");
            assert_eq!((acme.world.story().as_str(), starts(&acme)), ("", Vec::new()), "{twice}");
        }
    }
    let folded = BODY.replace("### Channel", "<details>\n\n### Channel");
    for (acme, number) in with_and_without_form(&folded).await {
        step_on_approval(&acme, number)
            .run_in(&acme)
            .await
            .fails()
            .says("inside `<details>`")
            .says("`channel`");
        assert_eq!(starts(&acme), []);
    }
}

/// The same issue in a hub with its form, and in one without.
async fn with_and_without_form(body: &str) -> [(Acme, u64); 2] {
    [request_with_form(body).await, request_without_form(body).await]
}

/// A ticket whose answers no template reads may have any headings.
#[tokio::test]
async fn headings_of_a_ticket_that_is_not_a_form_are_left_alone() {
    let (acme, number) =
        request_with_form("## 1.4.0\n\n### Fixed\n\n- this\n\n## 1.3.0\n\n### Fixed\n\n- that\n").await;
    let plain = |run| {
        step_on_approval(&acme, number)
            .run(run)
            .input("targets", "web")
            .input("only", "")
            .input("release", "1.4.0")
    };
    let first = plain(500).input("workflow", "release.yml");
    acme.world.edit_issue_body("acme/hub", number, "### Fixed\n\n- another\n");
    first.run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web").len(), 1);
}

#[tokio::test]
async fn answers_that_a_record_cannot_keep_are_refused_before_anything_is_started() {
    let (acme, number) = request_with_form(&BODY.replace("_No response_", &"x".repeat(8_000))).await;
    acme.world.clear_story();
    step_on_approval(&acme, number)
        .run_in(&acme)
        .await
        .fails()
        .says("room for 8000")
        .says("shorten the longest answer");
    assert_eq!((acme.world.story().as_str(), starts(&acme)), ("", Vec::new()));
}

/// The workflow that takes the notes of a release.
const TAKES_NOTES: &str = "on: { workflow_dispatch: { inputs: { channel: {}, notes: {} } } }";

/// A dispatch that sends the notes to `web`.
fn with_notes(acme: &Acme, number: u64) -> Step {
    acme.world.repository("acme/web").file(".github/workflows/notes.yml", TAKES_NOTES);
    let step = step_on_approval(acme, number)
        .input("targets", "web")
        .input("workflow", "notes.yml")
        .input("only", "");
    step.input("inputs", "notes: \"{{ form['release-notes'] }}\"")
}

#[tokio::test]
async fn an_answer_keeps_its_headings_its_tasks_and_its_code_if_the_form_is_found() {
    for notes in
        ["### Fixed\n\n- this\n\n### Added\n\n- that", "- [x] test\n- [ ] tag", "```\n### Version\n```"]
    {
        let (acme, number) = request_with_form(&BODY.replace("_No response_", notes)).await;
        let outcome = with_notes(&acme, number).run_in(&acme).await;
        outcome.succeeds();
        assert!(!outcome.log.contains("counts as a question"), "{}", outcome.log);
        assert_eq!(acme.world.runs("acme/web")[0].inputs["notes"], notes);
    }
}

#[tokio::test]
async fn an_edit_of_a_heading_in_an_answer_is_an_edit_after_the_approval() {
    let notes = "Ha\n\n### Fixed\n\n- this";
    let (acme, number) = request_with_form(&BODY.replace("_No response_", notes)).await;
    let step = with_notes(&acme, number);
    let body = BODY.replace("_No response_", &notes.replace("this", "that"));
    acme.world.edit_issue_body("acme/hub", number, &body);
    step.run_in(&acme).await.fails().says("edited after its approval: `notes` was `Ha");
    assert_eq!(acme.world.runs("acme/web").len(), 0);
}

#[tokio::test]
async fn a_form_is_read_from_the_workspace_or_from_the_commit_of_the_run() {
    let (acme, number) = request_with_form(&BODY.replace("_No response_", "### Fixed")).await;
    // GitHub takes any reference for a commit.
    with_notes(&acme, number).variable("GITHUB_SHA", "main").run_in(&acme).await.succeeds();
    let of_forms = |path: &str| path.contains("ISSUE_TEMPLATE");
    let requests = acme.world.exchanges().into_iter().filter(|exchange| of_forms(&exchange.path));
    let requests: Vec<_> = requests.map(|exchange| format!("{}?{}", exchange.path, exchange.query)).collect();
    let contents = "/repos/acme/hub/contents/.github/ISSUE_TEMPLATE";
    assert_eq!(requests, [format!("{contents}?ref=main"), format!("{contents}/release.yml?ref=main")]);

    let (acme, number) = request_with_form(BODY).await;
    let workspace = tempfile::tempdir().expect("a folder");
    let folder = workspace.path().join(".github/ISSUE_TEMPLATE");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    std::fs::write(folder.join("config.yml"), "blank_issues_enabled: false").expect("a writable folder");
    std::fs::write(folder.join("a.yaml"), FORM.replace("release-notes", "other")).expect("a writable folder");
    let step = with_notes(&acme, number).variable("GITHUB_WORKSPACE", workspace.path().display());
    let outcome = step.run_in(&acme).await;
    outcome.fails().says("`form` has `channel`, `notes`, `other`, `targets` and `version`");
    assert_eq!(acme.requests().iter().filter(|request| of_forms(request)).count(), 0);
}

#[tokio::test]
async fn no_link_of_the_workspace_leads_to_a_form_elsewhere() {
    let (acme, number) = request_without_form(BODY).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (workspace, beside) = (folder.path().join("workspace"), folder.path().join("beside"));
    for folder in [workspace.join(".github"), beside.clone()] {
        std::fs::create_dir_all(folder).expect("a writable folder");
    }
    std::fs::write(beside.join("release.yml"), FORM).expect("a writable folder");
    std::os::unix::fs::symlink(beside, workspace.join(".github/ISSUE_TEMPLATE")).expect("a writable folder");
    let outcome =
        step_on_approval(&acme, number).variable("GITHUB_WORKSPACE", workspace.display()).run_in(&acme).await;
    outcome.succeeds().says("counts as a question").says("symbolic link that leads out of the workspace");
}

#[tokio::test]
async fn the_headings_that_count_as_questions_are_listed_if_no_form_is_found() {
    let body = BODY.replace("_No response_", "Ha\n\n### Fixed\n\nthis");
    let questions = ": `version`, `targets`, `channel`, `notes` and `fixed`";
    let count = "every heading `###` of the issue counts as a question, because ";
    let (acme, number) = request_without_form(&body).await;
    step_on_approval(&acme, number)
        .run_in(&acme)
        .await
        .succeeds()
        .says(questions)
        .says(&format!("{count}no form was found in `.github/ISSUE_TEMPLATE`"));

    let (acme, number) = request_without_form(&body).await;
    let hub = acme.world.repository("acme/hub");
    hub.file(".github/ISSUE_TEMPLATE/bug.yml", "body: [{type: input, attributes: {label: Bug}}]");
    hub.file(".github/ISSUE_TEMPLATE/broken.yml", "body: [");
    let outcome = step_on_approval(&acme, number).run_in(&acme).await;
    outcome
        .succeeds()
        .says(questions)
        .says(&format!("{count}the headings are not the questions of a form"))
        .says("not read: `.github/ISSUE_TEMPLATE/broken.yml`: ");
    assert_eq!(starts(&acme), with_channel(&["docs", "web"], "beta"));

    let (acme, number) = request_with_form(&body).await;
    let similar_form = FORM.replace("checkboxes", "textarea");
    acme.world.repository("acme/hub").file(".github/ISSUE_TEMPLATE/other.yml", &similar_form);
    let outcome = step_on_approval(&acme, number).run_in(&acme).await;
    outcome.succeeds().says("other.yml` and `.github/ISSUE_TEMPLATE/release.yml` have these questions");
}

/// A mistake in another form is not reported, and the step reads no form if no template takes answers.
#[tokio::test]
async fn no_form_is_asked_for_in_vain() {
    let (acme, number) = request_with_form(BODY).await;
    acme.world.repository("acme/hub").file(".github/ISSUE_TEMPLATE/broken.yml", "body: [");
    let outcome = step_on_approval(&acme, number).run_in(&acme).await;
    outcome.succeeds();
    assert!(!outcome.log.contains("broken"), "{}", outcome.log);

    for (body, release) in [(BODY, "1.4.0"), ("no form", "{{ form.version | default('1.4.0') }}")] {
        let (acme, number) = request_with_form(body).await;
        let step = step_on_approval(&acme, number).input("targets", "web").input("workflow", "release.yml");
        step.input("only", "").input("release", release).run_in(&acme).await.succeeds();
        assert!(!acme.requests().iter().any(|request| request.contains("ISSUE_TEMPLATE")), "{release}");
    }
}

/// The templates that name the answers may all stand in the targets file.
#[tokio::test]
async fn the_form_is_read_for_the_templates_of_the_targets_file() {
    let (acme, number) = request_with_form(&BODY.replace("_No response_", "### Fixed")).await;
    acme.world.repository("acme/web").file(".github/workflows/notes.yml", TAKES_NOTES);
    let file = "targets: [{ repository: web, workflow: notes.yml, inputs: { notes: '{{ form.notes }}' } }]";
    acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
    step_on_approval(&acme, number)
        .input("only", "")
        .input("release", "1.4.0")
        .run_in(&acme)
        .await
        .succeeds();
    assert_eq!(acme.world.runs("acme/web")[0].inputs["notes"], "### Fixed");
}

/// Later dispatches read the record, which has the names that come from ids.
#[tokio::test]
async fn the_names_of_a_form_are_recorded() {
    let (acme, number) = request_with_form(&BODY.replace("_No response_", "### Fixed")).await;
    with_notes(&acme, number).run_in(&acme).await.succeeds();
    acme.world.repository("acme/hub").file(".github/ISSUE_TEMPLATE/release.yml", "body: [");
    acme.world.edit_issue_body("acme/hub", number, "gone");
    let run = acme.world.runs("acme/web")[0].id;
    acme.world.finish_run(run, "failure");
    let step = with_notes(&acme, number).event(json!({})).input("ticket", number).run(600);
    step.input("retry-failed", true).run_in(&acme).await.succeeds();
    assert_eq!(acme.world.runs("acme/web")[1].inputs["notes"], "### Fixed");
}

#[tokio::test]
async fn a_name_that_two_questions_share_is_refused_where_it_is_used() {
    let form = FORM
        .replace("label: Channel", "label: C++")
        .replace("id: release-notes, attributes: { label: Notes }", "attributes: { label: C# }");
    let body = BODY.replace("### Channel", "### C++").replace("### Notes", "### C#");
    for (template, is_used) in
        [("c: {{ form.c }}", true), ("{{ form['c'] | default('') }}", true), ("{{ form.version }}", false)]
    {
        let (acme, number) = request_without_form(&body).await;
        acme.world.repository("acme/hub").file(".github/ISSUE_TEMPLATE/release.yml", &form);
        let step = step_on_approval(&acme, number)
            .input("targets", "web")
            .input("workflow", "release.yml")
            .input("only", "");
        let outcome = step.input("title", template).input("inputs", "channel: beta").run_in(&acme).await;
        if is_used {
            outcome.fails().says("`form.c` is ambiguous: it could be the answer to `C++` and `C#`").says(
                "give each of these questions an `id` in `.github/ISSUE_TEMPLATE/release.yml`, and use",
            );
        } else {
            outcome.succeeds();
        }
    }
}

#[tokio::test]
async fn a_name_that_no_question_has_is_reported_with_the_names_of_all_questions() {
    let (acme, number) = request_with_form(BODY).await;
    let outcome = step_on_approval(&acme, number).input("release", "{{ form.verison }}").run_in(&acme).await;
    outcome
        .fails()
        .says("`release`: the template `{{ form.verison }}` does not render: there is no `form.verison`")
        .says(
            "did you mean `version`? `form` has `channel`, `notes`, `release-notes`, `targets` and `version`",
        );
}

#[tokio::test]
async fn a_release_is_one_line_that_people_can_read() {
    for (version, message) in [
        ("1.4.0\n\nand more", "`release` has 3 lines, but must be one line; the first is `1.4.0`"),
        ("1.4.0\u{200b}", "`release` has invisible characters: \"1.4.0\\u{200b}\""),
        ("1.4.0\u{202e}1", "`release` has invisible characters"),
        ("1.4\t0", "`release` has invisible characters: \"1.4\\t0\""),
    ] {
        let (acme, number) = request_with_form(&BODY.replace("1.4.0", version)).await;
        acme.world.clear_story();
        step_on_approval(&acme, number).run_in(&acme).await.fails().says(message);
        assert_eq!((acme.world.story().as_str(), starts(&acme)), ("", Vec::new()), "{version}");
    }
    let (acme, number) = request_with_form(&BODY.replace("1.4.0", "  1.4.0 \u{a0}")).await;
    step_on_approval(&acme, number).run_in(&acme).await.succeeds();
    assert!(acme.board(number).contains("## Release 1.4.0\n"), "{}", acme.board(number));
}

/// The answers depend on the form, so a failure of GitHub must not hide the form.
#[tokio::test]
async fn a_form_that_github_does_not_show_now_is_waited_for() {
    for (status, is_started) in [(403, true), (503, false)] {
        let (acme, number) = request_with_form(BODY).await;
        let forms = "/repos/acme/hub/contents/.github/ISSUE_TEMPLATE";
        acme.world.fault(Fault::on("GET", forms).always().then(Kind::StatusBefore(status)));
        let outcome = step_on_approval(&acme, number).input("retry-timeout", "1s").run_in(&acme).await;
        if is_started {
            outcome
                .succeeds()
                .says("counts as a question")
                .says("GitHub refused to show `.github/ISSUE_TEMPLATE`");
        } else {
            outcome.fails().says("cannot read the form of the issue: ");
        }
        assert_eq!(starts(&acme).len(), if is_started { 2 } else { 0 });
    }
}
