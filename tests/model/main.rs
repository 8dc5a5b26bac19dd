//! The ticket protocol, checked in every order in which the requests of several jobs can arrive.
//!
//! The jobs are small state machines that send one request at a time. The product's own code decides their next
//! requests, on the real texts of comments: its engine drives hub jobs, and its log drives boards. Each job may die
//! between any two requests. Jobs read lists page by page, and pages are tiny; or lists lag, and show a freely
//! chosen earlier state.

mod boards;
mod claims;
mod facts;
mod library;
mod people;
mod store;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use boards::{Action, BoardFault, Boards};
use claims::{ClaimFault, Claims, Flow, Goal, Ids, PUBLISHED, People, RunsLag, WRONG};
use store::{AtOnce, Clock, IsAsNew, Lag, Pages, Since};

// ---- the board ----

#[test]
fn two_jobs_that_find_no_board_leave_one_that_shows_both() {
    holds("two jobs, no board", two_jobs());
}

#[test]
fn jobs_that_report_again_leave_a_board_that_shows_all() {
    holds("two jobs, two reports each", Boards { reports: vec![2, 2], ..two_jobs() });
}

#[test]
fn jobs_that_resume_what_they_had_read_leave_a_board_that_shows_all() {
    holds("two jobs, resumed", Boards { reports: vec![2, 2], resume: true, ..two_jobs() });
}

#[test]
fn the_next_job_shows_what_dead_jobs_left_behind() {
    let model = Boards { reports: vec![2, 2], deaths: 2, late: true, ..two_jobs() };
    holds("two jobs die, one comes later", model);
}

#[test]
fn three_jobs_leave_a_board_that_shows_all() {
    holds("three jobs, pages of two", Boards { pages: pages(2), ..three_jobs() });
}

#[test]
#[ignore = "takes minutes"]
fn three_jobs_that_read_comment_by_comment_leave_a_board_that_shows_all() {
    holds("three jobs, pages of one", three_jobs());
}

#[test]
#[ignore = "takes minutes"]
fn three_jobs_that_find_no_board_leave_one_that_shows_all() {
    holds("three jobs, no board", Boards { boards: 0, pages: pages(9), ..three_jobs() });
}

#[test]
fn without_reading_again_a_board_loses_a_record() {
    let model = Boards { fault: BoardFault::WithoutReadingAgain, ..two_jobs() };
    fails("without reading again", model, boards::THE_BOARD_SHOWS_ALL);
}

#[test]
fn without_the_version_vector_a_board_forgets() {
    let model = Boards { reports: vec![2, 1], fault: BoardFault::WithoutGuard, ..two_jobs() };
    fails("without the version vector", model, boards::NOBODY_FORGETS);
}

/// A careless writer finds the lost record when it reads again, and puts it back.
#[test]
fn without_the_version_vector_the_last_board_still_shows_all() {
    let model = Boards { reports: vec![2, 2], fault: BoardFault::WithoutGuard, ..two_jobs() };
    let until = HasDiscoveries::AllOf([boards::THE_BOARD_SHOWS_ALL].into());
    explore("without the version vector, at the end", model, until)
        .assert_no_discovery(boards::THE_BOARD_SHOWS_ALL);
}

// ---- comments that move between two pages ----

/// A deletion moves all later comments to the front: the first comment of an unread page moves to a page that was read
/// already.
#[test]
fn a_spare_board_that_is_deleted_between_two_pages_hides_a_record() {
    let model = Boards { boards: 2, pages: pages(2), ..two_jobs() };
    fails("a spare board is deleted", model, boards::THE_BOARD_SHOWS_ALL);
}

#[test]
fn a_spare_board_that_is_emptied_hides_nothing() {
    let model = Boards { boards: 2, pages: pages(2), fault: BoardFault::WithoutDeleting, ..two_jobs() };
    holds("a spare board is emptied", model);
}

/// An edited comment joins the list of changes, and moves all later comments to the back.
#[test]
fn what_changed_can_hide_when_its_pages_are_not_read_in_their_order() {
    use Action::{Page, Send};
    let model = |at_once| Boards {
        reports: vec![2, 1, 1],
        pages: Pages { size: 1, at_once },
        resume: true,
        ..three_jobs()
    };
    let first_report = [Send(0), Page(0, 1), Page(0, 2), Send(0), Page(0, 1)];
    let all_write = [Send(0), Send(1), Send(2)];
    let third_page_before_second = [Page(0, 1), Page(0, 3)];
    let second_job = [Page(1, 1), Page(1, 2), Page(1, 3), Page(1, 4), Send(1), Page(1, 1)];
    let third_job = [Page(2, 1), Page(2, 2), Page(2, 3), Page(2, 4)];
    let first_job = [Page(0, 2), Send(0), Page(0, 1)];
    let story =
        [&first_report[..], &all_write, &third_page_before_second, &second_job, &third_job, &first_job]
            .concat();
    let failures = play(&model(AtOnce::Always), &story);
    assert_eq!(failures, Some(BTreeSet::from([boards::THE_BOARD_SHOWS_ALL])));
    assert_eq!(play(&model(AtOnce::WholeLists), &story), None, "no job reads the third page so early");
}

// ---- boards under lag ----

#[test]
fn jobs_whose_lists_lag_leave_a_board_that_shows_all() {
    holds("boards, lists lag", lagging_boards(PREFIX, two_jobs()));
}

#[test]
#[ignore = "takes minutes"]
fn jobs_whose_lists_lag_bring_an_old_board_up_to_date() {
    holds("an old board, lists lag", lagging_boards(PREFIX, Boards { boards: 1, ..two_jobs() }));
}

#[test]
fn jobs_whose_lists_lag_up_to_their_own_writes_leave_a_board_that_shows_all() {
    let model = Boards { reports: vec![2, 1], ..two_jobs() };
    holds("boards, lists lag up to own writes", lagging_boards(PREFIX_WITH_OWN_WRITES, model));
}

#[test]
fn jobs_that_resume_while_lists_lag_leave_a_board_that_shows_all() {
    let model = Boards { reports: vec![2, 1], resume: true, ..two_jobs() };
    holds("boards, lists lag, resumed", lagging_boards(PREFIX, model));
}

#[test]
#[ignore = "takes minutes"]
fn jobs_whose_lists_lag_and_that_report_again_leave_a_board_that_shows_all() {
    let model = Boards { reports: vec![2, 1], ..two_jobs() };
    holds("boards, lists lag, two reports", lagging_boards(PREFIX, model));
}

#[test]
#[ignore = "takes minutes"]
fn three_jobs_whose_lists_lag_up_to_their_own_writes_leave_a_board_that_shows_all() {
    holds("three jobs, lists lag up to own writes", lagging_boards(PREFIX_WITH_OWN_WRITES, three_jobs()));
}

/// A job cannot distinguish the newer of two boards of the same second. A list that shows the job's own write shows the
/// newer board; a list without it may show one that was overwritten.
#[test]
fn boards_of_the_same_second_lose_a_record_only_where_own_writes_are_missing() {
    let model = |lag| {
        let model = lagging_boards(lag, Boards { boards: 1, ..two_jobs() });
        Boards { clock: Clock { commits_a_second: 3, ..model.clock }, ..model }
    };
    holds("same second, lists lag up to own writes", model(PREFIX_WITH_OWN_WRITES));
    fails("same second, lists lag", model(PREFIX), boards::THE_BOARD_SHOWS_ALL);
}

#[test]
#[ignore = "takes minutes"]
fn the_next_job_shows_what_a_board_of_the_same_second_has_hidden() {
    let model = lagging_boards(PREFIX, Boards { boards: 1, late: true, ..two_jobs() });
    let clock = Clock { commits_a_second: 3, ..model.clock };
    holds("same second, lists lag, one comes later", Boards { clock, ..model });
}

/// A job that gives up the wait for its board, or dies, leaves missing records to the next job.
#[test]
fn the_next_job_shows_what_lag_has_hidden() {
    let model = || Boards { late: true, ..two_jobs() };
    let model_with_faults = Boards { give_ups: 2, deaths: 1, ..model() };
    holds("boards, lists lag, given up, one comes later", lagging_boards(PREFIX, model_with_faults));
    holds("boards, overlay, one comes later", lagging_boards(Lag::Overlay, model()));
}

/// Each page of a list may come from another replica, so a job may read a board without its records.
#[test]
fn pages_from_two_replicas_hide_nothing_from_the_next_job() {
    holds("boards, two replicas, one comes later", two_replicas(Boards { late: true, ..two_jobs() }));
}

#[test]
fn without_waiting_an_existing_comment_counts_as_gone() {
    let model = two_replicas(Boards { fault: BoardFault::WithoutWaiting, ..two_jobs() });
    fails("a comment is not waited for", model, boards::NOTHING_COUNTS_AS_GONE);
}

#[test]
fn a_cursor_by_the_date_of_the_answer_loses_a_record() {
    let model = lagging_boards(PREFIX, two_jobs());
    let clock = Clock { since: Since::Date, ..model.clock };
    fails("cursor by date", Boards { clock, ..model }, boards::THE_BOARD_SHOWS_ALL);
}

/// A job that lags may write the text that the board had before. An old list then shows it, and the job does not read
/// the board that it has overwritten.
#[test]
fn a_board_that_counts_by_its_text_alone_loses_a_record() {
    let model = lagging_boards(PREFIX, Boards { reports: vec![2, 1], resume: true, ..two_jobs() });
    let clock = Clock { is_as_new: IsAsNew::ByText, ..model.clock };
    fails("a board by its text", Boards { clock, ..model }, boards::THE_BOARD_SHOWS_ALL);
}

// ---- claims ----

#[test]
fn dispatchers_that_die_or_are_refused_and_run_again_start_a_target_once() {
    let model = Claims { deaths: 2, may_cancel: true, reruns: 1, refusals: 1, ..two_dispatchers() };
    holds("two dispatchers die", model);
}

#[test]
fn dispatchers_whose_answers_are_lost_find_their_runs() {
    let model = Claims { losses: 2, deaths: 1, may_cancel: true, reruns: 1, ..two_dispatchers() };
    holds("two dispatchers lose answers", model);
}

#[test]
fn dispatchers_whose_reads_get_no_answer_start_a_target_once() {
    let model = Claims { silences: 2, deaths: 1, reruns: 1, pages: pages(9), ..two_dispatchers() };
    holds("two dispatchers cannot read", model);
}

#[test]
fn dispatchers_of_two_targets_start_each_once() {
    let model = Claims { targets: 2, deaths: 1, may_cancel: true, reruns: 1, ..two_dispatchers() };
    holds("two dispatchers of two targets", model);
}

#[test]
fn three_dispatchers_start_a_target_once() {
    holds("three dispatchers", Claims { jobs: 3, deaths: 1, ..two_dispatchers() });
}

#[test]
fn dispatchers_that_never_yield_do_not_wait_for_a_dead_one() {
    let model = Claims { jobs: 3, deaths: 2, may_yield: false, pages: pages(2), ..two_dispatchers() };
    holds("three dispatchers that never yield", model);
}

#[test]
#[ignore = "takes minutes"]
fn three_dispatchers_that_die_and_run_again_start_a_target_once() {
    let model = Claims { jobs: 3, deaths: 2, reruns: 1, pages: pages(2), ..two_dispatchers() };
    holds("three dispatchers die", model);
}

#[test]
fn without_the_order_of_claims_a_target_is_started_twice() {
    let model = Claims { fault: ClaimFault::AnyClaimWins, ..two_dispatchers() };
    fails("without the order of claims", model, claims::NOT_TWICE);
}

#[test]
fn without_reading_after_the_claim_a_target_is_started_twice() {
    let model = Claims { fault: ClaimFault::WithoutReadingAgain, ..two_dispatchers() };
    fails("without reading after the claim", model, claims::NOT_TWICE);
}

#[test]
fn without_a_look_for_the_run_a_target_is_started_twice() {
    let model = Claims { fault: ClaimFault::WithoutLook, deaths: 1, ..two_dispatchers() };
    fails("without a look for the run", model, claims::NOT_TWICE);
}

// ---- claims after a failure ----

#[test]
fn dispatchers_that_see_a_failed_run_start_one_new_run() {
    let model =
        Claims { failed_runs: 1, deaths: 1, may_cancel: true, reruns: 1, refusals: 1, ..two_dispatchers() };
    holds("two dispatchers retry", model);
}

#[test]
fn three_dispatchers_that_see_a_failed_run_start_one_new_run() {
    holds(
        "three dispatchers retry",
        Claims { jobs: 3, failed_runs: 1, pages: pages(2), ..two_dispatchers() },
    );
}

/// A late job may see the second run fail as well, and starts a third one.
#[test]
fn dispatchers_start_one_new_run_for_each_failure() {
    let model = Claims { jobs: 3, failed_runs: 2, pages: pages(9), ..two_dispatchers() };
    holds("three dispatchers retry twice", model);
}

#[test]
fn without_the_order_of_claims_a_failed_run_is_followed_by_two() {
    let model = Claims { failed_runs: 1, fault: ClaimFault::AnyClaimWins, ..two_dispatchers() };
    fails("without the order of claims, retried", model, claims::NOT_TWICE);
}

// ---- claims under lag ----

#[test]
fn dispatchers_whose_lists_lag_start_a_target_once() {
    let model = Claims { deaths: 1, may_cancel: true, reruns: 1, ..lagging(two_dispatchers()) };
    holds("lists lag", model);
}

#[test]
fn dispatchers_whose_lists_lag_and_whose_answers_are_lost_start_a_target_once() {
    let model = Claims { deaths: 1, refusals: 1, losses: 1, give_ups: 1, ..lagging(two_dispatchers()) };
    holds("lists lag, answers are lost", model);
}

#[test]
#[ignore = "takes minutes"]
fn dispatchers_whose_lists_lag_and_that_meet_every_fault_start_a_target_once() {
    let model = Claims {
        deaths: 1,
        may_cancel: true,
        reruns: 1,
        refusals: 1,
        losses: 1,
        give_ups: 1,
        ..lagging(two_dispatchers())
    };
    holds("lists lag, every fault", model);
}

#[test]
fn dispatchers_whose_lists_lag_up_to_their_own_writes_start_a_target_once() {
    let lag = PREFIX_WITH_OWN_WRITES;
    let model = Claims { lag, deaths: 1, reruns: 1, ..lagging(two_dispatchers()) };
    holds("lists lag up to own writes", model);
}

#[test]
fn dispatchers_of_two_targets_whose_lists_lag_start_each_once() {
    holds("two targets, lists lag", Claims { targets: 2, deaths: 1, ..lagging(two_dispatchers()) });
}

#[test]
fn three_dispatchers_whose_lists_lag_start_a_target_once() {
    holds("three dispatchers, lists lag", Claims { jobs: 3, ..lagging(two_dispatchers()) });
}

#[test]
#[ignore = "takes minutes"]
fn three_dispatchers_whose_lists_lag_and_that_die_start_a_target_once() {
    let model = Claims { jobs: 3, deaths: 1, ..lagging(two_dispatchers()) };
    holds("three dispatchers, lists lag, one dies", model);
}

#[test]
fn dispatchers_whose_lists_lag_start_one_new_run() {
    let model = Claims { failed_runs: 1, deaths: 1, reruns: 1, ..lagging(two_dispatchers()) };
    holds("lists lag, retried", model);
}

#[test]
fn without_the_barrier_a_target_is_started_twice() {
    let model = Claims { fault: ClaimFault::WithoutBarrier, ..lagging(two_dispatchers()) };
    fails("without the barrier", model, claims::NOT_TWICE);
}

#[test]
fn with_one_look_for_the_run_a_target_is_started_twice() {
    let model = Claims { deaths: 1, fault: ClaimFault::OneLook, ..lagging(two_dispatchers()) };
    fails("one look for the run", model, claims::NOT_TWICE);
}

/// A job looks for a run longer than the expected lag of lists of runs. After a longer lag it finds no run.
#[test]
fn a_list_of_runs_that_lags_without_bound_lets_a_target_start_twice() {
    let model = || Claims { runs_lag: RunsLag::WithoutBound, ..lagging(two_dispatchers()) };
    fails("runs lag without bound, a death", Claims { deaths: 1, ..model() }, claims::NOT_TWICE);
    fails("runs lag without bound, a lost answer", Claims { losses: 1, ..model() }, claims::NOT_TWICE);
}

// ---- second starts, and their repair ----

/// If GitHub adds a job's own writes to an old list, the job passes the barrier without the earlier claims.
#[test]
fn own_writes_on_top_of_a_list_let_a_target_start_twice() {
    fails("overlay", overlay(Goal::NotTwice), claims::NOT_TWICE);
}

#[test]
fn the_next_dispatch_that_starts_anything_cancels_a_second_run() {
    holds("overlay, somebody starts more", overlay(Goal::OneLastsAfterAStart));
}

/// A job cancels only runs that its own account started. It learns its account from a record, so it writes one.
#[test]
fn a_dispatch_that_starts_nothing_cancels_a_second_run_too() {
    holds("overlay, somebody looks", overlay(Goal::OneLastsAfterALook));
}

/// GitHub creates a reference at most once, independent of lists.
#[test]
fn dispatchers_that_claim_by_references_start_a_target_once_whatever_lists_show() {
    let by_ref = |model| Claims { by_ref: true, ..model };
    holds("overlay, references", by_ref(overlay(Goal::NotTwice)));
    holds("overlay, references, two targets", by_ref(Claims { targets: 2, ..overlay(Goal::NotTwice) }));
    holds("ids before commits, references", by_ref(ids_before_commits(Goal::NotTwice)));
}

#[test]
#[ignore = "takes minutes"]
fn three_dispatchers_that_claim_by_references_start_a_target_once() {
    let model = Claims { jobs: 3, by_ref: true, may_yield: false, ..overlay(Goal::NotTwice) };
    holds("overlay, references, three dispatchers", model);
}

/// A job takes a reference over after lists have shown for a minute that all other jobs with a claim have ended. A list
/// that lags for longer hides the owner.
#[test]
#[ignore = "takes minutes"]
fn a_list_that_hides_the_owner_of_a_reference_for_longer_lets_a_target_start_twice() {
    let model = Claims { jobs: 3, by_ref: true, ..overlay(Goal::NotTwice) };
    fails("overlay, references, an owner unseen", model, claims::NOT_TWICE);
}

#[test]
fn ids_before_commits_let_a_target_start_twice() {
    fails("ids before commits", ids_before_commits(Goal::NotTwice), claims::NOT_TWICE);
}

/// The job that writes the board last reads both starts.
#[test]
fn of_two_dispatchers_the_last_one_cancels_a_second_run() {
    holds("ids before commits, at the end", ids_before_commits(Goal::OneLasts));
}

#[test]
#[ignore = "takes minutes"]
fn of_three_dispatchers_the_last_one_cancels_all_runs_but_one() {
    let model = Claims { jobs: 3, ..ids_before_commits(Goal::OneLasts) };
    holds("ids before commits, three dispatchers, at the end", model);
}

#[test]
fn a_dispatcher_that_does_not_see_its_board_leaves_a_second_run_to_the_next_dispatch() {
    let model = |goal| Claims { give_ups: 2, ..ids_before_commits(goal) };
    fails("ids before commits, boards unseen, at the end", model(Goal::OneLasts), claims::ONE_LASTS);
    holds("ids before commits, boards unseen, somebody starts more", model(Goal::OneLastsAfterAStart));
}

/// A job that died before it recorded its run leaves no record of it, and no job looks for a run of a started target.
#[test]
fn a_second_run_that_a_dead_job_has_not_recorded_lasts() {
    let model = Claims { deaths: 1, ..ids_before_commits(Goal::OneLastsAfterAStart) };
    fails("ids before commits, a death, somebody starts more", model, claims::ONE_LASTS);
}

/// A later claim has no right to start a target; if it did, another job starts no second run.
#[test]
fn a_job_leaves_alone_what_a_later_claim_has_started() {
    holds("overlay, a later claim", overlay(Goal::NotKnowingly));
    holds("ids before commits, a later claim", ids_before_commits(Goal::NotKnowingly));
}

#[test]
fn with_ids_in_the_order_of_commits_no_later_claim_has_started_the_target() {
    let model = Claims { deaths: 1, reruns: 1, goal: Goal::NotKnowingly, ..lagging(two_dispatchers()) };
    holds("lists lag, a later claim", model);
}

// ---- values that flow ----

#[test]
fn a_target_starts_once_with_the_value_that_github_has_confirmed() {
    let flow = Flow { late: 1, ..flow(&[PUBLISHED]) };
    holds("a value flows", Claims { flow, ..flowing() });
}

#[test]
fn a_value_that_is_wrong_at_first_never_starts_a_target() {
    let flow = Flow { silences: 1, ..flow(&[WRONG, PUBLISHED]) };
    holds("a wrong value first", Claims { flow, ..flowing() });
}

#[test]
fn a_wrong_value_that_is_reported_later_does_not_replace_a_confirmed_one() {
    let flow = Flow { in_time: 1, ..flow(&[PUBLISHED, WRONG]) };
    holds("a wrong value later", Claims { flow, ..flowing() });
}

#[test]
fn a_value_that_is_not_pinned_by_its_verification_starts_a_target_wrongly() {
    let flow = Flow { in_time: 1, ..flow(&[PUBLISHED, WRONG]) };
    let fault = ClaimFault::WithoutConfirmedValues;
    fails("a wrong value later, not pinned", Claims { flow, fault, ..flowing() }, claims::CONFIRMED);
}

// ---- the models ----

fn two_jobs() -> Boards {
    Boards {
        reports: vec![1, 1],
        pages: pages(1),
        deaths: 0,
        late: false,
        boards: 0,
        resume: false,
        clock: Clock {
            lag: Lag::Fresh,
            commits_a_second: 1,
            since: Since::NewestChange { margin: 0 },
            is_as_new: IsAsNew::ByTextAndTime,
            second_page: None,
        },
        give_ups: 0,
        fault: BoardFault::AsItIs,
    }
}

/// GitHub's lists of comments lag.
fn lagging_boards(lag: Lag, model: Boards) -> Boards {
    Boards { clock: Clock { lag, ..model.clock }, ..model }
}

/// The first comment of a list comes from one replica, and the others from another one. Each list begins with changes
/// that are older than any lag.
fn two_replicas(model: Boards) -> Boards {
    let since = Since::NewestChange { margin: 99 };
    Boards { clock: Clock { lag: PREFIX, second_page: Some(1), since, ..model.clock }, ..model }
}

const PREFIX: Lag = Lag::Prefix { own_writes: false };
const PREFIX_WITH_OWN_WRITES: Lag = Lag::Prefix { own_writes: true };

fn three_jobs() -> Boards {
    Boards { reports: vec![1, 1, 1], boards: 1, ..two_jobs() }
}

fn two_dispatchers() -> Claims {
    Claims {
        jobs: 2,
        targets: 1,
        failed_runs: 0,
        pages: pages(1),
        deaths: 0,
        may_cancel: false,
        reruns: 0,
        refusals: 0,
        losses: 0,
        ref_losses: 0,
        silences: 0,
        may_yield: true,
        lag: Lag::Fresh,
        lag_ends: false,
        runs_lag: RunsLag::Fresh,
        ids: Ids::InCommitOrder,
        by_ref: false,
        give_ups: 0,
        goal: Goal::NotTwice,
        fault: ClaimFault::AsItIs,
        people: People::default(),
        flow: Flow::default(),
    }
}

/// Two hub jobs follow two targets; the second target takes a value of the first one.
fn flowing() -> Claims {
    let people = People { chain: true, follow: true, releases: true, ..People::default() };
    Claims { targets: 2, pages: pages(9), may_yield: false, people, ..two_dispatchers() }
}

/// Values that are reported before the run of their target ends.
fn flow(reports: &'static [&'static str]) -> Flow {
    Flow { reports, in_time: reports.len(), ..Flow::default() }
}

/// The lists of comments and of runs lag.
fn lagging(model: Claims) -> Claims {
    Claims { lag: PREFIX, runs_lag: RunsLag::UntilTheLastLook, ..model }
}

/// GitHub adds its reader's own writes to a list.
fn overlay(goal: Goal) -> Claims {
    Claims { lag: Lag::Overlay, goal, ..two_dispatchers() }
}

/// GitHub commits comments in another order than that of their ids.
fn ids_before_commits(goal: Goal) -> Claims {
    Claims { ids: Ids::BeforeCommit, goal, ..lagging(two_dispatchers()) }
}

/// Pages of so many comments. Of a list of all comments, a job reads all pages after the first at the same time, as in
/// `issues.rs`.
fn pages(size: usize) -> Pages {
    Pages { size, at_once: AtOnce::WholeLists }
}

// ---- exploring ----

/// Explores all states, and asserts that no property fails in any.
fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + std::fmt::Debug + std::hash::Hash + Send + Sync + 'static,
    M::Action: Clone + PartialEq + std::fmt::Debug + Send + Sync,
{
    explore(name, model, HasDiscoveries::AnyFailures).assert_properties();
}

/// Explores states until `property` fails in one.
fn fails<M>(name: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + std::fmt::Debug + std::hash::Hash + Send + Sync + 'static,
    M::Action: Clone + PartialEq + std::fmt::Debug + Send + Sync,
{
    explore(name, model, HasDiscoveries::AllOf([property].into())).assert_any_discovery(property);
}

/// Explores states, and prints their number.
fn explore<M>(name: &str, model: M, until: HasDiscoveries) -> impl Checker<M>
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + std::hash::Hash + Send + Sync + 'static,
    M::Action: Clone + PartialEq + Send + Sync,
{
    let start = Instant::now();
    let checker = model.checker().threads(2).finish_when(until).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let seconds = start.elapsed().as_secs_f64();
    let discoveries: Vec<String> = checker
        .discoveries()
        .into_iter()
        .map(|(property, path)| format!("; after {} steps: {property}", path.into_actions().len()))
        .collect();
    let line = format!("{name}: {states} states, {depth} deep, {seconds:.1} s{}", discoveries.concat());
    writeln!(std::io::stderr().lock(), "{line}").expect("standard error takes text");
    checker
}

/// Plays one order of requests, and returns the properties that fail at its end. `None` if no job sends its requests in
/// that order.
fn play(model: &Boards, story: &[Action]) -> Option<BTreeSet<&'static str>> {
    let mut state = model.init_states().pop()?;
    for action in story {
        let mut possible = Vec::new();
        model.actions(&state, &mut possible);
        state = possible.contains(action).then(|| model.next_state(&state, *action))??;
    }
    let mut failures = BTreeSet::new();
    for property in model.properties() {
        if !(property.condition)(model, &state) {
            failures.insert(property.name);
        }
    }
    Some(failures)
}
