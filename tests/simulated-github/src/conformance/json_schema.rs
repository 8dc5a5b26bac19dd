//! The library for JSON Schema, as tests of every package bring it: it is no dependency of this one.

use std::sync::Arc;

use serde_json::Value;

/// What of a value breaks the schema: where, and how.
type Validator = dyn Fn(&Value) -> Vec<(String, String)> + Send + Sync;

/// Compiles a schema, or says why it is none.
pub(crate) fn compile(schema: &Value) -> Result<Arc<Validator>, String> {
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.build(schema).map_err(|error| error.to_string())?;
    Ok(Arc::new(move |value| {
        let errors = validator.iter_errors(value);
        errors.map(|error| (error.instance_path().to_string(), error.to_string())).collect()
    }))
}
