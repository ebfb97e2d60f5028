//! Contradictions that only code can tell, one function a fact.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{
    read::Walk,
    table::Fact,
    value::{FromValue, Tree, Value},
};
use crate::rules::certificate::Threshold;

/// Reports what does not hold in this section.
pub fn find(walk: &mut Walk<'_>, fact: Fact, document: &DeTable<'_>, tree: &Tree, path: &str, header: &Range<usize>) {
    match fact {
        Fact::FailAfterWarn => fail_after_warn(walk, document, tree, path, header),
        Fact::OptionalInInclude => optional_in_include(walk, document, path),
        Fact::RequiredInTo => required_in_to(walk, document, path),
        Fact::RootOutsideEtc => root_outside_etc(walk, document, path, header),
        Fact::S3InTo => s3_in_to(walk, document, path),
    }
}

fn fail_after_warn(walk: &mut Walk<'_>, document: &DeTable<'_>, tree: &Tree, path: &str, header: &Range<usize>) {
    let threshold = |name| tree.value(name).and_then(Threshold::from_value);
    let late = match (threshold("warn"), threshold("fail")) {
        (Some(Threshold::Share(warn)), Some(Threshold::Share(fail))) => fail > warn,
        (Some(Threshold::Time(warn)), Some(Threshold::Time(fail))) => fail > warn,
        _ => false,
    };
    if late {
        let place = ["fail", "warn"].iter().find_map(|name| document.get_key_value(*name));
        let shown = |name| tree.value(name).map(Value::toml).unwrap_or_default();
        let message =
            format!("`{path}` would fail (`fail = {}`) before it warns (`warn = {}`)", shown("fail"), shown("warn"));
        let place = place.map_or(header.clone(), |(key, _)| key.span());
        walk.wrong(place, message, Some("let `warn` leave more time than `fail`".into()));
    }
}

fn optional_in_include(walk: &mut Walk<'_>, document: &DeTable<'_>, path: &str) {
    let Some((key, node)) = document.get_key_value("optional") else { return };
    if document.get("include").is_none() {
        let message =
            format!("`{path}.optional` stands without `include`: the entries of the default are optional anyway");
        walk.wrong(key.span(), message, Some("leave it out".into()));
        return;
    }
    subset(walk, document, node.get_ref(), path, "optional", "include");
}

fn required_in_to(walk: &mut Walk<'_>, document: &DeTable<'_>, path: &str) {
    if let Some(node) = document.get("required") {
        subset(walk, document, node.get_ref(), path, "required", "to");
    }
}

/// Every text of one list stands in the other.
fn subset(walk: &mut Walk<'_>, document: &DeTable<'_>, node: &DeValue<'_>, path: &str, name: &str, whole: &str) {
    let Some(all) = document.get(whole).and_then(|node| node.get_ref().as_array()) else { return };
    let all: Vec<&str> = all.iter().filter_map(|item| item.get_ref().as_str()).collect();
    for item in node.as_array().into_iter().flatten() {
        if let Some(text) = item.get_ref().as_str().filter(|text| !all.contains(text)) {
            let near = super::nearest::nearest(text, all.iter().copied());
            let suggestion = near.map(|near| format!("did you mean \"{near}\"?"));
            walk.wrong(item.span(), format!("`{path}.{name}` names what is not in `{whole}`"), suggestion);
        }
    }
}

fn root_outside_etc(walk: &mut Walk<'_>, document: &DeTable<'_>, path: &str, header: &Range<usize>) {
    // The default would put the machine's configuration into the archive instead of the application's.
    if walk.base.starts_with("/etc") && document.get("root").is_none() {
        let message = format!("missing `root` in [{path}]: this file lies under /etc, whose files are hardly meant");
        walk.wrong(header.clone(), message, Some("write `root = \"/srv/prime\"`".into()));
    }
}

fn s3_in_to(walk: &mut Walk<'_>, document: &DeTable<'_>, path: &str) {
    let (Some((key, _)), Some(to)) =
        (document.get_key_value("s3"), document.get("to").and_then(|node| node.get_ref().as_array()))
    else {
        return;
    };
    if !to.iter().filter_map(|item| item.get_ref().as_str()).any(|text| text.starts_with("s3://")) {
        let message = format!("[{path}.s3] has no s3:// address in `to` to reach");
        walk.wrong(key.span(), message, Some("add one to `to`, or leave the section out".into()));
    }
}
