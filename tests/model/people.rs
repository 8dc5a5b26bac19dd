//! The tests of model B with people: commands, gates, holds and freezes while hub jobs dispatch.

use release_ticket_action::ticket::Verb;

use crate::claims::{self, ClaimFault, Claims, People, PersonCommand};
use crate::store::Lag;
use crate::{fails, holds, lagging, pages, two_dispatchers};

const ALICE: u64 = 1;
const BOB: u64 = 2;

// ---- the same command, read twice ----

#[test]
fn two_jobs_that_read_a_retry_start_one_new_run() {
    let model = Claims {
        failed_runs: 1,
        deaths: 1,
        ..with_people(people([command(ALICE, Verb::Retry, &[0])], &[0, 0]))
    };
    holds("two jobs read a retry", model);
}

#[test]
fn two_jobs_that_read_a_retry_start_no_third_run_when_the_new_one_fails() {
    let model = Claims {
        failed_runs: 2,
        deaths: 1,
        ..with_people(people([command(ALICE, Verb::Retry, &[0])], &[0, 0]))
    };
    holds("two jobs read a retry, whose run fails", model);
}

#[test]
fn two_jobs_that_read_a_go_start_a_target_once() {
    let model =
        Claims { deaths: 1, ..with_people(behind_gate(1, people([command(ALICE, Verb::Go, &[])], &[0, 0]))) };
    holds("two jobs read a go", model);
}

#[test]
fn two_jobs_that_read_a_retry_while_lists_lag_start_one_new_run() {
    let people = people([command(ALICE, Verb::Retry, &[0])], &[0, 0]);
    holds("two jobs read a retry, lists lag", Claims { failed_runs: 1, ..lagging(with_people(people)) });
}

// ---- two commands at once ----

#[test]
fn a_hold_and_a_go_at_once_start_nothing_that_is_on_hold() {
    let commands = [command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Go, &[])];
    let model = Claims { deaths: 1, ..with_people(behind_gate(1, people(commands, &[0, 1]))) };
    holds("a hold and a go", model);
}

#[test]
fn a_go_and_the_no_go_of_another_person_at_once_start_nothing_that_was_stopped_before() {
    let commands = [command(ALICE, Verb::Go, &[]), command(BOB, Verb::NoGo, &[])];
    let model = Claims { deaths: 1, ..with_people(behind_gate(1, people(commands, &[0, 1]))) };
    holds("a go and a no-go", model);
}

#[test]
fn a_go_and_a_no_go_of_one_person_count_in_the_order_of_their_comments() {
    let commands =
        [command(ALICE, Verb::NoGo, &[]), command(ALICE, Verb::Go, &[]), command(ALICE, Verb::NoGo, &[])];
    let people = behind_gate(1, people(commands, &[]));
    holds("no-go, go, no-go", Claims { jobs: 1, deaths: 1, ..with_people(people) });
}

#[test]
fn a_hold_that_is_recorded_before_an_older_resume_counts() {
    let commands = [
        command(ALICE, Verb::Hold, &[0]),
        command(ALICE, Verb::Resume, &[0]),
        command(BOB, Verb::Hold, &[0]),
    ];
    holds("hold, resume, hold", Claims { deaths: 1, ..with_people(people(commands, &[1, 2])) });
}

#[test]
fn words_on_all_and_on_one_target_count_in_the_order_of_their_comments() {
    let commands =
        [command(ALICE, Verb::Skip, &[0]), command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Resume, &[0])];
    let model = Claims { jobs: 1, targets: 2, ..with_people(people(commands, &[])) };
    holds("skip one, hold all, resume one", model);
}

// ---- a command during a wave ----

#[test]
fn a_hold_during_a_wave_keeps_the_next_target_until_it_ends() {
    let wave = wave(people([command(ALICE, Verb::Hold, &[1])], &[0]));
    holds("a hold in a wave", Claims { targets: 2, deaths: 1, ..with_people(wave) });
}

#[test]
fn a_skip_during_a_wave_lets_the_next_target_go_on() {
    let wave = wave(people([command(ALICE, Verb::Skip, &[0])], &[0]));
    holds("a skip in a wave", Claims { targets: 2, deaths: 1, ..with_people(wave) });
}

#[test]
fn a_cancel_during_a_wave_cancels_the_run_and_starts_nothing_anew() {
    let people = People { releases: false, ..wave(people([command(ALICE, Verb::Cancel, &[0])], &[0])) };
    holds("a cancel in a wave", Claims { deaths: 1, ..with_people(people) });
}

#[test]
fn a_retry_during_a_wave_starts_one_new_run_and_what_waits_for_it() {
    let wave = wave(people([command(ALICE, Verb::Retry, &[0])], &[0]));
    holds("a retry in a wave", Claims { targets: 2, failed_runs: 1, deaths: 1, ..with_people(wave) });
}

#[test]
fn a_retry_that_is_held_back_is_made_good_later() {
    let commands =
        [command(ALICE, Verb::Retry, &[0]), command(BOB, Verb::Hold, &[]), command(BOB, Verb::Resume, &[])];
    let model = Claims { jobs: 1, failed_runs: 1, deaths: 1, ..with_people(people(commands, &[0])) };
    holds("a retry, hold, resume", model);
}

#[test]
#[ignore = "takes a minute"]
fn commands_whose_jobs_meet_other_faults_start_a_target_once() {
    let commands = [command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Resume, &[])];
    let people = people(commands, &[0]);
    holds(
        "a hold and a resume, cancelled",
        Claims { deaths: 1, may_cancel: true, ..with_people(people.clone()) },
    );
    holds("a hold and a resume, a lost answer", Claims { losses: 1, refusals: 1, ..with_people(people) });
}

#[test]
fn a_hold_that_meets_two_dispatches_starts_nothing_that_is_on_hold() {
    let model =
        Claims { jobs: 3, may_yield: false, ..with_people(people([command(ALICE, Verb::Hold, &[])], &[0])) };
    holds("a hold and two dispatches", model);
}

// ---- lists that lag ----

#[test]
fn a_job_that_claims_while_lists_lag_has_read_the_holds_before() {
    let commands = [command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Resume, &[])];
    holds("a hold and a resume, lists lag", lagging(with_people(people(commands, &[0]))));
}

#[test]
fn without_the_barrier_a_hold_is_missed() {
    let people = people([command(ALICE, Verb::Hold, &[])], &[]);
    let model = Claims { fault: ClaimFault::WithoutBarrier, ..lagging(with_people(people)) };
    fails("a hold, without the barrier", model, claims::HEARD);
}

#[test]
fn without_reading_after_the_claim_a_hold_is_missed() {
    let people = people([command(ALICE, Verb::Hold, &[])], &[]);
    let model = Claims { fault: ClaimFault::WithoutReadingAgain, ..with_people(people) };
    fails("a hold, without reading after the claim", model, claims::HEARD);
}

// ---- references ----

#[test]
fn a_target_that_was_given_back_is_started_once_by_the_next_turn() {
    let commands = [command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Resume, &[])];
    let model = Claims { by_ref: true, may_yield: false, ..with_people(people(commands, &[])) };
    holds("a hold and a resume, references", model);
}

#[test]
#[ignore = "takes half an hour"]
fn a_target_whose_references_get_no_clear_answer_is_started_once() {
    let commands = [command(ALICE, Verb::Hold, &[]), command(BOB, Verb::Resume, &[])];
    let people = people(commands, &[]);
    let model =
        Claims { by_ref: true, ref_losses: 1, lag: Lag::Overlay, lag_ends: true, ..with_people(people) };
    holds("a hold and a resume, references, an answer is lost, overlay", model);
}

// ---- gates at a commit ----

#[test]
fn an_approval_lets_no_other_commit_pass() {
    let people = People { moves: 1, ..behind_gate(1, people([command(ALICE, Verb::Go, &[])], &[0])) };
    holds("a go, the ref moves", Claims { deaths: 1, ..with_people(people) });
}

#[test]
fn two_approvals_of_different_commits_let_nothing_pass() {
    let commands = [command(ALICE, Verb::Go, &[]), command(BOB, Verb::Go, &[])];
    let people = People { moves: 1, ..behind_gate(2, people(commands, &[0])) };
    holds("two gos, the ref moves", Claims { jobs: 1, deaths: 1, ..with_people(people) });
}

#[test]
fn an_approval_that_may_move_lets_every_commit_pass() {
    let people =
        People { moves: 1, may_move: true, ..behind_gate(1, people([command(ALICE, Verb::Go, &[])], &[0])) };
    holds("a go, the ref may move", with_people(people));
}

// ---- freezes ----

#[test]
fn nothing_is_started_within_a_freeze_that_nobody_overrides() {
    let people = People { is_frozen: true, ..people([command(ALICE, Verb::OverrideFreeze, &[])], &[0]) };
    holds("a freeze is overridden", Claims { deaths: 1, ..with_people(people) });
}

// ---- the models ----

fn command(who: u64, verb: Verb, about: &'static [usize]) -> PersonCommand {
    PersonCommand { who, verb, about }
}

/// People who give these commands. Each of the first jobs reads the command with the number in `readers`.
fn people<const N: usize>(commands: [PersonCommand; N], readers: &[usize]) -> People {
    People { commands: commands.into(), readers: readers.into(), ..People::default() }
}

/// Every target needs a gate that takes so many approvals.
fn behind_gate(required_approvals: u32, people: People) -> People {
    People { required_approvals: Some(required_approvals), ..people }
}

/// Each target needs the one before it, and jobs without a command follow the runs, which succeed at once.
fn wave(people: People) -> People {
    People { follow: true, chain: true, releases: true, ..people }
}

/// Two jobs, and these people.
fn with_people(people: People) -> Claims {
    Claims { pages: pages(9), people, ..two_dispatchers() }
}
