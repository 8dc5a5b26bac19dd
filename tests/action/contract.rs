//! `action.yml`, the code and the reference declare the same inputs and outputs.

use std::collections::BTreeMap;

use release_ticket_action::inputs::INPUTS;
use release_ticket_action::inputs::table::DefaultValue;
use release_ticket_action::receipt::Receipt;
use serde::Deserialize;

#[derive(Deserialize)]
struct ActionYml {
    inputs: BTreeMap<String, Input>,
    outputs: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    default: String,
    #[serde(default)]
    required: bool,
}

fn action_yml() -> ActionYml {
    serde_saphyr::from_str(include_str!("../../action.yml")).expect("action.yml is YAML of this shape")
}

/// The names in the first column of the first table of `docs/reference/outputs.md`.
fn outputs_of_reference() -> Vec<String> {
    let page = include_str!("../../docs/reference/outputs.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| output |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| row.split('|').nth(1).expect("a table of several columns").split(','));
    let mut names: Vec<String> = names.map(|name| name.trim().trim_matches('`').to_owned()).collect();
    names.sort();
    names
}

/// As a runner reads them: `reference.rs` compares the text.
#[test]
fn action_yml_declares_the_inputs_of_the_table_with_their_defaults() {
    let table: BTreeMap<String, (String, bool)> = INPUTS
        .iter()
        .map(|input| {
            let is_required = input.default == DefaultValue::Required;
            (input.name.to_owned(), (input.default.declared().to_owned(), is_required))
        })
        .collect();
    let yaml = action_yml().inputs.into_iter();
    let yaml: BTreeMap<_, _> = yaml.map(|(name, input)| (name, (input.default, input.required))).collect();
    assert_eq!(table, yaml);
}

#[test]
fn the_outputs_are_the_same_everywhere() {
    let mut code: Vec<String> =
        Receipt::default().outputs().into_iter().map(|(name, _)| name.to_owned()).collect();
    code.sort();
    assert_eq!(code, action_yml().outputs.into_keys().collect::<Vec<_>>(), "the code and action.yml");
    assert_eq!(code, outputs_of_reference(), "the code and docs/reference/outputs.md");
}
