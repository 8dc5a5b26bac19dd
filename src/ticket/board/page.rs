//! The page that the board's parts are put on: it grows to GitHub's limit and no further.

use crate::ticket::seen::Seen;
use crate::ticket::text;

/// Room that is kept free for the closing lines.
const CLOSING_ROOM: usize = 700;

/// A text that grows to GitHub's limit and no further.
pub(super) struct Page {
    text: String,
    length: usize,
    /// Room that is kept free for what comes later.
    kept: usize,
}

impl Page {
    pub(super) fn new(marker: String) -> Self {
        let mut page = Self { text: String::new(), length: 0, kept: 0 };
        page.add(&marker);
        page.add("\n");
        page
    }

    /// Adds `text`.
    pub(super) fn add(&mut self, text: &str) {
        self.length += text::length(text);
        self.text += text;
    }

    /// Whether `text` fits, with the closing lines behind it.
    pub(super) fn has_room_for(&self, text: &str) -> bool {
        self.length + text::length(text) + self.kept + CLOSING_ROOM <= text::BODY_LIMIT
    }

    /// Keeps room for `text`, which comes later and has to fit.
    pub(super) fn keep_room_for(&mut self, text: &str) {
        self.kept += text::length(text);
    }

    /// Adds `text` in the room that was kept for it.
    pub(super) fn add_in_its_room(&mut self, text: &str) {
        self.kept -= text::length(text);
        self.add(text);
    }

    /// Adds `text` if it fits.
    pub(super) fn add_if_it_fits(&mut self, text: &str) {
        if self.has_room_for(text) {
            self.add(text);
        }
    }

    /// Adds the closing lines.
    pub(super) fn close(mut self, seen: &Seen) -> String {
        let records = match seen.len() {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        self.add(&format!(
            "<sub>Shows {records} of this ticket, and is rewritten with each new one: please comment below instead of \
             editing it.</sub>\n"
        ));
        self.text
    }
}
