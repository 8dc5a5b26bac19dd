//! The witness of a step: it knows the answers that the step got, and judges the starts that the step requests.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::names::TargetName;
use release_ticket_action::ticket::{self, Decision, Freeze, Log};
use serde_json::Value;

use crate::play::HUB;
use crate::scenario::{Scenario, Target};
use crate::steering::Steering;
use crate::words::{RequiredCommit, Words};

/// The account whose decisions count.
pub(crate) const HUB_BOT: &str = "acme-release[bot]";

/// The longest time between a step's decision to start a target and its request, in any weather.
const LONGEST_DECISION: TimeDelta = TimeDelta::minutes(10);

/// The comments and commits that GitHub has shown to one step.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    log: Log,
    /// The commits of the branches by repository, as GitHub last showed them.
    commits: BTreeMap<String, String>,
}

/// A start against a command, a gate or a freeze, although GitHub had shown its record to the step.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) target: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) why: String,
}

/// The rules of a release, to which the decisions of people are added later.
pub(crate) struct Rulebook {
    pub(crate) steering: Steering,
    pub(crate) targets: Vec<Target>,
    pub(crate) freezes: Vec<Freeze>,
}

impl Rulebook {
    /// The rules of a release that people steer, and that begins at `begins`.
    pub(crate) fn of(scenario: &Scenario, begins: DateTime<Utc>) -> Option<Self> {
        let steering = scenario.steering.clone()?;
        let freezes = steering.freezes.iter().map(|freeze| Freeze {
            from: whole_seconds(begins + freeze.start),
            to: whole_seconds(begins + freeze.end),
            reason: String::new(),
        });
        let freezes = freezes.collect();
        Some(Self { steering, targets: scenario.targets.clone(), freezes })
    }

    /// The reason why a target may not start at `now`, by these decisions and the commit of its branch. A freeze is a
    /// reason only after it has lasted for `since`.
    pub(crate) fn obstacle<'d>(
        &self,
        target: &Target,
        decisions: impl Iterator<Item = &'d Decision>,
        commit: Option<&str>,
        now: DateTime<Utc>,
        since: TimeDelta,
    ) -> Option<String> {
        let (words, name) = (Words::of(decisions), TargetName::from(target.name.as_str()));
        if words.skips(&name) {
            return Some("it is skipped".to_owned());
        }
        if words.holds(&name) {
            return Some("it is on hold".to_owned());
        }
        let gates = target.gates.iter().filter_map(|gate| self.steering.gate(gate));
        for gate in gates {
            let commit_rule = if gate.may_move { RequiredCommit::Any } else { RequiredCommit::At(commit) };
            if !words.lets_pass(&gate.name.into(), gate.required, &name, commit_rule) {
                return Some(format!("gate {} is closed at {commit:?}", gate.name));
            }
        }
        let holds = |freeze: &&Freeze| freeze.holds_at(now) && freeze.holds_at(now - since);
        let freeze = self.freezes.iter().filter(holds).find(|freeze| !words.overrides(freeze))?;
        Some(format!("there is a freeze until {}", freeze.to))
    }

    /// The target that a request to this path starts.
    fn target(&self, path: &str, inputs: &Value) -> Option<&Target> {
        let (repository, workflow) =
            path.strip_prefix("/repos/")?.strip_suffix("/dispatches")?.split_once("/actions/workflows/")?;
        let name = inputs["release-target"].as_str();
        self.targets.iter().find(|target| {
            target.repository == repository
                && target.workflow == workflow
                && (target.old_style || name == Some(target.name.as_str()))
        })
    }
}

/// The moment as the targets file writes it.
fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).expect("a time of the play")
}

impl Witness {
    /// Reads one answer of GitHub.
    pub(crate) fn learn(&mut self, path: &str, body: &[u8]) {
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

    /// The violation, if this request starts a target that may not start.
    pub(crate) fn judge(
        &self,
        rules: &Rulebook,
        path: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Violation> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let target = rules.target(path, &request["inputs"])?;
        let commit = self.commits.get(&target.repository).map(String::as_str);
        let why = rules.obstacle(target, decisions_of(&self.log), commit, now, LONGEST_DECISION)?;
        Some(Violation { target: target.name.clone(), at: now, why })
    }
}

/// The decisions that the hub's own account has recorded.
pub(crate) fn decisions_of(log: &Log) -> impl Iterator<Item = &Decision> {
    let records = log.decisions().filter(|(comment, _)| comment.author.as_deref() == Some(HUB_BOT));
    records.map(|(_, decision)| decision)
}

fn comment_of(comment: &Value) -> Option<ticket::Comment> {
    let author = comment["user"]["login"].as_str()?;
    let time = |key: &str| comment[key].as_str()?.parse().ok();
    Some(ticket::Comment {
        id: release_ticket_action::names::CommentId(comment["id"].as_u64()?),
        author: Some(author.to_owned()),
        is_trusted: author.ends_with("[bot]"),
        body: comment["body"].as_str()?.to_owned(),
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        url: String::new(),
    })
}
