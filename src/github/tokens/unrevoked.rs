//! The tokens that were minted and are still good.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use crate::github::api::{Api, Call, RequestLine};

/// Every token that was minted and is not revoked, in use or replaced. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Unrevoked(Arc<Mutex<Vec<SecretString>>>);

impl Unrevoked {
    pub(super) fn add(&self, token: SecretString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(token);
    }

    pub(super) fn has(&self, token: &SecretString) -> bool {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().any(|known| known.expose_secret() == token.expose_secret())
    }

    /// Revokes them, each with one request. A token that cannot be revoked ends by itself.
    pub(in crate::github) async fn revoke(&self, api: &Api) {
        let tokens = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let revoked = tokens.iter().map(async |token| {
            let line = RequestLine::new(Method::DELETE, "/installation/token", "revoke a token");
            let call = Call::new(line, None, token);
            if let Err(error) = api.send_once(&call).await {
                tracing::debug!("a token is not revoked, and ends by itself within the hour: {error}");
            }
        });
        futures::future::join_all(revoked).await;
    }
}
