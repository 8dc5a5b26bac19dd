//! A target as the engine takes it: read, checked, and completed with what its repository says.

use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::names::{GitRef, RepoName, TargetName, WorkflowFile};
use crate::targets::{StartBy, Target};
use crate::ticket::{Outputs, Reason, Start, StartState};
use crate::workflow::Declared;

/// A target that can be started, as far as could be checked.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The target.
    pub target: Target,
    /// The branch or tag at which it is started.
    pub git_ref: GitRef,
    /// What its workflow declares; none if the file could not be read, or an event is sent.
    pub declared: Option<Declared>,
    /// Whether the account that starts it is the one that writes the ticket.
    pub same_account: bool,
}

impl Ready {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &TargetName {
        &self.target.name
    }

    /// Its workflow; none if it is started by an event.
    #[must_use]
    pub fn workflow(&self) -> Option<&WorkflowFile> {
        match &self.target.start {
            StartBy::Workflow(file) => Some(file),
            StartBy::Event(_) => None,
        }
    }

    /// The name of an input as its workflow declares it, in whatever case; none if it does not.
    #[must_use]
    pub fn spelling(&self, input: &str) -> Option<&str> {
        self.declared.as_ref()?.spelling(input)
    }

    /// Runs of targets that share this cannot be told apart while they start.
    pub(super) fn shared_by(&self) -> (&RepoName, Option<&WorkflowFile>, &GitRef) {
        (&self.target.repository, self.workflow(), &self.git_ref)
    }

    /// Whether `start` is that of another target which shares it.
    pub(super) fn is_sibling_of(&self, start: &Start) -> bool {
        let (repository, workflow, git_ref) = self.shared_by();
        start.target != self.target.name
            && start.repository == *repository
            && (start.workflow.as_ref(), start.git_ref.as_ref()) == (workflow, Some(git_ref))
    }

    /// The entry of a claim on this target, or of its waiting for others.
    /// Whether GitHub is asked for what its run has made, before it counts as released.
    pub(super) fn is_verified(&self) -> bool {
        self.target.outputs_from_release || !self.target.verify.is_blank()
    }

    pub(super) fn entry(&self, state: StartState, because: Option<Reason>, now: DateTime<Utc>) -> Start {
        Start {
            target: self.target.name.clone(),
            repository: self.target.repository.clone(),
            workflow: self.workflow().cloned(),
            git_ref: self.workflow().map(|_| self.git_ref.clone()),
            needs: self.target.needs.clone(),
            state: state.into(),
            run: None,
            run_url: None,
            commit: None,
            outputs: Outputs::default(),
            verify: self.is_verified(),
            repeats: None,
            turn: None,
            because: because.map(Into::into),
            at: now,
            other: Map::new(),
        }
    }
}
