//! What can go wrong between this action and GitHub, and what to do about it.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{Method, StatusCode};

use super::needs::Grant;
use super::tokens::TokenError;
use crate::network::obstacle::Obstacle;
use crate::problem::Help;

/// A request as it is named in logs and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The path below the API's address, with its query.
    pub path: String,
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Why a request came to nothing, or to nobody knows what.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GitHubError {
    /// GitHub said no: nothing happened.
    #[error("{request} was refused: {status}, {message}{}", .lack.as_ref().and_then(|lack| lack.accepted.as_ref()).map(|text| format!(" (it takes {text})")).unwrap_or_default())]
    Refused {
        /// What was asked.
        request: RequestLine,
        /// The answer's status.
        status: StatusCode,
        /// GitHub's message, with the details of a validation.
        message: String,
        /// The permission that is missing, if that is why.
        lack: Option<Box<Lack>>,
        /// GitHub's time when it answered.
        date: Option<DateTime<Utc>>,
    },
    /// GitHub asks to wait longer than may be waited.
    #[error("{request} was put off: GitHub's rate limit, {message}")]
    RateLimited {
        /// What was asked.
        request: RequestLine,
        /// GitHub's message.
        message: String,
        /// How long GitHub asks to wait, where it says so.
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
    /// GitHub's answer is not what its description promises.
    #[error("{request} was answered with something else than expected: {reason}")]
    Unexpected {
        /// What was asked.
        request: RequestLine,
        /// Why.
        reason: String,
    },
    /// There is no token to ask with.
    #[error("{why}")]
    NoToken {
        /// What was asked.
        request: RequestLine,
        /// Why there is none.
        why: Box<TokenError>,
    },
}

impl GitHubError {
    /// Whether the same request may be sent again without a second effect, because the first had none.
    #[must_use]
    pub fn is_without_effect(&self) -> bool {
        !matches!(self, Self::Unclear { .. } | Self::Unexpected { .. })
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
}

impl Help for GitHubError {
    fn help(&self) -> Option<String> {
        match self {
            Self::Refused { status, message, lack, request, .. } => {
                refusal_help(*status, message, lack.as_deref(), request)
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
                        Obstacle::help,
                    )
                    .to_owned(),
            ),
            Self::Unclear { .. } => {
                Some("run the job again: what happened already is found and not repeated".to_owned())
            }
            Self::Unexpected { .. } => None,
            Self::NoToken { why, .. } => why.help(),
        }
    }
}

/// A permission that a token lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lack {
    /// What would do, as GitHub names it: `issues=write; pull_requests=write`.
    pub accepted: Option<String>,
    /// What the step needs in all, where that is known to be one of these.
    pub needed: Option<Grant>,
    /// Who would have to be granted it.
    pub grantee: Grantee,
}

/// Who is granted permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Grantee {
    /// A token that the step was given.
    #[default]
    Token,
    /// A GitHub App.
    App(String),
    /// Whoever a trust policy trusts; the file that it is in.
    Policy(String),
}

impl Lack {
    fn help(&self, repository: &str) -> String {
        let needed = self.needed.map(|grant| format!("`{grant}`"));
        let permissions = needed.or(self.accepted.as_deref().map(granted));
        let permissions = permissions.unwrap_or_else(|| "more permissions".to_owned());
        match &self.grantee {
            Grantee::Token => format!("grant the token {permissions} on {repository}"),
            Grantee::App(app) => format!(
                "grant the GitHub App {app} {permissions} on {repository}: add it in the App's settings, and \
                 accept it where the App is installed"
            ),
            Grantee::Policy(file) => {
                format!("grant {permissions} in `{file}` on the default branch of {repository}")
            }
        }
    }
}

fn refusal_help(
    status: StatusCode,
    message: &str,
    lack: Option<&Lack>,
    request: &RequestLine,
) -> Option<String> {
    let repository = repository_of(&request.path);
    let lower = message.to_lowercase();
    Some(match status {
        StatusCode::UNAUTHORIZED => {
            "the token is wrong or has expired; give the step a new `token`".to_owned()
        }
        // Not GitHub's words: a proxy forwards what goes to an http address, or does not.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Obstacle::ProxyCredentials.help().to_owned(),
        StatusCode::FORBIDDEN if lower.contains("locked") => {
            "unlock the issue, or name another ticket".to_owned()
        }
        StatusCode::FORBIDDEN if lower.contains("archived") => {
            format!("{repository} is archived; unarchive it, or leave it out")
        }
        StatusCode::FORBIDDEN => lack.cloned().unwrap_or_default().help(&repository),
        StatusCode::NOT_FOUND => format!(
            "check that {repository} and what is named in it exist, and that the token may see them \
             (`github.token` reaches its own repository only)"
        ),
        StatusCode::GONE if lower.contains("disabled") => {
            format!("switch issues on in the settings of {repository}")
        }
        StatusCode::GONE => "it was deleted; name another".to_owned(),
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            format!("{repository} or the issue has moved; use its new name")
        }
        _ => return None,
    })
}

/// `issues=write; pull_requests=write` as people grant it: `issues: write` or `pull_requests: write`.
///
/// In [`X-Accepted-GitHub-Permissions`](https://docs.github.com/rest/overview/permissions-required-for-github-apps)
/// a semicolon parts alternatives, a comma what is needed together.
fn granted(permission: &str) -> String {
    let alternatives = permission.split(';').map(|alternative| {
        let all = alternative.split(',').map(|one| format!("`{}`", one.trim().replace('=', ": ")));
        all.collect::<Vec<_>>().join(" and ")
    });
    alternatives.collect::<Vec<_>>().join(" or ")
}

fn repository_of(path: &str) -> String {
    let mut parts = path.trim_start_matches('/').split(['/', '?']);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("repos"), Some(owner), Some(name)) => format!("{owner}/{name}"),
        _ => "the repository".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_named_as_people_grant_it() {
        assert_eq!(granted("issues=write; pull_requests=write"), "`issues: write` or `pull_requests: write`");
        assert_eq!(granted("actions=write,contents=read"), "`actions: write` and `contents: read`");
    }
}
