//! The library for JSON Schema. The tests of each package bring it: only tests of this package depend on it.

use std::sync::Arc;

use serde_json::Value;

/// Lists the violations of the schema in a value: the place and the problem.
type Validator = dyn Fn(&Value) -> Vec<(String, String)> + Send + Sync;

/// Compiles a schema. The error says why the schema is invalid.
pub(crate) fn compile(schema: &Value) -> Result<Arc<Validator>, String> {
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.build(schema).map_err(|error| error.to_string())?;
    Ok(Arc::new(move |value| {
        let errors = validator.iter_errors(value);
        errors.map(|error| (error.instance_path().to_string(), error.to_string())).collect()
    }))
}
