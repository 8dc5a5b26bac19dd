//! The board at some moments of the release, as Markdown files.

use std::path::PathBuf;

use release_ticket_action::problem::{Advice, Help, Topic};

/// The reason why a board has no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BoardsError {
    /// The folder takes no file.
    #[error("no file can be written in the folder `{}`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of a board cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Help for BoardsError {
    fn help(&self) -> Option<Advice> {
        Some(Topic::Rehearsal.advice("name another folder with `--boards FOLDER`"))
    }
}

/// A moment of the release.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// A target failed, and the driver acts next.
    Failed,
    /// A gate waits for people.
    Gate,
    /// Everything is released.
    Released,
}

impl Moment {
    fn file_name(self) -> &'static str {
        match self {
            Self::Failed => "failed.md",
            Self::Gate => "gate.md",
            Self::Released => "released.md",
        }
    }
}

/// The folder of the boards.
pub(crate) struct Boards(PathBuf);

impl Boards {
    /// Boards in this folder, which this function creates if it is missing.
    pub(crate) fn at(folder: PathBuf) -> Result<Self, BoardsError> {
        match std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder)) {
            Ok(_) => Ok(Self(folder)),
            Err(source) => Err(BoardsError::Folder { folder, source }),
        }
    }

    /// Writes the board of this moment, without its marker. Returns the file.
    pub(crate) fn write(&self, moment: Moment, board: &str) -> Result<PathBuf, BoardsError> {
        let Self(folder) = self;
        let path = folder.join(moment.file_name());
        let text = board.split_once('\n').map_or("", |(_marker, text)| text);
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(BoardsError::Write { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_written_without_its_marker() {
        let folder = tempfile::tempdir().expect("a folder");
        let boards = Boards::at(folder.path().join("new")).expect("a folder that can be written");
        let path = boards.write(Moment::Gate, "<!-- marker -->\n## Release\n").expect("a file");
        assert_eq!(path, folder.path().join("new").join("gate.md"));
        assert_eq!(std::fs::read_to_string(path).expect("the file"), "## Release\n");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_refused() {
        assert!(matches!(Boards::at("/dev/null/boards".into()), Err(BoardsError::Folder { .. })));
    }
}
