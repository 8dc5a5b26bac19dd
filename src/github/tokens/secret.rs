//! A token as text: whether it can be sent as one, and how it is kept out of the log.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// Hides a secret from all that is printed afterwards.
pub type Mask = fn(&str);

/// Hides a signed token, and its signature alone: with that, whoever knows the rest has all of it.
pub(super) fn mask_signed(mask: Mask, token: &str) {
    mask(token);
    signature_of(token).into_iter().for_each(mask);
}

/// The signature of a JSON Web Token.
pub(super) fn signature_of(token: &str) -> Option<&str> {
    token.rsplit_once('.').map(|(_, signature)| signature).filter(|signature| !signature.is_empty())
}

/// Whether `text` can be sent as a token.
pub(crate) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Reads a token from an answer. A value that cannot be one is not quoted.
pub(super) fn printable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let token = String::deserialize(deserializer)?;
    if is_printable(&token) { Ok(token.into()) } else { Err(serde::de::Error::custom("no token")) }
}
