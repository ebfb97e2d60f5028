//! What a person types where mainstay is not at hand: the very calls that it makes itself.

use super::{Certificate, reload};
use crate::rules::renewal::{Call, Form, Kind, Way, caller};

/// The arguments for certbot that renew the lineage of this name, or ask for it the first time; nothing is looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByHand {
    /// Of a certificate that is there.
    pub renew: Vec<String>,
    /// Of one that is not.
    pub request: Vec<String>,
}

/// The calls for a certificate, proved in this way.
pub fn by_hand(certificate: &Certificate, lineage: &str, way: Way<'_>) -> ByHand {
    let of_host = caller(&certificate.certbot) == Form::Host && !certificate.is_default_directory();
    let folders = || match of_host {
        true => vec![("--config-dir", certificate.directory.display().to_string())],
        false => Vec::new(),
    };
    let call = |kind| Call { name: lineage, kind, way, rehearsal: false, folders: folders() }.arguments();
    ByHand {
        renew: call(Kind::Renew),
        request: call(Kind::Request {
            names: &certificate.names,
            email: certificate.email.as_deref(),
            key_type: &certificate.key_type,
            server: certificate.server.as_ref().map(url::Url::as_str),
        }),
    }
}

/// The command that makes the server load it.
pub fn reload_by_hand(certificate: &Certificate) -> String {
    reload::by_hand(certificate)
}
