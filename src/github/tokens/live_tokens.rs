//! The minted tokens that are still valid.

use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use crate::github::api::{Api, Call, RequestLine};

/// Every minted token that is not revoked, in use or replaced. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LiveTokens(Arc<Mutex<Vec<SecretString>>>);

impl LiveTokens {
    pub(super) fn add(&self, token: SecretString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(token);
    }

    pub(super) fn has(&self, token: &SecretString) -> bool {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().any(|other| other.expose_secret() == token.expose_secret())
    }

    /// Revokes them, each with one request. A token that cannot be revoked expires by itself.
    pub(in crate::github) async fn revoke(&self, api: &Api) {
        let tokens = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let requests = tokens.iter().map(async |token| {
            let line = RequestLine::new(Method::DELETE, "/installation/token", "revoke a token");
            let call = Call::new(line, None, token);
            if let Err(error) = api.send_once(&call).await {
                tracing::debug!("a token is not revoked, and expires by itself within the hour: {error}");
            }
        });
        futures::future::join_all(requests).await;
    }
}
