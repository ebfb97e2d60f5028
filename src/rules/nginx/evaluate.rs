//! Walks a request through the configuration as nginx's phases do: rewrite, find a location, rewrite, try files, content.

use super::{
    answer::{Answer, Doubt, Ending, Location, Question, Server, Value},
    effective::{Levels, block},
    location::{self, HANDLERS},
    rewrite::Flow,
    server::{self, Chosen},
    tree::{Config, Directive, Place},
    variables::Variables,
};

/// What the file says about a request.
///
/// ```
/// use mainstay::rules::nginx::{Ending, Question, evaluate, parse_dump};
/// let config = parse_dump(
///     "# configuration file /etc/nginx/nginx.conf:\n\
///      http { server { listen 80; location / { proxy_pass http://127.0.0.1:8000; } } }\n",
/// )?;
/// let question = Question {
///     tls: false, address: None, port: 80, host: "example.org".to_owned(), path: "/".to_owned(), front: None,
/// };
/// let answer = evaluate(&config, &question)?;
/// assert_eq!(answer.locations[0].label, "/");
/// assert!(matches!(answer.ending, Ending::Proxied(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The file does not answer the question: nothing listens there, or something decides that it does not show.
pub fn evaluate(config: &Config, question: &Question) -> Result<Answer, Doubt> {
    let http = config.http().ok_or_else(|| Doubt::no_server("the configuration has no `http` block"))?;
    let chosen = server::choose(http, question)?;
    Walk::new(http, chosen, question).answer()
}

/// Rewrites and internal redirections after which nginx gives up are 10 of each; this bounds both.
const MOST_TURNS: usize = 24;

/// A request on its way.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    http: &'a Directive,
    chosen: Chosen<'a>,
    question: &'a Question,
    pub(super) variables: Variables<'a>,
    locations: Vec<&'a Directive>,
    /// The `if` or `limit_except` that took over from the location.
    pub(super) inner: Option<&'a Directive>,
    pub(super) steps: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Whether the path was changed, so that a new location must be found.
    pub(super) changed: bool,
    /// Whether `internal` locations may be used.
    pub(super) internal: bool,
    /// The first file that was looked for.
    file: Option<String>,
    error_page_used: bool,
}

/// What to do next.
enum Next {
    End(Ending),
    Find,
    Named(String),
    Redirected(String),
    Restart,
}

impl<'a> Walk<'a> {
    fn new(http: &'a Directive, chosen: Chosen<'a>, question: &'a Question) -> Self {
        let merge_slashes = Levels(vec![http, chosen.first]).setting("merge_slashes", "on").value != "off";
        let (path, query) = location::normalise(&question.path, merge_slashes);
        let mut variables = Variables::new(http, chosen.server, question, path, query);
        if let Some(captures) = chosen.captures.clone() {
            variables.catch(captures);
        }
        Self {
            http,
            notes: chosen.notes.clone(),
            chosen,
            question,
            variables,
            locations: Vec::new(),
            inner: None,
            steps: Vec::new(),
            changed: false,
            internal: false,
            file: None,
            error_page_used: false,
        }
    }

    fn answer(mut self) -> Result<Answer, Doubt> {
        let mut ending = self.run(Next::Restart)?;
        let levels = self.levels();
        let (mut headers, mut dropped) = (Vec::new(), Vec::new());
        if let Ending::Proxied(upstream) = &mut ending
            && let Some(line) = levels.nearest("proxy_pass")
        {
            let (found, notes) = levels.upstream(line, &mut self.variables);
            self.notes.extend(notes);
            headers = levels.headers(&self.variables, &found.at);
            dropped = levels.dropped();
            *upstream = found;
        }
        let server = self.chosen.server;
        let name = server.all("server_name").next().map(|line| line.arg().to_owned()).unwrap_or_default();
        let handshake = Levels(vec![self.http, self.chosen.handshake]);
        self.notes.dedup();
        Ok(Answer {
            server: Server { name, at: server.at.clone() },
            locations: self
                .locations
                .iter()
                .map(|location| Location { label: location::label(location), at: location.at.clone() })
                .collect(),
            steps: self.steps,
            ending,
            file: self.file,
            headers,
            dropped,
            passes_client_headers: levels.setting("proxy_pass_request_headers", "on").value != "off",
            http_version: levels.setting("proxy_http_version", "1.0"),
            redirect: levels.setting("proxy_redirect", "default"),
            certificate: if self.question.tls { handshake.certificate() } else { None },
            notes: self.notes,
            question: self.question.clone(),
        })
    }

    fn run(&mut self, mut next: Next) -> Result<Ending, Doubt> {
        for _ in 0..MOST_TURNS {
            next = match next {
                Next::End(ending) => return Ok(ending),
                Next::Find => self.find()?,
                Next::Named(name) => self.named(&name)?,
                Next::Redirected(path) => {
                    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
                    (self.variables.path, self.variables.query) = (path.to_owned(), query.to_owned());
                    self.internal = true;
                    Next::Restart
                }
                Next::Restart => self.server_phase()?,
            };
        }
        let why = "rewrites or internal redirections go in a circle".to_owned();
        Ok(Ending::Returned { code: 500, why })
    }

    /// The rewrite directives of the server, which run again after an internal redirection.
    fn server_phase(&mut self) -> Result<Next, Doubt> {
        let server = self.chosen.server;
        self.locations.clear();
        self.inner = None;
        let flow = self.rewrite(server)?;
        self.changed = false;
        // An `if` of the server inherits from it and loses its place to the location that is found now.
        self.inner = None;
        match flow {
            Flow::Ended(ending) => Ok(Next::End(ending)),
            Flow::Failed(code, ending) => self.failed(code, ending),
            Flow::On | Flow::Stopped => Ok(Next::Find),
        }
    }

    fn find(&mut self) -> Result<Next, Doubt> {
        let found = location::find(self.chosen.server, &self.variables.path)?;
        self.locations = found.chain;
        self.inner = None;
        if let Some(captures) = found.captures {
            self.variables.catch(captures);
        }
        let Some(location) = self.locations.last().copied() else { return self.location_phase() };
        if found.slash {
            let why = format!("{} adds the slash at the end ({})", block(location), location.at);
            return Ok(Next::End(Ending::Returned { code: 301, why }));
        }
        if location.last("internal").is_some() && !self.internal {
            let why = format!("{} is internal ({})", block(location), location.at);
            return self.failed(404, Ending::Returned { code: 404, why });
        }
        if let Some(limit) = location.last("limit_except")
            && !limit.args.iter().any(|method| method == "GET")
        {
            self.inner = Some(limit);
        }
        self.location_phase()
    }

    fn named(&mut self, name: &str) -> Result<Next, Doubt> {
        let Some(location) = location::named(self.chosen.server, name) else {
            let why = format!("there is no location {name} in the server ({})", self.chosen.server.at);
            return Ok(Next::End(Ending::Returned { code: 500, why }));
        };
        self.locations = vec![location];
        self.inner = None;
        self.internal = true;
        self.location_phase()
    }

    /// Rewrite directives, `try_files` and the content of the location that was found.
    fn location_phase(&mut self) -> Result<Next, Doubt> {
        self.refuse_scripts()?;
        if let Some(location) = self.locations.last().copied()
            && self.inner.is_none()
        {
            match self.rewrite(location)? {
                Flow::Ended(ending) => return Ok(Next::End(ending)),
                Flow::Failed(code, ending) => return self.failed(code, ending),
                Flow::On | Flow::Stopped if self.changed => {
                    self.changed = false;
                    self.steps.push(format!("rewritten to {} ({})", self.variables.path, location.at));
                    return Ok(Next::Find);
                }
                Flow::On | Flow::Stopped => {}
            }
        }
        let level = self.locations.last().copied().unwrap_or(self.chosen.server);
        if self.inner.is_none()
            && let Some(line) = level.last("try_files")
        {
            return self.try_files(line);
        }
        self.content(level)
    }

    /// Follows the last argument, because which files exist is not written in the configuration.
    fn try_files(&mut self, line: &'a Directive) -> Result<Next, Doubt> {
        let (last, files) = line.args.split_last().map_or(("", &[][..]), |(last, files)| (last.as_str(), files));
        self.notes.push(format!("a file that exists for {} is served instead ({})", files.join(" or "), line.at));
        if files.iter().any(|file| file == "$uri") {
            self.look_for_file();
        }
        self.steps.push(format!("try_files leads to {last} ({})", line.at));
        if let Some(code) = last.strip_prefix('=') {
            let code = code.parse().unwrap_or(404);
            return self.failed(code, Ending::Returned { code, why: format!("try_files ends so ({})", line.at) });
        }
        self.redirect_to(last, &line.at)
    }

    fn redirect_to(&mut self, target: &str, at: &Place) -> Result<Next, Doubt> {
        if target.starts_with('@') {
            return Ok(Next::Named(target.to_owned()));
        }
        match self.variables.expand(target).known() {
            Some(path) if path.starts_with("http://") || path.starts_with("https://") => {
                Ok(Next::End(Ending::Returned { code: 302, why: format!("redirected to {path} ({at})") }))
            }
            Some(path) => Ok(Next::Redirected(path.to_owned())),
            None => Err(Doubt::undecided(at, format!("where `{target}` leads is not written in the file"))),
        }
    }

    fn content(&mut self, level: &'a Directive) -> Result<Next, Doubt> {
        let handler = self.inner.and_then(handler).or_else(|| handler(level));
        let Some(line) = handler else {
            self.look_for_file();
            return self.failed(404, Ending::Static);
        };
        let ending = if line.name == "proxy_pass" {
            let levels = self.levels();
            let (upstream, _) = levels.upstream(line, &mut self.variables);
            Ending::Proxied(upstream)
        } else {
            Ending::Other { directive: line.name.clone(), at: line.at.clone() }
        };
        Ok(Next::End(ending))
    }

    /// Remembers the file of the path, as `ngx_http_map_uri_to_path` finds it; the first one that is looked for counts.
    fn look_for_file(&mut self) {
        let levels = self.levels();
        let place = levels.0.iter().rev().find_map(|level| {
            let line = level.last("alias").or_else(|| level.last("root"))?;
            Some((*level, line))
        });
        let file = match place {
            Some((level, line)) if line.name == "alias" => {
                match (self.variables.expand(line.arg()), location::prefix(level)) {
                    // The prefix is replaced; an expression's alias is the whole path.
                    (Value::Known(alias), Some(prefix)) => {
                        self.variables.path.strip_prefix(prefix).map(|rest| format!("{alias}{rest}"))
                    }
                    (Value::Known(alias), None) => Some(alias),
                    _ => None,
                }
            }
            Some((_, line)) => self
                .variables
                .expand(line.arg())
                .known()
                .map(|root| format!("{}{}", root.trim_end_matches('/'), self.variables.path)),
            // nginx's own `html` lies below a prefix that is compiled in.
            None => None,
        };
        self.file = self.file.take().or(file);
    }

    /// Follows `error_page` once; for a file that may be missing only where that leads to an application.
    fn failed(&mut self, code: u16, ending: Ending) -> Result<Next, Doubt> {
        let levels = self.levels();
        let wanted = code.to_string();
        let line =
            levels.0.iter().rev().find(|level| level.last("error_page").is_some()).and_then(|level| {
                level.all("error_page").find(|line| line.args[..line.args.len() - 1].contains(&wanted))
            });
        let Some(line) = line.filter(|_| !self.error_page_used) else {
            return Ok(Next::End(ending));
        };
        let target = line.args.last().map_or("", String::as_str);
        let certain = ending != Ending::Static;
        let mut ahead = self.clone();
        ahead.error_page_used = true;
        ahead.steps.push(format!("error_page {code} leads to {target} ({})", line.at));
        if !certain {
            ahead.notes.push(format!("a file that exists is served instead ({})", line.at));
        }
        let found = ahead.redirect_to(target, &line.at).and_then(|next| ahead.run(next))?;
        if certain || matches!(found, Ending::Proxied(_) | Ending::Other { .. }) {
            *self = ahead;
            return Ok(Next::End(found));
        }
        Ok(Next::End(ending))
    }

    fn levels(&self) -> Levels<'a> {
        let mut levels = vec![self.http, self.chosen.server];
        levels.extend(&self.locations);
        levels.extend(self.inner);
        Levels(levels)
    }

    /// Lua and its kin change headers and upstreams in ways that the file does not show.
    fn refuse_scripts(&self) -> Result<(), Doubt> {
        for level in self.levels().0 {
            if let Some(line) = level.children().iter().find(|child| is_script(&child.name)) {
                let why = format!("`{}` in {} can change headers and the upstream", line.name, block(level));
                return Err(Doubt::undecided(&line.at, why));
            }
        }
        Ok(())
    }
}

/// The directive that handles the content of a level; the last one wins, as in nginx.
fn handler(level: &Directive) -> Option<&Directive> {
    level.children().iter().rev().find(|child| HANDLERS.contains(&child.name.as_str()))
}

fn is_script(name: &str) -> bool {
    let stem = name.strip_suffix("_block").or_else(|| name.strip_suffix("_file")).unwrap_or(name);
    let stem = stem.strip_prefix("server_").unwrap_or(stem);
    matches!(
        stem,
        "access_by_lua"
            | "content_by_lua"
            | "js_access"
            | "js_content"
            | "more_clear_input_headers"
            | "more_set_input_headers"
            | "perl"
            | "rewrite_by_lua"
            | "set_by_lua"
    )
}
