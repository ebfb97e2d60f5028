//! `set`, `if`, `rewrite`, `return` and `break`, run in the order in which they are written.

use super::{
    answer::{Doubt, Ending, Value},
    evaluate::Walk,
    location::HANDLERS,
    pattern::Pattern,
    tree::Directive,
};

/// How the directives of one block ended.
pub(super) enum Flow {
    /// With an answer.
    Ended(Ending),
    /// With a status that an error page may replace.
    Failed(u16, Ending),
    /// At the last one.
    On,
    /// At a `break`, or a `rewrite` with a flag.
    Stopped,
}

impl<'a> Walk<'a> {
    /// Runs the rewrite directives of a block.
    pub(super) fn rewrite(&mut self, block: &'a Directive) -> Result<Flow, Doubt> {
        for line in block.children() {
            let flow = match line.name.as_str() {
                "break" => {
                    self.changed = false;
                    Flow::Stopped
                }
                "if" => self.condition(block, line)?,
                "return" => returned(line),
                "rewrite" => self.rewritten(line)?,
                "set" => {
                    let value = self.variables.expand(line.args.get(1).map_or("", String::as_str));
                    self.variables.set(line.arg(), value);
                    Flow::On
                }
                _ => Flow::On,
            };
            if !matches!(flow, Flow::On) {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn condition(&mut self, block: &'a Directive, line: &'a Directive) -> Result<Flow, Doubt> {
        match self.holds(line)? {
            Some(true) => {
                self.inner = Some(line);
                self.rewrite(line)
            }
            Some(false) => Ok(Flow::On),
            None => self.undecided(block, line),
        }
    }

    /// An `if` on something that the question does not tell, like the browser's name.
    ///
    /// Where it only answers by itself, requests that reach the application go past it. Where it changes the way, no
    /// one way can be judged.
    fn undecided(&mut self, block: &'a Directive, line: &'a Directive) -> Result<Flow, Doubt> {
        for child in line.children() {
            let away = child.name == "rewrite" && is_redirect(child);
            if child.name == "return" || away {
                self.notes.push(format!(
                    "requests for which `{}` holds are answered otherwise ({})",
                    line.head(),
                    line.at
                ));
                return Ok(Flow::On);
            }
            let handler = HANDLERS.contains(&child.name.as_str());
            if handler || matches!(child.name.as_str(), "break" | "rewrite") || child.name.contains("_by_lua") {
                let why = format!("`{}` changes the way, and the file does not tell whether it holds", line.head());
                return Err(Doubt::undecided(&line.at, why));
            }
            if child.name == "set" {
                let why = format!("`{}`, which is set by `{}`", child.arg(), line.head());
                self.variables.set(child.arg(), Value::Open(why));
            }
        }
        if block.last("try_files").is_some() {
            let why =
                format!("`{}` switches `try_files` off, and the file does not tell whether it holds", line.head());
            return Err(Doubt::undecided(&line.at, why));
        }
        Ok(Flow::On)
    }

    /// Whether the condition holds; `None` when the question does not tell.
    fn holds(&mut self, line: &Directive) -> Result<Option<bool>, Doubt> {
        let joined = line.args.join("\u{0}");
        let inside = joined.trim_start_matches('(').trim_start_matches('\u{0}');
        let inside = inside.strip_suffix(')').unwrap_or(inside).trim_end_matches('\u{0}');
        let words: Vec<&str> = inside.split('\u{0}').collect();
        match words[..] {
            [variable] => Ok(self.variables.expand(variable).known().map(|value| !value.is_empty() && value != "0")),
            [test, _] if is_file_test(test) => {
                // The same assumption as for `try_files`: no file is there.
                self.notes.push(format!("assumed that no file matches `{}` ({})", line.head(), line.at));
                Ok(Some(test.starts_with('!')))
            }
            [left, operator, right] => {
                let value = self.variables.expand(left);
                let Some(value) = value.known() else { return Ok(None) };
                let negated = operator.starts_with('!');
                match operator.trim_start_matches('!') {
                    "=" => Ok(self.variables.expand(right).known().map(|right| (value == right) != negated)),
                    "~" | "~*" => {
                        let caseless = operator.ends_with('*');
                        let pattern = Pattern::new(right, caseless).map_err(|why| Doubt::undecided(&line.at, why))?;
                        let captures = pattern.captures(value);
                        let matched = captures.is_some();
                        if let Some(captures) = captures {
                            self.variables.catch(captures);
                        }
                        Ok(Some(matched != negated))
                    }
                    _ => {
                        Err(Doubt::undecided(&line.at, format!("the condition of `{}` is not understood", line.head())))
                    }
                }
            }
            _ => Err(Doubt::undecided(&line.at, format!("the condition of `{}` is not understood", line.head()))),
        }
    }

    fn rewritten(&mut self, line: &'a Directive) -> Result<Flow, Doubt> {
        let pattern = Pattern::new(line.arg(), false).map_err(|why| Doubt::undecided(&line.at, why))?;
        let Some(captures) = pattern.captures(&self.variables.path) else { return Ok(Flow::On) };
        self.variables.catch(captures);
        self.internal = true;
        let target = line.args.get(1).map_or("", String::as_str);
        let flag = line.args.get(2).map(String::as_str);
        if is_redirect(line) {
            let code = if flag == Some("permanent") { 301 } else { 302 };
            return Ok(Flow::Ended(Ending::Returned {
                code,
                why: format!("rewrite redirects to {target} ({})", line.at),
            }));
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let undecided =
            || Doubt::undecided(&line.at, format!("where `{}` leads is not written in the file", line.head()));
        let path = self.variables.expand(path).known().ok_or_else(undecided)?.to_owned();
        if let Some(query) = query {
            // The query of the request is added, unless the replacement ends with a question mark.
            let (query, keeps) =
                query.strip_suffix('?').or((query.is_empty()).then_some("")).map_or((query, true), |q| (q, false));
            let mut query = self.variables.expand(query).known().ok_or_else(undecided)?.to_owned();
            if keeps && !self.variables.query.is_empty() {
                query = format!("{query}&{}", self.variables.query);
            }
            self.variables.query = query;
        }
        self.variables.path = path;
        self.changed = flag != Some("break");
        Ok(if flag.is_some() { Flow::Stopped } else { Flow::On })
    }
}

/// A failure without a text of its own goes on to `error_page`.
fn returned(line: &Directive) -> Flow {
    let code = line.arg().parse().unwrap_or(302);
    let ending = Ending::Returned { code, why: format!("`{}` ({})", line.head(), line.at) };
    if code >= 400 && line.args.len() == 1 { Flow::Failed(code, ending) } else { Flow::Ended(ending) }
}

fn is_redirect(line: &Directive) -> bool {
    let target = line.args.get(1).map_or("", String::as_str);
    matches!(line.args.get(2).map(String::as_str), Some("permanent" | "redirect"))
        || ["http://", "https://", "$scheme"].iter().any(|start| target.starts_with(start))
}

fn is_file_test(word: &str) -> bool {
    matches!(word.trim_start_matches('!'), "-d" | "-e" | "-f" | "-x")
}
