//! The log of a step as people see it, with the runner's text for each command.
//!
//! <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>

/// The output of a step, as the page of its job shows it without debug logging.
pub(crate) fn as_people_see_it(log: &str) -> String {
    log.lines().filter_map(line).map(|line| line + "\n").collect()
}

/// The messages of one command, such as `warning`.
pub(crate) fn messages<'a>(log: &'a str, command: &'a str) -> impl Iterator<Item = String> + 'a {
    let commands = log.lines().filter_map(parse);
    commands.filter(move |(name, _)| *name == command).map(|(_, message)| unescape(message))
}

/// A line as the page of the job shows it, if it does.
fn line(line: &str) -> Option<String> {
    let Some((command, message)) = parse(line) else { return Some(line.to_owned()) };
    let message = unescape(message);
    match command {
        "error" => Some(format!("Error: {message}")),
        "warning" => Some(format!("Warning: {message}")),
        "notice" => Some(format!("Notice: {message}")),
        "group" => Some(message),
        "add-mask" | "debug" | "endgroup" => None,
        _ => Some(line.to_owned()),
    }
}

/// The command and the message of `::command name=value,…::message`.
fn parse(line: &str) -> Option<(&str, &str)> {
    let (command, message) = line.strip_prefix("::")?.split_once("::")?;
    Some((command.split(' ').next().unwrap_or_default(), message))
}

fn unescape(message: &str) -> String {
    message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_the_runner_shows_them() {
        let log = "::add-mask::ghs_1\n::error file=a.yml,line=2::no `a`%0Ahelp: 5%250A, then `b`\nplain\n::debug::x\n";
        assert_eq!(as_people_see_it(log), "Error: no `a`\nhelp: 5%0A, then `b`\nplain\n");
        assert_eq!(messages(log, "error").collect::<Vec<_>>(), ["no `a`\nhelp: 5%0A, then `b`"]);
    }
}
