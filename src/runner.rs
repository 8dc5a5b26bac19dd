//! The runner that executes this step: its log, and its files for outputs and summary.
//!
//! Formats: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.

pub mod log;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::job::Job;
use crate::problem::{Advice, Help, Topic};

/// A file of the runner that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be written")]
pub struct RunnerError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

impl Help for RunnerError {
    fn help(&self) -> Option<Advice> {
        let text = "check the runner's disk space, and that the action's container may write the file";
        Some(Topic::File.advice(text))
    }
}

/// Appends outputs to the file that the runner reads them from.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_outputs(job: &Job, outputs: &[(&str, String)]) -> Result<(), RunnerError> {
    let Some(path) = &job.output else { return Ok(()) };
    let text: String = outputs.iter().map(|(name, value)| output(name, value)).collect();
    append(path, &text)
}

/// Saves a value for the step's post step, which finds it in the variable `STATE_` + `name`.
///
/// # Errors
///
/// When the file cannot be written, or the runner has none.
pub fn write_state(job: &Job, name: &str, value: &str) -> Result<(), RunnerError> {
    let path = job.state.as_deref().unwrap_or(Path::new("GITHUB_STATE"));
    append(path, &output(name, value))
}

/// `name<<DELIMITER`, with a random delimiter, so that no value can end it.
fn output(name: &str, value: &str) -> String {
    let delimiter = format!("ghadelimiter_{}", uuid::Uuid::new_v4());
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

/// The most bytes of a step's summary that GitHub shows.
const SUMMARY_LIMIT: usize = 1024 * 1024;

/// Appends Markdown to the job's summary.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_summary(job: &Job, markdown: &str) -> Result<(), RunnerError> {
    let Some(path) = &job.summary else { return Ok(()) };
    let mut end = markdown.len().min(SUMMARY_LIMIT - 1024);
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    append(path, &format!("{}\n", &markdown[..end]))
}

fn append(path: &Path, text: &str) -> Result<(), RunnerError> {
    let result = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    result.map_err(|source| RunnerError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_its_output() {
        let text = output("results", "a\nghadelimiter_\nb=c");
        let lines: Vec<_> = text.lines().collect();
        let [first, .., last] = lines[..] else { panic!("several lines") };
        assert_eq!(first.strip_prefix("results<<"), Some(last));
        assert_eq!(lines.iter().filter(|line| **line == last).count(), 1);
    }
}
