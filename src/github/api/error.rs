//! What can go wrong between this action and a server, and what to do about it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::request::RequestLine;
use crate::network::obstacle::Obstacle;
use crate::problem::Help;

/// The most characters of a server's text that an error quotes.
pub(super) const QUOTE_LIMIT: usize = 1_000;

/// Why a request failed, or why nobody knows whether it did.
///
/// The reasons are text: what caused them can be neither cloned nor, where it quotes an answer with a
/// secret, printed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The server said no: nothing happened.
    #[error("{request} was refused: {status}, {message}{}", .accepted.as_ref().map(|text| format!(" (it takes {text})")).unwrap_or_default())]
    Refused {
        /// What was asked.
        request: RequestLine,
        /// The answer's status.
        status: StatusCode,
        /// The server's message, with the details of a validation.
        message: String,
        /// The permissions that would do, as GitHub names them: `issues=write; pull_requests=write`.
        accepted: Option<String>,
        /// The server's time when it answered.
        date: Option<DateTime<Utc>>,
    },
    /// GitHub asks to wait longer than the step may wait, or one of its limits would be exceeded and the
    /// request was not sent: nothing happened.
    #[error("{request} was put off: GitHub's rate limit, {message}")]
    RateLimited {
        /// What was asked.
        request: RequestLine,
        /// GitHub's message, or the limit.
        message: String,
        /// How long to wait, where that is known.
        wait: Option<Duration>,
    },
    /// The connection could not be opened: nothing happened.
    #[error("{request} did not reach GitHub: {reason}")]
    Unreachable {
        /// What was asked.
        request: RequestLine,
        /// Why.
        reason: String,
        /// What stood in the way, where people can remove it.
        obstacle: Option<Obstacle>,
    },
    /// No clear answer: it may have happened or not.
    #[error("{request} got no clear answer: {reason}")]
    Unclear {
        /// What was asked.
        request: RequestLine,
        /// Why.
        reason: String,
    },
    /// The answer, or the list that it belongs to, is longer than any of GitHub's.
    #[error("{request} was answered with more than {limit}")]
    TooLong {
        /// What was asked.
        request: RequestLine,
        /// What was read of it, with its unit.
        limit: String,
    },
    /// The answer is not what its description promises.
    #[error("{request} was answered with something else than expected: {reason}")]
    Unexpected {
        /// What was asked.
        request: RequestLine,
        /// Why.
        reason: String,
    },
}

impl ApiError {
    /// Whether the same request may be sent again without a second effect, because the first had none.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        !matches!(self, Self::Unclear { .. } | Self::TooLong { .. } | Self::Unexpected { .. })
    }

    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether what was asked for does not exist, as far as this token can see.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(
            self.status(),
            Some(StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::MOVED_PERMANENTLY)
        )
    }

    /// Whether GitHub refused because the token lacks a permission.
    pub(in crate::github) fn is_lack_of_permission(&self) -> bool {
        match self {
            Self::Refused { status: StatusCode::FORBIDDEN, message, .. } => {
                !is_locked(message) && !is_archived(message) && !is_full(message)
            }
            _ => false,
        }
    }

    /// The permissions that would do, as GitHub names them: `issues=write; pull_requests=write`.
    pub(in crate::github) fn accepted(&self) -> Option<&str> {
        match self {
            Self::Refused { accepted, .. } => accepted.as_deref(),
            _ => None,
        }
    }
}

impl Help for ApiError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Refused { request, status, message, accepted, .. } => {
                refusal_help(request, *status, message, accepted.as_deref())
            }
            Self::RateLimited { wait, .. } => {
                let wait =
                    wait.map_or_else(String::new, |wait| format!("in {} ", humantime::format_duration(wait)));
                Some(format!("run the job again {wait}or raise `retry-timeout`"))
            }
            Self::Unreachable { obstacle, .. } => Some(
                obstacle
                    .map_or(
                        "check that the runner reaches the API's address (GITHUB_API_URL); if only a proxy \
                         leads there, name it in `https_proxy`",
                        Obstacle::remedy,
                    )
                    .to_owned(),
            ),
            Self::Unclear { .. } => {
                Some("run the job again: what happened already is found and not repeated".to_owned())
            }
            Self::TooLong { .. } => Some(
                "check what answers at the API's address (GITHUB_API_URL), and the proxies on the way there; if it \
                 is GitHub, close issues that are done with"
                    .to_owned(),
            ),
            Self::Unexpected { .. } => None,
        }
    }
}

fn refusal_help(
    request: &RequestLine,
    status: StatusCode,
    message: &str,
    accepted: Option<&str>,
) -> Option<String> {
    let repository = request.repository();
    Some(match status {
        StatusCode::UNAUTHORIZED => {
            "the token is wrong or has expired; give the step a new `token`".to_owned()
        }
        // A proxy says this, not GitHub: it sees what goes to an http address.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Obstacle::ProxyCredentials.remedy().to_owned(),
        StatusCode::FORBIDDEN if is_locked(message) => "unlock the issue, or name another ticket".to_owned(),
        StatusCode::FORBIDDEN if is_archived(message) => {
            format!("{repository} is archived; unarchive it, or leave it out")
        }
        StatusCode::FORBIDDEN if is_full(message) => {
            "the issue is full, a limit of GitHub's; close it, and run the dispatch again with a new ticket, \
             or name another ticket"
                .to_owned()
        }
        StatusCode::FORBIDDEN => {
            let permissions = accepted.map_or_else(|| "more permissions".to_owned(), grants);
            format!("grant the token {permissions} on {repository}")
        }
        StatusCode::NOT_FOUND => format!(
            "check that {repository} and what is named in it exist, and that the token may see them \
             (`github.token` reaches its own repository only)"
        ),
        StatusCode::GONE if message.to_lowercase().contains("disabled") => {
            format!("switch issues on in the settings of {repository}")
        }
        StatusCode::GONE => "it was deleted; name another".to_owned(),
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            format!("{repository} or the issue has moved; use its new name")
        }
        _ => return None,
    })
}

fn is_locked(message: &str) -> bool {
    message.to_lowercase().contains("locked")
}

fn is_archived(message: &str) -> bool {
    message.to_lowercase().contains("archived")
}

/// "Commenting is disabled on issues with more than 2500 comments"
fn is_full(message: &str) -> bool {
    message.to_lowercase().contains("commenting is disabled")
}

/// `issues=write; pull_requests=write` as people grant it: `issues: write` or `pull_requests: write`.
///
/// In [`X-Accepted-GitHub-Permissions`](https://docs.github.com/rest/overview/permissions-required-for-github-apps)
/// a semicolon parts alternatives, and a comma parts what is needed together.
pub(in crate::github) fn grants(accepted: &str) -> String {
    let alternatives = accepted.split(';').map(|alternative| {
        let all = alternative.split(',').map(|one| format!("`{}`", one.trim().replace('=', ": ")));
        all.collect::<Vec<_>>().join(" and ")
    });
    alternatives.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_named_as_people_grant_it() {
        assert_eq!(grants("issues=write; pull_requests=write"), "`issues: write` or `pull_requests: write`");
        assert_eq!(grants("actions=write,contents=read"), "`actions: write` and `contents: read`");
    }

    #[test]
    fn an_issue_that_is_full_of_comments_is_not_a_missing_permission() {
        let refused = |message: &str| ApiError::Refused {
            request: RequestLine {
                method: http::Method::POST,
                path: "/repos/acme/hub/issues/7/comments".into(),
            },
            status: StatusCode::FORBIDDEN,
            message: message.into(),
            accepted: None,
            date: None,
        };
        let full = refused("Commenting is disabled on issues with more than 2500 comments");
        assert!(!full.is_lack_of_permission());
        assert!(crate::github::GitHubError::from(full.clone()).is_final());
        let help = full.help().expect("what to do");
        assert!(help.contains("the issue is full") && help.contains("new ticket"), "{help}");
        assert!(refused("Resource not accessible by integration").is_lack_of_permission());
    }
}
