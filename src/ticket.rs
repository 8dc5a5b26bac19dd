//! The ticket: what its comments say, as plain values.
//!
//! ```text
//! comments ──► log ──► records ──► fold ──► Ticket ──► board
//! ```
//!
//! Nothing here knows the network or the clock. [`log`] reads comments and decides what the board
//! needs, [`record`] holds the formats, [`mod@fold`] turns records into the state of the release,
//! [`board`] renders it, [`claim`] settles which hub job starts a target, [`followed`] knows GitHub's
//! words for runs, [`marker`] and [`text`] guard the borders.

pub mod board;
pub mod claim;
pub mod fold;
pub mod followed;
pub mod log;
pub mod marker;
pub mod record;
pub mod text;

pub use fold::{Target, TargetStatus, Ticket, fold};
pub use followed::{FollowedJob, FollowedRun};
pub use log::{BoardStep, Comment, Log};
pub use record::{Dispatch, Key, Notice, Record, Report, StageReport, Start, StartState, Status, Writer};
