//! The knowledge of jobs: what [`Known`] a model has met, and what the engine made of it, each under a
//! small number. Every decision is made by the product; what it decided is remembered.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, RwLock};

use chrono::{DateTime, Utc};
use release_ticket_action::engine::{Answer, Known, Request, Step, next};
use release_ticket_action::ticket::Log;

use crate::library::LogId;

/// What a job knows, without the log. Two are equal if and only if all that they hold is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KnownId(u32);

/// What a job was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(u32);

/// Steps that are to be performed, as far as they are not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Steps {
    list: u32,
    done: u8,
}

/// What the engine is asked: the knowledge, the request, the log and the time.
type Question = (KnownId, RequestId, LogId, DateTime<Utc>);

#[derive(Default)]
struct Memory {
    known: Vec<Arc<Known>>,
    known_ids: HashMap<String, KnownId>,
    requests: Vec<Arc<Request>>,
    request_ids: HashMap<String, RequestId>,
    lists: Vec<Arc<[Step]>>,
    list_ids: HashMap<String, u32>,
    next: HashMap<Question, (KnownId, Steps)>,
    learned: HashMap<(Question, String), KnownId>,
    changed: HashMap<(KnownId, &'static str), KnownId>,
}

static MEMORY: LazyLock<RwLock<Memory>> = LazyLock::new(RwLock::default);

fn recall<T>(what: impl FnOnce(&Memory) -> T) -> T {
    what(&MEMORY.read().expect("no thread panics while it holds the memory"))
}

fn keep<T>(what: impl FnOnce(&mut Memory) -> T) -> T {
    what(&mut MEMORY.write().expect("no thread panics while it holds the memory"))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a model meets few")
}

impl KnownId {
    /// The number of `known`, without its log.
    pub(crate) fn of(mut known: Known) -> Self {
        known.log = Log::default();
        let key = format!("{known:?}");
        keep(|memory| {
            let next = Self(count(memory.known.len()));
            let id = *memory.known_ids.entry(key).or_insert(next);
            if id == next {
                memory.known.push(Arc::new(known));
            }
            id
        })
    }

    fn get(self, log: LogId) -> Known {
        let known = recall(|memory| Arc::clone(&memory.known[self.0 as usize]));
        let mut known = Known::clone(&known);
        known.log = log.get(Log::clone);
        known
    }

    /// [`next`], and the knowledge that these steps are under way.
    pub(crate) fn next(self, request: RequestId, log: LogId, now: DateTime<Utc>) -> (Self, Steps) {
        let question = (self, request, log, now);
        if let Some(known) = recall(|memory| memory.next.get(&question).copied()) {
            return known;
        }
        let mut known = self.get(log);
        let steps = next(&known, &request.get(), now);
        known.send(&steps, now);
        let decided = (Self::of(known), Steps::of(steps));
        keep(|memory| memory.next.insert(question, decided));
        decided
    }

    /// [`Known::learn`].
    pub(crate) fn learned(
        self,
        step: &Step,
        answer: Answer,
        request: RequestId,
        log: LogId,
        now: DateTime<Utc>,
    ) -> Self {
        let key = ((self, request, log, now), format!("{step:?} {answer:?}"));
        if let Some(known) = recall(|memory| memory.learned.get(&key).copied()) {
            return known;
        }
        let mut known = self.get(log);
        known.learn(step, answer, &request.get(), now);
        let learned = Self::of(known);
        keep(|memory| memory.learned.insert(key, learned));
        learned
    }

    /// The knowledge after a change that has a name of its own.
    pub(crate) fn changed(self, name: &'static str, change: impl FnOnce(&mut Known)) -> Self {
        if let Some(known) = recall(|memory| memory.changed.get(&(self, name)).copied()) {
            return known;
        }
        let mut known = self.get(LogId::unread());
        change(&mut known);
        let changed = Self::of(known);
        keep(|memory| memory.changed.insert((self, name), changed));
        changed
    }
}

impl RequestId {
    /// The number of the request that is known by `key`: by all in which it differs from others.
    pub(crate) fn of(key: impl Debug, make: impl FnOnce() -> Request) -> Self {
        let key = format!("{key:?}");
        if let Some(id) = recall(|memory| memory.request_ids.get(&key).copied()) {
            return id;
        }
        let request = Arc::new(make());
        keep(|memory| {
            let next = Self(count(memory.requests.len()));
            let id = *memory.request_ids.entry(key).or_insert(next);
            if id == next {
                memory.requests.push(request);
            }
            id
        })
    }

    fn get(self) -> Arc<Request> {
        recall(|memory| Arc::clone(&memory.requests[self.0 as usize]))
    }
}

impl Steps {
    /// No step.
    pub(crate) fn none() -> Self {
        Self::of(Vec::new())
    }

    fn of(steps: Vec<Step>) -> Self {
        let key = format!("{steps:?}");
        let list = keep(|memory| {
            let next = count(memory.lists.len());
            let id = *memory.list_ids.entry(key).or_insert(next);
            if id == next {
                memory.lists.push(steps.into());
            }
            id
        });
        Self { list, done: 0 }
    }

    /// Asks all steps of the list, those that are performed already included.
    pub(crate) fn get<T>(self, what: impl FnOnce(&[Step]) -> T) -> T {
        let steps = recall(|memory| Arc::clone(&memory.lists[self.list as usize]));
        what(&steps)
    }

    /// The step that comes next.
    pub(crate) fn first(self) -> Option<Step> {
        recall(|memory| memory.lists[self.list as usize].get(usize::from(self.done)).cloned())
    }

    /// The steps that follow.
    pub(crate) fn rest(self) -> Self {
        let done = self.done + 1;
        let is_last = recall(|memory| memory.lists[self.list as usize].len() <= usize::from(done));
        if is_last { Self::none() } else { Self { done, ..self } }
    }
}
