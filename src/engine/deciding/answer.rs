//! Answers to commands: the state of the release, the list of commands, and refusals.

use crate::engine::view::View;
use crate::problem::Problem;
use crate::ticket::{board, text};

/// The longest answer, in characters: it stands in the record too.
const ANSWER_LIMIT: usize = 6_000;

/// The state of the release, with a link to the board.
pub(super) fn status(view: &View<'_>) -> String {
    let board =
        view.facts.log.board().map(|board| format!("\n{}\n", text::foreign_link("The board", &board.url)));
    let summary = board::summary(view.facts.log.ticket());
    text::cut(&format!("{summary}{}", board.unwrap_or_default()), ANSWER_LIMIT)
}

/// The list of commands, with the names of the gates.
pub(super) fn help(view: &View<'_>) -> String {
    let gates: Vec<String> =
        view.ticket.rules.gates.iter().map(|gate| text::code(gate.name.as_str())).collect();
    let gates = if gates.is_empty() { "none".to_owned() } else { gates.join(", ") };
    format!("{HELP}\n\nGates of this ticket: {gates}.")
}

/// `answer`, with the reason why nothing can be started.
pub(super) fn with_obstacles(answer: Option<String>, obstacles: &[Problem]) -> Option<String> {
    let Some(first) = obstacles.first() else { return answer };
    let more = match obstacles.len() {
        1 => String::new(),
        2 => " The job's log has 1 more problem.".to_owned(),
        count => format!(" The job's log has {} more problems.", count - 1),
    };
    let what = format!("The command is recorded, but nothing can be started now: {}{more}", refusal(first));
    Some(answer.map_or(what.clone(), |answer| format!("{answer}\n\n{what}")))
}

/// The reason why a command is refused, with its help.
pub(super) fn refusal(problem: &Problem) -> String {
    let help = problem.help.as_ref().map(|help| format!("\n\n**What to do:** {}", text::inline(&help.text)));
    text::cut(&format!("{}.{}", text::inline(&problem.what), help.unwrap_or_default()), ANSWER_LIMIT)
}

const HELP: &str = "\
| comment | what it does |
|---|---|
| `/release`, `/release status` | answers with the state of the release |
| `/release go [GATE…]` | approves gates, by default all that targets wait for |
| `/release no-go [GATE…] [: reason]` | closes gates |
| `/release retry TARGET…` | starts targets again that failed or were cancelled |
| `/release cancel TARGET…` | cancels runs that dispatches of this ticket started |
| `/release skip TARGET… [: reason]` | counts targets as finished, without starting them |
| `/release hold [TARGET…] [: reason]` | starts nothing, or none of these targets, until a resume |
| `/release resume [TARGET…]` | ends a hold, and for named targets also a skip |
| `/release override-freeze : reason` | lets this ticket start targets during the current freeze; needs the role maintain |

The first line of a comment is the command. Spaces or commas separate names; `all` means everything to which the command can apply.";
