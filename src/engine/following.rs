//! The ticket and the runs as they stand now: read, looked at, and recorded where they have changed.

use std::collections::{BTreeMap, BTreeSet};

use super::board::update_board;
use super::known::{Doubt, Due, Identity, Lag, TicketIs};
use super::news::written;
use super::step::{Pause, RunOf, Step};
use super::view::View;
use crate::names::{RunId, TargetName};
use crate::ticket::{Dispatch, FollowedRun, Start, StartState, Writer};

/// So many runs that reports name, and that are not their target's, are asked about in a step.
const DOUBTS_PER_TARGET: usize = 5;

pub(super) fn read_the_log(view: &View<'_>) -> Vec<Step> {
    let is_open = matches!(view.known.ticket, TicketIs::Open { .. });
    if !is_open || view.known.round.is_read {
        return Vec::new();
    }
    if let Some(until) = view.known.lag.map(Lag::due).filter(|due| *due > view.now) {
        return vec![Step::Pause { until, reason: Pause::Listing }];
    }
    // The board is there before the first run is; what others write meanwhile it shows later.
    let board = (view.known.board.due == Due::Now && !view.request.wind_up).then(|| update_board(view));
    [Step::ReadLog].into_iter().chain(board).collect()
}

/// Asks under which account this step writes, where claims are there: only those of the same account count.
pub(super) fn ask_identity(view: &View<'_>) -> Vec<Step> {
    if view.known.log.first_claimant().is_none() {
        return Vec::new();
    }
    match view.known.identity {
        Identity::NotAsked => vec![Step::AskIdentity],
        // A record that claims nothing tells.
        Identity::Unknown if view.known.own.is_empty() && !view.request.wind_up && !view.only_answers() => {
            vec![view.write(None, view.record(view.last_seq() + 1, Vec::new(), Vec::new()))]
        }
        Identity::Unknown | Identity::Is(_) => Vec::new(),
    }
}

/// Looks at the runs that were not looked at since the last pause; where nobody follows them, only before
/// anything is claimed.
pub(super) fn look_at_runs(view: &View<'_>) -> Vec<Step> {
    let has_claimed = view.known.own.iter().any(|own| !own.record.targets.is_empty());
    if view.request.follow.is_none() && has_claimed {
        return Vec::new();
    }
    let missing = missing_runs(view);
    if !missing.is_empty() {
        return missing;
    }
    let is_new = |of: &RunOf| !view.known.round.runs.contains(&(of.target.clone(), of.run));
    // A run that has ended may be run again: that is for those to know who start or follow something.
    let is_open = |of: &RunOf| view.request.runs_decide() || !has_ended(view, &of.target, of.run);
    let looks = runs(view).into_iter().chain(doubtful_runs(view)).filter(|of| is_new(of) && is_open(of));
    looks.map(Step::LookAtRun).collect()
}

/// Looks again at runs that GitHub does not have, and that it may show later: who follows the runs does so anyway.
fn missing_runs(view: &View<'_>) -> Vec<Step> {
    let is_missing = |of: &RunOf| {
        let gone = view.known.sight.get(&of.target).filter(|_| view.request.follow.is_none())?.gone?;
        gone.next_look()
    };
    let missing = runs(view).into_iter().filter_map(|of| Some((is_missing(&of)?, of)));
    let (due, later): (Vec<_>, Vec<_>) = missing.partition(|(due, _)| *due <= view.now);
    if due.is_empty() {
        let until = later.into_iter().map(|(until, _)| until).min();
        return until.map(|until| Step::Pause { until, reason: Pause::Listing }).into_iter().collect();
    }
    due.into_iter().map(|(_, of)| Step::LookAtRun(of)).collect()
}

/// The newest run of each target that only its own repository's reports name. GitHub says whether it is one of the
/// target: then what it reports counts.
fn doubtful_runs(view: &View<'_>) -> Vec<RunOf> {
    let mut newest: BTreeMap<&TargetName, RunId> = BTreeMap::new();
    let second = view.ticket.second_starts.iter();
    let second: BTreeSet<_> = second.filter_map(|second| Some((&second.repository, second.run?))).collect();
    let ready = |name: &str| view.request.targets.iter().find(|ready| ready.name().as_str() == name);
    for (_, report) in view.known.log.reports() {
        let default = report.by.repository.name();
        for stage in &report.stages {
            let Some(ready) = ready(stage.target.as_ref().map_or(default, TargetName::as_str)) else {
                continue;
            };
            if ready.target.repository != report.by.repository {
                continue;
            }
            let name = ready.name();
            let of_target = view.ticket.targets.get(name).and_then(|target| target.run.as_ref());
            let is_newer = of_target.is_none_or(|run| report.by.run > run.id);
            let is_second = second.contains(&(&report.by.repository, report.by.run));
            let doubt = view.known.doubts.get(&(name.clone(), report.by.run));
            if is_newer && !is_second && doubt != Some(&Doubt::Refuted) {
                let known = newest.entry(name).or_insert(report.by.run);
                *known = (*known).max(report.by.run);
            }
        }
    }
    let refuted = |name: &TargetName| {
        let doubts = view.known.doubts.iter();
        doubts.filter(|((of, _), doubt)| of == name && **doubt == Doubt::Refuted).count()
    };
    let is_seen = |name: &TargetName| !view.known.sight.get(name).is_some_and(|sight| sight.is_unseen);
    let doubtful = newest.into_iter().filter(|(name, _)| is_seen(name) && refuted(name) < DOUBTS_PER_TARGET);
    doubtful
        .filter_map(|(name, run)| {
            let repository = ready(name.as_str())?.target.repository.clone();
            Some(RunOf { target: name.clone(), repository, run })
        })
        .collect()
}

/// The runs of the targets and of all that they need, as far as they are known and can be seen.
pub(super) fn runs(view: &View<'_>) -> Vec<RunOf> {
    let targets = || view.request.targets.iter().map(|ready| &ready.target);
    let mut names: Vec<&TargetName> = targets().map(|target| &target.name).collect();
    names.extend(targets().flat_map(|target| &target.needs));
    let (mut passed, mut runs) = (BTreeSet::new(), Vec::new());
    while let Some(name) = names.pop() {
        let Some(target) = view.ticket.targets.get(name).filter(|_| passed.insert(name)) else { continue };
        names.extend(&target.needs);
        let is_unseen = view.known.sight.get(name).is_some_and(|sight| sight.is_unseen || sight.is_lost);
        if let Some(run) = target.run.as_ref().filter(|_| !is_unseen) {
            let repository = run.repository.clone();
            runs.push(RunOf { target: name.clone(), repository, run: run.id });
        }
    }
    runs
}

/// Puts what the runs do into this job's records: where it claimed the target, else into one that only
/// follows.
pub(super) fn record_runs(view: &View<'_>) -> Vec<Step> {
    if view.known.round.recording_failed {
        return Vec::new();
    }
    let belongs = |record: &Dispatch, run: &FollowedRun| {
        let is_started = |start: &Start| start.target == run.target && start.state == StartState::Started;
        record.targets.iter().any(is_started)
            || record.followed.iter().any(|known| known.target == run.target)
    };
    let attempt = |run: &FollowedRun| (run.target.clone(), run.run, run.attempt);
    written(view, news(view), belongs, |record, runs| {
        record.followed.retain(|old| !runs.iter().any(|new| attempt(old) == attempt(new)));
        record.followed.extend(runs);
    })
}

/// What was seen of runs and is not recorded yet.
fn news(view: &View<'_>) -> Vec<FollowedRun> {
    let recorded = recorded(view);
    let news = view.known.runs.values().filter(|run| is_news(view, run, &recorded));
    news.cloned().collect()
}

/// The targets of which something was seen that could not be recorded.
pub(super) fn unrecorded(view: &View<'_>) -> Vec<TargetName> {
    if !view.known.round.recording_failed {
        return Vec::new();
    }
    news(view).into_iter().map(|run| run.target).collect()
}

/// Whether what was seen of a run says more than the records of this hub's own identity.
fn is_news(view: &View<'_>, run: &FollowedRun, recorded: &Recorded<'_>) -> bool {
    let target = view.known.log.ticket().targets.get(&run.target);
    // A dispatch that does not wait says only what decides something: each word is a comment. What the run itself has
    // reported says more than that it goes on.
    let known = target.and_then(|target| target.followed.as_ref());
    let is_urgent = |known: &FollowedRun| known.has_ended() || known.needs_review();
    let is_newer = target.and_then(|target| target.run.as_ref());
    let is_newer = is_newer.is_some_and(|known| (known.id, known.attempt) < (run.run, run.attempt));
    let decides = run.has_ended() || run.needs_review() || is_newer || known.is_some_and(is_urgent);
    if view.request.follow.is_none() && !decides {
        return false;
    }
    // Where another hub job has seen more of it, it is enough to have said so once.
    !recorded.get(&run.target).into_iter().flatten().any(|known| is_same(known, run))
}

/// The runs of each target as the records of this hub's own identity have them.
type Recorded<'v> = BTreeMap<&'v TargetName, Vec<&'v FollowedRun>>;

fn recorded<'v>(view: &'v View<'_>) -> Recorded<'v> {
    let mut recorded = Recorded::new();
    for run in view.claims().own().flat_map(|(_, claim)| &claim.followed) {
        recorded.entry(&run.target).or_default().push(run);
    }
    recorded
}

/// Whether a run stands as it did, whenever that was.
fn is_same(known: &FollowedRun, run: &FollowedRun) -> bool {
    let known = FollowedRun { at: run.at, reports: run.reports, other: run.other.clone(), ..known.clone() };
    known == *run
}

/// The runs that this hub run's job started and that have not ended, as far as that is known.
pub(super) fn started_runs(view: &View<'_>) -> Vec<RunOf> {
    let by = &view.request.by;
    let is_ours =
        |writer: &Writer| writer.repository == by.repository && writer.run == by.run && writer.job == by.job;
    let ours = view.claims().own().filter(|(_, dispatch)| is_ours(&dispatch.by));
    let recorded = ours.flat_map(|(_, dispatch)| &dispatch.targets).filter_map(|start| {
        let repository = start.repository.clone();
        Some(RunOf { target: start.target.clone(), repository, run: start.run? })
    });
    let settled = view.open_claims().filter_map(|(_, ready)| {
        let (run, _) = view.known.starts.get(ready.name())?.outcome()?.run.as_ref()?;
        let repository = ready.target.repository.clone();
        Some(RunOf { target: ready.name().clone(), repository, run: *run })
    });
    recorded.chain(settled).filter(|of| !has_ended(view, &of.target, of.run)).collect()
}

fn has_ended(view: &View<'_>, target: &TargetName, run: RunId) -> bool {
    let target = view.ticket.targets.get(target);
    let followed = target.and_then(|target| target.followed.as_ref());
    followed.is_some_and(|followed| followed.run == run && followed.has_ended())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use crate::engine::Retry;
    use crate::engine::testing::{Says, Story, dispatch, target};
    use crate::names::RunId;
    use crate::ticket::{StartState, TargetStatus};

    const REFUSED: &str = "cannot go on with acme/hub#1: it is refused";
    const NO_ANSWER: &str = "cannot go on with acme/hub#1: there is no answer";

    fn started() -> crate::ticket::Dispatch {
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
    fn a_job_that_does_not_wait_records_that_a_review_is_needed_and_that_it_is_over() {
        let mut log = Story::of([target("web")]).after(started()).known.log;
        for (hub_run, says, expected) in [
            (200, Says::NeedsReview, vec!["comment: web needs review"]),
            (201, Says::NeedsReview, vec![]),
            (202, Says::GoesOn, vec!["comment: web in progress"]),
            (203, Says::GoesOn, vec![]),
        ] {
            let mut story = Story::of([target("web")]).when("look at web", [says]);
            story.known.log = log;
            story.request.by.run = RunId(hub_run);
            let mut lines = story.run();
            lines.retain(|line| line.starts_with("comment"));
            assert_eq!(lines, expected, "hub run {hub_run}");
            log = story.known.log;
        }
    }

    #[test]
    fn a_run_that_another_job_has_started_is_recorded_in_a_record_that_only_follows() {
        let mut story = Story::of([target("web")]).following().after(started());
        story = story.when("look at web", [Says::GoesOn]);
        story.run();
        let records: Vec<_> = story.known.own.iter().map(|own| &own.record).collect();
        assert_eq!(records.len(), 1);
        assert!(records[0].targets.is_empty());
        assert_eq!(records[0].followed.len(), 1);
    }

    #[test]
    fn only_claims_of_the_account_under_which_the_step_writes_count() {
        let ask = "ask whose token it is".to_owned();
        let lines = Story::of([target("web")]).not_knowing_its_account().run();
        assert!(!lines.contains(&ask), "nobody has claimed anything: {lines:#?}");
        let lines = Story::of([target("web")]).not_knowing_its_account().after(started()).run();
        assert_eq!(lines[1..3], [ask.clone(), "look at web".to_owned()]);
        assert!(!lines.contains(&"start web".to_owned()), "{lines:#?}");
        // Where nobody says it, a record that claims nothing tells, before anything is decided.
        for (retry, starts) in [(Retry::Nothing, false), (Retry::Failed, true)] {
            let story = Story::of([target("web")]).not_knowing_its_account().after(started()).retrying(retry);
            let lines = story.always(&ask, Says::Refused).always("look at web", Says::Failed).run();
            assert_eq!(lines[2..4], ["comment: ", "look at web"]);
            assert_eq!(lines.contains(&"start web".to_owned()), starts, "{lines:#?}");
        }
    }

    #[test]
    fn a_job_that_does_not_follow_looks_once_at_runs_that_have_not_ended() {
        let mut story = Story::of([target("web")]).after(started());
        let lines = story.run();
        assert_eq!(lines[1..3], ["look at web", "comment: web released"]);
        let mut again = Story::of([target("web")]);
        again.known.log = story.known.log;
        let lines = again.run();
        assert!(!lines.contains(&"look at web".to_owned()), "it has ended: {lines:#?}");
        let lines = Story::of([target("docs").needing(["web"])]).after(started()).run();
        assert_eq!(lines[1..3], ["look at web", "comment: web released"]);
        assert!(lines.contains(&"start docs".to_owned()), "{lines:#?}");
        // A run that goes on decides nothing, so it is not worth a comment.
        let story = Story::of([target("docs").needing(["web"])]).after(started());
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
        let problem = "web: run 101 of acme/web has ended, and GitHub does not say how";
        assert_eq!(story.problems(), [problem]);
        let says = [Says::EndedSomehow, Says::EndedSomehow, Says::Ended];
        let mut story = following().when("look at web", says);
        let lines = story.run();
        assert!(lines.contains(&"edit comment 1: web started; web released".to_owned()), "{lines:#?}");
        assert!(story.problems().is_empty());
    }

    /// A job that begins two minutes after another one has started web.
    fn two_minutes_later() -> Story {
        let mut story = Story::of([target("web")]).after(started());
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
        assert!(story.known.log.ticket().targets["web"].has_lost_its_run());
        // The next job says so, too, and only a retry starts it again.
        for (retry, starts) in [(Retry::Nothing, false), (Retry::Failed, true)] {
            let mut next = Story::of([target("web")]).retrying(retry).always("look at web", Says::Gone);
            (next.known.log, next.now) = (story.known.log.clone(), story.now);
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
        assert_eq!(story.known.log.ticket().targets["web"].status, TargetStatus::Queued);
        // A record that says that it was deleted changes nothing where GitHub shows it.
        let mut story = two_minutes_later().always("look at web", Says::Gone);
        story.run();
        let mut next = Story::of([target("web")]).retrying(Retry::Failed).always("look at web", Says::GoesOn);
        (next.known.log, next.now) = (story.known.log, story.now);
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
