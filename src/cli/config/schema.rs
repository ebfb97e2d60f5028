//! The JSON Schema of `mainstay.toml` (draft 7, which Taplo and editors with "Even Better TOML" understand).

use serde_json::{Map, Value as Json, json};

use super::{
    syntax::JOBS,
    table::{Default, Key, Kind, ROOT, Rule, Table, Text},
};

/// The schema, made from the vocabulary.
pub fn schema() -> Json {
    let mut schema = table(&ROOT);
    if let Json::Object(object) = &mut schema {
        let head = [
            ("$schema", json!("http://json-schema.org/draft-07/schema#")),
            ("title", json!("mainstay.toml")),
            ("description", json!("The configuration of mainstay.")),
        ];
        for (at, (name, value)) in head.into_iter().enumerate() {
            object.shift_insert(at, name.into(), value);
        }
    }
    schema
}

fn table(table: &Table) -> Json {
    let mut properties = Map::new();
    for key in table.keys {
        properties.insert(key.name.into(), property(key));
    }
    let required: Vec<_> =
        table.keys.iter().filter(|key| matches!(key.default, Default::Required)).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let rules: Vec<Json> = table.rules.iter().flat_map(rule).collect();
    if !rules.is_empty() {
        schema["allOf"] = json!(rules);
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = kind(&key.kind);
    schema["description"] = json!(key.doc);
    if let Default::Value(text) = key.default
        && let Some(value) = literal(text)
        && !matches!(key.kind, Kind::Table(_) if text == "{}")
    {
        schema["default"] = value;
    }
    if let Some(example) = literal(key.example) {
        schema["examples"] = json!([example]);
    }
    schema
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(self::kind).collect::<Vec<_>>() }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::List(of, 0) => json!({ "type": "array", "items": self::kind(of) }),
        Kind::List(of, least) => json!({ "type": "array", "items": self::kind(of), "minItems": least }),
        Kind::Many(of) => json!({ "type": "array", "items": table(of) }),
        Kind::Map(names, of) => {
            json!({ "type": "object", "propertyNames": text(*names), "additionalProperties": self::kind(of) })
        }
        Kind::Named(of) => {
            json!({ "type": "object", "propertyNames": text(Text::Name), "additionalProperties": table(of) })
        }
        Kind::Only(flag) => json!({ "const": flag }),
        Kind::Price => json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1_000_000 }),
        Kind::Secret(of) => json!({ "anyOf": [text(*of), table(&super::table::SECRET)] }),
        Kind::Table(of) => table(of),
        Kind::Text(of) => text(*of),
        Kind::Whole(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
    }
}

/// What a schema can say of the syntax: a guide for an editor, while [`super::parse`] judges.
fn text(text: Text) -> Json {
    let pattern = match text {
        Text::Word(words) => return json!({ "type": "string", "enum": words }),
        Text::Job => return json!({ "type": "string", "enum": JOBS }),
        Text::Duration => r"^([0-9]+(ms|s|m|h|d|w))+$".to_string(),
        Text::Share => r"^[0-9.]+%$".to_string(),
        Text::Threshold => r"^([0-9.]+%|([0-9]+(ms|s|m|h|d|w))+)$".to_string(),
        Text::Name => r"^[A-Za-z0-9_][A-Za-z0-9._-]*$".to_string(),
        Text::Url(schemes) => format!("^({})://", schemes.join("|")),
        Text::UrlPath => "^/".to_string(),
        Text::Arn(service) => format!("^arn:aws[a-z-]*:{service}:"),
        Text::Region => r"^[a-z]{2}(-[a-z]+)+-[0-9]$".to_string(),
        Text::Instance => r"^i-([0-9a-f]{8}|[0-9a-f]{17})$".to_string(),
        Text::Recipient => "^(age1|ssh-)".to_string(),
        Text::Repeat => r"^(every|daily|twice daily|weekly)\b".to_string(),
        _ => return json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "type": "string", "pattern": pattern })
}

fn rule(rule: &Rule) -> Vec<Json> {
    let any =
        |names: &[&str]| json!({ "anyOf": names.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>() });
    let pairs = |names: &[&str]| -> Vec<Json> {
        let earlier = |at: usize| names.iter().take(at).copied();
        names
            .iter()
            .enumerate()
            .flat_map(|(at, name)| earlier(at).map(move |other| json!({ "not": { "required": [other, name] } })))
            .collect()
    };
    match rule {
        Rule::AtLeastOne(names) => vec![any(names)],
        Rule::AtMostOne(names) => pairs(names),
        Rule::ExactlyOne(names) => vec![json!({
            "oneOf": names.iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>()
        })],
        // What depends on values is left to the program, which can say why.
        Rule::Fact(_) | Rule::Forbids(..) | Rule::Needs(..) => Vec::new(),
    }
}

/// A TOML value as JSON.
fn literal(text: &str) -> Option<Json> {
    let document: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    document.get("value").and_then(|value| serde_json::to_value(value).ok())
}
