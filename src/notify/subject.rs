//! The subject of a notice: this job, or the run that a `workflow_run` event is about.
//!
//! In a workflow that the end of another one has started, `status` may be that run's conclusion or that of this job. If
//! the event's run has that conclusion, the notice is about the run, as the job that notifies is fine. A success
//! resolves the failures of either.

use crate::event::EventRun;
use crate::github::GitHub;
use crate::inputs::{Common, NotifyInputs};
use crate::job::Job;
use crate::problem::Problem;
use crate::ticket::{Status, Writer};

/// The key of the branches of all forks.
const FORKS: &str = "forks";

/// The job or the run that a notice is about.
pub(super) struct Subject {
    /// The run, with this job if it is one of that run.
    pub(super) by: Writer,
    /// The workflow's name.
    pub(super) workflow: String,
    /// Whether it is one job, and not the whole run.
    pub(super) is_job: bool,
    /// Whether that job is one of a matrix.
    pub(super) is_of_matrix: bool,
    /// The page of the run.
    pub(super) run_url: String,
    /// The branch, tag or pull request that it runs.
    pub(super) place: Place,
    /// GitHub's word for the end of the run.
    pub(super) conclusion: Option<String>,
}

/// The branch, the tag or the pull request that a run runs.
pub(super) struct Place {
    /// Its name for people.
    pub(super) name: String,
    /// Its part in a fingerprint. A tag is used once, and so is a branch of a merge queue: they share a key.
    key: String,
}

impl Subject {
    /// The name that all notices of the same failure share: the step's `own` word, if it has one. A failed run of a fork
    /// is always a failure of the forks, as anybody can start one that succeeds.
    pub(super) fn fingerprint(&self, own: Option<&str>) -> String {
        let job = if self.is_job { self.by.job.as_str() } else { "*" };
        match own {
            Some(own) if self.place.key == FORKS => format!("{own} · {FORKS}"),
            Some(own) => own.to_owned(),
            None => format!("{} · {} · {job} · {}", self.by.repository, self.workflow, self.place.key),
        }
    }

    fn of_job(job: &Job, common: &Common) -> Self {
        Self {
            by: common.writer(job),
            workflow: job.workflow.clone(),
            is_job: true,
            is_of_matrix: common.job_name != job.id,
            run_url: job.run_url(),
            place: Place::of_ref(&job.git_ref),
            conclusion: None,
        }
    }

    fn of_run(job: &Job, run: &EventRun, is_tag: bool) -> Self {
        let by = Writer {
            repository: job.repository.clone(),
            run: run.id,
            attempt: run.attempt,
            job: String::new(),
            check_run: None,
        };
        Self {
            run_url: job.url_of_run(run.id, run.attempt),
            by,
            workflow: run.workflow.clone(),
            is_job: false,
            is_of_matrix: false,
            place: Place::of_run(run, is_tag),
            conclusion: run.conclusion.clone(),
        }
    }
}

impl Place {
    fn of_ref(git_ref: &str) -> Self {
        const QUEUE: &str = "refs/heads/gh-readonly-queue/";
        // `refs/heads/gh-readonly-queue/main/pr-12-0f3c…`; the branch may have slashes, too.
        if let Some((base, _)) = git_ref.strip_prefix(QUEUE).and_then(|rest| rest.rsplit_once("/pr-")) {
            return Self { name: format!("{base} (merge queue)"), key: format!("{QUEUE}{base}") };
        }
        if let Some(tag) = git_ref.strip_prefix("refs/tags/") {
            return Self { name: tag.to_owned(), key: "refs/tags".to_owned() };
        }
        let pull_request = git_ref.strip_prefix("refs/pull/").and_then(|rest| rest.split('/').next());
        let name = match pull_request {
            Some(number) => format!("pull request {number}"),
            None => git_ref.strip_prefix("refs/heads/").unwrap_or(git_ref).to_owned(),
        };
        Self { name, key: git_ref.to_owned() }
    }

    fn of_run(run: &EventRun, is_tag: bool) -> Self {
        if let Some(fork) = &run.fork {
            // The owner of a fork names its branches, and may call one `main`.
            return Self { name: format!("{}:{}", fork.owner(), run.branch), key: FORKS.to_owned() };
        }
        let kind = if is_tag { "tags" } else { "heads" };
        let place = Self::of_ref(&format!("refs/{kind}/{}", run.branch));
        // A failure of a pull request is not one of its branch.
        let is_pull_request = run.event.starts_with("pull_request");
        Self { key: if is_pull_request { format!("pull_request {}", place.key) } else { place.key }, ..place }
    }
}

/// Why there is nothing to notify; `None` if there is something.
pub(super) fn reason_for_no_notice(job: &Job, inputs: &NotifyInputs) -> Option<&'static str> {
    let is_unapproved =
        |run: EventRun| run.fork.is_some() && run.conclusion.as_deref() == Some("action_required");
    let run = job.event.workflow_run(&job.repository);
    match inputs.status {
        Status::Skipped => Some("everything was skipped, or has not ended"),
        Status::Failure if run.is_some_and(is_unapproved) => {
            Some("the run of a fork waits until somebody approves it")
        }
        _ => None,
    }
}

/// The possible subjects of the step. The first one with effects counts.
pub(super) async fn subjects(
    job: &Job,
    common: &Common,
    inputs: &NotifyInputs,
    github: &GitHub,
) -> Vec<Subject> {
    let is_meant = |run: &EventRun| {
        let status = run.conclusion.as_deref().and_then(Status::of_conclusion);
        status == Some(inputs.status)
    };
    let Some(run) = job.event.workflow_run(&job.repository).filter(is_meant) else {
        return vec![Subject::of_job(job, common)];
    };
    let is_tag = is_tag(job, &run, github).await;
    let of_run = Subject::of_run(job, &run, is_tag);
    match inputs.status {
        // A fingerprint of the step's own is that of the run.
        Status::Success if inputs.fingerprint.is_none() => vec![Subject::of_job(job, common), of_run],
        _ => vec![of_run],
    }
}

/// Whether the run is one of a tag: the event names a tag and a branch alike. Runs of other events have no tag.
async fn is_tag(job: &Job, run: &EventRun, github: &GitHub) -> bool {
    if run.event == "release" {
        return true;
    }
    let may_have_tag = matches!(run.event.as_str(), "push" | "workflow_dispatch" | "create");
    if !may_have_tag || run.branch.is_empty() || run.fork.is_some() {
        return false;
    }
    let name = format!("refs/tags/{}", run.branch);
    match github.matching_refs(&job.repository, &name).await {
        Ok(names) => names.contains(&name),
        Err(error) => {
            let what = format!("`{}` counts as a branch, as it is unknown whether it is a tag", run.branch);
            Problem::of(&what, &error).inform();
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::RunId;

    #[test]
    fn a_ref_that_is_used_once_makes_no_failure_another_one() {
        for (git_ref, name, key) in [
            ("refs/heads/main", "main", "refs/heads/main"),
            ("refs/heads/release/1.4", "release/1.4", "refs/heads/release/1.4"),
            ("refs/tags/v1.2.3", "v1.2.3", "refs/tags"),
            ("refs/pull/67/merge", "pull request 67", "refs/pull/67/merge"),
            (
                "refs/heads/gh-readonly-queue/release/1.4/pr-12-0f3c",
                "release/1.4 (merge queue)",
                "refs/heads/gh-readonly-queue/release/1.4",
            ),
            ("", "", ""),
        ] {
            let place = Place::of_ref(git_ref);
            assert_eq!((place.name.as_str(), place.key.as_str()), (name, key), "{git_ref}");
        }
    }

    #[test]
    fn a_branch_of_a_fork_or_of_a_pull_request_is_not_the_branch_of_this_name() {
        let run = |event: &str, fork: Option<&str>| EventRun {
            id: RunId(7),
            attempt: 1,
            workflow: "CI".to_owned(),
            event: event.to_owned(),
            branch: "main".to_owned(),
            fork: fork.map(|name| name.parse().expect("a name")),
            conclusion: None,
        };
        for (run, is_tag, name, key) in [
            (run("push", None), false, "main", "refs/heads/main"),
            (run("push", None), true, "main", "refs/tags"),
            (run("pull_request", None), false, "main", "pull_request refs/heads/main"),
            (run("pull_request", Some("mallory/web")), false, "mallory:main", "forks"),
        ] {
            let place = Place::of_run(&run, is_tag);
            assert_eq!((place.name.as_str(), place.key.as_str()), (name, key), "{run:?}");
        }
    }
}
