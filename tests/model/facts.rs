//! The facts of jobs: the [`Facts`] that a model has met and the answers of the engine to them, each under a small number.
//! The product makes every decision, once; a second question gets the same answer from here.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock, RwLock};

use chrono::{DateTime, Utc};
use release_ticket_action::engine::{Answer, Facts, Request, Step, next};
use release_ticket_action::ticket::Log;

use crate::library::LogId;

/// The facts of a job, without the log. Two are equal if and only if their facts are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FactsId(u32);

/// The request of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId(u32);

/// The steps of a list from a position on, which are not performed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Steps {
    list: u32,
    position: u8,
}

/// A question to the engine: the facts, the request, the log and the time.
type Question = (FactsId, RequestId, LogId, DateTime<Utc>);

#[derive(Default)]
struct Memory {
    facts: Vec<Arc<Facts>>,
    facts_ids: HashMap<String, FactsId>,
    requests: Vec<Arc<Request>>,
    request_ids: HashMap<String, RequestId>,
    lists: Vec<Arc<[Step]>>,
    list_ids: HashMap<String, u32>,
    next: HashMap<Question, (FactsId, Steps)>,
    answers: HashMap<(Question, String), FactsId>,
    changes: HashMap<(FactsId, &'static str), FactsId>,
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

impl FactsId {
    /// The number of `facts`, without their log.
    pub(crate) fn of(mut facts: Facts) -> Self {
        facts.log = Log::default();
        let key = format!("{facts:?}");
        keep(|memory| {
            let next = Self(count(memory.facts.len()));
            let id = *memory.facts_ids.entry(key).or_insert(next);
            if id == next {
                memory.facts.push(Arc::new(facts));
            }
            id
        })
    }

    fn get(self, log: LogId) -> Facts {
        let facts = recall(|memory| Arc::clone(&memory.facts[self.0 as usize]));
        let mut facts = Facts::clone(&facts);
        facts.log = log.get(Log::clone);
        facts
    }

    /// [`next`], and the facts with these steps under way.
    pub(crate) fn next(self, request: RequestId, log: LogId, now: DateTime<Utc>) -> (Self, Steps) {
        let question = (self, request, log, now);
        if let Some(answer) = recall(|memory| memory.next.get(&question).copied()) {
            return answer;
        }
        let mut facts = self.get(log);
        let steps = next(&facts, &request.get(), now);
        facts.begin(&steps, now);
        let answer = (Self::of(facts), Steps::of(steps));
        keep(|memory| memory.next.insert(question, answer));
        answer
    }

    /// [`Facts::learn`].
    pub(crate) fn learn(
        self,
        step: &Step,
        answer: Answer,
        request: RequestId,
        log: LogId,
        now: DateTime<Utc>,
    ) -> Self {
        let key = ((self, request, log, now), format!("{step:?} {answer:?}"));
        if let Some(answer) = recall(|memory| memory.answers.get(&key).copied()) {
            return answer;
        }
        let mut facts = self.get(log);
        facts.learn(step, answer, &request.get(), now);
        let new = Self::of(facts);
        keep(|memory| memory.answers.insert(key, new));
        new
    }

    /// The facts after a change; `name` distinguishes it from other changes.
    pub(crate) fn change(self, name: &'static str, change: impl FnOnce(&mut Facts)) -> Self {
        if let Some(answer) = recall(|memory| memory.changes.get(&(self, name)).copied()) {
            return answer;
        }
        let mut facts = self.get(LogId::empty());
        change(&mut facts);
        let new = Self::of(facts);
        keep(|memory| memory.changes.insert((self, name), new));
        new
    }
}

impl RequestId {
    /// The number of the request with this `key`, which holds everything in which requests differ.
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
        Self { list, position: 0 }
    }

    /// Reads all steps of the list, also those that are performed.
    pub(crate) fn get<T>(self, what: impl FnOnce(&[Step]) -> T) -> T {
        let steps = recall(|memory| Arc::clone(&memory.lists[self.list as usize]));
        what(&steps)
    }

    /// The step that comes next.
    pub(crate) fn first(self) -> Option<Step> {
        recall(|memory| memory.lists[self.list as usize].get(usize::from(self.position)).cloned())
    }

    /// The steps that follow.
    pub(crate) fn rest(self) -> Self {
        let position = self.position + 1;
        let is_last = recall(|memory| memory.lists[self.list as usize].len() <= usize::from(position));
        if is_last { Self::none() } else { Self { position, ..self } }
    }
}
