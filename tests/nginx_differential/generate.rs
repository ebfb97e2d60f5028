//! Configurations: generated ones from a fixed seed, the reference cases, and texts that nginx may refuse.

use std::fmt::Write as _;

use crate::compare::Asked;

/// A small generator of numbers (xorshift), so that every run tests the same.
pub struct Dice(u64);

impl Dice {
    /// From a seed other than 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    /// True once in `sides`.
    fn once_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    /// One of these.
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const ADDRESSES: [&str; 2] = ["127.0.0.1", "127.0.0.2"];
const NAMES: [&str; 12] = [
    "a.test",
    "b.test",
    "x.a.test",
    "*.a.test",
    ".d.test",
    "www.*",
    "*.x.a.test",
    "A.UPPER.test",
    "\"~^(?<sub>.+)\\.c\\.test$\"",
    "~^re[0-9]+",
    "d.test",
    "a.*",
];
const HOSTS: [&str; 15] = [
    "a.test",
    "b.test",
    "x.a.test",
    "y.x.a.test",
    "q.a.test",
    "d.test",
    "x.d.test",
    "www.z",
    "foo.c.test",
    "a.upper.TEST",
    "re7.test",
    "none.test",
    "A.TEST:99",
    "b.test.",
    "a.other",
];
const PATHS: [&str; 24] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/c",
    "/a/b.php",
    "/a/x.PNG",
    "/n/12",
    "/n/x.php",
    "/static/x.css",
    "/static",
    "/a//b",
    "/%61/b",
    "/a/../n/1",
    "/a/b?x=1",
    "/r/1",
    "/err",
    "/in",
    "/b.php",
    "/x.php?y=2&x=3",
    "/n/",
    "/a/b/c/d.png",
    "/deep/a/b",
    "/zzz",
];
const PREFIXES: [&str; 9] = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/n/", "/static/", "/r/", "/deep/"];
const REGEXES: [&str; 9] = [
    "~ \\.php$",
    "~* \\.png$",
    "~ ^/a/(.*)$",
    "~ b",
    "~ ^/n/\\d+",
    "\"~ ^/[a-z]{3,6}/\"",
    "~ ^/(?<seg>[^/]+)/",
    "~* ^/A",
    "~ x$",
];
const VALUES: [&str; 18] = [
    "v1",
    "$host",
    "$http_host",
    "$scheme",
    "$server_port",
    "$http_x_b",
    "$mapped",
    "$uri",
    "$request_uri",
    "$v",
    "\"\"",
    "$sub",
    "a${host}b",
    "\"a;b}c{d # x\"",
    "'it\\'s'",
    "$args",
    "$again",
    "$server_name",
];

/// A few servers that share two ports, and requests to them.
pub fn scenario(dice: &mut Dice, ports: [u16; 2], echo: u16) -> (String, Vec<Asked>) {
    let mut text = String::new();
    let mut defaults: Vec<String> = Vec::new();
    for server in 0..1 + dice.roll(4) {
        let _ = writeln!(text, "server {{\n  add_header X-Where p{}s{server} always;", ports[0]);
        let mut listens: Vec<String> = Vec::new();
        for _ in 0..1 + dice.roll(2) {
            let port = ports[usize::from(dice.once_in(4))];
            let listen = match dice.roll(4) {
                0 => format!("{}:{port}", dice.pick(&ADDRESSES)),
                1 => format!("*:{port}"),
                _ => port.to_string(),
            };
            let socket = listen.trim_start_matches("*:").to_owned();
            if listens.contains(&socket) {
                continue;
            }
            listens.push(socket.clone());
            let default = dice.once_in(4) && !defaults.contains(&socket);
            if default {
                defaults.push(socket);
            }
            let _ = writeln!(text, "  listen {listen}{};", if default { " default_server" } else { "" });
        }
        if !dice.once_in(6) {
            let names: Vec<&str> = (0..1 + dice.roll(3)).map(|_| dice.pick(&NAMES)).collect();
            let _ = writeln!(text, "  server_name {};", names.join(" "));
        }
        server_body(dice, &mut text, echo, &format!("p{}s{server}", ports[0]));
        text.push_str("}\n");
    }
    let requests = (0..14).map(|_| {
        let port = ports[usize::from(dice.once_in(5))];
        Asked::plain(dice.pick(&ADDRESSES), port, dice.pick(&HOSTS), dice.pick(&PATHS))
    });
    (text, requests.collect())
}

fn server_body(dice: &mut Dice, text: &mut String, echo: u16, id: &str) {
    headers(dice, text, 2);
    if dice.once_in(8) {
        text.push_str("  set $v fromserver;\n");
    }
    match dice.roll(14) {
        0 => text.push_str("  if ($host = b.test) { return 410; }\n"),
        1 => text.push_str("  rewrite ^/r/(.*)$ /a/$1;\n"),
        2 => text.push_str("  rewrite ^/r/ /n/5 last;\n"),
        3 => text.push_str("  error_page 418 = @app;\n"),
        4 => text.push_str("  proxy_http_version 1.1;\n"),
        5 => text.push_str("  merge_slashes off;\n"),
        6 => text.push_str("  error_page 404 403 = @app;\n"),
        7 => text.push_str("  try_files $uri @app;\n"),
        8 => text.push_str("  if ($host ~* ^(x|y)\\.) { set $v $1; }\n  if ($v = x) { return 406; }\n"),
        9 => text.push_str("  rewrite ^/deep/(.)/(?<last>.) /n/$last$1 break;\n"),
        _ => {}
    }
    let mut used: Vec<String> = Vec::new();
    for index in 0..1 + dice.roll(5) {
        location(dice, text, echo, &format!("{id}l{index}"), None, 0, &mut used);
    }
    let _ = writeln!(text, "  location @app {{\n    add_header X-Where {id}app always;");
    headers(dice, text, 2);
    let _ = writeln!(text, "    proxy_pass http://127.0.0.1:{echo};\n  }}");
    let _ = writeln!(text, "  location = /in {{\n    internal;\n    add_header X-Where {id}in always;");
    let _ = writeln!(text, "    proxy_pass http://127.0.0.1:{echo};\n  }}");
}

fn location(
    dice: &mut Dice,
    text: &mut String,
    echo: u16,
    id: &str,
    parent: Option<&str>,
    depth: usize,
    used: &mut Vec<String>,
) {
    let prefix = dice.pick(&PREFIXES);
    let mut head = match dice.roll(8) {
        0 => format!("= {}", dice.pick(&PATHS[..5])),
        1 | 2 => dice.pick(&REGEXES).to_owned(),
        3 => format!("^~ {prefix}"),
        _ => prefix.to_owned(),
    };
    if let Some(quoted) = head.strip_prefix("\"~ ") {
        head = format!("~ \"{quoted}");
    }
    let bare = head.trim_start_matches(['=', '^', '~', ' ']).to_owned();
    let regex = head.starts_with('~');
    if let Some(parent) = parent
        && !regex
        && !bare.starts_with(parent)
    {
        return;
    }
    // One level may not hold the same prefix twice, with or without a sign.
    let key = format!("{parent:?}{}{bare}", if head.starts_with('=') { "=" } else { "" });
    if used.contains(&key) {
        return;
    }
    used.push(key);
    let _ = writeln!(text, "  location {head} {{\n    add_header X-Where {id} always;");
    headers(dice, text, 3);
    match dice.roll(26) {
        0 => text.push_str("    try_files $uri @app;\n"),
        1 => text.push_str("    try_files $uri $uri/ /a/b;\n"),
        2 => text.push_str("    try_files /none =404;\n"),
        3 => text.push_str("    error_page 404 = @app;\n"),
        4 => text.push_str("    error_page 418 = @app;\n    return 418;\n"),
        5 => text.push_str("    return 403;\n"),
        6 => text.push_str("    return 301 https://$host$request_uri;\n"),
        7 => text.push_str("    rewrite ^/a/(.*)$ /n/$1 last;\n"),
        8 => text.push_str("    rewrite ^ /static/y break;\n"),
        9 => text.push_str("    rewrite ^/n/(\\d+) /a/$1?z=1;\n"),
        10 => text.push_str("    if ($host ~ ^x\\.(.*)$) { set $v $1; }\n"),
        11 => text.push_str("    if ($arg_x) { return 402; }\n"),
        12 => {
            let _ = writeln!(text, "    if ($request_method = GET) {{ proxy_pass http://127.0.0.1:{echo}; }}");
        }
        13 => {
            let _ = writeln!(text, "    limit_except POST {{ proxy_pass http://127.0.0.1:{echo}; }}");
        }
        14 => text.push_str("    proxy_http_version 1.1;\n"),
        15 => text.push_str("    proxy_pass_request_headers off;\n"),
        16 => text.push_str("    error_page 404 /in;\n"),
        17 => text.push_str("    rewrite ^/(.*)$ /moved/$1 permanent;\n"),
        18 => text.push_str("    if ($uri !~* \"^/A\") { return 409; }\n"),
        20 => text.push_str("    error_page 403 418 /a/b;\n    return 403;\n"),
        21 => text.push_str("    return 404 text;\n"),
        22 => text.push_str("    if ($args) { rewrite ^ /zzz? last; }\n"),
        19 => text.push_str("    set $v fromlocation;\n    if (!-f $request_filename) { set $v nofile; }\n"),
        _ => {}
    }
    match dice.roll(8) {
        0 => {}
        1 => {
            let _ = writeln!(text, "    set $target 127.0.0.1:{echo};\n    proxy_pass http://$target;");
        }
        2 => text.push_str("    proxy_pass http://app;\n"),
        3 => text.push_str("    set $group app;\n    proxy_pass http://$group;\n"),
        _ => {
            let _ = writeln!(text, "    proxy_pass http://127.0.0.1:{echo};");
        }
    }
    // Nothing nests in an exact location; a prefix cannot nest in an expression.
    if depth < 2 && !head.starts_with('=') && dice.once_in(2) {
        for index in 0..1 + dice.roll(3) {
            location(dice, text, echo, &format!("{id}n{index}"), Some(&bare), depth + 1, used);
        }
    }
    text.push_str("  }\n");
}

/// Sometimes a few headers, written here or included.
fn headers(dice: &mut Dice, text: &mut String, sides: usize) {
    if !dice.once_in(sides) {
        return;
    }
    if dice.once_in(4) {
        let _ =
            writeln!(text, "    include {};", dice.pick(&["inc/one.conf", "inc/two.conf", "inc/t*.conf", "inc/none*"]));
        return;
    }
    for _ in 0..1 + dice.roll(3) {
        let name = dice.pick(&["X-A", "x-a", "X-B", "X-C", "X-Forwarded-Proto", "Host", "X-T"]);
        let value = dice.pick(&VALUES);
        // A request without a host, or with two, is not HTTP/1.1.
        let value = if name == "Host" { dice.pick(&["$host", "h.test"]) } else { value };
        if name != "Host" || !text.lines().rev().take(3).any(|line| line.contains("Host")) {
            let _ = writeln!(text, "    proxy_set_header {name} {value};");
        }
    }
}

/// The files that several blocks include.
pub fn shared(dice: &mut Dice) -> [(&'static str, String); 2] {
    let line = |dice: &mut Dice, name: &str| format!("proxy_set_header {name} {};\n", dice.pick(&VALUES));
    [("inc/one.conf", line(dice, "X-A") + &line(dice, "X-C")), ("inc/two.conf", line(dice, "X-T"))]
}

/// What stands in `http` before the servers.
pub fn http(dice: &mut Dice, echo: u16) -> String {
    let mut text = plain_http();
    let _ = writeln!(text, "upstream app {{ server 127.0.0.1:{echo}; }}");
    text.push_str("map $host $mapped { default other; a.test isa; ~^x isx; \"~*UPPER\" isup; B.test isb; }\n");
    text.push_str("map $mapped $again { isa $scheme-$mapped; isx ''; default $uri; }\n");
    // These variables exist everywhere, as they do where a server sets them.
    text.push_str("map '' $v { default ''; }\nmap '' $sub { default ''; }\n");
    headers(dice, &mut text, 2);
    text
}

/// The same for the reference cases.
pub fn plain_http() -> String {
    String::new()
}

/// One numbered case of the reference: servers on one port, and what is asked.
pub struct Case {
    /// With its number.
    pub name: &'static str,
    /// `ECHO` stands for the application, `PORT` for the port.
    pub text: &'static str,
    /// Host and path.
    pub requests: &'static [(&'static str, &'static str)],
}

/// The cases that a server answers.
pub const CASES: &[Case] = &[
    Case {
        name: "case_24_25",
        text: "server { listen PORT; add_header X-Where s always; proxy_set_header X-A $scheme; proxy_set_header X-B $host;\n\
               location / { add_header X-Where dropped always; proxy_set_header Host $host; proxy_pass ECHO; }\n\
               location /inherits { add_header X-Where inherits always; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("a.test", "/inherits")],
    },
    Case {
        name: "case_26",
        text: "server { listen PORT; \nlocation / { add_header X-Where one always; include proxy.conf; proxy_pass ECHO; }\n\
               location /two { add_header X-Where two always; include proxy.conf; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("a.test", "/two")],
    },
    Case {
        name: "case_27_28_38",
        text: "server { listen PORT; \nlocation / { add_header X-Where removed always; proxy_set_header X-Forwarded-Proto \"\"; proxy_pass ECHO; }\n\
               location /twice { add_header X-Where twice always; proxy_set_header X-Forwarded-Proto http; proxy_set_header x-forwarded-proto https; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("a.test", "/twice")],
    },
    Case {
        name: "case_29",
        text: "server { listen PORT; \nlocation / { add_header X-Where slash always; try_files $uri @app; }\n\
               location @app { add_header X-Where app always; proxy_set_header X-A app; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("a.test", "/x/y")],
    },
    Case {
        name: "case_30_32_33",
        text: "server { listen PORT; proxy_set_header X-A server;\n\
               location ~ \\.php$ { add_header X-Where top always; proxy_pass ECHO; }\n\
               location /n/ { add_header X-Where n always; proxy_set_header X-B parent; proxy_pass ECHO;\n\
               location ~ x { add_header X-Where nested always; proxy_pass ECHO; } }\n\
               location /m/ { add_header X-Where m always; proxy_pass ECHO; }\n\
               location ^~ /m/st { add_header X-Where st always; proxy_pass ECHO; } }",
        requests: &[
            ("a", "/n/x.php"),
            ("a", "/n/y"),
            ("a", "/m/y.php"),
            ("a", "/m/st.php"),
            ("a", "/m/y"),
            ("a", "/m"),
        ],
    },
    Case {
        name: "case_34",
        text: "server { listen 127.0.0.1:PORT; server_name b.test; add_header X-Where b always; \nlocation / { add_header X-Where bl always; proxy_pass ECHO; } }\n\
               server { listen PORT; server_name a.test; add_header X-Where a always;\nlocation / { add_header X-Where al always; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("b.test", "/"), ("c.test", "/")],
    },
    Case {
        name: "case_35",
        text: "server { listen PORT; \nlocation / { add_header X-Where w always; proxy_set_header X-A \"a;b}c{d # x\"; proxy_set_header X-B 'it\\'s';\n\
               proxy_set_header X-C a\\ b; proxy_set_header X-T a\"b\"c${host}x; proxy_pass ECHO; }\n\
               location /tab { add_header X-Where tab always; proxy_set_header X-A \"a\\tb\"; proxy_set_header X-B c#d; proxy_pass ECHO; } }",
        requests: &[("a.test", "/"), ("a.test", "/tab")],
    },
    Case {
        name: "case_36",
        text: "server { listen PORT; \nlocation / { add_header X-Where c always;\n# proxy_set_header X-A comment;\nproxy_pass ECHO; } }",
        requests: &[("a.test", "/")],
    },
    Case {
        name: "case_39",
        text: "server { listen PORT; \nlocation / { add_header X-Where v always;\nset $u http://app.invalid:1; proxy_pass $u; } }",
        requests: &[("a.test", "/")],
    },
];

/// Whole files, of which nginx refuses some: `http` is closed in each.
pub const FILES: &[&str] = &[
    "events {} http { server { listen 127.0.0.1:1; location / { if ($host) { proxy_set_header A b; } } } }",
    "events {} http { server { location ~ ^/a{2}$ { } } }",
    "events {} http { server { location ~ \"^/a{2}$\" { } } }",
    "events {} http { server { location ~ ^/a\\{2\\}$ { } } }",
    "events {} http { map $host $x { default \"a\"b; } }",
    "events {} http { map $host $x { default a\"b\"c; } }",
    "events {} http { map $host $x { default \"a;b}c{d # x\"; } }",
    "events {} http { map $host $x { default 'it\\'s'; a a\\ b; } }",
    "events {} http { map $host $x { default ${host}x; } }",
    "events {} http { server { proxy_pass http://127.0.0.1; } }",
    "events {} http { server { location / { limit_except GET { proxy_set_header A b; } } } }",
    "events {} http { server { location / { limit_except GET { proxy_pass http://127.0.0.1; } } } }",
    "events {} http { server { location / { proxy_pass http://127.0.0.1; proxy_pass http://127.0.0.1; } } }",
    "events {} http { server { proxy_http_version 1.0; proxy_http_version 1.1; } }",
    "events {} http { server { proxy_set_header A; } }",
    "events {} http { server { proxy_set_header A b c; } }",
    "events {} http { server { location / { internal; } } }",
    "events {} http { server { internal; } }",
    "events {} http { server { } ",
    "events {} http { } }",
    "events {} http { } http { }",
    "events {} http { server { location / { return; } } }",
    "events {} http { server { location / { try_files $uri; } } }",
    "events {} http { server { if ($host = a) { return 301 /x; } } }",
    "events {} http { server { if ($host = a) { proxy_pass http://127.0.0.1; } } }",
    "events {} http { server { location / { server { } } } }",
    "events {} http { server ; }",
    "events {} http { location / { } }",
    "events {} http { upstream a { server 127.0.0.1:1; } server { location / { proxy_pass http://a; } } }",
    "events {} http { server { server_name a.test b.test; } # comment }\n }",
    "events {} http { ; }",
    "events {} http { { } }",
    "events {} http { server_tokens off }",
    "events {} http { include missing/*.conf; }",
    "events {} http { map $host $x { default \"a\\tb\\\\c\"; } }",
];
