//! Files of the workspace, where the job has checked out its repository: they are read, and one is written.
//!
//! A workspace may hold files of other people: those of a pull request, or of an archive that an earlier step
//! unpacked. A symbolic link among them must not turn this step's own environment into the text of a ticket, nor the
//! token that git keeps in `.git/config`.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::problem::{Advice, Help, Topic};

/// The most bytes of a file: more than any text that an issue takes, and than any list of targets.
pub const FILE_LIMIT: u64 = 1024 * 1024;

/// Why a file of the workspace is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its path is absolute, or leads above the workspace.
    #[error("`{0}` leads out of the repository")]
    Elsewhere(String),
    /// It is behind a symbolic link to a place outside the workspace.
    #[error("`{0}` is behind a symbolic link that leads out of the workspace")]
    Linked(String),
    /// It is one of git's own files, which hold the token of the checkout.
    #[error("`{0}` is a file of git")]
    OfGit(String),
    /// It is a folder, a device or a pipe.
    #[error("`{0}` is not a file")]
    NotAFile(String),
    /// It has more bytes than [`FILE_LIMIT`].
    #[error("`{0}` is longer than {FILE_LIMIT} bytes")]
    TooLong(String),
    /// It cannot be written.
    #[error("`{path}` cannot be written to the workspace")]
    Unwritable {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be read, or is not text.
    #[error("`{path}` of the workspace cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Help for FileError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Elsewhere(_) => "name a file by its path from the root of the repository",
            Self::Linked(_) => "put the file itself there, or name the file that the link leads to",
            Self::OfGit(_) | Self::NotAFile(_) | Self::TooLong(_) => "name another file",
            Self::Unwritable { .. } => {
                "check the runner's disk space, and that the action's container may write to the workspace"
            }
            Self::Unreadable { .. } => "give a file of UTF-8 text that the action's container may read",
        };
        Some(Topic::File.advice(help))
    }
}

/// Checks by its text that `path` stays inside the repository.
///
/// # Errors
///
/// When it does not.
pub fn check_path(path: &str) -> Result<(), FileError> {
    let is_above = Path::new(path).components().any(|part| part == Component::ParentDir);
    if is_above || Path::new(path).is_absolute() {
        Err(FileError::Elsewhere(path.to_owned()))
    } else {
        Ok(())
    }
}

/// The text of a file of `workspace`; `None` if it does not exist.
///
/// # Errors
///
/// When the path leads out of the workspace, also by a symbolic link, or to anything but a text of at most
/// [`FILE_LIMIT`] bytes.
pub fn read(workspace: &Path, path: &str) -> Result<Option<String>, FileError> {
    let Some(bytes) = beginning(workspace, path)? else { return Ok(None) };
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(FileError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error));
    text.map(Some).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })
}

/// The beginning of a file of `workspace` as text: its first [`FILE_LIMIT`] bytes, with U+FFFD for bytes that are not
/// UTF-8; `None` if the file does not exist.
///
/// # Errors
///
/// When the path leads out of the workspace, also by a symbolic link, or to anything but a file.
pub fn read_message(workspace: &Path, path: &str) -> Result<Option<String>, FileError> {
    let bytes = beginning(workspace, path)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The first bytes of a file, one more than [`FILE_LIMIT`]; `None` if it does not exist.
fn beginning(workspace: &Path, path: &str) -> Result<Option<Vec<u8>>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let Some(file) = find(workspace, path)? else { return Ok(None) };
    // Checked first: opening a pipe waits for its writer.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    // The length from the file system may be wrong.
    let read = File::open(file).and_then(|file| file.take(FILE_LIMIT + 1).read_to_end(&mut bytes));
    read.map_err(unreadable)?;
    Ok(Some(bytes))
}

/// The names in a folder of `workspace`, sorted; empty if it does not exist.
///
/// # Errors
///
/// When the path leads out of the workspace, also by a symbolic link, or to a folder that cannot be read.
pub fn list(workspace: &Path, path: &str) -> Result<Vec<String>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let Some(folder) = find(workspace, path)?.filter(|folder| folder.is_dir()) else { return Ok(Vec::new()) };
    let entries = folder.read_dir().map_err(unreadable)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    names.sort();
    Ok(names)
}

/// Writes a file at the root of `workspace`. It replaces a file or symbolic link of that name, and does not follow the
/// link.
///
/// # Errors
///
/// When it cannot be written, or `name` is not a name but a path.
pub fn write(workspace: &Path, name: &str, text: &str) -> Result<(), FileError> {
    if Path::new(name).file_name() != Some(name.as_ref()) {
        return Err(FileError::Elsewhere(name.to_owned()));
    }
    let new = workspace.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let result = File::create_new(&new).and_then(|mut file| file.write_all(text.as_bytes()));
    let result = result.and_then(|()| std::fs::rename(&new, workspace.join(name)));
    result.map_err(|source| {
        // The file may not exist.
        let _ = std::fs::remove_file(&new);
        FileError::Unwritable { path: name.to_owned(), source }
    })
}

/// The real path behind `path`; `None` if nothing is there.
fn find(workspace: &Path, path: &str) -> Result<Option<PathBuf>, FileError> {
    check_path(path)?;
    let paths = workspace.canonicalize().and_then(|root| Ok((workspace.join(path).canonicalize()?, root)));
    match paths {
        Ok((place, root)) => match place.strip_prefix(&root) {
            Ok(inside) if inside.iter().any(|part| part == ".git") => Err(FileError::OfGit(path.to_owned())),
            Ok(_) => Ok(Some(place)),
            Err(_) => Err(FileError::Linked(path.to_owned())),
        },
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(FileError::Unreadable { path: path.to_owned(), source }),
    }
}
