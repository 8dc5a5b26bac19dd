//! The pace of requests: each token stays below
//! [GitHub's secondary rate limits](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits)
//! ahead of time, because GitHub blocks a token for minutes that has exceeded one of them.
//!
//! A request is admitted when it fits. Requests that wait are admitted in the order of their arrival,
//! except that a new issue or comment, which has limits of its own, does not hold up other requests.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Requests arrive at GitHub later than they leave, and not all by the same time.
const MARGIN: Duration = Duration::from_secs(2);

/// A shorter wait is not logged.
const SHORT: Duration = Duration::from_secs(1);

/// What a token may do in a period.
#[derive(Debug, Clone, Copy)]
struct Rate {
    most: u32,
    period: Duration,
    /// What is counted, and the period in words.
    what: &'static str,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.most, self.what)
    }
}

/// The limits of one token.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Requests, by their points.
    points: Rate,
    /// New issues and comments.
    creations: [Rate; 2],
    /// Requests without an answer yet.
    at_once: u32,
}

impl Limits {
    /// The limits that GitHub documents.
    pub(super) fn github() -> Self {
        let creations = |most, period, what| Rate { most, period, what };
        Self {
            points: Rate { most: 900, period: MINUTE, what: "points a minute (5 for a write, 1 for a read)" },
            creations: [
                creations(80, MINUTE, "new issues and comments a minute"),
                creations(500, HOUR, "new issues and comments an hour"),
            ],
            at_once: 100,
        }
    }
}

/// What a request takes of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    points: u32,
    /// Whether it creates an issue or a comment.
    is_creation: bool,
}

impl Cost {
    /// The cost of a request.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
        let is_list = path.ends_with("/issues") || path.ends_with("/comments");
        Self { points: if is_read { 1 } else { 5 }, is_creation: *method == Method::POST && is_list }
    }
}

/// The requests of the last period.
#[derive(Debug)]
struct Window {
    rate: Rate,
    /// The oldest first: when it was admitted, and its cost.
    admitted: VecDeque<(Instant, u32)>,
}

impl Window {
    fn new(rate: Rate) -> Self {
        Self { rate, admitted: VecDeque::new() }
    }

    /// The earliest time from `now` on at which a request of `cost` fits.
    fn free_at(&self, now: Instant, cost: u32) -> Instant {
        let ends = |admitted: Instant| admitted + self.rate.period + MARGIN;
        let counted = self.admitted.iter().filter(|(admitted, _)| ends(*admitted) > now);
        let sum: u32 = counted.clone().map(|(_, cost)| cost).sum();
        let mut excess = (sum + cost).saturating_sub(self.rate.most);
        let mut free_at = now;
        for (admitted, cost) in counted {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(*cost);
            free_at = ends(*admitted);
        }
        free_at
    }

    /// Counts a request that is sent `now`.
    fn admit(&mut self, now: Instant, cost: u32) {
        let has_ended = |admitted: Instant| admitted + self.rate.period + MARGIN <= now;
        while self.admitted.front().is_some_and(|(admitted, _)| has_ended(*admitted)) {
            self.admitted.pop_front();
        }
        self.admitted.push_back((now, cost));
    }
}

/// Why a request is not sent: its turn comes too late.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLate {
    /// Which limit it waits for.
    pub(super) reason: String,
    /// How long the request would have to wait, if that is known.
    pub(super) wait: Option<Duration>,
}

/// The pace of one token.
#[derive(Debug)]
pub(super) struct Pace {
    // Both are locked while a request waits: tokio's lock is fair, so those behind it keep their order.
    creations: tokio::sync::Mutex<Vec<Window>>,
    points: tokio::sync::Mutex<Vec<Window>>,
    slots: Semaphore,
    limits: Limits,
    /// Whether nothing waits for its turn any more.
    is_hurried: Arc<AtomicBool>,
}

impl Pace {
    /// A token's pace within `limits`.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            is_hurried: Arc::default(),
            creations: tokio::sync::Mutex::new(limits.creations.map(Window::new).into()),
            points: tokio::sync::Mutex::new(vec![Window::new(limits.points)]),
            slots: Semaphore::new(limits.at_once as usize),
            limits,
        }
    }

    /// Waits until a request of `cost` may be sent. The slot is kept until it is answered.
    ///
    /// # Errors
    ///
    /// When that is later than `patience` allows.
    pub(super) async fn admit(&self, cost: Cost, patience: Duration) -> Result<SemaphorePermit<'_>, TooLate> {
        match tokio::time::timeout(patience, self.turn(cost, patience)).await {
            Ok(turn) => turn,
            Err(_) => {
                let reason = "other requests wait for their turn before this one".to_owned();
                Err(TooLate { reason, wait: None })
            }
        }
    }

    async fn turn(&self, cost: Cost, patience: Duration) -> Result<SemaphorePermit<'_>, TooLate> {
        let began = Instant::now();
        let waits = !self.is_hurried.load(Ordering::Relaxed);
        let mut creations = None;
        if cost.is_creation {
            let windows = creations.insert(self.creations.lock().await);
            if waits {
                wait_for_room(windows, 1, patience.saturating_sub(began.elapsed())).await?;
            }
        }
        let mut points = self.points.lock().await;
        if waits {
            wait_for_room(&points, cost.points, patience.saturating_sub(began.elapsed())).await?;
        }
        let slot = self.slot().await;
        let now = Instant::now();
        points.iter_mut().for_each(|window| window.admit(now, cost.points));
        creations.iter_mut().flat_map(|windows| windows.iter_mut()).for_each(|window| window.admit(now, 1));
        Ok(slot)
    }

    async fn slot(&self) -> SemaphorePermit<'_> {
        let mut slot = pin!(self.slots.acquire());
        let soon = tokio::time::timeout(SHORT, &mut slot).await;
        let slot = match soon {
            Ok(slot) => slot,
            Err(_) => {
                tracing::info!("waiting: GitHub allows {} requests at once", self.limits.at_once);
                slot.await
            }
        };
        slot.expect("the semaphore is never closed")
    }
}

/// Waits until a request of `cost` fits into all of `windows`.
async fn wait_for_room(windows: &[Window], cost: u32, patience: Duration) -> Result<(), TooLate> {
    let now = Instant::now();
    let free = windows.iter().map(|window| (window.free_at(now, cost), window.rate));
    let Some((free_at, rate)) = free.max_by_key(|(free_at, _)| *free_at) else { return Ok(()) };
    let wait = free_at - now;
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    if wait > patience {
        let reason = format!("{rate} would be exceeded");
        return Err(TooLate { reason, wait: Some(Duration::from_secs(seconds)) });
    }
    if wait > SHORT {
        tracing::info!("waiting {seconds} s: GitHub allows {rate}");
    }
    if !wait.is_zero() {
        tokio::time::sleep_until(free_at).await;
    }
    Ok(())
}

/// The pace of each token.
#[derive(Debug)]
pub(super) struct Paces {
    limits: Limits,
    is_hurried: Arc<AtomicBool>,
    of_tokens: Mutex<Vec<(SecretString, Arc<Pace>)>>,
}

impl Paces {
    /// No pace yet; each token has the same `limits`.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, is_hurried: Arc::default(), of_tokens: Mutex::default() }
    }

    /// Lets nothing wait for its turn any more: a step that the runner has cancelled has seconds left, and few
    /// requests to send.
    pub(super) fn hurry(&self) {
        self.is_hurried.store(true, Ordering::Relaxed);
    }

    /// Whether nothing waits for its turn any more.
    pub(super) fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Relaxed)
    }

    /// The pace of `token`.
    pub(super) fn of(&self, token: &SecretString) -> Arc<Pace> {
        let mut of_tokens = self.of_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &SecretString| known.expose_secret() == token.expose_secret();
        if let Some((_, pace)) = of_tokens.iter().find(|(known, _)| is_same(known)) {
            return pace.clone();
        }
        let is_hurried = self.is_hurried.clone();
        let pace = Arc::new(Pace { is_hurried, ..Pace::new(self.limits.clone()) });
        of_tokens.push((token.clone(), pace.clone()));
        pace
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    const READ: Cost = Cost { points: 1, is_creation: false };
    const WRITE: Cost = Cost { points: 5, is_creation: false };
    const CREATION: Cost = Cost { points: 5, is_creation: true };
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// When each of these requests is sent, if all are asked for at once and answered at once.
    async fn sent(pace: &Pace, costs: impl IntoIterator<Item = Cost>) -> Vec<Duration> {
        let began = Instant::now();
        let send = async |cost| {
            let slot = pace.admit(cost, DAY).await.expect("its turn comes in time");
            drop(slot);
            began.elapsed()
        };
        join_all(costs.into_iter().map(send)).await
    }

    /// The most requests in any window of this length.
    fn most_within(period: Duration, sent: &[Duration]) -> usize {
        let within = |from: Duration| sent.iter().filter(|at| **at >= from && **at < from + period).count();
        sent.iter().map(|from| within(*from)).max().unwrap_or(0)
    }

    #[test]
    fn a_write_costs_five_points_and_a_new_issue_or_comment_counts_as_such() {
        for (method, path, cost) in [
            (Method::GET, "/repos/acme/hub/issues", READ),
            (Method::PATCH, "/repos/acme/hub/issues/7", WRITE),
            (Method::DELETE, "/repos/acme/hub/issues/comments/7", WRITE),
            (Method::POST, "/repos/acme/hub/actions/workflows/release.yml/dispatches", WRITE),
            (Method::POST, "/repos/acme/hub/issues", CREATION),
            (Method::POST, "/repos/acme/hub/issues/7/comments", CREATION),
        ] {
            assert_eq!(Cost::of(&method, path), cost, "{method} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_than_900_points() {
        let pace = Pace::new(Limits::github());
        let sent = sent(&pace, [WRITE; 300]).await;
        assert_eq!(most_within(MINUTE, &sent), 180);
        assert!(sent[299] >= MINUTE && sent[299] < MINUTE * 2, "{:?}", sent[299]);
        assert!(sent.is_sorted(), "in the order of their arrival");
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_slides() {
        let pace = Pace::new(Limits::github());
        sent(&pace, [WRITE; 100]).await;
        tokio::time::advance(MINUTE / 2).await;
        assert_eq!(sent(&pace, [READ; 400]).await[399], Duration::ZERO, "this fits beside the writes");
        let next = sent(&pace, [WRITE]).await;
        assert_eq!(next, [MINUTE / 2 + MARGIN], "the first writes count no more, the reads still do");
        assert_eq!(sent(&pace, [WRITE; 99]).await[98], Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_than_80_creations_and_no_hour_more_than_500() {
        let pace = Pace::new(Limits::github());
        let sent = sent(&pace, [CREATION; 501]).await;
        assert_eq!((sent[79], sent[80]), (Duration::ZERO, MINUTE + MARGIN));
        assert_eq!(most_within(MINUTE, &sent), 80);
        assert_eq!(most_within(HOUR, &sent), 500);
        assert_eq!(sent[500], HOUR + MARGIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_creation_that_waits_does_not_hold_up_a_read() {
        let pace = Pace::new(Limits::github());
        let sent = sent(&pace, [CREATION; 81].into_iter().chain([READ])).await;
        assert_eq!((sent[80], sent[81]), (MINUTE + MARGIN, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn the_101st_request_waits_for_an_answer() {
        let pace = Pace::new(Limits::github());
        let mut slots = Vec::new();
        for _ in 0..100 {
            slots.push(pace.admit(READ, Duration::ZERO).await.expect("there is a slot"));
        }
        assert!(pace.admit(READ, MINUTE).await.is_err(), "100 are under way");
        slots.pop();
        drop(pace.admit(READ, Duration::ZERO).await.expect("one was answered"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_turn_comes_too_late_is_not_sent() {
        let pace = Pace::new(Limits::github());
        sent(&pace, [WRITE; 180]).await;
        let began = Instant::now();
        let too_late = pace.admit(READ, MINUTE).await.expect_err("it is a minute and two seconds");
        let reason = "900 points a minute (5 for a write, 1 for a read) would be exceeded".to_owned();
        assert_eq!(too_late, TooLate { reason, wait: Some(MINUTE + MARGIN) });
        assert_eq!(began.elapsed(), Duration::ZERO, "the wait is not begun");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hurries_waits_for_no_turn() {
        let paces = Paces::new(Limits::github());
        let pace = paces.of(&SecretString::from("token"));
        sent(&pace, [WRITE; 180]).await;
        paces.hurry();
        assert_eq!(sent(&pace, [WRITE, CREATION]).await, [Duration::ZERO; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_token_has_its_own_pace() {
        let paces = Paces::new(Limits::github());
        let token = |text: &str| SecretString::from(text);
        sent(&paces.of(&token("first")), [WRITE; 180]).await;
        assert_eq!(sent(&paces.of(&token("second")), [WRITE]).await, [Duration::ZERO]);
        assert!(paces.of(&token("first")).admit(WRITE, Duration::ZERO).await.is_err());
        assert!(!format!("{paces:?}").contains("first"), "no secret is printed");
    }
}
