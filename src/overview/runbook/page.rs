//! A page of Markdown (CommonMark with GitHub's tables), written from above to below.
//!
//! Words of the runbook are written as they are. Whatever comes from elsewhere (names, paths, commands) stands in [`code`] or
//! in a block, where nothing of it is Markdown.

use std::fmt::Write as _;

use crate::rules::visible::{line, visible};

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

/// How wide paragraphs are: a fixed width, so that the page is the same on every machine.
const WIDTH: usize = 110;

/// What stands around what was found on one machine, and is no part of a comparison.
pub const FOUND: (&str, &str) = ("<!-- found here -->", "<!-- end of found here -->");

impl Page {
    /// The whole text; ends with a line end.
    pub fn finish(self) -> String {
        self.text.trim_end().to_owned() + "\n"
    }

    /// A heading; 1 is the title.
    pub fn heading(&mut self, level: usize, title: &str) {
        self.block_of(&format!("{} {title}", "#".repeat(level)));
    }

    /// A paragraph.
    pub fn says(&mut self, markdown: &str) {
        let lines = wrap(markdown, WIDTH);
        self.block_of(&lines.join("\n"));
    }

    /// A list; nothing where there is no item.
    pub fn points(&mut self, items: impl IntoIterator<Item = String>) {
        self.list(items, |_| "- ".to_owned());
    }

    /// A list in an order.
    pub fn steps(&mut self, items: impl IntoIterator<Item = String>) {
        self.list(items, |at| format!("{}. ", at + 1));
    }

    fn list(&mut self, items: impl IntoIterator<Item = String>, mark: impl Fn(usize) -> String) {
        let mut lines = Vec::new();
        for (at, item) in items.into_iter().enumerate() {
            let mark = mark(at);
            for (row, text) in wrap(&item, WIDTH - mark.len()).iter().enumerate() {
                lines.push(if row == 0 { format!("{mark}{text}") } else { format!("{:1$}{text}", "", mark.len()) });
            }
        }
        if !lines.is_empty() {
            self.block_of(&lines.join("\n"));
        }
    }

    /// A table; nothing where there is no row.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        // A bar ends a cell, also inside code; its backslash is taken away before the cell is read.
        let row = |cells: &mut dyn Iterator<Item = String>| {
            cells.fold("|".to_owned(), |row, cell| row + " " + &cell.replace('|', "\\|") + " |")
        };
        let mut lines = vec![row(&mut header.iter().map(|cell| (*cell).to_owned())), "|---".repeat(header.len()) + "|"];
        lines.extend(rows.iter().map(|cells| row(&mut cells.iter().cloned())));
        self.block_of(&lines.join("\n"));
    }

    /// Commands for a shell.
    pub fn shell(&mut self, commands: &str) {
        self.block("sh", commands);
    }

    /// Commands for a shell, each with a word on what it is for.
    pub fn commented(&mut self, commands: &[(String, &str)]) {
        let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
        let lines = commands.iter().map(|(command, comment)| format!("{command:width$}      # {comment}"));
        self.shell(&lines.collect::<Vec<_>>().join("\n"));
    }

    /// A block of code.
    pub fn block(&mut self, language: &str, content: &str) {
        let content = visible(content.trim_end_matches('\n'));
        let fence = "`".repeat(longest_run(&content).max(2) + 1);
        self.block_of(&format!("{fence}{language}\n{content}\n{fence}"));
    }

    /// What was found on this machine; nothing where there is nothing.
    pub fn found(&mut self, items: Vec<String>) {
        if items.is_empty() {
            return;
        }
        self.block_of(FOUND.0);
        self.says("**Found on this machine:**");
        self.points(items);
        self.block_of(FOUND.1);
    }

    /// That a chapter's job is not configured: what is missing, and the lines that add it.
    pub fn absent(&mut self, what: &str, lines: &str) {
        self.says(&format!("**Not automated:** {what} These lines in the configuration add it:"));
        self.block("toml", lines);
    }

    fn block_of(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{text}\n\n");
    }
}

/// A text from elsewhere inside a paragraph, a list or a table.
pub fn code(text: &str) -> String {
    let text = line(text);
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(if text.contains('`') { longest_run(&text) + 1 } else { 1 });
    // One blank at each side is taken away where there is more than blanks (CommonMark 0.31.2, 6.1).
    let touches = text.starts_with('`') || text.ends_with('`');
    let blanks = text.starts_with(' ') && text.ends_with(' ') && !text.trim_matches(' ').is_empty();
    let pad = if touches || blanks { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Several of them: `a`, `b` and `c`.
pub fn codes<T: AsRef<str>>(texts: &[T]) -> String {
    join(texts.iter().map(|text| code(text.as_ref())).collect())
}

/// Words as a person lists them.
pub fn join(mut words: Vec<String>) -> String {
    match (words.pop(), words.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
    }
}

/// A sentence of ours with names in it that are not: everything but backticks' code is made harmless.
pub fn plain(text: &str) -> String {
    let mut safe = String::new();
    for c in line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' | '#') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Cuts a paragraph at blanks outside code. What would begin another kind of block stays on the line before.
fn wrap(markdown: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    for word in words(markdown) {
        let is_mark = matches!(word, "-" | "+" | "*" | "=") || word.starts_with(['#', '>', '|', '~']);
        let is_number = word.trim_end_matches(['.', ')']).chars().all(|c| c.is_ascii_digit());
        let long = current.chars().count() + 1 + word.chars().count() > width;
        if !current.is_empty() && long && !is_mark && !is_number {
            lines.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}

/// The pieces between blanks outside code spans.
fn words(markdown: &str) -> Vec<&str> {
    let bytes = markdown.as_bytes();
    let run = |from: usize| bytes[from..].iter().take_while(|byte| **byte == b'`').count();
    let (mut words, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'`' => {
                let length = run(at);
                at += length;
                let mut end = at;
                while end < bytes.len() {
                    let other = run(end);
                    if other == length {
                        at = end + other;
                        break;
                    }
                    end += other.max(1);
                }
            }
            b' ' => {
                words.push(&markdown[start..at]);
                at += 1;
                start = at;
            }
            // An escaped character begins nothing.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    words.push(&markdown[start..]);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;

    /// What a reader of the Markdown sees: the text of every code span and code block, and the number of table cells.
    fn read(markdown: &str) -> (Vec<String>, Vec<String>, usize) {
        let (mut spans, mut blocks, mut cells, mut in_block) = (Vec::new(), Vec::new(), 0, false);
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            match event {
                Event::Code(text) => spans.push(text.into_string()),
                Event::Start(Tag::CodeBlock(_)) => {
                    in_block = true;
                    blocks.push(String::new());
                }
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Text(text) if in_block => blocks.last_mut().unwrap().push_str(&text),
                Event::Start(Tag::TableCell) => cells += 1,
                Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
                _ => {}
            }
        }
        (spans, blocks, cells)
    }

    #[test]
    fn a_name_with_backticks_and_bars_is_shown_as_it_is() {
        for name in
            ["web", "a`b", "``", "`", " x ", "  ", "a|b", "a\\|b", "a\\", "*a*", "<b>", "[x](y)", "# x", "a``b`c"]
        {
            let mut page = Page::default();
            page.says(&format!("The container {} runs.", code(name)));
            page.table(&["one", "two"], &[vec![code(name), code(name)]]);
            page.block("sh", name);
            let text = page.finish();
            let (spans, blocks, cells) = read(&text);
            assert_eq!((spans, cells), (vec![name.to_owned(); 3], 4), "{text}");
            assert_eq!(blocks, [format!("{name}\n")], "{text}");
        }
    }

    #[test]
    fn a_paragraph_is_cut_at_blanks_and_never_inside_code() {
        let text = format!("{} {}", "word ".repeat(30).trim_end(), code("docker stop   a b"));
        let mut page = Page::default();
        page.says(&text);
        let page = page.finish();
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        assert_eq!(read(&page).0, ["docker stop   a b"]);
        assert_eq!(wrap("a - b 1. c # d", 3), ["a -", "b 1.", "c #", "d"]);
    }

    #[test]
    fn what_others_would_obey_is_written_out() {
        assert_eq!(code("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(code(""), "(empty)");
        assert_eq!(plain("the role a*b_c"), "the role a\\*b\\_c");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_from_elsewhere_is_markdown(names in prop::collection::vec("[ -~]{1,24}|[`|\\\\ ~<>&#*_-]{1,12}", 1..5)) {
            let mut page = Page::default();
            page.heading(2, &code(&names[0]));
            page.says(&format!("There are {} here.", codes(&names)));
            page.points(names.iter().map(|name| format!("{}: it runs", code(name))));
            page.table(&["a", "b"], &names.iter().map(|name| vec![code(name), "x".to_owned()]).collect::<Vec<_>>());
            page.block("sh", &names.join("\n"));
            let text = page.finish();
            let (spans, blocks, cells) = read(&text);
            let expected: Vec<String> = std::iter::once(&names[0]).chain(&names).chain(&names).chain(&names).cloned().collect();
            prop_assert_eq!(spans, expected, "{}", text);
            prop_assert_eq!(blocks.len(), 1, "{}", text);
            let lines = names.join("\n");
            prop_assert_eq!(blocks[0].trim_end_matches('\n'), lines.trim_end_matches('\n'));
            prop_assert_eq!(cells, 2 + 2 * names.len());
        }

        #[test]
        fn plain_text_is_only_text(text in "[ -~]{1,40}") {
            let mut page = Page::default();
            page.says(&format!("x{}", plain(&text)));
            let page = page.finish();
            let seen: String = Parser::new(&page).filter_map(|event| match event {
                Event::Text(text) => Some(text.into_string()),
                Event::SoftBreak => Some(" ".to_owned()),
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => None,
                other => panic!("{other:?} in {page}"),
            }).collect();
            let squeezed = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeezed(&seen), squeezed(&format!("x{text}")));
        }
    }
}
