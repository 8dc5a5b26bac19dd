//! An answer with a good status: its JSON, its pages, its tag and its date.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::{DATE, ETAG, HeaderMap, LINK};
use serde::de::DeserializeOwned;

use super::error::{ApiError, QUOTE_LIMIT};
use super::request::RequestLine;
use crate::problem::excerpt;

/// An answer with a good status.
pub(in crate::github) struct Answer {
    pub(in crate::github) request: Box<RequestLine>,
    /// The path that answered, if GitHub redirected the request.
    pub(in crate::github) new_path: Option<String>,
    pub(in crate::github) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The bytes of its body.
    pub(in crate::github) fn length(&self) -> usize {
        self.body.len()
    }

    pub(in crate::github) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| self.error(error.to_string()))
    }

    /// The error for an answer that is malformed.
    pub(in crate::github) fn error(&self, reason: impl Into<String>) -> ApiError {
        ApiError::Unexpected { request: self.request.clone(), reason: excerpt(&reason.into(), QUOTE_LIMIT) }
    }

    /// The tag with which a later request asks for changes.
    pub(in crate::github) fn tag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    /// Whether another page follows.
    pub(in crate::github) fn has_next_page(&self) -> bool {
        self.link("next").is_some()
    }

    /// The number of the last page; none if the list does not count its pages.
    pub(in crate::github) fn last_page(&self) -> Option<u64> {
        let url = url::Url::parse(self.link("last")?).ok()?;
        url.query_pairs().find(|(name, _)| name == "page")?.1.parse().ok()
    }

    /// An address from the [`Link` header](https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).
    fn link(&self, relation: &str) -> Option<&str> {
        let links = self.headers.get(LINK)?.to_str().ok()?;
        let relation = format!("rel=\"{relation}\"");
        let link = links.split(',').find(|link| link.contains(&relation))?;
        link.split_once('<')?.1.split_once('>').map(|(url, _)| url)
    }

    /// The server's time when it answered.
    pub(in crate::github) fn date(&self) -> Option<DateTime<Utc>> {
        date(&self.headers)
    }
}

/// The server's time, from the headers of any answer.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc())
}
