//! The names of a template's values. The last one that a template asked for in vain is what an error is about.

use std::sync::{Arc, Mutex};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ValueKind};

use super::OUTPUTS;
use crate::problem::{Help, excerpt};
use crate::targets::{closest, listed};

/// The most characters of a list of names.
const LIST_LIMIT: usize = 400;

/// A name that does not exist, and those that do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no `{of}.{name}`")]
pub struct Unknown {
    of: String,
    name: String,
    known: Vec<String>,
    /// What to do, if the caller knows that better.
    help: Option<String>,
}

impl Unknown {
    /// The same, with what to do about a missing value of `map`.
    pub(super) fn helping(self, map: &str, help: Option<String>) -> Self {
        if self.of == map { Self { help, ..self } } else { self }
    }
}

impl Unknown {
    /// Whether it is an output of a target, or a target that has none.
    pub(super) fn is_output(&self) -> bool {
        self.of == OUTPUTS || self.reporter().is_some()
    }

    /// The target whose output it is.
    fn reporter(&self) -> Option<&str> {
        self.of.strip_prefix(OUTPUTS)?.strip_prefix('.')
    }

    /// What to do about a missing output.
    fn help_with_output(&self, target: &str) -> String {
        let Self { of, name, known, .. } = self;
        let names = excerpt(&listed(known.iter().map(String::as_str)), LIST_LIMIT);
        // A name with a hyphen is a subtraction after a dot.
        let closest =
            closest(name, known.iter().map(String::as_str)).map(|closest| match closest.contains('-') {
                true => format!("did you mean `{of}['{closest}']`? "),
                false => format!("did you mean `{closest}`? "),
            });
        format!(
            "{}{target} reported {names}; report `{name}` there with the input `outputs`, or, if it may be missing, write \
             `{{{{ {of}.{name} | default('') }}}}`",
            closest.unwrap_or_default()
        )
    }
}

impl Help for Unknown {
    fn help(&self) -> Option<String> {
        if let Some(target) = self.reporter() {
            return Some(self.help_with_output(target));
        }
        let Self { of, name, known, help } = self;
        let known = || known.iter().map(String::as_str);
        let closest =
            closest(name, known()).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
        if let Some(help) = help {
            return Some(format!("{closest}{help}"));
        }
        let names = excerpt(&listed(known()), LIST_LIMIT);
        Some(format!(
            "{closest}`{of}` has {names}; if it may be missing, write `{{{{ {of}.{name} | default('') }}}}`"
        ))
    }
}

/// The last unknown name.
#[derive(Debug, Clone, Default)]
pub(super) struct LastUnknown(Arc<Mutex<Option<Unknown>>>);

impl LastUnknown {
    pub(super) fn last(&self) -> Option<Unknown> {
        self.0.lock().ok()?.clone()
    }

    fn set(&self, unknown: Option<Unknown>) {
        if let Ok(mut last) = self.0.lock() {
            *last = unknown;
        }
    }
}

/// Values by their names.
#[derive(Debug)]
pub(super) struct Named {
    /// What these are values of; blank for all that a template sees, which shares its names with functions.
    path: String,
    values: Value,
    unknown: LastUnknown,
}

impl Named {
    /// All `values` of a template, and what keeps the last name that it asks for in vain.
    pub(super) fn all(values: Value) -> (Value, LastUnknown) {
        let unknown = LastUnknown::default();
        (Value::from_object(Self { path: String::new(), values, unknown: unknown.clone() }), unknown)
    }

    fn unknown(&self, name: &str) -> Option<Unknown> {
        let known =
            self.values.try_iter().ok()?.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        (!self.path.is_empty()).then(|| Unknown {
            of: self.path.clone(),
            name: name.to_owned(),
            known,
            help: None,
        })
    }
}

impl Object for Named {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str().unwrap_or_default();
        let value = self.values.get_attr(name).ok().filter(|value| !value.is_undefined());
        self.unknown.set(if value.is_none() { self.unknown(name) } else { None });
        let value = value?;
        if value.kind() != ValueKind::Map {
            return Some(value);
        }
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Value::from_object(Self { path, values: value, unknown: self.unknown.clone() }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.values.as_object().map_or(Enumerator::Empty, |values| values.enumerate())
    }
}
