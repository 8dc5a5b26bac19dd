//! What GitHub has shown a step, and whether the step starts something against that.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::names::TargetName;
use release_ticket_action::ticket::{self, Decision, Freeze, Log};
use serde_json::Value;

use crate::play::HUB;
use crate::scenario::{Scenario, Target};
use crate::steering::Steering;
use crate::words::{Approved, Words};

/// The account whose decisions count.
pub(crate) const HUB_BOT: &str = "acme-release[bot]";

/// It may take so long from a decision to start something to the request, whatever the weather.
const DECIDED_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// What GitHub has shown one step.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    log: Log,
    /// The commits of branches, as they were shown last, by repository.
    commits: BTreeMap<String, String>,
}

/// A start against a word that its step had been shown.
#[derive(Debug, Clone)]
pub(crate) struct Against {
    pub(crate) target: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) why: String,
}

/// What keeps targets back, apart from the words of people.
pub(crate) struct Rulebook {
    pub(crate) steering: Steering,
    pub(crate) targets: Vec<Target>,
    pub(crate) freezes: Vec<Freeze>,
}

impl Rulebook {
    /// The rules of a release that is steered from its ticket, and begins now.
    pub(crate) fn of(scenario: &Scenario, begins: DateTime<Utc>) -> Option<Self> {
        let steering = scenario.steering.clone()?;
        let freezes = steering.freezes.iter().map(|freeze| Freeze {
            from: whole_seconds(begins + freeze.from),
            to: whole_seconds(begins + freeze.to),
            reason: String::new(),
        });
        let freezes = freezes.collect();
        Some(Self { steering, targets: scenario.targets.clone(), freezes })
    }

    /// What keeps a target back at `now`, by the words that count and the commit of its branch; a freeze only where
    /// it has lasted for `since`.
    pub(crate) fn kept_back<'d>(
        &self,
        target: &Target,
        decisions: impl Iterator<Item = &'d Decision>,
        commit: Option<&str>,
        now: DateTime<Utc>,
        since: TimeDelta,
    ) -> Option<String> {
        let (words, name) = (Words::of(decisions), TargetName::from(target.name.as_str()));
        if words.skip(&name) {
            return Some("it is skipped".to_owned());
        }
        if words.hold(&name) {
            return Some("it is on hold".to_owned());
        }
        let gates = target.gates.iter().filter_map(|gate| self.steering.gate(gate));
        for gate in gates {
            let approved = if gate.may_move { Approved::Any } else { Approved::At(commit) };
            if !words.open(&gate.name.into(), gate.required, &name, approved) {
                return Some(format!("gate {} is closed at {commit:?}", gate.name));
            }
        }
        let holds = |freeze: &&Freeze| freeze.holds_at(now) && freeze.holds_at(now - since);
        let frozen = self.freezes.iter().filter(holds).find(|freeze| !words.overrides(freeze))?;
        Some(format!("there is a freeze until {}", frozen.to))
    }

    /// The target that a request starts.
    fn target(&self, path: &str, inputs: &Value) -> Option<&Target> {
        let (repository, workflow) =
            path.strip_prefix("/repos/")?.strip_suffix("/dispatches")?.split_once("/actions/workflows/")?;
        let named = inputs["release-target"].as_str();
        self.targets.iter().find(|target| {
            target.repository == repository
                && target.workflow == workflow
                && (target.old_style || named == Some(target.name.as_str()))
        })
    }
}

/// The moment as the targets file has it.
fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).expect("a time of the play")
}

impl Witness {
    /// Takes in what GitHub has answered.
    pub(crate) fn take_in(&mut self, path: &str, body: &[u8]) {
        let is_commit = path.strip_prefix("/repos/").and_then(|path| path.split_once("/commits/"));
        let is_comment = path.starts_with(&format!("/repos/{HUB}/issues/")) && path.contains("/comments");
        if is_commit.is_none() && !is_comment {
            return;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(body) else { return };
        if let (Some((repository, _)), Some(sha)) = (is_commit, answer["sha"].as_str()) {
            self.commits.insert(repository.to_owned(), sha.to_owned());
        }
        let comments = match &answer {
            Value::Array(comments) => &comments[..],
            comment => std::slice::from_ref(comment),
        };
        self.log.extend(comments.iter().filter_map(comment_of));
    }

    /// What speaks against the start that is requested now.
    pub(crate) fn judge(
        &self,
        rules: &Rulebook,
        path: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Against> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let target = rules.target(path, &request["inputs"])?;
        let commit = self.commits.get(&target.repository).map(String::as_str);
        let why = rules.kept_back(target, decisions_of(&self.log), commit, now, DECIDED_BEFORE)?;
        Some(Against { target: target.name.clone(), at: now, why })
    }
}

/// The decisions of the hub's own account.
pub(crate) fn decisions_of(log: &Log) -> impl Iterator<Item = &Decision> {
    let own = log.decisions().filter(|(comment, _)| comment.author.as_deref() == Some(HUB_BOT));
    own.map(|(_, decision)| decision)
}

fn comment_of(comment: &Value) -> Option<ticket::Comment> {
    let author = comment["user"]["login"].as_str()?;
    let time = |key: &str| comment[key].as_str()?.parse().ok();
    Some(ticket::Comment {
        id: release_ticket_action::names::CommentId(comment["id"].as_u64()?),
        author: Some(author.to_owned()),
        trusted: author.ends_with("[bot]"),
        body: comment["body"].as_str()?.to_owned(),
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        url: String::new(),
    })
}
