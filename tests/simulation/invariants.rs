//! What must hold when a play is over, whatever was drawn.

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

use crate::journal::{By, Dispatched, Noticed, Outcome, Reported, Started, Told};
use crate::play::{HUB, Played, RELEASE, secrets};

/// Every invariant that the play broke, in a sentence each.
pub(crate) fn broken(played: &Played) -> Vec<String> {
    let mut broken = Vec::new();
    let facts = Facts::of(played);
    for check in [
        nobody_panics,
        one_ticket_is_open,
        targets_are_started_once,
        needs_are_released_before,
        waiting_steps_tell_the_truth,
        nothing_is_left_to_be_started,
        runs_are_cancelled_where_that_was_wanted,
        what_was_to_be_cancelled_is_over,
        nobody_writes_what_is_written,
        acknowledged_reports_are_on_the_ticket,
        stages_are_the_newest,
        a_job_has_one_record,
        acknowledged_notices_are_on_the_ticket,
        one_board_shows_everything,
        records_have_one_writer,
        what_people_wrote_is_there,
        nightlies_share_an_issue,
        merciful_weather_delivers_everything,
        secrets_stay_secret,
        requests_are_known,
        steered::check,
    ] {
        check(&facts, &mut broken);
    }
    broken
}

struct Facts<'a> {
    played: &'a Played,
    /// The issues that the hub's bot opened, by number.
    tickets: Vec<Issue>,
    /// The open one with the lowest number, and its log.
    ticket: Option<(Issue, Log)>,
}

impl<'a> Facts<'a> {
    fn of(played: &'a Played) -> Self {
        let mut tickets = played.world.issues(HUB);
        tickets.retain(|issue| issue.author == "acme-release[bot]");
        let open = tickets.iter().find(|issue| issue.is_open()).cloned();
        let ticket = open.map(|issue| {
            let log = log_of(&issue, |_| true);
            (issue, log)
        });
        Self { played, tickets, ticket }
    }

    fn log(&self) -> Option<&Log> {
        self.ticket.as_ref().map(|(_, log)| log)
    }

    fn reported(&self) -> &'a [Reported] {
        &self.played.journal.reported
    }

    /// How the last attempt of each hub run ended.
    fn last_outcomes(&self) -> BTreeMap<u64, &'a Outcome> {
        self.played.journal.dispatched.iter().map(|it| (it.run, &it.outcome)).collect()
    }

    /// Whether a hub run ended without closing a ticket that came second.
    fn may_leave_duplicates(&self) -> bool {
        !self.played.scenario.weather.merciful
            || self.last_outcomes().values().any(|outcome| outcome.gave_up())
    }

    /// Whether a step said that nobody can tell whether the target runs.
    fn was_told_as_unknown(&self, target: &str) -> bool {
        let told = self.played.journal.dispatched.iter().filter_map(|it| it.outcome.told());
        let results = told.filter_map(|told| told.results.as_deref());
        results
            .flat_map(|text| {
                serde_json::from_str::<Vec<serde_json::Value>>(text).expect("results are a list")
            })
            .any(|result| result["name"] == target && result["status"] == "unknown")
    }

    /// How long it may take from a look at a target to its start.
    fn longest_decision(&self) -> TimeDelta {
        let calm = self.played.scenario.weather.density == 0.0;
        if calm { TimeDelta::minutes(3) } else { TimeDelta::minutes(10) }
    }

    /// The name of the target that a report belongs to, as far as the hub recorded its run.
    fn target_of(&self, reported: &Reported) -> String {
        let recorded = || {
            let starts = self.log()?.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
            let mut of_run = starts.filter(|start| start.run.is_some_and(|run| run.0 == reported.by.run));
            of_run.next().map(|start| start.target.to_string())
        };
        let repository = || reported.by.repository.split('/').next_back().unwrap_or_default().to_owned();
        reported.target.clone().or_else(recorded).unwrap_or_else(repository)
    }
}

fn is_trusted(comment: &Comment) -> bool {
    comment.author.ends_with("[bot]")
        || ["OWNER", "MEMBER", "COLLABORATOR"].contains(&comment.association.as_str())
}

fn log_of(issue: &Issue, wanted: impl Fn(&Comment) -> bool) -> Log {
    let mut log = Log::default();
    log.extend(issue.comments.iter().filter(|comment| wanted(comment)).map(comment_of));
    log
}

pub(crate) fn comment_of(comment: &Comment) -> ticket::Comment {
    ticket::Comment {
        id: CommentId(comment.id),
        author: Some(comment.author.clone()),
        trusted: is_trusted(comment),
        body: comment.body.clone(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        url: String::new(),
    }
}

/// Whether it is a board, or a person's copy of one.
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

/// The number with which a message begins.
fn id_of(message: Option<&str>) -> Option<u64> {
    let digits = message?.strip_prefix('m')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn nobody_panics(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let panicked = facts.played.journal.outcomes().filter(|outcome| matches!(outcome, Outcome::Panicked(_)));
    broken.extend(panicked.map(|outcome| format!("a step {outcome}")));
}

fn one_ticket_is_open(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let open: Vec<&Issue> = facts.tickets.iter().filter(|issue| issue.is_open()).collect();
    let keyed = |issue: &&&Issue| match Key::of(&issue.body) {
        Some(Word::Known(Key::Release(release))) => facts.played.scenario.named && release == RELEASE,
        Some(Word::Known(Key::Run(run))) => {
            !facts.played.scenario.named
                && facts.played.journal.dispatched.iter().any(|dispatched| dispatched.run == run.0)
        }
        _ => false,
    };
    if open.iter().filter(keyed).count() != open.len() {
        broken.push("a ticket does not have the key of the release".to_owned());
    }
    let dispatched = &facts.played.journal.dispatched;
    let ended = dispatched.iter().any(|it| !it.outcome.gave_up());
    if open.len() > 1 && !facts.may_leave_duplicates() || open.is_empty() && ended {
        let numbers: Vec<String> = open.iter().map(|issue| format!("#{}", issue.number)).collect();
        broken.push(format!("{} tickets are open: {}", open.len(), numbers.join(" ")));
    }
}

/// Once, unless the last run failed and the step starts again what failed.
fn targets_are_started_once(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let journal = &facts.played.journal;
    let all_ended_well = facts.last_outcomes().values().all(|outcome| !outcome.gave_up());
    let nobody = Vec::new();
    for target in &facts.played.scenario.targets {
        let name = &target.name;
        if facts.was_told_as_unknown(name) {
            continue;
        }
        let runs = journal.started.get(name).unwrap_or(&nobody);
        // What people keep back, the last hub run settles.
        let is_steered = facts.played.scenario.steering.is_some();
        if runs.is_empty() && all_ended_well && target.needs.is_empty() && !is_steered {
            broken.push(format!("{name} was never started"));
        }
        for again in runs.iter().skip(1) {
            if let Err(problem) = may_be_started_again(facts, name, again) {
                broken.push(format!("{name} was started again as run {}: {problem}", again.run));
            }
        }
        let Some(log) = facts.log().filter(|_| all_ended_well) else { continue };
        for started in runs {
            let recorded = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets).any(|start| {
                start.target == name.as_str()
                    && start.state == StartState::Started
                    && start.run.is_some_and(|run| run.0 == started.run)
            });
            if !recorded {
                broken.push(format!("no record says that run {} of {name} was started", started.run));
            }
        }
    }
}

fn may_be_started_again(facts: &Facts<'_>, name: &str, started: &Started) -> Result<(), String> {
    let Some(before) = &started.before else { return Ok(()) };
    let recorders = facts.log().into_iter().flat_map(Log::dispatches).filter(|(_, dispatch)| {
        dispatch.targets.iter().any(|start| start.run.is_some_and(|run| run.0 == started.run))
    });
    let recorders: Vec<u64> = recorders.map(|(_, dispatch)| dispatch.by.run.0).collect();
    let mut dispatched = facts.played.journal.dispatched.iter().filter(|dispatched| dispatched.hub.retries);
    let is_asked_for = !steered::repeats(facts, name).is_empty();
    if !is_asked_for && !dispatched.any(|it| recorders.is_empty() || recorders.contains(&it.run)) {
        return Err("nobody was to start again what failed".to_owned());
    }
    // Somebody may run it again just when it is started again.
    let is_run_again = before.attempt > 1 && started.at - before.started_at < facts.longest_decision();
    match before.is_completed() {
        _ if is_run_again => Ok(()),
        true if started.was_bad => Ok(()),
        true => Err(format!("its last run {} had not failed", before.id)),
        false => Err(format!("its last run {} was under way", before.id)),
    }
}

fn needs_are_released_before(facts: &Facts<'_>, broken: &mut Vec<String>) {
    for (name, runs) in &facts.played.journal.started {
        for Started { run, at, unreleased, .. } in runs {
            for (needed, last) in unreleased {
                if last.is_none_or(|last| *at - last > facts.longest_decision()) {
                    broken.push(format!("{name} was started as run {run} before {needed} was released"));
                }
            }
        }
    }
}

/// What a step says of its targets is what their runs came to, and it succeeds if all are released.
fn waiting_steps_tell_the_truth(facts: &Facts<'_>, broken: &mut Vec<String>) {
    for dispatched in facts.played.journal.dispatched.iter().filter(|it| it.hub.wait.is_some()) {
        let Dispatched { run, attempt, outcome, .. } = dispatched;
        let Some(told) = outcome.told().filter(|told| told.problems.is_empty()) else { continue };
        let mut tell = |problem: String| broken.push(format!("hub run {run} attempt {attempt}: {problem}"));
        let results: Vec<serde_json::Value> =
            serde_json::from_str(told.results.as_deref().unwrap_or("[]")).expect("results are a list");
        // A command that is refused does nothing else.
        if results.is_empty() && dispatched.command.is_some() {
            continue;
        }
        if results.len() != facts.played.scenario.targets.len() {
            tell(format!("{} results", results.len()));
        }
        let mut is_good = true;
        for result in &results {
            let text = |key: &str| result[key].as_str();
            let (name, status) = (text("name").unwrap_or_default(), text("status").unwrap_or_default());
            is_good &= ["released", "skipped"].contains(&status) || waits_for_people(&results, result);
            // Who is out of time does not know how it ends.
            if told.is_out_of_time() {
                continue;
            }
            if ["in_progress", "queued", "review", "started", "unknown"].contains(&status) {
                tell(format!("{name} is {status}, and nobody waits for it"));
            }
            let Some(of_target) = result["run_id"].as_u64().and_then(|id| dispatched.runs.get(&id)) else {
                continue;
            };
            let attempts = of_target.earlier.iter().chain([of_target]);
            let ends: Vec<&str> = attempts.filter_map(|attempt| attempt.conclusion.as_deref()).collect();
            if let Some(conclusion) = text("conclusion").filter(|word| !ends.contains(word)) {
                tell(format!("{name} is told as {conclusion}, and its run {} as {ends:?}", of_target.id));
            }
            let is_bad = |word: &&str| !["success", "neutral", "skipped"].contains(word);
            if status == "released" && ends.iter().all(is_bad) {
                tell(format!("{name} is told as released, and its run {} as {ends:?}", of_target.id));
            }
        }
        if is_good != told.failures.is_empty() && !told.is_out_of_time() {
            tell(format!("it fails with {:?}, and says {results:?}", told.failures));
        }
    }
}

/// Whether a target waits for people alone, or for a freeze to end: then a step ends well.
fn waits_for_people(results: &[serde_json::Value], result: &serde_json::Value) -> bool {
    let named = |name: &str| results.iter().find(|result| result["name"] == name);
    let is_waiting = ["waiting", "held"].contains(&result["status"].as_str().unwrap_or_default());
    let awaited: Vec<&str> = result["waiting_for"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let is_left_to_people = |word: &&str| named(word).is_none_or(|needed| waits_for_people(results, needed));
    is_waiting && !awaited.is_empty() && awaited.iter().all(is_left_to_people)
}

/// When the last hub run has waited, all is started that can be.
fn nothing_is_left_to_be_started(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let journal = &facts.played.journal;
    let Some(last) = journal.dispatched.iter().find(|dispatched| dispatched.is_last) else { return };
    if last.outcome.gave_up() || last.outcome.told().is_some_and(Told::is_out_of_time) {
        broken.push(format!("the last hub run gave up in good weather: {}", last.outcome));
    }
    for target in &facts.played.scenario.targets {
        let is_kept_back = steered::kept_back(facts, target, last).is_some();
        let is_ready = target.needs.iter().all(|needed| last.released.contains(needed)) && !is_kept_back;
        let started = journal.started.get(&target.name).and_then(|runs| runs.last());
        if is_ready && started.is_none() {
            broken.push(format!("{} could be started and was not", target.name));
        }
        let is_open = !last.released.contains(&target.name) && !facts.was_told_as_unknown(&target.name);
        if is_ready && is_open && last.hub.retries && started.is_some_and(|run| run.at < last.began) {
            broken.push(format!("{} could be started again and was not", target.name));
        }
    }
}

/// Where a hub run is to cancel what it has started, nothing of that goes on when it is out of time or
/// was cancelled itself.
fn what_was_to_be_cancelled_is_over(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    for dispatched in &facts.played.journal.dispatched {
        let Some(told) = dispatched.outcome.told() else { continue };
        let all_was_done = match &told.problems[..] {
            [] => told.is_out_of_time(),
            [one] => one.contains("the step was cancelled before it was done"),
            _ => false,
        };
        if !all_was_done || !dispatched.hub.wait.is_some_and(|wait| wait.cancels) {
            continue;
        }
        let own = log.dispatches().filter(|(_, record)| record.by.run.0 == dispatched.run);
        let own: BTreeSet<u64> =
            own.flat_map(|(_, record)| &record.targets).filter_map(|start| Some(start.run?.0)).collect();
        // What has just been started may not be on the ticket yet.
        let known_by = dispatched.ended - TimeDelta::minutes(2);
        let started = facts.played.journal.started.values().flatten();
        for started in started.filter(|it| own.contains(&it.run) && it.at < known_by) {
            let goes_on = |run: &Run| !run.is_completed() && run.attempt == 1;
            if dispatched.runs.get(&started.run).is_some_and(goes_on) {
                broken.push(format!("hub run {} left run {} under way", dispatched.run, started.run));
            }
        }
    }
}

/// Runs are cancelled by hub runs that are to do so, when they are cancelled or out of time, and only
/// what they have started themselves.
fn runs_are_cancelled_where_that_was_wanted(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let cancellers = facts.played.journal.dispatched.iter().filter(|dispatched| {
        let out_of_time = dispatched.outcome.told().is_some_and(Told::is_out_of_time);
        // Who is killed may have been out of time before.
        let ended = dispatched.cancelled || out_of_time || dispatched.outcome.told().is_none();
        dispatched.hub.wait.is_some_and(|wait| wait.cancels) && ended
    });
    let cancellers: BTreeSet<u64> = cancellers.map(|dispatched| dispatched.run).collect();
    for exchange in facts.played.exchanges.iter().filter(|exchange| exchange.path.ends_with("/cancel")) {
        let run: Option<u64> = exchange.path.split('/').nth_back(1).and_then(|id| id.parse().ok());
        let starters =
            facts.log().into_iter().flat_map(Log::dispatches).filter(|(_, dispatch)| {
                dispatch.targets.iter().any(|start| start.run.map(|run| run.0) == run)
            });
        let is_meant = run.is_some_and(|run| {
            steered::is_to_be_cancelled(facts, run) || steered::is_of_another_commit(facts, run)
        });
        if !is_meant && !starters.into_iter().any(|(_, dispatch)| cancellers.contains(&dispatch.by.run.0)) {
            broken.push(format!("nobody wanted this: {}", exchange.request_line()));
        }
    }
}

fn acknowledged_reports_are_on_the_ticket(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log() else {
        if facts.reported().iter().any(|reported| reported.outcome.is_delivered()) {
            broken.push("reports were acknowledged, and there is no ticket".to_owned());
        }
        return;
    };
    for reported in facts.reported().iter().filter(|reported| reported.outcome.is_delivered()) {
        let holds = |report: &Report| {
            is_of(&report.by, &reported.by)
                && report.stages.iter().any(|stage| {
                    let id = id_of(stage.message.as_deref());
                    stage.stage == reported.stage
                        && (id == Some(reported.id) || !reported.new_comment && id > Some(reported.id))
                })
        };
        if !log.reports().any(|(_, report)| holds(report)) {
            broken.push(format!("m{} was acknowledged and is in no record", reported.id));
        }
        let comment = reported.outcome.told().and_then(|told| told.comment);
        if !log.reports().any(|(it, report)| Some(it.id.0) == comment && is_of(&report.by, &reported.by)) {
            broken.push(format!("m{} names the comment {comment:?}, which is not its record", reported.id));
        }
    }
}

/// Unless each step wants a comment of its own, or nobody can tell what became of the last one.
fn a_job_has_one_record(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log().filter(|_| facts.played.scenario.weather.merciful) else { return };
    let updating = facts.reported().iter().filter(|reported| !reported.new_comment);
    let jobs: BTreeSet<&By> = updating.map(|reported| &reported.by).collect();
    for by in jobs {
        let records = log.reports().filter(|(_, report)| is_of(&report.by, by)).count();
        if records > 1 {
            broken.push(format!("{by} has {records} records"));
        }
    }
}

/// Of the reports of one stage by one job, what the ticket may show: the last one that was
/// acknowledged, or one after it, of which nobody knows whether it arrived.
fn candidates<'a>(reports: &[&'a Reported]) -> (Option<&'a Reported>, Vec<&'a Reported>) {
    let last = reports.iter().rposition(|reported| reported.outcome.is_delivered());
    let from = last.unwrap_or(0);
    (last.map(|last| reports[last]), reports[from..].to_vec())
}

fn stages_are_the_newest(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    let ticket = log.ticket();
    let mut by_target: BTreeMap<String, Vec<&Reported>> = BTreeMap::new();
    for reported in facts.reported() {
        by_target.entry(facts.target_of(reported)).or_default().push(reported);
    }
    for (name, reports) in by_target {
        let runs: BTreeSet<u64> = reports.iter().map(|reported| reported.by.run).collect();
        let acknowledged = reports.iter().any(|reported| reported.outcome.is_delivered());
        // The names of no dispatch stand apart.
        let row = ticket.targets.get(name.as_str()).or_else(|| ticket.unlisted.get(name.as_str()));
        let Some(target) = row else {
            if acknowledged {
                broken.push(format!("{name} was reported and has no row"));
            }
            continue;
        };
        // Of a target that was started again the newest run counts, and other invariants tell of it.
        let started = facts.played.journal.started.get(&name).map_or(0, Vec::len);
        if runs.len() > 1 || started > 1 {
            continue;
        }
        let stages: BTreeSet<&str> = reports.iter().map(|reported| reported.stage.as_str()).collect();
        for stage in stages {
            let of_stage: Vec<&Reported> =
                reports.iter().copied().filter(|reported| reported.stage == stage).collect();
            let shown = target.stages.iter().find(|shown| shown.name == stage);
            let older = target.older.iter().filter(|old| old.stage.name == stage).map(|old| &old.stage);
            let newest_attempt = reports.iter().map(|reported| reported.by.attempt).max().unwrap_or(1);
            let followed = target.followed.as_ref().map_or(1, |run| run.attempt);
            let newest_attempt = newest_attempt.max(followed);
            if let Err(problem) = check_stage(&of_stage, shown, older.collect(), newest_attempt) {
                broken.push(format!("{name}, stage {stage}: {problem}"));
            }
        }
    }
}

fn check_stage(
    reports: &[&Reported],
    shown: Option<&Stage>,
    older: Vec<&Stage>,
    newest_attempt: u32,
) -> Result<(), String> {
    let acknowledged = reports.iter().filter(|reported| reported.outcome.is_delivered());
    let Some(attempt) = acknowledged.map(|reported| reported.by.attempt).max() else { return Ok(()) };
    let mut by_job: BTreeMap<&By, Vec<&Reported>> = BTreeMap::new();
    for reported in reports.iter().filter(|reported| reported.by.attempt >= attempt) {
        by_job.entry(&reported.by).or_default().push(reported);
    }
    let mut possible = Vec::new();
    let mut least = None;
    for (by, mut reports) in by_job {
        reports.sort_by_key(|reported| reported.id);
        let (last, of_job) = candidates(&reports);
        if last.is_some() && by.attempt == attempt {
            let lowest = of_job.iter().map(|reported| reported.status).min();
            least = least.max(lowest);
        }
        possible.extend(of_job);
    }
    let told = |stage: &Stage| {
        let id = id_of(stage.message.as_deref());
        possible.iter().find(|reported| Some(reported.id) == id)
    };
    let names = || possible.iter().map(|reported| format!("m{}", reported.id)).collect::<Vec<_>>().join(" ");
    match shown {
        Some(stage) => {
            let Some(reported) = told(stage) else {
                return Err(format!(
                    "shows {:?} of attempt {} instead of one of {}",
                    stage.message,
                    stage.attempt,
                    names()
                ));
            };
            if stage.status != reported.status {
                return Err(format!("shows m{} as {}", reported.id, stage.status.label()));
            }
            if stage.attempt == attempt && stage.status.known().copied() < least {
                return Err(format!("shows {} although a job did worse", stage.status.label()));
            }
            Ok(())
        }
        None if newest_attempt > attempt && older.iter().any(|stage| told(stage).is_some()) => Ok(()),
        None => Err(format!("is not shown; it could be one of {}", names())),
    }
}

fn acknowledged_notices_are_on_the_ticket(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    let ticket = log.ticket();
    let noticed = || facts.played.journal.noticed.iter().filter(|noticed| noticed.on_ticket);
    let age = |noticed: &Noticed| (noticed.by.run, noticed.by.attempt);
    for notice in noticed().filter(|noticed| noticed.outcome.is_delivered()) {
        let same = |record: &ticket::Notice| record.fingerprint == notice.fingerprint;
        // A notice that another one of the same failure was written over is as good as told.
        let found = log.notices().any(|(_, record)| {
            let id = id_of(Some(&record.message));
            let newer = (record.by.run.0, record.by.attempt) >= age(notice);
            same(record) && (id == Some(notice.id) || newer && id.is_some())
        });
        if !found {
            broken.push(format!("the notice m{} was acknowledged and is in no record", notice.id));
        }
        // Who is newest decides, if nobody else is as new.
        let rivals = noticed().filter(|other| {
            other.id != notice.id && other.fingerprint == notice.fingerprint && age(other) >= age(notice)
        });
        let superseded = ticket.targets.values().any(|target| {
            target.repository.to_string() == notice.by.repository
                && target.run.as_ref().is_some_and(|run| (run.id.0, run.attempt) > age(notice))
        });
        if rivals.count() > 0 || superseded {
            continue;
        }
        let open = ticket.notices.iter().any(same);
        if open == notice.status.is_good() {
            broken.push(format!(
                "the newest word on `{}` is m{}, {}, and it is {}open",
                notice.fingerprint,
                notice.id,
                notice.status.as_str(),
                if open { "" } else { "not " }
            ));
        }
    }
}

fn one_board_shows_everything(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some((issue, log)) = &facts.ticket else { return };
    // Where every step died before it could show anything, there is nobody to blame.
    let nobody_ended = facts.played.journal.outcomes().all(Outcome::gave_up);
    let boards: Vec<&Comment> = issue.comments.iter().filter(|comment| is_board(comment)).collect();
    if nobody_ended {
        return;
    }
    let [board] = boards[..] else {
        return broken.push(format!("there are {} boards", boards.len()));
    };
    if log.next_board_step() != BoardStep::Shown {
        return broken.push(format!("the board {} does not show every record", board.id));
    }
    let without = log_of(issue, |comment| !shows_a_board(comment));
    match without.next_board_step() {
        BoardStep::Write { body, .. } if body == board.body => {}
        _ => broken.push(format!(
            "the board {} claims to show every record and says something else:\n{}",
            board.id, board.body
        )),
    }
}

/// Every write of a record, in order of arrival: its comment and what it says.
fn written_records<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (u64, Record)> + 'a {
    let effective = facts.played.exchanges.iter().filter(|exchange| exchange.effective);
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

fn records_have_one_writer(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let mut writers: BTreeMap<u64, BTreeSet<Writer>> = BTreeMap::new();
    let comments = facts.tickets.iter().flat_map(|issue| &issue.comments).filter(|it| is_trusted(it));
    let there = comments.filter_map(|comment| Some((comment.id, record_in(&comment.body)?)));
    for (comment, record) in written_records(facts).chain(there) {
        // Notices of the same failure pass on from run to run where the user asked for it. What a release came to follows
        // from the other records and from GitHub's word, so that every hub job writes the same.
        if !matches!(record, Record::Notice(_) | Record::Release(_)) {
            writers.entry(comment).or_default().insert(record.by().clone());
        }
    }
    for (comment, writers) in writers.into_iter().filter(|(_, writers)| writers.len() > 1) {
        broken.push(format!("the record {comment} was written by {} jobs: {writers:?}", writers.len()));
    }
}

/// A hub job that waits writes when something has changed.
fn nobody_writes_what_is_written(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let mut known: BTreeMap<u64, Dispatch> = BTreeMap::new();
    for (comment, record) in written_records(facts) {
        let Record::Dispatch(record) = record else { continue };
        let Some(before) = known.insert(comment, record.clone()) else { continue };
        let mut same = Dispatch { seq: record.seq, ..before.clone() };
        for (old, new) in same.followed.iter_mut().zip(&record.followed) {
            old.at = new.at;
        }
        // Who got no answer repeats what it wrote.
        if before.seq != record.seq && same == record {
            broken.push(format!("the record {comment} was written again as {}, as it was", record.seq));
        }
    }
}

fn what_people_wrote_is_there(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let world = &facts.played.world;
    let journal = &facts.played.journal;
    for written in &journal.written {
        let now = world.comment_view(written.comment).map(|comment| comment.body);
        if now.as_deref() != Some(written.body.as_str()) {
            broken.push(format!("a person wrote {:?} and it is {now:?}", written.body));
        }
    }
    for (number, body) in &journal.bodies {
        if world.issue_view(HUB, *number).body != *body {
            broken.push(format!("the text of #{number} was rewritten"));
        }
    }
    for (number, title) in &journal.titles {
        if world.issue_view(HUB, *number).title != *title {
            broken.push(format!("the title of #{number} was rewritten"));
        }
    }
    for (number, label) in &journal.labels {
        if !world.issue_view(HUB, *number).labels.contains(label) {
            broken.push(format!("#{number} has lost its label {label}"));
        }
    }
    if let Some(fake) = journal.fake_ticket {
        let issue = world.issue_view(HUB, fake);
        if !issue.comments.is_empty() || !issue.is_open() {
            broken.push(format!("#{fake} was opened by a stranger and was used as the ticket"));
        }
    }
    let rewrites = facts.played.exchanges.iter().filter(|exchange| {
        let body = exchange.request_body.as_ref();
        let names = |key: &str| body.is_some_and(|body| body.get(key).is_some());
        exchange.method == "PATCH"
            && !exchange.path.contains("/comments/")
            && ["title", "body", "labels", "assignees"].iter().any(|key| names(key))
    });
    broken.extend(rewrites.map(|exchange| format!("an issue was rewritten: {}", exchange.request_line())));
}

/// The same failure has one open issue. Who dies between opening one and seeing the other leaves it.
fn nightlies_share_an_issue(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let nightlies: Vec<_> = facts.played.journal.noticed.iter().filter(|it| !it.on_ticket).collect();
    let Some(first) = nightlies.first() else { return };
    let issues = facts.played.world.issues(&first.by.repository);
    let open: Vec<u64> = issues.iter().filter(|issue| issue.is_open()).map(|issue| issue.number).collect();
    let all_ended =
        facts.played.scenario.weather.merciful && nightlies.iter().all(|noticed| !noticed.outcome.gave_up());
    if all_ended && open.len() != 1 {
        broken.push(format!("{} issues are open for one failure: {open:?}", open.len()));
    }
    for noticed in nightlies.iter().filter(|noticed| !noticed.outcome.gave_up()) {
        let issue = noticed.outcome.told().and_then(|told| told.issue);
        let says = |text: &str| text.contains(&format!("m{} ", noticed.id));
        let told = issues
            .iter()
            .any(|issue| says(&issue.body) || issue.comments.iter().any(|comment| says(&comment.body)));
        if issue.is_none_or(|issue| !open.contains(&issue)) && all_ended {
            broken.push(format!("m{} was notified in {issue:?}, which is not open", noticed.id));
        }
        // Who updates writes over what anybody said of the same failure.
        if !told && nightlies.iter().all(|noticed| !noticed.update) {
            broken.push(format!("m{} was notified and is nowhere to be read", noticed.id));
        }
    }
}

/// Where no request goes wrong twice in a row, patience is enough for everything.
fn merciful_weather_delivers_everything(facts: &Facts<'_>, broken: &mut Vec<String>) {
    if !facts.played.scenario.weather.merciful {
        return;
    }
    for outcome in facts.played.journal.outcomes().filter(|outcome| outcome.told().is_some()) {
        let told = outcome.told().map(|told| told.problems.join(" ")).unwrap_or_default();
        // Runs that cannot be told apart are reported, as they should be; nobody is patient when cancelled.
        let is_excused = ["it may have been started", "the step was cancelled"];
        if outcome.gave_up() && !is_excused.iter().any(|excuse| told.contains(excuse)) {
            broken.push(format!("a step had patience enough and gave up: {outcome}"));
        }
    }
}

fn secrets_stay_secret(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let world = &facts.played.world;
    let issues = world.repositories().into_iter().flat_map(|name| world.issues(&name));
    let texts: Vec<String> = issues
        .flat_map(|issue| {
            let comments = issue.comments.into_iter().map(|comment| comment.body);
            [issue.title, issue.body].into_iter().chain(comments).collect::<Vec<_>>()
        })
        .collect();
    for secret in secrets(&facts.played.scenario) {
        let told = facts.played.journal.outcomes().filter_map(Outcome::told);
        if told.into_iter().any(|told| told.whole.contains(&secret))
            || texts.iter().any(|text| text.contains(&secret))
        {
            broken.push(format!("the secret {secret} was told"));
        }
    }
}

fn requests_are_known(facts: &Facts<'_>, broken: &mut Vec<String>) {
    facts.played.world.assert_known_routes();
    if let Some(description) = crate::description()
        && facts.played.scenario.seed.is_multiple_of(25)
        && let Err(report) = description.check_all(&facts.played.exchanges)
    {
        broken.push(format!("not as GitHub describes it:\n{report}"));
    }
}
