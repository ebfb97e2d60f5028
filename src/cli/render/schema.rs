//! Judges documents by `docs/report.schema.json`, so that what is published and what is written cannot drift apart.
//! Knows the words of JSON Schema that this schema uses, and refuses a schema with any other.

use serde_json::Value;

const SCHEMA: &str = include_str!("../../../docs/report.schema.json");

/// Panics with the place of the first disagreement.
pub(super) fn assert_valid(document: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    if let Err(trouble) = check(document, &schema, &schema, "$") {
        panic!("{trouble}\n{document:#}");
    }
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let Some(words) = schema.as_object() else { return Err(format!("{at}: not a schema: {schema}")) };
    for (word, says) in words {
        let right = match word.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" | "format" | "examples" => true,
            "$ref" => {
                let name = says.as_str().and_then(|says| says.strip_prefix("#/$defs/")).unwrap();
                check(value, &root["$defs"][name], root, at)?;
                true
            }
            "type" => match says {
                Value::String(kind) => is(value, kind),
                Value::Array(kinds) => kinds.iter().any(|kind| is(value, kind.as_str().unwrap())),
                _ => false,
            },
            "const" => value == says,
            "enum" => says.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|value| value >= says.as_f64().unwrap()),
            "pattern" => {
                let pattern = regex::Regex::new(says.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|value| pattern.is_match(value))
            }
            "oneOf" => {
                let verdicts: Vec<_> = says.as_array().unwrap().iter().map(|one| check(value, one, root, at)).collect();
                if verdicts.iter().filter(|verdict| verdict.is_ok()).count() != 1 {
                    return Err(format!("{at}: oneOf: {verdicts:#?}"));
                }
                true
            }
            "required" => says
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.as_object().is_none_or(|value| value.contains_key(key.as_str().unwrap()))),
            "properties" => {
                for (key, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        check(value, schema, root, &format!("{at}.{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = words.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(key)) {
                        continue;
                    }
                    match says {
                        Value::Bool(true) => {}
                        Value::Bool(false) => return Err(format!("{at}.{key} is not in the schema")),
                        schema => check(value, schema, root, &format!("{at}.{key}"))?,
                    }
                }
                true
            }
            "items" => {
                for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(value, says, root, &format!("{at}[{number}]"))?;
                }
                true
            }
            other => panic!("the checker does not know `{other}`"),
        };
        if !right {
            return Err(format!("{at}: {word} {says} does not hold for {value}"));
        }
    }
    Ok(())
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type `{other}`"),
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    use serde_json::json;
    let right = json!({ "schema": 1, "error": { "kind": "failed", "what": "x", "why": [], "hints": [] } });
    assert_valid(&right);
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (pointer, wrong) in [
        ("/schema", json!(2)),
        ("/error/kind", json!("no such kind")),
        ("/error/why", json!("not a list")),
        ("/error/why", json!([1])),
        ("/error", json!({ "kind": "failed" })),
    ] {
        let mut document = right.clone();
        *document.pointer_mut(pointer).unwrap() = wrong;
        assert!(check(&document, &schema, &schema, "$").is_err(), "{pointer}");
    }
}

#[test]
fn the_page_describes_every_format_and_every_key_of_the_schema() {
    const PAGE: &str = include_str!("../../../docs/report.md");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let keys = ["report", "finding", "data", "plan", "outcome"]
        .iter()
        .flat_map(|part| schema["$defs"][part]["properties"].as_object().unwrap().keys().map(String::as_str));
    let formats = super::REGISTRY.iter().map(|format| format.name());
    for word in keys.chain(formats) {
        assert!(PAGE.contains(&format!("`{word}`")), "docs/report.md does not mention `{word}`");
    }
}

#[test]
fn the_page_describes_every_fact_that_a_check_reports() {
    const PAGE: &str = include_str!("../../../docs/report.md");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.join("check"), source.join("rules")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // What tests make up is nobody's contract.
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            for after in shipped.split(".data(\"").skip(1) {
                let key = after.split('"').next().unwrap_or_default();
                assert!(PAGE.contains(&format!("`{key}`")), "docs/report.md lacks `{key}` of {}", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 0, "there are checks and they report facts");
}
