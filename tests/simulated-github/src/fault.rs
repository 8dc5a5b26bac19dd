//! Faults: slow, lost, refused and broken exchanges.

use std::time::Duration;

/// A problem of some requests.
///
/// ```
/// use simulated_github::{Fault, Kind};
///
/// // The second comment on any issue of the hub is added, but its answer is lost.
/// let fault = Fault::on("POST", "/repos/acme/hub/issues/*/comments")
///     .skip(1)
///     .then(Kind::DropAfter);
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    trigger: Trigger,
    kind: Kind,
    count: u64,
}

/// The requests that a fault meets. [`Fault::on`] makes one.
#[derive(Debug, Clone)]
#[must_use = "a trigger does nothing before `then` makes it a fault"]
pub struct Trigger {
    method: String,
    path: String,
    holding: Option<String>,
    skip: u64,
    times: u64,
}

/// The kind of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The exchange takes this much longer, half of it before the effect and half after.
    Latency(Duration),
    /// The answer to a GET is this old, as by [`World::lag`](crate::World::lag).
    Lag(Duration),
    /// The answer is this status, without an effect.
    StatusBefore(u16),
    /// The answer is this status, after the effect.
    StatusAfter(u16),
    /// The connection breaks, without an effect.
    DropBefore,
    /// The connection breaks, after the effect.
    DropAfter,
    /// A rate limit refuses the request, without an effect.
    RateLimited {
        /// 403 or 429.
        status: u16,
        /// The header `retry-after`, in seconds.
        retry_after: Option<u64>,
        /// Seconds until the moment in `x-ratelimit-reset`.
        reset_in: Option<u64>,
        /// Whether it is the secondary limit. The primary limit sets `x-ratelimit-remaining` to 0.
        secondary: bool,
    },
}

impl Fault {
    /// Meets the next request with this method (`*` is any) and a path that fits this glob: `*`
    /// stands for any part of one path segment, `**` for any number of segments.
    pub fn on(method: impl Into<String>, path: impl Into<String>) -> Trigger {
        Trigger { method: method.into(), path: path.into(), holding: None, skip: 0, times: 1 }
    }

    /// Whether it makes answers old.
    pub(crate) fn lags(&self) -> bool {
        matches!(self.kind, Kind::Lag(_))
    }

    /// Counts the request, and returns whether the fault meets it.
    fn meets(&mut self, method: &str, path: &str, body: &[u8]) -> bool {
        if !self.trigger.fits(method, path, body) {
            return false;
        }
        self.count += 1;
        let turn = self.count - 1;
        turn >= self.trigger.skip && turn - self.trigger.skip < self.trigger.times
    }
}

impl Trigger {
    /// Counts only requests with this text in their body.
    pub fn holding(mut self, text: impl Into<String>) -> Self {
        self.holding = Some(text.into());
        self
    }

    /// Lets this number of requests that fit pass first.
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Meets this number of requests instead of one.
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    /// Meets every later request that fits.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Sets the kind of the fault.
    pub fn then(self, kind: Kind) -> Fault {
        Fault { trigger: self, kind, count: 0 }
    }

    fn fits(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let method_fits = self.method == "*" || self.method.eq_ignore_ascii_case(method);
        let holds = |text: &String| String::from_utf8_lossy(body).contains(text.as_str());
        method_fits && fast_glob::glob_match(&self.path, path) && self.holding.as_ref().is_none_or(holds)
    }
}

/// The faults of one request, together.
#[derive(Debug, Default)]
pub(crate) struct Impact {
    /// The first fault that is neither a latency nor a lag.
    pub(crate) failure: Option<Kind>,
    /// The sum of all latencies.
    pub(crate) latency: Duration,
    /// The sum of all lags.
    pub(crate) lag: Duration,
}

pub(crate) fn impact(faults: &mut [Fault], method: &str, path: &str, body: &[u8]) -> Impact {
    let mut impact = Impact::default();
    for fault in faults {
        if !fault.meets(method, path, body) {
            continue;
        }
        match &fault.kind {
            Kind::Latency(time) => impact.latency += *time,
            Kind::Lag(time) => impact.lag += *time,
            kind => impact.failure = impact.failure.or_else(|| Some(kind.clone())),
        }
    }
    impact
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(fault: Fault, requests: usize) -> Vec<bool> {
        let mut faults = [fault];
        (0..requests)
            .map(|_| impact(&mut faults, "POST", "/repos/a/b/issues/1/comments", b"{}"))
            .map(|impact| impact.failure.is_some())
            .collect()
    }

    #[test]
    fn a_fault_meets_the_requests_after_those_it_skips() {
        let fault = Fault::on("POST", "/repos/a/b/issues/*/comments").skip(1).times(2).then(Kind::DropBefore);
        assert_eq!(hits(fault, 4), [false, true, true, false]);
    }

    #[test]
    fn a_fault_meets_only_requests_that_fit_its_glob_and_text() {
        let fault = |trigger: Trigger| trigger.always().then(Kind::DropBefore);
        assert_eq!(hits(fault(Fault::on("GET", "/**")), 1), [false]);
        assert_eq!(hits(fault(Fault::on("POST", "/repos/*/comments")), 1), [false]);
        assert_eq!(hits(fault(Fault::on("*", "/repos/**")), 1), [true]);
        assert_eq!(hits(fault(Fault::on("*", "/**").holding("x")), 1), [false]);
    }
}
