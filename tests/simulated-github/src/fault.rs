//! Bad days: slow, lost, refused and broken exchanges.

use std::time::Duration;

/// Something that goes wrong with some requests.
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
    seen: u64,
}

/// Which requests a fault meets. Made by [`Fault::on`].
#[derive(Debug, Clone)]
#[must_use = "a trigger does nothing until `then` says what happens"]
pub struct Trigger {
    method: String,
    path: String,
    holding: Option<String>,
    skip: u64,
    times: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The exchange takes this much longer, half of it before the effect and half after.
    Latency(Duration),
    /// A GET is answered with what the world held this long ago, as by [`World::lag`](crate::World::lag).
    Lag(Duration),
    /// This status comes back and nothing happened.
    StatusBefore(u16),
    /// The effect happened, but this status comes back instead of the answer.
    StatusAfter(u16),
    /// The connection breaks and nothing happened.
    DropBefore,
    /// The effect happened, then the connection breaks.
    DropAfter,
    /// GitHub refuses for now, and nothing happened.
    RateLimited {
        /// 403 or 429.
        status: u16,
        /// The header `retry-after`, in seconds.
        retry_after: Option<u64>,
        /// Seconds until the moment in `x-ratelimit-reset`. `x-ratelimit-remaining` is 0 then.
        reset_in: Option<u64>,
        /// Whether it is the secondary limit, which leaves requests remaining.
        secondary: bool,
    },
}

impl Fault {
    /// Meets the next request with this method (`*` is any) whose path fits a glob: `*`
    /// stands for any part of one path segment, `**` for any number of segments.
    pub fn on(method: impl Into<String>, path: impl Into<String>) -> Trigger {
        Trigger { method: method.into(), path: path.into(), holding: None, skip: 0, times: 1 }
    }

    /// Whether it lets answers be old.
    pub(crate) fn lags(&self) -> bool {
        matches!(self.kind, Kind::Lag(_))
    }

    /// Counts the request, and says whether the fault meets it.
    fn meets(&mut self, method: &str, path: &str, body: &[u8]) -> bool {
        if !self.trigger.fits(method, path, body) {
            return false;
        }
        self.seen += 1;
        let turn = self.seen - 1;
        turn >= self.trigger.skip && turn - self.trigger.skip < self.trigger.times
    }
}

impl Trigger {
    /// Counts only requests whose body holds this text.
    pub fn holding(mut self, text: impl Into<String>) -> Self {
        self.holding = Some(text.into());
        self
    }

    /// Lets this many fitting requests pass first.
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Meets this many requests instead of one.
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    /// Meets every fitting request from then on.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Says what goes wrong.
    pub fn then(self, kind: Kind) -> Fault {
        Fault { trigger: self, kind, seen: 0 }
    }

    fn fits(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let method_fits = self.method == "*" || self.method.eq_ignore_ascii_case(method);
        let holds = |text: &String| String::from_utf8_lossy(body).contains(text.as_str());
        method_fits && fast_glob::glob_match(&self.path, path) && self.holding.as_ref().is_none_or(holds)
    }
}

/// What meets one request.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// The first fault that neither slows the request nor lets its answer be old.
    pub(crate) wrong: Option<Kind>,
    /// The sum of all latencies.
    pub(crate) latency: Duration,
    /// The sum of all lags.
    pub(crate) lag: Duration,
}

pub(crate) fn meet(faults: &mut [Fault], method: &str, path: &str, body: &[u8]) -> Met {
    let mut met = Met::default();
    for fault in faults {
        if !fault.meets(method, path, body) {
            continue;
        }
        match &fault.kind {
            Kind::Latency(time) => met.latency += *time,
            Kind::Lag(time) => met.lag += *time,
            kind => met.wrong = met.wrong.or_else(|| Some(kind.clone())),
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(fault: Fault, requests: usize) -> Vec<bool> {
        let mut faults = [fault];
        (0..requests)
            .map(|_| meet(&mut faults, "POST", "/repos/a/b/issues/1/comments", b"{}"))
            .map(|met| met.wrong.is_some())
            .collect()
    }

    #[test]
    fn a_fault_meets_the_requests_after_those_it_skips() {
        let fault = Fault::on("POST", "/repos/a/b/issues/*/comments").skip(1).times(2).then(Kind::DropBefore);
        assert_eq!(met(fault, 4), [false, true, true, false]);
    }

    #[test]
    fn a_fault_meets_only_what_its_glob_and_text_fit() {
        let fault = |trigger: Trigger| trigger.always().then(Kind::DropBefore);
        assert_eq!(met(fault(Fault::on("GET", "/**")), 1), [false]);
        assert_eq!(met(fault(Fault::on("POST", "/repos/*/comments")), 1), [false]);
        assert_eq!(met(fault(Fault::on("*", "/repos/**")), 1), [true]);
        assert_eq!(met(fault(Fault::on("*", "/**").holding("x")), 1), [false]);
    }
}
