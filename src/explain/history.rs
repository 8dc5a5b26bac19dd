//! The history of a workflow on a branch: its first red run, and whether it flaps.

use crate::github::actions::WorkflowRun;
use crate::names::RepoName;
use crate::ticket::text;

/// The most runs before a failed one that count.
const MOST_RUNS: usize = 10;

/// The runs before a failed one that show whether its workflow works on its branch, newest first.
pub(super) struct Past<'r>(Vec<&'r WorkflowRun>);

impl<'r> Past<'r> {
    /// The runs of `all` before `run`. A branch of a fork or of a pull request is not the branch of the same name.
    pub(super) fn of(run: &WorkflowRun, all: &'r [WorkflowRun], repository: &RepoName) -> Self {
        let is_alike = |other: &&WorkflowRun| {
            other.id < run.id
                && other.head_branch == run.head_branch
                && is_of_pull_request(other) == is_of_pull_request(run)
                && other.is_of_branch_in(repository)
                && (is_green(other) || is_red(other))
        };
        let mut past: Vec<&WorkflowRun> = all.iter().filter(is_alike).collect();
        past.sort_by_key(|run| std::cmp::Reverse(run.id));
        past.truncate(MOST_RUNS);
        Self(past)
    }

    /// The newest of them that succeeded.
    pub(super) fn last_green(&self) -> Option<&'r WorkflowRun> {
        self.0.iter().find(|run| is_green(run)).copied()
    }

    /// A line of Markdown about them; none if there are none.
    pub(super) fn line(&self) -> Option<String> {
        let count = self.0.len();
        let Some(last_red) = self.0.iter().find(|run| is_red(run)) else {
            return match count {
                0 => None,
                1 => Some("First red: the run before it was green.".to_owned()),
                _ => Some(format!("First red: the {count} runs before it were green.")),
            };
        };
        let red = self.0.iter().filter(|run| is_red(run)).count();
        let in_a_row = self.0.iter().take_while(|run| is_red(run)).count();
        let changes = self.0.windows(2).filter(|pair| is_red(pair[0]) != is_red(pair[1])).count();
        let changes = changes + usize::from(in_a_row == 0);
        if red > 1 && changes > 3 {
            return Some(format!("**Flapping:** {red} of the {count} runs before this one failed, too."));
        }
        Some(match in_a_row {
            0 => format!(
                "First red since {}: {} of the {count} runs before it were green.",
                link(last_red),
                count - red
            ),
            _ if in_a_row == count => format!("Red in each of the last {} runs.", count + 1),
            _ => format!("Red since {}, {} runs in a row.", link(self.0[in_a_row - 1]), in_a_row + 1),
        })
    }
}

/// The run by its number, as its page in the browser calls it.
pub(super) fn link(run: &WorkflowRun) -> String {
    text::foreign_link(&format!("run {}", run.run_number.unwrap_or(run.id.0)), &run.html_url)
}

fn is_of_pull_request(run: &WorkflowRun) -> bool {
    run.event.as_deref().is_some_and(|event| event.starts_with("pull_request"))
}

fn is_green(run: &WorkflowRun) -> bool {
    run.conclusion.as_deref() == Some("success")
}

fn is_red(run: &WorkflowRun) -> bool {
    matches!(run.conclusion.as_deref(), Some("failure" | "timed_out" | "startup_failure"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repository() -> RepoName {
        "acme/web".parse().expect("a name")
    }

    /// A run of `main`, by its letter: green, red, cancelled, or one that goes on.
    fn run(number: u64, letter: char) -> WorkflowRun {
        let conclusion = match letter {
            'g' => Some("success"),
            'r' => Some("failure"),
            'c' => Some("cancelled"),
            _ => None,
        };
        let run = json!({
            "id": 7_000 + number, "run_number": number, "html_url": format!("https://github.com/acme/web/actions/runs/{number}"),
            "created_at": "2026-01-05T09:00:00Z", "conclusion": conclusion, "event": "push", "head_branch": "main",
            "head_repository": { "full_name": "Acme/web" },
        });
        serde_json::from_value(run).expect("a run")
    }

    /// The line about a failed run after these, the oldest first.
    fn line(before: &str) -> Option<String> {
        let all: Vec<WorkflowRun> =
            (1..).zip(before.chars()).map(|(number, letter)| run(number, letter)).collect();
        let failed_run = run(all.len() as u64 + 1, 'r');
        let line = Past::of(&failed_run, &all, &repository()).line()?;
        // Links as their text alone.
        let mut parts = line.split("](https://github.com/acme/web/actions/runs/");
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| part.split_once(')').map_or("", |(_, rest)| rest));
        Some(std::iter::once(first.as_str()).chain(rest).collect::<String>().replace('[', ""))
    }

    #[test]
    fn the_runs_before_say_since_when_it_fails_and_whether_it_flaps() {
        for (before, expected) in [
            ("", None),
            ("cc-", None),
            ("g", Some("First red: the run before it was green.")),
            ("gcg-g", Some("First red: the 3 runs before it were green.")),
            ("rggggggggg", Some("First red since run 1: 9 of the 10 runs before it were green.")),
            ("rrrrggggggggg", Some("First red since run 4: 9 of the 10 runs before it were green.")),
            ("gr", Some("Red since run 2, 2 runs in a row.")),
            ("ggrcrr", Some("Red since run 3, 4 runs in a row.")),
            ("r", Some("Red in each of the last 2 runs.")),
            ("rrrrrrrrrrrr", Some("Red in each of the last 11 runs.")),
            ("grgrgrgrgg", Some("**Flapping:** 4 of the 10 runs before this one failed, too.")),
            ("ggrgr", Some("Red since run 5, 2 runs in a row.")),
            ("ggrgrg", Some("**Flapping:** 2 of the 6 runs before this one failed, too.")),
        ] {
            assert_eq!(line(before).as_deref(), expected, "{before}");
        }
    }

    #[test]
    fn only_runs_of_the_same_branch_and_kind_before_it_count() {
        let failed_run = run(9, 'r');
        let fork = serde_json::from_value(json!({
            "id": 7_001, "html_url": "", "created_at": "2026-01-05T09:00:00Z", "conclusion": "success",
            "event": "push", "head_branch": "main", "head_repository": { "full_name": "mallory/web" },
        }));
        let fork: WorkflowRun = fork.expect("a run");
        let (mut other, mut request) = (run(2, 'g'), run(3, 'g'));
        other.head_branch = Some("next".to_owned());
        request.event = Some("pull_request".to_owned());
        let newer = run(10, 'g');
        for one in [fork, other, request, newer, failed_run.clone()] {
            let all = [one];
            assert_eq!(Past::of(&failed_run, &all, &repository()).line(), None, "{all:?}");
        }
    }

    #[test]
    fn the_last_success_is_the_newest_of_them() {
        let all: Vec<WorkflowRun> =
            (1..).zip("ggrr".chars()).map(|(number, letter)| run(number, letter)).collect();
        let failed_run = run(5, 'r');
        let green = Past::of(&failed_run, &all, &repository()).last_green().map(|run| run.id.0);
        assert_eq!(green, Some(7_002));
    }
}
