//! What must hold when a play is over, whatever was drawn.

use std::collections::{BTreeMap, BTreeSet};

use release_ticket_action::names::CommentId;
use release_ticket_action::ticket::fold::Stage;
use release_ticket_action::ticket::marker::{Kind, Marker};
use release_ticket_action::ticket::{self, BoardStep, Key, Log, Record, Report, StartState, Writer};
use simulated_github::{Comment, Issue};

use crate::journal::{By, Noticed, Outcome, Reported};
use crate::play::{HUB, Played, RELEASE, secrets};

/// Every invariant that the play broke, in a sentence each.
pub(crate) fn broken(played: &Played) -> Vec<String> {
    let mut broken = Vec::new();
    let facts = Facts::of(played);
    for check in [
        nobody_panics,
        one_ticket_is_open,
        targets_are_started_once,
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

    /// Whether a hub run ended without closing a ticket that came second.
    fn may_leave_duplicates(&self) -> bool {
        let last: BTreeMap<u64, &Outcome> =
            self.played.journal.dispatched.iter().map(|it| (it.run, &it.outcome)).collect();
        !self.played.scenario.weather.merciful || last.values().any(|outcome| outcome.gave_up())
    }

    /// The name of the target that a report belongs to, as far as the hub recorded its run.
    fn target_of(&self, reported: &Reported) -> String {
        let recorded = || {
            let starts = self.log()?.dispatches().flat_map(|(_, dispatch)| &dispatch.targets);
            let mut of_run = starts.filter(|start| start.run.is_some_and(|run| run.0 == reported.by.run));
            of_run.next().map(|start| start.target.clone())
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
    log.extend(issue.comments.iter().filter(|comment| wanted(comment)).map(|comment| ticket::Comment {
        id: CommentId(comment.id),
        author: Some(comment.author.clone()),
        trusted: is_trusted(comment),
        body: comment.body.clone(),
        created_at: comment.created_at,
        updated_at: comment.updated_at,
        url: String::new(),
    }));
    log
}

/// Whether it is a board, or a person's copy of one.
fn shows_a_board(comment: &Comment) -> bool {
    matches!(Marker::find(&comment.body), Some(Ok(Marker { kind: Kind::Board, .. })))
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
        Some(Key::Release(release)) => facts.played.scenario.named && release == RELEASE,
        Some(Key::Run(run)) => {
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

fn targets_are_started_once(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let journal = &facts.played.journal;
    let mut last: BTreeMap<u64, &Outcome> = BTreeMap::new();
    for dispatched in &journal.dispatched {
        last.insert(dispatched.run, &dispatched.outcome);
    }
    let all_ended_well = last.values().all(|outcome| !outcome.gave_up());
    for target in &facts.played.scenario.targets {
        let name = &target.name;
        let runs = journal.started.get(name).map_or(0, Vec::len);
        let reported_unknown = || {
            let told = journal.dispatched.iter().filter_map(|it| it.outcome.told());
            let results = told.filter_map(|told| told.results.as_deref());
            results
                .flat_map(|text| {
                    serde_json::from_str::<Vec<serde_json::Value>>(text).expect("results are a list")
                })
                .any(|result| result["name"] == name.as_str() && result["status"] == "unknown")
        };
        if runs > 1 || runs == 0 && all_ended_well {
            if reported_unknown() {
                continue;
            }
            broken.push(format!("{name} was started {runs} times"));
        }
        let Some(log) = facts.log().filter(|_| all_ended_well && runs == 1) else { continue };
        let recorded = log.dispatches().flat_map(|(_, dispatch)| &dispatch.targets).any(|start| {
            start.target == *name
                && start.state == StartState::Started
                && start.run.is_some_and(|run| Some(&run.0) == journal.started[name].first())
        });
        if !recorded && !reported_unknown() {
            broken.push(format!("no record says which run of {name} was started"));
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
    let ticket = log.fold();
    let mut by_target: BTreeMap<String, Vec<&Reported>> = BTreeMap::new();
    for reported in facts.reported() {
        by_target.entry(facts.target_of(reported)).or_default().push(reported);
    }
    for (name, reports) in by_target {
        let runs: BTreeSet<u64> = reports.iter().map(|reported| reported.by.run).collect();
        let acknowledged = reports.iter().any(|reported| reported.outcome.is_delivered());
        let Some(target) = ticket.targets.get(&name) else {
            if acknowledged {
                broken.push(format!("{name} was reported and has no row"));
            }
            continue;
        };
        // A second run of a target is a failure of its own, told by another invariant.
        if runs.len() > 1 {
            continue;
        }
        let stages: BTreeSet<&str> = reports.iter().map(|reported| reported.stage.as_str()).collect();
        for stage in stages {
            let of_stage: Vec<&Reported> =
                reports.iter().copied().filter(|reported| reported.stage == stage).collect();
            let shown = target.stages.iter().find(|shown| shown.name == stage);
            let older = target.older.iter().filter(|old| old.stage.name == stage).map(|old| &old.stage);
            let newest_attempt = reports.iter().map(|reported| reported.by.attempt).max().unwrap_or(1);
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
                return Err(format!("shows m{} as {}", reported.id, stage.status.as_str()));
            }
            if stage.attempt == attempt && Some(stage.status) < least {
                return Err(format!("shows {} although a job did worse", stage.status.as_str()));
            }
            Ok(())
        }
        None if newest_attempt > attempt && older.iter().any(|stage| told(stage).is_some()) => Ok(()),
        None => Err(format!("is not shown; it could be one of {}", names())),
    }
}

fn acknowledged_notices_are_on_the_ticket(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let Some(log) = facts.log() else { return };
    let ticket = log.fold();
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

fn records_have_one_writer(facts: &Facts<'_>, broken: &mut Vec<String>) {
    let mut writers: BTreeMap<u64, BTreeSet<Writer>> = BTreeMap::new();
    let mut note = |comment: u64, body: &str| {
        let record = Marker::find(body).and_then(Result::ok).and_then(|marker| Record::parse(&marker).ok());
        if let Some(record) = record.flatten() {
            // Notices of the same failure pass on from run to run where the user asked for it.
            if !matches!(record, Record::Notice(_)) {
                writers.entry(comment).or_default().insert(record.by().clone());
            }
        }
    };
    for exchange in facts.played.exchanges.iter().filter(|exchange| exchange.effective) {
        let body = exchange.request_body.as_ref().and_then(|body| body.get("body")?.as_str());
        let edited = exchange.path.rsplit('/').next().and_then(|id| id.parse::<u64>().ok());
        let created = exchange.response_body.as_ref().and_then(|body| body.get("id")?.as_u64());
        let comment = match (exchange.method.as_str(), exchange.path.contains("/comments")) {
            ("PATCH", true) => edited,
            ("POST", true) => created,
            _ => None,
        };
        if let (Some(comment), Some(body)) = (comment, body) {
            note(comment, body);
        }
    }
    for comment in facts.tickets.iter().flat_map(|issue| &issue.comments).filter(|it| is_trusted(it)) {
        note(comment.id, &comment.body);
    }
    for (comment, writers) in writers.into_iter().filter(|(_, writers)| writers.len() > 1) {
        broken.push(format!("the record {comment} was written by {} jobs: {writers:?}", writers.len()));
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
        // Runs that cannot be told apart are reported, as they should be.
        if outcome.gave_up() && !told.contains("it may have been started") {
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
