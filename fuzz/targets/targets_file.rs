//! A targets file, and the input `targets`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::names::RepoName;
use release_ticket_action::targets::{Defaults, StartBy, Target, TargetList, parse_file, parse_input};
use release_ticket_action::ticket::{Freeze, Gate, Rules};
use serde_json::{Map, Value, json};

fuzz_target!(|text: &str| {
    let hub: RepoName = "acme/hub".parse().expect("a name");
    let defaults = Defaults::default();
    for list in [parse_file("t.yml", text, &hub, &defaults), parse_input(text, &hub, &defaults)] {
        let TargetList { targets, rules, problems } = list;
        if !problems.is_empty() {
            continue;
        }
        let gates = rules.gates.iter().map(|gate| gate.name.as_str());
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).chain(gates).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!name.trim().is_empty() && !names[..index].contains(name), "{names:?}");
            assert!(!name.contains([',', ':', '\n']) && !name.eq_ignore_ascii_case("all"), "{names:?}");
        }
        let needs: Vec<&str> =
            targets.iter().flat_map(|target| &target.needs).map(|name| name.as_str()).collect();
        assert!(needs.iter().all(|need| names.contains(need)), "{needs:?} of {names:?}");
        assert!(
            rules.gates.iter().all(|gate| gate.required_approvals > 0 && needs.contains(&gate.name.as_str()))
        );
        assert!(rules.freezes.iter().all(|freeze| freeze.from < freeze.to), "{rules:?}");
        // Rules survive the way into a record and back.
        let record = serde_json::to_string(&rules).expect("JSON");
        assert_eq!(serde_json::from_str::<Rules>(&record).expect("rules"), rules);
        // A file with every key written out gives the same targets.
        let whole: Vec<Value> = targets.iter().map(target_entry).collect();
        let gates: Vec<Value> = rules.gates.iter().map(gate_entry).collect();
        let freezes: Vec<Value> = rules.freezes.iter().map(freeze_entry).collect();
        let file = json!({ "targets": whole, "gates": gates, "freeze": freezes }).to_string();
        let again = parse_file("t.json", &file, &hub, &defaults);
        assert!(again.problems.is_empty(), "{file}\n{:?}", again.problems);
        assert_eq!(again.targets.iter().map(target_entry).collect::<Vec<_>>(), whole);
        assert_eq!(again.rules, rules);
    }
});

/// The target's entry in a file, with every key.
fn target_entry(target: &Target) -> Value {
    let inputs = target.inputs.iter().map(|input| (input.name.clone(), json!(input.template)));
    let mut entry = json!({
        "name": target.name.as_str(),
        "repository": target.repository.to_string(),
        "inputs": inputs.collect::<Map<_, _>>(),
        "needs": target.needs.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
    });
    if let StartBy::Workflow(file) = &target.start {
        entry["workflow"] = json!(file.as_str());
    }
    if let Some(git_ref) = &target.git_ref {
        entry["ref"] = json!(git_ref.as_str());
    }
    entry
}

/// The gate's entry in a file, with every key.
fn gate_entry(gate: &Gate) -> Value {
    let mut entry = json!({
        "name": gate.name.as_str(),
        "required": gate.required_approvals,
        "not-driver": gate.excludes_driver,
        "on-moved": gate.move_policy,
    });
    if !gate.approvers.is_empty() {
        entry["approvers"] = gate.approvers.iter().map(ToString::to_string).collect();
    }
    entry
}

/// The freeze's entry in a file, with every key.
fn freeze_entry(freeze: &Freeze) -> Value {
    json!({ "from": freeze.from, "to": freeze.to, "reason": freeze.reason })
}
