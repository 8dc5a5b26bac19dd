//! A release that waits for people: the board names them, and one comment mentions them.

use release_ticket_action::names::{CommentId, Login, RunId};
use release_ticket_action::ticket::decision::{ApprovedCommit, Outcome, Person};
use release_ticket_action::ticket::{Decision, Record, Verb, Writer};
use serde_json::Map;

use crate::moments::{report, run_of};
use crate::support::{Acme, Step, for_people, now, without_links};

/// A world with a targets file of these targets and this gate.
async fn world_with_gate(targets: &str, gate: &str) -> Acme {
    let acme = Acme::new().await;
    ["dana", "erin"].into_iter().for_each(|login| acme.world.user(login));
    let file = format!("defaults: {{ workflow: release.yml }}\ntargets: {targets}\ngates: [{gate}]\n");
    acme.world.repository("acme/hub").file(".github/release-targets.yml", &file);
    acme
}

fn dispatch(run: u64) -> Step {
    Step::new("dispatch").run(run).input("release", "1.4.0")
}

const WEB: &str = "[{ repository: web, needs: go }]";

/// The comments that mention people.
fn mentions(acme: &Acme) -> Vec<String> {
    let bodies = acme.records(1).into_iter().map(|comment| for_people(&comment.body));
    bodies.filter(|body| body.contains(" @")).collect()
}

/// Writes the hub's record of a person's decision on the gate, for web at this commit. `comment` is the id of the
/// comment with the command.
fn record_decision(acme: &Acme, login: &str, verb: Verb, comment: u64, sha: &str) {
    let by = Writer {
        repository: "acme/hub".parse().expect("a name"),
        run: RunId(400 + comment),
        attempt: 1,
        job: "dispatch".into(),
        check_run: None,
    };
    let web = ApprovedCommit {
        target: "web".into(),
        repository: "acme/web".parse().expect("a name"),
        git_ref: "main".into(),
        sha: Some(sha.to_owned()),
    };
    let decision = Decision {
        run_url: format!("https://github.com/acme/hub/actions/runs/{}", by.run),
        by,
        seq: 1,
        command: Some(verb.into()),
        names: vec!["go".into()],
        reason: (verb == Verb::NoGo).then(|| "the tests are red".into()),
        who: Person {
            login: Login::parse(login).expect("a login"),
            id: login.len() as u64,
            role: "write".into(),
        },
        comment: CommentId(comment),
        comment_url: format!("https://github.com/acme/hub/issues/1#issuecomment-{comment}"),
        outcome: Outcome::Accepted.into(),
        answer: None,
        commits: vec![web],
        retries: Vec::new(),
        cancels: Vec::new(),
        freezes: Vec::new(),
        at: now(),
        other: Map::new(),
    };
    acme.world.comment("acme/hub", 1, "acme-release[bot]", &Record::Decision(decision).render());
}

#[tokio::test]
async fn the_approvers_of_a_gate_are_mentioned_once_when_a_target_waits_for_nothing_else() {
    let acme =
        world_with_gate(WEB, "{ name: go, approvers: [dana, erin, alice], required: 2, not-driver: true }")
            .await;
    for run in [500, 501] {
        let outcome = dispatch(run).run_in(&acme).await;
        outcome.succeeds().says("web  ⏳ waiting  🚦 go");
        assert_eq!(mentions(&acme).len(), 1, "{:#?}", mentions(&acme));
    }
    insta::assert_snapshot!(mentions(&acme)[0], @"
    🕓 @dana @erin

    > **web** waits for gate **go**: 0 of 2.
    >
    > **Next:** `dana` and `erin` comment `/release go`, which lets **web** through.
    ");
    let board = without_links(&acme.board(1)).replace('\u{a0}', " ");
    for text in [
        "> - **web** waits for gate **go**: 0 of 2\n",
        "**Next:** `dana` and `erin` comment `/release go`, which lets **web** through.",
        "| **web** | ⏳ waiting | 🚦 **go** |",
        "| 🚦 **go**: 0 of 2 | `dana`, `erin` and `alice`; not the driver |",
    ] {
        assert!(board.contains(text), "{text}: {board}");
    }
    assert!(!board.contains('@'), "{board}");
}

#[tokio::test]
async fn where_a_gate_names_nobody_the_driver_is_mentioned_unless_it_takes_somebody_elses_word() {
    for (gate, is_mentioned) in [
        ("{ name: go }", true),
        ("{ name: go, not-driver: true }", false),
        ("{ name: go, required: 2 }", true),
    ] {
        let acme = world_with_gate(WEB, gate).await;
        dispatch(500).run_in(&acme).await.succeeds();
        let mentions = mentions(&acme);
        assert_eq!(mentions.len(), usize::from(is_mentioned), "{gate}: {mentions:#?}");
        assert!(mentions.iter().all(|body| body.starts_with("🕓 @alice\n")), "{mentions:#?}");
        assert!(acme.board(1).contains("`/release go`, which lets **web** through"), "{}", acme.board(1));
    }
}

#[tokio::test]
async fn the_approvers_are_mentioned_once_more_when_an_approval_lapses() {
    let acme = world_with_gate(WEB, "{ name: go, approvers: [dana, erin], required: 2 }").await;
    dispatch(500).run_in(&acme).await.succeeds();
    record_decision(&acme, "dana", Verb::Go, 7, &acme.world.push("acme/web", "main"));
    dispatch(501).run_in(&acme).await.succeeds();
    assert_eq!(mentions(&acme).len(), 1, "dana has said go, and erin was asked");
    assert!(acme.board(1).contains("`erin` comments `/release go`"), "{}", acme.board(1));
    for run in [502, 503] {
        acme.world.push("acme/web", "main");
        dispatch(run).run_in(&acme).await.succeeds();
        let mentions = mentions(&acme);
        assert_eq!(mentions.len(), 2, "{mentions:#?}");
        assert!(mentions[1].starts_with("🕓 @dana @erin\n"), "{}", mentions[1]);
        assert!(
            mentions[1].contains("**web** waits for gate **go**: 0 of 2; the go of ["),
            "{}",
            mentions[1]
        );
        assert!(mentions[1].contains("has lapsed, as **web** has moved: [`"), "{}", mentions[1]);
    }
    assert!(acme.board(1).contains("⌛ [`dana`]("), "{}", acme.board(1));
    assert!(acme.board(1).contains("https://github.com/acme/web/compare/"), "{}", acme.board(1));
}

#[tokio::test]
async fn the_person_who_closed_a_gate_opens_it_again_and_is_not_mentioned_for_that() {
    let acme = world_with_gate(WEB, "{ name: go, approvers: [dana, erin] }").await;
    dispatch(500).run_in(&acme).await.succeeds();
    record_decision(&acme, "erin", Verb::NoGo, 7, &acme.world.push("acme/web", "main"));
    let outcome = dispatch(501).run_in(&acme).await;
    outcome.succeeds().says("web  ⏳ waiting  ⛔ go").says("⛔ go: closed by erin");
    assert_eq!(mentions(&acme).len(), 1);
    let board = without_links(&acme.board(1));
    let why = "> - **web** is blocked by gate **go**: `erin` said no-go: the tests are red\n";
    assert!(board.contains(why) && acme.board(1).contains("> [!CAUTION]\n"), "{board}");
    assert!(
        board.contains("**Next:** `erin` comments `/release go` to open the gate for **web**."),
        "{board}"
    );
    assert!(outcome.summary.contains("- ⛔ **go**: closed by `erin`"), "{}", outcome.summary);
}

#[tokio::test]
async fn the_last_report_of_what_a_target_needs_mentions_the_approvers_of_its_gate() {
    let targets = "[web, { repository: docs, needs: [web, go] }]";
    let acme = world_with_gate(targets, "{ name: go, approvers: [dana] }").await;
    dispatch(500).run_in(&acme).await.succeeds();
    run_of(&acme, "web").await;
    report(&acme, "web", "success").run_in(&acme).await.succeeds();
    assert_eq!(mentions(&acme), [""; 0]);
    assert!(acme.row(1, "docs").contains("after **web**; 🚦 **go**"), "{}", acme.row(1, "docs"));
    for _ in 0..2 {
        report(&acme, "web", "success").input("done", "true").run_in(&acme).await.succeeds();
        assert_eq!(mentions(&acme).len(), 1, "{:#?}", mentions(&acme));
    }
    assert!(mentions(&acme)[0].starts_with("🕓 @dana\n\n> **docs** waits for gate **go**: 0 of 1"));
    assert!(acme.board(1).contains("`dana` comments `/release go`, which lets **docs** through"));
}
