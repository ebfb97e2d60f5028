//! How findings speak, for the tests of all who make them: in one voice.

use super::Finding;

/// Fails where a finding does not speak as all others do: a summary of one line that begins in lower case and ends
/// without a full stop, and for everything that is not fine what to do about it, unless another finding explains it.
pub(crate) fn assert_one_voice(finding: &Finding) {
    for text in std::iter::once(&finding.summary).chain(&finding.fix) {
        let mut letters = text.chars();
        let (first, second) = (letters.next(), letters.next());
        // A word in capitals is a name: TLS, ECDSA, `X-Forwarded-Proto`.
        let is_name = second.is_none_or(|second| !second.is_lowercase());
        assert!(first.is_some_and(|first| !first.is_uppercase() || is_name), "begins in upper case: {finding:#?}");
        assert!(!text.ends_with('.'), "ends with a full stop: {finding:#?}");
    }
    assert!(!finding.summary.contains('\n'), "several lines: {finding:#?}");
    let explained = finding.fix.is_some() || finding.data.contains_key("because_of");
    assert!(finding.status.is_fine() || explained, "does not say what to do: {finding:#?}");
}
