//! The reference cases, judged.

use std::collections::BTreeMap;

use super::*;
use crate::{
    report::{Status, assert_one_voice},
    rules::nginx::{Value, parse_dump},
};

const PROXY: &str = "proxy_set_header X-Forwarded-Proto $scheme;\nproxy_set_header X-Forwarded-Host $host;\nproxy_set_header X-Forwarded-Port $server_port;\n";

fn expected() -> Expected {
    let headers =
        [("X-Forwarded-Proto", "$scheme"), ("X-Forwarded-Host", "$host"), ("X-Forwarded-Port", "$server_port")];
    Expected {
        public: Public { scheme: "https".to_owned(), host: "a.test".to_owned(), port: 443 },
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
        http_version: None,
        redirect: None,
        version: None,
    }
}

fn question(path: &str) -> Question {
    Question { tls: true, address: None, port: 443, host: "a.test".to_owned(), path: path.to_owned(), front: None }
}

fn dump(http: &str) -> String {
    format!("# configuration file /etc/nginx/nginx.conf:\nevents {{}}\nhttp {{\n{http}\n}}\n\n")
}

/// A TLS server `a.test` with this inside.
fn server(inside: &str) -> String {
    dump(&format!("server {{ listen 443 ssl; server_name a.test;\n{inside}\n}}"))
}

fn judged(dump: &str, path: &str) -> Vec<Finding> {
    let findings = judge("prime", &parse_dump(dump), &question(path), &expected());
    findings.iter().for_each(assert_one_voice);
    findings
}

/// The finding of `nginx.headers`, which is always one.
fn headers(dump: &str, path: &str) -> Finding {
    let findings: Vec<Finding> = judged(dump, path).into_iter().filter(|finding| finding.id == HEADERS).collect();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].data["describes"], "file");
    findings.into_iter().next().unwrap()
}

fn config(dump: &str, path: &str) -> Finding {
    judged(dump, path).into_iter().find(|finding| finding.id == CONFIG).unwrap()
}

fn status(dump: &str, path: &str) -> Status {
    headers(dump, path).status
}

#[test]
fn case_24_header_dropped_in_location() {
    let text =
        server(&format!("{PROXY}location / {{\nproxy_set_header Host $host;\nproxy_pass http://127.0.0.1:8000;\n}}"));
    let finding = headers(&text, "/");
    assert_eq!(finding.status, Status::Fail);
    assert_eq!(finding.data["reason"], "dropped");
    assert_eq!(finding.data["at"], "/etc/nginx/nginx.conf:8");
    let said = "X-Forwarded-Host, X-Forwarded-Port and X-Forwarded-Proto are dropped, so the client's own values pass";
    assert!(finding.summary.ends_with(said), "{}", finding.summary);
    for name in ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"] {
        assert!(finding.data["wrong"].as_array().unwrap().contains(&name.into()), "{:?}", finding.data);
        assert!(finding.data["headers"].get(name).is_none());
    }
    let cause = finding.cause.unwrap();
    let because =
        "not inherited: location / has proxy_set_header of its own (/etc/nginx/nginx.conf:8); what is set at ";
    assert!(cause.starts_with(because) && cause.contains("/etc/nginx/nginx.conf:6"), "{cause}");
    let fix = finding.fix.unwrap();
    assert!(fix.ends_with("proxy_set_header X-Forwarded-Host $host;\nproxy_set_header X-Forwarded-Port $server_port;\nproxy_set_header X-Forwarded-Proto $scheme;"), "{fix}");
    assert_eq!(finding.data["headers"]["Host"]["value"], "$host");
}

#[test]
fn case_25_location_without_headers_inherits() {
    let finding = headers(&server(&format!("{PROXY}location / {{ proxy_pass http://127.0.0.1; }}")), "/");
    assert_eq!(finding.status, Status::Pass, "{finding:?}");
    let sent = &finding.data["headers"]["X-Forwarded-Proto"];
    assert_eq!(sent["value"], "$scheme");
    assert_eq!(sent["at"], "/etc/nginx/nginx.conf:4");
    assert_eq!(sent["values"][0]["at"], "/etc/nginx/nginx.conf:4");
    assert_eq!(finding.data["location"], "/");
    assert_eq!(finding.data["server"], "a.test");
    assert_eq!(finding.data["upstream"], "http://127.0.0.1");
}

#[test]
fn case_26_included_file_is_dumped_once_and_used_three_times() {
    let http = "server { listen 443 ssl; server_name a.test; location /a { include proxy.conf; } location /b { include proxy.conf; } location / { include proxy.conf; } }";
    let text =
        format!("{}# configuration file /etc/nginx/proxy.conf:\n{PROXY}proxy_pass http://127.0.0.1:1;\n\n", dump(http));
    for path in ["/", "/a", "/b"] {
        let finding = headers(&text, path);
        assert_eq!(finding.status, Status::Pass);
        assert_eq!(finding.data["headers"]["X-Forwarded-Proto"]["at"], "/etc/nginx/proxy.conf:1");
    }
}

#[test]
fn case_27_empty_value_removes_the_header() {
    let finding = headers(
        &server(&format!(
            "{PROXY}proxy_set_header X-Forwarded-Proto \"\";\nlocation / {{ proxy_pass http://127.0.0.1; }}"
        ))
        .replace("proxy_set_header X-Forwarded-Proto $scheme;\n", ""),
        "/",
    );
    assert_eq!((finding.status, &finding.data["reason"]), (Status::Fail, &"removed".into()));
    assert_eq!(finding.data["headers"]["X-Forwarded-Proto"]["value"], "");
}

#[test]
fn case_28_two_values_are_both_sent() {
    let finding = headers(
        &server(&format!(
            "{PROXY}proxy_set_header x-forwarded-proto https;\nlocation / {{ proxy_pass http://127.0.0.1; }}"
        )),
        "/",
    );
    assert_eq!((finding.status, &finding.data["reason"]), (Status::Fail, &"twice".into()));
    let sent = &finding.data["headers"]["X-Forwarded-Proto"];
    assert_eq!(sent["value"], "https");
    assert_eq!(sent["values"].as_array().unwrap().len(), 2);
}

#[test]
fn case_29_try_files_leads_to_a_named_location() {
    let text = server(&format!(
        "location / {{ try_files $uri @app; }} location @app {{ {PROXY} proxy_pass http://127.0.0.1; }}"
    ));
    let finding = headers(&text, "/");
    assert_eq!(finding.status, Status::Pass, "{finding:?}");
    assert_eq!(finding.data["location"], "@app");
    assert!(finding.data["steps"][0].as_str().unwrap().starts_with("try_files leads to @app"));
}

#[test]
fn case_30_nested_location_inherits_its_parent_only() {
    let inside = format!(
        "proxy_set_header X-Server 1;\nlocation / {{ {PROXY} location /n {{ proxy_pass http://127.0.0.1; }} proxy_pass http://127.0.0.2; }}"
    );
    let finding = headers(&server(&inside), "/n");
    assert_eq!(finding.status, Status::Pass);
    assert!(finding.data["headers"].get("X-Server").is_none());
    assert!(finding.observed.unwrap().contains("inherited from location /"));
}

#[test]
fn case_31_header_inside_if_is_a_configuration_error() {
    let text = server("location / { if ($host) { proxy_set_header A b; } proxy_pass http://127.0.0.1; }");
    let finding = config(&text, "/");
    assert_eq!((finding.status, &finding.data["reason"]), (Status::Fail, &"syntax".into()));
    assert!(finding.summary.contains("\"proxy_set_header\" directive is not allowed here"));
    let follower = headers(&text, "/");
    assert_eq!((follower.status, &follower.data["because_of"]), (Status::Unknown, &CONFIG.into()));
}

#[test]
fn case_32_nested_regex_beats_an_earlier_one_outside() {
    let text = server(
        "location ~ \\.php$ { proxy_pass http://127.0.0.1:1; } location /n/ { location ~ x { proxy_pass http://127.0.0.1:2; } }",
    );
    assert_eq!(headers(&text, "/n/x.php").data["upstream"], "http://127.0.0.1:2");
}

#[test]
fn case_33_regex_or_prefix() {
    let text = server(
        "location /m/ { proxy_pass http://127.0.0.1:1; } location ~ \\.php$ { proxy_pass http://127.0.0.1:2; } location ^~ /m/st { proxy_pass http://127.0.0.1:3; }",
    );
    assert_eq!(headers(&text, "/m/y.php").data["upstream"], "http://127.0.0.1:2");
    assert_eq!(headers(&text, "/m/sty.php").data["upstream"], "http://127.0.0.1:3");
}

#[test]
fn case_34_the_more_specific_listen_wins_over_the_name() {
    let text =
        dump("server { listen 127.0.0.1:443 ssl; server_name b.test; } server { listen 443 ssl; server_name a.test; }");
    let at = |address: &str| {
        let question = Question { address: Some(address.parse().unwrap()), ..question("/") };
        evaluate(&parse_dump(&text).unwrap(), &question).unwrap().server.name
    };
    assert_eq!(at("127.0.0.1"), "b.test");
    assert_eq!(at("10.0.0.1"), "a.test");
}

#[test]
fn case_36_comments_and_lua_are_not_counted() {
    let text = server(&format!(
        "# {}location / {{ log_by_lua_block {{ local s = '}} proxy_set_header X-Forwarded-Proto https;' }} proxy_pass http://127.0.0.1; }}",
        PROXY.replace('\n', " ") + "\n"
    ));
    let finding = headers(&text, "/");
    assert_eq!((finding.status, &finding.data["reason"]), (Status::Fail, &"missing".into()));
    let lua = server(&format!(
        "{PROXY}location / {{ access_by_lua_block {{ ngx.req.set_header('a', '}}') }} proxy_pass http://127.0.0.1; }}"
    ));
    assert_eq!(status(&lua, "/"), Status::Unknown);
    assert!(config(&lua, "/").summary.contains("access_by_lua_block"));
}

#[test]
fn case_37_headers_only_in_the_plain_server() {
    let text = dump(&format!(
        "server {{ listen 80; server_name a.test; {PROXY} location / {{ proxy_pass http://127.0.0.1; }} }}\nserver {{ listen 443 ssl; server_name a.test; location / {{ proxy_pass http://127.0.0.1; }} }}"
    ));
    assert_eq!(status(&text, "/"), Status::Fail);
}

#[test]
fn case_38_header_names_have_no_case() {
    let text = server(&format!("{}location / {{ proxy_pass http://127.0.0.1; }}", PROXY.to_lowercase()));
    assert_eq!(status(&text, "/"), Status::Pass);
}

#[test]
fn case_39_variable_upstream_without_resolver() {
    let text = |before: &str, after: &str| {
        format!(
            "{}{before}",
            server(&format!("{PROXY}{after} set $u http://app:8000; location / {{ proxy_pass $u; }}"))
        )
    };
    let finding = config(&text("", ""), "/");
    assert_eq!((finding.status, &finding.data["reason"]), (Status::Fail, &"run-time-502".into()));
    assert_eq!(config(&text("", "resolver 127.0.0.11;"), "/").status, Status::Pass);
    let group = dump(&format!(
        "upstream app {{ server 127.0.0.1:1; }} server {{ listen 443 ssl; {PROXY} set $u http://app; location / {{ proxy_pass $u; }} }}"
    ));
    assert_eq!(config(&group, "/").status, Status::Pass);
    let literal = server("location / { proxy_pass http://app:8000; }");
    let finding = config(&literal, "/");
    assert_eq!(finding.status, Status::Pass);
    assert!(finding.data["notes"][0].as_str().unwrap().contains("looked up once"));
}

#[test]
fn case_40_failed_dump_is_unknown_with_the_reason() {
    let stderr = "2026/11/23 18:00:00 [warn] 7#7: x\nnginx: [emerg] host not found in upstream \"app\" in /etc/nginx/nginx.conf:9\nnginx: configuration file /etc/nginx/nginx.conf test failed\n";
    let findings = judge_failed_dump("prime", "exit status 1", stderr);
    assert!(findings.iter().all(|finding| finding.status == Status::Unknown));
    assert_eq!(
        findings[0].summary,
        "the configuration file cannot be loaded: host not found in upstream \"app\" in /etc/nginx/nginx.conf:9"
    );
}

#[test]
fn values_are_judged_by_what_the_application_receives() {
    let with = |proto: &str, before: &str| {
        let headers = PROXY.replace("$scheme", proto);
        dump(&format!(
            "{before} server {{ listen 443 ssl; server_name a.test; {headers} location / {{ proxy_pass http://127.0.0.1; }} }}"
        ))
    };
    let map = "map $http_x_forwarded_proto $p { default $scheme; https https; }";
    let table = [
        ("https", "", Status::Pass),
        ("http", "", Status::Fail),
        ("${scheme}", "", Status::Pass),
        ("HTTPS", "", Status::Fail),
        ("$http_x_forwarded_proto", "", Status::Fail),
        ("$p", map, Status::Fail),
        ("$p", "map $scheme $p { https https; }", Status::Pass),
        ("$p", "map $http_x $p { default https; }", Status::Pass),
        ("$p", "geo $p { default https; }", Status::Unknown),
        ("$p", "map $scheme $p { '~^h(?=t)' https; }", Status::Unknown),
    ];
    for (proto, before, expected) in table {
        assert_eq!(status(&with(proto, before), "/"), expected, "{proto} {before}");
    }
    let front = Some(Public { scheme: "https".to_owned(), host: "a.test".to_owned(), port: 443 });
    let behind = Question { front, ..question("/") };
    for text in [with("$p", map), with("$http_x_forwarded_proto", "")] {
        let findings = judge("prime", &parse_dump(&text), &behind, &expected());
        assert_eq!(findings[1].status, Status::Pass, "{:?}", findings[1]);
    }
}

#[test]
fn the_port_inside_is_told_where_it_is_asked_for_and_wrong_elsewhere() {
    let text =
        server(&format!("{PROXY}location / {{ proxy_pass http://127.0.0.1; }}")).replace("listen 443", "listen 8443");
    let mut question = Question { port: 8443, ..question("/") };
    let finding = &judge("prime", &parse_dump(&text), &question, &expected())[1];
    assert_eq!(finding.status, Status::Pass);
    let notes = finding.data["notes"].to_string();
    assert!(notes.contains("X-Forwarded-Port is the port inside (8443), visitors use 443"), "{finding:?}");
    let literal = Expected { headers: [("X-Forwarded-Port".to_owned(), "443".to_owned())].into(), ..expected() };
    let finding = &judge("prime", &parse_dump(&text), &question, &literal)[1];
    assert_eq!(finding.status, Status::Fail);
    assert!(finding.cause.as_ref().unwrap().contains("(8443), not the published one (443)"), "{finding:?}");
    let host = text.replace("Host $host", "Host $http_host").replace("$server_port", "443");
    let finding = &judge("prime", &parse_dump(&host), &question, &expected())[1];
    assert_eq!(finding.status, Status::Pass);
    assert!(
        finding.data["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("Host header"))
    );
    question.host = "A.test:444".to_owned();
    assert_eq!(judge("prime", &parse_dump(&host), &question, &expected())[1].status, Status::Warn);
}

#[test]
fn settings_are_inherited_one_by_one_and_defaults_depend_on_the_version() {
    let text = server(&format!(
        "proxy_http_version 1.1; {PROXY} location / {{ proxy_redirect off; proxy_pass http://127.0.0.1; }} location /d {{ proxy_pass http://127.0.0.1; }}"
    ));
    let mut expected =
        Expected { http_version: Some("1.1".to_owned()), redirect: Some("off".to_owned()), ..expected() };
    let config = |text: &str, path: &str, expected: &Expected| {
        let findings = judge("prime", &parse_dump(text), &question(path), expected);
        findings.into_iter().filter(|finding| finding.id == CONFIG).collect::<Vec<_>>()
    };
    assert_eq!(config(&text, "/", &expected)[0].status, Status::Pass);
    let redirect = config(&text, "/d", &expected);
    assert_eq!((redirect.len(), &redirect[0].data["reason"]), (1, &"redirect".into()));
    let absent = text.replace("proxy_http_version 1.1;", "");
    assert_eq!(config(&absent, "/", &expected)[0].data["reason"], "http-version");
    expected.version = Some((1, 29, 7));
    assert_eq!(config(&absent, "/", &expected)[0].status, Status::Pass);
}

#[test]
fn what_is_not_proxied_over_http_is_said() {
    let table = [
        ("return 301 https://b.test/;", Status::Fail, "not-proxied"),
        ("location / { root /x; }", Status::Fail, "not-proxied"),
        ("location / { proxy_pass http://127.0.0.1; location ~ x { } }", Status::Fail, "not-proxied"),
        ("location / { fastcgi_pass 127.0.0.1:9000; }", Status::Unknown, "other-protocol"),
        ("location / { uwsgi_pass unix:/x; }", Status::Unknown, "other-protocol"),
        ("location / { grpc_pass grpc://127.0.0.1:9000; }", Status::Unknown, "other-protocol"),
    ];
    for (inside, expected, reason) in table {
        let text = server(inside);
        for finding in judged(&text, "/x") {
            assert_eq!((finding.status, &finding.data["reason"]), (expected, &reason.into()), "{inside}");
        }
    }
}

#[test]
fn conditions_that_the_question_does_not_decide_are_notes_or_doubts() {
    let with = |line: &str| server(&format!("{PROXY}location / {{ {line} proxy_pass http://127.0.0.1; }}"));
    let table = [
        ("if ($http_user_agent ~ bot) { return 403; }", Status::Pass),
        ("if ($http_user_agent ~ bot) { rewrite ^ /m last; }", Status::Unknown),
        ("if ($http_user_agent ~ bot) { proxy_pass http://127.0.0.2; }", Status::Unknown),
        ("if ($host != a.test) { return 301 https://a.test$request_uri; }", Status::Pass),
        ("if ($host = a.test) { return 301 https://b.test$request_uri; }", Status::Fail),
        ("if (-f /maintenance) { return 503; }", Status::Pass),
        ("rewrite ^/(?!x) /y last;", Status::Unknown),
        ("set $a 1; if ($a) { return 410; }", Status::Fail),
    ];
    for (line, expected) in table {
        assert_eq!(status(&with(line), "/"), expected, "{line}");
    }
}

#[test]
fn the_certificate_is_the_one_that_tls_chooses_by_name() {
    let text = dump(
        "ssl_certificate /http.pem;\nserver { listen 443 ssl default_server; ssl_certificate /d.pem; }\nserver { listen 443 ssl; server_name a.test;\nssl_certificate /a-ec.pem; ssl_certificate /a-rsa.pem; }\nserver { listen 443 ssl; server_name h.test; }",
    );
    let certificate = |host: &str| {
        let question = Question { host: host.to_owned(), ..question("/") };
        evaluate(&parse_dump(&text).unwrap(), &question).unwrap().certificate.unwrap()
    };
    assert_eq!(certificate("a.test").value, "/a-ec.pem");
    assert_eq!(certificate("a.test").at.unwrap().to_string(), "/etc/nginx/nginx.conf:6");
    assert_eq!(certificate("h.test").value, "/http.pem");
    assert_eq!(certificate("10.0.0.1").value, "/d.pem");
}

#[test]
fn no_server_and_no_tls_are_faults() {
    let text = dump("server { listen 80; location / { proxy_pass http://127.0.0.1; } }");
    assert_eq!(config(&text, "/").data["reason"], "no-server");
    let plain = dump("server { listen 443; location / { proxy_pass http://127.0.0.1; } }");
    assert!(config(&plain, "/").summary.contains("speaks plain HTTP"));
    let name = dump("server { listen 443 ssl; server_name ~^(?!b); }");
    assert_eq!(config(&name, "/").status, Status::Unknown);
}

#[test]
fn several_levels_of_maps_and_sets_are_followed() {
    let text = dump(
        "map $host $a { default 1; a.test 2; } map $a $b { 2 https; default http; } server { listen 443 ssl; location / { set $c $b; proxy_set_header P $c; proxy_pass http://127.0.0.1; } }",
    );
    let answer = evaluate(&parse_dump(&text).unwrap(), &question("/")).unwrap();
    assert_eq!(answer.headers[0].meaning, Value::Known("https".to_owned()));
    let expected = Expected { headers: BTreeMap::new(), ..expected() };
    assert_eq!(judge_headers("prime", &answer, &expected)[0].status, Status::Skip);
}

#[test]
fn without_an_address_the_public_sockets_count() {
    let with = |first: &str| {
        dump(&format!(
            "server {{ {first} server_name x; }} server {{ listen 443 ssl; server_name a.test; }} server {{ listen 127.0.0.1:443 ssl; }}"
        ))
    };
    let asked = |text: &str| evaluate(&parse_dump(text).unwrap(), &question("/"));
    let answer = asked(&with("listen [::]:443 ssl;")).unwrap();
    assert_eq!(answer.server.name, "a.test");
    assert!(answer.notes[0].starts_with("over IPv6 another server answers"), "{:?}", answer.notes);
    assert_eq!(asked(&with("listen 10.0.0.1:443 ssl;")).unwrap_err().kind, DoubtKind::Undecided);
    assert_eq!(asked(&with("listen 443 quic reuseport;")).unwrap().server.name, "a.test");
}
