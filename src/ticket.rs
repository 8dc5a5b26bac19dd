//! The ticket: the meaning of its comments, as plain values.
//!
//! ```text
//! comments ──► log ──► records ──► fold ──► Ticket ──► board
//! ```
//!
//! Nothing here knows the network or the clock.
//!
//! - [`record`] has the formats, [`status`] their words, [`run`] GitHub's words for runs, and `render` the comment that
//!   holds a record.
//! - [`log`] reads comments, [`mod@fold`] turns records into the [`state`] of the release, [`board`] renders the state, and
//!   [`board_data`] has the records that a board was folded from.
//! - [`basis`] selects the records that decisions rest on.
//! - [`need`] has the next actions of people, [`ping`] and [`pinging`] the pings for them, [`watch`] a hub job's part in the
//!   runs, and [`followers`] the job that follows them.
//! - [`claim`] settles which hub job starts a target, [`second`] finds starts that got through all the same, and [`reason`]
//!   has the reasons why a target is not started.
//! - [`decision`] has the decisions that people make by comments, [`decisions`] their effect, and [`gate`] the gates and
//!   freezes that they are about; `minutes` puts them into words.
//! - [`event_inputs`] has the inputs that a record keeps, and [`remembered_inputs`] the inputs that the ticket remembers by
//!   them.
//! - [`outputs`] has the values that targets give back, and [`verification`] a hub job's checks of their results.
//! - [`release`] has the record of a complete release.
//! - [`course`] has the notices of one failure so far, and decides whether it flaps.
//! - [`key`] finds issues again; [`marker`] and [`text`] guard the borders.

pub mod basis;
pub mod board;
pub mod board_data;
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
pub mod remembered_inputs;
mod render;
pub mod run;
pub mod second;
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
pub use ping::{GatePing, Ping, PingEvent, PingEvents};
pub use reason::Reason;
pub use record::{Dispatch, Notice, Record, Report, StageReport, Start};
pub use release::{Release, ReleasedTarget, Survey};
pub use run::{FollowedJob, FollowedRun, Review};
pub use second::SecondStart;
pub use state::{Commits, Target, Ticket};
pub use status::{StartState, Status, TargetStatus, Word};
pub use verification::{Check, Verification};
pub use watch::{Stuck, Watch};
pub use writer::Writer;
