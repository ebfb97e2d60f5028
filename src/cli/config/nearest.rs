//! "Did you mean": the known word that a mistyped one is nearest to.

/// The nearest of the words, when it is near enough to have been meant.
pub fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A long text is not a slip of the finger, and the distance costs the product of both lengths.
    if typed.chars().count() > LONGEST {
        return None;
    }
    let fold = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let folded = fold(typed);
    let allowed = (folded.chars().count() / 3).clamp(1, 3);
    words
        .map(|word| (strsim::damerau_levenshtein(&folded, &fold(word)), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["workers", "threads", "graceful_timeout", "on", "to"];
        for (typed, near) in [
            ("workrs", Some("workers")),
            ("Workers", Some("workers")),
            ("wrokers", Some("workers")),
            ("graceful-timeout", Some("graceful_timeout")),
            ("gracefultimeout", Some("graceful_timeout")),
            ("passphrase", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, words.into_iter()), near, "{typed}");
        }
        assert_eq!(nearest(&"w".repeat(10_000), words.into_iter()), None);
    }
}
