//! A release that people steer from its ticket: each command does what it says, once, and the board shows it.

use std::time::Duration;

use serde_json::{Value, json};
use simulated_github::{Fault, Kind};

use crate::kills::{after_each_write, kill_after};
use crate::support::{Acme, Outcome, Step, for_people, without_links};

/// Two waves with a gate between them.
const WAVES: &str =
    "[web, { repository: docs, needs: [web, go], inputs: { channel: '{{ inputs.channel }}' } }]";
const GATE: &str = "gates: [{ name: go }]";

const DOCS: &str = "on:\n  workflow_dispatch:\n    inputs:\n      channel: { type: string }\n";

struct Hub {
    acme: Acme,
    runs: std::cell::Cell<u64>,
}

impl Hub {
    /// A hub whose targets file has these `targets`, then the text of `rules`, and people with all roles.
    async fn new(targets: &str, rules: &str) -> Self {
        let acme = Acme::new().await;
        let file = format!("defaults: {{ workflow: release.yml }}\ntargets: {targets}\n{rules}\n");
        let hub = acme.world.repository("acme/hub");
        hub.file(".github/release-targets.yml", &file);
        for (login, role) in [("wanda", "write"), ("erin", "write"), ("mona", "maintain"), ("rita", "read")] {
            hub.role(login, role);
        }
        acme.world.repository("acme/docs").file(".github/workflows/release.yml", DOCS);
        Self { acme, runs: std::cell::Cell::new(900) }
    }

    /// A release that a person started with `channel: beta`, and whose run of web has ended with this conclusion.
    async fn after_first_wave(targets: &str, rules: &str, conclusion: &str) -> Self {
        let hub = Self::new(targets, rules).await;
        hub.start().await.succeeds();
        hub.finish("web", conclusion);
        hub
    }

    fn step(&self) -> Step {
        self.runs.set(self.runs.get() + 1);
        Step::new("dispatch").run(self.runs.get()).input("release", "1.4.0")
    }

    async fn start(&self) -> Outcome {
        let event = json!({ "inputs": { "channel": "beta" } });
        self.step().event(event).variable("GITHUB_ACTOR", "alice").run_in(&self.acme).await
    }

    /// A dispatch of the ticket without a command.
    async fn go_on(&self) -> Outcome {
        self.step().input("ticket", "1").run_in(&self.acme).await
    }

    fn command_step(&self, event: &Value) -> Step {
        let login = event["sender"]["login"].as_str().expect("somebody");
        self.step().event(event.clone()).variable("GITHUB_ACTOR", login)
    }

    /// The outcome of a command, with the last reaction to its comment.
    async fn command(&self, login: &str, body: &str) -> (Outcome, String) {
        let event = self.acme.comment_by(login, 1, body);
        let outcome = self.command_step(&event).run_in(&self.acme).await;
        let reactions = self.acme.world.reactions(event["comment"]["id"].as_u64().expect("an id"));
        assert_eq!(reactions.len(), 2, "{reactions:?}\n{}", outcome.log);
        assert_eq!(reactions[0], "acme-release[bot]: eyes");
        (outcome, reactions[1].replace("acme-release[bot]: ", ""))
    }

    /// The outcome of a command that the hub accepts.
    async fn accept(&self, login: &str, body: &str) -> Outcome {
        let (outcome, reaction) = self.command(login, body).await;
        assert_eq!(reaction, "rocket", "{}", outcome.log);
        outcome
    }

    /// The answer to a command that the hub refuses.
    async fn refuse(&self, login: &str, body: &str) -> String {
        let (outcome, reaction) = self.command(login, body).await;
        assert_eq!(reaction, "-1", "{}", outcome.succeeds().log);
        self.answer()
    }

    /// The text of the newest decision for people.
    fn answer(&self) -> String {
        let records = self.acme.records(1);
        let decision =
            records.iter().rfind(|comment| comment.body.starts_with("<!-- release-ticket:1 decision"));
        without_links(&for_people(&decision.expect("a decision").body))
    }

    fn finish(&self, name: &str, conclusion: &str) {
        let runs = self.acme.world.runs(&format!("acme/{name}"));
        self.acme.world.finish_run(runs.last().expect("a run").id, conclusion);
    }

    fn count(&self, name: &str) -> usize {
        self.acme.world.runs(&format!("acme/{name}")).len()
    }
}

#[tokio::test]
async fn a_go_starts_what_waits_with_the_inputs_of_the_start() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    let outcome = hub.go_on().await;
    outcome.succeeds();
    assert_eq!((outcome.output("waiting-for"), hub.count("docs")), ("go", 0));
    let outcome = hub.accept("wanda", "/release go").await;
    outcome.succeeds();
    assert_eq!((hub.count("docs"), outcome.output("waiting-for")), (1, ""));
    assert_eq!(hub.acme.world.runs("acme/docs")[0].inputs["channel"], "beta");
    insta::assert_snapshot!(hub.answer(), @"🟢 `wanda` said go on **go** for **docs** at `20144c0`");
}

#[tokio::test]
async fn a_no_go_closes_the_gate_until_the_same_person_opens_it() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    hub.accept("wanda", "/release no-go : the numbers look wrong").await;
    insta::assert_snapshot!(hub.answer(), @"⛔ `wanda` said no-go on **go** for **docs** at `20144c0`: the numbers look wrong");
    hub.accept("erin", "/release go go").await;
    assert_eq!(hub.count("docs"), 0, "the no-go of another person stands");
    hub.accept("wanda", "/release go").await;
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn two_people_have_to_say_go_and_one_of_them_twice_is_not_enough() {
    let hub = Hub::after_first_wave(WAVES, "gates: [{ name: go, required: 2 }]", "success").await;
    for _ in 0..2 {
        hub.accept("wanda", "/release go").await;
    }
    assert_eq!(hub.count("docs"), 0);
    hub.accept("erin", "/release go").await;
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn only_approvers_decide_on_a_gate_and_the_driver_may_be_excluded() {
    let gate = "gates: [{ name: go, approvers: [erin, alice], not-driver: true }]";
    let hub = Hub::after_first_wave(WAVES, gate, "success").await;
    hub.acme.world.repository("acme/hub").role("alice", "admin");
    insta::assert_snapshot!(hub.refuse("wanda", "/release go").await, @"
    👎 `wanda`: wanda is not an approver of gate `go`.

    **What to do:** its approvers are `erin` and `alice`; ask one of them, or add wanda in the targets file
    ");
    insta::assert_snapshot!(hub.refuse("alice", "/release go").await, @"
    👎 `alice`: alice is the driver of this release, but gate `go` needs the go of somebody else.

    **What to do:** ask another approver
    ");
    hub.accept("erin", "/release go").await;
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn an_approval_lapses_when_the_ref_moves() {
    for (policy, starts) in [("lapse", 0), ("warn", 1)] {
        let targets = "[web, { repository: docs, needs: [web, go] }]";
        let rules = format!("gates: [{{ name: go, on-moved: {policy} }}]");
        let hub = Hub::new(targets, &rules).await;
        hub.start().await.succeeds();
        hub.accept("wanda", "/release go").await;
        hub.acme.world.push("acme/docs", "main");
        hub.finish("web", "success");
        let outcome = hub.go_on().await;
        outcome.succeeds();
        assert_eq!(hub.count("docs"), starts, "{}", outcome.log);
        if starts == 0 {
            assert!(hub.acme.board(1).contains("/compare/"), "{}", hub.acme.board(1));
            hub.accept("wanda", "/release go").await;
            assert_eq!(hub.count("docs"), 1, "the new commit is approved");
        } else {
            outcome.says("::warning::docs starts at commit ").says("/acme/docs/compare/");
        }
    }
}

#[tokio::test]
async fn a_retry_starts_what_failed_once_however_often_its_job_runs() {
    let hub = Hub::after_first_wave(WAVES, GATE, "failure").await;
    insta::assert_snapshot!(hub.refuse("wanda", "/release retry docs").await, @"
    👎 `wanda`: `docs` has not failed: it is waiting.

    **What to do:** a retry is for targets that failed or were cancelled
    ");
    let event = hub.acme.comment_by("wanda", 1, "/release retry web");
    let step = hub.command_step(&event);
    step.run_in(&hub.acme).await.succeeds();
    assert_eq!(hub.count("web"), 2);
    hub.finish("web", "failure");
    let again = Step::new("dispatch").run(hub.runs.get()).attempt(2).input("release", "1.4.0");
    again.event(event.clone()).variable("GITHUB_ACTOR", "wanda").run_in(&hub.acme).await.succeeds();
    hub.go_on().await.succeeds();
    assert_eq!(hub.count("web"), 2, "the command acts once");
    hub.accept("wanda", "/release retry all").await;
    assert_eq!(hub.count("web"), 3);
}

#[tokio::test]
async fn two_jobs_of_one_comment_act_once() {
    let hub = Hub::after_first_wave(WAVES, GATE, "failure").await;
    hub.acme.world.latency(|_, _| Duration::from_millis(20));
    let event = hub.acme.comment_by("wanda", 1, "/release retry web");
    let jobs = [hub.command_step(&event).spawn_in(&hub.acme), hub.command_step(&event).spawn_in(&hub.acme)];
    for job in jobs {
        job.end().await.succeeds();
    }
    assert_eq!(hub.count("web"), 2, "{}", hub.acme.world.story());
}

#[tokio::test]
async fn a_command_whose_job_is_killed_after_any_write_is_finished_by_its_rerun() {
    let writes = after_each_write(async |writes| {
        let hub = Hub::after_first_wave(WAVES, GATE, "failure").await;
        hub.acme.world.latency(|_, _| Duration::from_millis(60));
        let event = hub.acme.comment_by("wanda", 1, "/release retry web");
        let was_killed = kill_after(&hub.acme, hub.command_step(&event).spawn_in(&hub.acme), writes).await;
        hub.acme.world.latency(|_, _| Duration::ZERO);
        let again = Step::new("dispatch").run(hub.runs.get()).attempt(2).input("release", "1.4.0");
        again.event(event.clone()).variable("GITHUB_ACTOR", "wanda").run_in(&hub.acme).await.succeeds();
        assert_eq!(hub.count("web"), 2, "killed after {writes}\n{}", hub.acme.world.story());
        let id = event["comment"]["id"].as_u64().expect("an id");
        assert_eq!(hub.acme.world.reactions(id).len(), 2, "killed after {writes}");
        was_killed
    })
    .await;
    assert!(writes >= 6, "it was killed after each of its {writes} writes");
}

#[tokio::test]
async fn a_run_is_cancelled_and_what_is_not_under_way_is_not() {
    let hub = Hub::new(WAVES, GATE).await;
    hub.start().await.succeeds();
    insta::assert_snapshot!(hub.refuse("wanda", "/release cancel docs").await, @"
    👎 `wanda`: `docs` is waiting.

    **What to do:** comment `/release hold docs` to keep it from being started
    ");
    hub.accept("wanda", "/release cancel web").await.succeeds();
    let run = &hub.acme.world.runs("acme/web")[0];
    assert!(hub.acme.world.story().contains("cancelled"), "{}", hub.acme.world.story());
    let pings = hub.acme.records(1).into_iter().filter(|comment| comment.body.contains("@alice"));
    assert_eq!(pings.count(), 0, "the author of the command knows");
    hub.acme.world.finish_run(run.id, "cancelled");
    hub.acme.world.rerun(run.id);
    hub.go_on().await.succeeds();
    assert_eq!(hub.acme.world.run(run.id).expect("a run").conclusion, None, "the new attempt goes on");
}

#[tokio::test]
async fn a_skip_lets_dependents_go_and_counts_for_the_end() {
    let hub = Hub::after_first_wave("[web, { repository: docs, needs: web }]", "", "failure").await;
    hub.accept("wanda", "/release skip web : not this time").await.succeeds();
    assert_eq!((hub.count("web"), hub.count("docs")), (1, 1));
    let row = hub.acme.row(1, "web");
    assert!(row.contains("skipped | by `wanda`: not this time"), "{row}");
    insta::assert_snapshot!(hub.refuse("wanda", "/release retry web").await, @"
    👎 `wanda`: `web` is skipped.

    **What to do:** comment `/release resume web` first
    ");
    insta::assert_snapshot!(hub.refuse("wanda", "/release skip docs").await, @"
    👎 `wanda`: `docs` is queued.

    **What to do:** comment `/release cancel docs` first, and skip it then
    ");
    hub.finish("docs", "success");
    let outcome = hub.step().input("ticket", "1").input("close-on-success", "true").run_in(&hub.acme).await;
    outcome.succeeds();
    assert!(!hub.acme.world.issue_view("acme/hub", 1).is_open(), "{}", outcome.log);
}

#[tokio::test]
async fn a_hold_keeps_everything_until_somebody_resumes() {
    let hub = Hub::after_first_wave("[web, { repository: docs, needs: web }]", "", "success").await;
    hub.accept("wanda", "/release hold : the database is read-only").await.succeeds();
    let outcome = hub.go_on().await;
    let results: Value = serde_json::from_str(outcome.succeeds().output("results")).expect("JSON");
    assert_eq!((&results[1]["status"], &results[1]["waiting_for"]), (&json!("held"), &json!(["resume"])));
    assert_eq!((outcome.output("waiting-for"), hub.count("docs")), ("resume docs", 0));
    insta::assert_snapshot!(hub.acme.row(1, "docs"), @"| **docs** | ⏸️ on hold | by `wanda`: the database is read-only |  |  |");
    hub.accept("erin", "/release resume docs").await.succeeds();
    assert_eq!(hub.count("docs"), 1);
    insta::assert_snapshot!(hub.refuse("erin", "/release resume web docs").await, @"
    👎 `erin`: `docs` is neither on hold nor skipped.

    **What to do:** comment `/release status` to see what it waits for
    ");
}

#[tokio::test]
async fn a_hold_reaches_a_job_that_waits() {
    let hub = Hub::new("[web, { repository: docs, needs: web }]", "").await;
    let step = hub.step().input("wait", "true").input("wait-interval", "50ms").input("wait-timeout", "60s");
    let step = step.spawn_in(&hub.acme);
    while hub.count("web") == 0 || hub.acme.world.issues("acme/hub").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hub.accept("wanda", "/release hold docs").await.succeeds();
    hub.finish("web", "success");
    let outcome = step.end().await;
    outcome.succeeds();
    assert_eq!((outcome.output("waiting-for"), hub.count("docs")), ("resume docs", 0));
}

#[tokio::test]
async fn nothing_is_started_within_a_freeze_unless_a_maintainer_overrides_it() {
    let freeze = "freeze: { from: 2020-01-01, to: 2100-01-01, reason: Holidays }";
    let hub = Hub::new("[web]", freeze).await;
    let outcome = hub.step().input("wait", "true").run_in(&hub.acme).await;
    outcome.succeeds();
    assert_eq!((outcome.output("waiting-for"), hub.count("web")), ("freeze", 0));
    insta::assert_snapshot!(hub.acme.row(1, "web"), @"| **web** | ⏳ waiting | until 2100-01-01 00:00 UTC: Holidays |");
    insta::assert_snapshot!(hub.refuse("wanda", "/release override-freeze : urgent").await, @"
    👎 `wanda`: wanda has at most the role write in acme/hub, but `override-freeze` needs maintain.

    **What to do:** ask somebody with the role maintain to repeat the comment, or an admin to give wanda that role
    ");
    insta::assert_snapshot!(hub.refuse("mona", "/release override-freeze").await, @"
    👎 `mona`: `override-freeze` takes a reason.

    **What to do:** write it after a `:`, as in `/release override-freeze : reason`
    ");
    hub.accept("mona", "/release override-freeze : a security fix").await.succeeds();
    assert_eq!(hub.count("web"), 1);
    insta::assert_snapshot!(hub.answer(), @"🧊 `mona` overrides the freeze until 2100-01-01 00:00 UTC: a security fix");
    insta::assert_snapshot!(hub.refuse("mona", "/release override-freeze : again").await, @"
    👎 `mona`: the current freeze is already overridden.

    **What to do:** comment `/release status` to see what the release waits for
    ");
}

#[tokio::test]
async fn status_and_help_answer() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    hub.accept("wanda", "/release").await.succeeds();
    insta::assert_snapshot!(hub.answer(), @"
    💬 `wanda` asked for `status`

    **1 of 2 released** · ⏳ **1 waiting**

    > !IMPORTANT]
    > - **docs** waits for gate **go**: 0 of 1
    >
    > **Next:** `alice` or somebody else who may give commands comments `/release go`, which lets **docs** through.

    - **docs** ⏳ waiting
    - **web** ✅ released
    - 🚦 **go**: 0 of 1

    The board
    ");
    hub.accept("wanda", "/release help").await.succeeds();
    insta::assert_snapshot!(hub.answer(), @"
    💬 `wanda` asked for `help`

    | comment | what it does |
    |---|---|
    | `/release`, `/release status` | answers with the state of the release |
    | `/release go GATE…]` | approves gates, by default all that targets wait for |
    | `/release no-go GATE…] : reason]` | closes gates |
    | `/release retry TARGET…` | starts targets again that failed or were cancelled |
    | `/release cancel TARGET…` | cancels runs that dispatches of this ticket started |
    | `/release skip TARGET… : reason]` | counts targets as finished, without starting them |
    | `/release hold TARGET…] : reason]` | starts nothing, or none of these targets, until a resume |
    | `/release resume TARGET…]` | ends a hold, and for named targets also a skip |
    | `/release override-freeze : reason` | lets this ticket start targets during the current freeze; needs the role maintain |

    The first line of a comment is the command. Spaces or commas separate names; `all` means everything to which the command can apply.

    Gates of this ticket: `go`.
    ");
}

#[tokio::test]
async fn a_command_that_has_nothing_to_do_is_refused_with_help() {
    let hub = Hub::new("[web]", "").await;
    hub.start().await.succeeds();
    let mut answers = Vec::new();
    for body in
        ["go", "no-go all", "retry all", "resume", "skip all", "override-freeze : now", "cancel wbe", "hlod"]
    {
        answers.push(hub.refuse("wanda", &format!("/release {body}")).await);
    }
    answers.push(hub.refuse("rita", "/release hold").await);
    insta::assert_snapshot!(answers.join("\n---\n"), @"
    👎 `wanda`: the targets file has no gates.

    **What to do:** add one under `gates`, and name it in the `needs` of targets
    ---
    👎 `wanda`: the targets file has no gates.

    **What to do:** add one under `gates`, and name it in the `needs` of targets
    ---
    👎 `wanda`: no target has failed or was cancelled.

    **What to do:** comment `/release status` to see the state of the targets
    ---
    👎 `wanda`: nothing is on hold.

    **What to do:** comment `/release status` to see what the release waits for
    ---
    👎 `wanda`: no target is left to skip.

    **What to do:** comment `/release status` to see the state of the targets
    ---
    👎 `wanda`: wanda has at most the role write in acme/hub, but `override-freeze` needs maintain.

    **What to do:** ask somebody with the role maintain to repeat the comment, or an admin to give wanda that role
    ---
    👎 `wanda`: `wbe` is not a target of this ticket.

    **What to do:** did you mean `web`?
    ---
    👎 `wanda`: `/release hlod` is not a command.

    **What to do:** did you mean `hold`?
    ---
    👎 `rita`: rita has at most the role read in acme/hub, but a command needs write.

    **What to do:** ask somebody with the role write to repeat the comment, or an admin to give rita that role
    ");
}

#[tokio::test]
async fn the_same_refusal_is_answered_once() {
    let hub = Hub::new("[web]", "").await;
    hub.start().await.succeeds();
    hub.refuse("rita", "/release hold").await;
    let before = hub.acme.records(1).len();
    hub.refuse("rita", "/release hold").await;
    assert_eq!(hub.acme.records(1).len(), before + 1, "the comment itself");
}

#[tokio::test]
async fn a_hold_is_recorded_though_nothing_can_be_started() {
    for (file, says) in [
        ("targets: [{ repository: gone, workflow: release.yml }]", "gone"),
        ("targets: [", "this is not YAML"),
    ] {
        let hub = Hub::after_first_wave("[web]", "", "success").await;
        hub.acme.world.repository("acme/hub").file(".github/release-targets.yml", file);
        let outcome = hub.accept("wanda", "/release hold : first this").await;
        outcome.fails().says(says);
        assert!(hub.answer().contains("nothing can be started now"), "{}", hub.answer());
    }
}

#[tokio::test]
async fn the_rerun_of_a_job_that_could_not_go_on_reads_its_command_again() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    let repository = hub.acme.world.repository("acme/hub");
    repository.file(".github/release-targets.yml", "targets: [");
    let event = hub.acme.comment_by("wanda", 1, "/release go");
    hub.command_step(&event).run_in(&hub.acme).await.fails();
    insta::assert_snapshot!(hub.answer(), @"
    ⚠️ `wanda`: the hub's job cannot continue: this is not YAML: unclosed bracket ''.

    **What to do:** fix that and run the job again: it reads this command again
    ");
    let targets_file = format!("defaults: {{ workflow: release.yml }}\ntargets: {WAVES}\n{GATE}\n");
    repository.file(".github/release-targets.yml", &targets_file);
    let again = Step::new("dispatch").run(hub.runs.get()).attempt(2).input("release", "1.4.0");
    again.event(event).variable("GITHUB_ACTOR", "wanda").run_in(&hub.acme).await.succeeds();
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn a_decision_stands_though_its_author_has_lost_the_role() {
    let hub = Hub::new(WAVES, GATE).await;
    hub.start().await.succeeds();
    hub.accept("wanda", "/release go").await;
    hub.acme.world.repository("acme/hub").role("wanda", "read");
    hub.finish("web", "success");
    hub.go_on().await.succeeds();
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn an_edit_or_a_deletion_of_the_comment_changes_nothing() {
    let hub = Hub::new(WAVES, GATE).await;
    hub.start().await.succeeds();
    let event = hub.acme.comment_by("wanda", 1, "/release hold");
    hub.command_step(&event).run_in(&hub.acme).await.succeeds();
    let id = event["comment"]["id"].as_u64().expect("an id");
    hub.acme.world.edit_comment(id, "/release resume");
    hub.command_step(&hub.acme.world.comment_event(id, "edited")).run_in(&hub.acme).await.succeeds();
    hub.acme.world.delete_comment("acme/hub", id);
    hub.finish("web", "success");
    hub.go_on().await.succeeds();
    hub.accept("wanda", "/release go").await;
    assert_eq!(hub.count("docs"), 0, "the hold stands");
}

#[tokio::test]
async fn a_dry_run_of_a_command_prints_what_it_would_do() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    let event = hub.acme.comment_by("wanda", 1, "/release go");
    let before = hub.acme.world.story();
    let outcome = hub.command_step(&event).input("dry-run", "true").run_in(&hub.acme).await;
    outcome.succeeds();
    assert_eq!(hub.acme.world.story(), before);
    let plan: Value = serde_json::from_str(outcome.output("plan")).expect("JSON");
    let effects: Vec<&str> =
        plan.as_array().expect("a list").iter().filter_map(|effect| effect["effect"].as_str()).collect();
    assert!(effects.contains(&"start-workflow") && effects.contains(&"react"), "{effects:?}");
}

#[tokio::test]
async fn a_reaction_that_github_refuses_takes_nothing_from_the_command() {
    let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
    let event = hub.acme.comment_by("wanda", 1, "/release go");
    let id = event["comment"]["id"].as_u64().expect("an id");
    let path = format!("/repos/acme/hub/issues/comments/{id}/reactions");
    hub.acme.world.fault(Fault::on("POST", &path).always().then(Kind::StatusBefore(403)));
    hub.command_step(&event).run_in(&hub.acme).await.succeeds();
    assert_eq!(hub.count("docs"), 1);
}

#[tokio::test]
async fn each_command_makes_a_fixed_number_of_requests() {
    let count = async |body: &str, login: &str| {
        let hub = Hub::after_first_wave(WAVES, GATE, "success").await;
        let event = hub.acme.comment_by(login, 1, body);
        hub.acme.world.clear_exchanges();
        hub.command_step(&event).run_in(&hub.acme).await.succeeds();
        hub.acme.requests().len()
    };
    let counts = [
        ("/release go", count("/release go", "wanda").await),
        ("/release hold", count("/release hold", "wanda").await),
        ("/release status", count("/release status", "wanda").await),
        ("/release hold wbe", count("/release hold wbe", "wanda").await),
        ("a stranger's", count("/release go", "rita").await),
    ];
    let lines: Vec<String> = counts.iter().map(|(command, count)| format!("{command}: {count}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    /release go: 28
    /release hold: 20
    /release status: 21
    /release hold wbe: 13
    a stranger's: 9
    ");
}
