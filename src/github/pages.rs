//! How long a list may be that GitHub gives in pages: a server that always names a next page is not followed for
//! ever.

use super::api::{Answer, ApiError};

/// The most that a list gives at once.
pub const PAGE: usize = 100;

/// The most pages of a list: 20,000 issues, and eight times as many comments as GitHub
/// [takes](https://docs.github.com/rest/issues/comments) on one.
pub(super) const PAGES_LIMIT: u64 = 200;

/// The most bytes of a list. A record takes some thousand of them, and GitHub takes 2,500 comments on an issue.
const BYTES_LIMIT: usize = 256 * 1024 * 1024;

/// How much of a list was read.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pages: u64,
    bytes: usize,
}

impl Extent {
    /// Counts a page, unless it makes the list too long.
    pub(super) fn add(&mut self, page: &Answer) -> Result<(), ApiError> {
        (self.pages, self.bytes) = (self.pages + 1, self.bytes + page.length());
        let request = page.request.clone();
        if self.pages > PAGES_LIMIT {
            return Err(ApiError::TooLong { request, limit: format!("{PAGES_LIMIT} pages") });
        }
        if self.bytes > BYTES_LIMIT {
            return Err(ApiError::TooLong { request, limit: format!("{BYTES_LIMIT} bytes in all") });
        }
        Ok(())
    }
}
