//! The secrets of a configuration, to be kept out of what is written down and sent.

use super::{
    load::Loaded,
    value::{Tree, Value},
};
use crate::{
    rules::redact::Redact,
    system::{Context, file, secret::Secret},
};

/// A secret is a word or a line, never a file's worth.
const LARGEST: u64 = 64 << 10;

/// What hides every secret that can be had without running a command.
pub fn secrets(loaded: &Loaded, context: &Context) -> Redact {
    let mut found = Vec::new();
    walk(&loaded.tree, context, &mut found);
    Redact::new(found)
}

fn walk(tree: &Tree, context: &Context, found: &mut Vec<String>) {
    for entry in &tree.entries {
        let mut waiting = vec![&entry.value];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Table(inner) => walk(inner, context, found),
                Value::List(items) => waiting.extend(items),
                Value::Secret(secret) => found.extend(text(secret, context)),
                _ => {}
            }
        }
    }
}

/// The text of one, where a look is enough.
fn text(secret: &Secret, context: &Context) -> Option<String> {
    match secret {
        Secret::Command(_) => None,
        Secret::Environment(name) => context.variable(name).map(str::to_owned),
        Secret::File(path) => {
            let text = String::from_utf8(file::read(path, LARGEST).ok()?).ok()?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Secret::Literal(_) => secret.literal().map(str::to_owned),
    }
}
