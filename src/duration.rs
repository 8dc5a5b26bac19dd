//! Durations as people write them: `90s`, `15m`, `1h 30m`.

use std::time::Duration;

/// The longest time that a [workflow run](https://docs.github.com/actions/reference/limits) may take, and so a wait.
const LONGEST: Duration = Duration::from_secs(35 * 24 * 60 * 60);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a duration.
    #[error("`{0}` is not a duration; write `90s`, `15m` or `1h 30m`")]
    Unreadable(String),
    /// Longer than any run of a workflow.
    #[error("`{0}` is more than the 35 days that a workflow run may last")]
    TooLong(String),
}

/// Reads a duration.
///
/// # Errors
///
/// When the text is not a duration, or longer than any run.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let duration = humantime::parse_duration(text).map_err(|_| DurationError::Unreadable(text.to_owned()))?;
    if duration <= LONGEST { Ok(duration) } else { Err(DurationError::TooLong(text.to_owned())) }
}
