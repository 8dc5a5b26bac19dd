//! The entries of a file by which a step passes values to the runner, such as `GITHUB_STATE`.
//!
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#environment-files>

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The reason why the entries cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    /// It is neither `NAME=VALUE` nor `NAME<<DELIMITER`.
    #[error("`{0}` is neither `NAME=VALUE` nor `NAME<<DELIMITER`")]
    Line(String),
    /// The value has no end.
    #[error("the value of `{name}` does not end with a line `{delimiter}`")]
    Endless {
        /// The name of the entry.
        name: String,
        /// The line that has to follow its value.
        delimiter: String,
    },
}

/// Reads the entries of a file. A file that does not exist has none.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, String>, EntryError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error.into()),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, EntryError> {
    let mut entries = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        // The first of the two counts: a value may contain the other one.
        let (equals, delimits) = (line.find('='), line.find("<<"));
        let (name, value) = match (equals, delimits) {
            (Some(at), delimits) if delimits.is_none_or(|other| at < other) => {
                (&line[..at], line[at + 1..].to_owned())
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                (name, value_until(delimiter, &mut lines).ok_or_else(|| endless(name, delimiter))?)
            }
            _ => return Err(EntryError::Line(line.to_owned())),
        };
        if name.is_empty() {
            return Err(EntryError::Line(line.to_owned()));
        }
        entries.insert(name.to_owned(), value);
    }
    Ok(entries)
}

/// The lines before the delimiter; none if it never comes.
fn value_until<'a>(delimiter: &str, lines: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let mut value = Vec::new();
    loop {
        match lines.next()? {
            line if line == delimiter => return Some(value.join("\n")),
            line => value.push(line),
        }
    }
}

fn endless(name: &str, delimiter: &str) -> EntryError {
    EntryError::Endless { name: name.to_owned(), delimiter: delimiter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_one_line_or_end_with_their_delimiter() {
        let text = "a=1\n\nb<<END\n{\"c\":\n\"d=e\"}\nEND\nf=g<<h\ni<<=\nj\n=\nk=\n";
        let entries = parse(text).expect("entries");
        let pairs: Vec<_> = entries.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "{\"c\":\n\"d=e\"}"), ("f", "g<<h"), ("i", "j"), ("k", "")]);
    }

    #[test]
    fn other_lines_and_values_without_an_end_are_refused() {
        for text in ["a", "=1", "<<END\nEND", "a<<END\n1\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(read(Path::new("/no/such/file")).expect("nothing").len(), 0);
    }
}
