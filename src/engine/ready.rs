//! A target as the engine takes it: read, checked, and completed from its repository.

use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::names::{GitRef, RepoName, TargetName, WorkflowFile};
use crate::targets::{StartBy, Target};
use crate::ticket::{Outputs, Reason, Start, StartState};
use crate::workflow::Declaration;

/// A target without a known obstacle to its start.
#[derive(Debug, Clone)]
pub struct ReadyTarget {
    /// The target.
    pub target: Target,
    /// The branch or tag at which it is started.
    pub git_ref: GitRef,
    /// The inputs that its workflow declares; `None` if the file could not be read, or an event starts the target.
    pub declaration: Option<Declaration>,
    /// Whether the same account starts the target and writes the ticket.
    pub is_same_account: bool,
}

impl ReadyTarget {
    /// The target's name.
    #[must_use]
    pub fn name(&self) -> &TargetName {
        &self.target.name
    }

    /// The target's workflow; `None` if an event starts it.
    #[must_use]
    pub fn workflow(&self) -> Option<&WorkflowFile> {
        match &self.target.start {
            StartBy::Workflow(file) => Some(file),
            StartBy::Event(_) => None,
        }
    }

    /// The workflow's spelling of the name of an input, which may differ in case; `None` if the workflow does not
    /// declare the input.
    #[must_use]
    pub fn spelling(&self, input: &str) -> Option<&str> {
        self.declaration.as_ref()?.input_name(input)
    }

    /// The workflow and ref: GitHub does not distinguish runs of targets that share them while they start.
    pub(super) fn workflow_at_ref(&self) -> (&RepoName, Option<&WorkflowFile>, &GitRef) {
        (&self.target.repository, self.workflow(), &self.git_ref)
    }

    /// Whether `start` is a start of another target with the same workflow and ref.
    pub(super) fn is_sibling_of(&self, start: &Start) -> bool {
        let (repository, workflow, git_ref) = self.workflow_at_ref();
        start.target != self.target.name
            && start.repository == *repository
            && (start.workflow.as_ref(), start.git_ref.as_ref()) == (workflow, Some(git_ref))
    }

    /// Whether the job asks GitHub for the products of the target's run before the target counts as released.
    pub(super) fn needs_verification(&self) -> bool {
        self.target.outputs_from_release || !self.target.verify.is_blank()
    }

    /// An entry of a record: a claim on this target, or its wait for others.
    pub(super) fn entry(&self, state: StartState, reason: Option<Reason>, now: DateTime<Utc>) -> Start {
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
            verify: self.needs_verification(),
            repeats: None,
            turn: None,
            reason: reason.map(Into::into),
            at: now,
            other: Map::new(),
        }
    }
}
