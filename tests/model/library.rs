//! The library: texts and logs that a model has met, each under a small number.
//!
//! A state of the model holds numbers, so that it is small and quickly compared. The product's own [`Log`] makes every
//! decision on the whole texts, once; a second question gets the same answer from here.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, RwLock};

use chrono::DateTime;
use release_ticket_action::names::CommentId;
use release_ticket_action::ticket::{BoardStep, Comment, Log};

/// The account of all jobs.
pub(crate) const ACCOUNT: &str = "github-actions[bot]";

/// The text of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Text(u32);

/// A log as a job has read it. Two are equal if and only if their contents are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogId(u32);

/// The id of a comment; models create few of them.
pub(crate) type Id = u8;

/// A [`BoardStep`] whose text is in the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Shown,
    ReadAgain(Vec<Id>),
    Write { comment: Option<Id>, body: Text },
}

struct Volume {
    log: Log,
    step: OnceLock<Step>,
}

#[derive(Default)]
struct Library {
    texts: Vec<Arc<str>>,
    text_ids: HashMap<Arc<str>, Text>,
    logs: Vec<Arc<Volume>>,
    log_ids: HashMap<String, LogId>,
    extensions: HashMap<(LogId, Id, Text, usize), LogId>,
    losses: HashMap<(LogId, Id), LogId>,
    views: HashMap<(LogId, (usize, usize)), LogId>,
}

static LIBRARY: LazyLock<RwLock<Library>> = LazyLock::new(RwLock::default);

fn ask<T>(what: impl FnOnce(&Library) -> T) -> T {
    what(&LIBRARY.read().expect("no thread panics while it holds the library"))
}

fn change<T>(what: impl FnOnce(&mut Library) -> T) -> T {
    what(&mut LIBRARY.write().expect("no thread panics while it holds the library"))
}

impl Text {
    /// The number of `text`.
    pub(crate) fn of(text: &str) -> Self {
        if let Some(id) = ask(|library| library.text_ids.get(text).copied()) {
            return id;
        }
        change(|library| {
            let next = Self(u32::try_from(library.texts.len()).expect("a model has few texts"));
            let text: Arc<str> = text.into();
            let id = *library.text_ids.entry(Arc::clone(&text)).or_insert(next);
            if id == next {
                library.texts.push(text);
            }
            id
        })
    }

    /// The text itself.
    pub(crate) fn get(self) -> Arc<str> {
        ask(|library| Arc::clone(&library.texts[self.0 as usize]))
    }
}

impl LogId {
    /// A log without a comment.
    pub(crate) fn empty() -> Self {
        Self::of(Log::default())
    }

    /// The log with all `comments`.
    pub(crate) fn whole(comments: &[(Id, Text)]) -> Self {
        comments.iter().fold(Self::empty(), |log, (id, text)| log.with_comment(*id, *text))
    }

    /// [`Log::extend`].
    pub(crate) fn with_comment(self, id: Id, text: Text) -> Self {
        self.with_comment_at(id, text, 0)
    }

    /// [`Log::extend`] with a comment that was written at this second.
    pub(crate) fn with_comment_at(self, id: Id, text: Text, second: usize) -> Self {
        let key = (self, id, text, second);
        if let Some(log) = ask(|library| library.extensions.get(&key).copied()) {
            return log;
        }
        let mut log = self.get(Log::clone);
        let at = i64::try_from(second).expect("a model takes few seconds");
        let updated_at = DateTime::from_timestamp(at, 0).expect("a time soon after 1970");
        log.extend([Comment { updated_at, ..comment(id, &text.get()) }]);
        let new = Self::of(log);
        change(|library| library.extensions.insert(key, new));
        new
    }

    /// [`Log::accept_loss`].
    pub(crate) fn without(self, id: Id) -> Self {
        if let Some(log) = ask(|library| library.losses.get(&(self, id)).copied()) {
            return log;
        }
        let mut log = self.get(Log::clone);
        log.accept_loss(CommentId(id.into()));
        let new = Self::of(log);
        change(|library| library.losses.insert((self, id), new));
        new
    }

    /// [`Log::next_board_step`].
    pub(crate) fn next_board_step(self) -> Step {
        let volume = ask(|library| Arc::clone(&library.logs[self.0 as usize]));
        volume.step.get_or_init(|| step_of(volume.log.next_board_step())).clone()
    }

    /// [`Log::spare_boards`].
    pub(crate) fn spare_boards(self) -> Vec<Id> {
        self.get(|log| log.spare_boards().map(id_of).collect())
    }

    /// [`Log::has_record`].
    pub(crate) fn has_record(self, id: Id) -> bool {
        self.get(|log| log.has_record(CommentId(id.into())))
    }

    /// The board's comment and text.
    pub(crate) fn board(self) -> Option<(Id, Text)> {
        self.get(|log| log.board().map(|board| (id_of(board.id), Text::of(&board.body))))
    }

    /// The second at which the board was written.
    pub(crate) fn board_written_at(self) -> Option<usize> {
        let at = self.get(|log| log.board().map(|board| board.updated_at.timestamp()));
        at.and_then(|at| usize::try_from(at).ok())
    }

    /// The log as a job sees it; `key` distinguishes the views of a log.
    pub(crate) fn view(self, key: (usize, usize), view: impl FnOnce(&Log) -> Log) -> Self {
        if let Some(log) = ask(|library| library.views.get(&(self, key)).copied()) {
            return log;
        }
        let view = Self::of(self.get(view));
        change(|library| library.views.insert((self, key), view));
        view
    }

    /// Reads the log.
    pub(crate) fn get<T>(self, what: impl FnOnce(&Log) -> T) -> T {
        let volume = ask(|library| Arc::clone(&library.logs[self.0 as usize]));
        what(&volume.log)
    }

    fn of(log: Log) -> Self {
        // The debug text has every field of the log, also those that it gets later.
        let key = format!("{log:?}");
        change(|library| {
            let next = Self(u32::try_from(library.logs.len()).expect("a model has few logs"));
            let id = *library.log_ids.entry(key).or_insert(next);
            if id == next {
                library.logs.push(Arc::new(Volume { log, step: OnceLock::new() }));
            }
            id
        })
    }
}

/// A comment of ours, written at no particular time.
pub(crate) fn comment(id: Id, body: &str) -> Comment {
    Comment {
        id: CommentId(id.into()),
        author: Some(ACCOUNT.to_owned()),
        is_trusted: true,
        body: body.to_owned(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        url: String::new(),
    }
}

fn step_of(step: BoardStep) -> Step {
    match step {
        BoardStep::Shown => Step::Shown,
        BoardStep::Newer => unreachable!("every record of a model can be read"),
        BoardStep::ReadAgain(unread) => Step::ReadAgain(unread.into_iter().map(id_of).collect()),
        BoardStep::Write { comment, body } => {
            Step::Write { comment: comment.map(id_of), body: Text::of(&body) }
        }
    }
}

/// The id as the model writes it.
pub(crate) fn id_of(id: CommentId) -> Id {
    Id::try_from(id.0).expect("a model creates few comments")
}
