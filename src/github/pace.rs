//! The pace of requests: each token stays below
//! [GitHub's secondary rate limits](https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits)
//! ahead of time, because GitHub blocks a token for minutes that has exceeded one of them.
//!
//! A request is admitted when it fits. Waiting requests are admitted in the order of their arrival,
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

/// Requests arrive at GitHub with delays that differ.
const MARGIN: Duration = Duration::from_secs(2);

/// Waits up to this are not logged.
const SHORT: Duration = Duration::from_secs(1);

/// The most points or requests of a token in a period.
#[derive(Debug, Clone, Copy)]
struct Rate {
    maximum: u32,
    period: Duration,
    /// The counted things and the period, for people.
    unit: &'static str,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.maximum, self.unit)
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
        let creations = |maximum, period, unit| Rate { maximum, period, unit };
        Self {
            points: Rate {
                maximum: 900,
                period: MINUTE,
                unit: "points a minute (5 for a write, 1 for a read)",
            },
            creations: [
                creations(80, MINUTE, "new issues and comments a minute"),
                creations(500, HOUR, "new issues and comments an hour"),
            ],
            at_once: 100,
        }
    }
}

/// The share of the limits that a request uses.
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
    /// The oldest first: the time of its admission, and its cost.
    requests: VecDeque<(Instant, u32)>,
}

impl Window {
    fn new(rate: Rate) -> Self {
        Self { rate, requests: VecDeque::new() }
    }

    /// The earliest time from `now` on at which a request of `cost` fits.
    fn free_at(&self, now: Instant, cost: u32) -> Instant {
        let end_of = |start: Instant| start + self.rate.period + MARGIN;
        let requests = self.requests.iter().filter(|(start, _)| end_of(*start) > now);
        let sum: u32 = requests.clone().map(|(_, cost)| cost).sum();
        let mut excess = (sum + cost).saturating_sub(self.rate.maximum);
        let mut free_at = now;
        for (start, cost) in requests {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(*cost);
            free_at = end_of(*start);
        }
        free_at
    }

    /// Counts a request that starts `now`.
    fn admit(&mut self, now: Instant, cost: u32) {
        let has_ended = |start: Instant| start + self.rate.period + MARGIN <= now;
        while self.requests.front().is_some_and(|(start, _)| has_ended(*start)) {
            self.requests.pop_front();
        }
        self.requests.push_back((now, cost));
    }
}

/// Why a request is not sent: its turn comes too late.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLate {
    /// The limit for which the request waits, as a clause.
    pub(super) reason: String,
    /// How long the request would have to wait; none if that depends on other requests.
    pub(super) wait: Option<Duration>,
}

/// The pace of one token.
#[derive(Debug)]
pub(super) struct Pace {
    // Both are locked while a request waits: tokio's lock is fair, so later requests keep their order.
    creations: tokio::sync::Mutex<Vec<Window>>,
    points: tokio::sync::Mutex<Vec<Window>>,
    slots: Semaphore,
    limits: Limits,
    /// Whether requests no longer wait for their turn.
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

    /// Waits until a request of `cost` may be sent. The caller keeps the slot until the answer.
    ///
    /// # Errors
    ///
    /// When that is later than `patience` allows.
    pub(super) async fn admit(&self, cost: Cost, patience: Duration) -> Result<SemaphorePermit<'_>, TooLate> {
        match tokio::time::timeout(patience, self.turn(cost, patience)).await {
            Ok(turn) => turn,
            Err(_) => {
                let reason = "other requests have their turn before it".to_owned();
                Err(TooLate { reason, wait: None })
            }
        }
    }

    async fn turn(&self, cost: Cost, patience: Duration) -> Result<SemaphorePermit<'_>, TooLate> {
        let start = Instant::now();
        let may_wait = !self.is_hurried.load(Ordering::Relaxed);
        let mut creations = None;
        if cost.is_creation {
            let windows = creations.insert(self.creations.lock().await);
            if may_wait {
                wait_for_room(windows, 1, patience.saturating_sub(start.elapsed())).await?;
            }
        }
        let mut points = self.points.lock().await;
        if may_wait {
            wait_for_room(&points, cost.points, patience.saturating_sub(start.elapsed())).await?;
        }
        let slot = self.slot().await;
        let now = Instant::now();
        points.iter_mut().for_each(|window| window.admit(now, cost.points));
        creations.iter_mut().flat_map(|windows| windows.iter_mut()).for_each(|window| window.admit(now, 1));
        Ok(slot)
    }

    async fn slot(&self) -> SemaphorePermit<'_> {
        let mut slot = pin!(self.slots.acquire());
        let result = tokio::time::timeout(SHORT, &mut slot).await;
        let slot = match result {
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
    by_token: Mutex<Vec<(SecretString, Arc<Pace>)>>,
}

impl Paces {
    /// An empty set of paces; each token has the same `limits`.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, is_hurried: Arc::default(), by_token: Mutex::default() }
    }

    /// Ends the waits of all requests: a step that the runner has cancelled has seconds left, and few
    /// requests to send.
    pub(super) fn hurry(&self) {
        self.is_hurried.store(true, Ordering::Relaxed);
    }

    /// Whether requests no longer wait for their turn.
    pub(super) fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Relaxed)
    }

    /// The pace of `token`.
    pub(super) fn of(&self, token: &SecretString) -> Arc<Pace> {
        let mut by_token = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |other: &SecretString| other.expose_secret() == token.expose_secret();
        if let Some((_, pace)) = by_token.iter().find(|(other, _)| is_same(other)) {
            return pace.clone();
        }
        let is_hurried = self.is_hurried.clone();
        let pace = Arc::new(Pace { is_hurried, ..Pace::new(self.limits.clone()) });
        by_token.push((token.clone(), pace.clone()));
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

    /// The times of these requests from the start on, if all arrive together and are answered at once.
    async fn send_times(pace: &Pace, costs: impl IntoIterator<Item = Cost>) -> Vec<Duration> {
        let start = Instant::now();
        let send = async |cost| {
            let slot = pace.admit(cost, DAY).await.expect("its turn comes in time");
            drop(slot);
            start.elapsed()
        };
        join_all(costs.into_iter().map(send)).await
    }

    /// The most requests in any window of this length.
    fn most_within(period: Duration, times: &[Duration]) -> usize {
        let within = |from: Duration| times.iter().filter(|at| **at >= from && **at < from + period).count();
        times.iter().map(|from| within(*from)).max().unwrap_or(0)
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
        let times = send_times(&pace, [WRITE; 300]).await;
        assert_eq!(most_within(MINUTE, &times), 180);
        assert!(times[299] >= MINUTE && times[299] < MINUTE * 2, "{:?}", times[299]);
        assert!(times.is_sorted(), "in the order of their arrival");
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_slides() {
        let pace = Pace::new(Limits::github());
        send_times(&pace, [WRITE; 100]).await;
        tokio::time::advance(MINUTE / 2).await;
        assert_eq!(send_times(&pace, [READ; 400]).await[399], Duration::ZERO, "this fits beside the writes");
        let next = send_times(&pace, [WRITE]).await;
        assert_eq!(next, [MINUTE / 2 + MARGIN], "the first writes count no more, the reads still do");
        assert_eq!(send_times(&pace, [WRITE; 99]).await[98], Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_than_80_creations_and_no_hour_more_than_500() {
        let pace = Pace::new(Limits::github());
        let times = send_times(&pace, [CREATION; 501]).await;
        assert_eq!((times[79], times[80]), (Duration::ZERO, MINUTE + MARGIN));
        assert_eq!(most_within(MINUTE, &times), 80);
        assert_eq!(most_within(HOUR, &times), 500);
        assert_eq!(times[500], HOUR + MARGIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_creation_that_waits_does_not_hold_up_a_read() {
        let pace = Pace::new(Limits::github());
        let times = send_times(&pace, [CREATION; 81].into_iter().chain([READ])).await;
        assert_eq!((times[80], times[81]), (MINUTE + MARGIN, Duration::ZERO));
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
        send_times(&pace, [WRITE; 180]).await;
        let start = Instant::now();
        let too_late = pace.admit(READ, MINUTE).await.expect_err("it is a minute and two seconds");
        let reason = "900 points a minute (5 for a write, 1 for a read) would be exceeded".to_owned();
        assert_eq!(too_late, TooLate { reason, wait: Some(MINUTE + MARGIN) });
        assert_eq!(start.elapsed(), Duration::ZERO, "the wait is not begun");
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hurries_waits_for_no_turn() {
        let paces = Paces::new(Limits::github());
        let pace = paces.of(&SecretString::from("token"));
        send_times(&pace, [WRITE; 180]).await;
        paces.hurry();
        assert_eq!(send_times(&pace, [WRITE, CREATION]).await, [Duration::ZERO; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_token_has_its_own_pace() {
        let paces = Paces::new(Limits::github());
        let token = |text: &str| SecretString::from(text);
        send_times(&paces.of(&token("first")), [WRITE; 180]).await;
        assert_eq!(send_times(&paces.of(&token("second")), [WRITE]).await, [Duration::ZERO]);
        assert!(paces.of(&token("first")).admit(WRITE, Duration::ZERO).await.is_err());
        assert!(!format!("{paces:?}").contains("first"), "no secret is printed");
    }
}
