//! Repositories: files, branches, workflows, people and issues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::World;
use crate::issue::{Issue, Label, same};
use crate::release::Release;
use crate::workflow::{Definition, Workflow, is_workflow_path};

/// A repository's name in lower case: GitHub ignores case in names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RepoKey(String);

impl RepoKey {
    pub(crate) fn new(full_name: &str) -> Self {
        Self(full_name.to_ascii_lowercase())
    }

    /// Whether it names this owner, or one of its repositories.
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
    /// The name of its author, if the author is not the owner.
    pub(crate) author: Option<String>,
}

/// The issue at a number, or its fate.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Here(Arc<Issue>),
    Deleted,
    Moved { repository: RepoKey, number: u64 },
}

/// A `repository_dispatch` event from the API.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DispatchEvent {
    /// The type of the event.
    pub event_type: String,
    /// Its payload.
    pub client_payload: Value,
    /// The login of its sender.
    pub sender: String,
    /// The time of the request.
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub(crate) struct RepositoryData {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) default_branch: String,
    pub(crate) is_private: bool,
    /// Whether all members of the owner's enterprise may read it. An internal repository is private, too.
    pub(crate) is_internal: bool,
    pub(crate) has_issues: bool,
    pub(crate) is_archived: bool,
    pub(crate) is_disabled: bool,
    pub(crate) has_actions: bool,
    pub(crate) created_at: DateTime<Utc>,
    members: BTreeMap<String, String>,
    /// The private members, in lower case: only they themselves and some tokens see their membership.
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
    /// In the order of their creation.
    pub(crate) releases: Vec<Release>,
    /// The digests, each with its statement.
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
            is_private: false,
            is_internal: false,
            has_issues: true,
            is_archived: false,
            is_disabled: false,
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

    /// Whether only the person and some tokens see this membership.
    pub(crate) fn hides(&self, login: &str) -> bool {
        self.private_members.contains(&login.to_ascii_lowercase())
    }

    /// The role of a person, as GitHub gives it.
    pub(crate) fn role(&self, login: &str) -> Role {
        if let Some(role) = self.roles.get(&login.to_ascii_lowercase()) {
            return role.clone();
        }
        Role::standard(match self.association(login).as_str() {
            "OWNER" => "admin",
            "MEMBER" | "COLLABORATOR" => "write",
            _ if self.is_private => "none",
            _ => "read",
        })
    }

    /// The logins of its owner, its members and its possible assignees.
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

    /// Writes a file onto a branch. A missing branch is created, without other files.
    pub(crate) fn write(&mut self, branch: &str, path: &str, text: &str) {
        let mut tree = self.tree(branch).unwrap_or_default();
        Arc::make_mut(&mut tree).insert(path.into(), text.into());
        self.commit(branch, tree, "Change files");
    }

    /// Puts another commit on a branch. A missing branch is created at the head of the default branch.
    pub(crate) fn push(&mut self, branch: &str, message: &str) -> String {
        let full_name = format!("refs/heads/{branch}");
        if !self.refs.contains_key(&full_name) {
            self.make_ref(&full_name);
        }
        let tree = self.tree(&full_name).unwrap_or_default();
        self.commit(branch, tree, message)
    }

    /// As [`push`](Self::push), with an author.
    pub(crate) fn push_as(&mut self, branch: &str, message: &str, author: &str) -> String {
        let sha = self.push(branch, message);
        if let Some(commit) = self.commits.get_mut(&sha) {
            commit.author = Some(author.to_owned());
        }
        sha
    }

    // Refs.

    /// The commits of all refs, by the full name of the ref.
    pub(crate) fn refs(&self) -> &BTreeMap<String, String> {
        &self.refs
    }

    pub(crate) fn set_ref(&mut self, full_name: &str, sha: &str) {
        self.refs.insert(full_name.into(), sha.into());
    }

    /// Removes a ref. `false` if it did not exist.
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

    /// The full name and the commit of a branch or tag with this name, or of the ref with this full name.
    fn find_ref(&self, git_ref: &str) -> Option<(&String, &String)> {
        let names = [git_ref.to_owned(), format!("refs/heads/{git_ref}"), format!("refs/tags/{git_ref}")];
        names.iter().find_map(|name| self.refs.get_key_value(name))
    }

    /// The commit of a branch or tag, or with this hash. `heads/main` and `tags/v1` are names, too.
    pub(crate) fn commit_at(&self, name: &str) -> Option<(&String, &Commit)> {
        let by_name = self.find_ref(name).or_else(|| self.refs.get_key_value(&format!("refs/{name}")));
        self.commits.get_key_value(by_name.map_or(name, |(_, sha)| sha))
    }

    /// The branch or tag that `git_ref` names, without `refs/heads/` or `refs/tags/`.
    pub(crate) fn branch_or_tag<'a>(&self, git_ref: &'a str) -> Option<&'a str> {
        const KINDS: [&str; 2] = ["refs/heads/", "refs/tags/"];
        let (full_name, _) = self.find_ref(git_ref)?;
        let kind = KINDS.into_iter().find(|kind| full_name.starts_with(kind))?;
        Some(git_ref.strip_prefix(kind).unwrap_or(git_ref))
    }

    /// The commit at the head of a branch or tag.
    pub(crate) fn head(&self, name: &str) -> String {
        let entry = self.find_ref(name);
        entry.map_or_else(|| sha1(name.as_bytes()), |(_, sha)| sha.clone())
    }

    /// The files at a ref or a commit.
    pub(crate) fn tree(&self, git_ref: &str) -> Option<Arc<Tree>> {
        let sha = self.find_ref(git_ref).map_or(git_ref, |(_, sha)| sha);
        self.commits.get(sha).map(|commit| Arc::clone(&commit.tree))
    }

    // Releases.

    /// Adds a release. If it is published, its tag is created unless it exists.
    pub(crate) fn add_release(&mut self, mut release: Release, now: DateTime<Utc>) {
        let tag = format!("refs/tags/{}", release.tag);
        if !release.draft && !self.refs.contains_key(&tag) {
            let branch = self.default_branch.clone();
            let target = if release.target.is_empty() { &branch } else { &release.target };
            let sha = self.commit_at(target).map_or_else(|| self.head(&branch), |(sha, _)| sha.clone());
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

    /// Adds the workflow in a file, if the file is a workflow. A workflow stays without its file, too.
    pub(crate) fn register_workflow(&mut self, id: u64, path: &str, text: &str) {
        if !is_workflow_path(path) || !self.has_actions {
            return;
        }
        let Some(definition) = Definition::parse(text) else {
            return;
        };
        let name = definition.name.unwrap_or_else(|| path.to_owned());
        match self.workflows.iter_mut().find(|workflow| workflow.path == path) {
            Some(workflow) => workflow.name = name,
            None => self.workflows.push(Workflow { id, path: path.into(), name, is_enabled: true }),
        }
    }

    /// Finds a workflow by its file name, its path or its id.
    pub(crate) fn workflow(&self, name: &str) -> Option<&Workflow> {
        self.workflows.iter().find(|workflow| {
            workflow.file() == name || workflow.path == name || workflow.id.to_string() == name
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

    /// The number of a comment's issue.
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

/// A person's role in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its name, from GitHub or from the organization.
    pub(crate) name: String,
    /// `none`, `read`, `triage`, `write`, `maintain` or `admin`.
    pub(crate) base: String,
}

impl Role {
    fn standard(name: &str) -> Self {
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

/// A handle on a repository, for tests that set it up. Cheap to clone; every method returns it.
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

    /// Writes a file onto another branch. A file that only another branch has is not a workflow yet.
    pub fn file_on(&self, branch: &str, path: &str, text: &str) -> Self {
        self.change(|data| data.write(branch, path, text))
    }

    /// Renames the default branch, `main` at first.
    pub fn default_branch(&self, name: &str) -> Self {
        self.change(|data| data.rename_default_branch(name))
    }

    /// Makes a branch at the head of the default branch, with its present files.
    pub fn branch(&self, name: &str) -> Self {
        self.change(|data| data.make_ref(&format!("refs/heads/{name}")))
    }

    /// Makes a tag at the head of the default branch, with its present files.
    pub fn tag(&self, name: &str) -> Self {
        self.change(|data| data.make_ref(&format!("refs/tags/{name}")))
    }

    /// Hides the repository from all tokens without a permission in it.
    pub fn private(&self) -> Self {
        self.change(|data| data.is_private = true)
    }

    /// Makes the repository internal: only members of the owner's enterprise may read it.
    pub fn internal(&self) -> Self {
        self.change(|data| (data.is_private, data.is_internal) = (true, true))
    }

    /// Switches issues off.
    pub fn issues_off(&self) -> Self {
        self.change(|data| data.has_issues = false)
    }

    /// Switches the repository off, as GitHub's staff can.
    pub fn disable(&self) -> Self {
        self.change(|data| data.is_disabled = true)
    }

    /// Switches Actions off: no workflow starts, and a new workflow file adds no workflow.
    pub fn actions_off(&self) -> Self {
        self.change(|data| data.has_actions = false)
    }

    /// Makes the repository read-only.
    pub fn archive(&self) -> Self {
        self.change(|data| data.is_archived = true)
    }

    /// Sets a person's association with the repository: `OWNER`, `MEMBER`, `COLLABORATOR` or `NONE`.
    /// People with the first three can be assigned.
    pub fn member(&self, login: &str, association: &str) -> Self {
        self.change(|data| data.set_member(login, association))
    }

    /// Makes a person a private member: tokens that may not see the membership get `CONTRIBUTOR`.
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

    /// Gives a person a custom role of the organization, based on a role of GitHub.
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
            let workflow = data.workflows.iter_mut().find(|workflow| workflow.file() == file);
            workflow.expect("the workflow was added by `file`").is_enabled = false;
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
