//! The release's record: its questions to GitHub, its writing and its publication, once everything is released.

use chrono::{DateTime, Utc};

use super::facts::{Facts, Identity};
use super::request::{Publication, Request};
use super::results;
use super::step::{RecordSearch, Step, SurveyRequest};
use super::view::View;
use crate::names::{RepoName, RunId, TargetName};
use crate::plan::{Effect, RecordRelease};
use crate::ticket::release::{FirstFailure, GateWait, NOTES_LIMIT, is_tag, tag_of};
use crate::ticket::{Record, Release, ReleasedTarget, Survey, Target, Ticket, text};

/// The number of targets that GitHub is asked about: a larger release would take too many requests.
const MOST_SURVEYED: usize = 100;

/// The longest text that GitHub takes for a release, in characters.
const RELEASE_BODY_LIMIT: usize = 125_000;

/// Writes the record, and writes it again if other runs have released the targets since.
pub(super) fn record(view: &View<'_>) -> Vec<Step> {
    if !view.facts.round.is_read || view.facts.recording.has_failed || !is_due(view) {
        return Vec::new();
    }
    let questions = questions(view);
    if !questions.is_empty() {
        return questions;
    }
    let Some(release) = release(view) else { return Vec::new() };
    let last_record = view.facts.log.releases(&view.basis).next();
    if last_record.is_some_and(|(_, record)| record.has_same_runs(&release)) {
        return Vec::new();
    }
    let comment = last_record.map(|(comment, _)| comment.id);
    let issue = view.issue.clone();
    vec![Step::Apply(Effect::WriteRecord {
        issue,
        comment,
        record: Box::new(Record::Release(Box::new(release))),
    })]
}

/// Publishes the record as a release of the hub.
pub(super) fn publish(view: &View<'_>) -> Vec<Step> {
    let Some(Publication { tag, commit }) = &view.request.publication else { return Vec::new() };
    if view.facts.recording.is_published || !is_due(view) {
        return Vec::new();
    }
    let Some(release) = release(view) else { return Vec::new() };
    let tag = tag.clone().unwrap_or_else(|| format!("release-ticket-{}", view.issue.number));
    let name = release.release.clone().unwrap_or_else(|| tag.clone());
    let new = RecordRelease {
        repository: view.issue.repository.clone(),
        commit: commit.clone(),
        name,
        body: release.hub_release_text(RELEASE_BODY_LIMIT),
        mark: release.mark(),
        tag,
    };
    vec![Step::Apply(Effect::PublishRelease(Box::new(new)))]
}

/// The record for the output `record-path`; `None` before everything is released and all questions are asked.
#[must_use]
pub fn release_record(facts: &Facts, request: &Request, now: DateTime<Utc>) -> Option<Release> {
    let view = View::new(facts, request, now);
    (is_due(&view) && questions(&view).is_empty()).then(|| release(&view)).flatten()
}

/// Whether everything is released, and nothing went wrong.
fn is_due(view: &View<'_>) -> bool {
    // A record of a newer release of the action may have targets that this one cannot read.
    let is_readable =
        view.ticket.unreadable_comments.is_empty() && matches!(view.facts.identity, Identity::Login(_));
    view.request.writes_release_record
        && !view.request.wind_up
        && is_readable
        && !view.ticket.targets.is_empty()
        && view.ticket.is_done(&view.request.target_names)
        && !results::has_problems(view)
}

/// The questions that are left: first for the previous release, with which this one is compared.
fn questions(view: &View<'_>) -> Vec<Step> {
    let recording = &view.facts.recording;
    let Some(before) = &recording.previous_release else { return vec![look_back(view)] };
    let targets = view.ticket.targets.iter().take(MOST_SURVEYED);
    let open = targets.filter(|(name, _)| !recording.surveys.contains_key(*name));
    open.map(|(name, target)| Step::Survey(Box::new(survey(view, name, target, before.as_deref())))).collect()
}

fn look_back(view: &View<'_>) -> Step {
    let author = match &view.facts.identity {
        Identity::Login(login) => login.clone(),
        Identity::NotAsked | Identity::Unknown => String::new(),
    };
    let label = view.request.wording.labels.first().cloned();
    Step::FindPreviousRelease(RecordSearch { ticket: view.issue.clone(), label, author })
}

fn survey(view: &View<'_>, name: &TargetName, target: &Target, before: Option<&Release>) -> SurveyRequest {
    let run = target.run.as_ref();
    let repository = run.map_or(&target.repository, |run| &run.repository).clone();
    let first = runs(view, name).min().filter(|first| run.is_some_and(|run| run.id != *first));
    SurveyRequest {
        target: name.clone(),
        run: run.map(|run| (run.id, run.attempt)),
        first_run: first,
        tags: tags(view.request, target, &repository),
        base: before.and_then(|before| before.base_of(name, &repository)).map(str::to_owned),
        repository,
    }
}

/// The runs of a target in this hub's own records.
fn runs(view: &View<'_>, name: &TargetName) -> impl Iterator<Item = RunId> {
    let starts = view.claims().own().flat_map(|(_, claim)| &claim.targets);
    starts.filter(move |start| start.target == *name).filter_map(|start| start.run)
}

/// The possible tags of the target's release: that of the link that it reported, else its version, else the name of the
/// whole release.
fn tags(request: &Request, target: &Target, repository: &RepoName) -> Vec<String> {
    let linked_tag = target.release_url().and_then(|url| tag_of(url, repository));
    let version = target.version().or(request.release.as_deref());
    let version_tags = version.map(|version| [version.to_owned(), format!("v{version}")]);
    let version_tags = version_tags.into_iter().flatten().filter(|tag| is_tag(tag));
    match linked_tag {
        Some(tag) => vec![tag],
        None => version_tags.collect(),
    }
}

/// The record of the release; `None` if no time of its end is known.
fn release(view: &View<'_>) -> Option<Release> {
    let (ticket, recording) = (&view.ticket, &view.facts.recording);
    let nothing = Survey::default();
    let survey_of = |name: &TargetName| recording.surveys.get(name).unwrap_or(&nothing);
    let released_targets = ticket.targets.keys().filter_map(|name| {
        let target = released_target(ticket, name, survey_of(name))?;
        let others = runs(view, name).filter(|run| Some(*run) != target.run).count();
        Some(ReleasedTarget { attempts: target.attempts + u32::try_from(others).unwrap_or(0), ..target })
    });
    let mut targets: Vec<ReleasedTarget> = released_targets.collect();
    targets.sort_by_key(|target| target.periods.first().map(|period| period.from));
    let periods = || targets.iter().flat_map(|target| &target.periods);
    let ticket_targets = || ticket.targets.values();
    let started_at = periods()
        .map(|period| period.from)
        .min()
        .or_else(|| ticket_targets().filter_map(|it| it.started_at).min());
    let ended_at =
        periods().map(|period| period.to).max().or_else(|| ticket_targets().map(|it| it.changed_at).max());
    let started_at = started_at.or(ended_at)?;
    let before = recording.previous_release.as_ref().and_then(Option::as_deref);
    let (issue, wording) = (&view.issue, &view.request.wording);
    let last_record = view.facts.log.releases(&view.basis).next().map(|(_, record)| record);
    let seq = last_record.map_or(0, |record| record.seq);
    let release = Release {
        by: view.request.by.clone(),
        seq: seq.max(view.last_seq()) + 1,
        run_url: view.request.run_url.clone(),
        release: ticket.release.clone().or_else(|| view.request.release.clone()),
        ticket_url: format!("{}/{}/issues/{}", wording.server_url, issue.repository, issue.number),
        started_at,
        ended_at: ended_at?,
        first_failure: first_failure(view, &targets),
        gates: gate_waits(view, &targets),
        targets,
        earlier_releases: before.map(Release::as_earlier).unwrap_or_default(),
        decisions: ticket.decisions.iter().filter(|decision| !decision.is_question()).cloned().collect(),
        other: serde_json::Map::new(),
    };
    Some(match last_record.filter(|record| record.has_same_runs(&release)) {
        Some(Release { by, seq, run_url, .. }) => {
            Release { by: by.clone(), seq: *seq, run_url: run_url.clone(), ..release }
        }
        None => release,
    })
}

/// The failure that came first, by GitHub's clock.
fn first_failure(view: &View<'_>, targets: &[ReleasedTarget]) -> Option<FirstFailure> {
    let failures = view.facts.recording.surveys.iter().filter_map(|(name, survey)| {
        let (what, url, at) = survey.failure.clone()?;
        let target_in_release = targets.iter().find(|target| target.target == name.as_str())?;
        let end_of_run = || view.ticket.targets.get(name).and_then(|target| target.ended_at);
        let mended_at = target_in_release.periods.last().map(|period| period.to).or_else(end_of_run)?;
        let failure = FirstFailure { target: name.to_string(), what, url, at, mended_at };
        (failure.at < failure.mended_at).then_some(failure)
    });
    failures.min_by_key(|failure| failure.at)
}

/// The waiting time of each gate that let something through: from the end of the other needs to the last go.
fn gate_waits(view: &View<'_>, targets: &[ReleasedTarget]) -> Vec<GateWait> {
    let ticket = &view.ticket;
    let first_claim = view.claims().own().map(|(comment, _)| comment.created_at).min();
    let end_of = |name: &TargetName| {
        let target_in_release = targets.iter().find(|target| target.target == name.as_str())?;
        target_in_release.periods.last().map(|period| period.to)
    };
    let waits = ticket.rules.gates.iter().filter_map(|gate| {
        let behind: Vec<(&TargetName, &Target)> =
            ticket.targets.iter().filter(|(_, target)| target.needs.contains(&gate.name)).collect();
        let needs_end = behind.iter().flat_map(|(_, target)| &target.needs).filter_map(end_of).max();
        let approvals = behind.iter().flat_map(|(name, _)| ticket.standing(gate, name).approvals);
        let to = approvals.map(|approval| approval.at).max()?;
        let from = needs_end.or(first_claim)?;
        (from < to).then(|| GateWait { name: gate.name.to_string(), from, to })
    });
    waits.collect()
}

/// A target of the record: by the ticket and by GitHub's answers. `None` if the ticket does not have it.
fn released_target(ticket: &Ticket, name: &TargetName, survey: &Survey) -> Option<ReleasedTarget> {
    let target = ticket.targets.get(name)?;
    let run = target.run.as_ref();
    let release = survey.release.clone();
    let (compare_url, commits) = survey.comparison.clone().unzip();
    Some(ReleasedTarget {
        target: name.to_string(),
        repository: run.map_or(&target.repository, |run| &run.repository).to_string(),
        version: target.version().map(str::to_owned),
        tag: release.as_ref().map(|(tag, ..)| tag.clone()),
        commit: survey.commit.clone(),
        run: run.map(|run| run.id),
        run_url: run.and_then(|run| run.url.clone()),
        attempts: run.map_or(0, |run| run.attempt),
        is_skipped: run.is_none() && ticket.skip_of(name).is_some(),
        release_url: target
            .release_url()
            .map(str::to_owned)
            .or_else(|| release.as_ref().map(|(_, url, _)| url.clone())),
        notes: release.map(|(.., notes)| text::cut(&notes, NOTES_LIMIT)).filter(|notes| !notes.is_empty()),
        compare_url,
        commits,
        periods: survey.periods.clone(),
        omission: survey.omission.clone(),
    })
}

#[cfg(test)]
mod tests;
