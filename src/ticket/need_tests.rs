//! Tests: every state of a release that the fold can give has a sentence.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::ticket::{Record, fold};

const AT: &str = "2026-01-05T09:00:00Z";

/// The states of a start, with their reasons.
fn starts() -> Vec<Value> {
    let refusal = json!({ "reason": "refused", "error": "GitHub refused", "help": "grant `actions: write`" });
    let unclear = json!({ "reason": "unclear", "error": "no answer", "runs": ["https://github.com/x"] });
    let run = "https://github.com/acme/web/actions/runs/8";
    let nameless = json!({ "reason": "unclear", "error": "it was started", "runs": [run], "help": "look" });
    let newer = json!({ "reason": "frozen" });
    let plain = ["claimed", "yielded", "cancelled", "superseded", "started", "refused", "unknown", "newer"];
    let plain = plain.into_iter().map(|state| json!({ "state": state }));
    let reasons = [("refused", refusal), ("unknown", unclear), ("started", nameless), ("waiting", newer)];
    plain.chain(reasons.map(|(state, reason)| json!({ "state": state, "because": reason }))).collect()
}

/// GitHub's answers about the run.
fn runs() -> Vec<Option<Value>> {
    let going = ["requested", "queued", "pending", "waiting", "in_progress", "completed", "deleted", "eaten"];
    let going = going.map(|status| Some(json!({ "status": status })));
    let review = json!({ "environment": "production", "reviewers": ["dana", "acme/sre"] });
    let timer = json!({ "environment": "staging", "timer_ends": AT });
    let rule = json!({ "environment": "production" });
    let waits = [review, timer, rule].map(|review| Some(json!({ "status": "waiting", "reviews": [review] })));
    let conclusions = [
        "success",
        "neutral",
        "skipped",
        "cancelled",
        "failure",
        "timed_out",
        "startup_failure",
        "action_required",
        "stale",
        "eaten",
    ];
    let ends = conclusions.map(|conclusion| Some(json!({ "status": "completed", "conclusion": conclusion })));
    let after_a_job = Some(json!({ "status": "completed", "conclusion": "cancelled", "jobs": 1 }));
    [None, after_a_job].into_iter().chain(going).chain(waits).chain(ends).collect()
}

/// The reports of the run: their status, and whether they are the last.
fn reports() -> Vec<Option<(&'static str, bool)>> {
    let words = ["queued", "in_progress", "success", "failure", "cancelled", "skipped", "newer"];
    let not_last = words.map(|word| Some((word, false)));
    [None, Some(("success", true)), Some(("skipped", true))].into_iter().chain(not_last).collect()
}

/// The ways in which the hub job watches the run.
fn watches() -> [Value; 4] {
    let stuck = json!({ "target": "web", "run": 7, "attempt": 1, "since": AT, "reports": 9 });
    [json!({}), json!({ "follows": true }), json!({ "stuck": [stuck] }), json!({ "cancelled": [7] })]
}

fn record(kind: &str, value: Value) -> Record {
    match kind {
        "dispatch" => Record::Dispatch(serde_json::from_value(value).expect("a dispatch")),
        "decision" => Record::Decision(serde_json::from_value(value).expect("a decision")),
        "report" => Record::Report(serde_json::from_value(value).expect("a report")),
        _ => Record::Notice(serde_json::from_value(value).expect("a notice")),
    }
}

fn with(mut value: Value, more: &Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    value.as_object_mut().expect("an object").extend(more);
    value
}

fn release(
    start: &Value,
    run: Option<&Value>,
    report: Option<(&str, bool)>,
    watch: &Value,
    is_notified: bool,
    steering: &Steering,
) -> Ticket {
    let is_started = start["state"] == "started" && start["because"].is_null();
    let hub = json!({ "repository": "acme/hub", "run": 5, "attempt": 1, "job": "dispatch" });
    let by = json!({ "repository": "acme/web", "run": 7, "attempt": 1, "job": "publish" });
    let web = json!({
        "target": "web", "repository": "acme/web", "at": AT, "run": is_started.then_some(7),
        "needs": steering.gates.iter().map(|gate| &gate["name"]).collect::<Vec<_>>(), "commit": NEW,
    });
    let waits = json!({ "reason": "needs", "targets": ["web"] });
    let needs = steering.gates.iter().map(|gate| &gate["name"]).cloned().chain(["web".into()]);
    let docs = json!({
        "target": "docs", "repository": "acme/docs", "at": AT, "state": "waiting",
        "needs": needs.collect::<Vec<_>>(), "because": waits, "commit": NEW,
    });
    let job = json!({
        "name": "publish", "status": "completed", "conclusion": "failure", "step": "Run tests",
        "url": "https://github.com/acme/web/actions/runs/7/job/70",
    });
    let followed_run = run.map(|run| {
        let is_bad = run["conclusion"] == "failure";
        let run = with(
            json!({
                "target": "web", "repository": "acme/web", "run": 7, "attempt": 1, "at": AT,
                "run_url": "https://github.com/acme/web/actions/runs/7",
            }),
            run,
        );
        if is_bad { with(run, &json!({ "job": job })) } else { run }
    });
    let freeze = json!({ "from": AT, "to": "2027-01-02T00:00:00Z", "reason": "Holidays" });
    let dispatch = json!({
        "by": hub, "seq": 1, "run_url": "https://github.com/acme/hub/actions/runs/5", "driver": "alice",
        "workflow_url": "https://github.com/acme/hub/actions/workflows/release.yml",
        "targets": [with(web, start), docs], "watch": watch,
        "followed": followed_run.into_iter().collect::<Vec<_>>(), "rules": { "gates": steering.gates, "freezes": [freeze] },
    });
    let report = report.map(|(status, done)| {
        json!({
            "by": by, "seq": 1, "run_url": "https://github.com/acme/web/actions/runs/7",
            "stages": [{ "target": "web", "stage": "publish", "status": status, "done": done, "at": AT, "seq": 1 }],
        })
    });
    let notice = json!({
        "by": by, "seq": 1, "run_url": "https://github.com/acme/web/actions/runs/7", "fingerprint": "f",
        "status": "failure", "message": "it broke", "at": AT,
    });
    let records = [Some(("dispatch", dispatch)), report.map(|report| ("report", report))];
    let records = records.into_iter().chain([is_notified.then_some(("notice", notice))]).flatten();
    let decisions = steering.decisions.iter().cloned().map(|decision| ("decision", decision));
    let records = records.chain(decisions);
    fold(&records.map(|(kind, value)| record(kind, value)).collect::<Vec<_>>())
}

/// Each state of a release.
fn every_release(mut see: impl FnMut(&Ticket)) {
    for start in starts() {
        // If there is a run, it decides, and the other states of the start do not matter.
        let is_started = start["state"] == "started" && start["because"].is_null();
        let runs = runs().into_iter().filter(|run| is_started || run.is_none());
        for (run, report) in
            runs.flat_map(|run| reports().into_iter().map(move |report| (run.clone(), report)))
        {
            for watch in &watches() {
                for is_notified in [false, true] {
                    let steering = Steering::default();
                    see(&release(&start, run.as_ref(), report, watch, is_notified, &steering));
                }
            }
        }
    }
}

/// The states of a release with decisions of people. It has fewer states of the run, because these and the decisions
/// do not depend on each other.
fn every_steered_release(steering: &Steering, mut see: impl FnMut(&Ticket)) {
    let frozen = json!({ "reason": "frozen", "to": "2027-01-02T00:00:00Z", "why": "Holidays" });
    let waiting = [json!({ "state": "waiting" }), json!({ "state": "waiting", "because": frozen })];
    let ends = ["success", "failure", "cancelled"];
    let ends = ends.map(|end| Some(json!({ "status": "completed", "conclusion": end })));
    let runs = [None, Some(json!({ "status": "in_progress" }))].into_iter().chain(ends).collect::<Vec<_>>();
    for start in starts().iter().chain(&waiting) {
        let is_started = start["state"] == "started" && start["because"].is_null();
        for run in runs.iter().filter(|run| is_started || run.is_none()) {
            for report in
                [None, Some(("in_progress", false)), Some(("success", true)), Some(("success", false))]
            {
                for watch in &watches()[..2] {
                    see(&release(start, run.as_ref(), report, watch, false, steering));
                }
            }
        }
    }
}

/// The gates of a release and the decisions of people.
#[derive(Default)]
struct Steering {
    gates: Vec<Value>,
    decisions: Vec<Value>,
}

impl Steering {
    fn gate(mut self, name: &str, more: &Value) -> Self {
        self.gates.push(with(json!({ "name": name, "required": 1, "on_moved": "lapse" }), more));
        self
    }

    fn word(mut self, who: &str, command: &str, names: &[&str], more: &Value) -> Self {
        let comment = 40 + self.decisions.len() as u64;
        let by = json!({ "repository": "acme/hub", "run": 4, "attempt": 1, "job": "dispatch" });
        let commits = ["web", "docs"].map(
            |name| json!({ "target": name, "repository": format!("acme/{name}"), "ref": "main", "sha": NEW }),
        );
        let decision = json!({
            "by": by, "seq": 1, "run_url": "https://github.com/acme/hub/actions/runs/4", "command": command,
            "names": names, "who": { "login": who, "id": who.len(), "role": "write" }, "comment": comment,
            "comment_url": format!("https://github.com/acme/hub/issues/1#issuecomment-{comment}"),
            "outcome": "accepted", "commits": commits, "at": AT,
        });
        self.decisions.push(with(decision, more));
        self
    }
}

const OLD: &str = "1a2b3c4000000000000000000000000000000000";
const NEW: &str = "5d6e7f8000000000000000000000000000000000";

/// The ways in which people steer.
fn steerings() -> Vec<Steering> {
    let none = || Steering::default();
    let nothing = json!({});
    let why = json!({ "reason": "the tests are red" });
    let two = json!({ "required": 2, "approvers": ["alice", "dana", "acme/sre"] });
    let old = json!([{ "target": "web", "repository": "acme/web", "ref": "main", "sha": OLD }]);
    let freeze = json!({ "from": AT, "to": "2027-01-02T00:00:00Z" });
    let go = |gates: Steering, more: &Value| gates.word("dana", "go", &["go"], more);
    vec![
        none(),
        none().gate("go", &nothing),
        none().gate("go", &json!({ "not_driver": true })),
        none().gate("go", &json!({ "required": 3 })),
        none().gate("go", &two).gate("legal", &json!({ "approvers": ["erin"] })),
        go(none().gate("go", &nothing), &nothing),
        go(none().gate("go", &two), &nothing),
        go(none().gate("go", &two), &json!({ "commits": old })),
        go(none().gate("go", &nothing), &nothing).word("frank", "no-go", &["go"], &why),
        none().word("dana", "hold", &[], &why),
        none().word("dana", "hold", &[], &why).word("alice", "resume", &["web"], &nothing),
        none().word("dana", "hold", &["web", "docs"], &nothing),
        none().word("dana", "skip", &["web"], &why),
        none().word("dana", "status", &[], &nothing),
        none().word("alice", "override-freeze", &[], &json!({ "freezes": [freeze] })),
    ]
}

/// Whether a target goes on by itself, and a job sees how it ends.
fn goes_on(ticket: &Ticket, name: &TargetName, target: &Target) -> bool {
    let reports = || target.stages.iter().any(|stage| !stage.status.is_good());
    match target.status {
        TargetStatus::Released | TargetStatus::Skipped => true,
        TargetStatus::InProgress | TargetStatus::Queued => {
            let reports = reports() && !target.is_cancelling && !target.has_unknown_end();
            let goes_on = is_about_to_start(target) || reports;
            target.stuck_since.is_none() && (target.follower.is_some() || goes_on)
        }
        TargetStatus::Verifying => target.follower.is_some(),
        TargetStatus::OnHold => false,
        TargetStatus::Waiting => {
            let needs: Vec<_> = ticket.unreleased_needs(&target.needs).collect();
            let waits_for_targets = !needs.is_empty() && needs.iter().all(|(_, status)| status.is_some());
            let gates = ticket.closed_gates(name, &target.needs);
            let waits_for_people = needs.is_empty() && !gates.is_empty();
            let is_refused = gates.iter().any(|gate| !gate.refusals.is_empty());
            let is_frozen =
                target.reason.as_ref().is_some_and(|reason| reason.clause(bold).contains("before"));
            let is_kept = waits_for_people || is_refused || needs.is_empty() && is_frozen;
            (target.follower.is_some() || waits_for_targets) && !is_kept
        }
        TargetStatus::Review | TargetStatus::Failed | TargetStatus::Cancelled | TargetStatus::Held => false,
    }
}

/// The sentences of a release. Nothing is blocking it only where every target goes on by itself.
fn sentences_of(ticket: &Ticket, sentences: &mut BTreeSet<String>) {
    let needs = needs(ticket);
    let goes_on = ticket.targets.iter().all(|(name, target)| goes_on(ticket, name, target));
    let is_released = ticket.targets.values().all(|target| target.status.is_released());
    let is_held = ticket.hold_of_all().is_some() && !is_released;
    let is_calm = goes_on && ticket.notices.is_empty() && !is_held;
    assert_eq!(needs.is_empty(), is_calm, "{needs:#?}\n{:#?}", ticket.targets);
    sentences.extend(needs.iter().map(|need| need.what.clone()));
    sentences.extend(actions(ticket, &needs, "`alice`").into_iter().map(|action| format!("→ {action}")));
    if needs.is_empty() {
        sentences.insert(calm(ticket));
    }
}

#[test]
fn every_state_has_a_sentence_and_nothing_blocks_only_where_every_target_goes_on_by_itself() {
    let mut sentences = BTreeSet::new();
    every_release(|ticket| sentences_of(ticket, &mut sentences));
    let sentences: Vec<String> = sentences.into_iter().collect();
    insta::assert_snapshot!(sentences.join("\n"), @"
    **docs** can start now
    **docs** waits for **web**, which was not started
    **web** could not be started
    **web** could not be started: GitHub refused
    **web** did not begin: cancelled before any job began: by somebody, or by a newer run of its concurrency group · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed at `publish` · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed at `publish`, step `Run tests` · [failed job](https://github.com/acme/web/actions/runs/7/job/70)
    **web** failed at `publish`, step `Run tests`: it broke · [failed job](https://github.com/acme/web/actions/runs/7/job/70)
    **web** failed at `publish`: it broke · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed: GitHub marked it as stale · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed: could not start: the workflow file is invalid · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed: it broke
    **web** failed: somebody has to approve it · [run](https://github.com/acme/web/actions/runs/7)
    **web** failed: timed out · [run](https://github.com/acme/web/actions/runs/7)
    **web** has ended, but GitHub does not say how
    **web** has not changed since 2026-01-05 09:00 UTC
    **web** has not reported since it was started, and no hub run follows it
    **web** has reported `publish`, but not its last stage
    **web** is being cancelled by the hub, but no hub run follows it
    **web** is held
    **web** is held: `frozen`, a reason that only a newer release of the action knows
    **web** is held: `newer`, a state that only a newer release of the action knows
    **web** is held: it broke
    **web** is held: it ended as `eaten`, a word that this release of the action does not know
    **web** is held: it is `eaten`, a word that this release of the action does not know
    **web** may have been started
    **web** may have been started: no answer · [its runs](https://github.com/x)
    **web** no longer has a run
    **web** no longer has a run: it broke
    **web** no longer has a run: the run was deleted, so GitHub does not say how it ended
    **web** waits for **dana** or **acme/sre** to approve `production` · [review](https://github.com/acme/web/actions/runs/7)
    **web** waits for an approval or a protection rule of `production` · [review](https://github.com/acme/web/actions/runs/7)
    **web** waits for an approval or a protection rule of its environment · [review](https://github.com/acme/web/actions/runs/7)
    **web** was cancelled
    **web** was cancelled at `publish` · [run](https://github.com/acme/web/actions/runs/7)
    **web** was cancelled at `publish`: it broke · [run](https://github.com/acme/web/actions/runs/7)
    **web** was cancelled · [run](https://github.com/acme/web/actions/runs/7)
    **web** was cancelled: cancelled before any job began: by somebody, or by a newer run of its concurrency group · [run](https://github.com/acme/web/actions/runs/7)
    **web** was cancelled: it broke · [run](https://github.com/acme/web/actions/runs/7)
    **web** was started, but GitHub did not name its run: [run 8](https://github.com/acme/web/actions/runs/8)
    Nothing is blocking the release. The hub's run starts **docs**.
    Nothing is blocking the release. Under way: **web**, which reports itself. After that, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) to start **docs**.
    Nothing is blocking the release. Under way: **web**, which reports itself. After that, the hub's run starts **docs**.
    Nothing is blocking the release. Under way: **web**; [the hub's run](https://github.com/acme/hub/actions/runs/5) follows it. After that, the hub's run starts **docs**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml). After that, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) to start **docs**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml). After that, the hub's run starts **docs**.
    acme/web failed at `publish`: it broke · [failed job](https://github.com/acme/web/actions/runs/7)
    → **dana** or **acme/sre** approves or refuses **[web](https://github.com/acme/web/actions/runs/7)**
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which looks for the run of **web**
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which starts **docs**
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which starts **web**
    → `alice` checks whether **web** is released, and if it is not, [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) with `retry-failed: true`
    → `alice` looks at **[web](https://github.com/acme/web/actions/runs/7)**, and cancels it there if it hangs
    → `alice` looks at **[web](https://github.com/acme/web/actions/runs/7)**, and re-runs the cancelled jobs there
    → `alice` looks at **[web](https://github.com/acme/web/actions/runs/7)**, and re-runs the failed jobs there
    → `alice` looks at **web**, and cancels it there if it hangs
    → `alice` looks at **web**, and re-runs the failed jobs there
    → `alice` looks at [acme/web](https://github.com/acme/web/actions/runs/7)
    → `alice` looks for the run of **web**; a `run-name` with the inputs `release-ticket` and `release-target` distinguishes the runs
    → `alice` re-runs **[web](https://github.com/acme/web/actions/runs/7)**, or [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) with `retry-failed: true`
    → `alice` updates the action in the hub
    → a reviewer approves or refuses **[web](https://github.com/acme/web/actions/runs/7)**
    → for **web**: grant `actions: write`; then `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml)
    → if its run has ended, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which records how **[web](https://github.com/acme/web/actions/runs/7)** ended; the author of the workflow adds `done: true` to the last report
    → if nothing changes, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which looks at **[web](https://github.com/acme/web/actions/runs/7)**
    → if nothing changes, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which looks at **web**
    ");
}

#[test]
fn every_state_of_a_release_that_people_steer_has_a_sentence() {
    let mut plain = BTreeSet::new();
    every_release(|ticket| sentences_of(ticket, &mut plain));
    let mut sentences = BTreeSet::new();
    for steering in steerings() {
        every_steered_release(&steering, |ticket| sentences_of(ticket, &mut sentences));
    }
    let sentences: Vec<String> = sentences.difference(&plain).cloned().collect();
    insta::assert_snapshot!(sentences.join("\n"), @"
    **docs** and **web** are blocked by gate **go**: [`frank`](https://github.com/acme/hub/issues/1#issuecomment-41) said no-go: the tests are red
    **docs** is blocked by gate **go**: [`frank`](https://github.com/acme/hub/issues/1#issuecomment-41) said no-go: the tests are red
    **docs** waits for gate **go**: 0 of 1
    **docs** waits for gate **go**: 0 of 2
    **docs** waits for gate **go**: 0 of 2; the go of [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) has lapsed, as **docs** was not behind the gate at that time
    **docs** waits for gate **go**: 0 of 3
    **docs** waits for gate **go**: 1 of 2
    **docs** waits for gate **legal**: 0 of 1
    **web** can start now
    **web** waits for gate **go**: 0 of 1
    **web** waits for gate **go**: 0 of 2
    **web** waits for gate **go**: 0 of 2; the go of [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) has lapsed, as **web** has moved: [`1a2b3c4...5d6e7f8`](https://github.com/acme/web/compare/1a2b3c4000000000000000000000000000000000...5d6e7f8000000000000000000000000000000000)
    **web** waits for gate **go**: 0 of 3
    **web** waits for gate **go**: 1 of 2
    **web** waits for gate **legal**: 0 of 1
    Nothing is blocking the release. Later, **docs** waits for gate **go**.
    Nothing is blocking the release. Later, **docs** waits for gates **go** and **legal**.
    Nothing is blocking the release. The hub's run starts **docs** and **web**.
    Nothing is blocking the release. Under way: **web**, which reports itself. After that, **docs** waits for gate **go**.
    Nothing is blocking the release. Under way: **web**, which reports itself. After that, **docs** waits for gates **go** and **legal**.
    Nothing is blocking the release. Under way: **web**, which reports itself. After that, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release` to start **docs**.
    Nothing is blocking the release. Under way: **web**; [the hub's run](https://github.com/acme/hub/actions/runs/5) follows it. After that, **docs** waits for gate **go**.
    Nothing is blocking the release. Under way: **web**; [the hub's run](https://github.com/acme/hub/actions/runs/5) follows it. After that, **docs** waits for gates **go** and **legal**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release`. After that, **docs** waits for gate **go**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release`. After that, **docs** waits for gates **go** and **legal**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release`. After that, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release` to start **docs**.
    Nothing is blocking the release. [The hub's run](https://github.com/acme/hub/actions/runs/5) is about to start **web**; if it has ended, [run the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comment `/release`. After that, the hub's run starts **docs**.
    [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) holds **docs**
    [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) holds **web** and **docs**
    [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) holds the whole release except **web**: the tests are red
    [`dana`](https://github.com/acme/hub/issues/1#issuecomment-40) holds the whole release: the tests are red
    nothing is started before 2027-01-02 00:00 UTC: Holidays
    → 2 of `alice`, `dana` and `acme/sre` comment `/release go go`, which lets **docs** through
    → 2 of `alice`, `dana` and `acme/sre` comment `/release go go`, which lets **web** through
    → 2 of `alice`, `dana` and `acme/sre` comment `/release go`, which lets **docs** through
    → 2 of `alice`, `dana` and `acme/sre` comment `/release go`, which lets **web** through
    → 3 people who may give commands comment `/release go`, which lets **docs** through
    → 3 people who may give commands comment `/release go`, which lets **web** through
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which looks for the run of **web**
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which starts **docs**
    → `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which starts **web**
    → `alice` comments `/release resume docs` to go on with **docs**
    → `alice` comments `/release resume web docs` to go on with **web** and **docs**
    → `alice` comments `/release resume` to go on with the release
    → `alice` looks at **[web](https://github.com/acme/web/actions/runs/7)**, and re-runs the cancelled jobs there, or comments `/release retry web`
    → `alice` looks at **[web](https://github.com/acme/web/actions/runs/7)**, and re-runs the failed jobs there, or comments `/release retry web`
    → `alice` or `acme/sre` comments `/release go`, which lets **docs** through
    → `alice` or `acme/sre` comments `/release go`, which lets **web** through
    → `alice` or somebody else who may give commands comments `/release go`, which lets **docs** through
    → `alice` or somebody else who may give commands comments `/release go`, which lets **web** through
    → `alice` re-runs **[web](https://github.com/acme/web/actions/runs/7)**, or [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) with `retry-failed: true`, or comments `/release retry web`
    → `erin` comments `/release go legal`, which lets **docs** through
    → `erin` comments `/release go legal`, which lets **web** through
    → `frank` comments `/release go` to open the gate for **docs**
    → `frank` comments `/release go` to open the gate for **docs** and **web**
    → after that, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which starts **web**; before that, somebody with the role maintain comments `/release override-freeze : reason`
    → after that, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml), which starts **web**; before that, somebody with the role maintain comments `/release override-freeze : reason`
    → for **web**: grant `actions: write`; then `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`
    → if its run has ended, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which records how **[web](https://github.com/acme/web/actions/runs/7)** ended; the author of the workflow adds `done: true` to the last report
    → if nothing changes, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which looks at **[web](https://github.com/acme/web/actions/runs/7)**
    → if nothing changes, `alice` [runs the hub's workflow again](https://github.com/acme/hub/actions/workflows/release.yml) or comments `/release`, which looks at **web**
    → somebody other than `alice` who may give commands comments `/release go`, which lets **docs** through
    → somebody other than `alice` who may give commands comments `/release go`, which lets **web** through
    ");
}

#[test]
fn a_person_who_has_said_go_is_not_pinged_again_unless_the_approval_has_lapsed() {
    let pings = |steering: Steering| {
        let ticket = release(&json!({ "state": "waiting" }), None, None, &json!({}), false, &steering);
        let needs = needs(&ticket).into_iter().filter(|need| need.gate.is_some());
        let pings = needs.map(|need| {
            let reviewers = need.reviewers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            (need.moment, reviewers)
        });
        pings.collect::<Vec<_>>()
    };
    let gate = |more: &Value| Steering::default().gate("go", more);
    let gate_with_approvers = || gate(&json!({ "required": 2, "approvers": ["alice", "Dana", "acme/sre"] }));
    let some = |who: &str| vec![(Some(PingEvent::Review), who.to_owned())];
    let old = json!([{ "target": "web", "repository": "acme/web", "ref": "main", "sha": OLD }]);
    assert_eq!(pings(gate_with_approvers()), some("alice, Dana, acme/sre"));
    assert_eq!(pings(gate_with_approvers().word("dana", "go", &["go"], &json!({}))), some("alice, acme/sre"));
    let lapse = gate_with_approvers().word("dana", "go", &["go"], &json!({ "commits": old }));
    assert_eq!(pings(lapse), some("alice, Dana, acme/sre"));
    assert_eq!(pings(gate(&json!({ "approvers": ["alice"], "not_driver": true }))), [(None, String::new())]);
    let alice = gate(&json!({ "required": 2 })).word("alice", "go", &["go"], &json!({}));
    assert_eq!(pings(alice), [(None, String::new())], "nobody else is known by name");
}

#[test]
fn the_failed_step_of_a_tracked_job_stands_once() {
    let run = json!({ "status": "completed", "conclusion": "failure" });
    let start = json!({ "state": "started" });
    let report = Some(("failure", false));
    let mut ticket = release(&start, Some(&run), report, &json!({}), false, &Steering::default());
    let target = ticket.targets.get_mut("web").expect("a target");
    target.stages.iter_mut().for_each(|stage| stage.message = Some("step 3, Run tests".to_owned()));
    let job = "[failed job](https://github.com/acme/web/actions/runs/7/job/70)";
    assert_eq!(needs(&ticket)[0].what, format!("**web** failed at `publish`: step 3, Run tests · {job}"));
}
