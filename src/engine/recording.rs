//! The release's record: asked for, written and published once everything is released.

use chrono::{DateTime, Utc};

use super::known::{Identity, Known};
use super::request::{Publish, Request};
use super::results;
use super::step::{Before, Step, SurveyOf};
use super::view::View;
use crate::names::{RepoName, RunId, TargetName};
use crate::plan::{Effect, RecordRelease};
use crate::ticket::release::{Failed, GateWait, NOTES_LIMIT, is_tag, tag_of};
use crate::ticket::{Record, Release, Released, Survey, Target, Ticket, text};

/// So many targets are asked about: a larger release would take too many requests.
const MOST_SURVEYED: usize = 100;

/// The most characters that GitHub takes for the text of a release.
const RELEASE_BODY_LIMIT: usize = 125_000;

/// Writes the record, or writes it anew if other runs have released the targets since.
pub(super) fn record(view: &View<'_>) -> Vec<Step> {
    if !view.known.round.is_read || view.known.recording.has_failed || !is_due(view) {
        return Vec::new();
    }
    let questions = questions(view);
    if !questions.is_empty() {
        return questions;
    }
    let Some(release) = release(view) else { return Vec::new() };
    let written = view.known.log.releases(&view.basis).next();
    if written.is_some_and(|(_, written)| written.is_of_the_runs_of(&release)) {
        return Vec::new();
    }
    let comment = written.map(|(comment, _)| comment.id);
    let issue = view.issue.clone();
    vec![Step::Apply(Effect::WriteRecord {
        issue,
        comment,
        record: Box::new(Record::Release(Box::new(release))),
    })]
}

/// Publishes the record as a release of the hub.
pub(super) fn publish(view: &View<'_>) -> Vec<Step> {
    let Some(Publish { tag, commit }) = &view.request.publish else { return Vec::new() };
    if view.known.recording.is_published || !is_due(view) {
        return Vec::new();
    }
    let Some(release) = release(view) else { return Vec::new() };
    let tag = tag.clone().unwrap_or_else(|| format!("release-ticket-{}", view.issue.number));
    let name = release.release.clone().unwrap_or_else(|| tag.clone());
    let new = RecordRelease {
        repository: view.issue.repository.clone(),
        commit: commit.clone(),
        name,
        body: release.published(RELEASE_BODY_LIMIT),
        mark: release.mark(),
        tag,
    };
    vec![Step::Apply(Effect::PublishRelease(Box::new(new)))]
}

/// The record, if everything is released and GitHub was asked what it takes: for the output `record-path`.
#[must_use]
pub fn recorded(known: &Known, request: &Request, now: DateTime<Utc>) -> Option<Release> {
    let view = View::new(known, request, now);
    (is_due(&view) && questions(&view).is_empty()).then(|| release(&view)).flatten()
}

/// Whether everything is released, and nothing went wrong.
fn is_due(view: &View<'_>) -> bool {
    // A record of a newer release may ask for more than this one can read.
    let is_readable = view.ticket.unreadable.is_empty() && matches!(view.known.identity, Identity::Is(_));
    view.request.records
        && !view.request.wind_up
        && is_readable
        && !view.ticket.targets.is_empty()
        && view.ticket.is_done(&view.request.listed)
        && !results::went_wrong(view)
}

/// What is not asked for yet: first the release before, with which this one is compared.
fn questions(view: &View<'_>) -> Vec<Step> {
    let recording = &view.known.recording;
    let Some(before) = &recording.before else { return vec![look_back(view)] };
    let targets = view.ticket.targets.iter().take(MOST_SURVEYED);
    let open = targets.filter(|(name, _)| !recording.surveys.contains_key(*name));
    open.map(|(name, target)| Step::Survey(Box::new(survey(view, name, target, before.as_deref())))).collect()
}

fn look_back(view: &View<'_>) -> Step {
    let author = match &view.known.identity {
        Identity::Is(login) => login.clone(),
        Identity::NotAsked | Identity::Unknown => String::new(),
    };
    let label = view.request.wording.labels.first().cloned();
    Step::LookBack(Before { ticket: view.issue.clone(), label, author })
}

fn survey(view: &View<'_>, name: &TargetName, target: &Target, before: Option<&Release>) -> SurveyOf {
    let run = target.run.as_ref();
    let repository = run.map_or(&target.repository, |run| &run.repository).clone();
    let first = runs(view, name).min().filter(|first| run.is_some_and(|run| run.id != *first));
    SurveyOf {
        target: name.clone(),
        run: run.map(|run| (run.id, run.attempt)),
        first_run: first,
        tags: tags(view.request, target, &repository),
        base: before.and_then(|before| before.base_of(name, &repository)).map(str::to_owned),
        repository,
    }
}

/// The runs that this hub's own records have of a target.
fn runs(view: &View<'_>, name: &TargetName) -> impl Iterator<Item = RunId> {
    let starts = view.claims().own().flat_map(|(_, claim)| &claim.targets);
    starts.filter(move |start| start.target == *name).filter_map(|start| start.run)
}

/// The tags of which one may be that of the target's release: by the link that it reported, its version, or else the
/// name of the whole release.
fn tags(request: &Request, target: &Target, repository: &RepoName) -> Vec<String> {
    let linked = target.release_url().and_then(|url| tag_of(url, repository));
    let version = target.version().or(request.release.as_deref());
    let named = version.map(|version| [version.to_owned(), format!("v{version}")]);
    let named = named.into_iter().flatten().filter(|tag| is_tag(tag));
    match linked {
        Some(tag) => vec![tag],
        None => named.collect(),
    }
}

/// What the release came to; none if nothing says when.
fn release(view: &View<'_>) -> Option<Release> {
    let (ticket, recording) = (&view.ticket, &view.known.recording);
    let nothing = Survey::default();
    let survey_of = |name: &TargetName| recording.surveys.get(name).unwrap_or(&nothing);
    let released = ticket.targets.keys().filter_map(|name| {
        let released = released(ticket, name, survey_of(name))?;
        let others = runs(view, name).filter(|run| Some(*run) != released.run).count();
        Some(Released { attempts: released.attempts + u32::try_from(others).unwrap_or(0), ..released })
    });
    let mut targets: Vec<Released> = released.collect();
    targets.sort_by_key(|target| target.periods.first().map(|period| period.from));
    let periods = || targets.iter().flat_map(|target| &target.periods);
    let known = || ticket.targets.values();
    let started_at =
        periods().map(|period| period.from).min().or_else(|| known().filter_map(|it| it.started).min());
    let ended_at = periods().map(|period| period.to).max().or_else(|| known().map(|it| it.changed).max());
    let started_at = started_at.or(ended_at)?;
    let before = recording.before.as_ref().and_then(Option::as_deref);
    let (issue, wording) = (&view.issue, &view.request.wording);
    let written = view.known.log.releases(&view.basis).next().map(|(_, written)| written);
    let seq = written.map_or(0, |written| written.seq);
    let release = Release {
        by: view.request.by.clone(),
        seq: seq.max(view.last_seq()) + 1,
        run_url: view.request.run_url.clone(),
        release: ticket.release.clone().or_else(|| view.request.release.clone()),
        ticket_url: format!("{}/{}/issues/{}", wording.server_url, issue.repository, issue.number),
        started_at,
        ended_at: ended_at?,
        failed_first: failed_first(view, &targets),
        gates: gate_waits(view, &targets),
        targets,
        earlier: before.map(Release::as_earlier).unwrap_or_default(),
        decisions: ticket.decisions.iter().filter(|decision| !decision.is_question()).cloned().collect(),
        other: serde_json::Map::new(),
    };
    Some(match written.filter(|written| written.is_of_the_runs_of(&release)) {
        Some(Release { by, seq, run_url, .. }) => {
            Release { by: by.clone(), seq: *seq, run_url: run_url.clone(), ..release }
        }
        None => release,
    })
}

/// The failure that came first, by GitHub's clock.
fn failed_first(view: &View<'_>, targets: &[Released]) -> Option<Failed> {
    let failures = view.known.recording.surveys.iter().filter_map(|(name, survey)| {
        let (what, url, at) = survey.failure.clone()?;
        let released = targets.iter().find(|target| target.target == name.as_str())?;
        let ended = || view.ticket.targets.get(name).and_then(|target| target.ended);
        let mended_at = released.periods.last().map(|period| period.to).or_else(ended)?;
        let failed = Failed { target: name.to_string(), what, url, at, mended_at };
        (failed.at < failed.mended_at).then_some(failed)
    });
    failures.min_by_key(|failed| failed.at)
}

/// From the end of what came before a gate to the last go, of each gate that let something through.
fn gate_waits(view: &View<'_>, targets: &[Released]) -> Vec<GateWait> {
    let ticket = &view.ticket;
    let first_claim = view.claims().own().map(|(comment, _)| comment.created_at).min();
    let end_of = |name: &TargetName| {
        let released = targets.iter().find(|target| target.target == name.as_str())?;
        released.periods.last().map(|period| period.to)
    };
    let waits = ticket.rules.gates.iter().filter_map(|gate| {
        let behind: Vec<(&TargetName, &Target)> =
            ticket.targets.iter().filter(|(_, target)| target.needs.contains(&gate.name)).collect();
        let needed = behind.iter().flat_map(|(_, target)| &target.needs).filter_map(end_of).max();
        let approvals = behind.iter().flat_map(|(name, _)| ticket.standing(gate, name).approvals);
        let to = approvals.map(|approval| approval.at).max()?;
        let from = needed.or(first_claim)?;
        (from < to).then(|| GateWait { name: gate.name.to_string(), from, to })
    });
    waits.collect()
}

/// A target as the ticket has it, with what GitHub says of it.
fn released(ticket: &Ticket, name: &TargetName, survey: &Survey) -> Option<Released> {
    let target = ticket.targets.get(name)?;
    let run = target.run.as_ref();
    let release = survey.release.clone();
    let (compare_url, commits) = survey.compared.clone().unzip();
    Some(Released {
        target: name.to_string(),
        repository: run.map_or(&target.repository, |run| &run.repository).to_string(),
        version: target.version().map(str::to_owned),
        tag: release.as_ref().map(|(tag, ..)| tag.clone()),
        commit: survey.commit.clone(),
        run: run.map(|run| run.id),
        run_url: run.and_then(|run| run.url.clone()),
        attempts: run.map_or(0, |run| run.attempt),
        skipped: run.is_none() && ticket.skip_of(name).is_some(),
        release_url: target
            .release_url()
            .map(str::to_owned)
            .or_else(|| release.as_ref().map(|(_, url, _)| url.clone())),
        notes: release.map(|(.., notes)| text::cut(&notes, NOTES_LIMIT)).filter(|notes| !notes.is_empty()),
        compare_url,
        commits,
        periods: survey.periods.clone(),
        left_out: survey.left_out.clone(),
    })
}

#[cfg(test)]
mod tests;
