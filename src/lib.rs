//! A GitHub Action that runs a release which spans several repositories from one issue, the
//! *release ticket*. Users start at the README; this is the tour of the code.
//!
//! # One step
//!
//! ```text
//! main → run   parse:  job, event, inputs, targets
//!              mode:   read ───► decide ───► apply
//!                       │          │           │
//!                     github     ticket      github
//!              runner: outputs, summary, annotations
//! ```
//!
//! `main.rs` reads the environment and the clock once. [`run`](mod@run) parses them into a [`job::Job`] and
//! [`inputs::Inputs`], runs the mode, and tells the runner what came of it. Each mode returns a
//! [`receipt::Receipt`]: outputs, a summary, and what went wrong. A dry run stops at the
//! [`plan::Plan`].
//!
//! | module | what it knows |
//! |---|---|
//! | [`dispatch`], [`report`], [`notify`] | the modes |
//! | [`ticket`] | what the comments of a ticket say: plain values and decisions, without network or clock |
//! | [`github`] | GitHub: one method for each thing that is asked of it |
//! | [`network`] | the way out: proxies, certificates, and the HTTP client for all of it |
//! | [`ledger`] | a ticket's log on GitHub: read it, write a record, keep the board up to date |
//! | [`opening`] | the one open issue of a key: found, or opened once |
//! | [`inputs`], [`targets`], [`template`], [`event`], [`form`], [`job`] | the edge: text becomes values |
//! | [`yaml`] | YAML in which each value knows its line and column |
//! | [`runner`] | the runner's log, and its files for outputs and summary |
//! | [`outbox`] | what a step keeps for the job's next step |
//! | [`names`], [`place`], [`plan`], [`problem`], [`receipt`] | values that all of them use |
//!
//! # What holds it together
//!
//! - **The ticket is a log.** State lives in records ([`ticket::record`]), each with one writer.
//! - **The board is a projection** of them ([`ticket::board`]); nobody reads state from it. Its
//!   marker carries the version of each record it was folded from ([`ticket::seen::Seen`]), and
//!   whoever changed it reads again until it shows what was read ([`ledger::Ledger::show_board`]).
//! - **The order of arrival means nothing** ([`ticket::fold()`]).
//! - **What must not happen twice is looked for before it is repeated** ([`github::once`]); hub jobs
//!   that want to start the same target settle it by claims ([`ticket::claim`]).
//! - **A token is good for what the step needs** ([`github::needs`]), as long as the step runs
//!   ([`github::tokens`]).
//! - **Markers are data from outside** ([`ticket::marker`]), and text from outside is made safe for
//!   the place where it lands ([`ticket::text`], [`runner::log`]).
//!
//! # Where to change what
//!
//! A new input: an entry in [`inputs::table`], from which `action.yml`, the README's tables and the
//! workflows that others call are rendered (`tests/action/reference.rs`). A new field of a record:
//! [`ticket::record`]; readers skip what they do not know. What the board shows: [`ticket::board`]. A
//! new request: a method in [`github`], a route in the simulated GitHub that the tests run against
//! (`tests/simulated-github`), and what it takes in the mode's `needs` and in the README's table of
//! permissions. A workflow that the README shows: a file of `examples/workflows`, which
//! `tests/end-to-end` plays in a runner.

pub mod apply;
pub mod cancel;
pub mod dispatch;
pub mod engine;
pub mod event;
pub mod form;
pub mod github;
pub mod inputs;
pub mod job;
pub mod ledger;
pub mod names;
pub mod network;
pub mod notify;
pub mod opening;
pub mod outbox;
pub mod place;
pub mod plan;
pub mod problem;
pub mod receipt;
pub mod report;
pub mod run;
pub mod runner;
pub mod targets;
pub mod template;
pub mod ticket;
pub mod workflow;
pub mod yaml;
