//! Logs of jobs: <https://docs.github.com/rest/actions/workflow-jobs#download-job-logs-for-a-workflow-run>.
//!
//! GitHub answers with a link to another server. The link lasts a minute and is as good as a token, so no message
//! quotes it. The server gets no token. Errors are at the end of a log, so only its end is read.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, RANGE};
use http::{Method, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use octocrab::{OctoBody, Octocrab};
use url::Url;

use super::api::{ApiError, RequestLine};
use super::client::{GitHub, Request};
use super::error::GitHubError;
use super::transport::{self, BoxError};
use crate::names::RepoName;

/// The bytes at the end of a log that are read.
const END_LENGTH: usize = 256 * 1024;

/// The most bytes that are read from a server that does not send parts of files.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// How long a download may take.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15);

/// The end of a log.
#[derive(Debug)]
pub struct LogEnd {
    /// Its text; if `is_cut`, its first line may be a part of one.
    pub text: String,
    /// Whether the log has more before it.
    pub is_cut: bool,
}

impl GitHub {
    /// The end of the log of an ended job; none if GitHub has no log, or not any more.
    ///
    /// # Errors
    ///
    /// When GitHub refuses, or GitHub or the server with the logs does not answer.
    pub async fn log_end(&self, repository: &RepoName, job: u64) -> Result<Option<LogEnd>, GitHubError> {
        let path = format!("/actions/jobs/{job}/logs");
        let purpose = format!("show the log of job {job} of {repository}");
        let line = RequestLine::new(Method::GET, path.clone(), purpose.clone());
        let link = match self.send(Request::get(repository, path, purpose)).await {
            Ok(answer) => return Err(answer.error("it holds no link to a log").into()),
            Err(error) if error.status() == Some(StatusCode::FOUND) => error.api().and_then(link_in),
            Err(error) if error.is_gone() => return Ok(None),
            Err(error) => return Err(error),
        };
        let unclear = |reason: &str| ApiError::Unclear { request: Box::new(line), reason: reason.to_owned() };
        let (Some(link), Some(network)) = (link, &self.network) else {
            return Err(unclear("the log has no address that the step can reach").into());
        };
        let client = transport::over_network(&link.origin().ascii_serialization(), network);
        let Ok(client) = client else { return Err(unclear("the log has no http(s) address").into()) };
        match tokio::time::timeout(DOWNLOAD_LIMIT, download(&client, &link)).await {
            Ok(Ok(end)) => Ok(Some(end)),
            // The error's text may hold the link.
            Ok(Err(_)) | Err(_) => Err(unclear("the server with the logs sent no log").into()),
        }
    }
}

/// The link of a redirect.
fn link_in(error: &ApiError) -> Option<Url> {
    let link = Url::parse(error.location()?).ok()?;
    matches!(link.scheme(), "http" | "https").then_some(link)
}

/// Reads the end of the file at `link`. The first answer has its length, and the second one its end: not
/// every server can send the last bytes of a file (`bytes=-256`).
async fn download(client: &Octocrab, link: &Url) -> Result<LogEnd, BoxError> {
    let first = get(client, link, None).await?;
    let length = first.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let from = length.and_then(|length: usize| length.checked_sub(END_LENGTH)).filter(|from| *from > 0);
    let Some(from) = from else { return end_of(first.into_body()).await };
    drop(first);
    let end = get(client, link, Some(from)).await?;
    let is_part = end.status() == StatusCode::PARTIAL_CONTENT;
    let end = end_of(end.into_body()).await?;
    Ok(LogEnd { is_cut: is_part || end.is_cut, ..end })
}

async fn get(
    client: &Octocrab,
    link: &Url,
    from: Option<usize>,
) -> Result<Response<impl Body<Data = bytes::Bytes, Error: Into<BoxError>> + use<>>, BoxError> {
    let path = &link[url::Position::BeforePath..url::Position::AfterQuery];
    let builder = http::Request::builder().method(Method::GET).uri(path);
    let builder = match from {
        Some(from) => builder.header(RANGE, format!("bytes={from}-")),
        None => builder,
    };
    let request: http::Request<OctoBody> = client.build_request(builder, None::<&()>)?;
    let answer = client.execute(request).await?;
    if answer.status().is_success() { Ok(answer) } else { Err("refused".into()) }
}

/// The last bytes of a body of up to `MOST_BYTES`.
async fn end_of<B>(body: B) -> Result<LogEnd, BoxError>
where
    B: Body<Data = bytes::Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = std::pin::pin!(body);
    let (mut end, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Into::into)?.into_data() else { continue };
        length += data.len();
        if length > MOST_BYTES {
            return Err("too long".into());
        }
        end.extend_from_slice(&data);
        if end.len() > 2 * END_LENGTH {
            end.drain(..end.len() - END_LENGTH);
        }
    }
    end.drain(..end.len().saturating_sub(END_LENGTH));
    Ok(LogEnd { is_cut: length > end.len(), text: String::from_utf8_lossy(&end).into_owned() })
}
