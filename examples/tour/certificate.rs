//! The stop of the tour about renewals: what would be done about a certificate that ends in 20 days. Nothing is asked of an
//! authority, since a tour has none; the test bed renews for real.

use std::{fs, os::unix::fs::symlink, path::Path};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{CertificateParams, KeyPair};

use crate::{
    drive,
    site::{Anything, Authority},
};

/// Writes a folder of certbot below `folder`, and prints the plan for it.
pub async fn stops(folder: &Path, authority: &Authority) -> Result<u8, Anything> {
    let le = folder.join("letsencrypt");
    let (archive, live) = (le.join("archive/localhost"), le.join("live/localhost"));
    for folder in [&archive, &live, &le.join("renewal")] {
        fs::create_dir_all(folder)?;
    }
    let (certificate, key) = issue(authority, Timestamp::now())?;
    let chain = authority.pem();
    for (item, text) in
        [("cert", &certificate), ("chain", &chain), ("fullchain", &format!("{certificate}{chain}")), ("privkey", &key)]
    {
        fs::write(archive.join(format!("{item}1.pem")), text)?;
        symlink(format!("../../archive/localhost/{item}1.pem"), live.join(format!("{item}.pem")))?;
    }
    let line = |item: &str| format!("{item} = {}/{item}.pem\n", live.display());
    let conf = format!(
        "version = 2.1.0\narchive_dir = {}\n{}{}{}{}[renewalparams]\nauthenticator = standalone\nserver = https://localhost:1/dir\n",
        archive.display(),
        line("cert"),
        line("privkey"),
        line("chain"),
        line("fullchain"),
    );
    fs::write(le.join("renewal/localhost.conf"), conf)?;
    fs::write(
        folder.join("mainstay.toml"),
        "[certificate.prime]\nnames = [\"localhost\"]\ndirectory = \"letsencrypt\"\nmethod = \"webroot\"\nwebroot = \"webroot\"\n\
         verify = [\"localhost:1\"]\nreload = { container = \"prime_webtool_nginx_1\" }\n",
    )?;
    let title = "A certificate that ends in 20 days: what a renewal would do";
    drive(title, &["renew-cert", "--dry-run", "--explain"], folder, 0).await?;
    Ok(1)
}

/// A certificate of 90 days of which 20 are left, and its key.
fn issue(authority: &Authority, now: Timestamp) -> Result<(String, String), Anything> {
    let midnight = |days: i64| {
        let date = TimeZone::UTC.to_datetime(now).date().checked_add(days.days())?;
        let part = |number: i8| u8::try_from(number).unwrap_or(1);
        Ok::<_, Anything>(rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day())))
    };
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    (params.not_before, params.not_after) = (midnight(-69)?, midnight(21)?);
    let key = KeyPair::generate()?;
    Ok((authority.sign(params, &key)?, key.serialize_pem()))
}
