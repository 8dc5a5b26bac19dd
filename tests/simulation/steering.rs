//! The part of a scenario that steers a release: gates, freezes, commands, and branches that move.

use std::fmt;
use std::time::Duration;

use crate::scenario::{Draw, Hub, HubAttempt, Stop, Target, Wait};

/// The people of the hub with their roles.
pub(crate) const PEOPLE: &[(&str, &str)] =
    &[("alice", "write"), ("bob", "write"), ("dana", "maintain"), ("tim", "triage"), ("mallory", "read")];

/// The people whose role lets their commands count.
pub(crate) const STEER: &[&str] = &["alice", "bob", "dana"];

/// The only person who may override a freeze.
pub(crate) const MAINTAINER: &str = "dana";

#[derive(Debug, Clone, Default)]
pub(crate) struct Steering {
    pub(crate) gates: Vec<Gate>,
    pub(crate) freezes: Vec<Freeze>,
    pub(crate) commands: Vec<Command>,
    pub(crate) pushes: Vec<Push>,
}

#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    /// If empty, everybody who may give commands.
    pub(crate) approvers: &'static [&'static str],
    pub(crate) required: u32,
    /// Whether an approval counts when the ref of a target has moved.
    pub(crate) may_move: bool,
}

/// A time in which nothing is started, counted from the beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freeze {
    pub(crate) start: Duration,
    pub(crate) end: Duration,
}

/// A comment with a command.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) at: Duration,
    pub(crate) who: &'static str,
    pub(crate) text: String,
    /// The runs of the hub that the comment starts.
    pub(crate) hubs: Vec<Hub>,
    /// A later change of the comment, and the time until then.
    pub(crate) fate: Option<(Duration, CommentFate)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum CommentFate {
    /// Its author replaces the command by another one.
    Edited,
    Deleted,
}

/// A push to the branch of a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Push {
    pub(crate) at: Duration,
    pub(crate) target: usize,
}

impl Steering {
    /// Draws the commands for a release of these targets, and the gates that they need.
    pub(crate) fn draw(draw: &mut Draw, targets: &mut [Target]) -> Self {
        let gates = gates(draw, targets);
        let freezes = if draw.chance(0.25) { vec![freeze(draw)] } else { Vec::new() };
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        let mut commands: Vec<Command> = Vec::new();
        let last = *draw.one(&[120.0, 400.0, 900.0]);
        for _ in 0..draw.number(1, 8) {
            let at = match commands.last() {
                // Two commands at once.
                Some(before) if draw.chance(0.35) => before.at + draw.time(4.0),
                _ => Duration::from_secs(3) + draw.time(last),
            };
            let text = text(draw, &names, &gates, !freezes.is_empty());
            commands.push(command(draw, at, text));
        }
        // In most releases somebody opens the gates at the end.
        for gate in &gates {
            for who in STEER.iter().take(gate.required as usize + 1) {
                if draw.chance(0.6) {
                    let at = Duration::from_secs_f64(last) + draw.time(300.0);
                    let command = command(draw, at, format!("/release go {}", gate.name));
                    commands.push(Command { who, ..command });
                }
            }
        }
        commands.sort_by_key(|command| command.at);
        let pushes = (0..draw.number(0, 3))
            .map(|_| Push { at: draw.time(last), target: draw.number(0, targets.len() - 1) })
            .collect();
        Self { gates, freezes, commands, pushes }
    }

    pub(crate) fn gate(&self, name: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }
}

fn gates(draw: &mut Draw, targets: &mut [Target]) -> Vec<Gate> {
    const GATES: [&str; 2] = ["go", "legal"];
    const APPROVERS: [&[&str]; 3] = [&[], &["dana", "bob"], &["alice", "bob", "dana"]];
    let gates = (0..draw.number(0, 2)).map(|index| Gate {
        name: GATES[index],
        approvers: APPROVERS[draw.number(0, APPROVERS.len() - 1)],
        required: if draw.chance(0.35) { 2 } else { 1 },
        may_move: draw.chance(0.3),
    });
    let mut gates: Vec<Gate> = gates.collect();
    for gate in &gates {
        for target in targets.iter_mut() {
            if draw.chance(0.5) {
                target.gates.push(gate.name);
            }
        }
    }
    // The action refuses a gate that no target needs.
    gates.retain(|gate| targets.iter().any(|target| target.gates.contains(&gate.name)));
    gates
}

fn freeze(draw: &mut Draw) -> Freeze {
    let start = draw.time(200.0);
    let longest = *draw.one(&[60.0, 300.0, 1_500.0]);
    Freeze { start, end: start + Duration::from_secs(20) + draw.time(longest) }
}

fn text(draw: &mut Draw, names: &[String], gates: &[Gate], is_frozen: bool) -> String {
    let target = draw.one(names).clone();
    let gate = gates.first().map_or("go", |_| draw.one(gates).name);
    let several = if draw.chance(0.3) { format!("{target}, {}", draw.one(names)) } else { target.clone() };
    let freeze = if is_frozen { 4 } else { 1 };
    let gate_weight = if gates.is_empty() { 1 } else { 8 };
    match draw.number(0, 18 + gate_weight + freeze) {
        0..3 => "/release hold".to_owned(),
        3..6 => format!("/release hold {several}: not yet"),
        6..8 => "/release resume".to_owned(),
        8..10 => format!("/release resume {several}"),
        10..12 => format!("/release skip {target} : not this time"),
        12..14 => format!("/release cancel {target}"),
        14..17 => format!("/release retry {several}"),
        17 => {
            (*draw.one(&["/release", "/release status", "/release launch", "/release hold wbe"])).to_owned()
        }
        18 => "/release retry all".to_owned(),
        number if number <= 18 + freeze => "/release override-freeze : it cannot wait".to_owned(),
        _ => {
            let word = if draw.chance(0.3) { "no-go" } else { "go" };
            if draw.chance(0.5) { format!("/release {word}") } else { format!("/release {word} {gate}") }
        }
    }
}

fn command(draw: &mut Draw, at: Duration, text: String) -> Command {
    let who = match draw.number(0, 9) {
        0 => "mallory",
        1 => "tim",
        2..5 => "alice",
        5..7 => "bob",
        _ => MAINTAINER,
    };
    let count = if draw.chance(0.2) { 2 } else { 1 };
    let hubs = (0..count).map(|_| hub(draw)).collect();
    let fate = draw.chance(0.15).then(|| {
        let fate = *draw.one(&[CommentFate::Edited, CommentFate::Edited, CommentFate::Deleted]);
        (draw.time(30.0), fate)
    });
    Command { at, who, text, hubs, fate }
}

/// A run of the hub's workflow that a comment starts; sometimes it is killed and re-run.
fn hub(draw: &mut Draw) -> Hub {
    let mut attempts = vec![HubAttempt { after: Duration::ZERO, stop: None }];
    while draw.chance(0.3) && attempts.len() < 3 {
        if draw.chance(0.8) {
            let gently = draw.chance(0.2);
            attempts.last_mut().expect("at least one").stop = Some(Stop { after: draw.death(), gently });
        }
        let after = Duration::from_secs(4) + draw.time(60.0);
        attempts.push(HubAttempt { after, stop: None });
    }
    if draw.chance(0.06) {
        attempts.last_mut().expect("at least one").stop = Some(Stop::kill(draw.death()));
    }
    let wait = draw.chance(0.3).then(|| Wait {
        timeout: if draw.chance(0.3) { "2m" } else { "1h" },
        interval: "30s",
        cancels: false,
    });
    Hub { at: draw.time(6.0), attempts, insists: draw.chance(0.7), wait, retries: false }
}

impl fmt::Display for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gates.iter().try_for_each(|gate| writeln!(f, "  {gate:?}"))?;
        self.freezes.iter().try_for_each(|freeze| writeln!(f, "  {freeze:?}"))?;
        self.pushes.iter().try_for_each(|push| writeln!(f, "  {push:?}"))?;
        for Command { at, who, text, hubs, fate } in &self.commands {
            write!(f, "  at {at:?} {who} comments `{text}`")?;
            fate.iter().try_for_each(|(after, fate)| write!(f, ", {fate:?} {after:?} later"))?;
            writeln!(f)?;
            hubs.iter().try_for_each(|hub| writeln!(f, "    {:?} later a hub run{hub}", hub.at))?;
        }
        Ok(())
    }
}
