//! The gates and freezes of the targets file.

use chrono::{DateTime, Utc};

use super::schema::{
    EXTENSION, FREEZE, GATE, Key, MOST_APPROVERS, MOST_FREEZES, MOST_GATES, MOST_REQUIRED, ON_MOVED,
    REASON_LIMIT, Takes,
};
use super::{Keys, Reader, did_you_mean, enumeration, has_template, moment, place_of, text, texts};
use crate::problem::{Help, Problem};
use crate::ticket::gate::{Approver, MovePolicy};
use crate::ticket::marker::{self, Kind};
use crate::ticket::text::length;
use crate::ticket::{Freeze, Gate, Word};
use crate::yaml::{Node, PlacedValue};

/// The most characters that gates and freezes may take in the marker of a record.
const RECORD_LIMIT: usize = 10_000;

impl Reader<'_> {
    /// Reads the gates and freezes of the file.
    pub(super) fn rules(&mut self, file: &Keys<'_>) {
        if let Some(node) = file.get("gates") {
            self.gates(node);
        }
        if let Some(node) = file.get("freeze") {
            self.freezes(node);
        }
        let Some(node) = file.get("gates").or(file.get("freeze")) else { return };
        let length = length(&marker::render(Kind::Dispatch, &self.list.rules));
        if length > RECORD_LIMIT {
            let what = format_args!(
                "gates and freezes take {length} characters, but a record of the ticket has room for {RECORD_LIMIT}"
            );
            let help = "name teams in place of people, shorten reasons, or remove freezes that have ended";
            self.refuse(&node.place, what, help);
        }
    }

    fn gates(&mut self, node: &PlacedValue<Node>) {
        let Node::List(items) = &node.value else {
            let what = format_args!("the gates are {}", node.value.kind());
            return self.refuse(&node.place, what, "write a list of mappings, each with a `name`");
        };
        if items.len() > MOST_GATES {
            let what = format_args!("there are {} gates", items.len());
            return self.refuse(&node.place, what, format!("list at most {MOST_GATES}"));
        }
        items.iter().for_each(|item| self.gate(item));
    }

    /// Reads one gate. Problems with its other keys are reported even if it has no name.
    fn gate(&mut self, node: &PlacedValue<Node>) {
        let keys = self.keys(node, "a gate", GATE);
        if !missing_keys(node, GATE, &["name"]).is_empty() {
            self.refuse(&node.place, "a gate has no `name`", "add `name: go`, or another name");
        }
        let name = text(&keys, "name").and_then(|name| self.take(name, &node.place, &keys));
        let approvers = self.approvers(&keys);
        let required_approvals = self.count(&keys, "required").unwrap_or(1);
        if let Some(approvers) = &approvers {
            self.refuse_too_many_required(&keys, required_approvals, approvers);
        }
        let excludes_driver = keys.get("not-driver").is_some_and(|node| node.value == Node::Bool(true));
        let move_policy = self.move_policy(&keys);
        let Some(name) = name else { return };
        let approvers = approvers.unwrap_or_default();
        self.list.rules.gates.push(Gate {
            name,
            approvers,
            required_approvals,
            excludes_driver,
            move_policy,
        });
    }

    /// Refuses gates that no target needs: their author expects them to stop something. With other problems it refuses
    /// none, as a target that could not be read may need them.
    pub(super) fn refuse_idle_gates(&mut self) {
        if !self.list.problems.is_empty() {
            return;
        }
        let needs: Vec<_> = self.list.targets.iter().flat_map(|target| &target.needs).collect();
        let gates = self.list.rules.gates.iter().map(|gate| &gate.name);
        let idle: Vec<_> = gates.filter(|name| !needs.contains(name)).cloned().collect();
        for name in idle {
            let place = self.names[&name.as_str().to_lowercase()].clone();
            let what = format_args!("no target needs the gate `{name}`, so it stops nothing");
            self.refuse(&place, what, "name it in the `needs` of the targets that wait for it, or remove it");
        }
    }

    /// The approvers of a gate, empty if it names no approvers; `None` if there is a problem with them.
    fn approvers(&mut self, keys: &Keys<'_>) -> Option<Vec<Approver>> {
        let Some(node) = keys.get("approvers") else { return Some(Vec::new()) };
        let names = texts(node);
        let (what, help) = match &node.value {
            Node::Text(text) if text.trim().is_empty() => return Some(Vec::new()),
            Node::List(_) if names.is_empty() => (
                "the list of approvers is empty".to_owned(),
                "name one, or leave `approvers` out for anyone who may give commands".to_owned(),
            ),
            Node::List(_) if names.len() > MOST_APPROVERS => (
                format!("there are {} approvers", names.len()),
                format!("name at most {MOST_APPROVERS}, or a team"),
            ),
            _ => return self.distinct_approvers(&names),
        };
        self.refuse(&node.place, what, help);
        None
    }

    /// These approvers, each named once; `None` if there is a problem with them.
    fn distinct_approvers(&mut self, names: &[PlacedValue<String>]) -> Option<Vec<Approver>> {
        let mut approvers: Vec<Approver> = Vec::new();
        let mut is_good = true;
        for text in names {
            let approver = self.approver(text);
            let Some(approver) = approver else {
                is_good = false;
                continue;
            };
            if approvers.iter().any(|other| other.is_same(&approver)) {
                self.refuse(
                    &text.place,
                    format_args!("the approver `{approver}` appears twice"),
                    "keep one of them",
                );
                is_good = false;
            }
            approvers.push(approver);
        }
        is_good.then_some(approvers)
    }

    fn approver(&mut self, text: &PlacedValue<String>) -> Option<Approver> {
        // A template is a problem already.
        if has_template(&text.value) {
            return None;
        }
        match Approver::parse(&text.value) {
            Ok(Approver::Person(login)) if login.is_bot() => {
                let what = format_args!("`{login}` is a bot, and the commands of bots count for nothing");
                self.refuse(&text.place, what, "name a person or a team");
                None
            }
            Ok(approver) => Some(approver),
            Err(error) => {
                let help = "write `alice` for a person, or `@acme/release` for a team";
                self.refuse(&text.place, error, help);
                None
            }
        }
    }

    /// Refuses a gate that never opens, as it names fewer people than have to say go. A team may have any number.
    fn refuse_too_many_required(&mut self, keys: &Keys<'_>, required_approvals: u32, approvers: &[Approver]) {
        let are_people = approvers.iter().all(|approver| matches!(approver, Approver::Person(_)));
        let is_enough = u32::try_from(approvers.len()).is_ok_and(|count| required_approvals <= count);
        if let Some(node) = keys.get("required")
            && are_people
            && !approvers.is_empty()
            && !is_enough
        {
            let what =
                format_args!("`required` is {required_approvals}, but `approvers` names {}", approvers.len());
            self.refuse(&node.place, what, "lower `required`, or name more `approvers`");
        }
    }

    fn count(&mut self, keys: &Keys<'_>, key: &str) -> Option<u32> {
        let node = keys.get(key)?;
        let text = node.value.to_text();
        let count = text.parse().ok().filter(|count| (1..=MOST_REQUIRED).contains(count));
        if count.is_none() {
            let help = format!("it takes {}", Takes::Count.kind());
            self.refuse(&node.place, format_args!("`{key}` is {text}"), help);
        }
        count
    }

    fn move_policy(&mut self, keys: &Keys<'_>) -> Word<MovePolicy> {
        let [lapse, warn] = ON_MOVED;
        let word = match text(keys, "on-moved") {
            Some(word) if word == warn => MovePolicy::Warn,
            Some(word) if word != lapse && !has_template(&word) => {
                let place = &keys["on-moved"].place;
                let help = did_you_mean(&word, ON_MOVED.into_iter());
                self.refuse(place, format_args!("`on-moved` is `{word}`"), help);
                MovePolicy::Lapse
            }
            _ => MovePolicy::Lapse,
        };
        Word::Known(word)
    }

    fn freezes(&mut self, node: &PlacedValue<Node>) {
        let Node::List(items) = &node.value else { return self.freeze(node) };
        if items.len() > MOST_FREEZES {
            let what = format_args!("there are {} freezes", items.len());
            return self.refuse(&node.place, what, format!("list at most {MOST_FREEZES}"));
        }
        items.iter().for_each(|item| self.freeze(item));
    }

    fn freeze(&mut self, node: &PlacedValue<Node>) {
        let keys = self.keys(node, "a freeze", FREEZE);
        let missing_keys = missing_keys(node, FREEZE, &["from", "to"]);
        if !missing_keys.is_empty() {
            let what = format_args!("a freeze has no {}", enumeration(missing_keys.into_iter()));
            self.refuse(&node.place, what, "add `from: 2026-12-20T00:00Z` and `to: 2027-01-02T00:00Z`");
        }
        let (from, to) = (self.moment(&keys, "from"), self.moment(&keys, "to"));
        let reason = self.reason(&keys);
        let (Some(from), Some(to)) = (from, to) else { return };
        if to <= from {
            let place = place_of(&keys, "to", &node.place);
            self.refuse(place, "the `to` of a freeze is not after its `from`", "give it a later `to`");
            return;
        }
        self.list.rules.freezes.push(Freeze { from, to, reason });
    }

    fn moment(&mut self, keys: &Keys<'_>, key: &str) -> Option<DateTime<Utc>> {
        // A template is a problem already.
        let text = text(keys, key).filter(|text| !has_template(text))?;
        match moment::parse(&text) {
            Ok(moment) => Some(moment),
            Err(error) => {
                let what = format!("`{key}`: {error}");
                let problem = Problem { help: error.help(), ..Problem::new(what) };
                self.list.problems.push(problem.at(&keys[key].place));
                None
            }
        }
    }

    fn reason(&mut self, keys: &Keys<'_>) -> String {
        let reason = text(keys, "reason").unwrap_or_default();
        if reason.chars().count() > REASON_LIMIT || reason.contains(['\n', '\r']) {
            let what = format_args!("the `reason` is longer than {REASON_LIMIT} characters or than one line");
            self.refuse(&keys["reason"].place, what, "shorten it");
        }
        reason
    }
}

/// The required keys that a mapping lacks; none if another key is misspelt, which is a problem already.
fn missing_keys<'r>(node: &PlacedValue<Node>, keys: &[Key], required_keys: &[&'r str]) -> Vec<&'r str> {
    let entries = match &node.value {
        Node::Mapping(entries) => entries.as_slice(),
        Node::Null => &[],
        _ => return Vec::new(),
    };
    let is_known = |name: &str| name.starts_with(EXTENSION) || keys.iter().any(|key| key.name == name);
    if !entries.iter().all(|(name, _)| is_known(&name.value)) {
        return Vec::new();
    }
    let is_given = |key: &str| {
        entries.iter().any(|(name, node)| name.value == key && !node.value.to_text().trim().is_empty())
    };
    required_keys.iter().copied().filter(|key| !is_given(key)).collect()
}

#[cfg(test)]
mod tests {
    use crate::targets::{Defaults, TargetList, parse_file, parse_input};
    use crate::ticket::Rules;

    fn file(text: &str) -> TargetList {
        let hub = "acme/hub".parse().expect("a name");
        parse_file("t.yml", text, &hub, &Defaults { workflow: Some("r.yml".into()), ..Defaults::default() })
    }

    fn problems(text: &str) -> String {
        file(text).problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn rules(text: &str) -> Rules {
        let enumeration = file(text);
        assert_eq!(enumeration.problems, [], "{text}");
        enumeration.rules
    }

    #[test]
    fn gates_and_freezes_are_read_with_every_key() {
        let rules = rules(
            r#"
targets:
  - { repository: web, needs: [go, SIGN OFF] }
gates:
  - name: go
    approvers: [alice, "@dana", "@acme/Release"]
    required: 2
    not-driver: true
    on-moved: warn
    x-why: [left alone]
  - { name: Sign off, approvers: , on-moved: lapse }
freeze:
  - { from: 2026-12-20T00:00Z, to: 2027-01-02, reason: Holidays, x-by: alice }
  - { from: 2027-03-01T09:00:00+01:00, to: 2027-03-01T10:00:00+01:00 }
"#,
        );
        insta::assert_snapshot!(serde_json::to_string_pretty(&rules).expect("JSON"), @r#"
        {
          "gates": [
            {
              "name": "go",
              "approvers": [
                "alice",
                "dana",
                "acme/release"
              ],
              "required": 2,
              "not_driver": true,
              "on_moved": "warn"
            },
            {
              "name": "Sign off",
              "required": 1,
              "on_moved": "lapse"
            }
          ],
          "freezes": [
            {
              "from": "2026-12-20T00:00:00Z",
              "to": "2027-01-02T00:00:00Z",
              "reason": "Holidays"
            },
            {
              "from": "2027-03-01T08:00:00Z",
              "to": "2027-03-01T09:00:00Z"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_target_needs_a_gate_as_the_gate_spells_its_name() {
        let list = file(
            "targets: [{ repository: web, needs: [api, ' gO ÜBER '] }, api]\ngates: [{ name: Go über }]",
        );
        assert_eq!(
            (list.problems, &list.targets[0].needs[..]),
            (vec![], &["api".into(), "Go über".into()][..])
        );
    }

    #[test]
    fn a_file_without_gates_and_freezes_has_no_rules() {
        for text in [
            "[web]",
            "targets: [web]",
            "targets: [web]\ngates:\nfreeze:",
            "targets: [web]\ngates: []\nfreeze: []",
        ] {
            assert!(rules(text).is_blank(), "{text}");
        }
    }

    #[test]
    fn one_freeze_needs_no_list() {
        let rules = rules("targets: [web]\nfreeze: { from: 2020-01-01, to: 2020-01-02 }");
        assert_eq!(rules.freezes.len(), 1);
    }

    #[test]
    fn a_name_is_taken_by_a_target_or_by_a_gate() {
        insta::assert_snapshot!(problems(
            "
targets:
  - { repository: web, needs: [go, Web] }
gates:
  - name: WEB
  - name: go
  - name: Go
",
        ), @"
        t.yml:5:5: the name `WEB` is taken, at 3:5
        help: give it a `name` of its own
        t.yml:7:5: the name `Go` is taken, at 6:5
        help: give it a `name` of its own
        t.yml:3:5: these targets wait for each other: web → web
        help: leave one of their `needs` out
        ");
    }

    #[test]
    fn a_need_is_a_target_or_a_gate() {
        insta::assert_snapshot!(problems(
            "
targets:
  - { repository: web, needs: [sign-of, ap] }
  - { repository: api, needs: broken }
gates:
  - { name: sign-off, needs: [api] }
  - { name: broken, required: 0 }
",
        ), @"
        t.yml:6:23: a gate has no key `needs`
        help: the choices are `name`, `approvers`, `required`, `not-driver` and `on-moved`
        t.yml:7:31: `required` is 0
        help: it takes a whole number from 1 to 100
        t.yml:3:32: `web` needs `sign-of`, which is neither a target nor a gate
        help: did you mean `sign-off`?
        t.yml:3:41: `web` needs `ap`, which is neither a target nor a gate
        help: did you mean `api`?
        ");
        let of_input = parse_input(
            "[{ repository: web, needs: go }]",
            &"acme/hub".parse().expect("a name"),
            &Defaults { workflow: Some("r.yml".into()), ..Defaults::default() },
        );
        insta::assert_snapshot!(of_input.problems[0], @"
        `targets`:1:28: `web` needs `go`, which is neither a target nor a gate
        help: the only choice is `web`
        ");
    }

    #[test]
    fn all_mistakes_of_gates_and_freezes_are_reported_at_once_each_with_its_place() {
        insta::assert_snapshot!(problems(
            r#"
targets: [{ repository: web, needs: [go, a, b, c, d] }]
gates:
  - { name: go, approvers: [alice, "@Alice", "not a login", "ci[bot]", "{{ inputs.who }}"], required: 9 }
  - { approver: alice }
  - { required: 1 }
  - { name: a, approvers: [], required: 1.5, not-driver: yes, on-moved: lapsed }
  - { name: b, approvers: [alice, dana], required: 3, not-driver: true }
  - { name: c, approvers: [alice, "@acme/release"], required: 3 }
  - { name: d, approvers: { a: b }, required: "2", on-moved: true }
  - go
freeze:
  - { from: 2026-12-20T00:00, to: tomorrow }
  - { from: 2026-12-20, to: 2026-12-20T00:00Z }
  - { from: 2026-12-20, until: 2026-12-21 }
  - { reason: "{{ inputs.why }}" }
  - { from: "{{ inputs.from }}", to: 2027 }
  - 2026-12-20
  - { from: 2026-12-20, to: 2026-12-21, reason: "two\nlines" }
"#,
        ), @"
        t.yml:4:72: `approvers` takes no template, but is `{{ inputs.who }}`
        help: write the text itself; only the values below `inputs` are templates
        t.yml:4:36: the approver `Alice` appears twice
        help: keep one of them
        t.yml:4:46: `not a login` is neither a login nor a team such as `@acme/release`
        help: write `alice` for a person, or `@acme/release` for a team
        t.yml:4:61: `ci[bot]` is a bot, and the commands of bots count for nothing
        help: name a person or a team
        t.yml:5:7: a gate has no key `approver`
        help: did you mean `approvers`?
        t.yml:6:5: a gate has no `name`
        help: add `name: go`, or another name
        t.yml:7:58: `not-driver` is text
        help: it takes `true` or `false`
        t.yml:7:27: the list of approvers is empty
        help: name one, or leave `approvers` out for anyone who may give commands
        t.yml:7:41: `required` is 1.5
        help: it takes a whole number from 1 to 100
        t.yml:7:73: `on-moved` is `lapsed`
        help: did you mean `lapse`?
        t.yml:8:52: `required` is 3, but `approvers` names 2
        help: lower `required`, or name more `approvers`
        t.yml:10:27: `approvers` is a mapping
        help: it takes a login, a team or a list of them
        t.yml:10:47: `required` is text
        help: it takes a whole number from 1 to 100
        t.yml:10:62: `on-moved` is a boolean
        help: it takes `lapse` or `warn`
        t.yml:11:5: a gate is text
        help: write a mapping with `name`, `approvers`, `required`, `not-driver` and `on-moved`
        t.yml:13:13: `from`: `2026-12-20T00:00` has no time zone
        help: add `Z` for UTC, or an offset such as `+01:00`
        t.yml:13:35: `to`: `tomorrow` is not a time
        help: write `2026-12-20T00:00Z`, an offset such as `+01:00` in place of the `Z`, or a date for 00:00 UTC
        t.yml:14:29: the `to` of a freeze is not after its `from`
        help: give it a later `to`
        t.yml:15:25: a freeze has no key `until`
        help: the choices are `from`, `to` and `reason`
        t.yml:16:15: `reason` takes no template, but is `{{ inputs.why }}`
        help: write the text itself; only the values below `inputs` are templates
        t.yml:16:5: a freeze has no `from` and `to`
        help: add `from: 2026-12-20T00:00Z` and `to: 2027-01-02T00:00Z`
        t.yml:17:13: `from` takes no template, but is `{{ inputs.from }}`
        help: write the text itself; only the values below `inputs` are templates
        t.yml:17:38: `to` is a number
        help: it takes a time such as `2026-12-20T00:00Z`
        t.yml:18:5: a freeze is text
        help: write a mapping with `from`, `to` and `reason`
        t.yml:19:49: the `reason` is longer than 200 characters or than one line
        help: shorten it
        ");
        insta::assert_snapshot!(problems("targets: [web]\ngates: { name: go }\nfreeze: [{}]"), @"
        t.yml:2:8: the gates are a mapping
        help: write a list of mappings, each with a `name`
        t.yml:3:10: a freeze has no `from` and `to`
        help: add `from: 2026-12-20T00:00Z` and `to: 2027-01-02T00:00Z`
        ");
    }

    #[test]
    fn a_gate_that_no_target_needs_is_refused() {
        let problems =
            problems("targets: [web, { repository: api, needs: go }]\ngates: [{ name: go }, { name: stop }]");
        insta::assert_snapshot!(problems, @"
        t.yml:2:23: no target needs the gate `stop`, so it stops nothing
        help: name it in the `needs` of the targets that wait for it, or remove it
        ");
    }

    #[test]
    fn a_name_that_no_command_could_use_is_refused() {
        insta::assert_snapshot!(problems(
            r#"
targets:
  - { repository: web, needs: "sign off" }
  - { repository: web, name: ALL }
  - { repository: all }
  - { repository: web, name: "a, b" }
  - { repository: web, name: "a:b" }
  - { repository: web, name: "a\nb" }
  - { repository: web, name: "a\u200bb" }
gates:
  - name: all
  - name: "a:b"
  - name: sign off
"#,
        ), @r#"
        t.yml:4:30: the name `ALL` is reserved: in a command it means all of them
        help: give it another `name`
        t.yml:5:5: the name `all` is reserved: in a command it means all of them
        help: give it another `name`
        t.yml:6:30: the name `a, b` has a `,`, and a command's names end there
        help: give it a `name` without commas and colons
        t.yml:7:30: the name `a:b` has a `:`, and a command's names end there
        help: give it a `name` without commas and colons
        t.yml:8:30: the `name` is longer than 100 characters or than one line
        help: shorten it
        t.yml:9:30: the name "a\u{200b}b" has invisible characters
        help: type it again instead of pasting it
        t.yml:11:11: the name `all` is reserved: in a command it means all of them
        help: give it another `name`
        t.yml:12:11: the name `a:b` has a `:`, and a command's names end there
        help: give it a `name` without commas and colons
        "#);
    }

    #[test]
    fn gates_approvers_and_freezes_have_limits() {
        let gates = |number: usize, of: &str| {
            let gates: String = (0..number).map(|n| format!("  - {{ name: g{n}{of} }}\n")).collect();
            let needs: Vec<_> = (0..number).map(|n| format!("g{n}")).collect();
            format!("targets: [{{ repository: web, needs: [{}] }}]\ngates:\n{gates}", needs.join(", "))
        };
        let approvers = |number: usize| {
            let logins: Vec<_> = (0..number).map(|n| format!("login{n}")).collect();
            format!(", approvers: [{}]", logins.join(", "))
        };
        let freezes = |number: usize, length: usize| {
            let freeze = format!("{{ from: 2026-12-20, to: 2026-12-21, reason: {} }}", "a".repeat(length));
            format!("targets: [web]\nfreeze: [{}]", vec![freeze; number].join(", "))
        };
        assert_eq!(rules(&gates(20, "")).gates.len(), 20);
        assert_eq!(rules(&gates(1, &approvers(50))).gates[0].approvers.len(), 50);
        assert_eq!(rules(&freezes(50, 20)).freezes.len(), 50);
        assert_eq!(rules(&freezes(1, 200)).freezes.len(), 1);
        for text in [
            gates(21, ""),
            gates(1, &approvers(51)),
            freezes(51, 1),
            freezes(1, 201),
            freezes(50, 200),
            gates(20, &approvers(50)),
        ] {
            assert!(!problems(&text).is_empty(), "{text}");
        }
        insta::assert_snapshot!(problems(&gates(20, &approvers(50))), @"
        t.yml:3:3: gates and freezes take 11056 characters, but a record of the ticket has room for 10000
        help: name teams in place of people, shorten reasons, or remove freezes that have ended
        ");
    }
}
