//! GitHub: one method for each thing that this action asks of it, in this action's types.
//!
//! Methods that write say whether they may be repeated. [`client`] sends, waits and repeats,
//! [`tokens`] knows which token goes with which repository, and has those of an [`app`] and of a
//! token service ([`sts`]) minted for what a mode [needs], [`transport`] is the network, [`error`]
//! explains.

pub mod actions;
pub mod app;
pub mod client;
pub mod contents;
pub mod error;
pub mod issues;
pub mod jwt;
pub mod needs;
pub mod once;
pub mod sts;
pub mod tokens;
pub mod transport;

pub use client::GitHub;
pub use error::GitHubError;
pub use needs::Needs;
pub use tokens::{Credentials, TicketToken, Tokens};

/// What must be escaped in one part of a path.
const PATH_PART: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
