//! The invariants that hold at the end of every play.

mod steered;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use release_ticket_action::names::CommentId;
use release_ticket_action::ticket::marker::{Kind, Marker};
use release_ticket_action::ticket::state::Stage;
use release_ticket_action::ticket::{
    self, BoardStep, Dispatch, Key, Log, Record, Report, StartState, Word, Writer,
};
use simulated_github::{Comment, Issue, Run};

use crate::journal::{By, DispatchStep, NotifyStep, Outcome, ReportStep, StartedRun, StepReceipt};
use crate::play::{HUB, Play, RELEASE, secrets};

/// The violations of all invariants, each as a sentence.
pub(crate) fn violations(play: &Play) -> Vec<String> {
    let mut violations = Vec::new();
    let facts = Facts::of(play);
    for invariant in [
        no_step_panics,
        one_ticket_is_open,
        targets_are_started_once,
        needs_are_released_first,
        waiting_steps_report_the_truth,
        every_ready_target_is_started,
        runs_are_cancelled_on_request_only,
        cancelled_releases_leave_no_run,
        no_record_is_written_again_unchanged,
        acknowledged_reports_are_on_the_ticket,
        stages_are_the_newest,
        a_job_has_one_record,
        acknowledged_notices_are_on_the_ticket,
        one_board_shows_everything,
        records_have_one_writer,
        texts_of_people_stay,
        nightlies_share_an_issue,
        merciful_weather_delivers_everything,
        secrets_stay_secret,
        requests_follow_the_api,
        steered::check,
    ] {
        invariant(&facts, &mut violations);
    }
    violations
}

struct Facts<'a> {
    play: &'a Play,
    /// The issues that the hub's bot opened, by number.
    tickets: Vec<Issue>,
    /// The open ticket with the lowest number, and its log.
    ticket: Option<(Issue, Log)>,
}

impl<'a> Facts<'a> {
    fn of(play: &'a Play) -> Self {
        let mut tickets = play.world.issues(HUB);
        tickets.retain(|issue| issue.author == "acme-release[bot]");
        let open = tickets.iter().find(|issue| issue.is_open()).cloned();
        let ticket = open.map(|issue| {
            let log = log_of(&issue, |_| true);
            (issue, log)
        });
        Self { play, tickets, ticket }
    }

    fn log(&self) -> Option<&Log> {
        self.ticket.as_ref().map(|(_, log)| log)
    }

    fn reports(&self) -> &'a [ReportStep] {
        &self.play.journal.reports
    }

    /// The outcome of the last attempt of each hub run.
    fn last_outcomes(&self) -> BTreeMap<u64, &'a Outcome> {
        self.play.journal.dispatches.iter().map(|it| (it.run, &it.outcome)).collect()
    }

    /// Whether a hub run may have ended before it closed a second ticket.
    fn may_leave_duplicates(&self) -> bool {
        !self.play.scenario.weather.merciful || self.last_outcomes().values().any(|outcome| outcome.gave_up())
    }

    /// Whether a step reported that it does not know whether the target runs.
    fn was_reported_unknown(&self, target: &str) -> bool {
        let receipts = self.play.journal.dispatches.iter().filter_map(|it| it.outcome.receipt());
        let results = receipts.filter_map(|receipt| receipt.results.as_deref());
        results
            .flat_map(|text| {
                serde_json::from_str::<Vec<serde_json::Value>>(text).expect("results are a list")
            })
            .any(|result| result["name"] == target && result["status"] == "unknown")
    }

    /// The longest time between a look at a target and its start.
    fn longest_decision(&self) -> TimeDelta {
        let calm = self.play.scenario.weather.density == 0.0;
        if calm { TimeDelta::minutes(3) } else { TimeDelta::minutes(10) }
    }

    /// The name of the report's target: as the step gave it, as the hub recorded it, or as the repository has it.
    fn target_of(&self, step: &ReportStep) -> String {
        let record_name = || {
            let starts = self.log()?.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
            let mut run_starts = starts.filter(|start| start.run.is_some_and(|run| run.0 == step.by.run));
            run_starts.next().map(|start| start.target.to_string())
        };
        let repository = || step.by.repository.split('/').next_back().unwrap_or_default().to_owned();
        step.target.clone().or_else(record_name).unwrap_or_else(repository)
    }
}

fn is_trusted(comment: &Comment) -> bool {
    comment.author.ends_with("[bot]")
        || ["OWNER", "MEMBER", "COLLABORATOR"].contains(&comment.association.as_str())
}

fn log_of(issue: &Issue, is_wanted: impl Fn(&Comment) -> bool) -> Log {
    let mut log = Log::default();
    log.extend(issue.comments.iter().filter(|comment| is_wanted(comment)).map(comment_of));
    log
}

pub(crate) fn comment_of(comment: &Comment) -> ticket::Comment {
    ticket::Comment {
        id: CommentId(comment.id),
        author: Some(comment.author.clone()),
        is_trusted: is_trusted(comment),
        body: comment.body.clone(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        url: String::new(),
    }
}

/// Whether it is a board or a person's copy of one.
fn shows_a_board(comment: &Comment) -> bool {
    matches!(Marker::find(&comment.body), Some(Ok(marker)) if marker.kind() == Some(Kind::Board))
}

fn is_board(comment: &Comment) -> bool {
    comment.author.ends_with("[bot]") && shows_a_board(comment)
}

fn is_of(writer: &Writer, by: &By) -> bool {
    writer.repository.to_string() == by.repository
        && (writer.run.0, writer.attempt) == (by.run, by.attempt)
        && writer.job == by.job
}

/// The number at the beginning of a message.
fn id_of(message: Option<&str>) -> Option<u64> {
    let digits = message?.strip_prefix('m')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn no_step_panics(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let panics = facts.play.journal.outcomes().filter(|outcome| matches!(outcome, Outcome::Panicked(_)));
    violations.extend(panics.map(|outcome| format!("a step {outcome}")));
}

fn one_ticket_is_open(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let open: Vec<&Issue> = facts.tickets.iter().filter(|issue| issue.is_open()).collect();
    let has_key = |issue: &&&Issue| match Key::of(&issue.body) {
        Some(Word::Known(Key::Release(release))) => facts.play.scenario.has_name && release == RELEASE,
        Some(Word::Known(Key::Run(run))) => {
            !facts.play.scenario.has_name
                && facts.play.journal.dispatches.iter().any(|dispatch| dispatch.run == run.0)
        }
        _ => false,
    };
    if open.iter().filter(has_key).count() != open.len() {
        violations.push("a ticket does not have the key of the release".to_owned());
    }
    let dispatches = &facts.play.journal.dispatches;
    let has_ended = dispatches.iter().any(|it| !it.outcome.gave_up());
    if open.len() > 1 && !facts.may_leave_duplicates() || open.is_empty() && has_ended {
        let numbers: Vec<String> = open.iter().map(|issue| format!("#{}", issue.number)).collect();
        violations.push(format!("{} tickets are open: {}", open.len(), numbers.join(" ")));
    }
}

/// A target is started once, and again only after a failure if the step starts failed targets again.
fn targets_are_started_once(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let journal = &facts.play.journal;
    let all_ended_well = facts.last_outcomes().values().all(|outcome| !outcome.gave_up());
    let nobody = Vec::new();
    for target in &facts.play.scenario.targets {
        let name = &target.name;
        if facts.was_reported_unknown(name) {
            continue;
        }
        let runs = journal.starts.get(name).unwrap_or(&nobody);
        // If people hold targets back, the last hub run starts what is left.
        let is_steered = facts.play.scenario.steering.is_some();
        if runs.is_empty() && all_ended_well && target.needs.is_empty() && !is_steered {
            violations.push(format!("{name} was never started"));
        }
        for again in runs.iter().skip(1) {
            if let Err(problem) = may_be_started_again(facts, name, again) {
                violations.push(format!("{name} was started again as run {}: {problem}", again.run));
            }
        }
        let Some(log) = facts.log().filter(|_| all_ended_well) else { continue };
        for StartedRun { run: id, .. } in runs {
            let is_recorded = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets).any(|start| {
                start.target == name.as_str()
                    && start.state == StartState::Started
                    && start.run.is_some_and(|run| run.0 == *id)
            });
            if !is_recorded {
                violations.push(format!("no record says that run {} of {name} was started", id));
            }
        }
    }
}

fn may_be_started_again(facts: &Facts<'_>, name: &str, restart: &StartedRun) -> Result<(), String> {
    let Some(before) = &restart.before else { return Ok(()) };
    let recorders = facts.log().into_iter().flat_map(Log::dispatches).filter(|(_, dispatch)| {
        dispatch.targets.iter().any(|start| start.run.is_some_and(|run| run.0 == restart.run))
    });
    let recorders: Vec<u64> = recorders.map(|(_, dispatch)| dispatch.by.run.0).collect();
    let mut dispatches = facts.play.journal.dispatches.iter().filter(|dispatch| dispatch.hub.retries);
    let is_asked_for = !steered::repeats(facts, name).is_empty();
    if !is_asked_for && !dispatches.any(|it| recorders.is_empty() || recorders.contains(&it.run)) {
        return Err("no step was to start a failed target again".to_owned());
    }
    // A person may re-run the last run at the same time.
    let is_run_again = before.attempt > 1 && restart.at - before.started_at < facts.longest_decision();
    match before.is_completed() {
        _ if is_run_again => Ok(()),
        true if restart.was_bad => Ok(()),
        true => Err(format!("its last run {} had not failed", before.id)),
        false => Err(format!("its last run {} was under way", before.id)),
    }
}

fn needs_are_released_first(facts: &Facts<'_>, violations: &mut Vec<String>) {
    for (name, runs) in &facts.play.journal.starts {
        for StartedRun { run, at, open_needs, .. } in runs {
            for (need, last) in open_needs {
                if last.is_none_or(|last| *at - last > facts.longest_decision()) {
                    violations.push(format!("{name} was started as run {run} before {need} was released"));
                }
            }
        }
    }
}

/// The results of a step agree with the runs of its targets, and the step succeeds if all targets are released.
fn waiting_steps_report_the_truth(facts: &Facts<'_>, violations: &mut Vec<String>) {
    for dispatch in facts.play.journal.dispatches.iter().filter(|it| it.hub.wait.is_some()) {
        let DispatchStep { run, attempt, outcome, .. } = dispatch;
        let Some(receipt) = outcome.receipt().filter(|receipt| receipt.problems.is_empty()) else { continue };
        let mut fail =
            |problem: String| violations.push(format!("hub run {run} attempt {attempt}: {problem}"));
        let results: Vec<serde_json::Value> =
            serde_json::from_str(receipt.results.as_deref().unwrap_or("[]")).expect("results are a list");
        // A step with a refused command does nothing else.
        if results.is_empty() && dispatch.command.is_some() {
            continue;
        }
        if results.len() != facts.play.scenario.targets.len() {
            fail(format!("{} results", results.len()));
        }
        let mut is_good = true;
        for result in &results {
            let text = |key: &str| result[key].as_str();
            let (name, status) = (text("name").unwrap_or_default(), text("status").unwrap_or_default());
            is_good &= ["released", "skipped"].contains(&status) || waits_for_people(&results, result);
            // After its time-out a step does not know the ends of the runs.
            if receipt.is_out_of_time() {
                continue;
            }
            if ["in_progress", "queued", "review", "started", "unknown"].contains(&status) {
                fail(format!("{name} is {status}, and nobody waits for it"));
            }
            let Some(target_run) = result["run_id"].as_u64().and_then(|id| dispatch.runs.get(&id)) else {
                continue;
            };
            let attempts = target_run.earlier.iter().chain([target_run]);
            let conclusions: Vec<&str> =
                attempts.filter_map(|attempt| attempt.conclusion.as_deref()).collect();
            if let Some(conclusion) = text("conclusion").filter(|word| !conclusions.contains(word)) {
                fail(format!(
                    "{name} is reported as {conclusion}, and its run {} as {conclusions:?}",
                    target_run.id
                ));
            }
            let is_bad = |word: &&str| !["success", "neutral", "skipped"].contains(word);
            if status == "released" && conclusions.iter().all(is_bad) {
                fail(format!(
                    "{name} is reported as released, and its run {} as {conclusions:?}",
                    target_run.id
                ));
            }
        }
        if is_good != receipt.failures.is_empty() && !receipt.is_out_of_time() {
            fail(format!("it fails with {:?}, and says {results:?}", receipt.failures));
        }
    }
}

/// Whether a target waits only for people or for the end of a freeze: then a step succeeds.
fn waits_for_people(results: &[serde_json::Value], result: &serde_json::Value) -> bool {
    let with_name = |name: &str| results.iter().find(|result| result["name"] == name);
    let is_waiting = ["waiting", "held"].contains(&result["status"].as_str().unwrap_or_default());
    let names: Vec<&str> = result["waiting_for"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let is_left_to_people = |word: &&str| with_name(word).is_none_or(|need| waits_for_people(results, need));
    is_waiting && !names.is_empty() && names.iter().all(is_left_to_people)
}

/// After the last hub run, every target that can start is started.
fn every_ready_target_is_started(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let journal = &facts.play.journal;
    let Some(last) = journal.dispatches.iter().find(|dispatch| dispatch.is_last) else { return };
    if last.outcome.gave_up() || last.outcome.receipt().is_some_and(StepReceipt::is_out_of_time) {
        violations.push(format!("the last hub run gave up in good weather: {}", last.outcome));
    }
    for target in &facts.play.scenario.targets {
        let has_obstacle = steered::obstacle(facts, target, last).is_some();
        let is_ready = target.needs.iter().all(|need| last.released_targets.contains(need)) && !has_obstacle;
        let last_run = journal.starts.get(&target.name).and_then(|runs| runs.last());
        if is_ready && last_run.is_none() {
            violations.push(format!("{} could be started and was not", target.name));
        }
        let is_open =
            !last.released_targets.contains(&target.name) && !facts.was_reported_unknown(&target.name);
        if is_ready && is_open && last.hub.retries && last_run.is_some_and(|run| run.at < last.start) {
            violations.push(format!("{} could be started again and was not", target.name));
        }
    }
}

/// If a hub run has to cancel the runs that it has started, none of them goes on after its time-out or its own
/// cancellation.
fn cancelled_releases_leave_no_run(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    for dispatch in &facts.play.journal.dispatches {
        let Some(receipt) = dispatch.outcome.receipt() else { continue };
        let must_cancel = match &receipt.problems[..] {
            [] => receipt.is_out_of_time(),
            [one] => one.contains("the step was cancelled before it was done"),
            _ => false,
        };
        if !must_cancel || !dispatch.hub.wait.is_some_and(|wait| wait.cancels) {
            continue;
        }
        let own_runs = log.dispatches().filter(|(_, record)| record.by.run.0 == dispatch.run);
        let own_runs: BTreeSet<u64> =
            own_runs.flat_map(|(_, record)| &record.targets).filter_map(|start| Some(start.run?.0)).collect();
        // A recent start may not be on the ticket yet.
        let latest = dispatch.end - TimeDelta::minutes(2);
        let runs = facts.play.journal.starts.values().flatten();
        for run in runs.filter(|it| own_runs.contains(&it.run) && it.at < latest) {
            let goes_on = |run: &Run| !run.is_completed() && run.attempt == 1;
            if dispatch.runs.get(&run.run).is_some_and(goes_on) {
                violations.push(format!("hub run {} left run {} under way", dispatch.run, run.run));
            }
        }
    }
}

/// A hub run cancels only runs that it has started itself: after its own cancellation or time-out, and if its inputs
/// say so.
fn runs_are_cancelled_on_request_only(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let cancellers = facts.play.journal.dispatches.iter().filter(|dispatch| {
        let out_of_time = dispatch.outcome.receipt().is_some_and(StepReceipt::is_out_of_time);
        // A killed step may have reached its time-out before.
        let may_cancel = dispatch.is_cancelled || out_of_time || dispatch.outcome.receipt().is_none();
        dispatch.hub.wait.is_some_and(|wait| wait.cancels) && may_cancel
    });
    let cancellers: BTreeSet<u64> = cancellers.map(|dispatch| dispatch.run).collect();
    for exchange in facts.play.exchanges.iter().filter(|exchange| exchange.path.ends_with("/cancel")) {
        let run: Option<u64> = exchange.path.split('/').nth_back(1).and_then(|id| id.parse().ok());
        let starters =
            facts.log().into_iter().flat_map(Log::dispatches).filter(|(_, dispatch)| {
                dispatch.targets.iter().any(|start| start.run.map(|run| run.0) == run)
            });
        let is_meant = run.is_some_and(|run| {
            steered::is_to_be_cancelled(facts, run) || steered::is_of_another_commit(facts, run)
        });
        if !is_meant && !starters.into_iter().any(|(_, dispatch)| cancellers.contains(&dispatch.by.run.0)) {
            violations.push(format!("a run was cancelled without a reason: {}", exchange.request_line()));
        }
    }
}

fn acknowledged_reports_are_on_the_ticket(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some(log) = facts.log() else {
        if facts.reports().iter().any(|step| step.outcome.is_delivered()) {
            violations.push("reports were acknowledged, but there is no ticket".to_owned());
        }
        return;
    };
    for step in facts.reports().iter().filter(|step| step.outcome.is_delivered()) {
        let holds = |report: &Report| {
            is_of(&report.by, &step.by)
                && report.stages.iter().any(|stage| {
                    let id = id_of(stage.message.as_deref());
                    stage.stage == step.stage
                        && (id == Some(step.id) || !step.new_comment && id > Some(step.id))
                })
        };
        if !log.reports().any(|(_, report)| holds(report)) {
            violations.push(format!("m{} was acknowledged and is in no record", step.id));
        }
        let comment = step.outcome.receipt().and_then(|receipt| receipt.comment);
        if !log.reports().any(|(it, report)| Some(it.id.0) == comment && is_of(&report.by, &step.by)) {
            violations.push(format!("m{} names the comment {comment:?}, which is not its record", step.id));
        }
    }
}

/// A job has one record, unless each of its steps writes a comment of its own, or a write got no clear answer.
fn a_job_has_one_record(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some(log) = facts.log().filter(|_| facts.play.scenario.weather.merciful) else { return };
    let updating = facts.reports().iter().filter(|step| !step.new_comment);
    let jobs: BTreeSet<&By> = updating.map(|step| &step.by).collect();
    for by in jobs {
        let records = log.reports().filter(|(_, report)| is_of(&report.by, by)).count();
        if records > 1 {
            violations.push(format!("{by} has {records} records"));
        }
    }
}

/// The reports of one stage and job that the ticket may show: the last acknowledged one, and those after it, which may
/// have arrived.
fn candidates<'a>(steps: &[&'a ReportStep]) -> (Option<&'a ReportStep>, Vec<&'a ReportStep>) {
    let last = steps.iter().rposition(|step| step.outcome.is_delivered());
    let from = last.unwrap_or(0);
    (last.map(|last| steps[last]), steps[from..].to_vec())
}

fn stages_are_the_newest(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    let ticket = log.ticket();
    let mut by_target: BTreeMap<String, Vec<&ReportStep>> = BTreeMap::new();
    for step in facts.reports() {
        by_target.entry(facts.target_of(step)).or_default().push(step);
    }
    for (name, steps) in by_target {
        let runs: BTreeSet<u64> = steps.iter().map(|step| step.by.run).collect();
        let is_acknowledged = steps.iter().any(|step| step.outcome.is_delivered());
        // Targets that no dispatch names have rows of their own.
        let row = ticket.targets.get(name.as_str()).or_else(|| ticket.unlisted_targets.get(name.as_str()));
        let Some(target) = row else {
            if is_acknowledged {
                violations.push(format!("{name} was reported and has no row"));
            }
            continue;
        };
        // Other invariants check targets that were started again.
        let run_count = facts.play.journal.starts.get(&name).map_or(0, Vec::len);
        if runs.len() > 1 || run_count > 1 {
            continue;
        }
        let stages: BTreeSet<&str> = steps.iter().map(|step| step.stage.as_str()).collect();
        for stage in stages {
            let of_stage: Vec<&ReportStep> =
                steps.iter().copied().filter(|step| step.stage == stage).collect();
            let row = target.stages.iter().find(|row| row.name == stage);
            let older = target.old_stages.iter().filter(|old| old.stage.name == stage).map(|old| &old.stage);
            let newest_attempt = steps.iter().map(|step| step.by.attempt).max().unwrap_or(1);
            let followed_attempt = target.followed_run.as_ref().map_or(1, |run| run.attempt);
            let newest_attempt = newest_attempt.max(followed_attempt);
            if let Err(problem) = check_stage(&of_stage, row, older.collect(), newest_attempt) {
                violations.push(format!("{name}, stage {stage}: {problem}"));
            }
        }
    }
}

fn check_stage(
    steps: &[&ReportStep],
    row: Option<&Stage>,
    older: Vec<&Stage>,
    newest_attempt: u32,
) -> Result<(), String> {
    let acknowledged_steps = steps.iter().filter(|step| step.outcome.is_delivered());
    let Some(attempt) = acknowledged_steps.map(|step| step.by.attempt).max() else { return Ok(()) };
    let mut by_job: BTreeMap<&By, Vec<&ReportStep>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.by.attempt >= attempt) {
        by_job.entry(&step.by).or_default().push(step);
    }
    let mut possible = Vec::new();
    let mut least = None;
    for (by, mut steps) in by_job {
        steps.sort_by_key(|step| step.id);
        let (last, of_job) = candidates(&steps);
        if last.is_some() && by.attempt == attempt {
            let lowest = of_job.iter().map(|step| step.status).min();
            least = least.max(lowest);
        }
        possible.extend(of_job);
    }
    let reporter = |stage: &Stage| {
        let id = id_of(stage.message.as_deref());
        possible.iter().find(|step| Some(step.id) == id)
    };
    let names = || possible.iter().map(|step| format!("m{}", step.id)).collect::<Vec<_>>().join(" ");
    match row {
        Some(stage) => {
            let Some(step) = reporter(stage) else {
                return Err(format!(
                    "shows {:?} of attempt {} instead of one of {}",
                    stage.message,
                    stage.attempt,
                    names()
                ));
            };
            if stage.status != step.status {
                return Err(format!("shows m{} as {}", step.id, stage.status.label()));
            }
            if stage.attempt == attempt && stage.status.as_known().copied() < least {
                return Err(format!("shows {} although a job did worse", stage.status.label()));
            }
            Ok(())
        }
        None if newest_attempt > attempt && older.iter().any(|stage| reporter(stage).is_some()) => Ok(()),
        None => Err(format!("is not shown; it could be one of {}", names())),
    }
}

fn acknowledged_notices_are_on_the_ticket(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    let ticket = log.ticket();
    let notices = || facts.play.journal.notices.iter().filter(|notices| notices.on_ticket);
    let age = |notices: &NotifyStep| (notices.by.run, notices.by.attempt);
    for notice in notices().filter(|notices| notices.outcome.is_delivered()) {
        let same = |record: &ticket::Notice| record.fingerprint == notice.fingerprint;
        // A later notice of the same failure may have replaced this one.
        let is_recorded = log.notices().any(|(_, record)| {
            let id = id_of(Some(&record.message));
            let newer = (record.by.run.0, record.by.attempt) >= age(notice);
            same(record) && (id == Some(notice.id) || newer && id.is_some())
        });
        if !is_recorded {
            violations.push(format!("the notice m{} was acknowledged and is in no record", notice.id));
        }
        // The newest notice decides, if it is the only one of its run and attempt.
        let rivals = notices().filter(|other| {
            other.id != notice.id && other.fingerprint == notice.fingerprint && age(other) >= age(notice)
        });
        let is_superseded = ticket.targets.values().any(|target| {
            target.repository.to_string() == notice.by.repository
                && target.run.as_ref().is_some_and(|run| (run.id.0, run.attempt) > age(notice))
        });
        if rivals.count() > 0 || is_superseded {
            continue;
        }
        let open = ticket.notices.iter().any(same);
        if open == notice.status.is_good() {
            violations.push(format!(
                "the newest notice of `{}` is m{}, {}, and the failure is {}open",
                notice.fingerprint,
                notice.id,
                notice.status.as_str(),
                if open { "" } else { "not " }
            ));
        }
    }
}

fn one_board_shows_everything(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let Some((issue, log)) = &facts.ticket else { return };
    // If every step died early, there may be no board.
    let all_gave_up = facts.play.journal.outcomes().all(Outcome::gave_up);
    let boards: Vec<&Comment> = issue.comments.iter().filter(|comment| is_board(comment)).collect();
    if all_gave_up {
        return;
    }
    let [board] = boards[..] else {
        return violations.push(format!("there are {} boards", boards.len()));
    };
    if log.next_board_step() != BoardStep::Shown {
        return violations.push(format!("the board {} does not show every record", board.id));
    }
    let without = log_of(issue, |comment| !shows_a_board(comment));
    match without.next_board_step() {
        BoardStep::Write { body, .. } if body == board.body => {}
        _ => violations.push(format!(
            "the board {} claims to show every record and says something else:\n{}",
            board.id, board.body
        )),
    }
}

/// Every write of a record, in the order of arrival: the comment and the record.
fn record_writes<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (u64, Record)> + 'a {
    let effective = facts.play.exchanges.iter().filter(|exchange| exchange.effective);
    effective.filter_map(|exchange| {
        let body = exchange.request_body.as_ref()?.get("body")?.as_str()?;
        let comment = match (exchange.method.as_str(), exchange.path.contains("/comments")) {
            ("PATCH", true) => exchange.path.rsplit('/').next()?.parse::<u64>().ok()?,
            ("POST", true) => exchange.response_body.as_ref()?.get("id")?.as_u64()?,
            _ => return None,
        };
        Some((comment, record_in(body)?))
    })
}

fn record_in(body: &str) -> Option<Record> {
    Record::parse(&Marker::find(body)?.ok()?).ok()?
}

fn records_have_one_writer(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let mut writers: BTreeMap<u64, BTreeSet<Writer>> = BTreeMap::new();
    let comments = facts.tickets.iter().flat_map(|issue| &issue.comments).filter(|it| is_trusted(it));
    let there = comments.filter_map(|comment| Some((comment.id, record_in(&comment.body)?)));
    for (comment, record) in record_writes(facts).chain(there) {
        // Later runs may update the notice of the same failure, if the user asked for that. The record of a release
        // follows from the other records and from GitHub's answers, so every hub job writes the same.
        if !matches!(record, Record::Notice(_) | Record::Release(_)) {
            writers.entry(comment).or_default().insert(record.by().clone());
        }
    }
    for (comment, writers) in writers.into_iter().filter(|(_, writers)| writers.len() > 1) {
        violations.push(format!("the record {comment} was written by {} jobs: {writers:?}", writers.len()));
    }
}

/// A hub job that waits writes only after a change.
fn no_record_is_written_again_unchanged(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let mut records: BTreeMap<u64, Dispatch> = BTreeMap::new();
    for (comment, record) in record_writes(facts) {
        let Record::Dispatch(record) = record else { continue };
        let Some(before) = records.insert(comment, record.clone()) else { continue };
        let mut same = Dispatch { seq: record.seq, ..before.clone() };
        for (old, new) in same.followed_runs.iter_mut().zip(&record.followed_runs) {
            old.at = new.at;
        }
        // After a lost answer a job writes the same record with the same number again.
        if before.seq != record.seq && same == record {
            violations.push(format!("the record {comment} was written again as {}, as it was", record.seq));
        }
    }
}

fn texts_of_people_stay(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let world = &facts.play.world;
    let journal = &facts.play.journal;
    for comment in &journal.comments {
        let now = world.comment_view(comment.comment).map(|comment| comment.body);
        if now.as_deref() != Some(comment.body.as_str()) {
            violations.push(format!("a person wrote {:?}, and now the comment is {now:?}", comment.body));
        }
    }
    for (number, body) in &journal.bodies {
        if world.issue_view(HUB, *number).body != *body {
            violations.push(format!("the text of #{number} was rewritten"));
        }
    }
    for (number, title) in &journal.titles {
        if world.issue_view(HUB, *number).title != *title {
            violations.push(format!("the title of #{number} was rewritten"));
        }
    }
    for (number, label) in &journal.labels {
        if !world.issue_view(HUB, *number).labels.contains(label) {
            violations.push(format!("#{number} has lost its label {label}"));
        }
    }
    if let Some(fake) = journal.fake_ticket {
        let issue = world.issue_view(HUB, fake);
        if !issue.comments.is_empty() || !issue.is_open() {
            violations.push(format!("#{fake} was opened by a stranger and was used as the ticket"));
        }
    }
    let rewrites = facts.play.exchanges.iter().filter(|exchange| {
        let body = exchange.request_body.as_ref();
        let names = |key: &str| body.is_some_and(|body| body.get(key).is_some());
        exchange.method == "PATCH"
            && !exchange.path.contains("/comments/")
            && ["title", "body", "labels", "assignees"].iter().any(|key| names(key))
    });
    violations
        .extend(rewrites.map(|exchange| format!("an issue was rewritten: {}", exchange.request_line())));
}

/// A failure has one open issue, except after a kill: a step may die after it opened a second one.
fn nightlies_share_an_issue(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let nightlies: Vec<_> = facts.play.journal.notices.iter().filter(|it| !it.on_ticket).collect();
    let Some(first) = nightlies.first() else { return };
    let issues = facts.play.world.issues(&first.by.repository);
    let open: Vec<u64> = issues.iter().filter(|issue| issue.is_open()).map(|issue| issue.number).collect();
    let is_complete =
        facts.play.scenario.weather.merciful && nightlies.iter().all(|nightly| !nightly.outcome.gave_up());
    if is_complete && open.len() != 1 {
        violations.push(format!("{} issues are open for one failure: {open:?}", open.len()));
    }
    for nightly in nightlies.iter().filter(|nightly| !nightly.outcome.gave_up()) {
        let issue = nightly.outcome.receipt().and_then(|receipt| receipt.issue);
        let says = |text: &str| text.contains(&format!("m{} ", nightly.id));
        let is_readable = issues
            .iter()
            .any(|issue| says(&issue.body) || issue.comments.iter().any(|comment| says(&comment.body)));
        if issue.is_none_or(|issue| !open.contains(&issue)) && is_complete {
            violations.push(format!("m{} was notified in {issue:?}, which is not open", nightly.id));
        }
        // An update replaces the earlier notices of the same failure.
        if !is_readable && nightlies.iter().all(|nightly| !nightly.update) {
            violations.push(format!("m{} was notified, but no issue shows it", nightly.id));
        }
    }
}

/// If no request goes wrong twice in a row, the patience of each step suffices.
fn merciful_weather_delivers_everything(facts: &Facts<'_>, violations: &mut Vec<String>) {
    if !facts.play.scenario.weather.merciful {
        return;
    }
    for outcome in facts.play.journal.outcomes().filter(|outcome| outcome.receipt().is_some()) {
        let receipt = outcome.receipt().map(|receipt| receipt.problems.join(" ")).unwrap_or_default();
        // A step has to report runs that it cannot distinguish, and a cancelled step does not wait.
        let is_excused = ["it may have been started", "the step was cancelled"];
        if outcome.gave_up() && !is_excused.iter().any(|excuse| receipt.contains(excuse)) {
            violations.push(format!("a step had patience enough and gave up: {outcome}"));
        }
    }
}

fn secrets_stay_secret(facts: &Facts<'_>, violations: &mut Vec<String>) {
    let world = &facts.play.world;
    let issues = world.repositories().into_iter().flat_map(|name| world.issues(&name));
    let texts: Vec<String> = issues
        .flat_map(|issue| {
            let comments = issue.comments.into_iter().map(|comment| comment.body);
            [issue.title, issue.body].into_iter().chain(comments).collect::<Vec<_>>()
        })
        .collect();
    for secret in secrets(&facts.play.scenario) {
        let mut receipts = facts.play.journal.outcomes().filter_map(Outcome::receipt);
        if receipts.any(|receipt| receipt.whole.contains(&secret))
            || texts.iter().any(|text| text.contains(&secret))
        {
            violations.push(format!("the secret {secret} is in a text"));
        }
    }
}

fn requests_follow_the_api(facts: &Facts<'_>, violations: &mut Vec<String>) {
    facts.play.world.assert_known_routes();
    if let Some(description) = crate::description()
        && facts.play.scenario.seed.is_multiple_of(25)
        && let Err(report) = description.check_all(&facts.play.exchanges)
    {
        violations.push(format!("not as GitHub describes it:\n{report}"));
    }
}
