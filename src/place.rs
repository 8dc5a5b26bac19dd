//! Places: where something stands in a text.

use std::fmt;

/// Where something stands: a file or an input, with line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What people call the text: a file's path, or ``input `targets` ``.
    pub source: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, in characters from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}
