//! The engine: the next steps of a hub job, as one plain function of its facts.
//!
//! ```text
//!            ┌──────── learn ◄──────── answers ◄─┐
//!            ▼                                   │
//! Request, Facts ──► next ──► steps ──► performed by `dispatch`, assumed by `forecast`, or
//!                                       played in every order by the model of the tests
//! ```
//!
//! The engine is a reconciler: it remembers no position in a procedure. [`next`] takes the facts, and the first of its
//! rules with something to do gives the next steps; if no rule has, the job has ended. So a dry run prints the steps
//! of a real run ([`forecast()`]), a re-run does the missing steps, and a cancelled job winds up by the same rules. A
//! job with a command follows fewer rules if it can start nothing, or if the command is refused.
//!
//! Each rule is a function in the file of its subject: `opening`, `following`, `earlier`, `deciding`, `claiming`,
//! `outputs`, `starting`, `repair`, `verifying`, `watching`, `remembering`, `pinging`, `recording`, `board`,
//! `waiting`, `closing`. `verdict` says whether a target is started, and if not, why: decisions of people count, too. A
//! rule gives no steps once [`Facts`] holds their answers, so `learn` has to keep the answer to every step, also a
//! failure.

mod board;
mod claiming;
pub mod closing;
mod deciding;
pub mod earlier;
pub mod facts;
mod following;
pub mod forecast;
mod identify;
mod learn;
mod locking;
mod news;
mod opening;
mod outputs;
mod pinging;
mod progress;
pub mod ready;
pub mod recording;
mod remembering;
mod repair;
pub mod request;
pub mod results;
mod starting;
pub mod step;
#[cfg(test)]
mod testing;
mod verdict;
mod verifying;
mod view;
mod waiting;
mod watching;
pub mod wording;

use chrono::{DateTime, Utc};

pub use facts::{Facts, TicketState};
pub use forecast::forecast;
pub use ready::ReadyTarget;
pub use request::{Claim, Follow, Patience, Publication, Request, Retry};
pub use step::{Answer, Failure, Pause, Step};
use view::View;

/// The searches of a dry run, after the first questions: for runs that an ended hub job may have started.
#[must_use]
pub fn searches(facts: &Facts, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    starting::searches(&View::new(facts, request, now))
}

/// A rule: its next steps; none if it has nothing to do.
type Rule = fn(&View<'_>) -> Vec<Step>;

/// The rules of a hub job, the most urgent first.
const RULES: [Rule; 34] = [
    opening::open_the_ticket,
    opening::close_duplicates,
    following::read_the_log,
    following::ask_identity,
    following::look_at_runs,
    claiming::ask_about_other_jobs,
    following::record_runs,
    verifying::verify,
    verifying::record,
    earlier::take_over,
    deciding::look_at_commits,
    deciding::decide,
    deciding::cancel_runs,
    claiming::start_failed_targets_again,
    claiming::leave_alone,
    starting::record_outcomes,
    claiming::claim,
    repair::cancel_second_starts,
    repair::record_second_starts,
    board::show_the_board_first,
    starting::start,
    deciding::compare_commits,
    watching::record_the_watch,
    remembering::remember,
    pinging::ping,
    recording::record,
    board::show_the_board,
    deciding::react,
    outputs::look_again,
    verifying::look_again,
    waiting::wait,
    waiting::cancel_runs,
    recording::publish,
    closing::end,
];

/// The rules of a hub job with a command that can start nothing: it records the decision, which holds from then on.
const DECIDE: [Rule; 10] = [
    following::read_the_log,
    following::ask_identity,
    following::look_at_runs,
    claiming::ask_about_other_jobs,
    following::record_runs,
    deciding::look_at_commits,
    deciding::decide,
    deciding::cancel_runs,
    board::show_the_board,
    deciding::react,
];

/// The rules of a hub job whose command is refused.
const ANSWER: [Rule; 5] = [
    following::read_the_log,
    following::ask_identity,
    deciding::decide,
    board::show_the_board,
    deciding::react,
];

/// The rules of a cancelled hub job.
const WIND_UP: [Rule; 8] = [
    following::read_the_log,
    following::ask_identity,
    starting::find_runs_under_way,
    waiting::cancel_runs,
    starting::record_cancellation,
    watching::record_the_watch,
    board::show_the_board,
    closing::no_further_step,
];

/// The next steps; none if the job can do no more.
///
/// The steps are independent of each other, or in the order of their execution.
#[must_use]
pub fn next(facts: &Facts, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    if facts.fatal_problem.is_some() {
        return Vec::new();
    }
    let view = View::new(facts, request, now);
    let rules: &[Rule] = if request.wind_up {
        &WIND_UP
    } else if view.only_answers() {
        &ANSWER
    } else if !request.obstacles.is_empty() {
        &DECIDE
    } else {
        &RULES
    };
    let steps = rules.iter().map(|rule| rule(&view));
    steps.into_iter().find(|steps| !steps.is_empty()).unwrap_or_default()
}
