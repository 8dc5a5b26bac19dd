//! The ticket: what its comments say, as plain values.
//!
//! ```text
//! comments ──► log ──► records ──► fold ──► Ticket ──► board
//! ```
//!
//! Nothing here knows the network or the clock.
//!
//! - [`record`] has the formats, [`status`] their words, [`run`] GitHub's words for runs, and `render` the
//!   comment that holds a record.
//! - [`log`] reads comments, [`mod@fold`] turns records into the [`state`] of the release, [`board`] renders
//!   that, and [`seen`] says which records a board was folded from.
//! - [`basis`] says which of all that decisions rest on.
//! - [`need`] says who acts next and on what, [`ping`] and [`pinging`] when somebody is pinged for it, [`watch`] what a
//!   hub job does about the runs, and [`followers`] which job follows them.
//! - [`claim`] settles which hub job starts a target, [`second`] finds starts that got through all the same,
//!   and [`reason`] says why a target is not started.
//! - [`decision`] has what people decide by comments, [`decisions`] how that stands, and [`gate`] the gates and freezes
//!   that they decide about; `minutes` has all that in words.
//! - [`event_inputs`] has the inputs that a record keeps, and [`remembered`] those that the ticket remembers by them.
//! - [`outputs`] has the values that targets give back, and [`verification`] what a hub job has verified of what they
//!   made.
//! - [`release`] has what a whole release came to.
//! - [`course`] says what was notified of one failure so far, and whether it flaps.
//! - [`key`] finds issues again; [`marker`] and [`text`] guard the borders.

pub mod basis;
pub mod board;
pub mod claim;
pub mod course;
pub mod decision;
pub mod decisions;
pub mod event_inputs;
pub mod explanation;
pub mod fold;
pub mod followers;
pub mod gate;
pub mod key;
pub mod log;
pub mod marker;
mod minutes;
pub mod need;
pub mod outputs;
pub mod ping;
pub mod pinging;
pub mod reason;
pub mod record;
pub mod release;
pub mod remembered;
mod render;
pub mod run;
pub mod second;
pub mod seen;
pub mod state;
pub mod status;
pub mod text;
pub mod verification;
pub mod watch;
pub mod writer;

pub use basis::Basis;
pub use decision::{Decision, Verb};
pub use decisions::GateStanding;
pub use event_inputs::EventInputs;
pub use fold::fold;
pub use gate::{Freeze, Gate, Rules};
pub use key::Key;
pub use log::{BoardStep, Comment, Log};
pub use outputs::Outputs;
pub use ping::{GatePing, Ping, PingFor, PingsFor};
pub use reason::Reason;
pub use record::{Dispatch, Notice, Record, Report, StageReport, Start};
pub use release::{Release, Released, Survey};
pub use run::{FollowedJob, FollowedRun, Review};
pub use second::SecondStart;
pub use state::{Commits, Target, Ticket};
pub use status::{StartState, Status, TargetStatus, Word};
pub use verification::{Check, Verification};
pub use watch::{Stuck, Watch};
pub use writer::Writer;
