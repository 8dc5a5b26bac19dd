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
//! summary, and problems. A mode reads, decides by plain functions, and applies
//! [`plan::Effect`]s; a dry run prints the effects and stops.
//!
//! A dispatch has more than one decision to make, so it goes in circles: [`engine::next`] gives the next steps by the
//! facts, the dispatch performs them, and [`engine::Facts::learn`] folds the answers in, until no step is left.
//!
//! | module | knowledge |
//! |---|---|
//! | [`dispatch`], [`report`], [`notify`] | the modes |
//! | [`engine`] | the next steps of a hub job: a plain function of the request and the facts |
//! | [`plan`], [`apply`] | effects: as values that can be printed, and the one place that sends them |
//! | [`ticket`] | the contents of a ticket's comments: plain values and decisions, without network or clock |
//! | [`ledger`] | a ticket's log on GitHub: it reads the log, writes records, and keeps the board up to date |
//! | [`trust`] | whether the author of a record may affect the board |
//! | [`runs`] | GitHub's runs as a ticket keeps them |
//! | [`explain`] | why a run failed, by its annotations, logs and history, and which people may read that |
//! | [`opening`] | the one open issue of a key: found, or opened once |
//! | [`github`] | GitHub, in layers: one method for each request, and below it tokens, retries and the client |
//! | [`network`] | proxies, certificates, and the HTTP client for all requests |
//! | [`inputs`], [`targets`], [`template`], [`event`], [`form`], [`job`] | the edge: text becomes values |
//! | [`inputs::table`] | every input with its modes, default and meaning; the documentation is rendered from it |
//! | [`command`] | commands in comments |
//! | [`workflow`] | the inputs that a target's workflow file declares, and whether a target's inputs fit them |
//! | [`workspace`] | the files of the workspace that are read, and their greatest length |
//! | [`duration`] | durations as people write them |
//! | [`yaml`], [`place`] | YAML with the line and column of each value |
//! | [`runner`] | the runner's log, and its files for outputs and summary |
//! | [`outbox`] | the record that a step keeps for the job's next step |
//! | [`cancel`] | how a step that the runner interrupts winds up in time |
//! | [`problem`] | problems: a message, a place and help, whose topic is a section of the page on troubleshooting |
//! | [`names`], [`receipt`] | values that all of them use |
//!
//! # Principles
//!
//! - **The ticket is a log.** State lives in records ([`ticket::record`]), each with one writer.
//! - **The board is a projection** of them ([`ticket::board`]); no step reads state from it. Its marker
//!   ([`ticket::board_data`]) carries the version of each record that it was folded from, `seen`, and the records
//!   that its writer could not read in full, `unread`. A writer that changed the board reads again until
//!   the board shows the records that were read ([`ledger::Ledger::show_board`]).
//! - **The order of arrival means nothing** ([`ticket::fold()`]).
//! - **Effects are sent once.** After an unclear answer the step looks for the effect before it repeats it
//!   ([`github::once`], and for starts [`engine`]). Claims settle which hub job starts a target
//!   ([`ticket::claim`]); if a person may have deleted one, the hub first looks for a run whose name holds the ticket.
//! - **GitHub's answers lag.** A list counts for a decision only if it shows this step's own last write
//!   ([`ledger::Reading`], [`opening`]); the next list begins before the newest change that was read, independent of
//!   the clock; a 404 for a thing that was just written means "not yet" (`github::lag`). If a second start still gets
//!   through, every reader finds it alike ([`ticket::second`]), and the engine undoes it.
//! - **A plan is what a run does.** A dry run prints what [`engine::next`] gives if every answer is
//!   good ([`engine::forecast()`]), and the model of the tests drives the same function in every order.
//! - **A closed ticket is not used again.** The next one takes its released targets over ([`engine::earlier`]), by
//!   GitHub's word and before it claims anything; `dispatch::closed_tickets` asks for them.
//! - **Words of newer releases are kept, and hold** ([`ticket::status::Word`]): a target with such a word is neither
//!   free nor released.
//! - **A token is good for what the step needs** ([`github::needs`]), as long as the step runs
//!   ([`github::tokens`]), and stays below GitHub's limits by itself (`github::pace`).
//! - **Only approved answers start targets**: the answers of a form are those of the approval, then those that a
//!   record keeps (`dispatch::approval`), as GitHub shows them ([`form`]). The form's file says which headings are
//!   questions (`dispatch::forms`).
//! - **The ticket remembers the inputs of its start** ([`ticket::remembered_inputs`]): a dispatch records the inputs that its
//!   templates name ([`template::Reads`]), and one whose event has none renders from them (`dispatch::template_inputs`).
//! - **A record affects the board, and decides nothing by itself.** Decisions rest on the claims of this hub's own
//!   identity and on GitHub's word ([`ticket::basis`], [`ticket::Log::ticket_by_basis`]). [`trust`] settles which accounts may
//!   write records, `dispatch::asker` which people may start something by an event on an issue.
//! - **A post step has a name of its own.** `action.yml` starts the image by its second name there, and only a step that
//!   tracks its job (`report::track`) does something then: any other would do its work twice.
//! - **A person steers by a command** ([`command`]); GitHub knows the role of its author. `dispatch::steering` makes it
//!   a part of the request, also a refused one: its author gets an answer.
//! - **A decision is a record** ([`ticket::decision`]), whose key is the id of the comment with the command: it is written
//!   once, and of several on the same thing the one with the highest id counts ([`ticket::decisions`]). `engine::deciding`
//!   writes it; a skip, a hold, a closed gate or a freeze is a veto of `engine::verdict`, before a claim and once more
//!   after it.
//! - **A release leaves a record** ([`ticket::release`]) of its outcome, by GitHub's times (`dispatch::survey`). The hub
//!   writes it once everything is released (`engine::recording`), and reads it only to compare the next release with it.
//! - **A target gives values back** ([`ticket::outputs`]): its reports hold them, the fold merges those of its newest run, and
//!   `engine::outputs` waits for them, as lists lag, before it starts a target that reads them. `targets::references`
//!   refuses references that cannot be met.
//! - **Green is verified if a target asks for it** ([`ticket::verification`]): `engine::verifying` asks GitHub after the
//!   run has ended, and records the result; until then the target is neither released nor failed.
//! - **One function decides which person acts next** ([`ticket::need`]): the board's box, the pings and the summary
//!   repeat it.
//! - **Markers are data from outside** ([`ticket::marker`]), and text from outside is made safe for
//!   the place where it lands ([`ticket::text`], [`runner::log`]).
//!
//! # Places of a change
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
//! | the person who acts next, and the moments of pings | [`ticket::need`], [`ticket::ping`] |
//! | a section of the board | [`ticket::board`], a file for each |
//! | a word of a record | [`ticket::status`] |
//! | a field of a record | [`ticket::record`] |
//! | the record of a release | [`ticket::release`], `engine::recording`, `dispatch::survey` |
//! | a request | a method in [`github`], and a route in `tests/simulated-github` |
//! | a workflow that the documentation shows | a file of `examples/workflows`, which `tests/end-to-end` plays in a runner |
//!
//! CONTRIBUTING.md lists the steps of each of these, with the tests.

pub mod apply;
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
pub mod trust;
pub mod workflow;
pub mod workspace;
pub mod yaml;
