//! Why GitHub did not do what it was asked for, and what to do about it.

use http::StatusCode;

use super::api::ApiError;
use super::tokens::{Lack, TokenError};
use crate::names::IssueRef;
use crate::problem::{Help, chain};

/// Why a request failed, or why nobody knows whether it did.
///
/// Its message is complete: it goes into records and log lines as it is, so no variant has a source.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GitHubError {
    /// GitHub refused or gave no answer of use.
    #[error("{0}")]
    Api(ApiError),
    /// GitHub refused because the token lacks a permission: nothing happened.
    #[error("{refusal}")]
    Forbidden {
        /// GitHub's refusal.
        refusal: ApiError,
        /// What the token lacks.
        lack: Box<Lack>,
    },
    /// GitHub refused, and its message says what to do: nothing happened.
    #[error("{refusal}")]
    Refused {
        /// GitHub's refusal.
        refusal: ApiError,
        /// What to do, in the imperative.
        remedy: String,
    },
    /// There is no token to ask with: nothing happened.
    #[error("{}", chain(.error.as_ref()))]
    NoToken {
        /// Why there is none.
        error: Box<TokenError>,
        /// What else could be done than what the error says.
        instead: Option<String>,
    },
    /// GitHub took an issue and does not list it, so nobody can tell whether it is the only one of its kind.
    #[error("{0} was opened, and GitHub does not list it yet")]
    NotListed(IssueRef),
    /// The board shows a record of which nobody can tell whether it is to be believed.
    #[error("the board shows {url}, and GitHub does not say whether its author may write records")]
    Unsettled {
        /// The record.
        url: String,
    },
}

impl GitHubError {
    /// Whether the same request may be sent again without a second effect, because the first had none.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        !matches!(self, Self::NotListed(_)) && self.api().is_none_or(ApiError::is_without_effect)
    }

    /// Whether the answer is no, from GitHub or for want of a token: asking again does not help.
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

    /// Whether what was asked for does not exist, as far as this token can see.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.api().is_some_and(ApiError::is_gone)
    }

    /// The same refusal, with what else could be done.
    pub(super) fn or_else_do(self, instead: String) -> Self {
        let remedy = joined(self.help(), Some(instead)).unwrap_or_default();
        match self {
            Self::Api(refusal @ ApiError::Refused { .. })
            | Self::Forbidden { refusal, .. }
            | Self::Refused { refusal, .. } => Self::Refused { refusal, remedy },
            other => other,
        }
    }

    /// Whether GitHub refused for want of a permission.
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
    fn help(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.help(),
            Self::Forbidden { lack, .. } => Some(lack.remedy()),
            Self::Refused { remedy, .. } => Some(remedy.clone()),
            Self::NoToken { error, instead } => joined(error.help(), instead.clone()),
            Self::NotListed(_) => Some("run the job again: it finds the issue".to_owned()),
            Self::Unsettled { .. } => Some(
                "the record is safe; the next job that may ask for its author's role writes the board"
                    .to_owned(),
            ),
        }
    }
}

/// What to do, and what else could be done.
pub(super) fn joined(help: Option<String>, instead: Option<String>) -> Option<String> {
    match (help, instead) {
        (Some(help), Some(instead)) => Some(format!("{help}; {instead}")),
        (help, instead) => help.or(instead),
    }
}
