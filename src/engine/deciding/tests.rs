use chrono::TimeDelta;

use crate::command::{About, Command};
use crate::engine::testing::{Says, Story, dispatch, target, with_command};
use crate::names::Login;
use crate::problem::{Problem, Topic};
use crate::ticket::decision::Outcome;
use crate::ticket::gate::MovePolicy;
use crate::ticket::{Freeze, Gate, StartState, TargetStatus, Verb, Word};

fn gate(name: &str) -> Gate {
    Gate {
        name: name.into(),
        approvers: Vec::new(),
        required_approvals: 1,
        excludes_driver: false,
        move_policy: Word::Known(MovePolicy::Lapse),
    }
}

fn these(names: &[&str]) -> About {
    About::These(names.iter().map(|name| (*name).into()).collect())
}

impl Story {
    fn with_gate(mut self, gate: Gate) -> Self {
        self.request.rules.get_or_insert_default().gates.push(gate);
        self
    }

    fn frozen_for(mut self, hours: i64) -> Self {
        let to = self.now + TimeDelta::hours(hours);
        self.request.rules.get_or_insert_default().freezes.push(Freeze {
            from: self.now,
            to,
            reason: "Holidays".to_owned(),
        });
        self
    }

    /// A person gives a command by a comment of this id, and a job reads it.
    fn after_command(self, comment: u64, verb: Verb, about: About) -> Self {
        let mut job = self.job(comment, verb, about);
        job.run();
        self.after_job(&job)
    }

    /// The same ticket with the records of another job.
    fn after_job(mut self, job: &Story) -> Self {
        self.facts.log = job.facts.log.clone();
        self
    }

    /// A job without a command, with the ticket as it stands.
    fn next_job(&self) -> Story {
        let mut job = Story::of_many(self.request.targets.clone()).after_job(self);
        job.request.rules = self.request.rules.clone();
        job.now = self.now;
        job
    }

    /// A job that reads a command, with the ticket as it stands.
    fn job(&self, comment: u64, verb: Verb, about: About) -> Story {
        let mut job = self.next_job();
        job.request.by.run.0 = 1000 + comment;
        with_command(job, comment, Command { verb, about, reason: Some("because".to_owned()) })
    }

    fn verdict_on_command(&self) -> (Word<Outcome>, String) {
        let (_, decision) = self.facts.log.decisions().last().expect("a decision");
        (decision.outcome.clone(), decision.answer.clone().unwrap_or_default())
    }

    fn status(&self, name: &str) -> TargetStatus {
        self.facts.log.ticket().targets[name].status
    }
}

fn gated_story() -> Story {
    Story::of([target("web").needing(["go"])]).with_gate(gate("go"))
}

#[test]
fn a_target_waits_for_a_gate_until_somebody_says_go() {
    let mut story = gated_story();
    let lines = story.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    assert_eq!(story.status("web"), TargetStatus::Waiting);
    let mut job = story.job(7, Verb::Go, About::Default).when("look at web", [Says::GoesOn]);
    assert_eq!(
        job.run(),
        [
            "read",
            "look at the commit of web",
            "comment: go of alice go",
            "comment: web claimed",
            "read | board",
            "start web",
            "edit comment 3: web started",
            "look at web",
            "board",
            "react to comment 7 of acme/hub#1 with rocket",
        ]
    );
}

#[test]
fn a_gate_with_a_no_go_stays_closed_until_the_same_person_says_go() {
    let story = gated_story().after_command(7, Verb::Go, About::Default);
    assert_eq!(story.status("web"), TargetStatus::Released, "it has passed");
    let story = gated_story().after_command(7, Verb::NoGo, these(&["go"]));
    assert_eq!(story.status("web"), TargetStatus::Waiting);
    let mut job = story.job(8, Verb::Go, About::Default);
    job.request.command.as_mut().expect("a command").author.id = 2;
    let lines = job.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    let mut story = story;
    story.facts.log = job.facts.log;
    let lines = story.job(9, Verb::Go, About::Default).run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn as_many_different_people_as_required_say_go() {
    let twice = Gate { required_approvals: 2, ..gate("go") };
    let story = Story::of([target("web").needing(["go"])]).with_gate(twice);
    let story = story.after_command(7, Verb::Go, About::Default).after_command(8, Verb::Go, About::Default);
    assert_eq!(story.status("web"), TargetStatus::Waiting, "one person said it twice");
    let mut job = story.job(9, Verb::Go, About::Default);
    job.request.command.as_mut().expect("a command").author.id = 2;
    let lines = job.run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_gate_lets_a_target_through_whose_job_died_with_its_claim() {
    let story = gated_story();
    let mut job = story.job(7, Verb::Go, About::Default);
    job.run_until("start web");
    let lines = story.after_job(&job).run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_gate_lets_a_target_through_while_its_job_waits_for_another_one() {
    let story = gated_story();
    let mut first = story.job(7, Verb::Go, About::Default);
    first.run_until("start web");
    let lines = story.after_job(&first).always("ask for hub run 1007", Says::AtWork).run();
    assert!(lines.contains(&"edit comment 3: web left to another job".to_owned()), "{lines:#?}");
}

#[test]
fn a_no_go_without_names_closes_a_gate_that_is_open_as_long_as_a_target_waits_behind_it() {
    let story = Story::of([target("web").needing(["api", "go"])]).with_gate(gate("go"));
    let mut job = story.after_command(7, Verb::Go, About::Default).job(8, Verb::NoGo, About::Default);
    job.request.command.as_mut().expect("a command").author.id = 2;
    job.run();
    assert_eq!(job.verdict_on_command(), (Outcome::Accepted.into(), String::new()));
}

#[test]
fn a_no_go_counts_between_claim_and_start() {
    let story = gated_story();
    let mut go = story.job(7, Verb::Go, About::Default);
    go.run_until("start web");
    let mut no_go =
        story.after_job(&go).job(8, Verb::NoGo, these(&["go"])).always("ask for hub run 1007", Says::AtWork);
    no_go.run();
    assert_eq!(no_go.verdict_on_command().0, Outcome::Accepted);
    go.facts.log = no_go.facts.log;
    let lines = go.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn an_approval_lapses_where_the_ref_has_moved() {
    for (on_moved, starts) in [(MovePolicy::Lapse, false), (MovePolicy::Warn, true)] {
        let two = Gate { required_approvals: 2, move_policy: Word::Known(on_moved), ..gate("go") };
        let story = Story::of([target("web").needing(["go"])]).with_gate(two);
        let story = story.after_command(7, Verb::Go, About::Default);
        let mut job = story.job(8, Verb::Go, About::Default).always("look at the commit of web", Says::Moved);
        job.request.command.as_mut().expect("a command").author.id = 2;
        let lines = job.run();
        assert_eq!(lines.contains(&"start web".to_owned()), starts, "{on_moved:?}: {lines:#?}");
    }
}

#[test]
fn a_target_whose_commit_github_does_not_say_is_not_started() {
    let two = Gate { required_approvals: 2, ..gate("go") };
    let story = Story::of([target("web").needing(["go"])]).with_gate(two);
    let story = story.after_command(7, Verb::Go, About::Default);
    let mut job = story.job(8, Verb::Go, About::Default).always("look at the commit of web", Says::Nothing);
    job.request.command.as_mut().expect("a command").author.id = 2;
    let lines = job.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    let (outcome, answer) = job.verdict_on_command();
    assert_eq!(outcome, Outcome::Refused);
    assert!(answer.starts_with("GitHub does not show the commit"), "{answer}");
}

#[test]
fn a_driver_who_is_excluded_does_not_open_the_gate() {
    let mut story =
        Story::of([target("web").needing(["go"])]).with_gate(Gate { excludes_driver: true, ..gate("go") });
    story.request.driver = Login::parse("alice");
    story.run();
    let mut job = story.job(7, Verb::Go, About::Default);
    job.run();
    let (outcome, answer) = job.verdict_on_command();
    assert_eq!(outcome, Outcome::Refused);
    assert!(answer.contains("is the driver of this release"), "{answer}");
}

#[test]
fn a_command_that_a_record_holds_is_not_read_again() {
    let failed_dispatch = dispatch(50, [("web", StartState::Started)]);
    let mut story = Story::of([target("web")]).after(failed_dispatch).always("look at web", Says::Failed);
    let mut job = story.job(7, Verb::Retry, these(&["web"])).always("look at web", Says::Failed);
    let lines = job.run();
    assert_eq!(lines.iter().filter(|line| *line == "start web").count(), 1, "{lines:#?}");
    // The new run has failed as well when the job is run again.
    story.facts.log = job.facts.log;
    let mut again = story.job(7, Verb::Retry, these(&["web"])).always("look at web", Says::Failed);
    again.request.by.attempt = 2;
    let lines = again.run();
    assert!(
        !lines.iter().any(|line| line == "start web" || line.starts_with("comment: retry")),
        "{lines:#?}"
    );
    assert!(lines.contains(&"react to comment 7 of acme/hub#1 with rocket".to_owned()), "{lines:#?}");
}

#[test]
fn a_later_job_finishes_a_retry_whose_job_died_after_the_record() {
    let failed_dispatch = dispatch(50, [("web", StartState::Started)]);
    let story = Story::of([target("web")]).after(failed_dispatch);
    let mut job = story.job(7, Verb::Retry, these(&["web"])).always("look at web", Says::Failed);
    job.run_until("comment: web claimed");
    let mut later = story;
    later.facts.log = job.facts.log;
    let lines = later.always("look at web", Says::Failed).run();
    assert_eq!(lines.iter().filter(|line| *line == "start web").count(), 1, "{lines:#?}");
}

#[test]
fn a_hold_that_comes_between_claim_and_start_keeps_the_target_from_being_started() {
    let mut story = Story::of([target("web")]).following();
    story.run_until("start web");
    let hold = story.job(7, Verb::Hold, About::Default);
    let mut hold = hold.always("ask for hub run 100", Says::AtWork);
    hold.run();
    story.facts.log = hold.facts.log;
    let lines = story.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"edit comment 1: web waiting".to_owned()), "{lines:#?}");
    assert_eq!(story.status("web"), TargetStatus::OnHold);
    assert_eq!(story.problems(), [""; 0]);
    let lines = story.job(8, Verb::Resume, About::Default).run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn the_newest_word_counts_whatever_the_order_in_which_jobs_read_them() {
    let story = Story::of([target("web")]);
    let story =
        story.after_command(9, Verb::Hold, these(&["web"])).after_command(8, Verb::Hold, About::Default);
    let lines = story.job(7, Verb::Resume, About::Default).run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_skipped_target_counts_as_done_for_those_that_need_it() {
    let failed_dispatch = dispatch(50, [("web", StartState::Started)]);
    let story = Story::of([target("web"), target("docs").needing(["web"])]).after(failed_dispatch);
    let mut job = story.job(7, Verb::Skip, these(&["web"])).always("look at web", Says::Failed);
    let lines = job.run();
    assert!(lines.contains(&"start docs".to_owned()), "{lines:#?}");
    assert_eq!(job.status("web"), TargetStatus::Skipped);
}

#[test]
fn a_target_that_was_never_heard_of_can_be_skipped() {
    let story = Story::of([target("web"), target("docs").needing(["web"])]);
    let lines = story.job(7, Verb::Skip, these(&["web"])).run();
    assert!(lines.contains(&"start docs".to_owned()), "{lines:#?}");
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_run_is_cancelled_once_and_only_the_attempt_that_was_meant() {
    let started_dispatch = dispatch(50, [("web", StartState::Started)]);
    let story = Story::of([target("web")]).after(started_dispatch);
    let mut job = story.job(7, Verb::Cancel, these(&["web"])).always("look at web", Says::GoesOn);
    let lines = job.run();
    assert_eq!(lines.iter().filter(|line| line.starts_with("cancel web")).count(), 1, "{lines:#?}");
    assert_eq!(job.problems(), [""; 0]);
}

#[test]
fn nothing_is_started_within_a_freeze_unless_it_is_overridden() {
    let mut story = Story::of([target("web")]).frozen_for(5).following();
    let lines = story.run();
    assert!(!lines.iter().any(|line| line == "start web" || line.starts_with("pause")), "{lines:#?}");
    assert_eq!(story.problems(), [""; 0]);
    let lines = story.job(7, Verb::OverrideFreeze, About::Default).run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
    let mut later = story;
    later.now += TimeDelta::hours(5);
    let lines = later.run();
    assert!(lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_refused_command_starts_nothing_and_is_answered_once() {
    let mut job = Story::of([target("web")]).job(7, Verb::Hold, About::Default);
    job.request.command.as_mut().expect("a command").command =
        Err(Problem::new("bob may read acme/hub".to_owned()).help(Topic::Command, "ask"));
    assert_eq!(
        job.run(),
        [
            "read",
            "comment: an unknown command of alice, refused",
            "board",
            "react to comment 7 of acme/hub#1 with -1",
        ]
    );
    assert_eq!(job.verdict_on_command().1, "bob may read acme/hub.\n\n**What to do:** ask");
}

#[test]
fn a_job_that_waits_for_people_alone_ends_well() {
    let mut story =
        Story::of([target("web"), target("docs").needing(["web", "go"]), target("site").needing(["docs"])])
            .with_gate(gate("go"))
            .following();
    let lines = story.run();
    assert!(!lines.contains(&"start docs".to_owned()), "{lines:#?}");
    assert_eq!(story.problems(), [""; 0]);
    let results = crate::engine::results::results(&story.facts, &story.request, story.now);
    assert_eq!(results.waiting_for, ["go"]);
    assert_eq!(results.targets[1]["status"], "waiting");
    assert_eq!(results.targets[1]["waiting_for"], serde_json::json!(["go"]));
}

#[test]
fn decisions_of_other_accounts_count_for_nothing() {
    let story = gated_story();
    let mut job = story.job(7, Verb::Go, About::Default);
    job.run_until("comment: web claimed");
    let (comment, _) = job.facts.log.decisions().last().expect("a decision");
    let mut comment = comment.clone();
    comment.author = Some("mallory".to_owned());
    let mut story = story;
    story.facts.log.extend([comment]);
    let lines = story.run();
    assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
}

#[test]
fn a_decision_whose_record_somebody_deleted_counts_no_more() {
    let mut story =
        gated_story().after_command(7, Verb::Hold, About::Default).after_command(8, Verb::Go, About::Default);
    assert!(!story.run().contains(&"start web".to_owned()));
    let (hold, _) = story.facts.log.decisions().next().expect("the hold");
    let hold = hold.id;
    let mut later = story.next_job();
    later.facts.log.accept_loss(hold);
    assert!(later.run().contains(&"start web".to_owned()));
}

#[test]
fn a_run_that_began_at_a_commit_that_nobody_approved_is_cancelled() {
    let mut job = gated_story().job(7, Verb::Go, About::Default).when("look at web", [Says::GoesOnMoved]);
    let lines = job.run();
    let first = |line: &str| lines.iter().position(|other| other.contains(line)).expect("it happens");
    assert!(first("start web") < first("look at web"), "{lines:#?}");
    assert!(first("look at web") < first("cancel web, run 101"), "{lines:#?}");
    assert_eq!(
        job.problems(),
        [
            "web began at commit 2222222 of acme/web, but 1111111 was approved: the ref moved at that moment, and the run is cancelled"
        ]
    );
}

#[test]
fn the_same_refusal_of_the_same_person_is_answered_once() {
    let refused_job = |story: &Story, comment: u64| {
        let mut job = story.job(comment, Verb::Hold, About::Default);
        job.request.command.as_mut().expect("a command").command = Err(Problem::new("no".to_owned()));
        job
    };
    let mut story = Story::of([target("web")]);
    let mut job = refused_job(&story, 7);
    job.run();
    story.facts.log = job.facts.log;
    assert_eq!(refused_job(&story, 8).run(), ["read", "board", "react to comment 8 of acme/hub#1 with -1"]);
}

#[test]
fn a_lapse_is_recorded_once_and_a_ref_that_moves_before_any_approval_not_at_all() {
    let two = Gate { required_approvals: 2, ..gate("go") };
    let mut story = Story::of([target("web").needing(["go"])]).with_gate(two);
    story.run();
    let later = |story: &Story| story.next_job().always("look at the commit of web", Says::Moved);
    assert!(!later(&story).run().iter().any(|line| line.contains("comment") || line.contains("commit")));
    let mut story = story.after_command(7, Verb::Go, About::Default);
    let mut job = later(&story);
    assert!(job.run().contains(&"comment: web waiting".to_owned()));
    story.facts.log = job.facts.log;
    let lines = later(&story).run();
    assert!(!lines.iter().any(|line| line.contains("comment:")), "{lines:#?}");
}

#[test]
fn a_refusal_on_an_issue_of_an_unknown_account_claims_nothing() {
    let mut job = Story::of([target("web")]).after_command(6, Verb::Status, About::Default);
    job = job.job(7, Verb::Hold, About::Default).not_knowing_its_account();
    job.request.command.as_mut().expect("a command").command = Err(Problem::new("no".to_owned()));
    let mut job = job.when("ask whose token it is", [Says::Refused]);
    let lines = job.run();
    assert!(lines.contains(&"comment: an unknown command of alice, refused".to_owned()), "{lines:#?}");
    assert!(!lines.contains(&"comment: ".to_owned()), "{lines:#?}");
}
