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
    /// The path that has answered, where GitHub has redirected the request.
    pub(in crate::github) redirected: Option<String>,
    pub(in crate::github) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// How many bytes its body has.
    pub(in crate::github) fn length(&self) -> usize {
        self.body.len()
    }

    pub(in crate::github) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unexpected(error.to_string()))
    }

    /// The error that this answer is when it is not what it should be.
    pub(in crate::github) fn unexpected(&self, reason: impl Into<String>) -> ApiError {
        ApiError::Unexpected { request: self.request.clone(), reason: excerpt(&reason.into(), QUOTE_LIMIT) }
    }

    /// The tag by which a later request asks whether this has changed.
    pub(in crate::github) fn tag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    /// Whether there is a page behind this one.
    pub(in crate::github) fn has_next_page(&self) -> bool {
        self.link("next").is_some()
    }

    /// The number of the last page, where a list counts its pages.
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
