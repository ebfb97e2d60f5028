//! A message as a mail, through an SMTP server (RFC 5321) over TLS (RFC 3207, RFC 8314).

use std::{
    error::Error as _,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::DEADLINE;
use crate::{
    rules::{notice::Notice, redact::Redact},
    system::{Context, secret::Secret},
};

/// Sends a mail; what took it.
pub(super) async fn send(
    smtp: &Secret,
    from: &str,
    to: &[String],
    notice: &Notice,
    host: &str,
    context: &Context,
) -> Result<String, String> {
    let secret = smtp.resolve(context).await.map_err(|error| error.to_string())?;
    let server = Server::read(&secret)?;
    let message = message(from, to, notice, host, context)?;
    let transport = server.transport(host).map_err(|error| server.told(&error))?;
    transport.send(message).await.map_err(|error| server.told(&error))?;
    Ok(format!("{}:{} took the mail for {}", server.host, server.port, to.join(", ")))
}

/// A mail server, out of its address.
struct Server {
    host: String,
    port: u16,
    login: Option<(String, SecretString)>,
    guard: Guard,
    redact: Redact,
}

/// How the connection is kept from others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guard {
    /// It never leaves this machine.
    None,
    /// TLS where the server offers it.
    Offered,
    /// STARTTLS, or nothing is sent.
    Required,
    /// TLS from the first byte.
    Whole,
}

impl Server {
    /// `smtp://[USER:PASSWORD@]HOST[:PORT]`: port 587 with a password and 25 without. A password goes over TLS only, except to
    /// this machine itself. `smtps://`: TLS from the begin, port 465.
    fn read(secret: &SecretString) -> Result<Self, String> {
        let text = secret.expose_secret().trim();
        let url = Url::parse(text).map_err(|error| format!("the secret holds no address: {error}"))?;
        let host = url.host_str().ok_or("the secret holds no address with a host")?.to_owned();
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = url.password().map(decoded);
        let login = match (url.username(), &password) {
            ("", _) => None,
            (_, None) => return Err("its address has a user and no password".to_owned()),
            (user, Some(password)) => Some((decoded(user), password.clone().into())),
        };
        let guard = match (url.scheme(), login.is_some()) {
            ("smtps", _) => Guard::Whole,
            ("smtp", _) if is_here(&host) => Guard::None,
            ("smtp", true) => Guard::Required,
            ("smtp", false) => Guard::Offered,
            _ => return Err("its address begins with neither smtp:// nor smtps://".to_owned()),
        };
        let port = url.port().unwrap_or(match (guard, login.is_some()) {
            (Guard::Whole, _) => 465,
            (_, true) => 587,
            (_, false) => 25,
        });
        let redact = Redact::new(std::iter::once(text.to_owned()).chain(password));
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, login, guard, redact })
    }

    fn transport(&self, host: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
        let parameters = || TlsParameters::new(self.host.clone());
        let tls = match self.guard {
            Guard::None => Tls::None,
            Guard::Offered => Tls::Opportunistic(parameters()?),
            Guard::Required => Tls::Required(parameters()?),
            Guard::Whole => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(tls)
            .timeout(Some(DEADLINE))
            .hello_name(ClientId::Domain(host.to_owned()));
        if let Some((user, password)) = &self.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(builder.build())
    }

    /// What went wrong, in a line without the password.
    fn told(&self, error: &lettre::transport::smtp::Error) -> String {
        let mut text = format!("{}:{}: {error}", self.host, self.port);
        let mut source = error.source().and_then(std::error::Error::source);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
        self.redact.text(&text)
    }
}

/// Whether a host is this machine by its name or number alone.
fn is_here(host: &str) -> bool {
    let plain = host.trim_matches(['[', ']']);
    plain.eq_ignore_ascii_case("localhost") || plain.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn message(from: &str, to: &[String], notice: &Notice, host: &str, context: &Context) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"));
    let mut builder = Message::builder()
        .from(mailbox(from)?)
        .subject(notice.title.clone())
        .date(moment(context))
        .message_id(Some(format!("<{}@{host}>", uuid::Uuid::new_v4())))
        .header(header::ContentType::TEXT_PLAIN)
        // So that nobody's holiday answers it (RFC 3834).
        .raw_header(header::HeaderValue::new(
            header::HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for address in to {
        builder = builder.to(mailbox(address)?);
    }
    builder.body(notice.text()).map_err(|error| format!("the mail cannot be written: {error}"))
}

/// Now, as the standard library has it.
fn moment(context: &Context) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(context.clock.now().as_second().try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_over_tls_only_or_stays_here() {
        for (address, host, port, guard) in [
            ("smtp://localhost:25", "localhost", 25, Guard::None),
            ("smtp://ann:pw@127.0.0.1", "127.0.0.1", 587, Guard::None),
            ("smtp://[::1]:2525", "::1", 2525, Guard::None),
            ("smtp://relay.example", "relay.example", 25, Guard::Offered),
            ("smtp://ann:pw@mail.example", "mail.example", 587, Guard::Required),
            ("smtps://ann:p%40ss@mail.example", "mail.example", 465, Guard::Whole),
            // A name that only begins like this machine's.
            ("smtp://ann:pw@localhost.example:25", "localhost.example", 25, Guard::Required),
        ] {
            let server = Server::read(&address.into()).unwrap();
            assert_eq!((server.host.as_str(), server.port, server.guard), (host, port, guard), "{address}");
        }
        let server = Server::read(&"smtps://ann:p%40ss@mail.example".into()).unwrap();
        assert_eq!(server.login.unwrap().1.expose_secret(), "p@ss");
        for wrong in ["", "mail.example", "http://mail.example", "smtp://ann@mail.example"] {
            let error = Server::read(&wrong.into()).err().unwrap();
            assert!(!error.contains("ann@"), "{error}");
        }
    }
}
