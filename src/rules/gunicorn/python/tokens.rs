//! Python's tokens, as far as assignments of literals need them.

/// One token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As it is written; empty for a text.
    pub(super) text: String,
    /// What a text is worth; `None` for a text that is computed (`f"…"`) or is bytes.
    pub(super) value: Option<String>,
    pub(super) line: u32,
}

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A new logical line begins, further in than the margin.
    Indented,
    /// A new logical line begins at the margin.
    Margin,
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// Anything else.
    Operator,
    /// A text.
    Text,
}

impl Token {
    /// Whether it is this word or operator.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Name | Kind::Operator) && self.text == text
    }

    pub(super) fn is_name(&self) -> bool {
        self.kind == Kind::Name
    }

    /// `+=` and its like.
    pub(super) fn is_augmented_assignment(&self) -> bool {
        self.kind == Kind::Operator
            && self.text.len() > 1
            && self.text.ends_with('=')
            && !["==", "!=", "<=", ">=", ":="].contains(&self.text.as_str())
    }
}

/// Cuts a source into tokens.
///
/// # Errors
///
/// The line of a text or bracket that is never closed.
pub(super) fn tokenize(source: &str) -> Result<Vec<Token>, u32> {
    let source = source.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let mut scanner = Scanner { rest: source.chars().collect(), at: 0, line: 1, depth: 0, tokens: Vec::new() };
    scanner.run()?;
    Ok(scanner.tokens)
}

/// The operators of more than one character, the longer first.
const OPERATORS: [&str; 24] = [
    "**=", "//=", ">>=", "<<=", "...", ":=", "==", "!=", "<=", ">=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "@=", "**", "//", ">>", "<<",
];

struct Scanner {
    rest: Vec<char>,
    at: usize,
    line: u32,
    depth: usize,
    tokens: Vec<Token>,
}

impl Scanner {
    fn run(&mut self) -> Result<(), u32> {
        let mut fresh = true;
        while let Some(character) = self.peek(0) {
            if fresh && self.depth == 0 {
                fresh = false;
                self.margin();
                continue;
            }
            match character {
                '\n' => {
                    self.step();
                    fresh = true;
                }
                ' ' | '\t' | '\u{c}' => self.step(),
                '#' => self.comment(),
                '\\' if self.peek(1) == Some('\n') => {
                    self.step();
                    self.step();
                }
                '0'..='9' => self.word(Kind::Number),
                '.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.word(Kind::Number),
                '\'' | '"' => self.string("")?,
                _ if character == '_' || character.is_alphanumeric() => self.name()?,
                _ => self.operator()?,
            }
        }
        if self.depth == 0 { Ok(()) } else { Err(self.line) }
    }

    /// Marks the beginning of a logical line, unless it is empty.
    fn margin(&mut self) {
        let mut indented = false;
        while matches!(self.peek(0), Some(' ' | '\t' | '\u{c}')) {
            indented |= self.peek(0) != Some('\u{c}');
            self.step();
        }
        if matches!(self.peek(0), Some(character) if character != '\n' && character != '#') {
            self.push(if indented { Kind::Indented } else { Kind::Margin }, String::new(), None, self.line);
        }
    }

    fn comment(&mut self) {
        while matches!(self.peek(0), Some(character) if character != '\n') {
            self.step();
        }
    }

    fn word(&mut self, kind: Kind) {
        let (start, line) = (self.at, self.line);
        while matches!(self.peek(0), Some(next) if next == '_' || next == '.' || next.is_alphanumeric()) {
            self.step();
        }
        self.push(kind, self.rest[start..self.at].iter().collect(), None, line);
    }

    fn name(&mut self) -> Result<(), u32> {
        let (start, line) = (self.at, self.line);
        while matches!(self.peek(0), Some(next) if next == '_' || next.is_alphanumeric()) {
            self.step();
        }
        let name: String = self.rest[start..self.at].iter().collect();
        let prefix = name.len() <= 2 && name.chars().all(|letter| "rRbBuUfFtT".contains(letter));
        if prefix && matches!(self.peek(0), Some('\'' | '"')) {
            return self.string(&name.to_ascii_lowercase());
        }
        self.push(Kind::Name, name, None, line);
        Ok(())
    }

    fn operator(&mut self) -> Result<(), u32> {
        let line = self.line;
        let long = OPERATORS.iter().find(|operator| {
            operator.chars().enumerate().all(|(ahead, character)| self.peek(ahead) == Some(character))
        });
        let text = match (long, self.peek(0)) {
            (Some(long), _) => (*long).to_owned(),
            (None, Some(character)) => character.to_string(),
            (None, None) => return Ok(()),
        };
        match text.as_str() {
            "(" | "[" | "{" => self.depth += 1,
            ")" | "]" | "}" => self.depth = self.depth.checked_sub(1).ok_or(line)?,
            _ => {}
        }
        for _ in text.chars() {
            self.step();
        }
        self.push(Kind::Operator, text, None, line);
        Ok(())
    }

    fn string(&mut self, prefix: &str) -> Result<(), u32> {
        let line = self.line;
        let Some(quote) = self.peek(0) else { return Ok(()) };
        let long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if long { 3 } else { 1 };
        self.at += width;
        let raw = prefix.contains('r');
        let mut value = Some(String::new()).filter(|_| !prefix.contains(['b', 'f', 't']));
        loop {
            let Some(character) = self.peek(0) else { return Err(line) };
            if character == quote && (!long || (self.peek(1) == Some(quote) && self.peek(2) == Some(quote))) {
                self.at += width;
                break;
            }
            match character {
                '\n' if !long => return Err(line),
                '\\' if raw => {
                    let shielded = self.peek(1).ok_or(line)?;
                    self.step();
                    self.step();
                    if let Some(value) = &mut value {
                        value.extend(['\\', shielded]);
                    }
                }
                '\\' => self.escape(&mut value)?,
                _ => {
                    self.step();
                    if let Some(value) = &mut value {
                        value.push(character);
                    }
                }
            }
        }
        self.push(Kind::Text, String::new(), value, line);
        Ok(())
    }

    /// A backslash sequence; one that mainstay does not read makes the whole text unreadable.
    fn escape(&mut self, value: &mut Option<String>) -> Result<(), u32> {
        let line = self.line;
        self.step();
        let letter = self.peek(0).ok_or(line)?;
        self.step();
        let plain = match letter {
            '\n' => return Ok(()),
            '\\' | '\'' | '"' => Some(letter),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '0'..='7' => {
                self.at -= 1;
                self.code(8, 3)
            }
            'x' => self.code(16, 2),
            'u' => self.code(16, 4),
            'U' => self.code(16, 8),
            'N' => None,
            other => {
                if let Some(value) = value {
                    value.extend(['\\', other]);
                }
                return Ok(());
            }
        };
        match (plain, &mut *value) {
            (Some(character), Some(text)) => text.push(character),
            _ => *value = None,
        }
        Ok(())
    }

    fn code(&mut self, radix: u32, digits: usize) -> Option<char> {
        let mut code = 0_u32;
        for _ in 0..digits {
            let Some(digit) = self.peek(0).and_then(|character| character.to_digit(radix)) else { break };
            code = code.checked_mul(radix)?.checked_add(digit)?;
            self.at += 1;
        }
        char::from_u32(code)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn step(&mut self) {
        if self.peek(0) == Some('\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    fn push(&mut self, kind: Kind, text: String, value: Option<String>, line: u32) {
        self.tokens.push(Token { kind, text, value, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_worth_what_python_makes_of_them() {
        for (source, value) in [
            (r"'a\'b\n'", Some("a'b\n")),
            (r"r'a\'b\n'", Some(r"a\'b\n")),
            (r#""\x41\101\u00e9\q""#, Some("AAé\\q")),
            ("'''a\n'b'''", Some("a\n'b")),
            ("'a\\\nb'", Some("ab")),
            ("f'{a}'", None),
            ("b'a'", None),
            (r"'\N{DASH}'", None),
            ("u'ü'", Some("ü")),
        ] {
            let tokens = tokenize(source).unwrap();
            assert_eq!(tokens[1].value.as_deref(), value, "{source}");
        }
        assert_eq!(tokenize("a = 1\nb = 'x\n").unwrap_err(), 2);
        assert_eq!(tokenize("a = )").unwrap_err(), 1);
    }
}
