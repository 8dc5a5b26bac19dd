//! What can go wrong between this action and a server, and what to do about it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::request::RequestLine;
use crate::network::obstacle::Obstacle;
use crate::problem::Help;

/// The most characters of a server's text that an error quotes.
pub(super) const QUOTE_LIMIT: usize = 1_000;

/// The most characters of an address to which a server redirects: a signed link is long.
pub(super) const LOCATION_LIMIT: usize = 8_000;

/// Why a request failed, or why nobody knows whether it did.
///
/// The reasons are text: what caused them can be neither cloned nor, where it quotes an answer with a
/// secret, printed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The server said no: nothing happened.
    #[error("{} {}: {} ({})", refuser(*.status), .request.purpose, .message.trim_end_matches('.'), .status.as_u16())]
    Refused {
        /// What was asked.
        request: Box<RequestLine>,
        /// The answer's status.
        status: StatusCode,
        /// The server's message, with the details of a validation.
        message: String,
        /// The permissions that would do, as GitHub names them: `issues=write; pull_requests=write`.
        accepted: Option<String>,
        /// The server's time when it answered.
        date: Option<DateTime<Utc>>,
        /// Where a redirect leads that is not followed.
        location: Option<String>,
    },
    /// GitHub asks to wait longer than the step may wait, or one of its limits would be exceeded and the
    /// request was not sent: nothing happened.
    #[error("the request to {} has to wait for GitHub's rate limit: {message}", .request.purpose)]
    RateLimited {
        /// What was asked.
        request: Box<RequestLine>,
        /// GitHub's message, or the limit.
        message: String,
        /// How long to wait, where that is known.
        wait: Option<Duration>,
    },
    /// The connection could not be opened: nothing happened.
    #[error("the request to {} did not get through: {reason}", .request.purpose)]
    Unreachable {
        /// What was asked.
        request: Box<RequestLine>,
        /// Why.
        reason: String,
        /// What stood in the way, where people can remove it.
        obstacle: Option<Obstacle>,
    },
    /// No clear answer: it may have happened or not.
    #[error("the request to {} got no clear answer: {reason}", .request.purpose)]
    Unclear {
        /// What was asked.
        request: Box<RequestLine>,
        /// Why.
        reason: String,
    },
    /// The answer, or the list that it belongs to, is longer than any of GitHub's.
    #[error("the answer to the request to {} has more than {limit}", .request.purpose)]
    TooLong {
        /// What was asked.
        request: Box<RequestLine>,
        /// What was read of it, with its unit.
        limit: String,
    },
    /// The answer is not what its description promises.
    #[error("the answer to the request to {} is not what it should be: {reason}", .request.purpose)]
    Unexpected {
        /// What was asked.
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
                Obstruction::in_message(message).is_none()
            }
            _ => false,
        }
    }

    /// Whether GitHub refused for what the account may do, whatever was granted its token.
    pub(in crate::github) fn is_lack_of_role(&self) -> bool {
        // "Must have admin rights to Repository.", also where the role write would do
        matches!(self, Self::Refused { message, .. } if message.to_lowercase().contains("must have admin rights"))
    }

    /// Where a redirect leads that was not followed.
    pub(in crate::github) fn location(&self) -> Option<&str> {
        match self {
            Self::Refused { location, .. } => location.as_deref(),
            _ => None,
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
            Self::Refused { request, location: Some(location), .. } => Some(format!(
                "{} or what is named in it has moved to {location}; use its new name",
                request.repository()
            )),
            Self::Refused { request, status, message, accepted, .. } => {
                Some(refusal_help(request, *status, message, accepted.as_deref()))
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
            Self::Unexpected { .. } => Some(
                "run the job again; if that does not help, check what answers at the API's address \
                 (GITHUB_API_URL), and update the action"
                    .to_owned(),
            ),
        }
    }
}

fn refusal_help(request: &RequestLine, status: StatusCode, message: &str, accepted: Option<&str>) -> String {
    let repository = request.repository();
    match status {
        StatusCode::UNAUTHORIZED => {
            "the token is wrong, was revoked or has ended; run the job again, or give another one".to_owned()
        }
        // A proxy says this, not GitHub: it sees what goes to an http address.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Obstacle::ProxyCredentials.remedy().to_owned(),
        StatusCode::FORBIDDEN => match Obstruction::in_message(message) {
            Some(obstruction) => obstruction.remedy(&repository),
            None => {
                let permissions = accepted.map_or_else(|| "more permissions".to_owned(), grants);
                format!("grant the token {permissions} on {repository}")
            }
        },
        StatusCode::NOT_FOUND => format!(
            "check that {repository} and what is named in it exist, and that the token may see them \
             (`github.token` reaches its own repository only)"
        ),
        StatusCode::GONE if message.to_lowercase().contains("disabled") => {
            format!("switch issues on in the settings of {repository}")
        }
        StatusCode::GONE => "it was deleted; name another".to_owned(),
        StatusCode::UNPROCESSABLE_ENTITY => {
            "correct what GitHub names, in the step's inputs or in the targets file".to_owned()
        }
        StatusCode::CONFLICT => "run the job again: something else changed at the same time".to_owned(),
        _ => format!("run the job again; if that does not help, look at the settings of {repository}"),
    }
}

/// Who refused, as the subject of a sentence.
fn refuser(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "the proxy on the way to GitHub refused to",
        _ => "GitHub refused to",
    }
}

/// What stands against a request that the token itself might make.
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
    /// What GitHub's messages say in lower case, in the order in which it is looked for.
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

    fn remedy(self, repository: &str) -> String {
        match self {
            Self::Locked => "unlock the issue, or name another ticket".to_owned(),
            Self::Archived => format!("{repository} is archived; unarchive it, or leave it out"),
            Self::Full => {
                "the issue is full, a limit of GitHub's; close it, and run the dispatch again with a \
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
                "give another kind of token: a fine-grained one that does not last too long, or a \
                                GitHub App"
                    .to_owned()
            }
            Self::Suspended => "give the token of another account: this one is suspended".to_owned(),
        }
    }
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

    fn boxed(method: http::Method, path: &str, purpose: &str) -> Box<RequestLine> {
        Box::new(RequestLine::new(method, path, purpose))
    }

    #[test]
    fn a_missing_permission_is_named_as_people_grant_it() {
        assert_eq!(grants("issues=write; pull_requests=write"), "`issues: write` or `pull_requests: write`");
        assert_eq!(grants("actions=write,contents=read"), "`actions: write` and `contents: read`");
    }

    #[test]
    fn an_issue_that_is_full_of_comments_is_not_a_missing_permission() {
        let refused = |message: &str| ApiError::Refused {
            request: boxed(
                http::Method::POST,
                "/repos/acme/hub/issues/7/comments",
                "write a comment on acme/hub#7",
            ),
            status: StatusCode::FORBIDDEN,
            message: message.into(),
            accepted: None,
            date: None,
            location: None,
        };
        let full = refused("Commenting is disabled on issues with more than 2500 comments");
        assert!(!full.is_lack_of_permission());
        assert!(crate::github::GitHubError::from(full.clone()).is_final());
        let help = full.help().expect("what to do");
        assert!(help.contains("the issue is full") && help.contains("new ticket"), "{help}");
        assert!(refused("Resource not accessible by integration").is_lack_of_permission());
    }

    #[test]
    fn a_refusal_says_what_was_asked_for_what_github_said_and_what_to_do() {
        let refused = |status: u16, message: &str| ApiError::Refused {
            request: boxed(http::Method::POST, "/repos/acme/hub/issues/7/comments", "write it"),
            status: StatusCode::from_u16(status).expect("a status"),
            message: message.into(),
            accepted: Some("issues=write".into()),
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
            (410, "Issues has been disabled in this repository.", "switch issues on"),
            (422, "Validation Failed", "correct what GitHub names"),
            (451, "Repository access blocked", "look at the settings of acme/hub"),
        ];
        for (status, message, help) in cases {
            let error = refused(status, message);
            let message = message.trim_end_matches('.');
            assert_eq!(error.to_string(), format!("GitHub refused to write it: {message} ({status})"));
            assert!(error.help().is_some_and(|text| text.contains(help)), "{message}: {:?}", error.help());
        }
        let moved = ApiError::Refused {
            request: boxed(http::Method::POST, "/repos/acme/hub/issues", "open an issue in acme/hub"),
            status: StatusCode::MOVED_PERMANENTLY,
            message: "Moved Permanently".into(),
            accepted: None,
            date: None,
            location: Some("https://other.example/repositories/1/issues".into()),
        };
        let help = "acme/hub or what is named in it has moved to https://other.example/repositories/1/issues; use its \
                    new name";
        assert_eq!(moved.help().as_deref(), Some(help));
        let proxy = refused(407, "Proxy Authentication Required").to_string();
        assert!(proxy.starts_with("the proxy on the way to GitHub refused to write it"), "{proxy}");
    }
}
