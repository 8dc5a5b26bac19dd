//! Model A: jobs report to one ticket at the same time, and each brings the board up to date.
//!
//! The order of requests is that of `report.rs` and `ledger.rs`: a job writes its record, reads the ticket, then writes the
//! board and reads again until the board shows what it has read, and deletes spare boards. The product's
//! [`Log`](release_ticket_action::ticket::Log) decides the next step.
//!
//! Lists may lag. Then each shows a freely chosen earlier state, `since` is a time of GitHub's clock as in
//! `ledger.rs`, and a writer reads until a list shows the board that it wrote, or gives up. It asks for a comment
//! that a replica does not have yet again until it gets it.

use chrono::DateTime;
use release_ticket_action::names::{CommentId, Login, RunId};
use release_ticket_action::ticket::decision::{Outcome, Person};
use release_ticket_action::ticket::marker::Marker;
use release_ticket_action::ticket::{
    Decision, Outputs, Record, Report, StageReport, Status, TargetStatus, Verb, Writer,
};
use serde_json::{Map, Value};
use stateright::{Model, Property};

use crate::library::{Id, LogId, Step, Text};
use crate::store::{Clock, Cursor, Lag, Pages, Reader, Store};

/// The number of rounds after which a writer leaves the board to others, as in `ledger.rs`.
const ROUNDS: u8 = 12;

/// A deliberate difference from the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoardFault {
    /// No difference.
    AsItIs,
    /// A job that changed the board does not read again.
    WithoutReadingAgain,
    /// A job writes the board even if the board knows more than the job has read.
    WithoutGuard,
    /// A job empties a spare board and does not delete it.
    WithoutDeleting,
    /// A comment that is not found counts as gone at once.
    WithoutWaiting,
}

/// Some jobs that report to one ticket.
#[derive(Debug, Clone)]
pub(crate) struct Boards {
    /// The number of reports of each job. The first two jobs are attempts 1 and 2 of one run.
    pub(crate) reports: Vec<u8>,
    pub(crate) pages: Pages,
    /// So many jobs may die, at any point.
    pub(crate) deaths: u8,
    /// One more job reports when all others have ended or died.
    pub(crate) late: bool,
    /// The number of boards at the beginning, which show nothing.
    pub(crate) boards: usize,
    /// Whether a job's second report continues from the log of the first one, as on long tickets.
    pub(crate) resume: bool,
    /// The lag of GitHub's lists. The late job begins after the lag.
    pub(crate) clock: Clock,
    /// So many times a job may give up before a list shows the board that it wrote.
    pub(crate) give_ups: u8,
    pub(crate) fault: BoardFault,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    store: Store,
    jobs: Vec<Job>,
    dead_jobs: u8,
    give_ups: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    phase: Phase,
    reader: Reader,
    cursor: Cursor,
    comment: Option<Id>,
    /// So many reports were acknowledged.
    report_count: u8,
    rounds: u8,
    /// It replaced the board that it had read by one that knows less.
    has_forgotten: bool,
    /// It left the board to others after too many rounds.
    has_given_up: bool,
    /// It has created a board in this report.
    has_new_board: bool,
    /// It took an existing comment for deleted.
    has_lost_comment: bool,
}

/// The next request of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// It writes its record.
    Record,
    /// It reads a page of the list, to find these records, which only a board mentions.
    Read {
        unread: Vec<Id>,
    },
    /// It reads these records one by one, since the list does not have them.
    LookUp {
        unread: Vec<Id>,
    },
    /// It writes the board.
    WriteBoard,
    /// It reads lists until one shows the board that it wrote.
    AwaitBoard {
        board: Id,
    },
    /// It deletes spare boards.
    Delete {
        spare: Vec<Id>,
    },
    Ended,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The job sends its next request, which is not for a page.
    Send(usize),
    /// The job reads a page.
    Page(usize, u8),
    /// The job reads a list whose two pages show so many commits.
    List(usize, (usize, usize)),
    /// The job asks for one comment, and the answer shows so many commits.
    Comment(usize, usize),
    /// The job gives up before a list shows its board.
    GiveUp(usize),
    /// The job dies; its last request was answered, or its next one was not sent.
    Die(usize),
}

impl Boards {
    fn lags(&self) -> bool {
        self.clock.lag != Lag::Fresh
    }

    /// Whether no job has died, and every job has read all comments before it wrote its board.
    fn is_undisturbed(&self, state: &State) -> bool {
        let shows_all = self.clock.lag != Lag::Overlay && self.clock.second_page.is_none();
        let is_left_to_late = self.late && self.clock.commits_a_second > 1;
        state.dead_jobs == 0 && state.give_ups == 0 && shows_all && !is_left_to_late
    }

    fn reports_of(&self, job: usize) -> u8 {
        self.reports.get(job).copied().unwrap_or(1)
    }

    /// Whether all jobs except the late one have ended or died.
    fn all_are_done(&self, state: &State) -> bool {
        state.jobs[..self.reports.len()].iter().all(Job::is_done)
    }

    fn may_send(&self, state: &State, job: usize) -> bool {
        let is_late = job >= self.reports.len();
        !state.jobs[job].is_done() && (!is_late || self.all_are_done(state))
    }

    fn may_die(&self, state: &State, job: usize) -> bool {
        job < self.reports.len() && !state.jobs[job].is_done() && state.dead_jobs < self.deaths
    }
}

impl Model for Boards {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut store = if self.lags() { Store::with_history() } else { Store::default() };
        for _ in 0..self.boards {
            let Step::Write { body, .. } = LogId::empty().next_board_step() else {
                unreachable!("an empty log has no board")
            };
            store.create(body);
        }
        let job = Job {
            phase: Phase::Record,
            reader: Reader::new(),
            comment: None,
            report_count: 0,
            rounds: 0,
            cursor: Cursor::default(),
            has_forgotten: false,
            has_given_up: false,
            has_new_board: false,
            has_lost_comment: false,
        };
        let jobs = vec![job; self.reports.len() + usize::from(self.late)];
        vec![State { store, jobs, dead_jobs: 0, give_ups: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let jobs = 0..state.jobs.len();
        for number in jobs.clone().filter(|job| self.may_send(state, *job)) {
            let job = &state.jobs[number];
            let is_late = number >= self.reports.len();
            if self.lags() && matches!(job.phase, Phase::Read { .. } | Phase::AwaitBoard { .. }) {
                let lists = job.cursor.lists(&state.store, self.clock, is_late);
                actions.extend(lists.into_iter().map(|list| Action::List(number, list)));
                let may_give_up =
                    matches!(job.phase, Phase::AwaitBoard { .. }) && state.give_ups < self.give_ups;
                actions.extend(may_give_up.then_some(Action::GiveUp(number)));
            } else if self.lags() && matches!(job.phase, Phase::LookUp { .. }) {
                let end = state.store.length();
                let lengths = if is_late { end..=end } else { 0..=end };
                actions.extend(lengths.map(|length| Action::Comment(number, length)));
            } else if matches!(job.phase, Phase::Read { .. }) {
                actions.extend(
                    job.reader.next_pages(self.pages).into_iter().map(|page| Action::Page(number, page)),
                );
            } else {
                actions.push(Action::Send(number));
            }
        }
        actions.extend(jobs.filter(|job| self.may_die(state, *job)).map(Action::Die));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Send(number) => {
                let comment = next.jobs[number].send(number, &mut next.store, self);
                for job in next.jobs.iter_mut().filter(|job| !self.lags() && !job.is_done()) {
                    comment.into_iter().for_each(|id| job.reader.notice(id));
                }
            }
            Action::Page(number, page) => next.jobs[number].read_page(page, number, &next.store, self),
            Action::List(number, list) => next.jobs[number].read_list(list, number, &next.store, self),
            Action::Comment(number, length) => {
                if !next.jobs[number].ask_for_comment(length, number, &next.store, self) {
                    return None;
                }
            }
            Action::GiveUp(number) => {
                next.give_ups += 1;
                next.jobs[number].give_up(number, self);
            }
            Action::Die(number) => {
                next.jobs[number].end(Phase::Dead);
                next.dead_jobs += 1;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(NOTHING_IS_LOST, |_, state: &State| {
                state.jobs.iter().enumerate().all(|(number, job)| {
                    let Some(comment) = job.comment else { return job.report_count == 0 };
                    state.store.get(comment) == Some(record_of(number, job.report_count))
                })
            }),
            Property::always(THE_BOARD_SHOWS_ALL, |model: &Self, state: &State| {
                let is_over = model.all_are_done(state)
                    && match state.jobs.get(model.reports.len()) {
                        Some(late) if late.phase == Phase::Record => model.is_undisturbed(state),
                        Some(late) => late.phase == Phase::Ended,
                        None => model.is_undisturbed(state),
                    };
                !is_over || shows_all(&state.store)
            }),
            Property::always(THE_NEWEST_ATTEMPT_WINS, |model: &Self, state: &State| {
                !model.all_are_done(state) || newest_attempt_wins(&state.store)
            }),
            Property::always(NOBODY_FORGETS, |_, state: &State| {
                state.jobs.iter().all(|job| !job.has_forgotten)
            }),
            Property::always(NOTHING_COUNTS_AS_GONE, |_, state: &State| {
                state.jobs.iter().all(|job| !job.has_lost_comment)
            }),
            Property::always(NOBODY_GIVES_UP, |_, state: &State| {
                state.jobs.iter().all(|job| !job.has_given_up)
            }),
        ];
        if self.boards == 0 {
            properties.push(Property::sometimes(TWO_BOARDS, |_, state: &State| {
                state.jobs.iter().any(|job| matches!(job.phase, Phase::Delete { .. }))
            }));
        }
        properties
    }
}

pub(crate) const NOTHING_IS_LOST: &str = "every acknowledged report is in its comment";
pub(crate) const THE_BOARD_SHOWS_ALL: &str = "at the end, one board shows every record";
pub(crate) const THE_NEWEST_ATTEMPT_WINS: &str = "the newest attempt wins";
pub(crate) const NOBODY_FORGETS: &str = "no job replaces a board that it has read by one that knows less";
pub(crate) const NOTHING_COUNTS_AS_GONE: &str = "no job takes an existing comment for deleted";
pub(crate) const NOBODY_GIVES_UP: &str = "the rounds suffice";
pub(crate) const TWO_BOARDS: &str = "two jobs create a board at the same time";

impl Job {
    fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Ended | Phase::Dead)
    }

    /// Ends the job, and forgets what it has read, so that equal states are equal.
    fn end(&mut self, phase: Phase) {
        let (reader, cursor) = (Reader::new(), Cursor::default());
        *self = Self { phase, reader, cursor, rounds: 0, has_new_board: false, ..self.clone() };
    }

    /// Sends the next request and decides on the one after it; returns the comment that it wrote.
    fn send(&mut self, number: usize, store: &mut Store, model: &Boards) -> Option<Id> {
        match self.phase.clone() {
            Phase::Record => Some(self.write_record(number, store, model)),
            Phase::LookUp { mut unread } => {
                let id = unread.remove(0);
                let log = self.reader.log;
                let log = store.get(id).map_or_else(|| log.without(id), |text| log.with_comment(id, text));
                self.reader.log = if log.has_record(id) { log } else { log.without(id) };
                self.look_up(unread, number, model);
                None
            }
            Phase::WriteBoard => {
                let new_board = self.write_board(store, model);
                self.phase = match new_board {
                    Some(board) if model.lags() => Phase::AwaitBoard { board },
                    _ => Phase::Read { unread: Vec::new() },
                };
                if model.lags() && new_board.is_none() {
                    self.decide(number, model);
                }
                if model.fault == BoardFault::WithoutReadingAgain {
                    self.decide(number, model);
                }
                new_board
            }
            Phase::Delete { mut spare } => {
                let id = spare.remove(0);
                let blank = model.fault == BoardFault::WithoutDeleting;
                let is_edited = blank && store.edit(id, Text::of("<!-- superseded -->"));
                if !blank {
                    store.delete(id);
                }
                self.reader.log = self.reader.log.without(id);
                self.cursor.forget(id);
                self.delete(spare, number, model);
                is_edited.then_some(id)
            }
            Phase::Read { .. } | Phase::AwaitBoard { .. } | Phase::Ended | Phase::Dead => None,
        }
    }

    fn read_page(&mut self, page: u8, number: usize, store: &Store, model: &Boards) {
        if let (true, Phase::Read { unread }) =
            (self.reader.read_page(page, store, model.pages), self.phase.clone())
        {
            let missing = unread.into_iter().filter(|id| !self.reader.log.has_record(*id));
            self.look_up(missing.collect(), number, model);
        }
    }

    /// Reads a list that lags.
    fn read_list(&mut self, list: (usize, usize), number: usize, store: &Store, model: &Boards) {
        self.reader.log = self.cursor.read(self.reader.log, list, store, model.clock);
        match self.phase.clone() {
            Phase::Read { unread } => {
                let missing = unread.into_iter().filter(|id| !self.reader.log.has_record(*id));
                self.look_up(missing.collect(), number, model);
            }
            Phase::AwaitBoard { board } if self.is_shown(board) => self.decide(number, model),
            _ => {}
        }
    }

    /// Whether a list has shown the board as this job or a later one wrote it; as in `ledger.rs`.
    fn is_shown(&self, own: Id) -> bool {
        let Some((text, second)) = self.cursor.pending_write(own) else { return true };
        let Some((board, shown_text)) = self.reader.log.board() else { return false };
        let is_contested = board != own || self.reader.log.board_written_at() == Some(second);
        is_contested && shown_text != text
    }

    /// Gives up the wait for a list that shows the board.
    fn give_up(&mut self, number: usize, model: &Boards) {
        if let Phase::AwaitBoard { board } = self.phase {
            self.cursor.forget(board);
            self.delete(self.reader.log.spare_boards(), number, model);
        }
    }

    /// Asks for one comment; returns whether that changes anything. The job asks again for a comment that it does not
    /// get yet.
    fn ask_for_comment(&mut self, length: usize, number: usize, store: &Store, model: &Boards) -> bool {
        let Phase::LookUp { mut unread } = self.phase.clone() else { return false };
        let id = unread.remove(0);
        let is_there = store.get(id).is_some();
        let log = self.reader.log;
        let log = match store.as_of(length).get(&id) {
            Some((text, commit)) => log.with_comment_at(id, *text, model.clock.second(*commit)),
            None if is_there && model.fault != BoardFault::WithoutWaiting => return false,
            None => log,
        };
        self.has_lost_comment |= is_there && !log.has_record(id);
        self.reader.log = if log.has_record(id) { log } else { log.without(id) };
        self.look_up(unread, number, model);
        true
    }

    /// Each report is a process of its own, which begins without a log, or with the one that an earlier report has saved.
    fn write_record(&mut self, number: usize, store: &mut Store, model: &Boards) -> Id {
        self.report_count += 1;
        let text = record_of(number, self.report_count);
        let id = self.comment.filter(|id| store.edit(*id, text)).unwrap_or_else(|| store.create(text));
        self.comment = Some(id);
        self.rounds = 0;
        self.has_new_board = false;
        if !model.resume {
            (self.reader, self.cursor) = (Reader::new(), Cursor::default());
        }
        self.reader.log = self.log_with(id, text, store, model);
        self.phase = Phase::Read { unread: Vec::new() };
        id
    }

    /// The log with the job's own last write.
    fn log_with(&mut self, id: Id, text: Text, store: &Store, model: &Boards) -> LogId {
        let log = self.reader.log;
        if model.lags() {
            self.cursor.note_write(log, id, text, store, model.clock)
        } else {
            log.with_comment(id, text)
        }
    }

    fn write_board(&mut self, store: &mut Store, model: &Boards) -> Option<Id> {
        let log = self.reader.log;
        let (comment, body) = board_to_write(log);
        let id = match comment {
            None => {
                self.has_new_board = true;
                store.create(body)
            }
            Some(id) if store.edit(id, body) => {
                let (_, old) = log.board().expect("it writes the board that it knows");
                self.has_forgotten |= forgets(old, body, store);
                id
            }
            Some(id) => {
                self.reader.log = log.without(id);
                self.cursor.forget(id);
                return None;
            }
        };
        self.reader.log = self.log_with(id, body, store, model);
        Some(id)
    }

    fn look_up(&mut self, unread: Vec<Id>, number: usize, model: &Boards) {
        if unread.is_empty() {
            self.decide(number, model);
        } else {
            self.phase = Phase::LookUp { unread };
        }
    }

    fn decide(&mut self, number: usize, model: &Boards) {
        let step = self.reader.log.next_board_step();
        if step == Step::Shown || self.rounds == ROUNDS {
            self.has_given_up |= step != Step::Shown;
            return self.delete(self.reader.log.spare_boards(), number, model);
        }
        // The log ignores the board of an account without a record: the job writes it once.
        if model.lags() && self.has_new_board && matches!(step, Step::Write { comment: None, .. }) {
            return self.delete(self.reader.log.spare_boards(), number, model);
        }
        self.rounds += 1;
        self.phase = match step {
            Step::ReadAgain(unread) if model.fault != BoardFault::WithoutGuard => Phase::Read { unread },
            _ => Phase::WriteBoard,
        };
    }

    fn delete(&mut self, spare: Vec<Id>, number: usize, model: &Boards) {
        if !spare.is_empty() {
            self.phase = Phase::Delete { spare };
        } else if self.report_count < model.reports_of(number) {
            self.phase = Phase::Record;
        } else {
            self.end(Phase::Ended);
        }
    }
}

/// The board that a job with this log writes. A job that ignores unread records of a board takes them for deleted.
fn board_to_write(log: LogId) -> (Option<Id>, Text) {
    match log.next_board_step() {
        Step::Write { comment, body } => (comment, body),
        Step::ReadAgain(unread) => board_to_write(unread.into_iter().fold(log, LogId::without)),
        Step::Shown => unreachable!("a board that shows all is not written"),
    }
}

/// Whether the new board knows less than the old one of the records that still exist.
fn forgets(old: Text, new: Text, store: &Store) -> bool {
    let (old, new) = (record_versions(old), record_versions(new));
    let is_there = |id: &str| id.parse().is_ok_and(|id| store.get(id).is_some());
    old.iter().any(|(id, seq)| is_there(id) && new.get(id).and_then(Value::as_u64) < seq.as_u64())
}

/// The version vector in a board's marker.
fn record_versions(board: Text) -> Map<String, Value> {
    let board = board.get();
    let marker = Marker::find(&board).expect("a board").expect("a whole marker");
    let data: Value = marker.data().expect("JSON");
    data["seen"]["records"].as_object().expect("a version vector").clone()
}

/// Whether there is one board, and it equals the board of a job that reads all comments at once.
fn shows_all(store: &Store) -> bool {
    let log = LogId::whole(store.comments());
    let Some((board, text)) = log.board() else { return false };
    let fresh = Step::Write { comment: None, body: text };
    boards(store) == 1
        && log.next_board_step() == Step::Shown
        && log.without(board).next_board_step() == fresh
}

/// Whether the status of the target is that of the newest attempt that reported.
fn newest_attempt_wins(store: &Store) -> bool {
    let (newest, ticket) = LogId::whole(store.comments()).get(|log| {
        let attempts = log.reports().filter(|(_, report)| report.by.run == RUN);
        (attempts.map(|(_, report)| report.by.attempt).max(), log.ticket().clone())
    });
    let Some(newest) = newest else { return true };
    let status = if newest == 1 { TargetStatus::Failed } else { TargetStatus::InProgress };
    ticket.targets.get("web").is_some_and(|target| {
        target.status == status && target.run.as_ref().is_some_and(|run| run.attempt == newest)
    })
}

fn boards(store: &Store) -> usize {
    let log = LogId::whole(store.comments());
    log.spare_boards().len() + usize::from(log.board().is_some())
}

const RUN: RunId = RunId(700);

/// The text of a job's record after so many reports. The first attempt fails, the second one succeeds, and the other jobs
/// are hub jobs that record a decision of a person.
fn record_of(job: usize, reports: u8) -> Text {
    let (repository, run, attempt) = match job {
        0 => ("acme/web", RUN, 1),
        1 => ("acme/web", RUN, 2),
        _ => ("acme/hub", RunId(800 + job as u64), 1),
    };
    let by = Writer {
        repository: repository.parse().expect("a name"),
        run,
        attempt,
        job: "release".to_owned(),
        check_run: None,
    };
    let status = if job == 0 { Status::Failure } else { Status::Success };
    let run_url = format!("https://github.com/{repository}/actions/runs/{run}");
    if job > 1 {
        return Text::of(&Record::Decision(decision(by, run_url, reports)).render());
    }
    let mut record = Report { by, seq: 0, run_url, stages: Vec::new(), other: Map::new() };
    for number in 1..=reports {
        record.add(StageReport {
            target: None,
            stage: "build".to_owned(),
            status: status.into(),
            message: Some(format!("report {number}")),
            url: None,
            ends_release: false,
            outputs: Outputs::default(),
            at: DateTime::UNIX_EPOCH,
            seq: 0,
            other: Map::new(),
        });
    }
    Text::of(&Record::Report(record).render())
}

/// A hold of the release, each time for another reason.
fn decision(by: Writer, run_url: String, reports: u8) -> Decision {
    let comment = CommentId(by.run.0);
    let login = Login::parse("alice").expect("a login");
    Decision {
        by,
        seq: reports.into(),
        run_url,
        command: Some(Verb::Hold.into()),
        names: Vec::new(),
        reason: Some(format!("reason {reports}")),
        who: Person { login, id: 1, role: "write".to_owned() },
        comment,
        comment_url: String::new(),
        outcome: Outcome::Accepted.into(),
        answer: None,
        commits: Vec::new(),
        retries: Vec::new(),
        cancels: Vec::new(),
        freezes: Vec::new(),
        at: DateTime::UNIX_EPOCH,
        other: Map::new(),
    }
}
