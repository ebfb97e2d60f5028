//! What the checks of one site share: its settings, the world, and what was observed once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::OnceCell, time::Instant};

use super::{
    http_redirect, nginx,
    visit::{self, Visit},
    web::Hops,
};
use crate::{
    check::{Resolve, Site},
    rules::{
        certificate::{Offers, plain},
        gunicorn::{self, Observation},
    },
    system::{
        Context,
        gunicorn::observe,
        nginx::Fault,
        resolve::{Unresolved, resolve},
        tls::{Trust, hello},
    },
};

/// One site in one run.
pub struct Scope<'a> {
    /// What is expected.
    pub site: &'a Site,
    /// The world.
    pub context: &'a Context,
    began: Instant,
    addresses: OnceCell<Result<Vec<SocketAddr>, Unresolved>>,
    visits: OnceCell<Result<Vec<Visit>, Unresolved>>,
    offers: OnceCell<Vec<(SocketAddr, Offers)>>,
    hops: OnceCell<Option<Hops>>,
    nginx: OnceCell<Result<nginx::View, Fault>>,
    gunicorn: OnceCell<Option<Result<Observation, gunicorn::Trouble>>>,
}

impl<'a> Scope<'a> {
    /// Nothing observed yet.
    pub fn new(site: &'a Site, context: &'a Context) -> Self {
        Self {
            site,
            context,
            began: Instant::now(),
            addresses: OnceCell::new(),
            visits: OnceCell::new(),
            offers: OnceCell::new(),
            hops: OnceCell::new(),
            nginx: OnceCell::new(),
            gunicorn: OnceCell::new(),
        }
    }

    /// The roots that this site is judged with.
    pub fn trust(&self) -> Arc<Trust> {
        self.context.trust.with(&self.context.environment, &self.site.extra_roots, self.site.ca_file.as_deref())
    }

    /// The addresses of any host, with the overrides that are meant for it: one without a host is for the site's own.
    ///
    /// # Errors
    ///
    /// When there is none, or when that cannot be known.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
        let site = self.site;
        let own = site.url.host_str().is_some_and(|own| plain(own) == plain(host));
        let overrides: Vec<Resolve> =
            site.resolve.iter().filter(|entry| own || entry.host.is_some()).cloned().collect();
        resolve(host, port, &overrides, site.family, site.timeout).await
    }

    /// The addresses of the site's own URL.
    pub async fn addresses(&self) -> &Result<Vec<SocketAddr>, Unresolved> {
        self.addresses
            .get_or_init(|| async {
                let url = &self.site.url;
                self.resolve(url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443)).await
            })
            .await
    }

    /// One look at the site's URL at each of its addresses: connection, handshake and answer.
    pub async fn visits(&self) -> &Result<Vec<Visit>, Unresolved> {
        self.visits
            .get_or_init(|| async {
                let addresses = self.addresses().await.clone()?;
                Ok(visit::all(self, &addresses, self.left()).await)
            })
            .await
    }

    /// The ways from plain HTTP; `None` where nothing is said about that side.
    pub(super) async fn hops(&self) -> Option<&Hops> {
        self.hops
            .get_or_init(|| async {
                match http_redirect::start(self.site) {
                    Ok(start) => Some(Hops::observe(self, &start).await),
                    Err(_) => None,
                }
            })
            .await
            .as_ref()
    }

    /// One look at the site's nginx, and what its files say about the site.
    pub async fn nginx(&self) -> &Result<nginx::View, Fault> {
        self.nginx.get_or_init(|| nginx::look(self.site, self.context)).await
    }

    /// Which older protocol versions each address offers; empty when there is no address.
    pub async fn offers(&self) -> &[(SocketAddr, Offers)] {
        self.offers
            .get_or_init(|| async {
                let Ok(addresses) = self.addresses().await else { return Vec::new() };
                let (host, left) = (self.site.url.host_str().unwrap_or_default(), self.left());
                join_all(
                    addresses
                        .iter()
                        .map(|address| async move { (*address, hello::offers(*address, host, left).await) }),
                )
                .await
            })
            .await
    }

    /// What was seen of gunicorn; `None` when the site has no such section.
    pub async fn gunicorn(&self) -> Option<&Result<Observation, gunicorn::Trouble>> {
        let look = || async {
            let source = &self.site.gunicorn.as_ref()?.source;
            Some(observe(self.context, source, self.site.timeout).await)
        };
        self.gunicorn.get_or_init(look).await.as_ref()
    }

    /// What is left of the site's deadline, which the looks share: whoever asks late gets less and not more.
    pub(super) fn left(&self) -> Duration {
        self.site.timeout.saturating_sub(self.began.elapsed())
    }
}
