//! A token as text: whether it can be sent as one, and how it is kept out of the log.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// Hides a secret from all that is printed afterwards.
pub type Mask = fn(&str);

/// Whether `text` can be sent as a token.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Reads a token from an answer. A value that cannot be one is not quoted.
pub(super) fn printable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let token = String::deserialize(deserializer)?;
    if is_printable(&token) { Ok(token.into()) } else { Err(serde::de::Error::custom("no token")) }
}
