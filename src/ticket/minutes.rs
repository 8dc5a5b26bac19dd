//! Minutes: people's decisions in words, for their records, the board and the pings.
//!
//! Names, reasons and commits are text from outside, and are made harmless here.

use super::decision::{ApprovedCommit, Decision, Outcome, Verb};
use super::decisions::{GateStanding, Lapse};
use super::fold::page;
use super::reason::and;
use super::status::Word;
use super::text;
use crate::names::{RepoName, TargetName};

/// The most names in a sentence.
pub(super) const NAMES_LIMIT: usize = 6;

/// The number of digits of a short commit id.
const SHORT: usize = 7;

impl Decision {
    /// The command in words, with a link to its comment: `🟢 alice said go on go for web at 1a2b3c4`. `who` is the person
    /// in Markdown; the reason is cut to `reason` characters.
    pub(super) fn sentence(&self, who: &str, reason: usize) -> String {
        let link = |words: &str| text::link(words, &self.comment_url);
        let (emoji, action) = match self.verb() {
            Some(Verb::Go) => {
                ("🟢", format!("{} on {}{}", link("said go"), self.about("every gate"), self.at_commits()))
            }
            Some(Verb::NoGo) => {
                ("⛔", format!("{} on {}{}", link("said no-go"), self.about("every gate"), self.at_commits()))
            }
            Some(Verb::Retry) => ("🔁", format!("{} {} again", link("starts"), self.about("what failed"))),
            Some(Verb::Cancel) => ("🚫", format!("{} {}", link("cancels"), self.cancelled_targets())),
            Some(Verb::Skip) => ("⏭️", format!("{} {}", link("skips"), self.about("what is left"))),
            Some(Verb::Hold) => ("⏸️", format!("{} {}", link("holds"), self.about(EVERYTHING))),
            Some(Verb::Resume) => ("▶️", format!("{} {}", link("resumes"), self.about(EVERYTHING))),
            Some(Verb::OverrideFreeze) => ("🧊", format!("{} the freeze{}", link("overrides"), self.until())),
            Some(Verb::Status | Verb::Help) | None => {
                ("💬", format!("{} {}", link("asked for"), self.word()))
            }
        };
        format!("{emoji} {who} {action}{}", self.because(reason))
    }

    /// `: the reason`, where there is one.
    pub(super) fn because(&self, limit: usize) -> String {
        let reason = self.reason.as_deref().map(text::first_line).filter(|reason| !reason.is_empty());
        reason.map(|reason| format!(": {}", text::inline(&text::cut(reason, limit)))).unwrap_or_default()
    }

    /// Whether the command only asks a question, and decides nothing.
    #[must_use]
    pub fn is_question(&self) -> bool {
        matches!(self.verb(), Some(Verb::Status | Verb::Help))
    }

    fn about(&self, everything: &str) -> String {
        if self.names.is_empty() { everything.to_owned() } else { join_names(self.names.iter().map(bold)) }
    }

    fn word(&self) -> String {
        match &self.command {
            Some(Word::Known(verb)) => text::code(verb.as_str()),
            Some(Word::Newer(word)) => {
                let word = word.as_str().map_or_else(|| word.to_string(), str::to_owned);
                format!(
                    "{}, which only a newer release of the action knows",
                    text::code(&text::cut(&word, 40))
                )
            }
            None => "something".to_owned(),
        }
    }

    /// The targets and commits that a go or no-go is about.
    fn at_commits(&self) -> String {
        let commits = self.commits.iter().map(|commit| {
            let link = commit.sha.as_deref().and_then(|sha| commit_link(self.page(&commit.repository), sha));
            format!("{}{}", bold(&commit.target), link.map(|link| format!(" at {link}")).unwrap_or_default())
        });
        let commits = join_names(commits);
        if commits.is_empty() { commits } else { format!(" for {commits}") }
    }

    /// The targets with links to the runs that are cancelled.
    fn cancelled_targets(&self) -> String {
        let target = |name: &TargetName| {
            let cancel = self.cancels.iter().find(|cancel| cancel.target == *name);
            let url = cancel.and_then(|cancel| {
                Some(format!("{}/actions/runs/{}", self.page(&cancel.repository)?, cancel.run))
            });
            url.map_or_else(|| bold(name), |url| text::foreign_link(&bold(name), &url))
        };
        join_names(self.names.iter().map(target))
    }

    fn until(&self) -> String {
        let end = self.freezes.iter().map(|freeze| freeze.to).max();
        end.map(|end| format!(" until {}", end.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default()
    }

    /// The page of a repository on the server of the ticket.
    fn page(&self, repository: &RepoName) -> Option<String> {
        page(&self.run_url, &self.by.repository, repository)
    }

    /// The lines of its record for people.
    pub(super) fn lines(&self) -> String {
        let who = text::code(self.who.login.as_str());
        let answer = self.answer.as_deref().unwrap_or_default();
        let link = || text::link(&who, &self.comment_url);
        match &self.outcome {
            Word::Known(Outcome::Refused) => format!("👎 {}: {answer}", link()),
            Word::Known(Outcome::Failed) => format!("⚠️ {}: {answer}", link()),
            Word::Known(Outcome::Accepted) | Word::Newer(_) => {
                format!("{}\n\n{answer}", self.sentence(&who, text::MESSAGE_LIMIT)).trim_end().to_owned()
            }
        }
    }
}

const EVERYTHING: &str = "the whole release";

impl GateStanding<'_> {
    /// The state in a few words: `🚦 go: 1 of 2`. `name` renders the gate's name, `person` a login.
    pub(super) fn state(&self, name: impl Fn(&str) -> String, person: impl Fn(&str) -> String) -> String {
        let gate = name(self.gate.name.as_str());
        if !self.refusals.is_empty() {
            let people: Vec<String> =
                self.refusals.iter().map(|word| person(word.who.login.as_str())).collect();
            return format!("⛔ {gate}: closed by {}", join_names(people.into_iter()));
        }
        match self.missing() {
            0 => format!("🟢 {gate}: open"),
            _ => format!("🚦 {gate}: {}", self.count()),
        }
    }

    /// `1 of 2`
    pub(super) fn count(&self) -> String {
        format!("{} of {}", self.approvals.len(), self.gate.required_approvals)
    }

    /// The emoji of its state.
    pub(super) fn emoji(&self) -> &'static str {
        match (self.refusals.is_empty(), self.missing()) {
            (false, _) => "⛔",
            (true, 0) => "🟢",
            (true, _) => "🚦",
        }
    }
}

impl Lapse<'_> {
    /// The cause of the lapse for this target, as a clause: `web has moved: 1a2b3c4...5d6e7f8`.
    pub(super) fn cause(&self, target: &TargetName) -> String {
        let target = bold(target);
        let Some(commit) = self.commit else {
            return format!("{target} was not behind the gate at that time");
        };
        match (commit.sha.as_deref(), self.now) {
            (Some(old), Some(new)) => format!("{target} has moved{}", self.comparison(commit, old, new)),
            _ => format!("the commit of {target} is unknown"),
        }
    }

    fn comparison(&self, commit: &ApprovedCommit, old: &str, new: &str) -> String {
        let (Some(old_short), Some(new_short)) = (short(old), short(new)) else { return String::new() };
        let words = format!("`{old_short}...{new_short}`");
        let page = self.approval.page(&commit.repository);
        let link = page.map(|page| text::foreign_link(&words, &format!("{page}/compare/{old}...{new}")));
        format!(": {}", link.unwrap_or(words))
    }
}

/// A link to a commit; `None` if `sha` is not the id of a commit.
fn commit_link(page: Option<String>, sha: &str) -> Option<String> {
    let words = format!("`{}`", short(sha)?);
    Some(
        page.map_or_else(
            || words.clone(),
            |page| text::foreign_link(&words, &format!("{page}/commit/{sha}")),
        ),
    )
}

/// The first digits of a commit id; `None` if `sha` is not one.
fn short(sha: &str) -> Option<&str> {
    let is_id = sha.len() <= 64 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    sha.get(..SHORT).filter(|_| is_id)
}

/// A name in bold.
pub(super) fn bold(name: &TargetName) -> String {
    format!("**{}**", text::inline(name.as_str()))
}

/// `web, api and docs`, or the first names of many and the number of the others.
pub(super) fn join_names(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.len() {
        ..=NAMES_LIMIT => and(&names),
        count => format!("{} and {} more", names[..NAMES_LIMIT].join(", "), count - NAMES_LIMIT),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ticket::Record;

    const SHA: &str = "1a2b3c4000000000000000000000000000000000";

    fn decision(command: &str, more: &Value) -> Decision {
        let by = json!({ "repository": "acme/hub", "run": 7, "attempt": 1, "job": "dispatch" });
        let mut record = json!({
            "by": by, "seq": 1, "run_url": "https://github.com/acme/hub/actions/runs/7", "command": command,
            "who": { "login": "alice", "id": 1, "role": "write" }, "comment": 9, "outcome": "accepted",
            "comment_url": "https://github.com/acme/hub/issues/1#issuecomment-9", "at": "2026-01-05T09:00:00Z",
        });
        let more = more.as_object().expect("an object").clone();
        record.as_object_mut().expect("an object").extend(more);
        serde_json::from_value(record).expect("a decision")
    }

    fn commit(target: &str, sha: Option<&str>) -> Value {
        json!({ "target": target, "repository": format!("acme/{target}"), "ref": "main", "sha": sha })
    }

    #[test]
    fn each_verb_has_a_sentence() {
        let freeze = json!({ "from": "2026-12-20T00:00:00Z", "to": "2027-01-02T00:00:00Z" });
        let cancel = json!({ "target": "web", "repository": "acme/web", "run": 8, "attempt": 1 });
        let commits = json!([commit("web", Some(SHA)), commit("docs", None)]);
        let web = || json!({ "names": ["web"], "reason": "it is red" });
        let lines = [
            ("go", json!({ "names": ["go"], "commits": commits })),
            ("no-go", json!({ "names": ["go", "legal"], "reason": "it is red" })),
            ("retry", web()),
            ("cancel", json!({ "names": ["web"], "cancels": [cancel] })),
            ("skip", web()),
            ("hold", web()),
            ("hold", json!({})),
            ("resume", json!({ "names": ["a", "b", "c", "d", "e", "f", "g", "h"] })),
            ("override-freeze", json!({ "reason": "a fix", "freezes": [freeze] })),
            ("status", json!({ "answer": "| a | table |" })),
            ("party", json!({})),
            ("hold", json!({ "outcome": "refused", "answer": "bob may not.\n\n**What to do:** ask" })),
            ("hold", json!({ "outcome": "failed", "answer": "GitHub does not answer." })),
        ];
        let lines = lines.map(|(command, more)| decision(command, &more).lines());
        insta::assert_snapshot!(lines.join("\n"), @"
        🟢 `alice` [said go](https://github.com/acme/hub/issues/1#issuecomment-9) on **go** for **web** at [`1a2b3c4`](https://github.com/acme/web/commit/1a2b3c4000000000000000000000000000000000) and **docs**
        ⛔ `alice` [said no-go](https://github.com/acme/hub/issues/1#issuecomment-9) on **go** and **legal**: it is red
        🔁 `alice` [starts](https://github.com/acme/hub/issues/1#issuecomment-9) **web** again: it is red
        🚫 `alice` [cancels](https://github.com/acme/hub/issues/1#issuecomment-9) [**web**](https://github.com/acme/web/actions/runs/8)
        ⏭️ `alice` [skips](https://github.com/acme/hub/issues/1#issuecomment-9) **web**: it is red
        ⏸️ `alice` [holds](https://github.com/acme/hub/issues/1#issuecomment-9) **web**: it is red
        ⏸️ `alice` [holds](https://github.com/acme/hub/issues/1#issuecomment-9) the whole release
        ▶️ `alice` [resumes](https://github.com/acme/hub/issues/1#issuecomment-9) **a**, **b**, **c**, **d**, **e**, **f** and 2 more
        🧊 `alice` [overrides](https://github.com/acme/hub/issues/1#issuecomment-9) the freeze until 2027-01-02 00:00 UTC: a fix
        💬 `alice` [asked for](https://github.com/acme/hub/issues/1#issuecomment-9) `status`

        | a | table |
        💬 `alice` [asked for](https://github.com/acme/hub/issues/1#issuecomment-9) `party`, which only a newer release of the action knows
        👎 [`alice`](https://github.com/acme/hub/issues/1#issuecomment-9): bob may not.

        **What to do:** ask
        ⚠️ [`alice`](https://github.com/acme/hub/issues/1#issuecomment-9): GitHub does not answer.
        ");
    }

    #[test]
    fn names_reasons_and_commits_are_text() {
        let hostile = "`<img src=x> @acme/all ![x](y) #12\n## x";
        let more = json!({
            "names": [hostile], "reason": hostile, "commits": [
                { "target": hostile, "repository": "acme/web", "ref": "main", "sha": hostile },
            ],
        });
        for command in ["go", "no-go", "hold", "cancel", hostile] {
            let lines = decision(command, &more).lines();
            assert!(!lines.contains("<img") && !lines.contains("![") && !lines.contains('\n'), "{lines}");
            assert!(!lines.contains("@acme") && !lines.contains("#12"), "{lines}");
        }
    }

    #[test]
    fn a_lapse_says_what_has_moved_with_a_link_that_compares() {
        let now = "5d6e7f8000000000000000000000000000000000";
        let go = decision("go", &json!({ "commits": [commit("web", Some(SHA)), commit("docs", None)] }));
        let cause = |name: &str, now| {
            let commit = go.commits.iter().find(|commit| commit.target == *name);
            Lapse { approval: &go, commit, now }.cause(&name.into())
        };
        let compare = format!("https://github.com/acme/web/compare/{SHA}...{now}");
        assert_eq!(cause("web", Some(now)), format!("**web** has moved: [`1a2b3c4...5d6e7f8`]({compare})"));
        assert_eq!(cause("web", Some("a\"b")), "**web** has moved");
        assert_eq!(cause("docs", Some(now)), "the commit of **docs** is unknown");
        assert_eq!(cause("cli", Some(now)), "**cli** was not behind the gate at that time");
    }

    #[test]
    fn a_long_reason_and_a_long_answer_fit_a_comment() {
        let long = "`a` <b> @c ".repeat(5_000);
        let record = Record::Decision(decision("status", &json!({ "reason": long, "answer": long })));
        assert!(record.fits(), "{} characters", text::length(&record.render()));
        let names: Vec<String> = (0..300).map(|number| format!("service-{number}")).collect();
        let commits: Vec<Value> = names.iter().map(|name| commit(name, Some(SHA))).collect();
        let record = Record::Decision(decision("go", &json!({ "names": ["go"], "commits": commits })));
        assert!(record.fits(), "{} characters", text::length(&record.render()));
    }
}
