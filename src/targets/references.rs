//! References of inputs to the outputs of other targets: `{{ outputs.web.version }}`. A target may read the outputs of
//! the targets that come before it; other targets may report after its start.

use std::collections::{BTreeMap, BTreeSet};

use super::{Input, Reader, Target, did_you_mean, enumeration};
use crate::names::TargetName;
use crate::problem::{Problem, Topic};
use crate::template::{OUTPUTS, Reads};
use crate::ticket::outputs;

impl Reader<'_> {
    /// Finds the targets that come before each target.
    pub(super) fn find_upstream(&mut self) {
        let targets = self.list.targets.iter();
        let needs: BTreeMap<TargetName, Vec<TargetName>> =
            targets.map(|target| (target.name.clone(), target.needs.clone())).collect();
        for target in &mut self.list.targets {
            target.upstream = upstream(&target.needs, &needs);
        }
    }

    /// Refuses references to outputs that may be missing when the target is started.
    pub(super) fn refuse_references(&mut self) {
        let targets = &self.list.targets;
        let problems = targets.iter().flat_map(|target| {
            let inputs = target.inputs.iter().filter_map(move |input| misreference(target, input, targets));
            // The templates of `verify` may read the outputs of the target itself, too.
            let own = Target {
                upstream: [target.upstream.clone(), vec![target.name.clone()]].concat(),
                ..target.clone()
            };
            let of_checks =
                target.verify.templates().filter_map(move |input| misreference(&own, input, targets));
            inputs.chain(of_checks)
        });
        let problems: Vec<Problem> = problems.collect();
        self.list.problems.extend(problems);
    }
}

/// The targets among `first`, those that these need, and so on. Gates need nothing, and are left out.
fn upstream(first: &[TargetName], needs: &BTreeMap<TargetName, Vec<TargetName>>) -> Vec<TargetName> {
    let (mut upstream, mut open) = (BTreeSet::new(), first.to_vec());
    while let Some(name) = open.pop() {
        if let Some(further) = needs.get(&name)
            && upstream.insert(name)
        {
            open.extend(further.iter().cloned());
        }
    }
    upstream.into_iter().collect()
}

/// The problem with the first reference of an input that leads nowhere.
fn misreference(target: &Target, input: &Input, targets: &[Target]) -> Option<Problem> {
    let reads = Reads::of([input.template.as_str()]);
    let mut paths = reads.below(OUTPUTS);
    let (what, help) = paths.find_map(|path| match path {
        [name, output, ..] if target.upstream.iter().any(|upstream| upstream == name.as_str()) => {
            name_problem(name, output)
        }
        [name] if target.upstream.iter().any(|upstream| upstream == name.as_str()) => None,
        [name, ..] => Some(out_of_reach(target, name, targets)),
        [] => None,
    })?;
    let what = format!("target {}, input `{}`: {what}", target.name, input.name);
    Some(Problem::new(what).help(Topic::Output, help).at(&input.place))
}

fn name_problem(target: &str, output: &str) -> Option<(String, String)> {
    let help = "output names have lower-case letters, digits, `_` and `-`; correct the name".to_owned();
    (!outputs::is_name(output)).then(|| (format!("`{output}` cannot be an output of {target}"), help))
}

fn out_of_reach(target: &Target, name: &str, targets: &[Target]) -> (String, String) {
    let upstream = || target.upstream.iter().map(TargetName::as_str);
    if name == target.name.as_str() {
        let help = format!("name a target that comes before it: {}", enumeration(upstream()));
        return ("it reads outputs of the target itself, which is not started yet".to_owned(), help);
    }
    if targets.iter().any(|other| other.name.as_str() == name) {
        let what =
            format!("it reads outputs of {name}, which may not be released before {} starts", target.name);
        return (what, format!("add `{name}` to the `needs` of {}", target.name));
    }
    let what = format!("it reads outputs of `{name}`, which is not a target");
    (what, did_you_mean(name, targets.iter().map(|target| target.name.as_str())))
}

#[cfg(test)]
mod tests {
    use crate::names::RepoName;
    use crate::targets::{Defaults, TargetList, parse_file};

    fn file(text: &str) -> TargetList {
        let hub: RepoName = "acme/hub".parse().expect("a name");
        let defaults = Defaults { workflow: Some("release.yml".into()), ..Defaults::default() };
        parse_file("t.yml", text, &hub, &defaults)
    }

    #[test]
    fn all_that_come_before_a_target_are_upstream_of_it_and_gates_are_not() {
        let list = file(
            "
targets:
  - { repository: docs, needs: [site, go] }
  - { repository: site, needs: [web, api] }
  - { repository: web, needs: [api] }
  - api
gates: [{ name: go }]
",
        );
        let upstream: Vec<String> = list
            .targets
            .iter()
            .map(|target| target.upstream.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(upstream, ["api site web", "api web", "api", ""]);
    }

    #[test]
    fn a_reference_to_outputs_out_of_reach_is_refused_at_its_place() {
        let list = file(
            r#"
targets:
  - repository: docs
    needs: [web]
    inputs:
      api: "{{ outputs.api.version }}"
      web: "{{ outputs.web.version }} {{ outputs['web']['notes-url'] }}"
      typo: "{{ outputs.wep.version }}"
      name: "{{ outputs.web.Version }}"
      self: "{{ outputs.docs.version }}"
      gate: "{{ outputs.go.version }}"
      all: "{{ outputs | tojson }}"
  - { repository: web, inputs: { api: "{{ outputs.api.tag }}", none: "{{ inputs.outputs.api }}" } }
  - { repository: api, needs: [go] }
gates: [{ name: go }]
"#,
        );
        let problems: Vec<String> = list.problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @"
        t.yml:6:12: target docs, input `api`: it reads outputs of api, which may not be released before docs starts
        help: add `api` to the `needs` of docs
        t.yml:8:13: target docs, input `typo`: it reads outputs of `wep`, which is not a target
        help: did you mean `web`?
        t.yml:9:13: target docs, input `name`: `Version` cannot be an output of web
        help: output names have lower-case letters, digits, `_` and `-`; correct the name
        t.yml:10:13: target docs, input `self`: it reads outputs of the target itself, which is not started yet
        help: name a target that comes before it: `web`
        t.yml:11:13: target docs, input `gate`: it reads outputs of `go`, which is not a target
        help: the choices are `docs`, `web` and `api`
        t.yml:13:39: target web, input `api`: it reads outputs of api, which may not be released before web starts
        help: add `api` to the `needs` of web
        ");
    }
}
