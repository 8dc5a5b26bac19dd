//! The world: set it up, let people act in it, look at what became of it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::issue::{Comment, Issue};
use crate::joblog::{Download, LogServer};
use crate::json::{self, Links};
use crate::release::Release;
use crate::repository::{DispatchEvent, RepoKey, Repository, RepositoryData, Slot};
use crate::run::{Job, Run};
use crate::service::Service;
use crate::state::{Ghes, Start, State};
use crate::token::Token;

/// A GitHub of its own. Cheap to clone; all clones are the same world.
///
/// What its methods do, people do: nothing of it is in [`story`](Self::story) or
/// [`exchanges`](Self::exchanges), which tell what came through the API.
///
/// Methods that name a repository, issue, comment or run panic if there is none: a test
/// that misspells a name should hear of it.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world. Its clock starts at 2026-01-05T09:00:00Z, a Monday.
    pub fn new() -> Self {
        let start = DateTime::from_timestamp(1_767_603_600, 0);
        Self::at(start.expect("the number is a valid timestamp"))
    }

    /// An empty world whose clock starts at this moment.
    pub fn at(start: DateTime<Utc>) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(start))) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn with<T>(&self, repository: &str, act: impl FnOnce(&mut State, &RepoKey) -> Option<T>) -> T {
        let key = RepoKey::new(repository);
        let done = act(&mut self.lock(), &key);
        done.unwrap_or_else(|| panic!("there is no such thing in {repository}"))
    }

    fn with_issue<T>(
        &self,
        repository: &str,
        number: u64,
        act: impl FnOnce(&mut Issue, DateTime<Utc>) -> T,
    ) -> T {
        self.with(repository, |state, key| {
            let now = state.second();
            let issue = state.repository_mut(key)?.issue_mut(number)?;
            Some(act(issue, now))
        })
    }

    // Time.

    /// The moment that it is in the world.
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().now()
    }

    /// Lets time pass in the world without waiting. Sleeping tasks do not notice.
    pub fn advance(&self, time: Duration) {
        let time = TimeDelta::from_std(time).expect("the time is no longer than an age");
        self.lock().advance(time);
    }

    // Repositories, tokens, people.

    /// The repository with this name, `owner/name`. Created if it is not there.
    ///
    /// # Panics
    ///
    /// If the name has no `/`.
    pub fn repository(&self, full_name: &str) -> Repository {
        let key = self.lock().create_repository(full_name);
        Repository { world: self.clone(), key }
    }

    /// The names of all repositories.
    pub fn repositories(&self) -> Vec<String> {
        let state = self.lock();
        state.repositories().map(RepositoryData::full_name).collect()
    }

    /// Renames a repository. Its old name redirects from then on.
    pub fn rename(&self, from: &str, to: &str) {
        self.with(from, |state, key| state.rename_repository(key, to));
    }

    /// The token with this secret. Created if it is not there.
    pub fn token(&self, secret: &str) -> Token {
        self.lock().token_mut(secret);
        Token { world: self.clone(), secret: secret.to_owned() }
    }

    /// The full names of a repository's refs, such as `refs/heads/main`.
    pub fn refs(&self, repository: &str) -> Vec<String> {
        self.with(repository, |state, key| Some(state.repository(key)?.refs().keys().cloned().collect()))
    }

    /// The commit at the head of a branch or tag.
    pub fn head(&self, repository: &str, name: &str) -> String {
        self.with(repository, |state, key| Some(state.repository(key)?.head(name)))
    }

    /// Lets a person exist who does nothing else.
    pub fn user(&self, login: &str) {
        self.lock().add_user(login);
    }

    /// Pushes a commit to a branch, and returns its hash. A branch that is not there is created.
    pub fn push(&self, repository: &str, branch: &str) -> String {
        self.push_saying(repository, branch, "Change files")
    }

    /// The same, with a message.
    pub fn push_saying(&self, repository: &str, branch: &str, message: &str) -> String {
        self.with(repository, |state, key| Some(state.repository_mut(key)?.push(branch, message)))
    }

    /// Makes a release, with its tag if that is not there, and returns its id.
    pub fn release(&self, repository: &str, release: Release) -> u64 {
        self.with(repository, |state, key| state.add_release(key, release))
    }

    /// Deletes the release of a tag, which stays.
    pub fn delete_release(&self, repository: &str, tag: &str) {
        self.with(repository, |state, key| {
            state.repository_mut(key)?.releases.retain(|release| release.tag != tag);
            Some(())
        });
    }

    /// Attests a digest, as `actions/attest-build-provenance` does in a run of this workflow and commit.
    pub fn attest(&self, repository: &str, digest: &str, workflow: &str, commit: &str) {
        let url = format!("https://github.com/{repository}");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "web.tar.gz", "digest": { "sha256": digest.trim_start_matches("sha256:") } }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": { "workflow": {
                    "ref": "refs/heads/main",
                    "repository": url,
                    "path": format!(".github/workflows/{workflow}"),
                } },
                "resolvedDependencies": [{
                    "uri": format!("git+{url}@refs/heads/main"),
                    "digest": { "gitCommit": commit },
                }],
            } },
        });
        self.with(repository, |state, key| {
            state.repository_mut(key)?.attestations.push((digest.to_owned(), statement));
            Some(())
        });
    }

    /// The releases of a repository, in the order in which they were made.
    pub fn releases(&self, repository: &str) -> Vec<Release> {
        self.with(repository, |state, key| Some(state.repository(key)?.releases.clone()))
    }

    /// The same, with a message and the name of an author.
    pub fn push_as(&self, repository: &str, branch: &str, message: &str, author: &str) -> String {
        self.with(repository, |state, key| Some(state.repository_mut(key)?.push_as(branch, message, author)))
    }

    // Issues and comments.

    /// Opens an issue and returns its number.
    pub fn issue(&self, repository: &str, title: &str, body: &str, author: &str) -> u64 {
        self.with(repository, |state, key| state.open_issue(key, title, body, author))
    }

    /// Opens a pull request and returns its number. It has no commits, and the API shows it as an issue.
    pub fn pull_request(&self, repository: &str, title: &str, author: &str) -> u64 {
        let number = self.issue(repository, title, "", author);
        self.with_issue(repository, number, |issue, _| issue.is_pull_request = true);
        number
    }

    /// Adds a comment and returns its id.
    pub fn comment(&self, repository: &str, number: u64, author: &str, body: &str) -> u64 {
        self.with(repository, |state, key| state.add_comment(key, number, author, body))
    }

    /// Adds so many small comments: `comment 1`, `comment 2`…
    pub fn comments(&self, repository: &str, number: u64, author: &str, count: usize) {
        self.with(repository, |state, key| {
            (1..=count).try_for_each(|nth| {
                let added = state.add_comment(key, number, author, &format!("comment {nth}"));
                added.map(|_| ())
            })
        });
    }

    /// Edits a comment.
    pub fn edit_comment(&self, id: u64, body: &str) {
        let mut state = self.lock();
        let now = state.second();
        let comment = state.comment_mut(id);
        comment.expect("there is such a comment").edit(body, now);
    }

    /// Hides a comment for this reason, such as `outdated`, as people can.
    pub fn minimize_comment(&self, id: u64, reason: &str) {
        let mut state = self.lock();
        let comment = state.comment_mut(id);
        comment.expect("there is such a comment").minimized = Some(reason.into());
    }

    /// Reacts to a comment: `+1`, `eyes` and so on.
    pub fn react(&self, id: u64, login: &str, content: &str) {
        let mut state = self.lock();
        let (key, number) = state.place_of_comment(id).expect("there is such a comment");
        state.react(&key, number, Some(id), login, content);
    }

    /// The reactions to a comment, in the order in which they were added: `alice: eyes`.
    pub fn reactions(&self, id: u64) -> Vec<String> {
        let state = self.lock();
        let comment = state.comment(id).expect("there is such a comment");
        comment.reactions.iter().map(|it| format!("{}: {}", it.author, it.content)).collect()
    }

    /// The [`issue_comment`](https://docs.github.com/webhooks/webhook-events-and-payloads#issue_comment) event that a
    /// comment brings about: its author has `created`, `edited` or `deleted` it. Take that of a deletion before the
    /// comment is deleted.
    pub fn comment_event(&self, id: u64, action: &str) -> Value {
        let author = self.comment_view(id).expect("there is such a comment").author;
        self.comment_event_by(id, action, &author)
    }

    /// The same, of somebody else.
    pub fn comment_event_by(&self, id: u64, action: &str, sender: &str) -> Value {
        let state = self.lock();
        let (key, number) = state.place_of_comment(id).expect("there is such a comment");
        let repository = state.repository(&key).expect("the comment is in it");
        let issue = repository.issue(number).expect("the comment is on it");
        let comment = issue.comment(id).expect("the comment is on the issue");
        json::comment_event(&state.links, repository, issue, comment, action, sender)
    }

    /// Deletes a comment.
    pub fn delete_comment(&self, repository: &str, id: u64) {
        self.with(repository, |state, key| {
            let repository = state.repository_mut(key)?;
            let number = repository.issue_of_comment(id)?;
            let issue = repository.issue_mut(number)?;
            issue.comments.retain(|comment| comment.id != id);
            Some(())
        });
    }

    /// Edits an issue's text.
    pub fn edit_issue_body(&self, repository: &str, number: u64, body: &str) {
        self.with_issue(repository, number, |issue, now| {
            issue.body = body.into();
            issue.updated_at = now;
        });
    }

    /// Edits an issue's title.
    pub fn edit_issue_title(&self, repository: &str, number: u64, title: &str) {
        self.with_issue(repository, number, |issue, now| {
            issue.title = title.into();
            issue.updated_at = now;
        });
    }

    /// Puts a label on an issue. The repository gets it too, if it has none of the name.
    pub fn label_issue(&self, repository: &str, number: u64, label: &str) {
        self.with(repository, |state, key| {
            let label = state.ensure_label(key, label);
            let issue = state.repository_mut(key)?.issue_mut(number)?;
            if !issue.labels.contains(&label) {
                issue.labels.push(label);
            }
            Some(())
        });
    }

    /// Assigns a person to an issue.
    pub fn assign_issue(&self, repository: &str, number: u64, login: &str) {
        self.lock().add_user(login);
        self.with_issue(repository, number, |issue, _| {
            issue.assignees.push(login.into());
        });
    }

    /// Closes an issue as completed.
    pub fn close_issue(&self, repository: &str, number: u64) {
        self.with_issue(repository, number, |issue, now| {
            issue.close("completed", "ghost", now);
        });
    }

    /// Closes an issue for this reason, by this account: `not_planned`, for example.
    pub fn close_issue_as(&self, repository: &str, number: u64, reason: &str, by: &str) {
        self.with_issue(repository, number, |issue, now| issue.close(reason, by, now));
    }

    /// Takes a label off an issue.
    pub fn unlabel_issue(&self, repository: &str, number: u64, label: &str) {
        self.with_issue(repository, number, |issue, _| issue.labels.retain(|one| one != label));
    }

    /// Opens a closed issue again.
    pub fn reopen_issue(&self, repository: &str, number: u64) {
        self.with_issue(repository, number, |issue, now| issue.reopen(now));
    }

    /// Locks an issue's conversation.
    pub fn lock_issue(&self, repository: &str, number: u64) {
        self.with_issue(repository, number, |issue, _| issue.locked = true);
    }

    /// Unlocks an issue's conversation.
    pub fn unlock_issue(&self, repository: &str, number: u64) {
        self.with_issue(repository, number, |issue, _| issue.locked = false);
    }

    /// Deletes an issue. The API answers 410 from then on.
    pub fn delete_issue(&self, repository: &str, number: u64) {
        self.with(repository, |state, key| {
            let slot = state.repository_mut(key)?.issues.get_mut(&number)?;
            *slot = Slot::Deleted;
            Some(())
        });
    }

    /// Moves an issue to another repository and returns its number there. The API
    /// answers 301 at the old place from then on.
    pub fn transfer_issue(&self, from: &str, number: u64, to: &str) -> u64 {
        let to = RepoKey::new(to);
        self.with(from, |state, key| state.transfer_issue(key, number, &to))
    }

    /// An issue as it is now.
    pub fn issue_view(&self, repository: &str, number: u64) -> Issue {
        self.find_issue(repository, number)
            .unwrap_or_else(|| panic!("there is no issue {number} in {repository}"))
    }

    /// An issue as it is now, if it is there.
    pub fn find_issue(&self, repository: &str, number: u64) -> Option<Issue> {
        let state = self.lock();
        let repository = state.repository(&RepoKey::new(repository))?;
        repository.issue(number).cloned()
    }

    /// All issues of a repository, by ascending number. None if there is no repository.
    pub fn issues(&self, repository: &str) -> Vec<Issue> {
        let state = self.lock();
        let repository = state.repository(&RepoKey::new(repository));
        repository.map_or_else(Vec::new, |data| data.all_issues().cloned().collect())
    }

    /// A comment as it is now, wherever it is.
    pub fn comment_view(&self, id: u64) -> Option<Comment> {
        self.lock().comment(id).cloned()
    }

    // Runs.

    /// All runs of a repository, by ascending id.
    pub fn runs(&self, repository: &str) -> Vec<Run> {
        let state = self.lock();
        state.runs_of(&RepoKey::new(repository)).cloned().collect()
    }

    /// The run with this id.
    pub fn run(&self, id: u64) -> Option<Run> {
        self.lock().run(id).cloned()
    }

    /// Starts a run at the default branch as an event outside the API would, and returns
    /// its id. Its actor is the repository's owner; [`update_run`](Self::update_run)
    /// changes what should be different.
    pub fn start_run(&self, repository: &str, workflow: &str, event: &str) -> u64 {
        self.with(repository, |state, key| {
            let data = state.repository(key)?;
            let path = data
                .workflow(workflow)
                .map_or_else(|| format!(".github/workflows/{workflow}"), |known| known.path.clone());
            let (git_ref, actor) = (data.default_branch.clone(), data.owner.clone());
            let start = Start {
                path: &path,
                git_ref: &git_ref,
                event,
                inputs: Map::new(),
                event_type: None,
                client_payload: Value::Null,
                actor: &actor,
            };
            state.start_run(key, start)
        })
    }

    /// Changes a run. Jobs without an id get one.
    pub fn update_run(&self, id: u64, change: impl FnOnce(&mut Run)) {
        let mut state = self.lock();
        assert!(state.run(id).is_some(), "there is no run {id}");
        state.update_run(id, change);
    }

    /// Ends a run with a conclusion, and with it every job that has not ended.
    pub fn finish_run(&self, id: u64, conclusion: &str) {
        let now = self.lock().second();
        self.update_run(id, |run| run.finish(conclusion, now));
    }

    /// Ends a run, and every job that has not ended, and does not say yet how the run ended:
    /// [`finish_run`](Self::finish_run) says it.
    pub fn end_run(&self, id: u64) {
        let now = self.lock().second();
        self.update_run(id, |run| {
            run.finish("success", now);
            run.conclusion = None;
        });
    }

    /// Cancels a run that waits for its concurrency group, as a newer run of the group does: it has no jobs.
    pub fn supersede_run(&self, id: u64) {
        let now = self.lock().second();
        self.update_run(id, |run| {
            run.jobs.clear();
            run.finish("cancelled", now);
        });
    }

    /// Deletes a run, as a person can when it has ended.
    pub fn delete_run(&self, id: u64) {
        self.lock().delete_run(id);
    }

    /// Queues another attempt of a run, which has no jobs yet.
    pub fn rerun(&self, id: u64) {
        let now = self.lock().second();
        self.update_run(id, |run| {
            let actor = run.actor.clone();
            run.restart(&actor, now, |_| false);
        });
    }

    /// Approves an environment that a run waits for. The run goes on when its wait timer is over. Its first reviewer
    /// that is a person does so, else the repository's owner.
    pub fn approve(&self, run: u64, environment: &str) {
        let now = self.lock().second();
        self.update_run(run, |run| {
            let by = run.reviewer_of(environment);
            run.approve(environment, &by, now);
        });
    }

    /// Ends a run's wait for an environment, as a wait timer or a custom protection rule does.
    pub fn let_go(&self, run: u64, environment: &str) {
        self.update_run(run, |run| run.let_go(environment, |_, _| true));
    }

    /// Adds a job to the latest attempt of a run and returns its id. A run of which only jobs that wait
    /// for an environment are left is `waiting`.
    pub fn add_job(&self, run: u64, job: Job) -> u64 {
        let id = self.lock().add_job(run, job);
        id.unwrap_or_else(|| panic!("there is no run {run}"))
    }

    /// Each run that the API starts from now on, by either kind of dispatch.
    pub fn started(&self) -> mpsc::UnboundedReceiver<Run> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    /// The `repository_dispatch` events that a repository got through the API.
    pub fn dispatch_events(&self, repository: &str) -> Vec<DispatchEvent> {
        self.with(repository, |state, key| Some(state.repository(key)?.events.clone()))
    }

    // What came through the API.

    /// Every request and its answer, in order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// Forgets the exchanges so far.
    pub fn clear_exchanges(&self) {
        self.lock().exchanges.clear();
    }

    /// Every request for the log of a job, in order of arrival. They are no exchanges.
    pub fn downloads(&self) -> Vec<Download> {
        self.lock().downloads.clone()
    }

    /// Lets the server with the logs of jobs give whole logs only, whatever part is asked for.
    pub fn logs_without_ranges(&self) {
        self.lock().log_server = LogServer::GivesAll;
    }

    /// Lets that server give no logs.
    pub fn logs_down(&self) {
        self.lock().log_server = LogServer::IsDown;
    }

    /// One line for each change that the API made, in the order in which they happened:
    ///
    /// ```text
    /// acme/hub#1  opened by acme-release[bot]: Release 1.4.0
    /// acme/web  started release.yml at main (channel=beta)
    /// acme/hub#1  comment 1001 added
    /// ```
    ///
    /// A request that leaves everything as it was has no line.
    pub fn story(&self) -> String {
        self.lock().story.join("\n")
    }

    /// Forgets the story so far.
    pub fn clear_story(&self) {
        self.lock().story.clear();
    }

    /// Requests to routes that the simulation lacks, such as `GET /gists`.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.lock().unknown_routes.clone()
    }

    /// Fails if a request asked for a route that the simulation lacks.
    ///
    /// # Panics
    ///
    /// Then.
    pub fn assert_known_routes(&self) {
        let unknown = self.unknown_routes();
        assert!(unknown.is_empty(), "the simulated GitHub lacks these routes: {unknown:?}");
    }

    /// When each issue and comment was created through the API.
    pub fn content_creations(&self) -> Vec<DateTime<Utc>> {
        self.lock().limits.content.clone()
    }

    /// The points of all requests, by GitHub's secondary limits: a GET costs one, a write
    /// five. So do requests that meet a fault and answers with 304, but not what a limit refused.
    pub fn points(&self) -> u64 {
        self.lock().limits.points()
    }

    /// The most points that one token ever spent within a minute. GitHub allows 900.
    pub fn most_points_a_minute(&self) -> u64 {
        self.lock().limits.most_points_a_minute()
    }

    /// The most issues and comments that one token ever created within a minute. GitHub
    /// allows 80, and 500 within an hour.
    pub fn most_creations_a_minute(&self) -> u64 {
        self.lock().limits.most_creations_a_minute()
    }

    /// The most requests of one token that were ever under way at once. GitHub allows 100.
    pub fn most_at_once(&self) -> u64 {
        self.lock().limits.most_at_once()
    }

    /// How many requests a limit has refused: the hour's, a secondary one, or that of
    /// [`content_creation_limit`](Self::content_creation_limit). A fault is not a limit.
    pub fn limited(&self) -> usize {
        self.lock().limits.refused
    }

    // Bad days.

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        let mut state = self.lock();
        if fault.lags() {
            state.replicas.keep();
        }
        state.faults.push(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Draws the latency of each request from its method and path. Half of it passes
    /// before the effect and half after.
    pub fn latency(&self, draw: impl Fn(&Method, &str) -> Duration + Send + Sync + 'static) {
        self.lock().latency = Some(Box::new(draw));
    }

    /// Draws for each GET from its method and path how old the answer is: it tells of
    /// repositories, issues, comments, runs, files and refs as they were that long ago.
    /// Who may ask, what the limits are and the `Date` are of the present, and so is what
    /// other methods see.
    ///
    /// The past is kept from the first use of this, [`index_lag`](Self::index_lag) or
    /// [`Kind::Lag`](crate::Kind::Lag) on, and for 15 minutes; a lag that reaches further
    /// back gets the oldest there is.
    pub fn lag(&self, draw: impl Fn(&Method, &str) -> Duration + Send + Sync + 'static) {
        let mut state = self.lock();
        state.replicas.keep();
        state.replicas.lag = Some(Box::new(draw));
    }

    /// Makes the header `date` of every answer wrong by so much, as a proxy may that has a clock of its own.
    pub fn wrong_date(&self, by: TimeDelta) {
        self.lock().date_off = by;
    }

    /// Makes lists of runs that are filtered by `actor`, `branch`, `created`, `event`,
    /// `head_sha` or `status` this much older still: GitHub takes them from a search index.
    pub fn index_lag(&self, lag: Duration) {
        let mut state = self.lock();
        state.replicas.keep();
        state.replicas.index_lag = lag;
    }

    /// Lets an old answer hold, as they are now, the issues and comments that the same token
    /// wrote since. What others wrote is missing all the same.
    pub fn lag_shows_own_writes(&self, shows: bool) {
        self.lock().replicas.own_writes = shows;
    }

    /// Sets how many requests a token may send in an hour: 5,000 at first.
    pub fn rate_limit(&self, hourly: u64) {
        self.lock().limits.hourly = hourly;
    }

    /// Sets how many issues and comments may be created in a minute: any number at first.
    /// GitHub's own limit is 80.
    pub fn content_creation_limit(&self, per_minute: usize) {
        self.lock().limits.content_per_minute = Some(per_minute as u64);
    }

    /// Refuses what is over GitHub's secondary limits: for each token 900 points a minute, 80
    /// issues and comments a minute and 500 an hour, and 100 requests at once. At first they
    /// are only counted.
    pub fn secondary_limits(&self) {
        self.lock().limits.secondary = true;
    }

    /// Plays GitHub Enterprise Server of this release, such as `3.20`: `return_run_details`
    /// is refused and a workflow takes 10 inputs before 3.21; comments cannot be pinned
    /// before 3.20.
    ///
    /// # Panics
    ///
    /// If the release is not two numbers.
    pub fn ghes(&self, release: &str) {
        let numbers = release
            .split_once('.')
            .and_then(|(major, minor)| Some(Ghes(major.parse().ok()?, minor.parse().ok()?)));
        let mut state = self.lock();
        state.ghes = Some(numbers.expect("a release is written `3.20`"));
        let web = state.links.web.clone();
        state.links = Links::enterprise(&web);
    }

    // Doors.

    /// The API as a [`tower::Service`], for use without a socket.
    pub fn service(&self) -> Service {
        Service::new(self.clone())
    }

    /// Makes every link in the world start with `url`, where the world is served.
    pub(crate) fn served_at(&self, url: &str) {
        let mut state = self.lock();
        state.links = match state.ghes {
            Some(_) => Links::enterprise(url),
            None => Links::served(url),
        };
    }
}
