//! What `mainstay check` looks at: the sites, backups, certificates and addresses that were asked for.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use super::{
    backup_settings, database_policy, domain_settings, fleet_settings, host_settings, renew_cert_settings, shown, usage,
};
use crate::{
    check::{
        self, Addresses, Backup, Certificate, GunicornSite, HttpSide, NginxSite, OauthSite, Provider, Resolve,
        Settings, Site, Timetable, TlsPolicy,
    },
    cli::{
        args::CheckArgs,
        config::{
            self, Loaded,
            model::{self, Lookup, Model, Which},
        },
    },
    error::{Error, Kind, Result},
    report::Status,
    system::{Context, process::room, zone::Zones},
};

/// How many sites are looked at at once: enough for a team's sites in a second, few enough for a small router.
const CONCURRENCY: usize = 32;

/// The largest PEM file that is read; the machine's whole bundle has a quarter of this.
const LARGEST: u64 = 1 << 20;

/// The settings of a check run; `known` are the ids of all checks.
///
/// # Errors
///
/// The command line names what does not exist, or a file that it names can not be used.
pub fn check_settings(
    loaded: Option<&Loaded>,
    args: &CheckArgs,
    known: &[&'static str],
    context: &Context,
) -> Result<Settings> {
    let (only, skip) = (ids(&args.only, "--only", known)?, ids(&args.skip, "--skip", known)?);
    let overrides = args.resolve.iter().map(|text| lookup(text)).collect::<Result<Vec<_>>>()?;
    let mut roots = BTreeMap::new();
    let mut sites: Vec<Site> = Vec::new();
    let targets = targets(loaded.map(|loaded| &loaded.model), &args.targets)?;
    for site in targets.sites {
        if sites.iter().any(|known| known.name == site.name) {
            continue;
        }
        sites.push(resolve(&site, args, &overrides, &mut roots, context)?);
    }
    let backups = match loaded {
        Some(loaded) if !targets.backups.is_empty() => Backup::all(backup_settings(loaded, &targets.backups, context)?),
        _ => Vec::new(),
    };
    let certificates = match loaded {
        Some(loaded) if !targets.certificates.is_empty() => {
            Certificate::all(renew_cert_settings(loaded, &targets.certificates, context)?)
        }
        _ => Vec::new(),
    };
    let schedules = match loaded {
        Some(loaded) if !targets.schedules.is_empty() => {
            let fleet = fleet_settings(loaded, &targets.schedules, &Zones::newest(context), context)?;
            Timetable::all(fleet, database_policy(&loaded.model))
        }
        _ => Vec::new(),
    };
    let hosts = match loaded {
        Some(loaded) if targets.host => host_settings(loaded, context)?.into_iter().collect(),
        _ => Vec::new(),
    };
    let domains = match loaded {
        Some(loaded) if targets.domain => domain_settings(loaded, context)?.into_iter().collect(),
        _ => Vec::new(),
    };
    let settings = Settings {
        sites,
        backups,
        certificates,
        schedules,
        hosts,
        domains,
        only,
        skip,
        wait: args.wait,
        strict: args.strict,
        concurrency: CONCURRENCY.min(room::sites()),
    };
    if check::has_work(&settings) {
        Ok(settings)
    } else {
        Err(usage("check anything").because("--only and --skip leave no check over for what is to be looked at"))
    }
}

/// What was asked for.
struct Targets {
    /// As the file describes them, or addresses with the defaults.
    sites: Vec<model::Site>,
    /// The names of backups.
    backups: Vec<String>,
    /// The names of certificates.
    certificates: Vec<String>,
    /// The names of schedules.
    schedules: Vec<String>,
    /// Whether this machine is.
    host: bool,
    /// Whether domains are.
    domain: bool,
}

/// By these words the machine and the domains are chosen.
const HOST: &str = "host";
const DOMAIN: &str = "domain";

/// What was asked for: everything configured where no name is given; where several things have one name, all of them.
fn targets(config: Option<&Model>, names: &[String]) -> Result<Targets> {
    let (sites, backups) = config.map(|config| (&config.sites[..], &config.backups[..])).unwrap_or_default();
    let certificates = config.map(|config| &config.certificates[..]).unwrap_or_default();
    let backups: Vec<&str> = backups.iter().map(|backup| backup.name.as_str()).collect();
    let certificates: Vec<&str> = certificates.iter().map(|certificate| certificate.name.as_str()).collect();
    let schedules = config.map(|config| &config.schedules[..]).unwrap_or_default();
    let schedules: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let has_host = config.is_some_and(|config| config.host.is_some());
    let has_domain = config.is_some_and(|config| config.domain.is_some());
    let words: Vec<&str> =
        [(HOST, has_host), (DOMAIN, has_domain)].iter().filter(|(_, has)| *has).map(|(word, _)| *word).collect();
    if names.is_empty() {
        return match (config, sites.len() + backups.len() + certificates.len() + schedules.len() + words.len()) {
            (None, _) => Err(Error::new(Kind::Config, "find anything to check")
                .because("there is no mainstay.toml here, and no address was given")
                .hint("give an address: mainstay check https://prime.example.edu")
                .hint("or write a mainstay.toml: [site.prime] with `url = \"https://prime.example.edu\"`")),
            (Some(_), 0) => Err(Error::new(Kind::Config, "find anything to check")
                .because("mainstay.toml has no section that `check` looks at, and no address was given")
                .hint("add a section: [site.prime] with `url = \"https://prime.example.edu\"`")
                .hint("or give an address: mainstay check https://prime.example.edu")),
            (Some(_), _) => Ok(Targets {
                sites: sites.to_vec(),
                backups: owned(&backups),
                certificates: owned(&certificates),
                schedules: owned(&schedules),
                host: has_host,
                domain: has_domain,
            }),
        };
    }
    let mut targets = Targets {
        sites: Vec::new(),
        backups: Vec::new(),
        certificates: Vec::new(),
        schedules: Vec::new(),
        host: has_host && names.iter().any(|name| name == HOST),
        domain: has_domain && names.iter().any(|name| name == DOMAIN),
    };
    let others = [&backups[..], &certificates[..], &schedules[..], &words[..]].concat();
    for name in names {
        let site = sites.iter().find(|site| site.name == *name).cloned();
        if backups.contains(&name.as_str()) {
            targets.backups.push(name.clone());
        }
        if certificates.contains(&name.as_str()) {
            targets.certificates.push(name.clone());
        }
        if schedules.contains(&name.as_str()) {
            targets.schedules.push(name.clone());
        }
        match site {
            None if !others.contains(&name.as_str()) => targets.sites.push(address(name, sites, &others)?),
            site => targets.sites.extend(site),
        }
    }
    Ok(targets)
}

/// An address of the command line as a site with the defaults.
fn address(typed: &str, sites: &[model::Site], others: &[&str]) -> Result<model::Site> {
    let shown = shown(typed);
    let error = |why: String| usage(format!("check `{shown}`")).because(why);
    let is_ip = typed.parse::<std::net::IpAddr>().is_ok();
    let looks_like_address = is_ip || typed.contains("://") || typed.contains(['.', ':']) || typed.starts_with('[');
    if !looks_like_address {
        let mut names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        for other in others {
            if !names.contains(other) {
                names.push(other);
            }
        }
        let error = match names.as_slice() {
            [] => error("it is not an address, and nothing in the configuration has this name".into()),
            _ => error(format!("nothing in the configuration has this name; there are `{}`", names.join("`, `"))),
        };
        let near = config::nearest(typed, names.into_iter());
        let error = near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")));
        return Err(error.hint(format!("for an address: mainstay check https://{shown}")));
    }
    let authority = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    if authority.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
        // Not shown: what stands before it can be a password.
        return Err(usage("check this address").because("a user or password can not stand in it"));
    }
    // The parser would drop tabs and line ends, and a blank is a slip.
    if typed.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(error("an address has no blanks and no control characters".into()));
    }
    let text = match typed {
        _ if typed.contains("://") => typed.to_string(),
        _ if is_ip && typed.contains(':') => format!("https://[{typed}]"),
        _ => format!("https://{typed}"),
    };
    // The defaults of a site are written once, in the vocabulary of the file.
    let file = format!("[site.address]\nurl = {}\n", config::value::quote(&text));
    let parsed = config::parse(&file, "command line");
    let site = parsed.map(|model| model.sites.into_iter().next());
    match site {
        Ok(Some(site)) => Ok(model::Site { name: shown, ..site }),
        Ok(None) => Err(error("it is not an address".into())),
        Err(diagnostics) => {
            let why = diagnostics.first().map(|diagnostic| {
                let message = diagnostic.message.replace("`site.address.url`", "it");
                message.rsplit_once("\": ").map_or(message.clone(), |(_, why)| why.to_string())
            });
            Err(error(why.unwrap_or_else(|| "it is not an address".into())))
        }
    }
}

fn resolve(
    site: &model::Site,
    args: &CheckArgs,
    overrides: &[Resolve],
    roots: &mut BTreeMap<PathBuf, Vec<CertificateDer<'static>>>,
    context: &Context,
) -> Result<Site> {
    let ca_file = match &args.ca_file {
        Some(path) => Some((context.folder.join(path), Kind::Usage)),
        None => site.ca_file.clone().map(|path| (path, Kind::Config)),
    };
    let extra_roots = match &ca_file {
        None => Vec::new(),
        Some((path, kind)) => match roots.get(path) {
            Some(known) => known.clone(),
            None => {
                let read = certificates(path, *kind)?;
                roots.insert(path.clone(), read.clone());
                read
            }
        },
    };
    let resolve = lookups(site, overrides);
    let ca_file = ca_file.map(|(path, _)| path);
    Ok(Site { resolve, family: args.family(), extra_roots, ca_file, ..as_written(site)? })
}

/// A site as the file describes it; nothing is read for it, so the certificates of its own authority are not there.
pub(super) fn as_written(site: &model::Site) -> Result<Site> {
    Ok(Site {
        name: site.name.clone(),
        status: site.status.clone(),
        contains: site.contains.clone(),
        http: http_side(site),
        addresses: match site.addresses {
            Which::All => Addresses::All,
            Which::First => Addresses::First,
        },
        resolve: lookups(site, &[]),
        family: check::Family::Any,
        extra_roots: Vec::new(),
        ca_file: site.ca_file.clone(),
        fingerprints: site.fingerprints.clone(),
        http_closed: site.http_closed.status().unwrap_or(Status::Pass),
        trusted_proxy: site.trusted_proxy,
        hsts: site.hsts.status(),
        timeout: site.timeout,
        tls: TlsPolicy { warn: site.tls.warn, fail: site.tls.fail, min_version: site.tls.min_version },
        nginx: site.nginx.as_ref().map(nginx),
        gunicorn: site.gunicorn.as_ref().map(gunicorn),
        oauth: site.oauth.as_ref().map(|section| oauth(section, site)).transpose()?,
        url: site.url.clone(),
    })
}

/// A flag that speaks of a site's host takes the place of what the file says of that site.
fn lookups(site: &model::Site, overrides: &[Resolve]) -> Vec<Resolve> {
    let host = site.url.host_str().unwrap_or_default().to_ascii_lowercase();
    let is_ours = overrides.iter().any(|entry| entry.host.as_deref() == Some(&host));
    let file = site.resolve.iter().filter(|_| !is_ours).map(|lookup| Resolve {
        host: lookup.host.clone(),
        port: lookup.port,
        address: lookup.address,
    });
    overrides.iter().cloned().chain(file).collect()
}

fn http_side(site: &model::Site) -> HttpSide {
    match &site.http {
        model::Http::Closed => HttpSide::Closed,
        model::Http::At(url) => HttpSide::Redirects(url.clone()),
        model::Http::Derived if site.url.scheme() != "https" => {
            HttpSide::Unsaid("the address itself is plain http".into())
        }
        model::Http::Derived if site.url.port().is_some() => {
            HttpSide::Unsaid("the address has a port of its own; set `http` to the plain address".into())
        }
        model::Http::Derived => {
            let plain = format!("http://{}/", site.url.host_str().unwrap_or_default());
            Url::parse(&plain).map_or_else(|error| HttpSide::Unsaid(error.to_string()), HttpSide::Redirects)
        }
    }
}

fn nginx(section: &model::Nginx) -> NginxSite {
    NginxSite {
        source: section.source.clone(),
        path: section.path.clone(),
        http_version: section.http_version.clone(),
        redirect: section.redirect.clone(),
        headers: section.headers.iter().cloned().collect(),
    }
}

fn gunicorn(section: &model::Gunicorn) -> GunicornSite {
    GunicornSite {
        source: section.source.clone(),
        workers: section.workers,
        threads: section.threads,
        timeout: section.timeout,
        graceful_timeout: section.graceful_timeout,
        forwarded_allow_ips: section.forwarded_allow_ips.clone(),
    }
}

fn oauth(section: &model::Oauth, site: &model::Site) -> Result<OauthSite> {
    let login = site.url.join(&section.login).map_err(|error| {
        Error::new(Kind::Config, format!("use `login` of [site.{}.oauth]", site.name)).because(error)
    })?;
    Ok(OauthSite {
        login,
        provider: section.authorize.clone().map_or(Provider::Google, Provider::Authorize),
        redirect_uri: section.redirect_uri.clone(),
        client_id: section.client_id.clone(),
    })
}

fn lookup(text: &str) -> Result<Resolve> {
    let error = |why: String| {
        usage(format!("use `--resolve {}`", shown(text)))
            .because(why)
            .hint("write HOST:PORT:ADDRESS, for example --resolve prime.example.edu:443:10.0.0.7")
    };
    let lookup: Lookup = text.parse().map_err(|why: String| match why.as_str() {
        "" => error("it is not HOST:PORT:ADDRESS".into()),
        _ => error(why),
    })?;
    match lookup.host {
        Some(host) => Ok(Resolve { host: Some(host), port: lookup.port, address: lookup.address }),
        None => Err(error("there is no host and no port in it".into())),
    }
}

/// The words of a list, each an id or the first word of one.
fn ids(given: &[String], flag: &str, known: &[&'static str]) -> Result<Vec<String>> {
    let first = |id: &'static str| id.split('.').next().unwrap_or(id);
    let mut words = Vec::new();
    for word in given.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty()) {
        if !known.iter().any(|id| *id == word || first(id) == word) {
            let candidates = known.iter().copied().chain(known.iter().map(|id| first(id)));
            let near = config::nearest(word, candidates);
            let error = usage(format!("use `{flag} {}`", word.escape_debug())).because("there is no such check");
            let error = near.into_iter().fold(error, |error, near| error.hint(format!("did you mean `{near}`?")));
            return Err(error.hint("`mainstay check --list` prints every check"));
        }
        words.push(word.to_string());
    }
    if words.is_empty() && !given.is_empty() {
        return Err(usage(format!("use `{flag}`")).because("it names no check"));
    }
    Ok(words)
}

/// The certificates of a PEM file.
fn certificates(path: &Path, kind: Kind) -> Result<Vec<CertificateDer<'static>>> {
    let shown = shown(&path.display().to_string());
    let error = |what: &str| Error::new(kind, format!("{what} the CA file `{shown}`"));
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut pem))
        .map_err(|cause| error("read").because(cause))?;
    if pem.len() as u64 > LARGEST {
        return Err(error("use").because("it is larger than 1 MiB"));
    }
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| error("use").because("it is damaged: its PEM can not be read"))?;
    if found.is_empty() {
        let error = error("use").because("there is no PEM certificate in it");
        return Err(match pem.first() {
            Some(0x30) => error.hint(format!("it looks like DER: openssl x509 -inform der -in {shown} -out ca.pem")),
            _ => error,
        });
    }
    for (at, certificate) in found.iter().enumerate() {
        if x509_parser::parse_x509_certificate(certificate).is_err() {
            return Err(error("use").because(format!("its certificate {} is not X.509", at + 1)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
