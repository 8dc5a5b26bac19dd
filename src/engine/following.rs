//! Reading the ticket and the runs, and recording changes of the runs.

use std::collections::{BTreeMap, BTreeSet};

use super::board::update_board;
use super::facts::{Doubt, Due, Identity, Lag, TicketState};
use super::news::write_news;
use super::step::{Pause, Step, TargetRun};
use super::view::View;
use crate::names::{RunId, TargetName};
use crate::ticket::{Dispatch, FollowedRun, Start, StartState, Writer};

/// The number of wrong runs in the reports of a target after which the job stops asking about more.
const DOUBTS_PER_TARGET: usize = 5;

pub(super) fn read_the_log(view: &View<'_>) -> Vec<Step> {
    let is_open = matches!(view.facts.ticket, TicketState::Open { .. });
    if !is_open || view.facts.round.is_read {
        return Vec::new();
    }
    if let Some(until) = view.facts.lag.map(Lag::due).filter(|due| *due > view.now) {
        return vec![Step::Pause { until, reason: Pause::Listing }];
    }
    // The board exists before the first run. It shows later what other jobs write in the meantime.
    let board = (view.facts.board.due == Due::Now && !view.request.wind_up).then(|| update_board(view));
    [Step::ReadLog].into_iter().chain(board).collect()
}

/// Asks for the account under which this step writes, if the log has claims: only claims of the same account count.
pub(super) fn ask_identity(view: &View<'_>) -> Vec<Step> {
    if view.facts.log.first_claimant().is_none() {
        return Vec::new();
    }
    match view.facts.identity {
        Identity::NotAsked => vec![Step::AskIdentity],
        // A record that claims nothing shows the account.
        Identity::Unknown
            if view.facts.own_records.is_empty() && !view.request.wind_up && !view.only_answers() =>
        {
            vec![view.write(None, view.record(view.last_seq() + 1, Vec::new(), Vec::new()))]
        }
        Identity::Unknown | Identity::Login(_) => Vec::new(),
    }
}

/// Looks at each run once after every pause. A job that does not follow runs does so only before it claims anything.
pub(super) fn look_at_runs(view: &View<'_>) -> Vec<Step> {
    let has_claimed = view.facts.own_records.iter().any(|own| !own.record.targets.is_empty());
    if view.request.follow.is_none() && has_claimed {
        return Vec::new();
    }
    let missing = missing_runs(view);
    if !missing.is_empty() {
        return missing;
    }
    let is_new = |of: &TargetRun| !view.facts.round.runs.contains(&(of.target.clone(), of.run));
    // A run that has ended may be run again: a job that starts or follows something has to know that.
    let is_open = |of: &TargetRun| view.request.runs_decide() || !has_ended(view, &of.target, of.run);
    let looks = runs(view).into_iter().chain(doubtful_runs(view)).filter(|of| is_new(of) && is_open(of));
    looks.map(Step::LookAtRun).collect()
}

/// Looks again at runs that GitHub does not show, as it may show them later. A job that follows runs does so anyway.
fn missing_runs(view: &View<'_>) -> Vec<Step> {
    let next_look = |of: &TargetRun| {
        let absence = view.facts.sight.get(&of.target).filter(|_| view.request.follow.is_none())?.absence?;
        absence.next_look()
    };
    let missing = runs(view).into_iter().filter_map(|of| Some((next_look(&of)?, of)));
    let (due, later): (Vec<_>, Vec<_>) = missing.partition(|(due, _)| *due <= view.now);
    if due.is_empty() {
        let until = later.into_iter().map(|(until, _)| until).min();
        return until.map(|until| Step::Pause { until, reason: Pause::Listing }).into_iter().collect();
    }
    due.into_iter().map(|(_, of)| Step::LookAtRun(of)).collect()
}

/// For each target, the newest run that is known only by reports from the target's repository. If GitHub shows it as a
/// run of the target, its reports count.
fn doubtful_runs(view: &View<'_>) -> Vec<TargetRun> {
    let mut newest: BTreeMap<&TargetName, RunId> = BTreeMap::new();
    let second_starts = view.ticket.second_starts.iter();
    let second_runs: BTreeSet<_> =
        second_starts.filter_map(|second| Some((&second.repository, second.run?))).collect();
    let ready = |name: &str| view.request.targets.iter().find(|ready| ready.name().as_str() == name);
    for (_, report) in view.facts.log.reports() {
        let default = report.by.repository.name();
        for stage in &report.stages {
            let Some(ready) = ready(stage.target.as_ref().map_or(default, TargetName::as_str)) else {
                continue;
            };
            if ready.target.repository != report.by.repository {
                continue;
            }
            let name = ready.name();
            let target_run = view.ticket.targets.get(name).and_then(|target| target.run.as_ref());
            let is_newer = target_run.is_none_or(|run| report.by.run > run.id);
            let is_second = second_runs.contains(&(&report.by.repository, report.by.run));
            let doubt = view.facts.doubts.get(&(name.clone(), report.by.run));
            if is_newer && !is_second && doubt != Some(&Doubt::Refuted) {
                let run = newest.entry(name).or_insert(report.by.run);
                *run = (*run).max(report.by.run);
            }
        }
    }
    let refuted_doubts = |name: &TargetName| {
        let doubts = view.facts.doubts.iter();
        doubts.filter(|((of, _), doubt)| of == name && **doubt == Doubt::Refuted).count()
    };
    let is_seen = |name: &TargetName| !view.facts.sight.get(name).is_some_and(|sight| sight.is_hidden);
    let doubtful_targets =
        newest.into_iter().filter(|(name, _)| is_seen(name) && refuted_doubts(name) < DOUBTS_PER_TARGET);
    doubtful_targets
        .filter_map(|(name, run)| {
            let repository = ready(name.as_str())?.target.repository.clone();
            Some(TargetRun { target: name.clone(), repository, run })
        })
        .collect()
}

/// The known runs of the targets and of all that they need, except those that the token cannot see.
pub(super) fn runs(view: &View<'_>) -> Vec<TargetRun> {
    let targets = || view.request.targets.iter().map(|ready| &ready.target);
    let mut names: Vec<&TargetName> = targets().map(|target| &target.name).collect();
    names.extend(targets().flat_map(|target| &target.needs));
    let (mut visited, mut runs) = (BTreeSet::new(), Vec::new());
    while let Some(name) = names.pop() {
        let Some(target) = view.ticket.targets.get(name).filter(|_| visited.insert(name)) else { continue };
        names.extend(&target.needs);
        let is_unseen = view.facts.sight.get(name).is_some_and(|sight| sight.is_hidden || sight.is_lost);
        if let Some(run) = target.run.as_ref().filter(|_| !is_unseen) {
            let repository = run.repository.clone();
            runs.push(TargetRun { target: name.clone(), repository, run: run.id });
        }
    }
    runs
}

/// Writes the state of the runs into this job's records: into that which claims the target, else into one that only
/// follows.
pub(super) fn record_runs(view: &View<'_>) -> Vec<Step> {
    if view.facts.round.has_failed_to_record {
        return Vec::new();
    }
    let belongs = |record: &Dispatch, run: &FollowedRun| {
        let is_started = |start: &Start| start.target == run.target && start.state == StartState::Started;
        record.targets.iter().any(is_started)
            || record.followed_runs.iter().any(|other| other.target == run.target)
    };
    let attempt = |run: &FollowedRun| (run.target.clone(), run.run, run.attempt);
    write_news(view, news(view), belongs, |record, runs| {
        record.followed_runs.retain(|old| !runs.iter().any(|new| attempt(old) == attempt(new)));
        record.followed_runs.extend(runs);
    })
}

/// The states of runs that are not recorded yet.
fn news(view: &View<'_>) -> Vec<FollowedRun> {
    let recorded_runs = recorded_runs(view);
    let news = view.facts.runs.values().filter(|run| is_news(view, run, &recorded_runs));
    news.cloned().collect()
}

/// The targets with news that could not be recorded.
pub(super) fn unrecorded_targets(view: &View<'_>) -> Vec<TargetName> {
    if !view.facts.round.has_failed_to_record {
        return Vec::new();
    }
    news(view).into_iter().map(|run| run.target).collect()
}

/// Whether the state of a run is newer than in the records of this hub's own identity.
fn is_news(view: &View<'_>, run: &FollowedRun, recorded_runs: &RecordedRuns<'_>) -> bool {
    let target = view.facts.log.ticket().targets.get(&run.target);
    // A dispatch that does not wait records only states that decide something, as each record is a comment. The run's
    // own reports say more than that it goes on.
    let last = target.and_then(|target| target.followed_run.as_ref());
    let is_urgent = |last: &FollowedRun| last.has_ended() || last.needs_review();
    let is_newer = target.and_then(|target| target.run.as_ref());
    let is_newer = is_newer.is_some_and(|last| (last.id, last.attempt) < (run.run, run.attempt));
    let decides = run.has_ended() || run.needs_review() || is_newer || last.is_some_and(is_urgent);
    if view.request.follow.is_none() && !decides {
        return false;
    }
    // If another hub job has recorded a later state, this one is recorded once all the same.
    !recorded_runs.get(&run.target).into_iter().flatten().any(|last| is_same(last, run))
}

/// The runs of each target as the records of this hub's own identity have them.
type RecordedRuns<'v> = BTreeMap<&'v TargetName, Vec<&'v FollowedRun>>;

fn recorded_runs<'v>(view: &'v View<'_>) -> RecordedRuns<'v> {
    let mut recorded_runs = RecordedRuns::new();
    for run in view.claims().own().flat_map(|(_, claim)| &claim.followed_runs) {
        recorded_runs.entry(&run.target).or_default().push(run);
    }
    recorded_runs
}

/// Whether two states of a run are the same, apart from their times.
fn is_same(last: &FollowedRun, run: &FollowedRun) -> bool {
    let last = FollowedRun { at: run.at, reports: run.reports, other: run.other.clone(), ..last.clone() };
    last == *run
}

/// The unfinished runs that this hub run's job has started, in this or an earlier attempt.
pub(super) fn started_runs(view: &View<'_>) -> Vec<TargetRun> {
    let by = &view.request.by;
    let is_ours =
        |writer: &Writer| writer.repository == by.repository && writer.run == by.run && writer.job == by.job;
    let ours = view.claims().own().filter(|(_, dispatch)| is_ours(&dispatch.by));
    let old_runs = ours.flat_map(|(_, dispatch)| &dispatch.targets).filter_map(|start| {
        let repository = start.repository.clone();
        Some(TargetRun { target: start.target.clone(), repository, run: start.run? })
    });
    let new_runs = view.open_claims().filter_map(|(_, ready)| {
        let (run, _) = view.facts.starts.get(ready.name())?.outcome()?.run.as_ref()?;
        let repository = ready.target.repository.clone();
        Some(TargetRun { target: ready.name().clone(), repository, run: *run })
    });
    old_runs.chain(new_runs).filter(|of| !has_ended(view, &of.target, of.run)).collect()
}

fn has_ended(view: &View<'_>, target: &TargetName, run: RunId) -> bool {
    let target = view.ticket.targets.get(target);
    let followed_run = target.and_then(|target| target.followed_run.as_ref());
    followed_run.is_some_and(|followed_run| followed_run.run == run && followed_run.has_ended())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use crate::engine::Retry;
    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::names::RunId;
    use crate::ticket::{StartState, TargetStatus};

    const REFUSED: &str = "cannot continue with acme/hub#1: it is refused";
    const NO_ANSWER: &str = "cannot continue with acme/hub#1: there is no answer";

    fn started_dispatch() -> crate::ticket::Dispatch {
        dispatch(50, [("web", StartState::Started)])
    }

    #[test]
    fn a_run_is_recorded_where_the_target_was_claimed_and_only_when_it_has_changed() {
        let mut story = Story::of([target("web")]).following();
        story = story.when("look at web", [Says::GoesOn, Says::GoesOn]);
        story.run_until("look at web");
        assert_eq!(
            story.run(),
            [
                "look at web",
                "edit comment 1: web started; web in progress",
                "board",
                "pause: runs of web",
                "read",
                "look at web",
                "board",
                "pause: runs of web",
                "read",
                "look at web",
                "edit comment 1: web started; web released",
                "board",
            ]
        );
    }

    #[test]
    fn a_job_that_does_not_wait_records_that_a_review_is_needed_and_that_it_has_ended() {
        let mut log = Story::of([target("web")]).after(started_dispatch()).facts.log;
        for (hub_run, says, expected) in [
            (200, Says::NeedsReview, vec!["comment: web needs review"]),
            (201, Says::NeedsReview, vec![]),
            (202, Says::GoesOn, vec!["comment: web in progress"]),
            (203, Says::GoesOn, vec![]),
        ] {
            let mut story = Story::of([target("web")]).when("look at web", [says]);
            story.facts.log = log;
            story.request.by.run = RunId(hub_run);
            let mut lines = story.run();
            lines.retain(|line| line.starts_with("comment"));
            assert_eq!(lines, expected, "hub run {hub_run}");
            log = story.facts.log;
        }
    }

    #[test]
    fn a_run_that_another_job_has_started_is_recorded_in_a_record_that_only_follows() {
        let mut story = Story::of([target("web")]).following().after(started_dispatch());
        story = story.when("look at web", [Says::GoesOn]);
        story.run();
        let records: Vec<_> = story.facts.own_records.iter().map(|own| &own.record).collect();
        assert_eq!(records.len(), 1);
        assert!(records[0].targets.is_empty());
        assert_eq!(records[0].followed_runs.len(), 1);
    }

    #[test]
    fn only_claims_of_the_account_under_which_the_step_writes_count() {
        let ask = "ask whose token it is".to_owned();
        let lines = Story::of([target("web")]).not_knowing_its_account().run();
        assert!(!lines.contains(&ask), "nobody has claimed anything: {lines:#?}");
        let lines = Story::of([target("web")]).not_knowing_its_account().after(started_dispatch()).run();
        assert_eq!(lines[1..3], [ask.clone(), "look at web".to_owned()]);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        // If GitHub does not name the account, a record that claims nothing shows it, before anything is decided.
        for (retry, starts) in [(Retry::Nothing, false), (Retry::Failed, true)] {
            let story = Story::of([target("web")])
                .not_knowing_its_account()
                .after(started_dispatch())
                .retrying(retry);
            let lines = story.always(&ask, Says::Refused).always("look at web", Says::Failed).run();
            assert_eq!(lines[2..4], ["comment: ", "look at web"]);
            assert_eq!(lines.contains(&"start web".to_owned()), starts, "{lines:#?}");
        }
    }

    #[test]
    fn a_job_that_does_not_follow_looks_once_at_runs_that_have_not_ended() {
        let mut story = Story::of([target("web")]).after(started_dispatch());
        let lines = story.run();
        assert_eq!(lines[1..3], ["look at web", "comment: web released"]);
        let mut again = Story::of([target("web")]);
        again.facts.log = story.facts.log;
        let lines = again.run();
        assert!(!lines.contains(&"look at web".to_owned()), "it has ended: {lines:#?}");
        let lines = Story::of([target("docs").needing(["web"])]).after(started_dispatch()).run();
        assert_eq!(lines[1..3], ["look at web", "comment: web released"]);
        assert!(lines.contains(&"start docs".to_owned()), "{lines:#?}");
        // A run that goes on decides nothing, so it is not worth a comment.
        let story = Story::of([target("docs").needing(["web"])]).after(started_dispatch());
        let lines = story.when("look at web", [Says::GoesOn]).run();
        assert_eq!(lines[1..3], ["look at web", "comment: docs waiting"]);
    }

    #[test]
    fn a_bad_answer_while_following_is_survived_and_a_refusal_stops_the_job() {
        let following = |read, step: &str, says| {
            let mut story = Story::of([target("web")]).following().when("look at web", [Says::GoesOn]);
            story.run_until(read);
            let mut story = story.when(step, [says]);
            story.run();
            story.problems()
        };
        let (pause, write) = ("pause: runs of web", "edit comment 1: web started; web released");
        assert!(following(pause, "read", Says::Nothing).is_empty());
        assert_eq!(following(pause, "read", Says::Refused), [REFUSED]);
        assert!(following(pause, write, Says::Nothing).is_empty());
        assert_eq!(following(pause, write, Says::Refused), [REFUSED]);
    }

    #[test]
    fn a_run_that_could_not_be_recorded_is_recorded_in_the_next_round() {
        let write = "edit comment 1: web and api started; api in progress; web released";
        let mut story = Story::of([target("web"), target("api")]).following();
        story = story.when("look at api", [Says::GoesOn, Says::GoesOn]).when(write, [Says::Nothing]);
        story.run_until(write);
        assert_eq!(
            story.run(),
            [
                write,
                "board",
                "pause: runs of api, web",
                "read",
                "look at api | look at web",
                write,
                "board",
                "pause: runs of api",
                "read",
                "look at api | look at web",
                "edit comment 1: web and api started; web and api released",
                "board"
            ]
        );
    }

    #[test]
    fn the_first_read_and_the_one_after_a_claim_must_go_well() {
        for before in ["read", "comment: web claimed"] {
            for follows in [false, true] {
                let mut story = Story::of([target("web")]);
                story = if follows { story.following() } else { story };
                story.run_until(before);
                let mut story = story.when("read", [Says::Nothing]);
                let lines = story.run();
                assert_eq!(story.problems(), [NO_ANSWER], "{lines:#?}");
                assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
            }
        }
    }

    #[test]
    fn a_list_without_the_own_claim_decides_nothing_and_is_read_again() {
        let mut story = Story::of([target("web")]);
        story.run_until("comment: web claimed");
        let mut story = story.when("read", [Says::Lags, Says::Lags]);
        assert_eq!(
            story.run(),
            [
                "comment: web claimed",
                "read | board",
                "pause: listing",
                "read",
                "pause: listing",
                "read",
                "start web",
                "edit comment 1: web started",
                "board"
            ]
        );
    }

    #[test]
    fn a_claim_that_github_does_not_list_for_a_minute_stops_the_job_before_the_start() {
        let mut story = Story::of([target("web")]);
        story.run_until("comment: web claimed");
        let mut story = story.always("read", Says::Lags);
        let began = story.now;
        let lines = story.run();
        assert_eq!((story.now - began).num_seconds(), 60, "{lines:#?}");
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        assert!(story.problems()[0].contains("GitHub does not list the comment"), "{:?}", story.problems());
    }

    #[test]
    fn a_cancelled_job_gives_its_claims_back_even_if_it_cannot_read() {
        let mut story = Story::of([target("web")]);
        story.run_until("comment: web claimed");
        story.run_until("read");
        story.cancel();
        let mut story = story.when("read", [Says::Nothing]);
        assert_eq!(story.run(), ["read", "edit comment 1: web cancelled", "board"]);
    }

    #[test]
    fn a_claim_that_cannot_be_written_stops_the_job() {
        for says in [Says::Nothing, Says::Refused] {
            let mut story = Story::of([target("web")]).following().always("comment: web claimed", says);
            assert_eq!(story.run(), ["read", "comment: web claimed"]);
            assert_eq!(story.problems().len(), 1);
        }
    }

    #[test]
    fn a_start_that_cannot_be_recorded_stops_the_job() {
        let mut story = Story::of([target("web")]).following();
        story = story.always("edit comment 1: web started", Says::Nothing);
        let lines = story.run();
        assert_eq!(lines[lines.len() - 2..], ["start web", "edit comment 1: web started"]);
        assert_eq!(story.problems(), [NO_ANSWER]);
    }

    #[test]
    fn a_run_that_may_not_be_seen_for_a_minute_is_lost_and_reported() {
        let mut story = Story::of([target("web")]).following().always("look at web", Says::Refused);
        story.request.follow.as_mut().expect("it follows").interval = Duration::from_secs(20);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "look at web").count(), 4);
        assert_eq!(story.problems(), ["cannot follow web, run 101 of acme/web: it is refused"]);
    }

    #[test]
    fn a_run_that_has_ended_somehow_is_waited_for_until_looks_have_agreed_for_a_minute() {
        let following = || {
            let mut story = Story::of([target("web")]).following();
            story.request.follow.as_mut().expect("it follows").interval = Duration::from_secs(20);
            story
        };
        let mut story = following().always("look at web", Says::EndedSomehow);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "look at web").count(), 4);
        let problem = "web: run 101 of acme/web has ended, but GitHub does not say how";
        assert_eq!(story.problems(), [problem]);
        let says = [Says::EndedSomehow, Says::EndedSomehow, Says::Ended];
        let mut story = following().when("look at web", says);
        let lines = story.run();
        assert!(lines.contains(&"edit comment 1: web started; web released".to_owned()), "{lines:#?}");
        assert!(story.problems().is_empty());
    }

    /// A job that begins two minutes after another one has started web.
    fn two_minutes_later() -> Story {
        let mut story = Story::of([target("web")]).after(started_dispatch());
        story.now += TimeDelta::minutes(2);
        story
    }

    #[test]
    fn a_run_is_deleted_when_several_looks_find_none() {
        let mut story = two_minutes_later().always("look at web", Says::Gone);
        let began = story.now;
        let lines = story.run_until("board");
        let looks = "look at web, pause: listing, ".repeat(5) + "look at web";
        assert!(lines.join(", ").contains(&looks), "{lines:#?}");
        assert_eq!((story.now - began).num_seconds(), 30);
        assert!(story.facts.log.ticket().targets["web"].has_lost_its_run());
        // The next job says so, too, and only a retry starts it again.
        for (retry, starts) in [(Retry::Nothing, false), (Retry::Failed, true)] {
            let mut next = Story::of([target("web")]).retrying(retry).always("look at web", Says::Gone);
            (next.facts.log, next.now) = (story.facts.log.clone(), story.now);
            let lines = next.run();
            assert_eq!(lines.contains(&"start web".to_owned()), starts, "{lines:#?}");
        }
    }

    #[test]
    fn a_run_that_a_replica_lacked_is_neither_deleted_nor_started_again() {
        let says = [Says::Gone, Says::Gone, Says::GoesOn];
        let mut story = two_minutes_later().retrying(Retry::Failed).when("look at web", says);
        let lines = story.run();
        assert!(lines.contains(&"start again: nothing".to_owned()), "{lines:#?}");
        assert_eq!(story.facts.log.ticket().targets["web"].status, TargetStatus::Queued);
        // A record that says that it was deleted changes nothing where GitHub shows it.
        let mut story = two_minutes_later().always("look at web", Says::Gone);
        story.run();
        let mut next = Story::of([target("web")]).retrying(Retry::Failed).always("look at web", Says::GoesOn);
        (next.facts.log, next.now) = (story.facts.log, story.now);
        assert!(!next.run().contains(&"start web".to_owned()));
    }

    #[test]
    fn a_run_that_is_seen_again_is_not_lost() {
        let mut story = Story::of([target("web")]).following();
        story.request.follow.as_mut().expect("it follows").interval = Duration::from_secs(20);
        let says = [Says::Refused, Says::Refused, Says::Nothing, Says::GoesOn, Says::Refused, Says::Refused];
        let mut story = story.when("look at web", says);
        let lines = story.run();
        assert_eq!(lines.iter().filter(|line| *line == "look at web").count(), 7);
        assert!(story.problems().is_empty());
    }
}
