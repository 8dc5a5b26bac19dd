//! Verifying the products of a run: its release, and an attestation, as GitHub shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::SubsecRound;
use serde_json::Value;

use crate::engine::step::{Inspection, TargetRun};
use crate::github::actions::WorkflowRun;
use crate::github::releases::Release;
use crate::github::{GitHub, GitHubError};
use crate::names::{GitRef, RepoName, short_sha};
use crate::ticket::verification::{ATTESTATION, IMMUTABLE, RELEASE};
use crate::ticket::{Check, Outputs};

/// The number of releases, published since a run began, that are compared with its commit: the newest ones.
const RELEASES_LOOKED_AT: usize = 5;

/// The outputs of the release that was published since the run began, at its commit; `None` without such a release.
///
/// # Errors
///
/// GitHub refuses, or does not answer.
pub(super) async fn find_release(of: &TargetRun, github: &GitHub) -> Result<Option<Outputs>, GitHubError> {
    let Some((run, commit)) = run(of, github).await? else { return Ok(None) };
    // GitHub's times have whole seconds.
    let began = run.created_at.trunc_subsecs(0);
    let releases = github.releases(&of.repository).await?;
    let is_new = |release: &Release| !release.draft && release.published_at.is_some_and(|at| at >= began);
    let mut new: Vec<Release> = releases.into_iter().filter(is_new).collect();
    new.sort_by_key(|release| std::cmp::Reverse(release.published_at));
    for release in new.into_iter().take(RELEASES_LOOKED_AT) {
        if commit_of_tag(&of.repository, &release.tag_name, github).await?.as_ref() == Some(&commit) {
            return Ok(Some(outputs(&release)));
        }
    }
    Ok(None)
}

fn outputs(release: &Release) -> Outputs {
    let immutable = release.immutable.to_string();
    [("version", &release.tag_name), ("url", &release.html_url), ("immutable", &immutable)]
        .into_iter()
        .collect()
}

/// The run with its commit; `None` if GitHub does not show one of them.
async fn run(of: &TargetRun, github: &GitHub) -> Result<Option<(WorkflowRun, String)>, GitHubError> {
    let run = github.run(&of.repository, of.run).await?;
    Ok(run.and_then(|run| run.head_sha.clone().map(|commit| (run, commit))))
}

async fn commit_of_tag(
    repository: &RepoName,
    tag: &str,
    github: &GitHub,
) -> Result<Option<String>, GitHubError> {
    github.commit_of(repository, &GitRef::from(format!("refs/tags/{tag}"))).await
}

/// The results of the checks.
///
/// # Errors
///
/// GitHub refuses, or does not answer.
pub(super) async fn verify(inspection: &Inspection, github: &GitHub) -> Result<Vec<Check>, GitHubError> {
    let mut checks = inspection.broken_checks.clone();
    if inspection.tag.is_none() && inspection.attestation.is_none() {
        return Ok(checks);
    }
    let Some((_, commit)) = run(&inspection.target_run, github).await? else {
        let failure = "GitHub does not show the commit of the run";
        checks.push(Check::failure(RELEASE, failure, "grant the token `actions: read` on its repository"));
        return Ok(checks);
    };
    if let Some(tag) = &inspection.tag {
        checks.extend(check_release(inspection, tag, &commit, github).await?);
    }
    if let Some(digest) = &inspection.attestation {
        checks.push(check_attestation(inspection, digest, &commit, github).await?);
    }
    Ok(checks)
}

async fn check_release(
    inspection: &Inspection,
    tag: &str,
    commit: &str,
    github: &GitHub,
) -> Result<Vec<Check>, GitHubError> {
    let repository = &inspection.target_run.repository;
    let fail = |failure: String, help: String| Ok(vec![Check::failure(RELEASE, &failure, &help)]);
    let Some(release) = github.release_by_tag(repository, tag).await? else {
        return fail(
            format!("{repository} has no published release `{tag}`"),
            format!(
                "publish the release `{tag}`, or correct the output that names it; if it is there, grant the token \
                 `contents: read` on {repository}"
            ),
        );
    };
    if release.draft {
        return fail(format!("the release `{tag}` of {repository} is a draft"), "publish it".to_owned());
    }
    let tag_commit = commit_of_tag(repository, tag, github).await?;
    if tag_commit.as_deref() != Some(commit) {
        let tag_commit = tag_commit.as_deref().map_or("no commit that GitHub shows", short_sha);
        return fail(
            format!(
                "the tag `{tag}` of {repository} is at {tag_commit}, but the run is at {}",
                short_sha(commit)
            ),
            format!(
                "publish a release of the commit {}, or correct the output that names it",
                short_sha(commit)
            ),
        );
    }
    let mut checks = vec![Check::success(RELEASE, &format!("release {tag}"))];
    if inspection.must_be_immutable {
        checks.push(check_immutable(&release, repository));
    }
    Ok(checks)
}

fn check_immutable(release: &Release, repository: &RepoName) -> Check {
    if release.immutable {
        return Check::success(IMMUTABLE, IMMUTABLE);
    }
    let failure = format!("the release `{}` of {repository} can still be changed", release.tag_name);
    let help = "switch immutable releases on in the repository's settings, and publish the release again";
    Check::failure(IMMUTABLE, &failure, help)
}

/// Checks that an attestation names the workflow and commit of the run. Its signature is not verified here.
async fn check_attestation(
    inspection: &Inspection,
    digest: &str,
    commit: &str,
    github: &GitHub,
) -> Result<Check, GitHubError> {
    let repository = &inspection.target_run.repository;
    if !is_digest(digest) {
        let failure = format!("`{digest}` is not a digest");
        return Ok(Check::failure(
            ATTESTATION,
            &failure,
            "report it as `sha256:` with 64 hexadecimal digits",
        ));
    }
    let attestations = github.attestations(repository, digest).await?;
    if attestations.is_empty() {
        let failure = format!("{repository} has no attestation of {}", brief(digest));
        let help = format!(
            "attest the artifact in the target's workflow, with `actions/attest-build-provenance`; if that is done, grant \
             the token `attestations: read` on {repository}"
        );
        return Ok(Check::failure(ATTESTATION, &failure, &help));
    }
    let statements = attestations.iter().filter_map(statement);
    if statements.into_iter().any(|statement| is_by(&statement, inspection, commit)) {
        return Ok(Check::success(ATTESTATION, "attestation present"));
    }
    let failure = format!(
        "no attestation of {} is by the workflow of the run and its commit {}",
        brief(digest),
        short_sha(commit)
    );
    Ok(Check::failure(
        ATTESTATION,
        &failure,
        "attest the artifact in the job that builds it, in the run of the release",
    ))
}

fn is_digest(text: &str) -> bool {
    let hexadecimal = text.strip_prefix("sha256:");
    hexadecimal
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Reads the statement of an attestation: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.
fn statement(bundle: &Value) -> Option<Value> {
    let payload = bundle.pointer("/dsseEnvelope/payload")?.as_str()?;
    serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()
}

/// Whether a build provenance names the repository, the workflow and the commit of the run:
/// <https://slsa.dev/spec/v1.0/provenance>, in
/// [GitHub's form](https://actions.github.io/buildtypes/workflow/v1).
fn is_by(statement: &Value, inspection: &Inspection, commit: &str) -> bool {
    let definition = "/predicate/buildDefinition";
    let text = |path: &str| statement.pointer(&format!("{definition}{path}")).and_then(Value::as_str);
    let repository = format!("/{}", inspection.target_run.repository).to_lowercase();
    let is_of_repository = text("/externalParameters/workflow/repository")
        .is_some_and(|url| url.to_lowercase().ends_with(&repository));
    let path = text("/externalParameters/workflow/path");
    let is_of_workflow =
        inspection.workflow.as_ref().is_none_or(|file| path.is_some_and(|path| file.is_at(path)));
    let dependencies =
        statement.pointer(&format!("{definition}/resolvedDependencies")).and_then(Value::as_array);
    let is_of_commit = dependencies
        .into_iter()
        .flatten()
        .any(|dependency| dependency.pointer("/digest/gitCommit").and_then(Value::as_str) == Some(commit));
    is_of_repository && is_of_workflow && is_of_commit
}

fn brief(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
