//! Chapter 9: what can be shown afterwards.

use super::{
    databases::regions,
    page::{Page, code},
    settings::Settings,
};

pub(super) fn write(settings: &Settings, page: &mut Page) {
    page.says("What mainstay leaves behind, to be shown to whoever asks:");
    let mut points = vec![
        "One record of every run: who ran what when, what was found, what was changed and why (`mainstay history`). It is \
         kept in the state folder and never holds secrets."
            .to_owned(),
        "This page: it follows from the configuration alone, and `mainstay runbook --check` fails in CI where it is out of \
         date, so that each change of the maintenance is a commit with an author."
            .to_owned(),
    ];
    if !settings.backups.is_empty() {
        points.push(
            "Each archive is numbered, names the one before it with its SHA-256, and is signed: one that is missing, changed \
             or put back is noticed."
                .to_owned(),
        );
        points.push(
            "Each rehearsed restore (`mainstay backup drill`) is remembered with its archive and its result."
                .to_owned(),
        );
    }
    if !settings.schedules.is_empty() {
        points.push(
            "Each start and stop stands with its reason in the record, and as an event in CloudTrail.".to_owned(),
        );
    }
    page.points(points);
    page.heading(3, "Evidence");
    let mut lines = vec![
        "mainstay history --since 90d --format json > history.json".to_owned(),
        "mainstay check --output junit=check.xml --output json=check.json".to_owned(),
    ];
    if let Some(backup) = settings.backups.first() {
        lines.push(format!(
            "mainstay backup verify {} --all      # `--identity key.txt` opens them too",
            backup.set.name
        ));
    }
    lines.push("git log --follow -- MAINTENANCE.md".to_owned());
    page.shell(&lines.join("\n"));
    let selectors: Vec<_> =
        settings.schedules.iter().flat_map(|(timetable, _)| &timetable.schedule.selectors).collect();
    let regions = regions(&selectors);
    if regions.is_empty() {
        return;
    }
    page.says("Who started and stopped machines, by Amazon's own record of the last 90 days:");
    let mut lines = Vec::new();
    for region in regions {
        for event in ["StartInstances", "StopInstances", "StartDBInstance", "StopDBInstance"] {
            lines.push(format!(
                "aws cloudtrail lookup-events --region {region} --lookup-attributes AttributeKey=EventName,AttributeValue={event} \\\n  \
                 --query 'Events[].[EventTime,Username,EventName]' --output table"
            ));
        }
    }
    page.shell(&lines.join("\n"));
    page.says(&format!(
        "No certification and no law is claimed here: what {} has to prove to whom is for its people to add.",
        code(settings.project())
    ));
}
