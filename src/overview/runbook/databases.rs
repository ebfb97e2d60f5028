//! Chapter 4: databases that are dumped, and those of RDS.

use super::{
    page::{Page, code},
    settings::Settings,
};
use crate::{rules::fleet::Service, rules::secret, schedule::Selector};

const ABSENT: &str = "\
[[backup.app.dump]]
name = \"db.sql\"
command = [\"docker\", \"exec\", \"db\", \"pg_dump\", \"-U\", \"app\", \"app\"]";

pub(super) fn write(settings: &Settings, page: &mut Page) {
    let dumps: Vec<_> =
        settings.backups.iter().flat_map(|backup| backup.set.dumps.iter().map(move |dump| (backup, dump))).collect();
    page.heading(3, "Dumps");
    if dumps.is_empty() {
        page.absent("no database is dumped into a backup.", ABSENT);
    } else {
        page.says(&format!(
            "These commands run with each backup ({}), and their output goes into the archive. A command that fails, or \
             prints too little, makes the archive suspect.",
            code(&settings.timers.backup)
        ));
        let rows: Vec<Vec<String>> = dumps
            .iter()
            .map(|(backup, dump)| {
                let command = shell_words::join(secret::hide_in_command(&dump.command));
                vec![code(&backup.set.name), code(&dump.name), code(&command)]
            })
            .collect();
        page.table(&["Backup", "File in the archive", "Command"], &rows);
        page.says(
            "To bring one back: take it out of an archive ([1. Backups](#1-backups)), stop what writes to the database, and \
             feed it to the program that belongs to the command, for example `psql` for `pg_dump` and `mysql` for \
             `mysqldump`:",
        );
        page.shell("psql -v ON_ERROR_STOP=1 --single-transaction -f FILE DATABASE\nmysql DATABASE < FILE");
    }
    page.heading(3, "RDS");
    let selectors: Vec<&Selector> = selectors(settings);
    if selectors.is_empty() {
        page.says("**Not automated:** no schedule names a database of RDS.");
        return;
    }
    if settings.schedules.iter().all(|(timetable, _)| timetable.upkeep.is_none()) {
        page.absent("nobody is told of their pending maintenance, versions and certificates.", "[database]");
    } else {
        page.says(&format!(
            "`database.maintenance` looks at pending maintenance, versions, certificates, backups and public access of each, {}.",
            code(&settings.timers.check)
        ));
    }
    page.says(
        "Amazon backs up, patches and replaces the disks of RDS by itself, in the windows of each database. mainstay starts \
         and stops what its schedules name; `schedule.drift` warns of a window that lies wholly in off time, since nothing \
         happens to a stopped database then. By hand, once a quarter:",
    );
    let mut lines = Vec::new();
    for region in regions(&selectors) {
        lines.push(format!("export AWS_DEFAULT_REGION={region}"));
        lines.push("aws rds describe-pending-maintenance-actions --output table".to_owned());
        lines.push(
            "aws rds describe-db-instances --output table --query 'DBInstances[].[DBInstanceIdentifier,Engine,EngineVersion,\
             CACertificateIdentifier,BackupRetentionPeriod,LatestRestorableTime,PubliclyAccessible]'"
                .to_owned(),
        );
    }
    page.shell(&lines.join("\n"));
}

/// The selectors of databases.
pub(super) fn selectors(settings: &Settings) -> Vec<&Selector> {
    let all = settings.schedules.iter().flat_map(|(timetable, _)| &timetable.schedule.selectors);
    all.filter(|selector| selector.service == Service::Rds).collect()
}

/// Their regions, each once.
pub(super) fn regions<'a>(selectors: &[&'a Selector]) -> Vec<&'a str> {
    let mut regions: Vec<&str> = Vec::new();
    for region in selectors.iter().flat_map(|selector| &selector.regions) {
        if !regions.contains(&region.as_str()) {
            regions.push(region);
        }
    }
    regions
}
