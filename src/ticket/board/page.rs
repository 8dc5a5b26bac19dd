//! The page that collects the board's parts within GitHub's limit.

use crate::ticket::board_data::RecordVersions;
use crate::ticket::text;

/// The room for the closing lines.
const CLOSING_ROOM: usize = 700;

/// A text within GitHub's limit.
pub(super) struct Page {
    text: String,
    length: usize,
    /// The room reserved for later parts.
    reserve: usize,
}

impl Page {
    pub(super) fn new(marker: String) -> Self {
        let mut page = Self { text: String::new(), length: 0, reserve: 0 };
        page.add(&marker);
        page.add("\n");
        page
    }

    pub(super) fn add(&mut self, text: &str) {
        self.length += text::length(text);
        self.text += text;
    }

    /// Whether `text` fits beside the reserve and the closing lines.
    pub(super) fn has_room_for(&self, text: &str) -> bool {
        self.length + text::length(text) + self.reserve + CLOSING_ROOM <= text::BODY_LIMIT
    }

    /// Reserves room for `text`, which is added later and has to fit.
    pub(super) fn keep_room_for(&mut self, text: &str) {
        self.reserve += text::length(text);
    }

    /// Adds `text` in the room reserved for it.
    pub(super) fn add_in_its_room(&mut self, text: &str) {
        self.reserve -= text::length(text);
        self.add(text);
    }

    pub(super) fn add_if_it_fits(&mut self, text: &str) {
        if self.has_room_for(text) {
            self.add(text);
        }
    }

    pub(super) fn close(mut self, records: &RecordVersions) -> String {
        let count = match records.len() {
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        self.add(&format!(
            "<sub>Shows {count} of this ticket, and is rewritten with each new one: please comment below instead of \
             editing it.</sub>\n"
        ));
        self.text
    }
}
