//! The records of a release: the starts by a hub job, and the reports of the targets' jobs.

use chrono::{DateTime, TimeDelta, Utc};
use release_ticket_action::names::{CommentId, Login, RepoName, RunId, TargetName};
use release_ticket_action::ticket::decision::{ApprovedCommit, CancelledRun, Outcome, Person, RetriedStart};
use release_ticket_action::ticket::gate::{Approver, MovePolicy};
use release_ticket_action::ticket::{
    BoardStep, Comment, Decision, Dispatch, FollowedJob, FollowedRun, Freeze, Gate, Log, Outputs, Reason,
    Record, Report, Review, Rules, StageReport, Start, StartState, Status, Stuck, Verb, Watch, Word, Writer,
};
use serde_json::Map;

/// A release of version 1.4.0, which begins at nine.
pub(crate) struct Release {
    claim: Dispatch,
    reports: Vec<Report>,
    decisions: Vec<Decision>,
}

impl Release {
    /// A release that has started nothing yet.
    pub(crate) fn new() -> Self {
        let claim = Dispatch {
            by: writer("hub", HUB_RUN, 1, "dispatch"),
            seq: 1,
            run_url: run_url("hub", HUB_RUN, 1),
            workflow_url: Some(format!("{SERVER}/acme/hub/actions/workflows/release.yml")),
            close: false,
            driver: Login::parse("alice"),
            release: Some("1.4.0".into()),
            form: None,
            inputs: None,
            rules: None,
            targets: Vec::new(),
            left_out: Vec::new(),
            followed_runs: Vec::new(),
            verifications: Vec::new(),
            watch: Watch::default(),
            other: Map::new(),
        };
        Self { claim, reports: Vec::new(), decisions: Vec::new() }
    }

    /// A target that is started after so many minutes.
    pub(crate) fn starts(self, name: &str, needs: &[&str], minute: i64) -> Self {
        let run = RunId(HUB_RUN.0 + 1 + self.claim.targets.len() as u64);
        let start_record = start(name, needs, StartState::Started, minute);
        self.with(Start { run: Some(run), run_url: Some(run_url(name, run, 1)), ..start_record })
    }

    /// A target that waits for others.
    pub(crate) fn waits(self, name: &str, needs: &[&str]) -> Self {
        let targets = needs.iter().map(|name| TargetName::from(*name)).collect();
        let start_record = start(name, needs, StartState::Waiting, 0);
        self.with(Start { reason: Some(Reason::Needs { targets }.into()), ..start_record })
    }

    /// A target that GitHub refuses to start.
    pub(crate) fn refused(self, name: &str, error: &str) -> Self {
        let start_record = start(name, &[], StartState::Refused, 1);
        let reason = Reason::Refused { error: error.into(), help: None };
        self.with(Start { reason: Some(reason.into()), ..start_record })
    }

    fn with(mut self, start: Start) -> Self {
        self.claim.targets.push(start);
        self
    }

    /// A job of the target reports its stage after so many minutes.
    pub(crate) fn reports(self, target: &str, stage: &str, status: Status, minute: i64) -> Self {
        self.attempt(target, stage, status, minute, 1)
    }

    /// The same in a later attempt of the run.
    pub(crate) fn attempt(
        mut self,
        target: &str,
        stage: &str,
        status: Status,
        minute: i64,
        attempt: u32,
    ) -> Self {
        let run = self.run_of(target);
        let stage = StageReport {
            target: None,
            stage: stage.into(),
            status: status.into(),
            message: None,
            url: None,
            ends_release: false,
            outputs: Outputs::default(),
            at: at(minute),
            seq: 1,
            other: Map::new(),
        };
        let by = writer(target, run, attempt, &stage.stage);
        let run_url = run_url(target, run, attempt);
        self.reports.push(Report { by, seq: 1, run_url, stages: vec![stage], other: Map::new() });
        self
    }

    /// Adds a message to the newest report.
    pub(crate) fn saying(mut self, message: &str) -> Self {
        self.newest().message = Some(message.into());
        self
    }

    /// The newest report ends the target's release.
    pub(crate) fn releasing(mut self, target: &str, version: &str) -> Self {
        let stage = self.newest();
        stage.ends_release = true;
        stage.url = Some(format!("{SERVER}/acme/{target}/releases/tag/{version}"));
        self
    }

    /// The hub job that follows the target's run looks at it after so many minutes.
    pub(crate) fn follows(mut self, target: &str, job: &str, conclusion: Option<&str>, minute: i64) -> Self {
        let run = self.run_of(target);
        let status = if conclusion.is_some() { "completed" } else { "in_progress" };
        let url = format!("{}/job/1", run_url(target, run, 1));
        let job = FollowedJob {
            name: job.into(),
            status: status.into(),
            conclusion: conclusion.map(Into::into),
            url: Some(url),
            step: (conclusion == Some("failure")).then(|| "Run tests".into()),
            error: None,
        };
        self.claim.followed_runs.push(FollowedRun {
            target: target.into(),
            repository: repository(target),
            run,
            attempt: 1,
            run_url: run_url(target, run, 1),
            status: status.into(),
            conclusion: conclusion.map(Into::into),
            job: Some(job).filter(|_| conclusion != Some("success")),
            jobs: 5,
            ended_jobs: if conclusion.is_some() { 5 } else { 2 },
            reviews: Vec::new(),
            reports: 0,
            at: at(minute),
            other: Map::new(),
        });
        self
    }

    /// The hub job follows the runs to their end.
    pub(crate) fn watching(mut self) -> Self {
        self.claim.watch.follows = true;
        self
    }

    /// The run of the target that was followed last waits for these to approve the environment.
    pub(crate) fn needing_review(mut self, environment: &str, reviewers: &[&str]) -> Self {
        let run = self.claim.followed_runs.last_mut().expect("a target that is followed");
        let reviewers = reviewers.iter().filter_map(|login| Login::parse(login));
        run.reviews.push(Review::new(environment, reviewers, None));
        run.status = "waiting".into();
        self
    }

    /// The target has not changed since so many minutes after the beginning.
    pub(crate) fn stuck(mut self, target: &str, minute: i64) -> Self {
        let run = Some(self.run_of(target));
        let stuck = Stuck { target: target.into(), run, attempt: 1, since: at(minute), reports: 9 };
        self.claim.watch.stuck.push(stuck);
        self
    }

    /// A gate at which so many of these people have to say go; if none are named, anybody who may give commands.
    pub(crate) fn gate(mut self, name: &str, required_approvals: u32, approvers: &[&str]) -> Self {
        let approvers = approvers.iter().map(|approver| Approver::parse(approver).expect("an approver"));
        self.rules().gates.push(Gate {
            name: name.into(),
            approvers: approvers.collect(),
            required_approvals,
            excludes_driver: false,
            move_policy: MovePolicy::Lapse.into(),
        });
        self
    }

    /// The driver's go counts for nothing at the gate that was added last.
    pub(crate) fn not_by_the_driver(mut self) -> Self {
        self.rules().gates.last_mut().expect("a gate").excludes_driver = true;
        self
    }

    /// The gate that was added last counts approvals of other commits.
    #[allow(dead_code, reason = "only tests have such a board")]
    pub(crate) fn only_warning(mut self) -> Self {
        self.rules().gates.last_mut().expect("a gate").move_policy = MovePolicy::Warn.into();
        self
    }

    /// A freeze until the second of January, for which these targets wait.
    pub(crate) fn freeze(mut self, reason: &str, targets: &[&str]) -> Self {
        let to = at(37 * 24 * 60 - 9 * 60);
        self.rules().freezes.push(Freeze { from: at(0), to, reason: reason.into() });
        for start in self.claim.targets.iter_mut().filter(|start| targets.contains(&start.target.as_str())) {
            start.reason = Some(Reason::Frozen { to, why: Some(reason.into()) }.into());
        }
        self
    }

    fn rules(&mut self) -> &mut Rules {
        let rules = self.claim.rules.get_or_insert_with(|| Word::Known(Rules::default()));
        let Word::Known(rules) = rules else { unreachable!("the line above writes known rules") };
        rules
    }

    /// A person gives a command after so many minutes.
    pub(crate) fn decides(mut self, who: &str, verb: Verb, names: &[&str], minute: i64) -> Self {
        let number = self.decisions.len() as u64 + 1;
        let run = RunId(HUB_RUN.0 + 1_000 + number);
        let names: Vec<TargetName> = names.iter().map(|name| TargetName::from(*name)).collect();
        let retries = names.iter().map(|name| RetriedStart { target: name.clone(), after: CommentId(1) });
        let cancels = names.iter().filter(|_| verb == Verb::Cancel).map(|name| CancelledRun {
            target: name.clone(),
            repository: repository(name.as_str()),
            run: self.run_of(name.as_str()),
            attempt: 1,
        });
        let freezes = self.claim.rules.as_ref().and_then(Word::as_known).map(|rules| rules.freezes.clone());
        self.decisions.push(Decision {
            by: writer("hub", run, 1, "dispatch"),
            seq: 1,
            run_url: run_url("hub", run, 1),
            command: Some(verb.into()),
            reason: None,
            who: Person { login: Login::parse(who).expect("a login"), id: id_of(who), role: "write".into() },
            comment: CommentId(FIRST_COMMAND + number),
            comment_url: format!("{SERVER}/acme/hub/issues/12#issuecomment-{}", FIRST_COMMAND + number),
            outcome: Outcome::Accepted.into(),
            answer: None,
            commits: Vec::new(),
            retries: retries.filter(|_| verb == Verb::Retry).collect(),
            cancels: cancels.collect(),
            freezes: freezes.filter(|_| verb == Verb::OverrideFreeze).unwrap_or_default(),
            at: at(minute),
            names,
            other: Map::new(),
        });
        self
    }

    /// Adds a reason to the newest decision.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.decisions.last_mut().expect("a decision").reason = Some(reason.into());
        self
    }

    /// The newest decision is about these targets at commits that begin so.
    pub(crate) fn at_commits(mut self, commits: &[(&str, &str)]) -> Self {
        let commits = commits.iter().map(|(target, sha)| ApprovedCommit {
            target: TargetName::from(*target),
            repository: repository(target),
            git_ref: "main".into(),
            sha: Some(format!("{sha:0<40}")),
        });
        self.decisions.last_mut().expect("a decision").commits = commits.collect();
        self
    }

    fn run_of(&self, target: &str) -> RunId {
        let start = self.claim.targets.iter().find(|start| start.target.as_str() == target);
        start.and_then(|start| start.run).expect("a target that is started")
    }

    fn newest(&mut self) -> &mut StageReport {
        let newest = self.reports.last_mut().and_then(|report| report.stages.last_mut());
        newest.expect("a report comes before what it says")
    }

    /// The board of the release, as Markdown.
    pub(crate) fn board(self) -> String {
        let records = std::iter::once(Record::Dispatch(self.claim));
        let records = records.chain(self.reports.into_iter().map(Record::Report));
        let records = records.chain(self.decisions.into_iter().map(Record::Decision));
        let mut log = Log::default();
        log.extend(records.zip(1..).map(|(record, id)| comment(id, record.render())));
        let BoardStep::Write { body, .. } = log.next_board_step() else {
            unreachable!("the log has no board")
        };
        body.split_once('\n').map_or_else(String::new, |(_, text)| text.to_owned())
    }
}

const SERVER: &str = "https://github.com";

const HUB_RUN: RunId = RunId(19_600_000_000);

/// Commands are in comments with higher ids than this.
const FIRST_COMMAND: u64 = 2_600_000_000;

/// The id of an account, which only has to differ from others.
fn id_of(login: &str) -> u64 {
    login.bytes().fold(0, |id, byte| (id * 31 + u64::from(byte)) % 1_000_003)
}

/// The repository of a target with this name.
fn repository(target: &str) -> RepoName {
    format!("acme/{target}").parse().expect("a name of a repository")
}

fn start(name: &str, needs: &[&str], state: StartState, minute: i64) -> Start {
    Start {
        target: name.into(),
        repository: repository(name),
        workflow: Some("release.yml".into()),
        git_ref: Some("main".into()),
        needs: needs.iter().map(|name| TargetName::from(*name)).collect(),
        state: state.into(),
        run: None,
        run_url: None,
        commit: None,
        outputs: Outputs::default(),
        verify: false,
        repeats: None,
        turn: None,
        reason: None,
        at: at(minute),
        other: Map::new(),
    }
}

fn writer(repository: &str, run: RunId, attempt: u32, job: &str) -> Writer {
    Writer { repository: self::repository(repository), run, attempt, job: job.into(), check_run: None }
}

fn run_url(repository: &str, run: RunId, attempt: u32) -> String {
    let attempt = if attempt > 1 { format!("/attempts/{attempt}") } else { String::new() };
    format!("{SERVER}/acme/{repository}/actions/runs/{run}{attempt}")
}

/// So many minutes after nine.
fn at(minute: i64) -> DateTime<Utc> {
    let nine = DateTime::from_timestamp(1_795_683_600, 0).expect("a time");
    nine + TimeDelta::minutes(minute)
}

fn comment(id: u64, body: String) -> Comment {
    Comment {
        id: CommentId(id),
        author: Some("acme-release[bot]".into()),
        is_trusted: true,
        body,
        created_at: at(0),
        updated_at: at(0),
        url: String::new(),
    }
}
