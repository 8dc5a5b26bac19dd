//! The world: tests set it up, let people act in it, and look at the result.

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

/// A simulated GitHub. Cheap to clone; all clones are the same world.
///
/// Its methods are acts of people: none of them is in [`story`](Self::story) or
/// [`exchanges`](Self::exchanges), which list only requests to the API.
///
/// Methods that name a repository, issue, comment or run panic if it does not exist, so that a test
/// with a misspelt name fails.
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
        let answer = act(&mut self.lock(), &key);
        answer.unwrap_or_else(|| panic!("{repository} or its part does not exist"))
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

    /// The time in the world.
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().now()
    }

    /// Lets time pass in the world without waiting. Sleeping tasks do not notice.
    pub fn advance(&self, time: Duration) {
        let time = TimeDelta::from_std(time).expect("the time fits into a `TimeDelta`");
        self.lock().advance(time);
    }

    // Repositories, tokens, people.

    /// The repository with this name, `owner/name`. A missing one is created.
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

    /// Renames a repository. Its old name redirects to the new one.
    pub fn rename(&self, from: &str, to: &str) {
        self.with(from, |state, key| state.rename_repository(key, to));
    }

    /// The token with this secret. A missing one is created.
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

    /// Adds a person who has no role in a repository.
    pub fn user(&self, login: &str) {
        self.lock().add_user(login);
    }

    /// Pushes a commit to a branch, and returns its hash. A missing branch is created.
    pub fn push(&self, repository: &str, branch: &str) -> String {
        self.push_with_message(repository, branch, "Change files")
    }

    /// As [`push`](Self::push), with a message.
    pub fn push_with_message(&self, repository: &str, branch: &str, message: &str) -> String {
        self.with(repository, |state, key| Some(state.repository_mut(key)?.push(branch, message)))
    }

    /// Makes a release, with its tag if the tag is missing, and returns its id.
    pub fn release(&self, repository: &str, release: Release) -> u64 {
        self.with(repository, |state, key| state.add_release(key, release))
    }

    /// Deletes the release of a tag. The tag stays.
    pub fn delete_release(&self, repository: &str, tag: &str) {
        self.with(repository, |state, key| {
            state.repository_mut(key)?.releases.retain(|release| release.tag != tag);
            Some(())
        });
    }

    /// Adds the attestation of a digest that `actions/attest-build-provenance` makes in a run of this workflow and commit.
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

    /// The releases of a repository, in the order of their creation.
    pub fn releases(&self, repository: &str) -> Vec<Release> {
        self.with(repository, |state, key| Some(state.repository(key)?.releases.clone()))
    }

    /// As [`push`](Self::push), with a message and the name of an author.
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

    /// Adds `count` small comments: `comment 1`, `comment 2`…
    pub fn comments(&self, repository: &str, number: u64, author: &str, count: usize) {
        self.with(repository, |state, key| {
            (1..=count).try_for_each(|nth| {
                let id = state.add_comment(key, number, author, &format!("comment {nth}"));
                id.map(|_| ())
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

    /// Hides a comment for this reason, such as `outdated`.
    pub fn minimize_comment(&self, id: u64, reason: &str) {
        let mut state = self.lock();
        let comment = state.comment_mut(id);
        comment.expect("there is such a comment").hide_reason = Some(reason.into());
    }

    /// Reacts to a comment: `+1`, `eyes` and so on.
    pub fn react(&self, id: u64, login: &str, content: &str) {
        let mut state = self.lock();
        let (key, number) = state.place_of_comment(id).expect("there is such a comment");
        state.react(&key, number, Some(id), login, content);
    }

    /// The reactions to a comment, in the order of their creation: `alice: eyes`.
    pub fn reactions(&self, id: u64) -> Vec<String> {
        let state = self.lock();
        let comment = state.comment(id).expect("there is such a comment");
        comment.reactions.iter().map(|it| format!("{}: {}", it.author, it.content)).collect()
    }

    /// The [`issue_comment`](https://docs.github.com/webhooks/webhook-events-and-payloads#issue_comment) event of a
    /// comment that its author has `created`, `edited` or `deleted`. Take the event of a deletion before the deletion.
    pub fn comment_event(&self, id: u64, action: &str) -> Value {
        let author = self.comment_view(id).expect("there is such a comment").author;
        self.comment_event_by(id, action, &author)
    }

    /// The same event of another sender.
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

    /// Replaces an issue's text.
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

    /// Puts a label on an issue, and adds it to the repository if the repository lacks it.
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

    /// Closes an issue for a reason such as `not_planned`, as the account `by`.
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
        self.with_issue(repository, number, |issue, _| issue.is_locked = true);
    }

    /// Unlocks an issue's conversation.
    pub fn unlock_issue(&self, repository: &str, number: u64) {
        self.with_issue(repository, number, |issue, _| issue.is_locked = false);
    }

    /// Deletes an issue. From then on, the API answers 410.
    pub fn delete_issue(&self, repository: &str, number: u64) {
        self.with(repository, |state, key| {
            let slot = state.repository_mut(key)?.issues.get_mut(&number)?;
            *slot = Slot::Deleted;
            Some(())
        });
    }

    /// Moves an issue to another repository and returns its number there. From then on, the API
    /// answers 301 at the old place.
    pub fn transfer_issue(&self, from: &str, number: u64, to: &str) -> u64 {
        let to = RepoKey::new(to);
        self.with(from, |state, key| state.transfer_issue(key, number, &to))
    }

    /// The present state of an issue.
    pub fn issue_view(&self, repository: &str, number: u64) -> Issue {
        self.find_issue(repository, number)
            .unwrap_or_else(|| panic!("there is no issue {number} in {repository}"))
    }

    /// The present state of an issue. `None` if it does not exist.
    pub fn find_issue(&self, repository: &str, number: u64) -> Option<Issue> {
        let state = self.lock();
        let repository = state.repository(&RepoKey::new(repository))?;
        repository.issue(number).cloned()
    }

    /// All issues of a repository, by ascending number. Empty if the repository does not exist.
    pub fn issues(&self, repository: &str) -> Vec<Issue> {
        let state = self.lock();
        let repository = state.repository(&RepoKey::new(repository));
        repository.map_or_else(Vec::new, |data| data.all_issues().cloned().collect())
    }

    /// The present state of a comment of any issue.
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

    /// Starts a run at the default branch, as an event outside the API does, and returns
    /// its id. Its actor is the repository's owner. [`update_run`](Self::update_run) changes its fields.
    pub fn start_run(&self, repository: &str, workflow: &str, event: &str) -> u64 {
        self.with(repository, |state, key| {
            let data = state.repository(key)?;
            let path = data
                .workflow(workflow)
                .map_or_else(|| format!(".github/workflows/{workflow}"), |workflow| workflow.path.clone());
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

    /// Changes a run. New jobs get an id.
    pub fn update_run(&self, id: u64, change: impl FnOnce(&mut Run)) {
        let mut state = self.lock();
        assert!(state.run(id).is_some(), "there is no run {id}");
        state.update_run(id, change);
    }

    /// Ends a run and its unfinished jobs with a conclusion.
    pub fn finish_run(&self, id: u64, conclusion: &str) {
        let now = self.lock().second();
        self.update_run(id, |run| run.finish(conclusion, now));
    }

    /// Ends a run and its unfinished jobs. The run has no conclusion until
    /// [`finish_run`](Self::finish_run) gives it one.
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

    /// Deletes a run, as people can after its end.
    pub fn delete_run(&self, id: u64) {
        self.lock().delete_run(id);
    }

    /// Queues another attempt of a run, without jobs.
    pub fn rerun(&self, id: u64) {
        let now = self.lock().second();
        self.update_run(id, |run| {
            let actor = run.actor.clone();
            run.restart(&actor, now, |_| false);
        });
    }

    /// Approves an environment that a run waits for: its first reviewer that is a person does so, or else the
    /// repository's owner. The run goes on after its wait timer has ended.
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

    /// Adds a job to the latest attempt of a run and returns its id. The run is `waiting` if all of its unfinished
    /// jobs wait for an environment.
    pub fn add_job(&self, run: u64, job: Job) -> u64 {
        let id = self.lock().add_job(run, job);
        id.unwrap_or_else(|| panic!("there is no run {run}"))
    }

    /// Receives each run that the API starts from now on, by either kind of dispatch.
    pub fn started_runs(&self) -> mpsc::UnboundedReceiver<Run> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    /// The `repository_dispatch` events that a repository got through the API.
    pub fn dispatch_events(&self, repository: &str) -> Vec<DispatchEvent> {
        self.with(repository, |state, key| Some(state.repository(key)?.events.clone()))
    }

    // Requests to the API.

    /// All requests and their answers, in the order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// Clears the list of exchanges.
    pub fn clear_exchanges(&self) {
        self.lock().exchanges.clear();
    }

    /// All requests for logs of jobs, in the order of arrival. They are not exchanges.
    pub fn downloads(&self) -> Vec<Download> {
        self.lock().downloads.clone()
    }

    /// Makes the server with the logs of jobs ignore `range`: it gives whole logs only.
    pub fn logs_without_ranges(&self) {
        self.lock().log_server = LogServer::GivesAll;
    }

    /// Makes that server give no logs.
    pub fn logs_down(&self) {
        self.lock().log_server = LogServer::IsDown;
    }

    /// One line for each change that the API made, in order:
    ///
    /// ```text
    /// acme/hub#1  opened by acme-release[bot]: Release 1.4.0
    /// acme/web  started release.yml at main (channel=beta)
    /// acme/hub#1  comment 1001 added
    /// ```
    ///
    /// A request that changes nothing has no line.
    pub fn story(&self) -> String {
        self.lock().story.join("\n")
    }

    /// Clears the story.
    pub fn clear_story(&self) {
        self.lock().story.clear();
    }

    /// Requests to routes that the simulation lacks, such as `GET /gists`.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.lock().unknown_routes.clone()
    }

    /// Asserts that the simulation has a route for each request so far.
    ///
    /// # Panics
    ///
    /// If it lacks one.
    pub fn assert_known_routes(&self) {
        let routes = self.unknown_routes();
        assert!(routes.is_empty(), "the simulated GitHub lacks these routes: {routes:?}");
    }

    /// The times at which issues and comments were created through the API.
    pub fn content_creations(&self) -> Vec<DateTime<Utc>> {
        self.lock().limits.content.clone()
    }

    /// The points of all requests, by GitHub's secondary limits: a GET costs one, a write
    /// five. A request with a fault and an answer with 304 cost points, too; a request that a limit refuses does not.
    pub fn points(&self) -> u64 {
        self.lock().limits.points()
    }

    /// The most points of one token within a minute. GitHub allows 900.
    pub fn most_points_a_minute(&self) -> u64 {
        self.lock().limits.most_points_a_minute()
    }

    /// The most issues and comments that one token created within a minute. GitHub
    /// allows 80, and 500 within an hour.
    pub fn most_creations_a_minute(&self) -> u64 {
        self.lock().limits.most_creations_a_minute()
    }

    /// The most requests of one token at once. GitHub allows 100.
    pub fn most_at_once(&self) -> u64 {
        self.lock().limits.most_at_once()
    }

    /// The number of requests that a limit refused: the limit of the hour, a secondary limit, or
    /// [`content_creation_limit`](Self::content_creation_limit). A fault is not a limit.
    pub fn limit_refusals(&self) -> usize {
        self.lock().limits.refusals
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

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Sets the latency of each request, by its method and path. Half of it passes
    /// before the effect, half after it.
    pub fn latency(&self, draw: impl Fn(&Method, &str) -> Duration + Send + Sync + 'static) {
        self.lock().latency = Some(Box::new(draw));
    }

    /// Sets the age of each answer to a GET, by its method and path: the answer has
    /// repositories, issues, comments, runs, files and refs of that moment in the past.
    /// Permissions, limits and the header `date` are of the present, and so are other methods.
    ///
    /// The world keeps its past from the first use of this, [`index_lag`](Self::index_lag) or
    /// [`Kind::Lag`](crate::Kind::Lag) on, for 15 minutes. A longer lag gets the oldest state.
    pub fn lag(&self, draw: impl Fn(&Method, &str) -> Duration + Send + Sync + 'static) {
        let mut state = self.lock();
        state.replicas.keep();
        state.replicas.lag = Some(Box::new(draw));
    }

    /// Makes the header `date` of every answer wrong by this time, as a proxy with its own clock may.
    pub fn wrong_date(&self, by: TimeDelta) {
        self.lock().date_error = by;
    }

    /// Adds this lag to lists of runs with a filter by `actor`, `branch`, `created`, `event`,
    /// `head_sha` or `status`: GitHub takes them from a search index.
    pub fn index_lag(&self, lag: Duration) {
        let mut state = self.lock();
        state.replicas.keep();
        state.replicas.index_lag = lag;
    }

    /// Sets whether an old answer has the newer issues and comments that the same token wrote. It lacks the
    /// newer texts of other tokens in any case.
    pub fn lag_shows_own_writes(&self, shows: bool) {
        self.lock().replicas.own_writes = shows;
    }

    /// Sets the number of requests that a token may send in an hour. The default is 5,000.
    pub fn rate_limit(&self, hourly: u64) {
        self.lock().limits.hourly = hourly;
    }

    /// Sets the number of issues and comments that may be created in a minute. By default, there is no
    /// limit; GitHub's own limit is 80.
    pub fn content_creation_limit(&self, per_minute: usize) {
        self.lock().limits.content_per_minute = Some(per_minute as u64);
    }

    /// Refuses requests that exceed GitHub's secondary limits: for each token 900 points a minute, 80
    /// issues and comments a minute and 500 an hour, and 100 requests at once. Without this, the world
    /// only counts them.
    pub fn secondary_limits(&self) {
        self.lock().limits.secondary = true;
    }

    /// Plays GitHub Enterprise Server of this release, such as `3.20`. Before 3.21, it refuses
    /// `return_run_details` and a workflow takes 10 inputs; before 3.20, it cannot pin comments.
    ///
    /// # Panics
    ///
    /// If the release is not two numbers with a dot between them.
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

    /// Makes every link in the world start with `url`, the address of its server.
    pub(crate) fn set_url(&self, url: &str) {
        let mut state = self.lock();
        state.links = match state.ghes {
            Some(_) => Links::enterprise(url),
            None => Links::served(url),
        };
    }
}
