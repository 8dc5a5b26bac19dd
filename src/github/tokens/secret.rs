//! A token as text: whether it can be sent, and how the log hides it.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// Whether `token` belongs to an App's installation, by
/// [its prefix](https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats).
pub(in crate::github) fn is_of_installation(token: &SecretString) -> bool {
    token.expose_secret().starts_with("ghs_")
}

/// The token of an input.
#[derive(Debug, Clone)]
pub struct InputToken {
    /// The input that holds it.
    pub input: &'static str,
    /// The token; none if the input's value cannot be sent as one.
    pub secret: Option<SecretString>,
}

impl InputToken {
    /// The token `text` of `input`.
    #[must_use]
    pub fn new(input: &'static str, text: &str) -> Self {
        Self { input, secret: is_printable(text).then(|| text.into()) }
    }

    /// The remedy if GitHub refuses the token. `good_at`: the last time that GitHub accepted it.
    pub(super) fn renewal(&self, good_at: Option<DateTime<Utc>>, has_app: bool) -> String {
        let input = self.input;
        let Some(good_at) = good_at else {
            return format!("`{input}` is wrong, revoked or expired; give the step another one");
        };
        let lifetime = if self.secret.as_ref().is_some_and(is_of_installation) {
            "a token of a GitHub App lasts an hour, and `github.token` until its job ends, 24 hours at most"
        } else {
            "it was revoked or has expired"
        };
        let remedy = if has_app {
            format!("leave `{input}` out, so that the GitHub App is used")
        } else {
            format!("give the step a GitHub App (`client-id` and `private-key`) in place of `{input}`")
        };
        format!(
            "`{input}` was good until {}, and GitHub refuses it now: {lifetime}; {remedy}: then the step has new \
             tokens for as long as it runs",
            good_at.format("%H:%M UTC")
        )
    }

    /// Whether both are the same token.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let text = |token: &Self| token.secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        text(self) == text(other)
    }
}

/// Hides a secret in all later output.
pub type Mask = fn(&str);

/// Hides a signed token, and its signature alone: the other parts may be public, and the signature completes them.
pub(super) fn mask_signed(mask: Mask, token: &str) {
    mask(token);
    signature_of(token).into_iter().for_each(mask);
}

/// The signature of a JSON Web Token.
pub(super) fn signature_of(token: &str) -> Option<&str> {
    token.rsplit_once('.').map(|(_, signature)| signature).filter(|signature| !signature.is_empty())
}

/// Whether `text` can be sent as a token.
pub(super) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Reads a token from an answer. The error does not quote the value.
pub(super) fn deserialize_token<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SecretString, D::Error> {
    let token = String::deserialize(deserializer)?;
    if is_printable(&token) { Ok(token.into()) } else { Err(serde::de::Error::custom("no token")) }
}
