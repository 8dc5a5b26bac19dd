//! `action.yml`, the code and the README declare the same inputs and outputs.

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

/// The rows of the tables below a heading of the README, `## Outputs`: the name and the cell behind it.
fn readme_rows(heading: &str) -> BTreeMap<String, String> {
    let level = |line: &str| line.len() - line.trim_start_matches('#').len();
    let readme = include_str!("../../README.md");
    let below = readme.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !(1..=level(heading)).contains(&level(line)));
    let rows = section.filter_map(|line| line.strip_prefix("| `"));
    let rows: BTreeMap<_, _> = rows
        .flat_map(|row| {
            let (names, rest) = row.split_once(" | ").expect("a table of several columns");
            let names: Vec<String> =
                names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect();
            let next = rest.split(" | ").next().unwrap_or_default().trim().trim_matches('`').to_owned();
            names.into_iter().map(move |name| (name, next.clone()))
        })
        .collect();
    assert!(!rows.is_empty(), "there is no table below {heading}");
    rows
}

/// As a runner reads them: `reference.rs` compares the text.
#[test]
fn action_yml_declares_the_inputs_of_the_table_with_their_defaults() {
    let table: BTreeMap<String, (String, bool)> = INPUTS
        .iter()
        .map(|input| {
            let required = input.default == DefaultValue::Required;
            (input.name.to_owned(), (input.default.declared().to_owned(), required))
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
    assert_eq!(code, readme_rows("## Outputs").into_keys().collect::<Vec<_>>(), "the code and the README");
}
