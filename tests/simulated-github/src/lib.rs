//! A GitHub of its own: a stateful simulation of the parts of the REST API that deal with
//! issues, workflows and runs, for tests and rehearsals.
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
//! // A client talks to `server.url()`; then the test looks at what became of it.
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
//!   HTTP      arrival,    who may,    repositories, issues, runs,
//!             faults,     what then   story, exchanges
//!             latency                   │
//!                                       ▼
//!                                     replicas
//!                                       what was there before
//! ```
//!
//! - [`Service`] takes a request in or out of process, lets faults and latency do their
//!   work, and logs the [`Exchange`].
//! - `routes` holds the table of everything that is answered, and a module for each subject.
//!   A route that is missing is a loud 501, and is kept in [`World::unknown_routes`].
//! - `replicas` keeps what the world held a while ago, for answers that lag.
//! - `joblog` plays the other server, on which the logs of jobs are.
//! - `identity` signs who a job is, and `sts` is somebody else's service that believes it.
//! - `issue_form` writes the issue of somebody who fills in a form.
//! - `json` makes the objects of the answers, which GitHub's own description can check, and those of the events that
//!   comments bring about ([`World::comment_event`]).
//!
//! Time is the world's own. It moves with [`tokio::time`], so a test that pauses time moves
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
pub use service::{Dropped, Service};
pub use sts::{Asked, TokenService};
pub use team::Team;
pub use token::Token;
pub use world::World;
