//! A way from redirect to redirect: where to go next, and when to stop.

use std::collections::BTreeSet;

use url::Url;

use crate::rules::{
    http::{Answer, HttpFailure},
    location::{Nowhere, resolve},
};

/// One request of a walk and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hop {
    /// What was asked.
    pub url: Url,
    /// What came.
    pub answer: Result<Answer, HttpFailure>,
}

/// What to do after a hop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Ask this address.
    Ask(Url),
    /// It is over.
    End(End),
}

/// How a walk ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// An answer that is no redirect.
    Arrived,
    /// The last hop has no answer.
    Broken,
    /// A redirect to another site, which was not asked.
    Left(Url),
    /// A redirect to an address that was asked before.
    Loop(Url),
    /// A redirect that leads nowhere.
    Lost(Nowhere),
    /// More hops than [`MOST_HOPS`].
    TooLong,
}

/// A browser gives up after 20; a healthy site needs two.
pub const MOST_HOPS: usize = 10;

/// What was seen of a way, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Walk {
    /// At least one.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub end: End,
}

/// Decides what to do after the last of `hops`. Every request is a GET, so an address that comes again is a loop.
pub fn next(hops: &[Hop]) -> Next {
    let (Some(first), Some(last)) = (hops.first(), hops.last()) else { return Next::End(End::Broken) };
    let answer = match &last.answer {
        Err(_) => return Next::End(End::Broken),
        Ok(answer) if !answer.is_redirect() => return Next::End(End::Arrived),
        Ok(answer) => answer,
    };
    let target = match resolve(&last.url, answer) {
        Err(nowhere) => return Next::End(End::Lost(nowhere)),
        Ok(location) => location.url,
    };
    let asked: BTreeSet<&str> = hops.iter().map(|hop| without_fragment(&hop.url)).collect();
    if asked.contains(target.as_str()) {
        Next::End(End::Loop(target))
    } else if !is_web(&target) || !is_same_site(&first.url, &target) {
        Next::End(End::Left(target))
    } else if hops.len() >= MOST_HOPS {
        Next::End(End::TooLong)
    } else {
        Next::Ask(target)
    }
}

/// Whether two addresses have the same host, or hosts that differ by a leading `www.`.
pub fn is_same_site(one: &Url, other: &Url) -> bool {
    let host = |url: &Url| url.host_str().map(|host| host.strip_prefix("www.").unwrap_or(host).to_owned());
    host(one).is_some() && host(one) == host(other)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn without_fragment(url: &Url) -> &str {
    url.as_str().split('#').next().unwrap_or_default()
}
