//! Model A: jobs report to one ticket at the same time, and each brings the board up to date.
//!
//! The order of requests is that of `report.rs` and `ledger.rs`: write the record, read the ticket,
//! then write the board and read again until it shows what was read, and delete spare boards. What
//! to do next is decided by the product's [`Log`](release_ticket_action::ticket::Log).
//!
//! Lists may lag. Then each shows a freely chosen earlier state, `since` is a time of GitHub's clock as in
//! `ledger.rs`, and a writer reads until a list shows the board that it wrote, or stops to wait. A comment that
//! a replica does not have yet is asked for again until it is there.

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

/// As often a writer repeats before it leaves the board to others, as in `ledger.rs`.
const ROUNDS: u8 = 12;

/// What is different on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Board {
    /// Nothing.
    AsItIs,
    /// Whoever changed the board does not read again.
    WithoutReadingAgain,
    /// Whoever sees that the board knows more than it has read writes nevertheless.
    WithoutGuard,
    /// A spare board is not deleted: its text is replaced by one that says nothing.
    WithoutDeleting,
    /// A comment that is not found counts as gone at once.
    WithoutWaiting,
}

/// Some jobs that report to one ticket.
#[derive(Debug, Clone)]
pub(crate) struct Boards {
    /// How many reports each job has. The first two jobs are attempts 1 and 2 of one run.
    pub(crate) reports: Vec<u8>,
    pub(crate) pages: Pages,
    /// So many jobs may die, at any point.
    pub(crate) deaths: u8,
    /// One more job reports when all the others are over or dead.
    pub(crate) late: bool,
    /// So many boards, which show nothing, are there at first.
    pub(crate) boards: usize,
    /// Whether a job's second report goes on with what the first one had read, as on long tickets.
    pub(crate) resume: bool,
    /// How GitHub's lists lag. The late job comes when the lag is over.
    pub(crate) clock: Clock,
    /// So many times a job may stop to wait until a list shows the board that it wrote.
    pub(crate) give_ups: u8,
    pub(crate) board: Board,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    store: Store,
    jobs: Vec<Job>,
    dead: u8,
    give_ups: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Job {
    at: At,
    reader: Reader,
    cursor: Cursor,
    comment: Option<Id>,
    /// So many reports were acknowledged.
    reported: u8,
    rounds: u8,
    /// It replaced a board, as it had last read it, by one that knows less.
    forgot: bool,
    /// It left the board to others after too many rounds.
    gave_up: bool,
    /// It has created a board in this report.
    created: bool,
    /// It took a comment for gone that is there.
    lost: bool,
}

/// What a job asks of GitHub next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    /// To write its record.
    Record,
    /// For a page of the list, to find these records, of which only a board tells.
    Read {
        unread: Vec<Id>,
    },
    /// For these records, one by one, as the list does not have them.
    Settle {
        unread: Vec<Id>,
    },
    /// To write the board.
    Board,
    /// For a list that shows the board as it was written.
    Behind {
        board: Id,
    },
    /// To delete spare boards.
    Delete {
        spare: Vec<Id>,
    },
    Over,
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
    /// The job waits no longer for a list that shows its board.
    GiveUp(usize),
    /// The job dies; its last request was answered, or its next one was not sent.
    Die(usize),
}

impl Boards {
    fn lags(&self) -> bool {
        self.clock.lag != Lag::Fresh
    }

    /// Whether nobody has died, and every job has read all that was written before its board.
    fn is_undisturbed(&self, state: &State) -> bool {
        let shows_all = self.clock.lag != Lag::Overlay && self.clock.second_page.is_none();
        let is_left_to_late = self.late && self.clock.commits_a_second > 1;
        state.dead == 0 && state.give_ups == 0 && shows_all && !is_left_to_late
    }

    fn reports_of(&self, job: usize) -> u8 {
        self.reports.get(job).copied().unwrap_or(1)
    }

    /// Whether all jobs but the late one are over or dead.
    fn all_are_done(&self, state: &State) -> bool {
        state.jobs[..self.reports.len()].iter().all(Job::is_done)
    }

    fn may_send(&self, state: &State, job: usize) -> bool {
        let is_late = job >= self.reports.len();
        !state.jobs[job].is_done() && (!is_late || self.all_are_done(state))
    }

    fn may_die(&self, state: &State, job: usize) -> bool {
        job < self.reports.len() && !state.jobs[job].is_done() && state.dead < self.deaths
    }
}

impl Model for Boards {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut store = if self.lags() { Store::with_history() } else { Store::default() };
        for _ in 0..self.boards {
            let Step::Write { body, .. } = LogId::unread().next_board_step() else {
                unreachable!("there is no board yet")
            };
            store.create(body);
        }
        let job = Job {
            at: At::Record,
            reader: Reader::new(),
            comment: None,
            reported: 0,
            rounds: 0,
            cursor: Cursor::default(),
            forgot: false,
            gave_up: false,
            created: false,
            lost: false,
        };
        let jobs = vec![job; self.reports.len() + usize::from(self.late)];
        vec![State { store, jobs, dead: 0, give_ups: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let jobs = 0..state.jobs.len();
        for number in jobs.clone().filter(|job| self.may_send(state, *job)) {
            let job = &state.jobs[number];
            let is_late = number >= self.reports.len();
            if self.lags() && matches!(job.at, At::Read { .. } | At::Behind { .. }) {
                let lists = job.cursor.lists(&state.store, self.clock, is_late);
                actions.extend(lists.into_iter().map(|list| Action::List(number, list)));
                let may_give_up = matches!(job.at, At::Behind { .. }) && state.give_ups < self.give_ups;
                actions.extend(may_give_up.then_some(Action::GiveUp(number)));
            } else if self.lags() && matches!(job.at, At::Settle { .. }) {
                let end = state.store.length();
                let lengths = if is_late { end..=end } else { 0..=end };
                actions.extend(lengths.map(|length| Action::Comment(number, length)));
            } else if matches!(job.at, At::Read { .. }) {
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
                let changed = next.jobs[number].send(number, &mut next.store, self);
                for job in next.jobs.iter_mut().filter(|job| !self.lags() && !job.is_done()) {
                    changed.into_iter().for_each(|id| job.reader.notice(id));
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
                next.jobs[number].end(At::Dead);
                next.dead += 1;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(NOTHING_IS_LOST, |_, state: &State| {
                state.jobs.iter().enumerate().all(|(number, job)| {
                    let Some(comment) = job.comment else { return job.reported == 0 };
                    state.store.get(comment) == Some(record_of(number, job.reported))
                })
            }),
            Property::always(THE_BOARD_SHOWS_ALL, |model: &Self, state: &State| {
                let is_over = model.all_are_done(state)
                    && match state.jobs.get(model.reports.len()) {
                        Some(late) if late.at == At::Record => model.is_undisturbed(state),
                        Some(late) => late.at == At::Over,
                        None => model.is_undisturbed(state),
                    };
                !is_over || shows_all(&state.store)
            }),
            Property::always(THE_NEWEST_ATTEMPT_WINS, |model: &Self, state: &State| {
                !model.all_are_done(state) || newest_attempt_wins(&state.store)
            }),
            Property::always(NOBODY_FORGETS, |_, state: &State| state.jobs.iter().all(|job| !job.forgot)),
            Property::always(NOTHING_COUNTS_AS_GONE, |_, state: &State| {
                state.jobs.iter().all(|job| !job.lost)
            }),
            Property::always(NOBODY_GIVES_UP, |_, state: &State| state.jobs.iter().all(|job| !job.gave_up)),
        ];
        if self.boards == 0 {
            properties.push(Property::sometimes(TWO_BOARDS, |_, state: &State| {
                state.jobs.iter().any(|job| matches!(job.at, At::Delete { .. }))
            }));
        }
        properties
    }
}

pub(crate) const NOTHING_IS_LOST: &str = "what was acknowledged is in its comment";
pub(crate) const THE_BOARD_SHOWS_ALL: &str = "when all is over, one board shows every record";
pub(crate) const THE_NEWEST_ATTEMPT_WINS: &str = "the newest attempt wins";
pub(crate) const NOBODY_FORGETS: &str = "a board that was read is replaced by none that knows less";
pub(crate) const NOTHING_COUNTS_AS_GONE: &str = "what is there does not count as gone";
pub(crate) const NOBODY_GIVES_UP: &str = "the rounds suffice";
pub(crate) const TWO_BOARDS: &str = "two jobs create a board at the same time";

impl Job {
    fn is_done(&self) -> bool {
        matches!(self.at, At::Over | At::Dead)
    }

    /// Ends; what it had read is of no use to anybody.
    fn end(&mut self, at: At) {
        let (reader, cursor) = (Reader::new(), Cursor::default());
        *self = Self { at, reader, cursor, rounds: 0, created: false, ..self.clone() };
    }

    /// Sends the next request and decides what comes then; returns the comment that it wrote.
    fn send(&mut self, number: usize, store: &mut Store, model: &Boards) -> Option<Id> {
        match self.at.clone() {
            At::Record => Some(self.write_record(number, store, model)),
            At::Settle { mut unread } => {
                let id = unread.remove(0);
                let log = self.reader.log;
                let log = store.get(id).map_or_else(|| log.without(id), |text| log.extended(id, text));
                self.reader.log = if log.has_record(id) { log } else { log.without(id) };
                self.settle(unread, number, model);
                None
            }
            At::Board => {
                let written = self.write_board(store, model);
                self.at = match written {
                    Some(board) if model.lags() => At::Behind { board },
                    _ => At::Read { unread: Vec::new() },
                };
                if model.lags() && written.is_none() {
                    self.decide(number, model);
                }
                if model.board == Board::WithoutReadingAgain {
                    self.decide(number, model);
                }
                written
            }
            At::Delete { mut spare } => {
                let id = spare.remove(0);
                let blank = model.board == Board::WithoutDeleting;
                let edited = blank && store.edit(id, Text::of("<!-- superseded -->"));
                if !blank {
                    store.delete(id);
                }
                self.reader.log = self.reader.log.without(id);
                self.cursor.forget(id);
                self.delete(spare, number, model);
                edited.then_some(id)
            }
            At::Read { .. } | At::Behind { .. } | At::Over | At::Dead => None,
        }
    }

    fn read_page(&mut self, page: u8, number: usize, store: &Store, model: &Boards) {
        if let (true, At::Read { unread }) =
            (self.reader.read_page(page, store, model.pages), self.at.clone())
        {
            let missing = unread.into_iter().filter(|id| !self.reader.log.has_record(*id));
            self.settle(missing.collect(), number, model);
        }
    }

    /// Reads a list that lags.
    fn read_list(&mut self, list: (usize, usize), number: usize, store: &Store, model: &Boards) {
        self.reader.log = self.cursor.read(self.reader.log, list, store, model.clock);
        match self.at.clone() {
            At::Read { unread } => {
                let missing = unread.into_iter().filter(|id| !self.reader.log.has_record(*id));
                self.settle(missing.collect(), number, model);
            }
            At::Behind { board } if self.is_shown(board) => self.decide(number, model),
            _ => {}
        }
    }

    /// Whether a list has shown the board as this job wrote it, or as somebody wrote it later; as in `ledger.rs`.
    fn is_shown(&self, written: Id) -> bool {
        let Some((text, second)) = self.cursor.unlisted(written) else { return true };
        let Some((board, shown)) = self.reader.log.board() else { return false };
        let is_contested = board != written || self.reader.log.board_written_at() == Some(second);
        is_contested && shown != text
    }

    /// Stops to wait for a list that shows the board.
    fn give_up(&mut self, number: usize, model: &Boards) {
        if let At::Behind { board } = self.at {
            self.cursor.forget(board);
            self.delete(self.reader.log.spare_boards(), number, model);
        }
    }

    /// Asks for one comment; says whether that changes anything. A comment that is not there yet is asked for
    /// again.
    fn ask_for_comment(&mut self, length: usize, number: usize, store: &Store, model: &Boards) -> bool {
        let At::Settle { mut unread } = self.at.clone() else { return false };
        let id = unread.remove(0);
        let is_there = store.get(id).is_some();
        let log = self.reader.log;
        let log = match store.as_of(length).get(&id) {
            Some((text, commit)) => log.extended_at(id, *text, model.clock.second(*commit)),
            None if is_there && model.board != Board::WithoutWaiting => return false,
            None => log,
        };
        self.lost |= is_there && !log.has_record(id);
        self.reader.log = if log.has_record(id) { log } else { log.without(id) };
        self.settle(unread, number, model);
        true
    }

    /// Each report is a process of its own, which has read nothing yet, or what an earlier one kept.
    fn write_record(&mut self, number: usize, store: &mut Store, model: &Boards) -> Id {
        self.reported += 1;
        let text = record_of(number, self.reported);
        let id = self.comment.filter(|id| store.edit(*id, text)).unwrap_or_else(|| store.create(text));
        self.comment = Some(id);
        self.rounds = 0;
        self.created = false;
        if !model.resume {
            (self.reader, self.cursor) = (Reader::new(), Cursor::default());
        }
        self.reader.log = self.log_with(id, text, store, model);
        self.at = At::Read { unread: Vec::new() };
        id
    }

    /// The log with what was written just now.
    fn log_with(&mut self, id: Id, text: Text, store: &Store, model: &Boards) -> LogId {
        let log = self.reader.log;
        if model.lags() {
            self.cursor.wrote(log, id, text, store, model.clock)
        } else {
            log.extended(id, text)
        }
    }

    fn write_board(&mut self, store: &mut Store, model: &Boards) -> Option<Id> {
        let log = self.reader.log;
        let (comment, body) = board_to_write(log);
        let id = match comment {
            None => {
                self.created = true;
                store.create(body)
            }
            Some(id) if store.edit(id, body) => {
                let (_, known) = log.board().expect("it writes the board that it knows");
                self.forgot |= forgets(known, body, store);
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

    fn settle(&mut self, unread: Vec<Id>, number: usize, model: &Boards) {
        if unread.is_empty() {
            self.decide(number, model);
        } else {
            self.at = At::Settle { unread };
        }
    }

    fn decide(&mut self, number: usize, model: &Boards) {
        let step = self.reader.log.next_board_step();
        if step == Step::Shown || self.rounds == ROUNDS {
            self.gave_up |= step != Step::Shown;
            return self.delete(self.reader.log.spare_boards(), number, model);
        }
        // The board of an account that wrote no record is not taken for one: once is enough.
        if model.lags() && self.created && matches!(step, Step::Write { comment: None, .. }) {
            return self.delete(self.reader.log.spare_boards(), number, model);
        }
        self.rounds += 1;
        self.at = match step {
            Step::ReadAgain(unread) if model.board != Board::WithoutGuard => At::Read { unread },
            _ => At::Board,
        };
    }

    fn delete(&mut self, spare: Vec<Id>, number: usize, model: &Boards) {
        if !spare.is_empty() {
            self.at = At::Delete { spare };
        } else if self.reported < model.reports_of(number) {
            self.at = At::Record;
        } else {
            self.end(At::Over);
        }
    }
}

/// The board that the log's reader writes. One who ignores that he has not read all that the board
/// shows takes it for gone.
fn board_to_write(log: LogId) -> (Option<Id>, Text) {
    match log.next_board_step() {
        Step::Write { comment, body } => (comment, body),
        Step::ReadAgain(unread) => board_to_write(unread.into_iter().fold(log, LogId::without)),
        Step::Shown => unreachable!("a board that shows all is not written"),
    }
}

/// Whether one board knows less than another of the records that are still there.
fn forgets(known: Text, new: Text, store: &Store) -> bool {
    let (known, new) = (seen(known), seen(new));
    let is_there = |id: &str| id.parse().is_ok_and(|id| store.get(id).is_some());
    known.iter().any(|(id, seq)| is_there(id) && new.get(id).and_then(Value::as_u64) < seq.as_u64())
}

/// The version vector in a board's marker.
fn seen(board: Text) -> Map<String, Value> {
    let board = board.get();
    let marker = Marker::find(&board).expect("a board").expect("a whole marker");
    let data: Value = marker.data().expect("JSON");
    data["seen"]["records"].as_object().expect("a version vector").clone()
}

/// Whether there is one board, and it is just what someone would write who reads all at once.
fn shows_all(store: &Store) -> bool {
    let log = LogId::whole(store.comments());
    let Some((board, shown)) = log.board() else { return false };
    let fresh = Step::Write { comment: None, body: shown };
    boards(store) == 1
        && log.next_board_step() == Step::Shown
        && log.without(board).next_board_step() == fresh
}

/// Whether the target stands as the newest attempt that reported left it.
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

/// What a job's record says after so many reports. A first attempt fails, a second one succeeds, and the others are hub
/// jobs that record what a person decided.
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
            done: false,
            outputs: Outputs::default(),
            at: DateTime::UNIX_EPOCH,
            seq: 0,
            other: Map::new(),
        });
    }
    Text::of(&Record::Report(record).render())
}

/// A person holds the release, each time for another reason.
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
