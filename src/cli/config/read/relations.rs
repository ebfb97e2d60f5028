//! What must hold between the keys of one table.

use std::ops::Range;

use toml::de::DeTable;

use super::{
    super::{
        contradictions,
        table::{Rule, Table},
        value::Tree,
    },
    Walk, section,
};

impl Walk<'_> {
    /// What must hold between the keys.
    pub(super) fn rules(
        &mut self,
        table: &Table,
        document: &DeTable<'_>,
        tree: &Tree,
        given: &[&str],
        path: &str,
        header: &Range<usize>,
    ) {
        for rule in table.rules {
            match rule {
                Rule::Fact(fact) => {
                    if self.lines.is_some() {
                        contradictions::find(self, *fact, document, tree, path, header);
                    }
                }
                Rule::AtMostOne(names) => self.at_most_one(names, document, path),
                Rule::AtLeastOne(names) => self.at_least_one(names, given, path, header),
                Rule::ExactlyOne(names) => {
                    self.at_most_one(names, document, path);
                    self.at_least_one(names, given, path, header);
                }
                Rule::Needs(name, value, other, why) | Rule::Forbids(name, value, other, why) => {
                    let holds = match *value {
                        "" => given.contains(name),
                        _ => tree.value(name).is_some_and(|found| found.toml() == *value),
                    };
                    if !holds {
                        continue;
                    }
                    let what = if value.is_empty() { format!("`{name}`") } else { format!("`{name} = {value}`") };
                    let needs = matches!(rule, Rule::Needs(..));
                    if needs && !given.contains(other) {
                        let place = document.get_key_value(*name).map_or(header.clone(), |(key, _)| key.span());
                        // A default that needs something is the fault of the key that is missing.
                        let message = match document.get_key_value(*name) {
                            Some(_) => format!("missing `{other}` in {}: {what} needs it; {why}", section(path)),
                            None => format!("missing `{other}` in {}: {why}", section(path)),
                        };
                        let example = table.key(other).map(|key| format!("write `{other} = {}`", key.example));
                        self.wrong(place, message, example);
                    } else if !needs && let Some((key, _)) = document.get_key_value(*other) {
                        self.wrong(
                            key.span(),
                            format!("`{other}` contradicts {what}: {why}"),
                            Some("leave one out".into()),
                        );
                    }
                }
            }
        }
    }

    fn at_most_one(&mut self, names: &[&str], document: &DeTable<'_>, path: &str) {
        let mut found: Vec<_> = names.iter().filter_map(|name| document.get_key_value(*name)).collect();
        found.sort_by_key(|(key, _)| key.span().start);
        if let [(first, _), others @ ..] = found.as_slice() {
            for (other, _) in others {
                let message = format!(
                    "`{}` and `{}` contradict each other in {}",
                    first.get_ref(),
                    other.get_ref(),
                    section(path)
                );
                self.wrong(other.span(), message, Some("leave one out".into()));
            }
        }
    }

    fn at_least_one(&mut self, names: &[&str], given: &[&str], path: &str, header: &Range<usize>) {
        if !names.iter().any(|name| given.contains(name)) {
            let names = names.join("`, `");
            self.wrong(header.clone(), format!("missing one of `{names}` in {}", section(path)), None);
        }
    }
}
