//! GitHub: one method for each thing that this action asks of it, in this action's types.
//!
//! Methods that write say whether they may be repeated. [`client`] sends, waits and repeats,
//! [`transport`] is the network, [`error`] explains.

pub mod actions;
pub mod client;
pub mod contents;
pub mod error;
pub mod issues;
pub mod once;
pub mod transport;

pub use client::{GitHub, Tokens};
pub use error::GitHubError;

/// What must be escaped in one part of a path.
const PATH_PART: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
