//! A targets file, and the input `targets`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release_ticket_action::names::RepoName;
use release_ticket_action::targets::{Defaults, Listed, StartBy, Target, parse_file, parse_input};
use serde_json::{Map, Value, json};

fuzz_target!(|text: &str| {
    let hub: RepoName = "acme/hub".parse().expect("a name");
    let defaults = Defaults::default();
    for listed in [parse_file("t.yml", text, &hub, &defaults), parse_input(text, &hub, &defaults)] {
        let Ok(targets) = listed.all_good() else { continue };
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!name.trim().is_empty() && !names[..index].contains(name), "{names:?}");
        }
        // A file that says the same in full is read the same.
        let whole: Vec<Value> = targets.iter().map(written).collect();
        let file = json!({ "targets": whole }).to_string();
        let Listed { targets: again, problems } = parse_file("t.json", &file, &hub, &defaults);
        assert!(problems.is_empty(), "{file}\n{problems:?}");
        assert_eq!(again.iter().map(written).collect::<Vec<_>>(), whole);
    }
});

/// The target as a file says it, with every key.
fn written(target: &Target) -> Value {
    let inputs = target.inputs.iter().map(|input| (input.name.clone(), json!(input.template)));
    let mut written = json!({
        "name": target.name.as_str(),
        "repository": target.repository.to_string(),
        "inputs": inputs.collect::<Map<_, _>>(),
        "needs": target.needs.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
    });
    if let StartBy::Workflow(file) = &target.start {
        written["workflow"] = json!(file.as_str());
    }
    if let Some(git_ref) = &target.git_ref {
        written["ref"] = json!(git_ref.as_str());
    }
    written
}
