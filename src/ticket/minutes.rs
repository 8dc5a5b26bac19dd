//! Minutes: what people decided, in words, for their records, the board and whoever acts next.
//!
//! Names, reasons and commits are text from outside, and are defused here.

use super::decision::{ApprovedCommit, Decision, Outcome, Verb};
use super::decisions::{GateStanding, Lapse};
use super::fold::page;
use super::reason::and;
use super::status::Word;
use super::text;
use crate::names::{RepoName, TargetName};

/// As many names stand in a sentence.
pub(super) const NAMED: usize = 6;

/// So many digits of a commit are read.
const SHORT: usize = 7;

impl Decision {
    /// What the person did, with a link to the comment: `🟢 alice said go on go for web at 1a2b3c4`. `who` is the
    /// person as it may stand there; the reason takes so many characters at the most.
    pub(super) fn sentence(&self, who: &str, reason: usize) -> String {
        let said = |words: &str| text::link(words, &self.comment_url);
        let (emoji, deed) = match self.verb() {
            Some(Verb::Go) => {
                ("🟢", format!("{} on {}{}", said("said go"), self.about("every gate"), self.at_commits()))
            }
            Some(Verb::NoGo) => {
                ("⛔", format!("{} on {}{}", said("said no-go"), self.about("every gate"), self.at_commits()))
            }
            Some(Verb::Retry) => ("🔁", format!("{} {} again", said("starts"), self.about("what failed"))),
            Some(Verb::Cancel) => ("🚫", format!("{} {}", said("cancels"), self.cancelled())),
            Some(Verb::Skip) => ("⏭️", format!("{} {}", said("skips"), self.about("what is left"))),
            Some(Verb::Hold) => ("⏸️", format!("{} {}", said("holds"), self.about(EVERYTHING))),
            Some(Verb::Resume) => ("▶️", format!("{} {}", said("resumes"), self.about(EVERYTHING))),
            Some(Verb::OverrideFreeze) => ("🧊", format!("{} the freeze{}", said("overrides"), self.until())),
            Some(Verb::Status | Verb::Help) | None => {
                ("💬", format!("{} {}", said("asked for"), self.word()))
            }
        };
        format!("{emoji} {who} {deed}{}", self.because(reason))
    }

    /// `: the reason`, where there is one.
    pub(super) fn because(&self, limit: usize) -> String {
        let reason = self.reason.as_deref().map(text::first_line).filter(|reason| !reason.is_empty());
        reason.map(|reason| format!(": {}", text::inline(&text::cut(reason, limit)))).unwrap_or_default()
    }

    /// Whether it says how something stands from now on: whoever asks a question decides nothing.
    #[must_use]
    pub fn is_question(&self) -> bool {
        matches!(self.verb(), Some(Verb::Status | Verb::Help))
    }

    fn about(&self, everything: &str) -> String {
        if self.names.is_empty() { everything.to_owned() } else { listed(self.names.iter().map(bold)) }
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

    /// The targets with the commits that a word on gates is about.
    fn at_commits(&self) -> String {
        let commits = self.commits.iter().map(|of| {
            let link = of.sha.as_deref().and_then(|sha| commit_link(self.page(&of.repository), sha));
            format!("{}{}", bold(&of.target), link.map(|link| format!(" at {link}")).unwrap_or_default())
        });
        let commits = listed(commits);
        if commits.is_empty() { commits } else { format!(" for {commits}") }
    }

    /// The targets with links to the runs that are cancelled.
    fn cancelled(&self) -> String {
        let target = |name: &TargetName| {
            let cancel = self.cancels.iter().find(|cancel| cancel.target == *name);
            let url =
                cancel.and_then(|of| Some(format!("{}/actions/runs/{}", self.page(&of.repository)?, of.run)));
            url.map_or_else(|| bold(name), |url| text::foreign_link(&bold(name), &url))
        };
        listed(self.names.iter().map(target))
    }

    fn until(&self) -> String {
        let end = self.freezes.iter().map(|freeze| freeze.to).max();
        end.map(|end| format!(" until {}", end.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default()
    }

    /// A repository in the browser, on the server of the ticket.
    fn page(&self, repository: &RepoName) -> Option<String> {
        page(&self.run_url, &self.by.repository, repository)
    }

    /// The lines of its record for people.
    pub(super) fn lines(&self) -> String {
        let who = text::code(self.who.login.as_str());
        let answer = self.answer.as_deref().unwrap_or_default();
        let said = || text::link(&who, &self.comment_url);
        match &self.outcome {
            Word::Known(Outcome::Refused) => format!("👎 {}: {answer}", said()),
            Word::Known(Outcome::Failed) => format!("⚠️ {}: {answer}", said()),
            Word::Known(Outcome::Accepted) | Word::Newer(_) => {
                format!("{}\n\n{answer}", self.sentence(&who, text::MESSAGE_LIMIT)).trim_end().to_owned()
            }
        }
    }
}

const EVERYTHING: &str = "the whole release";

impl GateStanding<'_> {
    /// How it stands, in a few words: `🚦 go: 1 of 2`. `name` and `person` render what stands there.
    pub(super) fn state(&self, name: impl Fn(&str) -> String, person: impl Fn(&str) -> String) -> String {
        let gate = name(self.gate.name.as_str());
        if !self.refusals.is_empty() {
            let who: Vec<String> = self.refusals.iter().map(|word| person(word.who.login.as_str())).collect();
            return format!("⛔ {gate}: closed by {}", listed(who.into_iter()));
        }
        match self.missing() {
            0 => format!("🟢 {gate}: open"),
            _ => format!("🚦 {gate}: {}", self.count()),
        }
    }

    /// `1 of 2`
    pub(super) fn count(&self) -> String {
        format!("{} of {}", self.approvals.len(), self.gate.required)
    }

    /// The emoji of its state alone.
    pub(super) fn emoji(&self) -> &'static str {
        match (self.refusals.is_empty(), self.missing()) {
            (false, _) => "⛔",
            (true, 0) => "🟢",
            (true, _) => "🚦",
        }
    }
}

impl Lapse<'_> {
    /// Why it has lapsed for this target, as a clause: `web has moved: 1a2b3c4...5d6e7f8`.
    pub(super) fn cause(&self, target: &TargetName) -> String {
        let target = bold(target);
        let Some(approved) = self.approved else { return format!("{target} was not behind the gate then") };
        match (approved.sha.as_deref(), self.now) {
            (Some(old), Some(new)) => format!("{target} has moved{}", self.compared(approved, old, new)),
            _ => format!("the commit of {target} is not known"),
        }
    }

    fn compared(&self, of: &ApprovedCommit, old: &str, new: &str) -> String {
        let (Some(old_short), Some(new_short)) = (short(old), short(new)) else { return String::new() };
        let words = format!("`{old_short}...{new_short}`");
        let page = self.approval.page(&of.repository);
        let link = page.map(|page| text::foreign_link(&words, &format!("{page}/compare/{old}...{new}")));
        format!(": {}", link.unwrap_or(words))
    }
}

/// A commit, with a link to it; none if the text is not the id of one.
fn commit_link(page: Option<String>, sha: &str) -> Option<String> {
    let words = format!("`{}`", short(sha)?);
    Some(
        page.map_or_else(
            || words.clone(),
            |page| text::foreign_link(&words, &format!("{page}/commit/{sha}")),
        ),
    )
}

/// The first digits of a commit; none if the text is not the id of one.
fn short(sha: &str) -> Option<&str> {
    let is_id = sha.len() <= 64 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    sha.get(..SHORT).filter(|_| is_id)
}

/// A name in bold.
pub(super) fn bold(name: &TargetName) -> String {
    format!("**{}**", text::inline(name.as_str()))
}

/// `web, api and docs`, or the first of many and how many more there are.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.len() {
        ..=NAMED => and(&names),
        count => format!("{} and {} more", names[..NAMED].join(", "), count - NAMED),
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

    fn approved(target: &str, sha: Option<&str>) -> Value {
        json!({ "target": target, "repository": format!("acme/{target}"), "ref": "main", "sha": sha })
    }

    #[test]
    fn each_verb_has_a_sentence() {
        let freeze = json!({ "from": "2026-12-20T00:00:00Z", "to": "2027-01-02T00:00:00Z" });
        let cancel = json!({ "target": "web", "repository": "acme/web", "run": 8, "attempt": 1 });
        let commits = json!([approved("web", Some(SHA)), approved("docs", None)]);
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
        let go = decision("go", &json!({ "commits": [approved("web", Some(SHA)), approved("docs", None)] }));
        let cause = |name: &str, now| {
            let approved = go.commits.iter().find(|commit| commit.target == *name);
            Lapse { approval: &go, approved, now }.cause(&name.into())
        };
        let compare = format!("https://github.com/acme/web/compare/{SHA}...{now}");
        assert_eq!(cause("web", Some(now)), format!("**web** has moved: [`1a2b3c4...5d6e7f8`]({compare})"));
        assert_eq!(cause("web", Some("a\"b")), "**web** has moved");
        assert_eq!(cause("docs", Some(now)), "the commit of **docs** is not known");
        assert_eq!(cause("cli", Some(now)), "**cli** was not behind the gate then");
    }

    #[test]
    fn a_long_reason_and_a_long_answer_fit_a_comment() {
        let long = "`a` <b> @c ".repeat(5_000);
        let record = Record::Decision(decision("status", &json!({ "reason": long, "answer": long })));
        assert!(record.fits(), "{} characters", text::length(&record.render()));
        let names: Vec<String> = (0..300).map(|number| format!("service-{number}")).collect();
        let commits: Vec<Value> = names.iter().map(|name| approved(name, Some(SHA))).collect();
        let record = Record::Decision(decision("go", &json!({ "names": ["go"], "commits": commits })));
        assert!(record.fits(), "{} characters", text::length(&record.render()));
    }
}
