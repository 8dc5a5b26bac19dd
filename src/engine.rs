//! The engine: what a hub job does next, as one plain function of what it knows.
//!
//! ```text
//!            ┌──────── learn ◄──────── answers ◄─┐
//!            ▼                                   │
//! Request, Known ──► next ──► steps ──► performed by `dispatch`, assumed by `forecast`, or
//!                                       played in every order by the model of the tests
//! ```
//!
//! It is a reconciler: nothing remembers where in a procedure the job is. [`next`] looks at what is known,
//! and the first of its rules that finds something to do says which steps come next; when none does, the
//! job has ended. So a dry run prints what happens ([`forecast()`]), a re-run finishes what is missing, and a
//! job that is cancelled winds up by the same rules. A job with a command follows fewer of them if it
//! can start nothing, or if the command is refused.
//!
//! Each rule is a function in the file of what it is about: `opening`, `following`, `earlier`, `deciding`, `claiming`,
//! `outputs`, `starting`, `mending`, `verifying`, `watching`, `remembering`, `pinging`, `recording`, `board`,
//! `waiting`, `closing`. `verdict` says whether a
//! target is started, and if not, why: also what people decided against it. A rule gives no steps once [`Known`] holds
//! what came of them, so `learn` has to keep the answer of every step, a failure too.

mod board;
mod claiming;
pub mod closing;
mod deciding;
pub mod earlier;
mod following;
pub mod forecast;
mod identify;
pub mod known;
mod learn;
mod locking;
mod mending;
mod news;
mod opening;
mod outputs;
mod pinging;
pub mod ready;
pub mod recording;
mod remembering;
pub mod request;
pub mod results;
mod starting;
pub mod step;
#[cfg(test)]
mod testing;
mod verdict;
mod verified;
mod verifying;
mod view;
mod waiting;
mod watching;
pub mod wording;

use chrono::{DateTime, Utc};

pub use forecast::forecast;
pub use known::{Known, TicketIs};
pub use ready::Ready;
pub use request::{Claim, Follow, Patience, Publish, Request, Retry};
pub use step::{Answer, Failure, Pause, Step};
use view::View;

/// What a dry run asks beside the questions that come first: whether a hub job that has ended started what
/// this one would start.
#[must_use]
pub fn searches(known: &Known, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    starting::searches(&View::new(known, request, now))
}

/// A rule: the steps that come next, if there is anything to do by it.
type Rule = fn(&View<'_>) -> Vec<Step>;

/// What a hub job does, the most urgent first.
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
    mending::cancel_second_starts,
    mending::record_second_starts,
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

/// What a hub job with a command does if it can start nothing: the decision is recorded, and holds from then on.
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

/// What a hub job does if its command is refused.
const ANSWER: [Rule; 5] = [
    following::read_the_log,
    following::ask_identity,
    deciding::decide,
    board::show_the_board,
    deciding::react,
];

/// What a hub job does after it was cancelled.
const WIND_UP: [Rule; 8] = [
    following::read_the_log,
    following::ask_identity,
    starting::find_what_was_sent,
    waiting::cancel_runs,
    starting::record_cancellation,
    watching::record_the_watch,
    board::show_the_board,
    closing::nothing_more,
];

/// The steps that come next; none when the job has done what it can.
///
/// The steps are independent of each other, or in the order in which they are to be done.
#[must_use]
pub fn next(known: &Known, request: &Request, now: DateTime<Utc>) -> Vec<Step> {
    if known.stopped.is_some() {
        return Vec::new();
    }
    let view = View::new(known, request, now);
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
