//! A stateful simulation of the parts of GitHub's REST API that deal with issues, workflows and runs,
//! for tests and rehearsals.
//!
//! ```
//! # use simulated_github::{Fault, Kind, World};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let world = World::new();
//! world.repository("acme/hub").member("alice", "MEMBER");
//! world.token("ghs_1").acts_as("acme-release[bot]").can("acme/hub", &["issues: write"]);
//! world.issue("acme/hub", "Release 1.4.0", "Ready?", "alice");
//! world.fault(Fault::on("POST", "/repos/acme/hub/issues/*/comments").then(Kind::DropAfter));
//!
//! let server = world.serve().await?;
//! // A client talks to `server.url()`; then the test looks at the result.
//! assert_eq!(world.issue_view("acme/hub", 1).comments, []);
//! assert_eq!(world.story(), "");
//! world.assert_known_routes();
//! # Ok(())
//! # }
//! ```
//!
//! # The way through the code
//!
//! [`World`] is the handle that tests hold. Behind it is one `state`, under one lock, which
//! people change through the methods of [`World`], and programs through the API:
//!
//! ```text
//! server ──► service ──► routes ──► state
//!   HTTP      arrival,    access,     repositories, issues, runs,
//!             faults,     handlers    story, exchanges
//!             latency                   │
//!                                       ▼
//!                                     replicas
//!                                       the past
//! ```
//!
//! - [`Service`] takes a request in or out of process, applies faults and latency, and logs the
//!   [`Exchange`].
//! - `routes` has the table of all routes, and a module for each subject. A request for a missing route is
//!   a loud 501, and [`World::unknown_routes`] lists it.
//! - `replicas` keeps the past of the world, for answers that lag.
//! - `joblog` plays the other server, which has the logs of jobs.
//! - `identity` signs the identities of jobs, and `sts` is a service of another party that trusts them.
//! - `issue_form` writes the issue of a person who fills in a form.
//! - `json` makes the objects of the answers, which can be checked with GitHub's own description, and the events of
//!   comments ([`World::comment_event`]).
//!
//! The world has its own clock. It moves with [`tokio::time`], so a test that pauses time moves
//! the world by sleeping.

mod app;
mod call;
mod clock;
pub mod conformance;
mod environment;
mod exchange;
mod fault;
mod identity;
mod issue;
mod issue_form;
mod joblog;
mod json;
mod key;
mod limits;
pub mod page;
mod release;
mod replicas;
mod repository;
mod routes;
mod run;
mod seed;
mod server;
mod service;
mod site;
mod state;
mod sts;
mod team;
mod token;
mod workflow;
mod world;

pub use app::{App, InstallationToken};
pub use environment::Environment;
pub use exchange::Exchange;
pub use fault::{Fault, Kind, Trigger};
pub use identity::JobIdentity;
pub use issue::{Comment, Issue, Reaction};
pub use issue_form::{IssueForm, IssueFormError};
pub use joblog::Download;
pub use key::{KeyForm, private_key};
pub use release::Release;
pub use repository::{DispatchEvent, Repository};
pub use run::{Annotation, Approval, Job, Run, Step};
pub use seed::{Seed, SeedError};
pub use server::Server;
pub use service::{BrokenConnection, Service};
pub use sts::{Question, TokenService};
pub use team::Team;
pub use token::Token;
pub use world::World;
