//! The cast of the stories: targets, a request, runs, and the records of other hub jobs.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Map;

use super::Story;
use crate::command::Command;
use crate::engine::request::CommandRequest;
use crate::engine::step::{Candidate, Sighting, TargetRun};
use crate::engine::wording::Wording;
use crate::engine::{ReadyTarget, Request, Retry};
use crate::names::{CommentId, IssueNumber, IssueRef, Login, RunId};
use crate::place::Place;
use crate::targets::{StartBy, Target, Verify};
use crate::template::{HubValues, RunValues, Values};
use crate::ticket::decision::Person;
use crate::ticket::{Dispatch, FollowedRun, Record, Report, Rules, StageReport, StartState, Status, Writer};

/// The hub run of a story's job, which starts the runs 101, 102 and so on.
pub(crate) const HUB_RUN: u64 = 100;

/// A target with a workflow and a repository of its own.
pub(crate) fn target(name: &str) -> ReadyTarget {
    let target = Target {
        name: name.into(),
        repository: format!("acme/{name}").parse().expect("a name"),
        start: StartBy::Workflow("release.yml".into()),
        git_ref: None,
        inputs: Vec::new(),
        needs: Vec::new(),
        upstream: Vec::new(),
        stale_after: None,
        outputs_from_release: false,
        verify: Verify::default(),
        place: Place { source: String::new(), line: 1, column: 1 },
    };
    ReadyTarget { target, git_ref: "main".into(), declaration: None, is_same_account: false }
}

impl ReadyTarget {
    pub(crate) fn needing<const N: usize>(mut self, needs: [&str; N]) -> Self {
        self.target.needs = needs.map(Into::into).into();
        self.target.upstream = needs.map(Into::into).into();
        self
    }

    pub(crate) fn by_event(mut self) -> Self {
        self.target.start = StartBy::Event("release".to_owned());
        self
    }

    /// Targets of one repository have one workflow.
    pub(crate) fn in_repository(mut self, repository: &str) -> Self {
        self.target.repository = repository.parse().expect("a name");
        self
    }
}

/// A record of another hub job. The runs of its targets have the next ids after its own.
pub(crate) fn dispatch<const N: usize>(hub_run: u64, targets: [(&str, StartState); N]) -> Dispatch {
    let mut record = request(Vec::new()).record(1, Vec::new(), Vec::new());
    record.by.run = RunId(hub_run);
    record.run_url = format!("runs/{hub_run}");
    record.targets.extend((hub_run + 1..).zip(targets).map(|(run, (name, state))| {
        let mut start = target(name).entry(state, None, DateTime::UNIX_EPOCH);
        start.run = (state == StartState::Started).then_some(RunId(run));
        start
    }));
    record
}

pub(crate) fn request(targets: Vec<ReadyTarget>) -> Request {
    let repository = ticket().repository;
    let by = Writer {
        repository: repository.clone(),
        run: RunId(HUB_RUN),
        attempt: 1,
        job: "dispatch".to_owned(),
        check_run: None,
    };
    Request {
        retry: Retry::Nothing,
        rules: Some(Rules::default()),
        max_parallel: 8,
        ..Request::without_starts(by, format!("runs/{HUB_RUN}"), targets, wording())
    }
}

fn wording() -> Wording {
    let hub = ticket().repository;
    let values = Values {
        ticket: None,
        hub: HubValues::from(&hub),
        target: None,
        targets: Vec::new(),
        release: String::new(),
        driver: String::new(),
        run: RunValues { id: HUB_RUN, attempt: 1, url: String::new() },
        inputs: Map::new(),
        input_help: None,
        form: Map::new(),
        event: Map::new(),
        outputs: None,
    };
    let server_url = String::new();
    let (driver, labels) = (None, Vec::new());
    Wording { server_url, driver, labels, title: None, body: None, values, hub, assumes_outputs: false }
}

/// The story of a job that alice has started by a command in a comment of this id. She may decide on every gate.
pub(crate) fn with_command(mut story: Story, comment: u64, command: Command) -> Story {
    story.request.command = Some(CommandRequest {
        comment: CommentId(comment),
        comment_url: format!("comments/{comment}"),
        author: Person { login: Login::parse("alice").expect("a login"), id: 1, role: "write".to_owned() },
        command: Ok(command),
        failure: None,
        gates: story
            .request
            .rules
            .iter()
            .flat_map(|rules| &rules.gates)
            .map(|gate| gate.name.clone())
            .collect(),
    });
    story
}

pub(crate) fn ticket() -> IssueRef {
    IssueRef { repository: "acme/hub".parse().expect("a name"), number: IssueNumber(1) }
}

pub(crate) fn candidate(run: u64) -> Candidate {
    // Every claim is older.
    let created_at = DateTime::<Utc>::MAX_UTC;
    Candidate { run: RunId(run), url: format!("runs/{run}"), title: String::new(), actor: None, created_at }
}

/// A run of the target's workflow, which began after every claim.
pub(crate) fn sighting(of: &TargetRun, status: &str, conclusion: Option<&str>) -> Sighting {
    let workflow = Some(".github/workflows/release.yml".to_owned());
    Sighting {
        run: followed_run(of, status, conclusion),
        workflow,
        created_at: DateTime::UNIX_EPOCH + TimeDelta::days(9),
        changed_at: DateTime::UNIX_EPOCH,
        title: String::new(),
        actor: None,
        event: None,
        head_sha: None,
    }
}

fn followed_run(of: &TargetRun, status: &str, conclusion: Option<&str>) -> FollowedRun {
    FollowedRun {
        target: of.target.clone(),
        repository: of.repository.clone(),
        run: of.run,
        attempt: 1,
        run_url: format!("runs/{}", of.run),
        status: status.to_owned(),
        conclusion: conclusion.map(str::to_owned),
        job: None,
        jobs: 0,
        ended_jobs: 0,
        reviews: Vec::new(),
        reports: 0,
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    }
}

/// A record of the last job of the target's run, with outputs.
pub(crate) fn report(name: &str, run: u64, outputs: &[(&str, &str)]) -> String {
    let by = Writer {
        repository: format!("acme/{name}").parse().expect("a name"),
        run: RunId(run),
        attempt: 1,
        job: "release".to_owned(),
        check_run: None,
    };
    let stage = StageReport {
        target: Some(name.into()),
        stage: "release".to_owned(),
        status: Status::Success.into(),
        message: None,
        url: None,
        ends_release: true,
        outputs: outputs.iter().copied().collect(),
        at: DateTime::UNIX_EPOCH,
        seq: 1,
        other: Map::new(),
    };
    let run_url = format!("runs/{run}");
    Record::Report(Report { by, seq: 1, run_url, stages: vec![stage], other: Map::new() }).render()
}
