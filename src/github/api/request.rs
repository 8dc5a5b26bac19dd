//! A request as a server gets it, and its name in logs and errors.

use std::fmt;
use std::time::Duration;

use http::Method;
use secrecy::SecretString;
use serde_json::Value;

use crate::github::pace::Pace;

/// The name of a request: its method and path in the debug log, its purpose in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// The HTTP method.
    pub method: Method,
    /// The path below the API's address, with its query.
    pub path: String,
    /// The purpose of the request, for people: `open an issue in acme/hub`.
    pub purpose: String,
}

impl RequestLine {
    /// A request of `method` at `path`, which asks the server to … `purpose`.
    pub(in crate::github) fn new(
        method: Method,
        path: impl Into<String>,
        purpose: impl Into<String>,
    ) -> Self {
        Self { method, path: path.into(), purpose: purpose.into() }
    }

    /// The repository that the path leads to, for people.
    pub(super) fn repository(&self) -> String {
        let mut parts = self.path.trim_start_matches('/').split(['/', '?']);
        match (parts.next(), parts.next(), parts.next()) {
            (Some("repos"), Some(owner), Some(name)) => format!("{owner}/{name}"),
            _ => "the repository".to_owned(),
        }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Whether a request may be sent again after an unclear failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::github) enum Repeat {
    /// A second request has the same result.
    Freely,
    /// A second request would have a second effect.
    Never,
}

/// A complete request, with its token.
pub(in crate::github) struct Call<'a> {
    pub(in crate::github) line: RequestLine,
    pub(in crate::github) body: Option<&'a Value>,
    pub(in crate::github) bearer: &'a SecretString,
    pub(in crate::github) repeat: Repeat,
    /// The tag of the caller's copy: the answer has a body only if that has changed.
    pub(in crate::github) tag: Option<&'a str>,
    /// A 404 within this time from the first try means "not yet", and the call is repeated.
    pub(in crate::github) appears_within: Duration,
    /// The pace of its token; a call without one is sent at once.
    pub(in crate::github) pace: Option<&'a Pace>,
}

impl<'a> Call<'a> {
    /// A call that may be repeated, and does not count towards GitHub's limits for repositories.
    pub(in crate::github) fn new(
        line: RequestLine,
        body: Option<&'a Value>,
        bearer: &'a SecretString,
    ) -> Self {
        Self {
            line,
            body,
            bearer,
            repeat: Repeat::Freely,
            tag: None,
            appears_within: Duration::ZERO,
            pace: None,
        }
    }
}
