//! The limits of a list in pages: a server that always names a next page must not hold the step for
//! ever.

use super::api::{Answer, ApiError};

/// The most entries of a page.
pub const PAGE: usize = 100;

/// The most pages of a list: 20,000 issues, and eight times as many comments as an issue
/// [can have](https://docs.github.com/rest/issues/comments).
pub(super) const PAGES_LIMIT: u64 = 200;

/// The most bytes of a list. A record has some thousand, and an issue 2,500 comments at most.
const BYTES_LIMIT: usize = 256 * 1024 * 1024;

/// The extent of a list so far.
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
