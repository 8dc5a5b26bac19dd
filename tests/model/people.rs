//! What people say while hub jobs dispatch: commands, gates, holds and freezes in the model.

use release_ticket_action::ticket::Verb;

use crate::claims::{self, Claims, Order, People, Said};
use crate::store::Lag;
use crate::{fails, holds, lagging, pages, two_dispatchers};

const ALICE: u64 = 1;
const BOB: u64 = 2;

// ---- the same command, read twice ----

#[test]
fn two_jobs_that_read_a_retry_start_one_new_run() {
    let model =
        Claims { failed: 1, deaths: 1, ..listeners(people([said(ALICE, Verb::Retry, &[0])], &[0, 0])) };
    holds("two jobs read a retry", model);
}

#[test]
fn two_jobs_that_read_a_retry_start_no_third_run_when_the_new_one_fails() {
    let model =
        Claims { failed: 2, deaths: 1, ..listeners(people([said(ALICE, Verb::Retry, &[0])], &[0, 0])) };
    holds("two jobs read a retry, whose run fails", model);
}

#[test]
fn two_jobs_that_read_a_go_start_a_target_once() {
    let model = Claims { deaths: 1, ..listeners(gated(1, people([said(ALICE, Verb::Go, &[])], &[0, 0]))) };
    holds("two jobs read a go", model);
}

#[test]
fn two_jobs_that_read_a_retry_while_lists_lag_start_one_new_run() {
    let people = people([said(ALICE, Verb::Retry, &[0])], &[0, 0]);
    holds("two jobs read a retry, lists lag", Claims { failed: 1, ..lagging(listeners(people)) });
}

// ---- two commands at once ----

#[test]
fn a_hold_and_a_go_at_once_start_nothing_that_is_on_hold() {
    let commands = [said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Go, &[])];
    let model = Claims { deaths: 1, ..listeners(gated(1, people(commands, &[0, 1]))) };
    holds("a hold and a go", model);
}

#[test]
fn a_go_and_the_no_go_of_another_person_at_once_start_nothing_that_was_stopped_before() {
    let commands = [said(ALICE, Verb::Go, &[]), said(BOB, Verb::NoGo, &[])];
    let model = Claims { deaths: 1, ..listeners(gated(1, people(commands, &[0, 1]))) };
    holds("a go and a no-go", model);
}

#[test]
fn a_go_and_a_no_go_of_one_person_count_in_the_order_of_their_comments() {
    let commands = [said(ALICE, Verb::NoGo, &[]), said(ALICE, Verb::Go, &[]), said(ALICE, Verb::NoGo, &[])];
    let people = gated(1, people(commands, &[]));
    holds("no-go, go, no-go", Claims { jobs: 1, deaths: 1, ..listeners(people) });
}

#[test]
fn a_hold_counts_whose_job_is_faster_than_that_of_an_older_resume() {
    let commands =
        [said(ALICE, Verb::Hold, &[0]), said(ALICE, Verb::Resume, &[0]), said(BOB, Verb::Hold, &[0])];
    holds("hold, resume, hold", Claims { deaths: 1, ..listeners(people(commands, &[1, 2])) });
}

#[test]
fn words_on_all_and_on_one_target_count_in_the_order_of_their_comments() {
    let commands =
        [said(ALICE, Verb::Skip, &[0]), said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Resume, &[0])];
    let model = Claims { jobs: 1, targets: 2, ..listeners(people(commands, &[])) };
    holds("skip one, hold all, resume one", model);
}

// ---- a command during a wave ----

#[test]
fn a_hold_during_a_wave_keeps_the_next_target_until_it_ends() {
    let wave = wave(people([said(ALICE, Verb::Hold, &[1])], &[0]));
    holds("a hold in a wave", Claims { targets: 2, deaths: 1, ..listeners(wave) });
}

#[test]
fn a_skip_during_a_wave_lets_the_next_target_go_on() {
    let wave = wave(people([said(ALICE, Verb::Skip, &[0])], &[0]));
    holds("a skip in a wave", Claims { targets: 2, deaths: 1, ..listeners(wave) });
}

#[test]
fn a_cancel_during_a_wave_cancels_the_run_and_starts_nothing_anew() {
    let people = People { releases: false, ..wave(people([said(ALICE, Verb::Cancel, &[0])], &[0])) };
    holds("a cancel in a wave", Claims { deaths: 1, ..listeners(people) });
}

#[test]
fn a_retry_during_a_wave_starts_one_new_run_and_what_waits_for_it() {
    let wave = wave(people([said(ALICE, Verb::Retry, &[0])], &[0]));
    holds("a retry in a wave", Claims { targets: 2, failed: 1, deaths: 1, ..listeners(wave) });
}

#[test]
fn a_retry_that_is_held_back_is_made_good_later() {
    let commands = [said(ALICE, Verb::Retry, &[0]), said(BOB, Verb::Hold, &[]), said(BOB, Verb::Resume, &[])];
    let model = Claims { jobs: 1, failed: 1, deaths: 1, ..listeners(people(commands, &[0])) };
    holds("a retry, hold, resume", model);
}

#[test]
#[ignore = "takes a minute"]
fn commands_whose_jobs_meet_other_faults_start_a_target_once() {
    let commands = [said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Resume, &[])];
    let people = people(commands, &[0]);
    holds(
        "a hold and a resume, cancelled",
        Claims { deaths: 1, may_cancel: true, ..listeners(people.clone()) },
    );
    holds("a hold and a resume, a lost answer", Claims { losses: 1, refusals: 1, ..listeners(people) });
}

#[test]
fn a_hold_that_meets_two_dispatches_starts_nothing_that_is_on_hold() {
    let model =
        Claims { jobs: 3, may_yield: false, ..listeners(people([said(ALICE, Verb::Hold, &[])], &[0])) };
    holds("a hold and two dispatches", model);
}

// ---- lists that lag ----

#[test]
fn whoever_claims_while_lists_lag_has_read_the_holds_before() {
    let commands = [said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Resume, &[])];
    holds("a hold and a resume, lists lag", lagging(listeners(people(commands, &[0]))));
}

#[test]
fn without_the_barrier_a_hold_is_overheard() {
    let people = people([said(ALICE, Verb::Hold, &[])], &[]);
    let model = Claims { order: Order::WithoutBarrier, ..lagging(listeners(people)) };
    fails("a hold, without the barrier", model, claims::HEARD);
}

#[test]
fn without_reading_after_the_claim_a_hold_is_overheard() {
    let people = people([said(ALICE, Verb::Hold, &[])], &[]);
    let model = Claims { order: Order::WithoutReadingAgain, ..listeners(people) };
    fails("a hold, without reading after the claim", model, claims::HEARD);
}

// ---- references ----

#[test]
fn a_target_that_was_given_back_is_started_once_by_the_next_turn() {
    let commands = [said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Resume, &[])];
    let model = Claims { by_ref: true, may_yield: false, ..listeners(people(commands, &[])) };
    holds("a hold and a resume, references", model);
}

#[test]
#[ignore = "takes half an hour"]
fn a_target_is_started_once_whose_references_get_no_clear_answer() {
    let commands = [said(ALICE, Verb::Hold, &[]), said(BOB, Verb::Resume, &[])];
    let people = people(commands, &[]);
    let model =
        Claims { by_ref: true, ref_losses: 1, lag: Lag::Overlay, lag_ends: true, ..listeners(people) };
    holds("a hold and a resume, references, an answer is lost, overlay", model);
}

// ---- gates at a commit ----

#[test]
fn an_approval_lets_no_other_commit_pass() {
    let people = People { moves: 1, ..gated(1, people([said(ALICE, Verb::Go, &[])], &[0])) };
    holds("a go, the ref moves", Claims { deaths: 1, ..listeners(people) });
}

#[test]
fn two_approvals_of_different_commits_let_nothing_pass() {
    let commands = [said(ALICE, Verb::Go, &[]), said(BOB, Verb::Go, &[])];
    let people = People { moves: 1, ..gated(2, people(commands, &[0])) };
    holds("two gos, the ref moves", Claims { jobs: 1, deaths: 1, ..listeners(people) });
}

#[test]
fn an_approval_that_may_move_lets_every_commit_pass() {
    let people = People { moves: 1, may_move: true, ..gated(1, people([said(ALICE, Verb::Go, &[])], &[0])) };
    holds("a go, the ref may move", listeners(people));
}

// ---- freezes ----

#[test]
fn nothing_is_started_within_a_freeze_that_nobody_overrides() {
    let people = People { is_frozen: true, ..people([said(ALICE, Verb::OverrideFreeze, &[])], &[0]) };
    holds("a freeze is overridden", Claims { deaths: 1, ..listeners(people) });
}

// ---- the models ----

fn said(who: u64, verb: Verb, about: &'static [usize]) -> Said {
    Said { who, verb, about }
}

/// People who give these commands; each of the first jobs reads the one of this number.
fn people<const N: usize>(commands: [Said; N], readers: &[usize]) -> People {
    People { commands: commands.into(), readers: readers.into(), ..People::default() }
}

/// Every target needs a gate that takes so many approvals.
fn gated(required: u32, people: People) -> People {
    People { required: Some(required), ..people }
}

/// Each target needs the one before it, and jobs that read no command follow the runs, which end well at once.
fn wave(people: People) -> People {
    People { follow: true, chain: true, releases: true, ..people }
}

/// Two jobs where people speak.
fn listeners(people: People) -> Claims {
    Claims { pages: pages(9), people, ..two_dispatchers() }
}
