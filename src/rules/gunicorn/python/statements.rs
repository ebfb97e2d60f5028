//! Statements of a file, with the blocks that hang below them.

use super::tokens::{Kind, Token};

/// A statement at the margin with everything that is indented below it.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The statement itself first. Never empty.
    pub(super) statements: Vec<&'a [Token]>,
}

impl Group<'_> {
    /// A function or a class.
    pub(super) fn is_definition(&self) -> bool {
        let mut words = self.statements[0].iter();
        match words.next() {
            Some(word) if word.is("async") => words.next().is_some_and(|word| word.is("def")),
            Some(word) => word.is("def") || word.is("class"),
            None => false,
        }
    }

    /// A statement that may run never, once or often.
    pub(super) fn is_block(&self) -> bool {
        self.statements.len() > 1 && !is_simple_line(self.statements[0]) || is_compound(self.statements[0])
    }
}

/// Sorts tokens into statements and these into groups.
pub(super) fn groups(tokens: &[Token]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let is_start = |token: &Token| matches!(token.kind, Kind::Indented | Kind::Margin);
    let mut rest = tokens;
    while let Some((start, after)) = rest.split_first() {
        let end = after.iter().position(is_start).unwrap_or(after.len());
        let (line, next) = after.split_at(end);
        rest = next;
        let statements = line.split(|token| token.is(";")).filter(|statement| !statement.is_empty());
        let belongs = start.kind == Kind::Indented;
        for (nth, statement) in statements.enumerate() {
            match groups.last_mut() {
                // `if x: a = 1; b = 2` is one statement with a block of two.
                Some(group) if belongs || nth > 0 && group.opens_block() => group.statements.push(statement),
                _ => groups.push(Group { statements: vec![statement] }),
            }
        }
    }
    groups
}

impl Group<'_> {
    fn opens_block(&self) -> bool {
        is_compound(self.statements[0]) || self.is_definition()
    }
}

fn is_compound(statement: &[Token]) -> bool {
    const WORDS: [&str; 10] = ["if", "elif", "else", "for", "while", "with", "try", "except", "finally", "async"];
    statement.first().is_some_and(|token| WORDS.iter().any(|word| token.is(word)))
}

/// A line that ends without the colon that would open a block.
fn is_simple_line(statement: &[Token]) -> bool {
    statement.last().is_some_and(|token| !token.is(":"))
}

#[cfg(test)]
mod tests {
    use super::{super::tokens::tokenize, *};

    #[test]
    fn blocks_hang_below_their_statement() {
        let tokens =
            tokenize("a = 1; b = 2\nif x: c = 3; d = 4\nelse:\n  e = 5\n\n  f = 6\ndef g():\n  pass\n").unwrap();
        let groups = groups(&tokens);
        let shape: Vec<(usize, bool, bool)> =
            groups.iter().map(|group| (group.statements.len(), group.is_block(), group.is_definition())).collect();
        assert_eq!(shape, [(1, false, false), (1, false, false), (2, true, false), (3, true, false), (2, true, true)]);
    }
}
