//! Words and braces, read exactly as nginx reads them.
//!
//! The rules are those of `ngx_conf_read_token` in `src/core/ngx_conf_file.c`: quotes and comments count only where a
//! word begins, `${` does not open a block, and an escape hides the next byte from every other rule. Lua blocks have
//! lexical rules of their own, by which lua-nginx-module finds the closing brace.

/// One step through a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Statement {
    /// A `}` where a directive could begin.
    Close {
        /// Its line.
        line: usize,
    },
    /// Nothing more.
    End,
    /// Words before a `;`, or before a `{` when `opens`.
    Words {
        /// At least one.
        words: Vec<String>,
        /// The line of the first word.
        line: usize,
        /// Whether a block follows.
        opens: bool,
    },
}

/// What nginx would refuse, in its own words where it has some.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Where.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// Reads one file, statement by statement.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

/// Where in a word the reader stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Inside {
    /// Between words.
    Space,
    /// In a word without quotes.
    Bare,
    /// In a word that a quote of this kind ends.
    Quoted(u8),
    /// Right after a closing quote, where only a separator may stand.
    Closed,
}

impl<'a> Lexer<'a> {
    /// At the beginning of a file.
    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0, line: 1 }
    }

    /// The line that is being read.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The next statement.
    ///
    /// # Errors
    ///
    /// What nginx would refuse to read.
    pub fn statement(&mut self) -> Result<Statement, Refusal> {
        let mut words = Vec::new();
        let mut first_line = self.line;
        let mut inside = Inside::Space;
        let mut start = self.position;
        let mut after_dollar = false;
        while let Some(byte) = self.take() {
            if inside == Inside::Closed {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => {
                        inside = Inside::Space;
                        continue;
                    }
                    b';' | b'{' => return Ok(Statement::Words { words, line: first_line, opens: byte == b'{' }),
                    b')' => inside = Inside::Space,
                    _ => return Err(self.refuse(format!("unexpected \"{}\"", self.shown()))),
                }
            }
            if inside == Inside::Space {
                start = self.position - 1;
                if words.is_empty() {
                    first_line = self.line;
                }
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    b';' | b'{' if words.is_empty() => {
                        return Err(self.refuse(format!("unexpected \"{}\"", char::from(byte))));
                    }
                    b';' | b'{' => return Ok(Statement::Words { words, line: first_line, opens: byte == b'{' }),
                    b'}' if words.is_empty() => return Ok(Statement::Close { line: self.line }),
                    b'}' => return Err(self.refuse("unexpected \"}\"".to_owned())),
                    b'#' => self.comment(start)?,
                    b'\\' => {
                        self.take();
                        inside = Inside::Bare;
                    }
                    b'"' | b'\'' => {
                        start += 1;
                        inside = Inside::Quoted(byte);
                    }
                    _ => {
                        after_dollar = byte == b'$';
                        inside = Inside::Bare;
                    }
                }
                continue;
            }
            // The word so far must fit in nginx's buffer for as long as the file goes on.
            if self.position - start > BUFFER {
                return Err(self.refuse("too long parameter started".to_owned()));
            }
            if byte == b'{' && after_dollar {
                continue;
            }
            after_dollar = byte == b'$';
            if byte == b'\\' {
                self.take();
                continue;
            }
            let ends = match inside {
                Inside::Quoted(quote) => byte == quote,
                _ => matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{'),
            };
            if !ends {
                continue;
            }
            words.push(unescape(&self.text[start..self.position - 1]));
            inside = match (inside, byte) {
                (Inside::Quoted(_), _) => Inside::Closed,
                (_, b';' | b'{') => return Ok(Statement::Words { words, line: first_line, opens: byte == b'{' }),
                _ => Inside::Space,
            };
        }
        if words.is_empty() && inside == Inside::Space {
            Ok(Statement::End)
        } else {
            Err(self.refuse("unexpected end of file, expecting \";\" or \"}\"".to_owned()))
        }
    }

    /// Skips a Lua body up to and with the brace that closes it.
    ///
    /// # Errors
    ///
    /// The body, a string or a comment in it has no end.
    pub fn skip_lua(&mut self) -> Result<(), Refusal> {
        let opened = self.line;
        let mut depth = 1_usize;
        while let Some(byte) = self.take() {
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                b'"' | b'\'' => self.skip_lua_string(byte)?,
                b'[' => {
                    if let Some(level) = self.long_bracket() {
                        self.skip_long(level)?;
                    }
                }
                b'-' if self.peek() == Some(b'-') => {
                    self.take();
                    let long = if self.peek() == Some(b'[') {
                        self.take();
                        self.long_bracket()
                    } else {
                        None
                    };
                    match long {
                        Some(level) => self.skip_long(level)?,
                        None => while !matches!(self.take(), None | Some(b'\n')) {},
                    }
                }
                _ => {}
            }
        }
        Err(Refusal { line: opened, why: "the Lua block has no end".to_owned() })
    }

    fn skip_lua_string(&mut self, quote: u8) -> Result<(), Refusal> {
        let opened = self.line;
        while let Some(byte) = self.take() {
            if byte == b'\\' {
                self.take();
            } else if byte == quote {
                return Ok(());
            }
        }
        Err(Refusal { line: opened, why: "a Lua string has no end".to_owned() })
    }

    /// After a `[`: the number of `=` when a second `[` makes it a long bracket, which is then behind the reader.
    fn long_bracket(&mut self) -> Option<usize> {
        let rest = &self.text.as_bytes()[self.position..];
        let level = rest.iter().take_while(|&&byte| byte == b'=').count();
        (rest.get(level) == Some(&b'[')).then(|| {
            self.position += level + 1;
            level
        })
    }

    fn skip_long(&mut self, level: usize) -> Result<(), Refusal> {
        let end = format!("]{}]", "=".repeat(level));
        match self.text.get(self.position..).and_then(|rest| rest.find(&end)) {
            Some(length) => {
                let stop = self.position + length + end.len();
                self.line += self.text[self.position..stop].matches('\n').count();
                self.position = stop;
                Ok(())
            }
            None => Err(Refusal { line: self.line, why: "a long Lua string or comment has no end".to_owned() }),
        }
    }

    /// Skips to the line's end; the comment too must fit in nginx's buffer, because it never lets go of its start.
    fn comment(&mut self, start: usize) -> Result<(), Refusal> {
        while let Some(byte) = self.peek() {
            if byte == b'\n' {
                return Ok(());
            }
            self.take();
            if self.position - start > BUFFER {
                return Err(self.refuse("too long parameter started by a comment".to_owned()));
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn refuse(&self, why: String) -> Refusal {
        Refusal { line: self.line, why }
    }

    /// The character that was taken last, for messages.
    fn shown(&self) -> char {
        let bytes = &self.text.as_bytes()[self.position - 1..];
        let character = bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        character.unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// nginx reads through a buffer of this many bytes, in which a whole word must fit.
const BUFFER: usize = 4096;

/// A backslash is lost before `"`, `'` and `\`, makes a control character of `t`, `r` and `n`, and otherwise stays.
fn unescape(raw: &str) -> String {
    let mut word = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            word.push(character);
            continue;
        }
        match characters.clone().next() {
            Some(kept @ ('"' | '\'' | '\\')) => word.push(kept),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            _ => {
                word.push('\\');
                continue;
            }
        }
        characters.next();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        match Lexer::new(text).statement() {
            Ok(Statement::Words { words, .. }) => words,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn case_35_quotes_and_escapes_make_one_word_each() {
        let table = [
            (r#"x "a;b}c{d # x";"#, "a;b}c{d # x"),
            (r"x 'it\'s';", "it's"),
            (r"x a\ b;", r"a\ b"),
            (r#"x a"b"c;"#, r#"a"b"c"#),
            ("x ${host}x;", "${host}x"),
            (r"x a\tb\n\r\\\q;", "a\tb\n\r\\\\q"),
            (r"x a\{2\};", r"a\{2\}"),
            ("x a#b;", "a#b"),
            ("x \"${a}{b\";", "${a}{b"),
            ("x a}b;", "a}b"),
            ("x \"\";", ""),
            ("x ünï\\ö;", "ünï\\ö"),
        ];
        for (text, word) in table {
            assert_eq!(words(text), ["x", word], "{text}");
        }
        assert_eq!(words("if ($a = \"b\") {"), ["if", "($a", "=", "b", ")"]);
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        let table = [
            ("x \"a\"b;", 1, "unexpected \"b\""),
            ("x\n}", 2, "unexpected \"}\""),
            (";", 1, "unexpected \";\""),
            (" {", 1, "unexpected \"{\""),
            ("x y", 1, "unexpected end of file, expecting \";\" or \"}\""),
            ("x 'y;\n", 2, "unexpected end of file, expecting \";\" or \"}\""),
        ];
        for (text, line, why) in table {
            assert_eq!(Lexer::new(text).statement(), Err(Refusal { line, why: why.to_owned() }), "{text}");
        }
        let long = format!("x {};", "y".repeat(4097));
        assert!(Lexer::new(&long).statement().is_err());
        assert_eq!(words(&format!("x {};", "y".repeat(4095)))[1].len(), 4095);
    }

    #[test]
    fn braces_strings_and_comments_in_lua_are_not_configuration() {
        let body =
            "local s = '}\\'}' .. \"}\" .. [[ } ]] .. [==[ ]] } ]==] -- }\n --[[ }\n }]] if {} then end\n} after;";
        let mut lexer = Lexer::new(body);
        lexer.skip_lua().unwrap();
        assert_eq!(lexer.line(), 4);
        assert_eq!(words(&body[lexer.position..]), ["after"]);
        assert!(Lexer::new("'}").skip_lua().is_err());
        assert!(Lexer::new("[[ }").skip_lua().is_err());
    }

    #[test]
    fn comments_count_only_where_a_word_begins() {
        let mut lexer = Lexer::new("# proxy_set_header X 1;\na b#c; # d\n}");
        assert_eq!(
            lexer.statement(),
            Ok(Statement::Words { words: vec!["a".into(), "b#c".into()], line: 2, opens: false })
        );
        assert_eq!(lexer.statement(), Ok(Statement::Close { line: 3 }));
        assert_eq!(lexer.statement(), Ok(Statement::End));
    }
}
