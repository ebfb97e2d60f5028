//! The recovery sheet: what to print and keep apart from this machine, so that its loss is not the archives'.

use std::fmt::Write as _;

use serde_json::json;

use crate::{report::Report, rules::sidecar::Sidecar, system::signature::Signer};

/// Adds the sheet of a backup to the report: as text for a person, as `result.recovery` for programs.
pub(super) fn append(report: &mut Report, sidecar: &Sidecar, places: &[&str], key: &Signer) {
    let command = command(sidecar, places.first().copied().unwrap_or("URL"), &key.public().to_string());
    let mut text = report.text.take().unwrap_or_default();
    if !text.is_empty() {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Recovery sheet of `{}/{}`: print it, and keep it apart from this machine.\n\n  signed by   {}\n  sealed for  {}\n",
        sidecar.project,
        sidecar.name,
        key.public(),
        sidecar.sealed_for.join(", "),
    );
    for place in places {
        let _ = writeln!(text, "  kept at     {place}");
    }
    let _ = write!(
        text,
        "\nOn a new machine:\n\n  {command}\n\nWithout mainstay (any file of an archive's name):\n\n  {}\n",
        by_hand(sidecar)
    );
    report.text = Some(text);
    let sheet = json!({
        "name": sidecar.name, "signed_by": key.public().to_string(), "sealed_for": sidecar.sealed_for,
        "destinations": places, "restore": command,
    });
    let result = report.result.get_or_insert_with(|| json!({ "recovery": [] }));
    if let Some(sheets) = result["recovery"].as_array_mut() {
        sheets.push(sheet);
    }
}

/// The command that brings the backup back where there is neither configuration nor state.
pub(super) fn command(sidecar: &Sidecar, place: &str, signer: &str) -> String {
    let key = if sidecar.sealed_for == ["passphrase"] { String::new() } else { " --identity KEY".to_owned() };
    let place = shell_words::quote(place);
    format!("mainstay backup restore --from {place} --to DIR{key} --signer {signer}")
}

/// The same with `age` and `tar` alone.
pub(super) fn by_hand(sidecar: &Sidecar) -> String {
    let key = if sidecar.sealed_for == ["passphrase"] { "" } else { " -i KEY" };
    let unpack = if sidecar.file.name.ends_with(".zst.age") { "tar --zstd -x" } else { "tar xz" };
    format!("age -d{key} {} | {unpack}", sidecar.file.name)
}
