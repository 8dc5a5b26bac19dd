//! Values that flow in model B: the second target takes a value that the first one reports, once GitHub has
//! confirmed that value.
//!
//! The first job, and each that comes later, follows the runs; the others dispatch and end.
//!
//! The run of the first target succeeds at once, with its first reports; later reports appear at any moment. GitHub may
//! show a release late, or not answer. One reported value is that of a release, and another one is wrong.

use release_ticket_action::engine::step::{Failure, Inspection};
use release_ticket_action::engine::{Answer, Follow, Step};
use release_ticket_action::plan::WorkflowStart;
use release_ticket_action::targets::{Input, Verify};
use release_ticket_action::ticket::outputs::Outputs;
use release_ticket_action::ticket::record::{Report, StageReport};
use release_ticket_action::ticket::{Check, Log, Record, Status};
use serde_json::Map;
use stateright::Property;

use super::{Action, Claims, Phase, RECORDED, State, name, place, run_id, writer_of};
use crate::library::Text;
use crate::store::Lag;

/// The version of the release that the first target publishes.
pub(crate) const PUBLISHED: &str = "v1";

/// A version without a release.
pub(crate) const WRONG: &str = "v0";

/// The target that reports, and the one that takes the value.
const REPORTER: usize = 0;
const READER: usize = 1;

/// The values that the first target reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    /// The versions in the order of their reports, each by a stage of its own. Without any, no value flows.
    pub(crate) reports: &'static [&'static str],
    /// The number of reports before the end of the run; the others arrive at any time.
    pub(crate) in_time: usize,
    /// So many times GitHub may not show the release yet.
    pub(crate) late: u8,
    /// So many times GitHub may not answer.
    pub(crate) silences: u8,
}

pub(crate) const CONFIRMED: &str = "the second target starts with a value that GitHub has confirmed";
pub(crate) const ONCE_EACH: &str = "no target is started twice";
pub(crate) const COMPLETED: &str = "a later dispatch starts the second target once";

/// The properties where values flow.
pub(super) fn properties() -> Vec<Property<Claims>> {
    vec![
        Property::always(CONFIRMED, |_, state: &State| !state.flow.has_started_otherwise),
        Property::always(ONCE_EACH, |model: &Claims, state: &State| {
            (0..model.targets).all(|target| state.runs_of(target) <= 1)
        }),
        Property::always(RECORDED, |_, state: &State| state.starts_are_recorded()),
        Property::always(COMPLETED, |model: &Claims, state: &State| {
            let has_ended = state.jobs.iter().all(|job| job.phase != Phase::AtWork);
            let is_right = model.flow.reports.last() == Some(&PUBLISHED);
            !has_ended || !is_right || state.is_completed(model)
        }),
    ]
}

/// The progress of the reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    /// The number of versions reported so far.
    report_count: usize,
    late: u8,
    silences: u8,
    /// Whether GitHub has confirmed the published version.
    is_confirmed: bool,
    /// Whether the second target was started unconfirmed, or with another value.
    has_started_otherwise: bool,
}

impl Flow {
    pub(super) fn is_on(&self) -> bool {
        !self.reports.is_empty()
    }

    fn template(&self) -> Option<Input> {
        let template = format!("{{{{ outputs['{}'].version }}}}", name(REPORTER));
        self.is_on().then(|| Input { name: "version".into(), template, place: place() })
    }

    pub(super) fn inputs_of(&self, target: usize) -> Vec<Input> {
        self.template().filter(|_| target == READER).into_iter().collect()
    }

    pub(super) fn verify_of(&self, target: usize) -> Verify {
        Verify { release: self.template().filter(|_| target == REPORTER), ..Verify::default() }
    }
}

/// The log without confirmed values.
pub(super) fn without_confirmed_values(log: &Log) -> Log {
    let mut rest = Log::default();
    rest.extend(log.records().map(|(comment, record)| {
        let mut comment = comment.clone();
        if let Record::Dispatch(dispatch) = record {
            let mut dispatch = dispatch.clone();
            dispatch
                .verifications
                .iter_mut()
                .for_each(|verification| verification.outputs = Outputs::default());
            comment.body = Record::Dispatch(dispatch).render();
        }
        comment
    }));
    rest
}

impl Claims {
    /// The runs that a job follows, if it does.
    pub(super) fn follow(&self, number: usize) -> Option<Follow> {
        let may_follow = !self.flow.is_on() || number == 0 || number >= self.jobs;
        self.people.follow(number).filter(|_| may_follow)
    }

    /// The next report, and GitHub's failures to confirm a release.
    pub(super) fn flow_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_started = state.runs_of(REPORTER) > 0;
        let is_left = state.flow.report_count < self.flow.reports.len();
        actions.extend((is_started && is_left).then_some(Action::Report));
        for (number, job) in state.jobs.iter().enumerate().filter(|(_, job)| job.phase == Phase::AtWork) {
            if matches!(job.next_step(), Step::Verify(_)) {
                actions.extend((state.flow.late < self.flow.late).then_some(Action::ReleaseLate(number)));
                actions
                    .extend((state.flow.silences < self.flow.silences).then_some(Action::NoAnswer(number)));
            }
        }
    }
}

impl State {
    /// The first target reports its next version.
    pub(super) fn report(&mut self, model: &Claims) {
        let version = model.flow.reports[self.flow.report_count];
        self.flow.report_count += 1;
        let run = self.runs.iter().position(|target| usize::from(*target) == REPORTER);
        let run = run_id(run.expect("the target is started"));
        let stage = StageReport {
            target: Some(name(REPORTER)),
            stage: format!("stage-{}", self.flow.report_count),
            status: Status::Success.into(),
            message: None,
            url: None,
            ends_release: false,
            outputs: Outputs::from_iter([("version", version)]),
            at: chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(self.flow.report_count as i64),
            seq: 1,
            other: Map::new(),
        };
        let mut by = writer_of(run, 1);
        by.repository = "acme/web".parse().expect("a name");
        by.job = stage.stage.clone();
        let record = Report { by, seq: 1, run_url: String::new(), stages: vec![stage], other: Map::new() };
        let id = self.store.create(Text::of(&Record::Report(record).render()));
        for job in self.jobs.iter_mut().filter(|job| job.phase == Phase::AtWork && model.lag == Lag::Fresh) {
            job.reader.notice(id);
        }
    }

    /// GitHub's answer to a question about a release.
    pub(super) fn verify(&mut self, inspection: &Inspection) -> Answer {
        let is_there = inspection.broken_checks.is_empty() && inspection.tag.as_deref() == Some(PUBLISHED);
        self.flow.is_confirmed |= is_there;
        Answer::Checks(if is_there { inspection.passing_checks() } else { vec![missing()] })
    }

    /// GitHub does not show the release yet.
    pub(super) fn release_is_late(&mut self, number: usize, model: &Claims) {
        self.flow.late += 1;
        let step = self.jobs[number].next_step();
        self.learn(number, &step, Answer::Checks(vec![missing()]), model);
    }

    /// GitHub does not answer whether the release is there.
    pub(super) fn release_is_silent(&mut self, number: usize, model: &Claims) {
        self.flow.silences += 1;
        let step = self.jobs[number].next_step();
        let failure = Failure { what: "?".into(), help: None, is_final: false, is_without_effect: true };
        self.learn(number, &step, Answer::Failed(failure), model);
    }

    /// Follows a start: the run of the first target begins and ends with its reports; the second target needs a confirmed
    /// value.
    pub(super) fn follow_start(&mut self, start: &WorkflowStart, model: &Claims) {
        if start.target == name(READER) {
            let is_right = start.inputs["version"] == PUBLISHED && self.flow.is_confirmed;
            self.flow.has_started_otherwise |= !is_right;
        } else {
            (self.flow.report_count..model.flow.in_time).for_each(|_| self.report(model));
        }
    }

    /// Whether one more job, alone, finds all reports, and starts the second target if no job has.
    fn is_completed(&self, model: &Claims) -> bool {
        let (mut later, number) = (self.clone(), self.jobs.len());
        if later.runs_of(REPORTER) > 0 {
            while later.flow.report_count < model.flow.reports.len() {
                later.report(model);
            }
        }
        later.jobs.push(model.job(number, 1));
        later = later.left_alone(number, model);
        later.runs_of(REPORTER) == 1 && later.runs_of(READER) == 1 && !later.flow.has_started_otherwise
    }
}

fn missing() -> Check {
    Check::failure("release", "no release", "publish it")
}
