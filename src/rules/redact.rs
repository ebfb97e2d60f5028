//! Takes configured secrets out of texts that leave the machine or stay on its disk.

/// The texts that must not be seen. Its `Debug` tells how many there are and none of them.
#[derive(Clone, Default)]
pub struct Redact {
    /// The longest first: one secret may hold another one.
    words: Vec<String>,
}

/// What stands in place of a secret.
const HIDDEN: &str = "<secret>";

/// A shorter text would be found in places that have nothing to do with it, and is no secret worth the name.
const SHORTEST: usize = 4;

impl Redact {
    /// Hides these; of an address with a password also the password alone.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut words = Vec::new();
        for secret in secrets {
            words.extend(password(&secret).map(str::to_owned));
            words.push(secret);
        }
        words.retain(|word| word.len() >= SHORTEST);
        words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        Self { words }
    }

    /// Hides these as well.
    pub fn and(self, secrets: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.words.into_iter().chain(secrets))
    }

    /// The text without them.
    pub fn text(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, word| match text.contains(word.as_str()) {
            true => text.replace(word.as_str(), HIDDEN),
            false => text,
        })
    }
}

impl std::fmt::Debug for Redact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redact({} secrets)", self.words.len())
    }
}

/// `pw` of `scheme://user:pw@host/…`, as it is written there.
fn password(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let (login, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    login.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_the_passwords_in_addresses_are_hidden_and_short_words_stay() {
        let secrets = ["https://hooks.example/T0/xyz", "smtps://ann:pa55@mail.example:465", "the", "hooks"];
        let redact = Redact::new(secrets.map(str::to_owned));
        for (text, shown) in [
            ("POST https://hooks.example/T0/xyz failed", "POST <secret> failed"),
            ("the login `ann:pa55` was refused", "the login `ann:<secret>` was refused"),
            ("smtps://ann:pa55@mail.example:465", "<secret>"),
            ("over the hooks", "over the <secret>"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redact.text(text), shown);
        }
        assert_eq!(format!("{redact:?}"), "Redact(4 secrets)");
        let more = redact.and(["https://hooks.example/T0/xyz/and-more".to_owned()]);
        assert_eq!(more.text("over the hooks: https://hooks.example/T0/xyz/and-more"), "over the <secret>: <secret>");
        assert_eq!(Redact::default().text("as it is"), "as it is");
    }
}
