//! Git references: <https://docs.github.com/rest/git/refs>.
//!
//! A name is fully qualified: `refs/heads/main`, or in a namespace of its own `refs/acme/one`. A reference
//! exists at most once: that is GitHub's only documented "create if absent".

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::api::{ApiError, Repeat};
use super::client::{GitHub, Request, path_part};
use super::error::GitHubError;
use super::pages::Extent;
use super::remedy;
use crate::names::{Creation, RepoName};

impl GitHub {
    /// Creates the reference `name` at the commit `sha`, unless it exists; needs `contents: write`.
    ///
    /// Sent once: after an unclear failure and a second request, [`Creation::Exists`] could mean the reference of this
    /// step or of another one. The caller decides what to do then.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or gives no clear answer.
    pub async fn create_ref(
        &self,
        repository: &RepoName,
        name: &str,
        sha: &str,
    ) -> Result<Creation, GitHubError> {
        let purpose = format!("create the reference `{name}` in {repository}");
        let request = Request::new(Method::POST, repository, "/git/refs", Repeat::Never, purpose);
        match self.send(request.body(json!({ "ref": name, "sha": sha }))).await {
            Ok(_) => Ok(Creation::New),
            Err(error) if is_unprocessable(&error, "already exists") => Ok(Creation::Exists),
            Err(error) => Err(remedy::of_reference(error, repository)),
        }
    }

    /// The names of all references that begin with `prefix`, such as `refs/acme/`; needs `contents: read`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn matching_refs(
        &self,
        repository: &RepoName,
        prefix: &str,
    ) -> Result<Vec<String>, GitHubError> {
        #[derive(Deserialize)]
        struct Reference {
            r#ref: String,
        }
        let path = format!("/git/matching-refs/{}", path_of(prefix));
        let purpose = format!("list the references `{prefix}*` of {repository}");
        let (mut names, mut extent) = (Vec::new(), Extent::default());
        for page in 1.. {
            // GitHub documents no pages here, so the query names one only after GitHub's link to it.
            let query = if page == 1 { String::new() } else { format!("?page={page}") };
            let answer =
                self.send(Request::get(repository, format!("{path}{query}"), purpose.clone())).await?;
            extent.add(&answer)?;
            names.extend(answer.json::<Vec<Reference>>()?.into_iter().map(|reference| reference.r#ref));
            if !answer.has_next_page() {
                break;
            }
        }
        Ok(names)
    }

    /// Deletes the reference `name`, if it exists; may be repeated. Needs `contents: write`.
    ///
    /// # Errors
    ///
    /// When GitHub refuses or does not answer.
    pub async fn delete_ref(&self, repository: &RepoName, name: &str) -> Result<(), GitHubError> {
        let path = format!("/git/refs/{}", path_of(name));
        let purpose = format!("delete the reference `{name}` of {repository}");
        match self.send(Request::new(Method::DELETE, repository, path, Repeat::Freely, purpose)).await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            Err(error) if is_unprocessable(&error, "does not exist") => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// A reference as a part of a path, in which GitHub leaves out `refs/`.
fn path_of(name: &str) -> String {
    let name = name.strip_prefix("refs/").unwrap_or(name);
    name.split('/').map(|part| path_part(part).to_string()).collect::<Vec<_>>().join("/")
}

/// Whether GitHub refused with a 422 of this message: "Reference already exists", "Reference does not
/// exist".
fn is_unprocessable(error: &GitHubError, text: &str) -> bool {
    match error {
        GitHubError::Api(ApiError::Refused { status, message, .. }) => {
            *status == StatusCode::UNPROCESSABLE_ENTITY && message.to_lowercase().contains(text)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::Full;
    use octocrab::OctoBody;

    use super::*;
    use crate::github::tokens::InputToken;
    use crate::github::{Credentials, Tokens, transport};
    use crate::job::Clock;

    type Requests = Arc<Mutex<Vec<String>>>;

    /// A client whose server gives these answers, one after the other; and the requests that the server got.
    fn client(answers: Vec<(u16, &'static str)>) -> (GitHub, Requests) {
        let requests = Requests::default();
        let (log, answers) = (requests.clone(), Arc::new(Mutex::new(answers.into_iter())));
        let service = tower::service_fn(move |request: http::Request<OctoBody>| {
            let path = request.uri().path_and_query().expect("a path");
            log.lock().expect("no panic").push(format!("{} {path}", request.method()));
            let next = answers.lock().expect("no panic").next();
            let (status, body) = next.expect("no more requests");
            let mut answer = http::Response::builder().status(status);
            if body.contains("first") {
                answer = answer.header("link", "<https://api.github.com/x?page=2>; rel=\"next\"");
            }
            let answer = answer.body(Full::new(Bytes::from(body))).expect("a response");
            async move { Ok::<_, Infallible>(answer) }
        });
        let octocrab = transport::over_service(service, http::Uri::from_static("https://api.github.com"));
        let credentials =
            Credentials { token: Some(InputToken::new("token", "token")), ..Credentials::default() };
        let tokens = Tokens::new(credentials, |_| ());
        let clock = Clock::starting_at(chrono::DateTime::UNIX_EPOCH);
        (GitHub::new(octocrab, tokens, clock, Duration::from_secs(60)), requests)
    }

    fn web() -> RepoName {
        "acme/web".parse().expect("a name")
    }

    #[tokio::test(start_paused = true)]
    async fn a_reference_is_created_once_and_never_asked_for_twice() {
        let create = async |status, body| {
            let (github, requests) = client(vec![(status, body)]);
            let result = github.create_ref(&web(), "refs/acme/one", "c0ffee").await;
            assert_eq!(*requests.lock().expect("no panic"), ["POST /repos/acme/web/git/refs"]);
            result
        };
        assert_eq!(create(201, "{}").await.ok(), Some(Creation::New));
        let exists = create(422, r#"{"message":"Reference already exists"}"#).await;
        assert_eq!(exists.ok(), Some(Creation::Exists));
        assert!(create(422, r#"{"message":"Object does not exist"}"#).await.is_err());
        let unclear = create(502, "").await.expect_err("no clear answer");
        assert!(!unclear.is_without_effect());
    }

    #[tokio::test(start_paused = true)]
    async fn references_are_listed_with_all_pages() {
        let pages = vec![(200, r#"[{"ref":"refs/acme/v1 first"}]"#), (200, r#"[{"ref":"refs/acme/v2"}]"#)];
        let (github, requests) = client(pages);
        let names = github.matching_refs(&web(), "refs/acme/v%").await.expect("names");
        assert_eq!(names, ["refs/acme/v1 first", "refs/acme/v2"]);
        let path = "GET /repos/acme/web/git/matching-refs/acme/v%25";
        assert_eq!(*requests.lock().expect("no panic"), [path.to_owned(), format!("{path}?page=2")]);
    }

    #[tokio::test(start_paused = true)]
    async fn references_without_an_end_are_not_followed_for_ever() {
        let (github, requests) = client(vec![(200, r#"[{"ref":"refs/acme/v1 first"}]"#); 201]);
        let error = github.matching_refs(&web(), "refs/acme/").await.expect_err("too many");
        assert!(error.to_string().ends_with("has more than 200 pages"), "{error}");
        assert_eq!(requests.lock().expect("no panic").len(), 201);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reference_that_is_deleted_already_is_deleted() {
        let missing = (422, r#"{"message":"Reference does not exist"}"#);
        for answers in [vec![(204, "")], vec![(404, "{}")], vec![missing], vec![(502, ""), missing]] {
            let (github, requests) = client(answers.clone());
            github.delete_ref(&web(), "refs/acme/one").await.expect("it is deleted");
            let lines = vec!["DELETE /repos/acme/web/git/refs/acme/one"; answers.len()];
            assert_eq!(*requests.lock().expect("no panic"), lines);
        }
        let (github, _) = client(vec![(422, r#"{"message":"Cannot delete this protected ref"}"#)]);
        github.delete_ref(&web(), "refs/acme/one").await.expect_err("it is protected");
    }
}
