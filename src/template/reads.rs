//! The values that templates may read, by the names in their text.
//!
//! Templates are not evaluated: each name counts, also behind a condition, or after the template has given it another
//! value.

use std::collections::BTreeSet;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use serde_json::{Map, Value};

use super::{TEMPLATE_LIMIT, is_template};

/// The values that templates may read, as the names on the way to them: `form`, `version`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads(BTreeSet<Vec<String>>);

impl Reads {
    /// The values that `templates` may read. In a malformed template only the names before the mistake count.
    pub fn of<'t>(templates: impl IntoIterator<Item = &'t str>) -> Self {
        let templates = templates.into_iter();
        let templates = templates.filter(|text| is_template(text) && text.len() <= TEMPLATE_LIMIT);
        Self(templates.flat_map(paths).collect())
    }

    /// These values and `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The paths of values below `name`, from there on.
    pub fn below(&self, name: &str) -> impl Iterator<Item = &[String]> {
        self.0.iter().filter(move |path| path[0] == name).map(|path| &path[1..])
    }

    /// Whether a template may read the value at `path`: itself, a part of it, or a value that holds it.
    #[must_use]
    pub fn may_read(&self, path: &[&str]) -> bool {
        self.0.iter().any(|read| read.iter().zip(path).all(|(read, name)| read == name))
    }

    /// The `values` below `name` that a template may read.
    #[must_use]
    pub fn of_map(&self, name: &str, values: &Map<String, Value>) -> Map<String, Value> {
        let values = values.iter().filter(|(key, _)| self.may_read(&[name, key]));
        values.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// The paths in a template. A path ends before a part that is computed.
fn paths(template: &str) -> Vec<Vec<String>> {
    let tokens = tokenize(template, false, SyntaxConfig::default()).map_while(Result::ok);
    let tokens: Vec<Token<'_>> = tokens.map(|(token, _)| token).collect();
    let is_variable = |index: usize| {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        // An attribute, a filter, an argument and a new variable are not reads of a variable.
        !matches!(before, Some(Token::Dot | Token::Pipe))
            && !matches!(tokens.get(index + 1), Some(Token::Assign))
    };
    let starts = tokens.iter().enumerate().filter(|(index, _)| is_variable(*index));
    starts
        .filter_map(|(index, token)| match token {
            Token::Ident(name) => Some(path(name, &tokens[index + 1..])),
            _ => None,
        })
        .collect()
}

fn path(variable: &str, mut rest: &[Token<'_>]) -> Vec<String> {
    let mut path = vec![variable.to_owned()];
    loop {
        let (name, after) = match rest {
            [Token::Dot, Token::Ident(name), after @ ..]
            | [Token::BracketOpen, Token::Str(name), Token::BracketClose, after @ ..] => {
                ((*name).to_owned(), after)
            }
            [Token::BracketOpen, Token::String(name), Token::BracketClose, after @ ..] => {
                (name.to_string(), after)
            }
            _ => return path,
        };
        path.push(name);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_may_read_the_values_that_it_names() {
        for (template, path, may) in [
            ("{{ form.version }}", &["form", "version"][..], true),
            ("{{ form.version }}", &["form"], true),
            ("{{ form.version | upper }}", &["form", "notes"], false),
            ("{{ form['1_version'] }}", &["form", "1_version"], true),
            ("{{ form['1_version'] }}", &["form", "notes"], false),
            (r#"{{ form["a\"b"] }}"#, &["form", "a\"b"], true),
            ("{{ event.issue.user }}", &["event", "issue", "title"], false),
            ("{{ event['issue'].title }}", &["event", "issue", "title"], true),
            ("{{ event.form.version }}", &["form"], false),
            ("{{ 'form.version' }} form.version", &["form"], false),
            ("{# form.version #}{% raw %}{{ form.version }}{% endraw %}", &["form"], false),
            ("{{ release | form(form=1) }}", &["form"], false),
        ] {
            assert_eq!(Reads::of([template]).may_read(path), may, "{template}: {path:?}");
        }
    }

    #[test]
    fn a_template_may_read_all_of_a_value_that_it_takes_as_a_whole() {
        for template in [
            "{{ form }}",
            "{{ form | list }}",
            "{{ form[release] }}",
            "{{ form['ver' ~ 'sion'] }}",
            "{{ (form).version }}",
            "{% for name, answer in form | items %}{{ answer }}{% endfor %}",
            "{% set form = form %}{{ form.notes }}",
            "{% set all = form %}{{ all.version }}",
            "{% with of = form %}{{ of.version }}{% endwith %}",
            "{% if release %}{{ form[driver] }}{% endif %}",
            "{{ [form][0].version }}",
        ] {
            assert!(Reads::of([template]).may_read(&["form", "version"]), "{template}");
        }
    }

    #[test]
    fn what_templates_may_read_of_a_map_is_a_map() {
        let values = json!({ "version": 1, "dry-run": 2, "notes": 3 });
        let values = values.as_object().expect("an object");
        let read = |templates: &[&str]| {
            let read = Reads::of(templates.iter().copied()).of_map("inputs", values);
            Value::from(read).to_string()
        };
        assert_eq!(
            read(&["{{ inputs.version }}", "{{ inputs['dry-run'] }}"]),
            r#"{"version":1,"dry-run":2}"#
        );
        assert_eq!(read(&["{{ inputs }}"]), Value::from(values.clone()).to_string());
        assert_eq!(read(&["{{ release }}", "inputs.version", "{{ inputs.other }}"]), "{}");
    }

    #[test]
    fn a_template_that_is_broken_may_read_what_stands_before() {
        let reads = Reads::of(["{{ form.version }}{{ 'broken {{ inputs.version }}"]);
        assert!(reads.may_read(&["form"]) && !reads.may_read(&["inputs"]));
        let long = format!("{{{{ form.version }}}}{}", " ".repeat(TEMPLATE_LIMIT));
        assert!(!Reads::of([long.as_str()]).may_read(&["form"]), "it is refused");
    }
}
