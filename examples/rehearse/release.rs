//! The release: the hub's run dispatches, the targets' runs report, and one of them fails at first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use release_ticket_action::ticket::{BoardStep, Log, Status, TargetStatus};
use serde_json::{Value, json};
use simulated_github::{Job as JobState, Release as PublishedRelease, Run};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::boards::{Boards, Moment};
use crate::narrator::Tone;
use crate::people::{self, PersonComment};
use crate::reader;
use crate::request::Request;
use crate::runner::{Job, Runners, StepError, Work};
use crate::setting::{DRIVER, HUB, RELEASE_TOKEN, Setting, TARGETS_FILE, TICKET_TOKEN, display_name};

/// The time between two looks for the ticket.
const POLL: Duration = Duration::from_millis(20);

/// The longest wait for a board that another job writes at the same time.
const BOARD_LIMIT: Duration = Duration::from_secs(10);

/// Plays the release to its end. With `refresh` the pages of people who watch reload by themselves.
pub(crate) async fn play(
    runners: &Runners<'_>,
    setting: &Setting,
    boards: Option<&Boards>,
    refresh: bool,
) -> Result<(), StepError> {
    let (names, under_way) = (RefCell::default(), Cell::default());
    let release = Release { runners, setting, boards, refresh, names, under_way };
    let mut new_runs = runners.world.started_runs();
    release.wave(&Cause::ByHand, &mut new_runs).await?;
    for comment in people::at_first(&setting.rules, runners.world.now()) {
        release.wave(&Cause::Comment(comment), &mut new_runs).await?;
    }
    if !setting.rules.gates.is_empty() {
        release.write_board(Moment::Gate).await?;
    }
    for comment in people::at_the_gates(&setting.rules) {
        release.wave(&Cause::Comment(comment), &mut new_runs).await?;
    }
    // The next dispatch of the same release starts the targets that need others.
    while release.names.borrow().len() < setting.targets_to_release().count() {
        if release.wave(&Cause::ByHand, &mut new_runs).await? == 0 {
            break;
        }
    }
    // The last dispatch finds that everything is released, and leaves the record of the release.
    release.wave(&Cause::ByHand, &mut new_runs).await?;
    release.write_board(Moment::Released).await
}

/// The cause of a run of the hub's workflow.
enum Cause {
    /// The driver, by hand or with a label on an issue.
    ByHand,
    /// A comment on the ticket.
    Comment(PersonComment),
}

/// A job of a target: its step, and its message at the end.
pub(crate) struct Stage {
    pub(crate) job: &'static str,
    pub(crate) step: &'static str,
    completion: &'static str,
}

const BUILD: Stage = Stage { job: "build", step: "Build", completion: "Built for 4 platforms" };
const TEST: Stage = Stage { job: "test", step: "Run the tests", completion: "All tests passed" };
pub(crate) const PUBLISH: Stage =
    Stage { job: "publish", step: "Upload to the registry", completion: "Published" };

/// The stages of each target.
pub(crate) const STAGES: [&Stage; 3] = [&BUILD, &TEST, &PUBLISH];

const UPLOAD_FAILED: &str = "error: the registry did not take the upload: 503 Service Unavailable";

/// The first step of a job that is tracked. The expressions are evaluated again at the end of the job.
const TRACK: [(&str, &str); 6] = [
    ("mode", "report"),
    ("track", "true"),
    ("ticket-token", TICKET_TOKEN),
    ("message", "${{ steps.work.outputs.summary }}"),
    ("url", "${{ steps.work.outputs.url }}"),
    ("outputs", "version: ${{ steps.work.outputs.version }}\ndigest: ${{ steps.work.outputs.digest }}"),
];

struct Release<'a> {
    runners: &'a Runners<'a>,
    setting: &'a Setting,
    boards: Option<&'a Boards>,
    refresh: bool,
    /// The targets that were started.
    names: RefCell<BTreeSet<String>>,
    /// The number of their unfinished runs.
    under_way: Cell<usize>,
}

impl Release<'_> {
    /// Plays a dispatch and all runs that it starts; returns the number of these runs.
    async fn wave(&self, cause: &Cause, new_runs: &mut UnboundedReceiver<Run>) -> Result<usize, StepError> {
        let mut dispatch = pin!(self.dispatch(cause));
        let (mut under_way, mut count, mut is_dispatched) = (FuturesUnordered::new(), 0, false);
        loop {
            while let Ok(run) = new_runs.try_recv() {
                count += 1;
                under_way.push(self.target(run));
            }
            if is_dispatched && under_way.is_empty() {
                return Ok(count);
            }
            tokio::select! {
                Some(run) = new_runs.recv() => {
                    count += 1;
                    under_way.push(self.target(run));
                }
                Some(end) = under_way.next() => end?,
                end = &mut dispatch, if !is_dispatched => {
                    end?;
                    is_dispatched = true;
                }
            }
        }
    }

    // The hub.

    async fn dispatch(&self, cause: &Cause) -> Result<(), StepError> {
        let Runners { world, narrator, .. } = self.runners;
        let is_first = world.issues(HUB).is_empty();
        let (run, event) = match cause {
            Cause::ByHand => self.start_hub_run(),
            Cause::Comment(comment) => self.comment(comment),
        };
        let mut job = self.runners.begin_by(event, &run, "dispatch").await?;
        job.check_out(TARGETS_FILE, &self.setting.targets_file)?;
        for (path, text) in self.setting.request.iter().map(Request::file) {
            job.check_out(path, text)?;
        }
        let with =
            [vec![("mode", "dispatch"), ("token", RELEASE_TOKEN)], self.setting.step_inputs()].concat();
        tokio::select! {
            result = job.uses_action(&with) => result?,
            never = self.announce_ticket(), if is_first => match never {},
        }
        job.end().await?;
        world.finish_run(run.id, "success");
        narrator.announce(HUB, "dispatch is done");
        Ok(())
    }

    /// The driver starts the hub's workflow, by hand or with a label on an issue: the run, and its event.
    fn start_hub_run(&self) -> (Run, Value) {
        let (Runners { world, narrator, .. }, setting) = (self.runners, self.setting);
        let approval = setting.request.as_ref().map(|request| request.approve(world));
        let event = if approval.is_some() { "issues" } else { "workflow_dispatch" };
        let id = world.start_run(HUB, "release.yml", event);
        world.update_run(id, |run| {
            run.actor = DRIVER.to_owned();
            run.triggering_actor = DRIVER.to_owned();
            run.inputs = setting.inputs.clone();
        });
        let run = world.run(id).expect("the run was started above");
        let version = setting.version();
        let what = match &approval {
            Some(_) => format!("approves the issue in {HUB} that asks for release {version}"),
            None => format!("starts release {version} in {HUB}, with {}", inputs_of(&run)),
        };
        narrator.announce(DRIVER, what);
        let event = approval.unwrap_or_else(|| json!({ "inputs": run.inputs }));
        (run, event)
    }

    /// A person comments on the ticket, which starts the hub's workflow: the run, and its event.
    fn comment(&self, comment: &PersonComment) -> (Run, Value) {
        let Runners { world, narrator, .. } = self.runners;
        let PersonComment { login, body } = comment;
        let ticket = world.issues(HUB).first().expect("the first wave has opened it").number;
        let comment_id = world.comment(HUB, ticket, login, body);
        narrator.announce(login, format!("comments: {body}"));
        let run = world.start_run(HUB, "release.yml", "issue_comment");
        world.update_run(run, |run| {
            run.actor.clone_from(login);
            run.triggering_actor.clone_from(login);
        });
        (world.run(run).expect("the run was started above"), world.comment_event(comment_id, "created"))
    }

    /// Announces the address of the ticket, as soon as it is open.
    async fn announce_ticket(&self) -> Infallible {
        loop {
            if let Some(ticket) = self.runners.world.issues(HUB).first() {
                let refresh = if self.refresh { "?refresh=2" } else { "" };
                let url = format!("{}/{HUB}/issues/{}{refresh}", self.runners.url, ticket.number);
                self.runners.narrator.announce(HUB, format!("the ticket is open: {url}"));
                return std::future::pending().await;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    // A target.

    async fn target(&self, run: Run) -> Result<(), StepError> {
        self.under_way.set(self.under_way.get() + 1);
        let result = self.play_target(&run).await;
        self.under_way.set(self.under_way.get() - 1);
        result
    }

    async fn play_target(&self, run: &Run) -> Result<(), StepError> {
        let Runners { world, narrator, pace, .. } = self.runners;
        let line = format!("started {} at {}, with {}", run.workflow, run.git_ref, inputs_of(run));
        narrator.announce(&who(run), line);
        let is_first = self.names.borrow_mut().insert(target_of(run).to_owned());
        let fails = is_first && self.setting.is_tracked(target_of(run));
        let (build, test) =
            (self.stage(run, &BUILD, Status::Success), self.stage(run, &TEST, Status::Success));
        tokio::try_join!(build, test)?;
        self.stage(run, &PUBLISH, if fails { Status::Failure } else { Status::Success }).await?;
        if fails {
            world.finish_run(run.id, "failure");
            self.announce_failed_step(run).await;
            self.write_board(Moment::Failed).await?;
            pace.notice().await;
            if !self.setting.rules.is_blank() {
                // The command starts a run of its own.
                let retry = PersonComment::new(DRIVER, format!("/release retry {}", target_of(run)));
                return self.dispatch(&Cause::Comment(retry)).await;
            }
            let again = self.rerun_failed_jobs(run);
            self.stage(&again, &PUBLISH, Status::Success).await?;
        }
        world.finish_run(run.id, "success");
        Ok(())
    }

    /// The driver clicks on "Re-run failed jobs": those that succeeded are taken over.
    fn rerun_failed_jobs(&self, run: &Run) -> Run {
        let Runners { world, narrator, .. } = self.runners;
        narrator.announce(DRIVER, format!("re-runs the failed jobs of {}", who(run)));
        world.rerun(run.id);
        world.update_run(run.id, |run| {
            run.triggering_actor = DRIVER.to_owned();
            let good = run.earlier.iter().flat_map(|attempt| &attempt.jobs).filter(|job| is_good(job));
            run.jobs = good.map(|job| JobState { id: 0, ..job.clone() }).collect();
        });
        world.run(run.id).expect("a run stays when it is re-run")
    }

    async fn stage(&self, run: &Run, stage: &Stage, conclusion: Status) -> Result<(), StepError> {
        let job = self.runners.begin(run, stage.job).await?;
        if self.setting.is_tracked(target_of(run)) {
            self.tracked_stage(job, run, stage, conclusion).await
        } else {
            self.reported_stage(job, run, stage).await
        }
    }

    /// A job whose first step tracks it: the post step of that reports how the job ended.
    async fn tracked_stage(
        &self,
        mut job: Job<'_>,
        run: &Run,
        stage: &Stage,
        conclusion: Status,
    ) -> Result<(), StepError> {
        let is_last = stage.job == PUBLISH.job;
        let done = if is_last { "true" } else { "false" };
        job.uses_action(&[&TRACK[..], &[("done", done)]].concat()).await?;
        self.announce_stage("tracked", run, stage, Status::InProgress, None);
        job.works(work(stage, conclusion)).await;
        let is_good = conclusion == Status::Success;
        if is_good {
            job.sets_output("summary", stage.completion);
        }
        if is_good && is_last {
            self.publish(run);
            job.sets_output("url", self.page_of_release(run));
            job.sets_output("version", format!("v{}", self.setting.version()));
            job.sets_output("digest", digest(run));
        }
        job.end().await?;
        self.announce_stage("tracked", run, stage, conclusion, Some(stage.completion).filter(|_| is_good));
        Ok(())
    }

    /// A job that has a step for each report, and ends well.
    async fn reported_stage(&self, mut job: Job<'_>, run: &Run, stage: &Stage) -> Result<(), StepError> {
        let report = [("mode", "report"), ("token", TICKET_TOKEN)];
        job.uses_action(&[&report[..], &[("status", "in_progress")]].concat()).await?;
        self.announce_stage("reported", run, stage, Status::InProgress, None);
        job.works(work(stage, Status::Success)).await;
        let url = self.page_of_release(run);
        let outputs = format!("version: v{}\ndigest: {}", self.setting.version(), digest(run));
        let end: &[_] = if stage.job == PUBLISH.job {
            self.publish(run);
            &[("done", "true"), ("message", stage.completion), ("url", &url), ("outputs", &outputs)]
        } else {
            &[("message", stage.completion)]
        };
        // Without `status` the action reports how the job stands.
        let status = job.status();
        job.uses_action(&[&report[..], end].concat()).await?;
        self.announce_stage("reported", run, stage, status, Some(stage.completion));
        job.end().await
    }

    fn page_of_release(&self, run: &Run) -> String {
        format!("{}/{}/releases/tag/v{}", self.runners.url, run.repository, self.setting.version())
    }

    /// A target publishes its release, once for each repository.
    fn publish(&self, run: &Run) {
        let (world, tag) = (&self.runners.world, format!("v{}", self.setting.version()));
        let repository = &run.repository;
        if world.releases(repository).iter().all(|release| release.tag != tag) {
            world.attest(repository, &digest(run), &run.workflow, &run.head_sha);
            world.release(
                repository,
                PublishedRelease::new(tag)
                    .at(&run.head_sha)
                    .notes("- Faster.\n- Fewer surprises.")
                    .immutable(),
            );
        }
    }

    fn announce_stage(&self, how: &str, run: &Run, stage: &Stage, status: Status, message: Option<&str>) {
        let attempt = if run.attempt > 1 { format!(" (attempt {})", run.attempt) } else { String::new() };
        let message = message.map(|message| format!(": {message}")).unwrap_or_default();
        let what = format!("{how:8} {:7}  {}{attempt}{message}", stage.job, status.label());
        self.runners.narrator.announce_as(status.into(), &who(run), what);
    }

    // The board.

    /// Announces the failed step, as soon as the board names it.
    async fn announce_failed_step(&self, run: &Run) {
        let step = |log: &Log| reader::failed_step(&log.board()?.body, target_of(run));
        // A board that never names it fails the rehearsal at its end.
        if let Some(line) = self.read_in_time(step).await {
            self.runners.narrator.announce_as(Tone::Bad, HUB, format!("the board says: {line}"));
        }
    }

    /// Writes the board of this moment to its file, if the user wants boards. Each rehearsal writes the same boards, as the
    /// runs of all other targets end before.
    async fn write_board(&self, moment: Moment) -> Result<(), StepError> {
        let Some(boards) = self.boards else { return Ok(()) };
        // A target that failed is still under way: the driver acts next.
        while self.under_way.get() > 1 {
            tokio::time::sleep(POLL).await;
        }
        let board = |log: &Log| log.board().filter(|_| is_settled(log)).map(|board| board.body.clone());
        // A board that still lacks a record has no file; if it stays like that, the rehearsal fails.
        if let Some(board) = self.read_in_time(board).await {
            let path = boards.write(moment, &board)?;
            self.runners.narrator.announce(HUB, format!("the board as Markdown: {}", path.display()));
        }
        Ok(())
    }

    /// The result of `read` for the ticket, as soon as it has one.
    async fn read_in_time<T>(&self, read: impl Fn(&Log) -> Option<T>) -> Option<T> {
        let Runners { world, url, .. } = self.runners;
        let answer = async {
            loop {
                let log = world.issues(HUB).first().map(|ticket| reader::log_of(ticket, url));
                if let Some(answer) = log.and_then(|log| read(&log)) {
                    return answer;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(BOARD_LIMIT, answer).await.ok()
    }
}

/// Whether the board shows all records, and no target is under way.
fn is_settled(log: &Log) -> bool {
    let is_under_way = |status| matches!(status, TargetStatus::InProgress | TargetStatus::Queued);
    let mut targets = log.ticket().targets.values();
    matches!(log.next_board_step(), BoardStep::Shown) && !targets.any(|target| is_under_way(target.status))
}

fn work(stage: &Stage, conclusion: Status) -> Work<'_> {
    let prints = if conclusion == Status::Success { stage.completion } else { UPLOAD_FAILED };
    Work { step: stage.step, prints, conclusion }
}

/// The digest of a run's artefact: the run's number, since no run builds one.
fn digest(run: &Run) -> String {
    format!("sha256:{:064x}", run.id)
}

fn is_good(job: &JobState) -> bool {
    job.conclusion.as_deref() == Some("success")
}

/// The name of the target of a run.
fn target_of(run: &Run) -> &str {
    let name = run.inputs.get("release-target").and_then(Value::as_str);
    name.unwrap_or_else(|| run.repository.rsplit('/').next().unwrap_or_default())
}

/// The name for people of the target of a run.
fn who(run: &Run) -> String {
    display_name(&run.repository, target_of(run))
}

/// The run's inputs in one line, without those that are blank.
fn inputs_of(run: &Run) -> String {
    let texts = run.inputs.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let pairs = texts.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}
