//! The program that steps start: the action, built from this source.

use std::path::{Path, PathBuf};

use escargot::CargoBuild;
use escargot::error::ErrorKind;
use release_ticket_action::problem::{Advice, Help, Topic};

/// The project's folder.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The variables of this package that cargo sets for its programs. A build script of a dependency would see them as a
/// change, and cargo would build the dependency and every crate that depends on it again:
/// <https://doc.rust-lang.org/cargo/reference/environment-variables.html#environment-variables-cargo-sets-for-crates>.
const OF_THIS_PACKAGE: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The reason why there is no program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// Cargo refused.
    #[error("the action cannot be built")]
    Build(#[from] escargot::error::CargoError),
    /// The path of the rehearsal's own program is unknown.
    #[error("the rehearsal's own place is unknown")]
    Place(#[from] std::io::Error),
    /// Cargo could write nothing.
    #[error("cargo's target directory `{}` cannot be written", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Help for ProgramError {
    fn help(&self) -> Option<Advice> {
        let help = match self {
            Self::Place(_) => return None,
            Self::Build(error) if error.kind() == ErrorKind::InvalidCommand => {
                "cargo cannot be started: add the folder of a Rust toolchain to `PATH`"
            }
            Self::Build(_) => {
                "`cargo build` in the project's folder shows more; cargo and rustup need a `HOME` of this user, or \
                 `CARGO_HOME` and `RUSTUP_HOME`"
            }
            Self::Folder { .. } => {
                "rehearse as the user who owns it, or name a folder of your own: \
                 `CARGO_TARGET_DIR=FOLDER cargo run --example rehearse`"
            }
        };
        Some(Topic::Rehearsal.advice(help))
    }
}

/// The action, ready to be started.
#[derive(Debug)]
pub(crate) struct Program(PathBuf);

impl Program {
    /// Builds the program where this example was built.
    pub(crate) fn build(target_folder: &Path) -> Result<Self, ProgramError> {
        // With this example, which is built already, the program shares its dependencies. Alone it would need them
        // once more, without the features of the tests.
        let mut build = CargoBuild::new()
            .manifest_path(Path::new(PROJECT).join("Cargo.toml"))
            .target_dir(target_folder)
            .bin("release-ticket-action")
            .args(["--example", "rehearse"])
            .current_release();
        for variable in OF_THIS_PACKAGE {
            build = build.env_remove(variable);
        }
        Ok(Self(build.run()?.path().to_owned()))
    }

    /// The path of the program.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Cargo's target directory, in which this user may write.
pub(crate) fn target_folder() -> Result<PathBuf, ProgramError> {
    let folder = folder_of(&std::env::current_exe()?).unwrap_or_else(|| Path::new(PROJECT).join("target"));
    match std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder)) {
        Ok(_) => Ok(folder),
        Err(source) => Err(ProgramError::Folder { folder, source }),
    }
}

/// The target directory of an example at `target/PROFILE/examples/NAME`.
fn folder_of(example: &Path) -> Option<PathBuf> {
    let examples = example.parent().filter(|folder| folder.ends_with("examples"))?;
    examples.ancestors().nth(2).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_two_above_the_examples() {
        let folder = |path: &str| folder_of(Path::new(path));
        assert_eq!(folder("/project/target/debug/examples/rehearse"), Some("/project/target".into()));
        assert_eq!(folder("/usr/bin/rehearse"), None);
    }
}
