//! Failures between this action and a server, and how to correct them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::request::RequestLine;
use crate::network::obstacle::Obstacle;
use crate::problem::{Advice, Help, Topic};

/// The most characters of a server's text that an error quotes.
pub(super) const QUOTE_LIMIT: usize = 1_000;

/// The most characters of an address to which a server redirects: a signed link is long.
pub(super) const LOCATION_LIMIT: usize = 8_000;

/// Why a request failed, or why its result is unclear.
///
/// The reasons are text: their causes cannot be cloned, and one that quotes an answer with a secret must not be
/// printed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The server refused: nothing happened.
    #[error("{} {}: {} ({})", refuser(*.status), .request.purpose, .message.trim_end_matches('.'), .status.as_u16())]
    Refused {
        /// The request.
        request: Box<RequestLine>,
        /// The answer's status.
        status: StatusCode,
        /// The server's message, with the details of a validation.
        message: String,
        /// The sufficient permissions, as GitHub names them: `issues=write; pull_requests=write`.
        permissions: Option<String>,
        /// The server's time when it answered.
        date: Option<DateTime<Utc>>,
        /// The address of a redirect that is not followed.
        location: Option<String>,
    },
    /// GitHub asks to wait longer than the step may wait, or one of its limits would be exceeded and the
    /// request was not sent: nothing happened.
    #[error("the request to {} has to wait for GitHub's rate limit: {message}", .request.purpose)]
    RateLimited {
        /// The request.
        request: Box<RequestLine>,
        /// GitHub's message, or the limit.
        message: String,
        /// How long to wait; none if GitHub does not say.
        wait: Option<Duration>,
    },
    /// The connection could not be opened: nothing happened.
    #[error("the request to {} did not get through: {reason}", .request.purpose)]
    Unreachable {
        /// The request.
        request: Box<RequestLine>,
        /// Why.
        reason: String,
        /// The obstacle, if it is one that people can remove.
        obstacle: Option<Obstacle>,
    },
    /// No clear answer: the request may have had its effect or not.
    #[error("the request to {} got no clear answer: {reason}", .request.purpose)]
    Unclear {
        /// The request.
        request: Box<RequestLine>,
        /// Why.
        reason: String,
    },
    /// The answer, or the list that it belongs to, exceeds every answer of GitHub.
    #[error("the answer to the request to {} has more than {limit}", .request.purpose)]
    TooLong {
        /// The request.
        request: Box<RequestLine>,
        /// The limit with its unit: `200 pages`.
        limit: String,
    },
    /// The answer does not have the documented form.
    #[error("the answer to the request to {} is malformed: {reason}", .request.purpose)]
    Unexpected {
        /// The request.
        request: Box<RequestLine>,
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

    /// Whether the object does not exist, or this token may not see it.
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
                Obstruction::in_message(message).is_none()
            }
            _ => false,
        }
    }

    /// Whether GitHub refused because of the account's role: more permissions of the token would not help.
    pub(in crate::github) fn is_lack_of_role(&self) -> bool {
        // "Must have admin rights to Repository.", also if the role write is enough
        matches!(self, Self::Refused { message, .. } if message.to_lowercase().contains("must have admin rights"))
    }

    /// The address of a redirect that was not followed.
    pub(in crate::github) fn location(&self) -> Option<&str> {
        match self {
            Self::Refused { location, .. } => location.as_deref(),
            _ => None,
        }
    }

    /// The sufficient permissions, as GitHub names them: `issues=write; pull_requests=write`.
    pub(in crate::github) fn permissions(&self) -> Option<&str> {
        match self {
            Self::Refused { permissions, .. } => permissions.as_deref(),
            _ => None,
        }
    }
}

impl Help for ApiError {
    fn help(&self) -> Option<Advice> {
        Some(match self {
            Self::Refused { request, location: Some(location), .. } => Topic::NewName.advice(format!(
                "{} or something in it has moved to {location}; use the new name",
                request.repository()
            )),
            Self::Refused { request, status, message, permissions, .. } => {
                refusal_help(request, *status, message, permissions.as_deref())
            }
            Self::RateLimited { wait, .. } => {
                let wait =
                    wait.map_or_else(String::new, |wait| format!("in {} ", humantime::format_duration(wait)));
                Topic::RateLimit.advice(format!("run the job again {wait}or raise `retry-timeout`"))
            }
            Self::Unreachable { obstacle: Some(obstacle), .. } => obstacle.remedy(),
            Self::Unreachable { obstacle: None, .. } => Topic::Host.advice(
                "check that the runner reaches the API's address (GITHUB_API_URL); if only a proxy leads there, name it \
                 in `https_proxy`",
            ),
            Self::Unclear { .. } => {
                Topic::Answer.advice("run the job again: it does not repeat what has already happened")
            }
            Self::TooLong { .. } => Topic::Answer.advice(
                "check which server answers at the API's address (GITHUB_API_URL), and the proxies in between; if it \
                 is GitHub, close finished issues",
            ),
            Self::Unexpected { .. } => Topic::Answer.advice(
                "run the job again; if that does not help, check which server answers at the API's address \
                 (GITHUB_API_URL), and update the action",
            ),
        })
    }
}

fn refusal_help(
    request: &RequestLine,
    status: StatusCode,
    message: &str,
    permissions: Option<&str>,
) -> Advice {
    let repository = request.repository();
    match status {
        StatusCode::UNAUTHORIZED => Topic::Credentials
            .advice("the token is wrong, revoked or expired; run the job again, or give another one"),
        // This comes from a proxy, not from GitHub: a proxy sees requests to an http address.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Obstacle::ProxyCredentials.remedy(),
        StatusCode::FORBIDDEN => match Obstruction::in_message(message) {
            Some(obstruction) => obstruction.remedy(&repository),
            None => {
                let permissions = permissions.map_or_else(|| "more permissions".to_owned(), grants);
                Topic::Permission.advice(format!("grant the token {permissions} on {repository}"))
            }
        },
        StatusCode::NOT_FOUND => Topic::Permission.advice(format!(
            "check that {repository} and the things named in it exist, and that the token may see them \
             (`github.token` reaches its own repository only)"
        )),
        StatusCode::GONE if message.to_lowercase().contains("disabled") => {
            Topic::Repository.advice(format!("enable issues in the settings of {repository}"))
        }
        StatusCode::GONE => Topic::Ticket.advice("it was deleted; name another"),
        StatusCode::UNPROCESSABLE_ENTITY => Topic::Input
            .advice("correct the values that GitHub names, in the step's inputs or in the targets file"),
        StatusCode::CONFLICT => {
            Topic::Answer.advice("run the job again: something else changed at the same time")
        }
        _ => Topic::Answer.advice(format!(
            "run the job again; if that does not help, look at the settings of {repository}"
        )),
    }
}

/// The beginning of the sentence about a refusal.
fn refuser(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "the proxy on the way to GitHub refused to",
        _ => "GitHub refused to",
    }
}

/// A reason against a request that the token's permissions would allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstruction {
    Locked,
    Archived,
    Full,
    SingleSignOn,
    AllowList,
    TokenKind,
    Suspended,
}

impl Obstruction {
    /// Words of GitHub's messages in lower case, in the order of the search.
    const ALL: [(&'static str, Self); 7] = [
        // "Commenting is disabled on issues with more than 2500 comments"
        ("commenting is disabled", Self::Full),
        // "Resource protected by organization SAML enforcement. You must grant your token access to …"
        ("saml", Self::SingleSignOn),
        // "… the `acme` organization has an IP allow list enabled, and your IP address is not permitted …"
        ("ip allow list", Self::AllowList),
        // "`acme` forbids access via a personal access token (classic)"
        ("forbids access via", Self::TokenKind),
        ("suspended", Self::Suspended),
        ("archived", Self::Archived),
        ("locked", Self::Locked),
    ];

    fn in_message(message: &str) -> Option<Self> {
        let message = message.to_lowercase();
        Self::ALL.iter().find(|(words, _)| message.contains(words)).map(|(_, obstruction)| *obstruction)
    }

    fn remedy(self, repository: &str) -> Advice {
        let text = match self {
            Self::Locked => "unlock the issue, or name another ticket".to_owned(),
            Self::Archived => format!("{repository} is archived; unarchive it, or leave it out"),
            Self::Full => {
                "the issue has reached GitHub's limit of comments; close it, and run the dispatch again with a \
                           new ticket, or name another ticket"
                    .to_owned()
            }
            Self::SingleSignOn => {
                "authorize the token for the organization's single sign-on, in the settings of \
                                   the account that made it; or give a GitHub App"
                    .to_owned()
            }
            Self::AllowList => {
                "add the runner's address to the organization's IP allow list, or run the job on a \
                                runner whose address is on it"
                    .to_owned()
            }
            Self::TokenKind => {
                "give another kind of token: a fine-grained one with a shorter lifetime, or a \
                                GitHub App"
                    .to_owned()
            }
            Self::Suspended => "give the token of another account: this one is suspended".to_owned(),
        };
        self.topic().advice(text)
    }

    fn topic(self) -> Topic {
        match self {
            Self::Locked | Self::Full => Topic::Ticket,
            Self::Archived => Topic::Repository,
            Self::SingleSignOn | Self::AllowList | Self::TokenKind | Self::Suspended => Topic::Credentials,
        }
    }
}

/// `issues=write; pull_requests=write` as people grant it: `issues: write` or `pull_requests: write`.
///
/// In [`X-Accepted-GitHub-Permissions`](https://docs.github.com/rest/overview/permissions-required-for-github-apps)
/// a semicolon separates alternatives, and a comma separates permissions that are needed together.
pub(in crate::github) fn grants(permissions: &str) -> String {
    let alternatives = permissions.split(';').map(|alternative| {
        let all = alternative.split(',').map(|one| format!("`{}`", one.trim().replace('=', ": ")));
        all.collect::<Vec<_>>().join(" and ")
    });
    alternatives.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_line(method: http::Method, path: &str, purpose: &str) -> Box<RequestLine> {
        Box::new(RequestLine::new(method, path, purpose))
    }

    #[test]
    fn a_missing_permission_is_named_as_people_grant_it() {
        assert_eq!(grants("issues=write; pull_requests=write"), "`issues: write` or `pull_requests: write`");
        assert_eq!(grants("actions=write,contents=read"), "`actions: write` and `contents: read`");
    }

    #[test]
    fn an_issue_that_is_full_of_comments_is_not_a_missing_permission() {
        let refusal = |message: &str| ApiError::Refused {
            request: request_line(
                http::Method::POST,
                "/repos/acme/hub/issues/7/comments",
                "write a comment on acme/hub#7",
            ),
            status: StatusCode::FORBIDDEN,
            message: message.into(),
            permissions: None,
            date: None,
            location: None,
        };
        let full = refusal("Commenting is disabled on issues with more than 2500 comments");
        assert!(!full.is_lack_of_permission());
        assert!(crate::github::GitHubError::from(full.clone()).is_final());
        let help = full.help().expect("what to do").text;
        assert!(help.contains("GitHub's limit of comments") && help.contains("new ticket"), "{help}");
        assert!(refusal("Resource not accessible by integration").is_lack_of_permission());
    }

    #[test]
    fn a_refusal_says_what_was_asked_for_what_github_said_and_what_to_do() {
        let refusal = |status: u16, message: &str| ApiError::Refused {
            request: request_line(http::Method::POST, "/repos/acme/hub/issues/7/comments", "write it"),
            status: StatusCode::from_u16(status).expect("a status"),
            message: message.into(),
            permissions: Some("issues=write".into()),
            date: None,
            location: None,
        };
        let cases = [
            (401, "Bad credentials", "run the job again, or give another one"),
            (403, "Must have admin rights to Repository.", "grant the token `issues: write` on acme/hub"),
            (403, "Resource protected by organization SAML enforcement.", "single sign-on"),
            (403, "the `acme` organization has an IP allow list enabled, and yours is not", "IP allow list"),
            (403, "`acme` forbids access via a personal access token (classic)", "another kind of token"),
            (403, "Sorry. Your account was suspended.", "another account"),
            (403, "Unable to create comment because issue is locked.", "unlock the issue"),
            (403, "Repository was archived so is read-only.", "unarchive it"),
            (404, "Not Found", "check that acme/hub"),
            (409, "Conflict", "run the job again"),
            (410, "Issues has been disabled in this repository.", "enable issues"),
            (422, "Validation Failed", "correct the values that GitHub names"),
            (451, "Repository access blocked", "look at the settings of acme/hub"),
        ];
        for (status, message, help) in cases {
            let error = refusal(status, message);
            let message = message.trim_end_matches('.');
            assert_eq!(error.to_string(), format!("GitHub refused to write it: {message} ({status})"));
            assert!(
                error.help().is_some_and(|advice| advice.text.contains(help)),
                "{message}: {:?}",
                error.help()
            );
        }
        let redirect = ApiError::Refused {
            request: request_line(http::Method::POST, "/repos/acme/hub/issues", "open an issue in acme/hub"),
            status: StatusCode::MOVED_PERMANENTLY,
            message: "Moved Permanently".into(),
            permissions: None,
            date: None,
            location: Some("https://other.example/repositories/1/issues".into()),
        };
        let help = "acme/hub or something in it has moved to https://other.example/repositories/1/issues; use the \
                    new name";
        assert_eq!(redirect.help(), Some(Topic::NewName.advice(help)));
        let proxy = refusal(407, "Proxy Authentication Required").to_string();
        assert!(proxy.starts_with("the proxy on the way to GitHub refused to write it"), "{proxy}");
    }
}
