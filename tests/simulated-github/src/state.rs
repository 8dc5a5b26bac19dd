//! The state of the world, and the changes that people and the API share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::app::{AppData, InstallationTokens};
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::identity::Identities;
use crate::issue::{Comment, Issue, Label, Reaction, same};
use crate::joblog::{Download, LogServer};
use crate::json::Links;
use crate::limits::Limits;
use crate::release::Release;
use crate::replicas::{Database, DrawTime, Replicas};
use crate::repository::{RepoKey, RepositoryData, Slot};
use crate::run::{Job, Run};
use crate::team::{TeamData, TeamKey};
use crate::token::TokenData;
use crate::workflow::{contexts, file_name};

/// The release of GitHub Enterprise Server that the world plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ghes(pub(crate) u32, pub(crate) u32);

pub(crate) struct State {
    clock: Clock,
    counters: Counters,
    /// All routes read it; changes go through `database_mut`.
    database: Arc<Database>,
    pub(crate) replicas: Replicas,
    teams: BTreeMap<TeamKey, TeamData>,
    old_names: BTreeMap<RepoKey, u64>,
    tokens: BTreeMap<String, TokenData>,
    apps: BTreeMap<String, AppData>,
    pub(crate) installation_tokens: InstallationTokens,
    pub(crate) identities: Identities,
    users: BTreeSet<String>,
    pub(crate) links: Links,
    pub(crate) ghes: Option<Ghes>,
    /// The error of the header `date` of all answers.
    pub(crate) date_error: chrono::TimeDelta,
    pub(crate) limits: Limits,
    pub(crate) faults: Vec<Fault>,
    pub(crate) latency: Option<DrawTime>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) downloads: Vec<Download>,
    pub(crate) log_server: LogServer,
    pub(crate) story: Vec<String>,
    pub(crate) unknown_routes: Vec<String>,
    pub(crate) subscribers: Vec<mpsc::UnboundedSender<Run>>,
}

/// The last id of each kind.
#[derive(Debug)]
struct Counters {
    repository: u64,
    workflow: u64,
    issue: u64,
    label: u64,
    comment: u64,
    reaction: u64,
    run: u64,
    release: u64,
    job: u64,
    exchange: u64,
    app: u64,
    installation: u64,
}

fn next(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter
}

/// The parameters of a new run.
pub(crate) struct Start<'a> {
    pub(crate) path: &'a str,
    pub(crate) git_ref: &'a str,
    pub(crate) event: &'a str,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) event_type: Option<&'a str>,
    pub(crate) client_payload: Value,
    pub(crate) actor: &'a str,
}

impl State {
    pub(crate) fn new(start: DateTime<Utc>) -> Self {
        Self {
            clock: Clock::starting_at(start),
            counters: Counters {
                repository: 100,
                workflow: 200,
                issue: 5_000,
                label: 300,
                comment: 1_000,
                reaction: 600,
                run: 7_000,
                release: 900,
                job: 70_000,
                exchange: 0,
                app: 400_000,
                installation: 80_000,
            },
            database: Arc::default(),
            replicas: Replicas::default(),
            teams: BTreeMap::new(),
            old_names: BTreeMap::new(),
            tokens: BTreeMap::new(),
            apps: BTreeMap::new(),
            installation_tokens: InstallationTokens::default(),
            identities: Identities::default(),
            users: BTreeSet::new(),
            links: Links::github_com(),
            ghes: None,
            date_error: chrono::TimeDelta::zero(),
            limits: Limits::new(),
            faults: Vec::new(),
            latency: None,
            exchanges: Vec::new(),
            downloads: Vec::new(),
            log_server: LogServer::GivesParts,
            story: Vec::new(),
            unknown_routes: Vec::new(),
            subscribers: Vec::new(),
        }
    }

    // Time.

    pub(crate) fn now(&mut self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn second(&mut self) -> DateTime<Utc> {
        self.clock.second()
    }

    pub(crate) fn advance(&mut self, time: chrono::TimeDelta) {
        self.clock.skip(time);
    }

    pub(crate) fn next_exchange_id(&mut self) -> u64 {
        next(&mut self.counters.exchange)
    }

    pub(crate) fn next_workflow_id(&mut self) -> u64 {
        next(&mut self.counters.workflow)
    }

    // The story.

    /// Adds a line to the story. A route calls this for each change that it makes.
    pub(crate) fn note_change(&mut self, subject: impl Display, what: impl Display) {
        self.story.push(format!("{subject}  {what}"));
    }

    // The past.

    /// The database, for a change. The replicas keep its state before the change.
    fn database_mut(&mut self) -> &mut Database {
        let now = self.clock.now();
        self.replicas.put_aside(now, &self.database);
        Arc::make_mut(&mut self.database)
    }

    /// Runs `read` on the database of `lag` ago, as a token sees it.
    pub(crate) fn lagging<T>(
        &mut self,
        lag: Duration,
        token: Option<&str>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if lag.is_zero() {
            return read(self);
        }
        let lag = chrono::TimeDelta::from_std(lag).unwrap_or(chrono::TimeDelta::MAX);
        let now = self.now();
        let at = now.checked_sub_signed(lag).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let past = self.replicas.at(at, &self.database, token);
        let present = std::mem::replace(&mut self.database, past);
        let answer = read(self);
        self.database = present;
        answer
    }

    // Repositories, tokens and people.

    pub(crate) fn create_repository(&mut self, full_name: &str) -> RepoKey {
        let key = RepoKey::new(full_name);
        if self.repository(&key).is_none() {
            let id = next(&mut self.counters.repository);
            let now = self.second();
            let data = RepositoryData::new(id, full_name, now);
            self.database_mut().repositories.insert(key.clone(), Arc::new(data));
        }
        key
    }

    pub(crate) fn repository(&self, key: &RepoKey) -> Option<&RepositoryData> {
        self.database.repositories.get(key).map(Arc::as_ref)
    }

    pub(crate) fn repository_with_id(&self, id: u64) -> Option<&RepositoryData> {
        self.repositories().find(|repository| repository.id == id)
    }

    pub(crate) fn repository_mut(&mut self, key: &RepoKey) -> Option<&mut RepositoryData> {
        self.database_mut().repositories.get_mut(key).map(Arc::make_mut)
    }

    pub(crate) fn repositories(&self) -> impl Iterator<Item = &RepositoryData> {
        self.database.repositories.values().map(Arc::as_ref)
    }

    pub(crate) fn delete_repository(&mut self, key: &RepoKey) {
        self.database_mut().repositories.remove(key);
    }

    pub(crate) fn rename_repository(&mut self, from: &RepoKey, to: &str) -> Option<RepoKey> {
        let (owner, name) = to.split_once('/')?;
        let database = self.database_mut();
        let mut repository = database.repositories.remove(from)?;
        let data = Arc::make_mut(&mut repository);
        (data.owner, data.name) = (owner.into(), name.into());
        let id = data.id;
        for issue in data.all_issues_mut() {
            issue.repository = to.into();
        }
        let runs = database.runs.values_mut();
        for run in runs.filter(|run| RepoKey::new(&run.repository) == *from) {
            Arc::make_mut(run).repository = to.into();
        }
        let key = RepoKey::new(to);
        database.repositories.insert(key.clone(), repository);
        self.tokens.values_mut().for_each(|token| token.follow(from, &key));
        for app in self.apps.values_mut() {
            app.follow(from, &key);
        }
        self.old_names.insert(from.clone(), id);
        Some(key)
    }

    /// The repository that had this name before.
    pub(crate) fn repository_by_old_name(&self, key: &RepoKey) -> Option<&RepositoryData> {
        self.repository_with_id(*self.old_names.get(key)?)
    }

    pub(crate) fn token(&self, secret: &str) -> Option<&TokenData> {
        self.tokens.get(secret)
    }

    pub(crate) fn token_mut(&mut self, secret: &str) -> &mut TokenData {
        let tokens = self.tokens.entry(secret.to_owned());
        tokens.or_default()
    }

    pub(crate) fn team(&self, key: &TeamKey) -> Option<&TeamData> {
        self.teams.get(key)
    }

    pub(crate) fn team_mut(&mut self, key: &TeamKey) -> &mut TeamData {
        self.teams.entry(key.clone()).or_default()
    }

    pub(crate) fn create_app(&mut self, slug: &str) {
        if !self.apps.contains_key(slug) {
            let id = next(&mut self.counters.app);
            let app = AppData {
                id,
                client_id: format!("Iv23li{id:014}"),
                slug: slug.to_owned(),
                installations: Vec::new(),
            };
            self.apps.insert(slug.to_owned(), app);
        }
    }

    pub(crate) fn apps(&self) -> impl Iterator<Item = &AppData> {
        self.apps.values()
    }

    pub(crate) fn app(&self, slug: &str) -> Option<&AppData> {
        self.apps.get(slug)
    }

    pub(crate) fn app_mut(&mut self, slug: &str) -> Option<&mut AppData> {
        self.apps.get_mut(slug)
    }

    pub(crate) fn next_installation_id(&mut self) -> u64 {
        next(&mut self.counters.installation)
    }

    pub(crate) fn is_suspended(&self, installation: u64) -> bool {
        let mut installations = self.apps.values().flat_map(|app| &app.installations);
        installations.any(|it| it.id == installation && it.suspended_at.is_some())
    }

    pub(crate) fn add_user(&mut self, login: &str) {
        self.users.insert(login.to_owned());
    }

    /// The login in its owner's spelling. `None` if nobody in the world has it.
    pub(crate) fn user(&self, login: &str) -> Option<String> {
        let actors = self.tokens.values().map(|token| token.actor.as_str());
        let users = self.users.iter().map(String::as_str);
        let members = self.repositories().flat_map(RepositoryData::logins);
        users.chain(actors).chain(members).find(|user| user.eq_ignore_ascii_case(login)).map(str::to_owned)
    }

    // Issues.

    pub(crate) fn open_issue(&mut self, key: &RepoKey, title: &str, body: &str, author: &str) -> Option<u64> {
        let now = self.second();
        let id = next(&mut self.counters.issue);
        self.add_user(author);
        let repository = self.repository_mut(key)?;
        let number = repository.next_number();
        let issue = Issue {
            repository: repository.full_name(),
            number,
            id,
            title: title.into(),
            body: body.into(),
            state: "open".into(),
            state_reason: None,
            labels: Vec::new(),
            assignees: Vec::new(),
            author: author.into(),
            association: repository.association(author),
            is_locked: false,
            lock_reason: None,
            duplicate_of: None,
            is_pull_request: false,
            comments: Vec::new(),
            reactions: Vec::new(),
            created_at: now,
            updated_at: now,
            closed_at: None,
            closed_by: None,
        };
        repository.issues.insert(number, Slot::Here(Arc::new(issue)));
        Some(number)
    }

    pub(crate) fn add_comment(
        &mut self,
        key: &RepoKey,
        number: u64,
        author: &str,
        body: &str,
    ) -> Option<u64> {
        let now = self.second();
        let association = self.repository(key)?.association(author);
        self.repository(key)?.issue(number)?;
        let id = next(&mut self.counters.comment);
        let issue = self.repository_mut(key)?.issue_mut(number)?;
        issue.updated_at = now;
        issue.comments.push(Comment {
            id,
            author: author.into(),
            association,
            body: body.into(),
            created_at: now,
            updated_at: now,
            is_pinned: false,
            pinned_at: None,
            pinned_by: None,
            hide_reason: None,
            reactions: Vec::new(),
            earlier_body: None,
        });
        self.add_user(author);
        Some(id)
    }

    /// Adds a reaction to an issue or to one of its comments. Returns `false` beside the old reaction if the login
    /// has one with this content.
    pub(crate) fn react(
        &mut self,
        key: &RepoKey,
        number: u64,
        comment: Option<u64>,
        login: &str,
        content: &str,
    ) -> Option<(Reaction, bool)> {
        let now = self.second();
        let is_it = |reaction: &&Reaction| same(&reaction.author, login) && reaction.content == content;
        let reactions = self.repository_mut(key)?.issue_mut(number)?.reactions_mut(comment)?;
        if let Some(reaction) = reactions.iter().find(is_it).cloned() {
            return Some((reaction, false));
        }
        let id = next(&mut self.counters.reaction);
        let new = Reaction { id, author: login.into(), content: content.into(), created_at: now };
        self.repository_mut(key)?.issue_mut(number)?.reactions_mut(comment)?.push(new.clone());
        self.add_user(login);
        Some((new, true))
    }

    /// The comment with this id, on any issue.
    pub(crate) fn comment(&self, id: u64) -> Option<&Comment> {
        let mut issues = self.repositories().flat_map(RepositoryData::all_issues);
        issues.find_map(|issue| issue.comment(id))
    }

    pub(crate) fn comment_mut(&mut self, id: u64) -> Option<&mut Comment> {
        let (key, number) = self.place_of_comment(id)?;
        self.repository_mut(&key)?.issue_mut(number)?.comment_mut(id)
    }

    /// The repository and the number of a comment's issue.
    pub(crate) fn place_of_comment(&self, id: u64) -> Option<(RepoKey, u64)> {
        let mut places = self.database.repositories.iter();
        places.find_map(|(key, data)| Some((key.clone(), data.issue_of_comment(id)?)))
    }

    /// Moves an issue to another repository, where it gets a new number.
    pub(crate) fn transfer_issue(&mut self, from: &RepoKey, number: u64, to: &RepoKey) -> Option<u64> {
        let full_name = self.repository(to)?.full_name();
        let slot = self.repository_mut(from)?.issues.get_mut(&number)?;
        if !matches!(slot, Slot::Here(_)) {
            return None;
        }
        let old_slot = std::mem::replace(slot, Slot::Deleted);
        let target = self.repository_mut(to)?;
        let new_number = target.next_number();
        if let Slot::Here(mut shared) = old_slot {
            let issue = Arc::make_mut(&mut shared);
            issue.repository = full_name;
            issue.number = new_number;
            target.issues.insert(new_number, Slot::Here(shared));
        }
        let forward = Slot::Moved { repository: to.clone(), number: new_number };
        self.repository_mut(from)?.issues.insert(number, forward);
        Some(new_number)
    }

    /// Adds a label to the repository unless it has it, and returns the name in the repository's spelling.
    pub(crate) fn ensure_label(&mut self, key: &RepoKey, name: &str) -> String {
        let label = self.repository(key).and_then(|data| data.label(name));
        match label {
            Some(label) => label.name.clone(),
            None => {
                self.create_label(key, name, "ededed", None);
                name.to_owned()
            }
        }
    }

    pub(crate) fn create_label(
        &mut self,
        key: &RepoKey,
        name: &str,
        color: &str,
        description: Option<String>,
    ) {
        let id = next(&mut self.counters.label);
        if let Some(data) = self.repository_mut(key) {
            data.labels.push(Label { id, name: name.into(), color: color.into(), description });
        }
    }

    // Releases.

    /// Adds a release and returns its id.
    pub(crate) fn add_release(&mut self, key: &RepoKey, release: Release) -> Option<u64> {
        let now = self.second();
        self.repository(key)?;
        let id = next(&mut self.counters.release);
        self.repository_mut(key)?.add_release(Release { id, ..release }, now);
        Some(id)
    }

    // Runs.

    /// Creates a run. A route that starts one calls [`announce`](Self::announce) as well.
    pub(crate) fn start_run(&mut self, key: &RepoKey, start: Start<'_>) -> Option<u64> {
        let now = self.second();
        let repository = self.repository(key)?;
        let full_name = repository.full_name();
        let head_sha = repository.head(start.git_ref);
        let workflow = repository.workflow(start.path);
        let workflow_name = workflow.map_or(start.path, |workflow| &workflow.name).to_owned();
        let definition = repository.definition(start.git_ref, start.path);
        let event = serde_json::json!({
            "inputs": start.inputs,
            "action": start.event_type,
            "client_payload": start.client_payload,
        });
        let contexts = contexts(start.actor, start.git_ref, &start.inputs, event);
        let name = definition.map(|definition| definition.title(&contexts, start.path));
        let number = self.runs_of(key).filter(|run| run.workflow == file_name(start.path)).count() as u64 + 1;
        let id = next(&mut self.counters.run);
        let run = Run {
            id,
            repository: full_name,
            workflow: file_name(start.path).into(),
            name: name.unwrap_or_else(|| workflow_name.clone()),
            workflow_name,
            git_ref: start.git_ref.into(),
            head_sha,
            event: start.event.into(),
            inputs: start.inputs,
            event_type: start.event_type.map(str::to_owned),
            client_payload: start.client_payload,
            actor: start.actor.into(),
            triggering_actor: start.actor.into(),
            status: "queued".into(),
            conclusion: None,
            attempt: 1,
            number,
            created_at: now,
            started_at: now,
            updated_at: now,
            jobs: Vec::new(),
            approvals: Vec::new(),
            earlier: Vec::new(),
        };
        self.database_mut().runs.insert(id, Arc::new(run));
        Some(id)
    }

    /// Sends a run that the API started to the subscribers.
    pub(crate) fn announce(&mut self, id: u64) {
        let Some(run) = self.run(id).cloned() else {
            return;
        };
        self.subscribers.retain(|subscriber| subscriber.send(run.clone()).is_ok());
    }

    /// All runs, by ascending id.
    pub(crate) fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.database.runs.values().map(Arc::as_ref)
    }

    pub(crate) fn run(&self, id: u64) -> Option<&Run> {
        self.database.runs.get(&id).map(Arc::as_ref)
    }

    fn run_mut(&mut self, id: u64) -> Option<&mut Run> {
        self.database_mut().runs.get_mut(&id).map(Arc::make_mut)
    }

    /// The runs of a repository, by ascending id.
    pub(crate) fn runs_of<'a>(&'a self, key: &RepoKey) -> impl DoubleEndedIterator<Item = &'a Run> {
        let key = key.clone();
        self.runs().filter(move |run| RepoKey::new(&run.repository) == key)
    }

    pub(crate) fn update_run(&mut self, id: u64, change: impl FnOnce(&mut Run)) {
        let now = self.second();
        if let Some(run) = self.run_mut(id) {
            change(run);
            run.updated_at = now;
        }
        self.complete_jobs(id, now);
    }

    pub(crate) fn delete_run(&mut self, id: u64) {
        let run = self.database_mut().runs.remove(&id);
        assert!(run.is_some(), "there is no run {id}");
    }

    pub(crate) fn add_job(&mut self, id: u64, job: Job) -> Option<u64> {
        let now = self.second();
        let run = self.run_mut(id)?;
        run.updated_at = now;
        run.jobs.push(Job { id: 0, ..job });
        run.wait();
        self.complete_jobs(id, now);
        self.run(id)?.jobs.last().map(|job| job.id)
    }

    /// Gives ids and times to new jobs.
    fn complete_jobs(&mut self, id: u64, now: DateTime<Utc>) {
        let mut last = self.counters.job;
        let Some(run) = self.run_mut(id) else {
            return;
        };
        for job in &mut run.jobs {
            if job.id == 0 {
                job.id = next(&mut last);
            }
            job.created_at.get_or_insert(now);
            job.started_at.get_or_insert(now);
            if job.is_completed() {
                job.completed_at.get_or_insert(now);
            }
        }
        self.counters.job = last;
    }

    /// A job of any attempt, and the run in that attempt.
    pub(crate) fn job(&self, id: u64) -> Option<(&Run, &Job)> {
        self.runs().find_map(|run| {
            std::iter::once(run).chain(&run.earlier).find_map(|attempt| {
                let job = attempt.jobs.iter().find(|job| job.id == id)?;
                Some((attempt, job))
            })
        })
    }
}
