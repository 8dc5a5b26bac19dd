//! GitHub: one method for each question or write of this action, in this action's types. A method that
//! writes says whether it may be repeated.
//!
//! Each layer imports only those above it:
//!
//! | module | what it knows |
//! |---|---|
//! | [`transport`] | the HTTP client below everything else |
//! | `pace` | how many requests GitHub allows a token, and when the next may be sent |
//! | `moves` | new names of repositories and issues |
//! | [`api`] | one exchange with a server: time-outs, retries, rate limits |
//! | `time` | which times of answers are valid |
//! | `lag` | how far GitHub's answers may lag behind its writes |
//! | [`needs`] | the permissions that a step needs, and where |
//! | [`tokens`] | which token goes with which repository; how tokens are minted and revoked |
//! | [`client`] | a request with the token of its repository, and why it failed ([`error`]) |
//! | `pages` | how long a list may be |
//! | [`role`] | a person's role in a repository |
//! | [`accounts`], [`actions`], `attestations`, [`checks`], [`contents`], [`issues`], [`joblog`], [`refs`], [`releases`], [`teams`] | the methods |
//! | [`once`] | how a write that must not happen twice is sent |

pub mod accounts;
pub mod actions;
pub mod api;
mod attestations;
pub mod checks;
pub mod client;
pub mod contents;
pub mod error;
pub mod issues;
pub mod joblog;
mod lag;
mod moves;
pub mod needs;
pub mod once;
mod pace;
mod pages;
pub mod refs;
pub mod releases;
mod remedy;
pub mod role;
pub mod teams;
mod time;
pub mod tokens;
pub mod transport;

pub use client::{GitHub, revoke_tokens};
pub use error::GitHubError;
pub use needs::Needs;
pub use tokens::{Credentials, TicketPlace, TicketToken, Tokens};
