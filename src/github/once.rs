//! Writes that must not happen twice: sent once, and after an unclear failure their effect is looked for.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::error::GitHubError;
use crate::problem::Problem;

/// Sends. After an unclear failure it looks for the effect several times within half a minute, and sends
/// again, once, if there is none.
///
/// # Errors
///
/// When GitHub refuses, or gives no clear answer twice and shows no effect.
pub async fn send_once<T>(
    send: impl AsyncFn() -> Result<T, GitHubError>,
    look: impl AsyncFn() -> Result<Option<T>, GitHubError>,
) -> Result<T, GitHubError> {
    let unclear = match send().await {
        Err(error) if !error.is_without_effect() => error,
        answer => return answer,
    };
    tracing::info!("checking whether it happened: {unclear}");
    match look_for(&look).await {
        Ok(Some(effect)) => return Ok(effect),
        Ok(None) => {}
        // The look failed, so the first failure stays unclear.
        Err(error) => {
            Problem::of("cannot check whether it happened", &error).warn();
            return Err(unclear);
        }
    }
    tracing::info!("it did not happen; sending it again, once");
    match send().await {
        Err(error) if !error.is_without_effect() => look_for(&look).await.ok().flatten().ok_or(error),
        answer => answer,
    }
}

/// Looks after 0, 1, 3, 7, 15 and 30 seconds: GitHub's lists may lag behind its writes.
///
/// # Errors
///
/// When a look fails.
pub async fn look_for<T>(
    look: &impl AsyncFn() -> Result<Option<T>, GitHubError>,
) -> Result<Option<T>, GitHubError> {
    enum Missing {
        Yet,
        Refused(GitHubError),
    }
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(15))
        .with_max_times(5);
    let effect = (async || match look().await {
        Ok(Some(effect)) => Ok(effect),
        Ok(None) => Err(Missing::Yet),
        Err(error) => Err(Missing::Refused(error)),
    })
    .retry(backoff)
    .sleep(tokio::time::sleep)
    .when(|missing| matches!(missing, Missing::Yet))
    .await;
    match effect {
        Ok(effect) => Ok(Some(effect)),
        Err(Missing::Yet) => Ok(None),
        Err(Missing::Refused(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use http::Method;

    use super::*;
    use crate::github::api::{ApiError, RequestLine};

    fn unclear() -> GitHubError {
        let request = Box::new(RequestLine::new(Method::POST, "/x", "do it"));
        ApiError::Unclear { request, reason: "502".into() }.into()
    }

    /// So many sends fail unclearly; the effect is found after so many looks.
    async fn play(failures: u32, found_after: Option<u32>) -> (Option<u32>, u32) {
        let (sends, looks) = (Cell::new(0), Cell::new(0));
        let result = send_once(
            async || {
                sends.set(sends.get() + 1);
                if sends.get() <= failures { Err(unclear()) } else { Ok(sends.get()) }
            },
            async || {
                looks.set(looks.get() + 1);
                Ok(found_after.filter(|after| looks.get() > *after).map(|_| 99))
            },
        );
        (result.await.ok(), sends.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_found_is_not_sent_again() {
        assert_eq!(play(1, Some(0)).await, (Some(99), 1));
        assert_eq!(play(1, Some(3)).await, (Some(99), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_found_is_sent_again_once() {
        assert_eq!(play(0, None).await, (Some(1), 1));
        assert_eq!(play(1, None).await, (Some(2), 2));
        assert_eq!(play(2, None).await, (None, 2));
    }
}
