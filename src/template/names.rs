//! The names of a template's values. An error is about the last missing name that the template has read.

use std::sync::{Arc, Mutex};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ValueKind};

use super::OUTPUTS;
use crate::problem::{Advice, Help, Topic, excerpt};
use crate::targets::{closest, enumeration};

/// The most characters of a list of names.
const LIST_LIMIT: usize = 400;

/// A name that does not exist, and those that do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no `{of}.{name}`")]
pub struct UnknownName {
    of: String,
    name: String,
    names: Vec<String>,
    /// The caller's help, in place of the default.
    help: Option<String>,
}

impl UnknownName {
    /// The same name, with `help` if it belongs to `map`.
    pub(super) fn with_help(self, map: &str, help: Option<String>) -> Self {
        if self.of == map { Self { help, ..self } } else { self }
    }
}

impl UnknownName {
    /// Whether it is an output of a target, or a target that has none.
    pub(super) fn is_output(&self) -> bool {
        self.of == OUTPUTS || self.reporter().is_some()
    }

    /// The target whose output it is.
    fn reporter(&self) -> Option<&str> {
        self.of.strip_prefix(OUTPUTS)?.strip_prefix('.')
    }

    /// The help for a missing output of `target`.
    fn help_with_output(&self, target: &str) -> String {
        let Self { of, name, names, .. } = self;
        let list = excerpt(&enumeration(names.iter().map(String::as_str)), LIST_LIMIT);
        // A name with a hyphen is a subtraction after a dot.
        let closest =
            closest(name, names.iter().map(String::as_str)).map(|closest| match closest.contains('-') {
                true => format!("did you mean `{of}['{closest}']`? "),
                false => format!("did you mean `{closest}`? "),
            });
        format!(
            "{}{target} reported {list}; report `{name}` there with the input `outputs`, or, if it may be missing, write \
             `{{{{ {of}.{name} | default('') }}}}`",
            closest.unwrap_or_default()
        )
    }
}

impl Help for UnknownName {
    fn help(&self) -> Option<Advice> {
        if let Some(target) = self.reporter() {
            return Some(Topic::Output.advice(self.help_with_output(target)));
        }
        let Self { of, name, names, help } = self;
        let names = || names.iter().map(String::as_str);
        let closest =
            closest(name, names()).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
        let text = match help {
            Some(help) => format!("{closest}{help}"),
            None => {
                let names = excerpt(&enumeration(names()), LIST_LIMIT);
                format!(
                    "{closest}`{of}` has {names}; if it may be missing, write `{{{{ {of}.{name} | default('') }}}}`"
                )
            }
        };
        Some(Topic::Template.advice(text))
    }
}

/// The last unknown name.
#[derive(Debug, Clone, Default)]
pub(super) struct LastUnknownName(Arc<Mutex<Option<UnknownName>>>);

impl LastUnknownName {
    pub(super) fn last(&self) -> Option<UnknownName> {
        self.0.lock().ok()?.clone()
    }

    fn set(&self, name: Option<UnknownName>) {
        if let Ok(mut last) = self.0.lock() {
            *last = name;
        }
    }
}

/// Values by their names.
#[derive(Debug)]
pub(super) struct NamedValues {
    /// The path to these values; blank at the top, where values share their names with functions.
    path: String,
    values: Value,
    last_name: LastUnknownName,
}

impl NamedValues {
    /// All `values` of a template, and the memory of its last missing name.
    pub(super) fn all(values: Value) -> (Value, LastUnknownName) {
        let last_name = LastUnknownName::default();
        (Value::from_object(Self { path: String::new(), values, last_name: last_name.clone() }), last_name)
    }

    fn unknown_name(&self, name: &str) -> Option<UnknownName> {
        let names =
            self.values.try_iter().ok()?.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (!self.path.is_empty()).then(|| UnknownName {
            of: self.path.clone(),
            name: name.to_owned(),
            names,
            help: None,
        })
    }
}

impl Object for NamedValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str().unwrap_or_default();
        let value = self.values.get_attr(name).ok().filter(|value| !value.is_undefined());
        self.last_name.set(if value.is_none() { self.unknown_name(name) } else { None });
        let value = value?;
        if value.kind() != ValueKind::Map {
            return Some(value);
        }
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Value::from_object(Self { path, values: value, last_name: self.last_name.clone() }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.values.as_object().map_or(Enumerator::Empty, |values| values.enumerate())
    }
}
