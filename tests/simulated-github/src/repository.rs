//! Repositories: files, branches, workflows, people and issues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::World;
use crate::issue::{Issue, Label, same};
use crate::release::Release;
use crate::workflow::{Definition, Workflow, is_workflow_path};

/// A repository's name in lower case, since GitHub does not tell cases apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RepoKey(String);

impl RepoKey {
    pub(crate) fn new(full_name: &str) -> Self {
        Self(full_name.to_ascii_lowercase())
    }

    /// Whether it is the name of an owner, or of a repository of it.
    pub(crate) fn is_of(&self, owner: &str) -> bool {
        self.0.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(owner))
    }
}

/// The files of one commit, by path.
pub(crate) type Tree = BTreeMap<String, String>;

/// A commit: its files, and the commit before it.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    tree: Arc<Tree>,
    pub(crate) parent: Option<String>,
    pub(crate) message: String,
    /// The name that its author goes by, where it is not the owner.
    pub(crate) author: Option<String>,
}

/// A number of an issue, and what is there.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Here(Arc<Issue>),
    Deleted,
    Moved { repository: RepoKey, number: u64 },
}

/// A `repository_dispatch` event that was sent through the API.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DispatchEvent {
    /// The type of the event.
    pub event_type: String,
    /// Its payload.
    pub client_payload: Value,
    /// The login of who sent it.
    pub sender: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub(crate) struct RepositoryData {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) default_branch: String,
    pub(crate) private: bool,
    /// Whether all members of the owner's enterprise may read it; it is private, too.
    pub(crate) internal: bool,
    pub(crate) has_issues: bool,
    pub(crate) archived: bool,
    pub(crate) disabled: bool,
    pub(crate) has_actions: bool,
    pub(crate) created_at: DateTime<Utc>,
    members: BTreeMap<String, String>,
    /// The members, in lower case, of whom only they themselves and some tokens may know.
    private_members: BTreeSet<String>,
    /// By login in lower case.
    roles: BTreeMap<String, Role>,
    assignable: BTreeSet<String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) issues: BTreeMap<u64, Slot>,
    /// Commits by the full name of the ref, such as `refs/heads/main`.
    refs: BTreeMap<String, String>,
    commits: BTreeMap<String, Commit>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) events: Vec<DispatchEvent>,
    /// In the order in which they were made.
    pub(crate) releases: Vec<Release>,
    /// The digests that were attested, each with the statement.
    pub(crate) attestations: Vec<(String, serde_json::Value)>,
}

impl RepositoryData {
    pub(crate) fn new(id: u64, full_name: &str, created_at: DateTime<Utc>) -> Self {
        let (owner, name) = full_name.split_once('/').expect("a repository is named owner/name");
        let mut repository = Self {
            id,
            owner: owner.into(),
            name: name.into(),
            default_branch: "main".into(),
            private: false,
            internal: false,
            has_issues: true,
            archived: false,
            disabled: false,
            has_actions: true,
            created_at,
            members: BTreeMap::new(),
            private_members: BTreeSet::new(),
            roles: BTreeMap::new(),
            assignable: BTreeSet::new(),
            labels: Vec::new(),
            issues: BTreeMap::new(),
            refs: BTreeMap::new(),
            commits: BTreeMap::new(),
            workflows: Vec::new(),
            events: Vec::new(),
            releases: Vec::new(),
            attestations: Vec::new(),
        };
        repository.commit("main", Arc::default(), "Change files");
        repository
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    // People.

    pub(crate) fn set_member(&mut self, login: &str, association: &str) {
        self.members.insert(login.to_ascii_lowercase(), association.into());
    }

    pub(crate) fn set_assignable(&mut self, login: &str) {
        self.assignable.insert(login.into());
    }

    pub(crate) fn association(&self, login: &str) -> String {
        if same(login, &self.owner) {
            return "OWNER".into();
        }
        let member = self.members.get(&login.to_ascii_lowercase());
        member.cloned().unwrap_or_else(|| "NONE".into())
    }

    pub(crate) fn belongs(&self, login: &str) -> bool {
        matches!(self.association(login).as_str(), "OWNER" | "MEMBER" | "COLLABORATOR")
    }

    pub(crate) fn can_be_assigned(&self, login: &str) -> bool {
        self.belongs(login) || self.assignable.iter().any(|one| same(one, login))
    }

    /// Whether only a person themselves, and some tokens, may know that they are a member.
    pub(crate) fn hides(&self, login: &str) -> bool {
        self.private_members.contains(&login.to_ascii_lowercase())
    }

    /// The role that GitHub names for a person.
    pub(crate) fn role(&self, login: &str) -> Role {
        if let Some(role) = self.roles.get(&login.to_ascii_lowercase()) {
            return role.clone();
        }
        Role::named(match self.association(login).as_str() {
            "OWNER" => "admin",
            "MEMBER" | "COLLABORATOR" => "write",
            _ if self.private => "none",
            _ => "read",
        })
    }

    /// Logins that the repository knows of.
    pub(crate) fn logins(&self) -> impl Iterator<Item = &str> {
        let members = self.members.keys().map(String::as_str);
        let assignable = self.assignable.iter().map(String::as_str);
        std::iter::once(self.owner.as_str()).chain(members).chain(assignable)
    }

    // Files.

    /// Puts a commit with these files on a branch.
    fn commit(&mut self, branch: &str, tree: Arc<Tree>, message: &str) -> String {
        let seed = format!("commit {} {}", self.full_name(), self.commits.len());
        let (sha, full_name) = (sha1(seed.as_bytes()), format!("refs/heads/{branch}"));
        let parent = self.refs.get(&full_name).cloned();
        let message = message.to_owned();
        self.commits.insert(sha.clone(), Commit { tree, parent, message, author: None });
        self.set_ref(&full_name, &sha);
        sha
    }

    /// Writes a file onto a branch, which is created if it is not there.
    pub(crate) fn write(&mut self, branch: &str, path: &str, text: &str) {
        let mut tree = self.tree(branch).unwrap_or_default();
        Arc::make_mut(&mut tree).insert(path.into(), text.into());
        self.commit(branch, tree, "Change files");
    }

    /// Puts another commit on a branch, which is created at the head of the default branch if it is not there.
    pub(crate) fn push(&mut self, branch: &str, message: &str) -> String {
        let full_name = format!("refs/heads/{branch}");
        if !self.refs.contains_key(&full_name) {
            self.make_ref(&full_name);
        }
        let tree = self.tree(&full_name).unwrap_or_default();
        self.commit(branch, tree, message)
    }

    /// The same commit, with a message and an author of its own.
    pub(crate) fn push_as(&mut self, branch: &str, message: &str, author: &str) -> String {
        let sha = self.push(branch, message);
        if let Some(commit) = self.commits.get_mut(&sha) {
            commit.author = Some(author.to_owned());
        }
        sha
    }

    // Refs.

    /// All refs, and the commits that they are at, by their full names.
    pub(crate) fn refs(&self) -> &BTreeMap<String, String> {
        &self.refs
    }

    pub(crate) fn set_ref(&mut self, full_name: &str, sha: &str) {
        self.refs.insert(full_name.into(), sha.into());
    }

    /// Removes a ref, and says whether there was one.
    pub(crate) fn remove_ref(&mut self, full_name: &str) -> bool {
        self.refs.remove(full_name).is_some()
    }

    /// Makes a ref at the head of the default branch.
    pub(crate) fn make_ref(&mut self, full_name: &str) {
        let head = self.head(&self.default_branch);
        self.set_ref(full_name, &head);
    }

    pub(crate) fn rename_default_branch(&mut self, name: &str) {
        if let Some(sha) = self.refs.remove(&format!("refs/heads/{}", self.default_branch)) {
            self.refs.entry(format!("refs/heads/{name}")).or_insert(sha);
        }
        self.default_branch = name.into();
    }

    /// The full name and the commit of the branch or tag with this name, or of any ref that
    /// is named in full.
    fn resolved(&self, git_ref: &str) -> Option<(&String, &String)> {
        let names = [git_ref.to_owned(), format!("refs/heads/{git_ref}"), format!("refs/tags/{git_ref}")];
        names.iter().find_map(|name| self.refs.get_key_value(name))
    }

    /// The commit at which a branch or tag is, or the one with this hash. `heads/main` and `tags/v1` are names too.
    pub(crate) fn commit_at(&self, named: &str) -> Option<(&String, &Commit)> {
        let by_name = self.resolved(named).or_else(|| self.refs.get_key_value(&format!("refs/{named}")));
        self.commits.get_key_value(by_name.map_or(named, |(_, sha)| sha))
    }

    /// The branch or tag that `git_ref` names, without `refs/heads/` or `refs/tags/`.
    pub(crate) fn branch_or_tag<'a>(&self, git_ref: &'a str) -> Option<&'a str> {
        const KINDS: [&str; 2] = ["refs/heads/", "refs/tags/"];
        let (full_name, _) = self.resolved(git_ref)?;
        let kind = KINDS.into_iter().find(|kind| full_name.starts_with(kind))?;
        Some(git_ref.strip_prefix(kind).unwrap_or(git_ref))
    }

    /// The commit at the head of a branch or tag.
    pub(crate) fn head(&self, name: &str) -> String {
        let resolved = self.resolved(name);
        resolved.map_or_else(|| sha1(name.as_bytes()), |(_, sha)| sha.clone())
    }

    /// The files at a ref or a commit.
    pub(crate) fn tree(&self, git_ref: &str) -> Option<Arc<Tree>> {
        let sha = self.resolved(git_ref).map_or(git_ref, |(_, sha)| sha);
        self.commits.get(sha).map(|commit| Arc::clone(&commit.tree))
    }

    // Releases.

    /// Adds a release. The tag of a published one is made where it is not there.
    pub(crate) fn add_release(&mut self, mut release: Release, now: DateTime<Utc>) {
        let tag = format!("refs/tags/{}", release.tag);
        if !release.draft && !self.refs.contains_key(&tag) {
            let branch = self.default_branch.clone();
            let named = if release.target.is_empty() { &branch } else { &release.target };
            let sha = self.commit_at(named).map_or_else(|| self.head(&branch), |(sha, _)| sha.clone());
            self.set_ref(&tag, &sha);
        }
        if release.author.is_empty() {
            release.author.clone_from(&self.owner);
        }
        release.created_at.get_or_insert(now);
        if !release.draft {
            release.published_at.get_or_insert(now);
        }
        self.releases.push(release);
    }

    // Workflows.

    pub(crate) fn definition(&self, git_ref: &str, path: &str) -> Option<Definition> {
        Definition::parse(self.tree(git_ref)?.get(path)?)
    }

    /// Notes the workflow in a file, if it is one. GitHub forgets no workflow that it knew.
    pub(crate) fn register_workflow(&mut self, id: u64, path: &str, text: &str) {
        if !is_workflow_path(path) || !self.has_actions {
            return;
        }
        let Some(definition) = Definition::parse(text) else {
            return;
        };
        let name = definition.name.unwrap_or_else(|| path.to_owned());
        match self.workflows.iter_mut().find(|known| known.path == path) {
            Some(known) => known.name = name,
            None => self.workflows.push(Workflow { id, path: path.into(), name, enabled: true }),
        }
    }

    /// Finds a workflow by its file name, its path or its id.
    pub(crate) fn workflow(&self, named: &str) -> Option<&Workflow> {
        self.workflows.iter().find(|workflow| {
            workflow.file() == named || workflow.path == named || workflow.id.to_string() == named
        })
    }

    // Issues.

    pub(crate) fn issue(&self, number: u64) -> Option<&Issue> {
        match self.issues.get(&number)? {
            Slot::Here(issue) => Some(issue),
            Slot::Deleted | Slot::Moved { .. } => None,
        }
    }

    pub(crate) fn issue_mut(&mut self, number: u64) -> Option<&mut Issue> {
        match self.issues.get_mut(&number)? {
            Slot::Here(issue) => Some(Arc::make_mut(issue)),
            Slot::Deleted | Slot::Moved { .. } => None,
        }
    }

    pub(crate) fn all_issues(&self) -> impl DoubleEndedIterator<Item = &Issue> {
        self.issues.values().filter_map(|slot| match slot {
            Slot::Here(issue) => Some(issue.as_ref()),
            Slot::Deleted | Slot::Moved { .. } => None,
        })
    }

    pub(crate) fn all_issues_mut(&mut self) -> impl Iterator<Item = &mut Issue> {
        self.issues.values_mut().filter_map(|slot| match slot {
            Slot::Here(issue) => Some(Arc::make_mut(issue)),
            Slot::Deleted | Slot::Moved { .. } => None,
        })
    }

    /// The number of the issue that a comment is on.
    pub(crate) fn issue_of_comment(&self, id: u64) -> Option<u64> {
        self.all_issues().find(|issue| issue.comment(id).is_some()).map(|issue| issue.number)
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.issues.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    pub(crate) fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|label| same(&label.name, name))
    }
}

/// What a person may do in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its name.
    pub(crate) name: String,
    /// `none`, `read`, `triage`, `write`, `maintain` or `admin`.
    pub(crate) base: String,
}

impl Role {
    fn named(name: &str) -> Self {
        Self { name: name.into(), base: name.into() }
    }
}

/// A Git hash.
pub(crate) fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}

/// The hash that Git gives to a file.
pub(crate) fn blob_sha(text: &str) -> String {
    let object = [format!("blob {}\0", text.len()).as_bytes(), text.as_bytes()].concat();
    sha1(&object)
}

/// A handle on a repository, for setting it up. Cheap to clone; every method gives it back.
#[derive(Clone)]
pub struct Repository {
    pub(crate) world: World,
    pub(crate) key: RepoKey,
}

impl Repository {
    fn change(&self, change: impl FnOnce(&mut RepositoryData)) -> Self {
        let mut state = self.world.lock();
        let data = state.repository_mut(&self.key);
        change(data.expect("the repository has not been deleted"));
        self.clone()
    }

    /// Writes a file onto the default branch. A file under `.github/workflows` that has
    /// `on:` becomes a workflow.
    pub fn file(&self, path: &str, text: &str) -> Self {
        let id = self.world.lock().next_workflow_id();
        self.change(|data| {
            let branch = data.default_branch.clone();
            data.write(&branch, path, text);
            data.register_workflow(id, path, text);
        })
    }

    /// Writes a file onto another branch. What is on no default branch is no workflow yet.
    pub fn file_on(&self, branch: &str, path: &str, text: &str) -> Self {
        self.change(|data| data.write(branch, path, text))
    }

    /// Renames the default branch, `main` at first.
    pub fn default_branch(&self, name: &str) -> Self {
        self.change(|data| data.rename_default_branch(name))
    }

    /// Makes a branch at the head of the default branch, with the files it has now.
    pub fn branch(&self, name: &str) -> Self {
        self.change(|data| data.make_ref(&format!("refs/heads/{name}")))
    }

    /// Makes a tag at the head of the default branch, with the files it has now.
    pub fn tag(&self, name: &str) -> Self {
        self.change(|data| data.make_ref(&format!("refs/tags/{name}")))
    }

    /// Hides the repository from everyone but tokens that were granted something in it.
    pub fn private(&self) -> Self {
        self.change(|data| data.private = true)
    }

    /// Makes the repository one that all members of the owner's enterprise may read, and nobody else.
    pub fn internal(&self) -> Self {
        self.change(|data| (data.private, data.internal) = (true, true))
    }

    /// Switches issues off.
    pub fn issues_off(&self) -> Self {
        self.change(|data| data.has_issues = false)
    }

    /// Lets GitHub's staff switch the repository off.
    pub fn disabled(&self) -> Self {
        self.change(|data| data.disabled = true)
    }

    /// Switches Actions off: no workflow is started, and those whose files are written meanwhile are not known.
    pub fn actions_off(&self) -> Self {
        self.change(|data| data.has_actions = false)
    }

    /// Makes the repository read-only.
    pub fn archived(&self) -> Self {
        self.change(|data| data.archived = true)
    }

    /// Says what a person is to the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    /// The first three can be assigned.
    pub fn member(&self, login: &str, association: &str) -> Self {
        self.change(|data| data.set_member(login, association))
    }

    /// Makes a person a member whose membership is private: tokens that may not see it are told `CONTRIBUTOR`.
    pub fn private_member(&self, login: &str) -> Self {
        self.change(|data| {
            data.set_member(login, "MEMBER");
            data.private_members.insert(login.to_ascii_lowercase());
        })
    }

    /// Gives a person a role: `read`, `triage`, `write`, `maintain` or `admin`.
    pub fn role(&self, login: &str, role: &str) -> Self {
        self.custom_role(login, role, role)
    }

    /// Gives a person a role of the organization's own, which is based on one of GitHub's.
    pub fn custom_role(&self, login: &str, name: &str, base: &str) -> Self {
        self.world.lock().add_user(login);
        self.change(|data| {
            data.roles.insert(login.to_ascii_lowercase(), Role { name: name.into(), base: base.into() });
        })
    }

    /// Lets a person be assigned to issues.
    pub fn assignable(&self, login: &str) -> Self {
        self.change(|data| data.set_assignable(login))
    }

    /// Disables a workflow by hand.
    ///
    /// # Panics
    ///
    /// If the repository has no such workflow.
    pub fn disable_workflow(&self, file: &str) -> Self {
        self.change(|data| {
            let workflow = data.workflows.iter_mut().find(|known| known.file() == file);
            workflow.expect("the workflow was added by `file`").enabled = false;
        })
    }

    /// The commit at the head of a branch or tag.
    pub fn head(&self, name: &str) -> String {
        let state = self.world.lock();
        let data = state.repository(&self.key);
        data.expect("the repository has not been deleted").head(name)
    }

    /// Deletes the repository and everything in it.
    pub fn delete(&self) {
        self.world.lock().delete_repository(&self.key);
    }
}
