//! The program that steps start: the real one, built from this source.

use std::path::{Path, PathBuf};

use escargot::CargoBuild;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// Cargo refused.
    #[error("the action cannot be built")]
    Build(#[from] escargot::error::CargoError),
    /// The rehearsal does not know where it is itself.
    #[error("the rehearsal's own place is unknown")]
    Place(#[from] std::io::Error),
}

/// The action, ready to be started.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    target_folder: PathBuf,
}

impl Program {
    /// Builds the program where this example was built.
    pub(crate) fn build() -> Result<Self, ProgramError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target_folder = target_folder(&std::env::current_exe()?).unwrap_or_else(|| folder.join("target"));
        // Asking for this example too, which is there already, lets the program share its
        // dependencies: alone it would need them built once more, without the features of the tests.
        let built = CargoBuild::new()
            .manifest_path(folder.join("Cargo.toml"))
            .target_dir(&target_folder)
            .bin("release-ticket-action")
            .args(["--example", "rehearse"])
            .current_release()
            .run()?;
        Ok(Self { path: built.path().to_owned(), target_folder })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Cargo's target directory.
    pub(crate) fn target_folder(&self) -> &Path {
        &self.target_folder
    }
}

/// The target directory of an example at `target/PROFILE/examples/NAME`.
fn target_folder(example: &Path) -> Option<PathBuf> {
    let examples = example.parent().filter(|folder| folder.ends_with("examples"))?;
    examples.ancestors().nth(2).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_two_above_the_examples() {
        let found = |path: &str| target_folder(Path::new(path));
        assert_eq!(found("/project/target/debug/examples/rehearse"), Some("/project/target".into()));
        assert_eq!(found("/usr/bin/rehearse"), None);
    }
}
