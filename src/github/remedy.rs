//! Remedies for a start or a reference that GitHub refuses, by the words of its message.

use http::StatusCode;

use super::api::ApiError;
use super::error::GitHubError;
use crate::names::{GitRef, RepoName, WorkflowFile};
use crate::problem::Topic;

/// `error` of a start of `workflow` at `git_ref`, with its remedy.
pub(super) fn of_start(
    error: GitHubError,
    repository: &RepoName,
    workflow: &WorkflowFile,
    git_ref: &GitRef,
) -> GitHubError {
    let at = git_ref.short();
    with_remedy(error, Topic::Start, |status, message| {
        let says = |words: &str| message.contains(words);
        Some(match status {
            StatusCode::NOT_FOUND => format!(
                "check that {repository} has `{workflow}` on its default branch, and that the token may see it \
                 (`github.token` reaches its own repository only)"
            ),
            _ if says("unexpected inputs") => format!(
                "leave these inputs out, declare them in `{workflow}` of {repository} at `{at}`, or set \
                 `ignore-unexpected-inputs: true`"
            ),
            _ if says("required input") || says("provided value") || says("is not a string") => {
                format!("correct the target's `inputs`: `{workflow}` of {repository} declares the inputs that it takes")
            }
            _ if says("no ref found") => {
                format!("name a branch or tag of {repository} in the target's `ref`")
            }
            _ if says("disabled workflow") => {
                format!("enable `{workflow}` on the Actions page of {repository}")
            }
            _ if says("disabled for this user") => {
                "use the token of an account that may use Actions, or ask GitHub's support why this one may not"
                    .to_owned()
            }
            _ if says("actions") && says("disabled") => {
                format!("enable Actions in the settings of {repository}")
            }
            _ if says("trigger") => {
                format!("add `on: workflow_dispatch` to `{workflow}` of {repository} at `{at}`")
            }
            _ if says("parse") => format!("correct `{workflow}` of {repository} at `{at}`"),
            _ if says("properties are allowed") || says("too large") || says("too long") => {
                "give the target fewer or shorter `inputs`".to_owned()
            }
            _ => return None,
        })
    })
}

/// `error` of an event for `repository`, with its remedy.
pub(super) fn of_event(error: GitHubError, repository: &RepoName) -> GitHubError {
    with_remedy(error, Topic::Start, |status, message| match status {
        StatusCode::UNPROCESSABLE_ENTITY if message.contains("properties") || message.contains("too l") => {
            Some(format!("give the target {repository} fewer or shorter `inputs`"))
        }
        _ => None,
    })
}

/// `error` of a new reference in `repository`, with its remedy.
pub(super) fn of_reference(error: GitHubError, repository: &RepoName) -> GitHubError {
    with_remedy(error, Topic::Claim, |_, message| {
        if message.contains("rule violations") || message.contains("protected") {
            let what = "let the token's account bypass the ruleset for `refs/release-ticket/`";
            Some(format!("{what} in {repository}, or leave `claim: ref` out"))
        } else if message.contains("object does not exist") {
            Some(format!("run the hub's workflow at a commit that {repository} has"))
        } else {
            None
        }
    })
}

/// The same error, with the `remedy` for the refusal's status and message, which is in lower case.
fn with_remedy(
    error: GitHubError,
    topic: Topic,
    remedy: impl FnOnce(StatusCode, &str) -> Option<String>,
) -> GitHubError {
    let GitHubError::Api(refusal @ ApiError::Refused { .. }) = error else { return error };
    let ApiError::Refused { status, message, .. } = &refusal else { return refusal.into() };
    match *status {
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
            match remedy(*status, &message.to_lowercase()) {
                Some(text) => GitHubError::Refused { refusal, remedy: Box::new(topic.advice(text)) },
                None => refusal.into(),
            }
        }
        _ => refusal.into(),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::github::api::RequestLine;
    use crate::problem::Help;

    fn refusal(status: u16, message: &str) -> GitHubError {
        let line = RequestLine::new(Method::POST, "/repos/acme/web/x", "start `release.yml` of acme/web");
        GitHubError::Api(ApiError::Refused {
            request: Box::new(line),
            status: StatusCode::from_u16(status).expect("a status"),
            message: message.to_owned(),
            permissions: None,
            date: None,
            location: None,
        })
    }

    #[test]
    fn each_refusal_of_a_start_says_what_to_do() {
        let repository: RepoName = "acme/web".parse().expect("a name");
        let of_start = |status, message| {
            of_start(refusal(status, message), &repository, &"release.yml".into(), &"refs/heads/main".into())
        };
        let cases = [
            (404, "Not Found", "has `release.yml` on its default branch"),
            (422, "Unexpected inputs provided: [\"x\"]", "ignore-unexpected-inputs: true"),
            (422, "Required input 'version' not provided", "correct the target's `inputs`"),
            (
                422,
                "Provided value 'x' for input 'y' not in the list of allowed values",
                "correct the target's",
            ),
            (422, "No ref found for: v9", "name a branch or tag of acme/web"),
            (422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow", "enable `release.yml`"),
            (422, "Workflow does not have 'workflow_dispatch' trigger", "add `on: workflow_dispatch`"),
            (422, "Actions has been disabled for this repository.", "enable Actions"),
            (422, "Actions has been disabled for this user.", "an account that may use Actions"),
            (
                422,
                "failed to parse workflow: (Line: 3, Col: 5)",
                "correct `release.yml` of acme/web at `main`",
            ),
            (422, "inputs are too large.", "fewer or shorter `inputs`"),
        ];
        for (status, message, help) in cases {
            let error = of_start(status, message);
            let text = error.help().expect("a remedy").text;
            assert!(text.contains(help), "{message}: {text}");
            assert!(error.to_string().starts_with("GitHub refused to start"), "{error}");
            assert_eq!(
                (error.status().map(|status| status.as_u16()), error.is_final()),
                (Some(status), true)
            );
        }
        assert!(matches!(of_start(422, "Something new"), GitHubError::Api(_)), "the common help holds");
        assert!(matches!(of_start(401, "Bad credentials"), GitHubError::Api(_)), "it is about the token");
    }

    #[test]
    fn a_reference_that_a_ruleset_forbids_names_the_ruleset() {
        let repository: RepoName = "acme/hub".parse().expect("a name");
        let help = |message| of_reference(refusal(422, message), &repository).help().expect("a remedy").text;
        assert!(help("Repository rule violations found").contains("bypass the ruleset"));
        assert!(help("Object does not exist").contains("at a commit that acme/hub has"));
    }
}
