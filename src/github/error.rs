//! Errors of requests to GitHub, and how to correct them.

use http::StatusCode;

use super::api::ApiError;
use super::tokens::{Lack, TokenError};
use crate::names::IssueRef;
use crate::problem::{Advice, Help, Topic, chain};

/// Why a request failed, or why its result is unclear.
///
/// Its message is complete, as records and log lines quote it: no variant has a source.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GitHubError {
    /// GitHub refused, or gave no usable answer.
    #[error("{0}")]
    Api(ApiError),
    /// GitHub refused because the token lacks a permission: nothing happened.
    #[error("{refusal}")]
    Forbidden {
        /// GitHub's refusal.
        refusal: ApiError,
        /// The permission that the token lacks.
        lack: Box<Lack>,
    },
    /// GitHub refused for a reason that has its own remedy: nothing happened.
    #[error("{refusal}")]
    Refused {
        /// GitHub's refusal.
        refusal: ApiError,
        /// The remedy.
        remedy: Box<Advice>,
    },
    /// The step has no token for the request: nothing happened.
    #[error("{}", chain(.error.as_ref()))]
    NoToken {
        /// Why the step has none.
        error: Box<TokenError>,
        /// Another remedy than that of the error, in the imperative.
        alternative: Option<String>,
    },
    /// GitHub opened an issue and does not list it, so it may not be the only one of its kind.
    #[error("{0} was opened, but GitHub does not list it yet")]
    NotListed(IssueRef),
    /// The board shows a record, and GitHub does not report whether its author may write records.
    #[error("the board shows {url}, but GitHub does not say whether its author may write records")]
    Unsettled {
        /// The record in the browser.
        url: String,
    },
}

impl GitHubError {
    /// Whether the same request may be sent again without a second effect, because the first had none.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        !matches!(self, Self::NotListed(_)) && self.api().is_none_or(ApiError::is_without_effect)
    }

    /// Whether GitHub refused, or the step has no token: a second request does not help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::NotListed(_) => false,
            error => error.api().is_none_or(|error| error.status().is_some()),
        }
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.api().and_then(ApiError::status)
    }

    /// Whether the object does not exist, or this token may not see it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.api().is_some_and(ApiError::is_gone)
    }

    /// The same refusal, with another remedy.
    pub(super) fn with_alternative(self, alternative: &str) -> Self {
        let remedy = self.help().map(|help| help.and(Some(alternative)));
        match (self, remedy) {
            (
                Self::Api(refusal @ ApiError::Refused { .. })
                | Self::Forbidden { refusal, .. }
                | Self::Refused { refusal, .. },
                Some(remedy),
            ) => Self::Refused { refusal, remedy: Box::new(remedy) },
            (other, _) => other,
        }
    }

    /// Whether GitHub refused because the token lacks a permission.
    #[must_use]
    pub fn is_lack_of_permission(&self) -> bool {
        matches!(self, Self::Forbidden { .. }) || self.api().is_some_and(ApiError::is_lack_of_permission)
    }

    pub(super) fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error)
            | Self::Forbidden { refusal: error, .. }
            | Self::Refused { refusal: error, .. } => Some(error),
            Self::NoToken { .. } | Self::NotListed(_) | Self::Unsettled { .. } => None,
        }
    }
}

impl From<ApiError> for GitHubError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl Help for GitHubError {
    fn help(&self) -> Option<Advice> {
        match self {
            Self::Api(error) => error.help(),
            Self::Forbidden { lack, .. } => Some(lack.remedy()),
            Self::Refused { remedy, .. } => Some(remedy.as_ref().clone()),
            Self::NoToken { error, alternative } => error.help().map(|help| help.and(alternative.as_deref())),
            Self::NotListed(_) => Some(Topic::Answer.advice("run the job again: it finds the issue")),
            Self::Unsettled { .. } => Some(Topic::Record.advice(
                "the record is safe; the next job that may ask for its author's role writes the board",
            )),
        }
    }
}
