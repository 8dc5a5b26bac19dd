//! A GitHub Action that runs a release which spans several repositories from one issue, the
//! *release ticket*. Users start at the README; this is the tour of the code.
//!
//! # One step
//!
//! ```text
//! main → run   parse     job, event, inputs
//!              report    read ──► decide ──► apply
//!              notify    read ──► decide ──► apply
//!              dispatch  prepare ──► drive: next ──► perform ──► learn ──► receipt
//!                                            ▲                     │
//!                                            └─────────────────────┘
//!              runner    outputs, summary, annotations
//! ```
//!
//! `main.rs` reads the environment and the clock once. [`run`](mod@run) parses them into a [`job::Job`] and
//! [`inputs::Inputs`], runs the mode, and passes its [`receipt::Receipt`] to the runner: outputs, a
//! summary, and what went wrong. A mode reads, decides by plain functions, and applies
//! [`plan::Effect`]s; a dry run prints the effects and stops.
//!
//! A dispatch has more than one decision to make, so it goes in circles: [`engine::next`] gives the steps
//! that come next from what is known, the dispatch performs them, and [`engine::Known::learn`] folds the
//! answers in, until no step is left.
//!
//! | module | what it knows |
//! |---|---|
//! | [`dispatch`], [`report`], [`notify`] | the modes |
//! | [`engine`] | what a hub job does next: a plain function, and the request and the knowledge it decides by |
//! | [`plan`], [`apply`] | effects: as values that can be printed, and the one place that sends them |
//! | [`ticket`] | what the comments of a ticket say: plain values and decisions, without network or clock |
//! | [`ledger`] | a ticket's log on GitHub: it reads the log, writes records, and keeps the board up to date |
//! | [`believe`] | whether the author of a record may colour the board |
//! | [`runs`] | GitHub's runs as a ticket keeps them |
//! | [`explain`] | why a run failed, by its annotations, logs and history, and who may read that |
//! | [`opening`] | the one open issue of a key: found, or opened once |
//! | [`github`] | GitHub, in layers: one method for each request, and below it tokens, retries and the client |
//! | [`network`] | the way out: proxies, certificates, and the HTTP client for all of it |
//! | [`inputs`], [`targets`], [`template`], [`event`], [`form`], [`job`] | the edge: text becomes values |
//! | [`inputs::table`] | every input with its modes, default and meaning; the documentation is rendered from it |
//! | [`command`] | commands in comments |
//! | [`workflow`] | what a target's workflow file declares, and whether inputs fit it |
//! | [`workspace`] | which files of the workspace are read, and how much of them |
//! | [`duration`] | durations as people write them |
//! | [`yaml`], [`place`] | YAML in which each value knows its line and column |
//! | [`runner`] | the runner's log, and its files for outputs and summary |
//! | [`outbox`] | what a step keeps for the job's next step |
//! | [`cancel`] | how a step that the runner interrupts winds up in time |
//! | [`problem`] | what went wrong, where, and what to do about it |
//! | [`names`], [`receipt`] | values that all of them use |
//!
//! # What holds it together
//!
//! - **The ticket is a log.** State lives in records ([`ticket::record`]), each with one writer.
//! - **The board is a projection** of them ([`ticket::board`]); nobody reads state from it. Its marker
//!   ([`ticket::seen`]) carries the version of each record that it was folded from, `seen`, and the records
//!   that its writer could not read in full, `unread`. A writer that changed the board reads again until
//!   the board shows what was read ([`ledger::Ledger::show_board`]).
//! - **The order of arrival means nothing** ([`ticket::fold()`]).
//! - **Effects are sent once.** After an unclear answer the effect is looked for before it is repeated
//!   ([`github::once`], and for starts [`engine`]). Claims settle which hub job starts a target
//!   ([`ticket::claim`]); where somebody may have deleted one, a run whose name holds the ticket is looked for first.
//! - **GitHub's answers lag.** A list counts for a decision only if it shows this step's own last write
//!   ([`ledger::Reading`], [`opening`]); the next list begins before the newest change that was read, whatever
//!   the time is; a 404 of what was just written means "not yet" (`github::lag`). A second start that got
//!   through all the same is found by every reader alike ([`ticket::second`]), and undone by the engine.
//! - **What is planned is what is done.** A dry run prints what [`engine::next`] gives if every answer is
//!   good ([`engine::forecast()`]), and the model of the tests drives the same function in every order.
//! - **A ticket that was closed is not used again.** What it has released, the next one takes over
//!   ([`engine::earlier`]), by GitHub's word and before anything is claimed; `dispatch::closed` asks for it.
//! - **Words of newer releases are kept, and hold** ([`ticket::status::Word`]): a target that such a word
//!   is about is neither free nor released.
//! - **A token is good for what the step needs** ([`github::needs`]), as long as the step runs
//!   ([`github::tokens`]), and stays below GitHub's limits by itself (`github::pace`).
//! - **What is started is what was approved**: the answers of a form are those of the approval, then those that a
//!   record keeps (`dispatch::approved`), as GitHub shows them ([`form`]). The form's file says which headings are
//!   questions (`dispatch::forms`).
//! - **The ticket remembers what it was started with** ([`ticket::remembered`]): a dispatch records the inputs that its
//!   templates name ([`template::Reads`]), and one whose event has none renders from them (`dispatch::remembered`).
//! - **A record colours the board, and decides nothing by itself.** What is done rests on the claims of this hub's own
//!   identity and on GitHub's word ([`ticket::basis`], [`ticket::Log::believed`]). Who may write records is settled in
//!   [`believe`], who may start something by an event on an issue in `dispatch::asker`.
//! - **A post step is known by its name.** `action.yml` starts the image by its second name there, and only a step that
//!   tracks its job (`report::track`) does something then: any other would do its work twice.
//! - **A person steers by a command** ([`command`]), whose author's role GitHub is asked for. `dispatch::steering` makes it
//!   a part of the request, also where it is refused: its author is answered.
//! - **A decision is a record** ([`ticket::decision`]), whose key is the id of the comment with the command: it is written
//!   once, and of several on the same thing the one with the highest id counts ([`ticket::decisions`]). `engine::deciding`
//!   writes it; a skip, a hold, a closed gate or a freeze is a veto of `engine::verdict`, before a claim and once more
//!   after it.
//! - **A release leaves a record** ([`ticket::release`]) of what it came to, by GitHub's times (`dispatch::survey`): asked for
//!   and written once everything is released (`engine::recording`), and read again only to compare the next release with it.
//! - **A target gives values back** ([`ticket::outputs`]): its reports hold them, the fold merges those of its newest run, and
//!   `engine::outputs` waits for them, as lists lag, before what reads them is started. `targets::references` refuses
//!   references that cannot be met.
//! - **Green is verified where that is asked for** ([`ticket::verification`]): `engine::verifying` asks GitHub after the run
//!   has ended, records what it found, and until then the target is neither released nor failed.
//! - **One function says who acts next** ([`ticket::need`]): the board's box, the pings and the summary repeat it.
//! - **Markers are data from outside** ([`ticket::marker`]), and text from outside is made safe for
//!   the place where it lands ([`ticket::text`], [`runner::log`]).
//!
//! # Where to change what
//!
//! | to change | look at |
//! |---|---|
//! | an input | [`inputs::table`], then [`inputs`] |
//! | a rule or a step of the hub | [`engine`] |
//! | a command | [`ticket::decision`], [`command`], `engine::deciding` |
//! | a gate or a freeze | `targets::rules`, [`ticket::gate`], [`ticket::decisions`] |
//! | a check of `verify` | `targets::verify`, `engine::verifying`, `dispatch::verify` |
//! | an effect | [`plan`], [`apply`] |
//! | why a target is not started | [`ticket::reason`] |
//! | who acts next, and when somebody is pinged | [`ticket::need`], [`ticket::ping`] |
//! | a section of the board | [`ticket::board`], a file for each |
//! | a word of a record | [`ticket::status`] |
//! | a field of a record | [`ticket::record`] |
//! | what a release's record says | [`ticket::release`], `engine::recording`, `dispatch::survey` |
//! | a request | a method in [`github`], and a route in `tests/simulated-github` |
//! | a workflow that the documentation shows | a file of `examples/workflows`, which `tests/end-to-end` plays in a runner |
//!
//! CONTRIBUTING.md lists the steps of each of these, with the tests.

pub mod apply;
pub mod believe;
pub mod cancel;
pub mod command;
pub mod dispatch;
pub mod duration;
pub mod engine;
pub mod event;
pub mod explain;
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
pub mod runs;
pub mod targets;
pub mod template;
pub mod ticket;
pub mod workflow;
pub mod workspace;
pub mod yaml;
